# SPDX-License-Identifier: Apache-2.0
# IdentityStreamRecheck: what is under way ends when its caller may not have it any more (a download, server-sent events, a WebSocket, HTTP/2), whoever took it
# away, and nobody else's does. (security 37)
# run on: event prefork asan
use strict;
use warnings FATAL => 'all';
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
{
    open my $out, '>', "$folder/files/large" or die $!;
    truncate $out, 256 * 1024 * 1024 or die $!;
}

my $service = IdentityTest::Protected->events;
my $backend = $service->url;

my $prefork = configuration() eq 'prefork';
my $server = IdentityTest::Server->new(modules => [qw(proxy proxy_http), $prefork ? () : 'http2'], directives => <<"END");
    StartServers 4
    KeepAliveTimeout 1
    <IfModule http2_module>
        Protocols h2c http/1.1
    </IfModule>
    Alias /files $folder/files
    Alias /loose $folder/files
    <Directory "$folder">
        Require all granted
    </Directory>
    <LocationMatch "^/(files|events|socket|loose)">
        AuthType Identity
        AuthName streams
        IdentityStreamRecheck 1s
        Require identity-permission REPORT.VIEW
    </LocationMatch>
    <Location /loose>
        IdentityStreamRecheck Off
    </Location>
    ProxyPass /socket $backend upgrade=websocket
    ProxyPass /events $backend upgrade=websocket
    <Location /status>
        SetHandler identity-status
    </Location>
END

sub figure
{
    my ($name) = @_;
    my $text = ask($server, GET => '/status?auto')->{text};
    return $text =~ /^Identity$name: (\d+)/m ? $1 : die "no $name in $text";
}

# ---- a stream of somebody --------------------------------------------------------------------------------------------------------------------

my %path = (download => '/files/large', events => '/events/', quiet => '/events/?quiet', socket => '/socket/', idle => '/socket/', loose => '/loose/large');

# Has begun to come.
sub stream
{
    my ($kind, @credential) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => $server->host, Timeout => 10) or die "connect: $!";
    my $upgrade = $path{$kind} =~ /socket/ ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" : '';
    syswrite $socket, "GET $path{$kind} HTTP/1.1\r\nHost: " . $server->host . "\r\n$credential[0]: $credential[1]\r\n$upgrade\r\n";
    my $one = {kind => $kind, socket => $socket, bytes => 0, head => ''};
    for (1 .. 100) {
        last if $one->{head} =~ /\r\n\r\n/;
        IO::Select->new($socket)->can_read(10) and sysread $socket, $one->{head}, 512, length $one->{head} or last;
    }
    my $wanted = $upgrade ? 101 : 200;
    $one->{head} =~ m{^HTTP/1\.1 $wanted } or die "$kind: $one->{head}\n";
    return $one;
}

# A slow reader, who also talks over a WebSocket: false once the other side has ended it.
sub goes_on
{
    my ($one) = @_;
    syswrite $one->{socket}, 'hello ' if $one->{kind} eq 'socket' && $one->{bytes} < 100;
    return 1 unless IO::Select->new($one->{socket})->can_read(0);
    my $read = sysread $one->{socket}, my $part, 4096;
    $one->{bytes} += $read if $read;
    return $read;
}

sub run_all { my ($streams, $seconds) = @_; my $end = time + $seconds; while (time < $end) { goes_on($_) or $_->{over} = 1 for grep { !$_->{over} } @$streams; sleep 0.05 } }

# Ends, soon: nothing is asserted of how soon but that it is.
sub ends
{
    my ($one, $what, @others) = @_;
    for (1 .. 300) {
        last if $one->{over};
        run_all([$one, @others], 0.1);
    }
    ok $one->{over}, "$what: ends";
}

# What is buffered on the way to a slow reader comes still; a whole one would take hours.
sub drained { my ($one) = @_; 1 while goes_on($one); $one->{over} = 1 }

# ---- each kind, each way -----------------------------------------------------------------------------------------------------------------------

my @permission = ['REPORT.VIEW'];
my $other = somebody($server, @permission);
my @others = map { stream($_, @{$other->{bearer}}) } qw(download events socket);
run_all(\@others, 0.5);

# A download waits in buffers: its reader hurries from when it was taken away.
sub taken
{
    my ($kind, $what, $credential, $take) = @_;
    my $one = stream($kind, @$credential);
    run_all([$one], 0.3);
    ok !$one->{over}, "$what: $kind is under way";
    my $answer = $take->();
    die "$what: ", $answer->status, ' ', $answer->text, "\n" unless $answer->status < 300;
    if ($kind eq 'download') {
        my $end = time + 30;
        while (time < $end && !$one->{over}) {
            for (1 .. 200) { goes_on($one) or $one->{over} = 1, last }
            sleep 0.05;
        }
        ok $one->{over}, "$what: $kind ends";
    } else {
        ends($one, "$what: $kind");
    }
    run_all(\@others, 0.1);
}

my $one = somebody($server, @permission);
taken(events => 'logout', $one->{bearer}, sub { $server->api(POST => '/v1/oauth/logout', undef, @{$one->{bearer}}) });
$one = somebody($server, @permission);
taken(socket => 'a role that is taken away', $one->{bearer},
    sub { $server->api(PATCH => "/v1/users/$one->{id}/memberships/$one->{memb}", {role_ids => []}) });
$one = somebody($server, @permission);
taken(idle => 'a user who is made INACTIVE', $one->{bearer}, sub { $server->api(PATCH => "/v1/users/$one->{id}", {status => 'INACTIVE'}) });
$one = somebody($server, @permission);
taken(quiet => 'a permission of a role', $one->{bearer}, sub { $server->api(PATCH => "/v1/roles/$one->{role}", {permissions => []}) });
my $key = $server->api(POST => '/v1/api-keys', {})->json;
taken(download => 'a key that is switched off', ['X-API-KEY' => $key->{api_key}],
    sub { $server->api(PATCH => "/v1/api-keys/$key->{id}", {status => 'INACTIVE'}) });
$key = $server->api(POST => '/v1/api-keys', {expires_at => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 3))})->json;
taken(events => 'a key that comes to its end', ['X-API-KEY' => $key->{api_key}], sub { $server->api(GET => '/v1/users?limit=1') });

# ---- what changes nothing ----------------------------------------------------------------------------------------------------------------------

$one = somebody($server, @permission);
my $stays = stream(events => @{$one->{bearer}});
my $loose = stream(loose => @{$one->{bearer}});
is $server->api(POST => "/v1/users/$one->{id}/memberships", {account_id => $server->account_id('second'), type => 'ADMIN'})->status, 201, 'a further membership'
    if eval { $server->account_id('second') };
is $server->api(PATCH => "/v1/roles/$one->{role}", {permissions => ['REPORT.VIEW', 'ROLE.VIEW']})->status, 200, 'a role that gives more';
run_all([$stays, $loose, @others], 2);
ok !$stays->{over}, '... ends nothing';
is $server->api(POST => '/v1/oauth/logout', undef, @{$one->{bearer}})->status, 200, 'logout';
ends($stays, 'then it');
run_all([$loose], 2);
ok !$loose->{over}, 'IdentityStreamRecheck Off: goes on';
ok !(grep { $_->{over} } @others), 'all this time others have gone on';
ok $others[1]{bytes} > 200 && $others[2]{bytes} >= 100, '... and got something';

# ---- HTTP/2 ------------------------------------------------------------------------------------------------------------------------------------

unless ($prefork) {
    for my $what (qw(/files/large /events/)) {
        $one = somebody($server, @permission);
        my $curl = fork() // die "fork: $!";
        if (!$curl) {
            no warnings 'exec';
            # Slow enough to be under way, and fast enough for what is buffered between.
            exec 'curl', '-s', '-N', '--http2-prior-knowledge', '--limit-rate', '5M', '--max-time', '60', '-o', "$folder/h2", '-D', "$folder/h2.head",
                '-H', join(': ', @{$one->{bearer}}), $server->origin . $what;
        }
        for (1 .. 200) { last if -s "$folder/h2.head"; sleep 0.05 }
        is $server->api(POST => '/v1/oauth/logout', undef, @{$one->{bearer}})->status, 200, "HTTP/2, $what: logout";
        my $gone = 0;
        for (1 .. 400) { last if $gone = waitpid $curl, POSIX::WNOHANG(); sleep 0.05 }
        my $status = $gone ? $? >> 8 : -1;
        kill(KILL => $curl), waitpid $curl, 0 unless $gone;
        ok $status > 0 && $status != 28, "... ends it ($status)";
        like do { open my $in, '<', "$folder/h2.head" or die $!; <$in> }, qr{^HTTP/2 200}, '... which was one of HTTP/2';
        unlink "$folder/h2", "$folder/h2.head";
    }
}

# ---- nothing is left ---------------------------------------------------------------------------------------------------------------------------

ok figure('StreamsEnded') >= ($prefork ? 7 : 9), 'the figures tell how many were ended';
close $_->{socket} for @others, $loose;
undef @others;
my $left;
for (1 .. 200) {
    last unless $left = figure('Streams');
    sleep 0.1;
}
is $left, 0, '... and that none is left';
like $server->error_log, qr/ID0596: person1?\d*\@protect\.example is no longer allowed to access \/events\//, 'the log, who may not have what' if $server->error_log =~ /ID0596/;

done_testing;

# SPDX-License-Identifier: Apache-2.0
# Somebody leaves: one command, and within moments nothing that the person ever held opens anything: sessions by token, cookie and refresh cookie, personal keys, the password,
# aliases, mailed links, the time in a team, and what was already under way. The command says what it ended. How soon is not asserted but that it comes about by itself.
# run on: event prefork
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
my $backend = IdentityTest::Protected->events;
# The id of a team stands in the configuration.
my $before = IdentityTest::Server->new;
my ($team, $later) = map { $before->api(POST => '/v1/teams', {name => $_})->json->{id} } 'Wing', 'Later';
$before->stop;
my $server = IdentityTest::Server->new(state => $before->state_folder, modules => [qw(proxy proxy_http)], directives => <<"END");
    Alias /files "$folder/files"
    Alias /wing  "$folder/files"
    Alias /later "$folder/files"
    Alias /basic "$folder/files"
    <Directory "$folder">
        Require all granted
    </Directory>
    <Location /v1/oauth>
        IdentityCookie On
    </Location>
    <LocationMatch "^/(files|wing|later|events|socket)">
        AuthType Identity
        AuthName place
        IdentityCookie On
        IdentityBasicKeys On
        IdentityStreamRecheck 3s
        Require valid-user
    </LocationMatch>
    <Location /wing>
        Require identity-member team=$team
    </Location>
    <Location /later>
        Require identity-member team=$later
    </Location>
    <Location /basic>
        AuthType Basic
        AuthName basic
        AuthBasicProvider identity
        Require valid-user
    </Location>
    ProxyPass /socket @{[$backend->url]} upgrade=websocket
    ProxyPass /events @{[$backend->url]} upgrade=websocket
END

my @no_key = ('X-API-KEY' => undef);
my $ada = somebody($server, ['USER.API.CREATE', 'USER.API.VIEW'], type => 'ADMIN');
my $stays = somebody($server, ['REPORT.VIEW']);
# Whoever administers alone cannot leave.
my $other = somebody($server, [], type => 'ADMIN');

# ---- everything that somebody can hold ------------------------------------------------------------------------------------------------------------

sub time_in { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $_[0])) }
sub done { my ($answer, $what) = @_; $answer->status < 300 or die "$what: ", $answer->status, ' ', $answer->text, "\n"; return $answer }

my $in = done($server->api(POST => '/v1/oauth/token', {username => $ada->{name}, password => $ada->{password}}, @no_key, Origin => $server->origin), 'signing in');
my $bearer = ['Authorization', 'Bearer ' . $in->json->{access_token}];
my ($refresh, $access) = map { my $name = $_; map { /^(\Q$name\E=[^;]+)/ ? $1 : () } map { ref $_ ? @$_ : $_ } $in->header('Set-Cookie') } qw(identity_refresh identity_access);
my $personal = done($server->api(POST => "/v1/users/$ada->{id}/api-keys", {description => 'git'}, @no_key, @$bearer), 'a personal key')->json;
my $made = done($server->api(POST => '/v1/api-keys', {description => 'made by the leaver'}, @no_key, @$bearer), 'a key of the entity')->json;
my $kept = $server->api(POST => '/v1/api-keys', {description => 'made by the operator'})->json;
done($server->api(POST => "/v1/users/$ada->{id}/teams", {team_id => $team}), 'a team');
done($server->api(POST => "/v1/users/$ada->{id}/teams", {team_id => $later, start_at => time_in(4)}), 'a team from a time on');
my $begun = time + 5;
my ($exit, $alias) = $server->tool('alias', 'add', $ada->{name});
die "alias add: $exit" if $exit;
chomp $alias;
my ($spare) = ($server->tool('alias', 'add', $ada->{name}))[1] =~ /(\S+)/;
my $by_alias = done($server->api(POST => '/v1/oauth/token', {token_alias => $alias}, @no_key), 'an alias')->json->{access_token};
my ($failed, $further) = $server->tool('--entity', 'default', 'account', 'add', 'further');
($further) = $further =~ /^(plat_\w+)/ or die "account add: $failed";
done($server->api(POST => '/v1/users/invite', {username => $ada->{name}, account_memberships => [{account_id => $further, type => 'USER', roles => [{name => 'Read Only'}]}]}), 'an invitation');
my $invited = $server->wait_mail($ada->{name})->{token};
done($server->api(POST => '/v1/oauth/request-password-reset', {email => $ada->{name}}, @no_key), 'a reset');
my $reset = $server->wait_mail($ada->{name}, 2)->{token};
done($server->api(PATCH => "/v1/users/$ada->{id}", {username => "next-$ada->{name}", current_password => $ada->{password}}, @no_key, @$bearer), 'a changed address');
my $change = $server->wait_mail("next-$ada->{name}")->{token};

# Each with what it is answered while it is good. An attempt keeps nothing open, so that any child of the server may get it.
my @opens = (
    ['the access token' => 200, sub { ask($server, GET => '/files/a.html', @$bearer)->{status} }],
    ['... at the API' => 200, sub { $server->api(GET => "/v1/users/$ada->{id}", undef, @no_key, @$bearer)->status }],
    ['... introspected' => 'true', sub { $server->api(POST => '/v1/oauth/introspect', 'token=' . $bearer->[1] =~ s/^Bearer //r, 'Content-Type' => 'application/x-www-form-urlencoded')->text =~ /"active": ?true/ ? 'true' : 'false' }],
    ['the access cookie' => 200, sub { ask($server, GET => '/files/a.html', Cookie => $access)->{status} }],
    ['the session of an alias' => 200, sub { ask($server, GET => '/files/a.html', Authorization => "Bearer $by_alias")->{status} }],
    ['a personal key' => 200, sub { ask($server, GET => '/files/a.html', 'X-API-KEY' => $personal->{api_key})->{status} }],
    ['... as the password of Basic' => 200, sub { ask($server, GET => '/files/a.html', basic(ada => $personal->{api_key}))->{status} }],
    ['... at the API' => 200, sub { $server->api(GET => "/v1/users/$ada->{id}", undef, 'X-API-KEY' => $personal->{api_key})->status }],
    ['a key that was made for the entity' => 200, sub { ask($server, GET => '/files/a.html', 'X-API-KEY' => $made->{api_key})->{status} }],
    ['the password of Basic' => 200, sub { ask($server, GET => '/basic/a.html', basic($ada->{name}, $ada->{password}))->{status} }],
    ['the time in a team' => 200, sub { ask($server, GET => '/wing/a.html', Cookie => $access)->{status} }],
    ['a link that is open' => 200, sub { $server->api(POST => '/v1/oauth/describe-link', {token => $reset}, @no_key)->status }],
    ['a new address that waits' => 200, sub { $server->api(POST => '/v1/oauth/describe-link', {token => $change}, @no_key)->status }],
);
# What would change something by being tried is tried afterwards alone.
my @spent = (
    ['the refresh cookie' => sub { $server->api(POST => '/v1/oauth/refresh-token', undef, @no_key, Cookie => $refresh, Origin => $server->origin)->status }],
    ['the password' => sub { $server->api(POST => '/v1/oauth/token', {username => $ada->{name}, password => $ada->{password}}, @no_key)->status }],
    ['an alias' => sub { $server->api(POST => '/v1/oauth/token', {token_alias => $_}, @no_key)->status }, $alias, $spare],
    ['a link for a new password' => sub { $server->api(POST => '/v1/oauth/reset-password', {token => $reset, new_password => 'Another1Horse'}, @no_key)->status }],
    ['an invitation to more' => sub { $server->api(POST => '/v1/oauth/activate-user', {token => $invited}, @no_key)->status }],
    ['a link to a new address' => sub { $server->api(POST => '/v1/oauth/confirm-address', {token => $change}, @no_key)->status }],
    ['a time in a team that begins only now' => sub { ask($server, GET => '/later/a.html', Cookie => $access)->{status} }],
);
is $_->[2]->(), $_->[1], "before: $_->[0]" for @opens;

# ---- and what is under way ----------------------------------------------------------------------------------------------------------------------

sub stream
{
    my ($path, @credential) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => $server->host, Timeout => 10) or die "connect: $!";
    my $upgrade = $path =~ /socket/ ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: " . $server->origin . "\r\n" : '';
    syswrite $socket, "GET $path HTTP/1.1\r\nHost: " . $server->host . "\r\n$credential[0]: $credential[1]\r\n$upgrade\r\n";
    my $one = {path => $path, socket => $socket, head => ''};
    while ($one->{head} !~ /\r\n\r\n/) {
        IO::Select->new($socket)->can_read(20) and sysread $socket, $one->{head}, 512, length $one->{head} or last;
    }
    $one->{head} =~ m{^HTTP/1\.1 (?:101|200) } or die "$path: $one->{head}\n";
    return $one;
}

# Reads what is there; over once the other side has ended it.
sub read_all
{
    for my $one (grep { !$_->{over} } @_) {
        syswrite $one->{socket}, 'hello ' if $one->{path} =~ /socket/;
        for (1 .. 2000) {
            last unless IO::Select->new($one->{socket})->can_read(0);
            sysread($one->{socket}, my $part, 65536) or $one->{over} = 1, last;
            last if $one->{path} =~ /large/ && !$one->{hurry} && ++$one->{parts} > 3;
        }
    }
}

local $SIG{PIPE} = 'IGNORE';
my @streams = (
    (map { stream($_, @$bearer) } '/events/', '/socket/', '/files/large'), stream('/socket/', Cookie => $access), stream('/events/?quiet', Cookie => $access),
    stream('/events/', 'X-API-KEY' => $personal->{api_key}), stream('/socket/', basic(ada => $personal->{api_key})), stream('/events/', 'X-API-KEY' => $made->{api_key}));
my @going_on = (stream('/events/', @{$stays->{bearer}}), stream('/socket/', 'X-API-KEY' => $kept->{api_key}));
for (1 .. 5) { read_all(@streams, @going_on); sleep 0.1 }
is join(' ', map { $_->{path} } grep { $_->{over} } @streams, @going_on), '', 'before: all is under way';

# ---- the command --------------------------------------------------------------------------------------------------------------------------------

my @sessions = @{$server->api(GET => "/v1/users/$ada->{id}/sessions")->json->{data}};
($exit, my $said, my $error) = $server->tool('--json', '--entity', 'default', 'user', 'deactivate', $ada->{name}, '--revoke-keys');
is $exit, 0, 'htidentity user deactivate USER --revoke-keys' or diag $error;
my $ended = JSON::PP::decode_json($said);
is $ended->{status}, 'INACTIVE', '... says that the user is INACTIVE';
is $ended->{sessions_ended}, scalar @sessions, '... how many sessions it has ended';
is $ended->{personal_keys_ended}, 1, '... how many personal keys';
is_deeply $ended->{api_keys_created}, [$made->{id}], '... and which keys of the entity';
$_->{hurry} = 1 for @streams;

my $left = '';
for (1 .. 600) {
    my @now = map { my $one = $_; (grep { $_ eq $one->[1] } map { $one->[2]->() } 1 .. 4) ? $one->[0] : () } @opens;
    read_all(@streams, @going_on);
    push @now, map { "$_->{path} that was under way" } grep { !$_->{over} } @streams;
    last unless $left = join ', ', @now;
    sleep 0.1;
}
is $left, '', 'nothing that the person held opens anything, and nothing is under way any more';

for my $one (@opens) {
    my %answers = map { ($one->[2]->() => 1) } 1 .. 6;
    ok !$answers{$one->[1]}, "after: $one->[0]" or diag join ' ', keys %answers;
}
sleep 0.1 while time < $begun;
for my $one (@spent) {
    my ($name, $try, @of) = @$one;
    for (@of ? @of : '') { cmp_ok $try->(), '>=', 400, "after: $name" }
}
is_deeply $server->api(GET => "/v1/users/$ada->{id}/sessions")->json->{data}, [], 'no session is left';
is $server->api(GET => "/v1/users/$ada->{id}")->json->{status}, 'INACTIVE', 'the user stays, for who asks later';

# ---- nobody else -----------------------------------------------------------------------------------------------------------------------------------

read_all(@going_on);
is scalar(grep { $_->{over} } @going_on), 0, 'what others have under way goes on';
is ask($server, GET => '/files/a.html', @$_)->{status}, 200, 'others get in as before' for $stays->{bearer}, ['X-API-KEY' => $kept->{api_key}];
# Back again: what has ended stays so.
($exit) = $server->tool('--entity', 'default', 'user', 'activate', $ada->{name});
is $exit, 0, 'htidentity user activate USER';
is heard(200, sub { $server->api(POST => '/v1/oauth/token', {username => $ada->{name}, password => $ada->{password}}, @no_key) })->status, 200, 'the password is good again';
for my $one (grep { $_->[0] ne 'the password of Basic' } @opens) {
    isnt $one->[2]->(), $one->[1], "... and nothing else: $one->[0]";
}
close $_->{socket} for @streams, @going_on;

done_testing;

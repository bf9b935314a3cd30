# SPDX-License-Identifier: Apache-2.0
# More than can be done, and a database that is locked or away: 503 with Retry-After, the rest goes on, all recovers by itself. (security 17, 65, 86)
use strict;
use warnings FATAL => 'all';
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

# The database is taken away on purpose.
expect_in_log('ID0531: ');

# One hash at a time, each some five times as dear as the default; workers for all who wait and more.
my $server = IdentityTest::Server->new(directives => <<'END_OF_DIRECTIVES');
IdentityPasswordHash argon2id m=19456 t=10
IdentityHashMemory 20M
IdentityRateLimit login off
IdentityDatabaseWait 1s
# A server short of workers closes kept connections when it likes; a client must then ask again, which this one does not.
KeepAlive Off
<IfModule mpm_prefork_module>
    StartServers 32
</IfModule>
<IfModule !mpm_prefork_module>
    StartServers 4
</IfModule>
END_OF_DIRECTIVES
my $state = $server->state_folder;
my $database = "$state/identity.db";
my @no_key = ('X-API-KEY' => undef);
my $password = 'Correct1Horse';
expect_in_log('exit signal Killed (9)');
# mod_dbd's word for a child that starts without its database.
expect_in_log('AH00636: child init failed!');

sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[@sorted / 2] }
sub timed { my ($code) = @_; my $start = time; my $answer = $code->(); return ($answer, time - $start) }

# A fault of ours: never taken for a fault of the caller's.
sub busy_is
{
    my ($answer, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    refused_is($answer, 503, 'INTERNAL_ERROR', undef, $name) && like($answer->header('Retry-After'), qr/^[1-9]\d?$/, "$name: in seconds");
}

my $person = $server->person(name => 'patient');
my ($name, $id) = @$person{qw(username id)};

# ---- more logins than hashing has room for -----------------------------------------------------------------------------------------------------

my ($logins, $readers, $tries) = (26, 2, 10);
# So many tries of each, however long they take; who reads goes on until all are done.
my $done = "$ENV{IDENTITY_TOP}/t/servers/overload.$$.done";
my @worked = together($logins + $readers, sub {
    my ($client) = @_;
    my @seen;
    # Who is somebody comes again until there was a place.
    my $more = $client >= $logins ? sub { @seen < 10 || (-s $done // 0) < $logins }
        : $client % 8 ? sub { @seen < $tries }
        : sub { @seen < $tries || @seen < 30 * $tries && !grep { $_->[0] == 200 } @seen };
    while ($more->()) {
        my ($answer, $took) = timed(sub {
            return $server->api(GET => '/v1/roles?limit=5') if $client >= $logins;
            # Names that nobody has are accounts of their own, each with its places in the queue.
            return $client % 8 ? $server->login("nobody$client\@example.com", 'Wrong1Horse') : $server->login($name, $password);
        });
        push @seen, [$answer->status, $took, $answer->header('Retry-After') // '', $answer->code // ''];
        # As a client does that was told to come back.
        sleep 0.1 if $answer->status == 503;
    }
    open my $out, '>>', $done or die $!;
    syswrite $out, '.' if $client < $logins;
    return \@seen;
});
unlink $done;
my @tried = map { @$_ } @worked[0 .. $logins - 1];
my @read = map { @$_ } @worked[$logins .. $#worked];
my %count;
$count{$_->[0]}++ for @tried;
note join ' ', map { "$_: $count{$_}" } sort keys %count;
is join(' ', sort keys %count), '200 401 503', 'of very many logins some are served, right and wrong ones, the others told to come back';
cmp_ok $count{503} // 0, '>', 0, 'of whom there are many';
my @refused = grep { $_->[0] == 503 } @tried;
is scalar(grep { $_->[2] ne '1' || $_->[3] ne 'INTERNAL_ERROR' } @refused), 0, 'each with Retry-After';
my $served = median(map { $_->[1] } grep { $_->[0] != 503 } @tried);
cmp_ok median(map { $_->[1] } @refused), '<', $served, 'told so sooner than others are served';
is join(' ', grep { $_ != 200 } map { $_->[0] } @read), '', 'other requests are all answered';
cmp_ok median(map { $_->[1] } @read), '<', $served, 'without a wait for hashes';
is $server->login($name, $password)->status, 200, 'then it is calm again';
my ($hash) = $server->db("SELECT password_hash FROM users WHERE id = '$id'");
like $hash->{password_hash}, qr/m=19456,t=10,p=1/, 'the hash is as dear as it was asked for';

# ---- locked by somebody else -------------------------------------------------------------------------------------------------------------------

my $lock = hold_lock($database);
my $address = $server->address('locked');
my @calls = (
    ['an invitation' => sub { $server->invite($address) }],
    ['a login' => sub { $server->login($name, $password) }],
    ['a failed login, which is on record or not answered' => sub { $server->login($name, 'Wrong1Horse') }],
    ['a refresh' => sub { $server->api(POST => '/v1/oauth/refresh-token', undef, @no_key, @{$person->{cookie}}) }],
    ['a logout' => sub { $server->api(POST => '/v1/oauth/logout', undef, @no_key, @{$person->{bearer}}) }],
    ['a change' => sub { $server->api(PATCH => "/v1/users/$id", {status => 'INACTIVE'}) }],
    ['a request for a reset' => sub { $server->api(POST => '/v1/oauth/request-password-reset', {email => $name}, @no_key) }]);
@worked = together(@calls + 1, sub {
    my ($i) = @_;
    if ($i == @calls) {
        my @seen;
        for (1 .. 10) {
            my ($answer, $took) = timed(sub { $server->api(GET => '/v1/users?limit=1', undef, @{$person->{bearer}}) });
            push @seen, [$answer->status, $took];
            sleep 0.1;
        }
        return \@seen;
    }
    return [timed($calls[$i][1])];
});
for my $i (0 .. $#calls) {
    my ($answer, $took) = @{$worked[$i]};
    busy_is $answer, "$calls[$i][0] while another program holds the database";
    cmp_ok $took, '<', 8, 'after a bounded wait';
}
@read = @{$worked[-1]};
is join(' ', grep { $_ != 200 } map { $_->[0] } @read), '', 'who only reads is answered';
cmp_ok median(map { $_->[1] } @read), '<', 1, 'and soon';
let_go($lock);
is $server->invite($address)->status, 200, 'unlocked, the invitation is taken';
is $server->api(GET => '/v1/users?limit=1', undef, @{$person->{bearer}})->status, 200, 'nobody was logged out meanwhile';
is join(' ', together(8, sub { $server->invite($server->address("many$_[0]"))->status })), join(' ', (200) x 8), 'and all is as before';

# ---- away --------------------------------------------------------------------------------------------------------------------------------------

# Of a file that cannot be read children notice nothing that have it open, so new ones are made: the old end as if they had crashed.
sub new_children
{
    my $parent = $server->pid;
    my @old = grep { $_ != $parent } $server->processes;
    kill KILL => @old;
    for (my $patience = time + 10; time < $patience; sleep 0.05) {
        last if !grep { -d "/proc/$_" } @old and $server->answers;
    }
}

sub away_is
{
    my ($name) = @_;
    busy_is $server->api(GET => '/v1/users'), "$name: a key";
    busy_is $server->api(GET => '/v1/users', undef, @{$person->{bearer}}), "$name: a token";
    busy_is $server->login($person->{username}, $password), "$name: a login";
    my $refresh = $server->api(POST => '/v1/oauth/refresh-token', undef, @no_key, @{$person->{cookie}});
    busy_is $refresh, "$name: a refresh";
    is $refresh->header('Set-Cookie'), undef, "$name: which keeps its cookie";
    busy_is $server->api(GET => "/v1/users", undef, @no_key), "M1: $name: without a credential";
    is $server->api(GET => '/v1/oauth/activate-user', undef, @no_key)->status, 200, "$name: the pages are there";
}

sub back_is
{
    my ($name) = @_;
    # Every child, not only the one that answers first.
    my @statuses = together(12, sub {
        my $status = 0;
        for (my $patience = time + 5; $status != 200 && time < $patience; sleep 0.1) {
            $status = $server->api(GET => '/v1/users?limit=1')->status;
        }
        return join ' ', $status, map { $server->api(GET => '/v1/users?limit=1', undef, @{$person->{bearer}}, Connection => 'close')->status } 1 .. 5;
    });
    is join(' ', @statuses), join(' ', (200) x 72), "$name: back again, without a restart";
    is $server->invite($server->address('back'))->status, 200, "$name: and written";
}

chmod 0, $database or die "chmod: $!";
new_children();
away_is('unreadable');
chmod 0600, $database;
back_is('unreadable');

# With its journal, as a folder that is unmounted for a while. Children that have it open must notice.
sub move_database
{
    my ($from, $to) = @_;
    for my $suffix ('', '-wal', '-shm') {
        next unless -e "$from$suffix";
        rename "$from$suffix", "$to$suffix" or die "rename: $!";
    }
}

move_database($database, "$database.away");
away_is('removed');
move_database("$database.away", $database);
back_is('removed');

move_database($database, "$database.away");
open my $out, '>', $database or die "$database: $!";
print {$out} 'This is no database. ' x 500;
close $out;
new_children();
away_is('overwritten');
move_database("$database.away", $database);
back_is('overwritten');
is $server->login($name, $password)->status, 200, 'at last everybody is in';

done_testing;

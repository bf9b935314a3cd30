# SPDX-License-Identifier: Apache-2.0
# Who is remembered between requests: what others write is known within seconds, a database that is away grants nothing, and whatever happens to the process
# that reads the changes, another takes its place. (security 37, 65, 86)
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use Time::HiRes qw(sleep);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

# The database is taken away on purpose.
expect_in_log('ID0531: ');

my $first = IdentityTest::Server::free_port();
my %port = (first => $first, stale => $first + 1, cold => $first + 2);
my $server = IdentityTest::Server->new(port => $port{first}, directives => <<"END");
Listen 127.0.0.1:$port{stale}
Listen 127.0.0.1:$port{cold}
StartServers      3
ServerLimit       3
ThreadsPerChild   4
MinSpareThreads   4
MaxSpareThreads   12
MaxRequestWorkers 12
<VirtualHost *:$port{stale}>
    IdentityStale 1h
</VirtualHost>
<VirtualHost *:$port{cold}>
    IdentityCache 0
</VirtualHost>
END
my $database = $server->state_folder . '/identity.db';
my $path = '/v1/users/search?username=nobody@cache.example';
expect_in_log('exit signal Killed (9)');

# On a connection of its own, so that it comes to any child.
sub status_of
{
    my ($host, $target, $key) = @_;
    local $server->{host} = "127.0.0.1:$port{$host}";
    local $server->{http};
    return $server->api(GET => $target, undef, 'X-API-KEY' => $key)->status;
}
sub status_at { my ($host, $key) = @_; return status_of($host, $path, $key) }

# So many requests, so that every child has seen the key.
sub statuses
{
    my ($host, $key, $many) = @_;
    my %seen = map { $_ => 1 } together($many // 12, sub { status_at($host, $key) });
    return join ' ', sort keys %seen;
}

# The answers are these from some moment on, which comes within 20 seconds.
sub becomes
{
    my ($host, $key, $wanted, $what) = @_;
    my $seen;
    for (1 .. 100) {
        $seen = statuses($host, $key);
        last if $seen eq $wanted;
        sleep 0.2;
    }
    is $seen, $wanted, $what;
}

sub new_key { $server->api(POST => '/v1/api-keys', {})->json }

# As another node would write it.
sub elsewhere
{
    my ($key) = @_;
    alter_db("INSERT INTO changes (kind, subject_id, created_at) VALUES ('apik', '$key->{id}', 1); UPDATE api_keys SET active = 0 WHERE id = '$key->{id}'", $server);
}

# ---- changes of others -------------------------------------------------------------------------------------------------------------------------

my ($key, $other, $kept) = (new_key(), new_key(), new_key());
is statuses(first => $_->{api_key}), '200', 'a key' for $key, $other, $kept;
is statuses(cold => $key->{api_key}), '200', '... also where nobody is remembered';
elsewhere($key);
is statuses(cold => $key->{api_key}), '401', 'switched off by another node: at once without a cache';
becomes(first => $key->{api_key}, '401', '... and within seconds with one');
my ($before) = $server->db('SELECT MAX(sequence) AS n FROM changes');
my ($status) = $server->tool('team', 'add', 'Everybody', '--entity', 'default', '--account', 'default', '--type', 'USER');
my ($after) = $server->db('SELECT MAX(sequence) AS n FROM changes');
ok $status == 0 && $after->{n} > $before->{n}, 'htidentity writes down whose rights it changed';

# ---- whoever reads them is killed ----------------------------------------------------------------------------------------------------------------

# Which child it is nobody knows: one after the other.
for my $child (grep { $_ != $server->pid } $server->processes) {
    my $victim = new_key();
    is statuses(first => $victim->{api_key}), '200', 'a key';
    kill KILL => $child;
    elsewhere($victim);
    becomes(first => $victim->{api_key}, '401', '... is switched off, though a child was killed');
}
is statuses(first => $kept->{api_key}), '200', 'others go on';

my $victim = new_key();
is statuses(first => $victim->{api_key}), '200', 'a key';
$server->graceful;
elsewhere($victim);
becomes(first => $victim->{api_key}, '401', '... is switched off around a graceful restart');

# ---- the database is away ------------------------------------------------------------------------------------------------------------------------

sub move_database
{
    my ($from, $to) = @_;
    for my $suffix ('', '-wal', '-shm') {
        next unless -e "$from$suffix";
        rename "$from$suffix", "$to$suffix" or die "rename: $!";
    }
}

# The API itself needs the database for more than this, so 503 says little there: an operation that asks it nothing but the permission.
my $plain = '/v1/roles?limit=0';
sub refusals { my ($host, $api_key) = @_; my %seen = map { $_ => 1 } together(12, sub { status_of($host, $plain, $api_key) }); join ' ', sort keys %seen }
# Often enough for every child to remember it.
for my $host (qw(first stale cold)) { is refusals($host => $kept->{api_key}), '400', "$host: a limit that is none" for 1 .. 4 }
move_database($database, "$database.away");
is refusals(cold => $kept->{api_key}), '503', 'the database is away: without a cache nobody is known';
my $seen;
for (1 .. 100) {
    last if ($seen = refusals(first => $kept->{api_key})) eq '503';
    sleep 0.2;
}
is $seen, '503', 'IdentityStale 0: in seconds nobody is known with one';
is refusals(stale => $kept->{api_key}), '400', 'IdentityStale 1h: who is remembered is known';
is refusals(stale => $other->{api_key}), '503', '... and nobody else';
is refusals(stale => $key->{api_key}), '503', '... nor who was switched off';
is status_at(stale => $kept->{api_key}), 503, '... which needs the database then is 503';
move_database("$database.away", $database);
becomes(first => $kept->{api_key}, '200', 'the database is back: and all are');
becomes(stale => $other->{api_key}, '200', '... everywhere');

done_testing;

# SPDX-License-Identifier: Apache-2.0
# Idempotency-Key through a real httpd: sixteen at once, killed in between, and what the database file holds.
use strict;
use warnings FATAL => 'all';
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $many = 16;
my $number = 0;
sub fresh { return sprintf 'key %d.%d', $$, ++$number }
sub with_key { return ('Idempotency-Key' => $_[0]) }
sub replayed { return $_[0]->header('Idempotent-Replayed') // 'no' }

sub tally
{
    my %count;
    $count{$_}++ for @_;
    return join ' ', map { "$count{$_}x$_" } sort keys %count;
}

# ---- one after the other -------------------------------------------------------------------------------------------------------------------

my $key = fresh();
my $first = api(POST => '/v1/roles', {name => "Once $$"}, with_key($key));
answered_is $first, 200, 'the first';
is replayed($first), 'no', 'is carried out';
my $second = api(POST => '/v1/roles', {name => "Once $$"}, with_key($key));
answered_is $second, 200, 'the second';
is join(' ', replayed($second), $second->text), 'true ' . $first->text, 'gets the same answer';
isnt $second->header('X-REQUEST-ID'), $first->header('X-REQUEST-ID'), 'under its own id';
is_deeply [db("SELECT idempotency_key, reference FROM audit_records WHERE target_id = '@{[$first->json->{id}]}'")],
    [{idempotency_key => $key, reference => $first->header('X-REQUEST-ID')}], 'one record, with the key';
refused_is api(POST => '/v1/roles', {name => "Another $$"}, with_key($key)), 409, 'IDEMPOTENCY_CHECK_FAILED', undef, 'another body';
refused_is api(POST => '/v1/users', {username => address('once')}, with_key($key)), 409, 'IDEMPOTENCY_CHECK_FAILED', undef, 'another path';
refused_is api(POST => '/v1/roles', {name => "Another $$"}, with_key($_)), 400, 'INVALID_FIELD', 'Idempotency-Key', 'a key of ' . length($_) . ' characters' for '', 'k' x 256;
is api(POST => '/v1/roles', {name => "Longest $$"}, with_key('k' x 255))->status, 200, '255 are taken';

$key = fresh();
refused_is api(POST => '/v1/roles', {name => "Once $$"}, with_key($key)), 409, 'RESOURCE_ALREADY_EXISTS', 'name', 'what is refused';
is api(POST => '/v1/roles', {name => "Twice $$"}, with_key($key))->status, 200, 'leaves the key free';
my $person = member('once');
my $theirs = api(POST => '/v1/users/invite', {username => address('theirs')}, with_key($key), @{$person->{bearer}});
is join(' ', $theirs->status, replayed($theirs)), '200 no', 'another credential has its own keys';

# ---- secrets -------------------------------------------------------------------------------------------------------------------------------

$key = fresh();
my $made = api(POST => '/v1/api-keys', {description => 'once'}, with_key($key));
my $secret = $made->json->{api_key};
is api(POST => '/v1/api-keys', {description => 'once'}, with_key($key))->json->{api_key}, $secret, 'a key in clear is answered again';
my $file = '';
for my $path (glob state_folder() . '/identity.db*') {
    open my $in, '<:raw', $path or next;
    local $/;
    $file .= <$in> // '';
}
isnt index($file, $made->json->{id}), -1, 'the database file holds the row';
is index($file, substr $secret, 25, 20), -1, 'but not the key';
is api(GET => '/v1/users', undef, 'X-API-KEY' => $secret)->status, 200, 'which is good';

# ---- at the same time ------------------------------------------------------------------------------------------------------------------------

for my $round (1 .. 5) {
    $key = fresh();
    my $name = "Race $$ $round";
    my @answers = together($many, sub { my $answer = api(POST => '/v1/roles', {name => $name}, with_key($key)); [$answer->status, replayed($answer), $answer->code, $answer->text] });
    my @done = grep { $_->[0] == 200 } @answers;
    is scalar(grep { $_->[1] eq 'no' } @done), 1, "round $round: one of sixteen is carried out";
    is tally(map { $_->[3] } @done), @done . "x$done[0][3]", 'those that are answered again get the same';
    is scalar(grep { $_->[0] == 422 && $_->[2] eq 'IDEMPOTENCY_CHECK_FAILED' } @answers), $many - @done, 'the others are told to wait' or diag tally(map { $_->[0] } @answers);
    is rows("SELECT 1 FROM roles WHERE name = '$name'"), 1, 'one role';
    is rows("SELECT 1 FROM audit_records WHERE idempotency_key = '$key'"), 1, 'one record';
}
# A new key each time would not be refused here: nothing but the Idempotency-Key keeps it to one.
$key = fresh();
my $before = rows('SELECT 1 FROM api_keys');
my %keys = map { $_ => 1 } grep { defined } together($many, sub { my $answer = api(POST => '/v1/api-keys', {}, with_key($key)); $answer->status == 201 ? $answer->json->{api_key} : undef });
is join(' ', scalar keys %keys, rows('SELECT 1 FROM api_keys') - $before), '1 1', 'one API key of sixteen requests';

# ---- killed in between -------------------------------------------------------------------------------------------------------------------------

my $server = IdentityTest::Server->new;
expect_in_log('exit signal Killed (9)');
my ($clients, $each) = (8, 40);
my %body = (role_type => 'READ_ONLY');

# Asks with one key until it is answered: what came, and how often the connection broke.
sub persist
{
    my ($client, $i, $log) = @_;
    my ($broken, $patience) = (0, time + 120);
    while (time < $patience) {
        my $answer = eval { $server->api(POST => '/v1/api-keys', {%body, description => "$client.$i"}, with_key("kill $client.$i")) };
        if ($answer && $answer->status == 201) {
            print {$log} "$client.$i\n";
            return {name => "$client.$i", id => $answer->json->{id}, replayed => replayed($answer), broken => $broken};
        }
        $broken++ if !$answer && $@ !~ /Could not connect/;
        # 422: the one that was killed holds the key until it counts as left behind.
        die $answer->status, $answer->text if $answer && $answer->status != 422 && $answer->status != 503;
        sleep 0.05;
    }
    die "$client.$i was never answered\n";
}

sub answered
{
    my $lines = 0;
    for my $path (glob "$server->{root}/answered.*") {
        open my $in, '<', $path or die "$path: $!";
        $lines++ while <$in>;
    }
    return $lines;
}

my @did = together($clients + 1, sub {
    my ($client) = @_;
    if ($client == $clients) {
        for my $when (60, 140, 220) {
            for (my $patience = time + 60; answered() < $when;) {
                die "only @{[answered()]} were answered\n" if time > $patience;
                sleep 0.002;
            }
            $server->kill;
            my $killed = int(1e6 * time);
            $server->start;
            # What was left behind counts as such after a minute: here at once.
            my $sql = "UPDATE idempotency SET created_at = created_at - 61000000 WHERE state = 'running' AND created_at < $killed";
            system('sqlite3', '-cmd', '.timeout 5000', "$server->{state}/identity.db", $sql) == 0 or die 'sqlite3';
        }
        return [];
    }
    open my $log, '>>', "$server->{root}/answered.$client" or die $!;
    $log->autoflush(1);
    return [map { persist($client, $_, $log) } 1 .. $each];
});
my @all = map { @$_ } @did;
note sprintf '%d broken connections, %d answered again', scalar(grep { $_->{broken} } @all), scalar(grep { $_->{replayed} eq 'true' } @all);
is scalar @all, $clients * $each, 'every request was answered in the end';
cmp_ok scalar(grep { $_->{broken} } @all), '>', 0, 'some connections broke';
my %rows = map { $_->{description} => $_ } $server->db("SELECT description, COUNT(*) AS n, MIN(id) AS id FROM api_keys WHERE description LIKE '%.%' GROUP BY description");
is join(' ', grep { $rows{$_}{n} != 1 } sort keys %rows), '', 'each was carried out once';
is scalar keys %rows, $clients * $each, 'none was lost';
is join(' ', grep { $rows{$_->{name}}{id} ne $_->{id} } @all), '', 'and each answer is of what is there';
my ($records) = $server->db("SELECT COUNT(*) AS n, COUNT(DISTINCT idempotency_key) AS k FROM audit_records WHERE idempotency_key LIKE 'kill %'");
is_deeply $records, {n => $clients * $each, k => $clients * $each}, 'with one record each';
my ($open) = $server->db("SELECT COUNT(*) AS n FROM idempotency WHERE state <> 'done'");
is $open->{n}, 0, 'no key is left running';
$server->stop;

# ---- purged ------------------------------------------------------------------------------------------------------------------------------------

alter_db("UPDATE idempotency SET created_at = created_at - 48 * 3600 * 1000000 WHERE idempotency_key LIKE 'kill 1.%'", $server);
$server->start;
my $left;
for (my $patience = time + 20; time < $patience; sleep 0.1) {
    ($left) = $server->db("SELECT COUNT(*) AS n, SUM(idempotency_key LIKE 'kill 1.%') AS old FROM idempotency");
    last unless $left->{old};
}
is_deeply $left, {n => ($clients - 1) * $each, old => 0}, 'after 48 hours they go, and no others';
$server->stop;

done_testing;

# SPDX-License-Identifier: Apache-2.0
# IdentityRetention on a server that runs: what is older than it says goes from audit trail, sessions and outbox, what is younger stays, and by default all of it does.
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $server = IdentityTest::Server->new;
my $state = $server->state_folder;
my @no_key = ('X-API-KEY' => undef);
my $ada = $server->person(name => 'ada');
my $role = $server->api(POST => '/v1/roles', {name => 'Of long ago'})->json->{id};
my $young = $server->api(POST => '/v1/roles', {name => 'Of today'})->json->{id};
is $server->login($ada->{username}, 'Wrong1Horse')->status, 401, 'a failed sign-in' for 1 .. 3;
my @sessions = map { $server->login($ada->{username}, $ada->{password})->json->{access_token} } 1 .. 2;
$server->api(POST => '/v1/oauth/logout', undef, @no_key, Authorization => "Bearer $_")->status == 200 or die 'logout' for @sessions;
my ($old_session, $young_session) = map { $_->{id} } $server->db('SELECT id FROM sessions WHERE ended_at > 0 ORDER BY created_at');
$server->invite($server->address('bob'))->status == 200 or die 'invite';
$server->wait_mail($ada->{username});
for (1 .. 200) { last unless $server->db("SELECT 1 FROM outbox WHERE state <> 'sent'"); sleep 0.1 }
my ($old_mail, $young_mail) = map { $_->{id} } $server->db('SELECT id FROM outbox ORDER BY id');
$server->stop;

# Three days ago; and one kept answer of which the purge, whatever else it keeps, makes an end.
my $ago = 3 * 86400 * 1_000_000;
alter_db("UPDATE audit_records SET created_at = created_at - $ago WHERE target_id = '$role' OR action = 'LOGIN_FAILED'", $server);
alter_db("UPDATE sessions SET created_at = created_at - $ago, ended_at = ended_at - $ago WHERE id = '$old_session'", $server);
alter_db("UPDATE outbox SET created_at = created_at - $ago, next_attempt_at = next_attempt_at - $ago, sent_at = sent_at - $ago WHERE id = '$old_mail'", $server);
sub signal { alter_db("INSERT INTO idempotency (credential_id, idempotency_key, request_digest, state, sealed, created_at) VALUES ('x', 'signal', '', 'done', '', 1)", $server) }

sub there
{
    my ($from) = @_;
    my %where = (
        'the old record' => "audit_records WHERE target_id = '$role'", 'the young record' => "audit_records WHERE target_id = '$young'", 'the old failure' => "audit_records WHERE action = 'LOGIN_FAILED'",
        'the old session' => "sessions WHERE id = '$old_session'", 'the young session' => "sessions WHERE id = '$young_session'", 'the old mail' => "outbox WHERE id = '$old_mail'",
        'the young mail' => "outbox WHERE id = '$young_mail'");
    return join ', ', grep { $from->db("SELECT 1 FROM $where{$_}") } sort keys %where;
}

# The job of a server begins with it.
sub purged { my ($with) = @_; for (1 .. 600) { return 1 unless $with->db("SELECT 1 FROM idempotency WHERE idempotency_key = 'signal'"); sleep 0.1 } return 0 }

my $all = 'the old failure, the old mail, the old record, the old session, the young mail, the young record, the young session';
is there($server), $all, 'before';
signal();
my $lenient = IdentityTest::Server->new(state => $state);
ok purged($lenient), 'a server that keeps for as long as is usual has cleaned up';
is there($lenient), $all, 'M6: ... and nothing of three days ago has gone';
$lenient->stop;
signal();
my $strict = IdentityTest::Server->new(state => $state, directives => "IdentityRetention audit 2d\nIdentityRetention sessions 2d\nIdentityRetention mail 2d\n");
ok purged($strict), 'one that keeps for two days';
my $left = '';
for (1 .. 300) {
    last if ($left = there($strict)) eq 'the young mail, the young record, the young session';
    sleep 0.1;
}
is $left, 'the young mail, the young record, the young session', 'M6: ... has done away with what is older, and with nothing else';
is $strict->login($ada->{username}, $ada->{password})->status, 200, 'and people sign in as before';

done_testing;

# SPDX-License-Identifier: Apache-2.0
# demo-token and sandbox-token: visitors who have solved a captcha, asked of a real service on loopback. What a visitor may and how each ends in detail:
# t/unit/service/oauth/serve_demo.c, serve_sandbox.c. (conf/interface.md; security, "Decided", 19, 23, 72, 86, 88)
# route demo_token sandbox_token
# run on: event asan
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use MIME::Base64 'decode_base64url';
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Captcha;
use IdentityTest::Server;

my $captcha = IdentityTest::Captcha->new;
my $server = IdentityTest::Server->new(directives => $captcha->directive . <<'END');
IdentityDemoAccount default
IdentitySandbox     On
END
my @nobody = ('X-API-KEY' => undef);
my ($demo, $sandbox) = map { "/v1/oauth/$_-token" } qw(demo sandbox);

sub visit
{
    my ($path, %given) = @_;
    return $server->api(POST => $path, {email => 'visitor-canary@example.org', captcha_token => 'solved-canary', %given}, @nobody);
}

sub bearer { (Authorization => 'Bearer ' . $_[0]->json->{access_token}, @nobody) }
sub claims { my (undef, $payload) = split /[.]/, $_[0]->json->{access_token}; return JSON::PP::decode_json(decode_base64url($payload)) }

sub count
{
    my ($sql) = @_;
    my ($row) = $server->db($sql);
    return (values %$row)[0];
}

# Rows of every table.
sub sizes
{
    my @tables = map { $_->{name} } $server->db("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
    # Records of sign-ins by names that nobody has belong to no entity.
    my %of_entities = (
        audit_records => "WHERE entity_id <> ''",
        audit_details => "WHERE record_id IN (SELECT id FROM audit_records WHERE entity_id <> '')",
    );
    return {map { $_ => count("SELECT COUNT(*) FROM $_ " . ($of_entities{$_} // '')) } @tables};
}

# ---- demo-token ----------------------------------------------------------------------------------------------------------------------------

my $answer = visit($demo);
answered_is $answer, 200, 'a visitor';
shape_is $answer, 'token', 'the answer is a Token';
is $answer->json->{expires_in}, 1800, 'for half an hour';
is $answer->header('Set-Cookie'), undef, 'without a refresh cookie';
my ($asked) = reverse $captcha->asked;
is_deeply $asked, {
    method => 'POST', path => '/siteverify', type => 'application/x-www-form-urlencoded', secret => 'captcha-canary', response => 'solved-canary',
    remoteip => '127.0.0.1'}, 'the service was asked as it wants to be';
my $claims = claims($answer);
is $claims->{client_id}, 'demo', 'the token is marked';
is $claims->{sub}, $claims->{sid}, 'and nobody\'s';
my ($row) = $server->db("SELECT user_id, method FROM sessions WHERE id = '$claims->{sid}'");
is_deeply $row, {user_id => undef, method => 'demo'}, 'in the database it is a session without a user';
is count("SELECT COUNT(*) FROM audit_records WHERE action = 'DEMO_TOKEN' AND target_id = '$claims->{sid}'"), 1, 'with a record # security 82';
is count("SELECT COUNT(*) FROM audit_records WHERE message LIKE '%canary%'"), 0, 'which does not tell whose';
my @visitor = bearer($answer);
is $server->api(GET => $_, undef, @visitor)->status, 200, "a visitor sees $_"
    for qw(/v1/users /v1/users/search /v1/roles /v1/teams /v1/api-keys /v1/authentication-providers /v1/audit-records);
refused_is $server->api(@$_, @visitor), 403, 'USER_NOT_ALLOWED', undef, "but may not $_->[0] $_->[1]"
    for ([POST => '/v1/users/invite', {username => 'a@example.org'}], [POST => '/v1/roles', {name => 'x'}], [POST => '/v1/teams', {name => 'x'}],
        [POST => '/v1/api-keys', {}], [POST => '/v1/users', {username => 'a@example.org', password => 'Correct1Horse'}],
        [POST => '/v1/authentication-providers', {type => 'DEFAULT'}]);
my $told = $server->api(POST => '/v1/oauth/introspect', 'token=' . $answer->json->{access_token}, 'Content-Type' => 'application/x-www-form-urlencoded');
is $told->json->{auth_method}, 'demo', 'introspection marks it';
is $server->api(POST => '/v1/oauth/logout', undef, @visitor)->status, 200, 'a visitor may go';
refused_is $server->api(GET => '/v1/users', undef, @visitor), 401, 'UNAUTHORISED', undef, 'and is gone # security 37';
@visitor = bearer(visit($demo));
my $sid = count("SELECT MAX(id) FROM sessions WHERE user_id IS NULL");
alter_db("UPDATE sessions SET expires_at = 1 WHERE id = '$sid'", $server);
refused_is $server->api(GET => '/v1/users', undef, @visitor), 401, 'UNAUTHORISED', undef, 'so it is at the end # security 23';

# ---- sandbox-token -------------------------------------------------------------------------------------------------------------------------

my $before = sizes();
$answer = visit($sandbox, email => 'Owner@Example.org');
answered_is $answer, 200, 'a sandbox';
shape_is $answer, 'token', 'the answer is a Token';
like $answer->header('Set-Cookie'), qr/^identity_refresh=idr_/, 'with a refresh cookie';
my @owner = bearer($answer);
my $entity = claims($answer)->{entity_id};
my $users = $server->api(GET => '/v1/users', undef, @owner)->json->{data};
is scalar @$users, 1, 'one user is in it';
like $users->[0]{username}, qr/^Owner\@Example\.org\.[0-9A-Za-z]{20}\.sandbox\.invalid$/, 'whose name is made of the address';
my $membership = $users->[0]{account_memberships}[0];
is join(' ', @$membership{qw(type account_reference environment)}), 'ADMIN sandbox TEST', 'who administers a TEST account';
my $guest = sprintf 'guest-%d@example.org', $$;
answered_is $server->api(POST => '/v1/users/invite', {
        username => $guest, account_memberships => [{account_id => $membership->{account_id}, type => 'USER', roles => [{name => 'Read Only'}]}]}, @owner),
    200, 'invites';
answered_is $server->activate($server->wait_mail($guest)->{token}, 'Correct1Horse'), 200, 'the guest accepts';
my $role = $server->api(POST => '/v1/roles', {name => 'Look', permissions => ['SITE.LOOK']}, @owner);
answered_is $role, 200, 'makes a role';
my $key = $server->api(POST => '/v1/api-keys', {}, @owner);
answered_is $key, 201, 'and a key';
my @key = ('X-API-KEY' => $key->json->{api_key});
is $server->api(GET => '/v1/users', undef, @key)->status, 200, 'which opens it';
is $server->login($guest, 'Correct1Horse')->status, 200, 'the guest signs in';
refused_is $server->api(GET => "/v1/users/$users->[0]{id}"), 404, 'USER_NOT_FOUND', undef, 'nobody else sees it # security 60';
unlike $server->api(GET => '/v1/users?limit=500')->text, qr/Owner/, 'or lists it';
my ($status, undef, $error) = $server->tool('account', 'list');
like $error, qr/several entities/, 'htidentity asks which entity is meant';
alter_db("UPDATE entities SET expires_at = 9000000000000000 WHERE reference = 'other'", $server);
($status, undef, $error) = $server->tool('account', 'list');
is $status, 0, 'but does not mean sandboxes' or diag $error;
alter_db("UPDATE entities SET expires_at = 0 WHERE reference = 'other'", $server);

my $refresh = $answer->cookie('identity_refresh');
alter_rights("UPDATE entities SET expires_at = 1 WHERE id = '$entity'", $server);
refused_is $server->api(GET => '/v1/users', undef, @owner), 401, 'UNAUTHORISED', undef, 'at its end the token is dead # security 23';
refused_is $server->api(GET => '/v1/users', undef, @key), 401, 'UNAUTHORISED', undef, 'so is the key';
refused_is $server->api(POST => '/v1/oauth/refresh-token', undef, @nobody, Cookie => $refresh), 401, 'UNAUTHORISED', undef, 'the refresh token';
refused_is $server->login($guest, 'Correct1Horse'), 401, 'UNAUTHORISED', undef, 'and the guest\'s password';
# The janitor comes every minute, in this child or another one; a restart brings it at once.
$server->graceful;
for (my $end = time + 30; time < $end && count("SELECT COUNT(*) FROM entities WHERE id = '$entity'");) {
    sleep 0.2;
}
my $after = sizes();
# The server keeps its settings there by itself.
delete @$_{qw(sessions changes settings)} for $before, $after;
is_deeply $after, $before, 'and all of it is gone, from every table # security 88';
is count("SELECT COUNT(*) FROM sessions WHERE entity_id = '$entity'"), 0, 'sessions too';
is join(' ', map { $_->{action} } $server->db("SELECT action FROM audit_records WHERE entity_id = '' AND target_id = '$entity' ORDER BY id")),
    'SANDBOX_CREATED SANDBOX_REMOVED', 'but for the server\'s own record of it';

# ---- refused -------------------------------------------------------------------------------------------------------------------------------

for my $path ($demo, $sandbox) {
    my $rows = sizes();
    refused_is $server->api(POST => $path, {captcha_token => 'solved'}, @nobody), 400, 'MISSING_FIELD', 'email', "$path without an address";
    refused_is $server->api(POST => $path, {email => 'a@example.org'}, @nobody), 400, 'MISSING_FIELD', 'captcha_token', 'without a captcha';
    refused_is visit($path, email => 'nobody'), 400, 'INVALID_FIELD', 'email', 'an address that is none';
    refused_is visit($path, captcha_token => 'wrong'), 400, 'INVALID_FIELD', 'captcha_token', 'a captcha that is not solved';
    for my $fault (qw(huge redirect garbage broken)) {
        my $said = visit($path, captcha_token => $fault);
        refused_is $said, 503, 'INTERNAL_ERROR', undef, "the service: $fault # security 72";
        is $said->header('Retry-After'), 10, 'when to come again';
    }
    is_deeply sizes(), $rows, 'nothing of these was kept';
}
is scalar(grep { $_->{method} eq 'GET' } $captcha->asked), 0, 'nobody followed the redirect # security 72';
# Others are served meanwhile, and the wait has an end.
my $begin = time;
my @statuses = together(3, sub { my ($i) = @_; return $i ? $server->api(GET => '/v1/users')->status : visit($demo, captcha_token => 'slow')->status });
is "@statuses", '503 200 200', 'a service that thinks for ever is not waited for, and holds up nobody else # security 72';
cmp_ok time - $begin, '<', 19, 'not till its end';
$captcha->stop;
refused_is visit($demo), 503, 'INTERNAL_ERROR', undef, 'the service is down # security 86';
refused_is visit($sandbox), 503, 'INTERNAL_ERROR', undef, 'for both';
is $server->api(GET => '/v1/users')->status, 200, 'the rest goes on';
like $server->error_log, qr/ID0380: the service of IdentityCaptcha cannot be used: it did not answer in time/, 'the log says why';
unlike $server->error_log, qr/canary/, 'without a secret # security 84';

# A server that is not set up for visitors has none.
refused_is api(POST => $_, {email => 'a@example.org', captcha_token => 'x'}, @nobody), 403, 'USER_NOT_ALLOWED', undef, "$_ where nothing is configured # security 19"
    for $demo, $sandbox;
done_testing;

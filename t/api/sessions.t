# SPDX-License-Identifier: Apache-2.0
# A user's sessions over HTTP: list, end one, end all; pages of other origins.
# route list_user_sessions end_user_sessions end_user_session refresh_token logout
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use MIME::Base64 qw(decode_base64url);
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $password = 'Correct1Horse';
my @no_key = ('X-API-KEY' => undef);
my $site = entity('sessions');
my @key = @{$site->{key}};
my $boss = member('boss', entity => $site);
my $ada = member('ada', type => 'USER', entity => $site);
my $path = "/v1/users/$ada->{id}/sessions";

sub sid_of { JSON::PP::decode_json(decode_base64url((split /\./, $_[0])[1]))->{sid} }
sub in { login($ada->{username}, $password) }
sub opens { api(GET => $path, undef, @_)->status }
sub live { rows("SELECT 1 FROM sessions WHERE user_id = '$ada->{id}' AND ended_at = 0") }

# ---- GET -----------------------------------------------------------------------------------------------------------------------------------

my $second = api(POST => '/v1/oauth/token', {username => $ada->{username}, password => $password}, @no_key, 'User-Agent' => 'Browser/1.0');
my $list = api(GET => $path, undef, bearer_of($second));
answered_is $list, 200, 'one lists one\'s own, without a permission # security 39';
shape_is $list, 'sessions', 'the answer is a list of sessions';
is_deeply [map { [@$_{qw(id user_id method client_address user_agent current)}] } @{$list->json->{data}}], [
    [sid_of($second->json->{access_token}), $ada->{id}, 'password', '127.0.0.1', 'Browser/1.0', JSON::PP::true],
    [sid_of($ada->{token}), $ada->{id}, 'password', '127.0.0.1', 'identity-test', JSON::PP::false]], 'newest first, with what one knows them by';
my ($one) = @{$list->json->{data}};
is seconds_of($one->{expires_at}) - seconds_of($one->{created_at}), 30 * 86400, 'it lives thirty days at most # security 34';
is seconds_of($one->{idle_expires_at}) - seconds_of($one->{authenticated_at}), 7 * 86400, 'seven unused # security 34';
answered_is api(GET => $path, undef, @{$boss->{bearer}}), 200, 'an administrator does # security 39';
refused_is api(GET => $path, undef, @no_key), 401, 'UNAUTHORISED', undef, 'without a credential';
refused_is api(GET => "/v1/users/$boss->{id}/sessions", undef, @{$ada->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'somebody else\'s';
refused_is api(GET => $path), 404, 'USER_NOT_FOUND', undef, 'of another entity # security 60';
refused_is api(GET => "/v1/users/@{[unknown_id('user')]}/sessions", undef, @key), 404, 'USER_NOT_FOUND', undef, 'of nobody';
refused_is api(POST => $path, {}, @key), 405, 'INVALID_OPERATION', undef, 'POST';

# ---- DELETE one ----------------------------------------------------------------------------------------------------------------------------

my $ended = api(DELETE => "$path/$one->{id}", undef, @{$ada->{bearer}});
answered_is $ended, 200, 'one ends one\'s own # security 39';
shape_is $ended, 'sessions', 'and is told';
is_deeply [map { $_->{id} } @{$ended->json->{data}}], [sid_of($ada->{token})], 'what is left';
is opens(bearer_of($second)), 401, 'its access token is dead with the next request # security 37';
refused_is api(POST => '/v1/oauth/refresh-token', undef, @no_key, Cookie => $second->cookie('identity_refresh')), 401, 'UNAUTHORISED', undef, 'its refresh token too # security 37';
is_deeply [db("SELECT user_id, target_resource_type FROM audit_records WHERE action = 'SESSION_ENDED' AND target_id = '$one->{id}'")],
    [{user_id => $ada->{id}, target_resource_type => 'SESSION'}], 'on record # security 82';
refused_is api(DELETE => "$path/$one->{id}", undef, @{$ada->{bearer}}), 404, 'RESOURCE_NOT_FOUND', undef, 'twice';
refused_is api(DELETE => "$path/" . unknown_id('sess'), undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'an unknown one';
refused_is api(DELETE => "$path/" . sid_of($boss->{token}), undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'another user\'s # security 60';
refused_is api(DELETE => "$path/" . sid_of($ada->{token}), undef, @no_key), 401, 'UNAUTHORISED', undef, 'without a credential';
refused_is api(DELETE => "$path/" . sid_of($ada->{token})), 404, 'USER_NOT_FOUND', undef, 'of another entity # security 60';
refused_is api(DELETE => "/v1/users/$boss->{id}/sessions/" . sid_of($boss->{token}), undef, @{$ada->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'somebody else\'s';
is live(), 1, 'none of which ended anything';
is api(DELETE => "$path/" . sid_of($ada->{token}), undef, @{$boss->{bearer}})->status, 200, 'an administrator ends it # security 39';
is opens(@{$ada->{bearer}}), 401, 'from the next request on # security 37';

# ---- DELETE all ----------------------------------------------------------------------------------------------------------------------------

my @ins = map { in() } 1 .. 3;
$ended = api(DELETE => "$path?except_current=true", undef, bearer_of($ins[1]));
answered_is $ended, 200, 'all but the present one # security 39';
is_deeply [map { $_->{id} } @{$ended->json->{data}}], [sid_of($ins[1]->json->{access_token})], 'which is left';
is join(' ', map { opens(bearer_of($_)) } @ins), '401 200 401', 'alone # security 37';
is rows("SELECT 1 FROM audit_records WHERE action = 'SESSIONS_ENDED' AND user_id = '$ada->{id}' AND target_id = '$ada->{id}'"), 1, 'on record # security 82';
is api(DELETE => $path, undef, bearer_of($ins[1]))->text, '{"data":[]}', 'all';
is opens(bearer_of($ins[1])), 401, 'this one too # security 37';
@ins = map { in() } 1 .. 2;
is api(DELETE => $path, undef, @{$boss->{bearer}})->text, '{"data":[]}', 'an administrator ends all of somebody\'s # security 39';
is join(' ', map { opens(bearer_of($_)) } @ins), '401 401', 'dead # security 37';
is api(GET => "/v1/users/$boss->{id}/sessions", undef, @{$boss->{bearer}})->status, 200, 'the administrator\'s is not';
refused_is api(DELETE => $path, undef, @no_key), 401, 'UNAUTHORISED', undef, 'without a credential';
refused_is api(DELETE => "/v1/users/$boss->{id}/sessions", undef, bearer_of(in())), 403, 'USER_NOT_ALLOWED', undef, 'somebody else\'s';
refused_is api(DELETE => $path), 404, 'USER_NOT_FOUND', undef, 'of another entity # security 60';
refused_is api(DELETE => "$path?except_current=1", undef, @key), 400, 'INVALID_FIELD', 'except_current', 'neither true nor false';

# ---- pages of other origins (security 42) ----------------------------------------------------------------------------------------------------

my $named = 'https://app.example.org';
my $server = IdentityTest::Server->new(directives => "IdentityCORSOrigin $named\n");
my $user = $server->address('origin');
is $server->api(POST => '/v1/users', {username => $user, password => $password})->status, 201, 'somebody';
for my $case (
    [200, 'no browser'], [200, 'our own page', Origin => $server->origin, 'Sec-Fetch-Site' => 'same-origin'], [200, 'a page that IdentityCORSOrigin names', Origin => $named, 'Sec-Fetch-Site' => 'cross-site'],
    [403, 'another site', Origin => 'https://evil.example', 'Sec-Fetch-Site' => 'cross-site'], [403, 'a neighbour', 'Sec-Fetch-Site' => 'same-site'], [403, 'nowhere', Origin => 'null']) {
    my ($status, $what, @headers) = @$case;
    my $cookie = $server->login($user, $password)->cookie('identity_refresh');
    my $refreshed = $server->api(POST => '/v1/oauth/refresh-token', undef, @no_key, Cookie => $cookie, @headers);
    is $refreshed->status, $status, "refresh by the cookie: $what # security 42";
    refused_is $refreshed, 403, 'USER_NOT_ALLOWED', undef, 'is refused' if $status == 403;
    is $server->api(POST => '/v1/oauth/logout', undef, @no_key, Cookie => $refreshed->cookie('identity_refresh') // $cookie, @headers)->status, $status, "logout by the cookie: $what # security 42";
}
for my $call (qw(refresh-token logout)) {
    my $cookie = $server->login($user, $password)->cookie('identity_refresh');
    my $twice = $server->api(POST => "/v1/oauth/$call", undef, @no_key, Cookie => "$cookie; identity_refresh=of-another-session");
    refused_is $twice, 400, 'BAD_REQUEST', undef, "A16: two refresh cookies: $call";
    like $twice->header('Set-Cookie'), qr/^identity_refresh=; .*Max-Age=0/, 'A16: ... and the cookie is cleared';
    is $server->api(POST => "/v1/oauth/$call", undef, @no_key, Cookie => $cookie)->status, 200, 'A16: ... the session lives';
}
$server->stop;

# ---- the limit (security 40) -------------------------------------------------------------------------------------------------------------------

api(DELETE => $path, undef, @key);
my $oldest = in();
alter_db("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99) INSERT INTO sessions (id, entity_id, user_id, method, client_address, user_agent, created_at,
    authenticated_at, idle_expires_at, expires_at, ended_at) SELECT printf('sess_%020d', i), entity_id, user_id, method, client_address, user_agent, created_at + i, authenticated_at,
    idle_expires_at, expires_at, 0 FROM sessions, n WHERE id = '@{[sid_of($oldest->json->{access_token})]}'");
is live(), 100, 'a hundred sessions';
is scalar @{api(GET => $path, undef, @key)->json->{data}}, 100, 'are listed';
is in()->status, 200, 'one more';
is live(), 100, 'is not one more # security 40';
is opens(bearer_of($oldest)), 401, 'the oldest ended for it # security 40';
is rows("SELECT 1 FROM audit_records WHERE action = 'SESSION_LIMIT' AND target_id = '$ada->{id}'"), 1, 'on record # security 82';

done_testing;

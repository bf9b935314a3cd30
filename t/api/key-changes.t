# SPDX-License-Identifier: Apache-2.0
# One API key over HTTP: get, change, search, delete; decrypt by a sealing key.
# run on: event asan
# route get_api_key update_api_key delete_api_key search_api_key decrypt_api_key
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $site = entity('key');
my @key = @{$site->{key}};
my @no_key = ('X-API-KEY' => undef);
my @other = ('X-API-KEY' => key());
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

sub make { my $answer = api(POST => '/v1/api-keys', {@_}, @key); die $answer->text unless $answer->status == 201; return $answer->json }
sub masked { my ($key, %changed) = @_; return {%$key, api_key => 'idk_...' . substr($key->{api_key}, -4), %changed} }
sub with { my ($key, $method, $path, $body) = @_; return api($method, $path, $body, 'X-API-KEY' => $key->{api_key}) }
sub audit { [map { "$_->{action} $_->{message}" } db("SELECT action, message FROM audit_records WHERE target_id = '$_[0]' ORDER BY id")] }
sub version { (db("SELECT version FROM api_keys WHERE id = '$_[0]'"))[0]{version} }

my $till = make(description => 'Till', permissions => ['ROLE.VIEW', 'QUOTE.VIEW']);
my $path = "/v1/api-keys/$till->{id}";
my $nobody = member('nobody', entity => $site, type => 'USER', roles => ['Quote Viewer']);
my $viewer = member('viewer', entity => $site, type => 'USER', roles => ['User Viewer']);
my @malformed = ("/v1/api-keys/${\unknown_id('apik')}", "/v1/api-keys/$site->{id}", '/v1/api-keys/till');

# ---- GET -----------------------------------------------------------------------------------------------------------------------------------

my $got = api(GET => $path, undef, @key);
answered_is $got, 200, 'get';
shape_is $got, 'api_key', 'the answer is an ApiKey';
my $seen = masked($till, permissions => ['QUOTE.VIEW', 'ROLE.VIEW']);
is_deeply $got->json, $seen, 'as it was made, masked';
is api(GET => $path, undef, @{$viewer->{bearer}})->status, 200, 'by a user who may view keys';
refused_is api(GET => $path, undef, @no_key), 401, 'UNAUTHORISED', undef, 'get without a credential';
refused_is api(GET => $path, undef, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'get without the permission';
refused_is api(GET => $path, undef, @other), 404, 'RESOURCE_NOT_FOUND', undef, "get another entity's";
refused_is api(GET => $_, undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, "get $_" for @malformed;
is api(PUT => $path, undef, @key)->header('Allow'), 'GET, HEAD, PATCH, DELETE, OPTIONS', 'what is allowed';

# ---- PATCH ---------------------------------------------------------------------------------------------------------------------------------

my $changed = api(PATCH => $path, {description => undef, permissions => ['ROLE.VIEW'], role_type => 'READ_ONLY', expires_at => '2099-01-01T01:00:00+01:00'}, @key);
answered_is $changed, 200, 'change';
shape_is $changed, 'api_key', 'the answer is an ApiKey';
my $read_only = api(GET => '/v1/roles?include_child_roles=true&name=read%20only', undef, @key)->json->{data}[0];
my $account = {id => $site->{account}, reference => $site->{reference}, environment => 'TEST'};
my $now = {
    %$seen, description => undef, permissions => ['ROLE.VIEW'], role_type => 'READ_ONLY', expires_at => '2099-01-01T00:00:00Z',
    account_memberships => [membership_json(undef, $account, 'USER', $read_only)]};
is_deeply $changed->json, $now, 'all of it';
is_deeply api(GET => $path, undef, @key)->json, $now, 'and so it is read';
is version($till->{id}), 2, 'one version on';
is_deeply audit($till->{id}), ['CREATE An API key was created.', 'UPDATE Changed: description role_type permissions expires_at'], 'on record';
is api(PATCH => $path, {%$now, api_key => 'x', team_memberships => 7}, @key)->status . version($till->{id}), 2002, 'sent back as it is: no change';
is with($till, GET => '/v1/roles')->status, 200, 'it opens';
is api(PATCH => $path, {%$now, active => $false}, @key)->json->{status}, 'INACTIVE', 'sent back with one change';
is with($till, GET => '/v1/roles')->status, 401, 'from the next request on it opens nothing';
is api(PATCH => $path, {status => 'ACTIVE', expires_at => undef, permissions => [], role_type => 'ADMINISTRATOR'}, @key)->json->{expires_at}, undef, 'and back';
is with($till, GET => '/v1/users')->status, 200, 'it opens everything';
my $version = version($till->{id});
refused_is api(PATCH => $path, $_->[0], @key), 400, 'INVALID_FIELD', $_->[1], 'change' for (
    [{status => 'GONE'}, 'status'], [{active => 'no'}, 'active'], [{role_type => 'OWNER'}, 'role_type'], [{expires_at => '2001-01-01T00:00:00Z'}, 'expires_at'],
    [{expires_at => 'soon'}, 'expires_at'], [{description => "a\tb"}, 'description'], [{permissions => ['ROLE.VIEW', 'x']}, 'permissions.1'], [{permissions => 'X.Y'}, 'permissions']);
refused_is api(PATCH => $path, {description => 'x'}, @no_key), 401, 'UNAUTHORISED', undef, 'change without a credential';
refused_is api(PATCH => $path, {description => 'x'}, @{$viewer->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'change without the permission';
refused_is api(PATCH => $path, {description => 'x'}, @other), 404, 'RESOURCE_NOT_FOUND', undef, "change another entity's";
refused_is api(PATCH => $_, {description => 'x'}, @key), 404, 'RESOURCE_NOT_FOUND', undef, "change $_" for @malformed;
refused_is api(PATCH => $path, undef, @key), 400, 'BAD_REQUEST', undef, 'change without a body';

# Never upward. (security 58, 62)
my $keeper = make(permissions => ['USER.API.UPDATE', 'USER.API.VIEW'], expires_at => '2099-01-01T00:00:00Z');
my $own = "/v1/api-keys/$keeper->{id}";
refused_is with($keeper, PATCH => $own, $_->[0]), 403, 'USER_NOT_ALLOWED', $_->[1], 'a key changes itself' for (
    [{permissions => []}, 'permissions'], [{permissions => ['USER.API.UPDATE', 'ROLE.VIEW']}, 'permissions'], [{expires_at => undef}, 'expires_at'],
    [{expires_at => '2099-01-01T00:00:01Z'}, 'expires_at']);
refused_is with($keeper, PATCH => $path, $_), 403, 'USER_NOT_ALLOWED', undef, 'a key changes one that holds more' for {status => 'INACTIVE'}, {permissions => ['USER.API.VIEW']};
is version($till->{id}) . version($keeper->{id}), "${version}1", 'nothing of these was kept';
is with($keeper, PATCH => $own, {permissions => ['USER.API.UPDATE'], expires_at => '2098-01-01T00:00:00Z'})->status, 200, 'less it may become';
is with($keeper, GET => $own)->status, 403, 'from the next request on';

# ---- search --------------------------------------------------------------------------------------------------------------------------------

my $idle = make(status => 'INACTIVE');
my $found = api(POST => '/v1/api-keys/search', {resource_id => $till->{id}, username => $till->{id}, user_type => 'API', include_inactive => $false}, @key);
answered_is $found, 200, 'search';
shape_is $found, 'api_key', 'the answer is one ApiKey';
is_deeply $found->json, api(GET => $path, undef, @key)->json, 'masked';
is api(POST => '/v1/api-keys/search', $_->[0], @key)->json->{id}, $_->[1], 'search' for (
    [{}, $keeper->{id}], [{user_type => 'API'}, $keeper->{id}], [{include_inactive => $true}, $idle->{id}], [{resource_id => $idle->{id}, include_inactive => $true}, $idle->{id}],
    [{username => $till->{id}}, $till->{id}]);
refused_is api(POST => '/v1/api-keys/search', $_, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'search' for (
    {user_type => 'MORTAL'}, {resource_id => $idle->{id}}, {resource_id => unknown_id('apik')}, {resource_id => ''}, {username => 'Till'},
    {resource_id => $till->{id}, username => $keeper->{id}});
refused_is api(POST => '/v1/api-keys/search', $_->[0], @key), 400, 'INVALID_FIELD', $_->[1], 'search'
    for [{user_type => 'ROBOT'}, 'user_type'], [{include_inactive => 1}, 'include_inactive'], [{resource_id => 1}, 'resource_id'], [{username => []}, 'username'];
refused_is api(POST => '/v1/api-keys/search', {resource_id => $till->{id}}, @other), 404, 'RESOURCE_NOT_FOUND', undef, "search another entity's";
refused_is api(POST => '/v1/api-keys/search', {}, @no_key), 401, 'UNAUTHORISED', undef, 'search without a credential';
refused_is api(POST => '/v1/api-keys/search', {}, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'search without the permission';
refused_is api(POST => '/v1/api-keys/search', undef, @key), 400, 'BAD_REQUEST', undef, 'search without a body';
is api(GET => '/v1/api-keys/search', undef, @key)->header('Allow'), 'POST, OPTIONS', 'search by GET';

# ---- DELETE --------------------------------------------------------------------------------------------------------------------------------

my $brief = make(description => 'Brief', permissions => ['ROLE.VIEW']);
my $gone = "/v1/api-keys/$brief->{id}";
is with($brief, GET => '/v1/roles')->status, 200, 'it opens';
refused_is api(DELETE => $gone, undef, @no_key), 401, 'UNAUTHORISED', undef, 'delete without a credential';
refused_is api(DELETE => $gone, undef, @{$viewer->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'delete without the permission';
refused_is api(DELETE => $gone, undef, @other), 404, 'RESOURCE_NOT_FOUND', undef, "delete another entity's";
refused_is api(DELETE => $_, undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, "delete $_" for @malformed;
my $last = api(GET => $gone, undef, @key)->json;
my $ended = api(DELETE => $gone, undef, @key);
answered_is $ended, 200, 'delete';
shape_is $ended, 'api_key', 'the answer is an ApiKey';
is_deeply $ended->json, {%$last, status => 'INACTIVE', active => $false}, 'the key that is no more, masked';
is with($brief, GET => '/v1/roles')->status, 401, 'from the next request on it opens nothing';
refused_is api($_ => $gone, undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, "$_ afterwards" for 'GET', 'DELETE';
is_deeply audit($brief->{id}), ['CREATE An API key was created.', 'DELETE An API key was deleted.'], 'on record';

# ---- decrypt -------------------------------------------------------------------------------------------------------------------------------

refused_is api(GET => "$path/decrypt", undef, @key), 409, 'INVALID_OPERATION', undef, 'decrypt without a sealing key';
is_deeply [db("SELECT sealed FROM api_keys WHERE sealed IS NOT NULL")], [], 'no key is kept';

# A server that has one, on the same database.
my $file = "$ENV{IDENTITY_TOP}/t/servers/escrow.$$";
{
    my $mask = umask 077;
    open my $out, '>', $file or die "$file: $!";
    print {$out} unpack('H*', join '', map { chr } 100 .. 131), "\n";
    close $out or die $!;
    umask $mask;
}
my $keeps = IdentityTest::Server->new(state => state_folder(), directives => "IdentityKeyEscrow $file\n");
my $kept = $keeps->api(POST => '/v1/api-keys', {description => 'Kept', role_type => 'READ_ONLY'}, @key)->json;
my $decrypt = "/v1/api-keys/$kept->{id}/decrypt";
my $clear = $keeps->api(GET => $decrypt, undef, @key);
answered_is $clear, 200, 'decrypt';
shape_is $clear, 'api_key', 'the answer is an ApiKey';
is_deeply $clear->json, $kept, 'as it was made, the key in clear';
is_deeply audit($kept->{id}), ['CREATE An API key was created.', 'DECRYPT An API key was shown in clear.'], 'on record';
is_deeply $keeps->api(GET => "/v1/api-keys/$kept->{id}", undef, @key)->json, masked($kept), 'elsewhere masked';
my ($row) = db("SELECT sealed FROM api_keys WHERE id = '$kept->{id}'");
like $row->{sealed}, qr/^[\w-]{136}$/, 'sealed in the database';
is $keeps->api(GET => $decrypt, undef, 'X-API-KEY' => $kept->{api_key})->status, 200, 'by a key that holds as much';
my $full = $keeps->api(POST => '/v1/api-keys', {}, @key)->json;
refused_is $keeps->api(GET => "/v1/api-keys/$full->{id}/decrypt", undef, 'X-API-KEY' => $kept->{api_key}), 403, 'USER_NOT_ALLOWED', undef, 'decrypt what holds more';
refused_is $keeps->api(GET => $decrypt, undef, 'X-API-KEY' => make(permissions => ['ROLE.VIEW'])->{api_key}), 403, 'USER_NOT_ALLOWED', undef, 'decrypt without the permission';
refused_is $keeps->api(GET => $decrypt, undef, @no_key), 401, 'UNAUTHORISED', undef, 'decrypt without a credential';
refused_is $keeps->api(GET => $decrypt, undef, @other), 404, 'RESOURCE_NOT_FOUND', undef, "decrypt another entity's";
refused_is $keeps->api(GET => "$_/decrypt", undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, "decrypt $_" for @malformed;
refused_is $keeps->api(GET => "$path/decrypt", undef, @key), 409, 'INVALID_OPERATION', undef, 'decrypt a key made before';
refused_is api(GET => $decrypt, undef, @key), 409, 'INVALID_OPERATION', undef, 'decrypt where the sealing key is not';
is scalar @{audit($kept->{id})}, 3, 'what was refused is not on record as shown';
$keeps->stop;

done_testing;

# SPDX-License-Identifier: Apache-2.0
# Account memberships over HTTP: change, end. (List and add stand in users.t.)
# run on: event asan
# route update_user_membership delete_user_membership
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $site = entity('memberships');
my @key = @{$site->{key}};
my @no_key = ('X-API-KEY' => undef);
my $other = entity('other');
my $boss = member('boss', entity => $site);
my $person = member('person', type => 'USER', roles => ['Quote Viewer'], entity => $site);
my ($mine) = @{api(GET => "/v1/users/$person->{id}/memberships", undef, @key)->json};
my $path = "/v1/users/$person->{id}/memberships/$mine->{id}";
my ($role_viewer) = @{api(GET => '/v1/roles?name=Role%20Viewer', undef, @key)->json->{data}};
my %account = (id => $site->{account}, reference => $site->{reference}, environment => 'TEST');

my $changed = api(PATCH => $path, {role_ids => [$role_viewer->{id}]}, @{$boss->{bearer}});
answered_is $changed, 200, 'change the roles';
shape_is $changed, '[membership]', 'the answer is a list of AccountMembership';
is_deeply $changed->json, [membership_json($mine->{id}, \%account, 'USER', $role_viewer)], 'all of the user\'s, as asked for';
is_deeply [db("SELECT role_id FROM membership_roles WHERE membership_id = '$mine->{id}'")], [{role_id => $role_viewer->{id}}], 'and is in the database';
is api(GET => '/v1/roles?limit=1', undef, @{$person->{bearer}})->status, 200, 'it holds at once';
is_deeply api(PATCH => $path, $changed->json->[0], @key)->json, $changed->json, 'what was got may be sent back';
is api(PATCH => $path, {type => 'ADMIN', role_ids => []}, @key)->json->[0]{type}, 'ADMIN', 'change the type';
is api(PATCH => $path, {type => 'USER', roles => [{name => 'quote viewer'}]}, @key)->json->[0]{roles}[0]{name}, 'Quote Viewer', 'roles by name';
refused_is api(GET => '/v1/roles?limit=1', undef, @{$person->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'it is gone at once # security 37';
is rows("SELECT 1 FROM audit_records WHERE action = 'UPDATE_MEMBERSHIP' AND target_id = '$person->{id}' AND target_platform_id = '$site->{account}'"), 4, 'each with a record # security 82';

refused_is api(PATCH => $path, {type => 'OWNER'}, @key), 400, 'INVALID_FIELD', 'type', 'no such type';
refused_is api(PATCH => $path, {account_id => $other->{account}}, @key), 400, 'INVALID_FIELD', 'account_id', 'another account';
refused_is api(PATCH => $path, {role_ids => ['role_x']}, @key), 400, 'INVALID_FIELD', 'role_ids.0', 'no such role';
refused_is api(PATCH => $path, {}, @no_key), 401, 'UNAUTHORISED', undef, 'without a credential';
refused_is api(PATCH => $path, {type => 'ADMIN'}, @{$person->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'oneself upward # security 62';
refused_is api(PATCH => $path, {}, @{$other->{key}}), 404, 'USER_NOT_FOUND', undef, 'of others # security 60';
refused_is api(PATCH => "/v1/users/$boss->{id}/memberships/$mine->{id}", {}, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'of another user';
refused_is api(PATCH => "/v1/users/$person->{id}/memberships/" . unknown_id('memb'), {}, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'an unknown one';
my ($seat) = @{api(GET => "/v1/users/$boss->{id}/memberships", undef, @key)->json};
refused_is api(PATCH => "/v1/users/$boss->{id}/memberships/$seat->{id}", {type => 'USER'}, @key), 409, 'INVALID_OPERATION', undef, 'the last administrator # security 63';
is_deeply [db("SELECT type FROM memberships WHERE id = '$seat->{id}'")], [{type => 'ADMIN'}], 'who stays one';

# ---- M3: DELETE ----------------------------------------------------------------------------------------------------------------------------

refused_is api(DELETE => $path, undef, @no_key), 401, 'UNAUTHORISED', undef, 'M3: without a credential';
refused_is api(DELETE => $path, undef, @{$person->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'M3: oneself without the permission';
refused_is api(DELETE => $path, undef, @{$other->{key}}), 404, 'USER_NOT_FOUND', undef, 'M3: of others # security 60';
refused_is api(DELETE => "/v1/users/$boss->{id}/memberships/$seat->{id}", undef, @key), 409, 'INVALID_OPERATION', undef, 'security 63: M3: the last administrator';
my $ended = api(DELETE => $path, undef, @{$boss->{bearer}});
answered_is $ended, 200, 'M3: a membership ends';
is_deeply $ended->json, [], 'M3: the answer is what is left';
is rows("SELECT 1 FROM memberships WHERE id = '$mine->{id}'"), 0, 'M3: and gone from the database';
is rows("SELECT 1 FROM audit_records WHERE action = 'REMOVE_MEMBERSHIP' AND target_id = '$person->{id}' AND target_platform_id = '$site->{account}'"), 1, 'M3: with a record # security 82';
refused_is api(DELETE => $path, undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'M3: once more';

done_testing;

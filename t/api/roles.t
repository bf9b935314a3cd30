# SPDX-License-Identifier: Apache-2.0
# Roles over HTTP: the built-in catalogue, roles of one's own.
# route list_roles create_role
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $site = entity('roles');
my @key = @{$site->{key}};
my @no_key = ('X-API-KEY' => undef);

sub roles { api(GET => "/v1/roles?$_[0]", undef, @key)->json->{data} }
sub names { join ',', map { $_->{name} } @{roles($_[0])} }

# ---- GET /v1/roles -------------------------------------------------------------------------------------------------------------------------

my $list = api(GET => '/v1/roles?limit=500&order_by=name&order_direction=asc', undef, @key);
answered_is $list, 200, 'list';
shape_is $list, 'page of role', 'the answer is a page of roles';
my %roles = map { $_->{name} => $_ } @{$list->json->{data}};
# Two, and three for each family of the catalogue (src/core/permissions.def).
is scalar keys %roles, 2 + 3 * 54, 'all the built-in ones';
is join(' ', grep { defined $roles{$_}{entity_id} } keys %roles), '', 'which belong to no entity';
is_deeply [map { @{$roles{$_}}{qw(slug permissions)} } 'Quote Viewer', 'Billing Entity Administrator', 'Wallet Contributor'], [
    'quote-viewer' => [qw(QUOTE.PRICING_PLAN_SCHEDULE.VIEW QUOTE.PRICING_PLAN_SUBSCRIPTION.VIEW QUOTE.TEMPLATE.VIEW QUOTE.VIEW)],
    'billing-entity-administrator' => [qw(BILLING_ENTITY.CREATE BILLING_ENTITY.UPDATE BILLING_ENTITY.VIEW)],
    'wallet-contributor' => [qw(WALLET.CREATE WALLET.UPDATE WALLET.VIEW)]], 'as the guides name them';
is join(' ', map { $roles{$_}{slug} } 'Administrator', 'Read Only'), 'full-access read-only', 'and the two for everything';
is scalar @{$roles{Administrator}{permissions}}, 204, 'Administrator has all 204 permissions';
is scalar(grep { !/\.VIEW$/ } @{$roles{'Read Only'}{permissions}}), 0, 'Read Only has those to view';
is scalar @{$roles{'Read Only'}{permissions}}, scalar(grep { /\.VIEW$/ } @{$roles{Administrator}{permissions}}), 'all of them';
is_deeply [sort { lc $a cmp lc $b } keys %roles], [map { $_->{name} } @{$list->json->{data}}], 'ordered by name';

is names('name=qUOTE%20vIEWER'), 'Quote Viewer', 'by name, whatever its case';
is names('name=Quote'), '', 'a part of a name is no name';
my ($next, @seen) = '/v1/roles?limit=70';
while ($next && @seen < 500) {
    my $page = api(GET => $next, undef, @key);
    is $page->status, 200, "$next is answered" or last;
    push @seen, map { $_->{id} } @{$page->json->{data}};
    $next = $page->json->{links}{next};
}
is join(' ', sort @seen), join(' ', sort map { $_->{id} } values %roles), 'page by page each once';
refused_is api(GET => "/v1/roles?$_->[0]", undef, @key), 400, 'INVALID_FIELD', $_->[1], $_->[0]
    for ['limit=501' => 'limit'], ['order_by=slug' => 'order_by'], ['include_child_roles=1' => 'include_child_roles'], ['only_childless_roles=no' => 'only_childless_roles'];
refused_is api(GET => '/v1/roles', undef, @no_key), 401, 'UNAUTHORISED', undef, 'list without a credential';
my $nobody = member('nobody', type => 'USER', roles => ['Quote Viewer']);
refused_is api(GET => '/v1/roles', undef, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'list without the permission';
is api(GET => '/v1/roles', undef, read_only_key())->status, 200, 'list with a key that may view';

# ---- POST /v1/roles ------------------------------------------------------------------------------------------------------------------------

my $made = api(POST => '/v1/roles', {name => 'Night Shift', description => 'At night.', permissions => ['SHIFT.PLAN', 'QUOTE.VIEW', 'SHIFT.PLAN'], slug => undef}, @key);
answered_is $made, 200, 'create';
shape_is $made, 'role', 'the answer is a Role';
my $night = $made->json;
is_deeply $night, {
    object_type => 'ROLE', id => $night->{id}, name => 'Night Shift', description => 'At night.', entity_id => $site->{id}, child_role_ids => [], child_roles => [],
    slug => 'night-shift', permissions => ['QUOTE.VIEW', 'SHIFT.PLAN']}, "with permissions of the site's own, and a slug made of the name";
is_deeply [db("SELECT action, target_resource_type FROM audit_records WHERE target_id = '$night->{id}'")], [{action => 'CREATE', target_resource_type => 'ROLE'}], 'on record';
is_deeply roles('name=night%20shift'), [$night], 'and listed';

my $parent = api(POST => '/v1/roles', {name => 'Duty', child_role_ids => [$night->{id}, $roles{'Wallet Viewer'}{id}], permissions => []}, @key)->json;
is_deeply $parent->{child_role_ids}, [$night->{id}, $roles{'Wallet Viewer'}{id}], 'a role may have roles in it';
is_deeply $parent->{child_roles}, [$night, $roles{'Wallet Viewer'}], 'which are shown in full';
my $grand = api(POST => '/v1/roles', {name => 'Command', slug => 'command-1', child_role_ids => [$parent->{id}]}, @key)->json;
is_deeply [$grand->{slug}, map { $_->{child_roles} } @{$grand->{child_roles}}], ['command-1', $parent->{child_roles}], 'two deep';
is_deeply roles('name=duty&include_child_roles=true'), [$parent], 'listed with them';
is_deeply roles('name=duty')->[0]{child_roles}, [], 'or without';
is names('only_childless_roles=true&name=duty') . names('only_childless_roles=true&name=night%20shift'), 'Night Shift', 'or only those that have none';

my @watch = @{member('watch', entity => $site, type => 'USER', role_ids => [$grand->{id}])->{bearer}};
is api(GET => '/v1/roles', undef, @watch)->status, 403, 'it can be given, and grants what it holds, not more';
api(POST => '/v1/roles', {name => 'Readers', child_role_ids => [$roles{'Role Viewer'}{id}]}, @key);
my @reader = @{member('reader', entity => $site, type => 'USER', roles => ['readers'])->{bearer}};
is api(GET => '/v1/roles', undef, @reader)->status, 200, 'a permission of a role inside holds';
refused_is api(POST => '/v1/roles', {name => 'Mine'}, @reader), 403, 'USER_NOT_ALLOWED', undef, 'create without the permission';

for (
    [{}, 400, MISSING_FIELD => 'name'],
    [{name => 7}, 400, INVALID_FIELD => 'name'],
    [{name => ''}, 400, INVALID_FIELD => 'name'],
    [{name => "a\tb"}, 400, INVALID_FIELD => 'name'],
    [{name => 'x' x 257}, 400, INVALID_FIELD => 'name'],
    [{name => 'A', slug => 'Upper'}, 400, INVALID_FIELD => 'slug'],
    [{name => 'A', permissions => 'QUOTE.VIEW'}, 400, INVALID_FIELD => 'permissions'],
    [{name => 'A', permissions => ['QUOTE.VIEW', 'quote.view']}, 400, INVALID_FIELD => 'permissions.1'],
    [{name => 'A', permissions => ['QUOTE']}, 400, INVALID_FIELD => 'permissions.0'],
    [{name => 'A', permissions => [7]}, 400, INVALID_FIELD => 'permissions.0'],
    [{name => 'A', child_role_ids => [unknown_id('role')]}, 400, INVALID_FIELD => 'child_role_ids.0'],
    [{name => 'A', child_role_ids => [$night->{id}, 'x']}, 400, INVALID_FIELD => 'child_role_ids.1'],
    [{name => 'A', child_role_ids => [$grand->{id}]}, 400, INVALID_FIELD => 'child_role_ids.0'],
    [{name => 'NIGHT shift'}, 409, RESOURCE_ALREADY_EXISTS => 'name'],
    [{name => 'read only'}, 409, RESOURCE_ALREADY_EXISTS => 'name'],
    [{name => 'A', slug => 'night-shift'}, 409, RESOURCE_ALREADY_EXISTS => 'slug'],
    [{name => 'A', slug => 'read-only'}, 409, RESOURCE_ALREADY_EXISTS => 'slug']) {
    refused_is api(POST => '/v1/roles', $_->[0], @key), @$_[1 .. 3], 'create';
}
refused_is api(POST => '/v1/roles', {name => 'A'}, @no_key), 401, 'UNAUTHORISED', undef, 'create without a credential';
refused_is api(POST => '/v1/roles', {name => 'A'}, read_only_key()), 403, 'USER_NOT_ALLOWED', undef, 'create with a key that may view only';
is rows("SELECT 1 FROM roles WHERE entity_id = '$site->{id}'"), 4, 'nothing of these was kept';

my @other = ('X-API-KEY' => key());
is_deeply api(GET => '/v1/roles?name=night%20shift', undef, @other)->json->{data}, [], 'another entity does not see it';
refused_is api(POST => '/v1/roles', {name => 'Theirs', child_role_ids => [$night->{id}]}, @other), 400, 'INVALID_FIELD', 'child_role_ids.0', 'and cannot use it';
is api(POST => '/v1/roles', {name => 'Night Shift'}, @other)->status, 200, 'but may have one of the same name';

done_testing;

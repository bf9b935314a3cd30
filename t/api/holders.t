# SPDX-License-Identifier: Apache-2.0
# Permissions over HTTP: who holds one, where, and by what.
# run on: event asan
# route list_permission_holders
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $home = entity('holders');
my @key = @{$home->{key}};
my @no_key = ('X-API-KEY' => undef);
my $admin = member('admin', entity => $home);
my $till = api(POST => '/v1/roles', {name => 'Till', permissions => ['TILL.OPEN']}, @key)->json;
my $shift = api(POST => '/v1/roles', {name => 'Night Shift', child_role_ids => [$till->{id}]}, @key)->json;
my $clerk = member('clerk', type => 'USER', roles => ['Night Shift'], entity => $home);
my $partner = member('partner', type => 'PARTNER', roles => ['Administrator'], entity => $home);
my $path = '/v1/permissions/TILL.OPEN/holders';

refused_is api(GET => $path, undef, @no_key), 401, 'UNAUTHORISED', undef, 'holders without a credential';
refused_is api(GET => $path, undef, @{$clerk->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'holders without the permission';
refused_is api(GET => "/v1/permissions/$_/holders", undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, "$_ is no permission" for 'till.open', 'TILL', '*';
refused_is api(GET => "$path?account=@{[unknown_id('plat')]}", undef, @key), 403, 'USER_NOT_ALLOWED', 'account', 'an account that nobody has';
refused_is api(GET => "$path?limit=0", undef, @key), 400, 'INVALID_FIELD', 'limit', 'no such page';
is api(POST => $path, undef, @key)->header('Allow'), 'GET, HEAD, OPTIONS', 'what is allowed';

my $answer = api(GET => "$path?order_direction=asc&account=$home->{account}", undef, @key);
answered_is $answer, 200, 'holders';
my %rows = map { (($_->{user} // $_->{api_key})->{id} => $_) } @{$answer->json->{data}};
my ($membership) = map { $_->{id} } @{api(GET => "/v1/users/$clerk->{id}/memberships", undef, @key)->json};
is_deeply $rows{$clerk->{id}}, {
    user => {id => $clerk->{id}, username => $clerk->{username}}, account_id => $home->{account},
    sources => [{membership_id => $membership, team => undef, type => 'USER', roles => ['Night Shift', 'Till']}]}, 'by a role within a role';
is_deeply [map { $_->{type} . "@{$_->{roles}}" } @{$rows{$admin->{id}}{sources}}], ['ADMIN'], 'by ADMIN';
is_deeply [grep { /^apik_/ } keys %rows], [map { $_->{id} } @{api(GET => '/v1/api-keys', undef, @key)->json->{data}}], 'and keys';
is scalar @{api(GET => "$path?limit=1", undef, @key)->json->{data}}, 1, 'paged';
is api(GET => "$path?limit=1", undef, @key)->json->{total_number_of_pages}, scalar keys %rows, 'and counted';
is_deeply api(GET => '/v1/permissions/NO.SUCH/holders', undef, @key)->json->{data}, [], 'a permission that nobody names has none';
is_deeply [map { $_->{user}{id} } @{api(GET => $path, undef, @{$partner->{bearer}})->json->{data}}], [$partner->{id}], 'a PARTNER is told of itself';
is_deeply api(GET => $path, undef, 'X-API-KEY' => key('other'))->json->{data}, [], 'another entity of nobody # security 60';
is api(DELETE => "/v1/users/$clerk->{id}", undef, @key)->status, 200, '(the clerk leaves)';
is_deeply [grep { $_->{user} && $_->{user}{id} eq $clerk->{id} } @{api(GET => $path, undef, @key)->json->{data}}], [], 'who is not ACTIVE holds nothing';

done_testing;

# SPDX-License-Identifier: Apache-2.0
# API keys over HTTP: create, list, use.
# route list_api_keys create_api_key
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $site = entity('keys');
my @key = @{$site->{key}};
my @no_key = ('X-API-KEY' => undef);
my $account = {id => $site->{account}, reference => $site->{reference}, environment => 'TEST'};
my $read_only = api(GET => '/v1/roles?include_child_roles=true&name=read%20only', undef, @key)->json->{data}[0];

sub make { api(POST => '/v1/api-keys', $_[0], $_[1] ? @{$_[1]} : @key) }
sub with { api($_[1] // 'GET', $_[2] // '/v1/users', $_[3], 'X-API-KEY' => ref $_[0] ? $_[0]->json->{api_key} : $_[0]) }

# ---- POST /v1/api-keys ---------------------------------------------------------------------------------------------------------------------

my $made = make({});
answered_is $made, 201, 'create';
shape_is $made, 'api_key', 'the answer is an ApiKey';
my $full = $made->json;
like $full->{api_key}, qr/^idk_[0-9A-Za-z]{20}_[\w-]{49}$/, 'the key itself in clear';
is_deeply $full, {
    object_type => 'API_KEY', id => $full->{id}, api_key => $full->{api_key}, entity_id => $site->{id}, created_at => $full->{created_at}, status => 'ACTIVE',
    description => undef, role_type => 'ADMINISTRATOR', active => JSON::PP::true, account_memberships => [membership_json(undef, $account, 'ADMIN')],
    team_memberships => [], expires_at => undef, last_used_at => undef, permissions => [], created_by => $full->{created_by}}, 'an administrator where nothing else is asked for';
my ($row) = db("SELECT digest, mask FROM api_keys WHERE id = '$full->{id}'");
is_deeply $row, {digest => digest_of($full->{api_key}), mask => 'idk_...' . substr $full->{api_key}, -4}, 'the database holds a digest and four characters';
is_deeply [db("SELECT action, target_resource_type FROM audit_records WHERE target_id = '$full->{id}'")], [{action => 'CREATE', target_resource_type => 'API_KEY'}], 'on record';
is with($made)->status, 200, 'it opens';
is api(GET => '/v1/users', undef, Authorization => "ApiKey $full->{api_key}")->status, 200, 'as Authorization: ApiKey too';
is api(GET => '/v1/users', undef, Authorization => "Bearer $full->{api_key}")->status, 401, 'but not as Bearer';
is with($made, POST => '/v1/roles', {name => 'By a new key'})->status, 200, 'for everything';

my $reads = make({role_type => 'READ_ONLY', description => "Gr\x{fc}\x{df}e"});
is_deeply $reads->json->{account_memberships}, [membership_json(undef, $account, 'USER', $read_only)], 'one that reads only';
is $reads->json->{description}, "Gr\x{fc}\x{df}e", 'with its description';
is with($reads)->status . with($reads, POST => '/v1/roles', {name => 'x'})->status, '200403', 'reads, and changes nothing';

my $narrow = make({permissions => ['ROLE.VIEW', 'ROLE.CREATE', 'USER.API.CREATE']});
is_deeply $narrow->json->{permissions}, ['ROLE.VIEW', 'ROLE.CREATE', 'USER.API.CREATE'], 'a narrow one';
is with($narrow)->status . with($narrow, GET => '/v1/roles')->status . with($narrow, POST => '/v1/roles', {name => 'By a narrow key'})->status, '403200200',
    'holds what is named and nothing else';
my $narrow_view = make({role_type => 'READ_ONLY', permissions => ['ROLE.VIEW', 'ROLE.CREATE']});
is with($narrow_view, GET => '/v1/roles')->status . with($narrow_view, POST => '/v1/roles', {name => 'x'})->status, '200403', 'and never more than its type';

my $narrow_key = ['X-API-KEY' => $narrow->json->{api_key}];
refused_is make({}, $narrow_key), 403, 'USER_NOT_ALLOWED', 'role_type', 'nobody makes a key that holds more than they do';
refused_is make({permissions => ['ROLE.VIEW', 'USER.MORTAL.VIEW']}, $narrow_key), 403, 'USER_NOT_ALLOWED', 'permissions', 'not of one permission';
is make({permissions => ['ROLE.VIEW']}, $narrow_key)->status, 201, 'but one that holds less';

my $off = make({active => JSON::PP::false});
is $off->json->{status} . with($off)->status, 'INACTIVE401', 'an inactive one opens nothing';
my $short = make({expires_at => '2099-01-01T02:00:00+02:00'});
is $short->json->{expires_at}, '2099-01-01T00:00:00Z', 'one that expires, told in UTC';
is with($short)->status, 200, 'opens';
alter_rights("UPDATE api_keys SET expires_at = 1 WHERE id = '@{[$short->json->{id}]}'");
is with($short)->status, 401, 'until then';

for (
    [{role_type => 'OWNER'}, 'role_type'], [{status => 'GONE'}, 'status'], [{active => 'yes'}, 'active'], [{status => 'ACTIVE', active => JSON::PP::false}, 'active'],
    [{expires_at => '2001-01-01T00:00:00Z'}, 'expires_at'], [{expires_at => 'tomorrow'}, 'expires_at'], [{expires_at => '2099-01-01T00:00:00.5Z'}, 'expires_at'],
    [{description => 7}, 'description'], [{description => 'x' x 1025}, 'description'], [{permissions => ['ROLE.VIEW', 'role']}, 'permissions.1'],
    [{permissions => {}}, 'permissions']) {
    refused_is make($_->[0]), 400, 'INVALID_FIELD', $_->[1], 'create';
}
refused_is make({}, \@no_key), 401, 'UNAUTHORISED', undef, 'create without a credential';
refused_is make({}, [read_only_key()]), 403, 'USER_NOT_ALLOWED', undef, 'create with a key that may view only';
is rows("SELECT 1 FROM api_keys WHERE entity_id = '$site->{id}'"), 8, 'nothing of these was kept';

# ---- GET /v1/api-keys ----------------------------------------------------------------------------------------------------------------------

my $list = api(GET => '/v1/api-keys', undef, @key);
answered_is $list, 200, 'list';
shape_is $list, 'page of api_key', 'the answer is a page of keys';
my %listed = map { $_->{id} => $_ } @{$list->json->{data}};
is scalar keys %listed, 8, 'of the entity';
is_deeply $listed{$reads->json->{id}}, {%{$reads->json}, api_key => 'idk_...' . substr($reads->json->{api_key}, -4), last_used_at => $listed{$reads->json->{id}}{last_used_at}},
    'the same objects, each key masked';
is scalar(grep { index($list->text, $_) >= 0 } map { $_->json->{api_key} } $made, $reads, $narrow, $off, $short), 0, 'and never in clear';
ok abs(seconds_of($listed{$reads->json->{id}}{last_used_at}) - time) < 60, 'with its last use';
is $listed{$off->json->{id}}{last_used_at}, undef, 'where there was one';
is_deeply $listed{$narrow->json->{id}}{permissions}, [sort @{$narrow->json->{permissions}}], 'with its permissions';
my $inactive = api(GET => '/v1/api-keys?active=false', undef, @key)->json->{data};
is join(' ', map { $_->{id} } @$inactive), $off->json->{id}, 'those that are not active';
my $page = api(GET => '/v1/api-keys?limit=3&order_direction=asc', undef, @key)->json;
is $page->{total_number_of_pages}, 3, 'by pages';
is scalar @{api(GET => $page->{links}{next}, undef, @key)->json->{data}}, 3, 'that lead on';
refused_is api(GET => "/v1/api-keys?$_->[0]", undef, @key), 400, 'INVALID_FIELD', $_->[1], $_->[0]
    for ['limit=0' => 'limit'], ['active=1' => 'active'], ['order_by=api_key' => 'order_by'];
refused_is api(GET => '/v1/api-keys', undef, @no_key), 401, 'UNAUTHORISED', undef, 'list without a credential';
refused_is with($narrow, GET => '/v1/api-keys'), 403, 'USER_NOT_ALLOWED', undef, 'list without the permission';
is index(api(GET => '/v1/api-keys')->text, $full->{id}), -1, 'another entity does not see them';

# ---- keys that are none ----------------------------------------------------------------------------------------------------------------------

my $text = $full->{api_key};
for (
    ['nonsense' => 'nonsense'], ['with a wrong character' => $text =~ s/.$/$& eq 'A' ? 'B' : 'A'/er], ['cut' => substr($text, 0, -1)], ['longer' => "${text}A"],
    ['with blanks' => "$text x"], ['of another kind' => 'idr_' . substr($text, 25)],
    ['of an id that there is not' => with_checksum('idk_0000000000000000zzzz_' . 'A' x 43)],
    ['with the id of another' => with_checksum('idk_' . substr($reads->json->{api_key}, 4, 21) . substr($text, 25, 43))]) {
    refused_is with($_->[1]), 401, 'UNAUTHORISED', undef, "a key that is $_->[0]";
}

# The checksum that ends a key is for scanners and no secret.
sub with_checksum
{
    my ($start) = @_;
    require MIME::Base64;
    return $start . substr MIME::Base64::encode_base64url(Digest::SHA::sha256($start)), 0, 6;
}

done_testing;

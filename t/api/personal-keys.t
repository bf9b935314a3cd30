# SPDX-License-Identifier: Apache-2.0
# Personal keys over HTTP: make, use, list, delete; and the keys of the entity that somebody made who leaves. (M4)
# route list_user_api_keys create_user_api_key delete_user_api_key
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $site = entity('personal');
my @key = @{$site->{key}};
my @no_key = ('X-API-KEY' => undef);
my $password = 'Correct1Horse';

sub somebody_of
{
    my ($name, $type) = @_;
    my $user = api(POST => '/v1/users', {username => "$name\@personal.example", password => $password}, @key)->json;
    is api(POST => "/v1/users/$user->{id}/memberships", {account_id => $site->{account}, type => $type}, @key)->status, 201, "$name is $type";
    my $token = api(POST => '/v1/oauth/token', {username => $user->{username}, password => $password}, @no_key)->json->{access_token};
    return {%$user, path => "/v1/users/$user->{id}", bearer => [@no_key, Authorization => "Bearer $token"]};
}

my ($ada, $root) = (somebody_of('ada', 'USER'), somebody_of('root', 'ADMIN'));

my $made = api(POST => "$ada->{path}/api-keys", {description => 'git'}, @{$ada->{bearer}});
answered_is $made, 201, 'M4: somebody makes a key of its own';
my $full = $made->json;
like $full->{api_key}, qr/^idk_[0-9A-Za-z]{20}_[\w-]{49}$/, 'M4: in clear';
is $full->{created_by}, $ada->{id}, 'M4: created_by is that person';
my @own = ('X-API-KEY' => $full->{api_key});
is api(GET => $ada->{path}, undef, @own)->json->{username}, $ada->{username}, 'M4: with it the program is that person';
refused_is api(POST => "$ada->{path}/api-keys", {}, @own), 403, 'USER_NOT_ALLOWED', undef, 'M4: and makes no further key';
refused_is api(PATCH => $ada->{path}, {password => 'Another1Horse', current_password => $password}, @own), 403, 'USER_NOT_ALLOWED', undef, 'M4: nor changes the password';
my $list = api(GET => "$ada->{path}/api-keys", undef, @{$ada->{bearer}});
answered_is $list, 200, 'M4: listed';
is_deeply [map { $_->{id} } @{$list->json}], [$full->{id}], 'M4: as an array';
is $list->json->[0]{api_key}, 'idk_...' . substr($full->{api_key}, -4), 'M4: masked';
refused_is api(GET => "$root->{path}/api-keys", undef, @{$ada->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, "M4: others' are not";
refused_is api(GET => "$ada->{path}/api-keys", undef, @no_key), 401, 'UNAUTHORISED', undef, 'M4: nor without a credential';
is_deeply [grep { $_->{id} eq $full->{id} } @{api(GET => '/v1/api-keys?limit=500', undef, @key)->json->{data}}], [], 'M4: GET /api-keys has keys of the entity alone';
my $gone = api(DELETE => "$ada->{path}/api-keys/$full->{id}", undef, @{$ada->{bearer}});
answered_is $gone, 200, 'M4: deleted';
is $gone->json->{status}, 'INACTIVE', 'M4: as it is told';
is api(GET => $ada->{path}, undef, @own)->status, 401, 'M4: it opens nothing from then on';
refused_is api(DELETE => "$ada->{path}/api-keys/$full->{id}", undef, @{$ada->{bearer}}), 404, 'RESOURCE_NOT_FOUND', undef, 'M4: and is gone';

# By the command line.
my ($status, $told, $error) = tool('--entity', $site->{reference}, qw(key add --description laptop --user), $ada->{username}, qw(--expires 5d));
is "$status $error", '0 ', 'M4: htidentity key add --user';
chomp $told;
is api(GET => $ada->{path}, undef, 'X-API-KEY' => $told)->status, 200, 'M4: prints a key that is that person';
($status, $told, $error) = tool('--entity', $site->{reference}, qw(key add --user nobody@personal.example));
like "$status$told$error", qr/^[1-9]\d*htidentity: .*nobody\@personal\.example/, 'M4: nobody has none';
($status, $told, $error) = tool('--entity', $site->{reference}, qw(key add --role READ_ONLY --user), $ada->{username});
like +($status >> 8) . "$told$error", qr/^2htidentity: .*--role/, 'M4: --role is refused beside it';

# Who leaves, and whose keys of the entity go on.
my $second = somebody_of('second', 'ADMIN');
my $left = api(POST => '/v1/api-keys', {}, @{$second->{bearer}})->json;
my $asked = api(PATCH => $second->{path}, {status => 'INACTIVE'}, @key);
is $asked->status, 200, 'M4: somebody is deactivated';
is_deeply $asked->json->{api_keys_created}, [$left->{id}], 'M4: api_keys_created names what that person made';
is api(GET => '/v1/roles', undef, 'X-API-KEY' => $left->{api_key})->status, 200, 'M4: which goes on';
is api(PATCH => "$second->{path}?revoke_keys=true", {status => 'INACTIVE'}, @key)->status, 200, 'M4: until revoke_keys';
is api(GET => '/v1/roles', undef, 'X-API-KEY' => $left->{api_key})->status, 401, 'M4: ends it';

done_testing;

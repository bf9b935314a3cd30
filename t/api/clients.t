# SPDX-License-Identifier: Apache-2.0
# Clients of the OpenID provider over HTTP.
# run on: event asan
# route list_clients create_client get_client update_client delete_client rotate_client_secret
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $site = entity('clients');
my @key = @{$site->{key}};
my $all = '/v1/clients';
my $made = api(POST => $all, {name => 'Wiki', redirect_uris => ['https://wiki.example.org/cb']}, @key);
answered_is $made, 201, 'create';
my $client = $made->json;
like $client->{client_secret}, qr/^ido_[\w-]{49}$/, 'the secret is shown once';
is_deeply [db("SELECT type, status, old_digest FROM clients WHERE id = '$client->{id}'")], [{type => 'CONFIDENTIAL', status => 'ENABLED', old_digest => ''}],
    'and is in the database';
answered_is my $list = api(GET => "$all?limit=1", undef, @key), 200, 'list';
is_deeply [map { $_->{id} } @{$list->json->{data}}], [$client->{id}], 'it is listed';
ok !exists $list->json->{data}[0]{client_secret}, 'without its secret';
answered_is api(GET => "$all/$client->{id}", undef, @key), 200, 'get';
refused_is api(POST => $all, {name => 'Wiki', redirect_uris => ['http://wiki.example.org/cb']}, @key), 400, 'INVALID_FIELD', 'redirect_uris.0', 'OP14: plain http';
my $role = api(POST => '/v1/roles', {name => 'Writers', permissions => ['WIKI.USE']}, @key)->json;
answered_is my $changed = api(PATCH => "$all/$client->{id}", {require => {role => $role->{slug}}}, @key), 200, 'change';
is_deeply $changed->json->{require}, {role => 'writers'}, 'whom it is for';
answered_is my $rotated = api(POST => "$all/$client->{id}/rotate-secret", undef, @key), 200, 'another secret, without a body';
isnt $rotated->json->{client_secret}, $client->{client_secret}, 'another one';
like $rotated->json->{previous_secret_expires_at}, qr/^\d{4}-/, 'the one before has its time';
answered_is api(DELETE => "$all/$client->{id}", undef, @key), 200, 'delete';
refused_is api(GET => "$all/$client->{id}", undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'it is gone';
done_testing;

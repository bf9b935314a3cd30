# SPDX-License-Identifier: Apache-2.0
# Users over HTTP: a link that is handed over, for when mail is down.
# run on: event asan
# route create_user_link
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $password = 'Correct1Horse';
my $home = entity('link');
my @key = @{$home->{key}};
my @no_key = ('X-API-KEY' => undef);
my $admin = member('admin', entity => $home);
my $bob = member('bob', type => 'USER', entity => $home);
my $path = "/v1/users/$bob->{id}/link";

refused_is api(POST => $path, {kind => 'reset'}, @no_key), 401, 'UNAUTHORISED', undef, 'a link without a credential';
refused_is api(POST => $path, {kind => 'reset'}, @{$bob->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'a link without the permission';
refused_is api(POST => $path, {kind => 'reset'}, 'X-API-KEY' => key('other')), 404, 'USER_NOT_FOUND', undef, 'a link to another entity # security 60';
refused_is api(POST => '/v1/users/' . unknown_id('user') . '/link', {kind => 'reset'}, @key), 404, 'USER_NOT_FOUND', undef, 'a link to nobody';
refused_is api(POST => $path, $_->[0], @key), 400, $_->[1], 'kind', 'a link' for [{}, 'MISSING_FIELD'], [{kind => 'login'}, 'INVALID_FIELD'], [{kind => 1}, 'INVALID_FIELD'];
refused_is api(POST => $path, undef, @key), 400, 'BAD_REQUEST', undef, 'a link without a body';
refused_is api(POST => $path, {kind => 'activate'}, @key), 409, 'INVALID_OPERATION', 'kind', 'there is no invitation to accept';
is api(GET => $path, undef, @key)->header('Allow'), 'POST, OPTIONS', 'what is allowed';

my $made = api(POST => $path, {kind => 'reset'}, @{$admin->{bearer}});
answered_is $made, 201, 'a link by who holds everything';
is join(' ', sort keys %{$made->json}), 'expires_at link', 'the answer';
my ($token) = $made->json->{link} =~ m{^https?://[^/]+/v1/oauth/reset-password#token=(\w[\w-]+)$};
ok $token, 'the link opens the page of mailed ones' or diag $made->json->{link};
my $left = seconds_of($made->json->{expires_at}) - time;
ok $left > 3500 && $left <= 3600, 'for IdentityResetLifetime';
is api(POST => '/v1/oauth/reset-password', {token => $token, new_password => 'Another1one'}, @no_key)->status, 200, 'it sets the password';
is login($bob->{username}, 'Another1one')->status, 200, 'bob signs in by it';
is login($bob->{username}, $password)->status, 401, 'and no more by the other';
refused_is api(POST => '/v1/oauth/reset-password', {token => $token, new_password => $password}, @no_key), 400, 'INVALID_FIELD', 'token', 'once # security 21';
my $record = api(GET => "/v1/audit-records?target_id=$bob->{id}&target_type=USER", undef, @key)->json->{data};
my ($link) = grep { $_->{action} eq 'LINK' } @$record;
is $link->{user_id}, $admin->{id}, 'on record # security 82';
unlike $made->header('X-REQUEST-ID') . JSON::PP->new->encode($record), qr/\Q$token\E/, 'without the link';

done_testing;

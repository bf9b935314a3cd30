# SPDX-License-Identifier: Apache-2.0
# Users over HTTP: delete, restore (M5).
# run on: event asan
# route delete_user restore_user
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $password = 'Correct1Horse';
my @no_key = ('X-API-KEY' => undef);
my @other = ('X-API-KEY' => key('other'));
my $lone = entity('lone');
my $first = member('first', entity => $lone);
my $leaver = member('leaver', type => 'USER', entity => $lone);
my @lone = @{$lone->{key}};
for my $call ([DELETE => "/v1/users/$leaver->{id}"], [POST => "/v1/users/$leaver->{id}/restore"]) {
    my ($method, $where) = @$call;
    refused_is api($method => $where, undef, @no_key), 401, 'UNAUTHORISED', undef, "M5: $method without a credential";
    refused_is api($method => $where, undef, @{$leaver->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, "M5: $method without the permission";
    refused_is api($method => $where, undef, @other), 404, 'USER_NOT_FOUND', undef, "M5: $method of a user of another entity # security 60";
    refused_is api($method => $where =~ s/user_\w+/unknown_id('user')/er, undef, @lone), 404, 'USER_NOT_FOUND', undef, "M5: $method of an unknown user";
}
refused_is api(POST => "/v1/users/$leaver->{id}/restore", undef, @lone), 409, 'INVALID_OPERATION', undef, 'M5: there is nothing to restore';
refused_is api(DELETE => "/v1/users/$first->{id}", undef, @lone), 409, 'INVALID_OPERATION', undef, 'security 63: M5: the last administrator stays';
my $deleted = api(DELETE => "/v1/users/$leaver->{id}", undef, @lone);
answered_is $deleted, 200, 'M5: delete';
is $deleted->json->{status}, 'INACTIVE', 'M5: the answer is the user, INACTIVE';
ok abs(seconds_of($deleted->json->{deleted_at}) - time) <= 10, 'M5: with deleted_at';
refused_is api(GET => "/v1/users/$leaver->{id}", undef, @{$leaver->{bearer}}), 401, 'UNAUTHORISED', undef, 'M5: its sessions are over # security 37';
is login($leaver->{username}, $password)->status, 401, 'M5: nobody signs in';
is rows("SELECT 1 FROM users WHERE id = '$leaver->{id}' AND status = 'INACTIVE' AND deleted_at > 0"), 1, 'M5: and is in the database';
is_deeply api(GET => "/v1/users/$leaver->{id}", undef, @lone)->json, $deleted->json, 'M5: it is shown as before';
my $again = api(POST => '/v1/users', {username => uc $leaver->{username}, password => $password}, @lone);
refused_is $again, 409, 'RESOURCE_ALREADY_EXISTS', 'username', 'M5: its name is held';
my ($until) = $again->json->{message} =~ /restored until (\S+)\.$/;
is seconds_of($until) - seconds_of($deleted->json->{deleted_at}), 7 * 86400, 'M5: IdentityDeleteAfter is 7d';
refused_is api(PATCH => "/v1/users/$leaver->{id}", {status => 'ACTIVE'}, @lone), 409, 'INVALID_OPERATION', undef, 'M5: nor can it be changed';
my $restored = api(POST => "/v1/users/$leaver->{id}/restore", undef, @lone);
answered_is $restored, 200, 'M5: restore';
shape_is $restored, 'user', 'M5: the answer is a User';
is $restored->json->{status}, 'INACTIVE', 'M5: INACTIVE';
is_deeply $restored->json->{account_memberships}, $deleted->json->{account_memberships}, 'M5: with its memberships';
is api(PATCH => "/v1/users/$leaver->{id}", {status => 'ACTIVE'}, @lone)->status, 200, 'M5: it is made ACTIVE';
is login($leaver->{username}, $password)->status, 200, 'M5: and signs in as before';
is rows("SELECT 1 FROM audit_records WHERE target_id = '$leaver->{id}' AND action IN ('DELETE', 'RESTORE')"), 2, 'M5: each with a record # security 82';

done_testing;

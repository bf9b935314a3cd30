# SPDX-License-Identifier: Apache-2.0
# A client library of OAuth against this server: discovery, the three grants, introspection, revocation, each answer held against its RFC. (security 44 to 48, 50)
# run on: event
# needs: npm
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Node;

my $ada = member('ada');
my $id = 'apik_' . substr key(), 4, 20;
my $told = node('client.mjs', {issuer => origin(), id => $id, secret => key(), username => $ada->{username}, password => $ada->{password}});

is $told->{metadata}{issuer}, origin(), 'the metadata are found and sound # security 50';
for my $method (qw(client_secret_basic client_secret_post)) {
    my $step = $told->{$method};
    is_deeply [sort keys %{$step->{token}}], [qw(access_token expires_in token_type)], "$method: client_credentials # security 45";
    is_deeply [@{$step->{claims}}{qw(iss sub client_id)}], [origin(), $id, $id], 'a token of RFC 9068 by the published keys # security 48';
    is_deeply [@{$step->{introspected}}{qw(active sub)}], [JSON::PP::true(), $id], 'introspection # security 47';
    is $step->{refused}{error}, 'invalid_client', 'a wrong secret # security 45';
    is $step->{person}{sub}, $ada->{id}, 'password and refresh_token # security 45';
    isnt $step->{renewed}{refresh_token}, $step->{password}{refresh_token}, 'rotated # security 35';
    is $step->{revoked}, 'done', 'revocation # security 46';
    is $step->{dead}{error}, 'invalid_grant', 'ends the refresh token # security 46';
    is_deeply $step->{inactive}, {active => JSON::PP::false()}, 'and the access token # security 47';
}
is_deeply $told->{publicly}, {status => 200, members => [qw(access_token token_type expires_in refresh_token)]}, 'a client without a secret';

done_testing;

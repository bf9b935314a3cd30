# SPDX-License-Identifier: Apache-2.0
# Authentication providers over HTTP, and which of them an invited person may use.
# run on: event asan
# route list_authentication_providers create_authentication_provider get_authentication_provider update_authentication_provider
# route enabled_authentication_providers
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $site = entity('providers');
my @key = @{$site->{key}};
my @no_key = ('X-API-KEY' => undef);
my $other = entity('other');
my $nobody = member('nobody', type => 'USER', entity => $site);
my $all = '/v1/authentication-providers';

sub make { api(POST => $all, $_[0], $_[1] ? @{$_[1]} : @key) }

sub row
{
    my ($id) = @_;
    my ($row) = db("SELECT entity_id, type, name, status, variant, issuer, client_id, settings FROM providers WHERE id = '$id'");
    return $row;
}

sub recorded { rows("SELECT 1 FROM audit_records WHERE action = '$_[0]' AND target_resource_type = 'AUTHENTICATION_PROVIDER' AND target_id = '$_[1]'") }

# ---- POST /v1/authentication-providers -------------------------------------------------------------------------------------------------------

my $password = make({type => 'DEFAULT'});
answered_is $password, 201, 'create';
shape_is $password, 'provider', 'the answer is an AuthenticationProvider';
my $default = $password->json->{id};
is_deeply $password->json, {id => $default, entity_id => $site->{id}, type => 'DEFAULT', name => 'Password', status => 'ENABLED'}, 'C1: by a password';
is_deeply row($default), {entity_id => $site->{id}, type => 'DEFAULT', name => 'Password', status => 'ENABLED', variant => '', issuer => '', client_id => '', settings => '{}'},
    'and is in the database';
is recorded(CREATE => $default), 1, 'with a record # security 82';

my $oidc = make({
    type => 'SSO', name => "Fr\x{fc}hst\x{fc}ck", status => 'DISABLED', client_secret => 'canary-secret', sso => {
        variant => 'OIDC', issuer => 'https://login.example.org', client_id => 'shop', client_secret => 'canary-secret', allowed_domains => ['Example.ORG']}});
answered_is $oidc, 201, 'create one of OpenID';
shape_is $oidc, 'provider', 'the answer is an AuthenticationProvider';
my $id = $oidc->json->{id};
is_deeply $oidc->json, {
    id => $id, entity_id => $site->{id}, type => 'SSO', name => "Fr\x{fc}hst\x{fc}ck", status => 'DISABLED', sso => {
        variant => 'OIDC', allowed_domains => ['example.org'], issuer => 'https://login.example.org', client_id => 'shop'}},
    'as it was asked for';
is rows("SELECT 1 FROM providers WHERE id = '$id' AND issuer = 'https://login.example.org' AND client_id = 'shop' AND variant = 'OIDC'"), 1, 'and is in the database';
is rows("SELECT 1 FROM providers WHERE settings || name || client_id LIKE '%canary%'"), 0, 'without a secret # security 95';
my $okta = make({type => 'SSO', sso => {variant => 'OKTA', okta => {connection => 'acme'}}});
is_deeply $okta->json->{sso}{okta}, {connection => 'acme'}, 'one of Okta';
my $count = rows("SELECT 1 FROM providers WHERE entity_id = '$site->{id}'");
refused_is make({}), 400, 'MISSING_FIELD', 'type', 'create without a type';
refused_is make({type => 'SSO', sso => {}}), 400, 'MISSING_FIELD', 'sso.variant', 'create without a variant';
refused_is make({type => 'SSO', sso => {variant => 'OKTA'}}), 400, 'MISSING_FIELD', 'sso.okta.connection', 'create without a connection';
refused_is make({type => 'SSO', sso => {variant => 'OIDC', client_id => 'x'}}), 400, 'MISSING_FIELD', 'sso.issuer', 'create without an issuer';
refused_is make({type => 'SSO', sso => {variant => 'OIDC', client_id => 'x', issuer => 'http://login.example.org'}}), 400, 'INVALID_FIELD', 'sso.issuer', 'create in clear text';
refused_is make({type => 'SSO', sso => {variant => 'GOOGLE', allowed_domains => ['a.example', 'x']}}), 400, 'INVALID_FIELD', 'sso.allowed_domains.1', 'create for no domain';
refused_is make({type => 'DEFAULT', sso => {variant => 'GOOGLE'}}), 400, 'INVALID_FIELD', 'sso', 'create a mixture';
refused_is make({type => 'DEFAULT'}, \@no_key), 401, 'UNAUTHORISED', undef, 'create without a credential';
refused_is make({type => 'DEFAULT'}, $nobody->{bearer}), 403, 'USER_NOT_ALLOWED', undef, 'create without the permission';
refused_is make({type => 'DEFAULT'}, [read_only_key()]), 403, 'USER_NOT_ALLOWED', undef, 'create with a key that may view only';
is rows("SELECT 1 FROM providers WHERE entity_id = '$site->{id}'"), $count, 'nothing of these was kept';

# ---- GET -------------------------------------------------------------------------------------------------------------------------------------

my $list = api(GET => $all, undef, @key);
answered_is $list, 200, 'list';
shape_is $list, 'page of provider', 'the answer is a page of providers';
is_deeply $list->json->{data}, [map { $_->json } $okta, $oidc, $password], 'all of them, the newest first';
is $list->json->{total_number_of_pages}, 1, 'on one page';
my $first = api(GET => "$all?limit=2", undef, @key)->json;
is_deeply api(GET => $first->{links}{next}, undef, @key)->json->{data}, [$password->json], 'or on two';
is_deeply api(GET => $all, undef, @{$other->{key}})->json->{data}, [], 'another entity has none # security 60';
refused_is api(GET => "$all?limit=0", undef, @key), 400, 'INVALID_FIELD', 'limit', 'list with no limit';
refused_is api(GET => $all, undef, @no_key), 401, 'UNAUTHORISED', undef, 'list without a credential';
refused_is api(GET => $all, undef, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'list without the permission';

my $got = api(GET => "$all/$id", undef, @key);
answered_is $got, 200, 'get';
is_deeply $got->json, $oidc->json, 'is what was made';
refused_is api(GET => "$all/$id", undef, @{$other->{key}}), 404, 'RESOURCE_NOT_FOUND', undef, 'get of another entity # security 60';
refused_is api(GET => "$all/" . unknown_id('auth'), undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'get of an unknown one';
refused_is api(GET => "$all/$id", undef, @no_key), 401, 'UNAUTHORISED', undef, 'get without a credential';
refused_is api(GET => "$all/$id", undef, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'get without the permission';

# ---- PATCH -----------------------------------------------------------------------------------------------------------------------------------

my $changed = api(PATCH => "$all/$id", {status => 'ENABLED', name => undef, sso => {allowed_domains => undef, client_id => 'other'}}, @key);
answered_is $changed, 200, 'change';
is_deeply $changed->json, {%{$oidc->json}, status => 'ENABLED', name => 'OpenID Connect', sso => {%{$oidc->json->{sso}}, allowed_domains => [], client_id => 'other'}},
    'what is named is changed, null clears, all else stays';
is_deeply row($id), {
    entity_id => $site->{id}, type => 'SSO', name => 'OpenID Connect', status => 'ENABLED', variant => 'OIDC', issuer => 'https://login.example.org', client_id => 'other',
    settings => '{"allowed_domains":[]}'}, 'and is in the database';
is recorded(UPDATE => $id), 1, 'with a record # security 82';
is_deeply api(PATCH => "$all/$id", $changed->json, @key)->json, $changed->json, 'what was read may be sent back';
is recorded(UPDATE => $id), 1, 'which is no change';
refused_is api(PATCH => "$all/$id", {type => 'DEFAULT'}, @key), 400, 'INVALID_FIELD', 'sso', 'change into a mixture';
refused_is api(PATCH => "$all/$id", {sso => {issuer => undef}}, @key), 400, 'MISSING_FIELD', 'sso.issuer', 'clear what is needed';
refused_is api(PATCH => "$all/$id", {status => 'ON'}, @key), 400, 'INVALID_FIELD', 'status', 'change into no status';
refused_is api(PATCH => "$all/$id", {status => 'DISABLED'}, @no_key), 401, 'UNAUTHORISED', undef, 'change without a credential';
refused_is api(PATCH => "$all/$id", {status => 'DISABLED'}, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'change without the permission';
refused_is api(PATCH => "$all/$id", {status => 'DISABLED'}, @{$other->{key}}), 404, 'RESOURCE_NOT_FOUND', undef, 'change of another entity # security 60';
is_deeply api(GET => "$all/$id", undef, @key)->json, $changed->json, 'none of it changed it';
refused_is api(DELETE => "$all/$id", undef, @key), 405, 'INVALID_OPERATION', undef, 'delete';

# ---- POST /v1/authentication-providers/enabled -----------------------------------------------------------------------------------------------

my $address = address('guest');
my ($domain) = $address =~ /\@(.*)/;
make({type => 'SSO', name => 'own', sso => {variant => 'GOOGLE', allowed_domains => [$domain, 'secret.example']}});
make({type => 'SSO', name => 'others', sso => {variant => 'GOOGLE', allowed_domains => ['secret.example']}});
make({type => 'DEFAULT', name => 'off', status => 'DISABLED'});
is api(POST => '/v1/users/invite', {username => $address}, @key)->status, 200, 'somebody is invited';
my ($token) = wait_mail($address)->{link} =~ /#token=(.*)/;

sub enabled { api(POST => "$all/enabled", $_[0], @no_key) }

my $may = enabled({token => $token, email => uc $address});
answered_is $may, 200, 'and asks how to sign in';
shape_is $may, 'page of provider', 'the answer is a page of providers';
is join(' ', map { $_->{name} } @{$may->json->{data}}), 'own Okta OpenID Connect Password', 'those that are enabled and open to the address';
unlike $may->text, qr/secret\.example/, 'and nothing of other domains';
my $unknown = enabled({token => 'idi_' . 'x' x 49, email => $address});
refused_is $unknown, 400, 'INVALID_FIELD', 'token', 'an unknown token';
is enabled({token => $token, email => address('stranger')})->text, $unknown->text, 'and the token of somebody else: the same';
refused_is enabled({email => $address}), 400, 'MISSING_FIELD', 'token', 'no token';
refused_is enabled({token => $token}), 400, 'MISSING_FIELD', 'email', 'no address';
is enabled({token => $token, email => $address})->status, 200, 'asking spends nothing';
alter_db("UPDATE secrets SET expires_at = 1 WHERE digest = '@{[digest_of($token)]}'");
my $late = enabled({token => $token, email => $address});
refused_is $late, 400, 'INVALID_FIELD', 'token', 'an expired token';
is $late->text, api(POST => '/v1/oauth/activate-user', {token => $token, new_password => 'Correct1Horse'}, @no_key)->text, 'in the words of activate-user';
alter_db("UPDATE secrets SET expires_at = 4000000000000000 WHERE digest = '@{[digest_of($token)]}'");
is api(POST => '/v1/oauth/activate-user', {token => $token, new_password => 'Correct1Horse'}, @no_key)->status, 200, 'the token serves its purpose';
is enabled({token => $token, email => $address})->text, $unknown->text, 'and is an unknown one from then on';

done_testing;

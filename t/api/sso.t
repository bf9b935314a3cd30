# SPDX-License-Identifier: Apache-2.0
# Signing on at a certified OpenID provider (npm's oidc-provider), all the way through its forms, and what authorize and callback refuse. What an attacker may
# try in between is in t/unit/service/sso/serve_sso.c. (conf/interface.md; security 67 to 72)
# route authorize oauth_callback
# run on: event asan
# needs: npm
use strict;
use warnings FATAL => 'all';
use Test::More;
use URI;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Provider;
use IdentityTest::Server;

my $page = 'http://127.0.0.1:1/sso';
my $provider = IdentityTest::Provider->new('identity', 'of-the-test+/=', $page);
my $file = "$ENV{IDENTITY_TOP}/t/servers/provider-secret.$$";
open my $out, '>', $file or die "$file: $!";
print {$out} "of-the-test+/=\n";
close $out or die $!;
chmod 0600, $file;
my $server = IdentityTest::Server->new(directives => <<"END");
IdentityRedirectURI https://app.example.com/sso $page
IdentityProvider work @{[$provider->issuer]} identity $file domains=example.com,example.net entity=default
IdentitySSOProvision On
END
my @nobody = ('X-API-KEY' => undef);

sub authorize
{
    my ($query) = @_;
    return $server->api(GET => '/v1/oauth/authorize?' . ($query // 'provider=work&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fsso'), undef, @nobody);
}

sub callback
{
    my ($body, $cookie) = @_;
    return $server->api(POST => '/v1/oauth/callback', $body, @nobody, ($cookie ? (Cookie => $cookie) : ()));
}

# What a browser has before callback: the body and the cookie.
sub begun
{
    my ($person) = @_;
    my $start = authorize();
    my %back = $provider->visit($start->header('Location'), $person);
    my $body = {redirect_uri => $page, map { $_ => $back{$_} } qw(code state iss)};
    return ($body, $start->cookie('identity_sso'), $back{seen});
}

sub sign_on { return callback(begun(@_)) }

sub one { my ($sql) = @_; my ($row) = $server->db($sql); return $row ? join '|', map { $_ // '-' } @$row{sort keys %$row} : 'none' }

# ---- authorize -----------------------------------------------------------------------------------------------------------------------------

my $start = authorize();
is $start->status, 302, 'authorize sends the browser on';
is $start->text, '', 'with no body';
my $to = URI->new($start->header('Location'));
my %query = $to->query_form;
is "$query{response_type} $query{client_id} $query{redirect_uri} $query{scope} $query{code_challenge_method}",
    "code identity $page openid email S256", 'to the provider, with all that it needs # security 67';
like $start->header('Set-Cookie'), qr{^identity_sso=ids_[\w-]{49}; Path=/v1/oauth; Max-Age=600; HttpOnly; SameSite=Strict$}, 'bound to the browser';
is $start->header('Cache-Control'), 'no-store', 'and kept by nobody';
refused_is(authorize('redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fsso'), 400, MISSING_FIELD => 'provider', 'no provider');
refused_is(authorize('provider=work'), 400, MISSING_FIELD => 'redirect_uri', 'no redirect_uri');
refused_is(authorize('provider=home&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fsso'), 400, INVALID_FIELD => 'provider', 'an unknown provider');
refused_is(authorize('provider=work&redirect_uri=https%3A%2F%2Fevil.example.org%2F'), 400, INVALID_FIELD => 'redirect_uri', 'another page # security 71');
refused_is($server->api(POST => '/v1/oauth/authorize', {}, @nobody), 405, INVALID_OPERATION => undef, 'another method');

# ---- the whole way -------------------------------------------------------------------------------------------------------------------------

my $ada = $server->address('ada');
is $server->invite($ada)->status, 200, 'somebody is invited';
my ($body, $cookie, $forms) = begun($ada);
is $forms, 2, 'logs in and consents at the provider';
is $body->{iss}, $provider->issuer, 'which says who it is';
my $in = callback($body, $cookie);
answered_is($in, 200, 'and is signed in');
shape_is($in, 'token', 'with a Token');
my @bearer = bearer_of($in);
my ($claims) = map { JSON::PP::decode_json(MIME::Base64::decode_base64url((split /\./, $_)[1])) } $in->json->{access_token};
my $me = $server->api(GET => "/v1/users/$claims->{sub}", undef, @bearer);
is $me->json->{username} . ' ' . $me->json->{status}, "$ada ACTIVE", 'as who was invited, now ACTIVE # security 70';
is $server->api(GET => '/v1/users', undef, @bearer)->status, 200, 'with what the invitation gave';
my $again = $server->api(POST => '/v1/oauth/refresh-token', undef, @nobody, Cookie => $in->cookie('identity_refresh'));
is $again->status, 200, 'the session goes on by its cookie';
is one("SELECT issuer, subject FROM provider_links WHERE user_id = '$claims->{sub}'"), $provider->issuer . "|$ada", 'linked # security 69';
is one("SELECT method FROM sessions WHERE user_id = '$claims->{sub}'"), 'sso', 'the session says by what';
is join(' ', sort map { $_->{action} } $server->db("SELECT action FROM audit_records WHERE user_id = '$claims->{sub}'")), 'ACTIVATE LINK LOGIN REFRESH',
    'and the trail says all of it';
is sign_on($ada)->status, 200, 'and again, as who is linked';

# ---- who is turned away, who is made -------------------------------------------------------------------------------------------------------

refused_is(sign_on('unproved@example.com'), 403, USER_NOT_ALLOWED => undef, 'an address that the provider has not verified');
refused_is(sign_on('somebody@example.org'), 403, USER_NOT_ALLOWED => undef, 'somebody unknown of a domain that is not listed');
my $new = sign_on('somebody@example.net');
answered_is($new, 200, 'somebody unknown of a listed one');
is one("SELECT status, verified_at > 0 AS v, password_hash FROM users WHERE canonical = 'somebody\@example.net'"), '-|ACTIVE|1', 'is a user from now on';
is $server->api(GET => '/v1/users', undef, bearer_of($new))->status, 403, 'who may do nothing yet';
my $left = $server->person(name => 'left');
is sign_on($left->{username})->status, 200, 'somebody with a password here may come that way too';
is $server->api(PATCH => "/v1/users/$left->{id}", {status => 'INACTIVE'})->status, 200, 'until they are made inactive';
refused_is(sign_on($left->{username}), 403, USER_NOT_ALLOWED => undef, 'and not longer');

# ---- what callback refuses -----------------------------------------------------------------------------------------------------------------

($body, $cookie) = begun($ada);
my $rows = one('SELECT COUNT(*) FROM sessions');
refused_is(callback($body), 400, INVALID_FIELD => 'state', 'another browser # security 67');
refused_is(callback($body, authorize()->cookie('identity_sso')), 400, INVALID_FIELD => 'state', 'one with a sign-on of its own # security 67');
refused_is(callback({%$body, redirect_uri => 'https://app.example.com/sso'}, $cookie), 400, INVALID_FIELD => 'state', 'another page than it was for');
refused_is(callback({%$body, redirect_uri => 'https://app.example.com/SSO'}, $cookie), 400, INVALID_FIELD => 'redirect_uri', 'a page that is none');
for my $field (qw(code redirect_uri state)) {
    refused_is(callback({%$body, $field => undef}, $cookie), 400, MISSING_FIELD => $field, "no $field");
    refused_is(callback({%$body, $field => 'x' x 257}, $cookie), 400, INVALID_FIELD => $field, "a $field of 257 bytes");
}
refused_is($server->api(POST => '/v1/oauth/callback', 'code=x', @nobody, 'Content-Type' => 'application/x-www-form-urlencoded'),
    415, UNSUPPORTED_MEDIA_TYPE => undef, 'a form');
refused_is(callback('{'), 400, BAD_REQUEST => undef, 'no JSON');
refused_is(callback({%$body, more => 'x' x 70000}, $cookie), 413, BAD_REQUEST => undef, 'too much');
refused_is($server->api(GET => '/v1/oauth/callback', undef, @nobody), 405, INVALID_OPERATION => undef, 'another method');
is one('SELECT COUNT(*) FROM sessions'), $rows, 'no session came of any of it';
is callback($body, $cookie)->status, 200, 'the right browser ends it after all';
refused_is(callback($body, $cookie), 400, INVALID_FIELD => 'state', 'once # security 67');
my ($other, $others_cookie) = begun($ada);
refused_is(callback({%$other, code => $body->{code}}, $others_cookie), 401, UNAUTHORISED => undef, 'a code that was used');
($body, $cookie) = begun($ada);
refused_is(callback({%$body, iss => 'https://evil.example.org'}, $cookie), 401, UNAUTHORISED => undef, 'an answer of another issuer # security 68');
($body, $cookie) = begun($ada);
$provider->is_down(1);
refused_is(callback($body, $cookie), 503, INTERNAL_ERROR => undef, 'a provider that is down');
$provider->is_down(0);
is sign_on($ada)->status, 200, '... and up again';

# ---- as a provider among others ------------------------------------------------------------------------------------------------------------

my $list = $server->api(GET => '/v1/authentication-providers');
my ($builtin) = @{$list->json->{data}};
is_deeply $builtin, {
    id => $builtin->{id}, entity_id => undef, type => 'SSO', name => 'work', status => 'ENABLED',
    sso => {variant => 'OIDC', allowed_domains => ['example.com', 'example.net'], issuer => $provider->issuer,
        client_id => 'identity'}}, 'the provider is listed, without its secret; C1: and without what it has not';
is $server->api(GET => "/v1/authentication-providers/$builtin->{id}")->status, 200, 'and can be had alone';
refused_is($server->api(PATCH => "/v1/authentication-providers/$builtin->{id}", {status => 'DISABLED'}), 409, INVALID_OPERATION => undef, 'it is read-only');
is authorize("provider=$builtin->{id}&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fsso")->status, 302, 'its id serves as well as its name';

unlike $server->error_log, qr{of-the-test|\Q$body->{code}\E|\Q$in->json->{access_token}\E}, 'the log has no secret, no code and no token # security 84';
$server->stop;
$provider->stop;
unlink $file;
done_testing;

# SPDX-License-Identifier: Apache-2.0
# An application signs somebody in at this server by OpenID Connect: a certified client library (npm's oauth4webapi), the pages in between as a browser without
# a script sees them, and that its token opens nothing else. The rows of rules are in t/unit/service/oidc/serve_oidc.c.
# route oidc_authorize oidc_authorize_form oidc_token oidc_userinfo oidc_userinfo_form get_openid_configuration
# run on: event asan
# needs: npm
use strict;
use warnings FATAL => 'all';
use HTTP::Request::Common ();
use LWP::UserAgent;
use Test::More;
use URI;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Node;
use IdentityTest::Server;

my $server = IdentityTest::Server->new(directives => <<'END');
IdentityOpenID On
<Location "/v1/oauth">
    IdentityCookie On
</Location>
<Location "/protected">
    AuthType Identity
    AuthName "Protected"
    IdentityCookie On
    Require valid-user
</Location>
END
my $origin = $server->origin;
my $redirect = 'http://127.0.0.1:1/cb';
my ($name, $password) = ('ada@example.com', 'Correct1horse');
my $ada = $server->api(POST => '/v1/users', {username => $name, password => $password})->json->{id};
sub client { $server->api(POST => '/v1/clients', {name => 'App', redirect_uris => [$redirect], %{$_[0] // {}}})->json }
my $browser = LWP::UserAgent->new(max_redirect => 0, requests_redirectable => []);

# ---- by the pages ----------------------------------------------------------------------------------------------------------------------------

my $app = client();
my $challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
my $ask = URI->new("$origin/v1/oidc/authorize");
$ask->query_form(client_id => $app->{id}, redirect_uri => $redirect, response_type => 'code', scope => 'openid email', state => 'st', login_hint => $name,
    code_challenge => $challenge, code_challenge_method => 'S256');
my $sent = $browser->get($ask);
is $sent->code, 303, 'OP5: nobody is signed in: to the sign-in page';
my $page = $browser->get($origin . $sent->header('Location'));
is $page->code, 200, 'OP5: which comes';
like $page->decoded_content, qr/name="username"[^>]* value="\Q$name\E"/, 'OP5: and knows whom the application means';
my ($action) = $page->decoded_content =~ /<form id="signin-form" method="post" action="([^"]+)"/;
$action =~ s/&amp;/&/g;
my $in = $browser->request(HTTP::Request::Common::POST($origin . $action, [username => $name, password => $password], Origin => $origin, Accept => 'text/html'));
is $in->code, 200, 'OP13: the form ends in a page of this host, since form-action holds for redirects, too';
like $in->header('Refresh'), qr{^0;url=/v1/oidc/authorize\?}, 'OP13: which goes on';
my ($cookie) = map { /^([^;]*identity_access=[^;]+)/ ? $1 : () } $in->header('Set-Cookie');
my $there = $browser->get($origin . ($in->header('Refresh') =~ s/^0;url=//r), Cookie => $cookie);
is $there->code, 303, 'OP6: on to the application';
my %back = URI->new($there->header('Location'))->query_form;
is_deeply [@back{qw(state iss)}], ['st', $origin], 'OP12: with state and issuer';
like $there->header('Location'), qr/^\Q$redirect\E\?/, 'OP14: at its redirect URI';
my $form = $browser->request(HTTP::Request::Common::POST("$origin/v1/oidc/authorize", [URI->new($ask)->query_form]));
is $form->code, 303, 'OP4: authorize by POST goes on by GET';
my $lost = $browser->get("$origin/v1/oidc/authorize?client_id=$app->{id}&redirect_uri=https%3A%2F%2Fevil.example%2F");
is $lost->code . $lost->content_type, '400text/html', 'OP4: another redirect URI is told on a page';
my $configuration = $server->api(GET => '/.well-known/openid-configuration', undef, 'X-API-KEY' => undef);
is $configuration->json->{issuer}, $origin, 'OP1: discovery';

# ---- by calls, whose answers are held against conf/openapi.json ------------------------------------------------------------------------------

sub form_of
{
    my $fields = URI->new('http:');
    $fields->query_form(@_);
    return $fields->query;
}
sub form { my ($path, @fields) = @_; return $server->api(POST => $path, form_of(@fields), 'X-API-KEY' => undef, 'Content-Type' => 'application/x-www-form-urlencoded') }
my $visit = $server->api(GET => $ask->path_query, undef, 'X-API-KEY' => undef, Cookie => $cookie);
is $visit->status, 303, 'OP4: authorize';
is form('/v1/oidc/authorize', $ask->query_form)->status, 303, 'OP4: authorize by POST';
is $server->api(GET => '/v1/oidc/authorize?client_id=x', undef, 'X-API-KEY' => undef)->status, 400, 'OP4: a page';
my %came = URI->new($visit->header('Location'))->query_form;
my $got = form('/v1/oidc/token', grant_type => 'authorization_code', code => $came{code}, redirect_uri => $redirect, client_id => $app->{id},
    client_secret => $app->{client_secret}, code_verifier => 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk');
answered_is $got, 200, 'OP6: token';
answered_is form('/v1/oidc/userinfo', access_token => $got->json->{access_token}), 200, 'OP9: userinfo by POST';
answered_is $server->api(GET => '/v1/oidc/userinfo', undef, 'X-API-KEY' => undef, Authorization => 'Bearer ' . $got->json->{access_token}), 200, 'OP9: userinfo';
is scalar @{$server->api(GET => '/.well-known/jwks.json', undef, 'X-API-KEY' => undef)->json->{keys}}, 2, 'OP3: both keys';

# ---- by a library ----------------------------------------------------------------------------------------------------------------------------

my %kinds = ('RS256' => client(), 'ES256' => client({id_token_signed_response_alg => 'ES256'}), 'PUBLIC' => client({type => 'PUBLIC'}));
my $token;
for my $kind (sort keys %kinds) {
    my $algorithm = $kind eq 'ES256' ? 'ES256' : 'RS256';
    my $told = node('openid.mjs', {issuer => $origin, id => $kinds{$kind}{id}, secret => $kinds{$kind}{client_secret}, redirect => $redirect, cookie => $cookie,
        algorithm => $algorithm});
    is $told->{header}{alg}, $algorithm, "oauth4webapi, $kind: discovery, code with PKCE, ID token";
    is $told->{claims}{sub}, $ada, "OP8: $kind: the user's id";
    is_deeply [@{$told->{userinfo}}{qw(sub email)}], [$ada, $name], "OP9: $kind: userinfo";
    is $told->{refreshed}{auth_time}, $told->{claims}{auth_time}, "OP11: $kind: refresh, with the first auth_time";
    is $told->{refused}, 'login_required', "OP5: $kind: max_age=0 with prompt=none";
    is $told->{twice}, 'invalid_grant', "OP6: $kind: a code is good once";
    $token = $told->{access_token};
}

# openid-client as applications have it; the person signs out while the application goes on.
sub access_cookie
{
    my $answer = $browser->request(HTTP::Request::Common::POST("$origin/v1/oauth/sign-in", [username => $name, password => $password], Origin => $origin));
    return (map { /^([^;]*identity_access=[^;]+)/ ? $1 : () } $answer->header('Set-Cookie'))[0];
}
for my $version (5, 6) {
    my $told = node('openid_client.mjs', {version => $version, issuer => $origin, id => $app->{id}, secret => $app->{client_secret}, redirect => $redirect,
        cookie => access_cookie()});
    is_deeply [@{$told->{claims}}{qw(sub aud)}], [$ada, $app->{id}], "openid-client $version: signs in";
    is_deeply [@{$told->{userinfo}}{qw(sub email preferred_username)}], [$ada, $name, $name], "openid-client $version: userinfo";
    is $told->{refreshed}{auth_time}, $told->{claims}{auth_time}, "openid-client $version: refreshes";
    is $told->{ended}, 'invalid_grant', "openid-client $version: when the person signs out, that ends";
}

# ---- a client's token opens nothing else -----------------------------------------------------------------------------------------------------

my @as_client = ('X-API-KEY' => undef, Authorization => "Bearer $token");
is $server->api(GET => $_, undef, @as_client)->status, 401, "fact 2: a client's token does not open $_" for "/v1/users/$ada", '/v1/users', '/protected/';
is $browser->get("$origin/protected/", Cookie => $cookie)->code == 401 ? 'no' : 'yes', 'yes', '(the cookie does)';

# ---- revoked means revoked -------------------------------------------------------------------------------------------------------------------

my $wiki = client({require => {permission => 'WIKI.USE'}});
$ask->query_form(client_id => $wiki->{id}, redirect_uri => $redirect, response_type => 'code', scope => 'openid', code_challenge => $challenge,
    code_challenge_method => 'S256');
my %denied = URI->new($browser->get($ask, Cookie => $cookie)->header('Location'))->query_form;
is $denied{error}, 'access_denied', 'who lacks what the client requires stays out';
my $form_token = $server->api(POST => '/v1/oidc/userinfo', undef, @as_client);
is $form_token->status, 401, 'OP6: the token of a code that came twice has ended';
answered_is $server->api(DELETE => "/v1/users/$ada/sessions"), 200, '(sessions end)';
my %ended = URI->new($browser->get($ask . '&prompt=none', Cookie => $cookie)->header('Location'))->query_form;
is $ended{error}, 'login_required', 'a session that has ended signs in nowhere';
done_testing;

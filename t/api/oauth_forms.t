# SPDX-License-Identifier: Apache-2.0
# OAuth in its standard forms over HTTP: RFC 6749, 7662, 7009, 7517, 8414.
# route obtain_token introspect_token revoke_token get_jwks get_oauth_metadata
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64);
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $password = 'Correct1Horse';
my @no_key = ('X-API-KEY' => undef);

sub form_of
{
    my (@fields) = @_;
    my @parts;
    while (my ($name, $value) = splice @fields, 0, 2) {
        push @parts, join '=', map { s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger } $name, $value;
    }
    return join '&', @parts;
}

sub form
{
    my ($call, $fields, @headers) = @_;
    return api(POST => "/v1/oauth/$call", form_of(@$fields), @no_key, 'Content-Type' => 'application/x-www-form-urlencoded', @headers);
}

sub token { form(token => @_) }
sub jwt_part { JSON::PP::decode_json(decode_base64url((split /\./, $_[0])[$_[1]])) }
sub basic { (Authorization => 'Basic ' . encode_base64("$_[0]:$_[1]", '')) }
sub bearer { (Authorization => "Bearer $_[0]") }
sub key_id { 'apik_' . substr $_[0], 4, 20 }
sub audited { my $sum = 0; $sum += $_->{times} for db("SELECT times FROM audit_records WHERE action = '$_[0]' AND target_id = '$_[1]'"); return $sum }
sub inactive_is { my ($answer, $name) = @_; is $answer->status . ' ' . $answer->text, '200 {"active":false}', $name }

# The whole answer of RFC 6749, 5.2, and its headers.
sub denied_is
{
    my ($answer, $status, $error, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = $answer->json // {};
    my @parts = ($answer->status, $got->{error} // 'none', eval { $answer->keys_of } // 'no object', map { $answer->header($_) // 'none' } qw(Content-Type Cache-Control Pragma Set-Cookie));
    is "@parts", "$status $error error error_description application/json no-store no-cache none", "$name ($status $error)" or diag $answer->text;
    like $got->{error_description} // '', qr/^[ !#-\[\]-~]+\.$/, 'said in a sentence';
    is defined $answer->header('WWW-Authenticate'), $status == 401, 'a challenge where one belongs';
}

my $key = key();
my $key_id = key_id($key);
my $ada = member('Ada');
my $sid = jwt_part($ada->{token}, 1)->{sid};

# ---- password ------------------------------------------------------------------------------------------------------------------------------

my $in = token([grant_type => 'password', username => uc $ada->{username}, password => $password]);
answered_is $in, 200, 'sign in by a form # security 45';
is $in->keys_of, 'access_token token_type expires_in refresh_token', 'the members of RFC 6749';
is_deeply [@{$in->json}{qw(token_type expires_in)}], ['Bearer', 900], 'a Bearer token of 15 minutes';
is $in->header('Pragma'), 'no-cache', 'kept by nobody # security 45';
is $in->header('Set-Cookie'), undef, 'and no cookie';
my $claims = jwt_part($in->json->{access_token}, 1);
is_deeply [@$claims{qw(sub client_id)}], [$ada->{id}, 'identity'], 'of the person';
is api(GET => "/v1/users/$ada->{id}", undef, bearer($in->json->{access_token}))->status, 200, 'which opens';
is_deeply [db("SELECT user_id, method, ended_at FROM sessions WHERE id = '$claims->{sid}'")], [{user_id => $ada->{id}, method => 'password', ended_at => 0}], 'a session is held';
is rows("SELECT 1 FROM refresh_tokens WHERE digest = '@{[digest_of($in->json->{refresh_token})]}' AND session_id = '$claims->{sid}'"), 1, 'of whose refresh token the digest';
is audited(LOGIN => $claims->{sid}), 1, 'on record # security 82';
my $curl = curl('curl -X POST ' . origin() . "/v1/oauth/token -d grant_type=password --data-urlencode username=$ada->{username} -d password=$password");
answered_is $curl, 200, 'as curl sends it';

# How often, in however many records: those of a minute are one for each account and network.
sub failed_sign_ins { my ($row) = db("SELECT COALESCE(SUM(times), 0) AS n FROM audit_records WHERE action = 'LOGIN_FAILED'"); return $row->{n} }
my $failures = failed_sign_ins();
my $wrong = token([grant_type => 'password', username => $ada->{username}, password => 'Wrong1Horse']);
denied_is $wrong, 400, 'invalid_grant', 'a wrong password';
is token([grant_type => 'password', username => address(), password => $password])->text, $wrong->text, 'an unknown name is told the same # security 15';
is failed_sign_ins() - $failures, 2, 'both on record # security 82';
denied_is token([grant_type => 'password', username => $ada->{username}]), 400, 'invalid_request', 'no password';
denied_is token([username => $ada->{username}, password => $password]), 400, 'invalid_request', 'no grant_type';
denied_is token([grant_type => 'password', username => $ada->{username}, password => $password, password => $password]), 400, 'invalid_request', 'a parameter twice # security 45';
denied_is token([grant_type => 'password', username => $ada->{username}, password => $password, scope => 'all']), 400, 'invalid_scope', 'a scope';
denied_is token([grant_type => 'authorization_code', code => 'x']), 400, 'unsupported_grant_type', 'another grant';
denied_is token([grant_type => 'x' x 70000]), 413, 'invalid_request', 'too large a form # security 74';
refused_is api(POST => '/v1/roles', 'name=Form', 'Content-Type' => 'application/x-www-form-urlencoded'), 415, 'UNSUPPORTED_MEDIA_TYPE', undef, 'a form anywhere else # security 74';
refused_is api(POST => '/v1/oauth/token', 'grant_type=password', @no_key, 'Content-Type' => 'text/plain'), 415, 'UNSUPPORTED_MEDIA_TYPE', undef, 'another type # security 74';

# ---- refresh_token -------------------------------------------------------------------------------------------------------------------------

my $renewed = token([grant_type => 'refresh_token', refresh_token => $in->json->{refresh_token}]);
answered_is $renewed, 200, 'refresh by a form';
is $renewed->keys_of, 'access_token token_type expires_in refresh_token', 'answers the same members';
is jwt_part($renewed->json->{access_token}, 1)->{sid}, $claims->{sid}, 'in the same session';
isnt $renewed->json->{refresh_token}, $in->json->{refresh_token}, 'with another refresh token # security 35';
is token([grant_type => 'refresh_token', refresh_token => $in->json->{refresh_token}])->json->{refresh_token}, $renewed->json->{refresh_token}, 'a retry gets the same # security 36';
is rows("SELECT 1 FROM refresh_tokens WHERE session_id = '$claims->{sid}' AND spent_at = 0"), 1, 'one is live # security 35';
is audited(REFRESH => $claims->{sid}), 1, 'one record # security 82';
alter_db("UPDATE refresh_tokens SET spent_at = spent_at - 11000000 WHERE session_id = '$claims->{sid}' AND spent_at > 0");
denied_is token([grant_type => 'refresh_token', refresh_token => $in->json->{refresh_token}]), 400, 'invalid_grant', 'later it is theft # security 36';
denied_is token([grant_type => 'refresh_token', refresh_token => $renewed->json->{refresh_token}]), 400, 'invalid_grant', 'the family is dead # security 36';
is api(GET => "/v1/users/$ada->{id}", undef, bearer($renewed->json->{access_token}))->status, 401, 'its access tokens too # security 36';
is audited(REFRESH_REUSED => $claims->{sid}), 1, 'on record # security 36';
denied_is token([grant_type => 'refresh_token']), 400, 'invalid_request', 'no token';
denied_is token([grant_type => 'refresh_token', refresh_token => 'x']), 400, 'invalid_grant', 'what is none';

# ---- client_credentials --------------------------------------------------------------------------------------------------------------------

my %headers = (basic => [basic($key_id, $key)], body => [], header => ['X-API-KEY' => $key], scheme => [Authorization => "ApiKey $key"]);
my $issued = audited(TOKEN_ISSUED => $key_id);
my $client;
for my $way (sort keys %headers) {
    $client = token([grant_type => 'client_credentials', $way eq 'body' ? (client_id => $key_id, client_secret => $key) : ()], @{$headers{$way}});
    answered_is $client, 200, "a key by $way";
    is $client->keys_of, 'access_token token_type expires_in', 'nothing to refresh';
}
is audited(TOKEN_ISSUED => $key_id) - $issued, 4, 'each on record # security 82';
is_deeply [@{jwt_part($client->json->{access_token}, 1)}{qw(sub client_id sid)}], [($key_id) x 3], 'the token is the key\'s';
is api(GET => '/v1/users?limit=1', undef, bearer($client->json->{access_token}))->status, 200, 'and opens what the key opens';
denied_is token([grant_type => 'client_credentials'], basic($key_id, 'x')), 401, 'invalid_client', 'a wrong secret';
is token([grant_type => 'client_credentials'], basic($key_id, 'x'))->header('WWW-Authenticate'), 'Basic realm="identity"', 'is challenged by Basic';
denied_is token([grant_type => 'client_credentials']), 401, 'invalid_client', 'nothing';
denied_is token([grant_type => 'client_credentials', client_id => $key_id, client_secret => $key], basic($key_id, $key)), 400, 'invalid_request', 'two ways at once # security 43';
denied_is token([grant_type => 'client_credentials'], basic($key_id, $key), 'X-API-KEY' => $key), 400, 'invalid_request', 'two headers at once # security 43';
my %made = make_key(role_type => 'READ_ONLY');
my $short = token([grant_type => 'client_credentials'], %made)->json->{access_token};
is api(GET => '/v1/users?limit=1', undef, bearer($short))->status, 200, 'a READ_ONLY key\'s token reads';
refused_is api(POST => '/v1/roles', {name => 'No'}, bearer($short)), 403, 'USER_NOT_ALLOWED', undef, 'and no more # security 58';
is api(PATCH => '/v1/api-keys/' . key_id($made{'X-API-KEY'}), {active => JSON::PP::false})->status, 200, 'the key is switched off';
refused_is api(GET => '/v1/users?limit=1', undef, bearer($short)), 401, 'UNAUTHORISED', undef, 'its token is dead with it # security 37';

# ---- POST /v1/oauth/introspect -----------------------------------------------------------------------------------------------------------------

my ($user) = db("SELECT entity_id, username FROM users WHERE id = '$ada->{id}'");
my $told = form(introspect => [token => $ada->{token}], 'X-API-KEY' => $key);
answered_is $told, 200, 'a key asks about a token';
my $of_ada = jwt_part($ada->{token}, 1);
is $told->keys_of, 'active token_type client_id username sub iss aud exp iat jti sid entity_id auth_time auth_method', 'what is told';
is_deeply $told->json, {active => JSON::PP::true, token_type => 'Bearer', %$of_ada, username => lc $user->{username}, auth_method => 'password', auth_time => $told->json->{auth_time}},
    'is what the token says, and B10: the canonical username';
is form(introspect => [token => $ada->{token}], @$_)->text, $told->text, 'the same to ' . join ' ', map { substr $_, 0, 20 } @$_
    for [basic($key_id, $key)], [@{$ada->{bearer}}], [read_only_key()];
inactive_is form(introspect => [token => $ada->{token}], 'X-API-KEY' => key('other')), 'not to another entity # security 47, 60';
inactive_is form(introspect => [token => $ada->{token}], @{member('plain', type => 'USER')->{bearer}}), 'nor to somebody without the permission # security 47';
inactive_is form(introspect => [token => $_], 'X-API-KEY' => $key), 'what is no live token # security 47' for 'x', $short, $renewed->json->{access_token}, $renewed->json->{refresh_token}, $key;
my $fresh = token([grant_type => 'password', username => $ada->{username}, password => $password])->json;
inactive_is form(introspect => [token => $fresh->{refresh_token}], 'X-API-KEY' => $key), 'a refresh token is none to who takes it for one that opens';
is form(introspect => [token => $fresh->{refresh_token}, token_type_hint => 'refresh_token'], 'X-API-KEY' => $key)->keys_of, 'active username sub iss exp iat sid entity_id', 'asked for as one it is told';
denied_is form(introspect => [token => $ada->{token}]), 401, 'invalid_client', 'nobody is told # security 47';
denied_is form(introspect => [token => $ada->{token}], bearer('x')), 401, 'invalid_token', 'nor with a token that is none';
denied_is form(introspect => [token => $ada->{token}], 'X-Platform-Id' => unknown_id('plat'), 'X-API-KEY' => $key), 403, 'access_denied', 'nor in an account that is not theirs';
denied_is form(introspect => [], 'X-API-KEY' => $key), 400, 'invalid_request', 'no token';
denied_is api(POST => '/v1/oauth/introspect', {token => 'x'}), 415, 'invalid_request', 'JSON';

# ---- POST /v1/oauth/revoke -------------------------------------------------------------------------------------------------------------------

sub empty_is { my ($answer, $name) = @_; is join(' ', $answer->status, length $answer->text, $answer->header('Content-Type') // 'none', $answer->header('Cache-Control')), '200 0 none no-store', $name }

my $ended = jwt_part($fresh->{access_token}, 1)->{sid};
empty_is form(revoke => [token => $fresh->{refresh_token}], 'X-API-KEY' => key('other')), 'another entity\'s key: 200 # security 46';
is api(GET => "/v1/users/$ada->{id}", undef, bearer($fresh->{access_token}))->status, 200, 'and nothing happens # security 60';
empty_is form(revoke => [token => $fresh->{refresh_token}]), 'a refresh token, by who holds it # security 46';
is api(GET => "/v1/users/$ada->{id}", undef, bearer($fresh->{access_token}))->status, 401, 'its access token is dead # security 46';
denied_is token([grant_type => 'refresh_token', refresh_token => $fresh->{refresh_token}]), 400, 'invalid_grant', 'so is it # security 46';
is_deeply [db("SELECT user_id FROM audit_records WHERE action = 'TOKEN_REVOKED' AND target_id = '$ended'")], [{user_id => $ada->{id}}], 'on record # security 82';
empty_is form(revoke => [token => $fresh->{refresh_token}]), 'again: 200 # security 46';
is audited(TOKEN_REVOKED => $ended), 1, 'is no news';
empty_is form(revoke => [token => 'x']), 'what is no token: 200 # security 46';
denied_is form(revoke => [token => $ada->{token}], basic($key_id, 'x')), 401, 'invalid_client', 'with a wrong credential # security 46';
denied_is form(revoke => []), 400, 'invalid_request', 'no token';
denied_is form(revoke => [token => $client->json->{access_token}], 'X-API-KEY' => $key), 400, 'unsupported_token_type', 'a key\'s token';
empty_is form(revoke => [token => $ada->{token}], basic($key_id, $key)), 'an access token, by a client # security 46';
is rows("SELECT 1 FROM sessions WHERE id = '$sid' AND ended_at > 0"), 1, 'ends its session # security 46';

# ---- GET /.well-known/... ------------------------------------------------------------------------------------------------------------------------

for my $document (['jwks.json' => 'keys'], ['oauth-authorization-server' => 'issuer token_endpoint jwks_uri introspection_endpoint revocation_endpoint '
    . 'grant_types_supported response_types_supported token_endpoint_auth_methods_supported introspection_endpoint_auth_methods_supported revocation_endpoint_auth_methods_supported']) {
    my ($name, $members) = @$document;
    my $answer = api(GET => "/.well-known/$name", undef, @no_key);
    is join(' ', $answer->status, map { $answer->header($_) } qw(Content-Type Cache-Control X-Content-Type-Options)), '200 application/json public, max-age=300 nosniff', $name;
    like $answer->header('X-REQUEST-ID'), qr/^reqr_/, 'has a request id';
    is $answer->keys_of, $members, 'its members';
    is api(HEAD => "/.well-known/$name", undef, @no_key)->status, 200, 'HEAD';
    refused_is api(POST => "/.well-known/$name", {}, @no_key), 405, 'INVALID_OPERATION', undef, 'POST';
    refused_is api(GET => "/.well-known/$name", undef, 'X-API-KEY' => 'a', Authorization => 'Bearer b'), 400, 'BAD_REQUEST', undef, 'two credentials # security 43';
}
my $metadata = api(GET => '/.well-known/oauth-authorization-server', undef, @no_key)->json;
is $metadata->{issuer}, origin(), 'the issuer # security 50';
is $metadata->{issuer}, $claims->{iss}, 'is that of the tokens # security 50';
is_deeply $metadata->{grant_types_supported}, [qw(password refresh_token client_credentials)], 'the grants # security 50';
for my $name (grep { /_endpoint$/ } sort keys %$metadata) {
    like $metadata->{$name}, qr{^\Q@{[origin()]}\E/v1/oauth/\w+$}, "$name is here";
    my $answer = api(POST => $metadata->{$name} =~ s/^\Q@{[origin()]}\E//r, 'x=y', @no_key, 'Content-Type' => 'application/x-www-form-urlencoded');
    denied_is $answer, 400, 'invalid_request', "$name answers # security 50";
}
my $jwks = api(GET => $metadata->{jwks_uri} =~ s/^\Q@{[origin()]}\E//r, undef, @no_key)->json;
is_deeply [map { $_->{kid} } @{$jwks->{keys}}], [jwt_part($ada->{token}, 0)->{kid}], 'the key that signs is published # security 49';
is join(' ', sort keys %{$jwks->{keys}[0]}), 'alg crv kid kty use x y', 'its public part alone';

my $off = IdentityTest::Server->new(directives => "IdentityPasswordGrant Off\n");
is_deeply $off->api(GET => '/.well-known/oauth-authorization-server')->json->{grant_types_supported}, [qw(refresh_token client_credentials)], 'IdentityPasswordGrant Off shows # security 50';
denied_is $off->api(POST => '/v1/oauth/token', "grant_type=password&username=a\@example.com&password=$password", @no_key, 'Content-Type' => 'application/x-www-form-urlencoded'),
    400, 'unsupported_grant_type', 'and holds # security 50';
$off->stop;

done_testing;

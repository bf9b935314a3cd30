# SPDX-License-Identifier: Apache-2.0
# CORS: pages of the origins that are named may use the API, whatever it answers; others are told nothing.
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my ($app, $admin, $inner) = ('https://app.example.org', 'http://admin.example.org:8080', 'https://inner.example.org');
my @public = ('X-API-KEY' => undef);
my $headers = 'Content-Type, Authorization, X-API-KEY, X-Platform-Id, X-Client-Version, Idempotency-Key, Api-Version, If-Match, If-None-Match, resource_id';
my $exposed = 'X-Request-Id, Link, ETag, Retry-After, Idempotent-Replayed, Idempotency-Retryable';

my $server = IdentityTest::Server->new(directives => <<"END_OF_DIRECTIVES");
IdentityCORSOrigin HTTPS://App.Example.org:443 $admin
<Location /v1/roles>
    IdentityCORSOrigin $inner
</Location>
<Location /v1/teams>
    IdentityCORSOrigin None
</Location>
<Location /v1/api-keys>
    Require all denied
</Location>
END_OF_DIRECTIVES

# Everything that an answer says about origins.
sub said
{
    my ($answer) = @_;
    my %all = %{$answer->headers};
    return {map { $_ => $all{$_} } grep { /^access-control-|^vary$/ } keys %all};
}

sub granted { return {'access-control-allow-origin' => $_[0], 'access-control-allow-credentials' => 'true', 'access-control-expose-headers' => $exposed, vary => 'Origin'} }

sub preflight
{
    my ($path, $origin, $method) = @_;
    return $server->api(OPTIONS => $path, undef, @public, Origin => $origin, 'Access-Control-Request-Method' => $method // 'GET',
        'Access-Control-Request-Headers' => 'x-api-key,content-type');
}

# ---- preflights ------------------------------------------------------------------------------------------------------------------------------

for (['/v1/users', $app, 'GET, HEAD, POST, OPTIONS'], ['/v1/users/' . unknown_id('user'), $admin, 'GET, HEAD, PATCH, DELETE, OPTIONS'], ['/v1/oauth/token', $app, 'POST, OPTIONS']) {
    my ($path, $origin, $methods) = @$_;
    my $answer = preflight($path, $origin, 'POST');
    is $answer->status, 204, "preflight of $path from $origin";
    is $answer->text, '', 'without a body';
    is_deeply said($answer), {%{granted($origin)}, 'access-control-allow-methods' => $methods, 'access-control-allow-headers' => $headers, 'access-control-max-age' => 3600},
        'B7: with all that a browser asks for, resource_id and Api-Version too';
    is $answer->header('Allow'), $methods, 'and Allow';
}
my @strangers = ('https://other.example.org', 'http://app.example.org', 'https://app.example.org:8443', 'https://app.example.org.evil.example', 'https://APP.example.org',
    'https://app.example.org/', "$app, $admin", 'null', '*', 'app.example.org', $inner);
for my $origin (@strangers) {
    my $answer = preflight('/v1/users', $origin);
    is_deeply [$answer->status, said($answer)], [204, {vary => 'Origin'}], "an origin that is not named is granted nothing: $origin # security 79";
}
my $answer = $server->api(OPTIONS => '/v1/users', undef, @public, Origin => $app);
is_deeply [$answer->status, said($answer)], [204, granted($app)], 'OPTIONS without Access-Control-Request-Method is no preflight';
$answer = preflight('/v1/nothing', $app);
refused_is $answer, 404, 'RESOURCE_NOT_FOUND', undef, 'a preflight of an unknown path';
is_deeply said($answer), granted($app), 'is told to the page';
$answer = preflight('/v2/users', $app);
refused_is $answer, 404, 'UNSUPPORTED_VERSION', undef, 'of another version';

# ---- answers ---------------------------------------------------------------------------------------------------------------------------------

my @cases = (
    ['a list' => 200, GET => '/v1/users'], ['HEAD' => 200, HEAD => '/v1/users'], ['no credential' => 401, GET => '/v1/users', undef, @public], ['no path' => 404, GET => '/v1/nothing'],
    ['no method' => 405, DELETE => '/v1/users'], ['no JSON' => 400, POST => '/v1/users', '{'], ['too large' => 413, POST => '/v1/users', 'x' x 70_000],
    ['what httpd refuses' => 403, GET => '/v1/api-keys'], ['a path that httpd cannot read' => 404, GET => '/v1/users%2Fx'], ['a page' => 200, GET => '/v1/oauth/activate-user', undef, @public]);
for (@cases) {
    my ($name, $status, $method, $path, $body, @more) = @$_;
    for my $origin ($app, $strangers[0], undef) {
        $answer = $server->api($method => $path, $body, @more, Origin => $origin);
        is_deeply [$answer->status, said($answer)], [$status, $origin && $origin eq $app ? granted($app) : {vary => 'Origin'}], "$name, from " . ($origin // 'no origin');
    }
}
my $chunk = $server->raw(join "\r\n", 'POST /v1/users HTTP/1.1', 'Host: x', 'X-API-KEY: ' . $server->key, "Origin: $app", 'Content-Type: application/json',
    'Transfer-Encoding: chunked', 'Connection: close', '', 'zz', '{}', '0', '', '');
like $chunk, qr{^HTTP/1.1 400 }, 'what a filter of httpd refuses';
is scalar(() = $chunk =~ /^Access-Control-Allow-Origin: \Q$app\E\r$/mg), 1, 'carries it, once';

my $user = $server->api(POST => '/v1/users', {username => $server->address('cors'), password => 'Correct1Horse'}, Origin => $app)->json;
my $got = $server->api(GET => "/v1/users/$user->{id}", undef, Origin => $app);
$answer = $server->api(GET => "/v1/users/$user->{id}", undef, Origin => $app, 'If-None-Match' => $got->header('ETag'));
is_deeply [$answer->status, said($answer)], [304, granted($app)], '304 carries it';
like $answer->header('X-REQUEST-ID') // 'none', qr/^reqr_/, 'and the id of the request';
like $answer->header('Cache-Control') // 'none', qr/^no-store$/, 'and is not to be kept';

# ---- places ------------------------------------------------------------------------------------------------------------------------------------

$answer = $server->api(GET => '/v1/roles', undef, Origin => $inner);
is_deeply said($answer), granted($inner), 'a location has its own list';
$answer = $server->api(GET => '/v1/roles', undef, Origin => $app);
is_deeply said($answer), {vary => 'Origin'}, 'in place of the outer one';
$answer = $server->api(GET => '/v1/teams', undef, Origin => $app);
is_deeply said($answer), {}, 'None empties it';
$answer = $server->api(GET => '/index.html', undef, Origin => $app);
is_deeply [$answer->status, said($answer)], [200, {}], 'what is not ours is left alone';
$server->stop;

# ---- configtest ----------------------------------------------------------------------------------------------------------------------------------

my $origin = qr/IdentityCORSOrigin needs http or https, a host and optionally a port, such as .*, and nothing else\./;
my $each = qr/IdentityCORSOrigin takes individual origins/;
for (
    ['https://app.example.org/app' => $origin], ['app.example.org' => $origin], ['//app.example.org' => $origin], ['ftp://app.example.org' => $origin],
    ['https://user@app.example.org' => $origin], ['https://app.example.org?x' => $origin], ['https://' => $origin], ['https://app.example.org:x' => $origin],
    ['"https://app.example.org, https://b.example.org"' => $origin], ['null' => $each], ['*' => $each], ['https://*.example.org' => $each], ["$app *" => $each],
    ['' => qr/IdentityCORSOrigin requires at least one argument/]) {
    my ($value, $sentence) = @$_;
    my ($status, $text) = IdentityTest::Server->new(start => 0, state => $server->state_folder, directives => "IdentityCORSOrigin $value\n")->check;
    ok $status != 0, "refused: $value" or diag $text;
    like $text, $sentence, 'with a sentence';
}
for ('<Directory />', '<Files x>', '<If "true">') {
    my ($end) = /(\w+)/;
    my ($status, $text) = IdentityTest::Server->new(start => 0, state => $server->state_folder, directives => "$_\nIdentityCORSOrigin $app\n</$end>\n")->check;
    ok $status != 0, "refused in $_" or diag $text;
}

done_testing;

# SPDX-License-Identifier: Apache-2.0
# Which URLs are the API's, and that nothing else in httpd can take them: files, suffixes, aliases, proxies, handlers.
use strict;
use warnings FATAL => 'all';
use File::Path 'make_path';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $top = $ENV{IDENTITY_TOP};
my $site = "$top/t/servers/claim.$$";
make_path("$site/v1/users", "$site/v1/roles", "$site/v1x", "$site/docs", "$site/.well-known");

sub put { my ($path, $text) = @_; open my $out, '>', "$site/$path" or die "$path: $!"; print {$out} $text; close $out or die $! }
put($_, 'a file') for 'v1/users/index.html', 'v1/roles/index.html', 'v1/users/secret.txt', 'v1/users/run.cgi', 'v1x/page.html', 'docs/page.html',
    'index.html', '.well-known/security.txt';
put('v1/users/.htaccess', "Require all denied\n");
put('docs/.htaccess', "RewriteEngine On\nRewriteRule ^users\$ /v1/users [PT]\nRewriteRule ^page-of-users\$ /v1/users?limit=1 [R=302]\n");

my $server = IdentityTest::Server->new(front => 1, modules => [qw(rewrite proxy proxy_http cgi negotiation)], directives => <<"END_OF_DIRECTIVES");
DocumentRoot "$site"
<Directory "$site">
    Options +MultiViews
    AllowOverride All
    Require all granted
</Directory>
<Directory "$site/v1">
    Require all denied
</Directory>
DirectoryIndex index.html
FallbackResource /index.html
AddHandler cgi-script .cgi
Alias /v1/roles/alias "$site/docs"
ProxyPass /v1/users/proxied http://127.0.0.1:1/
ProxyPass /v1/users/mapped http://127.0.0.1:1/ mapping=encoded
RewriteEngine On
RewriteRule ^/v1/users/rewritten\$ /index.html
RewriteRule ^/v1/users/gone\$ - [G]
<Location /v1/users/handler>
    SetHandler cgi-script
</Location>
<Location /v2/off>
    IdentityEngine Off
</Location>
END_OF_DIRECTIVES
my @no_key = ('X-API-KEY' => undef);

is $server->api(GET => '/v1/users?limit=1')->status, 200, 'a folder of the name, denied by <Directory> and .htaccess';
refused_is($server->api(GET => "/v1/users/$_"), 404, USER_NOT_FOUND => undef, "/v1/users/$_")
    for qw(index.html secret.txt run.cgi x.cgi proxied mapped rewritten gone handler user_00000000000000000000.html);
refused_is($server->api(GET => '/v1/roles/alias/page.html'), 404, RESOURCE_NOT_FOUND => undef, 'below an Alias');
refused_is($server->api(GET => '/v1/users/'), 404, RESOURCE_NOT_FOUND => undef, 'no DirectoryIndex, no redirect');
refused_is($server->api(GET => '/v1'), 404, RESOURCE_NOT_FOUND => undef, '/v1 itself');

refused_is($server->api(GET => $_), 404, UNSUPPORTED_VERSION => undef, $_) for '/v2/users', '/v10/', '/vx/users', '/v2';
is $server->api(GET => "/.well-known/$_")->status, 200, "/.well-known/$_" for qw(jwks.json oauth-authorization-server);

# ---- other URLs are none of ours ------------------------------------------------------------------------------------------------------------

for my $path ('/', '/v1x/page.html', '/docs/page.html', '/.well-known/security.txt', '/v2/off/x') {
    my $answer = $server->api(GET => $path);
    is $answer->status . ' ' . $answer->text, '200 a file', $path;
    is $answer->header('X-REQUEST-ID'), undef, "$path has no request id";
}
is $server->api(GET => $_)->text, 'a file', "$_ is not claimed" for '/vendor/x', '/video', '/v', '/V1/users', '/.well-known/jwks.jsonx', '/x/v1/users';

# ---- spellings ------------------------------------------------------------------------------------------------------------------------------

is $server->api(GET => $_)->status, 200, "$_ is /v1/users" for '/%76%31/users', '//v1//users', '/v1/./users', '/x/../v1/users', '/v1/roles/../users', '/v1/%75sers';
refused_is($server->api(GET => '/v1/users%2Fsearch'), 404, RESOURCE_NOT_FOUND => undef, '%2F, which httpd refuses');
refused_is($server->api(GET => '/v1/a%00b'), 404, RESOURCE_NOT_FOUND => undef, '%00, which httpd refuses');
like $server->raw("GET http://elsewhere.example/v1/users HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n"), qr{^HTTP/1.1 401 .*UNAUTHORISED}s,
    'a whole URL in the request line';

# ---- an internal redirect to us is a request to us ------------------------------------------------------------------------------------------

refused_is($server->api(GET => '/docs/users', undef, @no_key), 401, UNAUTHORISED => undef, 'rewritten to us, without a credential');
my $rewritten = $server->api(GET => '/docs/users');
answered_is($rewritten, 200, 'rewritten to us, with one');
shape_is($rewritten, 'page of user', 'the page');

# ---- methods --------------------------------------------------------------------------------------------------------------------------------

my $get = $server->api(GET => '/v1/roles?limit=2');
my $head = $server->api(HEAD => '/v1/roles?limit=2');
is $head->status . $head->text, '200', 'HEAD has no body';
is $head->header($_), $get->header($_), "HEAD has GET's $_" for qw(Content-Length Content-Type Cache-Control);
my $part = $server->api(GET => '/v1/roles?limit=2', undef, Range => 'bytes=0-4');
is $part->status, 200, 'there are no parts of an answer';
is $part->text, $get->text, 'but the whole';
is $part->header('Accept-Ranges'), undef, 'and none are offered';
my $options = $server->api(OPTIONS => '/v1/users', undef, @no_key);
is $options->status, 204, 'OPTIONS';
is join(' ', sort split /, */, $options->header('Allow')), 'GET HEAD OPTIONS POST', 'tells the methods of the route';
for my $method (qw(TRACE PUT FOO get)) {
    my $answer = $server->api($method => '/v1/users');
    refused_is($answer, 405, INVALID_OPERATION => undef, $method);
    is $answer->header('Allow'), $options->header('Allow'), "$method: Allow without TRACE";
}
is $server->api(OPTIONS => '/v1/nothing')->status, 404, 'OPTIONS of nothing';

done_testing;

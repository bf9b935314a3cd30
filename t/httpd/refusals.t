# SPDX-License-Identifier: Apache-2.0
# What httpd refuses by itself inside our locations leaves as our JSON with a request id, whatever ErrorDocument says; elsewhere httpd is left alone.
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $server = IdentityTest::Server->new(front => 1, modules => [qw(allowmethods rewrite)], directives => <<'END_OF_DIRECTIVES');
ErrorDocument 400 "a text"
ErrorDocument 401 /index.html
ErrorDocument 403 /index.html
ErrorDocument 404 http://elsewhere.example/
ErrorDocument 405 "a text"
ErrorDocument 413 /v1/roles
<Location /v1/roles/denied>
    Require all denied
</Location>
<Location /v1/roles/valid>
    Require valid-user
</Location>
<Location /v1/roles/get>
    AllowMethods GET
</Location>
<Location /v1/roles/small>
    LimitRequestBody 10
</Location>
<Location /v1/roles/rewrite>
    RewriteEngine On
    RewriteRule gone$ - [G]
    RewriteRule conflict$ - [R=409]
    RewriteRule fault$ - [R=500]
    RewriteRule full$ - [R=507]
    RewriteRule moved$ /elsewhere [R=301]
    ErrorDocument 410 /index.html
</Location>
<Location /denied>
    Require all denied
    ErrorDocument 403 "a text"
</Location>
END_OF_DIRECTIVES
my @no_key = ('X-API-KEY' => undef);

refused_is($server->api(GET => '/v1/roles/denied'), 403, USER_NOT_ALLOWED => undef, 'Require all denied');
refused_is($server->api(GET => '/v1/roles/valid', undef, @no_key), 401, UNAUTHORISED => undef, 'Require valid-user');
refused_is($server->api(GET => '/v1/roles%2Fx'), 404, RESOURCE_NOT_FOUND => undef, 'an encoded slash');
my $method = $server->api(DELETE => '/v1/roles/get');
refused_is($method, 405, INVALID_OPERATION => undef, 'AllowMethods');
ok $method->header('Allow'), 'with Allow';
refused_is($server->api(POST => '/v1/roles/small', {name => 'much more than that'}), 413, BAD_REQUEST => undef, 'LimitRequestBody, found when what nobody read is thrown away');
refused_is($server->api(GET => '/v1/roles/rewrite/gone'), 410, RESOURCE_NOT_FOUND => undef, '410');
refused_is($server->api(GET => '/v1/roles/rewrite/conflict'), 409, INVALID_OPERATION => undef, '409');
refused_is($server->api(GET => '/v1/roles/rewrite/fault'), 500, INTERNAL_ERROR => undef, '500');
refused_is($server->api(GET => '/v1/roles/rewrite/full'), 507, INTERNAL_ERROR => undef, '507');
my $moved = $server->api(GET => '/v1/roles/rewrite/moved');
is $moved->status . ' ' . $moved->header('Location'), '301 ' . $server->origin . '/elsewhere', 'a redirect is no error';

my $head = $server->api(HEAD => '/v1/roles/denied');
is $head->status . $head->text, '403', 'HEAD';
is $head->header('Content-Type'), 'application/json', 'HEAD: of the same type';
is $head->header('Content-Length'), length $server->api(GET => '/v1/roles/denied')->text, 'HEAD: and length';
my $part = $server->api(GET => '/v1/roles/denied', undef, Range => 'bytes=0-4');
is $part->status, 403, 'no part of it';
is $part->code, 'USER_NOT_ALLOWED', 'but the whole';
my $raw = $server->raw("GET /v1/roles/denied HTTP/1.0\r\n\r\n");
like $raw, qr{^HTTP/1\.1 403 .*\r\nContent-Type: application/json\r\n.*\r?\n?\{"type":"INVALID_REQUEST",[^\r]*\}\z}s, 'HTTP/1.0';

is $server->api(GET => '/denied')->text, 'a text', 'elsewhere ErrorDocument stands';
my $missing = $server->api(GET => '/nothing-here');
is $missing->status, 302, 'also one of another server';
is $missing->header('X-REQUEST-ID'), undef, 'without a request id';

done_testing;

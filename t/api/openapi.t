# The description of the interface as a real httpd serves it. What it says is held against the tables by t/unit/openapi.c, and against every answer by each run.
# route get_openapi
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my @no_key = ('X-API-KEY' => undef);
my $path = '/v1/openapi.json';

open my $in, '<:raw', "$ENV{IDENTITY_TOP}/conf/openapi.json" or die $!;
my $text = do { local $/; <$in> };

my $answer = api(GET => $path, undef, @no_key);
answered_is $answer, 200, 'without a credential';
ok $answer->text eq $text, 'conf/openapi.json, byte for byte';
is $answer->header('Content-Length'), length $text, 'its length';
is $answer->json->{openapi}, '3.1.0', 'OpenAPI 3.1';
is $answer->json->{paths}{'/v1/openapi.json'}{get}{operationId}, 'get_openapi', 'which describes itself too';

my $head = api(HEAD => $path, undef, @no_key);
is join(' ', $head->status, $head->header('Content-Type'), $head->header('Content-Length'), length $head->text), '200 application/json ' . length($text) . ' 0', 'HEAD';
is api(GET => "$path?format=json", undef, @no_key)->status, 200, 'parameters that nobody knows are ignored';
refused_is api(GET => "$path?a=%zz", undef, @no_key), 400, 'INVALID_FIELD', 'a', 'a parameter that is none';
is api(GET => $path, undef, 'X-API-KEY' => 'idk_false')->status, 200, 'a credential is not looked at';
for my $method (qw(POST PATCH DELETE PUT)) {
    my $refused = api($method => $path, {});
    refused_is $refused, 405, 'INVALID_OPERATION', undef, $method;
    is $refused->header('Allow'), 'GET, HEAD, OPTIONS', 'with Allow';
}
refused_is api(GET => "$path/"), 404, 'RESOURCE_NOT_FOUND', undef, 'a slash at the end is another path';
done_testing;

# SPDX-License-Identifier: Apache-2.0
# The description of the interface as a real httpd serves it. What it says is held against the tables by t/unit/service/openapi.c, and against every answer by each run.
# route get_openapi get_reference
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

# ---- the same for people --------------------------------------------------------------------------------------------------------------------

my $page = api(GET => '/v1/reference', undef, @no_key);
is $page->status, 200, 'the reference, without a credential';
is $page->header('Content-Type'), 'text/html; charset=utf-8', 'is a page';
like $page->header('Content-Security-Policy'), qr/^default-src 'none'; style-src 'sha256-[^']{44}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/, 'of its own style alone';
my $html = $page->text;
my $paths = $answer->json->{paths};
my @operations = map { my $of = $paths->{$_}; map { [$_ => $of->{$_}] } keys %$of } keys %$paths;
cmp_ok scalar @operations, '>=', 80, 'operations are compared';
is_deeply [grep { $html !~ /<section id="\Q$_\E">/ } map { $_->[1]{operationId} } @operations], [], 'it has every operation';
is_deeply [grep { index($html, "<code>$_</code>") < 0 } map { $_->[1]{'x-identity-permission'} // () } @operations], [], 'and every permission that one needs';
is_deeply [grep { $html !~ /<section id="schema-\Q$_\E">/ } keys %{$answer->json->{components}{schemas}}], [], 'and every type';
unlike $html, qr/<script|https?:\/\//, 'no script, and nothing from elsewhere';
for my $method (qw(POST PATCH DELETE PUT)) {
    my $refused = api($method => '/v1/reference', {});
    refused_is $refused, 405, 'INVALID_OPERATION', undef, "$method of the reference";
    is $refused->header('Allow'), 'GET, HEAD, OPTIONS', 'with Allow';
}

# ---- conditional requests --------------------------------------------------------------------------------------------------------------------

my %tag = map { $_->[0] => $_->[1]->header('ETag') } [$path => $answer], ['/v1/reference' => $page];
isnt $tag{$path}, $tag{'/v1/reference'}, 'each has a tag of its own';
for my $there (sort keys %tag) {
    like $tag{$there}, qr/^"[0-9a-f]{32}"$/, "$there has a strong ETag";
    my $same = api(GET => $there, undef, @no_key, 'If-None-Match' => $tag{$there});
    is join(' ', $same->status, length $same->text, $same->header('ETag')), "304 0 $tag{$there}", 'If-None-Match: it still is that';
    is api(GET => $there, undef, @no_key, 'If-None-Match' => '"0"')->status, 200, 'If-None-Match of another';
    refused_is api(GET => $there, undef, @no_key, 'If-Match' => '"0"'), 412, 'INVALID_OPERATION', undef, 'If-Match of another';
    my $head = api(HEAD => $there, undef, @no_key);
    is join(' ', $head->status, length $head->text, $head->header('ETag')), "200 0 $tag{$there}", 'HEAD has the tag, too';
    cmp_ok $head->header('Content-Length'), '>', 100_000, 'and the length';
    is api(HEAD => $there, undef, @no_key, 'If-None-Match' => $tag{$there})->status, 304, 'HEAD with If-None-Match';
}
done_testing;

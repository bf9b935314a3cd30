#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: the description of the interface is none, or says so little that every answer keeps it, or the check of the answers (t/answers) passes whatever
# it is given. That it says what routes.def and the bodies say is t/unit/service/openapi.c's to test.
use strict;
use warnings FATAL => 'all';
use File::Temp 'tempdir';
use JSON::PP;
use lib 't/lib';
use IdentityGuard;

my $json = JSON::PP->new->utf8->canonical;
my $text = slurp('conf/openapi.json');
my $folder = tempdir('identity-openapi.XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub write_file
{
    my ($path, $content) = @_;
    open my $out, '>', $path or die "$path: $!\n";
    print {$out} $content;
    close $out or die "$path: $!\n";
}

# ---- the document --------------------------------------------------------------------------------------------------------------------------

# Each breaks it in another way: what has to be complained of, and the changes ([STEP, ..., VALUE], "-" takes away).
my @list = ('paths', '/v1/users', 'get');
my @user = ('components', 'schemas', 'User');
my %broken = (
    'no title' => [qr/title/, [qw(info title -)]],
    'an operation with a member that is none' => [qr/parameter/, [@list, parameter => []]],
    'an operation without answers' => [qr/responses/, [@list, responses => {}]],
    'a status that is none' => [qr/2000/, [@list, responses => '2000', {description => 'x'}]],
    'an answer without a description' => [qr/description/, [qw(components responses BadRequest description -)]],
    'a reference that leads nowhere' => [qr/leads nowhere/, [@user, qw(properties id $ref), '#/components/schemas/UserIds']],
    'a schema that nothing uses' => [qr/nothing refers/, [qw(components schemas Other), {type => 'string'}]],
    'a type that is none' => [qr/bool/, [@user, qw(properties active type bool)]],
    'a keyword that is none' => [qr/requierd/, [@user, qw(required -)], [@user, requierd => ['id']]],
    'a required member that is none' => [qr/name is required/, [@user, required => ['id', 'name']]],
    'a path without its parameter' => [qr/parameters of the path/, ['paths', '/v1/users/{user}', 'get', 'parameters', []]],
    'a path parameter that may be absent' => [qr/required/, [qw(components parameters PathUserId required -)]],
    'an id twice' => [qr/get_user is the operationId/, [@list, operationId => 'get_user']],
    'a security scheme that is none' => [qr/cookie/, [@list, security => [{cookie => []}]]],
    'a pattern that is none' => [qr/UserId/, [qw(components schemas UserId pattern), '^user_(']],
);
write_file("$folder/cases", $json->encode({'as it is' => [], map { my ($what, @changes) = @{$broken{$_}}; $_ => \@changes } keys %broken}));
my $complaints = $json->decode(scalar `t/answers/document.py --cases conf/openapi.json < '$folder/cases'` || '{}');
verdict('conf/openapi.json is an OpenAPI 3.1 document', @{$complaints->{'as it is'} // ['document.py failed']});
sub noticed { my ($case) = @_; return grep { /$broken{$case}[0]/ } @{$complaints->{$case} // []} }
verdict('document.py notices ' . keys(%broken) . ' broken documents', grep { !noticed($_) } sort keys %broken);

my $document = $json->decode($text);
verdict('C4: every operation has a description', map { my $path = $_; map { "$_ $path" } grep { !$document->{paths}{$path}{$_}{description} } keys %{$document->{paths}{$path}} }
    sort keys %{$document->{paths}});

# An answer is only as well checked as its schema is strict.
my @loose;

sub strict
{
    my ($where, $schema, $part) = @_;
    return if ref $schema ne 'HASH' || $where =~ m{openapi\.json};
    my $members = $schema->{properties} // {};
    # A part of a schema (of allOf, then, else) only adds to what the rest says.
    if (!$part && %$members) {
        push @loose, "$where is open" unless exists $schema->{additionalProperties};
        for my $name (keys %$members) {
            push @loose, "$where/$name may be anything" unless grep { exists $members->{$name}{$_} } qw(type enum const $ref oneOf);
        }
    }
    strict("$where/$_", $members->{$_}, $part) for keys %$members;
    strict("$where/$_", $schema->{$_}) for 'items', 'additionalProperties';
    strict("$where/$_", $schema->{$_}, 1) for 'if', 'then', 'else';
    strict("$where/allOf", $_, 1) for @{$schema->{allOf} // []};
    strict("$where/oneOf", $_) for @{$schema->{oneOf} // []};
}

for my $path (keys %{$document->{paths}}) {
    for my $method (keys %{$document->{paths}{$path}}) {
        my $responses = $document->{paths}{$path}{$method}{responses};
        for my $status (keys %$responses) {
            my ($where, $response) = ("$method $path $status", $responses->{$status});
            $response = $document->{components}{responses}{$response->{'$ref'} =~ s{.*/}{}r} if $response->{'$ref'};
            push @loose, "$where: X-REQUEST-ID is on every answer" unless $response->{headers}{'X-REQUEST-ID'};
            strict($where, $_->{schema}) for values %{$response->{content} // {}};
        }
    }
}
# Request bodies, by their names, are left out: what is not known there is no fault.
strict($_, $document->{components}{schemas}{$_}) for grep { !/Write$|^RoleReference$/ } keys %{$document->{components}{schemas}};
verdict('every schema of an answer is closed and says what its members are', @loose);

my ($list) = slurp('src/core/problem.c') =~ /kinds\[\] = \{(.*?)\n\};/s;
my %codes = map { $_ => 1 } @{$document->{components}{schemas}{ErrorCode}{enum}};
my @given = $list =~ /\{\d+, "([A-Z_]+)"/g;
verdict(scalar(keys %codes) . ' codes, the published ones', keys %codes == 35 ? () : 'there are 35', @given > 10 ? () : 'problem.c was not read',
    map { $codes{$_} ? () : "$_ of problem.c is not among them" } @given);

# ---- the check of the answers --------------------------------------------------------------------------------------------------------------

my $id = '0123456789abcdefghij';
my %headers = ('x-request-id' => ["reqr_$id"], 'cache-control' => ['no-store'], etag => ['"1"']);
my $user = qq({"object_type":"USER","id":"user_$id","entity_id":"enti_$id","created_at":"2024-01-15T09:30:00Z","status":"ACTIVE","username":"ada\@example.org",)
    . '"password":null,"invite_expired":null,"active":true,"account_memberships":[],"team_memberships":[]}';
my $error = '{"type":"INVALID_REQUEST","code":"INVALID_FIELD","message":"No.","field":"limit","fields":{"limit":"No."}}';
my $missing = '{"type":"INVALID_REQUEST","code":"RESOURCE_NOT_FOUND","message":"No.","fields":{}}';

sub answer
{
    my ($method, $target, $status, $body, %more) = @_;
    return {method => $method, target => $target, status => $status, type => 'application/json', headers => \%headers, body => $body, %more};
}

my %right = (
    'a user' => answer(GET => "/v1/users/user_$id", 200, $user),
    'a user by HEAD' => answer(HEAD => "/v1/users/user_$id", 200, ''),
    'a refusal' => answer(GET => '/v1/users?limit=0', 400, $error),
    'a path of nothing' => answer(GET => '/v1/nothing', 404, $missing),
    'no such user' => answer(GET => '/v1/users/x', 404, $missing =~ s/RESOURCE/USER/r),
    'signed out' => answer(POST => '/v1/oauth/logout', 200, '', type => undef,
        headers => {%headers, 'set-cookie' => ['identity_refresh=; Path=/v1/oauth; Max-Age=0; HttpOnly; Secure; SameSite=Strict']}),
    'OPTIONS' => answer(OPTIONS => '/v1/users', 204, '', type => undef, headers => {%headers, allow => ['GET, HEAD, POST, OPTIONS']}),
    'what another directive refused' => answer(DELETE => '/v1/users', 410, $missing, front => JSON::PP::true),
    'what was led elsewhere' => answer(GET => '/v1/users', 301, '', type => 'text/html', headers => {}, front => JSON::PP::true),
);
my %wrong = (
    'a member lacks' => answer(GET => "/v1/users/user_$id", 200, $user =~ s/"password":null,//r),
    'a member too many' => answer(GET => "/v1/users/user_$id", 200, $user =~ s/}$/,"more":1}/r),
    'another order' => answer(GET => "/v1/users/user_$id", 200, $user =~ s/("password":null),("invite_expired":null)/$2,$1/r),
    'a member twice' => answer(GET => "/v1/users/user_$id", 200, $user =~ s/("active":true)/$1,$1/r),
    'a password' => answer(GET => "/v1/users/user_$id", 200, $user =~ s/"password":null/"password":"x"/r),
    'a status that is none' => answer(GET => "/v1/users/user_$id", 200, $user =~ s/"ACTIVE"/"GONE"/r),
    'a time with fractions' => answer(GET => "/v1/users/user_$id", 200, $user =~ s/00Z/00.5Z/r),
    'an id of another kind' => answer(GET => "/v1/users/user_$id", 200, $user =~ s/enti_/plat_/r),
    'text for a boolean' => answer(GET => "/v1/users/user_$id", 200, $user =~ s/"active":true/"active":"true"/r),
    'no JSON' => answer(GET => "/v1/users/user_$id", 200, substr $user, 1),
    'inside of a list' => answer(GET => '/v1/users/search', 200, "[$user," . ($user =~ s/"active":true/"active":null/r) . ']'),
    'an object for a list' => answer(GET => '/v1/users/search', 200, $user),
    'no ETag' => answer(GET => "/v1/users/user_$id", 200, $user, headers => {map { $_ => $headers{$_} } grep { $_ ne 'etag' } keys %headers}),
    'a weak ETag' => answer(GET => "/v1/users/user_$id", 200, $user, headers => {%headers, etag => ['W/"1"']}),
    'no request id' => answer(GET => '/v1/users?limit=0', 400, $error, headers => {'cache-control' => ['no-store']}),
    'kept by caches' => answer(GET => "/v1/users/user_$id", 200, $user, headers => {%headers, 'cache-control' => ['max-age=60']}),
    'another content type' => answer(GET => "/v1/users/user_$id", 200, $user, type => 'application/json; charset=utf-8'),
    'a status that is not described' => answer(GET => "/v1/users/user_$id", 201, $user),
    'a body where there is none' => answer(POST => '/v1/oauth/request-password-reset', 200, '{}'),
    'HEAD with a body' => answer(HEAD => "/v1/users/user_$id", 200, $user),
    'success of a path of nothing' => answer(GET => '/v1/nothing', 200, '{}'),
    'success of a method that is none' => answer(DELETE => '/v1/users', 200, '{}'),
    'a method that is none is not found' => answer(DELETE => '/v1/users', 404, $missing),
    'OPTIONS without Allow' => answer(OPTIONS => '/v1/users', 204, '', type => undef),
    'an error without fields' => answer(GET => '/v1/users?limit=0', 400, $error =~ s/,"fields":\{.*?\}//r),
    'an error with a field and empty fields' => answer(GET => '/v1/users?limit=0', 400, $error =~ s/\{"limit":"No\."\}/{}/r),
    'a code that is none' => answer(GET => '/v1/users?limit=0', 400, $error =~ s/INVALID_FIELD/WRONG/r),
    'a code of another status' => answer(GET => '/v1/users?limit=0', 400, $error =~ s/INVALID_FIELD/USER_NOT_FOUND/r),
    'our fault as the caller\'s' => answer(GET => '/v1/users', 503, $missing =~ s/RESOURCE_NOT_FOUND/INTERNAL_ERROR/r,
        headers => {%headers, 'retry-after' => ['1']}),
    'busy without Retry-After' => answer(GET => '/v1/users', 503,
        $missing =~ s/INVALID_REQUEST/API_ERROR/r =~ s/RESOURCE_NOT_FOUND/INTERNAL_ERROR/r),
    '401 without a challenge' => answer(GET => '/v1/users', 401, $missing =~ s/RESOURCE_NOT_FOUND/UNAUTHORISED/r),
    'a page for an error' => answer(GET => '/v1/nothing', 404, undef, type => 'text/html'),
    'a page of another directive' => answer(GET => '/v1/users', 410, undef, type => 'text/html', front => JSON::PP::true),
);
my %answers = ((map { ("right: $_" => $right{$_}) } keys %right), (map { ("wrong: $_" => $wrong{$_}) } keys %wrong));
write_file("$folder/answers.jsonl", join '', map { $json->encode({%{$answers{$_}}, from => "<$_>"}) . "\n" } sort keys %answers);
my $found = `t/answers/check.py conf/openapi.json '$folder/answers.jsonl' 2>&1`;
verdict('check.py passes ' . keys(%right) . ' right answers', grep { /first in <right: / } split /\n/, $found);
verdict('check.py finds ' . keys(%wrong) . ' wrong answers', $? == 256 ? () : "exit status $?: $found",
    map { $found =~ /first in <\Qwrong: $_\E>/ ? () : $_ } sort keys %wrong);
write_file("$folder/none.jsonl", '');
$found = `t/answers/check.py conf/openapi.json '$folder/none.jsonl' 2>&1`;
verdict('and is not content with none', $? == 256 && $found =~ /^no answer/ ? () : "exit status $?: $found");
verdict;

# SPDX-License-Identifier: Apache-2.0
# What holds for every operation alike: bodies, types, methods, addresses, credentials, headers.
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Response;

my $host = host();
my $key = key();
my @no_key = ('X-API-KEY' => undef);
my $users = rows('SELECT 1 FROM users');

sub post { api(POST => '/v1/users/invite', @_) }

# An answer out of the bytes of a connection; what is left of them.
sub parse
{
    my ($bytes, $line) = @_;
    my ($head, $rest) = split /\r\n\r\n/, $bytes, 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)} or die "no answer: $bytes\n";
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } split /\r\n/, $head;
    my $length = $headers{'content-length'} // 0;
    return (IdentityTest::Response->new({status => $status, headers => \%headers, content => substr $rest, 0, $length}, $line), substr $rest, $length);
}

# The answer to a request that no client library would send: its first line, headers and body.
sub sent
{
    my ($line, $headers, $body) = @_;
    my ($answer) = parse(raw(join("\r\n", "$line HTTP/1.1", "Host: $host", 'Connection: close', @$headers, '', $body // '')), $line);
    return $answer;
}

# ---- bodies --------------------------------------------------------------------------------------------------------------------------------

my $nested = sub { '{"username":"deep@example.com","x":' . '[' x ($_[0] - 1) . ']' x ($_[0] - 1) . '}' };
my $sized = sub { my $start = '{"x":"'; $start . 'a' x ($_[0] - length($start) - 2) . '"}' };
for (
    ['no JSON' => '{"username":'], ['with something behind it' => '{"username":"a@example.com"} {}'], ['a list' => '["a@example.com"]'], ['a text' => '"a@example.com"'],
    ['a null' => 'null'], ['empty' => ''], ['blanks' => '   '], ['a key twice' => '{"username":"a@example.com","username":"b@example.com"}'],
    ['a key twice deep inside' => '{"username":"a@example.com","x":[{"y":1,"y":2}]}'], ['no UTF-8' => "{\"username\":\"a\xff\@example.com\"}"],
    ['UTF-8 that is too long' => "{\"username\":\"a\xc0\x80\@example.com\"}"], ['half a surrogate' => '{"username":"a\ud800@example.com"}'],
    ['NUL' => "{\"username\":\"a\0\@example.com\"}"], ['NUL in disguise' => '{"username":"a\u0000@example.com"}'], ['NUL in a name' => '{"user\u0000name":"a@example.com"}'],
    ['nested 17 deep' => $nested->(17)], ['nested 1,000 deep' => $nested->(1000)], ['a comment' => '{"username":"a@example.com" /* */}']) {
    my ($name, $body) = @$_;
    my $answer = $body eq '' ? post(undef, 'Content-Type' => 'application/json') : post($body);
    refused_is $answer, 400, 'BAD_REQUEST', undef, "body: $name";
    unlike $answer->text, qr/example\.com/, 'which is not quoted';
}
is post($nested->(16))->status, 200, 'nested 16 deep';
$users++;
refused_is post($sized->(65536)), 400, 'MISSING_FIELD', 'username', '64 KiB are read';
refused_is post($sized->(65537)), 413, 'BAD_REQUEST', undef, '64 KiB and a byte are not';
refused_is post($sized->(5_000_000)), 413, 'BAD_REQUEST', undef, 'nor 5 MB';
my @chunked = ("X-API-KEY: $key", 'Content-Type: application/json', 'Transfer-Encoding: chunked');
my $chunks = sub { join '', (map { sprintf "%x\r\n%s\r\n", length, $_ } unpack '(a8000)*', $_[0]), "0\r\n\r\n" };
refused_is sent('POST /v1/users/invite', \@chunked, $chunks->($sized->(65536))), 400, 'MISSING_FIELD', 'username', '64 KiB in chunks';
refused_is sent('POST /v1/users/invite', \@chunked, $chunks->($sized->(65537))), 413, 'BAD_REQUEST', undef, '64 KiB and a byte in chunks';
refused_is sent('POST /v1/users/invite', \@chunked, "zz\r\n{}\r\n0\r\n\r\n"), 400, 'BAD_REQUEST', undef, 'chunks that are none';
refused_is sent('POST /v1/users/invite', ["X-API-KEY: $key", 'Content-Type: application/json']), 400, 'BAD_REQUEST', undef, 'no body at all';

for (undef, '', 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'application/vnd.api+json', 'text/json; application/json') {
    my @type = defined $_ ? ("Content-Type: $_") : ();
    refused_is sent('POST /v1/users/invite', ["X-API-KEY: $key", @type, 'Content-Length: 2'], '{}'), 415, 'UNSUPPORTED_MEDIA_TYPE', undef, 'type: ' . ($_ // 'none');
}
refused_is post('{}', 'Content-Type' => $_), 400, 'MISSING_FIELD', 'username', "type: $_"
    for 'application/json; charset=utf-8', 'Application/JSON', 'application/json ; charset="UTF-8"';
my $unknown = post({username => 'unknown@example.com', surprise => {a => [1, undef]}});
is $unknown->status, 200, 'unknown fields are ignored';
$users++;

# ---- who is asked first ----------------------------------------------------------------------------------------------------------------------

refused_is post('{', @no_key), 401, 'UNAUTHORISED', undef, 'a stranger learns nothing about the body';
refused_is post('{', read_only_key()), 403, 'USER_NOT_ALLOWED', undef, 'nor does who lacks the permission';
refused_is post($sized->(65537), @no_key), 401, 'UNAUTHORISED', undef, 'nor about its size';
my $expecting = raw("POST /v1/users/invite HTTP/1.1\r\nHost: $host\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", 2);
like $expecting, qr{^HTTP/1\.1 401 }, 'whose body is not even asked for';

# ---- connections go on ------------------------------------------------------------------------------------------------------------------------

my $good = "GET /v1/roles?limit=1 HTTP/1.1\r\nHost: $host\r\nX-API-KEY: $key\r\nConnection: close\r\n\r\n";
for ([415, 'text/plain', '{"a":1}', $key], [401, 'application/json', '{"a":1}', ''], [403, 'application/json', '{"a":1}', (read_only_key())[1]]) {
    my ($status, $type, $body, $who) = @$_;
    my $bytes = raw(join("\r\n", 'POST /v1/users/invite HTTP/1.1', "Host: $host", "X-API-KEY: $who", "Content-Type: $type", 'Content-Length: ' . length $body, '', $body) . $good);
    my ($first, $rest) = parse($bytes);
    my ($second) = parse($rest);
    is $first->status . $second->status, "${status}200", "the next request on a connection is answered after a $status";
}
my ($malformed, $rest) = parse(raw("POST /v1/users/invite HTTP/1.1\r\nHost: $host\r\nX-API-KEY: $key\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{$good"));
is join(' ', $malformed->status, $malformed->header('Connection'), length $rest), '400 close 0', 'a malformed one ends its connection, and says so';

# ---- methods and addresses -------------------------------------------------------------------------------------------------------------------

for (
    [DELETE => '/v1/users', 'GET, HEAD, POST, OPTIONS'], [PUT => '/v1/users/' . unknown_id('user'), 'GET, HEAD, PATCH, DELETE, OPTIONS'], [GET => '/v1/users/invite', 'POST, OPTIONS'],
    [FOO => '/v1/roles', 'GET, HEAD, POST, OPTIONS'], [GET => '/v1/oauth/token', 'POST, OPTIONS'], [POST => '/v1/users/search', 'GET, HEAD, OPTIONS'],
    [TRACE => '/v1/api-keys', 'GET, HEAD, POST, OPTIONS']) {
    my ($method, $path, $allow) = @$_;
    my $answer = sent("$method $path", ["X-API-KEY: $key"]);
    refused_is $answer, 405, 'INVALID_OPERATION', undef, "$method $path";
    is join(', ', sort split /, */, $answer->header('Allow')), join(', ', sort split /, */, $allow), 'with what is allowed';
}
my $options = api(OPTIONS => '/v1/users', undef, @no_key);
is join(' ', $options->status, length $options->text, $options->header('Allow')), '204 0 GET, HEAD, POST, OPTIONS', 'OPTIONS answers what is allowed';
is $options->header('Access-Control-Allow-Origin'), undef, 'and opens nothing to other origins';

refused_is api(GET => $_), 404, 'RESOURCE_NOT_FOUND', undef, $_
    for '/v1', '/v1/', '/v1/nothing', '/v1/users/', '/v1/users/' . unknown_id('user') . '/nothing', '/v1/oauth', '/v1/users.json', '/v1/roles/x.cgi', '/v1/index.html';
refused_is api(GET => $_), 404, 'UNSUPPORTED_VERSION', undef, $_ for '/v2/users', '/vx/users', '/v11/users', '/v2';
refused_is api(GET => '/v1/users/x.cgi'), 404, 'USER_NOT_FOUND', undef, 'a suffix makes no program of it';
refused_is sent('GET /v1/users/%2e%2e/roles?limit=0', ["X-API-KEY: $key"]), 400, 'INVALID_FIELD', 'limit', 'dots in an address are resolved before it is matched';
is sent('GET /v1/users%2Finvite', ["X-API-KEY: $key"])->status, 404, 'an encoded slash is none';
is sent('GET /v1/users%00', ["X-API-KEY: $key"])->status, 404, 'nor is NUL an end';
is sent('GET /index.html', [])->status, 200, 'other addresses are served as ever';
is sent('GET /v3x', [])->status, 404, 'and are not all ours';

# ---- credentials -----------------------------------------------------------------------------------------------------------------------------

my $person = member('both');
my $bearer = $person->{bearer}[1];
refused_is api(GET => '/v1/users', undef, 'X-API-KEY' => $key, Authorization => $bearer), 400, 'BAD_REQUEST', undef, 'two credentials';
refused_is api(GET => '/v1/users', undef, 'X-API-KEY' => $key, Authorization => "ApiKey $key"), 400, 'BAD_REQUEST', undef, 'even of one key';
is sent('GET /v1/users', ["X-API-KEY: $key", 'Authorization:'])->status, 200, 'an empty header counts as absent';
is sent('GET /v1/users', ['X-API-KEY:', "Authorization: $bearer"])->status, 200, 'either of them';
refused_is sent('GET /v1/users', ['X-API-KEY:']), 401, 'UNAUTHORISED', undef, 'an empty key';
refused_is sent('GET /v1/users', ["X-API-KEY: $key", 'X-API-KEY: other']), 401, 'UNAUTHORISED', undef, 'two keys are no key';
refused_is api(GET => "/v1/users?api_key=$key&access_token=" . $bearer =~ s/.* //r, undef, @no_key), 401, 'UNAUTHORISED', undef, 'credentials in the query are not read';
refused_is api(GET => '/v1/users', undef, @no_key, Cookie => "X-API-KEY=$key"), 401, 'UNAUTHORISED', undef, 'nor in cookies';
refused_is api(GET => '/v1/users', undef, Authorization => $_), 401, 'UNAUTHORISED', undef, "Authorization: $_"
    for 'Basic YWRhOnNlY3JldA==', 'Bearer', 'ApiKey', 'Digest username="ada"', 'nonsense';

# ---- headers ---------------------------------------------------------------------------------------------------------------------------------

my %ids = map { $_->header('X-REQUEST-ID') // '' => 1 } map { api(GET => $_) } ('/v1/users', '/v1/nothing', '/v2') x 5;
is scalar keys %ids, 15, 'every request has an id of its own';
my $ours = api(POST => '/v1/roles', {name => 'Request ' . time . $$}, 'X-REQUEST-ID' => 'reqr_00000000000000000000');
isnt $ours->header('X-REQUEST-ID'), 'reqr_00000000000000000000', 'which no caller chooses';
is_deeply [db("SELECT target_id FROM audit_records WHERE reference = '@{[$ours->header('X-REQUEST-ID')]}'")], [{target_id => $ours->json->{id}}], 'the audit record has it too';
my $range = sent('GET /v1/roles', ["X-API-KEY: $key", 'Range: bytes=0-4']);
is $range->status . (defined $range->json ? 'whole' : 'part'), '200whole', 'a range of an answer is not given';
is sent('GET /v1/roles?limit=1', ["X-API-KEY: $key", 'Accept: text/html', 'Accept-Language: de'])->header('Content-Type'), 'application/json', 'there is one representation';
for my $answer (api(GET => '/v1/users?limit=0'), api(GET => '/v1/nothing'), $range, post('{')) {
    my $server = $answer->text;
    unlike $server, qr{sqlite|select |apache/\d|/usr/|/tmp/}i, 'an answer names no SQL, path or version';
}

is rows('SELECT 1 FROM users'), $users + 1, 'of all that was refused nothing was kept';

done_testing;

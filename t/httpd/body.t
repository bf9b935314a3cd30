# SPDX-License-Identifier: Apache-2.0
# Bodies: never more than the limit is read, whatever is announced; what httpd's own filters refuse is refused in JSON; who is not known is not read.
use strict;
use warnings FATAL => 'all';
use HTTP::Tiny;
use IO::Compress::Gzip qw(gzip $GzipError);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Response;
use IdentityTest::Server;

my $server = IdentityTest::Server->new(directives => <<'END_OF_DIRECTIVES');
RequestReadTimeout body=2
<Location /v1/roles>
    LimitRequestBody 100
</Location>
END_OF_DIRECTIVES
my $key = $server->key;
my $limit = 64 * 1024;

# An invitation of exactly so many bytes.
sub invitation
{
    my ($size) = @_;
    my $body = sprintf '{"username":"%s","padding":""}', $server->address('body');
    substr $body, -2, 0, 'x' x ($size - length $body);
    return $body;
}

my $asked;

# Bytes as they are over a connection of their own: status, whole answer.
sub send_raw
{
    my ($path, $headers, @parts) = @_;
    $asked = "POST $path";
    my $socket = IO::Socket::INET->new(PeerAddr => $server->host, Timeout => 10) or die "connect: $@";
    local $SIG{PIPE} = 'IGNORE';
    $socket->autoflush(1);
    print {$socket} "POST $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n", map({ "$_\r\n" } @$headers), "\r\n";
    for my $part (@parts) {
        ref $part ? $part->($socket) : print {$socket} $part;
    }
    my $answer = '';
    my $end = time + 20;
    while ($end > time) {
        my $bits = '';
        vec($bits, fileno $socket, 1) = 1;
        last unless select $bits, undef, undef, $end - time;
        last unless sysread $socket, $answer, 65536, length $answer;
    }
    return $answer;
}

# The answer as one of IdentityTest::Response.
sub answer
{
    my ($text) = @_;
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)} or return IdentityTest::Response->new({status => 0, headers => {}, content => $text});
    my %headers = map { /^([^:]+): (.*)$/ ? (lc $1 => $2) : () } split /\r\n/, $head;
    return IdentityTest::Response->new({status => $status, headers => \%headers, content => $body}, $asked);
}

sub chunk { my ($text) = @_; return sprintf "%x\r\n%s\r\n", length $text, $text }
my @key = ("X-API-KEY: $key");
my @chunked = (@key, 'Transfer-Encoding: chunked');

# ---- size -----------------------------------------------------------------------------------------------------------------------------------

is $server->api(POST => '/v1/users/invite', invitation($limit))->status, 200, 'a body of 64 KiB';
my $large = $server->api(POST => '/v1/users/invite', invitation($limit + 1));
refused_is($large, 413, BAD_REQUEST => undef, 'one byte more');
is $large->header('Connection'), 'close', 'and the rest is not waited for';
my $body = invitation($limit);
is answer(send_raw('/v1/users/invite', \@chunked, map({ chunk($_) } unpack '(a5000)*', $body), "0\r\n\r\n"))->status, 200, '64 KiB in chunks';
refused_is(answer(send_raw('/v1/users/invite', \@chunked, chunk(invitation($limit + 1)), "0\r\n\r\n")), 413, BAD_REQUEST => undef, 'one byte more in chunks');
my $start = time;
refused_is(answer(send_raw('/v1/users/invite', [@key, 'Content-Length: 1000000000'])), 413, BAD_REQUEST => undef, 'announced too large: refused before a byte comes');
cmp_ok time - $start, '<', 1.5, 'at once';
refused_is(answer(send_raw('/v1/users/invite', [@key, 'Content-Length: 1000000000', 'Expect: 100-continue'])), 413, BAD_REQUEST => undef, 'nor is it asked for');

# ---- what is not well said ------------------------------------------------------------------------------------------------------------------

refused_is(answer(send_raw('/v1/users/invite', \@chunked, "zz\r\n")), 400, BAD_REQUEST => undef, 'a chunk that is none');
refused_is(answer(send_raw('/v1/users/invite', \@chunked, "5\r\n{\"use", sub { shutdown $_[0], 1 })), 400, BAD_REQUEST => undef, 'chunks that end early');
refused_is(answer(send_raw('/v1/users/invite', [@key, 'Content-Length: 100'], '{"username":', sub { shutdown $_[0], 1 })), 400, BAD_REQUEST => undef,
    'a body that ends early');
my $both = invitation(200);
is answer(send_raw('/v1/users/invite', [@chunked, 'Content-Length: 5'], chunk($both), "0\r\n\r\n"))->status, 200, 'both lengths: the chunks count';
refused_is(answer(send_raw('/v1/users/invite', [@key, 'Content-Length: 0'])), 400, BAD_REQUEST => undef, 'nothing at all');

# ---- codings --------------------------------------------------------------------------------------------------------------------------------

# What an application's client compresses on its own. With SetInputFilter DEFLATE httpd itself takes it off, and the header with it.
my $plain = invitation(300);
gzip(\$plain => \my $gzipped) or die $GzipError;
for my $coding ('gzip', 'GZIP', 'x-gzip', 'br', 'deflate', 'identity, gzip', 'gzip, identity', 'gzip;q=1', '"gzip"', 'aws-chunked') {
    my $refused = answer(send_raw('/v1/users/invite', [@key, "Content-Encoding: $coding", 'Content-Length: ' . length $gzipped], $gzipped));
    refused_is($refused, 415, UNSUPPORTED_MEDIA_TYPE => undef, "B17: Content-Encoding: $coding");
    is $refused->header('Accept-Encoding'), 'identity', 'B17: says what is taken instead';
}
is $server->api(GET => '/v1/users?username=' . ($plain =~ /"username":"([^"]+)"/)[0])->json->{data}[0], undef, 'B17: nothing was made of it';
refused_is(answer(send_raw('/v1/users/invite', [@key, 'Content-Encoding: gzip', 'Content-Encoding: gzip', 'Content-Length: 2'], '{}')), 415,
    UNSUPPORTED_MEDIA_TYPE => undef, 'B17: twice, of what is not even compressed');
is answer(send_raw('/v1/users/invite', [@key, 'Content-Encoding: identity', 'Content-Length: ' . length $plain], $plain))->status, 200,
    'B17: Content-Encoding: identity is none';
is answer(send_raw('/v1/oauth/logout', [@key, 'Content-Encoding: gzip', 'Content-Length: ' . length $gzipped], $gzipped))->status, 401,
    'B17: where no body is read its coding does not matter';
refused_is(answer(send_raw('/v1/oauth/token', ['Content-Encoding: gzip', 'Content-Length: ' . length $gzipped], $gzipped)), 415,
    UNSUPPORTED_MEDIA_TYPE => undef, 'B17: signing in');
my $inflating = IdentityTest::Server->new(state => $server->state_folder, modules => ['deflate'], directives => "<Location /v1>\nSetInputFilter DEFLATE\n</Location>\n");
my $inflated = IdentityTest::Response->new(HTTP::Tiny->new->post('http://' . $inflating->host . '/v1/users/invite',
    {headers => {'X-API-KEY' => $key, 'Content-Type' => 'application/json', 'Content-Encoding' => 'gzip'}, content => $gzipped}), 'POST /v1/users/invite');
is $inflated->status, 200, 'B17: what httpd itself decodes is taken' or diag $inflated->content;
$inflating->stop;

# ---- httpd's own limits ---------------------------------------------------------------------------------------------------------------------

refused_is($server->api(POST => '/v1/roles', {name => 'x' x 200}), 413, BAD_REQUEST => undef, 'LimitRequestBody');
refused_is(answer(send_raw('/v1/roles', \@chunked, chunk('{"name":"' . 'x' x 200 . '"}'), "0\r\n\r\n")), 413, BAD_REQUEST => undef, 'LimitRequestBody, in chunks');
$start = time;
refused_is(answer(send_raw('/v1/users/invite', [@key, 'Content-Length: 100'], '{"username":')), 408, BAD_REQUEST => undef, 'a body that does not come');
cmp_ok time - $start, '<', 10, 'is not waited for long';

# ---- order: who first, then what --------------------------------------------------------------------------------------------------------------

for my $headers ([], ['X-API-KEY: idk_false']) {
    my $text = send_raw('/v1/users/invite', [@$headers, 'Content-Length: 1000', 'Expect: 100-continue']);
    unlike $text, qr/100 Continue/, 'a caller who is not known is not asked for the body';
    refused_is(answer($text), 401, UNAUTHORISED => undef, 'and refused without it');
}
like send_raw('/v1/users/invite', [@key, 'Content-Length: ' . length $both, 'Expect: 100-continue'], $both), qr{^HTTP/1\.1 100 Continue\r\n\r\nHTTP/1\.1 200 },
    'one who is known is asked';

# A refused body does not become the next request on the connection.
my $smuggled = "GET /v1/users HTTP/1.1\r\nHost: x\r\nX-API-KEY: $key\r\n\r\n";
my $two = send_raw('/v1/nothing', [@key, 'Content-Length: ' . length $smuggled], $smuggled);
is scalar(() = $two =~ m{^HTTP/1\.1 \d}mg), 1, 'a body that nobody read is no request';

done_testing;

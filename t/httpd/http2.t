# SPDX-License-Identifier: Apache-2.0
# run on: event worker asan
# HTTP/2: the same answers; a body that we refuse does not cost the answer (where a filter of httpd refuses it, the stream may be reset before); a stream has its connection's address.
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Response;
use IdentityTest::Server;

my $server = IdentityTest::Server->new(modules => ['http2'], directives => <<'END_OF_DIRECTIVES');
Protocols h2c http/1.1
<Location /v1/roles/denied>
    Require all denied
</Location>
END_OF_DIRECTIVES
my $root = $server->{root};

sub slurp { my ($path) = @_; open my $in, '<', $path or die "$path: $!"; local $/; return <$in> // '' }

# By curl over HTTP/2, without an upgrade.
sub h2
{
    my ($method, $path, $body, @headers) = @_;
    my @command = ('curl', '-s', '-S', '--max-time', '30', '--http2-prior-knowledge', '-D', "$root/head", '-o', "$root/body");
    push @command, $method eq 'HEAD' ? '-I' : ('-X', $method);
    if (defined $body) {
        open my $out, '>', "$root/sent" or die $!;
        print {$out} $body;
        close $out or die $!;
        push @command, '--data-binary', "\@$root/sent", '-H', 'Content-Type: application/json';
    }
    unlink "$root/head", "$root/body";
    my $status = system(@command, map({ ('-H', $_) } @headers), $server->origin . $path);
    die "curl: $status\n" if $status;
    my ($head, $text) = map { -e $_ ? slurp($_) : '' } "$root/head", "$root/body";
    my ($code) = $head =~ m{^HTTP/2 (\d+)} or die "no HTTP/2: $head\n";
    my %fields = map { /^([^:]+): (.*)$/ ? (lc $1 => $2) : () } split /\r\n/, $head;
    return IdentityTest::Response->new({status => $code, headers => \%fields, content => $method eq 'HEAD' ? '' : $text}, "$method $path");
}

my $key = 'X-API-KEY: ' . $server->key;
my $large = '{"username":"' . 'x' x (64 * 1024) . '"}';
my $list = h2(GET => '/v1/users', undef, $key);
answered_is($list, 200, 'a page');
shape_is($list, 'page of user', 'the page');
is h2(POST => '/v1/users/invite', '{"username":"h2@example.com"}', $key)->status, 200, 'a body';
is h2(POST => '/v1/users/invite', '{"username":"chunks@example.com"}', $key, 'Transfer-Encoding: chunked')->status, 200, 'one of no announced length';
my $invitation = h2(GET => '/v1/invitations?email=h2@example.com', undef, $key)->json->{invitations}[0];
is h2(POST => "/v1/invitations/$invitation->{id}", undef, $key)->status, 200, 'none, where it may be left out';
is h2(POST => "/v1/invitations/$invitation->{id}", '{"state":"revoked"}', $key, 'Transfer-Encoding: chunked')->json->{state}, 'revoked', 'and one of no announced length';
refused_is(h2(GET => '/v1/users'), 401, UNAUTHORISED => undef, 'nobody');
refused_is(h2(GET => '/v1/roles/denied', undef, $key), 403, USER_NOT_ALLOWED => undef, 'Require all denied');
my $head = h2(HEAD => '/v1/users', undef, $key);
is $head->status . ' ' . $head->header('Content-Length'), '200 ' . h2(GET => '/v1/users', undef, $key)->header('Content-Length'), 'HEAD';
for my $try (1 .. 5) {
    refused_is(h2(POST => '/v1/users/invite', $large, $key), 413, BAD_REQUEST => undef, "a body too large, $try");
    refused_is(h2(POST => '/v1/users/invite', $large x 5, $key, 'Transfer-Encoding: chunked'), 413, BAD_REQUEST => undef, "of no announced length, $try");
    refused_is(h2(POST => '/v1/users/invite', $large x 5), 401, UNAUTHORISED => undef, "of nobody, $try");
}

done_testing;

# SPDX-License-Identifier: Apache-2.0
# User names as others are told them, and hosts outside ASCII: one canonical form everywhere. (A15, B2, B10; security 77)
# run on: event
use strict;
use warnings FATAL => 'all';
use utf8;
use Test::More;
use Encode 'encode_utf8';
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $password = 'Correct1Horse';
my $folder = IdentityTest::Protected::folder();
my $backend = IdentityTest::Protected->backend;
my $bücher = encode_utf8('https://bücher.example');
my $server = IdentityTest::Server->new(modules => [IdentityTest::Protected::cgi_modules(), qw(proxy proxy_http)], directives => <<"END");
    ScriptSock \${LOGS}/cgisock
    IdentityPublicURL $bücher
    <Location /v1>
        IdentityCORSOrigin @{[encode_utf8('https://APP.bücher.example')]}
        IdentityCookie On
    </Location>
    <Directory "$folder">
        Require all granted
        Options +ExecCGI
        AddHandler cgi-script .cgi
    </Directory>
    Alias /cgi $folder/cgi
    Alias /files $folder/files
    Alias /idn $folder/files
    ProxyPass /told @{[$backend->url]}
    <LocationMatch "^/(cgi|told)">
        AuthType Identity
        Require valid-user
        IdentityForwardHeaders On
    </LocationMatch>
    <Location /files>
        AuthType Identity
        Require user ada\@example.org
    </Location>
    <Location /idn>
        AuthType Identity
        Require user @{[encode_utf8('ä@xn--bcher-kva.example')]}
    </Location>
END

sub bearer
{
    my ($name) = @_;
    my $answer = $server->api(POST => '/v1/users', {username => $name, password => $password});
    is $answer->status, 201, "(a user $name)";
    my $user = $answer->json;
    is $user->{username}, $name, '... kept as it is spelled';
    my $joined = $server->api(POST => "/v1/users/$user->{id}/memberships", {account_id => $server->account_id, type => 'USER', role_ids => []});
    die $joined->text unless $joined->status < 300;
    my $token = $server->login($name, $password)->json->{access_token};
    return [Authorization => "Bearer $token"];
}

# ---- B10, A15 ----------------------------------------------------------------------------------------------------------------------------------

for (['Ada@Example.org', 'ada@example.org', '/files/a.html'], ['Ä@BÜCHER.example', 'ä@xn--bcher-kva.example', '/idn/a.html']) {
    my ($name, $form, $place) = @$_;
    my $who = bearer($name);
    my $told = encode_utf8($form);
    is ask($server, GET => $place, @$who)->{status}, 200, "B10: Require user $form lets in who is stored as $name";
    my $answer = ask($server, GET => '/cgi/echo.cgi', @$who);
    is line_of($answer, 'REMOTE_USER'), $told, "B10: r->user is the canonical form of $name";
    is line_of($answer, 'IDENTITY_USERNAME'), $told, 'B10: ... so is IDENTITY_USERNAME';
    is line_of(ask($server, GET => '/told/x', @$who), 'X-Identity-Username'), $told, 'B10: ... and X-Identity-Username';
}
for my $list ('x@y.z, other@y.z', 'x@y.z,other@y.z', "ada\@example.org\x{200b}", 'ada@example.org ') {
    my $answer = $server->api(POST => '/v1/users', {username => $list, password => $password});
    is_deeply [$answer->status, $answer->field], [400, 'username'], 'A15: nobody gets a name that reads as a list or as another';
}

# ---- names of an older database -----------------------------------------------------------------------------------------------------------------

my $old = bearer('old@x.example');
my ($row) = $server->db("SELECT id FROM users WHERE canonical = 'old\@x.example'");
alter_rights("UPDATE users SET username = 'eve\@x.example, ada\@example.org', canonical = 'eve\@x.example, ada\@example.org', held_name = 'eve\@x.example, ada\@example.org', "
    . "old_name = 'eve\@x.example, ada\@example.org' WHERE id = '$row->{id}'", $server);
my $login = $server->login('Eve@x.example, ada@example.org', $password);
is $login->status, 200, 'A15: who has such a name from an older database signs in by it';
my $seen = ask($server, GET => '/told/x', Authorization => 'Bearer ' . $login->json->{access_token});
is line_of($seen, 'X-Identity-Username'), $row->{id}, 'A15: ... and is told by the id: no list gets into X-Identity-Username';
my ($status, $out, $error) = $server->tool('check');
is $status, 0, 'check finds nothing broken' or diag "$out$error";
like $out, qr/^note: the name "eve\@x\.example, ada\@example\.org" of $row->{id} \(entity enti_\w+\) is not a valid user name$/m, 'A15: ... and lists the name';
is $server->api(PATCH => "/v1/users/$row->{id}", {username => 'eve@x.example, ada@example.org'})->status, 200, 'A15: PATCH with the name that is there is not judged';

# ---- B2 ----------------------------------------------------------------------------------------------------------------------------------------

my $origin = 'https://xn--bcher-kva.example';
my @nobody = ('X-API-KEY' => undef);
is $server->api(GET => '/.well-known/oauth-authorization-server', undef, @nobody)->json->{issuer}, $origin, 'B2: an IDN of IdentityPublicURL is the issuer in its xn-- form';
my $address = $server->address('idn');
is $server->api(POST => '/v1/users/invite', {username => $address})->status, 200, '(an invitation)';
like $server->wait_mail($address)->{link}, qr{^\Q$origin\E/v1/oauth/activate-user#}, 'B2: ... and begins the links of mails, which go';
my $session = $server->login('ada@example.org', $password);
my ($cookie) = map { /^(identity_refresh=[^;]+)/ ? $1 : () } map { ref ? @$_ : $_ } $session->headers->{'set-cookie'};
ok $cookie, '(a cookie)';
is $server->api(POST => '/v1/oauth/refresh-token', undef, @nobody, Cookie => $cookie, Origin => "https://evil.example")->status, 403, '(another origin)';
is $server->api(POST => '/v1/oauth/refresh-token', undef, @nobody, Cookie => $cookie, Origin => $origin)->status, 200, 'B2: ... and is the origin that browsers send';
my $answer = $server->api(OPTIONS => '/v1/users', undef, @nobody, Origin => 'https://app.xn--bcher-kva.example', 'Access-Control-Request-Method' => 'GET');
is $answer->header('Access-Control-Allow-Origin'), 'https://app.xn--bcher-kva.example', 'B2: an IDN of IdentityCORSOrigin is granted as browsers write it';

done_testing;

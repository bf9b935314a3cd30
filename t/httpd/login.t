# SPDX-License-Identifier: Apache-2.0
# M19: IdentityUserName login: a second, short name signs in and is REMOTE_USER, in every way that leads into a protected place.
# run on: event asan
use strict;
use warnings FATAL => 'all';
use Digest::SHA 'sha1_base64';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $password = 'Correct1Horse';
my $folder = IdentityTest::Protected::folder();
my $backend = IdentityTest::Protected->backend;
my $places = <<"END";
    <Directory "$folder">
        Require all granted
        Options +ExecCGI
        AddHandler cgi-script .cgi
    </Directory>
    @{[configuration() eq 'prefork' ? '' : 'ScriptSock ${LOGS}/cgisock']}
    Alias /cgi $folder/cgi
    Alias /basic $folder/cgi
    Alias /named $folder/cgi
    <Location /cgi>
        AuthType Identity
        AuthName Reports
        IdentityCookie On
        Require valid-user
    </Location>
    <Location /named>
        AuthType Identity
        AuthName Reports
        Require user ada
    </Location>
    <Location /basic>
        AuthType Basic
        AuthBasicProvider identity
        AuthName Reports
        Require user ada carl bob\@example.org
    </Location>
    ProxyPass /proxy @{[$backend->url]}
    <Location /proxy>
        AuthType Identity
        AuthName Reports
        IdentityForwardHeaders On
        Require valid-user
    </Location>
END
my $server = IdentityTest::Server->new(modules => [IdentityTest::Protected::cgi_modules(), qw(proxy proxy_http)], directives => "IdentityUserName login\n$places");
my %people = map { $_ => $server->api(POST => '/v1/users', {username => "$_\@example.org", password => $password, $_ eq 'ada' ? (login => 'Ada') : ()})->json } qw(ada bob);
is $people{ada}{login}, 'Ada', 'M19: ada has a login';
is $people{bob}{login}, undef, 'M19: bob has none';


# What IDENTITY_USERNAME and REMOTE_USER are there, or the status.
sub told
{
    my ($path, @headers) = @_;
    my $answer = ask($server, GET => $path, @headers);
    return $answer->{status} unless $answer->{status} == 200;
    my %seen = map { /^(REMOTE_USER|IDENTITY_USERNAME|X-Identity-Username)[=:] ?([^\r\n]*)/ ? ($1 => $2) : () } split /\n/, $answer->{text};
    my %names = map { $_ => 1 } values %seen;
    return join ' ', sort keys %names;
}

# ---- several entities ----------------------------------------------------------------------------------------------------------------------

# The suite's databases have two.
is $server->login('ada', $password)->status, 401, 'M19: where two entities last, a login alone is nobody\'s';
is $server->login('other/ada', $password)->status, 401, 'M19: nor in the other entity';
is $server->login('default/ADA', $password)->status, 200, 'M19: behind the reference it is';
is told('/basic/echo.cgi', basic('default/ada', $password)), 403, 'M19: and REMOTE_USER has the reference, so that nobody is taken for another';
my $with_reference = $server->login('ada@example.org', $password)->json->{access_token};
is told('/cgi/echo.cgi', Authorization => "Bearer $with_reference"), 'default/ada', 'M19: ... by whichever name';
alter_db("UPDATE entities SET expires_at = 4000000000000000 WHERE reference = 'other'", $server);

# ---- by the login --------------------------------------------------------------------------------------------------------------------------

for my $name (qw(ada ADA ada@example.org)) {
    my $token = $server->login($name, $password);
    is $token->status, 200, "M19: $name signs in";
    is told('/cgi/echo.cgi', Authorization => 'Bearer ' . $token->json->{access_token}), 'ada', 'M19: ... and by its token REMOTE_USER and IDENTITY_USERNAME are the login in lower case';
    is told('/named/echo.cgi', Authorization => 'Bearer ' . $token->json->{access_token}), 'ada', 'M19: ... Require user compares it';
    is told('/proxy/x', Authorization => 'Bearer ' . $token->json->{access_token}), 'ada', 'M19: ... X-Identity-Username is it';
    is told('/basic/echo.cgi', basic($name, $password)), 'ada', 'M19: ... so it is by AuthBasicProvider identity';
    is told('/basic/echo.cgi', basic($name, 'Wrong1horse')), 401, 'M19: ... with the right password alone';
}
my $form = $server->api(POST => '/v1/oauth/token', "grant_type=password&username=ada&password=$password", 'X-API-KEY' => undef, 'Content-Type' => 'application/x-www-form-urlencoded');
is $form->status, 200, 'M19: and by a form';
is $server->login('nobody', $password)->status, 401, 'M19: a login that nobody has';
my $bob = $server->login('bob@example.org', $password)->json->{access_token};
is told('/cgi/echo.cgi', Authorization => "Bearer $bob"), 'bob@example.org', 'M19: who has none is the address';
is told('/basic/echo.cgi', basic('bob@example.org', $password)), 'bob@example.org', 'M19: ... also by Basic';
is told('/named/echo.cgi', Authorization => "Bearer $bob"), 403, 'M19: ... and is nobody else';

# Whoever comes from htpasswd signs in as before, and is who they were.
my $htpasswd = "$server->{state}/htpasswd";
open my $out, '>', $htpasswd or die "$htpasswd: $!";
print {$out} "Carl:{SHA}", sha1_base64($password), "=\n";
close $out;
my ($status, undef, $error) = $server->tool('--entity', 'default', 'import', '--htpasswd', $htpasswd, '--domain', 'example.org');
is $status, 0, 'M19: a plain name of htpasswd is taken over' or diag $error;
is told('/basic/echo.cgi', basic('Carl', $password)), 'carl', 'M19: ... signs in as before, and REMOTE_USER is the name in lower case';
is told('/basic/echo.cgi', basic('Carl', 'Wrong1horse')), 401, 'M19: ... with its password alone';

# From the next request on, in every child.
my $ada = $server->login('ada', $password)->json->{access_token};
is told('/named/echo.cgi', Authorization => "Bearer $ada"), 'ada', 'M19: remembered';
is $server->api(PATCH => "/v1/users/$people{ada}{id}", {login => 'countess'})->status, 200, 'M19: another login';
is told('/named/echo.cgi', Authorization => "Bearer $ada"), 403, 'M19: ... is not the one that is asked for';
is told('/cgi/echo.cgi', Authorization => "Bearer $ada"), 'countess', 'M19: ... but REMOTE_USER at once';
is $server->api(PATCH => "/v1/users/$people{bob}{id}", {login => 'ada'})->status, 200, 'M19: the other is free';
is told('/named/echo.cgi', Authorization => "Bearer $bob"), 'ada', 'M19: ... for another user';

# ---- by default ----------------------------------------------------------------------------------------------------------------------------

my $plain = IdentityTest::Server->new(modules => [IdentityTest::Protected::cgi_modules(), qw(proxy proxy_http)], directives => $places);
my $kim = $plain->api(POST => '/v1/users', {username => 'kim@example.org', password => $password, login => 'kim'})->json;
is $kim->{login}, 'kim', 'M19: a login is kept';
is $plain->login('kim', $password)->status, 401, 'M19: without IdentityUserName login it signs nobody in';
my $bearer = $plain->login('kim@example.org', $password)->json->{access_token};
like ask($plain, GET => '/cgi/echo.cgi', Authorization => "Bearer $bearer")->{text}, qr/^REMOTE_USER=kim\@example\.org$/m, 'M19: and REMOTE_USER is the address';

done_testing;

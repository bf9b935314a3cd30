# SPDX-License-Identifier: Apache-2.0
# A personal key at protected places, with several children: it is its owner in each of them, and what ends it, or changes what its owner holds, counts in each
# from the next request on. (M4; security 56)
# run on: event prefork
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
my $server = IdentityTest::Server->new(modules => [IdentityTest::Protected::cgi_modules()], directives => <<"END");
    @{[configuration() eq 'prefork' ? '' : "ScriptSock \${LOGS}/cgisock"]}
    <IfModule !mpm_prefork_module>
        StartServers      4
        ServerLimit       4
        ThreadsPerChild   2
        MinSpareThreads   4
        MaxSpareThreads   8
        MaxRequestWorkers 8
    </IfModule>
    <Directory "$folder">
        Options +ExecCGI
        AddHandler cgi-script .cgi
    </Directory>
    Alias /cgi $folder/cgi
    Alias /fresh $folder/files
    Alias /closed $folder/files
    <Location /cgi>
        AuthType Identity
        AuthName "Personal"
        IdentityBasicKeys On
        Require identity-permission REPORT.READ
    </Location>
    <Location /fresh>
        AuthType Identity
        AuthName "Personal"
        Require identity-fresh 300
    </Location>
    Alias /kept $folder/files
    <Location /kept>
        AuthType Identity
        AuthName "Personal"
        <RequireAll>
            Require valid-user
            Require not identity-permission REPORT.READ
        </RequireAll>
    </Location>
    <Location /closed>
        AuthType Identity
        AuthName "Personal"
        Require valid-user
    </Location>
END
my @no_key = ('X-API-KEY' => undef);
my $ada = somebody($server, ['REPORT.READ']);
my $path = "/v1/users/$ada->{id}";

sub make { my ($body) = @_; return $server->api(POST => "$path/api-keys", $body // {}, @no_key, @{$ada->{bearer}})->json }

# Each over a connection of its own, so that several children answer.
sub seen
{
    my ($where, @credential) = @_;
    my %seen;
    for (1 .. 12) {
        $server->{http} = undef;
        $seen{ask($server, GET => $where, @credential)->{status}}++;
    }
    return join ' ', sort keys %seen;
}

my ($own, $narrow, $kept) = (make(), make({permissions => ['ROLE.VIEW']}), make());
my @own = ('X-API-KEY' => $own->{api_key});
for (['X-API-KEY', @own], ['Authorization: ApiKey', Authorization => "ApiKey $own->{api_key}"], ['Basic', basic('anybody', $own->{api_key})]) {
    my ($how, @credential) = @$_;
    my $answer = ask($server, GET => '/cgi/echo.cgi', @credential);
    is join(' ', map { line_of($answer, $_) } qw(REMOTE_USER IDENTITY_USER_ID IDENTITY_USERNAME IDENTITY_AUTH)), "$ada->{name} $ada->{id} $ada->{name} key",
        "M4: by $how a personal key is its owner";
    unlike $answer->{text}, qr/\Q$own->{api_key}\E/, 'M4: and stays with the server';
}
is seen('/cgi/echo.cgi', 'X-API-KEY' => $narrow->{api_key}), 403, 'M4: one that is narrowed to something else is refused';
is seen('/closed/a.html', 'X-API-KEY' => $narrow->{api_key}), 200, 'M4: but is somebody';
is seen('/fresh/a.html', @{$ada->{bearer}}), 200, 'M4: identity-fresh takes who has just signed in';
is seen('/fresh/a.html', @own), 403, 'M4: and no personal key';

is seen('/cgi/echo.cgi', @own), 200, 'M4: every child knows it';
is $server->api(PATCH => "/v1/roles/$ada->{role}", {permissions => ['REPORT.OTHER']})->status, 200, 'its owner loses a permission';
is seen('/cgi/echo.cgi', @own), 403, 'M4: so does the key, in every child';
is $server->api(PATCH => "/v1/roles/$ada->{role}", {permissions => ['REPORT.READ']})->status, 200, 'and has it again';
is seen('/cgi/echo.cgi', @own), 200, 'M4: in every child';
is $server->api(DELETE => "$path/api-keys/$own->{id}", undef, @no_key, @{$ada->{bearer}})->status, 200, 'the key is deleted';
is seen('/cgi/echo.cgi', @own), 401, 'M4: and refused in every child';
is seen('/cgi/echo.cgi', 'X-API-KEY' => $kept->{api_key}), 200, 'M4: the other one works on';
is $server->api(PATCH => $path, {status => 'INACTIVE'})->status, 200, 'its owner is deactivated';
is seen('/cgi/echo.cgi', 'X-API-KEY' => $kept->{api_key}), 401, 'M4: and the key ends in every child';

# ---- what a key leaves out its owner has all the same -----------------------------------------------------------------------------------------------

my ($bob, $eve) = map { somebody($server, [$_]) } qw(REPORT.READ DESK.READ);
my ($banned, $other) = map { $server->api(POST => "/v1/users/$_->{id}/api-keys", {permissions => ['DESK.READ']}, @no_key, @{$_->{bearer}})->json->{api_key} } $bob, $eve;
is seen('/closed/a.html', 'X-API-KEY' => $banned), '200', 'a key that is narrowed';
is seen('/kept/a.html', @{$bob->{bearer}}), '403', 'A6: who holds a permission does not pass its negation';
is seen('/kept/a.html', 'X-API-KEY' => $banned), '403', 'A6: ... nor by a key that leaves it out';
is seen('/kept/a.html', 'X-API-KEY' => $other), '200', 'A6: a key of somebody who does not hold it passes';

done_testing;

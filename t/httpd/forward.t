# SPDX-License-Identifier: Apache-2.0
# What backends are told of who asks, and that nobody else tells them: IdentityForwardHeaders, IdentityForwardCredential, IdentityEnvPermissions, the
# environment of programs, mod_headers, expressions, WebSocket. (conf/README.md; security 73)
# run on: event prefork asan
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
my $backend = IdentityTest::Protected->backend;
my $socket = IdentityTest::Protected->backend;
my $url = $backend->url;
put("$folder/app/.htaccess", "AuthType Identity\nRequire valid-user\n");
put("$folder/app/a.html", 'for who is known');
put("$folder/listed/$_.cgi", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nexec env\n", 0755) for qw(index page);
my $other = IdentityTest::Server::free_port() + 1;
$other++ until IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $other, Listen => 1, ReuseAddr => 1);
my $server = IdentityTest::Server->new(port => $other - 1, modules => [IdentityTest::Protected::cgi_modules(), qw(proxy proxy_http rewrite negotiation)], directives => <<"END");
    @{[configuration() eq 'prefork' ? '' : "ScriptSock \${LOGS}/cgisock"]}
    <Directory "$folder">
        Require all granted
        Options +ExecCGI
        AddHandler cgi-script .cgi
        AllowOverride AuthConfig
    </Directory>
    Alias /app $folder/app
    Alias /cgi $folder/cgi
    ProxyPass /open $url
    ProxyPass /told $url
    ProxyPass /whole $url
    ProxyPass /untold $url
    ProxyPass /own $url
    ProxyPass /socket @{[$socket->url]} upgrade=websocket
    ProxyPass /either $url
    <LocationMatch "^/(told|whole|untold|cgi|own|socket|either)">
        AuthType Identity
        AuthName app
        Require valid-user
        IdentityBasicKeys On
        IdentityForwardHeaders On
    </LocationMatch>
    <Location /whole>
        IdentityForwardCredential On
    </Location>
    <Location /untold>
        IdentityForwardHeaders Off
    </Location>
    <Location /cgi>
        IdentityEnvPermissions On
        RewriteEngine On
        RewriteCond %{ENV:IDENTITY_AUTH} =bearer
        RewriteRule led\$ /open/led-%{ENV:IDENTITY_USER_ID} [PT]
        Header set X-Seen-By "%{IDENTITY_USERNAME}e" "expr=-n reqenv('IDENTITY_USER_ID')"
    </Location>
    <Location /own>
        RequestHeader set Authorization "Basic b3VyczpvdXJz"
        RequestHeader set X-Told "%{IDENTITY_USER_ID}e"
    </Location>
    Alias /listed $folder/listed
    <Directory "$folder/listed">
        Options +MultiViews
        AddType text/plain .cgi
        DirectoryIndex index.cgi
        <Files *.cgi>
            AuthType Identity
            AuthName app
            Require valid-user
        </Files>
    </Directory>
    <Location /either>
        <RequireAny>
            Require all granted
            Require valid-user
        </RequireAny>
        RewriteEngine On
        RewriteRule on\$ /told/on [PT]
    </Location>
    Listen 127.0.0.1:$other
    <VirtualHost 127.0.0.1:$other>
        ProxyPass /open $url
    </VirtualHost>
END

my $person = somebody($server, ['USER.MORTAL.VIEW', 'REPORT.VIEW']);
my $account = $server->account_id;
my $key = $server->api(POST => '/v1/api-keys', {})->json;
my $entity = $server->api(GET => "/v1/users/$person->{id}")->json->{entity_id};
my %names = ('X-Identity-User-Id' => $person->{id}, 'X-Identity-Username' => $person->{name}, 'X-Identity-Entity-Id' => $entity, 'X-Identity-Account-Id' => $account);

# ---- what is told ---------------------------------------------------------------------------------------------------------------------------

my $answer = ask($server, GET => '/told/a', @{$person->{bearer}}, Cookie => 'theme=dark');
is line_of($answer, $_), $names{$_}, "$_ of a person" for sort keys %names;
is line_of($answer, 'Authorization'), undef, 'the token stays here';
is line_of($answer, 'Cookie'), 'theme=dark', 'a cookie of the application goes on';
$answer = ask($server, GET => '/told/a', 'X-API-KEY' => $key->{api_key});
is_deeply [map { line_of($answer, $_) } sort keys %names], [undef, $entity, $key->{id}, $key->{id}], 'a key: its id, and no account';
unlike $answer->{text}, qr/\Q$key->{api_key}\E/, '... which itself stays here';
$answer = ask($server, GET => '/told/a', basic(git => $key->{api_key}));
is line_of($answer, 'X-Identity-User-Id'), $key->{id}, '... as a password';
is line_of($answer, 'Authorization'), undef, '... which stays here, too';
is line_of(ask($server, GET => '/whole/a', @{$person->{bearer}}), 'Authorization'), $person->{bearer}[1], 'IdentityForwardCredential: the token goes on';
$answer = ask($server, GET => '/whole/a', 'X-API-KEY' => $key->{api_key});
is line_of($answer, 'X-API-KEY'), $key->{api_key}, '... and a key';
$answer = ask($server, GET => '/untold/a', @{$person->{bearer}});
unlike $answer->{text}, qr/x-identity|authorization/i, 'IdentityForwardHeaders Off: nothing is told, nor is the token';
$answer = ask($server, GET => '/own/a', @{$person->{bearer}});
is line_of($answer, 'Authorization'), 'Basic b3VyczpvdXJz', "mod_headers' own Authorization goes on";
is line_of($answer, 'X-Told'), $person->{id}, '... and it knows who it is';
$answer = ask($server, GET => '/either/a', @{$person->{bearer}});
is $answer->{status}, 200, 'where nobody is asked';
unlike $answer->{text}, qr/x-identity/i, '... nobody is told of';

unlike ask($server, GET => '/either/a', @$_, Cookie => 'identity_access=forged')->{text}, qr/^(Authorization|X-API-KEY|Cookie):/im, '... nor is what was shown for it'
    for $person->{bearer}, ['X-API-KEY' => $key->{api_key}];

is ask($server, GET => '/either/on', @$_)->{status}, 200, '... which a place that it is led to knows all the same' for $person->{bearer}, ['X-API-KEY' => $key->{api_key}];
is ask($server, GET => '/either/on')->{status}, 401, '... where somebody must be known';

# ---- programs -------------------------------------------------------------------------------------------------------------------------------

$answer = ask($server, GET => '/cgi/echo.cgi', @{$person->{bearer}});
my %expected = (
    IDENTITY_USER_ID => $person->{id}, IDENTITY_USERNAME => $person->{name}, IDENTITY_ENTITY_ID => $entity, IDENTITY_ACCOUNT_ID => $account,
    IDENTITY_AUTH => 'bearer', REMOTE_USER => $person->{name}, AUTH_TYPE => 'Identity', HTTP_X_IDENTITY_USER_ID => $person->{id});
is line_of($answer, $_), $expected{$_}, "$_ of a program" for sort keys %expected;
like line_of($answer, 'IDENTITY_PERMISSIONS'), qr/^REPORT\.VIEW,USER\.MORTAL\.VIEW$/, 'IDENTITY_PERMISSIONS, where they are asked for';
like line_of($answer, 'IDENTITY_REQUEST_ID'), qr/^reqr_\w{20}$/, 'IDENTITY_REQUEST_ID';
is $answer->{headers}{'x-seen-by'}, $person->{name}, 'mod_headers and expressions know who it is';
$answer = ask($server, GET => '/cgi/echo.cgi', 'X-API-KEY' => $key->{api_key});
is line_of($answer, 'IDENTITY_PERMISSIONS'), '*', '... of an administrator all';
is line_of($answer, $_), undef, "no $_" for qw(HTTP_X_API_KEY HTTP_AUTHORIZATION IDENTITY_ACCOUNT_ID);
# mod_dir and mod_negotiation ask about a file by a subrequest, and go on as if that were what was asked for.
for my $path (qw(/listed/ /listed/page)) {
    $answer = ask($server, GET => $path, 'X-API-KEY' => $key->{api_key}, Cookie => "theme=dark; identity_access=$key->{id}");
    is line_of($answer, 'IDENTITY_USER_ID'), $key->{id}, "$path leads to a program that is told who asks";
    is line_of($answer, 'HTTP_X_API_KEY'), undef, '... not the credential';
    is line_of($answer, 'HTTP_COOKIE'), 'theme=dark', '... in a cookie neither';
}
like ask($server, GET => '/cgi/led', @{$person->{bearer}})->{text}, qr{^GET /led-$person->{id} }, 'mod_rewrite knows who it is';

# ---- what clients make up (security 73) ------------------------------------------------------------------------------------------------------

my @made_up = qw(X-Identity-User-Id x-identity-user-id X_Identity_User_Id X-IDENTITY_USER-ID X-Identity-Username X_IDENTITY_ACCOUNT_ID x.identity.user.id X-Identity X-Identity-Anything);
for my $path (qw(/open/a /told/a /untold/a /either/a /own/a)) {
    for my $port ($server->{host}, "127.0.0.1:$other") {
        next if $port ne $server->{host} && $path ne '/open/a';
        local $server->{host} = $port;
        my $text = $server->raw(join("\r\n", "GET $path HTTP/1.1", "Host: $port", "$person->{bearer}[0]: $person->{bearer}[1]", map({ ("$_: forged", "$_: forged twice") } @made_up),
            'X-Identities: kept', 'X-Identification: kept', 'Connection: close', '', ''));
        like $text, qr/^HTTP\S* 200 /, "$path on $port";
        unlike $text, qr/forged/, '... without what was made up # security 73';
        like $text, qr/X-Identities: kept\r\nX-Identification: kept/, '... and nothing else lacks';
    }
}
unlike ask($server, GET => '/cgi/echo.cgi', @{$person->{bearer}}, map { ($_ => 'forged') } @made_up)->{text}, qr/forged/, 'nor in the environment of programs # security 73';

# RFC 9110, 7.6.1: a proxy drops what Connection names
my $text = $server->raw(join("\r\n", 'GET /told/a HTTP/1.1', "Host: $server->{host}", "$person->{bearer}[0]: $person->{bearer}[1]", 'X-Mine: mine',
    'Connection: close, X-Identity-User-Id, x-mine', 'Connection: X-IDENTITY-ACCOUNT-ID', '', ''));
like $text, qr/^\Q$_: $names{$_}\E\r?$/im, "$_: the client's Connection does not take it away # security 73" for qw(X-Identity-User-Id X-Identity-Account-Id);
unlike $text, qr/^X-Mine/im, '... as it does what is its own';

# ---- WebSocket ---------------------------------------------------------------------------------------------------------------------------------

sub upgrade { my (@lines) = @_; return $server->raw(join("\r\n", 'GET /socket HTTP/1.1', "Host: $server->{host}", 'Upgrade: websocket', 'Connection: Upgrade', @lines, '', ''), 1) }
like upgrade("$person->{bearer}[0]: $person->{bearer}[1]"), qr/^HTTP\S* 101 .*X-Identity-User-Id: $person->{id}/s, 'WebSocket: who may';
like upgrade(), qr/^HTTP\S* 401 /, '... nobody';

# ---- .htaccess ------------------------------------------------------------------------------------------------------------------------------

is ask($server, GET => '/app/a.html', @{$person->{bearer}})->{text}, 'for who is known', 'AuthType Identity in .htaccess';
is ask($server, GET => '/app/a.html')->{status}, 401, '... nobody';

done_testing;

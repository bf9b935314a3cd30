# SPDX-License-Identifier: Apache-2.0
# Credentials are for this server: no program and no backend of a server with an identity database gets the access cookie, a key or a token of ours, protected or
# not, neither as a header nor in what another directive has made of it; what belongs to other programs goes on. (conf/README.md; security 42, 43, 73)
# run on: event prefork asan
use strict;
use warnings FATAL => 'all';
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
my ($backend, $fast, $socket) = (IdentityTest::Protected->backend, IdentityTest::Protected->fastcgi, IdentityTest::Protected->backend);
my $url = $backend->url;
my $echo = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nexec env\n";
put("$folder/ht/echo.cgi", $echo, 0755);
put("$folder/ht/.htaccess", <<'END');
SetEnvIf Authorization "(.*)" HTACCESS_AUTHORIZATION=$1
SetEnvIf X-API-KEY "(.*)" HTACCESS_KEY=$1
SetEnvIf Cookie "(.*)" HTACCESS_COOKIE=$1
RewriteEngine On
RewriteRule ^ - [E=HTACCESS_REWRITTEN:%{HTTP:Authorization}%{HTTP:X-API-KEY}%{HTTP:Cookie}%{ENV:KEY_COPY}]
END
put("$folder/inside/index.cgi", $echo, 0755);
my $port = IdentityTest::Server::free_port();
my @ports;
for (my $next = $port + 1; @ports < 2; $next++) {
    push @ports, $next if IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $next, Listen => 1, ReuseAddr => 1);
}
my ($neighbour, $stranger) = @ports;
my $guard = "AuthType Identity\n AuthName x\n IdentityCookie On\n IdentityBasicKeys On\n Require valid-user";
my $server = IdentityTest::Server->new(port => $port, modules => [IdentityTest::Protected::cgi_modules(), qw(proxy proxy_http proxy_fcgi rewrite include)], directives => <<"END");
    @{[configuration() eq 'prefork' ? '' : "ScriptSock \${LOGS}/cgisock"]}
    SetEnvIf Authorization "(.*)" HTTP_AUTHORIZATION=\$1
    SetEnvIfNoCase ^Authorization\$ "(.+)" PHP_AUTHORIZATION=\$1
    SetEnvIf Authorization "^Bearer [^.]+[.][^.]+[.](.+)" SIGNATURE=\$1
    SetEnvIf X-API-KEY "(.*)" KEY_COPY=\$1
    SetEnvIf X-API-KEY "^idk_(.+)" KEY_PART=\$1
    SetEnvIf X-API-KEY "^(.{50})" KEY_HALF=\$1
    SetEnvIf Cookie "(.*)" COOKIE_COPY=\$1
    SetEnvIf Cookie "identity_access=([^;]+)" COOKIE_VALUE=\$1
    SetEnvIf X-Auth-Token "(.*)" OTHER_COPY=\$1
    SetEnv NO_EFFECT kept
    RequestHeader set X-Copied "expr=%{HTTP:X-API-KEY}" early
    RewriteEngine On
    RewriteRule ^ - [E=REWRITTEN:%{HTTP:Authorization}|%{HTTP:X-API-KEY}|%{HTTP:Cookie}]
    <Directory "$folder">
        Require all granted
        Options +ExecCGI +Includes +FollowSymLinks
        AddHandler cgi-script .cgi
        AddOutputFilter INCLUDES .shtml
        AllowOverride FileInfo
        DirectoryIndex index.cgi
    </Directory>
    <Location /v1/oauth>
        IdentityCookie On
    </Location>
    Alias /cgi $folder/cgi
    <Location /cgi>
        CGIPassAuth On
    </Location>
    Alias /ht $folder/ht
    Alias /inside $folder/inside
    Alias /led $folder/files
    <Location /led>
        RewriteEngine On
        RewriteRule . /cgi/echo.cgi [PT]
    </Location>
    Alias /missing $folder/missing
    <Location /missing>
        ErrorDocument 404 /cgi/echo.cgi
    </Location>
    Alias /refused $folder/files
    <Location /refused>
        ErrorDocument 403 /cgi/echo.cgi
        Require all denied
    </Location>
    ProxyPass /proxy $url
    ProxyPass /fast @{[$fast->url]}
    ProxyPass /socket @{[$socket->url]} upgrade=websocket
    Alias /guarded-cgi $folder/cgi
    ProxyPass /guarded $url
    <LocationMatch "^/guarded">
        $guard
        CGIPassAuth On
    </LocationMatch>
    ProxyPass /whole $url
    <Location /whole>
        IdentityForwardCredential On
    </Location>
    Alias /whole-cgi $folder/cgi
    <Location /whole-cgi>
        CGIPassAuth On
        IdentityForwardCredential On
    </Location>
    Alias /opened $folder/files
    <Location /opened>
        RewriteEngine On
        RewriteRule . /whole/path [PT]
    </Location>
    Alias /api $folder/files
    <Location /api>
        RewriteEngine On
        RewriteRule . /v1/users [PT]
    </Location>
    Listen 127.0.0.1:$neighbour
    <VirtualHost 127.0.0.1:$neighbour>
        ProxyPass /proxy $url
    </VirtualHost>
END
chmod 0777, $folder;

my $ada = somebody($server, ['DESK.READ']);
my $login = $server->http->request(POST => $server->origin . '/v1/oauth/token', {
    headers => {'Content-Type' => 'application/json', Origin => $server->origin}, content => qq({"username":"$ada->{name}","password":"$ada->{password}"})});
my ($access) = map { /^(identity_access=[^;]+);/ ? $1 : () } @{$login->{headers}{'set-cookie'}};
my ($refresh) = map { /^(identity_refresh=[^;]+);/ ? $1 : () } @{$login->{headers}{'set-cookie'}};
my $key = $server->key;
my $token = $ada->{bearer}[1] =~ s/^Bearer //r;
my $mac = $access =~ s/.*[.]//r;
# A token of ours by its form, which would not be taken: its signature is another one.
my $stale = $token =~ s/.{20}$/AAAAAAAAAAAAAAAAAAAA/r;

# What is sent, what must not arrive (the end of each secret).
my %sent = (
    'X-API-KEY' => [['X-API-KEY' => $key], substr $key, -40],
    'Authorization: ApiKey' => [[Authorization => "ApiKey $key"], substr $key, -40],
    'a key as a bearer' => [[Authorization => "Bearer $key"], substr $key, -40],
    'a key alone in Authorization' => [[Authorization => $key], substr $key, -40],
    'a key as a password' => [[basic(git => $key)], (basic(git => $key))[1] =~ s/^Basic .{20}//r],
    'a token' => [[Authorization => "Bearer $token"], substr $token, -40],
    'a token that is not taken' => [[Authorization => "Bearer $stale"], substr $stale, -60, 40],
    'the cookie' => [[Cookie => $access], $mac],
    'the cookie among others' => [[Cookie => "theme=dark; $access; lang=de"], $mac],
    'the cookie over TLS' => [[Cookie => "theme=dark; __Host-$access"], $mac],
    # Nothing that would be taken, but the secret is a secret all the same.
    'odd: the key twice' => [['X-API-KEY' => "$key, $key, $key"], substr $key, -40],
    'odd: the key behind another' => [['X-API-KEY' => "app,$key"], substr $key, -40],
    'odd: a token twice' => [[Authorization => "Bearer $token, Bearer $token"], substr $token, -40],
    'odd: a token behind another program\'s' => [[Authorization => "Token x, Bearer $token"], substr $token, -40],
    'odd: a tab behind the scheme' => [[Authorization => "Bearer\t$key"], substr $key, -40],
    'odd: a key as a parameter' => [[Authorization => qq(Token token="$key", a=b)], substr $key, -40],
    'odd: a key as a user name' => [[basic($key => '')], (basic($key => ''))[1] =~ s/^Basic .{20}//r],
    'odd: a key as the second password' => [[Authorization => 'Basic eDp5, ' . (basic(git => $key))[1]], (basic(git => $key))[1] =~ s/^Basic .{20}//r],
    'odd: a key in another header' => [['X-Auth-Token' => $key], substr $key, -40],
    'odd: a token in another header' => [['X-Forwarded-Access-Token' => "Bearer $token"], substr $token, -40],
    'odd: a key in an address' => [[Referer => "https://app.example.org/?api_key=$key&page=1"], substr $key, -40],
    'odd: the refresh cookie' => [[Cookie => "a=b; $refresh"], substr $refresh, -40],
    'odd: both cookies, and the same again' => [[Cookie => "$refresh; $access; $refresh; __Host-$access"], substr $refresh, -40],
    'the cookie with a token' => [[Authorization => "Bearer $token", Cookie => "a=b;$access"], $mac],
);

# ---- where nobody is asked -----------------------------------------------------------------------------------------------------------------------

my %open = (
    'A7, A13: a program' => '/cgi/echo.cgi', 'A13: a program with .htaccess' => '/ht/echo.cgi', 'A7: a backend' => '/proxy/a', 'A7, M13: FastCGI' => '/fast/a',
    'A7: an index' => '/inside/', 'A13: an internal redirect' => '/led/a.html', 'A13: a document of a 404' => '/missing/a', 'A13: a document of a 403' => '/refused/a.html');
for my $what (sort keys %open) {
    my @wrong;
    for my $name (sort keys %sent) {
        my ($headers, $secret) = @{$sent{$name}};
        my $answer = ask($server, GET => $open{$what}, @$headers);
        push @wrong, "$name: status $answer->{status}" if $answer->{text} !~ /^(?:REQUEST_METHOD=|GET )/m;
        push @wrong, "$name: " . ($answer->{text} =~ /^(.*\Q$secret\E.*)$/m)[0] if index($answer->{text}, $secret) >= 0;
        push @wrong, "$name: NO_EFFECT is gone" if $answer->{text} =~ /^REQUEST_METHOD=/m && $answer->{text} !~ /^(?:REDIRECT_)?NO_EFFECT=kept$/m;
    }
    is join("\n", @wrong), '', "$what gets no credential of ours";
}
sub arrives { my ($at, $path) = @_; return map { my ($headers, $secret) = @{$sent{$_}}; index(ask($at, GET => $path, @$headers)->{text}, $secret) >= 0 ? $_ : () } sort keys %sent }
{
    local $server->{host} = "127.0.0.1:$neighbour";
    is join('; ', arrives($server, '/proxy/a')), '', 'A7: a virtual host that has the database and asks nobody gets none of it';
}
is line_of(ask($server, GET => '/proxy/a', Cookie => "theme=dark; $access; lang=de"), 'Cookie'), 'theme=dark; lang=de', 'A7: other cookies stay as they are';
is line_of(ask($server, GET => '/proxy/a', Cookie => "$access; lang=de"), 'Cookie'), 'lang=de', '... behind it';
is line_of(ask($server, GET => '/proxy/a', Cookie => "lang=de; $access"), 'Cookie'), 'lang=de', '... in front of it';
is line_of(ask($server, GET => '/proxy/a', Cookie => "xidentity_access=1; identity_accessory=2; a=identity_access"), 'Cookie'), 'xidentity_access=1; identity_accessory=2; a=identity_access',
    '... those of a similar name, too';
my $text = $server->raw(join("\r\n", 'GET /proxy/a HTTP/1.1', "Host: $server->{host}", 'Cookie: theme=dark', "Cookie: $access", 'Connection: close', '', ''));
like $text, qr/^Cookie: theme=dark\r$/m, 'A7: two header lines of cookies: the one stays';
unlike $text, qr/\Q$mac\E/, '... the access cookie does not';
$text = $server->raw(join("\r\n", 'GET /socket HTTP/1.1', "Host: $server->{host}", 'Upgrade: websocket', 'Connection: Upgrade', "X-API-KEY: $key", "Cookie: $access; a=b", '', ''), 1);
like $text, qr/^HTTP\S* 101 .*^Cookie: a=b\r$/sm, 'A7: a WebSocket is opened';
unlike $text, qr/\Q$mac\E|\Q@{[substr $key, -40]}\E/, '... without them';

# ---- other programs' own -------------------------------------------------------------------------------------------------------------------------

my $foreign = join '.', map { encode_base64url($_) } '{"alg":"ES256","typ":"at+jwt","kid":"theirs"}', '{"iss":"https://login.example.org"}', 'x' x 64;
my $wrong = $key =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/er;
for my $own (['Authorization', 'Token of-the-application'], ['Authorization', "Bearer $foreign"], ['Authorization', 'Basic ' . encode_base64('user:password', '')], ['X-API-KEY', 'app'], ['X-API-KEY', $wrong]) {
    my ($name, $value) = @$own;
    is line_of(ask($server, GET => '/proxy/a', $name => $value), $name), $value, "A7: another program's $name goes on: " . substr $value, 0, 20;
    my $answer = ask($server, GET => '/guarded/a', $name => $value, Cookie => "$access; a=b");
    is $answer->{status}, 200, "B6: ... and beside a good cookie leaves it in force";
    is line_of($answer, $name), $value, 'B6: ... and goes on there, too';
    is line_of($answer, 'Cookie'), 'a=b', '... not the cookie';
    is ask($server, GET => '/guarded/a', $name => $value)->{status}, 401, 'B6: ... without one it is a bad credential';
    is ask($server, GET => '/guarded/a', $name => $value, Cookie => "${access}A")->{status}, 401, 'B6: ... with a bad one, too';
}
my $answer = ask($server, GET => '/guarded/a', Authorization => 'Token x', 'X-API-KEY' => 'app', Cookie => $access);
is "$answer->{status} @{[line_of($answer, 'Authorization')]} @{[line_of($answer, 'X-API-KEY')]}", '200 Token x app', 'B6: both headers are the application\'s';
is ask($server, GET => '/guarded/a', Authorization => "Bearer $stale", Cookie => $access)->{status}, 401, 'B6: a token of ours that is not good is not the application\'s';
is ask($server, GET => '/guarded/a', 'X-API-KEY' => $key, Authorization => "Bearer $token", Cookie => $access)->{status}, 400, 'B6: two credentials of ours stay two # security 43';
for my $own (['X-Auth-Token', "Bearer $foreign"], ['Referer', 'https://they.example.org/key?idk_=1'], ['X-Auth-Token', $wrong], ['Cookie', "token=$key"]) {
    is line_of(ask($server, GET => '/proxy/a', @$own), $own->[0]), $own->[1], "A7: what another program has in $own->[0] goes on: " . substr $own->[1], 0, 20;
}
is line_of(ask($server, GET => '/cgi/echo.cgi', Authorization => 'Token of-the-application'), 'HTTP_AUTHORIZATION'), 'Token of-the-application', 'A13: variables of other programs\' headers stay';

# ---- where somebody is asked, and where it is opened ---------------------------------------------------------------------------------------------

for my $place ('/guarded-cgi/echo.cgi', '/guarded/a') {
    my @wrong;
    for my $name (grep { !/^odd|not taken|over TLS|alone|as a bearer/ } sort keys %sent) {
        my ($headers, $secret) = @{$sent{$name}};
        my $answer = ask($server, GET => $place, @$headers);
        push @wrong, "$name: status $answer->{status}" unless $answer->{status} == 200;
        push @wrong, "$name: " . ($answer->{text} =~ /^(.*\Q$secret\E.*)$/m)[0] if index($answer->{text}, $secret) >= 0;
    }
    is join("\n", @wrong), '', "A13: $place is told who it is and gets no credential";
}
for my $place ('/whole/a', '/whole-cgi/echo.cgi', '/opened/a.html') {
    is join('; ', arrives($server, $place)), join('; ', sort keys %sent), "A7: IdentityForwardCredential On: $place gets all of it";
}
is ask($server, GET => '/api/x', 'X-API-KEY' => $key)->{status}, 200, 'A7: the API gets the credential by an internal redirect, too';
is ask($server, GET => '/api/x', Authorization => "Bearer $stale")->{status}, 401, '... and a bad one is bad there';

# ---- a server without a database of identities -----------------------------------------------------------------------------------------------------

my $state = $server->state_folder;
$server->stop;
open my $in, '<', "$ENV{IDENTITY_TOP}/t/conf/base.conf" or die $!;
chomp(my @modules = <$in>);
$server->lay(@modules, map({ "LoadModule ${_}_module " . IdentityTest::Server::libexec() . "/mod_$_.so" } qw(proxy proxy_http)), "LoadModule identity_module $ENV{IDENTITY_TOP}/bin/mod_identity.so",
    'DBDriver sqlite3', "Listen 127.0.0.1:$neighbour", "Listen 127.0.0.1:$stranger",
    "<VirtualHost 127.0.0.1:$neighbour>\nDBDParams $state/identity.db\nIdentityPublicURL " . $server->origin . "\n<Location /v1>\nIdentityEngine On\n</Location>\nProxyPass /proxy $url\n</VirtualHost>",
    "<VirtualHost 127.0.0.1:$stranger>\nProxyPass /proxy $url\n</VirtualHost>");
$server->{no_http} = 1;
$server->start;
{
    local $server->{host} = "127.0.0.1:$neighbour";
    is join('; ', arrives($server, '/proxy/a')), '', 'A7: a virtual host with a database of identities gets none of it';
    $server->{host} = "127.0.0.1:$stranger";
    is join('; ', arrives($server, '/proxy/a')), join('; ', sort keys %sent), 'A7: one without is left alone: it may be in front of another identity server';
}

done_testing;

# SPDX-License-Identifier: Apache-2.0
# Behind a proxy that ends TLS, and on more than one name of the host: what counts as TLS (IdentityTrustedProxy), which page a request came from, and the cookies
# that follow from both; a client certificate is no credential of ours. (conf/README.md, conf/interface.md; security 41, 42)
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
my $base = IdentityTest::Server::free_port();
my @port;
for (my $next = $base + 1; @port < 5; $next++) {
    push @port, $next if IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $next, Listen => 1, ReuseAddr => 1);
}
my %port;
@port{qw(trusted other lax prefixed tls)} = @port;
# Of the client certificate and of the server's.
sub run { my ($command) = @_; my $said = `$command 2>&1`; die "$command: $said" if $?; return }
run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=127.0.0.1 -keyout $folder/$_.key -out $folder/$_.pem") for qw(server client);
chmod 0644, "$folder/server.key", "$folder/client.key";

my $inside = <<"END";
    <LocationMatch "^/v1/oauth">
        IdentityCookie On
    </LocationMatch>
    Alias /x $folder/files
    <Location /x>
        AuthType Identity
        AuthName x
        IdentityCookie On
        Require identity-member entity=default
    </Location>
    ProxyPass /app @{[$backend->url]} upgrade=websocket
    <Location /app>
        AuthType Identity
        AuthName x
        IdentityCookie On
        Require valid-user
    </Location>
END
sub site { my ($name, @lines) = @_; return join "\n", "Listen 127.0.0.1:$port{$name}", "<VirtualHost 127.0.0.1:$port{$name}>", @lines, $inside, "</VirtualHost>\n" }
my $server = IdentityTest::Server->new(front => 1, port => $base, modules => [qw(remoteip proxy proxy_http ssl)], directives => join "\n",
    "<Directory $folder>\nRequire all granted\n</Directory>",
    'IdentityPublicURL https://id.example.org',
    "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.0/8",
    site('trusted', 'IdentityTrustedProxy 192.0.2.1 127.0.0.0/8'),
    site('other', 'IdentityTrustedProxy 192.0.2.1 2001:db8::/32'),
    site('lax'),
    # What a location does to the header comes too late.
    site('prefixed', 'IdentityTrustedProxy ::1 127.0.0.1', 'RequestHeader unset X-Forwarded-Proto early', 'RequestHeader set X-Forwarded-Proto https'),
    site('tls', "SSLEngine On\nSSLCertificateFile $folder/server.pem\nSSLCertificateKeyFile $folder/server.key\nSSLCACertificateFile $folder/client.pem\nSSLVerifyClient optional\nSSLUserName SSL_CLIENT_S_DN_CN"));

sub at
{
    my ($host, $method, $path, %headers) = @_;
    local $server->{host} = "127.0.0.1:$port{$host}";
    local $server->{http};
    my %more = $headers{body} ? (content => delete $headers{body}) : ();
    $headers{'Content-Type'} = 'application/json' if %more;
    return $server->http->request($method, $server->origin . $path, {headers => \%headers, %more});
}

my $key = $server->key;
my $ada = somebody($server, ['DESK.READ']);
my $body = qq({"username":"$ada->{name}","password":"$ada->{password}"});

# ---- IdentityTrustedProxy ------------------------------------------------------------------------------------------------------------------------

my @https = ('X-Forwarded-Proto' => 'https');
# headers, what the API and protected content answer on: trusted, other, lax
my @cases = (
    'nothing' => [], '403 200 200', 'https' => [@https], '200 200 200', 'HTTPS in capitals' => ['X-Forwarded-Proto' => 'HTTPS'], '200 200 200', 'http' => ['X-Forwarded-Proto' => 'http'], '403 200 200',
    'two words' => ['X-Forwarded-Proto' => 'https, https'], '403 200 200', 'two in one, http first' => ['X-Forwarded-Proto' => 'http,https'], '403 200 200', 'two lines' => ['X-Forwarded-Proto' => ['https', 'https']], '403 200 200',
    'empty' => ['X-Forwarded-Proto' => ''], '403 200 200', 'something like it' => ['X-Forwarded-Proto' => 'https '. 'x'], '403 200 200', 'another header' => [Forwarded => 'proto=https', 'X-Forwarded-Ssl' => 'on'], '403 200 200',
    'mod_remoteip sees another client' => ['X-Forwarded-For' => '192.0.2.99'], '403 200 200', '... with https' => ['X-Forwarded-For' => '192.0.2.99', @https], '200 200 200',
    'mod_remoteip sees the trusted proxy as the client' => ['X-Forwarded-For' => '192.0.2.1'], '403 200 200');
while (my ($what, $headers, $want) = splice @cases, 0, 3) {
    for my $path ('/v1/users', '/x/a.html') {
        is join(' ', map { at($_, GET => $path, 'X-API-KEY' => $key, @$headers)->{status} } qw(trusted other lax)), $want, "M22: $path: $what";
    }
}
is at(prefixed => GET => '/x/a.html', 'X-API-KEY' => $key, @https)->{status}, 200, 'M22: a directive that changes the header changes nothing';
is at(prefixed => GET => '/x/a.html', 'X-API-KEY' => $key)->{status}, 403, '... either way';

# Secure and __Host- by the same verdict; over plain HTTP nobody signs in.
sub cookies { my ($in) = @_; my $set = $in->{headers}{'set-cookie'} // []; return map { [/^([^=]+)=([^;]*)/, /; Secure/ ? 1 : 0] } ref $set ? @$set : $set }
my $in = at(trusted => POST => '/v1/oauth/token', @https, body => $body);
is join('; ', map { "$_->[0] $_->[2]" } cookies($in)), 'identity_refresh 1; __Host-identity_access 1', 'M22: behind the proxy the cookies are Secure';
is at(trusted => POST => '/v1/oauth/token', body => $body)->{status}, 403, 'M22: without its word nobody signs in';
my %cookie = map { $_->[0] => "$_->[0]=$_->[1]" } cookies($in);
is at(trusted => GET => '/x/a.html', @https, Cookie => $cookie{'__Host-identity_access'})->{status}, 200, 'M22: the cookie is taken behind the proxy';
is at(trusted => GET => '/x/a.html', Cookie => $cookie{'__Host-identity_access'})->{status}, 403, '... and not over plain HTTP';

# ---- which page it came from ---------------------------------------------------------------------------------------------------------------------

my $wiki = "wiki.example.org:$port{trusted}";
# Origin, Sec-Fetch-Site, whether more than reading is allowed
my @pages = (
    [undef, undef, 0], ['https://id.example.org', undef, 1], ["https://$wiki", undef, 1], ["http://$wiki", undef, 0], ['https://evil.example', undef, 0], ['null', undef, 0],
    ['null', 'same-origin', 1], ["http://$wiki", 'same-origin', 1], ['https://evil.example', 'same-site', 0], ['null', 'same-site', 0], ['null', 'cross-site', 0], ['https://evil.example', 'cross-site', 0],
    [undef, 'same-origin', 1], [undef, 'cross-site', 0], [undef, 'same-site', 0], [undef, 'none', 0]);
for my $page (@pages) {
    my ($origin, $site, $fits) = @$page;
    my @headers = (@https, Host => $wiki, Cookie => $cookie{'__Host-identity_access'}, defined $origin ? (Origin => $origin) : (), defined $site ? ('Sec-Fetch-Site' => $site) : ());
    my $name = ($origin // '-') . ', ' . ($site // '-') . " # security 42";
    my $send = sub { my ($line, @more) = @_; my @lines = @headers; my $text = "$line HTTP/1.1\r\n"; while (my ($n, $v) = splice @lines, 0, 2) { $text .= "$n: $v\r\n" } local $server->{host} = "127.0.0.1:$port{trusted}"; return $server->raw(join("\r\n", $text . join('', map { "$_\r\n" } @more), ''), 1) =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'none' };
    is $send->('POST /app/a', 'Content-Length: 0', 'Connection: close'), $fits ? 200 : 403, "B1: POST with the access cookie: $name";
    is $send->('GET /app/a', 'Upgrade: websocket', 'Connection: Upgrade'), $fits ? 101 : 403, "B1: a WebSocket: $name";
    is $send->('GET /app/a', 'Connection: close'), 200, "B1: reading: $name";
}

# ---- signing out on every name -------------------------------------------------------------------------------------------------------------------

for my $page (["https://$wiki", undef], ["https://$wiki", 'same-origin'], ['null', 'same-origin'], ['https://id.example.org', 'same-site']) {
    my ($origin, $site) = @$page;
    my $here = at(trusted => POST => '/v1/oauth/token', @https, Origin => $origin, body => $body);
    my %own = map { $_->[0] => "$_->[0]=$_->[1]" } cookies($here);
    my $text = do {
        local $server->{host} = "127.0.0.1:$port{trusted}";
        $server->raw(join("\r\n", 'POST /v1/oauth/logout HTTP/1.1', "Host: $wiki", 'X-Forwarded-Proto: https', "Origin: $origin", $site ? "Sec-Fetch-Site: $site" : (), "Cookie: $own{identity_refresh}; $own{'__Host-identity_access'}", 'Content-Length: 0', 'Connection: close', '', ''));
    };
    like $text, qr{^HTTP/1\.1 200 }, "M21: signed out on another name of the host: $origin, " . ($site // '-');
    like $text, qr/^Set-Cookie: __Host-identity_access=; .*Max-Age=0.*Secure/m, 'M21: ... and the cookie is taken back';
    is at(trusted => GET => '/x/a.html', @https, Cookie => $own{'__Host-identity_access'})->{status}, 401, 'M21: ... which is worth nothing';
}
my $refused = at(trusted => POST => '/v1/oauth/logout', @https, Origin => 'https://evil.example', Cookie => $cookie{identity_refresh});
is $refused->{status}, 403, 'M21: another site signs nobody out # security 42';

# ---- two cookies ---------------------------------------------------------------------------------------------------------------------------------

for my $call (qw(refresh-token logout)) {
    for my $between ('; ', ', ') {
        my $twice = at(trusted => POST => "/v1/oauth/$call", @https, Cookie => join $between, $cookie{identity_refresh}, 'identity_refresh=idr_other');
        is $twice->{status}, 400, "A16: two refresh cookies: $call";
        is scalar(grep { $_->[0] eq 'identity_refresh' && $_->[1] eq '' } cookies($twice)), 1, 'A16: ... the cookie is cleared';
    }
}
is at(trusted => POST => '/v1/oauth/refresh-token', @https, Cookie => $cookie{identity_refresh})->{status}, 200, 'A16: the session itself lives';
is at(trusted => GET => '/x/a.html', @https, Cookie => "__Host-identity_access=sess_00000000000000000000.x; $cookie{'__Host-identity_access'}")->{status}, 401, 'A16: two access cookies are nobody\'s';

# ---- a client certificate ------------------------------------------------------------------------------------------------------------------------

sub curl_status { my (@more) = @_; my $status = `curl -s -k -o /dev/null -D $folder/head -w '%{http_code}' @more https://127.0.0.1:$port{tls}/x/a.html`; return $status }
sub head { open my $file, '<', "$folder/head" or die $!; local $/; return <$file> }
my $certificate = "--cert $folder/client.pem --key $folder/client.key";
is curl_status($certificate), 401, 'B3: a client certificate with SSLUserName is no user of ours: a credential is asked for';
like head(), qr/^WWW-Authenticate: Bearer realm="x"/mi, 'B3: ... by a challenge';
is curl_status($certificate, "-H 'X-API-KEY: $key'"), 200, 'B3: a key beside it lets in';
is curl_status("-H 'X-API-KEY: $key'"), 200, '... as it does without it';

# ---- values --------------------------------------------------------------------------------------------------------------------------------------

for my $value ('proxy.example.org', '10', '10.0.0', '192.0.2.1/33', '192.0.2.1/', '2001:db8::/129', '*', 'all') {
    my ($status, $text) = IdentityTest::Server->new(start => 0, state => $server->state_folder, directives => "IdentityTrustedProxy $value\n")->check;
    isnt $status, 0, "M22: IdentityTrustedProxy $value is refused";
    like $text, qr/IdentityTrustedProxy needs proxy addresses or networks, such as .*, not \Q$value\E\./, '... with a sentence';
}

done_testing;

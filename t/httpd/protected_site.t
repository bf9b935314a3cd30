# SPDX-License-Identifier: Apache-2.0
# A whole site behind AuthType Identity: what stays open inside it and what does not (IdentityPublicCalls), what .htaccess may say, what the log tells of a refusal,
# and what is checked again while it lasts. (conf/README.md, directives.md)
# run on: event prefork asan
use strict;
use warnings FATAL => 'all';
use Digest::SHA ();
use IO::Select;
use MIME::Base64 'encode_base64';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
my $passwords = put("$folder/passwords", 'file:{SHA}' . encode_base64(Digest::SHA::sha1('door'), ''));
my $identity = "AuthType Identity\nAuthName site";
my $basic = "AuthType Basic\nAuthName front\nAuthBasicProvider file\nAuthUserFile $passwords";
sub all_of { my (@rules) = @_; return join "\n", $identity, '<RequireAll>', @rules, '</RequireAll>' }

# A site each: rules, and what POST and GET of public calls answer; nobody has shown a credential.
my %sites = (
    user => ["$identity\nRequire valid-user", 'open'],
    one_user => ["$identity\nRequire user ada\@example.org", 'open'],
    permission => ["$identity\nRequire identity-permission DESK.READ", 'open'],
    fresh_member => [all_of('Require identity-member account=default', 'Require identity-fresh 300'), 'open'],
    not_banned => [all_of('Require valid-user', 'Require not identity-role banned'), 'open'],
    off => ["$identity\nRequire valid-user\nIdentityPublicCalls Off", '401'],
    here => [all_of('Require valid-user', 'Require ip 127.0.0.0/8'), 'open'],
    elsewhere => [all_of('Require valid-user', 'Require ip 10.0.0.0/8'), '403'],
    elsewhere_first => [all_of('Require ip 10.0.0.0/8', 'Require valid-user'), '403'],
    elsewhere_alone => ["$identity\nRequire ip 10.0.0.0/8", '403'],
    here_or_user => ["$identity\n<RequireAny>\nRequire ip 10.0.0.0/8\nRequire valid-user\n</RequireAny>", 'open'],
    not_here => [all_of('Require valid-user', 'Require not ip 127.0.0.1'), '403'],
    denied => ["$identity\nRequire all denied", '403'],
    denied_and => [all_of('Require valid-user', 'Require all denied'), '403'],
    expr => [all_of('Require valid-user', 'Require expr "%{HTTP:X-Inside} == \'yes\'"'), '403'],
    tls => [all_of('Require valid-user', 'Require ssl'), '403'],
    other_type => ["$basic\nRequire valid-user", '401'],
    no_type => ['Require valid-user', '401'],
    granted => ["$identity\nRequire all granted", 'open'],
    order => ["$identity\nRequire valid-user\nOrder allow,deny\nDeny from all", '403'],
);
my ($hosts, %port) = ('');
my $base = IdentityTest::Server::free_port();
my $next = $base + 1;
for my $name (sort keys %sites) {
    $next++ until IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $next, Listen => 1, ReuseAddr => 1);
    $port{$name} = $next++;
    $hosts .= "Listen 127.0.0.1:$port{$name}\n<VirtualHost 127.0.0.1:$port{$name}>\n<Location />\n$sites{$name}[0]\n</Location>\n"
        . ($name eq 'off' ? "<Location /.well-known>\nIdentityPublicCalls On\n</Location>\n" : '') . "</VirtualHost>\n";
}
my %htaccess = (
    cookie => "$identity\nIdentityCookie On\nRequire valid-user", basic => "$identity\nIdentityBasicKeys On\nRequire identity-member entity=default",
    map({ (lc $_ => "$identity\nRequire valid-user\n$_") } 'IdentityForwardCredential On', 'IdentityForwardHeaders On', 'IdentityEnvPermissions On', 'IdentityStreamRecheck Off', 'IdentityPublicCalls Off', 'IdentityEngine On', 'IdentityCORSOrigin None', 'IdentityRequireTLS Off'));
for my $name (keys %htaccess) {
    (my $place = $name) =~ s/ .*//;
    put("$folder/ht-$place/.htaccess", "$htaccess{$name}\n");
    put("$folder/ht-$place/a.html", 'inside');
}
put("$folder/none/.htaccess", "IdentityCookie On\n");
put("$folder/slow/slow.cgi", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\nbegun\\n'\nsleep 20\n", 0755);
my %lasting = (identity => "$identity\nRequire valid-user", off => "$identity\nIdentityStreamRecheck Off\nRequire valid-user", line => "AuthType Basic\nAuthName x\nAuthBasicProvider identity\nRequire identity-member entity=default",
    basic => "AuthType Basic\nAuthName x\nAuthBasicProvider identity\nRequire valid-user", open => 'Require all granted');
my %lacking = (permission => 'Require identity-permission DESK.WRITE DESK.READ', role => 'Require identity-role no-such-role', team => 'Require identity-member team="The desk"', account => 'Require identity-member account=nowhere',
    not => "<RequireAll>\nRequire valid-user\nRequire not identity-member entity=default\n</RequireAll>", two => "<RequireAny>\nRequire identity-permission DESK.WRITE\nRequire identity-role no-such-role\n</RequireAny>", user => 'Require user nobody@example.org');
my $places = join '', map({ "Alias /lasting-$_ $folder/slow\n<Location /lasting-$_>\n$lasting{$_}\n</Location>\n" } sort keys %lasting), map({ "Alias /lacking-$_ $folder/files\n<Location /lacking-$_>\n$identity\n$lacking{$_}\n</Location>\n" } sort keys %lacking);
my $server = IdentityTest::Server->new(front => 1, port => $base, modules => [IdentityTest::Protected::cgi_modules(), qw(ssl access_compat)], directives => <<"END");
    @{[configuration() eq 'prefork' ? '' : "ScriptSock \${LOGS}/cgisock"]}
    <Directory "$folder">
        Require all granted
        Options +ExecCGI
        AddHandler cgi-script .cgi
        AllowOverride AuthConfig
    </Directory>
    <Directory "$folder/none">
        AllowOverride FileInfo Options Limit Indexes
    </Directory>
    Alias /ht $folder
    <Location /v1/oauth>
        IdentityCookie On
    </Location>
    <Location /status>
        SetHandler identity-status
    </Location>
    $places
    $hosts
END

# ---- IdentityPublicCalls -------------------------------------------------------------------------------------------------------------------------

# What .htaccess may not say is an alert of httpd's.
expect_in_log('not allowed here');

sub at
{
    my ($site, $method, $path, %headers) = @_;
    local $server->{host} = "127.0.0.1:$port{$site}";
    local $server->{http};
    my $body = $method eq 'POST' ? {headers => {'Content-Type' => 'application/json', %headers}, content => '{"email":"nobody@example.org"}'} : {headers => \%headers};
    return $server->http->request($method, $server->origin . $path, $body);
}

my @calls = (
    [POST => '/v1/oauth/request-password-reset', 200], [GET => '/v1/oauth/activate-user', 200], [HEAD => '/v1/oauth/reset-password', 200], [OPTIONS => '/v1/oauth/token', 204],
    [GET => '/.well-known/jwks.json', 200], [POST => '/v1/oauth/refresh-token', 401], [GET => '/v1/oauth/token', 405]);
for my $site (sort keys %sites) {
    my @wrong;
    for my $call (@calls) {
        my ($method, $path, $open) = @$call;
        my $want = $sites{$site}[1] eq 'open' || ($site eq 'off' && $path =~ /well-known/) ? $open : $sites{$site}[1];
        my $got = at($site, $method => $path)->{status};
        push @wrong, "$method $path: $got, not $want" unless $got == $want;
    }
    is join('; ', @wrong), '', "B16: $site: the public calls are " . ($sites{$site}[1] eq 'open' ? 'open' : "refused by $sites{$site}[1]");
    my $closed = $sites{$site}[1] eq '403' ? 403 : 401;
    is join(' ', map { at($site, GET => $_)->{status} } '/v1/users', '/v1/authentication-providers'), "$closed $closed", "B16: $site: no other call is";
    # Without an AuthType httpd cannot ask: 500.
    is at($site, GET => '/')->{status}, {granted => 200, no_type => 500}->{$site} // $closed, "B16: $site: nor is the site";
}
is at(expr => GET => '/v1/oauth/activate-user', 'X-Inside' => 'yes')->{status}, 200, 'B16: where the expression holds, they are open';
is at(user => GET => '/v1/openapi.json')->{status}, 401, 'B16: the description of the interface is no way in';
is at(user => POST => '/v1/authentication-providers/enabled')->{status}, 401, 'B16: nor is any other call without a credential';
is at(other_type => GET => '/v1/oauth/activate-user')->{headers}{'www-authenticate'}, 'Basic realm="front"', 'B16: another AuthType asks as ever';
is at(user => GET => '/v1/users', 'X-API-KEY' => $server->key)->{status}, 200, 'B16: the API inside takes its credentials';
is at(permission => GET => '/v1/oauth/activate-user', 'X-API-KEY' => 'idk_false')->{status}, 200, 'B16: a false credential does not matter to a call that needs none';
like $server->error_log, qr{ID0562: /v1/oauth/activate-user needs no credential, but this location requires a user \(IdentityPublicCalls Off\)}, 'B16: the log says why it is shut';

# ---- .htaccess -----------------------------------------------------------------------------------------------------------------------------------

my $ada = somebody($server, ['DESK.READ']);
my $login = $server->http->request(POST => $server->origin . '/v1/oauth/token', {
    headers => {'Content-Type' => 'application/json'}, content => qq({"username":"$ada->{name}","password":"$ada->{password}"})});
my ($access) = map { /^(identity_access=[^;]+);/ ? $1 : () } @{$login->{headers}{'set-cookie'}};
is ask($server, GET => '/ht/ht-cookie/a.html', Cookie => $access)->{status}, 200, 'M11: IdentityCookie in .htaccess';
is ask($server, GET => '/ht/ht-cookie/a.html')->{status}, 401, '... where nobody else gets in';
is ask($server, GET => '/ht/ht-cookie/a.html', basic(git => $server->key))->{status}, 401, '... nor by a password there';
is ask($server, GET => '/ht/ht-basic/a.html', basic(git => $server->key))->{status}, 200, 'M11: IdentityBasicKeys in .htaccess';
is ask($server, GET => '/ht/ht-basic/a.html', Cookie => $access)->{status}, 401, '... where no cookie is taken';
for my $name (sort grep { / / } keys %htaccess) {
    (my $place = $name) =~ s/ .*//;
    is ask($server, GET => "/ht/ht-$place/a.html", @{$ada->{bearer}})->{status}, 500, "M11: $place is not allowed in .htaccess";
    like $server->error_log, qr/$place not allowed here/i, '... as the log says';
}
is ask($server, GET => '/ht/none/a.html')->{status}, 500, 'M11: IdentityCookie needs AllowOverride AuthConfig';

# ---- what a refusal says --------------------------------------------------------------------------------------------------------------------------

my $team = $server->api(POST => '/v1/teams', {name => 'The desk'})->json->{id};
sub said { my ($place) = @_; is ask($server, GET => "/lacking-$place/a.html", @{$ada->{bearer}})->{status}, $place eq 'permission' ? 200 : 403, "M16: $place"; return $server->error_log }
my $may = qr{\Q$ada->{name}\E is denied access: };
said('permission');
like said('role'), qr{ID0563: /lacking-role/a\.html: ${may}lacks 'Require identity-role no-such-role' \(there is no role no-such-role\)}, 'M16: which line, and that there is no such role';
like said('team'), qr{/lacking-team/a\.html: ${may}lacks 'Require identity-member team="The desk"' \(teams are named by id: write team=$team for team=The desk\)}, 'A2: which id to write for the name of a team';
like said('account'), qr{${may}lacks 'Require identity-member account=nowhere' \(there is no account nowhere\)}, 'M16: that there is no such account';
like said('not'), qr{${may}is refused by 'Require not identity-member entity=default'}, 'M16: a negated line';
like said('two'), qr{${may}lacks 'Require identity-permission DESK\.WRITE'; lacks 'Require identity-role no-such-role' \(there is no role no-such-role\)}, 'M16: each line that did not let in';
like said('user'), qr{${may}not because of a 'Require identity-\.\.\.' line}, 'M16: a line of another module';

# ---- IdentityStreamRecheck ------------------------------------------------------------------------------------------------------------------------

sub streams { return ask($server, GET => '/status?auto')->{text} =~ /^IdentityStreams: (\d+)/m ? $1 : 'none' }
for my $case ([identity => 1, @{$ada->{bearer}}], [off => 0, @{$ada->{bearer}}], [line => 1, basic($ada->{name}, $ada->{password})], [basic => 0, basic($ada->{name}, $ada->{password})], [open => 0]) {
    my ($place, $count, @credential) = @$case;
    my $socket = IO::Socket::INET->new(PeerAddr => $server->host, Timeout => 10) or die "connect: $!";
    syswrite $socket, join "\r\n", "GET /lasting-$place/slow.cgi HTTP/1.1", "Host: $server->{host}", (@credential ? "$credential[0]: $credential[1]" : ()), '', '';
    my $text = '';
    while ($text !~ /begun/ && IO::Select->new($socket)->can_read(30) && sysread $socket, $text, 4096, length $text) { }
    like $text, qr{^HTTP/1\.1 200 .*begun}s, "M15: an answer that lasts: $place";
    is streams(), $count, 'M15: ... is ' . ($count ? 'looked after' : 'left alone');
    close $socket;
    # Seen to be over before the next one begins: httpd is told by the program's end or by the client's.
    for (1 .. 300) { last if streams() eq '0'; select undef, undef, undef, 0.1 }
}

done_testing;

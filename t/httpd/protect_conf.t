# SPDX-License-Identifier: Apache-2.0
# What protects content in a configuration: faults stop `httpd -t` with a sentence, and every server knows by which identities it protects. (security 65, 93)
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Database ();
use IdentityTest::Server;

my $top = $ENV{IDENTITY_TOP};
my $folder = IdentityTest::Protected::folder();
my $server = IdentityTest::Server->new(start => 0);
my $state = $server->state_folder;

# ---- values ------------------------------------------------------------------------------------------------------------------------------------

my $permission = qr/identity-permission needs names such as REPORT\.VIEW/;
my $member = qr/identity-member needs account=REFERENCE\|ID, team=ID or entity=REFERENCE\|ID, not/;
my $digest = 'LoadModule auth_digest_module ' . IdentityTest::Server::libexec() . "/mod_auth_digest.so\n";
my @refused = (
    'Require identity-permission' => qr/Require identity-permission: a permission is needed/,
    'Require identity-permission report.view' => $permission,
    'Require identity-permission REPORT' => $permission,
    'Require identity-permission REPORT.VIEW REPORT,EDIT' => $permission,
    'Require not identity-permission "REPORT VIEW"' => $permission,
    'Require identity-permission %{ENV:WANTED}' => $permission,
    'Require identity-role' => qr/Require identity-role: the slug or id of a role is needed/,
    'Require identity-role ""' => qr/identity-role needs the slugs or ids/,
    'Require identity-role "User Administrator"' => qr/identity-role needs the slugs or ids of roles, not their names, .* write user-administrator for "User Administrator"/,
    'Require identity-role Administrator' => qr/write full-access for "Administrator"/,
    'Require identity-role ADMINISTRATOR' => qr/write full-access for "ADMINISTRATOR"/,
    'Require not identity-role "Night Shift"' => qr/write night-shift for "Night Shift"/,
    'Require identity-role night-shift Banned' => qr/write banned for "Banned"/,
    'Require identity-role role_short' => qr/identity-role needs the slugs or ids/,
    "<AuthzProviderAlias identity-role staff Staff>\n</AuthzProviderAlias>" => qr/write staff for "Staff"/,
    'Require identity-member' => qr/Require identity-member: account=, team= or entity= is needed/,
    'Require identity-member default' => $member,
    'Require identity-member account=' => $member,
    'Require identity-member group=default' => $member,
    'Require identity-fresh' => qr/identity-fresh \(seconds since the sign-in\)/,
    'Require identity-fresh 0' => qr/identity-fresh \(seconds since the sign-in\)/,
    'Require identity-fresh 5m' => qr/identity-fresh \(seconds since the sign-in\)/,
    'Require identity-fresh -1' => qr/identity-fresh \(seconds since the sign-in\)/,
    'Require identity-fresh 300 600' => qr/identity-fresh takes one number of seconds/,
    'Require identity-anything x' => qr/Unknown Authz provider: identity-anything/,
    map({ ("$_ Perhaps" => qr/$_ must be On or Off/, "<Limit GET>\n$_ On\n</Limit>" => qr/$_ .*cannot occur within <Limit>|$_ not allowed/i) }
        qw(IdentityBasicKeys IdentityCookie IdentityForwardHeaders IdentityForwardCredential IdentityEnvPermissions)),
    'IdentityStreamRecheck 5' => qr/IdentityStreamRecheck .*unit|IdentityStreamRecheck .*s, m, h or d/,
    'IdentityStreamRecheck 0s' => qr/IdentityStreamRecheck /,
    'IdentityStreamRecheck On' => qr/IdentityStreamRecheck /,
    "<Limit GET>\nIdentityStreamRecheck 5s\n</Limit>" => qr/IdentityStreamRecheck .*cannot occur within <Limit>|not allowed/i,
    "AuthType Digest\nAuthDigestProvider identity" => qr/identity.* Authn provider doesn't support Digest/,
);
while (my ($lines, $sentence) = splice @refused, 0, 2) {
    my $one = IdentityTest::Server->new(start => 0, state => $state, directives => ($lines =~ /Digest/ ? $digest : '') . ($lines =~ /^<Authz/ ? "$lines\n" : "<Location /x>\n$lines\n</Location>\n"));
    my ($status, $text) = $one->check;
    isnt $status, 0, "refused: $lines";
    like $text, $sentence, ($lines =~ /identity-role/ ? 'A2: ' : '') . '... and why';
}

# ---- names that nothing has ----------------------------------------------------------------------------------------------------------------------

my $maker = IdentityTest::Server->new(state => $state);
my $desk = $maker->api(POST => '/v1/teams', {name => 'The desk'})->json->{id};
$maker->api(POST => '/v1/roles', {name => 'Night shift', permissions => ['DESK.READ']})->status < 300 or die "no role\n";
$maker->stop;
for my $case (
    ['identity-role night-shift full-access', undef], ['identity-role day-shift', 'there is no role day-shift'], ['not identity-role day-shift', 'there is no role day-shift'],
    ['identity-member account=default entity=default', undef], ['identity-member account=nowhere', 'there is no account nowhere'], ['identity-member entity=nobody', 'there is no entity nobody'],
    ["identity-member team=$desk", undef], ['identity-member team="The desk"', "teams are named by id: write team=$desk for team=The desk"], ['identity-member team=none', 'there is no team none'],
    ['identity-permission DESK.NEVER_MADE', undef]) {
    my ($line, $warning) = @$case;
    my ($status, $text) = IdentityTest::Server->new(start => 0, state => $state, directives => "<Location /x>\n<RequireAll>\nRequire valid-user\nRequire $line\n</RequireAll>\n</Location>\n")->check;
    is $status, 0, "M16: Require $line is taken" or diag $text;
    my ($said) = $text =~ /ID0564: \S+httpd\.conf, line \d+: (.*)/;
    is $said, $warning, 'M16: ... ' . ($warning ? 'with a warning' : 'without a warning');
}
for my $case (
    ['user ada@example.org', ''], ['user ada', ''], ['user Ada@Example.org', 'Ada@Example.org in Require user; the name is ada@example.org'], ['not user "Ada@example.org"', 'Ada@example.org in Require user; the name is ada@example.org'],
    ["user eve\@example.org ada\@b\x{fc}cher.example", "ada\@b\x{fc}cher.example in Require user; the name is ada\@xn--bcher-kva.example"], ['group Ada@Example.org', '']) {
    my ($line, $warning) = map { utf8::encode(my $bytes = $_); $bytes } @$case;
    my ($status, $text) = IdentityTest::Server->new(start => 0, state => $state, modules => ['authz_groupfile'], directives => "<Location /x>\n<RequireAll>\nRequire valid-user\nRequire $line\n</RequireAll>\n</Location>\n")->check;
    is $status, 0, "B10: Require $line is taken" or diag $text;
    my ($said) = $text =~ /ID0565: \S+httpd\.conf, line \d+: no user of the identity database is named (.*)/;
    is $said // '', $warning =~ s/([\x80-\xff])/sprintf '\\x%02x', ord $1/egr, 'B10: ... ' . ($warning ? 'with a warning' : 'without a warning');
}
# A database that is not there is not made for it.
my $missing = IdentityTest::Server->new(start => 0, state => $state, directives => "DBDParams $top/t/servers/missing.$$.db\n<Location /x>\nRequire identity-role day-shift\n</Location>\n");
my (undef, $silent) = $missing->check;
unlike $silent, qr/ID0564/, 'M16: without a database there is nothing to warn of';
ok !-e "$top/t/servers/missing.$$.db", '... and none is made';

# ---- without a database, with another one --------------------------------------------------------------------------------------------------------

open my $in, '<', "$top/t/conf/base.conf" or die $!;
chomp(my @modules = <$in>);
my $ours = "LoadModule identity_module $top/bin/mod_identity.so";
for my $asks ("AuthType Identity\nAuthName x\nRequire valid-user", "AuthType Basic\nAuthName x\nAuthBasicProvider identity\nRequire valid-user", 'Require identity-role x', "<RequireAll>\nRequire valid-user\nRequire not identity-role x\n</RequireAll>") {
    $server->lay(@modules, $ours, "<Location /x>\n$asks\n</Location>");
    like + ($server->check)[1], qr/ID0502: Identities are required .*DBDriver/, "no database is named: $asks # security 93";
}

my $second = "$top/t/servers/second.$$";
IdentityTest::Database::make_state($second);
my @database = map { "DBDriver sqlite3\nDBDParams $_/identity.db\nDBDPersist On" } $state, $second;
my @ports;
for (my $port = (split /:/, $server->host)[1]; @ports < 5; $port++) {
    push @ports, $port if IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1);
}
my $place = "Alias /x $folder/files\n<Location /x>\nAuthType Identity\nAuthName x\nRequire valid-user\n</Location>\n<Directory $folder>\nRequire all granted\nAllowOverride AuthConfig\n</Directory>";
put("$folder/open/.htaccess", "AuthType Identity\nRequire valid-user\n");
put("$folder/open/a.html", 'something');
my $api = "<Location /v1>\nIdentityEngine On\n</Location>";
sub vhost { my ($port, @lines) = @_; return join "\n", "Listen 127.0.0.1:$port", "<VirtualHost 127.0.0.1:$port>", @lines, '</VirtualHost>' }
$server->lay(
    @modules, $ours, 'LogLevel info',
    # Nothing of ours in the main server; what .htaccess asks there cannot be known at start.
    "Alias /open $folder/open\n<Directory $folder>\nRequire all granted\nAllowOverride AuthConfig\n</Directory>",
    vhost($ports[1], $database[0], "IdentityPublicURL http://127.0.0.1:$ports[1]", $api, $place),
    vhost($ports[2], $database[0], $place),
    vhost($ports[3], $database[0], 'IdentityRequireTLS Off', $place),
    vhost($ports[4], $database[1], $place));
my ($status, $text) = $server->check;
is $status, 0, 'a server that answers the API and others that only protect something' or diag $text;
$server->{no_http} = 1;
$server->start;
my $key = $server->key;
my $other = do { open my $file, '<', "$second/admin-api-key" or die $!; <$file> =~ s/\s+\z//r };
sub at { my ($port, $code, @more) = @_; local $server->{host} = "127.0.0.1:$port"; local $server->{http}; return $code->(@more) }
sub status_at { my ($port, $path, @headers) = @_; return at($port, sub { ask($server, GET => $path, @headers)->{status} }) }

my $person = at($ports[1], sub { somebody($server, ['REPORT.VIEW']) });
is join(' ', map { status_at($_, '/x/a.html', @{$person->{bearer}}) } @ports[1 .. 4]), '200 200 200 401', 'the token of the server that answers the API, where the database is the same';
is join(' ', map { status_at($_, '/x/a.html', 'X-API-KEY' => $key) } @ports[1 .. 4]), '200 200 200 401', '... a key';
is join(' ', map { status_at($_, '/x/a.html', 'X-API-KEY' => $other) } @ports[1 .. 4]), '401 401 401 200', '... a key of the other database';
is join(' ', map { status_at($_, '/x/a.html') } @ports[1 .. 4]), '401 401 401 401', '... nobody';
is join(' ', map { status_at($_, '/v1/users', 'X-API-KEY' => $key) } @ports[2 .. 4]), '404 404 404', 'the API is not there';
is status_at($ports[0], '/open/a.html', 'X-API-KEY' => $key), 500, 'asked for in .htaccess alone: nobody gets in # security 65';
is status_at($ports[0], '/open/a.html'), 500, '... whoever asks';
like $server->error_log, qr/ID0592: this location requires identities, but mod_identity is not active on this server/, '... and the log says why';
$server->stop;

# All of it in the main server is all of it in each virtual host.
$server->lay(@modules, $ours, $database[0], 'IdentityRequireTLS Off', $place, vhost($ports[1], 'ServerName a.example'), vhost($ports[2], 'ServerName b.example', 'IdentityForwardHeaders On'));
$server->start;
is join(' ', map { status_at($_, '/x/a.html', 'X-API-KEY' => $key) } @ports[0 .. 2]), '200 200 200', 'without the API: the main server and its virtual hosts';
is join(' ', map { status_at($_, '/x/a.html') } @ports[0 .. 2]), '401 401 401', '... nobody';

done_testing;

# SPDX-License-Identifier: Apache-2.0
# The examples of conf/examples, each as it is shipped but for paths and ports: git by git itself, WebDAV, programs, FastCGI, applications behind, a browser's way in.
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use lib 't/httpd/lib';
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;
use WebDriver;

my $top = $ENV{IDENTITY_TOP};
my $folder = IdentityTest::Protected::folder();
my ($app, $grafana, $fast) = (IdentityTest::Protected->backend, IdentityTest::Protected->backend, IdentityTest::Protected->fastcgi);
mkdir "$folder/$_" for qw(git shared lock);
put("$folder/reports/q1.html", 'the figures');
put("$folder/intranet/index.html", 'welcome');

# What of a site stands in the examples, and what stands for it here.
my %here = (
    '/srv/programs/' => "$folder/cgi/", '/srv/programs' => "$folder/cgi", '/srv/files' => "$folder/shared", '/srv/' => "$folder/", '/var/lib/dav/lock' => "$folder/lock/dav",
    '/usr/local/share/identity/examples' => "$top/conf/examples", '/usr/lib/git-core' => `git --exec-path` =~ s/\s+\z//r,
    'http://127.0.0.1:8000' => $app->url, 'http://127.0.0.1:3000' => $grafana->url, 'fcgi://127.0.0.1:9000' => $fast->url,
);
# The team's id stands in an example.
my $before = IdentityTest::Server->new;
my $team = $here{team_0000000000000000Dsgn} = $before->api(POST => '/v1/teams', {name => 'Design'})->json->{id};
$before->stop;
my $pattern = join '|', map { quotemeta } sort { length $b <=> length $a } keys %here;
sub example { my ($path) = @_; open my $in, '<', $path or die "$path: $!"; local $/; return <$in> =~ s/($pattern)/$here{$1}/gr }
my $directives = '';
for my $path (sort glob "$top/conf/examples/*.conf") {
    # site.conf protects everything: it has a server of its own below.
    $directives .= example($path) unless $path =~ m{/site\.conf$};
}
my $server = IdentityTest::Server->new(state => $before->state_folder, modules => [qw(cgid proxy proxy_http proxy_fcgi dav dav_fs)], directives => <<"END");
    ScriptSock \${LOGS}/cgisock
    $directives
END

my $role = $server->api(POST => '/v1/roles', {name => 'Reader', permissions => ['REPORTS.READ']})->json->{id};
my ($administrator) = grep { $_->{slug} eq 'full-access' } @{$server->api(GET => '/v1/roles?name=Administrator')->json->{data}};
my ($helper) = grep { $_->{name} eq 'User Administrator' } @{$server->api(GET => '/v1/roles?name=User%20Administrator')->json->{data}};
my $ada = somebody($server, ['REPORTS.READ'], role_ids => [$role, $administrator->{id}, $helper->{id}]);
my $bob = somebody($server, ['ROLE.VIEW']);
my $key = $server->api(POST => '/v1/api-keys', {permissions => ['REPOSITORY.VIEW', 'REPOSITORY.UPDATE', 'REPORTS.READ']})->json->{api_key};
my $reader = $server->api(POST => '/v1/api-keys', {permissions => ['REPOSITORY.VIEW']})->json->{api_key};

# ---- static, cgi, app ---------------------------------------------------------------------------------------------------------------------------

sub statuses { my ($path) = @_; return join ' ', map { ask($server, GET => $path, @$_)->{status} } [], $ada->{bearer}, $bob->{bearer}, ['X-API-KEY' => $key] }
is statuses('/reports/q1.html'), '401 200 403 200', 'static.conf';
is statuses('/programs/echo.cgi'), '401 200 403 403', 'cgi.conf';
my $answer = ask($server, GET => '/programs/echo.cgi', @{$ada->{bearer}});
is line_of($answer, $_->[0]), $_->[1], "... $_->[0]" for [REMOTE_USER => $ada->{name}], [IDENTITY_USER_ID => $ada->{id}], [IDENTITY_PERMISSIONS => '*'];
is statuses('/fast/x'), '401 200 200 200', 'cgi.conf, FastCGI';
$answer = ask($server, GET => '/fast/x', @{$bob->{bearer}});
is line_of($answer, $_->[0]), $_->[1], "... $_->[0]" for [REMOTE_USER => $bob->{name}], [IDENTITY_USER_ID => $bob->{id}], [IDENTITY_AUTH => 'bearer'];
unlike $answer->{text}, qr/\Q$bob->{bearer}[1]\E/, '... without the token';
is statuses('/app/x'), '401 200 200 403', 'app.conf';
is line_of(ask($server, GET => '/app/x', @{$ada->{bearer}}, 'X_Identity_User-Id' => 'forged'), 'X-Identity-User-Id'), $ada->{id}, '... is told who it is';
is statuses('/app/admin/x'), '401 200 403 403', '... and its administration';

# ---- git ---------------------------------------------------------------------------------------------------------------------------------------

my $git = "env HOME='$folder' GIT_TERMINAL_PROMPT=0 git -c user.name=x -c user.email=x\@example.org -c init.defaultBranch=main";
my $url = "http://git:$key\@$server->{host}/git/project.git";
sub run { my ($command) = @_; my $said = `$command 2>&1`; return $? == 0 ? 'done' : "failed: $said" }
is run("$git init -q --bare '$folder/git/project.git' && $git init -q '$folder/work' && $git -C '$folder/work' commit -q --allow-empty -m first"), 'done', 'git.conf: a repository';
is run("$git -C '$folder/work' push -q '$url' HEAD:main"), 'done', '... pushed to';
is run("$git clone -q -b main '$url' '$folder/clone'"), 'done', '... and cloned, with a key as password';
is run("$git clone -q -b main 'http://whoever:$reader\@$server->{host}/git/project.git' '$folder/other'"), 'done', '... by who may only read';
like run("$git -C '$folder/work' push -q 'http://whoever:$reader\@$server->{host}/git/project.git' HEAD:more"), qr/^failed: .*403/s, '... who pushes nothing';
like run("$git clone -q '$server->{host}/git/project.git' '$folder/none'"), qr/^failed/, '... nor nobody';
like run("$git clone -q 'http://$server->{host}/git/project.git' '$folder/none'"), qr/^failed: .*(?:could not read Username|Authentication failed)/s, '... who is asked for a password';

# A personal key is its owner: who pushed is the person by name, in the access log and in hooks.
my $writes = $server->api(POST => '/v1/roles', {name => 'Committer', permissions => ['REPOSITORY.VIEW', 'REPOSITORY.UPDATE']})->json->{id};
my $carol = somebody($server, [], role_ids => [$writes]);
sub personal { my ($body, @with) = @_; return $server->api(POST => "/v1/users/$carol->{id}/api-keys", $body, 'X-API-KEY' => undef, @with)->json }
my $own = personal({description => 'git'}, @{$carol->{bearer}});
my $looks = personal({permissions => ['REPOSITORY.VIEW']}, @{$carol->{bearer}});
put("$folder/git/project.git/hooks/post-receive", "#!/bin/sh\necho \"\$REMOTE_USER \$IDENTITY_USER_ID \$IDENTITY_AUTH\" >> '$folder/pushed'\n", 0755);
my $personal_url = "http://carol:$own->{api_key}\@$server->{host}/git/project.git";
is run("$git clone -q -b main '$personal_url' '$folder/personal'"), 'done', 'M4: git.conf: cloned with a personal key';
is run("$git -C '$folder/personal' commit -q --allow-empty -m personal && $git -C '$folder/personal' push -q origin HEAD:main"), 'done', 'M4: and pushed to';
is do { local (@ARGV, $/) = "$folder/pushed"; <> }, "$carol->{name} $carol->{id} key\n", 'M4: REMOTE_USER is the name of the person, IDENTITY_AUTH is key';
like run("$git -C '$folder/personal' push -q 'http://carol:$looks->{api_key}\@$server->{host}/git/project.git' HEAD:more"), qr/^failed: .*403/s, 'M4: one narrowed to reading pushes nothing';
is $server->api(DELETE => "/v1/users/$carol->{id}/api-keys/$own->{id}", undef, 'X-API-KEY' => undef, @{$carol->{bearer}})->status, 200, 'M4: the key is deleted';
like run("$git clone -q '$personal_url' '$folder/ended'"), qr/^failed/, 'M4: and opens nothing from then on';

# ---- WebDAV -------------------------------------------------------------------------------------------------------------------------------------

$server->api(POST => "/v1/users/$ada->{id}/teams", {team_id => $team});
my @ada = basic($ada->{name}, $ada->{password});
sub dav { my ($method, $path, $text, @headers) = @_; return $server->http->request($method, $server->origin . $path, {headers => {@headers}, content => $text // ''})->{status} }
is dav(PUT => '/files/plan.txt', 'the plan', @ada), 201, 'webdav.conf: a file is written';
is dav(PROPFIND => '/files/', undef, @ada, Depth => 1), 207, '... listed';
is dav(MKCOL => '/files/more', undef, @ada), 201, '... a folder made';
is dav(MOVE => '/files/plan.txt', undef, @ada, Destination => $server->origin . '/files/more/plan.txt'), 201, '... and the file moved there';
is ask($server, GET => '/files/more/plan.txt', @ada)->{text}, 'the plan', '... where it is';
is dav(PUT => '/files/plan.txt', 'mine', basic($bob->{name}, $bob->{password})), 403, '... by nobody else';
is dav(PUT => '/files/plan.txt', 'mine'), 401, '... nor by nobody';

# ---- browsers -----------------------------------------------------------------------------------------------------------------------------------

my @html = (Accept => 'text/html');
$answer = ask($server, GET => '/intranet/', @html);
is $answer->{status}, 401, 'browser.conf: not signed in';
like $answer->{text}, qr{<title>Sign in</title>}, '... the page that signs in';
is ask($server, GET => '/v1/oauth/sign-in')->{status}, 200, '... which is there by itself, too';
my $in = $server->http->request(POST => $server->origin . '/v1/oauth/token', {
    headers => {'Content-Type' => 'application/json', Origin => $server->origin}, content => qq({"username":"$ada->{name}","password":"$ada->{password}"})});
my ($access) = map { /^(identity_access=[^;]+);/ ? $1 : () } @{$in->{headers}{'set-cookie'}};
is ask($server, GET => '/intranet/', Cookie => $access)->{text}, 'welcome', '... signed in';
$answer = ask($server, GET => '/grafana/d/1', Cookie => "$access; grafana_session=1");
is line_of($answer, 'X-Identity-Username'), $ada->{name}, 'grafana.conf: who it is';
is line_of($answer, 'Cookie'), 'grafana_session=1', '... and its own cookie';
is ask($server, GET => '/grafana/', 'X-Identity-Username' => 'admin')->{status}, 401, '... nobody gets in by a header';
is ask($server, POST => '/grafana/api', Cookie => $access, Origin => 'https://evil.example')->{status}, 403, '... nor does another site by the cookie # security 42';
is ask($server, POST => '/grafana/api', Cookie => $access, Origin => $server->origin)->{status}, 200, '... its own pages do';
my ($refresh) = map { /^(identity_refresh=[^;]+);/ ? $1 : () } @{$in->{headers}{'set-cookie'}};
my $out = $server->http->request(POST => $server->origin . '/v1/oauth/logout', {headers => {Cookie => "$refresh; $access", Origin => $server->origin}});
is $out->{status}, 200, 'signed out';
is scalar(grep { /^identity_access=; .*Max-Age=0/ } @{$out->{headers}{'set-cookie'}}), 1, '... the cookie is taken back # security 41';
is ask($server, GET => '/intranet/', Cookie => $access)->{status}, 401, '... and is worth nothing # security 37';

my $browser = WebDriver->start;
$browser->open($server->origin . '/intranet/');
is $browser->title, 'Sign in', 'a browser is shown the page';
sub fill { my ($password) = @_; $browser->wait_for('#name')->clear->type($ada->{name}); $browser->find('#present')->clear->type($password); $browser->find('#signin-form .main')->click }
fill('Wrong1horse');
is $browser->wait_for(sub { $browser->find('#signin-problem')->text }), 'The name or the password is wrong.', '... which tells what is wrong';
fill($ada->{password});
ok $browser->wait_for(sub { $browser->source =~ /welcome/ }), '... and leads on to what was asked for';
like $browser->url, qr{/intranet/$}, '... at its own address';
is $browser->script('return document.cookie'), '', '... of whose cookies no script knows # security 41';
$browser->stop;

# ---- a whole site --------------------------------------------------------------------------------------------------------------------------------

$server->stop;
put("$folder/site/index.html", 'the site');
my $site = IdentityTest::Server->new(state => $before->state_folder, directives => example("$top/conf/examples/site.conf"));
$answer = ask($site, GET => '/', @html);
is $answer->{status}, 401, 'B16: site.conf: nobody sees the site';
like $answer->{text}, qr{<title>Sign in</title>}, '... but the page that signs in';
is ask($site, GET => '/v1/oauth/sign-in', @html)->{status}, 200, 'B16: ... which is open by itself';
is ask($site, GET => "/v1/oauth/$_")->{status}, 200, "B16: the page of mailed links is open: $_" for qw(activate-user reset-password);
is ask($site, GET => "/.well-known/$_")->{status}, 200, "B16: /.well-known/$_ is open" for qw(jwks.json oauth-authorization-server);
is ask($site, GET => '/v1/users')->{status}, 401, 'B16: the API asks for a credential as ever';
is ask($site, GET => '/v1/users', 'X-API-KEY' => $site->key)->{status}, 200, '... and takes it';
$in = $site->http->request(POST => $site->origin . '/v1/oauth/token', {
    headers => {'Content-Type' => 'application/json', Origin => $site->origin}, content => qq({"username":"$ada->{name}","password":"$ada->{password}"})});
is $in->{status}, 200, 'B16: signing in is open';
($access) = map { /^(identity_access=[^;]+);/ ? $1 : () } @{$in->{headers}{'set-cookie'}};
($refresh) = map { /^(identity_refresh=[^;]+);/ ? $1 : () } @{$in->{headers}{'set-cookie'}};
is ask($site, GET => '/', Cookie => $access)->{text}, 'the site', 'B16: who has signed in sees the site';
is $site->http->request(POST => $site->origin . '/v1/oauth/logout', {headers => {Cookie => "$refresh; $access", Origin => $site->origin}})->{status}, 200, 'B16: signing out is open';
is ask($site, GET => '/', Cookie => $access)->{status}, 401, '... and the site is shut again';

done_testing;

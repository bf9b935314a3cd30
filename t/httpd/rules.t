# SPDX-License-Identifier: Apache-2.0
# Require identity-..., with each other and with httpd's own rules; AuthBasicProvider identity; what becomes of faults. (conf/README.md; security 13, 37, 65)
# run on: event asan
use strict;
use warnings FATAL => 'all';
use Digest::SHA ();
use MIME::Base64 'encode_base64';
use Test::More;
use Time::HiRes 'sleep';
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
put("$folder/files/.unused", '');
my $passwords = put("$folder/passwords", 'file:{SHA}' . encode_base64(Digest::SHA::sha1('door'), ''));

# Each rule is a place of its own.
my %rules = (
    valid => 'Require valid-user',
    permission => 'Require identity-permission REPORT.VIEW',
    unknown => 'Require identity-permission NOBODY.KNOWS.THIS',
    role_slug => 'Require identity-role nothing role-1',
    role_of_two => "<RequireAll>\nRequire identity-role role-1\nRequire identity-role role-2\n</RequireAll>",
    account => 'Require identity-member account=default',
    foreign_account => 'Require identity-member account=other',
    team => 'Require identity-member team=TEAM team=none',
    team_name => 'Require identity-member team="The team"',
    role_id => 'Require identity-role ROLE',
    entity => 'Require identity-member entity=default',
    foreign_entity => 'Require identity-member entity=other',
    fresh => 'Require identity-fresh 300',
    fresh_and => "<RequireAll>\nRequire identity-fresh 300\nRequire identity-permission REPORT.VIEW\n</RequireAll>",
    any => "<RequireAny>\nRequire identity-permission REPORT.VIEW\nRequire identity-role role-2\n</RequireAny>",
    none => "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire identity-role role-2\n</RequireNone>\n</RequireAll>",
    not => "<RequireAll>\nRequire valid-user\nRequire not identity-role role-2\n</RequireAll>",
    somebody => 'Require user person1@protect.example',
    local_any => "<RequireAny>\nRequire ip 127.0.0.0/8\nRequire identity-permission REPORT.VIEW\n</RequireAny>",
    denied => "<RequireAll>\nRequire all denied\nRequire identity-permission REPORT.VIEW\n</RequireAll>",
    expr => 'Require expr "%{REMOTE_USER} != \'\' && reqenv(\'IDENTITY_AUTH\') == \'key\'"',
    satisfy_all => "Require identity-permission REPORT.VIEW\nSatisfy All\nOrder allow,deny\nDeny from all",
    satisfy_any => "Require identity-permission REPORT.VIEW\nSatisfy Any\nOrder deny,allow\nDeny from all",
    forbidden => "AuthzSendForbiddenOnFailure On\nRequire identity-permission REPORT.VIEW",
);
# What stands in the configuration by its id is made by a server before this one.
my $before = IdentityTest::Server->new;
my $team = $before->api(POST => '/v1/teams', {name => 'The team'})->json->{id};
my $role = $before->api(POST => '/v1/roles', {name => 'Role 1', permissions => ['REPORT.VIEW']})->json->{id};
$before->stop;
s/TEAM/$team/, s/ROLE$/$role/ for values %rules;
my $places = join '', map { "    Alias /rule/$_ $folder/files\n    <Location /rule/$_>\n        AuthType Identity\n        AuthName rule\n$rules{$_}\n    </Location>\n" } sort keys %rules;
my %basic = (
    pass => "AuthBasicProvider identity\nRequire valid-user",
    pass_permission => "AuthBasicProvider identity\nRequire identity-permission REPORT.VIEW",
    pass_first => "AuthBasicProvider identity file\nRequire valid-user",
    pass_last => "AuthBasicProvider file identity\nRequire valid-user",
    pass_not => "AuthBasicProvider file identity\n<RequireAll>\nRequire valid-user\nRequire not identity-role role-2\n</RequireAll>",
    pass_loose => "AuthBasicProvider identity\nAuthBasicAuthoritative Off\nRequire valid-user",
    pass_fresh => "AuthBasicProvider identity\nRequire identity-fresh 300",
);
$places .= join '',
    map { "    Alias /$_ $folder/files\n    <Location /$_>\n        AuthType Basic\n        AuthName pass\n        AuthUserFile $passwords\n$basic{$_}\n    </Location>\n" } sort keys %basic;
my $server = IdentityTest::Server->new(state => $before->state_folder, modules => [qw(access_compat), IdentityTest::Protected::cgi_modules()], directives => <<"END");
    ScriptSock \${LOGS}/cgisock
    IdentityDatabaseWait 1s
    IdentityRateLimit login 12/1m
    <Directory "$folder">
        Require all granted
        Options +ExecCGI
        AddHandler cgi-script .cgi
    </Directory>
    Alias /pass/cgi $folder/cgi
    <Location /v1/audit-records>
        AuthType Identity
        AuthName api
        Require identity-permission AUDIT.VIEW AUDIT_RECORD.VIEW AUDIT.RECORD.VIEW
    </Location>
$places
END

my $one = somebody($server, ['REPORT.VIEW'], role_ids => [$role]);
$one->{role} = $role;
my $two = somebody($server, ['ROLE.VIEW']);
my $user = $server->api(POST => "/v1/users/$one->{id}/teams", {team_id => $team});
is $user->status, 201, 'somebody joins a team';
my $key = $server->api(POST => '/v1/api-keys', {})->json;
my $old = somebody($server, ['REPORT.VIEW']);
alter_db("UPDATE sessions SET authenticated_at = authenticated_at - 400000000 WHERE user_id = '$old->{id}'", $server);

# ---- Require ----------------------------------------------------------------------------------------------------------------------------------

sub statuses { my ($place) = @_; return join ' ', map { ask($server, GET => "/rule/$place/a.html", @$_)->{status} } [], $one->{bearer}, $two->{bearer}, ['X-API-KEY' => $key->{api_key}], $old->{bearer} }

# nobody, one, two, an administrator's key, somebody whose sign-in is old
my %expected = (
    valid => '401 200 200 200 200', permission => '401 200 403 200 200', unknown => '401 403 403 200 403', role_id => '401 200 403 403 403', team_name => '401 403 403 403 403',
    role_slug => '401 200 403 403 403', role_of_two => '401 403 403 403 403', account => '401 200 200 403 200', foreign_account => '401 403 403 403 403',
    team => '401 200 403 403 403', entity => '401 200 200 200 200', foreign_entity => '401 403 403 403 403', fresh => '401 200 200 403 401',
    fresh_and => '401 200 403 403 401', any => '401 200 200 200 200', none => '401 200 403 403 200', not => '401 200 403 403 200',
    somebody => '401 200 403 403 403', local_any => '200 200 200 200 200', denied => '403 403 403 403 403', expr => '401 403 403 200 403',
    satisfy_all => '403 403 403 403 403', satisfy_any => '401 200 403 200 200', forbidden => '401 200 403 200 200',
);
is statuses($_), $expected{$_}, "$_ # security 65, 66" for sort keys %expected;
my $answer = ask($server, GET => '/rule/fresh/a.html', @{$old->{bearer}});
is $answer->{headers}{'www-authenticate'}, 'Bearer realm="rule", error="insufficient_user_authentication", max_age="300"', 'too old: sign in anew (RFC 9470)';

# ---- in front of the API ------------------------------------------------------------------------------------------------------------------------

is ask($server, GET => '/v1/audit-records', 'X-API-KEY' => $key->{api_key})->{status}, 200, 'Require identity-permission in front of the API';
isnt ask($server, GET => '/v1/audit-records', @{$two->{bearer}})->{status}, 200, '... narrows it';
$answer = ask($server, GET => '/v1/audit-records', Authorization => 'Bearer x.y.z');
is "$answer->{status} $answer->{headers}{'www-authenticate'}", '401 Bearer realm="identity", error="invalid_token"', '... whose answers stay its own';

# ---- what ends ---------------------------------------------------------------------------------------------------------------------------------

sub now { my ($place, $who) = @_; return ask($server, GET => "/rule/$place/a.html", @{$who->{bearer}})->{status} }
$server->api(PATCH => "/v1/roles/$one->{role}", {permissions => []});
is now(permission => $one), 403, 'a permission is taken from the role # security 37';
$server->api(PATCH => "/v1/roles/$one->{role}", {permissions => ['REPORT.VIEW'], name => 'Another name'});
is now(permission => $one), 200, '... and given again';
is now(role_slug => $one), 200, 'the role has another name, and the same slug';
is now(role_id => $one), 200, '... and id';
alter_db("UPDATE team_members SET end_at = 1 WHERE user_id = '$one->{id}'", $server);
$server->api(PATCH => "/v1/users/$one->{id}/memberships/$one->{memb}", {role_ids => []});
is now(team => $one), 403, 'the time in the team is over # security 37';
is now(permission => $one), 403, 'a role is taken from the membership # security 37';

# ---- AuthBasicProvider identity ---------------------------------------------------------------------------------------------------------------

my @ada = basic($old->{name}, $old->{password});
my @file = basic(file => 'door');
sub enter { my ($place, @who) = @_; return ask($server, GET => "/$place/a.html", @who)->{status} }
is enter(pass => @ada), 200, 'user name and password';
is enter(pass => basic(uc $old->{name}, $old->{password})), 200, '... in any case of letters';
is enter(pass => basic($old->{name}, 'Wrong1horse')), 401, 'a wrong one';
is enter('pass'), 401, 'none';
is ask($server, GET => '/pass/a.html')->{headers}{'www-authenticate'}, 'Basic realm="pass"', '... with its challenge';
is enter(pass => basic(x => $key->{api_key})), 401, 'a key is no password here';
is enter(pass_permission => @ada), 200, 'with a permission';
$answer = ask($server, GET => '/pass_permission/a.html', basic($two->{name}, $two->{password}));
is $answer->{status}, 403, '... that lacks';
is $answer->{headers}{'www-authenticate'}, undef, '... without asking again who it is';
is enter(pass_fresh => @ada), 200, 'who shows a password has just signed in';
$answer = ask($server, GET => '/pass/cgi/echo.cgi', basic(uc $old->{name}, $old->{password}));
is line_of($answer, 'REMOTE_USER'), $old->{name}, 'a program gets the name as it is written there';
is line_of($answer, 'IDENTITY_AUTH'), 'basic', '... and how it was shown';
is line_of($answer, 'IDENTITY_USER_ID'), $old->{id}, '... and who it is';
is enter(pass_last => @file), 200, 'another provider first: its own';
is enter(pass_last => @ada), 200, '... and ours';
is enter(pass_first => @file), 401, 'ours first: nobody comes in by another provider # security 65';
is enter(pass_not => @file), 403, 'B12: `Require not` of who is unknown here # security 65';
is enter(pass_loose => basic($old->{name}, 'Wrong1horse')), 401, 'AuthBasicAuthoritative Off: a wrong password';

is ask($server, GET => '/pass/', @ada)->{text}, 'the index', 'an index, which is another request inside';
my ($lines) = $server->db("SELECT COUNT(*) AS n FROM audit_records WHERE action = 'LOGIN' AND target_resource_type = 'USER' AND target_id = '$old->{id}'");
is $lines->{n}, 1, 'a password that was right is not asked of the hash each time';
$server->api(PATCH => "/v1/users/$old->{id}", {status => 'INACTIVE'});
is enter(pass => @ada), 401, '... but who is deactivated is out # security 37';
$server->api(PATCH => "/v1/users/$old->{id}", {status => 'ACTIVE'});
is enter(pass => @ada), 200, 'and in again';

# Signed in here before: strangers who fail elsewhere do not keep this client out; but here nobody may fail for ever.
my @last = map { ask($server, GET => '/pass/a.html', basic($two->{name}, "Wrong1horse$_")) } 1 .. 14;
is $last[-1]{status}, 429, 'too many wrong passwords # security 12';
ok $last[-1]{headers}{'retry-after'}, '... with a time to wait';
is enter(pass_loose => basic($two->{name}, "Wrong1horse")), 429, '... whatever AuthBasicAuthoritative says # security 65';

# ---- faults ------------------------------------------------------------------------------------------------------------------------------------

# A write that is on record, so that nothing of it is only in the journal; then no database at all is there when the server starts to need it.
expect_in_log('ID0531: ');
my $database = $server->state_folder . '/identity.db';
$server->stop;
$server->start;
rename "$database$_", "$database.kept$_" for grep { -e "$database$_" } '', '-wal', '-shm';
for my $case (['valid', @{$one->{bearer}}], ['permission', 'X-API-KEY' => $key->{api_key}], ['not', @{$two->{bearer}}], ['satisfy_any', @{$one->{bearer}}]) {
    my ($place, @who) = @$case;
    $answer = ask($server, GET => "/rule/$place/a.html", @who);
    is $answer->{status}, 503, "the database is away: $place # security 65, 86";
    ok $answer->{headers}{'retry-after'}, '... with Retry-After';
}
is enter($_ => @ada), 503, "the database is away: $_ # security 65, 86" for qw(pass pass_first pass_loose pass_permission);
is enter(pass_last => @file), 200, 'what needs no database goes on';
unlink "$database$_" for '', '-wal', '-shm';
rename "$database.kept$_", "$database$_" for grep { -e "$database.kept$_" } '', '-wal', '-shm';
for (1 .. 100) {
    last if now(valid => $two) == 200;
    sleep 0.1;
}
is now(valid => $two), 200, 'and it is back # security 86';

done_testing;

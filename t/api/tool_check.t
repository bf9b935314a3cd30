# SPDX-License-Identifier: Apache-2.0
# htidentity check and config check: each invariant is broken in a copy of a database, and what is risky in a configuration is found.
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Database ();
use IdentityTest::Server;

$ENV{IDENTITY_HTTPD} = "$ENV{IDENTITY_TOP}/bin/httpd";
my $state = server()->{state};
my $folder = "$state/check-$$";
mkdir $folder or die $!;

# ---- check (M23) ----------------------------------------------------------------------------------------------------------------------------

# Two entities with a user, a team, a role, an account, a key, an alias and a session each.
my @site = map { entity("check$_") } 1, 2;
for my $one (@site) {
    my @key = @{$one->{key}};
    $one->{user} = member('check', entity => $one);
    $one->{team} = api(POST => '/v1/teams', {name => 'Team'}, @key)->json->{id};
    $one->{role} = api(POST => '/v1/roles', {name => 'Role', permissions => ['SITE.OPEN']}, @key)->json->{id};
    $one->{inner} = api(POST => '/v1/roles', {name => 'Inner', permissions => ['SITE.SHUT']}, @key)->json->{id};
    api(PATCH => "/v1/roles/$one->{role}", {child_role_ids => [$one->{inner}]}, @key);
    api(POST => "/v1/teams/$one->{team}/memberships", {account_id => $one->{account}, type => 'USER', role_ids => [$one->{role}]}, @key);
    api(POST => "/v1/users/$one->{user}{id}/teams", {team_id => $one->{team}}, @key);
    $one->{personal} = api(POST => "/v1/users/$one->{user}{id}/api-keys", {}, @key)->json->{id};
    tool(qw(alias add), $one->{user}{username});
    tool('--entity', $one->{reference}, qw(invitation send), "guest-$one->{reference}\@example.org", '--account', $one->{reference});
    tool('--entity', $one->{reference}, qw(account add below --parent), $one->{reference});
}
my ($a, $b) = @site;
is((tool('backup', "$folder/whole.db"))[0], 0, 'a backup');
sub check
{
    my ($database) = @_;
    my $out = `'$ENV{IDENTITY_TOP}/bin/htidentity' --db 'sqlite3:$database' check 2>&1`;
    return ($? >> 8, $out);
}
sub broken
{
    my ($sql, $sentence) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    unlink glob "$folder/broken.db*";
    system('cp', "$folder/whole.db", "$folder/broken.db") == 0 or die;
    my $changed = `sqlite3 '$folder/broken.db' "PRAGMA foreign_keys=OFF; PRAGMA journal_mode=WAL; $sql; SELECT changes();"`;
    $changed =~ /[1-9]\d*\s*\z/ or fail("nothing was broken by $sql");
    my ($status, $out) = check("$folder/broken.db");
    ok $status == 1 && $out =~ /^htidentity: \w+ \Q$sentence\E$/m, "M23: check finds what $sentence" or diag "status $status\n$out";
}
unlink "$folder/broken.db";
system('cp', "$folder/whole.db", "$folder/broken.db");
system('sqlite3', "$folder/broken.db", 'PRAGMA journal_mode=WAL') == 0 or die;
my ($status, $out) = check("$folder/broken.db");
ok $status == 0 && $out =~ /^no faults found$/m, 'M23: nothing is found in a whole one' or diag $out;

my ($id, $other) = ($a->{user}{id}, $b->{id});
broken("UPDATE users SET entity_id = 'enti_00000000000000000000' WHERE id = '$id'", 'is a user of no entity');
broken("UPDATE users SET active = 1 - active WHERE id = '$id'", 'is a user who is listed as active and is not, or the reverse');
broken("UPDATE users SET canonical = (SELECT canonical FROM users WHERE id = '$b->{user}{id}') WHERE id = '$id'", 'is a user who has a name that another one signs in by, too');
broken("UPDATE memberships SET account_id = '$b->{account}' WHERE user_id = '$id'", 'is a membership of an account of another entity');
broken("UPDATE memberships SET entity_id = '$other' WHERE user_id = '$id'", 'is a membership of a user of another entity');
broken("UPDATE memberships SET entity_id = '$other' WHERE team_id = '$a->{team}'", 'is a membership of a team of another entity');
broken("UPDATE membership_roles SET role_id = '$b->{role}' WHERE role_id = '$a->{role}'", 'is a membership with a role of another entity');
broken("DELETE FROM teams WHERE id = '$a->{team}'", 'is a place in a team that is not there');
broken("UPDATE team_members SET team_id = '$b->{team}' WHERE user_id = '$id'", 'is a place in a team of another entity');
broken("UPDATE team_members SET user_id = '$b->{user}{id}' WHERE user_id = '$id' AND NOT EXISTS (SELECT 1 FROM team_members t WHERE t.user_id = '$b->{user}{id}' AND t.team_id = '$a->{team}')",
    'is a place in a team for a user of another entity');
broken("UPDATE sessions SET user_id = 'user_00000000000000000000' WHERE user_id = '$id'", 'is a session of a user who is not there');
broken("UPDATE sessions SET entity_id = '$other' WHERE user_id = '$id'", "is a session in another entity than its user's");
broken("INSERT INTO role_children (role_id, position, child_id) VALUES ('$a->{inner}', 0, '$a->{role}')", 'is a role that contains itself');
broken("UPDATE role_children SET child_id = '$b->{inner}' WHERE role_id = '$a->{role}'", 'is a role that contains one of another entity');
broken("INSERT INTO role_permissions (role_id, permission) VALUES ('role_00000000000000000002', 'USER.MORTAL.UPDATE')", 'is a built-in role that grants more than what is built in');
broken("UPDATE api_keys SET entity_id = '$other' WHERE id = '$a->{personal}'", "is a personal key in another entity than its user's");
broken("UPDATE accounts SET parent_id = '$b->{account}' WHERE parent_id = '$a->{account}'", 'is an account below one of another entity');
broken("UPDATE accounts SET parent_id = (SELECT b.id FROM accounts b WHERE b.parent_id = '$a->{account}') WHERE id = '$a->{account}'", 'is an account that stands below itself');
broken("UPDATE invitations SET entity_id = '$other' WHERE entity_id = '$a->{id}'", 'is an invitation of a user of another entity');
broken("UPDATE aliases SET entity_id = '$other' WHERE entity_id = '$a->{id}'", "is a token alias in another entity than its user's");

# ---- config check (M7) ----------------------------------------------------------------------------------------------------------------------

sub config_check
{
    my ($server, @more) = @_;
    my $said = `'$ENV{IDENTITY_TOP}/bin/htidentity' --config '$server->{root}/httpd.conf' @more config check 2>&1`;
    return ($? >> 8, $said);
}
my $server = IdentityTest::Server->new(start => 0, directives => "IdentityRequireTLS On\nIdentityPublicURL https://id.example.org\nIdentitySync FULL\n");
chmod 0700, $server->{state};
($status, $out) = config_check($server);
ok $status == 0 && $out eq "nothing found\n", 'M7: config check finds nothing where nothing is' or diag $out;
chmod 0777, $server->{state};
($status, $out) = config_check($server);
ok $status == 1 && $out =~ /^risk\t\S+\tothers than the owner can write to \S+, the folder of the database and the keys: chmod go-w it$/m, 'M7: a folder that others may write into' or diag $out;
chmod 0700, $server->{state};
chmod 0644, "$server->{state}/identity.db";
like +(config_check($server))[1], qr/^risk\t\S+\t\S+identity\.db contains a secret and has mode 644: chmod 600 it$/m, 'M7: a database that others may read';
chmod 0600, "$server->{state}/identity.db";
my $loose = IdentityTest::Server->new(start => 0, state => $server->{state}, directives => "IdentityRequireTLS Off\nIdentitySync NORMAL\n");
like +(config_check($loose))[1], qr/^risk\t\S+\tIdentityRequireTLS Off: .*\nrisk\t\S+\tIdentitySync NORMAL: /m, 'M7: what is risky';
like +(config_check($loose, '--json'))[1], qr/^\{"kind":"risk",/m, 'M7: as JSON';
($status, $out) = config_check($loose, '--db', "sqlite3:$folder/elsewhere.db");
ok $status == 1 && $out =~ /^warning\t-\tno server uses that database$/m, 'M7: --db names one of its databases' or diag $out;
my $wrong = IdentityTest::Server->new(start => 0, state => $server->{state}, directives => "IdentityKeyEscrow $folder/nowhere\n");
($status, $out) = config_check($wrong);
ok $status == 1 && $out =~ /^refused\t-\tID0511: IdentityKeyEscrow \S+nowhere cannot be read/m, 'M7: what httpd refuses' or diag $out;
my $broken = IdentityTest::Server->new(start => 0, state => $server->{state}, directives => "Frobnicate On\n");
($status, $out) = config_check($broken);
ok $status == 1 && $out =~ /^refused\t-\tAH00526: Syntax error on line \d+ of \S+: Invalid command 'Frobnicate'/m, 'M7: whoever it is that it refuses' or diag $out;

done_testing;

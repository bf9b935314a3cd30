# SPDX-License-Identifier: Apache-2.0
# htidentity on the database of a running server: teams, providers, audit records, and what a user holds.
# run on: event
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $site = entity('tool');
my @key = @{$site->{key}};

sub tool_is
{
    my ($out, @arguments) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $text, $error) = tool('--entity', $site->{reference}, @arguments);
    my $held = ref $out ? $text =~ $out : $text eq $out;
    ok $status == 0 && $error eq '' && $held, "htidentity @arguments" or diag "status $status\n$text$error";
    return $text;
}

sub tool_says
{
    my ($said, @arguments) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $text, $error) = tool('--entity', $site->{reference}, @arguments);
    ok $status != 0 && $text eq '' && $error =~ $said, "htidentity @arguments is refused" or diag "status $status\n$text$error";
}

sub json_lines
{
    my ($status, $text) = tool('--json', '--entity', $site->{reference}, @_);
    is $status, 0, "htidentity --json @_";
    return JSON::PP->new->utf8->incr_parse($text);
}

# ---- teams -----------------------------------------------------------------------------------------------------------------------------------

api(POST => '/v1/roles', {name => 'Night Shift', permissions => ['SITE.OPEN'], child_role_ids => [api(GET => '/v1/roles?name=Quote%20Viewer', undef, @key)->json->{data}[0]{id}]}, @key);
my ($team) = tool_is(qr/^team_[0-9A-Za-z]{20}\tSupport\n\z/, qw(team add Support --account), $site->{reference}, '--role', 'Night Shift') =~ /^(\S+)/;
is_deeply [map { $_->{name} } @{api(GET => "/v1/teams/$team", undef, @key)->json->{account_memberships}[0]{roles}}], ['Night Shift'], 'the server shows it';
tool_is(qr/^team_\w+\tEmpty\n\z/, qw(team add Empty));
is_deeply [sort map { $_->{name} } json_lines(qw(team list))], [qw(Empty Support)], 'as it lists both';
my $count = rows("SELECT 1 FROM teams WHERE entity_id = '$site->{id}'");
tool_says(qr/there is no role Nothing/, qw(team add Another --account), $site->{reference}, qw(--role Nothing));
tool_says(qr/there is no account nowhere/, qw(team add Another --account nowhere));
tool_says(qr/require --account/, qw(team add Another --role X));
tool_says(qr/team add requires NAME/, qw(team add));
tool_says(qr/does not accept --domain/, qw(team add Another --domain x.example));
is rows("SELECT 1 FROM teams WHERE entity_id = '$site->{id}'"), $count, 'nothing of these was kept';
my $more = join ' UNION ALL ', map { sprintf "SELECT 'team_0000000000000000%04d', '$site->{id}', 'many', %d", $_, $_ } 1 .. 400;
alter_db("INSERT INTO teams (id, entity_id, name, created_at) $more");
$more =~ s/team_0000000000000000/team_1000000000000000/g;
alter_db("INSERT INTO teams (id, entity_id, name, created_at) $more");
my ($status, $text) = tool('--entity', $site->{reference}, qw(team list));
is scalar(split /\n/, $text), 802, 'more than a page of them';
alter_db("DELETE FROM teams WHERE name = 'many'");

# ---- providers -------------------------------------------------------------------------------------------------------------------------------

tool_is(qr/^auth_\w{20}\tDEFAULT\tENABLED\tPassword\t-\n\z/, qw(provider add DEFAULT));
tool_is(qr/^auth_\w+\tSSO\tDISABLED\tWork\t\{"variant":"OKTA","allowed_domains":\["a.example","b.example"\],"okta":\{"connection":"acme"\},/,
    qw(provider add OKTA --name Work --connection acme --domain A.example --domain b.example --disabled));
tool_is(qr/"microsoft":\{"connection":"tenant"\}/, qw(provider add MICROSOFT --connection tenant));
tool_is(qr/"issuer":"https:\/\/x.example","client_id":"shop"\}\n\z/, qw(provider add OIDC --issuer https://x.example --client-id shop));
is_deeply [map { $_->{name} } json_lines(qw(provider list))], ['Password', 'Work', 'Microsoft', 'OpenID Connect'], 'the oldest first';
is api(GET => '/v1/authentication-providers', undef, @key)->json->{data}[0]{sso}{client_id}, 'shop', 'as the server shows them';
tool_says(qr/sso\.okta\.connection/, qw(provider add OKTA));
tool_says(qr/sso\.okta/, qw(provider add GOOGLE --connection acme));
tool_says(qr/SAML is not one of DEFAULT/, qw(provider add SAML));
tool_says(qr/accepts only --name and --disabled/, qw(provider add DEFAULT --domain a.example));
tool_says(qr/requires DEFAULT\|GOOGLE/, qw(provider add));

# ---- user show -------------------------------------------------------------------------------------------------------------------------------

my $ada = member('ada', entity => $site, roles => ['Quote Viewer']);
my $bob = member('bob', entity => $site, type => 'USER', roles => ['Read Only', 'Night Shift']);
is api(POST => "/v1/users/$bob->{id}/teams", {team_id => $team}, @key)->status, 201, 'bob joins the team';
my $shown = tool_is(qr/^\Q$bob->{username}\E\n  id       $bob->{id}\n  status   ACTIVE\n/, qw(user show), $bob->{username});
my $place = qr/\Q$site->{reference}\E \($site->{account}, TEST\)/;
like $shown, qr/^memberships\n  $place: USER; roles Read Only, Night Shift\nteams\n/m, 'memberships with their roles';
like $shown, qr/^teams\n  Support \($team\) from \S+Z until -: counts now\n    $place: USER; roles Night Shift\n/m, 'teams with their time';
like $shown, qr/^effective permissions.*\n  $place\n    ALERT\.VIEW +role Read Only\n/m, 'M14: what is built in to view, each by its name';
like $shown, qr/^    QUOTE\.VIEW +role Read Only; role Night Shift via child Quote Viewer; team Support: role Night Shift via child Quote Viewer\n/m, 'what comes by a child and by a team';
like $shown, qr/^    SITE\.OPEN +role Night Shift; team Support: role Night Shift\n/m, 'what comes by a role of its own';
is tool_is(qr/./, qw(user show), uc $bob->{username}), $shown, 'by the name in any case';
is tool_is(qr/./, qw(user show), $bob->{id}), $shown, 'or by the id';
like tool_is(qr/./, qw(user show), $ada->{id}), qr/^    \* +membership ADMIN\n/m, 'everything by the type';
my ($told) = json_lines(qw(user show), $bob->{id});
is join(' ', sort keys %$told), 'effective teams user', 'for programs';
is_deeply $told->{user}, api(GET => "/v1/users/$bob->{id}", undef, @key)->json, 'the user as the server shows it';
my ($open) = grep { $_->{permission} eq 'SITE.OPEN' } @{$told->{effective}[0]{permissions}};
is_deeply [map { {team => $_->{team}, roles => $_->{roles}, type => $_->{type}} } @{$open->{sources}}],
    [{team => undef, roles => ['Night Shift'], type => 'USER'}, {team => 'Support', roles => ['Night Shift'], type => 'USER'}], 'with every source';
is api(PATCH => "/v1/users/$bob->{id}", {status => 'INACTIVE'}, @key)->status, 200, 'bob leaves';
like tool_is(qr/./, qw(user show), $bob->{id}), qr/\n  none: the user is INACTIVE\n\z/, 'and holds nothing';
tool_says(qr/there is no user nobody\@example\.org/, qw(user show nobody@example.org));
tool_says(qr/There is no user $ada->{id}/, '--entity', 'default', qw(user show), $ada->{id});
tool_says(qr/user show requires USER/, qw(user show));

# ---- audit records ---------------------------------------------------------------------------------------------------------------------------

sub ids { join ' ', map { $_->{id} } json_lines(qw(audit list), @_) }
sub wanted { join ' ', map { $_->{id} } db("SELECT id FROM audit_records WHERE entity_id = '$site->{id}' AND $_[0] ORDER BY created_at, id") }

is ids(), wanted('1'), 'all of them, the oldest first';
is ids('--user', $ada->{username}), wanted("user_id = '$ada->{id}'"), 'what one did';
is ids('--target', $bob->{id}), wanted("target_id = '$bob->{id}'"), 'what was done to one';
is ids('--target-type', 'TEAM', '--since', '1h'), wanted("target_resource_type = 'TEAM'"), 'of late';
is ids('--until', '1h'), '', 'and long ago';
is ids('--since', '2001-01-01T00:00:00Z', '--until', '2001-01-02T00:00:00Z'), '', 'between two times';
is ids('--account', $site->{reference}), wanted("target_platform_id = '$site->{account}'"), 'of one account';
like tool_is(qr/./, qw(audit list --target), $team), qr/^audi_\w+\t\S+Z\t-\tCREATE\tTEAM\t$team\t-\tA team was created\.\t-\tSupport\t-\t-\t\[\]\n/, 'M18: in columns';
tool_says(qr/--since must be a time/, qw(audit list --since yesterday));
tool_says(qr/there is no user/, qw(audit list --user nobody@example.org));
tool_says(qr/there is no account/, qw(audit list --account nowhere));
tool_says(qr/unexpected argument|usage/, qw(audit list everything));

# ---- mail ------------------------------------------------------------------------------------------------------------------------------------

my ($previewed, $words) = tool(qw(mail preview invite --language de-AT));
is $previewed, 0, "htidentity mail preview";
like $words, qr/^Subject: Ihre Einladung zu id\.example\.org\n\nGuten Tag,\n.*grace\@example\.org.*activate-user#token=/s, 'the text, in a language';
like +(tool(qw(mail preview reset --html)))[1], qr/^<!DOCTYPE html>\n<html lang="en">.*reset-password#token=/s, 'or the HTML';
like +(tool(qw(mail preview reset --message --language fr)))[1], qr/^Date: .*\r\nContent-Language: fr\r\n.*\r\n--=_mail_preview--\r\n\z/s, 'or all that is sent';
is join(' ', sort keys %{JSON::PP->new->utf8->decode((tool(qw(--json mail preview invite)))[1])}), 'html language subject text', 'or all of it in JSON';
for my $wrong ([qr/there is no mail welcome/, qw(mail preview welcome)], [qr/exclude each other/, qw(mail preview invite --html --text)],
    [qr/No such file/, qw(mail preview invite --templates /nowhere)], [qr/language tag/, qw(mail preview invite --language d_e)],
    [qr/shows all forms/, qw(--json mail preview invite --html)], [qr/does not accept --html/, qw(mail list --html)]) {
    my ($said, @arguments) = @$wrong;
    my ($status, $out, $error) = tool(@arguments);
    ok $status != 0 && $out eq '' && $error =~ $said, "htidentity @arguments is refused" or diag "status $status\n$out$error";
}
my ($retried, $due) = tool(qw(--json mail retry));
ok $retried == 0 && $due =~ /^\{"due":\d+\}\n\z/, 'htidentity --json mail retry';

done_testing;

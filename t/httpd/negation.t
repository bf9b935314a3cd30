# SPDX-License-Identifier: Apache-2.0
# `Require not identity-...` in every way that httpd has to negate a line: who could have what is named in any account does not pass, whichever account was
# chosen; who cannot have it, or of whom nothing is known, does not pass either; never 500. Expectations are computed from what each caller has.
# (conf/README.md; security 65)
# run on: event worker prefork
use strict;
use warnings FATAL => 'all';
use Digest::SHA ();
use JSON::PP ();
use MIME::Base64 'encode_base64';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Captcha;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
my $captcha = IdentityTest::Captcha->new;
my $passwords = put("$folder/passwords", 'file:{SHA}' . encode_base64(Digest::SHA::sha1('door'), ''));

# The team is made before its id can stand in the configuration.
my $idle = IdentityTest::Server->new(start => 0);
my $state = $idle->state_folder;
my $first = IdentityTest::Server->new(state => $state);
my $team = $first->api(POST => '/v1/teams', {name => 'Banned'})->json->{id};
my $second = JSON::PP::decode_json(($first->tool('--json', '--entity', 'default', 'account', 'add', 'second', '--environment', 'TEST'))[1])->{id};
my %role = map { $_ => $first->api(POST => '/v1/roles', {name => $_, permissions => [$_ eq 'banned' ? 'DESK.BANNED' : 'DESK.READ']})->json->{id} } qw(banned plain);
$first->stop;

# ---- what is asked -------------------------------------------------------------------------------------------------------------------------------

# A line, whether who (accounts => [roles]) has it in the accounts that count, and whether in any; a key, whether it has it and whether it could.
my %lines = (
    role => ['identity-role banned', sub { has('role', @_) }],
    role_id => ["identity-role nobody-has-this $role{banned}", sub { has('role', @_) }],
    permission => ['identity-permission DESK.BANNED', sub { has('permission', @_) }],
    account => ['identity-member account=second', sub { has('account', @_) }],
    team => ["identity-member team=$team", sub { has('team', @_) }],
    entity => ['identity-member entity=default', sub { (1, 1) }],
    foreign_entity => ['identity-member entity=other', sub { (0, 0) }],
    fresh => ['identity-fresh 300', sub { my ($who) = @_; $who->{key} ? (0, 1) : (1, 1) }],
);

# (for certain, possibly)
sub has
{
    my ($what, $who, $chosen) = @_;
    return $what eq 'permission' ? (($who->{holds}) x 2) : (0, 1) if $who->{key};
    return (($who->{team} // 0) x 2) if $what eq 'team';
    my %in = %{$who->{accounts}};
    return ((exists $in{second} ? 1 : 0) x 2) if $what eq 'account';
    my @banned = grep { $in{$_} eq 'banned' } keys %in;
    my @count = $chosen ? ($chosen) : keys %in;
    return (scalar(grep { $in{$_} eq 'banned' } @count) == @count ? 1 : 0, @banned ? 1 : 0);
}

# Ways to write it: L is the line; whether a caller passes who has it (for certain, possibly).
my $user = "Require valid-user\n";
my %forms = (
    plain => ["Require L", sub { $_[0] }],
    plain_any => ["<RequireAny>\nRequire L\nRequire user nobody\@example.org\n</RequireAny>", sub { $_[0] }],
    plain_alias => ["Require A", sub { $_[0] }],
    not => ["<RequireAll>\n${user}Require not L\n</RequireAll>", sub { !$_[1] }],
    none => ["<RequireAll>\n$user<RequireNone>\nRequire L\n</RequireNone>\n</RequireAll>", sub { !$_[1] }],
    none_of_two => ["<RequireAll>\n$user<RequireNone>\nRequire user nobody\@example.org\nRequire L\n</RequireNone>\n</RequireAll>", sub { !$_[1] }],
    none_of_any => ["<RequireAll>\n$user<RequireNone>\n<RequireAny>\nRequire L\nRequire ip 192.0.2.1\n</RequireAny>\n</RequireNone>\n</RequireAll>", sub { !$_[1] }],
    none_of_all => ["<RequireAll>\n$user<RequireNone>\n<RequireAll>\nRequire L\n$user</RequireAll>\n</RequireNone>\n</RequireAll>", sub { !$_[1] }],
    any_of_not => ["<RequireAny>\nRequire user nobody\@example.org\n<RequireAll>\n${user}Require not L\n</RequireAll>\n</RequireAny>", sub { !$_[1] }],
    all_of_not => ["<RequireAll>\n<RequireAll>\n${user}Require not L\n</RequireAll>\nRequire all granted\n</RequireAll>", sub { !$_[1] }],
    not_alias => ["<RequireAll>\n${user}Require not A\n</RequireAll>", sub { !$_[1] }],
    none_alias => ["<RequireAll>\n$user<RequireNone>\nRequire A\n</RequireNone>\n</RequireAll>", sub { !$_[1] }],
    # One alias, plain and negated in one place.
    both_alias => ["<RequireAny>\n<RequireAll>\nRequire user nobody\@example.org\nRequire A\n</RequireAll>\n<RequireAll>\n${user}Require not A\n</RequireAll>\n</RequireAny>", sub { !$_[1] }],
    # Below two negations it has to be held for certain.
    twice => ["<RequireAll>\n$user<RequireNone>\n<RequireAll>\n${user}Require not L\n</RequireAll>\n</RequireNone>\n</RequireAll>", sub { $_[0] }],
    twice_alias => ["<RequireAll>\n$user<RequireNone>\n<RequireAll>\n$user<RequireNone>\nRequire A\n</RequireNone>\n</RequireAll>\n</RequireNone>\n</RequireAll>", sub { $_[0] }],
    if_module => ["<RequireAll>\n$user<IfModule identity_module>\n<RequireNone>\n<IfDefine !NOTHING>\nRequire L\n</IfDefine>\n</RequireNone>\n</IfModule>\n</RequireAll>", sub { !$_[1] }],
    included => ["<RequireAll>\n$user<RequireNone>\nInclude $folder/LINE.conf\n</RequireNone>\n</RequireAll>", sub { !$_[1] }],
    merged => ["AuthMerging And\n<RequireAll>\n${user}Require not L\n</RequireAll>", sub { !$_[1] }],
    htaccess => [undef, sub { !$_[1] }],
    htaccess_alias => [undef, sub { !$_[1] }],
    basic => ["<RequireAll>\n${user}Require not L\n</RequireAll>", sub { !$_[1] }],
    basic_none_alias => ["<RequireAll>\n$user<RequireNone>\nRequire A\n</RequireNone>\n</RequireAll>", sub { !$_[1] }],
    basic_plain => ["Require L", sub { $_[0] }],
    basic_twice => ["<RequireAll>\n$user<RequireNone>\n<RequireAll>\n${user}Require not L\n</RequireAll>\n</RequireNone>\n</RequireAll>", sub { $_[0] }],
);

my ($aliases, $places) = ('', '');
for my $line (sort keys %lines) {
    my ($name, @arguments) = split ' ', $lines{$line}[0];
    # An alias takes one argument.
    my $quoted = join ' ', @arguments;
    $aliases .= "<AuthzProviderAlias $name alias-$line \"$quoted\">\n" . ($line eq 'role' ? "AuthName \"in the alias\"\n" : '') . "</AuthzProviderAlias>\n";
    put("$folder/$line.conf", "Require $lines{$line}[0]\n");
    for my $form (sort keys %forms) {
        my ($rules) = $forms{$form}[0];
        my $type = $form =~ /^basic/ ? "AuthType Basic\nAuthBasicProvider file identity\nAuthUserFile $passwords" : 'AuthType Identity';
        if (!defined $rules) {
            my $required = $form eq 'htaccess' ? $lines{$line}[0] : "alias-$line";
            put("$folder/$form-$line/.htaccess", "$type\nAuthName ways\n<RequireAll>\n$user<RequireNone>\nRequire $required\n</RequireNone>\n</RequireAll>\n");
            put("$folder/$form-$line/a.html", 'inside');
            $places .= "Alias /$form-$line $folder/$form-$line\n";
            next;
        }
        $rules =~ s/\bL\b/$lines{$line}[0]/g;
        $rules =~ s/\bA\b/alias-$line/g;
        $rules =~ s/LINE/$line/g;
        $places .= "Alias /$form-$line $folder/files\n<Location /$form-$line>\n$type\nAuthName ways\n$rules\n</Location>\n";
    }
}
my $server = IdentityTest::Server->new(state => $state, directives => <<"END");
    @{[$captcha->directive]}
    IdentityDemoAccount default
    <Directory "$folder">
        Require all granted
        AllowOverride AuthConfig
    </Directory>
    $aliases
    $places
END

# ---- who asks ------------------------------------------------------------------------------------------------------------------------------------

my %account = (default => $server->account_id, second => $second);

# accounts: name => the role there
sub caller_with
{
    my (%accounts) = @_;
    my ($one, @others) = sort keys %accounts;
    my $who = somebody($server, ['DESK.READ'], account_id => $account{$one}, role_ids => [$role{$accounts{$one}}]);
    $server->api(POST => "/v1/users/$who->{id}/memberships", {account_id => $account{$_}, type => 'USER', role_ids => [$role{$accounts{$_}}]})->status < 300 or die "no membership\n" for @others;
    return {%$who, accounts => \%accounts, password_of => [basic($who->{name}, $who->{password})]};
}

my $narrow = $server->api(POST => '/v1/api-keys', {permissions => ['DESK.READ']})->json->{api_key};
my %callers = (
    'one account, not banned' => caller_with(default => 'plain'),
    'one account, banned' => caller_with(default => 'banned'),
    'two accounts, banned in the first' => caller_with(default => 'banned', second => 'plain'),
    'two accounts, banned in the second' => caller_with(default => 'plain', second => 'banned'),
    'two accounts, banned in both' => caller_with(default => 'banned', second => 'banned'),
    'two accounts, not banned' => caller_with(default => 'plain', second => 'plain'),
    'a key' => {key => 1, holds => 1, bearer => ['X-API-KEY' => $server->key]},
    'a key that lacks it' => {key => 1, holds => 0, bearer => ['X-API-KEY' => $narrow]},
    'a visitor' => {visitor => 1, bearer => [Authorization => 'Bearer ' . $server->api(POST => '/v1/oauth/demo-token', {email => 'v@example.org', captcha_token => 'solved'}, 'X-API-KEY' => undef)->json->{access_token}]},
    'user of another provider' => {foreign => 1, password_of => [basic(file => 'door')]},
    nobody => {nobody => 1, bearer => [], password_of => []},
);
$callers{'in the team'} = {%{caller_with(default => 'plain')}, team => 1};
$server->api(POST => "/v1/users/$callers{'in the team'}{id}/teams", {team_id => $team})->status == 201 or die "not in the team\n";

my %chosen = (none => [], default => ['X-Platform-Id' => $account{default}], second => ['X-Platform-Id' => $account{second}], foreign => ['X-Platform-Id' => unknown_id('plat')]);

sub expected
{
    my ($who, $choice, $line, $form) = @_;
    return 401 if $who->{nobody};
    return 403 if $who->{visitor};
    # Another provider's user is asked nothing about accounts, and nothing is known: held for certain by no one, possible for anybody.
    return $forms{$form}[1]->(0, 1) ? 200 : 403 if $who->{foreign};
    return 403 if $choice eq 'foreign' || ($choice ne 'none' && $who->{accounts} && !exists $who->{accounts}{$choice});
    return $forms{$form}[1]->($lines{$line}[1]->($who, $choice eq 'none' ? undef : $choice)) ? 200 : 403;
}

my $asked = 0;
for my $form (sort keys %forms) {
    my $basic = $form =~ /^basic/;
    for my $line (sort keys %lines) {
        my @wrong;
        for my $name (sort keys %callers) {
            my $who = $callers{$name};
            my $headers = $basic ? $who->{password_of} : $who->{bearer} or next;
            for my $choice (sort keys %chosen) {
                my $got = ask($server, GET => "/$form-$line/a.html", @$headers, @{$chosen{$choice}})->{status};
                my $want = expected($who, $choice, $line, $form);
                push @wrong, "$name, X-Platform-Id $choice: $got, not $want" unless $got == $want;
                $asked++;
            }
        }
        is join('; ', @wrong), '', ($form =~ /basic/ ? 'B12' : 'A6') . ": $form, $lines{$line}[0] # security 65";
    }
}
ok $asked > 5000, "A6: $asked answers were compared";
like $server->error_log, qr/ID0561: \S+ file is not a user of the identity database, so 'Require not identity-role banned' cannot be evaluated and denies access/,
    'B12: the log says why another provider\'s user does not pass';
unlike $server->error_log, qr/AH\d+: .*configuration error/, 'A6: nothing is a fault of the configuration';

# ---- mod_authz_core's own commands ---------------------------------------------------------------------------------------------------------------

# This module knows Require, too; but without mod_authz_core nothing would be protected by it.
open my $in, '<', "$ENV{IDENTITY_TOP}/t/conf/base.conf" or die $!;
my @modules = grep { !/authz_|auth_basic|authn_file/ } <$in>;
chomp @modules;
$idle->lay(@modules, "LoadModule identity_module $ENV{IDENTITY_TOP}/bin/mod_identity.so", "<Location />\nRequire all denied\n</Location>");
my ($status, $text) = $idle->check;
isnt $status, 0, 'A6: Require without mod_authz_core stops the start';
like $text, qr/Invalid command 'Require'/, '... as ever';
# Loaded in front of mod_authz_core the handlers come in the other order.
open $in, '<', "$ENV{IDENTITY_TOP}/t/conf/base.conf" or die $!;
@modules = <$in>;
chomp @modules;
$server->stop;
$idle->{host} = $server->host;
$idle->lay((grep { !/authz_core/ } @modules), "LoadModule identity_module $ENV{IDENTITY_TOP}/bin/mod_identity.so", (grep { /authz_core/ } @modules),
    "DBDriver sqlite3\nDBDParams $state/identity.db\nIdentityPublicURL " . $server->origin, "<Directory $folder>\nRequire all granted\n</Directory>", $aliases,
    "Alias /x $folder/files\n<Location /x>\nAuthType Identity\nAuthName x\n$forms{not_alias}[0]\n</Location>" =~ s/\bA\b/alias-role/r);
$idle->{no_http} = 1;
$idle->start;
is ask($idle, GET => '/x/a.html', @{$callers{'two accounts, banned in the first'}{bearer}}, @{$chosen{second}})->{status}, 403, 'A6: the same where this module is loaded before mod_authz_core';
is ask($idle, GET => '/x/a.html', @{$callers{'two accounts, not banned'}{bearer}})->{status}, 200, '... and who is not banned passes';

done_testing;

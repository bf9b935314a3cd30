# SPDX-License-Identifier: Apache-2.0
# Invitations over HTTP: invite, revoke, invite again, accept.
# route invite_user revoke_invite
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $host = origin();
my $key = key();
my $password = 'Correct1Horse';
my $account = {id => account_id(), reference => 'default', environment => 'LIVE'};
my ($found) = db("SELECT entity_id FROM accounts WHERE id = '$account->{id}'");
my $entity_id = $found->{entity_id};
my @no_key = ('X-API-KEY' => undef);
my @other = ('X-API-KEY' => key('other'));
my $dead = 'This link is no longer valid.';

sub role_named
{
    my ($name) = @_;
    my $answer = api(GET => '/v1/roles?include_child_roles=true&name=' . $name =~ s/ /%20/gr);
    return $answer->json->{data}[0] // die $answer->text;
}

# What the database holds of a person: status, states of invitations, live secrets, mails that are or will be sent, memberships.
sub held
{
    my ($username) = @_;
    my ($row) = db("SELECT u.status,
        (SELECT group_concat(state, ' ') FROM (SELECT state FROM invitations WHERE user_id = u.id ORDER BY created_at, id)) AS invitations,
        (SELECT count(*) FROM secrets WHERE user_id = u.id AND ended_at = 0) AS live,
        (SELECT count(*) FROM outbox WHERE user_id = u.id AND state IN ('queued', 'sent')) AS mailed,
        (SELECT count(*) FROM memberships WHERE user_id = u.id) AS memberships
        FROM users u WHERE u.canonical = '" . lc($username) . "'");
    return "$row->{status} $row->{invitations} $row->{live} live $row->{mailed} mailed $row->{memberships} memberships";
}

# Mails come with the next round of the sender: whoever needs the first of several is invited here.
my ($mary, $user, $member) = map { address($_) } qw(mary user member);
my $home = entity('home');
my @home_key = @{$home->{key}};
sub invite_home { api(POST => '/v1/users/invite', {username => $member, account_memberships => [map { {account_id => $_, type => 'ADMIN'} } @_]}, @home_key) }
is invite($mary, type => 'ADMIN')->status, 200, 'mary is invited';
is invite($user, roles => ['Read Only'], type => 'USER')->status, 200, 'user is invited';
is invite_home($home->{account})->status, 200, 'member is invited by another entity';

# ---- as published --------------------------------------------------------------------------------------------------------------------------

my $john = address('johndoe');
my $sample = <<"END_OF_COMMAND";
curl -X POST $host/v1/users/invite \\
     -H "X-API-KEY: $key" \\
     -H "Content-Type: application/json" \\
     -d '{
  "username": "$john",
  "entity_id": "$entity_id",
  "account_memberships": [
    {
      "account_id": "$account->{id}",
      "type": "USER",
      "roles": [
        {
          "name": "Administrator"
        },
        {
          "name": "Quote Viewer"
        }
      ]
    }
  ],
  "team_memberships": [
    {}
  ]
}'
END_OF_COMMAND
my $invited = curl($sample);
answered_is $invited, 200, 'invite, typed as published';
shape_is $invited, 'invite', 'the documented four fields';
my ($administrator, $viewer) = (role_named('Administrator'), role_named('Quote Viewer'));
is_deeply $invited->json, {
    username => $john, entity_id => $entity_id, team_memberships => [],
    account_memberships => [membership_json($invited->json->{account_memberships}[0]{id}, $account, 'USER', $administrator, $viewer)]}, 'with what was given';
is held($john), 'INVITED invited 1 live 1 mailed 1 memberships', 'the database holds user, invitation, secret, mail and membership';
my ($john_row) = db("SELECT id, password_hash FROM users WHERE username = '$john'");
is $john_row->{password_hash}, undef, 'and no password';
is_deeply [db("SELECT action, target_resource_type, target_platform_id FROM audit_records WHERE target_id = '$john_row->{id}'")],
    [{action => 'INVITE', target_resource_type => 'USER', target_platform_id => $account->{id}}], 'one audit record';

my $mail = wait_mail($john);
is scalar mails($john), 1, 'one mail';
like $mail->{link}, qr{^\Q$host\E/v1/oauth/activate-user#token=}, 'with a link to this server, the secret in its fragment';
ok index($mail->{html}, $mail->{link}) > 0, 'in its HTML part too';
like $mail->{subject}, qr/invitation/i, 'a subject that says what it is';
unlike $mail->{raw} =~ s/\Q$mail->{link}\E//gr, qr{\bsrc=|https?://(?!127\.0\.0\.1)}, 'nothing in it is loaded from elsewhere';
is rows("SELECT 1 FROM secrets WHERE digest = '@{[digest_of($mail->{token})]}' AND kind = 'invite'"), 1, 'only the digest of the secret is held';
is_deeply [db("SELECT state, sealed FROM outbox WHERE recipient = '$john'")], [{state => 'sent', sealed => ''}], 'the sealed secret is wiped once the mail has gone';

# ---- activate, as published ----------------------------------------------------------------------------------------------------------------

refused_is curl(<<"END_OF_COMMAND"), 400, 'MISSING_FIELD', 'token', 'activate-user, typed as published, which names no token';
curl -X POST $host/v1/oauth/activate-user \\
     -H "Content-Type: application/json" \\
     -d '{}'
END_OF_COMMAND
my $active = curl(<<"END_OF_COMMAND");
curl -X POST $host/v1/oauth/activate-user \\
     -H "Content-Type: application/json" \\
     -d '{"token": "$mail->{token}", "new_password": "$password"}'
END_OF_COMMAND
answered_is $active, 200, 'with a token';
shape_is $active, 'user', 'the answer is a User';
is_deeply $active->json, {
    object_type => 'USER', id => $john_row->{id}, entity_id => $entity_id, created_at => $active->json->{created_at}, status => 'ACTIVE', username => $john,
    password => undef, invite_expired => undef, active => JSON::PP::true, account_memberships => $invited->json->{account_memberships},
    team_memberships => []}, 'who is active now and has what the invitation gave';
is held($john), 'ACTIVE accepted 0 live 1 mailed 1 memberships', 'the invitation is accepted';

# ---- again ---------------------------------------------------------------------------------------------------------------------------------

my $first = wait_mail($mary)->{token};
my $again = invite(uc $mary, type => 'USER', roles => ['Quote Viewer']);
is $again->status, 200, 'who was invited is invited again';
is $again->json->{username}, uc $mary, 'the name is spelled as it was given last';
my $second = wait_mail(uc $mary, 2)->{token};
isnt $second, $first, 'by another token';
is held($mary), 'INVITED revoked invited 1 live 2 mailed 1 memberships', 'still one user, with one live token and the memberships given last';
my $late = activate($first, $password);
refused_is $late, 400, 'INVALID_FIELD', 'token', 'the first token is dead';
is $late->json->{message}, $dead, 'with the text of an unknown one';
is activate($second, $password)->json->{account_memberships}[0]{type}, 'USER', 'the second one works';

# ---- revoke, as published --------------------------------------------------------------------------------------------------------------------

my $token = wait_mail($user)->{token};
my $revoked = curl(<<"END_OF_COMMAND");
curl -X POST $host/v1/users/revoke-invite \\
     -H "X-API-KEY: $key" \\
     -H "Content-Type: application/json" \\
     -d '{
  "username": "$user"
}'
END_OF_COMMAND
answered_is $revoked, 200, 'revoke-invite, typed as published';
shape_is $revoked, 'user', 'the answer is a User';
is join(' ', map { $_ // 'null' } @{$revoked->json}{qw(status active invite_expired username)}), "INVITE_REVOKED 0 0 $user", 'whose invitation is revoked';
is held($user), 'INVITE_REVOKED revoked 0 live 1 mailed 1 memberships', 'in the database too';
is join(' ', map { $_->{action} } db("SELECT action FROM audit_records WHERE target_id = '@{[$revoked->json->{id}]}' ORDER BY created_at")), 'INVITE REVOKE_INVITE', 'on record';
$late = activate($token, $password);
refused_is $late, 400, 'INVALID_FIELD', 'token', 'its link is dead';
is $late->json->{message}, $dead, 'with the text of an unknown one';
refused_is api(POST => '/v1/users/revoke-invite', {username => $user}), 409, 'INVALID_OPERATION', 'username', 'what is revoked is not revoked again';
refused_is api(POST => '/v1/users/revoke-invite', {username => $john}), 409, 'INVALID_OPERATION', 'username', 'nor what is accepted';
refused_is api(POST => '/v1/users/revoke-invite', {username => address()}), 404, 'USER_NOT_FOUND', undef, 'nor what never was';
refused_is api(POST => '/v1/users/revoke-invite', {}), 400, 'MISSING_FIELD', 'username', 'nor nobody';
refused_is api(POST => '/v1/users/revoke-invite', {username => 'nobody'}), 400, 'INVALID_FIELD', 'username', 'nor no address';
is invite($user)->status, 200, 'who was revoked may be invited anew';
is held($user), 'INVITED revoked invited 1 live 2 mailed 1 memberships', 'by a new invitation';
refused_is api(POST => '/v1/users/revoke-invite', {username => $user}, @no_key), 401, 'UNAUTHORISED', undef, 'revoke without a credential';
refused_is api(POST => '/v1/users/revoke-invite', {username => $user}, read_only_key()), 403, 'USER_NOT_ALLOWED', undef, 'revoke with a key that may view only';
refused_is api(POST => '/v1/users/revoke-invite', {username => $user}, @other), 404, 'USER_NOT_FOUND', undef, 'revoke from another entity';
is held($user), 'INVITED revoked invited 1 live 2 mailed 1 memberships', 'which all changed nothing';

# ---- somebody who is active ------------------------------------------------------------------------------------------------------------------

my $second_account = do {
    my ($status, $text) = tool('--json', '--entity', $home->{reference}, 'account', 'add', 'second', '--environment', 'LIVE');
    die $text if $status;
    JSON::PP::decode_json($text)->{id};
};
my $member_id = activate(wait_mail($member)->{token}, $password)->json->{id};
refused_is invite_home($home->{account}), 409, 'INVALID_OPERATION', 'username', 'nothing to add';
my $adds = invite_home($home->{account}, $second_account);
answered_is $adds, 200, 'another account to add';
is join(' ', map { $_->{account_id} } @{$adds->json->{account_memberships}}), $second_account, 'the answer shows what is added';
is held($member), 'ACTIVE accepted invited 1 live 2 mailed 1 memberships', 'which waits with the invitation';
my $added_token = wait_mail($member, 2)->{token};
my %accept = (token => $added_token);
my $described = api(POST => '/v1/oauth/describe-link', {%accept}, @no_key)->json;
is "$described->{kind} $described->{username} $described->{adds}", "INVITE $member 1", 'the page can tell that it adds to an account';
refused_is api(POST => '/v1/oauth/activate-user', {%accept}, @no_key), 401, 'UNAUTHORISED', undef, 'whoever accepts signs in first';
refused_is api(POST => '/v1/oauth/activate-user', {%accept, new_password => 'Stolen1Horse'}, @no_key), 401, 'UNAUTHORISED', undef, 'also with a password';
refused_is api(POST => '/v1/oauth/activate-user', {%accept}, bearer_of(login($john, $password))), 403, 'USER_NOT_ALLOWED', undef, 'not as somebody else';
my $accepted = api(POST => '/v1/oauth/activate-user', {%accept}, bearer_of(login($member, $password)));
answered_is $accepted, 200, 'accepted by the person';
is join(' ', map { $_->{account_id} } @{$accepted->json->{account_memberships}}), "$home->{account} $second_account", 'who has both now';
is held($member), 'ACTIVE accepted accepted 0 live 2 mailed 2 memberships', 'in the database too';
is login($member, $password)->status, 200, 'with the old password';

api(PATCH => "/v1/users/$john_row->{id}", {status => 'INACTIVE'});
refused_is invite($john), 409, 'INVALID_OPERATION', 'username', 'who is inactive is not invited';
refused_is api(POST => '/v1/users/invite', {username => $mary}, @other), 409, 'RESOURCE_ALREADY_EXISTS', 'username', 'nor who belongs to another entity';

# ---- the inviter ---------------------------------------------------------------------------------------------------------------------------

# One of two, since nobody deactivates an account's last administrator.
my ($inviter) = map { member($_) } 'inviter', 'another';
my $guest = address('guest');
is api(POST => '/v1/users/invite', {username => $guest, account_memberships => [{account_id => $account->{id}, type => 'ADMIN'}]}, @{$inviter->{bearer}})->status, 200,
    'invited by a person';
my $void = wait_mail($guest)->{token};
is api(PATCH => "/v1/users/$inviter->{id}", {status => 'INACTIVE'})->status, 200, 'who is deactivated';
refused_is activate($void, $password), 400, 'INVALID_FIELD', 'token', 'which is void when that person is gone';

my $plain = member('plain', type => 'USER', roles => ['User Administrator']);
my $invite_as = sub { api(POST => '/v1/users/invite', {username => address('given'), account_memberships => [{account_id => $account->{id}, @_}]}, @{$plain->{bearer}}) };
refused_is $invite_as->(type => 'ADMIN'), 403, 'USER_NOT_ALLOWED', 'account_memberships.0', 'nobody gives an account that they do not administer';
refused_is $invite_as->(type => 'USER', roles => [{name => 'Administrator'}]), 403, 'USER_NOT_ALLOWED', 'account_memberships.0', 'nor a role that holds more';
is $invite_as->(type => 'USER', roles => [{name => 'User Viewer'}])->status, 200, 'but what they hold';

# ---- what is wrong -------------------------------------------------------------------------------------------------------------------------

my $count = rows('SELECT 1 FROM users');
my %membership = (account_id => $account->{id}, type => 'USER');
for (
    [{}, MISSING_FIELD => 'username'],
    [{username => undef}, MISSING_FIELD => 'username'],
    [{username => 'nobody'}, INVALID_FIELD => 'username'],
    [{username => 'a b@example.com'}, INVALID_FIELD => 'username'],
    [{username => "a\@example.com\r\nBcc: b\@example.com"}, INVALID_FIELD => 'username'],
    [{username => address(), entity_id => unknown_id('enti')}, INVALID_FIELD => 'entity_id'],
    [{username => address(), entity_id => $home->{id}}, INVALID_FIELD => 'entity_id'],
    [{username => address(), account_memberships => {}}, INVALID_FIELD => 'account_memberships'],
    [{username => address(), account_memberships => ['x']}, INVALID_FIELD => 'account_memberships.0'],
    [{username => address(), account_memberships => [{type => 'USER'}]}, MISSING_FIELD => 'account_memberships.0.account_id'],
    [{username => address(), account_memberships => [{account_id => $account->{id}}]}, MISSING_FIELD => 'account_memberships.0.type'],
    [{username => address(), account_memberships => [{%membership, type => 'OWNER'}]}, INVALID_FIELD => 'account_memberships.0.type'],
    [{username => address(), account_memberships => [{%membership, account_id => unknown_id('plat')}]}, INVALID_FIELD => 'account_memberships.0.account_id'],
    [{username => address(), account_memberships => [{}, {%membership, account_id => $home->{account}}]}, INVALID_FIELD => 'account_memberships.1.account_id'],
    [{username => address(), account_memberships => [{%membership, roles => [{name => 'Read Only'}, {name => 'Nobody'}]}]},
        INVALID_FIELD => 'account_memberships.0.roles.1.name'],
    [{username => address(), account_memberships => [{%membership, roles => [{id => unknown_id('role')}]}]}, INVALID_FIELD => 'account_memberships.0.roles.0.id'],
    [{username => address(), account_memberships => [{%membership, role_ids => [$viewer->{id}], roles => [{name => 'Read Only'}]}]},
        INVALID_FIELD => 'account_memberships.0.roles'],
    [{username => address(), account_memberships => [{%membership}, {%membership}]}, INVALID_FIELD => 'account_memberships.1.account_id'],
    [{username => address(), team_memberships => [{start_at => '2024-01-15T09:30:00Z'}]}, MISSING_FIELD => 'team_memberships.0.team_id'],
    [{username => address(), team_memberships => [{team_id => unknown_id('team')}]}, INVALID_FIELD => 'team_memberships.0.team_id'],
    [{username => address(), team_memberships => [{team_id => unknown_id('team'), start_at => '2024-01-15T09:30:00.5Z'}]},
        INVALID_FIELD => 'team_memberships.0.start_at']) {
    my ($body, $code, $field) = @$_;
    refused_is api(POST => '/v1/users/invite', $body), 400, $code, $field, 'invite';
}
refused_is api(POST => '/v1/users/invite', {username => address()}, @no_key), 401, 'UNAUTHORISED', undef, 'invite without a credential';
refused_is api(POST => '/v1/users/invite', {username => address()}, read_only_key()), 403, 'USER_NOT_ALLOWED', undef, 'invite with a key that may view only';
is rows('SELECT 1 FROM users'), $count, 'nothing of these was kept';

my $both = api(POST => '/v1/users/invite', {username => address('both'), account_memberships => [{}, {%membership, role_ids => [$viewer->{id}], roles => [{name => 'QUOTE viewer'}]}]});
is $both->status, 200, 'role_ids and roles that agree, and an empty membership, which is skipped';
is_deeply [map { @{$_->{role_ids}} } @{$both->json->{account_memberships}}], [$viewer->{id}], 'give that role once';
my $bare = api(POST => '/v1/users/invite', {username => address('bare')});
is $bare->status . $bare->keys_of, '200username entity_id account_memberships team_memberships', 'all but the name may be left out';

done_testing;

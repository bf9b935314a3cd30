# SPDX-License-Identifier: Apache-2.0
# Many at once, over several children: each rule holds once. (security 21, 35, 63)
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $many = 16;
my $password = 'Correct1Horse';
my @no_key = ('X-API-KEY' => undef);

sub tally
{
    my %count;
    $count{$_}++ for @_;
    return join ' ', map { "$count{$_}x$_" } sort keys %count;
}

sub live_secrets { rows("SELECT 1 FROM secrets s JOIN users u ON u.id = s.user_id WHERE u.canonical = '" . lc($_[0]) . "' AND s.ended_at = 0") }

my @children = split ' ', `pgrep -P @{[server_pid()]}`;
cmp_ok scalar @children, '>=', 2, 'there are several children';

# All mails at once: each comes with the next round of the sender.
my %address = map { $_ => address($_) } qw(activated refreshed reset both), map { "revoked$_" } 1 .. 6;
is invite($_)->status, 200, "invited $_" for values %address;
my $pair = entity('pair');
my @pair = map { address("pair$_") } 1, 2;
for (@pair) {
    is api(POST => '/v1/users/invite', {username => $_, account_memberships => [{account_id => $pair->{account}, type => 'ADMIN'}]}, @{$pair->{key}})->status, 200, "invited $_";
}
my %token = map { $_ => wait_mail($_)->{token} } values %address, @pair;

# ---- one token, sixteen passwords ------------------------------------------------------------------------------------------------------------

# Whoever finds the places to wait for a hash taken gets 503 and comes again.
sub patient
{
    my ($ask) = @_;
    for (1 .. 400) {
        my $answer = $ask->();
        return $answer if $answer->status != 503;
        select undef, undef, undef, 0.05;
    }
    return $ask->();
}

my $name = $address{activated};
my @answers = together($many, sub { my $client = $_[0]; my $answer = patient(sub { activate($token{$name}, "Correct1Horse-$client") }); [$answer->status, $answer->field, $_[0]] });
is tally(map { $_->[0] } @answers), '1x200 15x400', 'one activation of sixteen with one token';
is tally(map { $_->[1] } grep { $_->[0] == 400 } @answers), '15xtoken', 'the others are told that the link is dead';
my ($winner) = map { $_->[2] } grep { $_->[0] == 200 } @answers;
my @wins = grep { login($name, "Correct1Horse-$_")->status == 200 } $winner, ($winner + 1) % $many, ($winner + 5) % $many;
is "@wins", $winner, "the password is the winner's";
is rows("SELECT 1 FROM audit_records a JOIN users u ON u.id = a.target_id WHERE u.username = '$name' AND a.action = 'ACTIVATE'"), 1, 'one record';

# ---- one refresh token -------------------------------------------------------------------------------------------------------------------------

$name = $address{refreshed};
is activate($token{$name}, $password)->status, 200, 'somebody logs in';
my $cookie = login($name, $password)->cookie('identity_refresh');
for my $round (1 .. 3) {
    @answers = together($many, sub { my $answer = api(POST => '/v1/oauth/refresh-token', undef, @no_key, Cookie => $cookie); [$answer->status, $answer->cookie('identity_refresh')] });
    is tally(map { $_->[0] } @answers), '16x200', "sixteen refreshes with one cookie, round $round";
    is tally(map { $_->[1] } @answers), "16x$answers[0][1]", 'get the same successor';
    isnt $answers[0][1], $cookie, 'which is a new one';
    $cookie = $answers[0][1];
}
is rows("SELECT 1 FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id WHERE u.username = '$name' AND r.spent_at = 0"), 1,
    'the family has one live leaf';
is rows("SELECT 1 FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id WHERE u.username = '$name'"), 4, 'and no more than it must';
is tally(together($many, sub { api(POST => '/v1/oauth/logout', undef, @no_key, Cookie => $cookie)->status })), '1x200 15x401', 'one logout of sixteen';

# The same by the standard form, and both ways at once.
my @form = (@no_key, 'Content-Type' => 'application/x-www-form-urlencoded');
my $form = login($name, $password)->cookie('identity_refresh') =~ s/.*=//r;
for my $round (1 .. 3) {
    @answers = together($many, sub {
        my $by_form = $round < 3 || $_[0] % 2;
        my $answer = $by_form ? api(POST => '/v1/oauth/token', "grant_type=refresh_token&refresh_token=$form", @form)
                              : api(POST => '/v1/oauth/refresh-token', undef, @no_key, Cookie => "identity_refresh=$form");
        [$answer->status, $by_form ? $answer->json->{refresh_token} : $answer->cookie('identity_refresh') =~ s/.*=//r];
    });
    is tally(map { $_->[0] } @answers), '16x200', "sixteen refreshes by the form, round $round # security 35";
    is tally(map { $_->[1] } @answers), "16x$answers[0][1]", 'get the same successor # security 36';
    $form = $answers[0][1];
}
is rows("SELECT 1 FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id WHERE u.username = '$name' AND r.spent_at = 0 AND s.ended_at = 0"), 1,
    'the family has one live leaf # security 35';
my $spent = $form;
api(POST => '/v1/oauth/token', "grant_type=refresh_token&refresh_token=$spent", @form);
alter_db("UPDATE refresh_tokens SET spent_at = spent_at - 11000000 WHERE digest = '@{[digest_of($spent)]}'");
is tally(together($many, sub { api(POST => '/v1/oauth/token', "grant_type=refresh_token&refresh_token=$spent", @form)->status })), '16x400', 'sixteen thieves';
is rows("SELECT 1 FROM audit_records a JOIN users u ON u.id = a.user_id WHERE u.username = '$name' AND a.action = 'REFRESH_REUSED'"), 1, 'make one record # security 36';
$form = login($name, $password)->cookie('identity_refresh') =~ s/.*=//r;
is tally(together($many, sub { api(POST => '/v1/oauth/revoke', "token=$form", @form)->status })), '16x200', 'sixteen revocations';
is rows("SELECT 1 FROM audit_records a JOIN users u ON u.id = a.user_id WHERE u.username = '$name' AND a.action = 'TOKEN_REVOKED'"), 1, 'make one record';

# ---- one address -------------------------------------------------------------------------------------------------------------------------------

$name = address('Once');
my $roles = ['Quote Viewer'];
is tally(together($many, sub { invite($_[0] % 2 ? $name : lc $name, type => 'USER', roles => $roles)->status })), '16x200', 'sixteen invitations of one address';
is rows("SELECT 1 FROM users WHERE canonical = '" . lc($name) . "'"), 1, 'one user';
my $user = "(SELECT id FROM users WHERE canonical = '" . lc($name) . "')";
is join(' ', live_secrets($name), rows("SELECT 1 FROM invitations WHERE user_id = $user AND state = 'invited'"), rows("SELECT 1 FROM memberships WHERE user_id = $user")), '1 1 1',
    'one live secret, one open invitation, one membership';
$name = address('created');
is tally(together($many, sub { patient(sub { api(POST => '/v1/users', {username => $name, password => $password}) })->status })), '1x201 15x409', 'one creation of sixteen';
my $role = 'Role ' . address();
is tally(together($many, sub { api(POST => '/v1/roles', {name => $role, slug => "slug-$$-$_[0]"})->status })), '1x200 15x409', 'one role of one name';

# ---- one reset ---------------------------------------------------------------------------------------------------------------------------------

$name = $address{reset};
activate($token{$name}, $password);
is tally(together($many, sub { api(POST => '/v1/oauth/request-password-reset', {email => $name}, @no_key)->status })), '16x200', 'sixteen requests for a reset';
is live_secrets($name), 1, 'one live secret';
my ($live) = db("SELECT s.digest, o.id FROM secrets s JOIN users u ON u.id = s.user_id JOIN outbox o ON o.user_id = u.id AND o.kind = 'reset' AND o.state <> 'cancelled'
                 WHERE u.username = '$name' AND s.ended_at = 0 ORDER BY o.id DESC LIMIT 1");
my $reset;
for (1 .. 100) {
    ($reset) = grep { digest_of($_) eq $live->{digest} } map { $_->{token} } mails($name);
    last if $reset;
    Time::HiRes::sleep(0.1);
}
ok $reset, 'whose mail comes' or die('no mail of the live secret');
is tally(together($many, sub { my $client = $_[0]; patient(sub { api(POST => '/v1/oauth/reset-password', {token => $reset, new_password => "Changed1Horse-$client"}, @no_key) })->status })), '1x200 15x400',
    'one reset of sixteen with one token';

# ---- accepted or revoked -----------------------------------------------------------------------------------------------------------------------

for my $i (1 .. 6) {
    $name = $address{"revoked$i"};
    my ($accepted, $revoked) = together(2, sub { $_[0] ? api(POST => '/v1/users/revoke-invite', {username => $name})->status : activate($token{$name}, $password)->status });
    my ($row) = db("SELECT u.status, i.state FROM users u JOIN invitations i ON i.user_id = u.id WHERE u.username = '$name'");
    my $story = "$accepted $revoked $row->{status} $row->{state}";
    ok scalar(grep { $story eq $_ } '200 409 ACTIVE accepted', '400 200 INVITE_REVOKED revoked'), "accepted and revoked at once: one of the two ($story)";
}

# ---- the last administrator ----------------------------------------------------------------------------------------------------------------------

my @ids = map { activate($token{$_}, $password)->json->{id} } @pair;
for my $round (1 .. 5) {
    my @bearers = map { [bearer_of(login($_, $password))] } @pair;
    my @statuses = together(2, sub { api(PATCH => "/v1/users/$ids[1 - $_[0]]", {status => 'INACTIVE'}, @{$bearers[$_[0]]})->status });
    my @left = db("SELECT id FROM users WHERE id IN ('$ids[0]', '$ids[1]') AND status = 'ACTIVE'");
    is scalar @left, 1, "two administrators deactivate each other, round $round: one stays (@statuses)" or last;
    is scalar(grep { $_ == 200 } @statuses), 1, 'and one succeeds';
    is api(PATCH => "/v1/users/$_", {status => 'ACTIVE'}, @{$pair->{key}})->status, 200, 'both are active again' for grep { $_ ne $left[0]{id} } @ids;
}

my @seats = map { (db("SELECT id FROM memberships WHERE user_id = '$_'"))[0]{id} } @ids;
for my $round (1 .. 5) {
    my @bearers = map { [bearer_of(login($_, $password))] } @pair;
    my @statuses = together(2, sub { my $of = 1 - $_[0]; api(PATCH => "/v1/users/$ids[$of]/memberships/$seats[$of]", {type => 'USER'}, @{$bearers[$_[0]]})->status });
    my @left = db("SELECT id FROM memberships WHERE id IN ('$seats[0]', '$seats[1]') AND type = 'ADMIN'");
    is scalar @left, 1, "two administrators demote each other, round $round: one stays (@statuses)" or last;
    is scalar(grep { $_ == 200 } @statuses), 1, 'and one succeeds';
    is api(PATCH => "/v1/users/$ids[$_]/memberships/$seats[$_]", {type => 'ADMIN'}, @{$pair->{key}})->status, 200, 'both are administrators again'
        for grep { $seats[$_] ne $left[0]{id} } 0, 1;
}

# ---- one place in a team -------------------------------------------------------------------------------------------------------------------------

my $team = api(POST => '/v1/teams', {name => 'One place'}, @{$pair->{key}})->json->{id};
is tally(together($many, sub { api(POST => "/v1/users/$ids[0]/teams", {team_id => $team}, @{$pair->{key}})->status })), '1x201 15x409', 'one joining of sixteen';
is tally(together($many, sub { api(POST => "/v1/teams/$team/memberships", {account_id => $pair->{account}, type => 'USER'}, @{$pair->{key}})->status })), '1x201 15x409',
    'one membership of a team of sixteen';

done_testing;

# SPDX-License-Identifier: Apache-2.0
# A person's whole way in a real browser: invited, password, token, logout, forgotten password, invited to more. (security 22, 27, 30, 31)
# run on: event asan
use strict;
use warnings FATAL => 'all';
use Test::More;
use lib 't/httpd/lib';
use JSON::PP ();
use IdentityTest;
use IdentityTest::Api;
use WebDriver;

my ($host, $key, $account) = (origin(), key(), account_id());
my ($password, $changed) = ('Violet Piano 7 Rain', 'Copper Window 9 Lake');
my $username = address('Grace.Hopper1');
my @no_key = ('X-API-KEY' => undef);
my $browser = WebDriver->start;
my @secrets;

sub slurp
{
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!";
    local $/;
    return <$in> // '';
}

my @logs = map { Apache::Test::vars('t_logs') . "/$_" } qw(access_log error_log);
my %before = map { $_ => -s } @logs;

# What was logged since the beginning.
sub logged { return substr slurp($_[0]), $before{$_[0]} }

# What the console says beside what the browser itself notes of answers that this test provoked, and its advice to developers. The front page need not be there.
sub console_is
{
    my ($status, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @lines = map { "$_->{level} $_->{source}: $_->{message}" } grep { $_->{source} ne 'recommendation' && $_->{message} !~ m{^\Q$host\E/ } } $browser->console;
    my @expected = $status ? grep { /the server responded with a status of $status / } @lines : ();
    return is(join("\n", grep { my $line = $_; !grep { $line eq $_ } @expected } @lines), '', $name) && is(scalar @expected, $status ? 1 : 0, $name);
}

sub set_password
{
    my ($text) = @_;
    $browser->wait_for('#password')->clear->type($text);
    $browser->find('#ask-form .main')->click;
}

sub problem_is
{
    my ($pattern, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return like $browser->wait_for(sub { $browser->find('#problem')->text }), $pattern, $name;
}

sub me
{
    my ($token) = @_;
    return api(GET => '/v1/users?limit=1', undef, Authorization => "Bearer $token")->status;
}

sub message_is
{
    my ($title, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $browser->wait_for('#message');
    return is $browser->find('#message h1')->text, $title, $name;
}

# ---- invited -------------------------------------------------------------------------------------------------------------------------------

is curl(<<"END_OF_COMMAND")->status, 200, 'invited by curl';
curl -X POST $host/v1/users/invite \\
     -H "X-API-KEY: $key" \\
     -H "Content-Type: application/json" \\
     -d '{"username": "$username", "account_memberships": [{"account_id": "$account", "type": "ADMIN"}]}'
END_OF_COMMAND
my $invitation = wait_mail($username);
my ($link) = $invitation->{html} =~ /href="([^"]+)"/;
is $link, $invitation->{link}, 'both parts of the mail have the same link';
push @secrets, $invitation->{token};

$browser->open($link);
$browser->wait_for('#ask');
is $browser->title, 'Activate your account', 'the link opens the page';
is $browser->url, "$host/v1/oauth/activate-user", 'which takes the secret out of the address at once';
is $browser->script('return document.referrer + document.cookie + localStorage.length + sessionStorage.length'), '00', 'and keeps it nowhere else';
set_password('short');
problem_is qr/^The password does not meet these rules yet: at least 8 characters, a digit, a capital letter\.$/, 'a weak password is refused in words';
console_is undef, 'by the page itself';
set_password('Password1');
problem_is qr/^This password is too common\./, "the server's refusal is shown";
console_is 400, 'and nothing else happened';
is api(GET => '/v1/users/search?username=' . $username)->json->[0]{status}, 'INVITED', 'nothing is spent by that';
set_password($password);
message_is 'Your account is active', 'a good one is taken';
like $browser->find('#message')->text, qr/\Q$username\E/, 'and the page says who that is';
is $browser->script('return document.getElementById("password").value'), '', 'the password is gone from the page';
console_is undef, 'the console is silent';

# ---- in and out ----------------------------------------------------------------------------------------------------------------------------

my $in = login($username, $password);
is $in->status, 200, 'the password logs in';
my $token = $in->json->{access_token};
push @secrets, $token, $in->cookie('identity_refresh') =~ s/.*=//r;
is me($token), 200, 'the token opens';
is api(POST => '/v1/oauth/logout', undef, @no_key, Authorization => "Bearer $token")->status, 200, 'logout';
is me($token), 401, 'the token is dead';

# ---- the same link again -------------------------------------------------------------------------------------------------------------------

$browser->open('about:blank');
$browser->open($link);
message_is 'This link does not work any more', 'a link that was used says so';
console_is 400, 'and nothing else happened';
$browser->open("$host/v1/oauth/activate-user");
message_is 'The link is incomplete', 'a link without its secret says so';
console_is undef, 'the console is silent';

# ---- forgotten -----------------------------------------------------------------------------------------------------------------------------

my $still = login($username, $password)->json->{access_token};
$browser->open("$host/v1/oauth/reset-password");
$browser->wait_for('#email')->type($username);
$browser->find('#again-form .main')->click;
message_is 'Look into your mail', 'a reset is asked for';
my $reset = wait_mail($username, 2);
push @secrets, $reset->{token}, $still;
$browser->open($reset->{link});
$browser->wait_for('#ask');
is $browser->title, 'Choose a new password', 'its link opens the other page';
is $browser->url, "$host/v1/oauth/reset-password", 'without the secret in the address';
set_password('nodigits');
problem_is qr/rules yet: a digit, a capital letter/, 'with the same rules';
set_password($changed);
message_is 'Your password is changed', 'a good password is taken';
console_is undef, 'the console is silent';
is login($username, $password)->status, 401, 'the old password is wrong';
my $again = login($username, $changed);
is $again->status, 200, 'the new one is right';
push @secrets, $again->json->{access_token};
is me($again->json->{access_token}), 200, 'and its token opens';
is me($still), 401, 'who was logged in before is not any more';
$browser->open('about:blank');
$browser->open($reset->{link});
$browser->wait_for('#again');
is $browser->find('#again h1')->text, 'This link does not work any more', 'the used link says so';
console_is 400, 'and nothing else happened';

# ---- invited to more -----------------------------------------------------------------------------------------------------------------------

my ($user) = @{api(GET => "/v1/users/search?username=$username")->json};
my $more = sub {
    my ($reference, $mails) = @_;
    my ($status, $text, $errors) = server()->tool('--json', '--entity', 'default', 'account', 'add', $reference);
    is $status, 0, 'there is another account' or diag $errors;
    my $id = JSON::PP::decode_json($text)->{id};
    is api(POST => '/v1/users/invite', {username => $username, account_memberships => [{account_id => $id, type => 'USER'}]})->status, 200, 'an invitation adds it';
    my $mail = wait_mail($username, $mails);
    push @secrets, $mail->{token};
    $browser->open('about:blank');
    $browser->open($mail->{link});
    return sub { scalar grep { $_->{account_id} eq $id } @{api(GET => "/v1/users/$user->{id}")->json->{account_memberships}} };
};
my $has_it = $more->("second-$$", 3);
like $browser->wait_for('#signin')->text, qr/You have an account here already: \Q$username\E/, 'its page asks to sign in # security 27';
$browser->find('#present')->type($password);
$browser->find('#signin-form .main')->click;
like $browser->wait_for(sub { $browser->find('#signin-problem')->text }), qr/not the password/, 'the old password is wrong here, too';
is $has_it->(), 0, 'and accepts nothing';
my $lasting = sub { scalar @{api(GET => "/v1/users/$user->{id}/sessions")->json->{data}} };
my $sessions = $lasting->();
$browser->find('#present')->clear->type($changed);
$browser->find('#signin-form .main')->click;
message_is 'Invitation accepted', 'the right one accepts';
is $has_it->(), 1, 'what it gives is there';
is $lasting->(), $sessions, 'the session that was opened for it has ended';

# Signed in already, as by the site's own page.
is $browser->script('return fetch("/v1/oauth/token", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(arguments[0])}).then((r) => r.status)',
    {username => $username, password => $changed}), 200, 'the browser is signed in';
$has_it = $more->("third-$$", 4);
like $browser->wait_for('#join')->text, qr/You are signed in as \Q$username\E/, 'the page knows it';
is $has_it->(), 0, 'and accepts nothing by itself';
$browser->find('#join-form .main')->click;
message_is 'Invitation accepted', 'the button does';
is $has_it->(), 1, 'what it gives is there';
is $lasting->(), $sessions + 1, 'the session goes on';

# ---- what is left behind -------------------------------------------------------------------------------------------------------------------

my ($access, $errors) = map { logged($_) } @logs;
my @asked = $access =~ m{"(\w+ \S+) HTTP}g;
is scalar(grep { $_ eq 'GET /v1/oauth/activate-user' } @asked), 5, 'the access log has the pages';
is join(' ', grep { !m{ /v1/|^HEAD /$} } @asked), '', 'each of which was one request';
is scalar(grep { index($access . $errors, $_) >= 0 } @secrets, $password, $changed), 0, 'no log has a secret or a password';
is join(' ', grep { /token=/ } @asked), '', 'and no address that was asked for names one';

done_testing;

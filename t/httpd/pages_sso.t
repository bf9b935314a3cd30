# SPDX-License-Identifier: Apache-2.0
# Accepting an invitation by a provider in a real browser: out to npm's oidc-provider and back to the page, new and with an account. (security 27, 67, 71)
# run on: event
# needs: npm
use strict;
use warnings FATAL => 'all';
use Test::More;
use lib 't/httpd/lib';
use IdentityTest;
use IdentityTest::Provider;
use IdentityTest::Server;
use WebDriver;

my $port = IdentityTest::Server::free_port();
my $page = "http://127.0.0.1:$port/v1/oauth/activate-user";
my $provider = IdentityTest::Provider->new('identity', 'of-the-test', $page);
my $file = "$ENV{IDENTITY_TOP}/t/servers/pages-secret.$$";
open my $out, '>', $file or die "$file: $!";
print {$out} "of-the-test\n";
close $out or die $!;
chmod 0600, $file;
my $server = IdentityTest::Server->new(port => $port, directives => <<"END");
IdentityRedirectURI $page
IdentityProvider work @{[$provider->issuer]} identity $file domains=example.com
IdentityProvider gone http://127.0.0.1:1 identity $file
END
my $browser = WebDriver->start;

# Whatever the provider's own page says, it needs no network.
sub sign_in
{
    my ($person) = @_;
    $browser->wait_for('.way')->click;
    $browser->wait_for('[name=login]')->type($person);
    $browser->find('[name=password]')->type('any');
    $browser->find('[type=submit]')->click;
    $browser->wait_for(sub { !eval { $browser->find('[name=login]') } });
    $browser->wait_for('[type=submit]')->click;
}

sub message_is
{
    my ($title, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $browser->wait_for('#message');
    return is $browser->find('#message h1')->text, $title, $name;
}

sub user { return $server->api(GET => "/v1/users/search?username=$_[0]")->json->[0] }

# One that the browser has not seen: the provider keeps who signed in there.
sub follow
{
    my ($link) = @_;
    $browser->devtools('Network.clearBrowserCookies');
    $browser->open('about:blank');
    $browser->open($link);
}

my ($ada, $password) = ($server->address('ada'), 'Violet Piano 7 Rain');
is $server->invite($ada)->status, 200, 'somebody is invited';
follow($server->wait_mail($ada)->{link});
$browser->wait_for('.way');
is join(' ', map { $_->text } $browser->find_all('.way')), 'Continue with work', 'the provider that answers has a button, the one that is gone has none';
sign_in($ada);
message_is 'Your account is active', 'through the provider and back';
like $browser->find('#message')->text, qr/sign in as \Q$ada\E, with work\./, 'says who that is, and how to sign in';
is $browser->url, $page, 'no code stays in the address bar';
is $browser->script('return sessionStorage.length'), 0, 'and nothing of the invitation';
is user($ada)->{status}, 'ACTIVE', 'the invitation is accepted';
is scalar @{$server->api(GET => '/v1/users/' . user($ada)->{id} . '/sessions')->json->{data}}, 0, 'the session that did it has ended';

my ($status, $text, $errors) = $server->tool('--json', '--entity', 'default', 'account', 'add', 'second');
is $status, 0, 'another account' or diag $errors;
my $second = JSON::PP::decode_json($text)->{id};
is $server->api(POST => '/v1/users/invite', {username => $ada, account_memberships => [{account_id => $second, type => 'USER'}]})->status, 200, 'is given to her, too';
my $link = $server->wait_mail($ada, 2)->{link};
follow($link);
$browser->wait_for('#signin');
sign_in($server->address('mallory'));
$browser->wait_for(sub { eval { $browser->find('#ways-problem')->text } });
like $browser->find('#ways-problem')->text, qr/cannot accept this invitation/, 'nobody accepts it by another account of the provider # security 27';
is scalar @{user($ada)->{account_memberships}}, 1, 'nothing is given by that';
follow($link);
$browser->wait_for('#signin');
sign_in($ada);
message_is 'Invitation accepted', 'but the person herself does';
is scalar @{user($ada)->{account_memberships}}, 2, 'and has both';

done_testing;

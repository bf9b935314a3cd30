# SPDX-License-Identifier: Apache-2.0
# The page that signs in and out, and stands in for what somebody may not see, in a real browser: by the keyboard, in three languages, at a provider, without
# JavaScript, and axe-core finds nothing. (security 31, 41)
# run on: event
# needs: npm
use strict;
use warnings FATAL => 'all';
use utf8;
use JSON::PP ();
use Test::More;
use lib 't/httpd/lib';
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Provider;
use IdentityTest::Server;
use WebDriver;

my $folder = IdentityTest::Protected::folder();
my $port = IdentityTest::Server::free_port();
my $page = "http://127.0.0.1:$port/v1/oauth/sign-in";
my $provider = IdentityTest::Provider->new('identity', 'of-the-test', $page);
my $secret = put("$folder/secret", "of-the-test\n", 0600);
my $server = IdentityTest::Server->new(port => $port, directives => <<"END");
    ServerAdmin help\@example.org
    IdentityRedirectURI $page
    IdentityProvider work @{[$provider->issuer]} identity $secret domains=example.com
    Alias /ours    "$folder/files"
    Alias /figures "$folder/files"
    <Directory "$folder">
        Require all granted
    </Directory>
    <LocationMatch "^/(ours|figures)">
        AuthType Identity
        AuthName "Ours"
        IdentityCookie On
        Require valid-user
    </LocationMatch>
    <Location /figures>
        Require identity-permission FIGURES.READ
    </Location>
    <Location /v1/oauth>
        IdentityCookie On
    </Location>
    ErrorDocument 401 /v1/oauth/sign-in
    ErrorDocument 403 /v1/oauth/sign-in
END
my $ada = somebody($server, ['FIGURES.READ']);
my $bob = somebody($server, ['ROLE.VIEW']);
my ($tab, $enter) = ("\x{E004}", "\x{E007}");

my $axe = do { open my $in, '<:encoding(UTF-8)', "$ENV{IDENTITY_TOP}/node_modules/axe-core/axe.min.js" or die $!; local $/; <$in> };
my $browser = WebDriver->start(width => 1280, height => 900, dark => 0);

sub text { my ($selector) = @_; my $found = eval { $browser->find($selector) } or return ''; return eval { $found->text } // '' }
sub opened { my ($name) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return ok $browser->wait_for(sub { $browser->source =~ /xxxx/ }), $name }

sub clean
{
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $dark (0, 1) {
        $browser->dark($dark);
        my $found = $browser->script("$axe; return axe.run(document).then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ')).join(', ')))");
        is join('; ', @$found), '', "$name: axe finds nothing" . ($dark ? ', dark' : '');
        $browser->screenshot("$ENV{SHOTS}/entry-" . ($name =~ s/\W+/-/gr) . ($dark ? '-dark' : '') . '.png') if $ENV{SHOTS};
    }
    $browser->dark(0);
    $browser->resize(320, 568);
    ok $browser->script('return document.documentElement.scrollWidth <= window.innerWidth'), '... and nothing sticks out of a small screen';
    $browser->resize(1280, 900);
}

# ---- in, out, in as somebody else -----------------------------------------------------------------------------------------------------------------

$browser->open($server->origin . '/ours/a.html');
$browser->wait_for('#signin-form');
clean('401');
is $browser->active->attribute('id'), 'name', 'the first field has the focus';
$browser->keys($_) for $ada->{name}, $tab, "Wrong1horse$enter";
is $browser->wait_for(sub { text('#signin-problem') }), 'The name or the password is wrong.', 'by the keyboard: a wrong password';
is $browser->active->attribute('id'), 'present', '... whose field has the focus again';
clean('a wrong password');
$browser->keys($ada->{password} . $enter);
opened('the right one leads on');
is $browser->url, $server->origin . '/ours/a.html', '... at its own address';
is $browser->script('return document.cookie'), '', '... and no script knows the cookies # security 41';
$browser->open($server->origin . '/v1/oauth/sign-out');
$browser->wait_for('#leave');
clean('sign-out');
$browser->find('#leave .main')->click;
$browser->wait_for('#left');
clean('signed out');
$browser->open($server->origin . '/ours/a.html');
$browser->wait_for('#signin-form');
$browser->open($page);
$browser->wait_for('#name')->type($bob->{name});
$browser->find('#present')->type("$bob->{password}$enter");
$browser->wait_for(sub { $browser->url eq $server->origin . '/' });
$browser->open($server->origin . '/figures/a.html');
like $browser->wait_for('#denied')->text, qr/You may not see this page\n.*\Q$bob->{name}\E/s, 'somebody who lacks something';
clean('403');
$browser->find('#denied .main')->click;
$browser->wait_for('#signin-form');
is $browser->url, "$page?return=%2Ffigures%2Fa.html", 'one button signs out and asks for somebody else';
$browser->find('#name')->type($ada->{name});
$browser->find('#present')->type("$ada->{password}$enter");
opened('... who sees it');
is $browser->url, $server->origin . '/figures/a.html', '... where it is';

# ---- languages --------------------------------------------------------------------------------------------------------------------------------------

for (['de', 'Anmelden', qr/^E-Mail-Adresse$/m], ['fr-CA', 'Connexion', qr/^Adresse e-mail$/m], ['pl', 'Sign in', qr/^E-mail address$/m]) {
    my ($language, $title, $label) = @$_;
    $browser->languages($language);
    $browser->open($page);
    $browser->wait_for('#name');
    is $browser->title, $title, "in $language";
    like text('#signin-form'), $label, '... throughout';
    $browser->find('#signin-form .main')->click;
    isnt $browser->wait_for(sub { text('#signin-problem') }), '', '... also where it complains';
    clean("in $language") if $language ne 'pl';
}
$browser->languages('en');

# ---- by a provider --------------------------------------------------------------------------------------------------------------------------------

my $carol = $server->address('carol');
is $server->invite($carol)->status, 200, 'somebody is invited who has no password';
$browser->devtools('Network.clearBrowserCookies');
$browser->open($server->origin . '/ours/a.html');
$browser->wait_for('.way');
is join(' ', map { $_->text } $browser->find_all('.way')), 'Continue with work', 'each provider has a button';
clean('with a provider');
$browser->find('.way')->click;
$browser->wait_for('[name=login]')->type($carol);
$browser->find('[name=password]')->type('any');
$browser->find('[type=submit]')->click;
$browser->wait_for(sub { !eval { $browser->find('[name=login]') } });
$browser->wait_for('[type=submit]')->click;
opened('through the provider, and on to what was asked for');
is $browser->url, $server->origin . '/ours/a.html', '... at its own address, without a code';
is $browser->script('return sessionStorage.length'), 0, '... and nothing is kept';
$browser->open("$page?error=access_denied&state=x");
$browser->wait_for('#signin-form');
is $browser->url, $page, 'an answer that this browser did not ask for is dropped';

# ---- without JavaScript ---------------------------------------------------------------------------------------------------------------------------

$browser->devtools('Network.clearBrowserCookies');
$browser->devtools('Emulation.setScriptExecutionDisabled', {value => JSON::PP::true});
$browser->open($server->origin . '/figures/a.html');
$browser->wait_for('#signin-form');
like text('main'), qr/other ways to sign in need JavaScript/, 'without JavaScript: what does not work is said';
ok !$browser->find('.eye')->displayed, '... and nothing is shown that does nothing';
$browser->find('#name')->type($bob->{name});
$browser->find('#present')->type("Wrong1horse$enter");
is $browser->wait_for(sub { text('#signin-problem') }), 'The name or the password is wrong.', '... a wrong password';
is $browser->find('#name')->attribute('value'), $bob->{name}, '... and the name stays';
$browser->find('#present')->type("$bob->{password}$enter");
$browser->wait_for('#denied .main')->click;
$browser->wait_for('#signin-form');
$browser->find('#name')->type($ada->{name});
$browser->find('#present')->type("$ada->{password}$enter");
opened('... in, denied, out, in as somebody else');
$browser->stop;

done_testing;

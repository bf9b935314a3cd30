#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The pages of mailed links in a real browser against a server that gives every answer there is: what a person reads, what is sent, that axe-core finds nothing in any state,
# and that nothing breaks the pages' own Content-Security-Policy. SHOTS=FOLDER keeps screenshots of every state, light and dark, on a phone and a desktop.
# (security 22, 24, 27, 31)
use strict;
use warnings FATAL => 'all';
use utf8;
use Encode qw(decode_utf8);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use POSIX ();
use Test::More;
use lib 't/httpd/lib';
use WebDriver;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output todo_output);

my ($ADA, $GOOD) = ('ada@example.org', 'Correct horse 1');

# ---- the server: what is asked of it says by its token, name or password how it answers ---------------------------------------------------------------

my %answers = (
    good => [200, '{"id":"user_1","username":"ada@example.org"}'],
    odd => [200, '{"username":"<img src=x onerror=alert(1)>@example.org"}'],
    nameless => [200, '"Password changed."'],
    empty => [200, ''],
    expired => [400, problem('token', 'This link has expired; please ask for a new one.')],
    dead => [400, problem('token', 'This link is no longer valid.')],
    gone => [409, problem('token', 'This link is no longer valid.')],
    weak => [400, problem('new_password', 'new_password must not be the user name.')],
    common => [400, problem('new_password', 'new_password must not be a common password, nor one with digits or signs added around it.')],
    hostile => [400, problem('new_password', '<b>new_password</b><script>alert(1)</script>')],
    often => [429, problem(undef, 'Too many.'), 'Retry-After' => 1],
    long => [429, problem(undef, 'Too many.'), 'Retry-After' => 600],
    dated => [503, problem(undef, 'Busy.'), 'Retry-After' => 'Wed, 01 Jan 2020 00:00:00 GMT'],
    busy => [503, problem(undef, 'Busy.'), 'Retry-After' => 120],
    broken => [500, '<html>oops</html>'],
    forbidden => [403, problem(undef, 'Only TLS.')],
    moved => [302, '', Location => 'http://127.0.0.1:1/'],
    taken => [409, problem('username', 'This username is taken.')],
);
my @DEAD_AT_ONCE = qw(expired dead);

sub problem
{
    my ($field, $message) = @_;
    return encode_json({type => 'INVALID_REQUEST', code => 'INVALID_FIELD', message => $message, $field ? (field => $field) : (), fields => {}});
}

sub ok_json { return [200, encode_json($_[0])] }

my $folder = tempdir(CLEANUP => 1);
system('sh', 'src/pages/embed.sh', "$folder/pages.c", $folder) == 0 or die('the pages cannot be built');
system('t/npm/install.sh', 'build/npm') == 0 or die('the packages of t/npm are not there');

sub slurp
{
    my ($path) = @_;
    open my $in, '<:raw', $path or return '';
    local $/;
    return scalar(<$in>) // '';
}

my %pages = map { ("/v1/oauth/$_->[0]" => [slurp("$folder/$_->[1].html"), slurp("$folder/$_->[1].csp") =~ s/\n//r]) }
    ['activate-user', 'activate'], ['reset-password', 'reset'], ['confirm-address', 'confirm'];

sub read_request
{
    my ($socket) = @_;
    my $text = '';
    while ($text !~ /\r\n\r\n/) {
        sysread($socket, $text, 65536, length $text) or return;
    }
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($method, $path) = $head =~ /^(\S+) (\S+)/;
    my %headers = map { /^([^:]+): *(.*)/ ? (lc $1 => $2) : () } split /\r\n/, $head;
    while (length $body < ($headers{'content-length'} // 0)) {
        sysread($socket, $body, 65536, length $body) or return;
    }
    return {method => $method, path => $path =~ s/\?.*//r, query => $path =~ /\?(.*)/ ? $1 : '', headers => \%headers, body => $body};
}

sub token_of
{
    my ($name) = @_;
    return {access_token => join '.', map { encode_base64url($_) } '{}', encode_json({sub => "user_$name"}), 'x'};
}

sub bearer_of
{
    my ($request) = @_;
    my ($claims) = ($request->{headers}{authorization} // '') =~ /^Bearer [^.]+\.([^.]+)\./ or return '';
    return decode_json(MIME::Base64::decode_base64url($claims))->{sub} =~ s/^user_//r;
}

# Tokens are FLAGS/CASE: r a link for a new password, c one to a new address, a an invitation that adds, w with providers, p where nobody signs in by password; CASE is what comes of it.
sub case_of
{
    my ($token) = @_;
    return ($token // '') =~ m{^([a-z]*)/(.*)} ? ($1, $2) : ('', $token // '');
}

sub provider
{
    my ($id, %more) = @_;
    return {id => $id, entity_id => undef, type => 'SSO', name => ucfirst $id, status => 'ENABLED', sso => {variant => 'OIDC'}, %more};
}

my %handlers = (
    'POST describe-link' => sub {
        my ($flags, $case) = case_of($_[1]->{token});
        return $answers{$1} if $case =~ /^at-once-(.*)/;
        return $answers{$case} if grep { $case eq $_ } @DEAD_AT_ONCE;
        return ok_json({
            kind => $flags =~ /r/ ? 'RESET' : $flags =~ /c/ ? 'CHANGE' : 'INVITE', username => $ADA, adds => $flags =~ /a/ ? JSON::PP::true : JSON::PP::false, expires_at => '2030-01-01T00:00:00Z',
            password_min_length => $case eq 'strict' ? 15 : 8, password_sign_in => $flags =~ /p/ ? JSON::PP::false : JSON::PP::true});
    },
    'POST activate-user' => sub {
        my ($request, $body) = @_;
        my ($flags, $case) = case_of($body->{token});
        return [403, problem(undef, 'For somebody else.')] if bearer_of($request) eq 'bob';
        sleep 1 if $case eq 'slow';
        return $answers{$case} // $answers{good};
    },
    'POST refresh-token' => sub { return ($_[0]{headers}{cookie} // '') =~ /who=(\w+)/ ? ok_json(token_of($1)) : [401, problem(undef, 'No.')] },
    'POST token' => sub {
        my $password = $_[1]{password};
        return $answers{often} if $password eq 'Often 1';
        return [401, problem(undef, 'No.')] if $password eq 'Wrong 1';
        return ok_json(token_of($password eq 'Bob 1' ? 'bob' : 'ada'));
    },
    'POST logout' => sub { return [200, ''] },
    'POST request-password-reset' => sub { return $_[1]{email} =~ /^often/ ? $answers{long} : [200, ''] },
    'POST enabled' => sub {
        my ($flags) = case_of($_[1]{token});
        return ok_json({data => $flags !~ /w/ ? [] : [
            {%{provider('password')}, type => 'DEFAULT'}, map { provider($_) } qw(work declines refuses stranger closed)]});
    },
    # Those that are not set up for this are refused, as by the server itself.
    'GET authorize' => sub {
        my ($provider, $back) = map { my $name = $_; map { s/%([0-9A-F]{2})/chr hex $1/egr } $_[0]{query} =~ /\b$name=([^&]*)/ } qw(provider redirect_uri);
        return [400, problem('provider', 'No.')] if $provider eq 'closed';
        return [302, '', Location => "$back?" . ($provider eq 'declines' ? 'error=access_denied' : "code=$provider") . '&state=s&iss=i'];
    },
    'POST callback' => sub {
        my $code = $_[1]{code};
        return $code eq 'refuses' ? [403, problem(undef, 'No.')] : ok_json(token_of($code eq 'stranger' ? 'bob' : 'ada'));
    },
    'GET user_ada' => sub { return ok_json({username => 'Ada@example.org'}) },
    'GET user_bob' => sub { return ok_json({username => 'bob@example.org'}) },
    'HEAD ' => sub { return [200, ''] },
);
$handlers{'POST reset-password'} = $handlers{'POST confirm-address'} = $handlers{'POST activate-user'};

sub answer
{
    my ($request) = @_;
    # As the server itself does: what a mail program made of the fragment is not a part of the path.
    my $page = $pages{$request->{path} =~ s/%(?:25)*23.*//r};
    return [200, $page->[0], 'Content-Type' => 'text/html; charset=utf-8', 'Content-Security-Policy' => $page->[1]] if $page && $request->{method} eq 'GET';
    open my $out, '>>:raw', "$folder/requests" or die;
    syswrite $out, encode_json($request) . "\n";
    close $out;
    my ($last) = $request->{path} =~ m{([^/]*)$};
    my $handler = $handlers{"$request->{method} $last"} or return [404, ''];
    return $handler->($request, eval { decode_json($request->{body}) } // {});
}

sub serve
{
    my ($socket) = @_;
    alarm 60;
    my $request = read_request($socket) or return;
    my ($status, $body, %headers) = @{answer($request)};
    %headers = ('Content-Type' => 'application/json', 'Cache-Control' => 'no-store', 'Referrer-Policy' => 'no-referrer', %headers);
    print {$socket} "HTTP/1.1 $status Answer\r\n", (map {"$_: $headers{$_}\r\n"} keys %headers), 'Content-Length: ', length $body,
        "\r\nConnection: close\r\n\r\n", $body;
}

my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 20) or die("no port: $!");
my $base = 'http://127.0.0.1:' . $listen->sockport . '/v1/oauth';
my $main = $$;
my $server = fork // die('fork');
if (!$server) {
    $SIG{CHLD} = 'IGNORE';
    while (1) {
        my $socket = $listen->accept or next;
        next if fork // 1;
        serve($socket);
        close $socket;
        POSIX::_exit(0);
    }
}
close $listen;
END {
    if ($server && $$ == $main) {
        local $?;
        kill TERM => $server;
        waitpid $server, 0;
    }
}

# What was sent since the last call, as `METHOD last-word-of-path`; the requests themselves in @sent.
my @sent;

sub requests
{
    @sent = map { decode_json($_) } split /\n/, slurp("$folder/requests");
    unlink "$folder/requests";
    return join ' ', map { m{([^/]+)$} ? $1 : '/' } map { $_->{path} } @sent;
}

# ---- the browser --------------------------------------------------------------------------------------------------------------------------------------

my $browser = WebDriver->start(width => 1280, height => 900, dark => 0);
$browser->devtools('Page.enable');
my $axe = $browser->devtools('Page.addScriptToEvaluateOnNewDocument', {source => decode_utf8(slurp('build/npm/node_modules/axe-core/axe.min.js'))});

# The network's own notes about 4xx are no fault of the page; anything else is.
sub complaints
{
    return map {"$_->{level} $_->{source}: $_->{message}"} grep { $_->{source} ne 'network' && $_->{source} ne 'recommendation' && $_->{level} ne 'DEBUG' } $browser->console;
}

sub visit
{
    my ($page, $token) = @_;
    # Only the fragment would change otherwise.
    $browser->open('about:blank');
    $browser->open("$base/$page" . (defined $token ? "#token=$token" : ''));
}

sub fill
{
    my ($page, $token, $password) = @_;
    visit($page, $token);
    $browser->wait_for('#password')->type($password // $GOOD);
    $browser->find('#ask-form .main')->click;
}

sub confirm
{
    my ($token) = @_;
    visit('confirm-address', $token);
    $browser->wait_for('#confirm');
    $browser->find('#confirm-form .main')->click;
}

sub sign_in
{
    my ($token, $password) = @_;
    visit('activate-user', $token);
    $browser->wait_for('#present')->type($password);
    $browser->find('#signin-form .main')->click;
}

# Of a page that may be on its way to another one: nothing.
sub text
{
    my ($css) = @_;
    return eval { $browser->find($css)->text } // '';
}

sub is_problem
{
    my ($form, $expected, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = $browser->wait_for(sub { text("$form .problem") });
    ref $expected ? like($got, $expected, $name) : is($got, $expected, $name);
}

# The message that the page ends with.
sub is_message
{
    my ($title, $text, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $browser->wait_for('#message');
    like(text('#message'), qr/^\Q$title\E\n.*$text/s, $name);
    is($browser->active->attribute('id'), 'message-title', '... and has the focus');
}

sub way
{
    my ($name) = @_;
    my ($button) = grep { $_->text eq "Continue with $name" } $browser->find_all('.way');
    return $button;
}

sub quiet
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply([complaints()], [], 'the console is quiet');
}

# ---- every state: accessible, and fit for every size and scheme -----------------------------------------------------------------------------------------

sub faults
{
    my ($options) = @_;
    my $found = $browser->script('return axe.run(document, arguments[0]).then((r) => r.violations.concat(r.incomplete.filter((i) => i.id !== "color-contrast")).map(
        (v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ")).join(", ")))', $options);
    return join '; ', @$found;
}

my @LOOKS = ([desktop => 1280, 900, 0], [desktop => 1280, 900, 1], [phone => 390, 844, 0], [phone => 390, 844, 1]);

# Size and scheme change while the page stays as it is.
sub looks
{
    my ($state) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @faults;
    for my $look (@LOOKS) {
        my ($name, $width, $height, $dark) = @$look;
        $browser->resize($width, $height);
        $browser->dark($dark);
        $name .= $dark ? '-dark' : '-light';
        # What does not depend on either is judged once.
        my $found = faults($look == $LOOKS[0] ? {} : {runOnly => ['color-contrast', 'target-size']});
        push @faults, "$name: $found" if $found;
        $browser->screenshot("$ENV{SHOTS}/$state-$name.png") if $ENV{SHOTS};
    }
    # 320 px wide is also 640 at 200 %.
    $browser->resize(320, 568);
    push @faults, 'sticks out at 320 px' if $browser->script('return document.documentElement.scrollWidth > window.innerWidth');
    $browser->resize(1280, 900);
    is(join(', ', @faults), '', "$state: axe-core finds nothing, and nothing sticks out");
}

subtest 'every state' => sub {
    my $reach = sub { my ($form, $do) = @_; $do->(); $browser->wait_for(sub { text("$form .problem") }) };
    my @states = (
        activate => sub { visit('activate-user', '/good'); $browser->wait_for('#ask') },
        'activate-typing' => sub { $browser->find('#password')->type('ada4'); $browser->wait_for(sub { $browser->find('#told')->property('textContent') }) },
        'activate-lacking' => sub { $browser->find('#ask-form .main')->click },
        'activate-shown' => sub { visit('activate-user', '/common'); $browser->wait_for('#password')->type($GOOD); $browser->find('[aria-controls=password]')->click },
        'activate-refused' => sub { $reach->('#ask-form', sub { fill('activate-user', '/common') }) },
        'activate-often' => sub { $reach->('#ask-form', sub { fill('activate-user', '/long') }) },
        'activate-providers' => sub { visit('activate-user', 'w/good'); $browser->wait_for('#ways') },
        'activate-done' => sub { fill('activate-user', '/good'); $browser->wait_for('#home') },
        'activate-expired' => sub { visit('activate-user', '/expired'); $browser->wait_for('#message') },
        'activate-dead' => sub { visit('activate-user', '/dead'); $browser->wait_for('#message') },
        'activate-incomplete' => sub { visit('activate-user'); $browser->wait_for('#message') },
        'activate-trouble' => sub { visit('activate-user', '/at-once-busy'); $browser->wait_for('#trouble') },
        signin => sub { visit('activate-user', 'a/good'); $browser->wait_for('#signin') },
        'signin-wrong' => sub { $reach->('#signin-form', sub { sign_in('aw/good', 'Wrong 1') }); $browser->wait_for('#ways') },
        'signin-provider-alone' => sub { visit('activate-user', 'awp/good'); $browser->wait_for('#ways') },
        'signin-closed' => sub { visit('activate-user', 'ap/good'); $browser->wait_for('#message') },
        'signin-other' => sub { sign_in('a/good', 'Bob 1'); $browser->wait_for('#message') },
        'join' => sub { $browser->script('document.cookie = "who=ada; path=/"'); visit('activate-user', 'a/good'); $browser->wait_for('#join') },
        'join-done' => sub { $browser->find('#join-form .main')->click; $browser->wait_for('#home') },
        reset => sub { $browser->script('document.cookie = "who=; path=/; max-age=0"'); visit('reset-password', 'r/good'); $browser->wait_for('#ask') },
        'reset-done' => sub { fill('reset-password', 'r/nameless'); $browser->wait_for('#home') },
        'reset-expired' => sub { visit('reset-password', '/expired'); $browser->wait_for('#again') },
        'reset-forgot' => sub { visit('reset-password'); $browser->wait_for('#again') },
        'reset-address' => sub { $reach->('#again-form', sub { $browser->find('#again-form .main')->click }) },
        'reset-sent' => sub { $browser->find('#email')->type($ADA); $browser->find('#again-form .main')->click; $browser->wait_for('#message') },
        confirm => sub { visit('confirm-address', 'c/good'); $browser->wait_for('#confirm') },
        'confirm-often' => sub { $reach->('#confirm-form', sub { confirm('c/long') }) },
        'confirm-done' => sub { confirm('c/good'); $browser->wait_for('#home') },
        'confirm-taken' => sub { confirm('c/taken'); $browser->wait_for('#message') },
        (map { my $case = $_; ("confirm-$case" => sub { visit('confirm-address', "c/$case"); $browser->wait_for('#message') }) } @DEAD_AT_ONCE),
        'confirm-trouble' => sub { visit('confirm-address', 'c/at-once-busy'); $browser->wait_for('#trouble') },
    );
    while (my ($state, $do) = splice @states, 0, 2) {
        $do->();
        looks($state);
    }
    $browser->dark(0);
    requests();
    quiet();
};

subtest 'other eyes' => sub {
    visit('activate-user', 'w/good');
    $browser->wait_for('#password')->type('abcD');
    $browser->wait_for('#ways');
    for my $feature (['forced-colors' => 'active', 'none'], ['prefers-reduced-motion' => 'reduce', 'no-preference']) {
        my ($name, $on, $off) = @$feature;
        $browser->media($name => $on);
        is(faults({runOnly => ['color-contrast', 'target-size']}), '', "axe-core finds nothing with $name");
        $browser->screenshot("$ENV{SHOTS}/activate-$name.png") if $ENV{SHOTS};
        is($browser->script('return getComputedStyle(document.querySelector(".wheel")).animationName'), 'none', 'nothing turns') if $on eq 'reduce';
        $browser->media($name => $off);
    }
    $browser->dark(1);
    is($browser->script('return getComputedStyle(document.body).backgroundColor'), 'rgb(15, 19, 24)', 'dark is dark');
    $browser->dark(0);
    requests();
    quiet();
};

# The rest is quicker without.
$browser->devtools('Page.removeScriptToEvaluateOnNewDocument', $axe);

# ---- what happens ---------------------------------------------------------------------------------------------------------------------------------------

subtest 'a new account' => sub {
    visit('activate-user', 'good');
    my $password = $browser->wait_for('#password');
    is($browser->url, "$base/activate-user", 'the token is gone from the address bar at once');
    is($browser->title, 'Activate your account', 'title');
    is(text('#ask h1'), 'Activate your account', 'heading');
    like(text('#ask-lead'), qr/invited as \Q$ADA\E\./, 'who is meant');
    is($browser->find('#username')->property('value'), $ADA, 'password managers know it too');
    is(text('#site'), $base =~ m{//(.*?)/} ? $1 : '', 'the site is named');
    is($browser->script('return document.documentElement.lang'), 'en', 'the language is named');
    is($browser->active->attribute('id'), 'password', 'the field has the focus');
    is($password->label, 'New password', 'and a label');
    is($password->attribute('autocomplete'), 'new-password', 'password managers may offer a new one');
    $password->type($GOOD);
    $browser->keys("\x{E007}");
    is_message('Your account is active', "sign in as \Q$ADA\E with your new password", 'Enter sends it, and it is done');
    is($browser->title, 'Your account is active', 'the title tells it too');
    is($browser->find('#password')->property('value'), '', 'the password is gone');
    is($browser->wait_for('#home')->label, 'Go to ' . text('#site'), 'the way on');
    is($browser->find('#home')->property('href'), $base =~ s{/v1/oauth$}{/}r, 'to the front page, which is there');
    is(requests(), 'describe-link enabled activate-user /', 'what was asked');
    my ($request) = grep { $_->{path} =~ /activate-user/ } @sent;
    is("$request->{method} $request->{headers}{'content-type'}", 'POST application/json', 'the password goes to the page\'s own path');
    is_deeply(decode_json($request->{body}), {token => 'good', new_password => $GOOD}, 'token and password, nothing else');
    ok(!(grep { defined $_->{headers}{referer} } @sent), 'no Referer # security 31');
    quiet();
    $browser->open('about:blank');
    $browser->back;
    is($browser->url, "$base/activate-user", 'nor does the way back bring the token');
    requests();
};

subtest 'a new password' => sub {
    fill('reset-password', 'r/nameless', 'Ünïcode ß 7');
    is_message('Your password is changed', 'signed out everywhere else', 'it is done');
    $browser->wait_for('#home');
    is(requests(), 'describe-link reset-password /', 'what was asked');
    is_deeply(decode_json($sent[1]{body}), {token => 'r/nameless', new_password => 'Ünïcode ß 7'}, 'in UTF-8');
    fill('activate-user', 'empty');
    is_message('Your account is active', 'with your new password', 'an answer without a name is no failure');
    fill('activate-user', 'odd');
    is_message('Your account is active', 'sign in as <img src=x onerror=alert\(1\)>\@example\.org with', 'a name is text, whatever it looks like');
    is(scalar(() = $browser->find_all('img')), 0, 'and makes no element');
    visit('activate-user', 'r/good');
    is_message('This link does not work any more', '', 'a link of the other kind');
    requests();
    quiet();
};

subtest 'a new address' => sub {
    visit('confirm-address', 'c/good');
    like($browser->wait_for('#confirm')->text, qr/^Confirm your new address\n.*sign in as \Q$ADA\E, once you confirm it here/s, 'A4: which address is to be confirmed');
    is($browser->url, "$base/confirm-address", 'the token is gone from the address bar at once');
    is($browser->title . $browser->active->attribute('id'), 'Confirm your new addressconfirm-title', 'title, and the heading has the focus');
    is(requests(), 'describe-link', 'A4: nothing is confirmed by opening the page # security 22');
    $browser->keys("\x{E004}\x{E007}");
    is_message('Your address is changed', "sign in as \Q$ADA\E, with the same password", 'A4: Tab and Enter confirm it');
    $browser->wait_for('#home');
    is(requests() . " $sent[0]{method} $sent[0]{body}", 'confirm-address / POST {"token":"c/good"}', 'with the token alone');
    ok(!(grep { defined $_->{headers}{referer} } @sent), 'no Referer # security 31');
    for (['c/taken', 'This address is taken', "signs in here as \Q$ADA\E by now"], ['c/gone', 'This link does not work any more', 'cancelled by another change']) {
        confirm($_->[0]);
        is_message($_->[1], $_->[2], "A4: refused: $_->[1]");
    }
    for (['c/expired', 'This link has expired', 'change the address once more'], ['r/good', 'This link does not work any more', '']) {
        visit('confirm-address', $_->[0]);
        is_message($_->[1], $_->[2], "A4: told at once: $_->[1] # security 23");
    }
    for (['often', qr/^There were too many attempts/], ['broken', qr/^Something went wrong on our side \(500\)/]) {
        confirm("c/$_->[0]");
        is_problem('#confirm-form', $_->[1], $_->[0]);
    }
    requests();
    quiet();
};

subtest 'a mangled link' => sub {
    for my $link ('activate-user%23token=good', 'reset-password%23token=r/good', map {"confirm-address$_"}
        qw(%23token=c/good %23token%3Dc/good %2523token%253Dc/good %23token=c/good?utm=1), '#token%3Dc/good') {
        my ($page) = $link =~ /^([a-z-]+)/;
        $browser->open('about:blank');
        $browser->open("$base/$link");
        $browser->wait_for($page eq 'confirm-address' ? '#confirm' : '#ask');
        is($browser->url, "$base/$page", "B14: $link is put right");
        like(requests(), qr/^describe-link/, 'B14: ... the page asks what the link is about');
        is(scalar(grep { "$_->{path}$_->{query}" =~ /token/ || defined $_->{headers}{referer} } @sent), 0, 'B14: ... and sends the token in no address');
    }
    $browser->find('#confirm-form .main')->click;
    is_message('Your address is changed', '', 'B14: ... and works to the end');
    for my $link ('activate-user%23', 'confirm-address%23', 'confirm-address%23tok=c/good') {
        $browser->open("$base/$link");
        is_message('The link is incomplete', 'copied the whole of it', "B14: $link says what is wrong");
    }
    requests();
    quiet();
};

subtest 'rules while one types' => sub {
    visit('activate-user', 'good');
    my $password = $browser->wait_for('#password');
    my $met = sub { join ' ', map { $_->attribute('data-rule') } $browser->find_all('.rules .met') };
    is($met->(), '', 'none is met by nothing');
    for (['abc', 'name'], ['abc4', 'digit name'], ['abc4D', 'digit capital name'], ['abc4Defg', 'length digit capital name'], ['Äbcdefg٣', 'length digit capital name'],
        ['ABCDEFGH', 'length capital name'], ['😀😀😀😀', 'name'], ['ADA@example.org', 'length capital'], ['Ada-Example-1', 'length digit capital'], ['Ada likes 1 example', 'length digit capital name']) {
        $browser->script('arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event("input"))', $password, $_->[0]);
        is($met->(), $_->[1], "of $_->[0]");
    }
    $password->clear->type('ABC');
    $browser->wait_for(sub { $browser->find('#told')->property('textContent') eq 'Still missing: at least 8 characters, a digit.' });
    pass('a screen reader is told, after a while');
    $browser->find('#ask-form .main')->click;
    is_problem('#ask-form', 'The password does not meet these rules yet: at least 8 characters, a digit.', 'what is missing is told');
    is($browser->active->attribute('id'), 'password', 'the field has the focus');
    is($password->attribute('aria-invalid'), 'true', 'and is marked');
    $password->type('x');
    is(text('#problem'), '', 'typing takes the complaint away');
    is($password->attribute('aria-invalid'), undef, 'and the mark');
    $password->clear;
    $browser->find('#ask-form .main')->click;
    is_problem('#ask-form', 'Please enter a password.', 'none at all');
    is(requests(), 'describe-link enabled', 'nothing was sent');
    visit('activate-user', '/strict');
    $browser->wait_for('#password');
    is(text('[data-rule=length] .rule'), 'At least 15 characters', 'what this site asks for');
    requests();
    quiet();
};

subtest 'by keyboard alone' => sub {
    my ($tab, $enter) = ("\x{E004}", "\x{E007}");
    visit('activate-user', 'w/good');
    $browser->wait_for('#ways');
    $browser->keys($tab x 3);
    is($browser->active->text, 'Continue with Work', 'behind the form come the providers');
    visit('activate-user', 'good');
    $browser->wait_for('#password');
    $browser->keys("$GOOD$tab ");
    my $password = $browser->find('#password');
    is($password->property('type'), 'text', 'Tab and Space show the password');
    is($browser->active->label . ' ' . $browser->active->attribute('aria-pressed'), 'Show password true', 'the button says what it does, and that it does');
    $browser->keys(' ');
    is($password->property('type') . $browser->active->attribute('aria-pressed'), 'passwordfalse', 'and again hides it');
    $browser->keys($tab);
    is($browser->active->text, 'Activate account', 'Tab goes to the button');
    isnt($browser->active->css('outline-style'), 'none', 'which shows the focus');
    $browser->keys($enter);
    $browser->wait_for('#home');
    $browser->keys($tab);
    is($browser->active->attribute('id'), 'home', 'from the message on, to the way on');
    like(requests(), qr/activate-user/, 'it was sent');

    visit('activate-user', 'a/good');
    $browser->wait_for('#present');
    $browser->keys("Wrong 1$enter");
    is_problem('#signin-form', 'That is not the password of this account.', 'a wrong password');
    $browser->keys("Right 1$enter");
    is_message('Invitation accepted', '', 'typed over, and accepted');
    visit('reset-password');
    $browser->wait_for('#email');
    $browser->keys("$ADA$enter");
    is_message('Look into your mail', '', 'a link is asked for');
    requests();
    quiet();
};

subtest 'links that do not work' => sub {
    visit('activate-user', '/expired');
    is_message('This invitation has expired', 'Ask the person who invited you', 'expired, told before anything is typed');
    visit('activate-user', '/dead');
    is_message('This link does not work any more', 'used already, was withdrawn, has been replaced.*ask the person who invited you', 'dead, and the way on # security 24');
    fill('activate-user', '/gone');
    is_message('This link does not work any more', 'used already', 'used while the page was open');
    visit('activate-user', '');
    is_message('The link is incomplete', 'copied the whole of it', 'no token');
    requests();
    $browser->open("$base/activate-user#token=good");
    $browser->wait_for('#ask');
    is($browser->url, "$base/activate-user", 'the right link opened in the same tab is taken up');

    visit('reset-password', '/dead');
    like($browser->wait_for('#again')->text, qr/^This link does not work any more\n.*Open the newest mail, or ask for a new link here/s, 'a dead reset and the way on');
    is($browser->active->attribute('id'), 'again-title', 'the heading has the focus');
    requests();
    $browser->find('#email')->type('ada');
    $browser->find('#again-form .main')->click;
    is_problem('#again-form', qr/whole e-mail address/, 'half an address');
    $browser->find('#email')->clear->type('often@example.org');
    $browser->find('#again-form .main')->click;
    is_problem('#again-form', 'There were too many attempts. Please try again in 10 minutes.', 'too often');
    visit('reset-password', '/expired');
    $browser->wait_for('#email')->type($ADA);
    $browser->find('#again-form .main')->click;
    is_message('Look into your mail', "If \Q$ADA\E has an account here", 'the same for everybody # security 28');
    is(requests(), 'request-password-reset describe-link request-password-reset', 'what was asked');
    is_deeply(decode_json($sent[2]{body}), {email => $ADA}, 'for whom');
    quiet();
};

subtest 'a password refused' => sub {
    fill('activate-user', '/weak');
    is_problem('#ask-form', 'The password must not be your address.', 'the server\'s reason is shown');
    is($browser->active->attribute('id'), 'password', 'the field has the focus');
    is($browser->find('#password')->property('value'), $GOOD, 'and keeps its text');
    $browser->find('#password')->type('2');
    $browser->find('#ask-form .main')->click;
    is_problem('#ask-form', 'The password must not be your address.', 'another attempt is possible');
    fill('activate-user', '/hostile');
    is_problem('#ask-form', '<b>new_password</b><script>alert(1)</script>', 'a message is text, whatever it looks like');
    requests();
    quiet();
};

subtest 'too often, too busy' => sub {
    fill('activate-user', '/often');
    is_problem('#ask-form', qr/^There were too many attempts\. Please try again in 1 second\.$/, 'status 429');
    my $send = $browser->find('#ask-form .main');
    like($send->text, qr/^Try again in 1 second$/, 'the button counts down');
    is($send->attribute('aria-disabled'), 'true', 'and is not to be used');
    $send->click;
    $browser->wait_for(sub { text('#problem') eq 'You can try again now.' });
    is($send->text, 'Activate account', 'until the time is over');
    is(requests(), 'describe-link enabled activate-user', 'nothing was sent meanwhile');
    $send->click;
    $browser->wait_for(sub { text('#problem') =~ /too many attempts/ });
    is(requests(), 'activate-user', 'then it is');
    fill('activate-user', '/busy');
    is_problem('#ask-form', 'The service is busy at the moment. Please try again in 2 minutes.', 'status 503, and long times in minutes');
    fill('activate-user', '/dated');
    is_problem('#ask-form', qr/try again/, 'a date gone by');
    visit('activate-user', '/at-once-dated');
    $browser->wait_for(sub { text('#trouble .problem') eq 'You can try again now.' });
    $browser->find('#trouble .main')->click;
    is_problem('#trouble', qr/busy at the moment/, 'while the link is looked at, too');
    sign_in('a/good', 'Often 1');
    is_problem('#signin-form', qr/^There were too many attempts/, 'and where one signs in');
    requests();
    quiet();
};

subtest 'no answer, or an odd one' => sub {
    visit('activate-user', 'good');
    $browser->wait_for('#password')->type($GOOD);
    $browser->offline(1);
    $browser->find('#ask-form .main')->click;
    is_problem('#ask-form', 'There is no connection to the server. Check your network and try again.', 'no connection');
    $browser->offline(0);
    requests();
    $browser->find('#ask-form .main')->click;
    is_message('Your account is active', '', 'with the network back the same form is sent');
    fill('activate-user', '/broken');
    is_problem('#ask-form', 'Something went wrong on our side (500). Please try again later.', '500 without JSON');
    fill('activate-user', '/moved');
    is_problem('#ask-form', qr/no connection/, 'nothing is sent on to another place');
    is_deeply([grep {!/127\.0\.0\.1:1\b/} complaints()], [], 'the console is quiet');
    requests();
    fill('activate-user', '/slow');
    my $send = $browser->find('#ask-form .main');
    is($send->text, 'Activating…', 'while it is under way the button says so');
    $send->click;
    is_message('Your account is active', '', 'and then it is done');
    like(requests(), qr/^describe-link enabled activate-user( \/)?$/, 'a second click sends nothing');
};

subtest 'somebody who has an account' => sub {
    visit('activate-user', 'a/good');
    like($browser->wait_for('#signin')->text, qr/^Sign in to accept\nYou have an account here already: \Q$ADA\E\./, 'is asked to sign in # security 27');
    is($browser->find('#present')->attribute('autocomplete'), 'current-password', 'a password manager may fill it in');
    is($browser->find('#forgot')->property('href'), "$base/reset-password#email=ada%40example.org", 'who forgot it is helped');
    requests();
    $browser->find('#present')->type('Right 1');
    $browser->find('#signin-form .main')->click;
    is_message('Invitation accepted', "added to your account \Q$ADA\E", 'signed in and accepted');
    $browser->wait_for('#home');
    is(requests(), 'token activate-user logout /', 'and signed out again');
    is_deeply(decode_json($sent[0]{body}), {username => $ADA, password => 'Right 1'}, 'as whom');
    is_deeply(decode_json($sent[1]{body}), {token => 'a/good'}, 'accepted without a new password');
    is(bearer_of($sent[1]) . bearer_of($sent[2]), 'adaada', 'by that session, which ends');
    is($sent[1]{headers}{cookie}, undef, 'no cookie of the page\'s own');
    sign_in('a/good', 'Bob 1');
    is_message('This invitation is for somebody else', "You signed in as bob\@example.org, but it was sent to \Q$ADA\E", 'nobody accepts in another\'s name # security 27');
    like(requests(), qr/logout$/, 'and is signed out');

    $browser->script('document.cookie = "who=ada; path=/"');
    visit('activate-user', 'a/good');
    like($browser->wait_for('#join')->text, qr/You are signed in as \Q$ADA\E/, 'who is signed in already only accepts');
    unlike(requests(), qr/activate-user/, 'nothing is accepted by opening the page');
    $browser->find('#join-form .main')->click;
    is_message('Invitation accepted', '', 'but by pressing the button');
    $browser->wait_for('#home');
    is(requests(), 'activate-user /', 'and stays signed in');
    $browser->script('document.cookie = "who=bob; path=/"');
    visit('activate-user', 'a/good');
    like($browser->wait_for('#signin')->text, qr/In this browser bob\@example\.org is signed in\. The invitation is for \Q$ADA\E alone/, 'somebody else must sign in');
    $browser->script('document.cookie = "who=; path=/; max-age=0"');
    requests();
    quiet();
};

subtest 'providers' => sub {
    visit('activate-user', 'w/good');
    $browser->wait_for('#ways');
    is(join(' ', map { $_->text =~ s/Continue with //r } $browser->find_all('.way')), 'Work Declines Refuses Stranger', 'those that would work have a button');
    is($browser->script('return sessionStorage.length'), 0, 'nothing is kept');
    requests();
    way('Work')->click;
    is_message('Your account is active', "sign in as \Q$ADA\E, with Work", 'through the provider and back');
    is($browser->url, "$base/activate-user", 'the code is gone from the address bar');
    is($browser->script('return sessionStorage.length'), 0, 'and nothing is kept any more');
    $browser->wait_for('#home');
    is(requests(), 'authorize authorize callback user_ada logout /', 'what was asked');
    is_deeply(decode_json($sent[2]{body}), {code => 'work', state => 's', iss => 'i', redirect_uri => "$base/activate-user"}, 'with all that came back');

    my $try = sub {
        my ($token, $name) = @_;
        visit('activate-user', $token);
        $browser->wait_for('#ways');
        way($name)->click;
    };
    $try->('w/good', 'Declines');
    $browser->wait_for(sub { text('#ways-problem') eq 'The sign-in with Declines was not finished. You can try again.' });
    ok($browser->find('#ask')->displayed, 'who declines can go on by a password');
    $try->('w/good', 'Refuses');
    $browser->wait_for(sub { text('#ways-problem') =~ /The account that you used with Refuses cannot accept.* must be \Q$ADA\E/ });
    pass('whose address is another one is told');
    $try->('w/good', 'Stranger');
    is_message('This invitation is for somebody else', 'signed in as bob@', 'who is known there as somebody else is told');
    $try->('aw/good', 'Work');
    is_message('Invitation accepted', '', 'who has an account accepts by a provider, too');
    like(requests(), qr/callback activate-user logout( \/)?$/, 'with the session that it gave');
    $try->('aw/good', 'Stranger');
    is_message('This invitation is for somebody else', 'signed in as bob@', 'not in another\'s name # security 27');
    $browser->open("$base/activate-user?code=work&state=s");
    is_message('The sign-in was interrupted', 'Open the link in your mail again', 'back where it did not begin');
    unlike(requests(), qr/callback$/, 'nothing is asked for that');
    quiet();
};

subtest 'languages' => sub {
    my $texts = slurp('src/pages/texts.js');
    my %keys;
    while ($texts =~ /^    (\w\w): \{\n(.*?)^    \},/msg) {
        my ($language, $all) = ($1, $2);
        $keys{$language} = join "\n", sort map { my ($key, $text) = /^ +'([^']+)': '(.*)',$/; "$key " . join ' ', sort $text =~ /\{\w+\}/g } grep { /\S/ } split /\n/, $all;
    }
    is(join(' ', sort keys %keys), 'de en fr', 'three');
    is($keys{$_}, $keys{en}, "$_ says all that English does, with the same values") for qw(de fr);
    for (['de', 'Neue Adresse bestätigen', 'Adresse bestätigen'], ['fr', 'Confirmez votre nouvelle adresse', 'Confirmer l’adresse']) {
        $browser->languages($_->[0]);
        visit('confirm-address', 'c/good');
        $browser->wait_for('#confirm');
        is(join(' ', $browser->title, $browser->find('#confirm-form .main')->text), "$_->[1] $_->[2]", "a new address in $_->[0]");
    }
    for (['de-AT,en', 'de', 'Konto aktivieren', qr/mindestens 8 Zeichen, eine Ziffer/], ['es,fr-CA,en', 'fr', 'Activez votre compte', qr/au moins 8 caractères, un chiffre/],
        ['pl', 'en', 'Activate your account', qr/at least 8 characters/]) {
        my ($languages, $language, $title, $rules) = @$_;
        $browser->languages($languages);
        visit('activate-user', 'w/good');
        my $password = $browser->wait_for('#password');
        $browser->wait_for('#ways');
        is($browser->title . ' ' . $browser->script('return document.documentElement.lang'), "$title $language", "for $languages");
        $password->type('X');
        $browser->find('#ask-form .main')->click;
        is_problem('#ask-form', $rules, 'with what it complains of');
        next if $language eq 'en';
        $browser->resize(320, 568);
        ok($browser->script('return document.documentElement.scrollWidth <= window.innerWidth'), 'longer words fit a small screen');
        $browser->resize(390, 844);
        $browser->screenshot("$ENV{SHOTS}/activate-lacking-phone-$language.png") if $ENV{SHOTS};
        $browser->resize(1280, 900);
    }
    requests();
    quiet();
};

subtest 'without JavaScript' => sub {
    $browser->devtools('Emulation.setScriptExecutionDisabled', {value => JSON::PP::true});
    visit('activate-user', 'good');
    like(text('main'), qr/Please switch on JavaScript/, 'it says so');
    ok(!$browser->find('#ask')->displayed, 'and shows no form');
    like($browser->find('main p[lang=de]')->text, qr/JavaScript/, 'in other languages, too');
    $browser->screenshot("$ENV{SHOTS}/noscript.png") if $ENV{SHOTS};
    visit('confirm-address', 'c/good');
    ok(text('main') =~ /Please switch on JavaScript.*when you confirm/s && !$browser->find('#confirm')->displayed, 'so does the page of a new address');
    $browser->devtools('Emulation.setScriptExecutionDisabled', {value => JSON::PP::false});
};

subtest 'the policy holds' => sub {
    visit('activate-user', 'good');
    $browser->wait_for('#ask');
    is_deeply([complaints()], [], 'quiet before');
    $browser->script('const s = document.createElement("script"); s.textContent = "window.intruder = 1"; document.body.append(s);
        const i = document.createElement("img"); i.src = "/x.png"; document.body.append(i);
        document.body.setAttribute("style", "color: red")');
    ok(!$browser->script('return window.intruder'), 'a foreign script does not run');
    my @complaints = $browser->wait_for(sub { my @all = complaints(); @all && \@all })->@*;
    ok(scalar(grep {/Content Security Policy/} @complaints), 'and these tests would have seen it') or diag(@complaints);
};

$browser->stop;
done_testing();

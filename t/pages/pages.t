#!/usr/bin/perl
# The two pages in a real browser against a server that gives every answer there is: what a person reads, what is sent, and that nothing breaks the pages'
# own Content-Security-Policy. SHOTS=FOLDER keeps screenshots.
use strict;
use warnings FATAL => 'all';
use utf8;

use Encode qw(decode_utf8);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;
use lib 't/httpd/lib';
use WebDriver;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output todo_output);

my $GOOD = 'Correct horse 1';
my %answers = (
    good => [200, '{"id":"user_1","username":"ada@example.org"}'],
    odd => [200, '{"username":"<img src=x onerror=alert(1)>@example.org"}'],
    nameless => [200, '"Password changed."'],
    empty => [200, ''],
    expired => [400, problem('token', 'This link has expired; please ask for a new one.')],
    dead => [400, problem('token', 'This link is not valid any more.')],
    gone => [409, problem('token', 'This link is not valid any more.')],
    weak => [400, problem('new_password', 'new_password must not be the user name.')],
    short => [400, problem('new_password', 'new_password must have at least 20 bytes.')],
    hostile => [400, problem('new_password', '<b>new_password</b><script>alert(1)</script>')],
    often => [429, problem(undef, 'Too many.'), 'Retry-After' => 2],
    long => [429, problem(undef, 'Too many.'), 'Retry-After' => 600],
    dated => [503, problem(undef, 'Busy.'), 'Retry-After' => 'Wed, 01 Jan 2020 00:00:00 GMT'],
    busy => [503, problem(undef, 'Busy.'), 'Retry-After' => 120],
    broken => [500, '<html>oops</html>'],
    forbidden => [403, problem(undef, 'Only TLS.')],
    moved => [302, '', Location => 'http://127.0.0.1:1/'],
);

sub problem
{
    my ($field, $message) = @_;
    return encode_json({type => 'INVALID_REQUEST', code => 'INVALID_FIELD', message => $message, $field ? (field => $field) : (), fields => {}});
}

# ---- the server -------------------------------------------------------------------------------------------------------------------------------------

my $folder = tempdir(CLEANUP => 1);
system('sh', 'src/pages/embed.sh', "$folder/pages.c", $folder) == 0 or BAIL_OUT('the pages cannot be built');

sub slurp
{
    my ($path) = @_;
    open my $in, '<:raw', $path or return '';
    local $/;
    return scalar(<$in>) // '';
}

my %pages = map { ("/v1/oauth/$_->[0]" => [slurp("$folder/$_->[1].html"), slurp("$folder/$_->[1].csp") =~ s/\n//r]) }
    ['activate-user', 'activate'], ['reset-password', 'reset'];

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
    return {method => $method, path => $path, headers => \%headers, body => $body};
}

sub answer
{
    my ($request) = @_;
    my $page = $pages{$request->{path} =~ s/\?.*//r} or return [404, ''];
    return [200, $page->[0], 'Content-Type' => 'text/html; charset=utf-8', 'Content-Security-Policy' => $page->[1]] if $request->{method} eq 'GET';
    open my $out, '>>:raw', "$folder/requests" or die;
    print {$out} encode_json($request), "\n";
    close $out;
    my $case = eval { decode_json($request->{body})->{token} } // '';
    sleep 3 if $case eq 'slow';
    return [$answers{$case} ? @{$answers{$case}} : @{$answers{good}}];
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

my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 20) or BAIL_OUT("no port: $!");
my $base = 'http://127.0.0.1:' . $listen->sockport . '/v1/oauth';
my $main = $$;
my $server = fork // BAIL_OUT('fork');
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

sub requests
{
    my @requests = map { decode_json($_) } split /\n/, slurp("$folder/requests");
    unlink "$folder/requests";
    return @requests;
}

# ---- the browser --------------------------------------------------------------------------------------------------------------------------------------

my $browser = WebDriver->start(width => 1280, height => 900, dark => 0);

sub shot
{
    my ($name) = @_;
    $browser->screenshot("$ENV{SHOTS}/$name.png") if $ENV{SHOTS};
}

# The network's own notes about 4xx are no fault of the page; anything else is.
sub complaints
{
    return map {"$_->{level} $_->{source}: $_->{message}"} grep { $_->{source} ne 'network' && $_->{level} ne 'DEBUG' } $browser->console;
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
    $browser->find('#send')->click;
}

sub text { return $browser->find($_[0])->text }

sub is_problem
{
    my ($expected, $name) = @_;
    my $got = $browser->wait_for(sub { text('#problem') });
    ref $expected ? like($got, $expected, $name) : is($got, $expected, $name);
}

subtest 'a new account' => sub {
    visit('activate-user', 'good');
    my $password = $browser->wait_for('#password');
    is($browser->url, "$base/activate-user", 'the token is gone from the address bar at once');
    is($browser->title, 'Activate your account', 'title');
    is(text('#ask h1'), 'Activate your account', 'heading');
    is(text('#site'), $base =~ m{//(.*?)/} ? $1 : '', 'the site is named');
    is($browser->active->attribute('id'), 'password', 'the field has the focus');
    is($password->label, 'New password', 'and a label');
    is($password->attribute('autocomplete'), 'new-password', 'password managers may offer a new one');
    shot('activate-light');

    $password->type($GOOD);
    $browser->keys("\x{E007}");
    $browser->wait_for('#done');
    is(text('#done h1'), 'Your account is active', 'Enter sends it, and it is done');
    like(text('#done'), qr/sign in as ada\@example\.org with your new password/, 'the answer\'s username is shown');
    is($browser->title, 'Your account is active', 'the title tells it too');
    is($browser->active->attribute('id'), 'done-title', 'the focus is where the news is');
    ok(!$browser->find('#ask')->displayed, 'the form is gone');
    is($browser->find('#password')->property('value'), '', 'the password too');
    shot('done-light');

    my ($request, @more) = requests();
    is(@more, 0, 'one request');
    is("$request->{method} $request->{path}", 'POST /v1/oauth/activate-user', 'to the page\'s own path');
    is($request->{headers}{'content-type'}, 'application/json', 'as JSON');
    is_deeply(decode_json($request->{body}), {token => 'good', new_password => $GOOD}, 'token and password, nothing else');
    ok(!defined $request->{headers}{referer}, 'no Referer');
    is_deeply([complaints()], [], 'the console is quiet');

    $browser->open('about:blank');
    $browser->back;
    is($browser->url, "$base/activate-user", 'nor does the way back bring it');
};

subtest 'a new password' => sub {
    fill('reset-password', 'nameless', 'Ünïcode ß 7');
    $browser->wait_for('#done');
    is(text('#done h1'), 'Your password is changed', 'it is done');
    my ($request) = requests();
    is("$request->{method} $request->{path}", 'POST /v1/oauth/reset-password', 'the request');
    is_deeply(decode_json($request->{body}), {token => 'nameless', new_password => 'Ünïcode ß 7'}, 'in UTF-8');
    fill('activate-user', 'empty');
    $browser->wait_for('#done');
    like(text('#done'), qr/You can now sign in with your new password/, 'an answer without a name is no failure');
    fill('activate-user', 'odd');
    $browser->wait_for('#done');
    like(text('#done'), qr/sign in as <img src=x onerror=alert\(1\)>\@example\.org with/, 'a name is text, whatever it looks like');
    is(scalar(() = $browser->find_all('img')), 0, 'and makes no element');
    requests();
    is_deeply([complaints()], [], 'the console is quiet');
};

subtest 'rules while one types' => sub {
    visit('activate-user', 'good');
    my $password = $browser->wait_for('#password');
    my $met = sub { join ' ', map { $_->attribute('data-rule') } $browser->find_all('.rules .met') };
    is($met->(), '', 'none is met by nothing');
    for (['abc', ''], ['abc4', 'digit'], ['abc4D', 'digit capital'], ['abc4Defg', 'length digit capital'], ['Äbcdefg٣', 'length digit capital'], ['ABCDEFGH', 'length capital'],
        ['😀😀😀😀', '']) {
        $password->clear;
        $browser->script('arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event("input"))', $password, $_->[0]);
        is($met->(), $_->[1], "of $_->[0]");
    }
    shot('rules-light');
    $browser->wait_for(sub { $browser->find('#told')->property('textContent') eq 'Still missing: at least 8 characters, a digit, a capital letter.' });
    pass('a screen reader is told');

    $browser->find('#send')->click;
    is_problem('The password still needs at least 8 characters, a digit, a capital letter.', 'what is missing is told');
    is($browser->active->attribute('id'), 'password', 'the field has the focus');
    is($password->attribute('aria-invalid'), 'true', 'and is marked');
    shot('missing-light');
    $password->clear->type('x');
    is(text('#problem'), '', 'typing takes the complaint away');
    $password->clear;
    $browser->find('#send')->click;
    is_problem('Please choose a password.', 'none at all');
    is(scalar(requests()), 0, 'nothing was sent');
    is_deeply([complaints()], [], 'the console is quiet');
};

subtest 'show and hide, by keyboard alone' => sub {
    visit('activate-user', 'good');
    my $password = $browser->wait_for('#password')->type($GOOD);
    is($password->property('type'), 'password', 'hidden at first');
    $browser->keys("\x{E004} ");
    is($password->property('type'), 'text', 'Tab and Space show it');
    is($browser->find('#show')->label, 'Hide password', 'the button says what it does');
    shot('shown-light');
    $browser->keys(' ');
    is($password->property('type'), 'password', 'and again hides it');
    is($browser->find('#show')->label, 'Show password', 'and says so');
    $browser->find('#show')->click;
    $browser->keys("\x{E004}\x{E007}");
    $browser->wait_for('#done');
    is($password->property('type'), 'password', 'what is sent is hidden');
    is(scalar(requests()), 1, 'Tab and Enter send it');
};

subtest 'links that do not work' => sub {
    my %heading = (expired => 'This invitation has expired', dead => 'This link does not work any more', gone => 'This link does not work any more');
    for my $case (sort keys %heading) {
        fill('activate-user', $case);
        my $panel = $browser->wait_for($case eq 'gone' ? '#dead' : "#$case");
        like($panel->text, qr/^\Q$heading{$case}\E\n/, "$case: the heading");
        ok(!$browser->find('#ask')->displayed, "$case: the form is gone");
        shot("$case-light");
    }
    like(text('#dead'), qr/used already, was withdrawn, has been replaced/, 'dead: why');
    like(text('#dead'), qr/ask the person who invited you/, 'dead: the way on');
    fill('reset-password', 'expired');
    like($browser->wait_for('#expired')->text, qr/^This link has expired\n.*Ask for a new one/s, 'an expired reset and the way on');
    fill('reset-password', 'dead');
    like($browser->wait_for('#dead')->text, qr/used already, has been replaced.*newest mail/s, 'a dead reset and the way on');
    requests();

    for my $token (undef, '', '%zz') {
        visit('activate-user', $token);
        like($browser->wait_for('#missing')->text, qr/^The link is incomplete\n.*copied the whole of it/s, 'no token: ' . ($token // 'no fragment'));
        ok(!$browser->find('#ask')->displayed, 'there is no form');
    }
    shot('missing-token-light');
    $browser->open("$base/activate-user#token=good");
    $browser->wait_for('#ask');
    is($browser->url, "$base/activate-user", 'the right link opened in the same tab is taken up');
    is(scalar(requests()), 0, 'nothing was sent');
    is_deeply([complaints()], [], 'the console is quiet');
};

subtest 'a password refused' => sub {
    fill('activate-user', 'weak');
    is_problem('The password must not be the user name.', 'the server\'s sentence is shown');
    is($browser->active->attribute('id'), 'password', 'the field has the focus');
    is($browser->find('#password')->property('value'), $GOOD, 'and keeps its text');
    shot('refused-light');
    $browser->find('#password')->type('2');
    $browser->find('#send')->click;
    is_problem('The password must not be the user name.', 'another attempt is possible');
    is(scalar(requests()), 2, 'and sent');

    fill('activate-user', 'short');
    is_problem(qr/at least 20/, 'a longer minimum is told');
    is(text('[data-rule=length]') =~ s/.*:\s*//r, 'At least 20 characters', 'and the rule follows it');
    unlike($browser->find('[data-rule=length]')->attribute('class') // '', qr/met/, 'not met now');
    fill('activate-user', 'hostile');
    is_problem('<b>new_password</b><script>alert(1)</script>', 'a message is text, whatever it looks like');
    requests();
    is_deeply([complaints()], [], 'the console is quiet');
};

subtest 'too often, too busy' => sub {
    fill('activate-user', 'often');
    is_problem(qr/^There were too many attempts\. Please try again in 2 seconds\.$/, 'status 429');
    my $send = $browser->find('#send');
    like($send->text, qr/^Try again in [12] seconds?$/, 'the button counts down');
    is($send->attribute('aria-disabled'), 'true', 'and is not to be used');
    $send->click;
    $browser->wait_for(sub { text('#problem') eq 'You can try again now.' });
    is($send->text, 'Activate account', 'until the time is over');
    is(scalar(requests()), 1, 'nothing was sent meanwhile');
    $send->click;
    $browser->wait_for(sub { text('#problem') =~ /too many attempts/ });
    is(scalar(requests()), 1, 'then it is');

    fill('activate-user', 'long');
    is_problem(qr/Please try again in 10 minutes\.$/, 'long times are told in minutes');
    fill('activate-user', 'busy');
    is_problem('The service is busy at the moment. Please try again in 2 minutes.', 'status 503');
    shot('busy-light');
    fill('activate-user', 'dated');
    is_problem(qr/try again/, 'a date gone by');
    requests();
    is_deeply([complaints()], [], 'the console is quiet');
};

subtest 'no answer, or an odd one' => sub {
    visit('activate-user', 'good');
    $browser->wait_for('#password')->type($GOOD);
    $browser->offline(1);
    $browser->find('#send')->click;
    is_problem('There is no connection to the server. Check your network and try again.', 'no connection');
    shot('offline-light');
    $browser->offline(0);
    $browser->find('#send')->click;
    $browser->wait_for('#done');
    is(scalar(requests()), 1, 'with the network back the same form is sent');

    fill('activate-user', 'broken');
    is_problem('Something went wrong on our side (500). Please try again later.', '500 without JSON');
    fill('activate-user', 'forbidden');
    is_problem('Something went wrong on our side (403). Please try again later.', 'status 403');
    requests();
    fill('activate-user', 'moved');
    is_problem(qr/no connection/, 'nothing is sent on to another place');
    my @console = grep {!/127\.0\.0\.1:1\b/} complaints();
    is_deeply(\@console, [], 'the console is quiet');
    requests();

    fill('activate-user', 'slow');
    my $send = $browser->find('#send');
    is($send->text, 'Activating…', 'while it is under way the button says so');
    $send->click;
    $browser->wait_for('#done');
    is(scalar(requests()), 1, 'and a second click sends nothing');
};

subtest 'sizes and colours' => sub {
    for my $size ([1280, 900, 'desktop'], [390, 844, 'phone'], [320, 568, 'small']) {
        for my $dark (0, 1) {
            my $name = $size->[2] . ($dark ? '-dark' : '-light');
            $browser->resize($size->[0], $size->[1]);
            $browser->dark($dark);
            for my $page ('activate-user', 'reset-password') {
                visit($page, 'weak');
                $browser->wait_for('#password')->type('Correct');
                ok($browser->script('return document.documentElement.scrollWidth <= window.innerWidth'), "$name: nothing sticks out");
                shot("$name-$page");
            }
            $browser->find('#password')->type(' horse 1');
            $browser->find('#send')->click;
            $browser->wait_for(sub { text('#problem') });
            ok($browser->script('return document.documentElement.scrollWidth <= window.innerWidth'), "$name: nor with a complaint");
            shot("$name-problem");
            fill('reset-password', 'dead');
            $browser->wait_for('#dead');
            shot("$name-dead");
            fill('activate-user', 'good');
            $browser->wait_for('#done');
            shot("$name-done");
        }
    }
    my $ground = $browser->script('return getComputedStyle(document.body).backgroundColor');
    is($ground, 'rgb(26, 32, 41)', 'dark is dark');
    requests();
    is_deeply([complaints()], [], 'the console is quiet');
};

subtest 'without JavaScript' => sub {
    $browser->devtools('Emulation.setScriptExecutionDisabled', {value => JSON::PP::true});
    visit('activate-user', 'good');
    like(text('main'), qr/Please switch on JavaScript/, 'it says so');
    ok(!$browser->find('#ask')->displayed, 'and shows no form');
    shot('noscript');
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

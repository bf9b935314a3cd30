# SPDX-License-Identifier: Apache-2.0
package WebDriver;

# A small W3C WebDriver client: starts chromedriver on a free loopback port and a headless Chromium of its own, drives it, and leaves no process and no
# file behind. Every failure dies.
#
#     use lib 't/httpd/lib';
#     use WebDriver;
#
#     my $browser = WebDriver->start;                   # width => 390, height => 844, dark => 1, args => [...]
#     $browser->open('http://127.0.0.1:8080/v1/oauth/activate-user#token=...');
#     $browser->wait_for('#password')->type('Correct Horse 1');
#     $browser->find('#send')->click;
#     $browser->wait_for('#done');                      # is shown; dies after 10 seconds (wait_for(CSS, SECONDS))
#     $browser->find('#done h1')->text;
#     $browser->script('return location.hash');
#     my @lines = $browser->console;                    # {level, message, source, timestamp}, new ones since the last call
#     $browser->screenshot('done.png');
#     $browser->stop;                                   # or let it go out of scope
#
# Works as root and as any user; home, profile and temporary files lie in one folder under TMPDIR that stop() removes.
use strict;
use warnings;

use Errno ();
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Select;
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Scalar::Util qw(weaken);
use Time::HiRes qw(sleep time);

my $ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'; # W3C's name for a reference to an element
my $START_SECONDS = 30;
my %running;
our @CARP_NOT = ('WebDriver::Element'); # a failure names the test's line

sub start
{
    my ($class, %options) = @_;
    my $self = bless {
        owner => $$,
        width => $options{width} // 1280,
        height => $options{height} // 900,
        home => tempdir('webdriver.XXXXXX', TMPDIR => 1),
        json => JSON::PP->new->utf8->allow_nonref,
        http => HTTP::Tiny->new(timeout => 90, proxy => undef, http_proxy => undef, https_proxy => undef),
    }, $class;
    weaken($running{$self} = $self);
    $self->_die_by_signals;
    $self->_start_driver;
    $self->_start_session($options{args} // []);
    $self->resize($self->{width}, $self->{height});
    $self->dark($options{dark}) if defined $options{dark};
    return $self;
}

# ---- start and end ------------------------------------------------------------------------------------------------------------------------------

# A signal that would simply end the test would leave the browser behind.
sub _die_by_signals
{
    for my $signal (qw(HUP INT TERM)) {
        next if $SIG{$signal} && $SIG{$signal} ne 'DEFAULT';
        $SIG{$signal} = sub { exit 1 };
    }
}

# chromedriver leads a process group of its own, in which Chromium stays: what is left of it can be ended without asking anybody's name.
sub _start_driver
{
    my ($self) = @_;
    pipe my $read, my $write or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        POSIX::setpgid(0, 0);
        $ENV{$_} = $self->{home} for qw(HOME TMPDIR XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR);
        delete @ENV{qw(DISPLAY WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY LD_PRELOAD)};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $write;
        open STDERR, '>', "$self->{home}/chromedriver.err";
        # Not by exec alone: this child must never come to the END blocks of the test.
        { no warnings 'exec'; exec 'chromedriver', '--port=0', '--log-level=SEVERE' }
        POSIX::_exit(127);
    }
    POSIX::setpgid($pid, $pid);
    close $write;
    $self->{pid} = $pid;
    $self->{output} = $read;
    $self->{url} = 'http://127.0.0.1:' . $self->_read_port;
}

sub _read_port
{
    my ($self) = @_;
    my $text = '';
    my $deadline = time + $START_SECONDS;
    my $select = IO::Select->new($self->{output});
    while ((my $left = $deadline - time) > 0) {
        next unless $select->can_read($left);
        sysread($self->{output}, $text, 4096, length $text) or last;
        return $1 if $text =~ /started successfully on port (\d+)/;
    }
    $self->_fail("chromedriver did not start: $text");
}

sub _start_session
{
    my ($self, $args) = @_;
    my @args = ('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--disable-breakpad', '--disable-crash-reporter',
        '--no-proxy-server', '--password-store=basic', "--user-data-dir=$self->{home}/profile", "--window-size=$self->{width},$self->{height}", @$args);
    my $session = $self->_call(POST => "$self->{url}/session", {capabilities => {alwaysMatch => {
        browserName => 'chrome',
        'goog:loggingPrefs' => {browser => 'ALL'},
        'goog:chromeOptions' => {args => \@args},
    }}});
    $self->{session} = "$self->{url}/session/$session->{sessionId}";
}

sub stop
{
    my ($self) = @_;
    return if $self->{owner} != $$;
    delete $running{$self};
    my $session = delete $self->{session};
    eval { local $SIG{__DIE__}; $self->_call(DELETE => $session) } if $session;
    $self->_end_group if $self->{pid};
    remove_tree($self->{home}, {error => \my $ignored}) if $self->{home};
    delete @$self{qw(pid home output)};
}

# First a request, then force; over when nobody of the group is left.
sub _end_group
{
    my ($self) = @_;
    my $pid = $self->{pid};
    my $reaped = 0;
    for my $signal ('TERM', 'KILL') {
        kill $signal => -$pid;
        for (1 .. 100) {
            $reaped ||= waitpid($pid, POSIX::WNOHANG()) == $pid;
            return if $reaped && !kill(0 => -$pid) && $!{ESRCH};
            sleep 0.05;
        }
    }
}

sub DESTROY
{
    my ($self) = @_;
    local ($@, $?, $!);
    $self->stop;
}

END {
    local $?;
    $_ && $_->stop for values %running;
}

# ---- the wire ---------------------------------------------------------------------------------------------------------------------------------------

sub _fail
{
    my ($self, $text) = @_;
    if ($self->{home} && open my $in, '<', "$self->{home}/chromedriver.err") {
        local $/;
        my $more = <$in>;
        $text .= "\n$more" if defined $more && $more =~ /\S/;
    }
    require Carp;
    Carp::croak("WebDriver: $text");
}

sub _call
{
    my ($self, $method, $url, $body) = @_;
    my %options;
    if ($method eq 'POST') {
        %options = (headers => {'Content-Type' => 'application/json; charset=utf-8'}, content => $self->{json}->encode($body // {}));
    }
    my $answer = $self->{http}->request($method, $url, \%options);
    my $json = eval { $self->{json}->decode($answer->{content}) };
    my $value = ref $json eq 'HASH' ? $json->{value} : undef;
    return $value if $answer->{success} && ref $json eq 'HASH';
    $self->{error} = ref $value eq 'HASH' ? $value->{error} : undef;
    $self->_fail(ref $value eq 'HASH' ? "$value->{error}: " . (split /\n/, $value->{message})[0] : "$method $url: $answer->{status} $answer->{content}");
}

sub _ask
{
    my ($self, $method, $path, $body) = @_;
    $self->_fail('the browser is stopped') unless $self->{session};
    return $self->_call($method, "$self->{session}$path", $body);
}

# Chromium's own commands (DevTools protocol).
sub devtools
{
    my ($self, $command, $parameters) = @_;
    return $self->_ask(POST => '/goog/cdp/execute', {cmd => $command, params => $parameters // {}});
}

# ---- pages --------------------------------------------------------------------------------------------------------------------------------------------

# Goes to a URL. Where only the fragment differs from the present one the page is not loaded anew, as in any browser.
sub open
{
    my ($self, $url) = @_;
    $self->_ask(POST => '/url', {url => $url});
    return $self;
}

sub url { return $_[0]->_ask(GET => '/url') }
sub title { return $_[0]->_ask(GET => '/title') }
sub source { return $_[0]->_ask(GET => '/source') }
sub back { return $_[0]->_ask(POST => '/back') }
sub reload { return $_[0]->_ask(POST => '/refresh') }

# The size of the page's view (not of the window around it).
sub resize
{
    my ($self, $width, $height) = @_;
    $self->devtools('Emulation.setDeviceMetricsOverride', {width => $width, height => $height, deviceScaleFactor => 1, mobile => JSON::PP::false});
}

# What media queries say, until told otherwise: 'prefers-reduced-motion' => 'reduce'.
sub media
{
    my ($self, %features) = @_;
    my $all = $self->{media} = {%{$self->{media} // {}}, %features};
    $self->devtools('Emulation.setEmulatedMedia', {features => [map { {name => $_, value => $all->{$_}} } sort keys %$all]});
}

# What prefers-color-scheme says.
sub dark
{
    my ($self, $dark) = @_;
    $self->media('prefers-color-scheme' => $dark ? 'dark' : 'light');
}

# The person's languages, as in Accept-Language, from the next page on.
sub languages
{
    my ($self, $languages) = @_;
    $self->devtools('Emulation.setUserAgentOverride', {userAgent => $self->script('return navigator.userAgent'), acceptLanguage => $languages});
}

# Cuts the network off, or joins it again.
sub offline
{
    my ($self, $offline) = @_;
    $self->devtools('Network.enable');
    $self->devtools('Network.emulateNetworkConditions',
        {offline => $offline ? JSON::PP::true : JSON::PP::false, latency => 0, downloadThroughput => -1, uploadThroughput => -1});
}

# Runs the body of a function in the page; what it returns, or a promise comes to, comes back. A JavaScript error dies.
sub script
{
    my ($self, $code, @arguments) = @_;
    return $self->_read($self->_ask(POST => '/execute/sync', {script => $code, args => [map { $self->_write($_) } @arguments]}));
}

sub _write
{
    my ($self, $value) = @_;
    return ref $value eq 'WebDriver::Element' ? {$ELEMENT => $value->{id}} : $value;
}

sub _read
{
    my ($self, $value) = @_;
    return ref $value eq 'HASH' && $value->{$ELEMENT} ? WebDriver::Element->_new($self, $value->{$ELEMENT}) : $value;
}

# What was written to the console since the last call, CSP's complaints among it.
sub console
{
    my ($self) = @_;
    return @{$self->_ask(POST => '/se/log', {type => 'browser'})};
}

# Writes a PNG file, or returns its bytes without a name.
sub screenshot
{
    my ($self, $path) = @_;
    my $png = decode_base64($self->_ask(GET => '/screenshot'));
    return $png unless defined $path;
    CORE::open my $out, '>:raw', $path or die "$path: $!";
    print {$out} $png;
    close $out or die "$path: $!";
    return $path;
}

# ---- elements -------------------------------------------------------------------------------------------------------------------------------------------

# The first element of a CSS selector; dies where there is none.
sub find
{
    my ($self, $css) = @_;
    return $self->_read($self->_ask(POST => '/element', {using => 'css selector', value => $css}));
}

sub find_all
{
    my ($self, $css) = @_;
    return map { $self->_read($_) } @{$self->_ask(POST => '/elements', {using => 'css selector', value => $css})};
}

# Waits until an element is there and shown, or, given code, until that returns something true; returns it. Dies after so many seconds.
sub wait_for
{
    my ($self, $what, $seconds) = @_;
    my $deadline = time + ($seconds // 10);
    for (;;) {
        my ($found) = ref $what eq 'CODE' ? $what->() : grep { eval { $_->displayed } } $self->find_all($what);
        return $found if $found;
        last if time > $deadline;
        sleep 0.05;
    }
    $self->_fail('waited in vain for ' . (ref $what ? 'it' : $what) . ' at ' . $self->url);
}

# The element that has the focus.
sub active { return $_[0]->_read($_[0]->_ask(GET => '/element/active')) }

# Types to whatever has the focus. Special keys are those of WebDriver: "\x{E004}" is Tab, "\x{E007}" Enter.
sub keys
{
    my ($self, $text) = @_;
    my @actions = map { ({type => 'keyDown', value => $_}, {type => 'keyUp', value => $_}) } split //, $text;
    $self->_ask(POST => '/actions', {actions => [{type => 'key', id => 'keyboard', actions => \@actions}]});
    return $self;
}

package WebDriver::Element;

our @CARP_NOT = ('WebDriver');

sub _new
{
    my ($class, $browser, $id) = @_;
    return bless {browser => $browser, id => $id}, $class;
}

sub _ask
{
    my ($self, $method, $path, $body) = @_;
    return $self->{browser}->_ask($method, "/element/$self->{id}$path", $body);
}

sub text { return $_[0]->_ask(GET => '/text') } # as shown: nothing for what is hidden
sub attribute { return $_[0]->_ask(GET => "/attribute/$_[1]") }
sub property { return $_[0]->_ask(GET => "/property/$_[1]") }
sub css { return $_[0]->_ask(GET => "/css/$_[1]") }
sub displayed { return $_[0]->_ask(GET => '/displayed') ? 1 : 0 }
sub enabled { return $_[0]->_ask(GET => '/enabled') ? 1 : 0 }
sub role { return $_[0]->_ask(GET => '/computedrole') }   # as a screen reader is told
sub label { return $_[0]->_ask(GET => '/computedlabel') } # as a screen reader reads it

sub click
{
    my ($self) = @_;
    $self->_ask(POST => '/click');
    return $self;
}

sub type
{
    my ($self, $text) = @_;
    $self->_ask(POST => '/value', {text => $text});
    return $self;
}

sub clear
{
    my ($self) = @_;
    $self->_ask(POST => '/clear');
    return $self;
}

1;

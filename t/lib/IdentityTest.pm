# SPDX-License-Identifier: Apache-2.0
package IdentityTest;
# What test files say to the server of the suite, as functions (see IdentityTest::Client, where they are documented):
#
#     use Apache::Test qw(-withtestmore);
#     use IdentityTest;
#     plan tests => 3;
#     my $answer = api(POST => '/v1/users/invite', {username => address('ada')});
#     is $answer->status, 200, 'invited';
#     is $answer->keys_of, 'username entity_id account_memberships team_memberships', 'fields in order';
#     like wait_mail($answer->json->{username})->{link}, qr{/v1/oauth/activate-user#token=}, 'the mail has the link';
#
# A server of its own, with directives of its own and an empty database: IdentityTest::Server.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use Apache::Test ();
use IdentityTest::Client;
use IdentityTest::Response;
use IdentityTest::Server;
use POSIX ();
use Storable ();

my @methods = qw(host origin state_folder key api raw db tool account_id mails wait_mail notices wait_notice address invite activate login person);
our @EXPORT = (@methods, qw(server configuration keys_in_order together expect_in_log error_log server_pid start_server stop_server kill_server graceful));

my $client;

sub server
{
    # Apache::Test reads its configuration into $_, which may be a caller's constant.
    local $_;
    return $client //= IdentityTest::Client->new(host => '127.0.0.1:' . Apache::Test::vars('port'), state => Apache::Test::vars('serverroot') . '/state');
}

for my $method (@methods) {
    no strict 'refs';
    *$method = sub { server()->$method(@_) };
}

# event, worker, prefork, asan or root.
sub configuration { $ENV{IDENTITY_CONFIG} // 'event' }

sub keys_in_order { IdentityTest::Response::keys_in_order(@_) }

# Runs code->(i) for i in 0 .. n-1 in as many processes at once, started together; the list of what they returned (a scalar or reference each).
sub together
{
    my ($n, $code) = @_;
    pipe my $gate, my $open or die "pipe: $!";
    my @out;
    for my $i (0 .. $n - 1) {
        my $pid = open($out[$i], '-|') // die "fork: $!";
        next if $pid;
        close $open;
        sysread $gate, my $byte, 1;
        my $value = eval { $code->($i) };
        my $error = $@;
        binmode STDOUT;
        print STDOUT Storable::freeze([$value, $error]);
        close STDOUT;
        # No END block, no destructor of what the parent owns.
        POSIX::_exit(0);
    }
    close $gate;
    close $open;
    my @values;
    for my $handle (@out) {
        my $value = Storable::thaw(do { local $/; <$handle> });
        close $handle;
        die $value->[1] if $value->[1];
        push @values, $value->[0];
    }
    return @values;
}

sub error_log
{
    my $path = Apache::Test::vars('t_logs') . '/error_log';
    open my $in, '<', $path or die "$path: $!";
    local $/;
    return scalar <$in>;
}

# The run fails for lines of a crash in error_log, except those that contain a text announced here (a child killed on purpose).
sub expect_in_log
{
    my ($text) = @_;
    my $path = Apache::Test::vars('t_logs') . '/expected';
    open my $out, '>>', $path or die "$path: $!";
    print {$out} "$text\n";
    close $out or die "$path: $!";
}

# ---- the life of the suite's own server: every test leaves it running ------------------------------------------------------------------------

sub handle
{
    my $root = Apache::Test::vars('serverroot');
    return IdentityTest::Server->adopt(
        command => [Apache::Test::vars('httpd'), '-d', $root, '-f', "$root/conf/httpd.conf", '-D', 'APACHE2', ($ENV{ALLOW_ROOT} ? ('-D', 'AS_ROOT') : ())],
        pid_file => Apache::Test::vars('t_pid_file'),
        host => host());
}

sub server_pid { handle()->pid }
sub start_server { handle()->start }
sub stop_server { handle()->stop }
# SIGKILL to the parent and every child.
sub kill_server { handle()->kill }
sub graceful { handle()->graceful }

1;

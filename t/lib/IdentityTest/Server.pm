# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Server;
# An httpd with a state folder of its own, for what the suite's server is not set up for:
#
#     my $server = IdentityTest::Server->new(directives => "IdentityPasswordGrant Off\n", modules => ['ssl']);
#     is $server->login('ada@example.com', 'x')->status, 403;       # everything of IdentityTest::Client
#     $server->stop;                                                # else at the end of the test
#
# directives come last, so they win. state: an existing folder instead of a fresh one. start => 0 only writes the configuration (for `check`).
# front => 1: other directives stand in front of the API, which may refuse by themselves or lead elsewhere: of its answers only the refusals are held against
# conf/openapi.json, and only as errors.
use strict;
use warnings FATAL => 'all';
use parent -norequire, 'IdentityTest::Client';
use File::Path 'make_path';
use IO::Socket::INET;
use Time::HiRes qw(sleep);
use IdentityTest::Client;
use IdentityTest::Database ();

my $number = 0;

sub new
{
    my ($class, %given) = @_;
    my $top = $ENV{IDENTITY_TOP} // die "IDENTITY_TOP is not set: use t/run-httpd.sh\n";
    my $root = sprintf '%s/t/servers/%d.%d', $top, $$, ++$number;
    make_path("$root/logs");
    my $state = $given{state} // "$root/state";
    IdentityTest::Database::make_state($state) unless $given{state};
    my $port = $given{port} // free_port();

    my $self = $class->SUPER::new(host => "127.0.0.1:$port", state => $state);
    my @as_root = $ENV{ALLOW_ROOT} ? ('-D', 'AS_ROOT') : ();
    %$self = (
        %$self,
        front => $given{front},
        root => $root,
        pid_file => "$root/logs/httpd.pid",
        command => ["$top/bin/httpd", '-d', $root, '-f', "$root/httpd.conf", @as_root],
        made_by => $$);
    $self->configure($top, $port, %given);
    system('chown', '-R', 'nobody:nogroup', $state) == 0 or die "chown failed\n" if @as_root;
    $self->start unless defined $given{start} && !$given{start};
    return $self;
}

# For a server that somebody else configured: command, pid_file, host.
sub adopt
{
    my ($class, %given) = @_;
    return bless {%given}, $class;
}

sub configure
{
    my ($self, $top, $port, %given) = @_;
    my $modules = join '', map { "LoadModule ${_}_module " . libexec() . "/mod_$_.so\n" } @{$given{modules} // []};
    my $directives = $given{directives} // '';
    open my $out, '>', "$self->{root}/httpd.conf" or die "$self->{root}/httpd.conf: $!";
    print {$out} <<"END";
ServerName 127.0.0.1
Listen 127.0.0.1:$port
ServerRoot "$self->{root}"
DocumentRoot "$top/t/htdocs"
PidFile "$self->{pid_file}"
ErrorLog "$self->{root}/logs/error_log"
DefaultRuntimeDir "$self->{root}/logs"
Define LOGS $self->{root}/logs
Define TOP $top
Define STATE $self->{state}
Define ORIGIN http://127.0.0.1:$port
Include $top/t/conf/base.conf
$modules
Include $top/t/conf/common.conf
$directives
END
    close $out or die "$self->{root}/httpd.conf: $!";
}

# Puts these lines in place of the whole configuration, but for what makes it a server of its own: neither ours nor a module is in it.
sub lay
{
    my ($self, @lines) = @_;
    my ($port) = $self->{host} =~ /:(\d+)$/;
    open my $out, '>', "$self->{root}/httpd.conf" or die "$self->{root}/httpd.conf: $!";
    print {$out} map { "$_\n" } 'ServerName 127.0.0.1', "Listen 127.0.0.1:$port", "ServerRoot \"$self->{root}\"", "PidFile \"$self->{pid_file}\"",
        "ErrorLog \"$self->{root}/logs/error_log\"", "DefaultRuntimeDir \"$self->{root}/logs\"", 'TypesConfig /dev/null', "<IfDefine AS_ROOT>\nUser nobody\nGroup nogroup\n</IfDefine>", @lines;
    close $out or die "$self->{root}/httpd.conf: $!";
}

sub libexec
{
    my $path = `apxs -q LIBEXECDIR`;
    chomp $path;
    return $path;
}

sub free_port
{
    my $base = Apache::Test::vars('port');
    for my $port ($base + 1 .. $base + 39) {
        return $port if IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1);
    }
    die "no free port after $base\n";
}

sub pid
{
    my ($self) = @_;
    open my $in, '<', $self->{pid_file} or return;
    my $pid = <$in> // return;
    chomp $pid;
    return $pid;
}

# Processes of this server, the parent among them. They all carry its command line.
sub processes
{
    my ($self) = @_;
    my ($config) = grep { /httpd\.conf\z/ } @{$self->{command}};
    my @found;
    for my $path (glob '/proc/[0-9]*/cmdline') {
        open my $in, '<', $path or next;
        my $command = do { local $/; <$in> } // next;
        push @found, $path =~ /(\d+)/ if index($command, "\0$config\0") >= 0 && index($command, "\0-t\0") < 0;
    }
    return @found;
}

# httpd -t with further arguments: its exit status and everything it said.
sub check
{
    my ($self, @arguments) = @_;
    open my $out, '-|', join(' ', map { "'$_'" } @{$self->{command}}, '-t', @arguments) . ' 2>&1' or die "httpd: $!";
    my $text = do { local $/; <$out> } // '';
    close $out;
    return ($? >> 8, $text);
}

sub start
{
    my ($self) = @_;
    my $error_log = $self->{root} ? "$self->{root}/logs/error_log" : 't/logs/error_log';
    system(@{$self->{command}}, '-k', 'start') == 0 or die "httpd did not start, see $error_log\n", `tail -n 20 '$error_log'`;
    for (1 .. 300) {
        return $self if $self->answers;
        sleep 0.1;
    }
    die "httpd does not answer on $self->{host}, see $error_log\n", `tail -n 20 '$error_log'`;
}

# A whole answer of whatever status, over a connection of its own.
sub answers
{
    my ($self) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => $self->{host}, Timeout => 1) or return;
    return 1 if $self->{no_http};
    print {$socket} "GET /v1/users HTTP/1.0\r\n\r\n";
    my $line = <$socket>;
    return defined $line && $line =~ m{^HTTP/1\.\d \d};
}

# Waits until these processes are gone altogether.
sub gone
{
    my (@pids) = @_;
    for (1 .. 300) {
        return unless @pids = grep { -d "/proc/$_" } @pids;
        sleep 0.1;
    }
    die "processes of httpd are left: @pids\n";
}

sub stop
{
    my ($self) = @_;
    my $pid = $self->pid;
    my @all = $self->processes;
    CORE::kill(TERM => $pid) if $pid;
    gone(@all, $self->processes);
    unlink $self->{pid_file};
    return $self;
}

sub kill
{
    my ($self) = @_;
    # The parent first, so that it starts no further child.
    my $parent = $self->pid;
    CORE::kill(KILL => $parent) if $parent;
    my @all = $self->processes;
    CORE::kill(KILL => @all) if @all;
    gone($parent // (), @all);
    unlink $self->{pid_file};
    return $self;
}

sub graceful
{
    my ($self) = @_;
    my $pid = $self->pid // die "no pid\n";
    CORE::kill(USR1 => $pid) or die "kill: $!";
    sleep 1;
    return $self;
}

sub error_log
{
    my ($self) = @_;
    open my $in, '<', "$self->{root}/logs/error_log" or return '';
    local $/;
    return <$in> // '';
}

sub DESTROY
{
    my ($self) = @_;
    return unless ($self->{made_by} // 0) == $$ && -e $self->{pid_file};
    local ($@, $?);
    eval { $self->stop };
    eval { $self->kill } if $@;
}

1;

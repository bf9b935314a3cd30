# SPDX-License-Identifier: Apache-2.0
# The httpd of a benchmark: with the module, conf/ as it is shipped, and without.
package BenchServer;
use strict;
use warnings FATAL => 'all';
use Bench;
use HTTP::Tiny;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time sleep);

my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());
my ($libexec, $sbin, $target) = map { my $said = `apxs -q $_`; chomp $said; $said } qw(LIBEXECDIR SBINDIR TARGET);
my %started;

# What a server has built in has no file.
sub modules
{
    return join '', map { -e "$libexec/mod_$_.so" ? "LoadModule ${_}_module $libexec/mod_$_.so\n" : '' } @_;
}

sub program { return "$sbin/$target" }

# more: directives of its own, without which it is a plain httpd.
sub new
{
    my ($class, $name, $more) = @_;
    my $root = "$folder/$name";
    mkdir $root;
    mkdir "$folder/$_" for 'htdocs', 'htdocs/plain', 'htdocs/protected';
    write_file("$folder/htdocs/$_", 'x' x 599 . "\n") for 'plain/file.html', 'protected/file.html';
    my $port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)->sockport;
    my $modules = modules(qw(mpm_event authn_core authz_core authz_host authz_user unixd mime dir env headers setenvif dbd watchdog reqtimeout));
    my $identity = $user ? "User $user\nGroup nogroup\n" : '';
    write_file("$root/httpd.conf", <<"END");
ServerName 127.0.0.1
Listen 127.0.0.1:$port
ServerRoot "$root"
DocumentRoot "$folder/htdocs"
PidFile "$root/httpd.pid"
ErrorLog "$root/error_log"
DefaultRuntimeDir "$root"
$modules
$identity
MaxKeepAliveRequests 0
TypesConfig /dev/null
AddType text/html .html
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory "$folder/htdocs">
    Require all granted
</Directory>
$more
END
    return bless {root => $root, port => $port, url => "http://127.0.0.1:$port", first => $more ? '/.well-known/jwks.json' : '/plain/file.html'}, $class;
}

# With the module on a database.
sub with_module
{
    my ($class, $name, $database, $more) = @_;
    my $mails = $database =~ s{/[^/]*$}{/mail}r;
    mkdir $mails;
    run('chown', "$user:nogroup", $mails) if $user;
    return $class->new($name, <<"END" . ($more // ''));
LoadModule identity_module $build/mod_identity.so
DBDriver sqlite3
DBDParams $database
<LocationMatch "^/(?:v(?:[0-9]+|x)(?:/|\$)|\\.well-known/)">
    IdentityEngine On
</LocationMatch>
IdentityMailURL maildir:$mails
IdentityRateLimit login off
IdentityRateLimit refresh off
IdentityRateLimit invite off
IdentityRateLimit mail off
<Location "/protected">
    AuthType Identity
    AuthName "bench"
    Require identity-permission USER.MORTAL.VIEW
</Location>
<Location "/identity-status">
    SetHandler identity-status
    Require local
</Location>
END
}

# Until the first 200. How long that took, in milliseconds.
sub start
{
    my ($server, @command) = @_;
    my $from = time;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        POSIX::setpgid(0, 0);
        exec @command, program(), '-d', $server->{root}, '-f', "$server->{root}/httpd.conf", '-DFOREGROUND' or POSIX::_exit(127);
    }
    $started{$pid} = 1;
    $server->{pid} = $pid;
    while (time < $from + 20) {
        if (my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->{port}, Timeout => 5)) {
            print {$socket} "GET $server->{first} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
            my $line = <$socket> // '';
            return 1000 * (time - $from) if $line =~ / 200 /;
        }
        last if waitpid($pid, POSIX::WNOHANG()) == $pid;
        sleep 0.001;
    }
    die "bench: httpd did not start:\n", `tail -n 5 '$server->{root}/error_log'`;
}

sub stop
{
    my ($server) = @_;
    kill TERM => $server->{pid};
    waitpid $server->{pid}, 0;
    delete $started{$server->{pid}};
}

END {
    local $?;
    kill TERM => keys %started if %started;
}
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

# Its processes, by number: the rest of /proc/PID/stat behind the name.
sub processes
{
    my ($server) = @_;
    my %found;
    for my $path (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $path or next;
        my ($pid, $rest) = (<$in> // '') =~ /^(\d+) \(.*\) (.*)/ or next;
        my @fields = split ' ', $rest;
        $found{$pid} = \@fields if $fields[2] == $server->{pid};
    }
    return %found;
}

# Proportional set size of the server and its children, in MiB.
sub memory
{
    my ($server) = @_;
    my %processes = $server->processes;
    my $sum = 0;
    for my $pid (keys %processes) {
        open my $rollup, '<', "/proc/$pid/smaps_rollup" or next;
        $sum += /^Pss:\s+(\d+) kB/ ? $1 : 0 while <$rollup>;
    }
    return $sum / 1024;
}

# Seconds of processor time that it has had.
sub processor_time
{
    my ($server) = @_;
    my %processes = $server->processes;
    my $sum = 0;
    $sum += $_->[11] + $_->[12] for values %processes;
    return $sum / $ticks;
}

# Of the page identity-status.
sub figure
{
    my ($server, $name) = @_;
    my $answer = HTTP::Tiny->new->get("$server->{url}/identity-status?auto");
    return $answer->{content} =~ /^Identity\Q$name\E: (\S+)$/m ? $1 : die "bench: no figure $name: $answer->{status}\n";
}

1;

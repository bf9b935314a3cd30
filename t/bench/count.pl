#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# usage: t/bench/count.pl BUILD           (that is `make count`)
#
# Row I: instructions a request, counted by callgrind on prefork -X, as a table in Markdown. They do not depend on what else the machine does. Each request
# is counted by itself (callgrind writes down its counters whenever httpd begins to read one), in the thread that answers it; the figure is the median.
# Environment: USERS (100000), COUNT_PLAIN=1 (a name and a count a line instead of the table), COUNT_HOLD=1 (ends with 1 where a count is more than a tenth
# above what t/bench/counts says), KEEP=1 (keeps the folder; its
# counted/out.N-01 are for callgrind_annotate). The database that it begins with is kept in BUILD/seeded.
use strict;
use warnings FATAL => 'all';
use lib 't/bench/lib';
use Bench;
use BenchServer;
use IO::Socket::INET;
use POSIX ();

Bench::prepare(shift // 'build', 100_000);
my $measured = 7;
my $pid;

# ---- what is known of the counts -------------------------------------------------------------------------------------------------------------

# name | counted | to reach | how often before it is counted | request
my @rows = map { /^(?:#|\s*$)/ ? () : do { my %row; @row{qw(name counted reach warm request)} = split /\s*\|\s*/, $_, 5; \%row } } split /\n/, slurp('t/bench/counts');

# ---- a database and a server -----------------------------------------------------------------------------------------------------------------

# What is counted is what people run.
die "count: $build is built without optimization; CFLAGS should have -O2\n" if `$build/t/bench-seed --optimized` !~ /^yes/;
my $kept = seeded($build, $users);
my $port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)->sockport;
my $database = database($kept, 'state');
mkdir "$folder/$_" for 'htdocs', 'htdocs/plain', 'htdocs/protected', 'state/mail', 'counted';
write_file("$folder/htdocs/$_", 'x' x 599 . "\n") for 'plain/file.html', 'protected/file.html';
my ($key) = split /\n/, slurp("$kept/keys");
my @people = map { [split] } split /\n/, slurp("$kept/users");

my $modules = BenchServer::modules(qw(mpm_prefork authn_core authz_core authz_host authz_user unixd mime dir env headers setenvif dbd watchdog reqtimeout));
my $identity = $user ? "User $user\nGroup nogroup\n" : '';
write_file("$folder/httpd.conf", <<"END");
ServerName 127.0.0.1
Listen 127.0.0.1:$port
ServerRoot "$folder"
DocumentRoot "$folder/htdocs"
PidFile "$folder/httpd.pid"
ErrorLog "$folder/error_log"
DefaultRuntimeDir "$folder"
$modules
$identity
KeepAliveTimeout 300
MaxKeepAliveRequests 0
TypesConfig /dev/null
AddType text/html .html
<IfModule reqtimeout_module>
    RequestReadTimeout handshake=0 header=0 body=0
</IfModule>
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory "$folder/htdocs">
    Require all granted
</Directory>
LoadModule identity_module $build/mod_identity.so
DBDriver sqlite3
DBDParams $database
<LocationMatch "^/(?:v(?:[0-9]+|x)(?:/|\$)|\\.well-known/)">
    IdentityEngine On
</LocationMatch>
IdentityPublicURL http://127.0.0.1:$port
IdentityMailURL maildir:$folder/state/mail
IdentityRateLimit invite off
IdentityRateLimit mail off
<Location "/protected">
    AuthType Identity
    AuthName "count"
    Require identity-permission USER.MORTAL.VIEW
</Location>
END
run('chown', '-R', "$user:nogroup", "$folder/state", "$folder/counted") if $user;

sub start
{
    $pid = fork // die "count: fork: $!\n";
    if (!$pid) {
        open STDERR, '>', "$folder/valgrind" or POSIX::_exit(127);
        exec 'valgrind', '--tool=callgrind', "--callgrind-out-file=$folder/counted/out", '--dump-before=ap_read_request', '--separate-threads=yes', '--compress-strings=no',
            BenchServer::program(), '-X', '-d', $folder, '-f', "$folder/httpd.conf" or POSIX::_exit(127);
    }
}

sub stop
{
    kill TERM => $pid if $pid;
    waitpid $pid, 0 if $pid;
    $pid = undef;
}

END {
    local $?;
    stop();
}
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

sub connected
{
    for (1 .. 1200) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 60);
        return $socket if $socket;
        last if waitpid($pid, POSIX::WNOHANG()) == $pid;
        select undef, undef, undef, 0.1;
    }
    die "count: httpd did not start:\n", slurp("$folder/valgrind"), -e "$folder/error_log" ? slurp("$folder/error_log") : '';
}

# ---- requests --------------------------------------------------------------------------------------------------------------------------------

my $number = 0;

sub ask
{
    my ($socket, $request) = @_;
    my ($method, $target, $body) = split ' ', $request, 3;
    # Each a user with two memberships and a team that was not asked for before.
    my $person = $people[3 * $number + 2] // die "count: too few users\n";
    $number++;
    s/\{user\}/$person->[0]/, s/\{number\}/$number/ for $target, $body // ();
    my $more = defined $body ? "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n" : '';
    print {$socket} "$method $target HTTP/1.1\r\nHost: 127.0.0.1:$port\r\n", $target =~ m{^/plain/} ? '' : "X-API-KEY: $key\r\n", "$more\r\n", $body // '';
    my $head = do { local $/ = "\r\n\r\n"; <$socket> } // die "count: no answer to $request\n";
    my ($status, $length) = ($head =~ m{^HTTP/1\.1 (\d+)}, $head =~ /^Content-Length: (\d+)/mi);
    my $got = '';
    read $socket, $got, $length if $length;
    die "count: $request: $head$got\n" if $status !~ /^2/;
    return $got;
}

# What the thread that answers had done when httpd began to read a request the nth time (from 1), since the time before.
sub counted
{
    my ($n) = @_;
    my $path = "$folder/counted/out.$n-01";
    for (1 .. 600) {
        last if -s $path && slurp($path) =~ /^totals: /m;
        select undef, undef, undef, 0.1;
    }
    return slurp($path) =~ /^totals: (\d+)/m ? $1 : die "count: $path has no total\n";
}

start();
my $socket = connected();
my $asked = 1;
for my $row (@rows) {
    if ($row->{name} eq 'start') {
        $row->{now} = counted(1);
        next;
    }
    # On a machine that is busy the thread that follows changes may be late, and then nothing counts as warm until it has come: what is dearer than it was is
    # counted again a little later.
    for my $round (1 .. 5) {
        my $first = $asked;
        my $warm = $round == 1 ? $row->{warm} : 3;
        for (1 .. $warm + $measured) {
            my $got = ask($socket, $row->{request});
            $asked++;
            # So many as the row is to answer.
            my $items = () = $got =~ /"object_type":"USER"/g;
            die "count: $row->{name}: $items users\n" if $row->{name} =~ /(\d+) (?:hits|users)/ && $items != $1;
        }
        my $now = median(map { counted($first + $_) } $warm + 1 .. $warm + $measured);
        $row->{now} = $now if !defined $row->{now} || $now < $row->{now};
        last if $row->{now} <= 1.1 * $row->{counted};
        sleep 2;
    }
}
close $socket;
stop();

# ---- table -----------------------------------------------------------------------------------------------------------------------------------

sub readable
{
    my ($n) = @_;
    return $n !~ /^\d+$/ ? '-' : $n < 1_000_000 ? sprintf '%.0f k', $n / 1000 : sprintf $n < 100_000_000 ? '%.2f M' : '%.0f M', $n / 1_000_000;
}

if ($ENV{COUNT_PLAIN}) {
    print map { "$_->{name}\t$_->{now}\n" } @rows;
    exit 0;
}
my $missed = 0;
print "| row I: instructions a request, $users users | counted | before | to reach | met |\n|---|---:|---:|---:|---|\n";
for my $row (@rows) {
    my $met = $row->{reach} eq '-' ? '' : $row->{now} <= $row->{reach} ? 'yes' : 'no';
    my $more = $row->{now} > 1.1 * $row->{counted};
    $missed ||= $more;
    print '| ', join(' | ', $row->{name} . ($row->{request} ne '-' ? " (`$row->{request}`)" : ''), map({ readable($_) } @$row{qw(now counted reach)}), $met . ($more ? ', more than before' : '')), " |\n";
}
exit($missed && $ENV{COUNT_HOLD} ? 1 : 0);

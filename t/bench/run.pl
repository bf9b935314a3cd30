#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# usage: t/bench/run.pl BUILD           (that is `make bench`)
#
# Rows of a table in Markdown, each a ratio of two figures from this run: what the module does, and a limit beside it. The two sides take turns; a figure is
# the median of its rounds. Server and load share one core whose clock moves; only logins, which are hashing, have all cores, as the limit beside them has.
# Environment: USERS (100000), ROUNDS (5), SECONDS a measurement (2), ROWS (all), BENCH_STRICT=1 (ends with 1 where a target is missed), KEEP=1 (keeps the folder).
# A row in which anything but 2xx was answered has failed: then the end is always 1.
use strict;
use warnings FATAL => 'all';
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(time sleep);

my $build = shift // 'build';
my ($users, $rounds, $seconds) = ($ENV{USERS} // 100_000, $ENV{ROUNDS} // 5, $ENV{SECONDS} // 2);
my $connections = 16;
my $principals = 10_000;
my %wanted = map { $_ => 1 } split ' ', $ENV{ROWS} // 'W0 W1 W2 W2k W3 M1 M2 S2';
my $folder = tempdir('identity-bench.XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{KEEP});
my $failed = 0;
my %started;

sub run { system(@_) == 0 or die "bench: @_ failed\n" }
sub say_now { local $| = 1; print @_, "\n" }
sub remark { print STDERR "bench: @_\n" }
sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[@sorted / 2] }

# ---- the machine -----------------------------------------------------------------------------------------------------------------------------

# On some virtual machines a core's clock ticks in milliseconds: there no figure is worth anything.
sub good_core
{
    my @cores = `taskset -pc $$` =~ /:\s*(.*)/ ? map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $1 : (0);
    for my $core (@cores) {
        my $values = `taskset -c $core $^X -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -e 'my (\$n, \$last) = (0, 0); for (1 .. 20000) { my \$now = clock_gettime(CLOCK_MONOTONIC); \$n += \$now != \$last; \$last = \$now } print \$n'`;
        return $core if $values > 18_000;
    }
    remark('no core has a clock that moves; figures mean little');
    return $cores[0];
}

my $core = good_core();
my @pinned = ('taskset', '-c', $core);

sub free_port { return IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)->sockport }

# ---- servers ---------------------------------------------------------------------------------------------------------------------------------

my $user = $> ? undef : 'nobody';
my $libexec = `apxs -q LIBEXECDIR`;
my $httpd = `apxs -q SBINDIR`;
chomp($libexec, $httpd);
$httpd .= '/' . (`apxs -q TARGET` =~ s/\n//r);

sub write_file
{
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
}

# The same httpd with the module (conf/ as it is shipped) and without.
sub configure
{
    my ($name, $more) = @_;
    my $root = "$folder/$name";
    mkdir $root;
    my $port = free_port();
    # What a server has built in has no file.
    my $modules = join '', map { -e "$libexec/mod_$_.so" ? "LoadModule ${_}_module $libexec/mod_$_.so\n" : '' }
        qw(mpm_event authn_core authz_core authz_host authz_user unixd mime dir env headers setenvif dbd watchdog reqtimeout);
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
    return {name => $name, root => $root, port => $port, url => "http://127.0.0.1:$port", first => $more ? '/.well-known/jwks.json' : '/plain/file.html'};
}

# Until the first 200. How long that took, in milliseconds.
sub start
{
    my ($server, @command) = @_;
    my $from = time;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        POSIX::setpgid(0, 0);
        exec @command, $httpd, '-d', $server->{root}, '-f', "$server->{root}/httpd.conf", '-DFOREGROUND' or POSIX::_exit(127);
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

# Proportional set size of the server and its children, in MiB.
sub memory
{
    my ($server) = @_;
    my $sum = 0;
    for my $path (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $path or next;
        my ($pid, $group) = (<$in> // '') =~ /^(\d+) \(.*\) \S \d+ (\d+)/ or next;
        next unless $group == $server->{pid};
        open my $rollup, '<', "/proc/$pid/smaps_rollup" or next;
        while (<$rollup>) {
            $sum += $1 if /^Pss:\s+(\d+) kB/;
        }
    }
    return $sum / 1024;
}

# ---- load ------------------------------------------------------------------------------------------------------------------------------------

my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());

# Seconds of processor time that the server's processes have had.
sub processor_time
{
    my ($server) = @_;
    my $sum = 0;
    for my $path (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $path or next;
        my ($group, $user, $system) = (<$in> // '') =~ /^\d+ \(.*\) \S \d+ (\d+) \d+ \S+ \S+ \d+ \d+ \d+ \d+ \d+ (\d+) (\d+)/ or next;
        $sum += $user + $system if $group == $server->{pid};
    }
    return $sum / $ticks;
}

# Requests a second of the processor time that server and load together took. They share a core, so that on a machine that does nothing else this is the same
# as a second of the clock; on others the clock tells of those. Whatever is no 2xx makes the row fail.
sub load
{
    my ($row, $server, $path, $how, @arguments) = @_;
    my $before = processor_time($server) + (times)[2] + (times)[3];
    my @pin = $how->{all} ? () : @pinned;
    open my $out, '-|', @pin, 'wrk', '-t', 1, '-c', $connections, '-d', $how->{seconds} // $seconds, '--timeout', '10s', '-s', 't/bench/wrk.lua',
        "$server->{url}$path", '--', @arguments or die "wrk: $!";
    my $text = do { local $/; <$out> };
    close $out;
    my ($requests, $bad, $broken) = $text =~ /^BENCH (\d+) (\d+) (\d+)/m or die "bench: wrk said:\n$text";
    if ($bad || $broken) {
        remark("$row: $bad answers that are no 2xx, $broken connections that broke");
        $failed = 1;
    }
    my $processor = processor_time($server) + (times)[2] + (times)[3] - $before;
    return $requests / $processor;
}

# Both sides in turn, so many rounds: their medians.
sub in_turn
{
    my (@sides) = @_;
    my @values;
    for my $round (1 .. $rounds) {
        push @{$values[$_]}, $sides[$_]->() for 0 .. $#sides;
    }
    return map { median(@$_) } @values;
}

my %targets = (W1 => 0.95, W2 => 0.90, W2k => 0.90, W3 => 0.35, M1 => 24, M2 => 100, S2 => 0.4);

sub row
{
    my ($row, $work, $value, $limit, $format, $of) = @_;
    my $ratio = !defined $limit ? undef : $of eq 'ratio' ? $value / $limit : $value - $limit;
    my $target = $targets{$row};
    my $met = !defined $target ? '' : ($of eq 'ratio' ? $ratio >= $target : $ratio <= $target) ? 'yes' : 'no';
    $failed ||= $met eq 'no' && $ENV{BENCH_STRICT};
    my $number = sub { defined $_[0] ? sprintf $_[1], $_[0] : '' };
    say_now(join ' | ', "| $row", $work, $number->($value, $format), $number->($limit, $format), $number->($ratio, $of eq 'ratio' ? '%.2f' : $format),
        defined $target ? ($of eq 'ratio' ? '>= ' : '<= ') . $target : '', "$met |");
}

# What a command does a second of its processor time, of so many.
sub rate_of
{
    my ($count, @command) = @_;
    my $before = (times)[2] + (times)[3];
    run(@pinned, @command);
    return $count / ((times)[2] + (times)[3] - $before);
}

# ---- what there is to measure ----------------------------------------------------------------------------------------------------------------

remark("$users users, $connections connections, core $core, $rounds rounds of $seconds s");
chmod 0755, $folder;
mkdir "$folder/$_" for 'htdocs', 'htdocs/plain', 'htdocs/protected', 'state';
write_file("$folder/htdocs/$_", 'x' x 599 . "\n") for 'plain/file.html', 'protected/file.html';
my $database = "$folder/state/identity.db";
run("$build/htidentity", '--db', "sqlite3:$database", 'migrate');
run("$build/t/bench-seed", $database, "$folder/state", $users, $principals + 1);
run('chown', '-R', "$user:nogroup", "$folder/state") if $user;
open my $in, '<', "$folder/state/users" or die "users: $!";
my @people = map { [split] } <$in>;
write_file("$folder/paths", join '', map { "/v1/users/$_->[0]\n" } @people);
write_file("$folder/names", join '', map { "$_->[1]\n" } @people);
open $in, '<', "$folder/state/keys" or die "keys: $!";
chomp(my ($key, @keys) = <$in>);

my $top = POSIX::getcwd();
my $plain = configure('plain', '');
my $module = $build =~ m{^/} ? $build : "$top/$build";
my $identity = configure('identity', <<"END");
LoadModule identity_module $module/mod_identity.so
DBDriver sqlite3
DBDParams $database
<LocationMatch "^/(?:v(?:[0-9]+|x)(?:/|\$)|\\.well-known/)">
    IdentityEngine On
</LocationMatch>
IdentityRateLimit login off
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

sub figure
{
    my ($name) = @_;
    my $answer = HTTP::Tiny->new->get("$identity->{url}/identity-status?auto");
    return $answer->{content} =~ /^Identity\Q$name\E: (\S+)$/m ? $1 : die "bench: no figure $name: $answer->{status}\n";
}

# Somebody with USER.MORTAL.VIEW: each fourth has a role with it.
sub bearer
{
    my $http = HTTP::Tiny->new;
    my $answer = $http->post("$identity->{url}/v1/oauth/token",
        {headers => {'Content-Type' => 'application/json'}, content => encode_json({username => $people[0][1], password => 'Correct1Horse'})});
    die "bench: nobody can sign in: $answer->{content}\n" unless $answer->{status} == 200;
    return 'Bearer ' . decode_json($answer->{content})->{access_token};
}

say_now('| row | work | this module | beside it | ratio or difference | target | met |');
say_now('|---|---|---:|---:|---:|---:|---|');

# ---- M2: nothing else runs -------------------------------------------------------------------------------------------------------------------

if ($wanted{M2}) {
    my ($with, $without) = in_turn(map { my $server = $_; sub { my $took = start($server, @pinned); stop($server); $took } } $identity, $plain);
    row('M2', 'start to first 200 (ms), above httpd without the module', $with, $without, '%.0f', 'difference');
}

# ---- W0, W2, W2k, W3 on one core -------------------------------------------------------------------------------------------------------------

start($identity, @pinned);
if (grep { $wanted{$_} } qw(W0 W2 W2k W3)) {
    my @bearer = (Authorization => bearer());
    my @key = ('X-API-KEY' => $key);
    my @sides = (
        [W0 => sub { load('W0', $identity, '/plain/file.html', {}, '-', '-') }],
        [W2 => sub { load('W2', $identity, '/protected/file.html', {}, @bearer) }],
        [W2k => sub { load('W2k', $identity, '/protected/file.html', {}, @key) }],
        [W3 => sub { load('W3', $identity, '', {}, @key, "$folder/paths") }]);
    my @measured = grep { $_->[0] eq 'W0' || $wanted{$_->[0]} } @sides;
    # Warm: files, database, cache.
    $_->[1]->() for @measured;
    my %rate;
    @rate{map { $_->[0] } @measured} = in_turn(map { $_->[1] } @measured);
    row('W0', 'static file of 600 bytes (requests/s)', $rate{W0}, undef, '%.0f', 'ratio') if $wanted{W0};
    row('W2', 'the same protected, access token, beside W0', $rate{W2}, $rate{W0}, '%.0f', 'ratio') if $wanted{W2};
    row('W2k', 'the same protected, API key, beside W0', $rate{W2k}, $rate{W0}, '%.0f', 'ratio') if $wanted{W2k};
    row('W3', '`GET /v1/users/{id}`, random ids, beside W0', $rate{W3}, $rate{W0}, '%.0f', 'ratio') if $wanted{W3};
}

# ---- M1 --------------------------------------------------------------------------------------------------------------------------------------

if ($wanted{M1}) {
    # Afresh: what other rows have read of the database is none of its business.
    stop($identity);
    start($identity, @pinned);
    # Each process has a cache of its own: with so many keys all of them together hold that many principals.
    my $processes = figure('Processes');
    my $many = POSIX::ceil($principals / $processes);
    write_file("$folder/keys", join '', map { "$_\n" } @keys[0 .. $many - 1]);
    for (1 .. 30) {
        load('M1', $identity, '/protected/file.html', {}, 'each', 'X-API-KEY', "$folder/keys");
        last if figure('CacheEntries') >= $principals;
    }
    my $cached = figure('CacheEntries');
    remark("M1: $cached principals in the caches of $processes processes");
    if ($cached < $principals) {
        remark('M1: these are too few');
        $failed = 1;
    }
    start($plain, @pinned);
    load('M1', $plain, '/plain/file.html', {}, '-', '-');
    row('M1', "memory of all processes (MiB) with $principals cached principals, above httpd without the module", memory($identity), memory($plain), '%.1f', 'difference');
    stop($plain);
}
stop($identity);

# ---- W1 on all cores -------------------------------------------------------------------------------------------------------------------------

if ($wanted{W1}) {
    start($identity);
    my ($logins, $hashes) = in_turn(
        sub { load('W1', $identity, '/v1/oauth/token', {all => 1, seconds => 3}, 'logins', "$folder/names", 'Correct1Horse') },
        sub { my $hashes = `$build/t/bench-hash 3`; $hashes + 0 });
    row('W1', 'login by password (requests/s of each core), beside bare libsodium on all cores', $logins, $hashes, '%.1f', 'ratio');
    stop($identity);
}

# ---- S2 --------------------------------------------------------------------------------------------------------------------------------------

if ($wanted{S2}) {
    my @names = map { "user$_\@example.org" } 1 .. $users;
    # As a file of another program has them: in no order of the alphabet.
    my $state = 1;
    for my $i (reverse 1 .. $#names) {
        $state = $state * 1103515245 + 12345 & 0x7fffffff;
        @names[$i, $state % ($i + 1)] = @names[$state % ($i + 1), $i];
    }
    my $hash = '$2y$10$abcdefghijklmnopqrstuut3CYJcJzK0OXF40fU9tgfp3q7x3/1vu';
    write_file("$folder/users.jsonl", join '', map { qq({"type":"user","username":"$_","password_hash":"$hash"}\n) } @names);
    my $fresh = sub {
        my ($name) = @_;
        unlink glob "$folder/$name.db*";
        run("$build/htidentity --db sqlite3:$folder/$name.db migrate > $folder/out");
        return "$folder/$name.db";
    };
    my ($imported, $copied) = in_turn(
        sub {
            my $db = 'sqlite3:' . $fresh->('imported');
            run("$build/htidentity --db $db entity add default > $folder/out");
            return rate_of($users, 'sh', '-c', "$build/htidentity --db $db import $folder/users.jsonl > $folder/out");
        },
        sub { return rate_of($users, "$build/t/bench-copy", "$folder/imported.db", $fresh->('copied')) });
    row('S2', 'import of users with hashes (a second), beside a copy of their rows by SQLite alone', $imported, $copied, '%.0f', 'ratio');
}
exit($failed ? 1 : 0);

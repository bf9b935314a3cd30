# SPDX-License-Identifier: Apache-2.0
# M1, M3 and M4: the memory of all processes together (PSS).
use strict;
use warnings FATAL => 'all';
use Bench;
use BenchLoad;
use POSIX ();
use Time::HiRes qw(sleep);

my $principals = 10_000;

sub plain_memory
{
    my ($site) = @_;
    my $plain = $site->{plain};
    $plain->start(@pinned);
    load('M1', $plain, '/plain/file.html', {}, '-', '-');
    my $memory = $plain->memory;
    $plain->stop;
    return $memory;
}

# Each process has a cache of its own: with so many keys all of them together hold that many principals.
sub fill_caches
{
    my ($site) = @_;
    my $server = $site->{identity};
    my $processes = $server->figure('Processes');
    my $many = POSIX::ceil($principals / $processes);
    write_file("$folder/keys", join '', map { "$_\n" } @{$site->{keys}}[0 .. $many - 1]);
    my $cached = 0;
    for (1 .. 30) {
        load('M1', $server, '/protected/file.html', {}, 'each', 'X-API-KEY', "$folder/keys");
        $cached = $server->figure('CacheEntries');
        last if $cached >= $principals;
    }
    remark("M1: $cached principals in the caches of $processes processes");
    fail('M1: these are too few') if $cached < $principals;
}

# REQUESTS of them, half protected files and half W3; the first tenth fills what is to be filled.
sub growth
{
    my ($site) = @_;
    my $server = $site->{identity};
    my ($all, $sent, $before) = ($ENV{REQUESTS} // 200_000, 0, undef);
    while ($sent < $all) {
        for my $what (['/protected/file.html', '-'], ['', "$folder/paths"]) {
            my $load = begin_load('M3', $server, $what->[0], {}, 'X-API-KEY' => $site->{key}, $what->[1] eq '-' ? () : $what->[1]);
            $sent += (end_load($load))[2];
        }
        $before //= $server->memory if $sent >= $all / 10;
    }
    return ($server->memory, $before, $sent);
}

# While all kinds of load come one after the other, by a process of its own that looks ten times a second.
sub most
{
    my ($server, $loads) = @_;
    my $pid = open(my $watch, '-|') // die "bench: fork: $!";
    if (!$pid) {
        my ($most, $ended) = (0, 0);
        local $SIG{TERM} = sub { $ended = 1 };
        while (!$ended) {
            my $now = $server->memory;
            $most = $now if $now > $most;
            sleep 0.1;
        }
        print "$most\n";
        close STDOUT;
        POSIX::_exit(0);
    }
    $loads->();
    kill TERM => $pid;
    my $most = <$watch>;
    close $watch;
    return $most;
}

sub all_loads
{
    my ($site) = @_;
    my ($server, @key) = ($site->{identity}, 'X-API-KEY' => $site->{key});
    load('M4', $server, '/v1/oauth/token', {}, 'logins', "$folder/names", PASSWORD);
    load('M4', $server, '/protected/file.html', {}, @key);
    load('M4', $server, '', {}, @key, "$folder/$_") for 'paths', 'names.paths';
    load('M4', $server, $_, {}, @key) for '/v1/users?limit=50', '/v1/users?limit=500', map { "/v1/users/search?username=$_" } 'desk', '@desk.example', 'user0001';
    load('M4', $server, '/v1/users/invite', {connections => 8}, 'invite', $site->{key}, 'most-');
    my $logins = begin_load('M4', $server, '/v1/oauth/token', {seconds => $seconds + 1}, 'logins', "$folder/names", PASSWORD);
    load('M4', $server, '', {}, @key, "$folder/paths");
    end_load($logins);
}

sub {
    my ($site) = @_;
    return unless wanted(qw(M1 M3 M4));
    my ($server, $plain) = ($site->{identity}, plain_memory($site));
    # Afresh for each: what others have read of the database is none of its business.
    if (wanted('M1')) {
        $server->start(@pinned);
        fill_caches($site);
        row('M1', "memory of all processes (MiB) with $principals cached principals, above httpd without the module",
            value => $server->memory, limit => $plain, format => '%.1f', by => 'difference', target => '<= 24');
        $server->stop;
    }
    if (wanted('M3')) {
        $server->start(@pinned);
        my ($after, $before, $sent) = growth($site);
        $server->stop;
        row('M3', "memory (MiB) after $sent requests, above that after a tenth of them", value => $after, limit => $before, format => '%.1f', by => 'difference', target => '<= 1');
    }
    if (wanted('M4')) {
        $server->start(@pinned);
        my $most = most($server, sub { all_loads($site) });
        $server->stop;
        row('M4', 'the most memory (MiB) during the loads of W1 to W9, above httpd without the module', value => $most, limit => $plain, format => '%.1f', by => 'difference', target => '<= 48');
    }
};

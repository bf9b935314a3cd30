# SPDX-License-Identifier: Apache-2.0
# W1, which is hashing and has all cores, as the limit beside it has; and W9, reads while people sign in.
use strict;
use warnings FATAL => 'all';
use Bench;
use BenchLoad;

sub logins
{
    my ($site, $row, $how) = @_;
    return begin_load($row, $site->{identity}, '/v1/oauth/token', $how, 'logins', "$folder/names", PASSWORD);
}

sub alone_and_beside
{
    my ($site) = @_;
    my $read = sub { begin_load('W9', $site->{identity}, '', {clock => 1}, 'X-API-KEY' => $site->{key}, "$folder/paths") };
    my (%alone, %beside);
    for (1 .. $rounds) {
        my ($rate, $late) = end_load($read->());
        push @{$alone{rate}}, $rate;
        push @{$alone{late}}, $late;
        my $logins = logins($site, 'W9', {all => 1, seconds => $seconds + 1});
        ($rate, $late) = end_load($read->());
        end_load($logins);
        push @{$beside{rate}}, $rate;
        push @{$beside{late}}, $late;
    }
    return (\%alone, \%beside);
}

sub {
    my ($site) = @_;
    if (wanted('W1')) {
        $site->{identity}->start;
        my ($logins, $hashes) = in_turn(sub { (end_load(logins($site, 'W1', {all => 1, seconds => 3})))[0] }, sub { `$build/t/bench-hash 3` + 0 });
        $site->{identity}->stop;
        row('W1', 'login by password (requests/s of each core), beside bare libsodium on all cores', value => $logins, limit => $hashes, format => '%.1f', target => '>= 0.95');
    }
    if (wanted('W9')) {
        $site->{identity}->start(@pinned);
        my ($alone, $beside) = alone_and_beside($site);
        $site->{identity}->stop;
        my $median = sub { my ($of) = @_; (value => median(@{$beside->{$of}}), limit => median(@{$alone->{$of}})) };
        # Two loads share the core.
        row('W9', 'W3 while 16 connections sign in without pause, by the clock, beside W3 alone', $median->('rate'), target => '>= 0.5');
        row('W9', 'the 99th of 100 of its times (ms)', $median->('late'), format => '%.1f', target => '<= 5');
    }
};

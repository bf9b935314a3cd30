#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# usage: t/bench/run.pl BUILD           (that is `make bench`)
#
# Rows of a table in Markdown, each a ratio of two figures from this run: what the module does, and a limit beside it. The two sides take turns; a figure is
# the median of its rounds. Server and load share one core whose clock moves; only logins, which are hashing, have all cores, as the limit beside them has.
# Environment: USERS (1000000), ROUNDS (5), SECONDS a measurement (2), ROWS (all), REQUESTS of row M3 (200000), BENCH_STRICT=1 (ends with 1 where a target is
# missed), KEEP=1 (keeps the folder). The database that it begins with is kept in BUILD/seeded.
# A row in which anything but 2xx was answered has failed: then the end is always 1.
use strict;
use warnings FATAL => 'all';
use lib 't/bench/lib';
use Bench;
use BenchServer;

my $where = shift // 'build';
Bench::begin($where, qw(M2 W0 W2 W2k W3 W3d W4 W5 W8 M1 M3 M4 W1 W9 W6 W7 S2 S1 I));
die "bench: $build is built without optimization; CFLAGS should have -O2\n" if `$build/t/bench-seed --optimized` !~ /^yes/;

my %site = (kept => seeded($build, $users), far => 2 * 10_000 * 50 <= $users ? 10_000 : int $users / 100);
my ($key, @keys) = split /\n/, slurp("$site{kept}/keys");
my @people = map { [split] } split /\n/, slurp("$site{kept}/users");
@site{qw(key keys people)} = ($key, \@keys, \@people);
write_file("$folder/paths", join '', map { "/v1/users/$_->[0]\n" } @people);
write_file("$folder/names", join '', map { "$_->[1]\n" } @people);
write_file("$folder/names.paths", join '', map { "/v1/users/search?username=$_->[1]\n" } @people);
my $database = database($site{kept}, 'state');
$site{plain} = BenchServer->new('plain', '');
$site{identity} = BenchServer->with_module('identity', $database);
$site{cold} = BenchServer->with_module('cold', $database, "IdentityCache 0\n");

$| = 1;
print "| row | work | this module | beside it | ratio or difference | target | met |\n|---|---|---:|---:|---:|---:|---|\n";
for my $rows (qw(start reads memory logins writes import counts)) {
    my $measure = do "./t/bench/rows/$rows.pl" // die "bench: $rows.pl: ", $@ || $!, "\n";
    $measure->(\%site);
}
exit(succeeded() ? 0 : 1);

#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Row I: no request takes a tenth more instructions than t/bench/counts says (`make count`), here on fewer users. Whoever makes one dearer, or cheaper, says so there.
use strict;
use warnings FATAL => 'all';
use Test::More;

chomp(my $optimized = `build/t/bench-seed --optimized` // '');
plan skip_all => 'built without optimization: nothing to be counted' if $optimized ne 'yes';

my @table = `USERS=5000 COUNT_HOLD=1 t/bench/count.pl build 2>&1`;
my $status = $?;
my $rows = grep { /^[^#|]+\|[^|]+\|/ } do { open my $in, '<', 't/bench/counts' or die "t/bench/counts: $!"; <$in> };
is scalar(grep { /^\| / } @table), $rows + 1, 'each of the rows was counted';
is $status, 0, 'none is a tenth more than it was';
diag @table if $status;
diag $_ for grep { /more than before/ } @table;
done_testing;

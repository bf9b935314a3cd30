# SPDX-License-Identifier: Apache-2.0
# S1 and I: instructions (count.pl). Times would tell of the caches of the machine, too.
use strict;
use warnings FATAL => 'all';
use Bench;
use List::Util qw(min max);

sub counts
{
    my ($many) = @_;
    local @ENV{qw(USERS COUNT_PLAIN)} = ($many, 1);
    my %count = map { /^(.*)\t(\d+)$/ ? ($1 => $2) : () } `t/bench/count.pl $build`;
    die "bench: count.pl failed\n" if $?;
    return \%count;
}

sub {
    if (wanted('S1')) {
        my @sizes = grep { $_ <= $users } 1_000, 100_000, 1_000_000;
        my %counts = map { $_ => counts($_) } @sizes;
        for my $name (grep { /protected|^a user|users|hits/ } sort keys %{$counts{$sizes[0]}}) {
            my @values = map { $counts{$_}{$name} / 1000 } @sizes;
            my $all = join ', ', map { sprintf '%.0f k', $_ } @values;
            row('S1', "$name: $all instructions with @sizes users; the most beside the least", value => max(@values), limit => min(@values), target => '<= 1.3');
        }
    }
    # A table of its own.
    if (wanted('I')) {
        print "\n";
        local $ENV{USERS} = $users < 100_000 ? $users : 100_000;
        run("t/bench/count.pl $build");
    }
};

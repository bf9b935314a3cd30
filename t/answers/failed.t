#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The last file of `make test`: repeats what failed anywhere in the run, so that the end of a long log is enough to see it. IDENTITY_TAP names the folder that
# holds the TAP of the run, and in `prove.out` what prove said of it; that of claims.t, which reads this folder, lies beside it.
use strict;
use warnings FATAL => 'all';
use File::Find ();
use Test::More;
use lib 't/lib';
use IdentityGuard qw(slurp);

my $folder = $ENV{IDENTITY_TAP} // die "IDENTITY_TAP names no folder: make test sets it\n";
my $longest = 60;
# What says least comes first: a log may be cut to its last lines.
my %rank = (suite => 1, answers => 2);

# Files that prove itself reports, whatever the reason: also an exit status or a plan that no assertion shows.
my ($report) = slurp("$folder/prove.out") =~ /^Test Summary Report\n-+\n(.*?)^Files=/ms;
my @failed = grep { /\S/ } split /\n/, $report // '';

File::Find::find({no_chdir => 1, wanted => sub {
    return unless -f && !m{/prove\.out$};
    (my $file = $_) =~ s{^\Q$folder\E(?:\.last)?/}{};
    push @failed, map { "$file: $_" } grep { /^not ok\b/ && !/(?<!\\)#\s*tod[o]\b/i } split /\n/, slurp($_);  # a directive of TAP, not a promise
}}, $folder, grep { -d } "$folder.last");

@failed = sort { rank($a) <=> rank($b) } @failed;
for my $line (@failed > $longest ? ('(' . (@failed - $longest) . ' lines more)', @failed[-$longest .. -1]) : @failed) {
    print STDERR '# ', substr($line, 0, 160), "\n";
}
ok !@failed, 'nothing failed in this run';
done_testing;

# 0: prove's report, 1: a suite that names a file of its, 2: what is made of others' results, 3: an assertion
sub rank {
    my ($line) = @_;
    return 0 if $line !~ /: not ok/;
    return $line =~ m{^t/(suite|answers)/} ? $rank{$1} : 3;
}

#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# usage: coverage.pl SUMMARY REASONS     SUMMARY: gcovr's --json-summary
# Prints lines and branches of each file and fails where all together, or a file, are under their floors, and where a reason is not needed any more.
use strict;
use warnings FATAL => 'all';
use JSON::PP;

my ($summary, $reasons) = @ARGV;
my $told = do { local (@ARGV, $/) = $summary; JSON::PP->new->decode(<>) };
my ($floor, $of_file, %reason);
open my $in, '<', $reasons or die "$reasons: $!\n";
while (<$in>) {
    next if /^\s*(?:#|$)/;
    if (/^floor (\d+)$/) { $floor = $1 }
    elsif (/^file (\d+)$/) { $of_file = $1 }
    elsif (/^(\S+) (\d+) (\S.*)$/) { $reason{$1} = [ $2, $3 ] }
    else { die "$reasons:$.: none of `floor PERCENT`, `file PERCENT` and `FILE PERCENT REASON`\n" }
}
die "$reasons: no floor\n" unless $floor && $of_file;
my @files = @{ $told->{files} };
die "$summary names no file\n" unless @files;

my @wrong;
sub percent { my ($covered, $all) = @_; return $all ? 100 * $covered / $all : 100 }
sub row
{
    my ($name, $of, $note) = @_;
    printf "%-44s %6d %6.1f%% %6d %6.1f%%  %s\n", $name, $of->{line_total}, percent($of->{line_covered}, $of->{line_total}), $of->{branch_total},
        percent($of->{branch_covered}, $of->{branch_total}), $note;
}
printf "%-44s %6s %7s %6s %7s\n", 'file', 'lines', 'reached', 'branch', 'taken';
for my $file (sort { $a->{filename} cmp $b->{filename} } @files) {
    my ($name, $lines) = ($file->{filename}, percent($file->{line_covered}, $file->{line_total}));
    my ($least, $why) = @{ $reason{$name} // [ $of_file, '' ] };
    row($name, $file, $why);
    push @wrong, sprintf '%s: %.1f %% of its lines, %d %% is the least', $name, $lines, $least if $lines < $least;
    push @wrong, "$name needs its line in $reasons no longer" if $why && $lines >= $of_file;
    delete $reason{$name};
}
row('all', $told, "floor $floor %");
push @wrong, sprintf 'all: %.1f %% of the lines, %d %% is the floor', percent($told->{line_covered}, $told->{line_total}), $floor
    if percent($told->{line_covered}, $told->{line_total}) < $floor;
push @wrong, map { "$reasons names $_, which is not there" } sort keys %reason;
print STDERR map { "coverage: $_\n" } @wrong;
exit(@wrong ? 1 : 0);

# SPDX-License-Identifier: Apache-2.0
package IdentitySuite;
# What a file of t/suite does: t/run-httpd.sh with one configuration, and the question whether it ran every file that belongs to it. A configuration with
# many files has a suite for each of their folders, which run side by side.
use strict;
use warnings FATAL => 'all';

sub files_of
{
    my ($config, @folders) = @_;
    my @files;
    for my $file (sort map { glob "t/$_/*.t" } @folders ? @folders : qw(api httpd)) {
        open my $in, '<', $file or die "$file: $!";
        my $on = 'event worker prefork asan';
        while (<$in>) {
            $on = $1, last if /^# run on: *(.*)/;
        }
        push @files, $file if grep { $_ eq $config } split ' ', $on;
    }
    return @files;
}

sub run
{
    my ($config, @folders) = @_;
    $| = 1;
    my @files = files_of($config, @folders);
    my %expected = map { $_ => 1 } @files;
    local $ENV{IDENTITY_PART} = join '-', @folders;
    my $count = 0;
    my $planned;
    open my $out, '-|', 't/run-httpd.sh', $config, @files or die "t/run-httpd.sh: $!";
    while (my $line = <$out>) {
        # The plan comes from below, with one check more.
        $planned = $1, next if $line =~ /^1\.\.(\d+)$/;
        if ($line =~ /^(?:not )?ok (\d+) - (\S+)/) {
            $count = $1;
            delete $expected{$2};
        }
        # prove shows what comes on standard error, and of standard output nothing but the verdict.
        print STDERR "# $line" if $line =~ /^not ok/;
        print STDERR $line if $line =~ /^#/;
        print $line unless $line =~ /^#/;
    }
    close $out;
    my $status = $?;
    my @missing = sort keys %expected;
    my $whole = defined $planned && $planned == $count && !@missing;
    print $whole ? '' : 'not ', 'ok ', ++$count, " - every file of $config ran\n";
    print STDERR "#   did not run: $_\n" for @missing;
    print STDERR "#   the run ended before its plan, status $status\n" unless defined $planned;
    print "1..$count\n";
    exit($whole && !$status ? 0 : 1);
}

1;

#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: files and functions grow by a few lines at a time until nobody reads them.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my ($lines_of_file, $lines_of_function) = (800, 60);
my (@long_files, @long_functions);
my $functions = 0;
# A file that is made of others is not read from one end to the other.
for my $path (grep { $_ ne 'conf/directives.md' } files(qr{(?:\.(?:c|h|def|pl|pm|t|sh|py|js|css|html|md|in)|Makefile|t/TEST)$})) {
    my @lines = split /\n/, slurp($path), -1;
    push @long_files, "$path: $#lines lines" if $#lines > $lines_of_file;
    next unless $path =~ /\.[ch]$/;
    # clang-format sets the braces of functions, and only theirs, alone in the first column.
    my $start;
    for my $i (0 .. $#lines) {
        $start = $i if $lines[$i] eq '{';
        if ($lines[$i] eq '}' && defined $start) {
            $functions++;
            my $length = $i - $start + 1;
            push @long_functions, "$path:$start: $lines[$start - 1]  ($length lines)" if $length > $lines_of_function;
            undef $start;
        }
    }
}
verdict("no file is longer than $lines_of_file lines", @long_files);
verdict("none of $functions functions is longer than $lines_of_function lines", @long_functions, $functions ? () : 'no function was found at all');
verdict;

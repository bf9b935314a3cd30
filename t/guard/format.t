#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: everybody's editor has its own style, and changes drown in white space.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my ($version) = `clang-format --version` =~ /version (\d+)/ or die "clang-format does not say its version\n";
my @files = files(qr{\.[ch]$});
my $said = `clang-format --dry-run -Werror --style=file @files 2>&1`;
my $status = $?;
my %places;
push @{$places{$1}}, $2 while $said =~ /^(\S+?):(\d+):\d+: error/mg;
my @wrong = map { "$_: " . @{$places{$_}} . " places, the first in line $places{$_}[0]" } sort keys %places;
push @wrong, $said if $status && !@wrong;
verdict(scalar(@files) . " files are formatted by .clang-format (clang-format $version)", @wrong);
verdict;

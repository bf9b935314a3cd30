#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: two log lines with one tag, or one without, and an administrator's search leads to the wrong place in the source.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my %hundred = (core => 1, store => 2, service => 3, client => 4, server => 5, tool => 6);
my (%places, @misplaced, @untagged);
my $calls = 0;
for my $path (files(qr{^(?:mod_identity\.c|src/.*\.(?:c|h|def))$})) {
    my $room = $path =~ m{^src/(\w+)/} ? $1 : 'server';
    my $code = code_of($path, strings => 1);
    for my $found (each_line($path, $code, qr/\bID\d{4}\b/)) {
        my ($where, $line) = $found =~ /^(\S+:\d+): (.*)$/;
        for my $tag ($line =~ /\b(ID\d{4})\b/g) {
            push @{$places{$tag}}, $where;
            push @misplaced, "$where: $tag is not of $room (ID0$hundred{$room}xx)" if substr($tag, 2, 2) != $hundred{$room};
        }
    }
    # A call ends with its semicolon; a definition or declaration names the type of its first parameter.
    while ($code =~ /^(.*?)\b(identity_log|IDENTITY_LOG|ap_log_(?:r|s|p|c|)error)\s*\(((?:[^;"]|"(?:[^"\\]|\\.)*")*);/mg) {
        my ($before, $name, $arguments) = ($1, $2, $3);
        my $line = 1 + (substr($code, 0, $-[2]) =~ tr/\n//);
        next if $before =~ /^\w[\w\s*]*$/ || $before =~ /#/;
        $calls++;
        # A text that is handed through has its tag where it was made.
        next if $arguments =~ /"ID\d{4}: / || $arguments !~ /"/ || $arguments =~ /"%s( \[%s\])?"/;
        push @untagged, "$path:$line: $name without a tag";
    }
}
my @twice = map { @{$places{$_}} > 1 ? "$_: @{$places{$_}}" : () } sort keys %places;
verdict(scalar(keys %places) . ' log tags stand once each', @twice, %places ? () : 'not one tag is found');
verdict('each is of its room\'s hundred', @misplaced);
verdict("$calls log calls carry one", @untagged, $calls ? () : 'not one call is found');
verdict;

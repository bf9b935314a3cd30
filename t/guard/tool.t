#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: a command of htidentity that the manual does not have, or that the manual promises and nobody made.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my $table = 'src/tool/commands.def';
my $text = code_of($table, strings => 1);
my @commands = $text =~ /^COMMAND\("([^"]+)"/mg;
my %options = map { $_ => 1 } code_of('src/tool/options.def', strings => 1) =~ /^OPTION\(\w+, "([^"]+)"/mg;
verdict(scalar(@commands) . " commands are read from $table", @commands && %options ? () : 'not one');

my %named;
$named{$_}++ for map { map { s/=.*//r } split ' ' } $text =~ /^COMMAND\("[^"]+",\s*"[^"]*",\s*"([^"]*)"/mg;
verdict('every option that a command takes exists', map { $options{$_} ? () : "--$_" } sort keys %named);
my %all = map { $_ => 1 } qw(config db json help version);
verdict('every option is taken by a command', map { $named{$_} || $all{$_} ? () : "--$_" } sort keys %options);

# In conf/README.md a noun a line with its verbs, in the table's order.
my (@nouns, %verbs);
for my $command (@commands) {
    my ($noun, $verb) = $command =~ /^(?:(.*) )?(\S+)$/;
    push @nouns, $noun if defined $noun && !$verbs{$noun};
    push @{$verbs{$noun // ''}}, $verb;
}
my @lines = ('  ' . join(', ', @{$verbs{''}}), map { sprintf '  %-12s %s', $_, join '|', @{$verbs{$_}} } @nouns);
my ($block) = slurp('conf/README.md') =~ /^```\nusage: htidentity [^\n]*\n\n(.*?)^```$/ms;
my %there = map { $_ => 1 } split /\n/, $block // '';
verdict('conf/README.md has every command', map { $there{$_} ? () : $_ } @lines);
my %made = map { $_ => 1 } @lines;
verdict('conf/README.md has no other', map { $made{$_} ? () : $_ } sort keys %there);
verdict;

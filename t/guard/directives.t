#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: a directive that exists and is written nowhere, or is promised and does not exist; a reference that nobody made anew; a manual page that a
# terminal shows half of.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my $table = 'src/server/directives.def';
my %made = map { $_ => 1 } code_of($table) =~ /^(?:SERVER|SETTING|DIRECTORY)\((Identity\w+),/mg;
verdict(scalar(keys %made) . " directives are read from $table", %made ? () : 'not one');

# In the shipped conf each stands as a line of its own, in force or commented out as an example, and a comment says what it does.
my %in_conf;
my $section = '';
for my $line (split /\n/, slurp('conf/identity.conf')) {
    $in_conf{$1}++ if $line =~ /^\s*#?\s*(Identity\w+)\s+\S/;
}
my %in_readme = map { $_ => 1 } slurp('conf/README.md') =~ /\b(Identity[A-Z]\w+)\b/g;

verdict('conf/identity.conf has every directive', map { $in_conf{$_} ? () : "$_ is missing" } sort keys %made);
for (['conf/identity.conf', \%in_conf], ['conf/README.md', \%in_readme]) {
    my ($path, $there) = @$_;
    verdict("$path has no other", map { $made{$_} ? () : "$_ does not exist" } sort keys %$there);
}

my $reference = `src/tool/reference.pl md 2>&1`;
verdict('conf/directives.md is what `make reference` makes', $? ? $reference : $reference eq slurp('conf/directives.md') ? () : 'it is of an older table');
my $described = qr/^## (Identity\w+)\n\n\| \| \|\n\|---\|---\|\n\| Description \| .+\n\| Syntax \| `\1 .+\n\| Default \| .+\n\| Context \| server config.*\n/m;
my %described = map { $_ => 1 } $reference =~ /$described/g;
verdict('it has Description, Syntax, Default and Context of each', map { $described{$_} ? () : $_ } sort keys %made);

# Of the table and the text each fault ends it with a sentence.
my $page = `src/tool/reference.pl man | mandoc -T lint 2>&1`;
verdict('mod_identity(8) is a manual page without a fault', $? || $page ? "$page$?" : ());
my $shown = `src/tool/reference.pl man | mandoc -T ascii 2>&1` =~ s/.\x08//gr;
verdict('which has every directive', map { $shown =~ /^ +\Q$_\E$/m ? () : $_ } sort keys %made);
verdict;

#!/usr/bin/perl
# Silent failure: a directive that exists and is written nowhere, or is promised and does not exist.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my $table = 'src/server/directives.def';
my %made = map { $_ => 1 } code_of($table) =~ /^(?:SERVER|DIRECTORY)\((Identity\w+),/mg;
verdict(scalar(keys %made) . " directives are read from $table", %made ? () : 'not one');

# In the shipped conf each stands as a line of its own, in force or commented out as an example, and a comment says what it does.
my %in_conf;
my $section = '';
for my $line (split /\n/, slurp('conf/identity.conf')) {
    $in_conf{$1}++ if $line =~ /^\s*#?\s*(Identity\w+)\s+\S/;
}
my %in_readme = map { $_ => 1 } slurp('conf/README.md') =~ /\b(Identity[A-Z]\w+)\b/g;

for (['conf/identity.conf', \%in_conf], ['conf/README.md', \%in_readme]) {
    my ($path, $there) = @$_;
    verdict("$path has every directive", map { $there->{$_} ? () : "$_ is missing" } sort keys %made);
    verdict("$path has no other", map { $made{$_} ? () : "$_ does not exist" } sort keys %$there);
}
verdict;

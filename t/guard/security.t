#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: an item that the project claims has no assertion that names it, or its number stands in a comment alone, which runs nowhere. That the assertion
# ran and held is for t/answers/claims.t, which reads what the tests printed.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityClaims;
use IdentityGuard;

# The text of a test without its comments.
sub asserted
{
    my ($path) = @_;
    return code_of($path, strings => 1) if $path =~ /\.[ch]$/;
    my $text = '';
    for (split /\n/, slurp($path)) {
        next if /^\s*#/;
        # A comment behind a statement; the number of an assertion stands inside quotes.
        s/[;,)}\]]\s+#[^'"]*$//;
        $text .= "$_\n";
    }
    return $text;
}

my %named;
for my $path (files(qr{^t/(?:unit|api|httpd|pages|suite|guard|answers)/.*\.[cht]$})) {
    $named{$_}{$path} = 1 for named_in(asserted($path));
}
verdict('D2: every item that is claimed is named by an assertion, not by a comment', grep { !$named{$_} } claimed());
my %excused = excused();
verdict('no item that is tested is excused', grep { $named{$_} } keys %excused);
verdict;

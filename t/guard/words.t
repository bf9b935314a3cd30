#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: a word of the private language that this code once had comes back, and a newcomer has to learn it again. (src/README.md has the words that are used.)
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

# Each pattern is looked for in code, comments and texts; of what it finds the exceptions are let be.
my @gone = (
    ['cached principal', qr/\bwho is (?:remembered|known)\b|\bis remembered\b/i],
    ['expired', qr/\bh(?:ad|as|ave) (?:had )?(?:its|their) time\b|\bits time has come\b/i],
    ['guest', qr/\bvisit(?:or|ors)\b/i],
    ['assignments', qr/\bholdings\b|\b(?:identity_)?holdings_t\b/i],
    ['write lock', qr/\bwriters'? (?:gate|mutex)\b/i],
    ['hashing semaphore', qr/\b(?:the|inside the|both) gates?\b|\bgate of password hashing\b/i],
    ['revision', qr/\bgenerations?\b/i, qr/"generations-"/],
    ['code base', qr/\b(?:the|this|in) house\b/i],
    ['layer or folder', qr/\b(?:this|that|only|server|client|core|store|service) room\b/i],
    ['entry point', qr/\b(?:the|one|by|behind the) door\b/i],
    ['is not a valid X, there is no X', qr/(?<!there )(?<!result )\bis none\b(?! in )/i, qr/0 is none|is none\. Read/],
    ['release', qr/\bgiven? (?:it |the key )?free\b/i],
    ['assignments', qr/\bwhat somebody holds\b/i, qr{^(?:src/README\.md|conf/README\.md):}],
    ['exactly', qr/\bletter by letter\b/i],
    ['a malformed id', qr/\bno such id is answered\b/i],
    ['does not have the form', qr/\bhas not the form\b/i],
    ['requires', qr/\basks for --/],
    ['the names that a script has replaced', qr/\bidentity_(?:wanted|holdings|once|memory|recall|place|slot|figures|survey|state|standing_key)(?:_t)?\b/],
    ['the names that a script has replaced', qr/\bidentity_(?:follow_changes|write_aside|key_shown|see_early|keep_off_disk|scrub)\b/],
    ['the names that a script has replaced', qr/\b(?:TOUCHES|HARMLESS|IDENTITY_SAY)\b/],
);
my @paths = files(qr{^(?:mod_identity\.c|README\.md|conf/[^/]+\.md|conf/openapi\.json|(?:src|include)/.*\.(?:c|h|def|txt))$});
my %text = map { $_ => slurp($_) } @paths;
for my $row (@gone) {
    my ($instead, $pattern, $except) = @$row;
    my @found = map { each_line($_, $text{$_}, $pattern) } @paths;
    @found = grep { $_ !~ $except } @found if $except;
    verdict(scalar(@paths) . " files say \"$instead\", not $pattern", @found);
}
verdict;

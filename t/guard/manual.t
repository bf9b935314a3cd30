#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: a manual names a file that was moved, or a chapter that has another title, or grows into lines that no terminal shows.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my @manuals = grep { !m{^(?:t/npm|run)/} } files(qr{\.md$});
my (@gone, @astray, @wide);
my $names = 0;
sub anchor { return lc($_[0]) =~ s/[^\w -]//gr =~ tr/ /-/r }

# Text without what stands between ``` and ```, in which tests type themselves.
sub prose { my ($path) = @_; my $code = 0; return map { $code = !$code if /^```/; $code || /^```/ ? '' : $_ } split /\n/, slurp($path) }

for my $path (@manuals) {
    my ($folder) = $path =~ m{^(.*/)?};
    my $line = 0;
    for (prose($path)) {
        $line++;
        # A table's row is one line, and so is a word.
        push @wide, "$path:$line: " . length($_) . ' columns' if length > 120 && !/^\|/ && /^.{0,119}[^` ] +\S/ && !/^\s*(?:<!--|`[^`]*`)/;
        for my $name (/`((?:src|t|conf|include)\/[\w.\/-]+)`/g) {
            # NAME stands for one.
            next if $name =~ m{/[A-Z]+(?:\.\w+)?$} && $name !~ m{/(?:README\.md|TEST)$};
            $names++;
            push @gone, "$path:$line: $name" unless -e $name;
        }
        while (/\]\(([\w.\/-]*)(?:#([\w-]+))?\)/g) {
            my ($target, $anchor) = ($1 ? ($folder // '') . $1 : $path, $2);
            $names++;
            push(@gone, "$path:$line: $target"), next unless -e $target;
            push @astray, "$path:$line: $target#$anchor" if defined $anchor && !grep { anchor($_) eq $anchor } map { /^#+ (.*)/ ? $1 : () } prose($target);
        }
    }
}
verdict("$names names of files in " . @manuals . ' manuals', @gone, $names > 50 ? () : 'too few were found');
verdict('each link leads to a chapter', @astray);
verdict('no line of prose is wider than 120 columns', @wide);
my @first = split /\n/, slurp('README.md');
verdict('README.md has at most 150 lines of 120 columns', @first > 150 ? scalar(@first) . ' lines' : (), grep { length > 120 } @first);
# A comment that sends its reader to a document that is not there.
my @cited;
for my $path (files(qr{^(?:src|include|t|mod_identity\.c).*\.(?:c|h|def|t|pm|pl|py|sh)$|^mod_identity\.c$})) {
    for my $line (each_line($path, slurp($path), qr{[\w/-]\.md\b})) {
        my ($text) = $line =~ /^\S+:\d+: (.*)/s;
        push @cited, $line for grep { !-e && !-e "conf/$_" && !-e "src/$_" && $_ ne 'manual.md' } $text =~ m{(?<![\w/\$\{\}\\.-])([A-Za-z][\w/-]*\.md)\b}g;
    }
}
verdict('comments name documents that are there', @cited);
# What an administrator who is new to this cannot know.
my $manual = slurp('conf/README.md');
my ($words) = $manual =~ /^## Words that the manual uses\n(.*?)^## /ms;
verdict('M26: the manual explains its words',
    map { my $word = $_; ($words // '') =~ /^\|[^|]*\b\Q$word\E\b[^|]*\|/m ? () : $word } qw(entity account membership ADMIN USER PARTNER MORTAL alias guest node));
verdict('M26: licence, version, changes, security contact and threat model are there',
    (map { -s $_ ? () : $_ } qw(LICENSE CHANGES.md)), slurp('README.md') =~ /^## Security\n/m ? () : 'README.md: Security', $manual =~ /^## Threat model$/m ? () : 'conf/README.md: Threat model');
verdict;

#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# usage, from the project's root: src/tool/reference.pl md > conf/directives.md          (that is `make reference`)
#                                 src/tool/reference.pl man > mod_identity.8             (make does it)
# The reference of every directive, of the table that the code has (src/server/directives.def) and the text beside it (src/server/directives.txt). Ends with a sentence
# where the two differ, a field lacks, or a chapter is named that the administrator's manual does not have.
use strict;
use warnings FATAL => 'all';
use Text::Wrap ();

my ($table, $text) = ('src/server/directives.def', 'src/server/directives.txt');
my ($form) = @ARGV;
die "usage: reference.pl md|man\n" unless @ARGV == 1 && $form =~ /^(?:md|man)\z/;

sub slurp
{
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$in>;
}

my %row;
my @order = map { $row{$_->[1]} = $_->[0]; $_->[1] } map { [/^(SERVER|SETTING|DIRECTORY)\((\w+),/] } grep { /^(?:SERVER|SETTING|DIRECTORY)\(Identity/ } split /\n/, slurp($table);
# In which manual a chapter is.
my %chapter = map { my $manual = $_; map { $_ => $manual } slurp("conf/$manual") =~ /^##+ (.+)$/mg } 'interface.md', 'sign-in.md', 'README.md';

my %context = (SERVER => 'server config, virtual host', SETTING => 'server config, virtual host', DIRECTORY => 'server config, virtual host, directory');

sub read_entry
{
    my ($name, $body) = @_;
    my %entry = (name => $name);
    my ($head, @paragraphs) = split /\n\n+/, $body =~ s/\s+\z//r;
    my @lines = split /\n/, $head;
    while (defined(my $line = shift @lines)) {
        my ($field, $value) = $line =~ /^(syntax|default|summary|context|override|example):(?: (\S.*))?$/ or die "$text: $name: what is \"$line\"?\n";
        die "$text: $name: $field twice\n" if exists $entry{$field};
        if ($field eq 'example' && !defined $value) {
            push @{$entry{example}}, shift(@lines) =~ s/^\| ?//r while @lines && $lines[0] =~ /^\|/;
        } else {
            $entry{$field} = $field eq 'example' ? [$value // ()] : $value;
        }
        die "$text: $name: $field is empty\n" unless $field eq 'example' ? @{$entry{example} // []} : defined $entry{$field};
    }
    defined $entry{$_} or die "$text: $name has no $_\n" for qw(syntax default summary example);
    die "$text: $name: the example does not have it\n" unless grep { /^\s*\Q$name\E\s/ } @{$entry{example}};
    $entry{context} //= $context{$row{$name}};
    $entry{default} = "$name $entry{default}" unless $entry{default} =~ s/^\((.*)\)$/$1/;
    $entry{paragraphs} = [map { s/\s*\n\s*/ /gr } @paragraphs];
    for my $title (map { /\[([^\]\/]+)\](?!`)/g } map { s/`[^`]*`//gr } @{$entry{paragraphs}}) {
        die "$text: $name: no manual has a chapter \"$title\"\n" unless $chapter{$title};
    }
    return \%entry;
}

my (%entry, @there);
for (split /^== /m, slurp($text)) {
    my ($name, $body) = /\A(Identity\w+)\n(.*)\z/s or next;
    die "$text has $name, and $table has not\n" unless $row{$name};
    $entry{$name} = read_entry($name, $body);
    push @there, $name;
}
$entry{$_} or die "$text has no entry of $_\n" for @order;
"@there" eq "@order" or die "$text is not in the order of $table\n";

# ---- Markdown ------------------------------------------------------------------------------------------------------------------------------------

sub anchor { return lc($_[0]) =~ s/[^\w -]//gr =~ tr/ /-/r }

sub wrapped
{
    my ($paragraph, $columns) = @_;
    local $Text::Wrap::columns = $columns;
    local $Text::Wrap::huge = 'overflow';
    local $Text::Wrap::unexpand = 0;
    # What stands in `...` stays in one line, and so does a link.
    my $kept = $paragraph =~ s/(`[^`]*`|\[[^\]]*\]\([^)]*\))/$1 =~ tr! !\x01!r/ger;
    return Text::Wrap::wrap('', '', $kept) =~ tr/\x01/ /r;
}

sub linked { return $_[0] =~ s{(`[^`]*`)|\[([^\]]+)\]}{$1 // "[$2]($chapter{$2}#" . anchor($2) . ')'}ger }

sub print_markdown
{
    print "# Directives\n\n",
        "<!-- Made by `make reference` of src/server/directives.def and src/server/directives.txt: change these, not this file. -->\n\n",
        wrapped('Every directive of mod_identity, in the form of httpd\'s own manual. `httpd -t` checks each value. A DURATION is a whole number with a unit, which is'
            . ' `s`, `m`, `h` or `d`; a SIZE a number of bytes, or one with `K`, `M` or `G`; a FILE or DIRECTORY a path, relative to `ServerRoot` unless it begins with `/`.'
            . ' A virtual host inherits what it does not configure itself. Status of all: Extension. Module: mod_identity. [The administrator\'s manual](README.md) has'
            . ' the context; `Require identity-...` is described in [Protecting content](README.md#protecting-content).', 119), "\n\n";
    print "- [$_](#", lc $_, ")\n" for @order;
    for my $entry (@entry{@order}) {
        print "\n## $entry->{name}\n\n";
        my @rows = (['Description', $entry->{summary}], ['Syntax', "`$entry->{name} $entry->{syntax}`"], ['Default', $entry->{default} =~ /^Identity/ ? "`$entry->{default}`" : $entry->{default}],
            ['Context', $entry->{context}], $entry->{override} ? ['Override', $entry->{override}] : ());
        # A bar ends a cell, also in code.
        print "| | |\n|---|---|\n", map { "| $_->[0] | " . ($_->[1] =~ s/\|/\\|/gr) . " |\n" } @rows;
        print "\n", wrapped(linked($_), 119), "\n" for @{$entry->{paragraphs}};
        print "\n```\n", map({ "$_\n" } @{$entry->{example}}), "```\n";
    }
}

# ---- the manual page -----------------------------------------------------------------------------------------------------------------------------

sub roff
{
    my ($plain) = @_;
    return $plain =~ s/\\/\\e/gr =~ s/-/\\-/gr =~ s/^([.'])/\\&$1/gmr;
}

sub roff_text
{
    my ($paragraph) = @_;
    my $text = join '', map { /^`(.*)`$/ ? '\fB' . roff($1) . '\fR' : /^\[(.*)\]$/ ? "\\(lq" . roff($1) . "\\(rq in the administrator's manual" : roff($_) } split /(`[^`]*`|\[[^\]]+\])/, $paragraph;
    local $Text::Wrap::columns = 78;
    local $Text::Wrap::huge = 'overflow';
    local $Text::Wrap::unexpand = 0;
    # A sentence begins a line of its own.
    return join "\n", map { Text::Wrap::wrap('', '', $_) =~ s/^([.'])/\\&$1/gmr } split /(?<=[.:]) (?=[A-Z\\])/, $text;
}

sub print_page
{
    my ($version) = slurp('include/identity/core.h') =~ /^#define IDENTITY_VERSION "([^"]+)"$/m or die "core.h has no version\n";
    my ($date) = slurp('include/identity/core.h') =~ /^#define IDENTITY_VERSION_DATE "([^"]+)"$/m or die "core.h has no date\n";
    print ".TH MOD_IDENTITY 8 $date \"mod_identity $version\" \"System Administration\"\n.SH NAME\nmod_identity \\- identity service and access control of Apache httpd\n",
        ".SH SYNOPSIS\n.nf\n", roff("LoadModule identity_module modules/mod_identity.so\n\n<Location \"/library\">\n    AuthType Identity\n    AuthName \"Library\"\n"
            . "    Require identity-permission LIBRARY.READ\n</Location>\n"), ".fi\n.SH DESCRIPTION\n",
        roff_text('An Apache httpd with this module answers an identity API under `/v1` where `IdentityEngine On` says so, and decides by the same users, API keys and tokens'
            . ' who may see anything else that it serves (`AuthType Identity`). Users and everything else are kept in the database that mod_dbd\'s directives name.'), "\n.PP\n",
        roff_text('A DURATION is a whole number with a unit, which is s, m, h or d; a SIZE a number of bytes, or one with K, M or G. `httpd -t` checks each value.'
            . ' A virtual host inherits what it does not configure itself.'), "\n.SH AUTHORIZATION\n";
    for (['identity\-permission \fIPERMISSION\fR...', 'any of these permissions'], ['identity\-role \fIROLE\fR...', 'any of these roles, by slug or id'],
        ['identity\-member \fIaccount=A\fR|\fIentity=E\fR|\fIteam=T\fR...', 'a membership in any of these'],
        ['identity\-fresh \fISECONDS\fR', 'a sign-in no longer ago than that']) {
        print ".TP\n.B Require $_->[0]\n", roff(ucfirst $_->[1]), ".\n";
    }
    print ".SH DIRECTIVES\n";
    for my $entry (@entry{@order}) {
        print ".SS $entry->{name}\n", roff_text("$entry->{summary}."), "\n.TP\n.B Syntax\n", roff_text("$entry->{name} $entry->{syntax}"), "\n.TP\n.B Default\n", roff_text($entry->{default}),
            "\n.TP\n.B Context\n$entry->{context}\n", $entry->{override} ? ".TP\n.B Override\n$entry->{override}\n" : ();
        print ".PP\n", roff_text($_), "\n" for @{$entry->{paragraphs}};
        print ".PP\nExample:\n.PP\n.nf\n", map({ roff("    $_") . "\n" } @{$entry->{example}}), ".fi\n";
    }
    print ".SH SEE ALSO\n.BR htidentity (8),\n.BR httpd (8),\n.BR apachectl (8)\n";
}

$form eq 'md' ? print_markdown() : print_page();

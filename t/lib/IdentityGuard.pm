# SPDX-License-Identifier: Apache-2.0
package IdentityGuard;
# What the guards share. They run from the project's root, on the files that are there, tracked or not.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use File::Find ();

our @EXPORT = qw(files slurp code_of each_line verdict);

# Paths of all files of the project whose path matches; none at all is a failure of the guard, not a pass.
sub files
{
    my ($pattern) = @_;
    my @found;
    File::Find::find({
        no_chdir => 1,
        wanted => sub {
            (my $path = $_) =~ s{^\./}{};
            # .git is a file in a worktree.
            if ($path eq '.git' || -d && $path =~ m{^(?:\.git|build|build-\w+|run)$}) {
                $File::Find::prune = 1;
                return;
            }
            push @found, $path if -f && !-l && $path =~ $pattern;
        }}, '.');
    die "no file matches $pattern\n" unless @found;
    return sort @found;
}

sub slurp
{
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    local $/;
    return <$in> // '';
}

# C text with comments, and unless `strings` is given the text of string literals, blanked; lines keep their numbers.
sub code_of
{
    my ($path, %given) = @_;
    my $text = slurp($path);
    $text =~ s{("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(/\*.*?\*/|//[^\n]*)}{
        my ($literal, $comment) = ($1, $2);
        my $kept = $literal // $comment;
        if (defined $comment) { $kept =~ s/[^\n]/ /g }
        elsif (!$given{strings} && $kept =~ /^"/) { $kept = '"' . ' ' x (length($kept) - 2) . '"' }
        $kept;
    }gse;
    return $text;
}

# "path:line: text" for each line of text that matches.
sub each_line
{
    my ($path, $text, $pattern) = @_;
    my @found;
    my $number = 0;
    for my $line (split /\n/, $text, -1) {
        $number++;
        push @found, "$path:$number: $line" if $line =~ $pattern;
    }
    return @found;
}

my $count = 0;

# One TAP line; what is wrong goes into its diagnostics. Without arguments: the plan.
sub verdict
{
    my ($name, @wrong) = @_;
    if (!defined $name) {
        print "1..$count\n";
        return;
    }
    $count++;
    print @wrong ? 'not ' : '', "ok $count - $name\n";
    # Where prove shows it.
    print STDERR "#   Failed: $name\n" if @wrong;
    print STDERR "#   $_\n" for map { split /\n/ } @wrong;
}

1;

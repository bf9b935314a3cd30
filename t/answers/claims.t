#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Each item that the project claims (IdentityClaims) has an assertion that names it, ran, and held, in this run of `make test`: what counts is the TAP that came,
# which prove and t/run-httpd.sh leave in the folder IDENTITY_TAP. Prints which files show which item.
use strict;
use warnings FATAL => 'all';
use File::Find ();
use Test::More;
use lib 't/lib';
use IdentityClaims;
use IdentityGuard qw(slurp);

my $folder = $ENV{IDENTITY_TAP} // die "IDENTITY_TAP names no folder: make test sets it\n";

# ---- what came ---------------------------------------------------------------------------------------------------------------------------------

my (%shown, %failed, $assertions);

sub read_tap
{
    my ($path) = @_;
    (my $file = $path) =~ s{^\Q$folder\E/}{};
    # One name for a test, on whatever it ran.
    $file = ($1 =~ tr{.}{/}r) . '.t' if $file =~ m{^(?:event|worker|prefork|asan|root)(?:-\w+)?/(.*)\.t$};
    $file =~ s{^build(?:-asan)?/t/unit-(.*)}{t/unit/$1.c};
    for (split /\n/, slurp($path)) {
        my ($not, $name) = /^(not )?ok\b(?: \d+)?(?: - (.*))?$/ or next;
        $assertions++;
        next if !defined $name || $name =~ /(?<!\\)#\s*(?:skip|tod[o])\b/i;
        ($not ? \%failed : \%shown)->{$_}{$file}++ for named_in($name);
    }
}

File::Find::find({no_chdir => 1, wanted => sub { read_tap($_) if -f }}, $folder);
cmp_ok $assertions // 0, '>', 5000, 'what the tests printed was kept: ' . ($assertions // 0) . ' assertions';

# ---- the reader itself -------------------------------------------------------------------------------------------------------------------------

is join(' ', sort(named_in('refused # security 20, 27 and 84')), '|', sort(named_in('C1, C2: left out')), '|', sort(named_in('security 1 to 3')), '|',
        named_in('a page of A4 paper')),
    'security 20 security 27 security 84 | C1 C2 | security 1 security 2 security 3 |', 'numbers are found in names';

# ---- the table ---------------------------------------------------------------------------------------------------------------------------------

# prove shows what comes on standard error.
sub say_line { print STDERR '# ', @_, "\n" }

sub by_kind
{
    return sort { my ($x, $m) = $a =~ /^(\D+)(\d+)/; my ($y, $n) = $b =~ /^(\D+)(\d+)/; $x cmp $y || $m <=> $n } @_;
}

say_line '';
for my $item (by_kind(claimed())) {
    my @files = sort keys %{$shown{$item} // {}};
    my @wrong = sort keys %{$failed{$item} // {}};
    my $held = ok @files && !@wrong, "$item is shown";
    say_line sprintf '%-12s %-7s %s', $item, ($held ? 'holds' : @wrong ? 'FAILED' : 'NOT RUN'), join ' ', @wrong ? @wrong : @files ? @files : '-';
}
my %claimed = map { $_ => 1 } claimed();
my %excused = excused();
say_line sprintf '%-12s %-7s %s', $_, '-', $excused{$_} for by_kind(keys %excused);
is join(' ', grep { $shown{$_} } sort keys %excused), '', 'nothing that is tested is excused';
say_line 'shown beside what is claimed: ' . (join(' ', by_kind(grep { !$claimed{$_} } keys %shown)) || '-');
done_testing;

package IdentityClaims;
# What the project claims to do, by number: the items of its list of security requirements ("security 42"), and what was once seen to be wrong and is mended
# (A1, B2, M3...). Each has an assertion that names it; t/guard/security.t looks for it in the text of the tests, t/answers/claims.t in what they printed.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';

our @EXPORT = qw(claimed excused named_in);

my @security = (1 .. 51, 59, 60, 62, 63, 65 .. 74, 76 .. 80, 82, 84 .. 86);
# Without a test here, with the reason.
my %excused = (
    'security 11' => 'gives way to the published interface: PATCH of a password by an administrator',
    'security 32' => 'no code short enough to type is made',
);
my @mended = qw(A1 A10 A15 B2 B5 B7 B8 B13 B17 C1 C2 C4 D1 D2 D3 M18 M24);

sub claimed { return grep { !$excused{$_} } map({ "security $_" } @security), @mended }
sub excused { return keys %excused }

# The items that the name of an assertion (or any text of a test) contains: "security 20, 27 and 84", "security 1 to 3", "B8: ...", "C1, C2: ...".
sub named_in
{
    my ($text) = @_;
    my %found;
    for ($text =~ /\bsecurity ((?:[0-9]+(?: to |, | and )?)+)/gi) {
        $found{"security $_"} = 1 for map { /^(\d+) to (\d+)$/ ? $1 .. $2 : $_ } split /, | and /;
    }
    for ($text =~ /\b((?:[A-DM][0-9]{1,2}(?:, | and )?)+):/g) {
        $found{$_} = 1 for split /, | and /;
    }
    return keys %found;
}

1;

# SPDX-License-Identifier: Apache-2.0
package IdentityClaims;
# What the project claims to do, by number: the items of its list of security requirements ("security 42"), and what was once seen to be wrong and is mended
# (A1, B2, M3...). Each has an assertion that names it; t/guard/security.t looks for it in the text of the tests, t/answers/claims.t in what they printed.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';

our @EXPORT = qw(claimed excused named_in);

my @security = (1 .. 95);
# Without an assertion that names it, with the reason: the table of t/answers/claims.t prints it.
my %excused = (
    'security 11' => 'gives way to the published interface: PATCH of a password by an administrator',
    'security 32' => 'no code short enough to type is made',
    'security 52' => 'its subject is the path of the call; the published interface ignores unknown members of a body',
    'security 57' => 'optional: keys are not limited by address, method, path or rate',
    'security 61' => 'gives way to the published interface: unknown members are ignored, forbidden ones are 403 (security 60)',
    'security 64' => 'nobody can act as another user',
    'security 75' => 'gives way to the published interface: one flat object (security 76)',
    'security 87' => 'there are no webhooks',
    'security 90' => 'make all WERROR=-Werror, t/suite/build.t and t/suite/asan.t',
    'security 92' => 't/httpd/lifecycle.t, leaver.t and kill.t on every MPM',
    'security 94' => 't/unit/store/store_schema.c upgrades from every schema; old and new module side by side are not tested',
);
my @mended = (
    map({ "A$_" } 1 .. 17), map({ "B$_" } 1 .. 18), map({ "C$_" } 1 .. 4), map({ "D$_" } 1 .. 3),
    map({ "M$_" } 1 .. 26)
);

sub claimed { return grep { !$excused{$_} } map({ "security $_" } @security), @mended }
# Pairs of an item and the reason.
sub excused { return %excused }

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

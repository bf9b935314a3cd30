#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: httpd loads modules with RTLD_GLOBAL. A second symbol of ours may replace one of another module, and the other way round.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

for my $module ('build/mod_identity.so', grep { -f } 'build-asan/mod_identity.so') {
    my @lines = `nm -D --defined-only $module`;
    my @wrong = $? ? "nm failed on $module" : ();
    my @symbols = sort map { (split)[2] } @lines;
    # ODR markers of the sanitizer are no symbols of ours.
    @symbols = grep { !/^__(?:asan|odr_asan)/ } @symbols;
    push @wrong, "exported: @symbols" unless "@symbols" eq 'identity_module';
    verdict("$module exports identity_module alone", @wrong);
}
my $headers = `readelf -Wld build/mod_identity.so build/htidentity`;
my $relro = () = $headers =~ /GNU_RELRO/g;
my $now = () = $headers =~ /BIND_NOW/g;
verdict('module and tool are linked read-only after relocation, bound at start', $relro == 2 && $now == 2 ? () : "GNU_RELRO $relro, BIND_NOW $now of 2");
verdict;

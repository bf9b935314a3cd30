#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: bytes from outside reach cjose undecoded, whose decoder may assert: one request, and the child is gone. (A1)
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

# jose.c decodes everything first. keyset.c makes keys of numbers that OpenSSL checked.
my %allowed = ('src/core/jose.c' => qr/./, 'src/core/keyset.c' => qr/^cjose_jwk_(?:create_EC_spec|release|ec_keyspec)$/);
my (@wrong, $calls);
for my $path (files(qr{^(?:mod_identity\.c|(?:src|include)/.*\.[ch])$})) {
    next if $path eq 'src/core/jose.h';
    for (each_line($path, code_of($path), qr/\bcjose_\w+/)) {
        for my $name (/\b(cjose_\w+)/g) {
            $calls++;
            push @wrong, $_ unless $allowed{$path} && $name =~ $allowed{$path};
        }
    }
}
verdict('A1: cjose is called in the one front for JWTs and JWKs alone', @wrong, ($calls // 0) > 5 ? () : 'no call was found at all');
verdict;

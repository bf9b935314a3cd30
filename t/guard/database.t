#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: a driver call outside db.c works on the day it is written and breaks the contract (ROLLBACK, retry, text of errors) on another.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my (@calls, @forbidden);
my $inside = 0;
for my $path (files(qr{^(?:mod_identity\.c|(?:src|include)/.*\.(?:c|h|def))$})) {
    my $code = code_of($path);
    # mod_dbd.h wants its types; only a call is a call.
    my @found = each_line($path, $code, qr/\bapr_dbd_\w+\s*\(/);
    if ($path =~ m{^src/store/db\w*\.c$}) {
        $inside += @found;
    } else {
        push @calls, @found;
    }
    push @forbidden, each_line($path, $code, qr/\bapr_dbd_transaction_\w+|\bap_dbd_(?:c?acquire|prepare)\b/);
}
for my $path (files(qr{^conf/.*\.(?:conf|load)$}), files(qr{^(?:conf/)?README\.md$})) {
    push @forbidden, each_line($path, slurp($path), qr/^\s*(?:DBDPrepareSQL|DBDInitSQL)\b/);
}
verdict('apr_dbd_ is called in src/store/db*.c only', @calls, $inside ? () : 'and there no call is found: where is db.c?');
verdict('no driver transactions, no acquire, no prepared or initial SQL of mod_dbd', @forbidden);
verdict;

#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: a source file goes into another project and nobody can tell whose it is and what may be done with it.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my $line = 'SPDX-License-Identifier: Apache-2.0';
my @sources = grep { !m{(?:^|/)node_modules/|^t/fuzz/corpus/} } files(qr{(?:\.(?:c|h|def|css|js|mjs|ts|pl|pm|t|sh|py|lua|spec)|(?:^|/)Makefile|/TEST|conf/debian/rules)$});
my @without = grep { my @first = split /\n/, slurp($_), 3; !grep { m{^(?:/\*|#|--) \Q$line\E(?: \*/)?$} } @first[0 .. ($first[0] =~ /^#!/ ? 1 : 0)] } @sources;
verdict('each of ' . @sources . " source files begins with $line", @without, @sources > 400 ? () : 'too few were found');
my $licence = slurp('LICENSE');
verdict('LICENSE is that licence', $licence =~ /Apache License\s+Version 2\.0, January 2004/ ? () : 'it is another one');
verdict;

#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every answer that the unit tests of this run saw keeps conf/openapi.json (t/unit/support/record.c kept them, where make says). What a real httpd answered is
# checked by each run of t/run-httpd.sh itself.
use strict;
use warnings FATAL => 'all';
use Test::More tests => 2;

my $folder = $ENV{IDENTITY_ANSWERS} // die('IDENTITY_ANSWERS names no folder: make check sets it');
my $said = `t/answers/check.py conf/openapi.json '$folder' 2>&1`;
is $?, 0, 'every answer keeps the document # security 81' or diag $said;
my ($count) = $said =~ /^# (\d+) answers/m;
cmp_ok $count // 0, '>', 1000, 'of ' . ($count // 0) . ' answers';

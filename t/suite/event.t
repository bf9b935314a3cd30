#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
use lib 't/lib';
use IdentitySuite;
IdentitySuite::run('event', 'httpd');

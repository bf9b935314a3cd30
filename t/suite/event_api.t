#!/usr/bin/perl
use lib 't/lib';
use IdentitySuite;
IdentitySuite::run('event', 'api');

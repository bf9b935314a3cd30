#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: a path or host of the machine where it was written works there and nowhere else.
use strict;
use warnings FATAL => 'all';
use Cwd 'realpath';
use File::Basename 'dirname';
use Sys::Hostname 'hostname';
use lib 't/lib';
use IdentityGuard;

my $top = realpath('.');
my %texts = ($top => 'path of this tree', '/tmp/' . 'mi/' => 'path of a session');
my $parent = dirname($top);
# A parent that every machine has says nothing; nor does what follows on a variable.
$texts{"$parent/"} = 'path beside this tree' unless $parent =~ m{^/(?:tmp|root|home(?:/[^/]+)?|srv|opt|usr(?:/\w+)?|var(?:/\w+)?|mnt|media)?$};
$texts{"$ENV{HOME}/"} = 'home of this user' if ($ENV{HOME} // '') =~ m{^/.*\w} && $ENV{HOME} ne '/root';
$texts{'/root/' . '.'} = 'home of root';
my $host = hostname();
$texts{$host} = 'name of this machine' if length $host > 5 && $host !~ /^(?:localhost|debian|ubuntu|runner)/;
for my $list (grep { -r } '/etc/apt/sources.list', glob('/etc/apt/sources.list.d/*')) {
    for my $name (slurp($list) =~ m{https?://([^/\s:]+)}g) {
        $texts{$name} = 'host of a package source' unless $name =~ /(?:^|\.)debian\.org$/;
    }
}
my @found;
my @paths = grep { -T $_ } files(qr{.});
for my $path (@paths) {
    my $content = slurp($path);
    for my $text (sort keys %texts) {
        push @found, map { "$_   ($texts{$text})" } each_line($path, $content, qr/(?<![\w.}])\Q$text\E/) if index($content, $text) >= 0;
    }
}
verdict(scalar(@paths) . ' files name no path and no host of this machine', @found);
verdict;

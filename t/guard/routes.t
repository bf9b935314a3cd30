#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: an operation is served that no test has ever called. A test file of t/api says which ones it calls: `# route list_users get_user`.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my (%operations, @twice, @unread);
my $table = 'src/service/routes.def';
for my $row (each_line($table, code_of($table, strings => 1), qr/\bROUTE\b/)) {
    if ($row =~ /ROUTE\((\w+),\s*"([A-Z]+)",\s*"([^"]+)"/) {
        push @twice, $row if $operations{$1} || grep { $_ eq "$2 $3" } values %operations;
        $operations{$1} = "$2 $3";
    } else {
        push @unread, $row;
    }
}
my %tested;
for my $path (files(qr{^t/api/.*\.t$})) {
    $tested{$_}{$path} = 1 for map { split } slurp($path) =~ /^#\s*route\s+(.*?)\s*$/mg;
}
verdict(scalar(keys %operations) . ' routes are read', @unread, %operations ? () : "no row is found in $table");
# The table of conf/interface.md: `GET, POST /users/{id}`; what follows in shorthand (`/logout`) has the methods and the folder of what stands before it in its row.
my %listed;
for my $row (slurp('conf/interface.md') =~ /^\| (`.*)\|$/mg) {
    my ($methods, $folder) = ('', '');
    while ($row =~ m{`(?:([A-Z, ]+) )?(/[^`]*)`}g) {
        my ($given, $path) = ($1, $2);
        ($methods, $folder) = ($given, $path =~ s{/[^/]*$}{}r) if $given;
        my $beside = $path =~ m{^/\.well-known/} ? '' : '/v1';
        $listed{"$_ $beside" . ($given ? $path : "$folder$path")} = 1 for split /, /, $methods;
    }
}
verdict('conf/interface.md lists every operation but pages', map { my $call = $operations{$_} =~ s/\{\w+\}/{id}/gr; $listed{$call} || /_page$/ ? () : $call } sort keys %operations);
# A location that is copied from here and leaves a path out answers httpd's own 404 there.
for my $path ('conf/README.md', 'conf/identity-site.conf') {
    my @locations = slurp($path) =~ /^\s*<LocationMatch "([^"]+)">\s+(?:#.*\s+)*IdentityEngine On/mg;
    verdict("each location in $path claims every operation", @locations ? () : "$path has none",
        map { my ($route) = /(\S+)$/; grep({ $route !~ /$_/ } @locations) ? $_ : () } sort values %operations);
}
verdict('no operation and no method of a path twice', @twice);
verdict('every operation is tested in t/api', map { $tested{$_} ? () : "$_ ($operations{$_})" } sort keys %operations);
verdict('every operation that a test names is there', map { $operations{$_} ? () : "$_ in @{[sort keys %{$tested{$_}}]}" } sort keys %tested);
verdict;

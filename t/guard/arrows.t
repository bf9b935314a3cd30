#!/usr/bin/perl
# Silent failure: a room reaches past its neighbours, everything still links, and the house is a heap. The arrows are those of src/README.md's map.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

# Whose public header (include/identity/ROOM.h, or a part of it, ROOM_part.h) a room may include. `pages` is text that is embedded at build time.
my %arrows = (
    core => [qw(core)],
    store => [qw(store core)],
    client => [qw(client core pages)],
    service => [qw(service store client core pages)],
    server => [qw(server service core)],
    tool => [qw(service core)],
    pages => [qw(pages)],
);
# Tables that a public header is made of.
my %tables = ('metrics.def' => 'service', 'tables.def' => 'service', 'mails.def' => 'client');
# Libraries that belong to one room.
my %owned = (
    'httpd.h and its kin' => [qr{^(?:httpd|http_\w+|ap_\w+|util_\w+|mod_\w+|mpm_common|scoreboard|unixd)\.h$}, qw(server)],
    'libcurl' => [qr{^curl/}, qw(client)],
    'apr_dbd.h' => [qr{^apr_dbd\.h$}, qw(store server)],
    'cjose' => [qr{^cjose/}, qw(core)],
);

sub room_of
{
    my ($path) = @_;
    return 'server' if $path eq 'mod_identity.c';
    return $1 if $path =~ m{^src/(\w+)/[^/]+$} && $arrows{$1};
    return $1 if $path =~ m{^include/identity/([a-z]+)(?:_\w+)?\.h$} && $arrows{$1};
    return 'test' if $path =~ m{^t/(?:unit|fuzz|bench|fault)/};
    return;
}

my (@homeless, @wrong, @strange);
my $includes = 0;
for my $path (files(qr{\.[ch]$})) {
    my $room = room_of($path);
    if (!$room) {
        push @homeless, $path;
        next;
    }
    next if $room eq 'test';
    (my $folder = $path) =~ s{[^/]+$}{};
    for (each_line($path, code_of($path, strings => 1), qr/^\s*#\s*include\b/)) {
        my ($where, $how, $what) = /^(\S+:\d+): \s*#\s*include\s*([<"])([^>"]+)[>"]/ or push(@strange, $_), next;
        $includes++;
        if ($what =~ m{^identity/([a-z]+)(?:_\w+)?\.h$}) {
            push @wrong, "$where: $room may not include $what" unless grep { $_ eq $1 } @{$arrows{$room}};
        } elsif ($what =~ m{^identity/(\w+\.def)$} && ($tables{$1} // '') eq $room) {
            next;
        } elsif ($how eq '"') {
            push @wrong, "$where: $what is no file of the same room" unless $what !~ m{/} && -f "$folder$what";
        } else {
            for my $name (sort keys %owned) {
                my ($pattern, @rooms) = @{$owned{$name}};
                push @wrong, "$where: $name does not belong in $room" if $what =~ $pattern && !grep { $_ eq $room } @rooms;
            }
        }
    }
}
verdict('every C file lies in a known room', @homeless);
verdict('every #include is read', @strange, $includes > 10 ? () : "only $includes were found");
verdict('no arrow points another way', @wrong);
verdict;

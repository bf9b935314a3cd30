#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
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
# The folders of src/service, and whose functions each may call beside its own: no circle. The entry point (serve.c, routes.c and what lies beside them) may call
# any.
my %inside = (
    call => [],
    access => [qw(call)],
    login => [qw(access call)],
    users => [qw(login access call)],
    roles => [qw(access call)],
    oauth => [qw(users login access call)],
    sso => [qw(users login access call)],
    oidc => [qw(oauth users login access call)],
    jobs => [qw(users login access call)],
    status => [qw(call)],
    site => [qw(users login access call)],
);
# Tables that a public header is made of.
my %tables = ('rows.def' => 'store', 'metrics.def' => 'service', 'tables.def' => 'service', 'mails.def' => 'client');
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
    return 'service' if $path =~ m{^src/service/(\w+)/[^/]+$} && $inside{$1};
    return $1 if $path =~ m{^include/identity/([a-z]+)(?:_\w+)?\.h$} && $arrows{$1};
    return 'test' if $path =~ m{^t/(?:unit|fuzz|bench|fault|httpd)/};
    return;
}

sub may_call
{
    my ($from, $to) = @_;
    return $from eq $to || $from eq '.' || grep { $_ eq $to } @{$inside{$from}};
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
            my $near = $what !~ m{/} && -f "$folder$what" || $room eq 'service' && -f "src/service/$what";
            push @wrong, "$where: $what is no file of the same room" unless $near;
            my ($from) = $path =~ m{^src/service/(\w+)/};
            my ($to) = $what =~ m{^(\w+)/};
            push @wrong, "$where: $from/ may not include $to/" if $from && $to && !may_call($from, $to);
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

# ---- calls, by the symbols of the objects: what one needs, and which other one defines it -----------------------------------------------------------

# What two layers use of others than the service: the connections that the server lends to it and the tool opens by itself, what is done to a database as a
# whole, and what a configuration is checked with before anything is served. Whatever else is read or written goes through the service.
my %beyond = (
    server => [
        qr{^identity_db_(?:attach|open|release|usable|use|wrote)$}, qr{^identity_schema_(?:current|look|migrate)$}, qr{^identity_account_named$},
        qr{^identity_(?:client_(?:hold|release|start)|captcha_fault|oidc_(?:make|secret))$}, qr{^identity_mail_(?:compose|helo|kind_page|target_parse|templates_load)$},
    ],
    tool => [
        qr{^identity_db_(?:backup|begin|commit|open|restore|trial|use)$}, qr{^identity_schema_(?:check|current|migrate|version)$},
        qr{^identity_(?:invariants|names|team_names)_check$}, qr{^identity_tables_measure$}, qr{^identity_(?:account_find|user_of_login)$},
        qr{^identity_outbox_(?:hasten|in_state|state_name)$}, qr{^identity_mail_(?:compose|kind_named|kind_page|kinds_listed|render|templates_load)$},
    ],
);

my (%definer, %needs, @past, @around, %used);
for my $source (files(qr{^(?:src/.*|mod_identity)\.c$})) {
    (my $object = $source) =~ s{\.c$}{.o};
    open my $nm, '-|', 'nm', "build/$object" or die "nm: $!\n";
    while (<$nm>) {
        my ($kind, $symbol) = /([A-Za-z]) (\S+)$/ or next;
        $definer{$symbol} = $source if $kind =~ /[TDBRC]/;
        push @{$needs{$source}}, $symbol if $kind eq 'U';
    }
    close $nm or push @past, "$source was not built";
}
sub folder_of { return $_[0] =~ m{^src/service/(\w+)/} ? $1 : '.' }

my $calls = 0;
for my $source (sort keys %needs) {
    my $from = room_of($source);
    for my $symbol (@{$needs{$source}}) {
        my $there = $definer{$symbol} // next;
        my $to = room_of($there);
        $calls++;
        if ($from eq 'service' && $to eq 'service') {
            push @past, "$source may not use $symbol of $there" unless may_call(folder_of($source), folder_of($there));
        } elsif ($from ne $to && !grep { $_ eq $to } @{$arrows{$from}}) {
            my ($excused) = grep { $symbol =~ $_ } @{$beyond{$from} // []};
            $excused ? $used{"$from $excused"}++ : push @around, "$source may not use $symbol of $there";
        }
    }
}
verdict('the folders of src/service call each other in one direction', @past, $calls > 500 ? () : "only $calls calls were found");
verdict('no layer calls around the one beside it', @around,
    map { my $from = $_; map { $used{"$from $_"} ? () : "nothing of $from needs $_ any more" } @{$beyond{$from}} } sort keys %beyond);
verdict;

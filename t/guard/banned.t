#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Silent failure: a function that overruns, truncates, guesses or keeps state between threads compiles as well as its better sister.
use strict;
use warnings FATAL => 'all';
use lib 't/lib';
use IdentityGuard;

my %banned = (
    'the length of the target is not looked at' => [qw(strcpy strcat stpcpy sprintf vsprintf gets alloca strncpy strncat)],
    'state of its own between calls: not for threads' => [qw(strtok localtime gmtime ctime asctime getpwnam getpwuid getgrnam getgrgid gethostbyname crypt
        setlocale setenv putenv readdir_r)],
    'no error for what is no number' => [qw(atoi atol atoll atof)],
    'not random' => [qw(rand srand random srandom drand48 rand_r apr_generate_random_bytes)],
    'a shell' => [qw(system popen)],
    'a race about a name' => [qw(mktemp tmpnam tempnam)],
    'ends the whole server' => [qw(exit abort assert)],
    'loses why a body ended' => [qw(ap_get_client_block ap_setup_client_block)],
);
my @found;
my @paths = files(qr{^(?:mod_identity\.c|(?:src|include)/.*\.(?:c|h|def))$});
for my $path (@paths) {
    my $code = code_of($path);
    for my $why (sort keys %banned) {
        # The tool is a process of its own and may end.
        next if $why =~ /^ends/ && $path =~ m{^src/tool/};
        my $names = join '|', @{$banned{$why}};
        push @found, map { "$_   ($why)" } each_line($path, $code, qr/(?<![\w.>])(?:$names)\s*\(/);
    }
}
verdict(scalar(@paths) . ' files call no banned function', @found);

# D3: what cannot go on fails its own file. "Bail out!" ends every other one with it.
my @ends = map { each_line($_, slurp($_), qr/\bBAIL_OUT\b|(?:print|echo|puts|say)\b.*"Bail out!/) } grep { !m{^t/guard/} } files(qr{^t/.*\.(?:t|c|h|pm|pl|sh)$|^t/TEST$});
verdict('D3: no test ends the whole run', @ends);
verdict;

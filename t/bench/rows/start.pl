# SPDX-License-Identifier: Apache-2.0
# M2. Nothing else runs meanwhile.
use strict;
use warnings FATAL => 'all';
use Bench;

sub {
    my ($site) = @_;
    return unless wanted('M2');
    my ($with, $without) = in_turn(map {
        my $server = $_;
        sub { my $took = $server->start(@pinned); $server->stop; $took }
    } @$site{qw(identity plain)});
    row('M2', 'start to first 200 (ms), above httpd without the module', value => $with, limit => $without, by => 'difference', target => '<= 100');
};

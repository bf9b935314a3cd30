# SPDX-License-Identifier: Apache-2.0
# W6 and W7, by the clock: what they wait for is the disk.
use strict;
use warnings FATAL => 'all';
use Bench;
use BenchLoad;

my $round = 0;

sub invitations
{
    my ($site) = @_;
    $round++;
    return load('W6', $site->{identity}, '/v1/users/invite', {connections => 8, clock => 1}, 'invite', $site->{key}, "round$round-");
}

# Each connection has a session of its own; in each round new ones, since answers that come after its end are lost.
sub refreshes
{
    my ($site) = @_;
    my @tokens = map { (sign_in($site->{identity}, $site->{people}[$_][1])->{headers}{'set-cookie'} =~ /identity_refresh=([^;]+)/)[0] } 1 .. 16;
    write_file("$folder/tokens", join '', map { "$_\n" } @tokens);
    return load('W7', $site->{identity}, '/v1/oauth/refresh-token', {clock => 1}, 'refresh', "$folder/tokens");
}

sub {
    my ($site) = @_;
    return unless wanted(qw(W6 W7));
    my $raw = database($site->{kept}, 'raw');
    my $alone = sub { my ($program) = @_; sub { `@pinned $build/t/bench-$program $raw $seconds` + 0 } };
    $site->{identity}->start(@pinned);
    if (wanted('W6')) {
        my ($invited, $limit) = in_turn(sub { invitations($site) }, $alone->('raw_invite'));
        row('W6', '`POST /v1/users/invite` at 8 connections, by the clock, beside the same rows by SQLite alone', value => $invited, limit => $limit, target => '>= 0.5');
    }
    if (wanted('W7')) {
        my ($refreshed, $limit) = in_turn(sub { refreshes($site) }, $alone->('raw_refresh'));
        row('W7', '`POST /v1/oauth/refresh-token` at 16 connections, by the clock, beside the same rows by SQLite alone', value => $refreshed, limit => $limit, target => '>= 0.5');
    }
    $site->{identity}->stop;
};

# SPDX-License-Identifier: Apache-2.0
# Load by wrk (t/bench/wrk.lua), and who asks.
package BenchLoad;
use strict;
use warnings FATAL => 'all';
use Bench;
use Exporter qw(import);
use HTTP::Tiny;
use JSON::PP;

our @EXPORT = qw(load begin_load end_load rate_of sign_in bearer PASSWORD);

use constant PASSWORD => 'Correct1Horse';

# A load that goes on, of which end_load tells. how: connections (16), seconds, all: on all cores, clock: by the clock.
# Whatever is no 2xx makes the row fail.
sub begin_load
{
    my ($row, $server, $path, $how, @arguments) = @_;
    my $load = {row => $row, server => $server, how => $how, before => $server->processor_time};
    my @command = ($how->{all} ? () : @pinned, 'wrk', '-t', 1, '-c', $how->{connections} // 16, '-d', $how->{seconds} // $seconds, '--timeout', '10s',
        '-s', 't/bench/wrk.lua', "$server->{url}$path", '--', @arguments);
    $load->{own} = (times)[2] + (times)[3];
    open $load->{out}, '-|', @command or die "wrk: $!";
    return $load;
}

# Requests a second, and the 99th of a hundred times that an answer took, in milliseconds. Seconds are those of the processor time that server and load
# together took, which share a core: on a machine that does nothing else that is the same as by the clock; on others the clock tells of those.
sub end_load
{
    my ($load) = @_;
    my $out = $load->{out};
    my $text = do { local $/; <$out> };
    close $out;
    my ($requests, $bad, $broken, $took, $late) = $text =~ /^BENCH (\d+) (\d+) (\d+) (\d+) (\d+)/m or die "bench: wrk said:\n$text";
    fail("$load->{row}: $bad answers that are no 2xx, $broken connections that broke") if $bad || $broken;
    fail("$load->{row}: no answer") if !$requests;
    my $processor = $load->{server}->processor_time + (times)[2] + (times)[3] - $load->{before} - $load->{own};
    return ($requests / ($load->{how}{clock} ? $took / 1e6 : $processor), $late / 1000, $requests);
}

sub load { return (end_load(begin_load(@_)))[0] }

# What a command does a second of its processor time, of so many.
sub rate_of
{
    my ($count, @command) = @_;
    my $before = (times)[2] + (times)[3];
    run(@pinned, @command);
    return $count / ((times)[2] + (times)[3] - $before);
}

sub sign_in
{
    my ($server, $name) = @_;
    my $answer = HTTP::Tiny->new->post("$server->{url}/v1/oauth/token",
        {headers => {'Content-Type' => 'application/json'}, content => encode_json({username => $name, password => PASSWORD})});
    die "bench: $name cannot sign in: $answer->{content}\n" unless $answer->{status} == 200;
    return $answer;
}

sub bearer { return 'Bearer ' . decode_json(sign_in(@_)->{content})->{access_token} }

1;

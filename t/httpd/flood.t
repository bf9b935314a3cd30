# SPDX-License-Identifier: Apache-2.0
# A flood of logins: the memory of password hashing stays within IdentityHashMemory, who finds the queue full is told so, all else goes on. (security 17)
# What comes after a flood: overload.t. (A sanitizer keeps what is freed for a while, so that nothing can be told from its memory.)
# run on: event worker prefork
use strict;
use warnings FATAL => 'all';
use Test::More;
use Time::HiRes qw(sleep);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

# Two hashes at a time; unguarded, this many clients would take 64 MiB each.
my ($mebibytes, $slots, $clients, $tries) = (64, 2, 44, 8);
my $server = IdentityTest::Server->new(directives => <<"END_OF_DIRECTIVES");
IdentityPasswordHash argon2id m=65536 t=2
IdentityHashMemory 150M
IdentityRateLimit login off
KeepAlive Off
<IfModule mpm_prefork_module>
    StartServers 48
    ServerLimit 48
    MaxRequestWorkers 48
    MaxSpareServers 48
</IfModule>
<IfModule !mpm_prefork_module>
    StartServers 4
    ServerLimit 6
    MaxRequestWorkers 48
    MaxSpareThreads 48
</IfModule>
END_OF_DIRECTIVES
my $person = $server->person(name => 'flood');

# KiB in use of mappings that are large enough for a hash, in all children at one moment: they stand still meanwhile. A sanitizer's own are far larger.
sub hashing
{
    my $sum = 0;
    my $parent = $server->pid;
    my @children = grep { $_ != $parent } $server->processes;
    kill STOP => @children;
    for my $pid (@children) {
        open my $in, '<', "/proc/$pid/smaps" or next;
        my $size = 0;
        while (<$in>) {
            $size = $1 if /^Size:\s+(\d+) kB/;
            $sum += $1 if /^Anonymous:\s+(\d+) kB/ && $size >= 1024 * ($mebibytes - 1) && $size < 1024 * 1024;
        }
    }
    kill CONT => @children;
    return $sum;
}

my $idle = hashing();
# So many tries of each, however long they take; the others look on until all are done.
my $done = "$ENV{IDENTITY_TOP}/t/servers/flood.$$.done";
sub is_over { return (-s $done // 0) >= $clients }
my @worked = together($clients + 2, sub {
    my ($client) = @_;
    my @seen;
    if ($client == $clients) {
        while (@seen < 2 || !is_over()) {
            push @seen, hashing() - $idle;
            sleep 0.1;
        }
    } elsif ($client == $clients + 1) {
        push @seen, $server->api(GET => '/v1/roles?limit=5')->status while @seen < 4 || !is_over();
    } else {
        # Who is somebody comes again until there is a place: who is faster than others depends on the machine.
        my $somebody = $client % 8 == 0;
        for (my $i = 0; $i < $tries || ($somebody && $i < 50 * $tries && !grep { $_->[0] == 200 } @seen); $i++) {
            # Names that nobody has are accounts of their own, each with its places in the queue.
            my $answer = !$somebody ? $server->login("nobody$client\@example.com", 'Wrong1Horse') : $server->login($person->{username}, $person->{password});
            push @seen, [$answer->status, $answer->header('Retry-After') // ''];
            sleep 0.05 if $answer->status == 503;
        }
        open my $out, '>>', $done or die $!;
        syswrite $out, '.';
    }
    return \@seen;
});
unlink $done;
my @used = @{$worked[$clients]};
my @read = @{$worked[$clients + 1]};
my @tried = map { @$_ } @worked[0 .. $clients - 1];
my %count;
$count{$_->[0]}++ for @tried;
my ($peak) = sort { $b <=> $a } @used;
note "peak $peak KiB in ", scalar @used, ' looks; ', join ' ', map { "$_: $count{$_}" } sort keys %count;
cmp_ok scalar @used, '>', 1, 'the memory was looked at again and again';
cmp_ok $peak, '>', 1024 * $mebibytes / 2, 'hashes were seen at work';
cmp_ok $peak, '<=', 1024 * $mebibytes * $slots + 1024, 'never more of them than IdentityHashMemory holds # security 17';
is join(' ', sort keys %count), '200 401 503', 'some are served, the others told to come back';
is scalar(grep { $_->[0] == 503 && $_->[1] !~ /^[1-9]\d*$/ } @tried), 0, 'with Retry-After # security 17';
cmp_ok scalar @read, '>', 3, 'other requests go on';
is join(' ', grep { $_ != 200 } @read), '', '... and all are answered # security 17';
is $server->login($person->{username}, $person->{password})->status, 200, 'afterwards everybody is in';

done_testing;

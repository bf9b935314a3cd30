# SPDX-License-Identifier: Apache-2.0
# Graceful restarts under load, stop, start again, mail that had to wait. (security 92)
use strict;
use warnings FATAL => 'all';
use IO::Socket::INET;
use List::Util qw(sum);
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $restarts = 10;
my $password = 'Correct1Horse';
my $before = ipc();
# Under worker a child that is to end waits for whoever holds a connection open.
my $server = IdentityTest::Server->new(directives => "KeepAliveTimeout 2\nIdentityRateLimit invite off\n");
my $made = ipc();
my $state = $server->state_folder;

# System V semaphores and shared memory of this user.
sub ipc
{
    my %found;
    for my $kind (qw(sem shm)) {
        open my $in, '<', "/proc/sysvipc/$kind" or next;
        my @names = split ' ', <$in>;
        while (<$in>) {
            my %row;
            @row{@names} = split;
            $found{"$kind $row{$kind . 'id'}"} = 1 if $row{uid} == $>;
        }
    }
    return \%found;
}

sub lines_of { my ($pattern) = @_; my @lines = $server->error_log =~ /$pattern/g; return scalar @lines }

my $person = $server->person(name => 'regular');
# Who signs in again and again, so that the other's session is not among those that a new one ends.
my $busy = $server->person(name => 'busy');

# ---- the mail target is down -------------------------------------------------------------------------------------------------------------------

rename "$state/mail", "$state/mail.away" or die "rename: $!";
open my $out, '>', "$state/mail" or die "mail: $!";
close $out;
my @waiting = map { $server->address("waiting$_") } 1 .. 3;
is $server->invite($_)->status, 200, 'an invitation is taken while no mail can go' for @waiting;
for (my $patience = time + 10; time < $patience; sleep 0.1) {
    my ($tried) = $server->db('SELECT count(*) AS n FROM outbox WHERE attempts > 0 AND last_error IS NOT NULL');
    last if $tried->{n};
}
my @rows = $server->db("SELECT attempts, last_error, next_attempt_at / 1000000 AS next FROM outbox WHERE state = 'queued' ORDER BY attempts DESC");
is scalar @rows, 3, 'each mail is kept';
like $rows[0]{last_error}, qr/^The Maildir cannot be written: \S.*\.$/, 'with the reason';
# On a slow machine the next attempt may have come by now: seconds of the day at which each was given up.
my @attempts = map { my ($h, $m, $s) = split /:/; 3600 * $h + 60 * $m + $s } $server->error_log =~ /(\d\d:\d\d:\d\d)\.\d+ \d+\].*ID0307: mail cannot be sent/g;
is sum(map { $_->{attempts} } @rows), scalar @attempts, 'one attempt tells that nothing can go';
is scalar(grep { ($attempts[$_] - $attempts[$_ - 1]) % 86400 < 4 } 1 .. $#attempts), 0, 'and none follows at once';
ok $rows[0]{next} > time + 4 && $rows[0]{next} < time + 14, 'to be tried again some seconds later';
unlink "$state/mail";
rename "$state/mail.away", "$state/mail" or die "rename: $!";

# ---- graceful restarts under load --------------------------------------------------------------------------------------------------------------

# One request over the connection: the status of its answer and whether the connection stays; undef where it ended before a byte of an answer came. Dies where
# the answer is cut.
sub exchange
{
    my ($socket, $request) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my ($bytes, $end) = ('', time + 30);
    print {$socket} $request;
    $socket->flush;
    until ($bytes =~ /\r\n\r\n/ && $bytes =~ /\r\nContent-Length: (\d+)\r\n/ && length $bytes >= $1 + index($bytes, "\r\n\r\n") + 4) {
        my $bits = '';
        vec($bits, fileno $socket, 1) = 1;
        die "no answer in 30 seconds\n" unless select $bits, undef, undef, $end > time ? $end - time : 0;
        next if sysread $socket, $bytes, 65536, length $bytes;
        die "the answer was cut: $bytes\n" if length $bytes;
        return;
    }
    my ($status) = $bytes =~ m{^HTTP/1\.1 (\d+) } or die "no answer: $bytes\n";
    return ($status, $bytes !~ /\r\nConnection: close\r\n/i);
}

# Calls over connections that are kept, until the file is there. A connection that httpd closes while it is idle may meet a request on its way: that request
# was not begun, so it may be sent again, and must have had no effect. A new connection is never refused and never without an answer.
sub load
{
    my ($client, $stop) = @_;
    my %result = (invited => [], broken => [], silent => [], statuses => {}, again => 0);
    my ($key, $host, $socket, $fresh) = ($server->key, $server->host);
    for (my $i = 0; !-e $stop; $i++) {
        my $address = "load.$client.$i\@example.com";
        my ($line, $header, $body) = @{[
            ['POST /v1/users/invite', "X-API-KEY: $key", qq({"username":"$address"})],
            ['POST /v1/oauth/token', 'X-Nothing: 1', qq({"username":"$busy->{username}","password":"$password"})],
            ['GET /v1/users?limit=3', "$person->{bearer}[0]: $person->{bearer}[1]", '']]->[$client % 3]};
        my $request = join "\r\n", "$line HTTP/1.1", "Host: $host", $header, $body eq '' ? () : ('Content-Type: application/json', 'Content-Length: ' . length $body), '', $body;
        if (!$socket) {
            $fresh = 1;
            $socket = IO::Socket::INET->new(PeerAddr => $host, Timeout => 10);
        }
        my ($status, $stays) = eval { exchange($socket // die("refused: $!\n"), $request) };
        my $error = $@;
        if (defined $status) {
            $result{statuses}{$status}++;
            push @{$result{invited}}, $address if $line =~ /invite/ && $status == 200;
            $fresh = 0;
        } elsif ($fresh || $error) {
            push @{$result{broken}}, "$line $address: " . ($error || 'closed without an answer');
        } else {
            $result{again}++;
            push @{$result{silent}}, $address if $line =~ /invite/;
        }
        undef $socket unless $stays;
    }
    return \%result;
}

my $stop = "$server->{root}/stop";
my $clients = 6;
my $pid = $server->pid;
my $began = lines_of('resuming normal operations');
my @worked = together($clients + 1, sub {
    my ($client) = @_;
    return load($client, $stop) if $client < $clients;
    my $done = 0;
    my $error = eval {
        for my $round (1 .. $restarts) {
            sleep 0.4;
            kill USR1 => $pid or die "kill: $!";
            for (my $patience = time + 20; lines_of('resuming normal operations') < $began + $round; sleep 0.05) {
                die "restart $round did not come\n" if time > $patience;
            }
            $done++;
        }
        sleep 0.4;
        1;
    } ? '' : $@;
    open my $file, '>', $stop or die "$stop: $!";
    close $file;
    return {done => $done, error => $error};
});
my $restarted = pop @worked;
is_deeply $restarted, {done => $restarts, error => ''}, "$restarts graceful restarts";
is $server->pid, $pid, 'of one and the same server';
my (%statuses, @invited, @broken, @silent);
my $again = 0;
for my $one (@worked) {
    $statuses{$_} += $one->{statuses}{$_} for keys %{$one->{statuses}};
    push @invited, @{$one->{invited}};
    push @broken, @{$one->{broken}};
    push @silent, @{$one->{silent} // []};
    $again += $one->{again};
}
note join(' ', map { "$_: $statuses{$_}" } sort keys %statuses), " sent again: $again";
is join(' ', keys %statuses), '200', 'every request that was answered was answered well';
is join("\n", @broken), '', 'no new connection was left without an answer';
cmp_ok scalar @invited, '>', 10, 'there was work to do';
my %there = map { $_->{username} => 1 } $server->db("SELECT username FROM users WHERE username LIKE 'load.%'");
is join(' ', grep { !$there{$_} } @invited), '', 'every invitation that was answered is there';
is join(' ', grep { $there{$_} } @silent), '', 'and none whose connection httpd had closed before it came';

# ---- mail, delivered after -----------------------------------------------------------------------------------------------------------------------

alter_db("UPDATE outbox SET next_attempt_at = 1 WHERE state = 'queued' AND attempts = 1", $server);
like eval { $server->wait_mail($_)->{link} } // $@, qr/activate-user#token=/, 'the mail that had to wait comes' for @waiting;
for (my $patience = time + 60; time < $patience; sleep 0.1) {
    my ($queued) = $server->db("SELECT count(*) AS n FROM outbox WHERE state = 'queued'");
    last unless $queued->{n};
}
my %mails;
$mails{$_->{to}}++ for $server->mails;
is join(' ', grep { ($mails{$_} // 0) != 1 } @invited, @waiting), '', 'everybody has exactly one mail, through all restarts';

# ---- stop, start -------------------------------------------------------------------------------------------------------------------------------

my @processes = $server->processes;
cmp_ok scalar @processes, '>=', 2, 'the parent and a child are there';
my %while = (%$made, %{ipc()});
my $stopping = time;
$server->stop;
cmp_ok time - $stopping, '<', 10, 'stop takes no long';
is join(' ', grep { -d "/proc/$_" } @processes), '', 'no process is left';
# Those of other servers of this user come and go; none of what was there in this one's time may name a process of it.
my %last = map { $_ => 1 } @processes;
my @left;
for my $one (grep { /^sem/ && !$before->{$_} && $while{$_} } keys %{ipc()}) {
    my ($number) = $one =~ /(\d+)/;
    my @owners = `ipcs -s -i $number` =~ /^\d+\s+\d+\s+\d+\s+\d+\s+(\d+)/mg;
    push @left, $one if grep { $last{$_} } @owners;
}
is "@left", '', 'no semaphore is left';
is join(' ', grep { !m{/(?:error_log|access_log)$} } glob "$server->{root}/logs/*"), '', 'no file but logs is left';
is join('', $server->error_log =~ /^.*still did not exit.*\n/mg), '', 'no child had to be ended by force';

$server->start;
is $server->login($person->{username}, $password)->status, 200, 'a second start has the data';
is $server->api(GET => '/v1/users?limit=1', undef, @{$person->{bearer}})->status, 200, 'and the sessions';
is $server->api(POST => '/v1/oauth/refresh-token', undef, 'X-API-KEY' => undef, @{$person->{cookie}})->status, 200, 'which can be renewed';
is $server->activate($server->wait_mail($waiting[0])->{token}, $password)->status, 200, 'and the invitations';
$server->stop;

done_testing;

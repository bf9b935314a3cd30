# SPDX-License-Identifier: Apache-2.0
# Signing in without pause, rightly or not, costs others nothing but a turn: of sixty connections no more get into the queue than it has places for them, and
# everybody else is let in each time. Counted, never timed. (A5; security 17)
# run on: event worker prefork asan
use strict;
use warnings FATAL => 'all';
use HTTP::Tiny;
use JSON::PP ();
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my ($connections, $times) = (60, 4);
my $server = IdentityTest::Server->new(directives => <<'END_OF_DIRECTIVES');
IdentityHashMemory 20M
IdentityRateLimit login off
# On a busy machine a writer may wait longer than two seconds: that is no matter of the queue of hashes.
IdentityDatabaseWait 60s
KeepAlive Off
<Location "/status">
    SetHandler identity-status
</Location>
<IfModule mpm_prefork_module>
    StartServers 8
    ServerLimit 80
    MaxRequestWorkers 80
    MaxSpareServers 80
</IfModule>
<IfModule !mpm_prefork_module>
    StartServers 2
    ServerLimit 4
    ThreadsPerChild 25
    MaxRequestWorkers 100
    MaxSpareThreads 100
</IfModule>
END_OF_DIRECTIVES
my $url = 'http://' . $server->host;
my @people = map { $server->person(name => "fair$_") } 1 .. 3;
my $loud = $server->person(name => 'loud');

# From an address of loopback's own choice.
sub sign_in
{
    my ($from, $username, $password) = @_;
    my $answer = HTTP::Tiny->new(local_address => $from, timeout => 60)->post("$url/v1/oauth/token",
        {headers => {'Content-Type' => 'application/json'}, content => JSON::PP::encode_json({username => $username, password => $password})});
    return $answer->{status};
}

sub figures { return map { /^Identity(Hash\w+): (\d+)$/ ? ($1 => $2) : () } split /\n/, HTTP::Tiny->new->get("$url/status?auto")->{content} }

my %floods = (
    'one account, rightly' => sub { sign_in('127.0.0.1', $loud->{username}, $loud->{password}) },
    'one account, with ever other passwords' => sub { sign_in('127.0.0.1', $loud->{username}, "Wrong1Horse$_[0].$_[1]") },
    'accounts of its own' => sub { sign_in('127.0.0.1', "own$_[0]\@example.com", 'Wrong1Horse') },
    'ever new accounts' => sub { sign_in('127.0.0.1', "new$_[0].$_[1]\@example.com", 'Wrong1Horse') });
for my $name (sort keys %floods) {
    my $flood = $floods{$name};
    my %before = figures();
    # Until the others have signed in as often as they are to; a file says so to all processes.
    my $over = "$ENV{IDENTITY_TOP}/t/servers/fair.$$.over";
    unlink $over;
    my @seen = together($connections + @people, sub {
        my ($client) = @_;
        my @statuses;
        if ($client >= $connections) {
            my $number = $client - $connections;
            my $person = $people[$number];
            push @statuses, sign_in('127.0.0.' . (2 + $number), $person->{username}, $person->{password}) for 1 .. $times;
            open my $out, '>>', $over or die $!;
            print {$out} "done\n";
            return \@statuses;
        }
        for (my $i = 0; (-s $over // 0) < 5 * @people; $i++) {
            push @statuses, $flood->($client, $i);
            select undef, undef, undef, 0.05 if $statuses[-1] == 503;
        }
        return \@statuses;
    });
    unlink $over;
    my %after = figures();
    my @others = map { @$_ } @seen[$connections .. $#seen];
    my @flood = map { @$_ } @seen[0 .. $connections - 1];
    my %count;
    $count{$_}++ for @flood;
    note "$name: ", join(' ', map { "$_: $count{$_}" } sort keys %count), '; ', join ' ', map { "$_ " . (($after{$_} // 0) - ($before{$_} // 0)) } sort keys %after;
    is join(' ', @others), join(' ', (200) x ($times * @people)), "A5: sixty connections sign in without pause, $name: everybody else is let in, each time";
    my %new = map { $_ => $after{$_} - $before{$_} } qw(HashPassed HashShared HashRefused);
    is $new{HashPassed} + $new{HashShared}, $times * @people + @flood - ($count{503} // 0), "A5: $name: who was answered had a hash or shared one";
    is $new{HashRefused}, $count{503} // 0, "A5: $name: who was refused had none";
    if ($name eq 'one account, rightly') {
        is join(' ', keys %count), '200', "A5: $name: they are let in as well";
        cmp_ok $new{HashShared}, '>', 0, "A5: $name: by one hash for many";
    }
    is "$after{HashInUse} $after{HashWaiting}", '0 0', "A5: $name: then the queue is empty";
}

done_testing;

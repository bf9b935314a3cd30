# SPDX-License-Identifier: Apache-2.0
# Killed in the middle of 1,000 invitations, twice: what was answered is there with exactly one mail, nothing is half made. (security 83, 86)
use strict;
use warnings FATAL => 'all';
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my ($clients, $each) = (8, 125);
my $server = IdentityTest::Server->new(directives => "IdentityRateLimit invite off\n");
my $root = $server->{root};
my $account = $server->account_id;
my $key = $server->key;
expect_in_log('exit signal Killed (9)');

# One line for each answer, so that another process sees how far all have come.
sub answered_so_far
{
    my $lines = 0;
    for my $path (glob "$root/answered.*") {
        open my $in, '<', $path or die "$path: $!";
        $lines++ while <$in>;
    }
    return $lines;
}

sub body { {username => $_[0], account_memberships => [{account_id => $account, type => 'USER', roles => [{name => 'Quote Viewer'}, {name => 'Read Only'}]}]} }

# What became of each address: 200, or `lost` where the connection broke and nobody can tell.
sub invite_many
{
    my ($client) = @_;
    open my $answered, '>>', "$root/answered.$client" or die "answered: $!";
    $answered->autoflush(1);
    my %became;
    for my $i (1 .. $each) {
        my $address = "guest.$client.$i\@example.com";
        for (my $patience = time + 30;;) {
            my $status = eval { $server->api(POST => '/v1/users/invite', body($address))->status } // ($@ =~ /Could not connect/ ? 'refused' : 'lost');
            if (($status eq 'refused' || $status eq '503') && time < $patience) {
                sleep 0.02;
                next;
            }
            $became{$address} = $status;
            print {$answered} "$address $status\n" if $status eq '200';
            last;
        }
    }
    return \%became;
}

sub kill_and_start
{
    my @kills;
    for my $when (300, 650) {
        for (my $patience = time + 60; answered_so_far() < $when;) {
            die "only @{[answered_so_far()]} invitations were answered\n" if time > $patience;
            sleep 0.005;
        }
        $server->kill;
        push @kills, answered_so_far();
        $server->start;
    }
    return \@kills;
}

my $start = time;
my @became = together($clients + 1, sub { $_[0] < $clients ? invite_many($_[0]) : kill_and_start() });
my $kills = pop @became;
my %became = map { %$_ } @became;
my @answered = sort grep { $became{$_} eq '200' } keys %became;
my @lost = grep { $became{$_} eq 'lost' } keys %became;
note sprintf '%.1f s, killed after %s, %d answered, %d lost', time - $start, join(' and ', @$kills), scalar @answered, scalar @lost;
is scalar @$kills, 2, 'httpd was killed twice';
cmp_ok $kills->[1], '<', $clients * $each, 'in the middle';
is scalar @answered + @lost, $clients * $each, 'every invitation was answered with 200, or its connection broke';
cmp_ok scalar @lost, '>', 0, 'some did break';
cmp_ok scalar @lost, '<', 100, 'not many';

# ---- what is there -------------------------------------------------------------------------------------------------------------------------

for (my $patience = time + 90; time < $patience; sleep 0.1) {
    my ($waiting) = $server->db("SELECT count(*) AS n FROM outbox WHERE state = 'queued'");
    last unless $waiting->{n};
}
my %user = map { $_->{username} => $_ } $server->db("SELECT id, username, status FROM users WHERE username LIKE 'guest.%'");
my @missing = grep { !$user{$_} } @answered;
is "@missing[0 .. ($#missing > 9 ? 9 : $#missing)]", '', 'every invitation that was answered is there';
is scalar(grep { $became{$_} ne '200' && $became{$_} ne 'lost' } keys %user), 0, 'and nothing else';

my %mails;
push @{$mails{$_->{to}}}, $_ for $server->mails;
is join(' ', grep { @{$mails{$_} // []} != 1 } @answered), '', 'each has exactly one mail';
is join(' ', sort keys %mails), join(' ', sort keys %user), 'and so has everybody who is there, and nobody else';
is join(' ', glob $server->state_folder . '/mail/tmp/*'), '', 'no mail is half written';

# Live secrets and what the mails hold are the same.
my %live = map { $_->{digest} => $_->{username} } $server->db('SELECT s.digest, u.username FROM secrets s JOIN users u ON u.id = s.user_id WHERE s.ended_at = 0');
my @dead = grep { ($live{digest_of($mails{$_}[0]{token})} // '') ne $_ } keys %mails;
is "@dead", '', 'the link of every mail is alive';

my %parts = (
    invitation => "SELECT count(*) FROM invitations i WHERE i.user_id = u.id AND i.state = 'invited'",
    secret => 'SELECT count(*) FROM secrets s WHERE s.user_id = u.id AND s.ended_at = 0',
    mail => "SELECT count(*) FROM outbox o WHERE o.user_id = u.id AND o.state = 'sent' AND o.sealed = ''",
    membership => 'SELECT count(*) FROM memberships m WHERE m.user_id = u.id',
    'audit record' => "SELECT count(*) FROM audit_records a WHERE a.target_id = u.id AND a.action = 'INVITE'");
for my $part (sort keys %parts) {
    my @without = $server->db("SELECT username FROM users u WHERE status = 'INVITED' AND ($parts{$part}) <> 1 LIMIT 5");
    is join(' ', map { $_->{username} } @without), '', "everybody who is invited has one $part";
}
my ($roles) = $server->db("SELECT count(*) AS n FROM membership_roles r JOIN memberships m ON m.id = r.membership_id JOIN users u ON u.id = m.user_id WHERE u.status = 'INVITED'");
is $roles->{n}, 2 * keys %user, 'with both roles';
my ($status, $out, $error) = $server->tool('check');
is $status, 0, 'htidentity finds no fault' or diag $out, $error;
my $someone = $answered[@answered / 2];
is $server->activate($mails{$someone}[0]{token}, 'Correct1Horse')->status, 200, 'an invitation from before can be accepted';
is $server->login($someone, 'Correct1Horse')->status, 200, 'and its person logs in';

# ---- a child -------------------------------------------------------------------------------------------------------------------------------

# Whatever a child holds when it is killed (the writers' mutex, a place in the hash gate, a lease of mails), the others go on.
sub children { my $parent = $server->pid; return grep { $_ != $parent } $server->processes }

my $until = time + 1.5;
my @worked = together(5, sub {
    my ($client) = @_;
    my %seen;
    for (my $i = 0; time < $until; $i++) {
        if ($client == 4) {
            my @children = children();
            kill KILL => $children[rand @children] if @children;
            sleep 0.25;
            next;
        }
        my $answer = eval {
            $client == 3 ? $server->login($someone, 'Correct1Horse') : $server->api(POST => '/v1/users/invite', body("more.$client.$i\@example.com"))
        };
        $seen{$answer ? $answer->status : 'lost'}++;
    }
    return \%seen;
});
my %seen;
for my $one (@worked) {
    $seen{$_} += $one->{$_} for keys %$one;
}
is join(' ', sort grep { $_ ne 'lost' } keys %seen), '200', 'while children are killed the others answer' or diag join ' ', map { "$_: $seen{$_}" } sort keys %seen;
my $calm = time;
is join(' ', together(4, sub { $_[0] % 2 ? $server->login($someone, 'Correct1Horse')->status : $server->api(POST => '/v1/users/invite', body("calm.$_[0]\@example.com"))->status })),
    '200 200 200 200', 'and afterwards all is well';
cmp_ok time - $calm, '<', 5, 'without a wait';

my @all = $server->processes;
$server->stop;
is join(' ', grep { -d "/proc/$_" } @all), '', 'stopped, nothing is left';

done_testing;

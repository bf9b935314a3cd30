# SPDX-License-Identifier: Apache-2.0
# Mail by a real mail server: TLS and a user, refusals, outages, killed children, two nodes, graceful restarts: each mail once. (security 28, 30, 84, 86)
# needs: npm
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;
use IdentityTest::Smtp;

my $smtp = IdentityTest::Smtp->new;
my $common = "IdentityRateLimit invite off\nIdentityRateLimit mail 4/1h\nIdentityMailFrom \"Identität <noreply\@example.org>\"\n";
my $server = IdentityTest::Server->new(directives => $common . $smtp->directives('auth'));

sub outbox
{
    my ($address) = @_;
    my ($row) = $server->db("SELECT state, attempts, coalesce(last_error, '-') AS error, sealed FROM outbox WHERE recipient = '$address' ORDER BY id DESC LIMIT 1");
    return $row;
}

sub wait_outbox
{
    my ($address, $state) = @_;
    $smtp->wait_for("$state of $address", sub { outbox($address)->{state} eq $state });
    return outbox($address);
}

sub invited { my ($address, @headers) = @_; return $server->api(POST => '/v1/users/invite', {username => $address}, @headers)->status }

sub listed { my ($status, $out) = $server->tool('mail', 'list'); return $status == 0 ? $out : "status $status" }

# ---- TLS, a user, words ------------------------------------------------------------------------------------------------------------------------

is invited('ada@example.com', 'Accept-Language' => 'de-CH, en;q=0.7'), 200, 'an invitation';
my ($mail) = $smtp->wait_mails('ada@example.com', 1);
is $mail->{helo}, '[127.0.0.1]', 'B5: EHLO says the host of IdentityPublicURL';
ok $mail->{tls} && $mail->{user} eq 'identity', 'comes by STARTTLS, from the user of the mail URL';
is $mail->{headers}{'content-language'}, 'de', 'in the language that was asked for';
like $mail->{subject}, qr/^Ihre Einladung zu 127\.0\.0\.1$/, 'as its subject says';
like $mail->{from}, qr/^Identit\x{e4}t <noreply\@example\.org>$/, 'the sender has a name';
like $mail->{headers}{'message-id'}, qr/^<mail_\w+\@127\.0\.0\.1>$/, 'and the Message-ID our host';
is $mail->{headers}{'auto-submitted'}, 'auto-generated', 'nobody is to answer';
is $server->activate($mail->{token}, 'Correct1Horse')->status, 200, 'its link works';
my $ada = $server->login('ada@example.com', 'Correct1Horse');
is $server->api(POST => '/v1/oauth/request-password-reset', {email => 'ada@example.com'}, 'X-API-KEY' => undef, 'Accept-Language' => 'fr')->status, 200, 'a reset';
(undef, $mail) = $smtp->wait_mails('ada@example.com', 2);
is $mail->{headers}{'content-language'}, 'fr', 'in the language of who forgot';
is invited("\x{fc}\@example.com"), 200, 'an address outside ASCII';
($mail) = $smtp->wait_mails("\x{fc}\@example.com", 1);
ok $mail->{utf8}, 'goes by SMTPUTF8';
is wait_outbox('ada@example.com', 'sent')->{sealed}, '', 'the secret of what was sent is gone';

# ---- refusals ----------------------------------------------------------------------------------------------------------------------------------

$smtp->rules({stage => 'rcpt', to => 'never', does => 550}, {stage => 'rcpt', to => 'later', does => 451, times => 1}, {stage => 'text', to => 'spam', does => 554});
$smtp->forget;
is invited("$_\@example.com"), 200, "$_ is invited" for qw(never later spam fine);
is wait_outbox('never@example.com', 'failed')->{attempts}, 1, 'who does not exist is not tried again';
is outbox('never@example.com')->{sealed}, '', 'the secret is gone';
is wait_outbox('spam@example.com', 'failed')->{error}, 'The mail server answered: 554 Said by the test', 'nor what is not wanted';
$smtp->wait_mails('fine@example.com', 1);
$smtp->wait_for('the first refusal', sub { outbox('later@example.com')->{attempts} == 1 });
is outbox('later@example.com')->{state}, 'queued', 'who is refused for now waits';
like listed(), qr/^mail_\w+\tqueued\tinvite\tlater\@example\.com\t1\t\S+Z\t\S+Z\tThe mail server answered: 451 .*Said by the test$/m, 'htidentity lists what waits';
like listed(), qr/^mail_\w+\tfailed\tinvite\tnever\@example\.com\t1\t\S+Z\t-\tThe mail server answered: 550 /m, 'and what has failed';
my (undef, $due) = $server->tool('mail', 'retry');
is $due, "1 queued mail is due now\n", 'htidentity makes it due';
$smtp->wait_mails('later@example.com', 1);
is wait_outbox('later@example.com', 'sent')->{attempts}, 2, 'and it leaves';
unlike listed(), qr/later\@/, 'which is not listed any more';

is invited('never@example.com'), 200, 'once more' for 1 .. 3;
my $refused = $server->api(POST => '/v1/users/invite', {username => 'never@example.com'});
is $refused->status, 429, 'mail 4/1h: the fifth to one address is refused';
ok $refused->header('Retry-After') > 3000, 'for an hour';
wait_outbox('never@example.com', 'failed');

# ---- outages -----------------------------------------------------------------------------------------------------------------------------------

$smtp->rules({stage => 'connect', does => 421});
$smtp->forget;
is join(' ', map { invited("outage$_\@example.com") } 1 .. 12), join(' ', (200) x 12), 'the mail server refuses connections: no request is the worse for it';
$smtp->wait_for('an attempt', sub { $smtp->seen->{connections} });
sleep 2.5;
is $smtp->seen->{connections}, 1, 'it is asked once, not once for each mail';
my ($waiting) = $server->db("SELECT sum(attempts) AS attempts, count(*) AS mails FROM outbox WHERE recipient LIKE 'outage%' AND state = 'queued'");
is "$waiting->{attempts} $waiting->{mails}", '1 12', 'nor is it held against them';
like $server->error_log, qr/ID0307: mail cannot be sent; next attempt in 1\d s/, 'the log says so';
$smtp->rules;
# A server that was restarted has not heard of it.
$server->stop->start;
$smtp->wait_for('all mails', sub { $smtp->mails >= 12 });
is join(' ', sort map { $_->{to} } $smtp->mails), join(' ', sort map { "outage$_\@example.com" } 1 .. 12), 'when it is over each comes once';

$smtp->rules({stage => 'middle', does => 'drop', times => 1});
is invited('dropped@example.com'), 200, 'a connection that breaks within the text';
$smtp->wait_for('the break', sub { outbox('dropped@example.com')->{error} ne '-' });
is outbox('dropped@example.com')->{state}, 'queued', 'leaves the mail where it is';

# ---- a stop while a mail hangs -----------------------------------------------------------------------------------------------------------------

$smtp->rules({stage => 'rcpt', does => 'hang'});
$server->stop->start;
$server->tool('mail', 'retry');
$smtp->wait_for('a mail that hangs', sub { $smtp->seen->{hanging} });
$server->stop;
unlike $server->error_log, qr/still did not exit|could not make child process/, 'stopped in the middle of it, nothing had to be killed';
is outbox('dropped@example.com')->{attempts}, 1, 'the attempt does not count';
$smtp->rules;
$server->start;
$smtp->wait_mails('dropped@example.com', 1);
pass 'and the mail leaves afterwards';
unlike $server->error_log, qr/smtp-canary|token=|\bid[ip]_/, 'no secret is in the log # security 84';
$server->stop;

# ---- killed at every stage -----------------------------------------------------------------------------------------------------------------------

$server = IdentityTest::Server->new(directives => $common . "IdentityMailHelo relay.example.org\n" . $smtp->directives('plain'));
is invited('helo@example.com'), 200, 'another invitation';
is +($smtp->wait_mails('helo@example.com', 1))[0]{helo}, 'relay.example.org', 'B5: IdentityMailHelo says another one';
expect_in_log('exit signal Killed (9)');

sub kill_children { my $parent = $server->pid; kill KILL => grep { $_ != $parent } $server->processes }

# Between a server's yes and our hearing of it nobody can know.
my %copies = (rcpt => 1, middle => 1, text => 2, quit => 1);
for my $stage (qw(rcpt middle text quit)) {
    my $address = "kill-$stage\@example.com";
    $smtp->rules({stage => $stage, does => 'hang', times => 1});
    $smtp->forget;
    is invited($address), 200, "killed at $stage";
    $smtp->wait_for($stage, sub { $smtp->seen->{hanging} });
    is outbox($address)->{state}, 'sent', '... sent is written before the connection ends' if $stage eq 'quit';
    kill_children();
    $smtp->rules;
    wait_outbox($address, 'sent');
    my @copies = $smtp->mails($address);
    is scalar @copies, $copies{$stage}, "... comes $copies{$stage} times";
    my %different = map { $_->{raw} => 1 } @copies;
    is scalar keys %different, 1, '... the same to the last byte, Message-ID and all';
}

# ---- two nodes, and graceful restarts ------------------------------------------------------------------------------------------------------------

$smtp->forget;
my $other = IdentityTest::Server->new(state => $server->state_folder, directives => $common . $smtp->directives('plain'));
my @many = map { "many$_\@example.com" } 1 .. 40;
# A graceful restart may close a connection before it has read the request: it is sent again, and once done only.
my $invite = sub {
    my ($node, $to) = @_;
    my @invitation = (POST => '/v1/users/invite', {username => $to}, 'Idempotency-Key' => $to =~ s/\@.*//r);
    return (eval { $node->api(@invitation) } // $node->api(@invitation))->status;
};
my @status = together(3, sub {
    my ($who) = @_;
    if ($who == 2) {
        $server->graceful for 1 .. 2;
        return '200';
    }
    my $node = $who ? $other : $server;
    return join ' ', map { $invite->($node, $_) } @many[$who * 20 .. $who * 20 + 19];
});
is join(' ', @status), join(' ', (200) x 41), 'two nodes on one database take invitations, one of them restarting gracefully';
$smtp->wait_for('all mails', sub { $smtp->mails >= @many });
$smtp->wait_for('their records', sub { my ($row) = $server->db("SELECT count(*) AS n FROM outbox WHERE state = 'queued'"); !$row->{n} });
is join(' ', sort map { $_->{to} } $smtp->mails), join(' ', sort @many), 'each mail comes once';
$_->stop for $server, $other;

done_testing;

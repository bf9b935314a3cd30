# SPDX-License-Identifier: Apache-2.0
# M20: files of secrets are read again when they change, in every child and without a restart; what cannot be used leaves the old secret in force, with one line in the log.
# run on: event prefork
# needs: npm
use strict;
use warnings FATAL => 'all';
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Captcha;
use IdentityTest::Provider;
use IdentityTest::Server;
use IdentityTest::Smtp;

my ($smtp, $captcha) = (IdentityTest::Smtp->new, IdentityTest::Captcha->new);
my $port = IdentityTest::Server::free_port();
my $page = "http://127.0.0.1:$port/v1/oauth/sign-in";
my $provider = IdentityTest::Provider->new('identity', 'of-the-test', $page);
my $work = "$ENV{IDENTITY_TOP}/t/servers/reread-work.$$";

# As an editor does it (a new file under the old name), or in place.
sub put
{
    my ($path, $text, %how) = @_;
    my $name = $how{in_place} ? $path : "$path.new";
    open my $out, '>', $name or die "$name: $!";
    chmod $how{mode} // 0600, $name;
    print {$out} $text;
    close $out or die "$name: $!";
    $how{in_place} or rename $name, $path or die "$path: $!";
}

put($smtp->{secret}, "not yet\n");
put($work, "not yet\n");
my $server = IdentityTest::Server->new(port => $port, directives => <<"END" . $smtp->directives('auth') . $captcha->directive);
    StartServers 3
    IdentityDemoAccount default
    IdentityRedirectURI $page
    IdentityProvider work @{[$provider->issuer]} identity $work
    <Location /v1/oauth>
        IdentityCookie On
    </Location>
END
my @no_key = ('X-API-KEY' => undef);

sub lines { my ($pattern) = @_; return scalar(() = $server->error_log =~ /$pattern/g) }
sub until_true { my ($ask) = @_; for (1 .. 600) { return 1 if $ask->(); sleep 0.1 } return 0 }
sub outbox { my ($address) = @_; my ($row) = $server->db("SELECT state, coalesce(last_error, '') AS error FROM outbox WHERE recipient = '$address'"); return $row // {state => '', error => ''} }
sub invited { my ($address) = @_; $server->api(POST => '/v1/users/invite', {username => $address})->status == 200 or die 'invite'; return $address }

# ---- the password of the mail server ----------------------------------------------------------------------------------------------------------------

my $first = invited('first@example.com');
ok until_true(sub { outbox($first)->{error} =~ /rejects the user name or the password/ }), 'the mail server refuses the password that is in the file';
put($smtp->{secret}, "smtp-canary\n");
ok until_true(sub { lines(qr/ID0555: IdentityMailSecret: \S+ has changed and was read again/) }), 'M20: the right one is read, unasked';
$server->tool('mail', 'retry');
ok until_true(sub { outbox($first)->{state} eq 'sent' }), 'M20: and mail leaves, without a restart';
for (['an empty one', '', {}, qr/is empty or too large/], ['an empty line', "\n", {in_place => 1}, qr/has no secret on its first line/], ['one that others may read', "smtp-canary\n", {mode => 0644}, qr/by others than its owner/]) {
    my ($what, $text, $how, $said) = @$_;
    put($smtp->{secret}, $text, %$how);
    ok until_true(sub { lines(qr/ID0556: IdentityMailSecret: [^\n]*$said[^\n]* The previous secret remains in use/) }), "M20: $what: the log says so";
}
POSIX::mkfifo("$smtp->{secret}.new", 0600) && rename "$smtp->{secret}.new", $smtp->{secret} or die "mkfifo: $!";
ok until_true(sub { lines(qr/ID0556: IdentityMailSecret: \S+ is not a regular file\./) }), 'M20: a pipe is no file, and no thread waits for it';
my $second = invited('second@example.com');
ok until_true(sub { outbox($second)->{state} eq 'sent' }), 'M20: what was read before goes on';
unlink $smtp->{secret};
ok until_true(sub { lines(qr/ID0556: IdentityMailSecret: \S+ cannot be read: No such file/) }), 'M20: so it does without the file';
is invited('third@example.com') && until_true(sub { outbox('third@example.com')->{state} eq 'sent' }), 1, 'M20: ... and mail leaves';

# ---- a captcha's, in every child ----------------------------------------------------------------------------------------------------------------------

sub secrets_sent
{
    my $before = () = $captcha->asked;
    together(12, sub { $server->api(POST => '/v1/oauth/demo-token', {email => 'a@example.org', captcha_token => 'good'}, @no_key); return 1 });
    my @asked = $captcha->asked;
    my %seen = map { (ref $_->{secret} ? $_->{secret}[0] : $_->{secret}) => 1 } @asked[$before .. $#asked];
    return join ' ', sort keys %seen;
}
is secrets_sent(), 'captcha-canary', 'the captcha is asked by the secret in its file';
put($captcha->secret_file, "another-one\nand a remark\n");
ok until_true(sub { secrets_sent() eq 'another-one' }), 'M20: in every child by another one, once it stands there';

# ---- a provider's ------------------------------------------------------------------------------------------------------------------------------------------

put($work, "of-the-test\n");
ok until_true(sub { lines(qr/ID0555: IdentityProvider work: \S+ has changed and was read again/) }), 'M20: so is the one of a provider';
ok until_true(sub { lines(qr/ID0555: IdentityCaptcha: /) }), '... of which the log tells by name';

# ---- one line, and no secret in it --------------------------------------------------------------------------------------------------------------------------

sleep 4; # for every child to have looked
is lines(qr/ID0555: IdentityMailSecret/), 1, 'M20: one line for all children';
is lines(qr/ID0556: IdentityMailSecret/), 5, 'M20: and one for each fault';
unlike $server->error_log, qr/smtp-canary|another-one|of-the-test|not yet/, 'no secret stands in the log # security 18';
put($smtp->{secret}, "smtp-canary\n");
$server->graceful;
is until_true(sub { secrets_sent() eq 'another-one' }), 1, 'after a graceful restart the new one counts as ever';

done_testing;

# SPDX-License-Identifier: Apache-2.0
# Directives of demo account, sandboxes and captcha: each fault stops `httpd -t` with a sentence that has no secret in it; each value has its effect, also in
# virtual hosts. (conf/directives.md; security 72, 93, 95)
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Captcha;
use IdentityTest::Server;

my $folder = "$ENV{IDENTITY_TOP}/t/servers";

sub put
{
    my ($name, $mode, $text) = @_;
    my $path = "$folder/$name.$$";
    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die $!;
    chmod $mode, $path;
    return $path;
}

my $secret = put('captcha-secret', 0600, "captcha-canary\n");
my $open = put('captcha-open', 0644, "captcha-canary\n");
my $empty = put('captcha-empty', 0600, '');
my $blank = put('captcha-blank', 0600, "\ncaptcha-canary\n");
my $url = 'https://captcha.example.org/siteverify';
my $good = "IdentityCaptcha $url $secret";

my $idle = IdentityTest::Server->new(start => 0);
my $state = $idle->state_folder;

sub check
{
    my ($directives) = @_;
    return IdentityTest::Server->new(start => 0, state => $state, directives => "$directives\n")->check;
}

my $bad_url = qr/IdentityCaptcha: the URL of the service must be https, without user and fragment/;
my @refused = (
    "IdentityCaptcha $url" => qr/takes two or three arguments/,
    "IdentityCaptcha http://captcha.example.org/siteverify $secret" => $bad_url,
    "IdentityCaptcha captcha.example.org $secret" => $bad_url,
    "IdentityCaptcha https://user:captcha-canary\@captcha.example.org/ $secret" => $bad_url,
    "IdentityCaptcha $url#x $secret" => $bad_url,
    "IdentityCaptcha file:///etc/passwd $secret" => $bad_url,
    "IdentityCaptcha $url $folder/missing" => qr/ID0583: IdentityCaptcha: \S+missing cannot be read: No such file/,
    "IdentityCaptcha $url $open" => qr/ID0583: .*others than its owner.*chmod 600/,
    "IdentityCaptcha $url $empty" => qr/ID0583: .*is empty/,
    "IdentityCaptcha $url $blank" => qr/ID0583: .*has no secret on its first line/,
    "IdentityCaptcha $url $folder" => qr/ID0583: .*is not a regular file/,
    "$good network=public" => qr/takes network=private after the two values, not network=public/,
    'IdentityDemoAccount default' => qr/ID0581: IdentityDemoAccount is set, but IdentityCaptcha does not name/,
    'IdentitySandbox On' => qr/ID0582: IdentitySandbox is On, but IdentityCaptcha does not name/,
    "<VirtualHost *:1>\nIdentitySandbox On\n</VirtualHost>" => qr/ID0582: /,
    'IdentitySandbox Perhaps' => qr/must be On or Off/,
    'IdentityDemoAccount "a b"' => qr/IdentityDemoAccount needs the reference or id of an account, not a b\./,
    'IdentityDemoAccount ' . 'x' x 129 => qr/needs the reference or id of an account/,
    'IdentityDemoLifetime 30' => qr/needs a whole number and a unit/,
    'IdentityDemoLifetime 0m' => qr/must be more than 0/,
    'IdentitySandboxLifetime 1w' => qr/needs a whole number and a unit/,
    'IdentitySandboxLifetime 0d' => qr/must be more than 0/,
);
while (my ($directives, $sentence) = splice @refused, 0, 2) {
    my ($status, $text) = check($directives);
    ok $status != 0, 'refused: ' . $directives =~ tr/\n/ /r or diag $text;
    like $text, $sentence, 'with a sentence';
    unlike $text, qr/canary/, 'without a secret # security 95';
}
for my $directives ($good, "$good network=private\nIdentityDemoAccount plat_00000000000000000000\nIdentityDemoLifetime 5m", "$good\nIdentitySandbox On\nIdentitySandboxLifetime 1h",
    "IdentityCaptcha http://localhost:9/x $secret\nIdentityDemoAccount a.b-c_1") {
    my ($status, $text) = check($directives);
    is $status, 0, 'taken: ' . $directives =~ tr/\n/ /r or diag $text;
}

# ---- effect --------------------------------------------------------------------------------------------------------------------------------

my $captcha = IdentityTest::Captcha->new;
my $port = IdentityTest::Server::free_port();
my $server = IdentityTest::Server->new(port => $port + 1, directives => $captcha->directive . <<"END");
IdentityDemoAccount     later
IdentityDemoLifetime    2m
IdentitySandboxLifetime 1h
Listen 127.0.0.1:$port
<VirtualHost 127.0.0.1:$port>
    IdentitySandbox On
    IdentityDemoAccount default
</VirtualHost>
END
my $host = IdentityTest::Client->new(host => "127.0.0.1:$port", state => $server->state_folder);
my @nobody = ('X-API-KEY' => undef);

sub visit
{
    my ($at, $what) = @_;
    return $at->api(POST => "/v1/oauth/$what-token", {email => 'a@example.org', captcha_token => 'solved'}, @nobody);
}

like $server->error_log, qr/ID0584: IdentityDemoAccount later: there is no such account yet/, 'at the start it is told that the account is not there';
refused_is visit($server, 'demo'), 403, 'USER_NOT_ALLOWED', undef, 'nobody can look at it';
like $server->error_log, qr/ID0381: IdentityDemoAccount later names no account/, 'which the log says';
my ($status, $text, $error) = $server->tool('--entity', 'default', 'account', 'add', 'later');
is $status, 0, 'it is made' or diag $error;
my $answer = visit($server, 'demo');
is $answer->json->{expires_in}, 120, 'and visited, for as long as is configured';
refused_is visit($server, 'sandbox'), 403, 'USER_NOT_ALLOWED', undef, 'no sandbox here';
is visit($host, 'demo')->status, 200, 'a virtual host has another account';
my $sandbox = visit($host, 'sandbox');
is $sandbox->status, 200, 'and sandboxes';
my ($row) = $server->db("SELECT (expires_at - created_at) / 1000000 AS seconds FROM entities WHERE expires_at > 0");
is $row->{seconds}, 3600, 'for as long as the server around says';

# The directive goes, and with it who came by it.
my @visitor = (@nobody, Authorization => 'Bearer ' . $answer->json->{access_token});
is $server->api(GET => '/v1/users', undef, @visitor)->status, 200, 'a visitor';
open my $in, '<', "$server->{root}/httpd.conf" or die $!;
my $conf = do { local $/; <$in> };
$conf =~ s/^IdentityDemoAccount     later\n//m or die;
open my $out, '>', "$server->{root}/httpd.conf" or die $!;
print {$out} $conf;
close $out or die $!;
$server->graceful;
refused_is $server->api(GET => '/v1/users', undef, @visitor), 401, 'UNAUTHORISED', undef, 'is out when the directive goes # security 37';
refused_is visit($server, 'demo'), 403, 'USER_NOT_ALLOWED', undef, 'and nobody comes any more';
$server->stop;

# Several accounts of a reference are none.
$server = IdentityTest::Server->new(start => 0, directives => $captcha->directive . "IdentityDemoAccount default\n");
($status, $text) = $server->tool('entity', 'add', 'second');
is $status, 0, 'another entity' or diag $text;
($status, $text) = $server->tool('--entity', 'second', 'account', 'add', 'default');
is $status, 0, 'with an account of the same reference' or diag $text;
$server->start;
like $server->error_log, qr/ID0585: IdentityDemoAccount default: several accounts have this reference/, 'is told at the start';
refused_is visit($server, 'demo'), 403, 'USER_NOT_ALLOWED', undef, 'and neither is shown';
done_testing;

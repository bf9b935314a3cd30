# SPDX-License-Identifier: Apache-2.0
# Directives of signing on at providers: each fault stops `httpd -t` with a sentence that has no secret in it; each value has its effect, also in virtual hosts.
# (conf/directives.md; security 72, 93, 95)
# run on: event
use strict;
use warnings FATAL => 'all';
use IO::Socket::INET;
use Test::More;
use Time::HiRes 'time';
use IdentityTest;
use IdentityTest::Api;
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

my $secret = put('client-secret', 0600, "canary-of-the-client\n");
my $open = put('open-secret', 0644, "canary-of-the-client\n");
my $group = put('group-secret', 0640, "canary-of-the-client\n");
my $empty = put('empty-secret', 0600, '');
my $blank = put('blank-secret', 0600, "\ncanary-of-the-client\n");
my $issuer = 'https://login.example.org';
my $page = 'IdentityRedirectURI https://app.example.org/sso';
my $work = "IdentityProvider work $issuer client-1 $secret";

my $server = IdentityTest::Server->new(start => 0);
my $state = $server->state_folder;

sub check
{
    my ($directives) = @_;
    return IdentityTest::Server->new(start => 0, state => $state, directives => "$directives\n")->check;
}

my $bad_issuer = qr/IdentityProvider work: the issuer must be an https URL without user, query and fragment/;
my $bad_page = qr/IdentityRedirectURI needs complete https URLs with a path/;
my @refused = (
    'IdentityProvider' => qr/needs a name, the issuer, the client id and the file/,
    "IdentityProvider work $issuer client-1" => qr/needs a name, the issuer, the client id and the file/,
    "IdentityProvider w/rk $issuer client-1 $secret" => qr/needs a name of at most 64 letters, digits/,
    "IdentityProvider \"\" $issuer client-1 $secret" => qr/needs a name of at most 64/,
    'IdentityProvider ' . 'w' x 65 . " $issuer client-1 $secret" => qr/needs a name of at most 64/,
    "IdentityProvider work http://login.example.org client-1 $secret" => $bad_issuer,
    "IdentityProvider work login.example.org client-1 $secret" => $bad_issuer,
    "IdentityProvider work ftp://login.example.org client-1 $secret" => $bad_issuer,
    "IdentityProvider work https://user:canary-of-the-client\@login.example.org client-1 $secret" => $bad_issuer,
    "IdentityProvider work $issuer?x=1 client-1 $secret" => $bad_issuer,
    "IdentityProvider work $issuer#x client-1 $secret" => $bad_issuer,
    "IdentityProvider work $issuer \"\" $secret" => qr/IdentityProvider work: the client id must be text/,
    "$page\nIdentityProvider work $issuer client-1 $folder/missing" => qr/ID0573: IdentityProvider work: \S+missing cannot be read: No such file/,
    "$page\nIdentityProvider work $issuer client-1 $open" => qr/ID0573: .*others than its owner.*chmod 600/,
    "$page\nIdentityProvider work $issuer client-1 $group" => qr/ID0573: .*chmod 600/,
    "$page\nIdentityProvider work $issuer client-1 $empty" => qr/ID0573: .*is empty/,
    "$page\nIdentityProvider work $issuer client-1 $blank" => qr/ID0573: .*has no secret on its first line/,
    "$page\nIdentityProvider work $issuer client-1 $folder" => qr/ID0573: .*is not a regular file/,
    "$work\nIdentityProvider work $issuer client-2 $secret" => qr/two providers are named work/,
    "$work\nIdentityProvider home $issuer client-1 $secret" => qr/work and home are the same client of the same issuer/,
    "$work domains=" => qr/domains= names no domain/,
    "$work domains=example" => qr/domains= takes domains such as example\.org/,
    "$work domains=\@example.org" => qr/domains= takes domains such as example\.org/,
    "$work entity=" => qr/takes domains=, verified=, entity= and network=private after the four values/,
    "$work network=public" => qr/takes domains=, verified=, entity= and network=private after the four values/,
    "$work more" => qr/takes domains=, verified=, entity= and network=private after the four values, not more/,
    "$work verified=example.org" => qr/IdentityProvider work: verified= names example\.org, which is not one of the domains in domains=/,
    "$work domains=example.org verified=example.org,example.com" => qr/verified= names example\.com, which is not one of the domains/,
    "$work verified=sub.example.org domains=example.org" => qr/verified= names sub\.example\.org, which is not one of the domains/,
    "$work domains=example.org verified=" => qr/verified= names no domain/,
    "$work domains=example.org verified=*" => qr/verified= takes domains such as example\.org/,
    $work => qr/ID0572: IdentityProvider is set, but IdentityRedirectURI does not name/,
    'IdentitySSOProvision On' => qr/ID0571: IdentitySSOProvision is On, but there is no IdentityProvider/,
    'IdentitySSOProvision Perhaps' => qr/must be On or Off/,
    'IdentityRedirectURI' => qr/requires at least one argument|takes one or more/i,
    'IdentityRedirectURI http://app.example.org/sso' => $bad_page,
    'IdentityRedirectURI https://app.example.org' => $bad_page,
    'IdentityRedirectURI https://app.example.org/sso#x' => $bad_page,
    'IdentityRedirectURI https://user@app.example.org/sso' => $bad_page,
    'IdentityRedirectURI https://*.example.org/sso' => $bad_page,
    'IdentityRedirectURI https://app.example.org/*' => $bad_page,
    'IdentityRedirectURI /sso' => $bad_page,
    'IdentityRedirectURI javascript:alert(1)' => $bad_page,
    'IdentityRedirectURI https://app.example.org/' . 'x' x 240 => $bad_page,
    "IdentityRedirectURI https://app.example.org/sso app.example.org/sso" => $bad_page,
    "<VirtualHost *:1>\n$page\nIdentityProvider work $issuer client-1 $open\n</VirtualHost>" => qr/ID0573: .*chmod 600/,
);
while (my ($directives, $sentence) = splice @refused, 0, 2) {
    my ($status, $text) = check($directives);
    ok $status != 0, 'refused: ' . $directives =~ s/^(.{100}).*/$1.../rs =~ tr/\n/ /r or diag $text;
    like $text, $sentence, 'with a sentence';
    unlike $text, qr/canary/, 'without a secret # security 95';
}

my @taken = (
    "$page\n$work",
    "$page http://localhost:3000/sso?x=1\n$work\nIdentityProvider home $issuer client-2 $secret domains=Example.org,example.com entity=default network=private",
    "$page\n$work verified=Example.com domains=example.org,example.com",
    "$page\nIdentityProvider dev http://127.0.0.1:9000 client-1 $secret",
    "$page\nIdentityProvider a.b-c_1 https://login.example.org/realms/one/ \"client 1\" $secret\nIdentitySSOProvision On",
    "IdentityRedirectURI https://app.example.org/sso",
);
for my $directives (@taken) {
    my ($status, $text) = check($directives);
    is $status, 0, 'taken: ' . $directives =~ tr/\n/ /r or diag $text;
}

# ---- effect --------------------------------------------------------------------------------------------------------------------------------

# Takes connections into its queue and never says a word.
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16) or die "listen: $!";
my $other_port = IdentityTest::Server::free_port();
my $one = IdentityTest::Server->new(port => $other_port + 1, directives => <<"END");
$page
IdentityProvider silent http://127.0.0.1:@{[$silent->sockport]} client-1 $secret
IdentityProvider gone http://127.0.0.1:1 client-1 $secret
IdentityProvider within https://localhost:@{[$silent->sockport]} client-1 $secret entity=elsewhere
Listen 127.0.0.1:$other_port
<VirtualHost 127.0.0.1:$other_port>
    IdentityProvider third http://127.0.0.1:1 client-3 $secret
</VirtualHost>
END
my @nobody = ('X-API-KEY' => undef);

sub authorize
{
    my ($at, $provider) = @_;
    return $at->api(GET => "/v1/oauth/authorize?provider=$provider&redirect_uri=https%3A%2F%2Fapp.example.org%2Fsso", undef, @nobody);
}

refused_is(authorize($one, 'gone'), 503, INTERNAL_ERROR => undef, 'a provider that is not there # security 86');
is authorize($one, 'gone')->header('Retry-After'), 5, 'when to come again';
# Others are served meanwhile, and the wait has an end.
my @answers = together(3, sub { my ($i) = @_; return $i ? $one->api(GET => '/v1/users')->status : authorize($one, 'silent')->status });
is "@answers", '503 200 200', 'a provider that says nothing is waited for, but not for ever, and holds up nobody else # security 72';
refused_is(authorize($one, 'third'), 400, INVALID_FIELD => 'provider', 'a provider of another virtual host');
my $host = IdentityTest::Client->new(host => "127.0.0.1:$other_port", state => $one->state_folder);
refused_is(authorize($host, 'third'), 503, INTERNAL_ERROR => undef, 'which has its own, and the page from the server around');
refused_is(authorize($host, 'gone'), 400, INVALID_FIELD => 'provider', 'and not the others');
is join(' ', map { $_->{name} } @{$one->api(GET => '/v1/authentication-providers')->json->{data}}), 'silent gone', 'each entity sees those that are there for it';
like $one->error_log, qr/ID0371: the provider gone cannot be used: the discovery document of http:\/\/127\.0\.0\.1:1: /, 'the log says what is wrong';
unlike $one->error_log, qr/canary/, 'without a secret # security 84';
$one->stop;
unlink $secret, $open, $group, $empty, $blank;
done_testing;

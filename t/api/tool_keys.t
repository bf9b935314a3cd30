# SPDX-License-Identifier: Apache-2.0
# htidentity signing-key: keys beside the database are rotated under a running server, and those of IdentitySigningKey by its configuration.
# run on: event
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use MIME::Base64 'decode_base64url';
use Test::More;
use Time::HiRes 'sleep';
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Database 'run_tool';
use IdentityTest::Server;

my $server = IdentityTest::Server->new;
my $state = $server->{state};
my @public = ('X-API-KEY' => undef);

sub run
{
    my ($status, $out, $error) = run_tool($state, @_);
    return ($status >> 8, $out, $error);
}
sub until_is
{
    my ($wanted, $ask, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got;
    for (1 .. 600) {
        $got = $ask->();
        last if $got eq $wanted;
        sleep 0.1;
    }
    is $got, $wanted, $name;
}
sub kids { return join ' ', map { $_->{kid} } @{$server->api(GET => '/.well-known/jwks.json', undef, @public)->json->{keys}} }
sub kid_of { return JSON::PP->new->decode(decode_base64url((split /\./, $_[0])[0]))->{kid} }

my $person = $server->person(name => 'keys');
my $token = sub { $server->login($person->{username}, 'Correct1Horse')->json->{access_token} };
my $asks = sub { my ($bearer) = @_; $server->api(GET => "/v1/users/$person->{id}", undef, @public, Authorization => "Bearer $bearer")->status };
my $first = $token->();
is $asks->($first), 200, 'a token of the first key';
my ($status, $out, $error) = run(qw(signing-key list));
my ($kid) = $out =~ /\A(\S+)\tsigns\tES256\t\S+Z\t\S+\/identity-signing-key\.pem\n\z/;
is $kid, kid_of($first), 'M7: signing-key list' or diag $out, $error;

# ---- rotate ---------------------------------------------------------------------------------------------------------------------------------

($status, $out, $error) = run(qw(signing-key rotate));
ok $status == 0 && $out eq "$state/identity-signing-key-1.pem\n", 'M8: signing-key rotate makes the next one' or diag $error;
is sprintf('%o', (stat "$state/identity-signing-key-1.pem")[2] & 07777), '600', 'M8: for its owner alone';
is((stat "$state/identity-signing-key-1.pem")[4], (stat $state)[4], 'M8: who is that of the folder');
($status, $out) = run(qw(--json signing-key list));
my ($old, $new) = map { JSON::PP->new->decode($_) } split /\n/, $out;
is "$old->{state} $new->{state}", 'signs waits', 'M7: a new one waits until every process knows it';
until_is "$kid $new->{kid}", \&kids, 'M7: the running server learns of it';
until_is "$new->{kid} $kid", \&kids, 'M7: and signs with it';
is $asks->($first), 200, 'M7: tokens of the one before are good';
until_is($new->{kid}, sub { sleep 1; kid_of($first = $token->()) }, 'M7: tokens are made by it');
like +(run(qw(signing-key list)))[1], qr/\A\Q$new->{kid}\E\tsigns\t.*\n\Q$kid\E\tverifies\t/, 'M7: and listed so';

# ---- rotate --now ---------------------------------------------------------------------------------------------------------------------------

($status, $out) = run(qw(--json signing-key rotate --now));
is(JSON::PP->new->decode($out)->{file}, "$state/identity-signing-key-2.pem", 'M7: --now');
is join(' ', sort map { s{.*/}{}r } glob "$state/identity-signing-key*"), 'identity-signing-key-2.pem', 'M7: drops those before';
until_is 401, sub { $asks->($first) }, 'M7: their tokens are refused, though they were remembered';
my $last = $token->();
until_is 200, sub { sleep 0.5; $asks->($last = $token->()) }, 'who signs in again is let in';
until_is 401, sub { $asks->($first) }, 'others stay refused';

# ---- IdentitySigningKey ---------------------------------------------------------------------------------------------------------------------

$server->stop;
mkdir "$state/keys" or die $!;
rename "$state/identity-signing-key-2.pem", "$state/keys/site.pem" or die $!;
my $named = IdentityTest::Server->new(state => $state, directives => "IdentitySigningKey $state/keys/site.pem\n");
until_is 6, sub { (run(qw(signing-key rotate)))[0] }, 'M7: with IdentitySigningKey it is exit 6';
my ($before) = sort { $b cmp $a } glob "$state/keys/identity-signing-key*.pem";
($status, $out, $error) = run(qw(signing-key rotate));
like $out, qr{\AIdentitySigningKey $state/keys/identity-signing-key-\d+\.pem $state/keys/site\.pem\n\z}, 'M7: and the line to change';
like $error, qr/replace the present line by this one and reload httpd$/, 'it says what to do';
ok -f ($out =~ /^IdentitySigningKey (\S+)/)[0], 'the file is there';
like +(run(qw(signing-key rotate --now)))[1], qr{\AIdentitySigningKey \S+\n\z}, 'M7: with --now without the old ones';
like +(run(qw(signing-key list)))[1], qr{\A\S+\tsigns\tES256\t\S+\t$state/keys/site\.pem\n\z}, 'what counts now';

($status, undef, $error) = run(qw(--signing-key x signing-key list));
ok $status == 1 && $error =~ /x cannot be read: No such file or directory \(errno 2\)/, 'M8: the error says errno' or diag $error;

done_testing;

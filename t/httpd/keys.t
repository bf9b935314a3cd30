# SPDX-License-Identifier: Apache-2.0
# Signing keys come and go over real graceful restarts, and an independent library verifies what they sign. (security 48, 49)
# run on: event prefork
# needs: npm
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;
use Time::HiRes qw(sleep);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Node;
use IdentityTest::Server;

my $password = 'Correct1Horse';
my @no_key = ('X-API-KEY' => undef);
my $folder = "$ENV{IDENTITY_TOP}/t/servers/keys.$$";
mkdir $folder or die "$folder: $!";

# As README says it.
sub make_signing_key
{
    my ($name) = @_;
    system("umask 077 && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out '$folder/$name.pem' 2>/dev/null") == 0 or die "openssl: $?";
}

sub list_keys
{
    open my $out, '>', "$folder/keys.conf" or die "keys.conf: $!";
    print {$out} 'IdentitySigningKey ', join(' ', map { qq("$folder/$_.pem") } @_), "\n";
    # With the first key alone there is nobody who takes mail.
    print {$out} "IdentityMailURL smtp://127.0.0.1:1\n" if "@_" eq 'old';
    close $out or die "keys.conf: $!";
}

make_signing_key($_) for qw(old new);
list_keys('old');
my $server = IdentityTest::Server->new(directives => qq(Include "$folder/keys.conf"\n));
my $state = $server->state_folder;
my $issuer = $server->origin;
my $user = $server->address('keys');
my $made = $server->api(POST => '/v1/users', {username => $user, password => $password});
is $made->status, 201, 'somebody';
my $path = '/v1/users/' . $made->json->{id};

sub part { JSON::PP::decode_json(decode_base64url((split /\./, $_[0])[$_[1]])) }
sub kid { part($_[0], 0)->{kid} }
sub in { $server->login($user, $password) }
sub verified { node('verify.mjs', {issuer => $issuer, jwks => "$issuer/.well-known/jwks.json", tokens => {@_}}) }
sub published { join ' ', map { $_->{kid} } @{$server->api(GET => '/.well-known/jwks.json', undef, @no_key)->json->{keys}} }

# Every child of the new generation must know: each request over a connection of its own.
sub opens
{
    my ($token) = @_;
    my %seen;
    $seen{$server->raw("GET $path HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\nConnection: close\r\n\r\n") =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'nothing'}++ for 1 .. 12;
    return join ' ', sort keys %seen;
}

sub restart_until
{
    my ($published) = @_;
    $server->graceful;
    # The old generation may answer for a moment yet.
    my $right = 0;
    for (1 .. 100) {
        $right = published() eq $published ? $right + 1 : 0;
        last if $right == 5;
        sleep 0.1;
    }
    is published(), $published, 'a graceful restart changes what is published # security 49';
}

# ---- one key, and another library ------------------------------------------------------------------------------------------------------------

my $first = in();
my $old = $first->json->{access_token};
my ($head, $body, $signature) = split /\./, $old;
my $claims = part($old, 1);
my $encoded = sub { encode_base64url(JSON::PP->new->canonical->encode($_[0])) };
my $told = verified(
    good => $old,
    'another signature' => "$head.$body." . ('A' x length $signature),
    'a changed claim' => "$head." . $encoded->({%$claims, sub => 'user_0000000000000000zzzz'}) . ".$signature",
    'a changed header' => $encoded->({%{part($old, 0)}, typ => 'JWT'}) . ".$body.$signature",
    'no signature' => $encoded->({alg => 'none', typ => 'at+jwt'}) . ".$body.");
is_deeply $told->{good}, {header => {alg => 'ES256', typ => 'at+jwt', kid => kid($old)}, claims => $claims}, 'jose verifies a token # security 48';
is_deeply [sort keys %$claims], [qw(aud client_id entity_id exp iat iss jti sid sub)], 'with the claims of RFC 9068 # security 48';
is defined $told->{$_}{refused}, 1, "and refuses $_ # security 48" for grep { $_ ne 'good' } sort keys %$told;
my $of_key = $server->api(POST => '/v1/oauth/token', 'grant_type=client_credentials', 'Content-Type' => 'application/x-www-form-urlencoded')->json->{access_token};
is verified(key => $of_key)->{key}{claims}{sub}, 'apik_' . substr($server->key, 4, 20), "a key's token too # security 48";
is published(), kid($old), 'the key is published';

# ---- what is sealed under it -----------------------------------------------------------------------------------------------------------------

my $invited = $server->address('sealed');
is $server->invite($invited)->status, 200, 'a mail that cannot go yet';
my @once = ('Idempotency-Key' => "keys-$$");
my $role = $server->api(POST => '/v1/roles', {name => "Once $$"}, @once);
is $role->status, 200, 'an answer that is kept';

# ---- a new key in front ----------------------------------------------------------------------------------------------------------------------

list_keys('new', 'old');
my $new_kid = do {
    my ($status, $said) = $server->check;
    is $status, 0, 'the configuration with both is sound' or diag $said;
    list_keys('new');
    my $alone = IdentityTest::Server->new(directives => qq(Include "$folder/keys.conf"\n));
    my $kid = $alone->api(GET => '/.well-known/jwks.json', undef, @no_key)->json->{keys}[0]{kid};
    $alone->stop;
    list_keys('new', 'old');
    $kid;
};
restart_until($new_kid . ' ' . kid($old));
is opens($old), '200', 'nobody is logged out # security 49';
my $second = in();
my $new = $second->json->{access_token};
is kid($new), $new_kid, 'the new key signs # security 49';
is opens($new), '200', 'for every child # security 49';
my $renewed = $server->api(POST => '/v1/oauth/refresh-token', undef, @no_key, Cookie => $first->cookie('identity_refresh'));
is $renewed->status, 200, 'a session of before goes on # security 49';
is kid($renewed->json->{access_token}), $new_kid, 'with the new key # security 49';
$told = verified(old => $old, new => $new);
is join(' ', map { $told->{$_}{header}{kid} // $told->{$_}{refused} } qw(old new)), kid($old) . " $new_kid", 'jose verifies both by what is published # security 49';
alter_db("UPDATE outbox SET next_attempt_at = 0 WHERE recipient = '$invited'", $server);
is $server->activate($server->wait_mail($invited)->{token}, $password)->status, 200, 'what was sealed under the old key is opened: the mail goes';
my $again = $server->api(POST => '/v1/roles', {name => "Once $$"}, @once);
is join(' ', $again->status, $again->header('Idempotent-Replayed') // 'no'), '200 true', 'the kept answer is given again';
is $again->text, $role->text, 'word for word';

# ---- the old one away ------------------------------------------------------------------------------------------------------------------------

list_keys('new');
restart_until($new_kid);
is opens($old), '401', 'a key that is taken away ends its tokens at once # security 49';
is opens($new), '200', 'and no others # security 49';
$told = verified(old => $old, new => $new);
is_deeply [$told->{old}, defined $told->{new}{claims}], [{refused => 'ERR_JWKS_NO_MATCHING_KEY'}, 1], 'jose says the same # security 49';
is $server->api(POST => '/v1/oauth/refresh-token', undef, @no_key, Cookie => $second->cookie('identity_refresh'))->status, 200, 'sessions go on';
is $server->api(POST => '/v1/roles', {name => "Once $$"}, @once)->status, 409, 'an answer sealed under it cannot be given again';

# ---- a file that is no key stops nothing that runs --------------------------------------------------------------------------------------------

list_keys('missing', 'new');
my ($status, $said) = $server->check;
isnt $status, 0, 'httpd -t refuses a file that is not there';
like $said, qr/ID0509: .*missing\.pem cannot be read/, 'and says which';
list_keys('new');
is opens($new), '200', 'the server goes on';
$server->stop;

done_testing;

# SPDX-License-Identifier: Apache-2.0
# Invitations as a resource over HTTP: the forms on the wire, both views, and what a client that retries is told.
# route list_invitations create_invitation get_invitation update_invitation
# run on: event asan
use strict;
use warnings FATAL => 'all';
use IO::Socket::INET;
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $site = entity('invitations');
my $text = {@{$site->{key}}}->{'X-API-KEY'};
my @key = (Authorization => "ApiKey $text", 'Api-Version' => 'v1');
my @no_key = ('X-API-KEY' => undef);
my $other = entity('other');
my $host = origin() =~ s{^http://}{}r;
my $password = 'Correct1Horse';
my @members = qw(id email roleID state created lastModified expiry lastSent urn);

sub invite_to { my ($email, $role, @headers) = @_; return api(POST => '/v1/invitations', {email => $email, roleID => $role}, @headers ? @headers : @key) }
sub one { my ($invitation) = @_; return api(GET => "/v1/invitations/$invitation->{id}", undef, @key)->json }

# ---- create, list, describe ----------------------------------------------------------------------------------------------------------------

my $ada = address('ada');
my $answer = invite_to($ada, 'quote-viewer');
answered_is $answer, 201, 'create, by Authorization: ApiKey';
my $invitation = $answer->json;
is $answer->keys_of, "@members delivery", 'with the documented members in their order';
like $invitation->{id}, qr/^[0-9A-F]{32}$/, 'an id of 32 upper-case hex digits';
is "@{$invitation}{qw(email roleID state urn)}", "$ada quote-viewer invited urn:identity:identity:local:$site->{account}:invitation/$invitation->{id}", 'as asked for';
is seconds_of($invitation->{expiry}) - seconds_of($invitation->{created}), 7 * 86400, 'for seven days';
my $mail = wait_mail($ada);
# That it left is recorded once the mail lies there.
my $sent;
for (1 .. 100) {
    last if ($sent = one($invitation))->{delivery}{state} eq 'sent';
    select undef, undef, undef, 0.05;
}
is $sent->{delivery}{state}, 'sent', 'the mail has gone, as delivery says';
is $sent->{lastSent}, $sent->{delivery}{sent}, 'and lastSent';
is_deeply [map { $_->{status} } @{api(GET => '/v1/users?username=' . $ada, undef, @{$site->{key}})->json->{data}}], ['INVITED'], 'users shows who was invited';

my $bob = address('bob');
is api(POST => '/v1/users/invite', {username => $bob}, @{$site->{key}})->status, 200, 'invited by the other interface';
my $list = api(GET => '/v1/invitations?limit=1', undef, @key);
answered_is $list, 200, 'list';
is $list->json->{invitations}[0]{email}, $bob, 'newest first';
is $list->json->{invitations}[0]{roleID}, 'none', 'to no role';
my $cursor = $list->json->{next};
for my $encoded ($cursor, $cursor =~ s/(.)/sprintf '%%%02X', ord $1/ger) {
    $list = api(GET => "/v1/invitations?limit=1&cursor=$encoded", undef, @key);
    is $list->json->{invitations}[0]{email}, $ada, 'the next page, the cursor ' . ($encoded eq $cursor ? 'raw' : 'percent-encoded');
    is $list->keys_of, 'invitations', 'which is the last: next is absent';
}
is scalar @{api(GET => '/v1/invitations?email=' . uc($ada) . '&state=invited&roleID=quote-viewer', undef, @key)->json->{invitations}}, 1, 'filters';
refused_is api(GET => "/v1/invitations?$_->[0]", undef, @key), 400, 'INVALID_FIELD', $_->[1], "list with $_->[0]"
    for ['limit=-1', 'limit'], ['limit=101', 'limit'], ['cursor=%00', 'cursor'], ['cursor=x', 'cursor'], ['state=open', 'state'];
refused_is invite_to($ada, 'quote-viewer'), 400, 'INVALID_FIELD', 'email', 'a second one';
is_deeply [keys %{invite_to(address(), 'nobody')->json->{fields}}], ['roleID'], 'fields names what is at fault';
refused_is api(GET => '/v1/invitations', undef, @key[0, 1], 'Api-Version' => 'v2'), 400, 'INVALID_FIELD', 'Api-Version', 'another version';
is api(GET => '/v1/invitations', undef, @key[0, 1])->status, 200, 'none';
refused_is api(GET => '/v1/invitations/0123456789ABCDEF0123456789ABCDEF', undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'an unknown one';
refused_is api(GET => "/v1/invitations/$invitation->{id}", undef, @{$other->{key}}), 404, 'RESOURCE_NOT_FOUND', undef, 'one of another entity # security 60';
refused_is api(PUT => '/v1/invitations', {}, @key), 405, 'INVALID_OPERATION', undef, 'another method';
refused_is api(GET => '/v1/invitations', undef, @no_key), 401, 'UNAUTHORISED', undef, 'without a credential';
refused_is invite_to(address(), 'quote-viewer', read_only_key()), 403, 'USER_NOT_ALLOWED', undef, 'create by who may only look';
refused_is api(POST => "/v1/invitations/$invitation->{id}", undef, read_only_key()), 403, 'USER_NOT_ALLOWED', undef, 'send again by who may only look';

# ---- POST without a body, as clients send it -----------------------------------------------------------------------------------------------

sub bare
{
    my ($more, $body) = @_;
    my $request = "POST /v1/invitations/$invitation->{id} HTTP/1.1\r\nHost: $host\r\nAuthorization: ApiKey $text\r\nConnection: close\r\n$more\r\n$body";
    return raw($request) =~ m{^HTTP/1.1 (\d+) .*?"state":"(\w+)".*?"lastSent":"([^"]+)"}s ? "$1 $2" : 'no invitation';
}
for (['no header of a body', '', ''], ['Content-Length: 0', "Content-Length: 0\r\n", ''], ['an empty chunked body', "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"],
    ['{}', "Content-Type: application/json\r\nContent-Length: 2\r\n", '{}'], ['{} in a chunk', "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"]) {
    my ($what, $headers, $body) = @$_;
    is bare($headers, $body), '200 invited', "sent again by $what";
}
is rows("SELECT 1 FROM secrets WHERE invitation_id = '$invitation->{id}' AND ended_at = 0"), 1, 'one link is good # security 24';
refused_is activate($mail->{token}, $password), 400, 'INVALID_FIELD', 'token', 'the first one is not # security 24';
is bare("Content-Length: 2\r\n", '{}'), 'no invitation', 'a body says what it is';
refused_is api(POST => "/v1/invitations/$invitation->{id}", {state => 'accepted'}, @key), 400, 'INVALID_FIELD', 'state', 'to a state that nobody is put into';

my %once = ('Idempotency-Key' => 'again ' . $invitation->{id});
my $first = api(POST => "/v1/invitations/$invitation->{id}", undef, @key, %once);
my $again = api(POST => "/v1/invitations/$invitation->{id}", undef, @key, %once);
is $again->text, $first->text, 'with an Idempotency-Key sent once';
is $again->header('Idempotent-Replayed'), 'true', 'and answered again';
refused_is api(POST => "/v1/invitations/$invitation->{id}", {state => 'revoked'}, @key, %once), 400, 'BAD_REQUEST', undef, 'the key with another body: never 409 here';

# ---- revoke, accept --------------------------------------------------------------------------------------------------------------------------

$answer = api(POST => "/v1/invitations/$invitation->{id}", {state => 'revoked'}, @key);
answered_is $answer, 200, 'revoke';
is $answer->json->{state}, 'revoked', 'the whole invitation';
is one($invitation)->{state}, 'revoked', 'as it is described';
refused_is api(POST => "/v1/invitations/$invitation->{id}", {state => 'revoked'}, @key), 400, 'INVALID_FIELD', 'state', 'twice';
refused_is api(POST => "/v1/invitations/$invitation->{id}", undef, @key), 400, 'INVALID_FIELD', 'state', 'nor sent again';
is_deeply [map { $_->{status} } @{api(GET => '/v1/users?username=' . $ada, undef, @{$site->{key}})->json->{data}}], ['INVITE_REVOKED'], 'users shows it, too';

my $eve = address('eve');
my $eves = invite_to($eve, 'quote-viewer')->json;
is activate(wait_mail($eve)->{token}, $password)->status, 200, 'accepted by the link';
is one($eves)->{state}, 'accepted', 'as it is described';
refused_is invite_to($eve, 'quote-viewer'), 400, 'INVALID_FIELD', 'email', 'a member of the account';
my ($status, $second) = tool('--json', '--entity', $site->{reference}, qw(account add second));
$second = JSON::PP::decode_json($second)->{id};
refused_is invite_to($eve, 'quote-viewer'), 400, 'MISSING_FIELD', 'x-platform-id', 'of two accounts the key says which';
my $adds = invite_to($eve, 'quote-viewer', @key, 'X-Platform-Id' => $second);
answered_is $adds, 201, 'somebody active, to a further account';
like $adds->json->{urn}, qr/:$second:/, 'which its name tells';
my $token = wait_mail($eve, 2)->{token};
refused_is api(POST => '/v1/oauth/activate-user', {token => $token}, @no_key), 401, 'UNAUTHORISED', undef, 'who accepts signs in first';
$answer = api(POST => '/v1/oauth/activate-user', {token => $token}, bearer_of(login($eve, $password)));
is join(' ', sort map { $_->{account_id} } @{$answer->json->{account_memberships}}), join(' ', sort $site->{account}, $second), 'and has both then';

my ($shown, $lines);
($status, $shown) = tool('--entity', $site->{reference}, qw(invitation show), $eves->{id});
like $shown, qr/^$eves->{id}\taccepted\t\Q$eve\E\tquote-viewer\t.*"state":"sent"/, 'htidentity invitation show';
($status, $lines) = tool('--entity', $site->{reference}, qw(invitation list));
is scalar(split /\n/, $lines), rows("SELECT 1 FROM invitations WHERE entity_id = '$site->{id}'"), 'htidentity invitation list';

# ---- too many, and no database ---------------------------------------------------------------------------------------------------------------

my $server = IdentityTest::Server->new(directives => "IdentityRateLimit invite 2/1h\nIdentityDatabaseWait 1s\n");
my $person = $server->address('limited');
my $made = $server->api(POST => '/v1/invitations', {email => $person, roleID => 'read-only'});
is $made->status, 201, 'one mail';
my $path = '/v1/invitations/' . $made->json->{id};
is $server->api(POST => $path)->status, 200, 'another';
my $throttled = $server->api(POST => $path);
refused_is $throttled, 429, 'UNABLE_TO_PROCESS_INSTRUCTIONS', undef, 'a third is too many # security 80';
like $throttled->header('Retry-After'), qr/^[1-9]\d*$/, 'with Retry-After';
my $lock = hold_lock($server->state_folder . '/identity.db');
my $busy = $server->api(POST => $path, {state => 'revoked'});
let_go($lock);
refused_is $busy, 503, 'INTERNAL_ERROR', undef, 'somebody else writes # security 86';
like $busy->header('Retry-After'), qr/^[1-9]\d*$/, 'with Retry-After';
is $server->api(POST => $path, {state => 'revoked'})->json->{state}, 'revoked', 'and then it is done';
$server->stop;

done_testing;

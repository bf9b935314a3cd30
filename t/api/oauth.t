# SPDX-License-Identifier: Apache-2.0
# Tokens, sessions, mailed links over HTTP.
# route obtain_token refresh_token logout request_password_reset reset_password_page reset_password activate_user_page activate_user confirm_address_page sign_in_page sign_in sign_out_page sign_out
# route confirm_address describe_link
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;
use Time::HiRes ();
use IdentityTest;
use IdentityTest::Api;

my $password = 'Correct1Horse';
my @no_key = ('X-API-KEY' => undef);
my ($dead, $expired) = ('This link is no longer valid.', 'This link has expired; please ask for a new one.');

sub oauth
{
    my ($call, $body, @headers) = @_;
    return api(POST => "/v1/oauth/$call", $body, @no_key, @headers);
}

# Everything of an answer that a caller can see, but what differs from request to request.
sub seen
{
    my ($answer) = @_;
    my %headers = %{$answer->headers};
    delete @headers{qw(date x-request-id)};
    return join "\n", $answer->status, (map { "$_: $headers{$_}" } sort keys %headers), $answer->text;
}

sub jwt_part { JSON::PP::decode_json(decode_base64url((split /\./, $_[0])[$_[1]])) }

sub me
{
    my ($person, @credential) = @_;
    return api(GET => "/v1/users/$person->{id}", undef, @credential ? @credential : @{$person->{bearer}})->status;
}

# ---- POST /v1/oauth/token ------------------------------------------------------------------------------------------------------------------

# All whose mails are needed later: they come with the next round of the sender.
my ($invited, $kept, $slow) = map { address($_) } qw(invited Kept slow);
is invite($_)->status, 200, "invited $_" for $invited, $kept, $slow;
my $ada = member('Ada');
my $before = time;
my $in = oauth(token => {username => $ada->{username}, password => $password});
answered_is $in, 200, 'login';
shape_is $in, 'token', 'the answer is a Token';
my $token = $in->json;
ok abs(seconds_of($token->{issued_at}) - $before) <= 5, 'issued now';
is $token->{expires_in}, 900, 'for fifteen minutes';
is seconds_of($token->{expires_at}) - seconds_of($token->{issued_at}), 900, 'which expires_at says too';
my ($head, $claims) = map { jwt_part($token->{access_token}, $_) } 0, 1;
is join(' ', @$head{qw(alg typ)}, length $head->{kid} > 8 ? 'kid' : 'none'), 'ES256 at+jwt kid', 'signed with ES256 by a key that is named';
my ($user) = db("SELECT entity_id FROM users WHERE id = '$ada->{id}'");
is_deeply {%$claims, map { $_ => 'some' } qw(jti sid)}, {
    iss => origin(), aud => origin(), sub => $ada->{id}, entity_id => $user->{entity_id}, client_id => $claims->{client_id}, jti => 'some', sid => 'some',
    iat => seconds_of($token->{issued_at}), exp => seconds_of($token->{expires_at})}, 'with these claims and no others';
like $in->header('Set-Cookie'), qr{^identity_refresh=idr_[\w-]{49}; Path=/v1/oauth; Max-Age=6047\d\d|604800; HttpOnly; SameSite=Strict$},
    'and the refresh token as a cookie that only these calls see';
is_deeply [db("SELECT method, ended_at FROM sessions WHERE id = '$claims->{sid}'")], [{method => 'password', ended_at => 0}], 'a session is held';
is_deeply [db("SELECT action, user_id FROM audit_records WHERE target_id = '$claims->{sid}'")], [{action => 'LOGIN', user_id => $ada->{id}}], 'and is on record';
is me($ada, bearer_of($in)), 200, 'the token opens';
is me($ada, Authorization => "bearer $token->{access_token}"), 200, 'whatever the case of the scheme';

# How often, in however many records: those of a minute are one for each account and network.
sub failed_sign_ins { my ($row) = db("SELECT COALESCE(SUM(times), 0) AS n FROM audit_records WHERE action = 'LOGIN_FAILED'"); return $row->{n} }
my $failures = failed_sign_ins();
my $wrong = oauth(token => {username => $ada->{username}, password => 'Wrong1Horse'});
refused_is $wrong, 401, 'UNAUTHORISED', undef, 'a wrong password';
my $inactive = member('inactive');
api(PATCH => "/v1/users/$inactive->{id}", {status => 'INACTIVE'});
is seen(oauth(token => {username => $_->[1], password => $password})), seen($wrong), "somebody $_->[0] gets the very same answer"
    for [unknown => address()], [invited => $invited], [inactive => $inactive->{username}], ['without a form' => 'x'];
is failed_sign_ins() - $failures, 5, 'and all five are on record';
for (
    [{}, MISSING_FIELD => 'username'], [{username => $ada->{username}}, MISSING_FIELD => 'password'], [{password => $password}, MISSING_FIELD => 'username'],
    [{username => $ada->{username}, password => 12345678}, INVALID_FIELD => 'password'],
    [{username => $ada->{username}, password => 'A1' . 'x' x 1023}, INVALID_FIELD => 'password'],
    [{token_alias => 'x', username => $ada->{username}}, INVALID_FIELD => 'token_alias']) {
    refused_is oauth(token => $_->[0]), 400, $_->[1], $_->[2], 'login';
}
for my $other ("$password ", " $password", lc $password, substr($password, 0, -1), "${password}x") {
    is oauth(token => {username => $ada->{username}, password => $other})->status, 401, "nearly the password: '$other'";
}
is oauth(token => {username => $ada->{username}, password => $password}, 'X-API-KEY' => 'nonsense')->status, 200, 'no credential is asked for, so none is looked at';

my $long = member('long', password => 'A1' . "\x{e9}" x 511);
is login($long->{username}, 'A1' . "\x{e9}" x 510 . 'e')->status, 401, 'the last character of a password of 1,024 bytes counts';
is login($long->{username}, 'A1' . "e\x{301}" x 511)->status, 400, 'past 1,024 bytes nothing is hashed';
my $accents = member('accents', password => "Caf\x{e9} au lait 1");
is login($accents->{username}, "Cafe\x{301} au lait 1")->status, 200, 'the same characters composed otherwise are the same password';

my ($status, $alias) = tool('alias', 'add', $ada->{username}, '--expires', '1h');
chomp $alias;
my $by_alias = oauth(token => {token_alias => $alias});
answered_is $by_alias, 200, 'login by an alias';
is jwt_part($by_alias->json->{access_token}, 1)->{sub}, $ada->{id}, 'as its person';
is rows("SELECT 1 FROM aliases WHERE digest = '@{[digest_of($alias)]}' AND last_used_at > 0"), 1, 'of which only the digest is held';
refused_is oauth(token => {token_alias => $alias =~ s/.$/$& eq 'A' ? 'B' : 'A'/er}), 401, 'UNAUTHORISED', undef, 'an alias with a wrong character';
alter_db("UPDATE aliases SET expires_at = 1 WHERE digest = '@{[digest_of($alias)]}'");
refused_is oauth(token => {token_alias => $alias}), 401, 'UNAUTHORISED', undef, 'an alias that has expired';

# ---- access tokens -------------------------------------------------------------------------------------------------------------------------

my ($first, $second, $signature) = split /\./, $token->{access_token};
my $encoded = sub { encode_base64url(JSON::PP::encode_json($_[0])) };
for (
    ['with another signature' => "$first.$second." . ('A' x length $signature)], ['without one' => "$first.$second."],
    ['that is not signed' => $encoded->({alg => 'none', typ => 'at+jwt'}) . ".$second."],
    ['signed by HMAC' => $encoded->({%$head, alg => 'HS256'}) . ".$second.$signature"],
    ['of somebody else' => "$first." . $encoded->({%$claims, sub => $inactive->{id}}) . ".$signature"], ['that is none' => 'x']) {
    my $answer = api(GET => '/v1/users', undef, Authorization => "Bearer $_->[1]");
    refused_is $answer, 401, 'UNAUTHORISED', undef, "a token $_->[0]";
    is $answer->header('WWW-Authenticate'), 'Bearer realm="identity", error="invalid_token"', 'which the challenge says';
}
is api(GET => '/v1/users', undef, @no_key)->header('WWW-Authenticate'), 'Bearer realm="identity"', 'without a credential the challenge names no error';
my $narrow = member('narrow', type => 'USER');
is api(GET => '/v1/users', undef, @{$narrow->{bearer}})->header('WWW-Authenticate'), 'Bearer realm="identity", error="insufficient_scope", scope="USER.MORTAL.VIEW"',
    'where a permission is missing the challenge names it';

# ---- POST /v1/oauth/refresh-token ----------------------------------------------------------------------------------------------------------

sub refresh { oauth('refresh-token', undef, $_[0] ? (Cookie => $_[0]) : ()) }
my $cookie = $in->cookie('identity_refresh');
my ($text) = $cookie =~ /=(.*)/;
is rows("SELECT 1 FROM refresh_tokens WHERE digest = '@{[digest_of($text)]}' AND session_id = '$claims->{sid}'"), 1, 'only the digest of a refresh token is held';
my $renewed = curl('curl -X POST ' . origin() . "/v1/oauth/refresh-token -H 'Cookie: other=1; $cookie; more=2'");
answered_is $renewed, 200, 'refresh, typed as published, with the cookie';
shape_is $renewed, 'token', 'the answer is a Token';
is jwt_part($renewed->json->{access_token}, 1)->{sid}, $claims->{sid}, 'of the same session';
isnt $renewed->cookie('identity_refresh'), $cookie, 'with another refresh token';
is me($ada, bearer_of($renewed)), 200, 'the new access token opens';
is refresh($cookie)->cookie('identity_refresh'), $renewed->cookie('identity_refresh'), 'the spent one gets the same successor for a while';
my $third = refresh($renewed->cookie('identity_refresh'));
is $third->status, 200, 'which works';
is rows("SELECT 1 FROM refresh_tokens WHERE session_id = '$claims->{sid}' AND spent_at = 0"), 1, 'one of the family is live';
alter_db("UPDATE refresh_tokens SET spent_at = spent_at - 11000000 WHERE session_id = '$claims->{sid}' AND spent_at > 0");
my $reused = refresh($cookie);
refused_is $reused, 401, 'UNAUTHORISED', undef, 'later it is theft';
like $reused->header('Set-Cookie'), qr{^identity_refresh=; Path=/v1/oauth; Max-Age=0; HttpOnly; SameSite=Strict$}, 'the cookie is cleared';
is refresh($third->cookie('identity_refresh'))->status, 401, 'which ends the whole family';
is me($ada, bearer_of($third)), 401, 'its access tokens too';
is rows("SELECT 1 FROM audit_records WHERE action = 'REFRESH_REUSED' AND target_id = '$claims->{sid}'"), 1, 'and is on record';
is me($ada), 200, "the person's other session lives on";
refused_is refresh($_), 401, 'UNAUTHORISED', undef, 'refresh with ' . ($_ || 'nothing')
    for '', 'identity_refresh=', 'identity_refresh=x', 'other=' . $text, 'identity_refresh=' . $text =~ s/.$/$& eq 'A' ? 'B' : 'A'/er;
is rows("SELECT 1 FROM sessions WHERE id = '@{[jwt_part($ada->{token}, 1)->{sid}]}' AND ended_at = 0"), 1, 'which harms nobody';

# ---- POST /v1/oauth/logout -------------------------------------------------------------------------------------------------------------------

my $out = oauth(logout => undef, @{$ada->{bearer}});
is join(' ', $out->status, length $out->text, $out->header('Content-Type') // 'none', $out->header('Cache-Control')), '200 0 none no-store', 'logout: 200 and nothing in it';
like $out->header('Set-Cookie'), qr/^identity_refresh=; .*Max-Age=0/, 'the cookie is cleared';
is me($ada), 401, 'the access token is dead with the next request';
is oauth('refresh-token', undef, @{$ada->{cookie}})->status, 401, 'the refresh token too';
refused_is oauth(logout => undef, @{$ada->{bearer}}), 401, 'UNAUTHORISED', undef, 'nobody logs out twice';
refused_is oauth('logout'), 401, 'UNAUTHORISED', undef, 'or without a session';
my $by_cookie = login($ada->{username}, $password);
is oauth(logout => undef, Cookie => $by_cookie->cookie('identity_refresh'))->status, 200, 'by the cookie alone';
is me($ada, bearer_of($by_cookie)), 401, 'which ends the access token';
is rows("SELECT 1 FROM audit_records WHERE action = 'LOGOUT' AND user_id = '$ada->{id}'"), 2, 'both on record';

# ---- the pages -----------------------------------------------------------------------------------------------------------------------------

for my $page ('activate-user', 'reset-password', 'confirm-address') {
    my $answer = api(GET => "/v1/oauth/$page", undef, @no_key);
    is join(' ', map { $_ // 'none' } $answer->status, map { $answer->header($_) } qw(Content-Type Cache-Control Referrer-Policy X-Content-Type-Options X-Frame-Options)),
        '200 text/html; charset=utf-8 no-store no-referrer nosniff DENY', "GET $page answers a page";
    my $policy = $answer->header('Content-Security-Policy');
    like $policy, qr/^default-src 'none';/, 'which may load nothing';
    unlike $policy, qr/unsafe|https?:|\*/, 'from nowhere';
    unlike $answer->text, qr{(?:src|href|action)=["']?(?:https?:)?//}i, 'and names nothing elsewhere';
    is api(HEAD => "/v1/oauth/$page", undef, @no_key)->header('Content-Type'), 'text/html; charset=utf-8', 'HEAD is GET without its body';
}
for my $page ('sign-in', 'sign-out') {
    my $answer = api(GET => "/v1/oauth/$page?return=/a", undef, @no_key);
    is join(' ', map { $_ // 'none' } $answer->status, map { $answer->header($_) } qw(Content-Type Cache-Control Referrer-Policy X-Content-Type-Options X-Frame-Options)),
        '200 text/html; charset=utf-8 no-store same-origin nosniff DENY', "GET $page answers a page";
    refused_is api(GET => "/v1/oauth/$page?return=//a", undef, @no_key), 400, 'INVALID_FIELD', 'return', '... that leads to no other host # security 71';
}
my @form = (@no_key, 'Content-Type' => 'application/x-www-form-urlencoded', Origin => origin());
refused_is api(POST => '/v1/oauth/sign-in', "username=$ada->{username}&password=$password", @form), 403, 'USER_NOT_ALLOWED', undef, 'without IdentityCookie nobody signs in by the form';
is api(POST => '/v1/oauth/sign-out', '', @form)->status, 200, 'who is not signed in is signed out';
my $kept_token = wait_mail($kept)->{token};
api($_->[0] => "/v1/oauth/activate-user?token=$kept_token", undef, @no_key) for ['GET'], ['HEAD'], ['OPTIONS'];
is rows("SELECT 1 FROM secrets WHERE digest = '@{[digest_of($kept_token)]}' AND ended_at = 0"), 1, 'to look at a page spends no secret';

# ---- POST /v1/oauth/describe-link --------------------------------------------------------------------------------------------------------------

my $described = oauth('describe-link', {token => $kept_token});
answered_is $described, 200, 'what an invitation is about';
shape_is $described, 'link description', 'in its documented form';
is join(' ', map { $described->json->{$_} } qw(kind username adds password_min_length password_sign_in)), "INVITE $kept 0 8 1", 'whom it is for, and that it is new';
is rows("SELECT 1 FROM secrets WHERE digest = '@{[digest_of($kept_token)]}' AND ended_at = 0"), 1, 'asking spends no secret # security 22';
refused_is oauth('describe-link', {}), 400, 'MISSING_FIELD', 'token', 'no token';
for ('x', $kept_token . 'x', $kept_token =~ s/.$/$& eq 'A' ? 'B' : 'A'/er, '') {
    is oauth('describe-link', {token => $_})->text, activate($_, $password)->text, 'a token that is none, in the words of activate-user # security 24';
}

# ---- POST /v1/oauth/activate-user (invite.t has the rest) --------------------------------------------------------------------------------------

for (['too short' => 'Sh0rt'], ['without a digit' => 'Correcthorse'], ['without a capital' => 'correct1horse'], ['that is the name' => $kept],
    ['of 1,025 bytes' => 'A1' . 'x' x 1023], ['with a control character' => "Correct1\tHorse"]) {
    refused_is activate($kept_token, $_->[1]), 400, 'INVALID_FIELD', 'new_password', "a password $_->[0]";
}
refused_is oauth('activate-user', {token => $kept_token}), 400, 'MISSING_FIELD', 'new_password', 'no password';
refused_is oauth('activate-user', {new_password => $password}), 400, 'MISSING_FIELD', 'token', 'no token';
refused_is oauth('activate-user', {token => $kept_token, new_password => $password}, 'X-API-KEY' => key()), 403, 'USER_NOT_ALLOWED', undef, 'with a key';
refused_is oauth('activate-user', {token => $kept_token, new_password => $password}, @{$narrow->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'as somebody else';
for ('x', $kept_token . 'x', $kept_token =~ s/.$/$& eq 'A' ? 'B' : 'A'/er, '') {
    my $answer = activate($_, $password);
    refused_is $answer, 400, 'INVALID_FIELD', 'token', 'a token that is none';
    is $answer->json->{message}, $dead, 'has the text of one that was used';
}
answered_is activate($kept_token, $password), 200, 'none of these has spent it';
is activate($kept_token, $password)->json->{message}, $dead, 'it is spent now';
my $slow_token = wait_mail($slow)->{token};
alter_db("UPDATE secrets SET expires_at = 1 WHERE digest = '@{[digest_of($slow_token)]}'");
my $answer = activate($slow_token, $password);
refused_is $answer, 400, 'INVALID_FIELD', 'token', 'a token that has expired';
is $answer->json->{message}, $expired, 'has a text of its own';

# ---- POST /v1/oauth/request-password-reset, reset-password -----------------------------------------------------------------------------------

my $bob = member('Bob');
my $asked = oauth('request-password-reset', {email => uc $bob->{username}});
is join(' ', $asked->status, length $asked->text, $asked->header('Content-Type') // 'none'), '200 0 none', 'a reset is asked for: 200 and nothing in it';
is seen(oauth('request-password-reset', {email => $_})), seen($asked), "the very same for $_" for address('nobody'), $invited, $inactive->{username}, 'x', '';
refused_is oauth('request-password-reset', {}), 400, 'MISSING_FIELD', 'email', 'no address';
refused_is oauth('request-password-reset', {email => 7}), 400, 'INVALID_FIELD', 'email', 'a number as address';
my $carl = member('Carl');
oauth('request-password-reset', {email => $carl->{username}});
my $reset_mail = wait_mail($bob->{username});
like $reset_mail->{link}, qr{^\Q@{[origin()]}\E/v1/oauth/reset-password#token=}, 'a mail with a link';
my $reset = $reset_mail->{token};
my $older = wait_mail($carl->{username})->{token};
oauth('request-password-reset', {email => $carl->{username}});
is rows("SELECT 1 FROM secrets WHERE digest = '@{[digest_of($reset)]}' AND kind = 'reset'"), 1, 'only the digest of its secret is held';
is login($bob->{username}, $password)->status, 200, 'the password holds until the link is used';

refused_is oauth('reset-password', {token => $reset, new_password => 'short1A'}), 400, 'INVALID_FIELD', 'new_password', 'a weak password';
refused_is oauth('reset-password', {token => $reset}), 400, 'MISSING_FIELD', 'new_password', 'no password';
refused_is oauth('reset-password', {new_password => 'Changed1Horse'}), 400, 'MISSING_FIELD', 'token', 'no token';
refused_is activate($reset, 'Changed1Horse'), 400, 'INVALID_FIELD', 'token', 'it activates nobody';
my $done = oauth('reset-password', {token => $reset, new_password => 'Changed1Horse'});
answered_is $done, 200, 'reset';
like $done->text, qr/^"[^"]+"$/, 'the answer is a JSON string';
is $done->cookie('identity_refresh'), undef, 'nobody is logged in by it';
is login($bob->{username}, $password)->status . login($bob->{username}, 'Changed1Horse')->status, '401200', 'the new password holds, the old one does not';
is me($bob), 401, 'every session has ended';
is oauth('refresh-token', undef, @{$bob->{cookie}})->status, 401, 'and its refresh token';
$answer = oauth('reset-password', {token => $reset, new_password => 'Changed2Horse'});
refused_is $answer, 400, 'INVALID_FIELD', 'token', 'a used link';
is $answer->json->{message}, $dead, 'says so';
is rows("SELECT 1 FROM audit_records WHERE action = 'PASSWORD_RESET' AND target_id = '$bob->{id}'"), 1, 'on record';

my $newer = wait_mail($carl->{username}, 2)->{token};
is oauth('reset-password', {token => $older, new_password => 'Changed3Horse'})->json->{message}, $dead, 'a newer request ends the older link';
alter_db("UPDATE secrets SET expires_at = 1 WHERE digest = '@{[digest_of($newer)]}'");
$answer = oauth('reset-password', {token => $newer, new_password => 'Changed3Horse'});
refused_is $answer, 400, 'INVALID_FIELD', 'token', 'a link that has expired';
is $answer->json->{message}, $expired, 'has a text of its own';
is login($carl->{username}, $password)->status, 200, 'and changes nothing';
is scalar(grep { $_->{link} =~ /reset-password/ } mails($inactive->{username})), 0, 'no link for a new password went to who is inactive';

# ---- POST /v1/oauth/confirm-address -----------------------------------------------------------------------------------------------------------

my $dan = member('Dan');
my $daniel = address('Daniel');
my $moved = api(PATCH => "/v1/users/$dan->{id}", {username => $daniel, current_password => $password}, @no_key, @{$dan->{bearer}});
answered_is $moved, 200, 'A4: a person asks for another address';
is join(' ', map { $moved->json->{$_} } qw(username pending_username)), "$dan->{username} $daniel", 'A4: the old one holds, the new one waits';
my $change = wait_mail($daniel);
like $change->{link}, qr{^\Q@{[origin()]}\E/v1/oauth/confirm-address#token=idc_}, 'A4: the new one gets a link';
like $change->{raw}, qr/^\Q$change->{link}\E\r?\n/m, 'M9: the link is whole on a line of its own';
unlike $change->{raw}, qr/quoted-printable/, 'M9: nothing is encoded';
like wait_notice($dan->{username})->{text}, qr/from \Q$dan->{username}\E to \Q$daniel\E/, 'A4: the old one is told';
is login($dan->{username}, $password)->status . login($daniel, $password)->status, '200401', 'A4: one signs in by the old one';
$described = oauth('describe-link', {token => $change->{token}});
shape_is $described, 'link description', 'what the link is about';
is join(' ', map { $described->json->{$_} } qw(kind username)), "CHANGE $daniel", 'the new address';
refused_is oauth('confirm-address', {}), 400, 'MISSING_FIELD', 'token', 'no token';
refused_is oauth('confirm-address', {token => 'x'}), 400, 'INVALID_FIELD', 'token', 'not a token';
my $confirmed = oauth('confirm-address', {token => $change->{token}});
answered_is $confirmed, 200, 'A4: the mailbox answers';
shape_is $confirmed, 'user', 'the answer is a User';
is $confirmed->json->{username}, $daniel, 'A4: ... of the new name';
is rows("SELECT 1 FROM users WHERE id = '$dan->{id}' AND username = '$daniel' AND verified_at > 0 AND pending_username = ''"), 1, 'A4: ... which is proved';
is login($dan->{username}, $password)->status . login($daniel, $password)->status, '401200', 'A4: one signs in by the new one';
is me($dan), 200, 'the session that asked goes on';
my $again = oauth('confirm-address', {token => $change->{token}});
refused_is $again, 400, 'INVALID_FIELD', 'token', 'a used link';
is $again->json->{message}, $dead, 'says so';
my $by_key = api(PATCH => "/v1/users/$dan->{id}", {password => 'Set1byAdmin'});
answered_is $by_key, 200, 'C3: a key sets a password';
is me($dan) . login($daniel, 'Set1byAdmin')->status, '401200', 'C3: ... which ends all sessions, and is good';
like wait_notice($daniel)->{text}, qr/the password of \Q$daniel\E.*was changed by apik_/s, 'C3: ... and is told';

done_testing;

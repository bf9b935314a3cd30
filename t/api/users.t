# SPDX-License-Identifier: Apache-2.0
# Users over HTTP: list, create, search, get, change, memberships.
# route list_users create_user search_users get_user update_user list_user_memberships add_user_membership
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $password = 'Correct1Horse';
my $account = {id => account_id(), reference => 'default', environment => 'LIVE'};
my ($reference) = db("SELECT entity_id FROM accounts WHERE id = '$account->{id}'");
my $entity_id = $reference->{entity_id};
my @no_key = ('X-API-KEY' => undef);
my @other = ('X-API-KEY' => key('other'));

sub role_named
{
    my ($name) = @_;
    my $found = api(GET => '/v1/roles?include_child_roles=true&name=' . $name =~ s/ /%20/gr);
    return $found->json->{data}[0] // die $found->text;
}

sub audits
{
    my ($id) = @_;
    return join ' ', map { $_->{action} } db("SELECT action FROM audit_records WHERE target_id = '$id' AND action <> 'LOGIN_FAILED' ORDER BY created_at, id");
}

# ---- POST /v1/users ------------------------------------------------------------------------------------------------------------------------

my $name = address('Ada.Lovelace');
my $before = time;
my $made = api(POST => '/v1/users', {username => $name, password => $password, id => 'user_ignored', unknown => [1]});
answered_is $made, 201, 'a user with a password is created';
shape_is $made, 'user', 'the answer is a User';
my $ada = $made->json;
ok abs(seconds_of($ada->{created_at}) - $before) <= 5, 'created now';
is_deeply $ada, {
    object_type => 'USER', id => $ada->{id}, entity_id => $entity_id, created_at => $ada->{created_at}, status => 'ACTIVE', username => $name,
    password => undef, invite_expired => undef, active => JSON::PP::true, account_memberships => [], team_memberships => []}, 'with just that in it';
my ($row) = db("SELECT * FROM users WHERE id = '$ada->{id}'");
is $row->{canonical}, lc $name, 'the name is held in its canonical form too';
like $row->{password_hash}, qr/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[^\$]{22}\$[^\$]{43}$/, 'and the password as an Argon2id hash';
is audits($ada->{id}), 'CREATE', 'one audit record';
is login(uc $name, $password)->status, 200, 'who was created with a password can log in, whatever the case of the name';

my $bob = address('bob');
$made = api(POST => '/v1/users', {username => $bob});
answered_is $made, 201, 'a user without a password is created';
shape_is $made, 'user', 'the answer is a User';
is join(' ', map { $_ // 'null' } @{$made->json}{qw(status invite_expired active)}), 'INVITED 0 0', 'and the person is invited';
my $bob_id = $made->json->{id};
is_deeply [db("SELECT i.state, s.kind, o.recipient FROM invitations i JOIN secrets s ON s.invitation_id = i.id JOIN outbox o ON o.invitation_id = i.id
               WHERE i.user_id = '$bob_id'")], [{state => 'invited', kind => 'invite', recipient => $bob}], 'with invitation, secret and mail';
my $mail = wait_mail($bob);
like $mail->{link}, qr{^\Q@{[origin()]}\E/v1/oauth/activate-user#token=\S+$}, 'the mail comes';
answered_is activate($mail->{token}, $password), 200, 'its link works';

my $idle = api(POST => '/v1/users', {username => address('idle'), password => $password, status => 'INACTIVE'});
is $idle->status . $idle->json->{status}, '201INACTIVE', 'created inactive';
is login($idle->json->{username}, $password)->status, 401, 'who cannot log in';

refused_is api(POST => '/v1/users', {username => $name}, @no_key), 401, 'UNAUTHORISED', undef, 'create without a credential';
refused_is api(POST => '/v1/users', {username => address()}, read_only_key()), 403, 'USER_NOT_ALLOWED', undef, 'create with a key that may view only';
refused_is api(POST => '/v1/users', {username => uc $name, password => $password}), 409, 'RESOURCE_ALREADY_EXISTS', 'username', 'a name that is taken';
refused_is api(POST => '/v1/users', {username => $name, password => $password}, @other), 409, 'RESOURCE_ALREADY_EXISTS', 'username',
    'a name that is taken in another entity';
refused_is api(POST => '/v1/users', {password => $password}), 400, 'MISSING_FIELD', 'username', 'no name';
refused_is api(POST => '/v1/users', {username => 'nobody', password => $password}), 400, 'INVALID_FIELD', 'username', 'no address';
refused_is api(POST => '/v1/users', {username => 7}), 400, 'INVALID_FIELD', 'username', 'a number as name';
refused_is api(POST => '/v1/users', {username => ('a' x 250) . '@example.com', password => $password}), 400, 'INVALID_FIELD', 'username',
    'a name of 262 characters';
for (['short' => 'Sh0rt'], ['without a digit' => 'Correcthorse'], ['without a capital' => 'correct1horse'], ['of 1,025 bytes' => 'A1' . 'a' x 1023]) {
    refused_is api(POST => '/v1/users', {username => address(), password => $_->[1]}), 400, 'INVALID_FIELD', 'password', "a password $_->[0]";
}
refused_is api(POST => '/v1/users', {username => address(), status => 'GONE'}), 400, 'INVALID_FIELD', 'status', 'a status that there is not';
refused_is api(POST => '/v1/users', {username => address(), active => 'yes'}), 400, 'INVALID_FIELD', 'active', 'a text as boolean';
refused_is api(POST => '/v1/users', {username => address(), status => 'ACTIVE'}), 400, 'INVALID_FIELD', 'status', 'active without a password';
is rows("SELECT 1 FROM users WHERE username = 'nobody' OR username LIKE 'aaaaaaaaaaaa%'"), 0, 'nothing of these was kept';

# ---- GET /v1/users/{id} --------------------------------------------------------------------------------------------------------------------

my $got = api(GET => "/v1/users/$ada->{id}");
answered_is $got, 200, 'get';
is_deeply $got->json, $ada, 'get answers what create answered';
is $got->keys_of, join(' ', qw(object_type id entity_id created_at status username password invite_expired active account_memberships team_memberships)),
    'in the documented order';
my $head = api(HEAD => "/v1/users/$ada->{id}");
is join(' ', $head->status, $head->header('Content-Type'), length $head->text), '200 application/json 0', 'HEAD is GET without its body';

my $ada_in = login($name, $password);
my $own = api(GET => "/v1/users/$ada->{id}", undef, bearer_of($ada_in));
is $own->status, 200, 'one may see oneself without any permission';
refused_is api(GET => "/v1/users/$bob_id", undef, bearer_of($ada_in)), 403, 'USER_NOT_ALLOWED', undef, 'but nobody else';
refused_is api(GET => "/v1/users/$ada->{id}", undef, @no_key), 401, 'UNAUTHORISED', undef, 'get without a credential';
refused_is api(GET => '/v1/users/' . unknown_id('user')), 404, 'USER_NOT_FOUND', undef, 'an unknown user';
refused_is api(GET => "/v1/users/$ada->{id}", undef, @other), 404, 'USER_NOT_FOUND', undef, 'a user of another entity';
for my $id ('7', 'user_', 'role_' . substr($ada->{id}, 5), "$ada->{id}x", "$ada->{id}'", 'me.cgi') {
    refused_is api(GET => "/v1/users/$id"), 404, 'USER_NOT_FOUND', undef, "no id: $id";
}

# ---- GET /v1/users -------------------------------------------------------------------------------------------------------------------------

my $paging = entity('paging');
my @key = @{$paging->{key}};
my @people = map { address("p$_") } 1 .. 5;
is api(POST => '/v1/users', {username => $_, $_ eq $people[4] ? () : (password => $password)}, @key)->status, 201, "made $_" for @people;

my $all = api(GET => '/v1/users', undef, @key);
answered_is $all, 200, 'list';
shape_is $all, 'page of user', 'the answer is a page of users';
is join(' ', map { $_->{username} } @{$all->json->{data}}), join(' ', reverse @people), 'newest first, only those of the entity';
is_deeply {%{$all->json}, data => 0}, {
    data => 0, page => 1, limit => 50, total_number_of_pages => 1,
    links => {first => '/v1/users?page=1', previous => undef, current => '/v1/users?page=1', next => undef}}, 'one page of 50 at most';

my (@seen, @pages);
my $next = '/v1/users?limit=2&order_by=username&order_direction=asc';
while ($next && @pages < 9) {
    my $page = api(GET => $next, undef, @key);
    is $page->status, 200, "$next is answered" or last;
    push @pages, $page->json;
    push @seen, map { $_->{username} } @{$page->json->{data}};
    $next = $page->json->{links}{next};
}
is "@seen", join(' ', sort @people), 'following next from page to page meets everybody once, by name';
is join(' ', map { "$_->{page}/$_->{total_number_of_pages}/$_->{limit}" } @pages), '1/3/2 2/3/2 3/3/2', 'three pages';
my $back = api(GET => $pages[2]{links}{previous}, undef, @key);
is_deeply $back->json->{data}, $pages[1]{data}, 'previous leads back';
is_deeply api(GET => '/v1/users?limit=2&page=2&order_by=username&order_direction=asc', undef, @key)->json->{data}, $pages[1]{data},
    'a page is reached by its number too';

sub names { join ' ', map { $_->{username} } @{api(GET => "/v1/users?$_[0]", undef, @key)->json->{data}} }
is names('username=' . uc $people[1]), $people[1], 'by name, whatever its case';
is names('active=false'), $people[4], 'those that are not active';
is names('active=true&order_direction=asc'), "@people[0 .. 3]", 'those that are';
is names('username=p'), '', 'a part of a name is no name';
for (['limit=0' => 'limit'], ['limit=501' => 'limit'], ['limit=1x' => 'limit'], ['page=0' => 'page'], ['page=-1' => 'page'], ['order_by=password' => 'order_by'],
    ['order_direction=up' => 'order_direction'], ['active=maybe' => 'active'], ['cursor=nonsense' => 'cursor']) {
    refused_is api(GET => "/v1/users?$_->[0]"), 400, 'INVALID_FIELD', $_->[1], $_->[0];
}
refused_is api(GET => '/v1/users', undef, @no_key), 401, 'UNAUTHORISED', undef, 'list without a credential';
refused_is api(GET => '/v1/users', undef, bearer_of($ada_in)), 403, 'USER_NOT_ALLOWED', undef, 'list without the permission';
is api(GET => '/v1/users', undef, read_only_key())->status, 200, 'list with a key that may view';
is api(GET => '/v1/users', undef, 'X-API-KEY' => key(), 'x-platform-id' => $account->{id})->status, 200, 'in an account of the entity';
for my $platform ($paging->{account}, unknown_id('plat'), 'nonsense') {
    refused_is api(GET => '/v1/users', undef, 'X-API-KEY' => key(), 'x-platform-id' => $platform), 403, 'USER_NOT_ALLOWED', undef,
        "in the account $platform, which is not the caller's";
}

# ---- GET /v1/users/search, as published ------------------------------------------------------------------------------------------------------

my $host = origin();
my $published = $paging->{key}[1];
my $found = curl(<<"END_OF_COMMAND");
curl $host/v1/users/search \\
     -H "X-API-KEY: $published"
END_OF_COMMAND
answered_is $found, 200, 'search, typed as published';
shape_is $found, '[user]', 'the answer is an array of users';
is join(' ', map { $_->{username} } @{$found->json}), join(' ', sort @people), 'of the whole entity, by name';

sub search { join ' ', map { $_->{username} } @{api(GET => "/v1/users/search?$_[0]", undef, @key, @_[1 .. $#_])->json} }
is search('username=' . uc $people[0]), $people[0], 'by the whole address, whatever its case';
is search('username=P3.'), $people[2], 'by the beginning of an address';
is search('username=p'), join(' ', sort @people), 'by a shorter one';
is search('username=%40EXAMPLE.com'), join(' ', sort @people), 'by the domain';
is search("username=$_"), '', "nobody: $_" for '%40example.co', '%25', 'p_', '_', 'example';
is search('user_type=MORTAL&username=p1.'), $people[0], 'people';
is search('user_type=API'), '', 'keys are no users';
my ($third) = grep { $_->{username} eq $people[2] } @{$found->json};
is search('', resource_id => $third->{id}), $people[2], 'by the header resource_id';
is search('username=p1.', resource_id => $third->{id}), '', 'filters combine by AND';
is search('', resource_id => $ada->{id}), '', 'nobody of another entity';
refused_is api(GET => '/v1/users/search?user_type=ROBOT'), 400, 'INVALID_FIELD', 'user_type', 'a type that there is not';
refused_is api(GET => '/v1/users/search', undef, @no_key), 401, 'UNAUTHORISED', undef, 'search without a credential';
refused_is api(GET => '/v1/users/search', undef, bearer_of($ada_in)), 403, 'USER_NOT_ALLOWED', undef, 'search without the permission';

# ---- PATCH /v1/users/{id} ------------------------------------------------------------------------------------------------------------------

my $same = api(PATCH => "/v1/users/$ada->{id}", $got->json);
answered_is $same, 200, 'what was read may be sent back';
is_deeply $same->json, $ada, 'and changes nothing';
is audits($ada->{id}), 'CREATE', 'which is no change to record';

my $renamed = address('Ada.King');
my @me = bearer_of($ada_in);
refused_is api(PATCH => "/v1/users/$ada->{id}", {username => $renamed}, @me), 400, 'MISSING_FIELD', 'current_password', "one's own name needs the password";
refused_is api(PATCH => "/v1/users/$ada->{id}", {username => $renamed, current_password => 'Wrong1Horse'}, @me), 400, 'INVALID_FIELD', 'current_password',
    'the right one';
my $second = login($name, $password);
my $changed = api(PATCH => "/v1/users/$ada->{id}", {username => $renamed, password => 'Another1Horse', current_password => $password}, @me);
answered_is $changed, 200, 'with it the password is changed, and the name asked for';
is_deeply $changed->json, {%$ada, pending_username => $renamed}, 'A4: the answer has the old name, and the one that waits';
is audits($ada->{id}), 'CREATE PASSWORD_REFUSED UPDATE', 'and there is a record of it, as of the wrong password';
is login($renamed, 'Another1Horse')->status . login($name, 'Another1Horse')->status, '401200', 'A4: the old name signs in, with the new password';
my $confirmed = api(POST => '/v1/oauth/confirm-address', {token => wait_mail($renamed)->{token}}, @no_key);
answered_is $confirmed, 200, 'A4: the new mailbox answers';
is_deeply $confirmed->json, {%$ada, username => $renamed}, 'A4: which changes the name';
is audits($ada->{id}), 'CREATE PASSWORD_REFUSED UPDATE UPDATE', 'A4: and is on record';
is login($name, 'Another1Horse')->status . login($renamed, $password)->status . login($renamed, 'Another1Horse')->status, '401401200',
    'only the new name and password are right';
is api(GET => "/v1/users/$ada->{id}", undef, @me)->status, 200, 'the session that did it lives on';
is api(GET => "/v1/users/$ada->{id}", undef, bearer_of($second))->status, 401, 'all others have ended';
refused_is api(PATCH => "/v1/users/$ada->{id}", {status => 'INACTIVE'}, @me), 403, 'USER_NOT_ALLOWED', 'status', "one's own status needs the permission";
refused_is api(PATCH => "/v1/users/$bob_id", {status => 'INACTIVE'}, @me), 403, 'USER_NOT_ALLOWED', undef, "and so does another's";

is api(PATCH => "/v1/users/$ada->{id}", {password => 'ByAKey1Horse'})->status, 200, 'C3: a key sets a password';
is api(GET => "/v1/users/$ada->{id}", undef, @me)->status, 401, 'C3: which ends every session';
is login($renamed, 'ByAKey1Horse')->status, 200, 'C3: and holds';
my $by_key = address('by-a-key');
is_deeply api(PATCH => "/v1/users/$ada->{id}", {username => $by_key})->json, {%$ada, username => $by_key}, 'C3: and a name, at once';
is api(PATCH => "/v1/users/$ada->{id}", {username => $renamed})->json->{username}, $renamed, 'C3: and that again';
@me = bearer_of(login($renamed, 'ByAKey1Horse'));
my $administrator = member('administrator');
is api(PATCH => "/v1/users/$ada->{id}", {password => 'Given1Horse'}, @{$administrator->{bearer}})->status, 200, 'an administrator does';
is api(GET => "/v1/users/$ada->{id}", undef, @me)->status, 401, 'which ends every session';
$ada_in = login($renamed, 'Given1Horse');
is $ada_in->status, 200, 'and holds';
refused_is api(PATCH => "/v1/users/$ada->{id}", {password => 'short1A'}, @{$administrator->{bearer}}), 400, 'INVALID_FIELD', 'password', 'a weak password';
refused_is api(PATCH => "/v1/users/$ada->{id}", {username => $bob}, @{$administrator->{bearer}}), 409, 'RESOURCE_ALREADY_EXISTS', 'username', 'a name that is taken';
my $plain = member('plain', type => 'USER', roles => ['User Administrator']);
refused_is api(PATCH => "/v1/users/$administrator->{id}", {password => 'Upward1Horse'}, @{$plain->{bearer}}), 403, 'USER_NOT_ALLOWED', undef,
    'nobody takes over whoever holds more';

my $off = api(PATCH => "/v1/users/$ada->{id}", {status => 'INACTIVE'});
is join(' ', $off->status, $off->json->{status}, $off->json->{active}), '200 INACTIVE 0', 'deactivated';
is api(GET => "/v1/users/$ada->{id}", undef, bearer_of($ada_in))->status, 401, 'from the next request on the token is dead';
is api(POST => '/v1/oauth/refresh-token', undef, @no_key, Cookie => $ada_in->cookie('identity_refresh'))->status, 401, 'and the refresh token';
is login($renamed, 'Given1Horse')->status, 401, 'and no new one is had';
my $on = api(PATCH => "/v1/users/$ada->{id}", {active => JSON::PP::true});
is join(' ', $on->status, $on->json->{status}, $on->json->{active}), '200 ACTIVE 1', 'active again, by the older name of the field';
is api(GET => "/v1/users/$ada->{id}", undef, bearer_of($ada_in))->status, 401, 'the old token stays dead';
is login($renamed, 'Given1Horse')->status, 200, 'a new one is had';
my $history = 'CREATE PASSWORD_REFUSED' . ' UPDATE' x 8;
is audits($ada->{id}), $history, 'every change is on record';
is_deeply [db("SELECT SUM(times) AS n FROM audit_records WHERE target_id = '$ada->{id}' AND action = 'LOGIN_FAILED'")], [{n => 2}], 'and every login that failed';

my $invited = api(POST => '/v1/users', {username => address('later')})->json->{id};
refused_is api(PATCH => "/v1/users/$invited", {status => 'ACTIVE'}), 409, 'INVALID_OPERATION', 'status', 'nobody is made active in their absence';
is api(PATCH => "/v1/users/$invited", {status => 'INACTIVE'})->json->{status}, 'INACTIVE', 'but inactive';
is_deeply [db("SELECT state FROM invitations WHERE user_id = '$invited'")], [{state => 'revoked'}], 'which ends the invitation';
refused_is api(PATCH => "/v1/users/$ada->{id}", {status => 'INVITED'}), 409, 'INVALID_OPERATION', 'status', 'nobody is invited by a change of status';
refused_is api(PATCH => "/v1/users/$ada->{id}", {status => 7}), 400, 'INVALID_FIELD', 'status', 'a number as status';
refused_is api(PATCH => "/v1/users/$ada->{id}", {active => 'no'}), 400, 'INVALID_FIELD', 'active', 'a text as boolean';
refused_is api(PATCH => "/v1/users/$ada->{id}", {username => 'nobody'}, @{$administrator->{bearer}}), 400, 'INVALID_FIELD', 'username', 'no address';
refused_is api(PATCH => "/v1/users/$ada->{id}", {active => JSON::PP::false}, @no_key), 401, 'UNAUTHORISED', undef, 'change without a credential';
refused_is api(PATCH => "/v1/users/$ada->{id}", {active => JSON::PP::false}, read_only_key()), 403, 'USER_NOT_ALLOWED', undef, 'change with a key that may view only';
refused_is api(PATCH => "/v1/users/$ada->{id}", {active => JSON::PP::false}, @other), 404, 'USER_NOT_FOUND', undef, 'a user of another entity';
refused_is api(PATCH => '/v1/users/' . unknown_id('user'), {active => JSON::PP::false}), 404, 'USER_NOT_FOUND', undef, 'an unknown user';

# ---- GET and POST /v1/users/{id}/memberships -------------------------------------------------------------------------------------------------

my $none = api(GET => "/v1/users/$ada->{id}/memberships");
answered_is $none, 200, 'memberships';
is $none->text, '[]', 'none yet';
my ($viewer, $writer) = (role_named('Quote Viewer'), role_named('Wallet Contributor'));
my $added = api(POST => "/v1/users/$ada->{id}/memberships", {account_id => $account->{id}, type => 'USER', roles => [{name => 'quote viewer'}, {name => 'Wallet Contributor'}]});
answered_is $added, 201, 'a membership is added';
shape_is $added, '[membership]', 'the answer is the array of all of them';
is_deeply $added->json, [membership_json($added->json->[0]{id}, $account, 'USER', $viewer, $writer)], 'with account and roles in full';
is_deeply api(GET => "/v1/users/$ada->{id}/memberships")->json, $added->json, 'and listed';
is_deeply api(GET => "/v1/users/$ada->{id}")->json->{account_memberships}, $added->json, 'and shown with the user';
is audits($ada->{id}), "$history ADD_MEMBERSHIP", 'and on record';
refused_is api(POST => "/v1/users/$ada->{id}/memberships", {account_id => $account->{id}, type => 'ADMIN'}), 409, 'RESOURCE_ALREADY_EXISTS', 'account_id',
    'a second one in the same account';
my $by_id = api(POST => "/v1/users/$bob_id/memberships", {account_id => $account->{id}, type => 'PARTNER', role_ids => [$viewer->{id}], roles => [{id => $viewer->{id}}]});
is_deeply $by_id->json, [membership_json($by_id->json->[0]{id}, $account, 'PARTNER', $viewer)], 'by role_ids, and roles that agree';

my $carol = api(POST => '/v1/users', {username => address('carol'), password => $password})->json->{id};
for (
    [{type => 'USER'}, 'MISSING_FIELD', 'account_id'],
    [{}, 'MISSING_FIELD', 'account_id'],
    [{account_id => $account->{id}}, 'MISSING_FIELD', 'type'],
    [{account_id => $account->{id}, type => 'OWNER'}, 'INVALID_FIELD', 'type'],
    [{account_id => unknown_id('plat'), type => 'USER'}, 'INVALID_FIELD', 'account_id'],
    [{account_id => $paging->{account}, type => 'USER'}, 'INVALID_FIELD', 'account_id'],
    [{account_id => $account->{id}, type => 'USER', roles => [{name => 'Quote Viewer'}, {name => 'Nobody'}]}, 'INVALID_FIELD', 'roles.1.name'],
    [{account_id => $account->{id}, type => 'USER', role_ids => [unknown_id('role')]}, 'INVALID_FIELD', 'role_ids.0'],
    [{account_id => $account->{id}, type => 'USER', roles => {name => 'Quote Viewer'}}, 'INVALID_FIELD', 'roles'],
    [{account_id => $account->{id}, type => 'USER', role_ids => [$viewer->{id}], roles => [{name => 'Wallet Contributor'}]}, 'INVALID_FIELD', 'roles']) {
    my ($body, $code, $field) = @$_;
    refused_is api(POST => "/v1/users/$carol/memberships", $body), 400, $code, $field, join ' ', map { $_ . ' ' . (ref $body->{$_} ? '...' : $body->{$_}) } sort keys %$body;
}
refused_is api(POST => "/v1/users/$carol/memberships", {account_id => $account->{id}, type => 'ADMIN'}, @{$plain->{bearer}}), 403, 'USER_NOT_ALLOWED', undef,
    'nobody gives what they do not hold';
refused_is api(POST => "/v1/users/$carol/memberships", {account_id => $account->{id}, type => 'USER'}, @no_key), 401, 'UNAUTHORISED', undef, 'add without a credential';
refused_is api(POST => "/v1/users/$carol/memberships", {account_id => $account->{id}, type => 'USER'}, read_only_key()), 403, 'USER_NOT_ALLOWED', undef,
    'add with a key that may view only';
refused_is api(POST => "/v1/users/$carol/memberships", {account_id => $account->{id}, type => 'USER'}, @other), 404, 'USER_NOT_FOUND', undef, 'to a user of another entity';
is rows("SELECT 1 FROM memberships WHERE user_id = '$carol'"), 0, 'nothing of these was kept';
refused_is api(GET => "/v1/users/$ada->{id}/memberships", undef, @no_key), 401, 'UNAUTHORISED', undef, 'list without a credential';
refused_is api(GET => "/v1/users/$ada->{id}/memberships", undef, @{member('nothing', type => 'USER')->{bearer}}), 403, 'USER_NOT_ALLOWED', undef,
    'list without the permission';
refused_is api(GET => "/v1/users/$ada->{id}/memberships", undef, @other), 404, 'USER_NOT_FOUND', undef, 'of a user of another entity';

# ---- the last administrator ------------------------------------------------------------------------------------------------------------------

my $lone = entity('lone');
my ($first, $next_one) = map { member($_, entity => $lone) } 'first', 'next';
is api(PATCH => "/v1/users/$next_one->{id}", {status => 'INACTIVE'}, @{$lone->{key}})->status, 200, 'of two administrators of an account one may go';
refused_is api(PATCH => "/v1/users/$first->{id}", {status => 'INACTIVE'}, @{$lone->{key}}), 409, 'INVALID_OPERATION', undef, 'the last one stays';
is login($first->{username}, $password)->status, 200, 'and is active still';

done_testing;

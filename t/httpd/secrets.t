# SPDX-License-Identifier: Apache-2.0
# No secret in any log at any level, none in the clear in the database. (security 20, 53, 84)
# run on: event asan
use strict;
use warnings FATAL => 'all';
use Digest::SHA ();
use File::Find ();
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

# The database is taken away on purpose.
expect_in_log('ID0531: ');

my $escrow = unpack('H*', substr(Digest::SHA::sha256("escrow $$ " . time), 0, 32));
my $escrow_file = "$ENV{IDENTITY_TOP}/t/servers/escrow-secrets.$$";
{
    my $mask = umask 077;
    open my $out, '>', $escrow_file or die "$escrow_file: $!";
    print {$out} "$escrow\n";
    close $out or die $!;
    umask $mask;
}
my $server = IdentityTest::Server->new(directives => "LogLevel warn identity:trace8\nIdentityDatabaseWait 1s\nIdentityKeyEscrow $escrow_file
<Location /v1/oauth>
    IdentityCookie On
</Location>
<Location /protected>
    AuthType Identity
    AuthName protected
    Require valid-user
    IdentityCookie On
    IdentityBasicKeys On
    IdentityForwardHeaders On
</Location>
<Location /by-password>
    AuthType Basic
    AuthName protected
    AuthBasicProvider identity
    Require valid-user
</Location>
");
my $state = $server->state_folder;
my @no_key = ('X-API-KEY' => undef);
my %secrets;

sub slurp
{
    my ($path) = @_;
    open my $in, '<:raw', $path or die "$path: $!";
    local $/;
    return <$in> // '';
}

# Remembers a text that must be found nowhere; returns it.
sub canary
{
    my ($name, $text) = @_;
    die "no secret of that name: $name" unless defined $text && length $text >= 8;
    $secrets{$name} = $text;
    return $text;
}

my $made = 0;
sub password { canary('password ' . ++$made . ": $_[0]", "Canary$made-Aq9" . substr(Digest::SHA::sha1_hex("$$ $made $_[0]"), 0, 16)) }

sub call { my ($method, $path, $body, @headers) = @_; return $server->api($method, $path, $body, @headers) }
sub oauth { my ($call, $body, @headers) = @_; return call(POST => "/v1/oauth/$call", $body, @no_key, @headers) }
sub token_of { my ($name, $answer) = @_; canary("$name: refresh token", $answer->cookie('identity_refresh') =~ s/^identity_refresh=//r); return canary("$name: access token", $answer->json->{access_token}) }

# ---- everything that a secret goes through -----------------------------------------------------------------------------------------------------

canary('administrator key', $server->key);
canary("other entity's key", $server->key('other'));
my %person = map { $_ => $server->address($_) } qw(ada bob);
for my $name (sort keys %person) {
    is $server->invite($person{$name})->status, 200, "$name is invited";
}
my $ada_password = password('of ada');
my %invitation = map { $_ => canary("invitation of $_", $server->wait_mail($person{$_})->{token}) } sort keys %person;
is $server->activate($invitation{ada}, password('too short') =~ s/.*/Sh0rt/r)->status, 400, 'a weak password';
is $server->activate($invitation{ada}, lc password('without a capital'))->status, 400, 'another';
is $server->activate($invitation{ada}, 'A1' . password('too long') x 60)->status, 400, 'a long one';
my $ada = $server->activate($invitation{ada}, $ada_password);
is $ada->status, 200, 'activated';
is $server->activate($invitation{ada}, password('for a used link'))->status, 400, 'twice';
is $server->activate(canary('invented invitation', 'idi_' . 'Zq7' x 16), password('for an invented link'))->status, 400, 'by an invented link';
is oauth('activate-user', {token => $invitation{bob}, new_password => password('with a key')}, 'X-API-KEY' => $server->key)->status, 403, 'with a key';

is $server->login($person{ada}, password('wrong'))->status, 401, 'a wrong password';
is $server->login($server->address('nobody'), password('of nobody'))->status, 401, 'of nobody';
is $server->login(password('as a name'), password('with a password as name'))->status, 401, 'a password typed as name';
my $in = $server->login($person{ada}, $ada_password);
my $token = token_of('login', $in);
my @bearer = (Authorization => "Bearer $token");
is call(GET => '/v1/users', undef, @bearer)->status, 200, 'the token opens';
is call(GET => '/v1/users', undef, Authorization => 'Bearer ' . canary('broken token', substr($token, 0, -10) . 'AAAAAAAAAA'))->status, 401, 'a broken one does not';
is call(GET => '/v1/users', undef, Authorization => 'Basic ' . canary('basic', encode_base64('ada:' . password('basic'), '')))->status, 401, 'nor Basic';
is call(GET => '/v1/users', undef, @bearer, 'X-API-KEY' => $server->key)->status, 400, 'nor two credentials';
# Other content: 404 is who was let in, since nothing is there.
my $access = canary('access cookie', $in->cookie('identity_access') =~ s/^.*\.//r);
sub place { my ($where, @headers) = @_; return $server->http->request(GET => $server->origin . $where, {headers => {@headers}})->{status} }
sub basic { my ($name, $text) = @_; return (Authorization => 'Basic ' . canary("$name by basic", encode_base64($text, ''))) }
is place('/protected', @bearer), 404, 'a token at other content';
is place('/protected', Cookie => $in->cookie('identity_access')), 404, 'the access cookie';
is place('/protected', Cookie => 'identity_access=sess_' . '0' x 20 . '.' . canary('false access cookie', 'Rr7' x 14 . 'A')), 401, 'a false one';
is place('/protected', basic('a key', 'git:' . $server->key)), 404, 'a key as a password';
is place('/protected', basic('no key', 'git:' . password('in place of a key'))), 401, 'a password in its place';
is place('/by-password', basic('ada', "$person{ada}:$ada_password")), 404, 'user name and password';
is place('/by-password', basic('ada again', "$person{ada}:$ada_password")), 404, 'remembered';
is place('/by-password', basic('not ada', "$person{ada}:" . password('wrong at other content'))), 401, 'a wrong one';
my $renewed = oauth('refresh-token', undef, Cookie => $in->cookie('identity_refresh'));
token_of('refresh', $renewed);
is oauth('refresh-token', undef, Cookie => 'identity_refresh=' . canary('invented refresh token', 'idr_' . 'Yx4' x 16 . 'A'))->status, 401, 'an invented refresh token';
is oauth(token => $_->[1], @{$_->[2] // []})->status, $_->[0], 'a login of the wrong form' for (
    [400, '{"username":"a@example.com","password":"' . password('in broken JSON') . '"'],
    [400, '{"password":"' . password('once') . '","password":"' . password('twice') . '"}'],
    [400, {username => $person{ada}, password => [password('in a list')]}],
    [400, {username => $person{ada}, password => password('much too long') x 60}],
    [400, {username => {x => password('in an object')}, password => 'x'}],
    [400, '{"username":"a@example.com","password":"' . password('with NUL') . '\u0000"}'],
    [415, 'grant_type=password&username=a&password=' . password('in a form of another type'), ['Content-Type' => 'text/plain']],
    [413, {password => password('in a large body') x 5000}]);

my (undef, $alias) = $server->tool('alias', 'add', $person{ada});
chomp $alias;
canary('alias', $alias);
token_of('alias', oauth(token => {token_alias => $alias}));
is oauth(token => {token_alias => canary('invented alias', 'ida_' . 'Vw2' x 16 . 'A')})->status, 401, 'an invented alias';
is oauth(token => {token_alias => $alias, password => password('beside an alias')})->status, 400, 'an alias and a password';

canary('sealing key', $escrow);
my $made_key = call(POST => '/v1/api-keys', {description => 'canary'})->json;
my $key = canary('new key', $made_key->{api_key});
is call(GET => "/v1/api-keys/$made_key->{id}/decrypt")->json->{api_key}, $key, 'it is kept, and shown';
is call(PATCH => "/v1/api-keys/$made_key->{id}", {description => 'changed'})->status, 200, 'it is changed';
canary('sealed key', ($server->db("SELECT sealed FROM api_keys WHERE id = '$made_key->{id}'"))[0]{sealed});
is call(GET => '/v1/users', undef, 'X-API-KEY' => $key)->status, 200, 'a new key opens';
is call(GET => '/v1/users', undef, Authorization => "ApiKey $key")->status, 200, 'both ways';
is call(GET => '/v1/users', undef, 'X-API-KEY' => canary('broken key', substr($key, 0, -12) . 'AAAAAAAAAAAA'))->status, 401, 'a broken one does not';
is call(GET => '/v1/users', undef, 'X-API-KEY' => canary('nonsense', 'nonsense-' . 'Tt5' x 12))->status, 401, 'nor nonsense';

my @form = ('Content-Type' => 'application/x-www-form-urlencoded');
my $key_id = 'apik_' . substr $key, 4, 20;
sub form { my ($call, $body, @headers) = @_; return oauth($call, $body, @form, @headers) }
my $formed = form(token => "grant_type=password&username=$person{ada}&password=$ada_password");
is $formed->status, 200, 'a login by a form';
my $form_token = canary('access token of a form', $formed->json->{access_token});
my $form_refresh = canary('refresh token of a form', $formed->json->{refresh_token});
my $client = form(token => "grant_type=client_credentials&client_id=$key_id&client_secret=$key");
is $client->status, 200, 'a key in a form';
canary('access token of a key', $client->json->{access_token});
is form(token => $_->[1], @{$_->[2] // []})->status, $_->[0], 'a form of the wrong kind' for (
    [400, 'grant_type=password&username=a&password=' . password('in a form')],
    [400, 'grant_type=password&username=a&password=' . password('once in a form') . '&password=' . password('twice in a form')],
    [400, 'grant_type=password&username=a&password=%ff' . password('badly encoded')],
    [400, 'grant_type=' . password('as a grant')],
    [400, 'grant_type=password&username=a&password=x&scope=' . password('as a scope')],
    [400, 'grant_type=refresh_token&refresh_token=' . canary('invented refresh token of a form', 'idr_' . 'Wb6' x 16 . 'A')],
    [401, "grant_type=client_credentials&client_id=$key_id&client_secret=" . canary('broken key in a form', substr($key, 0, -12) . 'BBBBBBBBBBBB')],
    [401, 'grant_type=client_credentials', [Authorization => 'Basic ' . canary('client by basic', encode_base64("$key_id:" . password('of a client'), ''))]]);
my $form_renewed = form(token => "grant_type=refresh_token&refresh_token=$form_refresh");
canary('refresh token of a form, renewed', $form_renewed->json->{refresh_token});
is form(introspect => "token=$form_token", 'X-API-KEY' => $key)->status, 200, 'a token is asked about';
is form(introspect => 'token=' . canary('token that is none', 'nonsense-' . 'Ss8' x 12), Authorization => 'Basic ' . canary('right client by basic', encode_base64("$key_id:$key", '')))->status, 200, 'and one that is none';
is form(revoke => "token=$form_token")->status, 200, 'and ended';

my $path = '/v1/users/' . $ada->json->{id};
my $ada_next = password('ada, changed');
is call(PATCH => $path, {password => $ada_next, current_password => password('not the current one')}, @bearer)->status, 400, 'the wrong current password';
is call(PATCH => $path, {password => $ada_next, current_password => $ada_password}, @bearer)->status, 200, 'the right one';
is call(PATCH => $path, {password => password('by a key')})->status, 200, 'by a key';
is call(POST => '/v1/users', {username => $server->address('carol'), password => password('of carol')})->status, 201, 'a user with a password';
is call(POST => '/v1/users', {username => $person{ada}, password => password('for a taken name')})->status, 409, 'of a name that is taken';

is oauth('request-password-reset', {email => $person{ada}})->status, 200, 'a reset';
my $reset = canary('reset', $server->wait_mail($person{ada}, 2)->{token});
is oauth('reset-password', {token => $reset, new_password => 'short1A'})->status, 400, 'a weak password';
is oauth('reset-password', {token => $reset, new_password => password('after a reset')})->status, 200, 'a good one';
is oauth('reset-password', {token => $reset, new_password => password('after a used reset')})->status, 400, 'twice';
token_of('after reset', $server->login($person{ada}, (grep { /after a reset/ } map { "$_=$secrets{$_}" } keys %secrets)[0] =~ s/.*=//r));

# The database fails in the middle: what its driver says of that must not hold the row.
my $lock = hold_lock("$state/identity.db");
my ($login_locked, $bob_locked) = (password('while locked'), password('of bob, while locked'));
my @locked = (
    sub { $server->login($person{ada}, $login_locked) }, sub { $server->activate($invitation{bob}, $bob_locked) }, sub { call(POST => '/v1/api-keys', {}) });
is join(' ', together(scalar @locked, sub { $locked[$_[0]]->()->status })), '503 503 503', 'login, activation, key while the database is locked';
let_go($lock);
is $server->activate($invitation{bob}, password('of bob'))->status, 200, 'unlocked';
token_of('bob', $server->login($person{bob}, (grep { /: of bob=/ } map { "$_=$secrets{$_}" } keys %secrets)[0] =~ s/.*=//r));
is oauth(logout => undef, @bearer)->status, 401, 'the session ended with the password';

canary('signing key', (slurp("$state/identity-signing-key.pem") =~ /-----\n(\S+)\n/)[0]);
canary("hash of $_->{username}", $_->{password_hash} =~ s/.*\$//r) for $server->db('SELECT username, password_hash FROM users WHERE password_hash IS NOT NULL');

# ---- looked for ------------------------------------------------------------------------------------------------------------------------------

my @logs;
$server->stop;
File::Find::find({no_chdir => 1, wanted => sub { push @logs, $_ if -f }}, "$server->{root}/logs");
my %log = map { $_ => slurp($_) } @logs;
my $error_log = $server->error_log;
my @lines = split /\n/, $error_log;
cmp_ok scalar(grep { m{/error_log$|/access_log$} } @logs), '==', 2, 'both logs are read';
cmp_ok scalar @lines, '>', 5, 'the error log is not empty';
like $error_log, qr/identity:(?:debug|trace)/, 'it goes down to the levels of a developer';

# Each as it is, encoded, and what is derived from it.
sub faces
{
    my ($text) = @_;
    my @faces = ($text, encode_base64($text, ''), encode_base64url($text), unpack('H*', $text));
    for my $digest (Digest::SHA::sha256($text), Digest::SHA::sha1($text)) {
        push @faces, unpack('H*', $digest), uc unpack('H*', $digest), encode_base64($digest, ''), encode_base64url($digest);
    }
    return @faces;
}

my $all = join "\n", values %log;
my @found;
for my $name (sort keys %secrets) {
    my @faces = faces($secrets{$name});
    push @found, $name if grep { index($all, $_) >= 0 } @faces;
    # Half of it would be too much as well.
    push @found, "$name (a part)" if length $secrets{$name} >= 24 && index($all, substr $secrets{$name}, -16) >= 0;
}
is join("\n", @found), '', scalar(keys %secrets) . ' secrets, their digests and encodings are in no log';
ok index($all, '/v1/oauth/token') > 0 && index($all, $ada->json->{id}) > 0, 'though the search finds what is there';

# The database and what lies beside it hold digests, hashes and sealed texts.
my $held = '';
File::Find::find({no_chdir => 1, wanted => sub { $held .= slurp($_) if -f && !m{/(?:mail/|[a-z]+-api-key$|identity-signing-key\.pem$)} }}, $state);
is join("\n", grep { !/^(?:hash of|sealed) / && index($held, $secrets{$_}) >= 0 } sort keys %secrets), '', 'none of them stands in the database';
ok index($held, digest_of($key)) >= 0, 'but the digest of a key does';
is sprintf('%o', (stat "$state/identity.db")[2] & 07777), '600', 'which only its owner can read';

done_testing;

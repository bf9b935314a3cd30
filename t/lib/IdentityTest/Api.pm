# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Api;
# What the files of t/api share, on top of IdentityTest:
#
#     shape_is $answer, 'user', 'the answer is a User';          every member in its documented order and of its documented form, inside it too
#     answered_is $answer, 201, 'created';                       status and the headers that every JSON answer carries
#     refused_is $answer, 409, INVALID_OPERATION => 'username';  the whole error object; undef where no field is at fault
#     my $answer = curl(<<"COMMAND");                            a command line as published, run by a shell
#     my $entity = entity('paging');                             an entity of its own: id, account, key (header and value)
#     is heard(401, sub { ... })->status, 401, '...';              the answer, asked for until it has this status: what htidentity writes is heard of a second later
#     my $person = member('ada', type => 'USER');                like person() of IdentityTest, but made by an administrator: no mail to wait for
use strict;
use warnings FATAL => 'all';
use Time::HiRes qw(sleep);
use Digest::SHA ();
use Exporter 'import';
use IO::Handle ();
use JSON::PP ();
use Test::More ();
use IdentityTest;
use IdentityTest::Response;

our @EXPORT = qw(shape_is answered_is refused_is make_key read_only_key curl entity member bearer_of digest_of rows alter_db alter_rights hold_lock let_go unknown_id membership_json seconds_of heard);

my $json = JSON::PP->new->utf8->allow_nonref;

# ---- shapes --------------------------------------------------------------------------------------------------------------------------------

# Objects of conf/interface.md: members in order, each with its form. A form is one of $forms, id:PREFIX, one:A,B,C, a shape, or either as a list
# ([...]); `?` allows null, `-` in front that the member
# is left out.
my %shapes = (
    user => [
        object_type => 'one:USER', id => 'id:user', entity_id => 'id:enti', created_at => 'time', status => 'one:INVITED,INVITE_REVOKED,ACTIVE,INACTIVE',
        username => 'text', password => 'null', invite_expired => 'boolean?', active => 'boolean', account_memberships => '[membership]',
        team_memberships => '[team_member]', login => '-text'],
    membership => [
        object_type => 'one:MEMBERSHIP', id => 'id:memb', account_id => 'id:plat', account => 'account', type => 'one:ADMIN,USER,PARTNER',
        role_ids => '[id:role]', account_reference => 'text', environment => 'one:LIVE,TEST', roles => '[embedded_role]'],
    account => [
        id => 'id:plat', reference => 'text', account_type_code => 'text?', environment => 'one:LIVE,TEST', account_group_id => '-text',
        parent_id => 'id:plat?', platform_id => 'id:plat'],
    team_member => [team_id => 'id:team', start_at => 'time', end_at => 'time?', account_memberships => '[membership]'],
    team => [id => 'id:team', entity_id => 'id:enti', name => 'text', account_memberships => '[membership]'],
    'teams of a user' => [data => '[team_member]'],
    role => [
        object_type => 'one:ROLE', id => 'id:role', name => 'text', description => 'text', entity_id => 'id:enti?', child_role_ids => '[id:role]',
        child_roles => '[role]', slug => 'slug', permissions => '[permission]'],
    # As memberships have it: the seven documented members and no more (C2).
    embedded_role => [
        object_type => 'one:ROLE', id => 'id:role', name => 'text', description => 'text', entity_id => 'id:enti?', child_role_ids => '[id:role]',
        child_roles => '[embedded_role]'],
    api_key => [
        object_type => 'one:API_KEY', id => 'id:apik', api_key => 'text', entity_id => 'id:enti', created_at => 'time', status => 'one:ACTIVE,INACTIVE',
        description => 'text?', role_type => 'one:ADMINISTRATOR,READ_ONLY', active => 'boolean', account_memberships => '[membership_of_key]',
        team_memberships => '[team_member]', expires_at => 'time?', last_used_at => 'time?', permissions => '[permission]', created_by => 'text?'],
    token => [
        issued_at => 'time', access_token => 'text', expires_in => 'number', expires_at => 'time', token_type => 'one:Bearer', scope => 'text?',
        id_token => 'text?'],
    'link description' => [
        kind => 'one:INVITE,RESET,CHANGE', username => 'text', adds => 'boolean', expires_at => 'time', password_min_length => 'number', password_sign_in => 'boolean'],
    provider => [
        id => 'id:auth', entity_id => 'id:enti', type => 'one:DEFAULT,SSO', name => 'text', status => 'one:ENABLED,DISABLED', sso => '-sso'],
    sso => [
        variant => 'one:GOOGLE,OKTA,MICROSOFT,OIDC', allowed_domains => '[text]', okta => '-connection', microsoft => '-connection', issuer => 'text?',
        client_id => 'text?'],
    connection => [connection => 'text'],
    audit_record => [
        object_type => 'one:AUDIT_RECORD', id => 'id:audi', user_id => 'text?', target_entity_id => 'id:enti', target_platform_id => 'id:plat?',
        target_resource_type => 'type', target_id => 'text?', target_environment => 'one:LIVE,TEST?', action => 'type', created_at => 'time',
        message => 'text', reference => 'id:reqr?', idempotency_key => 'text?', actor_name => 'text?', target_name => 'text?', client_address => 'text?',
        user_agent => 'text?', changes => '[audit_change]'],
    audit_change => [field => 'text', from => 'any', to => 'any'],
    invite => [username => 'text', entity_id => 'id:enti', account_memberships => '[membership]', team_memberships => '[team_member]'],
    session => [
        object_type => 'one:SESSION', id => 'id:sess', user_id => 'id:user', created_at => 'time', authenticated_at => 'time', idle_expires_at => 'time',
        expires_at => 'time', method => 'text', client_address => 'text', user_agent => 'text', current => 'boolean'],
    sessions => [data => '[session]'],
    links => [first => 'link', previous => 'link?', current => 'link', next => 'link?'],
);
# No row stands behind it: what a key may do follows from its type.
$shapes{membership_of_key} = [@{$shapes{membership}}];
$shapes{membership_of_key}[3] = 'null';
for my $item (qw(user role api_key provider audit_record)) {
    $shapes{"page of $item"} = [data => "[$item]", links => 'links', page => 'number', limit => 'number', total_number_of_pages => 'number?'];
}

my $forms = {
    any => qr/^/, text => qr/^".*"$/s, number => qr/^\d+$/, boolean => qr/^(?:true|false)$/, null => qr/^null$/, slug => qr/^"[a-z0-9-]+"$/,
    time => qr/^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"$/, permission => qr/^"[A-Z][A-Z0-9_]*(?:\.[A-Z][A-Z0-9_]*)+"$/,
    type => qr/^"[A-Z][A-Z_]*"$/,
    link => qr{^"/v1/[a-z/-]+\?[^"]+"$},
};

# What is wrong with the value at `where`; '' where nothing is.
sub fault
{
    my ($form, $value, $ordered, $where) = @_;
    if ($form =~ /^\[(.*)\]$/) {
        my $of = $1;
        return "$where is no list" unless ref $value eq 'ARRAY';
        return join '', map { fault($of, $value->[$_], $ordered->[$_], "$where\[$_]") } 0 .. $#$value;
    }
    my $optional = $form =~ s/\?$//;
    return '' if $optional && !defined $value;
    if (my $shape = $shapes{$form}) {
        return "$where is no object" unless ref $value eq 'HASH';
        my %forms = @$shape;
        my @names = map { 2 * $_ } 0 .. $#$shape / 2;
        @names = grep { $forms{$_} !~ s/^-// || exists $value->{$_} } @$shape[@names];
        return "$where has @{$ordered->{keys}}, not @names" unless "@{$ordered->{keys}}" eq "@names";
        return join '', map { fault($forms{$names[$_]}, $value->{$names[$_]}, $ordered->{values}[$_], "$where.$names[$_]") } 0 .. $#names;
    }
    my $text = $json->encode($value);
    my $pattern = $forms->{$form};
    $pattern = qr/^"$1_[0-9A-Za-z]{20}"$/ if $form =~ /^id:(.*)/;
    if ($form =~ /^one:(.*)/) {
        my $names = $1 =~ s/,/|/gr;
        $pattern = qr/^"(?:$names)"$/;
    }
    die "there is no form $form\n" unless $pattern;
    return $text =~ $pattern ? '' : "$where is $text, not of the form $form; ";
}

sub shape_is
{
    my ($answer, $form, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $text = $answer->text;
    my $fault = defined $answer->json ? fault($form, $answer->json, IdentityTest::Response::ordered(\$text), 'the answer') : 'the answer is no JSON';
    return Test::More::is($fault, '', $name) || Test::More::diag($text);
}

# ---- answers -------------------------------------------------------------------------------------------------------------------------------

sub common
{
    my ($answer) = @_;
    return join ', ', map { $_->[0] . ': ' . (ref $_->[1] ? join(' and ', @{$_->[1]}) : $_->[1] // 'none') } (
        [status => $answer->status],
        map { [$_ => $answer->header($_)] } qw(Content-Type Cache-Control X-Content-Type-Options)),
        ['X-REQUEST-ID' => (($answer->header('X-REQUEST-ID') // 'none') =~ s/^reqr_[0-9A-Za-z]{20}$/reqr_/r)];
}

sub answered_is
{
    my ($answer, $status, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::is(common($answer),
        "status: $status, Content-Type: application/json, Cache-Control: no-store, X-Content-Type-Options: nosniff, X-REQUEST-ID: reqr_", $name)
        || Test::More::diag($answer->text);
}

# The flat error object (conf/interface.md): its members in order, its code and field, and headers that belong to the status.
sub refused_is
{
    my ($answer, $status, $code, $field, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = ref $answer->json eq 'HASH' ? $answer->json : {};
    my $message = $got->{message} // '';
    my %want = (type => $status >= 500 ? 'API_ERROR' : 'INVALID_REQUEST', code => $code, message => $message, fields => {});
    my @order = qw(type code message fields);
    if (defined $field) {
        @want{qw(field fields)} = ($field, {$field => $message});
        splice @order, 3, 0, 'field';
    }
    # What is not there is named where the path asked for it.
    if ($status == 404 && defined $got->{resource_id}) {
        @want{qw(resource_id resource_type)} = ($got->{resource_id}, ($got->{resource_type} // '') =~ /^([A-Z_]+)$/);
        splice @order, -1, 0, qw(resource_id resource_type);
    }
    my %headers = (401 => 'WWW-Authenticate', 405 => 'Allow', 429 => 'Retry-After', 503 => 'Retry-After');
    my @faults;
    push @faults, common($answer) unless common($answer) =~ m{^status: $status, Content-Type: application/json, .* reqr_$};
    push @faults, 'not the object that was expected' unless $json->canonical->encode($got) eq $json->canonical->encode(\%want);
    push @faults, "members: @{[eval { $answer->keys_of }]}" unless (eval { $answer->keys_of } // '') eq "@order";
    push @faults, "the message is no sentence: $message" unless $message =~ /^\S.*[.]$/ && $message !~ /\n/;
    push @faults, "$headers{$status} is missing" if $headers{$status} && !defined $answer->header($headers{$status});
    return Test::More::is(join('; ', @faults), '', ($name // '') . " ($status $code" . (defined $field ? " $field)" : ')'))
        || Test::More::diag($answer->text);
}

# ---- callers -------------------------------------------------------------------------------------------------------------------------------

sub make_key
{
    my (%body) = @_;
    my $answer = api(POST => '/v1/api-keys', \%body);
    die $answer->text unless $answer->status == 201;
    return ('X-API-KEY' => $answer->json->{api_key});
}

my @read_only;

# The header of a key that may view and nothing else.
sub read_only_key
{
    @read_only = make_key(role_type => 'READ_ONLY', description => 'views only') unless @read_only;
    return @read_only;
}

sub bearer_of
{
    my ($login) = @_;
    return (Authorization => 'Bearer ' . $login->json->{access_token});
}

my $entities = 0;

# Made by the command line while the server runs.
sub entity
{
    my ($name) = @_;
    my $reference = sprintf '%s-%d-%d', $name, $$, ++$entities;
    my $run = sub {
        my ($status, $out, $error) = tool(@_);
        die "htidentity @_: $out$error" if $status;
        return $out;
    };
    my $made = $json->decode($run->('--json', 'entity', 'add', $reference));
    my $account = $json->decode($run->('--json', '--entity', $reference, 'account', 'add', $reference, '--environment', 'TEST'));
    chomp(my $key = $run->('--entity', $reference, 'key', 'add'));
    return {id => $made->{id}, reference => $reference, account => $account->{id}, key => ['X-API-KEY' => $key]};
}

# type (default ADMIN), roles (names), role_ids, password; entity: one of entity() instead of the server's first.
sub member
{
    my ($name, %given) = @_;
    my @key = $given{entity} ? @{$given{entity}{key}} : ('X-API-KEY' => key());
    my ($username, $password) = (address($name), $given{password} // 'Correct1Horse');
    my $made = api(POST => '/v1/users', {username => $username, password => $password}, @key);
    die 'create: ', $made->text unless $made->status == 201;
    my %membership = (account_id => $given{entity} ? $given{entity}{account} : account_id(), type => $given{type} // 'ADMIN');
    $membership{roles} = [map { {name => $_} } @{$given{roles}}] if $given{roles};
    $membership{role_ids} = $given{role_ids} if $given{role_ids};
    my $joined = api(POST => '/v1/users/' . $made->json->{id} . '/memberships', \%membership, @key);
    die 'membership: ', $joined->text unless $joined->status == 201;
    my $in = login($username, $password);
    die 'login: ', $in->text unless $in->status == 200;
    return {
        username => $username, password => $password, id => $made->json->{id}, token => $in->json->{access_token}, bearer => [bearer_of($in)],
        cookie => [Cookie => $in->cookie('identity_refresh')]};
}

# ---- others --------------------------------------------------------------------------------------------------------------------------------

# Runs a command line of curl as it is printed in the documentation; only how the answer is shown is added.
sub curl
{
    my ($command) = @_;
    chomp $command;
    open my $out, '-|', 'sh', '-c', "$command -sS -i" or die "sh: $!";
    binmode $out;
    my $text = do { local $/; <$out> } // '';
    close $out or die "curl: status $?\n$command\n$text";
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($line, @lines) = split /\r\n/, $head;
    my %headers;
    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/ or die "no header: $_\n";
        $headers{lc $name} = exists $headers{lc $name} ? [ref $headers{lc $name} ? @{$headers{lc $name}} : $headers{lc $name}, $value] : $value;
    }
    my ($status) = $line =~ m{^HTTP/1\.1 (\d+)} or die "no status: $line\n";
    my ($method) = $command =~ /-X (\w+)/;
    my ($target) = $command =~ m{https?://[^/\s]+(/[^\s'"]*)};
    $method //= 'GET';
    return IdentityTest::Response->new({status => $status, headers => \%headers, content => $body}, "$method $target");
}

# What the database holds in the place of a secret.
sub digest_of { Digest::SHA::sha256_hex($_[0]) }

# How many rows a query on the database has.
sub rows
{
    my @rows = db(@_);
    return scalar @rows;
}

# Changes rows behind the server's back, where a test would have to wait for hours otherwise. server: another one than the suite's.
sub alter_db
{
    my ($sql, $server) = @_;
    my $database = ($server ? $server->state_folder : state_folder()) . '/identity.db';
    open my $out, '-|', 'sqlite3', '-cmd', '.timeout 5000', $database, "$sql; SELECT changes();" or die "sqlite3: $!";
    my $count = do { local $/; <$out> } // '';
    close $out or die "sqlite3 failed on: $sql\n";
    $count =~ /(\d+)\s*\z/ or die "sqlite3 said: $count\n";
    die "no row was changed by: $sql\n" unless $1;
    return $1;
}

# The same where it changes what somebody may do: once every child knows. Those who are remembered are told by the list of changes, as by another node.
sub alter_rights
{
    my ($sql, $server) = @_;
    my $ask = sub { $server ? $server->api(@_) : api(@_) };
    my $probe = $ask->(POST => '/v1/api-keys', {})->json;
    my $status = sub { $ask->(GET => '/v1/users?limit=1', undef, 'X-API-KEY' => $probe->{api_key})->status };
    die "a new key opens nothing\n" unless $status->() == 200;
    alter_db("DELETE FROM api_keys WHERE id = '$probe->{id}'; "
        . "DELETE FROM audit_details WHERE record_id IN (SELECT id FROM audit_records WHERE target_id = '$probe->{id}'); "
        . "DELETE FROM audit_records WHERE target_id = '$probe->{id}'; INSERT INTO changes (kind, subject_id, created_at) VALUES ('all', '', 0); $sql", $server);
    for (1 .. 400) {
        return if $status->() == 401;
        sleep 0.05;
    }
    die "a change is not known after 20 seconds\n";
}

# Another program that writes to the database file, and takes its time. What is returned goes to let_go.
sub hold_lock
{
    my ($database) = @_;
    # M1: httpd says so at emerg where a write met it.
    expect_in_log("ID0531: The database $database is locked by another process");
    my $said = "$database.lock.$$";
    open my $lock, '|-', "exec sqlite3 '$database' >'$said' 2>&1" or die "sqlite3: $!";
    $lock->autoflush(1);
    print {$lock} ".timeout 10000\nBEGIN IMMEDIATE;\nSELECT 'locked';\n";
    for (1 .. 1000) {
        last if -s $said;
        select undef, undef, undef, 0.01;
    }
    open my $in, '<', $said or die "$said: $!";
    my $line = <$in> // 'nothing';
    unlink $said;
    die "sqlite3 said: $line" unless $line eq "locked\n";
    return $lock;
}

sub let_go
{
    my ($lock) = @_;
    print {$lock} "ROLLBACK;\n";
    close $lock or die "sqlite3: $?";
}

# Of the right form, and nobody's.
sub unknown_id { "$_[0]_0000000000000000zzzz" }

# A role of an answer of /roles as memberships have it.
sub embedded_role
{
    my %role = %{$_[0]};
    delete @role{qw(slug permissions)};
    $role{child_roles} = [map { embedded_role($_) } @{$role{child_roles}}];
    return \%role;
}

# An account membership as an answer shows it.
sub membership_json
{
    my ($id, $account, $type, @roles) = @_;
    return {
        object_type => 'MEMBERSHIP', id => $id, account_id => $account->{id},
        account => {
            id => $account->{id}, reference => $account->{reference}, account_type_code => 'PLATFORM', environment => $account->{environment},
            parent_id => undef, platform_id => $account->{id}},
        type => $type, role_ids => [map { $_->{id} } @roles], account_reference => $account->{reference}, environment => $account->{environment},
        roles => [map { embedded_role($_) } @roles]};
}

# Seconds since 1970 of a time in an answer.
sub seconds_of
{
    my ($text) = @_;
    require Time::Local;
    my @parts = $text =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/ or die "no time: $text\n";
    return Time::Local::timegm(@parts[5, 4, 3, 2], $parts[1] - 1, $parts[0]);
}

sub heard
{
    my ($status, $ask) = @_;
    my $answer;
    for (1 .. 100) {
        $answer = $ask->();
        last if $answer->status == $status;
        sleep 0.1;
    }
    return $answer;
}

1;

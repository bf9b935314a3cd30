# SPDX-License-Identifier: Apache-2.0
# htidentity import and export: users of other programs, password files of httpd, whole sites.
# run on: event
use strict;
use warnings FATAL => 'all';
use Digest::SHA 'sha256_hex';
use File::Path 'make_path';
use JSON::PP ();
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Database 'run_tool';

my $site = entity('import');
my $state = server()->{state};
my $bcrypt = '$2y$05$abcdefghijklmnopqrstuut3CYJcJzK0OXF40fU9tgfp3q7x3/1vu';
my $secret = qr/3CYJcJzK0OXF40fU9tgfp3q7x3|correct horse/;

# Exit status, standard output, standard error, with that on standard input, in a state folder.
sub run_in
{
    my ($folder, $input, @arguments) = @_;
    my $path = put("$state/input.$$", $input);
    open my $kept, '<&', \*STDIN or die $!;
    open STDIN, '<', $path or die $!;
    my ($status, $out, $error) = run_tool($folder, @arguments);
    open STDIN, '<&', $kept or die $!;
    unlink $path;
    unlike $error . ($arguments[0] eq 'export' ? '' : $out), $secret, 'no secret is repeated' if $error =~ $secret || $arguments[0] ne 'export' && $out =~ $secret;
    return ($status & 127 ? "signal $status" : $status >> 8, $out, $error);
}
sub here { return run_in($state, shift, '--entity', $site->{reference}, @_) }

sub put
{
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
    return $path;
}
sub slurp
{
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!";
    local $/;
    return scalar <$in>;
}

# A database of its own with an entity and an account.
sub folder
{
    my ($name, @entity) = @_;
    my $folder = "$state/import-$name";
    make_path($folder);
    for my $command (['migrate'], @entity ? (['entity', 'add', @entity], ['account', 'add', 'default']) : ()) {
        my ($status, undef, $error) = run_tool($folder, @$command);
        die "@$command: $error" if $status;
    }
    return $folder;
}
# What is in a database, as of now.
sub content { return sha256_hex((run_tool(shift, 'export'))[1]) }

# ---- users of another program ----------------------------------------------------------------------------------------------------------------

sub user
{
    my ($name, %more) = @_;
    return JSON::PP->new->canonical->encode({type => 'user', username => $name, %more}) . "\n";
}

my $one = "one-$$\@example.org";
my @membership = ({account => $site->{reference}, type => 'ADMIN', roles => ['read-only']});
my $hash = '{SHA}' . Digest::SHA::sha1_base64('Correct1Horse') . '=';
my ($status, $out, $error) = here(user($one, password_hash => $hash, verified => JSON::PP::true, created_at => '2020-01-31T08:00:00Z', memberships => \@membership), 'import');
is_deeply [$status, $error], [0, ''], 'M7: import' or diag $error;
like $out, qr/\Ausers\t1\nmemberships\t1\nrefused\t0\nsha256\t[0-9a-f]{64}\n\z/, 'counted and digested';
my $signed_in = login($one, 'Correct1Horse');
is $signed_in->status, 200, 'M7: who was imported signs in with the old password, beside a running server';
my $me = api(GET => '/v1/users?limit=500', undef, @{$site->{key}})->json->{data};
my ($imported) = grep { $_->{username} eq $one } @$me;
is $imported->{created_at}, '2020-01-31T08:00:00Z', 'created when it was';
is_deeply [map { [$_->{type}, map { $_->{name} } @{$_->{roles}}] } @{$imported->{account_memberships}}], [['ADMIN', 'Read Only']], 'with type and roles';

my $wide = 'x' x (10 * 1024 * 1024);
my $many = folder('many', 'example');
my @bad = (
    [user("two\@example.org"), undef],
    [user("TWO\@example.org"), qr/TWO\@example\.org: This username is taken/],
    [user("none"), qr/username must be/],
    [user('three@example.org', password_hash => 'correct horse'), qr/not a password hash in a supported format/],
    [user('three@example.org', password_hash => ''), qr/password_hash must/],
    [user('three@example.org', password_hash => '$2y$31$abcdefghijklmnopqrstuut3CYJcJzK0OXF40fU9tgfp3q7x3/1vu'), qr/would take too long/],
    [user('three@example.org', colour => 'red'), qr/The member colour is unknown/],
    [user('three@example.org', $bcrypt => 1), qr/A member is unknown/],
    [user('three@example.org', status => 'INVITED'), qr/status must be one of ACTIVE, INACTIVE/],
    [user('three@example.org', created_at => '2999-01-01T00:00:00Z'), qr/created_at must be a time in the past/],
    [user('three@example.org', created_at => 1700000000), qr/created_at must be a time/],
    [user('three@example.org', memberships => [{account => 'nowhere'}]), qr/There is no account nowhere/],
    [user('three@example.org', memberships => [{account => 'default', roles => ['nothing']}]), qr/There is no role nothing/],
    [user('three@example.org', memberships => [{account => 'default', type => 'BOSS'}]), qr/memberships\.0\.type must be one of/],
    [user('three@example.org', memberships => [{account => 'default', boss => 1}]), qr/The member boss is unknown/],
    [user('three@example.org', memberships => [{}]), qr/memberships\.0\.account is required/],
    [user('three@example.org', memberships => [{account => 'default'}, {account => 'default'}]), qr/listed twice/],
    ["{\"type\":\"user\"}\n", qr/username is required/],
    ["{\"type\":\"robot\",\"username\":\"three\@example.org\"}\n", qr/type must be one of user/],
    ["[]\n", qr/must be a JSON object/],
    ["\"three\@example.org\"\n", qr/./],
    ["{\"type\":\n", qr/is not valid JSON/],
    ["{\"type\":\"user\",\"username\":\"a\@example.org\",\"username\":\"b\@example.org\"}\n", qr/contains a key twice/],
    ["{\"type\":\"user\",\"username\":\"\xff\@example.org\"}\n", qr/is not valid UTF-8/],
    ["{\"type\":\"user\",\"username\":\"a\0\@example.org\"}\n", qr/NUL/],
    ["{\"type\":\"user\",\"username\":\"a\\u0000\@example.org\"}\n", qr/NUL/],
    ['[' x 5000 . "\n", qr/nested too deeply/],
    ["{\"type\":\"user\",\"username\":\"$wide\"}\n", qr/longer than 1048576 bytes/],
    ["\n", undef],
    [" \r\n", undef],
    [user("four\@example.org", status => 'INACTIVE') =~ s/\n/\r\n/r, undef],
    [user("five\@example.org") =~ s/\n//r, undef], # the last line without its end
);
my $text = join '', map { $_->[0] } @bad;
my $before = content($many);
my ($would, $would_say, $would_fail) = run_in($many, $text, 'import', '--dry-run');
is content($many), $before, 'M7: a dry run writes nothing';
is_deeply [grep { /dry-run/ } glob "$many/*"], [], 'and leaves nothing behind';
($status, $out, $error) = run_in($many, $text, 'import');
is $status, 1, 'M7: exit 1 where something was refused';
my @said = split /\n/, $error;
is scalar(@said), 1 + grep({ $_->[1] } @bad), 'a line for each, and their number' or diag $error;
for my $i (0 .. $#bad) {
    my ($line) = grep { /\Ahtidentity: line @{[$i + 1]}: / } @said;
    $bad[$i][1] ? like $line // '', $bad[$i][1], 'M7: line ' . ($i + 1) : is $line, undef, 'nothing is said of line ' . ($i + 1);
}
my $refused = $#said;
like $out, qr/\Ausers\t3\nrefused\t$refused\nsha256\t@{[sha256_hex($text)]}\n\z/, 'M7: the rest is taken over; the digest is that of the file';
is_deeply [$would, $would_say, $would_fail], [1, "would be imported: $out", $error], 'M7: the dry run had said the same';
is +(run_tool($many, 'user', 'list'))[1] =~ tr/\n//, 3, 'three users are there';
like +(run_tool($many, 'audit', 'list'))[1], qr/\tIMPORT\t.*Users imported from a file: 3\./, 'and one record that tells of them';
is +(run_tool($many, 'check'))[0], 0, 'without a fault';
($status, $out) = run_in($many, user('six@example.org'), '--json', 'import');
is_deeply [@{JSON::PP::decode_json($out)}{qw(users memberships present refused dry_run)}], [1, 0, 0, 0, JSON::PP::false], 'M7: --json' or diag $out;
($status, $out, $error) = run_in($many, user('six@example.org'), 'import', '--resume');
like $error, qr/line 1: six\@example\.org: This username is taken|\A\z/, 'the same line of the same file';

# ---- a password file of httpd ----------------------------------------------------------------------------------------------------------------

my @lines = (
    ["# those who may come in\n", undef],
    ["ada\@example.com:$bcrypt\n", undef],
    ["  ben\@example.com:\$apr1\$xxxxxxxx\$dxHfLAsjHkDRmG83UXe8K0  \r\n", undef],
    ["cara\@example.com:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=:kept for later\n", undef],
    ["dan\@example.com:\$6\$saltsalt\$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/\n", undef],
    ["\n", undef],
    ["eve\@example.com:correct horse\n", qr/not a password hash in a supported format/],
    ["fay\@example.com:rqXexS6ZhobKA\n", qr/not a password hash in a supported format/],
    ["ada\@example.com:$bcrypt\n", qr/ada\@example\.com: This username is taken/],
    ["nobody\n", qr/does not have the form name:hash/],
    [":$bcrypt\n", qr/does not have the form name:hash/],
    ["gus\0\@example.com:$bcrypt\n", qr/NUL/],
    ["\xff\@example.com:$bcrypt\n", qr/The name must be/],
    ["plain:$bcrypt\n", qr/The name must be .*, or come with a domain/],
    ["$wide:$bcrypt\n", qr/longer than 1048576 bytes/],
    ["hal\@example.com:$bcrypt", undef],
);
my $htpasswd = put("$many/.htpasswd", join '', map { $_->[0] } @lines);
($status, $out, $error) = run_in($many, '', 'import', '--htpasswd', $htpasswd);
@said = split /\n/, $error;
for my $i (0 .. $#lines) {
    my ($line) = grep { /\Ahtidentity: line @{[$i + 1]}: / } @said;
    $lines[$i][1] ? like $line // '', $lines[$i][1], 'M7: .htpasswd, line ' . ($i + 1) : is $line, undef, 'nothing is said of line ' . ($i + 1);
}
ok $status == 1 && $out =~ /\Ausers\t5\nrefused\t$#said\nsha256\t@{[sha256_hex(slurp($htpasswd))]}\n\z/, 'M7: five of them' or diag $out, $error;
($status, $out, $error) = run_in($many, slurp($htpasswd), 'import', '--htpasswd', '-', '--resume');
like $out, qr/\Ausers\t0\nthere already\t5\n/, 'M7: --resume passes over them, read from standard input' or diag $error;

# Plain names are logins, and make user names with a domain.
my @plain = (
    ["Ivy:$bcrypt\n", undef],
    ["ivy:$bcrypt\n", qr/ivy\@example\.net: The login ivy is taken/],
    ["jo.e-1_x:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\n", undef],
    ["kim\@example.com:$bcrypt\n", undef],
    ["_x:$bcrypt\n", qr/The name must be a letter or digit/],
    ["j\xc3\xb6rg:$bcrypt\n", qr/The name must be a letter or digit/],
    ["user_00000000000000000001:$bcrypt\n", qr/The name must be .* not look like an id/],
    ["a\@b:$bcrypt\n", qr/The name must be an e-mail address/],
    [('x' x 65) . ":$bcrypt\n", qr/The name must be a letter or digit/],
);
put($htpasswd, join '', map { $_->[0] } @plain);
($status, $out, $error) = run_in($many, '', 'import', '--htpasswd', $htpasswd, '--domain', 'example.net');
@said = split /\n/, $error;
for my $i (0 .. $#plain) {
    my ($line) = grep { /\Ahtidentity: line @{[$i + 1]}: / } @said;
    $plain[$i][1] ? like $line // '', $plain[$i][1], 'M19: a plain name, line ' . ($i + 1) : is $line, undef, 'nothing is said of line ' . ($i + 1);
}
ok $status == 1 && $out =~ /\Ausers\t3\nrefused\t6\n/, 'M19: three of them' or diag $out, $error;
my %logins = map { $_->{username} => [$_->{login}, $_->{verified_at}] } grep { ($_->{table} // '') eq 'users' } map { JSON::PP::decode_json($_) } split /\n/, (run_tool($many, 'export'))[1];
is_deeply [@logins{qw(Ivy@example.net jo.e-1_x@example.net kim@example.com)}], [['Ivy', 0], ['jo.e-1_x', 0], [undef, 0]], 'M19: user name and login; nothing is proved';
($status, $out, $error) = run_in($many, '', 'import', '--htpasswd', $htpasswd, '--domain', 'example.net', '--resume');
like $out, qr/\Ausers\t0\nthere already\t3\nrefused\t6\n/, 'M19: --resume passes over them' or diag $error;
($status, $out, $error) = run_in($many, user('lea@example.com', login => 'IVY') . user('lea@example.com', login => 'no login') . user('lea@example.com', login => 'lea'), 'import');
ok $status == 1 && $out =~ /\Ausers\t1\n/ && $error =~ /line 1: lea\@example\.com: The login IVY is taken.*line 2: login must be/s, 'M19: a login of another program' or diag $error;
is +(run_tool($many, 'check'))[0], 0, 'without a fault';
my $short = "mia$$";
($status, $out) = here("$short:$hash\n", 'import', '--htpasswd', '-', '--domain', 'example.org', '--account', $site->{reference}, '--type', 'PARTNER', '--role', 'Read Only');
is $out =~ s/sha256.*//sr, "users\t1\nmemberships\t1\nrefused\t0\n", 'M7: with a membership for everybody';
($imported) = grep { $_->{username} eq "$short\@example.org" } @{api(GET => '/v1/users?limit=500', undef, @{$site->{key}})->json->{data}};
is $imported->{login}, $short, 'M19: the server shows it';
is_deeply [map { [$_->{type}, map { $_->{name} } @{$_->{roles}}] } @{$imported->{account_memberships}}], [['PARTNER', 'Read Only']], 'M7: and the membership';

# ---- usage -----------------------------------------------------------------------------------------------------------------------------------

for ([2, qr/FILE or --htpasswd FILE, not both/, 'x', '--htpasswd', 'y'], [1, qr/cannot be read: No such file/, "$many/nothing"], [1, qr/is a folder/, $many],
    [2, qr/--domain requires --htpasswd/, 'x', '--domain', 'example.org'], [2, qr/--domain: nowhere is not a domain/, '--htpasswd', 'x', '--domain', 'nowhere'],
    [4, qr/no account nowhere/, '--account', 'nowhere'], [2, qr/--type and --role require --account/, '--role', 'read-only'],
    [2, qr/--domain is given twice/, '--htpasswd', 'x', '--domain', 'example.org', '--domain', 'example.net']) {
    my ($wanted, $said, @arguments) = @$_;
    ($status, $out, $error) = run_in($many, '', 'import', @arguments);
    ok $status == $wanted && $out eq '' && $error =~ $said, "M7: exit $wanted: $said" or diag "$status $out$error";
}
($status, $out, $error) = run_in($many, '', 'import');
ok $status == 0 && $out =~ /\Ausers\t0\nrefused\t0\n/, 'nothing at all is nothing to do' or diag $error;

# ---- a whole site ----------------------------------------------------------------------------------------------------------------------------

# Of the suite's server, with whatever other files have left in it.
my $member = member('mover', entity => $site, type => 'USER');
run_tool($state, '--entity', $site->{reference}, qw(role add Movers --permission SITE.MOVE --child read-only));
run_tool($state, '--entity', $site->{reference}, qw(team add Crew));
run_tool($state, '--entity', $site->{reference}, qw(team grant Crew), $site->{reference}, qw(--role movers));
run_tool($state, '--entity', $site->{reference}, qw(team member add Crew), $member->{username});
run_tool($state, '--entity', $site->{reference}, qw(key add --description moved));
run_tool($state, qw(alias add), $member->{username});
run_tool($state, '--entity', $site->{reference}, qw(account add under --parent), $site->{reference});
run_tool($state, '--entity', $site->{reference}, qw(provider add OIDC --name Work --issuer https://x.example --client-id shop));
run_tool($state, '--entity', $site->{reference}, qw(invitation send), "later-$$\@example.org");
# Sign-ins of other processes may still be written down: from a copy, so that it is the same twice.
my $copied = "$state/import-copied";
make_path($copied);
is +(run_tool($state, 'backup', "$copied/backup.db"))[0], 0, 'a copy of the site';
is +(run_tool($copied, 'restore', "$copied/backup.db"))[0], 0, 'a copy of the site';
my $file = "$copied/site.jsonl";
is system("umask 022; $ENV{IDENTITY_TOP}/bin/htidentity --db sqlite3:$copied/identity.db export > $file"), 0, 'M7: export';
is sprintf('%04o', (stat $file)[2] & 07777), '0600', 'M7: for its owner alone';
my $export = slurp($file);
put($file, "more\n");
chmod 0644, $file or die $!;
isnt system("$ENV{IDENTITY_TOP}/bin/htidentity --db sqlite3:$copied/identity.db export >> $file 2> $copied/said"), 0, 'M7: not behind what others read';
is slurp($file), "more\n", 'M7: ... nothing of it';
like slurp("$copied/said"), qr/^htidentity: standard output goes to a file that is not empty and that others can read/, 'M7: ... said why';
put($file, $export);
chmod 0600, $file or die $!;
my @rows = split /^/, $export;
my ($first, $last) = map { JSON::PP::decode_json($_) } @rows[0, -1];
is $first->{type}, 'site', 'it begins with what it is';
is $last->{rows}, @rows - 2, 'M7: and ends with how many rows there are';
is $last->{sha256}, sha256_hex(join '', @rows[0 .. $#rows - 1]), 'M7: and their digest';
my %counts;
$counts{JSON::PP::decode_json($_)->{table}}++ for @rows[1 .. $#rows - 1];
is_deeply $last->{tables}, \%counts, 'M7: counted by table';
cmp_ok $counts{$_} // 0, '>', 0, "M7: with its $_" for qw(entities accounts users memberships membership_roles roles role_children role_permissions teams team_members api_keys aliases providers invitations audit_records audit_details);
is_deeply [grep { $counts{$_} } qw(sessions refresh_tokens outbox idempotency changes schema_version)], [], 'and without what passes';

my $moved = folder('moved');
($status, $out, $error) = run_in($moved, '', 'import', $file, '--account', 'default');
ok $status == 2 && $error =~ /an export contains a whole site/, 'M7: nothing is given to the users of an export' or diag $status, $error;
($status, $out, $error) = run_in($moved, '', 'import', $file, '--dry-run');
ok $status == 0 && $out =~ /\Awould be imported: rows\t$last->{rows}\nrefused\t0\nsha256\t$last->{sha256}\n\z/, 'M7: a dry run of it' or diag $out, substr $error, 0, 2000;
is +(run_tool($moved, 'entity', 'list'))[1], '', 'has made nothing';
($status, $out, $error) = run_in($moved, '', 'import', $file);
ok $status == 0 && $out =~ /\Arows\t$last->{rows}\nrefused\t0\nsha256\t$last->{sha256}\n\z/, 'M7: import of an export' or diag $out, substr $error, 0, 2000;
ok +(run_tool($moved, 'export'))[1] eq $export, 'M7: gives the same export, byte for byte';
is +(run_tool($moved, 'check'))[0], 0, 'without a fault';
($status, $out, $error) = run_in($moved, $export, 'import', '--resume');
ok $status == 0 && $out =~ /\Arows\t0\nthere already\t$last->{rows}\n/, 'M7: once more with --resume: all is there already' or diag substr $error, 0, 2000;
($status, $out, $error) = run_in($moved, $export, 'import');
ok $status == 1 && $out =~ /\Arows\t0\nrefused\t$last->{rows}\n/ && $error =~ /^htidentity: line 2: The row of entities \(enti_\w+\) already exists\.$/m, 'M7: without it, each is named';
my ($someone) = map { $_->{id} } grep { ($_->{table} // '') eq 'users' && $_->{status} eq 'ACTIVE' } map { JSON::PP::decode_json($_) } @rows;
is +(run_tool($moved, '--entity', $site->{reference}, 'user', 'deactivate', $member->{username}))[0], 0, 'a change since';
($status, $out, $error) = run_in($moved, $export, 'import', '--resume');
ok $status == 1 && $error =~ /The row of users \($member->{id}\) already exists and differs: status, active, updated_at, version\./, 'M7: what differs is named, not overwritten' or diag substr $error, 0, 2000;

# Nothing of what is not whole.
my $empty = folder('empty');
my $lines = @rows;
for (['cut', join '', @rows[0 .. $#rows - 1]], ['cut within a line', substr $export, 0, -5], ['without a line', join '', @rows[0 .. 3, 5 .. $#rows]],
    ['with a changed byte', $export =~ s/"status":"ACTIVE"/"status":"ACTIVF"/r], ['with a line behind it', $export . $rows[3]], ['with its lines in another order', join '', @rows[0, 1, 3, 2, 4 .. $#rows]]) {
    my ($how, $changed) = @$_;
    ($status, $out, $error) = run_in($empty, $changed, 'import');
    ok $status == 6 && $out eq '' && $error eq "htidentity: The export is truncated or was changed: nothing of it is imported.\n", "M7: an export $how is refused" or diag $status, $out, substr $error, 0, 1000;
}
# With a digest that fits: rows are judged by themselves.
sub sealed
{
    my (@changed) = @_;
    my $end = JSON::PP->new->canonical->encode({rows => @changed - 1, sha256 => sha256_hex(join '', @changed), tables => {}});
    return join '', @changed, "{\"type\":\"end\"," . substr($end, 1) . "\n";
}
for (['schema', $rows[0] =~ s/"schema":\d+/"schema":1/r, 5, qr/is of schema version 1, this database has \d+/], ['format', $rows[0] =~ s/"format":1/"format":9/r, 5, qr/has format 9/]) {
    my ($what, $header, $wanted, $said) = @$_;
    ($status, $out, $error) = run_in($empty, sealed($header, @rows[1 .. $#rows - 1]), 'import');
    ok $status == $wanted && $error =~ $said, "M7: an export of another $what is refused" or diag $status, $error;
}
is +(run_tool($empty, 'entity', 'list'))[1], '', 'nothing was taken over';
my ($entity) = grep { /"table":"entities"/ } @rows;
my ($person) = grep { /"table":"users"/ && /$site->{id}/ } @rows;
my ($account) = grep { /"table":"accounts"/ && /$site->{id}/ } @rows;
my ($own) = grep { /"table":"entities"/ && /$site->{id}/ } @rows;
for (['refers to one that does not exist', $account], ['must not be null', $own =~ s/"name":"[^"]*"/"name":null/r], ['must be a whole number', $own =~ s/"created_at":\d+/"created_at":"now"/r],
    ['is missing', $own =~ s/"name":"[^"]*",//r], ['The member more is unknown', $own =~ s/"name"/"more":1,"name"/r], ['is not the name of an exported table', $own =~ s/"entities"/"sessions"/r],
    ['canonical does not match', $person =~ s/"canonical":"/"canonical":"x/r], ['active contradicts status', $person =~ s/"active":\d/"active":7/r],
    ['login must be', $person =~ s/"login":.*(?=\})/"login":"ada\@example.org","login_key":"ada\@example.org"/r], ['login must be', $person =~ s/"login":.*(?=\})/"login":"user_01234567890123456789","login_key":"user_01234567890123456789"/r],
    ['id does not have the form', $person =~ s/"id":"[^"]*"/"id":"root"/r], ['id does not have the form', $own =~ s/"id":"[^"]*"/"id":"\\u001b[31m"/r], ['pending_username must be', $person =~ s/"pending_username":""/"pending_username":"x"/r],
    ['username contains control', $person =~ s/"username":"([^"]*)"/"username":"$1\\r\\nBcc: x","old_name":"x"/r =~ s/(.*),"old_name":null/$1/r], ['reference does not have the form', $own =~ s/"reference":"[^"]*"/"reference":"a\/b \@"/r],
    ['created_at is not a time', $own =~ s/"created_at":\d+/"created_at":-1/r], ['created_at is not a time', $own =~ s/"created_at":\d+/"created_at":9223372036854775807/r], ['number that is too large', $own =~ s/"created_at":\d+/"created_at":9223372036854775808/r],
    ['login_key does not match', $person =~ s/"login":(?:null|"[^"]*")/"login":"Other"/r], ['status is not a valid status', $person =~ s/"status":"\w+"/"status":"BOSS"/r]) {
    my ($said, $row) = @$_;
    ($status, $out, $error) = run_in($empty, sealed($rows[0], $row), 'import');
    ok $status == 1 && $error =~ /^htidentity: line 2: .*\Q$said\E/, "M7: a row: $said" or diag $status, $error;
}
is +(run_tool($empty, 'entity', 'list'))[1], '', 'nothing was taken over';

# An export of one site makes nobody anything in another, or in all by what is built in.
my %id = map { my $row = JSON::PP::decode_json($_); ($row->{table} => $row->{id}) } $own, $account, $person;
my ($new_entity, $new_account, $new_user) = ('enti_0000000000000000newE', 'plat_0000000000000000newA', 'user_0000000000000000newU');
sub in_new
{
    my ($row) = @_;
    return $row =~ s/$id{entities}/$new_entity/gr =~ s/$id{accounts}/$new_account/gr =~ s/$id{users}/$new_user/gr =~ s/"reference":"[^"]*"/"reference":"newcomer"/r =~ s/"login":.*(?=\})/"login":null,"login_key":null/r
        =~ s/"(username|canonical|held_name)":"[^"]*"/"$1":"newcomer\@example.net"/gr =~ s/"domain":"[^"]*"/"domain":"example.net"/r;
}
sub row_of { return JSON::PP->new->canonical->encode({@_}) . "\n" }
my @new = (in_new($own), in_new($account), in_new($person));
sub membership_row { return row_of(table => 'memberships', id => 'memb_0000000000000000newM', entity_id => $_[0], user_id => $_[1], account_id => $_[2], team_id => undef, invitation_id => undef, type => 'ADMIN', created_at => 1) }
for (['belongs to an entity that is not in the export', membership_row($id{entities}, $id{users}, $id{accounts}), 'another\'s administrator'], ['refers to one of another entity', membership_row($new_entity, $new_user, $id{accounts}), 'an administrator in another\'s account'],
    ['refers to one of another entity', membership_row($id{entities}, $new_user, $id{accounts}), 'the same by the other\'s name'], ['belongs to an entity that is not in the export', $person =~ s/$id{users}/user_0000000000000000newV/r, 'somebody for another'],
    ['changes a built-in one', row_of(table => 'role_permissions', role_id => 'role_00000000000000000002', permission => 'USER.MORTAL.UPDATE'), 'more for Read Only'],
    ['changes a built-in one', row_of(table => 'role_children', role_id => 'role_00000000000000000002', position => 0, child_id => 'role_00000000000000000001'), 'another in Read Only'],
    ['changes a built-in one', row_of(table => 'roles', id => 'role_0000000000000000newR', entity_id => '', name => 'X', canonical => 'x', slug => 'x', description => '', created_at => 1, version => 1), 'a built-in role']) {
    my ($said, $row, $what) = @$_;
    ($status, $out, $error) = run_in($moved, sealed($rows[0], @new, $row), 'import', '--dry-run');
    ok $status == 1 && $out =~ /rows\t3\nrefused\t1\n/ && $error =~ /^htidentity: line 5: .*\Q$said\E/, "M7: no export makes $what # security 60, 62" or diag $status, $out, $error;
}
($status, $out, $error) = run_in($moved, sealed($rows[0], @new, membership_row($new_entity, $new_user, $new_account)), 'import', '--dry-run');
ok $status == 0 && $out =~ /rows\t4\nrefused\t0\n/, 'M7: but an administrator of its own' or diag $status, $out, $error;

# Nor does a line speak to the terminal.
($status, $out, $error) = here(user("esc-$$\@example.org", memberships => [{account => "\e[31mred\xc2\x9b1m"}]), 'import');
is $error, "htidentity: line 1: There is no account ?[31mred??1m.\nhtidentity: 1 of 1 lines were refused\n", 'M7: control characters of a line are not repeated # security 85';

# ---- an end in the middle --------------------------------------------------------------------------------------------------------------------

my $killed = folder('killed', 'example');
my $count = 50_000;
my $users = put("$killed/users.jsonl", join '', map { user("user$_\@example.org", password_hash => $bcrypt) } 1 .. $count);
sub users_there { return (run_tool($killed, 'stats'))[1] =~ /^users\t(\d+)/m ? $1 : 0 }
my $pid = fork // die $!;
if (!$pid) {
    open STDOUT, '>', '/dev/null';
    exec "$ENV{IDENTITY_TOP}/bin/htidentity", '--db', "sqlite3:$killed/identity.db", 'import', $users or POSIX::_exit(1);
}
select undef, undef, undef, 0.01 until users_there() || waitpid($pid, POSIX::WNOHANG());
kill KILL => $pid;
waitpid $pid, 0;
my $there = users_there();
ok $there > 0 && $there < $count, "M7: killed after $there of $count";
($status, $out, $error) = run_in($killed, '', 'import', '--resume', $users);
my $rest = $count - $there;
ok $status == 0 && $out =~ /\Ausers\t$rest\nthere already\t$there\nrefused\t0\n/, 'M7: --resume takes over the rest' or diag $out, substr $error, 0, 1000;
is users_there(), $count, 'all are there';
is +(run_tool($killed, 'check'))[0], 0, 'without a fault';

# A dry run that is ended while it copies leaves no copy, which would be as secret as the database.
for (1 .. 3) {
    my $dry = fork // die $!;
    if (!$dry) {
        open STDOUT, '>', '/dev/null';
        exec "$ENV{IDENTITY_TOP}/bin/htidentity", '--db', "sqlite3:$killed/identity.db", 'import', '--dry-run', $users or POSIX::_exit(1);
    }
    my $over = 0;
    select undef, undef, undef, 0.01 until (() = glob "$killed/*.dry-run*") || ($over = waitpid $dry, POSIX::WNOHANG());
    kill TERM => $dry;
    waitpid $dry, 0 unless $over;
    is_deeply [grep { -e } glob "$killed/*.dry-run*"], [], 'M7: a dry run that is ended leaves no copy';
}

# ---- as the manual has it --------------------------------------------------------------------------------------------------------------------

my ($block) = slurp("$ENV{IDENTITY_TOP}/conf/README.md") =~ /^## Coming from htpasswd, moving a site\n\n```\n(.*?)^```$/ms;
my ($manual, $elsewhere) = (folder('manual', 'example'), folder('elsewhere'));
put("$manual/.htpasswd", "ada:$bcrypt\n");
put("$manual/users.jsonl", user('ben@example.com', password_hash => $bcrypt, memberships => [{account => 'default', roles => ['read-only']}]));
for my $command (grep { /\S/ } split /\n/, $block) {
    $command =~ s/\s+#.*//;
    my $place = $command =~ /import site/ ? $elsewhere : $manual;
    my $shell = $command =~ s{htidentity}{$ENV{IDENTITY_TOP}/bin/htidentity}r;
    is system("cd $manual && IDENTITY_DB=sqlite3:$place/identity.db sh -c '$shell' > out 2>&1 < /dev/null" =~ s{> out}{$command =~ />/ ? '' : '> out'}er), 0, "conf/README.md: $command" or diag slurp("$manual/out");
}
is +(run_tool($elsewhere, 'export'))[1], (run_tool($manual, 'export'))[1], 'conf/README.md: the site has moved';

done_testing;

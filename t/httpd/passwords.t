# SPDX-License-Identifier: Apache-2.0
# Passwords that are too easy, passwords of other programs, and what hashing should cost here. (security 1, 6, 8)
# run on: event asan
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

# ---- the shipped list ------------------------------------------------------------------------------------------------------------------------

sub made { api(POST => '/v1/users', {username => $_[0], password => $_[1]}) }
for my $easy ('Password1', 'PASSWORD2026!', 'Qwerty123', 'P4ssw0rd1', 'Iloveyou2') {
    my $answer = made(address('easy'), $easy);
    refused_is $answer, 400, 'INVALID_FIELD', 'password', "$easy is one that many people use # security 6";
    like $answer->json->{message}, qr/common password/, 'and the reason is told';
}
refused_is made('marylou@example.org', 'MaryLou1'), 400, 'INVALID_FIELD', 'password', 'the own name and a digit # security 6';
is made(address('taken'), 'Correct1Horse')->status, 201, 'another one is taken';
is rows("SELECT 1 FROM users WHERE username = 'marylou\@example.org'"), 0, 'nobody is made with a refused one';

# ---- taken over from htpasswd ------------------------------------------------------------------------------------------------------------------

sub tool_fed
{
    my ($line, @arguments) = @_;
    my $file = state_folder() . '/line';
    open my $out, '>', $file or die "$file: $!";
    print {$out} "$line\n";
    close $out or die $!;
    open my $saved, '<&', \*STDIN or die $!;
    open STDIN, '<', $file or die $!;
    my ($status, $text, $error) = tool(@arguments);
    open STDIN, '<&', $saved or die $!;
    unlink $file;
    return ($status >> 8, "$text$error");
}

my %hashes = (
    bcrypt => '$2y$05$abcdefghijklmnopqrstuut3CYJcJzK0OXF40fU9tgfp3q7x3/1vu', apr1 => '$apr1$saltsalt$9K/Ni5V9k6YD2L9pa7ptQ.',
    yescrypt => '$y$j9T$abcdefghijklmnop$k2uEHIz2NENzV19X1YuKhlXoRnua8sjsewVVDikTZr2',
    django => 'pbkdf2_sha256$1000$text$nSIlq+qfvcJKTEhSk/0ElTO6RFVXUzxskCorE/006pQ=',
);
my $password = 'Correct horse 1';
for my $kind (sort keys %hashes) {
    my $name = address($kind);
    my ($status, $said) = tool_fed($kind eq 'apr1' ? "mary:$hashes{$kind}" : $hashes{$kind}, '--entity', 'default', 'user', 'add', $name, '--hash-stdin', '--account', 'default');
    is $status, 0, "$kind: taken over" or diag $said;
    unlike $said, qr/\Q$hashes{$kind}/, 'the hash is not printed';
    is login($name, 'Correct horse 2')->status, 401, 'a wrong password is wrong';
    my ($row) = db("SELECT password_hash FROM users WHERE username = '$name'");
    is $row->{password_hash}, $hashes{$kind}, 'and leaves the hash as it was';
    is login($name, $password)->status, 200, 'the right one is right';
    ($row) = db("SELECT password_hash FROM users WHERE username = '$name'");
    like $row->{password_hash}, qr/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/, 'and the hash is replaced at once # security 8';
    is login($name, $password)->status, 200, 'it is right again';
    is login($name, 'Correct horse 2')->status, 401, 'and a wrong one wrong';
}
for my $bad ('secret', '$2y$31$abcdefghijklmnopqrstuut3CYJcJzK0OXF40fU9tgfp3q7x3/1vu', 'abJnggxhB/yWI') {
    my ($status, $said) = tool_fed($bad, '--entity', 'default', 'user', 'add', address('bad'), '--hash-stdin');
    is $status, 6, "$bad is not taken over";
    like $said, $bad =~ /31/ ? qr/this hash would take too long/ : qr/not a password hash in a supported format/, 'B9: for that reason';
}
my $dear = '$argon2id$v=19$m=65536,t=3,p=1$' . 'A' x 22 . '$' . 'A' x 43;
my ($status, $said) = tool_fed($dear, '--entity', 'default', 'user', 'add', address('dear'), '--hash-stdin');
like "$status $said", qr/^6 .*takes more memory than IdentityPasswordHash allows \(m=19456\)/, 'B9: one that takes more memory is refused for that';
($status, $said) = tool_fed($dear, '--entity', 'default', 'user', 'add', address('dear'), '--hash-stdin', '--hash-memory', 65536);
is $status, 0, 'B9: and taken where the configuration allows it' or diag $said;
($status, $said) = tool_fed($hashes{apr1}, '--entity', 'default', 'user', 'add', 'nobody', '--hash-stdin');
like "$status $said", qr/^6 .*username must be an e-mail address/, 'nor without an address';
($status, $said) = tool_fed($hashes{apr1}, '--entity', 'default', 'user', 'add', address('both'), '--hash-stdin', '--password-stdin');
like "$status $said", qr/^2 .*--password-stdin and --hash-stdin exclude each other/, 'one of the two';

# ---- calibrate -----------------------------------------------------------------------------------------------------------------------------------

($status, $said) = tool('calibrate', '--time', '60');
is $status, 0, 'calibrate';
like $said, qr/^# One hash takes \d+ ms here.*\nIdentityPasswordHash argon2id m=(\d+) t=(\d+) p=1\nIdentityHashMemory (\d+)M\n\z/, 'it prints lines for the configuration';
my ($memory, $passes, $budget) = $said =~ /m=(\d+) t=(\d+) p=1\nIdentityHashMemory (\d+)M/;
cmp_ok $memory, '>=', 19456, 'never less memory than the floor # security 1';
cmp_ok $passes, '>=', 2, 'nor fewer passes # security 1';
cmp_ok $budget * 1024, '>=', $memory, 'with room for one hash at least';
my $server = IdentityTest::Server->new(start => 0, directives => join "\n", grep { !/^#/ } split /\n/, $said);
my ($checked, $complaint) = $server->check;
is $checked, 0, 'httpd takes them' or diag $complaint;
($status, $said) = tool('--json', 'calibrate', '--time', '20');
is join(' ', sort keys %{JSON::PP::decode_json($said)}), 'hash_memory_mib lanes memory_kib milliseconds passes processors', 'and as JSON';
($status, $said) = tool('calibrate', '--time', '9');
isnt $status, 0, 'a target that is none';

done_testing;

# SPDX-License-Identifier: Apache-2.0
# htidentity and httpd's configuration: by httpd's own parser (--config), and by what the server keeps in its database.
# run on: event
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use Test::More;
use Time::HiRes 'sleep';
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Database ();
use IdentityTest::Server;

$ENV{IDENTITY_HTTPD} = "$ENV{IDENTITY_TOP}/bin/httpd";
delete $ENV{IDENTITY_DB};
my $files = server()->{state} . "/config-$$";
mkdir $files or die $!;

sub put
{
    my ($name, $text) = @_;
    open my $out, '>', "$files/$name" or die "$name: $!";
    chmod 0600, "$files/$name";
    print {$out} $text;
    close $out or die $!;
    return "$files/$name";
}

# Exit status, standard output, standard error; without --db.
sub run
{
    my ($input, @arguments) = @_;
    my $in = put('in', $input);
    my $out = `'$ENV{IDENTITY_TOP}/bin/htidentity' @{[map { "'$_'" } @arguments]} < '$in' 2> '$files/error'`;
    my $status = $? >> 8;
    open my $errors, '<', "$files/error" or die $!;
    return ($status, $out, do { local $/; <$errors> } // '');
}
sub says
{
    my ($wanted, $said, @arguments) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $text, $error) = run('', @arguments);
    ok $status == $wanted && $text eq '' && $error =~ $said && $error =~ tr/\n// == 1, "M7: htidentity @arguments: exit $wanted" or diag "status $status\n$text$error";
}

my $escrow = put('escrow', '0123456789abcdef' x 4 . "\n");
my $blocked = put('blocked', "Unusual1Password\n");
my $server = IdentityTest::Server->new(directives => <<"END");
IdentityPublicURL https://id.example.org
IdentityPasswordMinLength 14
IdentityPasswordBlockList $blocked
IdentityKeyEscrow $escrow
IdentityRetention audit 90d
IdentityDeleteAfter 3d
<VirtualHost 127.0.0.1:1>
    IdentityRetention audit 95d
</VirtualHost>
END
my $conf = "$server->{root}/httpd.conf";
my @by_file = ('--config', $conf, '--entity', 'default');

# ---- by httpd's own parser ------------------------------------------------------------------------------------------------------------------

my ($status, $out, $error) = run('', '--config', $conf, 'entity', 'list');
ok $status == 0 && $out =~ /\tdefault\t/, 'M7: --config tells the database' or diag $error;
my $name = $server->address('config');
($status, undef, $error) = run("Correct1Horse\n", @by_file, qw(user add), $name, '--password-stdin');
ok $status == 6 && $error =~ /at least 14 bytes/, 'M7: IdentityPasswordMinLength counts here' or diag $error;
($status, undef, $error) = run("Unusual1Password\n", @by_file, qw(user add), $name, '--password-stdin');
ok $status == 6 && $error =~ /password/, 'M7: IdentityPasswordBlockList counts here' or diag $error;
is((run("Correct1HorseBattery\n", @by_file, qw(user add), $name, qw(--account default --type ADMIN --password-stdin)))[0], 0, 'what the rules take is taken');
($status, $out, $error) = run('', @by_file, qw(--json key add));
my ($made) = map { JSON::PP->new->decode($_) } $out;
is $server->api(GET => "/v1/api-keys/$made->{id}/decrypt")->json->{api_key}, $made->{api_key}, 'M7: IdentityKeyEscrow keeps a key that is made here' or diag $error;
like +(run('', @by_file, qw(user link), $name, 'reset'))[1], qr{^https://id\.example\.org/v1/oauth/reset-password#token=}, 'M7: IdentityPublicURL begins the link';
rename $escrow, "$escrow.away";
says(3, qr/IdentityKeyEscrow \S+ cannot be read: No such file/, @by_file, qw(key add));
rename "$escrow.away", $escrow;

says(2, qr/--config: \S+nowhere cannot be read/, '--config', "$files/nowhere", qw(entity list));
my $broken = IdentityTest::Server->new(start => 0, state => $server->{state}, directives => "Frobnicate On\n");
says(3, qr/^htidentity: \S+httpd\.conf: AH00526: Syntax error on line \d+ of \S+httpd\.conf: Invalid command 'Frobnicate'/, '--config', "$broken->{root}/httpd.conf", qw(entity list));
my $without = IdentityTest::Server->new(start => 0, state => $server->{state});
$without->lay("Include $ENV{IDENTITY_TOP}/t/conf/base.conf");
says(3, qr/mod_identity is not loaded there/, '--config', "$without->{root}/httpd.conf", qw(entity list));
says(3, qr/uses the database sqlite3:\S+elsewhere: there is sqlite3:\S+identity\.db$/, '--config', $conf, '--db', "sqlite3:$files/elsewhere", qw(entity list));
is((run('', '--config', $conf, '--db', "sqlite3:$server->{state}/identity.db", qw(entity list)))[0], 0, 'both, and they agree');
my $two = IdentityTest::Server->new(start => 0, directives => "<VirtualHost 127.0.0.1:2>\nDBDParams $files/second.db\nIdentityPasswordMinLength 20\n<Location /v1>\nIdentityEngine On\n</Location>\n</VirtualHost>\n");
says(2, qr/has several databases: choose one by --db, such as sqlite3:\S+ or sqlite3:\S+/, '--config', "$two->{root}/httpd.conf", qw(entity list));
is((run('', '--config', "$two->{root}/httpd.conf", '--db', "sqlite3:$files/second.db", 'migrate'))[0], 0, 'M7: one of them is chosen');
says(2, qr/no database is named: give --db/, qw(entity list));

# Debian's configuration takes its paths from envvars, which apachectl reads.
my $debian = IdentityTest::Server->new(start => 0, state => $server->{state}, directives => "IdentityPublicURL https://\${IDENTITY_TEST_HOST}\n");
my @debian = ('--config', "$debian->{root}/httpd.conf", '--entity', 'default', qw(user link), $name, 'reset');
says(3, qr/IDENTITY_TEST_HOST/, @debian);
open my $envvars, '>', "$debian->{root}/envvars" or die $!;
print {$envvars} "unset HOME\nexport IDENTITY_TEST_HOST=vars.example.org\n";
close $envvars;
like +(run('', @debian))[1], qr{^https://vars\.example\.org/}, 'M7: envvars beside the configuration count';
rename "$debian->{root}/envvars", "$files/envvars";
{
    local $ENV{APACHE_ENVVARS} = "$files/envvars";
    like +(run('', @debian))[1], qr{^https://vars\.example\.org/}, 'M7: or those that APACHE_ENVVARS names';
}
local $ENV{IDENTITY_HTTPD} = "$files/nothing";
says(3, qr/^htidentity: \S+httpd\.conf: .*nothing.*not found/, @debian);
$ENV{IDENTITY_HTTPD} = "$ENV{IDENTITY_TOP}/bin/httpd";

# ---- by what the server keeps ---------------------------------------------------------------------------------------------------------------

my @by_database = ('--db', "sqlite3:$server->{state}/identity.db", '--entity', 'default');
for (1 .. 100) { last if (run('', @by_database, qw(user link), $name, 'reset'))[0] == 0; sleep 0.1 }
like +(run('', @by_database, qw(user link), $name, 'reset'))[1], qr{^https://id\.example\.org/v1/oauth/reset-password#token=}, 'M7: --db alone: what the server kept at its start';
($status, undef, $error) = run("Correct1Horse\n", @by_database, qw(user set-password), $name);
ok $status == 6 && $error =~ /at least 14 bytes/, 'M7: the rules are the same' or diag $error;
my %kept = map { chomp; split /\|/, $_, 2 } `sqlite3 '$server->{state}/identity.db' 'SELECT name, value FROM settings'`;
is $kept{keep_audit}, 95 * 86400 * 1_000_000, 'of servers that share a database the longest counts';
is $kept{delete_after}, 3 * 86400 * 1_000_000, 'IdentityDeleteAfter';
is $kept{key_escrow}, qq("$escrow"), 'files of secrets by their path';
unlike join(' ', values %kept), qr/0123456789abcdef/, 'no secret is kept';
open my $in, '<', $conf or die $!;
my $text = do { local $/; <$in> };
open my $out_, '>', $conf or die $!;
print {$out_} $text =~ s/id\.example\.org/login.example.org/r;
close $out_;
$server->stop;
$server->start;
for (1 .. 100) { last if (run('', @by_database, qw(user link), $name, 'reset'))[1] =~ /login\.example/; sleep 0.1 }
like +(run('', @by_database, qw(user link), $name, 'reset'))[1], qr{^https://login\.example\.org/}, 'M7: a restart keeps what has changed';
run('', '--db', "sqlite3:$files/second.db", qw(entity add x));
says(3, qr/^htidentity: purge needs the server's configuration, and no server has stored it in this database yet: start httpd once, or name its configuration by --config FILE$/,
    '--db', "sqlite3:$files/second.db", 'purge');

done_testing;

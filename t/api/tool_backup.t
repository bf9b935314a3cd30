# SPDX-License-Identifier: Apache-2.0
# htidentity backup, restore and stats beside a running server.
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Database 'run_tool';

my $state = server()->{state};
my ($file, $away) = ("$state/backup.db", "$state/elsewhere");
mkdir $away or die "$away: $!";

# A copy holds all that was committed, is nobody else's to read, and is whole.
my $before = rows('SELECT 1 FROM users');
my ($status, $out, $error) = tool('backup', $file);
ok $status == 0 && $out eq "backed up to $file\n" && $error eq '', 'M23: a backup while the server runs' or diag $out, $error;
is sprintf('%04o', (stat $file)[2] & 07777), '0600', 'M23: for its owner alone';
($status, undef, $error) = tool('backup', $file);
ok $status >> 8 == 5 && $error =~ /exists/, 'M23: a file that is there is left alone' or diag $error;
($status, undef, $error) = tool('backup', "$state/no/where.db");
ok $status >> 8 == 1 && $error =~ /No such file/, 'M23: the reason is told' or diag $error;

# Not under a server.
($status, undef, $error) = tool('restore', $file);
ok $status >> 8 == 5 && $error =~ /in use: stop httpd first/, 'M23: restore is refused while the server uses the database' or diag $error;
is rows('SELECT 1 FROM users'), $before, 'which is as it was';
ok !-e "$state/identity.db.before-restore" && !-e "$state/identity.db.restoring", 'M23: nothing is left of it';

# Elsewhere nobody uses one: over none, and over another.
($status, $out, $error) = run_tool($away, 'restore', $file);
ok $status == 0 && $out eq "restored\n", 'M23: where there is no database' or diag $out, $error;
is sprintf('%04o', (stat "$away/identity.db")[2] & 07777), '0600', 'for its owner alone';
($status, $out) = run_tool($away, 'check');
is $status, 0, 'M23: and it has no fault' or diag $out;
my ($listed, $entities) = run_tool($away, 'entity', 'list');
($status, $out) = run_tool($away, 'entity', 'add', 'later');
is $status, 0, 'it can be written';
($status, $out, $error) = run_tool($away, 'restore', $file);
ok $status == 0 && $out eq "restored; the previous database is kept as $away/identity.db.before-restore\n", 'M23: over another' or diag $out, $error;
is +(run_tool($away, 'entity', 'list'))[1], $entities, 'M23: what was done since is gone';
ok -s "$away/identity.db.before-restore", 'and kept';

# What is no backup.
for my $wrong (['a text', sub { print {$_[0]} 'no database' x 500 }], ['an empty file', sub { }]) {
    my ($name, $fill) = @$wrong;
    open my $bad, '>', "$state/bad.db" or die $!;
    $fill->($bad);
    close $bad;
    ($status, undef, $error) = run_tool($away, 'restore', "$state/bad.db");
    ok $status >> 8 == 3 && $error =~ /no database of this program, or is damaged/, "M23: $name is refused" or diag $error;
}
($status, undef, $error) = run_tool($away, 'restore', "$state/nothing.db");
ok $status >> 8 == 3 && $error =~ /cannot be read: No such file/, 'M23: and so is a file that is not there' or diag $error;
is +(run_tool($away, 'entity', 'list'))[1], $entities, 'M23: the database is as it was';

# ---- stats -----------------------------------------------------------------------------------------------------------------------------------

($status, $out, $error) = run_tool($away, 'stats');
is $status, 0, 'M7: stats' or diag $error;
my $count = () = $entities =~ /\n/g;
like $out, qr/^entities\t$count\t(?:\d+|-)\t\S+Z$/m, 'M7: rows, bytes and the oldest of each table';
unlike $out, qr/sqlite_/, 'none of SQLite itself';

done_testing;

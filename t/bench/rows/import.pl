# SPDX-License-Identifier: Apache-2.0
# S2.
use strict;
use warnings FATAL => 'all';
use Bench;
use BenchLoad;

my $hash = '$2y$10$abcdefghijklmnopqrstuut3CYJcJzK0OXF40fU9tgfp3q7x3/1vu';

# As a file of another program has them: in no order of the alphabet.
sub write_users
{
    my ($path) = @_;
    my @names = map { "user$_\@example.org" } 1 .. $users;
    my $state = 1;
    for my $i (reverse 1 .. $#names) {
        $state = $state * 1103515245 + 12345 & 0x7fffffff;
        @names[$i, $state % ($i + 1)] = @names[$state % ($i + 1), $i];
    }
    write_file($path, join '', map { qq({"type":"user","username":"$_","password_hash":"$hash"}\n) } @names);
}

sub fresh
{
    my ($name) = @_;
    unlink glob "$folder/$name.db*";
    run("$build/htidentity --db sqlite3:$folder/$name.db migrate > $folder/out");
    return "$folder/$name.db";
}

sub imported
{
    my $db = 'sqlite3:' . fresh('imported');
    run("$build/htidentity --db $db entity add default > $folder/out");
    return rate_of($users, 'sh', '-c', "$build/htidentity --db $db import $folder/users.jsonl > $folder/out");
}

sub {
    my ($site) = @_;
    return unless wanted('S2');
    write_users("$folder/users.jsonl");
    my ($imported, $copied) = in_turn(\&imported, sub { rate_of($users, "$build/t/bench-copy", "$folder/imported.db", fresh('copied')) });
    row('S2', 'import of users with hashes (a second), beside a copy of their rows by SQLite alone', value => $imported, limit => $copied, target => '>= 0.4');
    unlink glob("$folder/imported.db*"), glob("$folder/copied.db*"), "$folder/users.jsonl";
};

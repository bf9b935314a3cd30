# SPDX-License-Identifier: Apache-2.0
# What a start, a reload and `httpd -t` make of a database: what they warn of, what they make and what they never make, the signing key beside it, and faults that
# statements tell of. (M1, M8; security 86, 93)
# run on: event root
use strict;
use warnings FATAL => 'all';
use File::Path 'make_path';
use Test::More;
use Time::HiRes qw(sleep);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $root = $ENV{ALLOW_ROOT};
my $me = $root ? 'nobody' : getpwuid $>;
my $folders = "$ENV{IDENTITY_TOP}/t/servers/start.$$";
my $count = 0;
my @expected = ('ID0531: ', 'AH00020: Configuration Failed');
expect_in_log($_) for @expected;

sub owner { my @stat = stat $_[0]; return @stat ? sprintf('%s %03o', scalar getpwuid($stat[4]), $stat[2] & 0777) : 'nothing' }

sub folder
{
    my $folder = sprintf '%s/%d', $folders, ++$count;
    make_path("$folder/mail");
    system('chown', '-R', 'nobody:nogroup', $folder) == 0 or die if $root;
    chmod 0700, $folder;
    return $folder;
}

sub httpd_on
{ my ($state, $directives) = @_; return IdentityTest::Server->new(start => 0, state => $state, directives => $directives // '') }
sub in_log { my ($server, $pattern) = @_; my @found = $server->error_log =~ /^.*$pattern.*$/mg; return @found }
sub emerg { my ($server) = @_; return in_log($server, qr/[:\[]emerg\]/) }
sub answers { my ($server) = @_; local $server->{http}; return $server->api(GET => '/v1/users?limit=1', undef, 'X-API-KEY' => $server->{keys}{admin} // 'idk_nobody')->status }

# In every process of the server: so often in a row, each time over a connection of its own.
sub becomes
{
    my ($server, $wanted, $what) = @_;
    my ($row, $seen) = (0, '');
    for (1 .. 400) {
        $row = ($seen = answers($server)) == $wanted ? $row + 1 : 0;
        last if $row == 20;
        sleep 0.05;
    }
    is $row, 20, $what or diag "last: $seen";
}

# The command of the line, as whoever reads the log would type it.
sub command_of
{
    my ($line) = @_;
    my ($command) = $line =~ /`([^`]+)`/ or die "no command in: $line\n";
    my $done = `PATH="$ENV{IDENTITY_TOP}/bin:\$PATH" sh -c '$command' 2>&1`;
    is $?, 0, "M1: `$command` runs" or diag $done;
}

# ---- httpd -t ----------------------------------------------------------------------------------------------------------------------------------

my $empty = folder();
my $one = httpd_on($empty);
my ($status, $said) = $one->check;
is $status, 0, 'M1: httpd -t takes a configuration whose database is missing';
like $said, qr/:warn\].* ID0513: The database \S+ does not exist.*`htidentity --db sqlite3:\Q$empty\E\/identity\.db migrate`/, 'M1: httpd -t warns of it, and says how to make it (security 93)';
is join(' ', glob "$empty/*"), "$empty/mail", 'M1: httpd -t makes nothing';
(undef, $said) = httpd_on($empty, "IdentityAutoMigrate On\n")->check;
unlike $said, qr/ID0513/, 'M1: httpd -t does not warn of a database that the start will make';
is join(' ', glob "$empty/*"), "$empty/mail", 'M1: nor does it make it then';

# ---- a start makes nothing by itself, and the command that it prints mends it ---------------------------------------------------------------------

$one->start;
is answers($one), 503, 'M1: started without a database';
is join(' ', glob "$empty/*"), "$empty/mail", 'M1: neither httpd nor mod_dbd makes a database or a key';
my @lines = emerg($one);
is scalar @lines, 1, 'M1: one line at emerg' or diag @lines;
command_of($lines[0]);
becomes($one, 401, 'M1: the command mends it, without a restart');
like owner("$empty/identity.db"), qr/^\Q$me\E 600$/, 'M1: what the command makes belongs to the owner of the folder, also where root types it';
like owner("$empty/identity-signing-key.pem"), qr/^\Q$me\E 600$/, 'M8: so does the signing key that a child makes';
$one->stop;

my $nowhere = folder();
my $gone = httpd_on($nowhere);
rename $nowhere, "$nowhere.away" or die;
$gone->start;
is answers($gone), 503, 'M1: started without the folder';
command_of((emerg($gone))[0]);
becomes($gone, 401, 'M1: the command makes folder and database');
$gone->stop;

# ---- IdentityAutoMigrate -------------------------------------------------------------------------------------------------------------------------

my $auto = folder();
my $made = httpd_on($auto, "IdentityAutoMigrate On\n");
$made->start;
is answers($made), 401, 'M1: IdentityAutoMigrate On makes the database';
is owner("$auto/identity-signing-key.pem"), "$me 600", 'M8: the signing key belongs to the owner of the folder';
$made->stop;
mkdir "$auto/kept" or die;
rename $_, "$auto/kept/" . s{.*/}{}r or die for glob "$auto/identity.db*";
$made->start;
is answers($made), 503, 'M1: IdentityAutoMigrate On makes no database where a signing key lies beside the missing one';
ok !-e "$auto/identity.db", 'M1: it is not there';
like +(emerg($made))[0], qr/ID0531: The database \S+ does not exist: .*identity-signing-key\.pem.*Restore the database/, 'M1: the line says why';
(undef, $said) = $made->check;
like $said, qr/ID0513: .*Restore the database/, 'M1: httpd -t says so, too';
rename $_, "$auto/" . s{.*/}{}r or die for glob "$auto/kept/identity.db*";
becomes($made, 401, 'M1: it comes back with its database');
$made->stop;
unlink "$auto/identity.db-wal", "$auto/identity.db-shm", "$auto/identity-signing-key.pem";
unlink "$auto/identity.db" or die;
$made->start;
is answers($made), 401, 'M1: without the key a new one is made';
$made->stop;

# ---- the signing key -------------------------------------------------------------------------------------------------------------------------------

my $whole = IdentityTest::Server->new;
my $pem = $whole->state_folder . '/identity-signing-key.pem';
$whole->key;
is answers($whole), 200, 'with its key';
is owner($pem), "$me 600", 'M8: the signing key belongs to the owner of the folder';
if ($root) {
    # As an older module made it.
    $whole->stop;
    chown 0, 0, $pem;
    $whole->start;
    is owner($pem), "$me 600", 'M8: one that is root\'s is handed over at the start';
    is answers($whole), 200, 'M8: and signs';
    chown 0, 0, $pem;
    my $state = $whole->state_folder;
    $said = `setpriv --reuid=nobody --regid=nogroup --clear-groups $ENV{IDENTITY_TOP}/bin/htidentity --db sqlite3:$state/identity.db --entity default user add late\@start.example 2>&1`;
    isnt $?, 0, 'M8: htidentity as nobody cannot read root\'s key';
    like $said, qr/identity-signing-key\.pem cannot be read: Permission denied \(errno 13\).*`sudo chown nobody(?::nogroup)? \Q$pem\E`/s, 'M8: the error says errno and what to type';
    chown +(getpwnam 'nobody')[2, 3], $pem;
}
for my $fault (['others can read', sub { chmod 0644, $pem }, sub { chmod 0600, $pem }, qr/ID0531: The signing key \S+ contains a secret, but is readable or writable by others .*chmod 600/],
    ['is not a key', sub { rename $pem, "$pem.kept"; open my $out, '>', $pem; print {$out} "no key\n"; close $out; chmod 0600, $pem; chown +(getpwnam 'nobody')[2, 3], $pem if $root },
        sub { rename "$pem.kept", $pem }, qr/ID0531: The signing key \S/]) {
    my ($what, $break, $mend, $line) = @$fault;
    $whole->stop;
    my @before = emerg($whole);
    $break->();
    $whole->start;
    is answers($whole), 503, "M1: a signing key that $what does not end the start";
    my @after = emerg($whole);
    splice @after, 0, scalar @before;
    is scalar @after, 1, 'M1: one line at emerg' or diag @after;
    like $after[0] // '', $line, 'M1: it says why';
    $mend->();
    becomes($whole, 200, 'M1: mended without a restart, in every process');
}

# A file of the configuration is configuration.
my $bad = httpd_on($whole->state_folder, "IdentitySigningKey $folders/none.pem\n");
($status, $said) = $bad->check;
ok $status != 0 && $said =~ /ID0509: .*none\.pem cannot be read/, 'M1: IdentitySigningKey without its file ends the start, as any fault of the configuration' or diag $said;

# ---- what statements tell of ------------------------------------------------------------------------------------------------------------------------

# Another process keeps the database: writes are refused, all else goes on, one line tells, and it is over when that one ends.
my $state = $whole->state_folder;
my @before = emerg($whole);
my $pid = open(my $holder, '|-', "sqlite3 '$state/identity.db'") or die;
$holder->autoflush(1);
print {$holder} "BEGIN IMMEDIATE;\n";
sleep 1;
my $refused;
for my $try (1 .. 3) {
    $refused = $whole->api(POST => '/v1/roles', {name => "Locked $try"});
    is $refused->status, 503, 'M1: a write while another process keeps the database is answered 503';
    ok $refused->header('Retry-After'), 'M1: with Retry-After';
}
is answers($whole), 200, 'M1: reading goes on' or diag substr $whole->error_log, -6000;
print {$holder} "ROLLBACK;\n.quit\n";
close $holder;
my @after = emerg($whole);
splice @after, 0, scalar @before;
is scalar @after, 1, 'M1: one line at emerg for the lock' or diag @after;
like $after[0] // '', qr/ID0531: The database \S+ is locked by another process; `fuser -v \S+` shows which\./, 'M1: it says how to find that one';
my $written = 0;
for my $try (1 .. 20) { last if ($written = $whole->api(POST => '/v1/roles', {name => "Unlocked $try"})->status) == 200 }
is $written, 200, 'M1: writing goes on afterwards';
is scalar(in_log($whole, qr/ID0535: The database \S+ is available again/)) > 0, 1, 'M1: and that is said';

# A Maildir that cannot be made is a fault of mail: mails wait.
my $mail = httpd_on($whole->state_folder, "IdentityMailURL maildir:/proc/nowhere/mail\n");
$whole->stop;
$mail->start;
is $mail->api(GET => '/v1/users?limit=1')->status, 200, 'M1: a Maildir that cannot be made ends no start';
like $mail->error_log, qr/:error\].* ID0539: The folder \/proc\/nowhere\/mail of IdentityMailURL cannot be created: \S.*Until then no mail is sent/, 'M1: the log says so';
is $mail->api(POST => '/v1/users/invite', {username => $mail->address})->status, 200, 'M1: invitations are taken meanwhile';
$mail->stop;

# A folder of a file system without room.
SKIP: {
    last SKIP unless $root;
    my $small = folder();
    system('mount', '-t', 'tmpfs', '-o', 'size=2m,uid=65534,gid=65534,mode=700', 'none', $small) == 0 or last SKIP;
    my $tiny = eval {
        IdentityTest::Database::make_state($small);
        my $server = httpd_on($small, "IdentityMailURL maildir:$folders\n");
        system('chown', '-R', 'nobody:nogroup', $small);
        $server->start;
        is answers($server) + 0, 401, 'a database on a small disk';
        open my $filler, '>', "$small/filler" or die;
        1 while syswrite $filler, 'x' x 4096;
        close $filler;
        my $status = 0;
        for (1 .. 200) { last if ($status = $server->api(POST => '/v1/roles', {name => "Full $_", description => 'x' x 1000})->status) == 503 }
        is $status, 503, 'M1: a write on a full disk is answered 503';
        # SQLite opens no further connection on a full disk; those that are open read on.
        like $server->api(GET => '/v1/users?limit=1')->status, qr/^(?:200|503)$/, 'M1: what is read is read, or answered 503';
        $server->api(POST => '/v1/roles', {name => "Fuller $_"}) for 1 .. 3;
        my @full = emerg($server);
        is scalar @full, 1, 'M1: one line at emerg for the full disk' or diag @full;
        like $full[0] // '', qr/ID0531: The disk of the database \S+ is full\. Free some space; `df -h \S+`/, 'M1, M25: it says that the disk is full';
        unlink "$small/filler";
        is $server->api(POST => '/v1/roles', {name => 'Room'})->status, 200, 'M1: with room again writing goes on';
        $server->stop;
        1;
    };
    my $error = $@;
    system('umount', '-l', $small);
    ok $tiny, 'M1: the full disk was tried to the end' or diag $error;
}
done_testing;

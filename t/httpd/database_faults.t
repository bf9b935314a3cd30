# SPDX-License-Identifier: Apache-2.0
# A fault of the database ends nothing: httpd starts, reloads and restarts, other sites answer, identity's own places answer 503 and are never open, one line at
# emerg in the main log names the command that mends it, and all comes back by itself. Each fault at a start, a graceful restart, a restart and in service.
# (M1; security 65, 86)
# run on: event prefork asan root
use strict;
use warnings FATAL => 'all';
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Protected;
use IdentityTest::Server;

my $root = $ENV{ALLOW_ROOT};
my $port = IdentityTest::Server::free_port();
my $site = $port + 1;
my $folder = IdentityTest::Protected::folder();
put("$folder/plain/index.html", 'another site');
# IdentityCache 0: nobody is remembered, so that each request shows what the database is worth. The site has a log of its own.
my $server = IdentityTest::Server->new(port => $port, directives => <<"END");
IdentityCache 0
IdentityMailURL maildir:$folder/mail
Listen 127.0.0.1:$site
<VirtualHost 127.0.0.1:$site>
    ErrorLog \${LOGS}/site_log
    DocumentRoot "$folder/plain"
    Alias /files "$folder/files"
    <Directory "$folder">
        Require all granted
    </Directory>
    <Location /files>
        AuthType Identity
        AuthName "files"
        Require identity-permission USER.MORTAL.VIEW
    </Location>
</VirtualHost>
END
my $state = $server->state_folder;
my $database = "$state/identity.db";
my $pem = "$state/identity-signing-key.pem";
my $me = $root ? 'nobody' : getpwuid $>;
expect_in_log($_) for 'ID0531: ', 'ID0528: ';

sub sqlite
{
    my ($sql) = @_;
    my $said = `sqlite3 -cmd '.timeout 5000' '$database' "$sql" 2>&1`;
    die "sqlite3: $sql: $said" if $?;
    system("chown nobody:nogroup $database*") == 0 or die if $root;
}

sub moved { my ($from, $to) = @_; rename $from, $to or die "rename $from $to: $!" }
# The database with its journal.
sub files_to { my ($to) = @_; for my $file (glob "$database*") { moved($file, $to . substr $file, length $database) } }
sub files_back { my ($from) = @_; unlink glob "$database*"; for my $file (glob "$from*") { moved($file, $database . substr $file, length $from) } }

sub owner { my ($path, $name) = @_; chown((getpwnam $name)[2, 3], $path) == 1 or die "chown $path: $!" }

sub states
{
    my ($pid) = @_;
    my @states;
    for my $path (glob "/proc/$pid/task/*/stat") {
        open my $in, '<', $path or next;
        push @states, (<$in> // '') =~ /\) (\w) [^)]*\z/;
    }
    return @states;
}
sub stands_still { my ($pid) = @_; for (1 .. 500) { last unless grep { $_ ne 'T' } states($pid); sleep 0.01 } return }

# Another file in its place. Several steps that httpd sees as one: between two of them it would report what the fault is not.
sub replaced
{
    my ($lay) = @_;
    # The parent first, which would make further children; and a thread goes on for a moment.
    if (my $parent = $server->pid) {
        kill STOP => $parent;
        stands_still($parent);
    }
    my @processes = $server->processes;
    kill STOP => @processes;
    stands_still($_) for @processes;
    my $done = eval { files_to("$state/away"); $lay->(); owner($database, 'nobody') if $root; 1 };
    kill CONT => @processes;
    die $@ unless $done;
}

sub overwritten
{
    my ($bytes, $at) = @_;
    open my $out, '+<', $database or die "$database: $!";
    seek $out, $at, 0;
    print {$out} $bytes;
    close $out or die $!;
}


my ($version) = map { $_->{version} } $server->db('SELECT max(version) AS version FROM schema_version');
my ($holder, $saved);
my @faults = (
    {name => 'a missing database', break => sub { files_to("$state/away") }, mend => sub { files_back("$state/away") }, line => qr/does not exist: No such file .*identity-signing-key\.pem.*`htidentity --db sqlite3:\Q$database\E migrate`/},
    {name => 'a folder that is not mounted', break => sub { moved($state, "$state.away") }, mend => sub { moved("$state.away", $state) },
        line => qr/The folder of the database .* `install -d -o $me -g \S+ -m 0700 \Q$state\E && htidentity --db sqlite3:\Q$database\E migrate`/},
    $root ? {name => 'a database of another owner', break => sub { owner($database, 'daemon') }, mend => sub { owner($database, 'nobody') }, line => qr/`chown nobody:nogroup \Q$database\E`/}
          : {name => 'a database that cannot be read', break => sub { chmod 0000, $database }, mend => sub { chmod 0600, $database }, line => qr/Permission denied \(errno 13\)\. Run `chmod u\+rw \Q$database\E`/},
    $root ? {name => 'a folder of another owner', break => sub { owner($state, 'daemon') }, mend => sub { owner($state, 'nobody') }, line => qr/`chown nobody:nogroup \Q$state\E`/}
          : {name => 'a folder that cannot be written', break => sub { chmod 0500, $state }, mend => sub { chmod 0700, $state }, line => qr/`chmod u\+rwx \Q$state\E`/},
    {name => 'an older schema', break => sub { sqlite("CREATE TABLE kept AS SELECT * FROM schema_version WHERE version > 1; DELETE FROM schema_version WHERE version > 1") },
        mend => sub { sqlite('INSERT INTO schema_version SELECT * FROM kept; DROP TABLE kept') }, line => qr/has version 1, but version $version is required\. Run `htidentity --db sqlite3:\Q$database\E migrate`/},
    {name => 'a newer schema', break => sub { sqlite('INSERT INTO schema_version VALUES (99, 1)') }, mend => sub { sqlite('DELETE FROM schema_version WHERE version = 99') },
        line => qr/has version 99, but this module supports versions up to $version\b/},
    {name => 'another program\'s database', break => sub { replaced(sub { sqlite('CREATE TABLE theirs (x)') }) }, mend => sub { files_back("$state/away") }, line => qr/contains tables of another program/},
    {name => 'a file that is not a database', break => sub { replaced(sub { put($database, 'This is no database. ' x 500, 0600) }) }, mend => sub { files_back("$state/away") },
        line => qr/is damaged, or is not an SQLite database/},
    {name => 'an empty file', break => sub { replaced(sub { put($database, '', 0600) }) }, mend => sub { files_back("$state/away") }, line => qr/is an empty file/},
    {name => 'a damaged database', break => sub { open my $in, '<', $database or die; read $in, $saved, 100; overwritten("\0" x 100, 0) }, mend => sub { overwritten($saved, 0) },
        line => qr/is damaged, or is not an SQLite database\. Restore a backup; `htidentity --db sqlite3:\Q$database\E check`/},
);

sub lines_of { my ($log, $pattern) = @_; my @lines = $log =~ /^.*$pattern.*\n/mg; return @lines }
sub emerg { return lines_of($server->error_log, qr/[:\[]emerg\]/) }
sub site_log { open my $in, '<', "$server->{root}/logs/site_log" or return ''; local $/; return <$in> // '' }

my %where = (site => $site, api => $port);

# The status on a fresh connection, of whichever child.
sub get
{
    my ($where, $path, @headers) = @_;
    local $server->{host} = "127.0.0.1:$where{$where}";
    local $server->{http};
    return ask($server, GET => $path, @headers);
}

my @key = ('X-API-KEY' => $server->key);
my %asked = (
    'API with a key' => sub { get(api => '/v1/users?limit=1', @key) },
    'API without a credential' => sub { get(api => '/v1/users?limit=1') },
    'API with a key of nobody' => sub { get(api => '/v1/users?limit=1', 'X-API-KEY' => 'idk_nobody') },
    'protected with a key' => sub { get(site => '/files/a.html', @key) },
    'protected without a credential' => sub { get(site => '/files/a.html') });

sub all_answer
{
    my ($wanted, $what) = @_;
    my ($row, %last) = 0;
    # A folder that was mended is looked at twice a second, a schema every five seconds. Each process looks for itself: four rounds meet them all.
    for (1 .. 200) {
        my %answers = map { $_ => $asked{$_}->() } keys %asked;
        %last = map { $_ => $answers{$_}{status} . ($answers{$_}{status} == 503 && !$answers{$_}{headers}{"retry-after"} ? ' without Retry-After' : '') } keys %answers;
        $row = (grep { $last{$_} ne $wanted->{$_} } keys %asked) ? 0 : $row + 1;
        last if $row == 4;
        sleep 0.1 if !$row;
    }
    is_deeply \%last, $wanted, $what or diag substr $server->error_log, -6000;
}

my %well = ('API with a key' => 200, 'API without a credential' => 401, 'API with a key of nobody' => 401, 'protected with a key' => 200, 'protected without a credential' => 401);
my %away = map { $_ => 503 } keys %asked;
all_answer(\%well, 'all is well at first');

sub restarted { $server->graceful; for (1 .. 100) { last if eval { get(site => "/")->{status} == 200 }; sleep 0.1 } }

for my $fault (@faults) {
    for my $when ('a start', 'a graceful restart', 'a restart', 'service') {
        my $name = "M1: $fault->{name} at $when";
        my $before = my @before = emerg();
        my $said = length site_log();
        my $pid = $server->pid;
        if ($when eq 'a start') {
            $server->stop;
            $fault->{break}->();
            $server->start;
            $pid = $server->pid;
        } else {
            $fault->{break}->();
            restarted() if $when eq 'a graceful restart';
            if ($when eq 'a restart') { kill HUP => $pid or die; sleep 1 }
        }
        all_answer(\%away, "$name: identity's own places answer 503");
        is get(site => "/")->{status}, 200, "$name: another site answers";
        my @lines = emerg();
        splice @lines, 0, $before;
        is scalar @lines, 1, "$name: one line at emerg in the main log" or diag @lines;
        like $lines[0] // '', $fault->{line}, "$name: it says what mends it";
        unlike substr(site_log(), $said), qr/emerg\]|ID0531/, "$name: none in the log of a virtual host";
        $fault->{mend}->();
        all_answer(\%well, "$name: comes back by itself once it is mended");
        is $server->pid, $pid, "$name: without a restart";
    }
}
$server->stop;
done_testing;

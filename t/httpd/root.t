# SPDX-License-Identifier: Apache-2.0
# Started by root: the children have dropped to User, and everything that they need is theirs, made by whomever; secrets stay closed.
# run on: root
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Server;

sub owner { my @stat = stat $_[0]; @stat ? sprintf('%s %03o', scalar getpwuid($stat[4]), $stat[2] & 0777) : 'nothing' }

sub who_runs
{
    my ($server) = @_;
    my %seen;
    for my $pid ($server->processes) {
        my ($user) = owner("/proc/$pid") =~ /^(\S+)/;
        $seen{$pid == $server->pid ? 'parent' : 'child'}{$user} = 1;
    }
    return join ', ', map { "$_: " . join ' ', sort keys %{$seen{$_}} } sort keys %seen;
}

is who_runs(IdentityTest::handle()), 'child: nobody, parent: root', 'who runs the suite\'s server';
my $person = person();
is api(GET => "/v1/users/$person->{id}", undef, @{$person->{bearer}})->status, 200, 'invited, mailed, activated, logged in';

# Root starts on an empty folder of the children's user, and the module makes all of it.
my $folder = "$ENV{IDENTITY_TOP}/t/servers/own-state";
mkdir $folder, 0700 or die "$folder: $!";
my $server = IdentityTest::Server->new(state => $folder, directives => "IdentityAutoMigrate On\n");
is who_runs($server), 'child: nobody, parent: root', 'who runs a second one';
is owner("$folder/identity.db"), 'nobody 600', 'the database that root made is the children\'s';
is owner("$folder/mail"), 'nobody 700', 'the Maildir too';
like owner("$folder/identity-signing-key.pem"), qr/ 600$/, 'the signing key is read by its owner alone';

# What root writes with the command line meanwhile stays theirs.
IdentityTest::Database::run_tool($folder, qw(entity add default));
IdentityTest::Database::run_tool($folder, qw(--entity default account add default --environment LIVE));
my (undef, $key) = IdentityTest::Database::run_tool($folder, qw(--entity default key add));
chomp $key;
is $server->api(POST => '/v1/roles', {name => 'Librarian'}, 'X-API-KEY' => $key)->status, 200, 'a write after one of root\'s';
is_deeply [grep { !/^nobody / } map { owner($_) } glob "$folder/identity.db*"], [], 'no file of the database is root\'s';
$server->graceful;
is $server->api(GET => '/v1/roles', undef, 'X-API-KEY' => $key)->status, 200, 'after a graceful restart';
$server->stop;
$server->start;
is $server->api(GET => '/v1/roles', undef, 'X-API-KEY' => $key)->status, 200, 'and after a stop';
$server->stop;
done_testing;

# SPDX-License-Identifier: Apache-2.0
# mod_authn_dbd beside mod_identity: each with a database of its own, in virtual hosts of their own; where one would run its SQL on the other's database httpd -t
# refuses. mod_dbd is not asked for connections before they are needed. (M12)
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
my $theirs = "$folder/theirs.db";
# crypt(3) as htpasswd -d writes it.
my $hash = crypt 'secret', 'ab';
system('sqlite3', $theirs, "CREATE TABLE people (name TEXT, password TEXT); INSERT INTO people VALUES ('ada', '$hash')") == 0 or die 'sqlite3';
my $port = IdentityTest::Server::free_port();
my $site = $port + 1;
my $server = IdentityTest::Server->new(start => 0, port => $port, modules => ['authn_dbd']);
my $database = $server->state_folder . '/identity.db';
open my $in, '<', "$ENV{IDENTITY_TOP}/t/conf/base.conf" or die $!;
chomp(my @modules = <$in>);
push @modules, 'LoadModule authn_dbd_module ' . IdentityTest::Server::libexec() . '/mod_authn_dbd.so', "LoadModule identity_module $ENV{IDENTITY_TOP}/bin/mod_identity.so";
my @guarded = (
    "Alias /files $folder/files", "<Directory $folder/files>", 'AuthType Basic', 'AuthName theirs', 'AuthBasicProvider dbd',
    'AuthDBDUserPWQuery "SELECT password FROM people WHERE name = %s"', 'Require valid-user', '</Directory>');
my @ours = ("DBDriver sqlite3", "DBDParams $database", '<Location /v1>', 'IdentityEngine On', '</Location>');

sub laid { $server->lay(@modules, "Listen 127.0.0.1:$site", 'IdentityRequireTLS Off', @_) }
sub check_says
{
    my ($name, $sentence, @lines) = @_;
    laid(@lines);
    my ($status, $said) = $server->check;
    ok $status != 0, "M12: httpd -t refuses $name";
    like $said, $sentence, 'M12: it says which directive, on which database, and what to do' or diag $said;
}

my $refused = qr/ID0512: AuthDBDUserPWQuery \(\S+ line \d+\) would run its SQL on \Q$database\E, .*virtual host of its own/;
check_says('their DBDParams in front of ours', $refused, 'DBDriver sqlite3', "DBDParams $theirs", @guarded, @ours);
check_says('theirs behind ours', qr/ID0512: .* would run its SQL on \Q$theirs\E/, @ours, 'DBDriver sqlite3', "DBDParams $theirs", @guarded);
check_says('both in one virtual host', $refused, "<VirtualHost 127.0.0.1:$site>", @guarded, @ours, '</VirtualHost>');
check_says('their queries in the server that has our database', $refused, @ours, @guarded, "<VirtualHost 127.0.0.1:$site>", 'DBDriver sqlite3', "DBDParams $theirs", '</VirtualHost>');

# The way that works.
laid('DBDriver sqlite3', "DBDParams $theirs", @guarded, "<VirtualHost 127.0.0.1:$port>", @ours, 'AllowEncodedSlashes Off', '</VirtualHost>',
    "<VirtualHost 127.0.0.1:$site>", 'ServerName theirs.example', '</VirtualHost>');
my ($status, $said) = $server->check;
is $status, 0, 'M12: theirs in the server, ours in a virtual host: taken' or diag $said;
$server->start;
is $server->api(GET => '/v1/users')->status, 200, 'M12: mod_identity has its database';
sub at_site { local $server->{host} = "127.0.0.1:$site"; local $server->{http}; return ask($server, GET => '/files/a.html', @_)->{status} }
is at_site(basic('ada', 'secret')), 200, 'M12: mod_authn_dbd has its own';
is at_site(basic('ada', 'wrong')), 401, 'M12: and asks it';
is $server->api(POST => '/v1/roles', {name => 'Neighbour'})->status, 200, 'M12: writing works beside it';
$server->graceful;
is $server->api(GET => '/v1/users')->status, 200, 'M12: also after a graceful restart';
is at_site(basic('ada', 'secret')), 200, 'M12: for both';
is join('', $server->error_log =~ /^.*(?:AH006\d\d|dbd:(?:error|crit)).*\n/mg), '', 'M12: mod_dbd has nothing to say of it, in no child';
$server->stop;
done_testing;

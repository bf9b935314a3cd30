# SPDX-License-Identifier: Apache-2.0
# conf/README.md: the first people of a new database, and several sites with one sign-in, exactly as they stand there. Only paths, ports and TLS are this test's.
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $top = $ENV{IDENTITY_TOP};
my $folder = IdentityTest::Protected::folder();
my $port = IdentityTest::Server::free_port();
my $other = $port + 1;

sub slurp
{
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!";
    local $/;
    return scalar <$in>;
}

# The blocks between two phrases of the manual.
my $manual = slurp("$top/conf/README.md");
sub blocks
{
    my ($from, $until) = @_;
    my ($part) = $manual =~ /^\*\*\Q$from\E(.*?)^\*\*\Q$until\E/ms or die "conf/README.md has no $from\n";
    return $part =~ /^```\n(.*?)^```$/msg;
}

# ---- the first people -------------------------------------------------------------------------------------------------------------------------------------

my $state = "$folder/state";
mkdir $_ for $state, "$folder/root", "$folder/bin";
put("$folder/bin/runuser", "#!/bin/sh\nshift 3\nexec \"\$@\"\n", 0755);
put("$folder/bin/htidentity", "#!/bin/sh\nexec '$top/bin/htidentity' \"\$@\"\n", 0755);
my @typed = blocks('The first people.', 'Beside mod_authn_dbd');
is scalar @typed, 2, 'two blocks make the first people';
my $text = join '', "set -e\nexec 2>&1\nhtidentity --db sqlite3:/var/lib/identity/identity.db migrate\n", @typed;
$text =~ s{/var/lib/identity}{$state}g;
$text =~ s{/root/}{$folder/root/}g;
put("$folder/typed", $text);
my $said = do { local $ENV{PATH} = "$folder/bin:$ENV{PATH}"; `bash '$folder/typed'` };
is $?, 0, 'they are made' or diag $said;
like $said, qr/^    LIBRARY\.READ +role Librarian$/m, 'with a permission of the site\'s own';
is sprintf('%o', (stat "$folder/root/identity-admin-key")[2] & 07777), '600', 'the key is for nobody else to read';

# ---- several sites ----------------------------------------------------------------------------------------------------------------------------------------

my ($example) = $manual =~ /^\*\*Several sites, one sign-in\.\*\*.*?^```\n(.*?)^```$/ms or die 'no example';
my ($api) = $example =~ m{(    <LocationMatch .*?</LocationMatch>\n)}s or die 'no API in it';
open my $in, '<', "$top/t/conf/base.conf" or die $!;
chomp(my @modules = <$in>);
my $server = IdentityTest::Server->new(start => 0, port => $port, state => $state);
system('chown', '-R', 'nobody:nogroup', $state) == 0 or die if $ENV{ALLOW_ROOT};
$server->{keys}{admin} = slurp("$folder/root/identity-admin-key") =~ s/\n//r;

# As it stands there; of two hosts with the API the second has these lines more.
sub sites
{
    my ($more) = @_;
    my $text = $example =~ s{/var/lib/identity}{$state}gr =~ s{<VirtualHost \*:443>}{<VirtualHost 127.0.0.1:$port>}r =~ s{<VirtualHost \*:443>}{<VirtualHost 127.0.0.1:$other>}r;
    $text =~ s{(ServerName docs.example.org\n)}{$1$more} or die;
    $server->lay(@modules, "LoadModule identity_module $top/bin/mod_identity.so", "Listen 127.0.0.1:$other", "DocumentRoot $folder/files", "<Directory $folder/files>", 'Require all granted', '</Directory>', $text);
    $server->start;
}
sub at_other { my ($ask) = @_; local $server->{host} = "127.0.0.1:$other"; local $server->{http}; return $ask->() }
sub token { return 'Bearer ' . ($server->login('ada@example.org', 'Correct1Horse')->json->{access_token} // die 'no token') }
sub docs { my (@as) = @_; return at_other(sub { $server->http->get("http://127.0.0.1:$other/a.html", {headers => {@as}})->{status} }) }
sub users { my ($token) = @_; return $server->api(GET => '/v1/users', undef, Authorization => $token)->status }

sites('');
my $token = token();
is users($token), 200, 'the first administrator signs in and administers';
is docs(), 401, 'the other site asks who it is';
is docs(Authorization => $token), 200, 'and takes tokens of the one with the API';
is docs('X-API-KEY' => $server->key), 200, 'and keys';
is at_other(sub { $server->http->get("http://127.0.0.1:$other/v1/users", {headers => {Authorization => $token}})->{status} }), 404, 'but has no API';
$server->stop;

sites($api);
$token = at_other(\&token);
is users($token), 200, 'of two hosts with the API and one IdentityPublicURL each takes the other\'s tokens';
is docs(Authorization => token()), 200, 'the other way round, too';
$server->stop;

sites("    IdentityPublicURL https://docs.example.org\n$api");
$token = at_other(\&token);
is users($token), 401, 'with another IdentityPublicURL it does not';
is docs(Authorization => $token), 200, 'but its own';
$server->stop;

done_testing;

#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The document by other people's programs: public linters have nothing against conf/openapi.json, and two public generators make clients of it that a compiler
# takes and that get what they ask for from a real server. The packages are pinned in t/npm/clients.
use strict;
use warnings FATAL => 'all';
use File::Path qw(make_path remove_tree);
use File::Temp 'tempdir';
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes 'sleep';
use lib 't/lib';
use IdentityGuard 'slurp';

my $packages = 'build/npm-clients';
my $bin = "$packages/node_modules/.bin";
my $document = 'conf/openapi.json';
my $json = JSON::PP->new->utf8;
# The linters ask nobody whether there is something newer.
local @ENV{qw(REDOCLY_TELEMETRY REDOCLY_SUPPRESS_UPDATE_NOTICE)} = ('off', 'true');

system('t/npm/install.sh', $packages, 't/npm/clients') == 0 or die "the packages of t/npm/clients cannot be installed\n";

sub said { my $text = `$_[0] 2>&1`; return ($? == 0, $text) }

# ---- linters -----------------------------------------------------------------------------------------------------------------------------------

# Warnings that are meant: there is nobody to name yet, and to lead the browser elsewhere is what authorize is for.
my %meant = map { $_ => 1 } 'info-contact #/info', map { "operation-2xx-response #/paths/~1v1~1$_/responses" }
    qw(oauth~1authorize/get oauth~1sign-in/post oidc~1authorize/get oidc~1authorize/post);
my $folder = tempdir('identity-clients.XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub write_file
{
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
}

write_file("$folder/redocly.yaml", "extends: [recommended]\n");
write_file("$folder/spectral.yaml", "extends: ['spectral:oas']\n");

sub redocly
{
    my $said = `$bin/redocly lint --config '$folder/redocly.yaml' --format=json '$_[0]' 2>/dev/null`;
    my $problems = eval { $json->decode($said)->{problems} } // return ('redocly said nothing');
    return map { "$_->{ruleId} $_->{location}[0]{pointer}" } @$problems;
}

sub spectral
{
    my $said = `$bin/spectral lint --ruleset '$folder/spectral.yaml' --format json '$_[0]' 2>/dev/null`;
    my $problems = eval { $json->decode($said =~ s/\]\s*No results.*\z/]/sr) } // return ('spectral said nothing');
    return map { my $path = $_->{path}; "$_->{code} " . join('/', '#', map { s{~}{~0}gr =~ s{/}{~1}gr } @$path) } @$problems;
}

is join("\n", grep { !$meant{$_} } redocly($document)), '', 'C4: the recommended rules of Redocly';
is join("\n", grep { !$meant{$_} } spectral($document)), '', 'C4: the recommended rules of Spectral';

# They would say so.
my $broken = $json->decode(slurp($document));
delete $broken->{paths}{'/v1/users'}{get}{description};
delete $broken->{components}{schemas}{OAuthMetadata}{properties}{response_types_supported}{items};
$broken->{paths}{'/v1/users'}{get}{operationId} = 'get_user';
write_file("$folder/broken.json", $json->encode($broken));
like join("\n", redocly("$folder/broken.json")), qr/operation-operationId-unique/, 'Redocly finds an id twice';
my $found = join "\n", spectral("$folder/broken.json");
like $found, qr{operation-description #/paths/~1v1~1users/get}, 'C4: Spectral finds an operation without a description';
like $found, qr{array-items .*response_types_supported}, 'C4: ... and an array without items';

# ---- generators --------------------------------------------------------------------------------------------------------------------------------

my $made = 'build/clients';
remove_tree($made);
make_path($made);
system("cp t/clients/* '$made/'") == 0 or die 'cp failed';
symlink '../npm-clients/node_modules', "$made/node_modules" or die "symlink: $!";
my ($held, $text) = said("$bin/openapi-typescript '$document' -o '$made/types.d.ts'");
ok $held, 'openapi-typescript makes types of it' or diag $text;
($held, $text) = said("$bin/openapi-ts --no-log-file -i './$document' -o '$made/sdk'");
ok $held, '@hey-api/openapi-ts makes a client of it' or diag $text;
unlike $text, qr/warning|unsupported/i, 'C4: no security scheme that it does not know';
($held, $text) = said("$bin/tsc -p '$made'");
ok $held, 'programs that use them compile' or diag $text;

# ---- a real server -----------------------------------------------------------------------------------------------------------------------------

my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "no port: $@";
my $port = $socket->sockport;
close $socket;
chmod 0755, $folder;
write_file("$folder/output", '');
my $pid = fork // die "fork: $!";
if (!$pid) {
    open STDOUT, '>', "$folder/output" or die;
    open STDERR, '>&', \*STDOUT or die;
    exec 'env', "PORT=$port", "STATE=$folder/run", 'src/tool/run.sh' or POSIX::_exit(127);
}
my $url;
for (1 .. 600) {
    last if ($url) = slurp("$folder/output") =~ m{^ready (http://\S+)/v1$}m;
    last if waitpid($pid, POSIX::WNOHANG()) != 0;
    sleep 0.1;
}
ok $url, 'a server is there' or diag slurp("$folder/output");
chomp(my $key = slurp("$folder/run/admin-api-key"));

my $change = [{field => 'status', from => 'ACTIVE', to => 'INACTIVE'}];
for my $client (qw(fetch generated)) {
    write_file("$folder/input", $json->encode({url => $url, key => $key, label => $client}));
    my $answer = `node '$made/out/$client.js' < '$folder/input'`;
    is $?, 0, "$client: the program ends well";
    my $told = eval { $json->decode($answer) } // {};
    is_deeply $told->{made}, [201, "$client\@example.org", 'ACTIVE', 0], "$client: a user is made";
    is_deeply $told->{changed}, [200, 'INACTIVE'], "$client: ... and changed";
    is_deeply $told->{listed}, [200, JSON::PP::true, $client eq 'fetch' ? 1 : 2], "$client: ... and found by status";
    is_deeply $told->{record}, $change, "$client: ... which is on record";
    is_deeply $told->{nobody}, [404, 'USER_NOT_FOUND', 'USER'], "$client: an error has the members of its type";
    is_deeply $told->{role}, [200, "role-$client", ['SHOP.OPEN'], ''], "$client: a role has all of its members";
}
kill TERM => $pid;
waitpid $pid, 0;
done_testing;

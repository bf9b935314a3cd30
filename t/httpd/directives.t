# SPDX-License-Identifier: Apache-2.0
# Directives: each fault of a value or of several together stops `httpd -t` with a sentence, each value has its effect, and what a virtual host does not say it
# has from the server around. (conf/directives.md; security 93)
# run on: event asan
use strict;
use warnings FATAL => 'all';
use File::Path 'make_path';
use MIME::Base64 qw(decode_base64url encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $top = $ENV{IDENTITY_TOP};
my $files = "$top/t/servers/directives.$$";
make_path($files);

sub put
{
    my ($name, $mode, $text) = @_;
    open my $out, '>', "$files/$name" or die "$files/$name: $!";
    print {$out} $text;
    close $out or die $!;
    chmod $mode, "$files/$name";
    return "$files/$name";
}

sub pem { my (@arguments) = @_; my $text = `openssl genpkey @arguments 2>/dev/null`; die "openssl: $?" if $?; return $text }

my $first = put('first.pem', 0600, pem('-algorithm EC -pkeyopt ec_paramgen_curve:P-256'));
my $second = put('second.pem', 0600, pem('-algorithm EC -pkeyopt ec_paramgen_curve:P-256'));
my $rsa = put('rsa.pem', 0600, pem('-algorithm RSA -pkeyopt rsa_keygen_bits:2048'));
my $weak_rsa = put('weak.pem', 0600, pem('-algorithm RSA -pkeyopt rsa_keygen_bits:1024'));
my $open = put('open.pem', 0644, pem('-algorithm EC -pkeyopt ec_paramgen_curve:P-256'));
my $group = put('group.pem', 0640, pem('-algorithm EC -pkeyopt ec_paramgen_curve:P-256'));
my $other_curve = put('curve.pem', 0600, pem('-algorithm EC -pkeyopt ec_paramgen_curve:P-384'));
my $no_key = put('none.pem', 0600, "no key\n");
my $secret = put('secret', 0600, "mail-password\n");
my $words = put('words.txt', 0644, "Horsefeathers\n");
my $templates = "$files/mail";
make_path($_) for $templates, "$files/half";
put('mail/invite.txt', 0644, "Subject: Welcome\n\n{{link}}\n");
put('mail/invite.html', 0644, "<p>{{link}}\n");
put('half/invite.txt', 0644, "Subject: Welcome\n\n{{link}}\n");
my $open_secret = put('open-secret', 0604, "mail-password\n");

my $escrow_text = unpack('H*', 'The key that seals, of 32 bytes.');
my $escrow = put('escrow', 0600, "$escrow_text\n");
my $escrow_base64 = put('escrow-base64', 0400, encode_base64('The key that seals, of 32 bytes.'));
my $short_escrow = put('short-escrow', 0600, substr($escrow_text, 2) . "\n");
my $raw_escrow = put('raw-escrow', 0600, 'The key that seals, of 32 bytes.');
my $open_escrow = put('open-escrow', 0644, "$escrow_text\n");

my $server = IdentityTest::Server->new;
my $state = $server->state_folder;

sub check
{
    my ($directives, @more) = @_;
    my ($status, $text) = IdentityTest::Server->new(start => 0, state => $state, directives => "$directives\n", @more)->check;
    return ($status, $text);
}

# ---- values that are refused ----------------------------------------------------------------------------------------------------------------

my $duration = qr/needs a whole number and a unit \(s, m, h or d\), such as 15m, not/;
my $size = qr/needs a whole number of bytes, or one with K, M or G, such as 64K, not/;
my $origin = qr/needs http or https, a host and optionally a port, such as .*, and nothing else\./;
my @refused = (
    'IdentityEngine Perhaps' => qr/must be On or Off/,
    "<Directory />\nIdentityEngine On\n</Directory>" => qr/cannot occur within <Directory>/,
    "<Files x>\nIdentityEngine On\n</Files>" => qr/cannot occur within <Files>/,
    'IdentityPublicURL ftp://id.example.org' => $origin,
    'IdentityPublicURL https://id.example.org/identity' => $origin,
    'IdentityPublicURL https://user@id.example.org' => $origin,
    'IdentityPublicURL https://id.example.org?x' => $origin,
    'IdentityPublicURL https://id.example.org:x' => $origin,
    'IdentityPublicURL id.example.org' => $origin,
    "IdentityPublicURL https://b\xc3\xbccher\xe2\x80\x8b.example" => qr/IdentityPublicURL names a host that is not a valid domain name \(IDN\)/,
    'IdentityPublicURL https://xn--.example' => qr/IdentityPublicURL names a host that is not a valid domain name \(IDN\)/,
    'IdentityPublicURL http://id.example.org' => qr/ID0508: .*TLS only: write https:\/\/ or, .* IdentityRequireTLS Off/,
    'IdentityRequireTLS Perhaps' => qr/must be On or Off/,
    'IdentityAutoMigrate Perhaps' => qr/must be On or Off/,
    'IdentityPasswordGrant Perhaps' => qr/must be On or Off/,
    'IdentityBuiltInRoles all' => qr/IdentityBuiltInRoles is published or core, not all\./,
    "<VirtualHost *:1>\nIdentityEngine On\nIdentityBuiltInRoles core\n</VirtualHost>" => qr/ID0514: IdentityBuiltInRoles differs/,
    'IdentitySync OFF' => qr/IdentitySync is FULL or NORMAL, not OFF\./,
    'IdentityDatabaseWait 2' => $duration,
    'IdentityDatabaseWait -2s' => $duration,
    'IdentityAccessLifetime 0m' => qr/must be more than 0/,
    'IdentityAccessLifetime 15' => $duration,
    'IdentityAccessLifetime 1.5h' => $duration,
    'IdentityAccessLifetime 15M' => $duration,
    'IdentityAccessLifetime m' => $duration,
    'IdentityAccessLifetime 99999999999999999999d' => $duration,
    'IdentityAccessLifetime 9223372036854775807d' => qr/must be at most 3650d/,
    'IdentityInviteLifetime 7 d' => qr/takes one argument/,
    'IdentityResetLifetime 1w' => $duration,
    'IdentityUserName name' => qr/IdentityUserName is address or login, not name\./,
    'IdentityUserName' => qr/takes one argument/,
    'IdentityPersonalKeyLifetime 90' => $duration,
    'IdentityPersonalKeyLifetime 0d' => qr/must be more than 0/,
    'IdentityRefreshLifetime 7d' => qr/takes two arguments/,
    'IdentityRefreshLifetime 30d 7d' => qr/takes the idle lifetime first, and it cannot be longer/,
    'IdentityRefreshLifetime 7d 30' => $duration,
    'IdentityMaxBody 64k' => $size,
    'IdentityMaxBody -1' => $size,
    'IdentityMaxBody 1T' => $size,
    'IdentityMaxBody 99999999999999999999' => $size,
    'IdentityMaxBody 0' => qr/must be from 1 to 67108864 bytes/,
    'IdentityMaxBody 18014398509481984K' => qr/must be from 1 to 67108864 bytes/,
    'IdentityHashMemory 1X' => $size,
    "<VirtualHost *:1>\nIdentityHashMemory 40M\n</VirtualHost>" => qr/cannot occur within <VirtualHost>/,
    'IdentityPasswordHash bcrypt' => qr/must begin with argon2id/,
    'IdentityPasswordHash argon2id m=19455' => qr/m= \(memory in KiB\) must be from 19456/,
    'IdentityPasswordHash argon2id t=1' => qr/t= \(passes\) must be from 2/,
    'IdentityPasswordHash argon2id p=2' => qr/p= \(lanes, of which libsodium computes one\) can only be 1/,
    'IdentityPasswordHash argon2id m=64M' => qr/needs a whole number, not 64M/,
    'IdentityPasswordHash argon2id s=1' => qr/takes m=, t= and p= after argon2id, not s=1/,
    'IdentityPasswordMinLength 7' => qr/must be from 8 to 1024, not 7\./,
    'IdentityPasswordMinLength 1025' => qr/must be from 8 to 1024/,
    'IdentityPasswordMinLength ten' => qr/needs a whole number, not ten\./,
    "IdentityPasswordBlockList $files/missing.txt" => qr/IdentityPasswordBlockList: \S+missing\.txt cannot be read: No such file/,
    "IdentityPasswordBlockList $files" => qr/IdentityPasswordBlockList: \S+ is not a regular file/,
    "IdentitySigningKey $files/missing.pem" => qr/ID0509: \S+missing\.pem cannot be read: No such file/,
    "IdentitySigningKey $open" => qr/ID0509: \S+open\.pem contains a secret, but is readable or writable by others .*chmod 600/,
    "IdentitySigningKey $group" => qr/ID0509: \S+group\.pem contains a secret, but is readable or writable by others .*chmod 600/,
    "IdentitySigningKey $other_curve" => qr/ID0509: .*P-256/,
    "IdentitySigningKey $first $no_key" => qr/ID0509: .*none\.pem: \S/,
    "IdentitySigningKey $files" => qr/ID0509: \S+ is not a regular file\./,
    "IdentityOpenIDKey $files/missing" => qr/ID0515: IdentityOpenIDKey \S+missing cannot be read: No such file/,
    "IdentityOpenIDKey $first" => qr/ID0515: IdentityOpenIDKey \S+ is not a valid RSA private key/,
    "IdentityOpenIDKey $weak_rsa" => qr/ID0515: .*is not a valid RSA private key of 2048/,
    'IdentityOpenID Perhaps' => qr/must be On or Off/,
    "IdentityKeyEscrow $files/missing" => qr/ID0511: IdentityKeyEscrow \S+missing cannot be read: No such file/,
    "IdentityKeyEscrow $open_escrow" => qr/ID0511: IdentityKeyEscrow \S+open-escrow contains a secret, but is readable or writable by others .*chmod 600/,
    "IdentityKeyEscrow $files" => qr/ID0511: IdentityKeyEscrow \S+ is not a regular file\./,
    "IdentityKeyEscrow $short_escrow" => qr/ID0511: IdentityKeyEscrow \S+ does not contain 32 bytes as 64 hexadecimal digits or in base64; `openssl rand -hex 32`/,
    "IdentityKeyEscrow $raw_escrow" => qr/ID0511: .*does not contain 32 bytes/,
    "IdentityKeyEscrow $first" => qr/ID0511: .*does not contain 32 bytes/,
    "IdentityKeyEscrow $escrow $escrow" => qr/takes one argument/,
    "<VirtualHost *:1>\nIdentityKeyEscrow $short_escrow\n</VirtualHost>" => qr/ID0511: .*does not contain 32 bytes/,
    'IdentityCache many' => qr/IdentityCache needs a whole number, not many\./,
    'IdentityCache -1' => qr/IdentityCache needs a whole number/,
    'IdentityCache 1000001' => qr/IdentityCache must be from 0 to 1000000/,
    'IdentityStale 1' => $duration,
    "MergeTrailers On\nIdentityForwardHeaders On" => qr/ID0519: IdentityForwardHeaders and MergeTrailers are both On/, # security 73
    "IdentityForwardHeaders On\n<VirtualHost *:1>\nMergeTrailers On\n</VirtualHost>" => qr/ID0519: /,
    "IdentityCache 0\nIdentityStale 1h" => qr/ID0517: IdentityStale is set, but with IdentityCache 0 there are no cached credentials/,
    "IdentityCache 10\nIdentityStale 1h\n<VirtualHost *:1>\nIdentityCache 0\n</VirtualHost>" => qr/ID0517: /,
    'IdentityRateLimit 10/1m' => qr/takes two arguments/,
    'IdentityRateLimit logins 10/1m' => qr/must begin with a class: login, token, reset, invite, mail, refresh, read or write, not logins\./,
    'IdentityRateLimit none off' => qr/must begin with a class/,
    'IdentityRateLimit login 10' => qr{IdentityRateLimit login needs a number and a duration, such as 10/1m, or off, not 10\.},
    'IdentityRateLimit login on' => qr/or off, not on\./,
    'IdentityRateLimit login 0/1m' => qr{login \(before the /\) must be from 1 to 1000000, not 0\.},
    'IdentityRateLimit login 1000001/1m' => qr{login \(before the /\) must be from 1 to 1000000},
    'IdentityRateLimit login ten/1m' => qr{login \(before the /\) needs a whole number, not ten\.},
    'IdentityRateLimit login /1m' => qr{login \(before the /\) needs a whole number, not \.},
    'IdentityRateLimit token 10/1' => $duration,
    'IdentityRateLimit token 10/' => $duration,
    'IdentityRateLimit read 10/1m/1m' => $duration,
    'IdentityRateLimit write 10/0s' => qr{write \(behind the /\) must be more than 0},
    'IdentityRetention 30d' => qr/takes two arguments/,
    'IdentityRetention all 30d' => qr/IdentityRetention must begin with audit, sessions or mail, not all\./,
    'IdentityRetention audit 30' => $duration,
    'IdentityRetention mail 0d' => qr/IdentityRetention mail must be more than 0/,
    'IdentityDeleteAfter' => qr/takes one argument/,
    'IdentityDeleteAfter 7' => $duration,
    'IdentityDeleteAfter never' => $duration,
    'IdentityMailURL http://mail.example.org' => qr/IdentityMailURL: .*smtp:\/\/, smtps:\/\/ or maildir:/,
    "IdentityMailTemplates $files/nowhere" => qr/IdentityMailTemplates: \S*nowhere: cannot be read: No such file/,
    "IdentityMailTemplates $files/half" => qr/IdentityMailTemplates: \S*half\/invite\.html: this file is missing/,
    'IdentityMailURL maildir:mail' => qr/IdentityMailURL: .*absolute path/,
    'IdentityMailURL smtp://user:password@mail.example.org' => qr/IdentityMailURL: .*not contain a password/,
    'IdentityMailURL smtp://user@mail.example.org' => qr/ID0506: .*IdentityMailSecret/,
    "IdentityMailURL smtp://user\@mail.example.org\nIdentityMailSecret $open_secret" => qr/ID0507: .*chmod 600/,
    "IdentityMailURL smtp://user\@mail.example.org\nIdentityMailSecret $files/missing" => qr/ID0507: .*cannot be read/,
    'IdentityMailURL smtp://mail.example.org:465' => qr/IdentityMailURL: Port 465 .* smtps:\/\//,
    'IdentityMailURL smtp://[2001:db8::1]:0465/' => qr/IdentityMailURL: Port 465 .* smtps:\/\//,
    'IdentityMailURL SMTPS://mail.example.org:587' => qr/IdentityMailURL: Ports 25 and 587 .* smtp:\/\//,
    'IdentityMailHelo id_1.example.org' => qr/IdentityMailHelo needs a host name such as .*, not id_1\.example\.org\./, # B5
    'IdentityMailHelo -a.example.org' => qr/IdentityMailHelo needs/,
    'IdentityMailHelo [192.0.2]' => qr/IdentityMailHelo needs/,
    'IdentityMailHelo "id.example.org RSET"' => qr/IdentityMailHelo needs/,
    'IdentityMailFrom nobody' => qr/needs an address/,
    'IdentityMailFrom "Name <nobody>"' => qr/needs an address/,
    'IdentityURNNamespace a' => qr/IdentityURNNamespace needs 2 to 32 letters, digits and hyphens, .* it is given a\./,
    'IdentityURNNamespace URN' => qr/not urn itself/,
    'IdentityURNNamespace example-' => qr/no hyphen first or last/,
    'IdentityURNNamespace exa:mple' => qr/it is given exa:mple\./,
    'IdentityURNRegion eu/1' => qr/IdentityURNRegion needs 1 to 64 letters, .*, not eu\/1\./,
    'IdentityURNRegion eu:1' => qr/IdentityURNRegion needs 1 to 64 letters/,
    'DBDDriver x' => qr/Invalid command/,
    'DBDParams identity.db' => qr/ID0504: .*absolute path/,
    'DBDParams :memory:' => qr/ID0504: .*absolute path/,
    "<VirtualHost *:1>\nIdentityEngine On\nIdentitySync NORMAL\n</VirtualHost>" => qr/ID0510: IdentitySync differs/,
);
# What the sentence of some shows besides.
sub shown
{
    my ($directives) = @_;
    return 'a list that cannot be read is never skipped in silence # security 7' if $directives =~ /^IdentityPasswordBlockList/;
    return 'B18: with a sentence' if $directives =~ /^IdentityRateLimit|^IdentityMailURL \S+:\d+\/?$/;
    return 'with a sentence';
}
while (my ($directives, $sentence) = splice @refused, 0, 2) {
    my ($status, $text) = check($directives);
    ok $status != 0, 'refused: ' . $directives =~ tr/\n/ /r or diag $text;
    like $text, $sentence, shown($directives);
}
my (undef, $said) = check('IdentityPublicURL https://user:hunter2@id.example.org');
unlike $said, qr/hunter2/, 'a password in a URL is not repeated';
(undef, $said) = check('IdentityMailURL smtp://user:hunter2@mail.example.org');
unlike $said, qr/hunter2/, 'nor in that of the mail';
(undef, $said) = check("IdentityKeyEscrow $short_escrow");
unlike $said, qr/${\substr $escrow_text, 2, 16}/i, 'nor what a file of secrets holds';

my @taken = (
    'IdentityPublicURL https://ID.example.org/', 'IdentityPublicURL https://[2001:db8::1]:8443', 'IdentityPublicURL http://localhost:8080',
    "IdentityPublicURL http://id.example.org\nIdentityRequireTLS Off", 'IdentityAccessLifetime 3650d', 'IdentityDatabaseWait 0s', 'IdentityMaxBody 64M',
    'IdentityMaxBody 1', 'IdentityHashMemory 1K', 'IdentityPasswordHash argon2id', 'IdentityPasswordHash ARGON2ID t=3 m=65536 p=1',
    'IdentityPasswordMinLength 1024', "IdentityPasswordBlockList $words", 'IdentityRateLimit LOGIN Off', 'IdentityRateLimit read 1000000/3650d', 'IdentityRateLimit write 1/1s', "IdentityKeyEscrow $escrow", "IdentityKeyEscrow $escrow_base64", "IdentityOpenID On\nIdentityOpenIDKey $rsa", "IdentitySigningKey $first $second", "IdentityMailURL smtp://user\@mail.example.org:587\nIdentityMailSecret $secret",
    "IdentityMailTemplates $templates", 'IdentityRateLimit mail 20/1d', 'IdentityMailFrom "Example, Ltd. <noreply@example.org>"', 'IdentityMailFrom noreply@example.org', 'IdentitySync normal',
    "IdentityURNNamespace example-1\nIdentityURNRegion eu-1.a_b~c",
    "<If \"true\">\n</If>", 'Mutex fcntl identity-write', "<VirtualHost *:1>\nIdentitySync NORMAL\nDBDParams $state/other.db\n</VirtualHost>");
for my $directives (@taken) {
    my ($status, $text) = check($directives);
    is $status, 0, 'taken: ' . $directives =~ tr/\n/ /r or diag $text;
}

# What is too long for an access token is taken as the longest, and said. (M24)
for (['IdentityAccessLifetime 400d', 'IdentityAccessLifetime'], ['IdentityAccessLifetime 25h', 'IdentityAccessLifetime'], ['IdentityDemoLifetime 2d', 'IdentityDemoLifetime'],
    ["<VirtualHost *:1>\nIdentityEngine On\nIdentityAccessLifetime 3650d\n</VirtualHost>", 'IdentityAccessLifetime']) {
    my ($directives, $name) = @$_;
    my ($status, $text) = check($directives);
    is $status, 0, 'M24: taken: ' . $directives =~ tr/\n/ /r or diag $text;
    like $text, qr/ID0534: $name is more than 24h, .*: using 24h/, 'M24: with a warning';
}
unlike +(check('IdentityAccessLifetime 24h'))[1], qr/ID0534/, 'M24: 24h itself needs none';

# ---- the shipped file: every line that is commented out is what it says: the default, or an example that httpd takes -----------------------------

open my $in, '<', "$top/conf/identity.conf" or die $!;
my $shipped = do { local $/; <$in> };
my $lines = $shipped =~ s/^(\s*)#(Identity)/$1$2/mg;
cmp_ok $lines, '>=', 18, 'the shipped file has them all';
$shipped =~ s{^(\s*IdentitySigningKey ).*}{$1$first $second}m;
$shipped =~ s{^(\s*IdentityMailSecret ).*}{$1$secret}m;
$shipped =~ s{^(\s*IdentityKeyEscrow ).*}{$1$escrow}m;
$shipped =~ s{^(\s*IdentityOpenIDKey ).*}{$1$rsa}m;
$shipped =~ s{^(\s*IdentityMailTemplates ).*}{$1$templates}m;
$shipped =~ s{^(\s*IdentityPasswordBlockList ).*}{$1$words}m;
$shipped =~ s{^(\s*IdentityProvider \S+ \S+ \S+ )\S+}{$1$secret}m;
$shipped =~ s{^(\s*IdentityCaptcha \S+ )\S+}{$1$secret}m;
my $whole = put('identity.conf', 0644, $shipped);
my ($status, $text) = check("Include $whole\nDBDParams $state/identity.db", modules => [qw(deflate brotli)]);
is $status, 0, 'with all of them in force it is taken' or diag $text;

# ---- the reference: every example is taken as it stands ------------------------------------------------------------------------------------------

open $in, '<', "$top/conf/directives.md" or die $!;
my $reference = do { local $/; <$in> };
my @examples = $reference =~ /^```\n(.*?)^```$/gms;
my $here = sub {
    my ($example) = @_;
    my %of = ('mail-secret' => $secret, 'captcha-secret' => $secret, 'work-secret' => $secret, 'key-escrow' => $escrow, 'openid-key.pem' => $rsa, 'new.pem' => $first, 'old.pem' => $second, 'blocklist.txt' => $words, mail => $templates);
    return $example =~ s{/etc/apache2/identity/(\S+)}{$of{$1} // die "$1 of an example is not there"}ger;
};
is scalar @examples, scalar(() = $reference =~ /^## /mg), 'the reference has an example of each directive';
($status, $text) = check(join "\n", map { $here->($_) } @examples);
is $status, 0, 'all of them together are taken' or diag map { my ($one, $said) = check($here->($_)); $one ? "$_$said" : () } @examples;

# ---- nothing asked, nothing demanded ------------------------------------------------------------------------------------------------------------

open $in, '<', "$top/t/conf/base.conf" or die $!;
my @modules = grep { !/mod_(?:dbd|watchdog)\.so/ } <$in>;
chomp @modules;
my $idle = IdentityTest::Server->new(front => 1, start => 0, state => $state);
$idle->lay(@modules, "LoadModule identity_module $top/bin/mod_identity.so");
$idle->start;
is $idle->api(GET => '/v1/users')->status, 404, 'loaded and not switched on: httpd as it was, without mod_dbd';
$idle->graceful;
is $idle->api(GET => '/v1/users')->status, 404, 'also after a graceful restart';
$idle->stop;
unlike $idle->error_log, qr/\bID\d{4}|\[identity/, 'it has said nothing';
$idle->lay(@modules, "LoadModule identity_module $top/bin/mod_identity.so", "<Location /v1>\nIdentityEngine On\n</Location>");
like +($idle->check)[1], qr/ID0501: .*mod_dbd.* is not loaded/, 'switched on without mod_dbd';
my $dbd = 'LoadModule dbd_module ' . IdentityTest::Server::libexec() . '/mod_dbd.so';
$idle->lay(@modules, $dbd, "LoadModule identity_module $top/bin/mod_identity.so", "<Location /v1>\nIdentityEngine On\n</Location>");
like +($idle->check)[1], qr/ID0502: .*DBDriver/, 'switched on without a database';
$idle->lay(@modules, $dbd, "LoadModule identity_module $top/bin/mod_identity.so", "DBDriver sqlite3\nDBDParams $state/identity.db\nIdentityRequireTLS Off",
    "IdentityStale 1h\n<Location /v1>\nIdentityEngine On\n</Location>");
# Debian's httpd has mod_watchdog built in: there is no server without it.
my $built_in = grep { /mod_watchdog\.c/ } `$top/bin/httpd -l`;
like +($idle->check)[1], $built_in ? qr/Syntax OK/ : qr/ID0518: IdentityStale .*mod_watchdog.* is not loaded/, 'IdentityStale and mod_watchdog';

# ---- who it is: in Server as far as ServerTokens allows --------------------------------------------------------------------------------------------

my ($version) = `'$top/bin/htidentity' --version` =~ /^htidentity (\d+\.\d+\.\d+)$/ or die 'no version';
my %tokens = (Full => qr{^Apache/\S+ \(\w+\).* mod_identity/\Q$version\E(?: |$)}, OS => qr{^Apache/\S+ \(\w+\)$}, Prod => qr/^Apache$/);
for my $tokens (sort keys %tokens) {
    my $one = IdentityTest::Server->new(state => $state, directives => "ServerTokens $tokens\n");
    like $one->api(GET => '/v1/openapi.json')->header('Server'), $tokens{$tokens}, "ServerTokens $tokens";
    $one->stop;
}

# ---- what a start refuses -----------------------------------------------------------------------------------------------------------------------

sub start_says
{
    my ($directives, $sentence, $name) = @_;
    my $one = IdentityTest::Server->new(start => 0, state => $state, directives => $directives);
    my $log = '';
    system(@{$one->{command}}, '-k', 'start');
    for (1 .. 100) {
        $log = $one->error_log;
        last if $log =~ /AH00020|resuming normal operations/ && !$one->processes;
        sleep 0.1;
    }
    like $log, $sentence, $name or $one->kill;
}

expect_in_log($_) for 'ID0524: Mutex posixsem', 'AH00020: Configuration Failed';
start_says('Mutex posixsem identity-write', qr/ID0524: Mutex posixsem/, 'a mutex that a killed child would keep');
# ---- effects ------------------------------------------------------------------------------------------------------------------------------------

my $fresh = "$files/fresh";
make_path("$fresh/mail");
my $made = IdentityTest::Server->new(start => 0, state => $fresh, directives => 'IdentityAutoMigrate On');
$made->start;
is $made->api(GET => '/v1/users', undef, 'X-API-KEY' => 'idk_none')->status, 401, 'IdentityAutoMigrate makes the database';
for my $name (qw(identity.db identity-signing-key.pem)) {
    is sprintf('%o', (stat "$fresh/$name")[2] & 07777), '600', "$name is its owner's alone";
}
$made->stop;

my $set = IdentityTest::Server->new(directives => <<"END_OF_DIRECTIVES");
IdentityPublicURL https://ID.Example.Org:443/
IdentityMaxBody 1K
IdentitySync NORMAL
IdentitySigningKey $first
IdentityAccessLifetime 5m
IdentityRefreshLifetime 2h 3d
IdentityInviteLifetime 2d
IdentityURNNamespace example
IdentityURNRegion eu-1
IdentityResetLifetime 30m
IdentityDeleteAfter 3d
IdentityPersonalKeyLifetime 2d
IdentityPasswordHash argon2id m=20480 t=3
IdentityPasswordMinLength 12
IdentityPasswordBlockList $words
IdentityMailFrom "Example <noreply\@example.org>"
END_OF_DIRECTIVES
my @public = ('X-API-KEY' => undef);
my $padding = 'x' x 1024;
refused_is($set->api(POST => '/v1/users/invite', {username => $set->address, padding => $padding}), 413, BAD_REQUEST => undef, 'IdentityMaxBody');
my $address = $set->address('set');
is $set->invite($address)->status, 200, 'a smaller one';
my $mail = $set->wait_mail($address);
like $mail->{link}, qr{^https://id\.example\.org/v1/oauth/activate-user#}, 'IdentityPublicURL begins the links';
like $mail->{from}, qr/^"?Example"? <noreply\@example\.org>$/, 'IdentityMailFrom';
refused_is($set->activate($mail->{token}, 'Correct1Hor'), 400, INVALID_FIELD => 'new_password', 'IdentityPasswordMinLength');
refused_is($set->activate($mail->{token}, 'HORSEFEATHERS26'), 400, INVALID_FIELD => 'new_password', 'IdentityPasswordBlockList');
is $set->activate($mail->{token}, 'Correct1Horse')->status, 200, 'a longer one';
my ($row) = $set->db("SELECT password_hash FROM users WHERE username = '$address'");
like $row->{password_hash}, qr/^\$argon2id\$v=19\$m=20480,t=3,p=1\$/, 'IdentityPasswordHash';
($row) = $set->db("SELECT expires_at - created_at AS life FROM secrets WHERE kind = 'invite'");
is $row->{life}, 2 * 86400 * 1e6, 'IdentityInviteLifetime';
like $set->api(GET => '/v1/invitations')->json->{invitations}[0]{urn}, qr{^urn:example:identity:eu-1:plat_\w+:invitation/[0-9A-F]{32}$}, 'IdentityURNNamespace, IdentityURNRegion';
my $login = $set->login($address, 'Correct1Horse');
is $login->json->{expires_in}, 300, 'IdentityAccessLifetime';
($row) = $set->db('SELECT idle_expires_at - created_at AS idle, expires_at - created_at AS absolute FROM sessions');
is "$row->{idle} $row->{absolute}", join(' ', 2 * 3600 * 1e6, 3 * 86400 * 1e6), 'IdentityRefreshLifetime';
is $set->api(POST => '/v1/oauth/request-password-reset', {email => $address}, @public)->status, 200, 'a reset is asked for';
($row) = $set->db("SELECT expires_at - created_at AS life FROM secrets WHERE kind = 'reset'");
is $row->{life}, 1800 * 1e6, 'IdentityResetLifetime';
my %leaver = (username => $set->address('leaver'), password => 'Correct1Horse');
my $deleted = $set->api(DELETE => '/v1/users/' . $set->api(POST => '/v1/users', \%leaver)->json->{id})->json->{deleted_at};
my ($restorable) = $set->api(POST => '/v1/users', \%leaver)->json->{message} =~ /restored until (\S+)\.$/;
is seconds_of($restorable) - seconds_of($deleted), 3 * 86400, 'IdentityDeleteAfter';
($row) = $set->db("SELECT id FROM users WHERE username = '$address'");
my $keys_path = "/v1/users/$row->{id}/api-keys";
is $set->api(POST => $keys_path, {})->status, 201, 'M4: a personal key';
($row) = $set->db('SELECT expires_at - created_at AS life FROM api_keys WHERE user_id IS NOT NULL');
is $row->{life}, 2 * 86400 * 1e6, 'M4: IdentityPersonalKeyLifetime';
refused_is($set->api(POST => $keys_path, {expires_at => '2999-01-01T00:00:00Z'}), 400, INVALID_FIELD => 'expires_at', 'M4: and no longer');
my $json = JSON::PP->new;
my ($head, $claims) = map { $json->decode(decode_base64url($_)) } (split /\./, $login->json->{access_token})[0, 1];
is $claims->{iss}, 'https://id.example.org', 'IdentityPublicURL is the issuer';

# A key is kept where there is a sealing key, and can be shown by the one that sealed it.
my ($early) = map { $_->json } $set->api(POST => '/v1/api-keys', {});
refused_is($set->api(GET => "/v1/api-keys/$early->{id}/decrypt"), 409, INVALID_OPERATION => undef, 'no IdentityKeyEscrow');
my $keeps = IdentityTest::Server->new(state => $set->state_folder, directives => "IdentityKeyEscrow $escrow\n");
my $kept = $keeps->api(POST => '/v1/api-keys', {})->json;
is $keeps->api(GET => "/v1/api-keys/$kept->{id}/decrypt")->json->{api_key}, $kept->{api_key}, 'IdentityKeyEscrow: a key made since is shown';
refused_is($keeps->api(GET => "/v1/api-keys/$early->{id}/decrypt"), 409, INVALID_OPERATION => undef, 'IdentityKeyEscrow: one made before is not');
$keeps->stop;
$keeps = IdentityTest::Server->new(state => $set->state_folder, directives => "IdentityKeyEscrow $escrow_base64\n");
is $keeps->api(GET => "/v1/api-keys/$kept->{id}/decrypt")->json->{api_key}, $kept->{api_key}, 'IdentityKeyEscrow: the same bytes in base64';
$keeps->stop;
my $other_escrow = put('other-escrow', 0600, unpack('H*', 'Another one that has 32 bytes...'));
$keeps = IdentityTest::Server->new(state => $set->state_folder, directives => "IdentityKeyEscrow $other_escrow\n");
refused_is($keeps->api(GET => "/v1/api-keys/$kept->{id}/decrypt"), 409, INVALID_OPERATION => undef, 'IdentityKeyEscrow: one that another sealed is not');
like $keeps->error_log, qr/ID0306: $kept->{id} cannot be unsealed/, 'and the log says why';
$keeps->stop;

my $long = IdentityTest::Server->new(state => $set->state_folder, directives => "IdentityAccessLifetime 400d\n");
is $long->login($address, 'Correct1Horse')->json->{expires_in}, 86400, 'M24: a token lives 24 hours at most';
$long->stop;

# A new key in front: it signs, the old one still verifies; without the old one its tokens end.
my $kid = $head->{kid};
my @bearer = (Authorization => 'Bearer ' . $login->json->{access_token});
my $state_of_set = $set->state_folder;
$set->stop;
my %same = (state => $state_of_set, modules => []);
my $turned = IdentityTest::Server->new(%same, directives => "IdentityPublicURL https://id.example.org\nIdentitySigningKey $second\nIdentitySigningKey $first\n");
is $turned->api(GET => '/v1/users', undef, @bearer)->status, 200, 'IdentitySigningKey: a token of the second key';
my $new = $turned->login($address, 'Correct1Horse')->json->{access_token};
isnt $json->decode(decode_base64url((split /\./, $new)[0]))->{kid}, $kid, 'IdentitySigningKey: the first signs';
$turned->stop;
$turned = IdentityTest::Server->new(%same, directives => "IdentityPublicURL https://id.example.org\nIdentitySigningKey $second\nIdentityPasswordGrant Off\n");
refused_is($turned->api(GET => '/v1/users', undef, @bearer), 401, UNAUTHORISED => undef, 'IdentitySigningKey: a token of a key that is gone');
is $turned->api(GET => '/v1/users', undef, Authorization => "Bearer $new")->status, 200, 'IdentitySigningKey: of the one that stays';
is $turned->login($address, 'Correct1Horse')->status, 403, 'IdentityPasswordGrant Off';
$turned->stop;

# What is built in. REPORT.VIEW is in the published catalogue; in core it is a name of the site's own, which no READ_ONLY key holds.
for my $case (['published', 164, 204, 200], ['core', 14, 17, 403]) {
    my ($which, $count, $all, $read) = @$case;
    my $one = IdentityTest::Server->new(directives => <<"END_OF_DIRECTIVES");
IdentityBuiltInRoles $which
<Location /identity-status>
    SetHandler identity-status
    AuthType Identity
    AuthName "reports"
    Require identity-permission REPORT.VIEW
</Location>
<Location /library>
    SetHandler identity-status
    AuthType Identity
    AuthName "library"
    Require identity-permission LIBRARY.VIEW
</Location>
END_OF_DIRECTIVES
    my $list = $one->api(GET => '/v1/roles?limit=200')->json->{data};
    is scalar @$list, $count, "M14: IdentityBuiltInRoles $which lists $count roles";
    my ($administrator) = grep { $_->{slug} eq 'full-access' } @$list;
    is scalar @{$administrator->{permissions}}, $all, "M14: Administrator has $all permissions in $which";
    my $reader = $one->api(POST => '/v1/api-keys', {role_type => 'READ_ONLY'})->json->{api_key};
    is $one->api(GET => '/v1/users', undef, 'X-API-KEY' => $reader)->status, 200, "M14: a READ_ONLY key reads users in $which";
    is $one->http->get($one->origin . '/identity-status?auto', {headers => {'X-API-KEY' => $reader}})->{status}, $read, "M14: REPORT.VIEW of a READ_ONLY key in $which";
    is $one->http->get($one->origin . '/library?auto', {headers => {'X-API-KEY' => $reader}})->{status}, 403, "M14: never a site's own LIBRARY.VIEW ($which)";
    is $one->http->get($one->origin . '/library?auto', {headers => {'X-API-KEY' => $one->key}})->{status}, 200, "M14: which an administrator has ($which)";
    is $one->api(POST => '/v1/roles', {name => 'Invoice Viewer'})->status, $which eq 'core' ? 200 : 409, "M14: the name Invoice Viewer in $which";
    $one->stop;
}

# Mail that is queued where nothing sends it is told of, once, and by the tool. (M20)
system('sqlite3', "$state_of_set/identity.db", "UPDATE outbox SET state = 'queued', attempts = 0, next_attempt_at = 1, lease_owner = '' WHERE id = (SELECT MIN(id) FROM outbox)") == 0
    or die "sqlite3: $?";
open $in, '<', "$top/t/conf/base.conf" or die $!;
my $silent = IdentityTest::Server->new(front => 1, start => 0, state => $state_of_set);
$silent->lay(<$in>, "LoadModule identity_module $top/bin/mod_identity.so",
    "DBDriver sqlite3\nDBDParams $state_of_set/identity.db\nIdentityRequireTLS Off\n<Location /v1>\nIdentityEngine On\n</Location>");
$silent->start;
for (1 .. 200) {
    last if $silent->error_log =~ /ID0553/;
    sleep 0.1;
}
like $silent->error_log, qr/ID0553: 1 mail is queued and nobody sends it: set IdentityMailURL/, 'M20: mail that nobody will send is said at start';
is scalar(() = $silent->error_log =~ /ID0553/g), 1, 'M20: once';
$silent->stop;
my $listed = `$top/bin/htidentity --db sqlite3:$state_of_set/identity.db mail list 2>&1`;
like $listed, qr/1 of the queued mails has been due for minutes, and nothing sends it: is httpd running, with IdentityMailURL\?/, 'M20: and in mail list';

# ---- virtual hosts ------------------------------------------------------------------------------------------------------------------------------

my $port = IdentityTest::Server::free_port();
my @ports = grep { IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $_, Listen => 1, ReuseAddr => 1) } $port + 1 .. $port + 9;
my ($plain, $own, $apart) = @ports;
my $hosts = IdentityTest::Server->new(port => $port, directives => <<"END_OF_DIRECTIVES");
IdentityMaxBody 1K
IdentityPasswordMinLength 12
Listen 127.0.0.1:$plain
Listen 127.0.0.1:$own
Listen 127.0.0.1:$apart
<VirtualHost 127.0.0.1:$plain>
    ServerName plain.example.org
</VirtualHost>
<VirtualHost 127.0.0.1:$own>
    ServerName own.example.org
    IdentityMaxBody 2K
    IdentityPublicURL https://own.example.org
</VirtualHost>
<VirtualHost 127.0.0.1:$apart>
    ServerName apart.example.org
    DBDParams $fresh/identity.db
</VirtualHost>
END_OF_DIRECTIVES

sub at { my ($where, @request) = @_; local $hosts->{host} = "127.0.0.1:$where"; local $hosts->{http}; return $hosts->api(@request) }

is at($plain, POST => '/v1/users/invite', {username => $hosts->address, padding => 'x' x 1024})->status, 413, 'a host that says nothing has what the server says';
is at($own, POST => '/v1/users/invite', {username => $hosts->address, padding => 'x' x 1024})->status, 200, 'one that says something has that';
my $weak = {username => $hosts->address, password => 'Correct1Hor'};
refused_is(at($own, POST => '/v1/users', $weak), 400, INVALID_FIELD => 'password', 'and the rest from the server');
is at($apart, GET => '/v1/users')->status, 401, 'one with a database of its own does not know the others\' keys';
is at($plain, GET => '/v1/users')->status, 200, 'who share one do';

done_testing;

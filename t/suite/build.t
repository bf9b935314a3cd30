#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Other builds than the one that all other tests run: with a distribution's flags and by clang, each into a folder outside of the tree, installed, and loaded into httpd;
# for another machine, as far as the compiler's front end; and what somebody is told who builds it where it cannot run. No warning anywhere. (M25)
use strict;
use warnings FATAL => 'all';
use Cwd 'getcwd';
use File::Temp 'tempdir';
use IO::Socket::INET;
use Test::More;

my $base = tempdir('identity-build.XXXXXX', TMPDIR => 1, CLEANUP => 1);
# The builder's own, and not those of the make that runs this.
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS CC CFLAGS CPPFLAGS LDFLAGS BUILD SAN WERROR HARDEN DESTDIR prefix)};
chomp(my ($modules, $sbin, $target) = map { scalar `apxs -q $_` } qw(LIBEXECDIR SBINDIR TARGET));

sub said { my ($command) = @_; my $text = `$command 2>&1`; return ($?, $text) }

sub quiet
{
    my ($name, $status, $text) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $status, 0, "$name: it is built" or diag $text;
    is_deeply [grep { /\bwarning:/ } split /\n/, $text], [], "$name: without a warning";
}

# make install, from a build that lies outside of the tree.
sub build
{
    my ($name, @settings) = @_;
    my ($status, $text) = said("make --no-print-directory -j2 BUILD=$base/$name DESTDIR=$base/$name.root prefix=/usr WERROR=-Werror @settings install");
    quiet($name, $status, $text);
    return "$base/$name.root";
}

sub loads
{
    my ($name, $root) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $server = "$base/$name.server";
    mkdir $server or die;
    open my $out, '>', "$server/httpd.conf" or die;
    my $port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)->sockport;
    print {$out} "ServerName localhost\nServerRoot $server\nPidFile $server/pid\nErrorLog $server/error_log\nDefaultRuntimeDir $server\nListen 127.0.0.1:$port\n",
        map({ -e "$modules/mod_$_.so" ? "LoadModule ${_}_module $modules/mod_$_.so\n" : () } qw(mpm_event authn_core authz_core dbd)),
        "LoadModule identity_module $root$modules/mod_identity.so\nIdentityRequireTLS Off\nDBDriver sqlite3\nDBDParams $server/identity.db\n<Location /v1>\nIdentityEngine On\n</Location>\n";
    close $out;
    my ($status, $text) = said("'$sbin/$target' -t -f '$server/httpd.conf'");
    ok $status == 0 && $text =~ /Syntax OK/, "$name: httpd loads it" or diag $text;
    my ($version) = said("'$root/usr/bin/htidentity' --version");
    is $version, 0, "$name: htidentity runs";
}

# ---- a distribution's flags ---------------------------------------------------------------------------------------------------------------------

my %flags = map { my $flag = $_; chomp(my $value = `DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get $flag`); ($flag => $value) } qw(CFLAGS CPPFLAGS LDFLAGS);
like $flags{CFLAGS}, qr/-O2.*-fstack-protector-strong/, 'dpkg-buildflags has Debian\'s flags';
my $root = build('distribution', map { "$_='$flags{$_}'" } sort keys %flags);
loads('distribution', $root);
my $hardened = `readelf -dW '$root$modules/mod_identity.so'`;
like $hardened, qr/\bNOW\b/, 'distribution: its symbols are bound at once';
unlike $hardened, qr/\bTEXTREL\b/, 'distribution: no text is relocated';
like scalar(`nm -D '$root$modules/mod_identity.so'`), qr/__\w+_chk\b/, 'distribution: _FORTIFY_SOURCE is in force';
like scalar(`readelf -hW '$root/usr/bin/htidentity'`), qr/Type:\s+DYN/, 'distribution: htidentity is position independent';
# Flags that the builder does not give are not smuggled in: the compiler has the last word of his.
my ($status, $commands) = said("make -n V=1 --no-print-directory BUILD=$base/plain CFLAGS='-O0 -DLAST' CPPFLAGS=-DFIRST $base/plain/src/core/id.o");
like $commands, qr/-DFIRST .*-O0 -DLAST\b/, 'CPPFLAGS and CFLAGS come behind our own';
unlike $commands, qr/-Werror|-D_FORTIFY_SOURCE/, 'no -Werror, and no _FORTIFY_SOURCE without optimization, unless somebody asks';

# ---- clang --------------------------------------------------------------------------------------------------------------------------------------

$root = build('clang', 'CC=clang', 'CFLAGS="-O1 -g"');
loads('clang', $root);
like scalar(`readelf -p .comment '$base/clang/src/core/id.o'`), qr/clang/, 'clang: it was clang';

# ---- another machine: headers of this one behind those of its libc, and nothing of pkg-config, which tells this one's --------------------------

chomp(my $here = `dpkg-architecture -qDEB_HOST_MULTIARCH`);
quiet('arm64', said("make --no-print-directory BUILD=$base/arm64 CC=aarch64-linux-gnu-gcc PKG_CONFIG=true CPPFLAGS='-idirafter /usr/include -idirafter /usr/include/$here' WERROR=-Werror syntax"));

# ---- where it cannot run ------------------------------------------------------------------------------------------------------------------------

my ($refused, $why) = said("echo '#include \"identity/core.h\"' | gcc -U__linux__ -Iinclude -Wfatal-errors -fsyntax-only -x c -");
ok $refused && $why =~ /#error "mod_identity needs Linux: [^"]+\."/, 'elsewhere than on Linux it ends with a sentence' or diag $why;
($refused, $why) = said("make --no-print-directory BUILD=$base/none APXS=$base/none/apxs all");
ok $refused && $why =~ /^'\Q$base\E\/none\/apxs' does not tell where httpd and its APR are: APXS=PATH names/ && $why !~ /\berror:/, 'so it does without an apxs' or diag $why;

# ---- make dist ----------------------------------------------------------------------------------------------------------------------------------

SKIP: {
    # Sources that came without a history have none to make an archive of.
    last unless -e '.git';
    my ($version) = do { local (@ARGV, $/) = 'include/identity/core.h'; <> =~ /^#define IDENTITY_VERSION "([^"]+)"/m };
    my ($made, $text) = said("git archive --format=tar --prefix='mod_identity-$version/' HEAD | tar tf -");
    like $text, qr{^mod_identity-\Q$version\E/\Q$_\E$}m, "make dist has $_" for qw(Makefile LICENSE README.md CHANGES.md mod_identity.c src/server/directives.txt conf/debian/control);
    my (undef, $would) = said('make -n --no-print-directory dist');
    like $would, qr/git archive .*--prefix='mod_identity-\Q$version\E\/' -o 'mod_identity-\Q$version\E\.tar\.gz' HEAD/, 'under the version\'s name';
}
done_testing;

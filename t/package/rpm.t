#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The RPM's specification: rpmbuild makes a package of what is committed, in the layout of Fedora's httpd, which here an apxs of ours tells; it has what it names and
# enables nothing. What Fedora's own packages are called cannot be looked up here.
use strict;
use warnings FATAL => 'all';
use Cwd 'getcwd';
use File::Temp 'tempdir';
use Test::More;

my $spec = 'conf/rpm/mod_identity.spec';
my $base = tempdir('identity-rpm.XXXXXX', TMPDIR => 1, CLEANUP => 1);
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS CC CFLAGS CPPFLAGS LDFLAGS BUILD SAN WERROR DESTDIR prefix)};
sub said { my ($command) = @_; my $text = `$command 2>&1`; return ($? >> 8, $text) }
sub slurp { my ($path) = @_; open my $in, '<', $path or die "$path: $!"; local $/; return scalar <$in> }

my ($version) = slurp('include/identity/core.h') =~ /^#define IDENTITY_VERSION "([^"]+)"/m;
like slurp($spec), qr/^Version: +\Q$version\E$/m, 'it is of this version';

open my $out, '>', "$base/apxs" or die;
print {$out} "#!/bin/sh\ncase \"\$2\" in LIBEXECDIR) echo /usr/lib64/httpd/modules ;; SYSCONFDIR) echo /etc/httpd/conf ;; *) exec apxs \"\$\@\" ;; esac\n";
close $out;
chmod 0755, "$base/apxs";
my $macros = join ' ', map { "--define '$_'" } "_topdir $base/rpmbuild", '_libdir /usr/lib64', "_httpd_apxs $base/apxs", '_httpd_mmn 20120211x8664', 'debug_package %{nil}';
my ($status, $parsed) = said("rpmspec -P $macros '$spec'");
is $status, 0, 'rpmspec reads it' or diag $parsed;
unlike $parsed, qr/%\{/, 'no macro is left';

mkdir $_ for "$base/rpmbuild", "$base/rpmbuild/SOURCES";
is system("git archive --format=tar.gz --prefix='mod_identity-$version/' -o '$base/rpmbuild/SOURCES/mod_identity-$version.tar.gz' HEAD"), 0, 'the sources, as make dist packs them';
($status, my $built) = said("rpmbuild -bb --nodeps $macros '$spec'");
is $status, 0, 'rpmbuild makes a package' or diag substr $built, -4000;
my ($package) = glob "$base/rpmbuild/RPMS/*/mod_identity-$version-*.rpm";
ok $package, 'which is there' or die "no package\n";
my %listed = map { $_ => 1 } split /\n/, (said("rpm -qpl '$package'"))[1];
ok $listed{$_}, "it has $_" for '/usr/lib64/httpd/modules/mod_identity.so', '/usr/bin/htidentity', '/etc/httpd/conf.modules.d/20-identity.conf', '/usr/share/identity/openapi.json',
    '/usr/share/identity/identity-site.conf', '/usr/share/identity/examples/static.conf';
my $names = join "\n", keys %listed, '';
like $names, qr{^/usr/share/man/man8/$_\.8}m, "it has the manual page of $_" for qw(htidentity mod_identity);
like $names, qr{/mod_identity[^/\n]*/\Q$_\E$}m, "it has $_" for qw(LICENSE manual.md directives.md operations.md);
is_deeply [grep { m{^/etc/} } sort keys %listed], ['/etc/httpd/conf.modules.d/20-identity.conf'], 'and in /etc one file alone';
is system("cd '$base' && rpm2cpio '$package' | cpio -id --quiet"), 0, 'unpacked';
is_deeply [grep { /^\s*[^#\s]/ } split /\n/, slurp("$base/etc/httpd/conf.modules.d/20-identity.conf")], [], 'in which nothing is in force';
like +(said("'$base/usr/bin/htidentity' --version"))[1], qr/^htidentity \Q$version\E$/, 'htidentity runs';
done_testing;

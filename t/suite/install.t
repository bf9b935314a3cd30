#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `make install` into an empty folder, in Debian's layout and in apxs' own, and a start of httpd from what it installed.
use strict;
use warnings FATAL => 'all';
use File::Temp 'tempdir';
use IO::Socket::INET;
use Test::More;

my $base = tempdir('identity-install.XXXXXX', TMPDIR => 1, CLEANUP => 1);
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};

sub slurp
{
    my ($path) = @_;
    open my $in, '<', $path or return '';
    local $/;
    return <$in> // '';
}

sub install
{
    my (@settings) = @_;
    my $said = `make --no-print-directory install @settings 2>&1`;
    is $?, 0, "make install @settings" or diag $said;
    return $said;
}

chomp(my ($modules, $configuration, $sbin, $target) = map { scalar `apxs -q $_` } qw(LIBEXECDIR SYSCONFDIR SBINDIR TARGET));
is "$modules $configuration", '/usr/lib/apache2/modules /etc/apache2', 'this apxs is Debian\'s';

my @examples = sort map { s{^conf/}{}r } glob 'conf/examples/*';
my $debian = "$base/debian";
install("DESTDIR=$debian");
is_deeply [sort split /\n/, `cd '$debian' && find . -type f`],
    ['./etc/apache2/mods-available/identity.conf', './etc/apache2/mods-available/identity.load', './etc/apache2/sites-available/identity.conf', './etc/fail2ban/filter.d/identity.conf', './usr/lib/apache2/modules/mod_identity.so', './usr/local/bin/htidentity',
        './usr/local/lib/debug/usr/lib/apache2/modules/mod_identity.so.debug', map({ "./usr/local/share/identity/$_" } @examples), './usr/local/share/identity/openapi.json', './usr/local/share/identity/password-blocklist.txt', './usr/local/share/man/man8/htidentity.8', './usr/local/share/man/man8/mod_identity.8'],
    'Debian\'s places';
is slurp("$debian/etc/apache2/mods-available/identity.conf"), slurp('conf/identity.conf'), 'the shipped conf';
is slurp("$debian/etc/apache2/sites-available/identity.conf"), slurp('conf/identity-site.conf'), 'M2: the virtual host to copy';
is join("\n", grep { !/^\s*(?:#|$)/ } split /\n/, slurp('conf/identity.conf')), "<IfModule identity_module>\n</IfModule>", 'M2: mods-available/identity.conf sets nothing';

# The module without its symbols, which lie in a file that it names.
my $module = "$debian/usr/lib/apache2/modules/mod_identity.so";
my $sections = `readelf -SW '$module'`;
unlike $sections, qr/\.(?:symtab|debug_info)\b/, 'M25: the module is stripped';
like $sections, qr/\.gnu_debuglink\b/, 'M25: and names the file of its symbols';
like scalar `readelf -SW '$debian/usr/local/lib/debug/usr/lib/apache2/modules/mod_identity.so.debug'`, qr/\.symtab\b/, 'M25: which has them';
cmp_ok -s $module, '<', 2_500_000, 'M25: it is small';
like scalar `nm -D --defined-only '$module'`, qr/^[0-9a-f]+ \S identity_module$/m, 'M25: httpd finds the module in it';
is slurp("$debian/usr/local/share/identity/openapi.json"), slurp('conf/openapi.json'), 'the description of the interface';
ok -x "$debian/usr/local/bin/htidentity", 'the tool can be run';

install("DESTDIR=$debian");
ok !-e "$debian/etc/apache2/mods-available/identity.conf.new", 'a second time: nothing new';
open my $out, '>>', "$debian/etc/apache2/mods-available/identity.conf" or die;
print {$out} "# ours\n";
close $out;
my $said = install("DESTDIR=$debian");
like slurp("$debian/etc/apache2/mods-available/identity.conf"), qr/^# ours$/m, 'an edited conf is kept';
is slurp("$debian/etc/apache2/mods-available/identity.conf.new"), slurp('conf/identity.conf'), 'the shipped one lies beside it';
like $said, qr/kept \S+identity\.conf, which was edited/, 'and that is said';

# Away again, but for what was edited; refused while it is in force.
symlink '../mods-available/identity.load', "$debian/etc/apache2/identity.load" or die;
mkdir "$debian/etc/apache2/mods-enabled" or die;
rename "$debian/etc/apache2/identity.load", "$debian/etc/apache2/mods-enabled/identity.load" or die;
$said = `make --no-print-directory uninstall DESTDIR='$debian' 2>&1`;
ok $? != 0 && $said =~ /mods-enabled\/identity\.load is there: take the directives .*a2dismod identity/, 'M25: make uninstall refuses while the module is enabled' or diag $said;
ok -e $module, 'M25: and has removed nothing';
unlink "$debian/etc/apache2/mods-enabled/identity.load";
rmdir "$debian/etc/apache2/mods-enabled";
system("cp -a '$debian' '$base/copy'") == 0 or die;
$said = `make --no-print-directory uninstall DESTDIR='$base/copy' 2>&1`;
is $?, 0, 'M25: make uninstall' or diag $said;
is_deeply [split /\n/, `cd '$base/copy' && find . -type f`], ['./etc/apache2/mods-available/identity.conf'], 'M25: nothing is left but the file that was edited';
like $said, qr/kept \S+identity\.conf, which was edited/, 'M25: which is said';

# An httpd that was built by hand: apxs answers with places of its own.
open $out, '>', "$base/apxs" or die;
print {$out} "#!/bin/sh\ncase \"\$2\" in LIBEXECDIR) echo /opt/httpd/modules ;; SYSCONFDIR) echo /opt/httpd/conf ;; *) exec apxs \"\$\@\" ;; esac\n";
close $out;
chmod 0755, "$base/apxs";
install("DESTDIR=$base/plain", 'prefix=/opt/identity', 'mandir=/opt/man', "APXS=$base/apxs");
is_deeply [sort split /\n/, `cd '$base/plain' && find . -type f`],
    ['./opt/httpd/conf/extra/identity-site.conf', './opt/httpd/conf/extra/identity.conf', './opt/httpd/modules/mod_identity.so', './opt/identity/bin/htidentity',
        './opt/identity/lib/debug/opt/httpd/modules/mod_identity.so.debug', map({ "./opt/identity/share/identity/$_" } @examples), './opt/identity/share/identity/fail2ban/identity.conf',
        './opt/identity/share/identity/openapi.json', './opt/identity/share/identity/password-blocklist.txt', './opt/man/man8/htidentity.8', './opt/man/man8/mod_identity.8'],
    'apxs\' own places';

# What Debian's a2enmod would link, as a whole server: .load lines name Debian's path, which stands for the folder just filled.
my $load = slurp("$debian/etc/apache2/mods-available/identity.load");
like $load, qr{^# Depends: .*\bdbd\b}m, 'a2enmod is told what identity needs';
$load =~ s{/usr/lib/apache2/modules/mod_identity\.so}{$debian/usr/lib/apache2/modules/mod_identity.so} or fail 'identity.load names the module';
mkdir "$base/server" or die;
open $out, '>', "$base/server/httpd.conf" or die;
print {$out} "ServerName localhost\nServerRoot $base/server\nPidFile $base/server/pid\nErrorLog $base/server/error_log\nDefaultRuntimeDir $base/server\n";
print {$out} "Listen 127.0.0.1:", IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)->sockport, "\n";
for my $module (qw(mpm_event authn_core authz_core dbd mime reqtimeout headers)) {
    print {$out} "LoadModule ${module}_module $modules/mod_$module.so\n" if -e "$modules/mod_$module.so";
}
my $site = slurp("$debian/etc/apache2/sites-available/identity.conf") =~ s{/var/lib/identity/}{$base/server/}r =~ s/^\s*SSL.*\n//gmr =~ s/^(\s*IdentityPublicURL )https/\n$1https/mr;
print {$out} $load, "Include $debian/etc/apache2/mods-available/identity.conf.new\n", $site;
close $out;
my $tested = `'$sbin/$target' -t -f '$base/server/httpd.conf' 2>&1`;
is $?, 0, 'httpd -t with it' or diag $tested;
done_testing;

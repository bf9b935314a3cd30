#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Debian's package in a fresh Debian, as root and in namespaces of its own: installing it enables nothing; a2enmod makes it work; an upgrade keeps what was
# edited; a purge leaves nothing but the site's data. `make test-package` builds the package before. The Debian comes from where this machine's apt gets its own.
use strict;
use warnings FATAL => 'all';
use Cwd 'abs_path';
use IO::Socket::INET;
use Test::More;

if (!$ENV{IDENTITY_IN_NAMESPACES}) {
    $ENV{IDENTITY_IN_NAMESPACES} = 1;
    # Mounts and processes end with this test; the network, which apt needs, is the machine's.
    exec qw(unshare --mount --pid --fork --kill-child --), $^X, abs_path($0);
}

sub run
{
    my ($command) = @_;
    my $said = `$command 2>&1`;
    return ($? >> 8, $said);
}
sub must { my ($status, $said) = run(@_); die "@_\n$said" if $status; return $said }

my ($package) = grep { !/dbgsym/ } glob 'build/package/*.deb' or die "make package comes before\n";
my ($mirror, $release) = split ' ', must(q{apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' | head -n 1});
my $root = abs_path('build/package') . '/root';
must("rm -rf '$root'");
must("debootstrap --variant=minbase --include=ca-certificates,curl '$release' '$root' '$mirror'");
must("rm -f '$root'/etc/apt/sources.list && cp -R /etc/apt/sources.list* '$root/etc/apt/' && cp /etc/resolv.conf '$root/etc/'");
must("mount -t proc proc '$root/proc'");
# Debian's way to say that services do not start by themselves here.
must("printf '#!/bin/sh\\nexit 101\\n' > '$root/usr/sbin/policy-rc.d' && chmod 755 '$root/usr/sbin/policy-rc.d'");

sub inside
{
    my ($command) = @_;
    open my $script, '>', "$root/tmp/command" or die $!;
    print {$script} "export DEBIAN_FRONTEND=noninteractive LC_ALL=C APT_LISTCHANGES_FRONTEND=none\n$command\n";
    close $script or die $!;
    return run("chroot '$root' /bin/sh -e /tmp/command");
}
sub does
{
    my ($command, $what, $like) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $said) = inside($command);
    ok $status == 0 && (!$like || $said =~ $like), $what or diag "$command: $status\n$said";
    return $said;
}
sub install { my ($file, $what) = @_; must("cp '$file' '$root/tmp/'"); my ($name) = $file =~ m{([^/]+)\z}; does("apt-get update -qq; apt-get install -qq -y --no-install-recommends /tmp/$name", $what) }
# Every file, with its bytes, of the folders that packages share.
sub files { return join '', sort { $a cmp $b } split /^/, must("cd '$root' && find etc usr var/lib/apache2 \\( -type f -o -type l \\) ! -path 'etc/ld.so.cache' ! -path '*/__pycache__/*' ! -path 'usr/share/mime/*' ! -path 'usr/share/info/*' ! -path 'etc/mailcap' -print | sort") }

# ---- httpd, and then the package ----------------------------------------------------------------------------------------------------------------------

my $held = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die;
my $port = $held->sockport;
does('apt-get update -qq; apt-get install -qq -y --no-install-recommends apache2 libaprutil1-dbd-sqlite3 openssl', 'Debian\'s httpd');
does("echo 'Listen 127.0.0.1:$port' > /etc/apache2/ports.conf; sed -i 's/\\*:80/127.0.0.1:$port/' /etc/apache2/sites-available/000-default.conf; echo ServerName package.example >> /etc/apache2/apache2.conf", 'on a port of its own');
my %before = map { $_ => 1 } split /\n/, files();
install($package, 'the package installs');
ok !-e "$root/etc/apache2/mods-enabled/identity.load", 'nothing is enabled';
ok !-e "$root/etc/apache2/sites-enabled/identity.conf", 'no site either';
does('apache2ctl configtest', 'httpd is content', qr/Syntax OK/);
does('htidentity --version', 'htidentity is on the path', qr/\d+\.\d+\.\d+/);
like must("dpkg-deb -c '$package'"), qr{\./usr/share/man/man8/htidentity\.8\.gz\n.*\./usr/share/man/man8/mod_identity\.8\.gz\n}s, 'both manual pages are in it';

# ---- a2enmod ------------------------------------------------------------------------------------------------------------------------------------------

does('a2enmod -q identity', 'a2enmod identity');
does('apache2ctl -M', 'loads it', qr/identity_module/);
does(<<'END', 'a database as the site wants it');
install -d -o www-data -g www-data -m 700 /var/lib/identity
setpriv --reuid=www-data --regid=www-data --clear-groups htidentity --db sqlite3:/var/lib/identity/identity.db migrate
setpriv --reuid=www-data --regid=www-data --clear-groups htidentity --db sqlite3:/var/lib/identity/identity.db entity add default
setpriv --reuid=www-data --regid=www-data --clear-groups htidentity --db sqlite3:/var/lib/identity/identity.db key add > /tmp/key
END
must("sed -i 's#^</VirtualHost>#DBDriver sqlite3\\nDBDParams /var/lib/identity/identity.db\\nIdentityPublicURL http://127.0.0.1:$port\\nIdentityRequireTLS Off\\n<Location />\\nIdentityEngine On\\n</Location>\\n</VirtualHost>#' '$root/etc/apache2/sites-available/000-default.conf'");
does('apache2ctl configtest', 'the site is well formed', qr/Syntax OK/);
close $held;
does('apache2ctl start; for i in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:' . $port . '/ && break; sleep 0.1; done', 'httpd starts');
does("curl -s -H \"X-API-KEY: \$(cat /tmp/key)\" http://127.0.0.1:$port/v1/users", 'and answers the interface', qr/^\{.*"data"/);

# ---- an upgrade ---------------------------------------------------------------------------------------------------------------------------------------

my $edited = '/etc/apache2/mods-available/identity.conf';
must("echo '# ours' >> '$root$edited'");
must("rm -rf build/package/newer && dpkg-deb -R '$package' build/package/newer && sed -i 's/^Version: .*/&+1/' build/package/newer/DEBIAN/control && dpkg-deb -b build/package/newer build/package/newer.deb");
install('build/package/newer.deb', 'a newer package installs');
does('dpkg-query -W -f \'${Version}\' libapache2-mod-identity', 'it is the newer one', qr/\+1\z/);
like must("tail -n 1 '$root$edited'"), qr/^# ours/, 'an edited file stays';
ok -e "$root/etc/apache2/mods-enabled/identity.load", 'what was enabled still is';
does("apache2ctl graceful > /dev/null 2>&1; curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:$port/v1/users", 'httpd goes on', qr/^401\z/);

# ---- the end ------------------------------------------------------------------------------------------------------------------------------------------

does("sed -i '/^DBDriver/,/^<.Location>/d' /etc/apache2/sites-available/000-default.conf; apt-get purge -qq -y libapache2-mod-identity", 'a purge');
ok !-e "$root/etc/apache2/mods-enabled/identity.load" && !-l "$root/etc/apache2/mods-enabled/identity.load", 'disables it';
does('apache2ctl configtest', 'and httpd is content', qr/Syntax OK/);
does('apt-get autoremove -qq -y', 'with what only it needed');
# mod_dbd, which a2enmod enabled beside it, is httpd's own and may serve others by now.
is_deeply [grep { !$before{$_} && !m{^etc/apache2/mods-enabled/dbd\.|/enabled_by_admin/dbd\z|^usr/share/doc/} } split /\n/, files()], [], 'it leaves no file';
ok -e "$root/var/lib/identity/identity.db", 'but the site\'s data';
does('apache2ctl stop', 'httpd stops');
must("umount '$root/proc' && rm -rf '$root'");
done_testing;

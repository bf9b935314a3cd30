#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: APXS=apxs DESTDIR= prefix=/usr/local BUILD=build src/tool/install.sh [uninstall]          (that is `make install`, `make uninstall`)
# bindir, libdir, datadir and mandir are honoured, too; modules and configuration go where apxs says.
# Module to where httpd looks for modules, with its symbols beside it (libdir/debug); htidentity to bindir; manual pages to mandir; the interface's description and
# examples to datadir/identity; the configuration to Debian's mods-available and sites-available where httpd is Debian's, else to SYSCONFDIR/extra; fail2ban's filter to
# its folder on Debian, else beside the description. Nothing of it is in force before somebody says so.
# A file of the configuration that differs from ours stays as it is; ours is then laid beside it as FILE.new. uninstall takes away what is as it was installed,
# says what stays (edited files, databases), and refuses while the module is enabled.
set -eu

APXS=${APXS:-apxs}
destination=${DESTDIR:-}
prefix=${prefix:-/usr/local}
bindir=${bindir:-$prefix/bin}
libdir=${libdir:-$prefix/lib}
datadir=${datadir:-$prefix/share}
mandir=${mandir:-$datadir/man}
action=${1:-install}
build=${BUILD:-build}

modules=$("$APXS" -q LIBEXECDIR)
configuration=$("$APXS" -q SYSCONFDIR)
[ -n "$modules" ] && [ -n "$configuration" ] || { echo "install: $APXS does not tell where modules and configuration belong." >&2; exit 1; }

put() { # mode, file, target
    install -d "$destination$(dirname "$3")"
    install -m "$1" "$2" "$destination$3"
    echo "installed $destination$3"
}

put_conf() { # file, target
    if [ -e "$destination$2" ] && ! cmp -s "$1" "$destination$2"; then
        put 644 "$1" "$2.new"
        echo "kept $destination$2, which was edited; the shipped one is $destination$2.new"
    else
        put 644 "$1" "$2"
    fi
}

# httpd loads no symbols that only a debugger reads: they lie in a file of their own, which the module names. STRIP=no leaves both in one, for a distribution's
# tools to part.
put_module() {
    [ "${STRIP:-}" != no ] || { put 644 "$build/mod_identity.so" "$modules/mod_identity.so"; return; }
    debug=$libdir/debug$modules/mod_identity.so.debug
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    objcopy --only-keep-debug "$build/mod_identity.so" "$work/mod_identity.so.debug"
    objcopy --strip-unneeded --add-gnu-debuglink="$work/mod_identity.so.debug" "$build/mod_identity.so" "$work/mod_identity.so"
    put 644 "$work/mod_identity.so.debug" "$debug"
    # A running httpd has the old one mapped: the new one takes its name, never its bytes.
    put 644 "$work/mod_identity.so" "$modules/.mod_identity.so.new" > /dev/null
    mv -f "$destination$modules/.mod_identity.so.new" "$destination$modules/mod_identity.so"
    echo "installed $destination$modules/mod_identity.so"
}

take() { # target
    [ ! -e "$destination$1" ] && [ ! -L "$destination$1" ] || { rm -f "$destination$1"; echo "removed $destination$1"; }
    rmdir -p --ignore-fail-on-non-empty "$destination$(dirname "$1")" 2>/dev/null || true
}

take_conf() { # file, target
    take "$2.new"
    if [ -e "$destination$2" ] && ! cmp -s "$1" "$destination$2"; then
        echo "kept $destination$2, which was edited"
    else
        take "$2"
    fi
}

if [ "$action" = install ]; then
    data() { put "$@"; }
    conf() { put_conf "$@"; }
    put_module
else
    data() { take "$3"; }
    conf() { take_conf "$@"; }
    for enabled in mods-enabled/identity.load sites-enabled/identity.conf; do
        if [ -e "$destination$configuration/$enabled" ] || [ -L "$destination$configuration/$enabled" ]; then
            echo "uninstall: $destination$configuration/$enabled is there: take the directives of mod_identity out of other sites first, then a2dissite identity, a2dismod identity, and restart httpd." >&2
            exit 1
        fi
    done
    take "$modules/mod_identity.so"
    take "$libdir/debug$modules/mod_identity.so.debug"
fi

data 755 "$build/htidentity" "$bindir/htidentity"
data 644 "$build/htidentity.8" "$mandir/man8/htidentity.8"
data 644 "$build/mod_identity.8" "$mandir/man8/mod_identity.8"
data 644 conf/openapi.json "$datadir/identity/openapi.json"
data 644 conf/password-blocklist.txt "$datadir/identity/password-blocklist.txt"
for file in conf/examples/*; do
    data 644 "$file" "$datadir/identity/examples/${file##*/}"
done
if [ "$modules" = /usr/lib/apache2/modules ] && [ "$configuration" = /etc/apache2 ]; then
    data 644 conf/identity.load /etc/apache2/mods-available/identity.load
    conf conf/identity.conf /etc/apache2/mods-available/identity.conf
    conf conf/identity-site.conf /etc/apache2/sites-available/identity.conf
    conf conf/fail2ban/identity.conf /etc/fail2ban/filter.d/identity.conf
else
    conf conf/identity.conf "$configuration/extra/identity.conf"
    conf conf/identity-site.conf "$configuration/extra/identity-site.conf"
    data 644 conf/fail2ban/identity.conf "$datadir/identity/fail2ban/identity.conf"
fi
[ "$action" = install ] || echo "kept databases, signing keys and mail, wherever DBDParams and IdentityMailURL put them"

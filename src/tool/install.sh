#!/bin/sh
# usage: APXS=apxs DESTDIR= prefix=/usr/local src/tool/install.sh          (that is `make install`)
# Module to where httpd looks for modules, htidentity to prefix/bin, the interface's description and examples to prefix/share/identity, the conf to Debian's mods-available where httpd is Debian's, else to SYSCONFDIR/extra;
# fail2ban's filter to its folder on Debian, else beside the description.
# An identity.conf that differs from ours stays as it is; ours is then laid beside it as identity.conf.new.
set -eu

APXS=${APXS:-apxs}
destination=${DESTDIR:-}
prefix=${prefix:-/usr/local}

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

put 644 build/mod_identity.so "$modules/mod_identity.so"
put 755 build/htidentity "$prefix/bin/htidentity"
put 644 conf/openapi.json "$prefix/share/identity/openapi.json"
put 644 conf/password-blocklist.txt "$prefix/share/identity/password-blocklist.txt"
for file in conf/examples/*; do
    put 644 "$file" "$prefix/share/identity/examples/${file##*/}"
done
if [ "$modules" = /usr/lib/apache2/modules ] && [ "$configuration" = /etc/apache2 ]; then
    put 644 conf/identity.load /etc/apache2/mods-available/identity.load
    put_conf conf/identity.conf /etc/apache2/mods-available/identity.conf
    put_conf conf/fail2ban/identity.conf /etc/fail2ban/filter.d/identity.conf
else
    put_conf conf/identity.conf "$configuration/extra/identity.conf"
    put 644 conf/fail2ban/identity.conf "$prefix/share/identity/fail2ban/identity.conf"
fi

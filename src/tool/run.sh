#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: PORT=8080 STATE=run CONF= src/tool/run.sh          (that is `make run`)
#
# Starts an httpd in the foreground with this tree's module, on loopback only: the API, and a page behind sign-in (/private/). What it needs and does not find in
# STATE it makes: database, first entity and account, administrator's key, pages. Each step looks for itself whether it is done, so that a start that was cut short is
# completed by the next one. Prints `ready URL` once a request is answered. SIGTERM, Ctrl-C: ends httpd and itself.
set -euo pipefail
umask 077

tree=$(cd "$(dirname "$0")/../.." && pwd)
port=${PORT:-8080}
state=${STATE:-run}
conf=${CONF:-}
httpd=

fail() {
    echo "make run: $*" >&2
    exit 1
}

case $port in *[!0-9]* | '' | ??????*) fail "PORT must be a number from 1 to 65535." ;; esac
[ "$port" -ge 1 ] && [ "$port" -le 65535 ] || fail "PORT must be a number from 1 to 65535."
if [ -n "$conf" ]; then
    [ -f "$conf" ] && [ -r "$conf" ] || fail "CONF names $conf, which is no readable file."
    conf=$(cd "$(dirname "$conf")" && pwd)/$(basename "$conf")
fi
# Why the port cannot be had, or nothing.
port_fault() {
    perl -MIO::Socket::INET -e '
        IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], Listen => 1, ReuseAddr => 1)
            or print $!{EADDRINUSE} ? "is in use" : "cannot be listened on ($!)"' "$port"
}
fault=$(port_fault)
[ -z "$fault" ] || fail "port $port $fault; name another one by PORT."

# Others may pass through the folder, no more: what lies in it has rights of its own.
[ -d "$state" ] || (umask 066 && mkdir -p "$state") || fail "the folder $state cannot be made."
state=$(cd "$state" && pwd) || exit 1
# Whoever can write into the folder decides where our writing goes (links, names swapped under us): it and what it holds must be ours alone.
[ -O "$state" ] || fail "$state belongs to somebody else; name another folder by STATE."
[ -z "$(find "$state" -maxdepth 0 -perm /022)" ] || fail "others may write into $state; chmod go-w it, or name another folder by STATE."
case "$tree$state$conf" in *[\"\\\$\*\?\[]* | *$'\n'*) fail 'paths with one of " \ $ * ? [ cannot stand in an httpd configuration.' ;; esac

# Our own link alone is followed: what www-data has put where it leads may be a link, too.
where_led() { (cd "$state" && readlink -m "$(dirname "$(readlink "$state/identity.db")")"); }
refuse_links() { # folder of database and mail
    for name in mail identity.db identity.db-wal identity.db-shm identity-signing-key.pem; do
        [ ! -L "$1/$name" ] || fail "$1/$name is a link: nothing is written through it; remove it, or name another folder by STATE."
    done
}
for name in .lock admin-api-key httpd.conf logs htdocs; do
    [ ! -L "$state/$name" ] || fail "$state/$name is a link: nothing is written through it; remove it, or name another folder by STATE."
    [ ! -e "$state/$name" ] || [ -O "$state/$name" ] || fail "$state/$name belongs to somebody else; remove it, or name another folder by STATE."
done
[ -z "$(find "$state/logs" -mindepth 1 -type l 2>/dev/null)" ] || fail "there are links in $state/logs: nothing is written through them; remove them, or name another folder by STATE."
if [ "$(id -u)" = 0 ]; then
    [ ! -L "$state/data" ] || fail "$state/data is a link: nothing is written through it; remove it, or name another folder by STATE."
    # Those three are our own, into the folder of www-data; another one's lead where that one likes.
    for name in mail identity-signing-key.pem identity.db; do
        [ ! -L "$state/$name" ] || [ "$(stat -c %u "$state/$name")" = 0 ] || fail "$state/$name is somebody else's link; remove it, or name another folder by STATE."
    done
    [ ! -L "$state/identity.db" ] || refuse_links "$(where_led)"
fi

exec 9>> "$state/.lock"
flock -n 9 || fail "$state is in use by another make run."

# ---- where the children of httpd write: database and mail -----------------------------------------------------------------------------------
# A normal user's files lie in STATE itself. Root's httpd drops to www-data, so there they lie in a folder of www-data's, and STATE has links to them:
# inside STATE where www-data can get there, else (a clone in /root) under /var/lib/mod_identity.

data=$state
user=$(id -un)
if [ "$(id -u)" = 0 ]; then
    user=www-data
    as_user() { setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"; }
    if [ -L "$state/identity.db" ]; then
        data=$(where_led)
    fi
    if [ "$data" = "$state" ] || [ ! -d "$data" ]; then
        if as_user test -x "$state"; then
            data=$state/data place=data
            mkdir -p "$data"
        else
            (umask 066 && mkdir -p /var/lib/mod_identity)
            data=$(mktemp -d /var/lib/mod_identity/run.XXXXXX) place=$data
            echo "make run: $user cannot reach $state, so database and mail lie in $data, with links to them in $state."
        fi
        # The database last: its link says that all is done.
        for name in mail identity-signing-key.pem identity.db-shm identity.db-wal identity.db; do
            if [ -e "$state/$name" ] && [ ! -L "$state/$name" ]; then mv "$state/$name" "$data/$name"; fi
        done
        ln -sfn "$place/mail" "$state/mail"
        # Made by httpd beside the database; where htidentity looks for it.
        ln -sfn "$place/identity-signing-key.pem" "$state/identity-signing-key.pem"
        ln -sfn "$place/identity.db" "$state/identity.db"
    fi
fi
# Once more, now that the lock is held. In a normal user's STATE links are that one's own business.
[ "$(id -u)" != 0 ] || refuse_links "$data"
# What is written comes whole and under its name at once; a name that is there is replaced, never followed.
fresh() { mktemp "$state/.$1.XXXXXX"; }
rm -f "$state"/.httpd.conf.?????? "$state"/.admin-api-key.??????
database=$data/identity.db
key_file=$state/admin-api-key
logs=$state/logs
mkdir -p "$data/mail" "$logs"
# httpd looks for every URL below its DocumentRoot, also where a handler answers (SetHandler identity-status): its children must be able to get there. Where they
# cannot reach STATE it lies beside the folder of www-data, not in it: it is ours to write.
htdocs=$state/htdocs
if [ "$(id -u)" = 0 ] && ! as_user test -x "$state"; then
    htdocs=$data.htdocs
fi
(umask 022 && mkdir -p "$htdocs")

# ---- what has to be there -------------------------------------------------------------------------------------------------------------------

tool() { "$tree/build/htidentity" --db "sqlite3:$database" "$@" 9>&-; }

# A key without its database opens nothing.
[ -s "$database" ] || rm -f "$key_file"
tool migrate > /dev/null
tool --json entity list | grep -E '"reference": ?"default"' > /dev/null || tool entity add default --name Default > /dev/null
tool --json --entity default account list | grep -E '"reference": ?"default"' > /dev/null || tool --entity default account add default --environment LIVE > /dev/null
if [ ! -s "$key_file" ]; then
    new=$(fresh admin-api-key)
    tool --entity default key add --description 'first key, made by make run' > "$new"
    [ -s "$new" ] || fail "htidentity made no key."
    mv -fT "$new" "$key_file"
fi
if [ "$(id -u)" = 0 ]; then
    chown -RhP "$user:$(id -g "$user")" "$data/mail"
    # Not what a link there may lead to: the folder is www-data's to write.
    for name in identity.db identity.db-wal identity.db-shm; do
        [ ! -e "$data/$name" ] || chown -h "$user:$(id -g "$user")" "$data/$name"
    done
    chown -h "$user:$(id -g "$user")" "$data"
    as_user test -w "$database" || fail "$user cannot reach $data; make its parents searchable or name another STATE."
fi

# ---- what it serves -------------------------------------------------------------------------------------------------------------------------

# The server's user reads it. What somebody has put there stays.
page() { # file; its text on standard input
    local new
    [ ! -e "$htdocs/$1" ] || { cat > /dev/null; return 0; }
    new=$(mktemp "$htdocs/.page.XXXXXX")
    cat > "$new"
    chmod 644 "$new"
    mv -fT "$new" "$htdocs/$1"
}
[ ! -L "$htdocs" ] && [ ! -L "$htdocs/private" ] || [ "$(id -u)" != 0 ] || fail "$htdocs is a link: nothing is written through it."
mkdir -p "$htdocs/private"
chmod 755 "$htdocs" "$htdocs/private"
page index.html <<'END'
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>mod_identity</title>
<h1>mod_identity answers here</h1>
<p>This page is for everybody. <a href="/private/">/private/</a> is for people who sign in.
END
page private/index.html <<'END'
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Private</title>
<h1>You are signed in</h1>
<p>Nobody sees this page without signing in: <code>AuthType Identity</code> and <code>Require valid-user</code> guard it.
<p><a href="/v1/oauth/sign-out?return=/">Sign out</a>
END

# ---- httpd ----------------------------------------------------------------------------------------------------------------------------------

libexec=$(apxs -q LIBEXECDIR)
binary=$(apxs -q SBINDIR)/$(apxs -q TARGET)
new=$(fresh httpd.conf)
{
    for module in mpm_event authn_core authz_core authz_host authz_user auth_basic unixd log_config mime dir alias env headers setenvif dbd watchdog reqtimeout; do
        # What the server has built in has no file.
        [ ! -e "$libexec/mod_$module.so" ] || echo "LoadModule ${module}_module \"$libexec/mod_$module.so\""
    done
    cat <<END
LoadModule identity_module "$tree/build/mod_identity.so"
Listen 127.0.0.1:$port
ServerName 127.0.0.1:$port
ServerRoot "$state"
DocumentRoot "$htdocs"
DefaultRuntimeDir "$logs"
PidFile "$logs/httpd.pid"
ErrorLog "$logs/error_log"
LogLevel warn identity:info
LogFormat "%h %u %t \"%r\" %>s %b" common
CustomLog "$logs/access_log" common
TypesConfig /dev/null
AddType text/html .html
<Directory />
    AllowOverride None
    Require all denied
</Directory>
END
    [ "$(id -u)" != 0 ] || printf 'User %s\nGroup %s\n' "$user" "$(id -gn "$user")"
    cat <<END
DBDriver sqlite3
DBDParams "$database"
IdentityAutoMigrate On
IdentityPublicURL http://127.0.0.1:$port
IdentityMailURL "maildir:$data/mail"
<LocationMatch "^/(?:v(?:[0-9]+|x)(?:/|$)|\.well-known/(?:jwks\.json|oauth-authorization-server|openid-configuration)$)">
    IdentityEngine On
</LocationMatch>
<Location /v1/oauth>
    IdentityCookie On
</Location>
DirectoryIndex index.html
<Directory "$htdocs">
    Require all granted
</Directory>
<Location /private>
    AuthType Identity
    AuthName "private"
    IdentityCookie On
    Require valid-user
    ErrorDocument 401 /v1/oauth/sign-in
    ErrorDocument 403 /v1/oauth/sign-in
</Location>
<IfModule reqtimeout_module>
    RequestReadTimeout header=20-40,MinRate=500 body=20,MinRate=500
</IfModule>
END
    [ -z "$conf" ] || printf 'Include "%s"\n' "$conf"
} > "$new"
mv -fT "$new" "$state/httpd.conf"

# The status of an answer of the module, nothing while there is none.
probe() {
    local line status='' ours=''
    exec 8<> "/dev/tcp/127.0.0.1/$port" || return 0
    printf 'GET /v1/users?limit=1 HTTP/1.0\r\nX-API-KEY: %s\r\n\r\n' "$(cat "$key_file")" >&8
    while IFS= read -r -t 10 line <&8 && [ "$line" != $'\r' ]; do
        case $line in
            HTTP/1.*) status=${line#* } status=${status%% *} ;;
            [Xx]-[Rr][Ee][Qq][Uu][Ee][Ss][Tt]-[Ii][Dd]:*) ours=1 ;;
        esac
    done
    exec 8>&-
    [ -z "$ours" ] || echo "$status"
}

alive() { kill -0 "$httpd" 2>/dev/null; }

# A session of its own, so that Ctrl-C comes to us alone; and should we be killed, httpd ends too.
rm -f "$logs/httpd.pid"
touch "$logs/error_log"
started=$(wc -c < "$logs/error_log")
ending=
trap 'ending=1; [ -z "$httpd" ] || kill -TERM "$httpd" 2>/dev/null || true' TERM INT HUP
setpriv --pdeathsig TERM setsid "$binary" -d "$state" -f "$state/httpd.conf" -DFOREGROUND 9>&- &
httpd=$!

ready=
for ((i = 0; i < 600; i++)); do
    alive && [ -z "$ending" ] || break
    case $(probe 2>/dev/null) in
        # A key that was revoked since is an answer too.
        2?? | 401 | 403) ready=1; break ;;
    esac
    sleep 0.1
done
if [ -n "$ready" ]; then
    echo "database  $state/identity.db"
    echo "key       $key_file (administrator)"
    echo "mail      $state/mail/new"
    echo "logs      $logs/error_log"
    echo "page      http://127.0.0.1:$port/private/ (for people who sign in)"
    echo "try       curl -H \"X-API-KEY: \$(cat $key_file)\" http://127.0.0.1:$port/v1/users"
    echo "ready http://127.0.0.1:$port/v1"
else
    [ -n "$ending" ] || ! alive || echo "make run: httpd does not answer." >&2
    # A signal that came before there was an httpd has not reached it.
    kill -TERM "$httpd" 2>/dev/null || true
fi

status=0
wait "$httpd" || status=$?
while alive; do wait "$httpd" || status=$?; done
# Children that have lost their parent would keep the port.
kill -9 -- "-$httpd" 2>/dev/null || true
if [ -z "$ending" ]; then
    said=$(tail -c "+$((started + 1))" "$logs/error_log" 2>/dev/null | tail -n 20)
    # What stands above is httpd's own where it has no log yet.
    if [ -n "$said" ]; then printf 'make run: httpd ended; its log says:\n%s\n' "$said" >&2; else echo "make run: httpd did not start." >&2; fi
    exit 1
fi

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: t/run-httpd.sh CONFIG [t/api/FILE.t ...]     VERBOSE=1 shows all output, KEEP=1 keeps the staged tree
#
# Runs test files against a real httpd and prints TAP. CONFIG:
#   event worker prefork   that MPM, not as root (root drops to nobody)
#   asan                   event with the sanitized module of build-asan/
#   coverage               event with the module of build-coverage/, whose counts are added to those of that folder (make coverage)
#   root                   event, the parent as root and its children as nobody; only for root
# At the end every answer of the API that a test saw is held against conf/openapi.json. Where IDENTITY_ANSWERS names a folder, which operations gave which status
# is left there as CONFIG.seen. Where IDENTITY_TAP names one, what each file printed is left in its folder CONFIG. Of runs that share a configuration each says
# by IDENTITY_PART which it is: CONFIG-PART.
# Without files: those of t/api and t/httpd that run on CONFIG. A file runs on event, worker, prefork and asan unless it says otherwise in a line
# `# run on: event root`.
#
# Apache::Test refuses root and a clone may lie where nobody can go, so everything is staged into a fresh folder of its own.
set -euo pipefail

# Fails this run alone: "Bail out!" would end every other one too.
not_run() {
    echo "not ok 1 - $*"
    echo 1..1
    exit 1
}

# Daemons that tests start, and whatever else loses its parent, become children of this shell: where process 1 collects no dead ones they would stay for ever.
if [ -z "${IDENTITY_REAPER:-}" ]; then
    export IDENTITY_REAPER=1
    exec perl -e 'require "sys/syscall.ph"; my $set_child_subreaper = 36;
        syscall(&SYS_prctl, $set_child_subreaper, 1, 0, 0, 0) == 0 or die "prctl: $!\n"; exec @ARGV' bash "$0" "$@"
fi

source=$(cd "$(dirname "$0")/.." && pwd)
config=${1:?usage: run-httpd.sh CONFIG [FILE...]}
shift
case $config in
    event | worker | prefork | asan | coverage) ;;
    root) [ "$(id -u)" = 0 ] || not_run "The configuration root needs root." ;;
    *) not_run "There is no configuration named $config." ;;
esac
mpm=$config build=$source/build
case $config in asan) mpm=event build=$source/build-asan ;; coverage) mpm=event build=$source/build-coverage ;; root) mpm=event ;; esac

runs_here() {
    local on
    on=$(sed -n 's/^# run on: *//p' "$source/$1" | head -n 1)
    case " ${on:-event worker prefork asan} " in *" ${config/coverage/event} "*) return 0 ;; esac
    return 1
}
files=("$@")
if [ $# = 0 ]; then
    for file in $(cd "$source" && ls t/api/*.t t/httpd/*.t 2>/dev/null); do
        runs_here "$file" && files+=("$file")
    done
fi
[ ${#files[@]} -gt 0 ] || not_run "No test file runs on $config."

# ---- stage -----------------------------------------------------------------------------------------------------------------------------

user=$(id -un)
[ "$user" != root ] || user=nobody
as=()
[ "$(id -u)" != 0 ] || as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)

umask 022
stage=$(mktemp -d "${TMPDIR:-/tmp}/identity-test.XXXXXX")
chmod 755 "$stage"
if ! "${as[@]}" test -x "$stage"; then
    rmdir "$stage"
    stage=$(mktemp -d /tmp/identity-test.XXXXXX)
    chmod 755 "$stage"
fi

# Whatever the staged tree started and a test could not stop: its processes carry the tree's path.
clean_up() {
    local pid
    for pid in $(pgrep -f "$stage/" || true); do
        [ "$pid" = $$ ] || kill -9 "$pid" 2>/dev/null || true
    done
    [ -n "${KEEP:-}" ] && { echo "# kept: $stage"; return; }
    rm -rf "$stage"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP

mkdir -p "$stage/bin" "$stage/answers" "$stage/tap" "$stage/t/logs" "$stage/t/state/mail" "$stage/t/servers" "$stage/t/htdocs"
cp "$build/mod_identity.so" "$build/htidentity" "$stage/bin/"
cp -R "$source/conf" "$stage/"
install -D -m 644 "$source/src/tool/commands.def" "$stage/src/tool/commands.def"
tar cf - -C "$source" --exclude=t/unit --exclude=t/logs t | tar xf - -C "$stage"

# Packages of npm lie where node looks for them from t/.
if (cd "$source" && grep -q '^# needs: npm' "${files[@]}"); then
    "$source/t/npm/install.sh" "$source/build/npm" || { echo "not ok 1 - the packages of t/npm are there"; echo 1..1; exit 1; }
    cp -R "$source/build/npm/node_modules" "$stage/"
fi

libexec=$(apxs -q LIBEXECDIR)
httpd=$(apxs -q SBINDIR)/$(apxs -q TARGET)
for module in "mpm_$mpm" authn_core authz_core authz_host authz_user auth_basic authn_file unixd log_config mime alias dir env headers setenvif dbd watchdog \
    reqtimeout; do
    # What the server has built in has no file.
    [ ! -e "$libexec/mod_$module.so" ] || echo "LoadModule ${module}_module $libexec/mod_$module.so"
done > "$stage/t/conf/base.conf"

# The sanitizer has to be in the process before anything else; httpd itself is the distribution's. Its pools end without freeing: no leak check here.
if [ "$config" = asan ]; then
    cat > "$stage/bin/httpd" <<END
#!/bin/sh
LD_PRELOAD=$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0:abort_on_error=0:allow_user_segv_handler=0 UBSAN_OPTIONS=print_stacktrace=1 exec $httpd "\$@"
END
else
    printf '#!/bin/sh\nexec %s "$@"\n' "$httpd" > "$stage/bin/httpd"
    # shellcheck disable=SC2046
    gcc -shared -fPIC -D_GNU_SOURCE -O1 -Wall -I"$(apxs -q INCLUDEDIR)" $("$(apxs -q APR_CONFIG)" --includes --cppflags) \
        -o "$stage/bin/mod_crash_report.so" "$source/t/httpd/lib/mod_crash_report.c" || not_run "mod_crash_report.c was not built."
fi
chmod 755 "$stage/bin/httpd"

# The counts of the runs before, which whatever ends in the staged tree adds its own to.
if [ "$config" = coverage ]; then
    mkdir -p "$stage/coverage$build"
    (cd "$build" && find . -name '*.gcda' -print0 | tar cf - --null -T -) | tar xf - -C "$stage/coverage$build"
    # Some tests clear the environment of what they start.
    for program in httpd htidentity; do
        mv "$stage/bin/$program" "$stage/bin/$program.counted"
        printf '#!/bin/bash\nGCOV_PREFIX=%q exec -a "$0" %q "$@"\n' "$stage/coverage" "$stage/bin/$program.counted" > "$stage/bin/$program"
        chmod 755 "$stage/bin/$program"
    done
fi

[ "$(id -u)" != 0 ] || chown -R "$user:$(id -g "$user")" "$stage"

# ---- run -------------------------------------------------------------------------------------------------------------------------------

cd "$stage"
environment=(env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$stage" LANG=C.UTF-8 TMPDIR="$stage" ASAN_OPTIONS=detect_leaks=0
    IDENTITY_CONFIG="${config/coverage/event}" IDENTITY_TOP="$stage" IDENTITY_ANSWERS="$stage/answers"
    IDENTITY_TAP="$stage/tap" ${VERBOSE:+VERBOSE=1} ${IDENTITY_MUTANTS:+IDENTITY_MUTANTS="$IDENTITY_MUTANTS"} ${IDENTITY_SEED:+IDENTITY_SEED="$IDENTITY_SEED"})

"${as[@]}" "${environment[@]}" perl -It/lib -MIdentityTest::Database=make_state -e 'make_state("t/state")' > t/logs/state.log 2>&1 || {
    echo "not ok 1 - htidentity makes the database"
    sed 's/^/#   /' t/logs/state.log
    echo 1..1
    exit 1
}

# A block of free ports: the server's own, and those of further ones that tests start. The last of them is listened on for as long as this shell lives: no other
# run takes the block.
port=${TEST_PORT:-}
if [ -z "$port" ]; then
    coproc HOLDER { exec perl -MIO::Socket::INET -e '
        sub listening { IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $_[0], Listen => 1, ReuseAddr => 1) }
        for my $try (0 .. 19) {
            my $port = 18010 + 40 * (($$ + $try) % 20);
            my $held = listening($port + 39) or next;
            next if grep { !listening($port + $_) } 0 .. 9;
            syswrite STDOUT, "$port\n";
            sysread STDIN, my $end, 1;
            exit;
        }'; }
    read -r port <&"${HOLDER[0]}" || not_run "No free ports."
fi

drop=("${as[@]}") defines=()
if [ "$config" = root ]; then
    drop=() defines=(-defines AS_ROOT)
    environment+=(ALLOW_ROOT=1)
    chown root "$stage" "$stage/bin" "$stage/bin"/* "$stage/t" "$stage/t/conf" "$stage/t/logs"
fi
status=0
"${drop[@]}" "${environment[@]}" perl -It/lib t/TEST -httpd "$stage/bin/httpd" -apxs "$(command -v apxs)" -httpd_conf "$stage/t/conf/base.conf" \
    -servername 127.0.0.1 -port "$port" "${defines[@]}" "${files[@]}" || status=$?
[ "$config" != coverage ] || cp -R "$stage/coverage$build/." "$build/"
label=$config${IDENTITY_PART:+-$IDENTITY_PART}
# All of it at once: t/answers/operations.t waits for it.
[ -z "${IDENTITY_ANSWERS:-}" ] || [ ! -e answers/seen ] || { cp answers/seen "$IDENTITY_ANSWERS/$label.part"; mv "$IDENTITY_ANSWERS/$label.part" "$IDENTITY_ANSWERS/$label.seen"; }
[ -z "${IDENTITY_TAP:-}" ] || { rm -rf "$IDENTITY_TAP/$label" && mkdir -p "$IDENTITY_TAP/$label" && cp tap/* "$IDENTITY_TAP/$label/"; }
exit "$status"

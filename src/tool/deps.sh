#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: deps.sh [--check] LIST...        LIST: build, test, bench, count, fuzz, coverage, package, root
# Installs the Debian packages of the lists that are missing; with --check only says which. apt-get is asked only when something lacks.
# The package apache2 is left out on purpose: it would start a service of its own on port 80.
set -eu

build="apache2-bin apache2-dev binutils gcc libapr1-dev libaprutil1-dbd-sqlite3 libaprutil1-dev libc6-dev libcjose-dev libcrypt-dev
 libcurl4-openssl-dev libidn2-dev libjansson-dev libsodium-dev libssl-dev libutf8proc-dev make openssl perl pkg-config"
test="chromium chromium-driver clang clang-format curl dpkg-dev gcc-aarch64-linux-gnu git libapache2-mod-perl2 libc6-dev-arm64-cross
 libsqlite3-dev libwww-perl mandoc procps python3 python3-aiosmtpd python3-jsonschema
 python3-prometheus-client sqlite3 util-linux valgrind"

bench="libsqlite3-dev perl procps util-linux valgrind wrk"
count="perl valgrind"
package="build-essential cpio debhelper dpkg-dev git lintian rpm"
root="debootstrap"
fuzz="clang libclang-rt-14-dev"
coverage="gcovr"

# Node of another origin brings npm along, and Debian's npm would not go beside it.
command -v npm >/dev/null || test="$test nodejs npm"

check=
[ "${1-}" = --check ] && { check=1; shift; }
wanted=
for list in "$@"; do
    case $list in
        build) wanted="$wanted $build" ;;
        test) wanted="$wanted $test" ;;
        bench) wanted="$wanted $bench" ;;
        count) wanted="$wanted $count" ;;
        fuzz) wanted="$wanted $fuzz" ;;
        coverage) wanted="$wanted $coverage" ;;
        package) wanted="$wanted $package" ;;
        root) wanted="$wanted $root" ;;
        *) echo "deps.sh: there is no list named $list." >&2; exit 2 ;;
    esac
done

# On arm64 itself its compiler is at home.
case $(dpkg --print-architecture 2>/dev/null) in arm64) wanted=" $(echo $wanted | sed 's/gcc-aarch64-linux-gnu//; s/libc6-dev-arm64-cross//')" ;; esac

# Elsewhere than on Debian the compiler says what is missing.
command -v dpkg-query >/dev/null || exit 0

# shellcheck disable=SC2086
have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p') || true
missing=
for package in $wanted; do
    case "
$have
" in
        *"
$package
"*) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ -n "$check" ] || [ "$(id -u)" != 0 ]; then
    echo "Missing Debian packages:$missing; install them as root by: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

echo "Installing missing Debian packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# What is installed is no answer of ours: standard output stays with the command that called.
apt-get update -qq >&2
# shellcheck disable=SC2086
apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $missing >&2

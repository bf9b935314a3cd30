#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: src/tool/package.sh VERSION FOLDER          (that is `make package`, with the version of include/identity/core.h)
# Debian's package libapache2-mod-identity of what is committed, built as Debian's tools do it, and looked through by lintian: FOLDER/*.deb.
set -eu

version=$1
folder=$2
name=libapache2-mod-identity
tree=$folder/$name-$version

rm -rf "$folder"
mkdir -p "$tree"
git archive HEAD | tar xf - -C "$tree"
cp -R "$tree/conf/debian" "$tree/debian"
cat > "$tree/debian/changelog" <<END
$name ($version) unstable; urgency=medium

  * See CHANGES.md.

 -- $(sed -n 's/^Maintainer: //p' "$tree/debian/control")  $(git log -1 --format=%cD)
END
# What make hands to its children is for this project's own build, not for the package's.
unset MAKEFLAGS MAKELEVEL MFLAGS BUILD SAN CFLAGS CPPFLAGS LDFLAGS 2>/dev/null || true
(cd "$tree" && dpkg-buildpackage -us -uc -b -j"$(nproc)" > ../build.log 2>&1) || { tail -n 40 "$folder/build.log" >&2; exit 1; }
lintian --fail-on error "$folder"/*.changes
ls "$folder"/*.deb

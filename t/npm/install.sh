#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: t/npm/install.sh FOLDER [LOCK]
# Installs what the package-lock.json in the folder LOCK (without it: the one beside this script) pins into FOLDER/node_modules, from the registry that npm is
# set up for. Nothing is done where that has been done. Node's and npm's words go to standard error; where it fails, the last line says what lacks.
set -eu

here=$(cd "${2:-$(dirname "$0")}" && pwd)
folder=$1
mkdir -p "$folder"
exec 9> "$folder/lock"
flock 9

cmp -s "$here/package-lock.json" "$folder/done" && exit 0
rm -rf "$folder/done" "$folder/node_modules"
for command in node npm; do
    command -v "$command" > /dev/null || { echo "There is no $command: make deps installs it." >&2; exit 1; }
done
cp "$here/package.json" "$here/package-lock.json" "$folder/"
(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --fetch-retries=2 --fetch-timeout=60000 9>&-) >&2 || {
    echo "npm cannot install what the tests run as the other side: is its registry within reach?" >&2
    exit 1
}
cp "$folder/package-lock.json" "$folder/done"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: t/trust/coverage.sh [t/api/FILE.t ...]     `make coverage` builds build-coverage/ before
#
# Which lines of src the tests reach: the unit tests and, on a real httpd (event), the files of t/api and t/httpd, or those that are named. A line for each
# source file; what is under a floor is an error. The floors and the reasons of the files below them stand in t/trust/coverage.txt.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
build=build-coverage
files=("$@")
if [ $# = 0 ]; then
    # Those of other configurations alone are left out, as t/run-httpd.sh does without a list.
    mapfile -t files < <(grep -L '^# run on:' t/api/*.t t/httpd/*.t; grep -l '^# run on:.*event' t/api/*.t t/httpd/*.t)
fi

find "$build" -name '*.gcda' -delete
status=0
# One after the other would be slow, and their counts are added under a lock. The long ones are of `make test` alone.
find "$build/t" -maxdepth 1 \( -name 'unit-*' -o -name 'fuzz-*' \) ! -name unit-serve_volume ! -name unit-store_races | sort | prove --timer -j"$(nproc)" - || status=1
t/run-httpd.sh coverage "${files[@]}" > "$build/httpd.tap" || { grep -A20 '^not ok' "$build/httpd.tap" || cat "$build/httpd.tap"; status=1; }
gcovr -r . -f 'src/' -f 'mod_identity\.c' -j "$(nproc)" --exclude-throw-branches --json-summary "$build/coverage.json" "$build" > /dev/null
perl t/trust/coverage.pl "$build/coverage.json" t/trust/coverage.txt || status=1
exit $status

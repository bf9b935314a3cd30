#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: CC=cc src/tool/flags.sh 'CPPFLAGS CFLAGS' FLAG...          (called by the Makefile)
# Prints those of the flags that CC accepts on top of the builder's own, and -D_FORTIFY_SOURCE=2 where the code is optimized and neither the
# builder nor the compiler has set a level.
set -u
own=$1
shift
accepted=
for flag in "$@"; do
    # shellcheck disable=SC2086
    ${CC:-cc} $own -Werror "$flag" -x c -c -o /dev/null /dev/null 2>/dev/null && accepted="$accepted $flag"
done
# shellcheck disable=SC2086
macros=$(${CC:-cc} $own -x c -dM -E /dev/null 2>/dev/null)
case $macros in
    *_FORTIFY_SOURCE*) ;;
    *__OPTIMIZE__*) accepted="-D_FORTIFY_SOURCE=2$accepted" ;;
esac
echo "$accepted"

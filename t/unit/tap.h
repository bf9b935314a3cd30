/* SPDX-License-Identifier: Apache-2.0 */
/* Test Anything Protocol for unit tests:
 *
 *     int main(void)
 *     {
 *         ok(1 + 1 == 2, "sums");
 *         is_str(name, "ada", "the name of user %d", i);
 *         return tap_done();
 *     }
 *
 * The plan is printed at the end, so a test that dies half-way fails. Every check returns whether it held.
 */
#ifndef IDENTITY_TAP_H
#define IDENTITY_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failures;

/* A remark, shown by `prove -v`. */
__attribute__((unused, format(printf, 1, 2))) static void diag(const char *format, ...)
{
    va_list list;

    fputs("# ", stdout);
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    fputs("\n", stdout);
}

__attribute__((unused, format(printf, 4, 0))) static bool tap_say(bool held, const char *file, int line,
                                                                  const char *format, va_list list)
{
    va_list again;

    va_copy(again, list);
    printf("%sok %d - ", held ? "" : "not ", ++tap_count);
    vprintf(format, list);
    fputs("\n", stdout);
    fflush(stdout);
    if (!held) {
        /* prove shows standard error always. */
        tap_failures++;
        fprintf(stderr, "# %s line %d failed: ", file, line);
        vfprintf(stderr, format, again);
        fputs("\n", stderr);
    }
    va_end(again);
    return held;
}

__attribute__((unused, format(printf, 4, 5))) static bool tap_ok(bool held, const char *file, int line,
                                                                 const char *format, ...)
{
    va_list list;

    va_start(list, format);
    tap_say(held, file, line, format, list);
    va_end(list);
    return held;
}

__attribute__((unused, format(printf, 5, 6))) static bool
tap_is_str(const char *got, const char *expected, const char *file, int line, const char *format, ...)
{
    bool held = (!got || !expected) ? got == expected : !strcmp(got, expected);
    va_list list;

    va_start(list, format);
    tap_say(held, file, line, format, list);
    va_end(list);
    if (!held) {
        fprintf(stderr, "#      got: %s\n", got ? got : "(null)");
        fprintf(stderr, "# expected: %s\n", expected ? expected : "(null)");
    }
    return held;
}

__attribute__((unused, format(printf, 5, 6))) static bool
tap_is_int(long long got, long long expected, const char *file, int line, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    tap_say(got == expected, file, line, format, list);
    va_end(list);
    if (got != expected) {
        fprintf(stderr, "#      got: %lld\n", got);
        fprintf(stderr, "# expected: %lld\n", expected);
    }
    return got == expected;
}

#define ok(held, ...)              tap_ok((held), __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, expected, ...) tap_is_str((got), (expected), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, expected, ...) tap_is_int((long long)(got), (long long)(expected), __FILE__, __LINE__, __VA_ARGS__)

/* No use in going on without what was just tried. It ends this file alone, as a test that failed: "Bail out!" would end
 * the whole run. */
__attribute__((unused, noreturn)) static void bail(const char *why)
{
    printf("not ok %d - %s\n1..%d\n", tap_count + 1, why, tap_count + 1);
    fprintf(stderr, "# given up: %s\n", why);
    exit(255);
}

/* Prints the plan; the value main returns. */
__attribute__((unused)) static int tap_done(void)
{
    printf("1..%d\n", tap_count);
    if (!tap_count)
        diag("no check was made");
    return tap_failures || !tap_count ? 1 : 0;
}

#define done() tap_done()

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Times on the wire. */
#include "core_fixture.h"

typedef struct time_case {
    const char *text;
    apr_int64_t seconds;
} time_case_t;

static const time_case_t good[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"2024-01-15T09:30:00Z", 1705311000},
    {"2024-01-15T10:30:00+01:00", 1705311000},
    {"2024-01-15T04:00:00-05:30", 1705311000},
    {"2024-01-15T09:30:00-00:00", 1705311000},
    {"1969-12-31T23:00:00-01:00", 0},
    {"2000-02-29T00:00:00Z", 951782400},
    {"2024-02-29T23:59:59Z", 1709251199},
    {"2038-01-19T03:14:08Z", 2147483648},
    {"2100-03-01T00:00:00Z", 4107542400},
    {"9999-12-31T23:59:59Z", 253402300799},
};

static const char *const bad[] = {
    "",
    "2024-01-15",
    "2024-01-15T09:30Z",
    "2024-01-15T09:30:00",
    "2024-01-15T09:30:00.000Z",
    "2024-01-15T09:30:00,5Z",
    "2024-01-15T09:30:00z",
    "2024-01-15t09:30:00Z",
    "2024-01-15 09:30:00Z",
    "2024-01-15T09:30:00ZZ",
    "2024-01-15T09:30:00Z ",
    " 2024-01-15T09:30:00Z",
    "2024-01-15T09:30:00+0100",
    "2024-01-15T09:30:00+01",
    "2024-01-15T09:30:00+01:00Z",
    "2024-01-15T09:30:00+24:00",
    "2024-01-15T09:30:00+01:60",
    "2024-00-15T09:30:00Z",
    "2024-13-15T09:30:00Z",
    "2024-01-00T09:30:00Z",
    "2024-01-32T09:30:00Z",
    "2024-04-31T09:30:00Z",
    "2023-02-29T09:30:00Z",
    "2100-02-29T09:30:00Z",
    "2024-01-15T24:00:00Z",
    "2024-01-15T09:60:00Z",
    "2024-01-15T09:30:60Z",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00+00:01",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59-00:01",
    "20240115T093000Z",
    "+024-01-15T09:30:00Z",
    "1705311000",
};

static void test_parse(void)
{
    apr_time_t time;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        time = -1;
        ok(identity_time_parse(good[i].text, &time), "%s is taken", good[i].text);
        is_int(time, good[i].seconds * APR_USEC_PER_SEC, "%s is its second # security 51", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ok(!identity_time_parse(bad[i], &time), "\"%s\" is refused", bad[i]);
    }
    ok(!identity_time_parse(NULL, &time), "NULL is refused");
}

/* Against APR's calendar, at steps that meet every hour, day and month over 430 years. */
static void test_calendar(void)
{
    int wrong = 0;
    for (apr_int64_t second = 0; second < APR_INT64_C(13569465600) && wrong == 0; second += 86399 * 7 + 3601) {
        apr_time_t time = apr_time_from_sec(second);
        apr_time_exp_t parts;
        char expected[32];
        apr_time_t back = 0;
        const char *got = identity_time_format(pool, time + 999999);

        apr_time_exp_gmt(&parts, time);
        apr_snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
        if (strcmp(got, expected) != 0 || !identity_time_parse(got, &back) || back != time) {
            diag("second %lld: got %s, expected %s", (long long)second, got, expected);
            wrong++;
        }
    }
    is_int(wrong, 0, "written and read back as APR's calendar has it");
}

static void test_format(void)
{
    is_str(identity_time_format(pool, apr_time_from_sec(2147483648)), "2038-01-19T03:14:08Z",
           "past 2038 # security 51");
    is_str(identity_time_format(pool, -5), "1970-01-01T00:00:00Z", "a negative time is the first");
    is_str(identity_time_format(pool, APR_INT64_MAX), "9999-12-31T23:59:59Z", "the largest time is the last");
    ok(json_is_null(identity_time_json(0)), "0 is null");
    json_t *text = identity_json_own(pool, identity_time_json(apr_time_from_sec(1705311000)));
    is_str(json_string_value(text), "2024-01-15T09:30:00Z", "a time is a string");
}

int main(void)
{
    fixture_begin();
    test_parse();
    test_calendar();
    test_format();
    return fixture_end();
}

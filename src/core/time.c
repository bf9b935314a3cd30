/* SPDX-License-Identifier: Apache-2.0 */
/* Times on the wire. The calendar is computed here: gmtime_r takes a process-wide lock, and a page of users needs it
 * 200 times. */
#include <string.h>

#include <apr_strings.h>

#include "identity/core.h"

#define WIRE_LENGTH     20 /* 2024-01-15T09:30:00Z */
#define SECONDS_OF_DAY  86400
#define DAYS_OF_ERA     146097                    /* 400 years of the Gregorian calendar */
#define DAYS_BEFORE_ERA 719468                    /* from 0000-03-01 to 1970-01-01 */
#define LAST_SECOND     APR_INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static void put_digits(char *at, int count, unsigned value)
{
    while (count-- > 0) {
        at[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Years start in March, so that the leap day is the last of its year. */
static void write_time(char text[WIRE_LENGTH + 1], apr_time_t time)
{
    apr_int64_t seconds = time / APR_USEC_PER_SEC;
    if (seconds < 0 || time < 0)
        seconds = 0;
    else if (seconds > LAST_SECOND)
        seconds = LAST_SECOND;
    unsigned days = (unsigned)(seconds / SECONDS_OF_DAY) + DAYS_BEFORE_ERA;
    unsigned rest = (unsigned)(seconds % SECONDS_OF_DAY);
    unsigned era = days / DAYS_OF_ERA;
    unsigned day_of_era = days % DAYS_OF_ERA;
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153;
    unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;

    memcpy(text, "0000-00-00T00:00:00Z", WIRE_LENGTH + 1);
    put_digits(text, 4, year_of_era + era * 400 + (month <= 2 ? 1 : 0));
    put_digits(text + 5, 2, month);
    put_digits(text + 8, 2, day_of_year - (153 * march_month + 2) / 5 + 1);
    put_digits(text + 11, 2, rest / 3600);
    put_digits(text + 14, 2, rest / 60 % 60);
    put_digits(text + 17, 2, rest % 60);
}

const char *identity_time_format(apr_pool_t *pool, apr_time_t time)
{
    char *text = apr_palloc(pool, WIRE_LENGTH + 1);
    write_time(text, time);
    return text;
}

apr_time_t identity_time_sooner(apr_time_t one, apr_time_t other)
{
    return one == 0 || (other != 0 && other < one) ? other : one;
}

json_t *identity_time_json(apr_time_t time)
{
    if (time == 0)
        return json_null();
    char text[WIRE_LENGTH + 1];
    write_time(text, time);
    return json_stringn_nocheck(text, WIRE_LENGTH);
}

void identity_write_time(identity_writer_t *writer, apr_time_t time)
{
    if (time == 0) {
        identity_write_literal(writer, "null");
        return;
    }
    char text[WIRE_LENGTH + 3];
    write_time(text + 1, time);
    text[0] = text[WIRE_LENGTH + 1] = '"';
    identity_write_raw(writer, text, WIRE_LENGTH + 2);
}

/* Matches a pattern: 0 stands for a digit, anything else for itself. */
static bool matches(const char *text, const char *pattern)
{
    for (; *pattern != '\0'; text++, pattern++)
        if (*pattern == '0' ? (*text < '0' || *text > '9') : *text != *pattern)
            return false;
    return true;
}

static int digits(const char *text, int count)
{
    int value = 0;
    while (count-- > 0)
        value = value * 10 + (*text++ - '0');
    return value;
}

static int days_of_month(int year, int month)
{
    static const signed char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : lengths[month - 1];
}

static apr_int64_t days_since_epoch(int year, int month, int day)
{
    int shifted = month <= 2 ? year - 1 : year;
    int march_month = month > 2 ? month - 3 : month + 9;
    int year_of_era = shifted % 400;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
                     (153 * march_month + 2) / 5 + day - 1;
    return (apr_int64_t)(shifted / 400) * DAYS_OF_ERA + day_of_era - DAYS_BEFORE_ERA;
}

/* The offset from UTC in seconds, from the part after the seconds: Z or a numeric offset, then the end. */
static bool read_offset(const char *text, int *offset)
{
    *offset = 0;
    if (strcmp(text, "Z") == 0)
        return true;
    if (!matches(text, "+00:00") && !matches(text, "-00:00"))
        return false;
    int hours = digits(text + 1, 2);
    int minutes = digits(text + 4, 2);
    if (text[6] != '\0' || hours > 23 || minutes > 59)
        return false;
    *offset = (hours * 60 + minutes) * (text[0] == '-' ? -60 : 60);
    return true;
}

bool identity_time_parse(const char *text, apr_time_t *time)
{
    int offset;

    if (!text || !matches(text, "0000-00-00T00:00:00") ||
        !read_offset(text + WIRE_LENGTH - 1, &offset))
        return false;
    int year = digits(text, 4);
    int month = digits(text + 5, 2);
    int day = digits(text + 8, 2);
    int hour = digits(text + 11, 2);
    int minute = digits(text + 14, 2);
    int second = digits(text + 17, 2);
    if (year < 1969 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) ||
        hour > 23 || minute > 59 || second > 59)
        return false;
    apr_int64_t seconds =
        days_since_epoch(year, month, day) * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second;
    seconds -= offset;
    if (seconds < 0 || seconds > LAST_SECOND)
        return false;
    *time = apr_time_from_sec(seconds);
    return true;
}

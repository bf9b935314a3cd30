/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of directive values: an error message, or the value. */
#include <stdint.h>
#include <string.h>

#include <apr_network_io.h>
#include <apr_uri.h>

#include "server_int.h"

#define LONGEST_DAYS   3650
#define RATE_COUNT_MAX 1000000

/* A whole number without sign and the text after it; false if there is none or it is too large for anything. */
static bool whole(const char *text, uint64_t *value, const char **rest)
{
    uint64_t number = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (number > (UINT64_MAX - 9) / 10)
            return false;
        number = number * 10 + (uint64_t)(*p - '0');
    }
    *value = number;
    *rest = p;
    return p > text;
}

const char *identity_read_duration(apr_pool_t *pool, const char *name, const char *text, bool zero,
                                   apr_interval_time_t *value)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    uint64_t number, seconds = 0;
    const char *rest;

    if (whole(text, &number, &rest) && rest[0] && !rest[1])
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
            if (rest[0] == units[i].unit)
                seconds = units[i].seconds;
    if (!seconds)
        return apr_psprintf(
            pool, "%s needs a whole number and a unit (s, m, h or d), such as 15m, not %s.", name,
            text);
    if (number > LONGEST_DAYS * UINT64_C(86400) / seconds)
        return apr_psprintf(pool, "%s must be at most %dd, not %s.", name, LONGEST_DAYS, text);
    if (!number && !zero)
        return apr_psprintf(pool, "%s must be more than 0, not %s.", name, text);
    *value = (apr_interval_time_t)apr_time_from_sec(number * seconds);
    return NULL;
}

const char *identity_read_size(apr_pool_t *pool, const char *name, const char *text,
                               apr_size_t largest, apr_size_t *value)
{
    static const char units[] = "KMG";
    const char *rest, *unit = NULL;
    uint64_t number;

    bool good = whole(text, &number, &rest) &&
                (!rest[0] || (!rest[1] && (unit = strchr(units, rest[0])) != NULL));
    if (!good)
        return apr_psprintf(
            pool, "%s needs a whole number of bytes, or one with K, M or G, such as 64K, not %s.",
            name, text);
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (!number || number > largest >> shift)
        return apr_psprintf(pool, "%s must be from 1 to %" APR_SIZE_T_FMT " bytes; it is given %s.",
                            name, largest, text);
    *value = (apr_size_t)number << shift;
    return NULL;
}

const char *identity_read_number(apr_pool_t *pool, const char *name, const char *text,
                                 unsigned least, unsigned most, unsigned *value)
{
    const char *rest;
    uint64_t number;

    if (!whole(text, &number, &rest) || *rest)
        return apr_psprintf(pool, "%s needs a whole number, not %s.", name, text);
    if (number < least || number > most)
        return least == most ? apr_psprintf(pool, "%s can only be %u, not %s.", name, least, text)
                             : apr_psprintf(pool, "%s must be from %u to %u, not %s.", name, least,
                                            most, text);
    *value = (unsigned)number;
    return NULL;
}

const char *identity_read_rate(apr_pool_t *pool, const char *name, const char *text,
                               identity_rate_t *value)
{
    const char *slash = strchr(text, '/'), *err;

    if (strcasecmp(text, "off") == 0) {
        value->count = 0;
        return NULL;
    }
    if (!slash)
        return apr_psprintf(
            pool, "%s needs a number and a duration, such as 10/1m, or off, not %s.", name, text);
    err = identity_read_number(pool, apr_pstrcat(pool, name, " (before the /)", NULL),
                               apr_pstrmemdup(pool, text, (apr_size_t)(slash - text)), 1,
                               RATE_COUNT_MAX, &value->count);
    return err ? err
               : identity_read_duration(pool, apr_pstrcat(pool, name, " (behind the /)", NULL),
                                        slash + 1, false, &value->period);
}

/* Is the host written in non-ASCII characters, or as A-labels? */
static bool international(const char *host)
{
    bool ascii = true;

    for (const char *at = host; *at && ascii; at++)
        ascii = !(*at & 0x80);
    return !ascii || ap_strcasestr(host, "xn--") != NULL;
}

const char *identity_read_origin(apr_pool_t *pool, const char *name, const char *text,
                                 const char **value)
{
    apr_uri_t uri;
    bool good = apr_uri_parse(pool, text, &uri) == APR_SUCCESS && uri.scheme && uri.hostname &&
                *uri.hostname;

    good = good && (strcasecmp(uri.scheme, "https") == 0 || strcasecmp(uri.scheme, "http") == 0);
    good = good && !uri.user && !uri.password && !uri.query && !uri.fragment &&
           (!uri.path || strcmp(uri.path, "/") == 0);
    good = good && !strpbrk(text, " \t\"'<>\\") && (!uri.port_str || (uri.port_str[0] && uri.port));
    if (!good) /* not quoted: it may contain a password */
        return apr_psprintf(
            pool,
            "%s needs http or https, a host and optionally a port, such as https://id.example.org, and nothing else.",
            name);
    char *scheme = apr_pstrdup(pool, uri.scheme), *host = apr_pstrdup(pool, uri.hostname);
    ap_str_tolower(scheme);
    ap_str_tolower(host);
    if (international(host) && !identity_host_canonical(pool, host))
        return apr_psprintf(pool, "%s names a host that is not a valid domain name (IDN).", name);
    *value = identity_origin(pool, strcmp(scheme, "https") == 0, host, uri.port_str ? uri.port : 0);
    return NULL;
}

const char *identity_origin(apr_pool_t *pool, bool secure, const char *host, unsigned port)
{
    const char *ascii = international(host) ? identity_host_canonical(pool, host) : NULL;

    /* As browsers write it in Origin, and as mail and tokens need it. */
    host = ascii ? ascii : host;
    bool colons = strchr(host, ':') && host[0] != '[';

    host = apr_psprintf(pool, "%s://%s%s%s", secure ? "https" : "http", colons ? "[" : "", host,
                        colons ? "]" : "");
    return port && port != (secure ? 443 : 80) ? apr_psprintf(pool, "%s:%u", host, port) : host;
}

bool identity_origin_loopback(apr_pool_t *pool, const char *origin)
{
    apr_uri_t uri;

    return apr_uri_parse(pool, origin, &uri) == APR_SUCCESS && uri.hostname &&
           identity_host_loopback(uri.hostname);
}

const char *identity_read_sender(apr_pool_t *pool, const char *name, const char *text)
{
    /* Validated by the code that writes the header: composes a whole mail with it. */
    identity_mail_t mail = {.id = "check",
                            .from = text,
                            .to = "somebody@example.org",
                            .date = apr_time_now(),
                            .subject = "-",
                            .text = "-\n",
                            .html = "<p>-"};
    size_t length;

    if (identity_mail_compose(pool, &mail, &length))
        return NULL;
    return apr_psprintf(
        pool,
        "%s needs an address, or a name and an address such as \"Example <noreply@example.org>\", not %s.",
        name, text);
}

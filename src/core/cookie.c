/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies, to and from headers (RFC 6265). */
#include <string.h>

#include <apr_strings.h>

#include "core_int.h"

#define SEPARATORS ";, \t"

const char *identity_cookie_find(const char *cookies, const char *name, size_t *length)
{
    size_t before = strlen(name);

    for (const char *at = strstr(cookies, name); at != NULL; at = strstr(at + 1, name)) {
        if (at[before] != '=' || (at > cookies && !strchr(SEPARATORS, at[-1])))
            continue;
        *length = strcspn(at, ";,");
        return at;
    }
    return NULL;
}

apr_array_header_t *identity_cookie_values(apr_pool_t *pool, const char *cookies, const char *name)
{
    apr_array_header_t *values = apr_array_make(pool, 1, sizeof(const char *));
    size_t length;

    for (const char *at = cookies;
         at != NULL && (at = identity_cookie_find(at, name, &length)) != NULL; at += length) {
        const char *value = at + strlen(name) + 1;
        APR_ARRAY_PUSH(values, const char *) =
            apr_pstrmemdup(pool, value, strcspn(value, SEPARATORS));
    }
    return values;
}

const char *identity_cookie_without(apr_pool_t *pool, const char *cookies, const char *name)
{
    const char *start;
    size_t length;

    while ((start = identity_cookie_find(cookies, name, &length)) != NULL) {
        const char *rest = start + length;
        size_t front = (size_t)(start - cookies);
        rest += strspn(rest, SEPARATORS);
        /* If no other cookie follows, the separator before it is removed, too. */
        while (*rest == '\0' && front > 0 && strchr(SEPARATORS, cookies[front - 1]) != NULL)
            front--;
        cookies = apr_pstrcat(pool, apr_pstrmemdup(pool, cookies, front), rest, NULL);
    }
    return cookies;
}

const char *identity_cookie_text(apr_pool_t *pool, const identity_cookie_t *cookie)
{
    return apr_psprintf(pool,
                        "%s=%s; Path=%s; Max-Age=%" APR_INT64_T_FMT "; HttpOnly%s; SameSite=%s",
                        cookie->name, cookie->value, cookie->path, cookie->seconds,
                        cookie->plain ? "" : "; Secure", cookie->same_site);
}

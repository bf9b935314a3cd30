/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors: base64url of `1`, the direction, and page, total, id and key separated by dots. The key is last and may
 * contain anything. */
#include <errno.h>
#include <string.h>

#include <apr_strings.h>

#include "core_int.h"

#define CURSOR_MAX    4096
#define CURSOR_ID_MAX 64
#define PAGE_MAX      (APR_INT64_MAX / 1024)

static bool id_plain(const char *id)
{
    size_t length = strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-");
    return length > 0 && length <= CURSOR_ID_MAX && id[length] == '\0';
}

const char *identity_cursor_encode(apr_pool_t *pool, const identity_cursor_t *cursor)
{
    const char *text = apr_psprintf(pool, "1%c%" APR_INT64_T_FMT ".%" APR_INT64_T_FMT ".%s.%s",
                                    cursor->backward ? 'b' : 'f', cursor->page, cursor->total,
                                    cursor->id, cursor->key != NULL ? cursor->key : "");
    return identity_base64url_encode(pool, text, strlen(text));
}

/* Cuts off the part up to the next dot; NULL if there is none. */
static char *cut(char **rest)
{
    char *part = *rest;
    char *dot = strchr(part, '.');
    if (!dot)
        return NULL;
    *dot = '\0';
    *rest = dot + 1;
    return part;
}

static bool read_number(const char *text, apr_int64_t min, apr_int64_t *number)
{
    char *end;

    if (!text || (*text != '-' && (*text < '0' || *text > '9')))
        return false;
    errno = 0;
    *number = apr_strtoi64(text, &end, 10);
    return errno == 0 && *end == '\0' && *number >= min && *number <= PAGE_MAX;
}

bool identity_cursor_decode(apr_pool_t *pool, const char *text, identity_cursor_t *cursor)
{
    size_t size;
    size_t characters;

    if (!text || strnlen(text, CURSOR_MAX + 1) > CURSOR_MAX)
        return false;
    char *rest = (char *)identity_base64url_decode(pool, text, &size);
    if (!rest || strlen(rest) != size || rest[0] != '1' || (rest[1] != 'f' && rest[1] != 'b'))
        return false;
    cursor->backward = rest[1] == 'b';
    rest += 2;
    if (!read_number(cut(&rest), 1, &cursor->page) || !read_number(cut(&rest), -1, &cursor->total))
        return false;
    cursor->id = cut(&rest);
    cursor->key = rest;
    return cursor->id != NULL && id_plain(cursor->id) &&
           identity_text_scan(cursor->key, &characters);
}

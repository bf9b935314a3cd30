/* SPDX-License-Identifier: Apache-2.0 */
/* Query strings. */
#include <string.h>

#include <apr_strings.h>

#include "core_int.h"

#define PARAMETERS_MAX 64 /* the check for duplicates compares with all earlier ones */
#define NAME_SHOWN_MAX 64

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *identity_query_unescape(apr_pool_t *pool, const char *text, size_t length)
{
    char *result = apr_palloc(pool, length + 1);
    size_t size = 0;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = length - i > 2 ? hex_value(text[i + 1]) : -1;
            int low = length - i > 2 ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        result[size++] = c;
    }
    result[size] = '\0';
    for (const unsigned char *at = (const unsigned char *)result; *at != 0;) {
        utf8proc_int32_t character;
        utf8proc_ssize_t step = *at < 0x80 ? 1 : utf8proc_iterate(at, -1, &character);
        if (step <= 0)
            return NULL;
        at += step;
    }
    return result;
}

static bool refuse_parameter(apr_pool_t *pool, identity_problem_t *problem, const char *name,
                             const char *what)
{
    if (!name || strlen(name) > NAME_SHOWN_MAX || !identity_text_valid(name))
        name = "query";
    return identity_refuse(pool, problem, IDENTITY_PROBLEM_INVALID_FIELD, name,
                           "The parameter %s %s.", name, what);
}

static bool add_parameter(apr_pool_t *pool, const char *pair, size_t length,
                          apr_table_t *parameters, identity_problem_t *problem)
{
    const char *equals = memchr(pair, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - pair) : length;
    const char *name = identity_query_unescape(pool, pair, name_length);
    char *value = equals != NULL
                      ? identity_query_unescape(pool, equals + 1, length - name_length - 1)
                      : apr_pstrdup(pool, "");

    if (!name || !value) {
        identity_wipe_string(value);
        return refuse_parameter(pool, problem, name, "is not percent-encoded UTF-8");
    }
    if (apr_table_get(parameters, name) != NULL) {
        identity_wipe_string(value); /* in a form it may be a password */
        return refuse_parameter(pool, problem, name, "is given twice");
    }
    if (apr_table_elts(parameters)->nelts == PARAMETERS_MAX)
        return identity_refuse(pool, problem, IDENTITY_PROBLEM_BAD_REQUEST, NULL,
                               "There are too many query parameters.");
    apr_table_addn(parameters, name, value);
    return true;
}

bool identity_query_parse(apr_pool_t *pool, const char *query, apr_table_t **parameters,
                          identity_problem_t *problem)
{
    *parameters = apr_table_make(pool, 8);
    while (query != NULL && *query != '\0') {
        size_t length = strcspn(query, "&");
        if (length > 0 && !add_parameter(pool, query, length, *parameters, problem))
            return false;
        query += length;
        query += *query == '&';
    }
    return true;
}

static bool names_parameter(const char *known, const char *name)
{
    size_t length;

    for (; *known; known += length, known += *known == ' ') {
        length = strcspn(known, " ");
        if (strlen(name) == length && strncasecmp(known, name, length) == 0)
            return true;
    }
    return false;
}

bool identity_query_known(apr_pool_t *pool, const apr_table_t *parameters, const char *known,
                          identity_problem_t *problem)
{
    const apr_array_header_t *entries = apr_table_elts(parameters);

    for (int i = 0; i < entries->nelts; i++) {
        const char *name = APR_ARRAY_IDX(entries, i, apr_table_entry_t).key;
        if (name[0] != '_' && !names_parameter(known, name))
            return refuse_parameter(pool, problem, name, "is unknown");
    }
    return true;
}

static bool is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

const char *identity_query_escape(apr_pool_t *pool, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *result = apr_palloc(pool, strlen(text) * 3 + 1);
    char *at = result;

    for (; *text != '\0'; text++) {
        if (is_unreserved(*text)) {
            *at++ = *text;
        } else {
            *at++ = '%';
            *at++ = hex[(unsigned char)*text >> 4];
            *at++ = hex[(unsigned char)*text & 15];
        }
    }
    *at = '\0';
    return result;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The languages that a request prefers (RFC 9110, 12.5.4), and the best match among those available (RFC 4647, 3.4). */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "core_int.h"

#define HEADER_MAX 1024 /* bytes; longer ones are truncated */
#define RANGES_MAX 20

typedef struct range {
    const char *tag;
    int weight; /* thousandths */
} range_t;

/* RFC 4647, 2.1: parts of one to eight letters and digits. */
bool identity_language_valid(const char *tag)
{
    size_t part = 0;

    if (!tag || !apr_isalpha(*tag) || strlen(tag) > IDENTITY_LANGUAGE_MAX)
        return false;
    for (; *tag; tag++) {
        part = *tag == '-' ? 0 : part + 1;
        if ((part && !apr_isalnum(*tag)) || part > 8 || (!part && (tag[1] == '-' || !tag[1])))
            return false;
    }
    return true;
}

/* `;q=0.7` in thousandths; 1000 if missing, 0 if malformed. */
static int weight_of(const char *parameters)
{
    parameters += strspn(parameters, " \t");
    if (!*parameters)
        return 1000;
    if (*parameters != ';')
        return 0;
    parameters += 1 + strspn(parameters + 1, " \t");
    if (strncasecmp(parameters, "q=", 2) != 0 || (parameters[2] != '0' && parameters[2] != '1'))
        return 0;
    const char *digit = parameters + 3;
    int weight = parameters[2] == '1' ? 1000 : 0;
    if (*digit == '.')
        for (int unit = 100; unit > 0 && apr_isdigit(digit[1]); unit /= 10)
            weight += unit * (*++digit - '0');
    digit += *digit == '.' || apr_isdigit(*digit);
    digit += strspn(digit, " \t");
    return *digit || weight > 1000 ? 0 : weight;
}

static bool read_range(char *text, range_t *range)
{
    text += strspn(text, " \t");
    size_t length = strcspn(text, "; \t");
    range->weight = weight_of(text + length);
    text[length] = '\0';
    range->tag = text;
    return range->weight > 0 && identity_language_valid(text);
}

/* The preferred ones, best first. */
static int read_ranges(char *header, range_t ranges[RANGES_MAX])
{
    int count = 0;
    char *rest = NULL;

    for (char *part = apr_strtok(header, ",", &rest); part && count < RANGES_MAX;
         part = apr_strtok(NULL, ",", &rest)) {
        range_t range;
        if (!read_range(part, &range))
            continue;
        int at = count++;
        for (; at > 0 && ranges[at - 1].weight < range.weight; at--)
            ranges[at] = ranges[at - 1];
        ranges[at] = range;
    }
    return count;
}

static const char *find(const apr_array_header_t *there, const char *tag)
{
    for (int i = 0; i < there->nelts; i++)
        if (strcasecmp(APR_ARRAY_IDX(there, i, const char *), tag) == 0)
            return APR_ARRAY_IDX(there, i, const char *);
    return NULL;
}

/* de-CH-1996, de-CH, de; a single-letter part has no meaning by itself and is removed together with the part after
 * it. */
static bool shorten(char *tag)
{
    char *hyphen = strrchr(tag, '-');

    if (!hyphen)
        return false;
    *hyphen = '\0';
    if (hyphen - tag >= 2 && hyphen[-2] == '-')
        hyphen[-2] = '\0';
    return true;
}

const char *identity_language_choose(apr_pool_t *pool, const char *accepted,
                                     const apr_array_header_t *there)
{
    range_t ranges[RANGES_MAX];
    int count =
        accepted
            ? read_ranges(apr_pstrmemdup(pool, accepted, strnlen(accepted, HEADER_MAX)), ranges)
            : 0;

    for (int i = 0; i < count; i++) {
        char *tag = apr_pstrdup(pool, ranges[i].tag);
        do {
            const char *found = find(there, tag);
            if (found)
                return found;
        } while (shorten(tag));
    }
    return NULL;
}

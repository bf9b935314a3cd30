/* SPDX-License-Identifier: Apache-2.0 */
/* Fills in a page from src/pages/ on request. Every value is escaped for both places where it may occur: between
 * tags, and in an attribute in double quotes, which all attributes of these pages have. */
#include <string.h>

#include <apr_escape.h>

#include "oauth/sign_in_page.h"

#define BODY_END "<script>" /* from here on the page must stay unchanged: its policy has the hash */

typedef struct filler {
    apr_pool_t *pool;
    const apr_table_t *values;
    const apr_array_header_t *items;
    apr_array_header_t *pieces; /* of const char * */
} filler_t;

static void put(filler_t *filler, const char *from, size_t length)
{
    APR_ARRAY_PUSH(filler->pieces, const char *) = apr_pstrmemdup(filler->pool, from, length);
}

static const char *value_of(const filler_t *filler, const entry_item_t *item, const char *name)
{
    if (item && strcmp(name, "name") == 0)
        return item->name;
    if (item && strcmp(name, "handle") == 0)
        return item->handle;
    return apr_table_get(filler->values, name);
}

static void fill(filler_t *filler, const char *from, const char *end, const entry_item_t *item);

static void section(filler_t *filler, char kind, const char *name, const char *from,
                    const char *end)
{
    if (kind == '#' && apr_table_get(filler->values, name))
        fill(filler, from, end, NULL);
    for (int i = 0; kind == '*' && i < filler->items->nelts; i++)
        fill(filler, from, end, &APR_ARRAY_IDX(filler->items, i, entry_item_t));
}

/* Up to end; item: values of a list item, which take precedence. */
static void fill(filler_t *filler, const char *from, const char *end, const entry_item_t *item)
{
    const char *open;

    while ((open = strstr(from, "{{")) != NULL && open < end) {
        const char *close = strstr(open, "}}");
        put(filler, from, (size_t)(open - from));
        char kind = strchr("#*", open[2]) ? open[2] : '\0';
        const char *start = open + (kind ? 3 : 2);
        const char *name = apr_pstrmemdup(filler->pool, start, (size_t)(close - start));
        from = close + 2;
        if (!kind) {
            const char *value = value_of(filler, item, name);
            if (value)
                APR_ARRAY_PUSH(filler->pieces, const char *) =
                    apr_pescape_entity(filler->pool, value, 0);
            continue;
        }
        const char *last = apr_pstrcat(filler->pool, "{{/", name, "}}", NULL),
                   *over = strstr(from, last);
        section(filler, kind, name, from, over);
        from = over + strlen(last);
    }
    put(filler, from, (size_t)(end - from));
}

const char *entry_fill(apr_pool_t *pool, const identity_page_t *page, const apr_table_t *values,
                       const apr_array_header_t *items, size_t *length)
{
    filler_t filler = {.pool = pool, .values = values, .items = items};
    const char *end = strstr(page->html, BODY_END);

    filler.pieces = apr_array_make(pool, 64, sizeof(const char *));
    fill(&filler, page->html, end, NULL);
    put(&filler, end, page->length - (size_t)(end - page->html));
    const char *text = apr_array_pstrcat(pool, filler.pieces, 0);
    *length = strlen(text);
    return text;
}

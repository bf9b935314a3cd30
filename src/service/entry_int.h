/* What the files about the page that signs in and out share. */
#ifndef IDENTITY_ENTRY_INT_H
#define IDENTITY_ENTRY_INT_H

#include "identity/pages.h"
#include "service_int.h"

/* A provider with a button on the page. */
typedef struct entry_item {
    const char *name, *handle; /* handle: what GET /v1/oauth/authorize calls it */
} entry_item_t;

typedef struct entry_ways {
    apr_array_header_t *items; /* of entry_item_t: providers that are enabled and configured */
    bool password;
} entry_ways_t;

/* identity_work_t on entry_ways_t: how people sign in here, as far as it can be known before anybody has said who they
 * are (sign_in_ways.c). */
bool entry_find_ways(identity_call_t *call, void *ways);

/* The page with its values (names to texts; one that is not there is left out, and so is its section) and the items of
 * its list. In pool (entry_fill.c). */
const char *entry_fill(apr_pool_t *pool, const identity_page_t *page, const apr_table_t *values,
                       const apr_array_header_t *items, size_t *length);

#endif

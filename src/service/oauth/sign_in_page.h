/* What the files about the page that signs in and out share. */
#ifndef IDENTITY_SERVICE_SIGN_IN_PAGE_H
#define IDENTITY_SERVICE_SIGN_IN_PAGE_H

#include "identity/pages.h"
#include "oauth/oauth.h"

/* The page with its values (names to texts; one that is not there is left out, and so is its section) and the items of
 * its list. In pool (page_fill.c). */
const char *entry_fill(apr_pool_t *pool, const identity_page_t *page, const apr_table_t *values,
                       const apr_array_header_t *items, size_t *length);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files about the sign-in and sign-out page. */
#ifndef IDENTITY_SERVICE_SIGN_IN_PAGE_H
#define IDENTITY_SERVICE_SIGN_IN_PAGE_H

#include "identity/pages.h"
#include "oauth/oauth.h"

/* Fills the page with values (name to text; a missing one is omitted together with its section) and the items of its
 * list. In pool (page_fill.c). */
const char *entry_fill(apr_pool_t *pool, const identity_page_t *page, const apr_table_t *values,
                       const apr_array_header_t *items, size_t *length);

/* A page that says that an application asked for something that cannot be. detail: a sentence for whoever runs it. */
bool entry_refusal(identity_call_t *call, const char *detail);
/* Longest path to go on to after signing in. */
#define ENTRY_RETURN_MAX 4096

#endif

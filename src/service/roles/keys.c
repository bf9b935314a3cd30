/* SPDX-License-Identifier: Apache-2.0 */
/* API keys: list, get, search. */
#include <string.h>

#include "access/keys.h"

/* ---- GET /api-keys ---------------------------------------------------------------------------------------------- */

typedef struct beside {
    json_t *accounts[2];     /* accounts of each kind of key */
    apr_hash_t *permissions; /* key id -> JSON array */
} beside_t;

static bool load_list(identity_call_t *call, identity_listing_t *page)
{
    static const identity_key_role_t kinds[] = {IDENTITY_KEY_ADMINISTRATOR, IDENTITY_KEY_READ_ONLY};
    beside_t *beside = page->beside = apr_pcalloc(call->pool, sizeof *beside);
    identity_key_accounts_t accounts;

    if (!identity_keys_permissions(call, page->rows, &beside->permissions) ||
        !identity_key_accounts_load(call, &accounts))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        beside->accounts[kinds[i]] =
            identity_json_own(call->pool, identity_key_accounts_json(call, &accounts, kinds[i]));
    return true;
}

static json_t *row_json(identity_call_t *call, const identity_listing_t *page, const void *row_)
{
    const identity_key_row_t *row = row_;
    const beside_t *beside = page->beside;

    (void)call;
    return identity_key_json(
        row, row->mask,
        json_incref(apr_hash_get(beside->permissions, row->id, APR_HASH_KEY_STRING)),
        json_incref(beside->accounts[row->role_type]));
}

static identity_position_t position_of(const void *row_)
{
    const identity_key_row_t *row = row_;
    return (identity_position_t){.id = row->id, .created_at = row->created_at};
}

static bool filter(identity_call_t *call, identity_listing_t *page)
{
    return identity_query_boolean(call, "active", &page->query.active);
}

bool identity_op_list_api_keys(identity_call_t *call)
{
    static const identity_collection_t keys = {.of = IDENTITY_PAGE_OF_KEYS,
                                               .filter = filter,
                                               .load = load_list,
                                               .row_json = row_json,
                                               .position_of = position_of};
    return identity_collection_list(call, &keys);
}

/* ---- GET /api-keys/{id} ----------------------------------------------------------------------------------------- */

bool identity_op_get_api_key(identity_call_t *call)
{
    identity_key_view_t view = {.id = call->id};

    if (!identity_read(call, identity_key_load, &view))
        return false;
    return identity_answer(call, 200, identity_key_view_json(call, &view, view.row->mask));
}

/* ---- POST /api-keys/search -------------------------------------------------------------------------------------- */

typedef struct search {
    identity_page_query_t query; /* the newest matching one */
    identity_key_view_t view;
} search_t;

static bool load_search(identity_call_t *call, void *data)
{
    search_t *search = data;
    apr_array_header_t *rows = NULL;

    if (!identity_db_ok(call, identity_page(call->db, &search->query, &rows)))
        return false;
    if (rows->nelts == 0)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    search->view.row = APR_ARRAY_IDX(rows, 0, identity_key_row_t *);
    return identity_key_narrowing(call, search->view.row, &search->view.names) &&
           identity_key_accounts_load(call, &search->view.accounts);
}

bool identity_op_search_api_key(identity_call_t *call)
{
    const char *id = identity_json_string(call->body, "resource_id"),
               *name = identity_json_string(call->body, "username"),
               *type = identity_json_string(call->body, "user_type");
    search_t search = {
        .query = {.of = IDENTITY_PAGE_OF_KEYS,
                  .entity_id = call->principal->entity_id,
                  .only_id = id ? id : name, /* a key's name is its id */
                  .active = identity_json_boolean(call->body, "include_inactive", false) ? -1 : 1,
                  .order = IDENTITY_ORDER_CREATED_AT,
                  .descending = true,
                  .limit = 1}};

    /* Users are not keys: GET /users/search finds them. */
    if ((type && strcmp(type, "API") != 0) || (id && name && strcmp(id, name) != 0))
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    if (!identity_read(call, load_search, &search))
        return false;
    return identity_answer(call, 200,
                           identity_key_view_json(call, &search.view, search.view.row->mask));
}

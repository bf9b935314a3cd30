/* API keys: list, get, search. */
#include <string.h>

#include "access/keys.h"

/* ---- GET /api-keys ---------------------------------------------------------------------------------------------- */

typedef struct list {
    identity_listing_t page;
    identity_key_accounts_t accounts;
    apr_hash_t *permissions; /* key id -> json array */
} list_t;

static bool load_list(identity_call_t *call, void *data)
{
    list_t *list = data;
    return identity_page_load(call, &list->page, IDENTITY_PAGE_OF_KEYS, true) &&
           identity_keys_permissions(call, list->page.rows, &list->permissions) &&
           identity_key_accounts_load(call, &list->accounts);
}

static identity_position_t position_of(const void *row_)
{
    const identity_key_row_t *row = row_;
    return (identity_position_t){.id = row->id, .created_at = row->created_at};
}

bool identity_keys_list(identity_call_t *call)
{
    list_t list = {.permissions = NULL};

    if (!identity_page_parse(call, NULL, &list.page) ||
        !identity_query_boolean(call, "active", &list.page.query.active) || !identity_read(call, load_list, &list))
        return false;
    json_t *data = json_array(), *accounts[2];
    accounts[IDENTITY_KEY_ADMINISTRATOR] =
        identity_json_own(call->pool, identity_key_accounts_json(call, &list.accounts, IDENTITY_KEY_ADMINISTRATOR));
    accounts[IDENTITY_KEY_READ_ONLY] =
        identity_json_own(call->pool, identity_key_accounts_json(call, &list.accounts, IDENTITY_KEY_READ_ONLY));
    for (int i = 0; i < list.page.rows->nelts; i++) {
        const identity_key_row_t *row = APR_ARRAY_IDX(list.page.rows, i, identity_key_row_t *);
        json_t *permissions = apr_hash_get(list.permissions, row->id, APR_HASH_KEY_STRING);
        json_array_append_new(
            data, identity_key_json(row, row->mask, json_incref(permissions), json_incref(accounts[row->role])));
    }
    return identity_answer(call, 200, identity_page_json(call, &list.page, data, position_of));
}

/* ---- GET /api-keys/{id} ----------------------------------------------------------------------------------------- */

bool identity_keys_get(identity_call_t *call)
{
    identity_key_view_t view = {.id = call->id};

    if (!identity_read(call, identity_key_load, &view))
        return false;
    return identity_answer(call, 200, identity_key_view_json(call, &view, view.row->mask));
}

/* ---- POST /api-keys/search -------------------------------------------------------------------------------------- */

typedef struct search {
    identity_page_query_t query; /* the newest of what is asked for */
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

bool identity_keys_search(identity_call_t *call)
{
    const char *id = identity_json_string(call->body, "resource_id"),
               *name = identity_json_string(call->body, "username"),
               *type = identity_json_string(call->body, "user_type");
    search_t search = {.query = {.of = IDENTITY_PAGE_OF_KEYS,
                                 .entity_id = call->principal->entity_id,
                                 .only_id = id ? id : name, /* a key's name is its id */
                                 .active = identity_json_boolean(call->body, "include_inactive", false) ? -1 : 1,
                                 .order = IDENTITY_ORDER_CREATED_AT,
                                 .descending = true,
                                 .limit = 1}};

    /* People are no keys: GET /users/search finds them. */
    if ((type && strcmp(type, "API") != 0) || (id && name && strcmp(id, name) != 0))
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    if (!identity_read(call, load_search, &search))
        return false;
    return identity_answer(call, 200, identity_key_view_json(call, &search.view, search.view.row->mask));
}

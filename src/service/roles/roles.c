/* SPDX-License-Identifier: Apache-2.0 */
/* Roles: list, get. */
#include "roles/roles.h"

/* ---- GET /roles ------------------------------------------------------------------------------------------------- */

typedef struct beside {
    identity_roles_t *roles;
    int depth;
} beside_t;

static bool load_list(identity_call_t *call, identity_listing_t *page)
{
    beside_t *beside = page->beside;
    return identity_roles_load(call, identity_row_ids(call->pool, page->rows), &beside->roles);
}

static json_t *row_json(identity_call_t *call, const identity_listing_t *page, const void *row)
{
    const beside_t *beside = page->beside;
    return identity_role_json(call, beside->roles, ((const identity_role_row_t *)row)->id,
                              beside->depth);
}

static identity_position_t position_of(const void *row_)
{
    const identity_role_row_t *row = row_;
    return (identity_position_t){
        .id = row->id, .name = row->canonical, .created_at = row->created_at};
}

static bool filter(identity_call_t *call, identity_listing_t *page)
{
    const char *name = apr_table_get(call->query, "name");
    beside_t *beside = apr_pcalloc(call->pool, sizeof *beside);
    int nested, childless;

    if (!identity_query_boolean(call, "include_child_roles", &nested) ||
        !identity_query_boolean(call, "only_childless_roles", &childless))
        return false;
    if (name)
        page->query.name = identity_name_canonical(call->pool, name);
    page->query.childless = childless == 1;
    beside->depth = nested == 1 ? IDENTITY_ROLE_DEPTH : 0;
    page->beside = beside;
    return true;
}

bool identity_op_list_roles(identity_call_t *call)
{
    static const identity_collection_t roles = {.of = IDENTITY_PAGE_OF_ROLES,
                                                .name_order = "name",
                                                .filter = filter,
                                                .load = load_list,
                                                .row_json = row_json,
                                                .position_of = position_of};
    return identity_collection_list(call, &roles);
}

/* ---- GET /roles/{id} -------------------------------------------------------------------------------------------- */

bool identity_role_found(identity_call_t *call, const char *id, identity_role_row_t **row)
{
    apr_array_header_t *rows = NULL;

    if (!identity_db_ok(call,
                        identity_roles_find(call->db, call->principal->entity_id,
                                            identity_list_of(call->pool, id), NULL, NULL, &rows)))
        return false;
    if (rows->nelts == 0)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    *row = APR_ARRAY_IDX(rows, 0, identity_role_row_t *);
    return true;
}

bool identity_role_load(identity_call_t *call, const char *id, identity_roles_t **roles)
{
    return identity_roles_load(call, identity_list_of(call->pool, id), roles);
}

static bool load_one(identity_call_t *call, void *data)
{
    identity_role_row_t *row;
    return identity_role_found(call, call->id, &row) && identity_role_load(call, row->id, data);
}

bool identity_op_get_role(identity_call_t *call)
{
    identity_roles_t *roles;

    if (!identity_read(call, load_one, &roles))
        return false;
    return identity_answer_tagged(call, 200,
                                  identity_role_json(call, roles, call->id, IDENTITY_ROLE_DEPTH));
}

/* Roles: list, get. */
#include "roles/roles.h"

/* ---- GET /roles ------------------------------------------------------------------------------------------------- */

typedef struct list {
    identity_listing_t page;
    identity_roles_t *roles;
} list_t;

static bool load_list(identity_call_t *call, void *data)
{
    list_t *list = data;
    apr_array_header_t *ids = apr_array_make(call->pool, IDENTITY_PAGE_LIMIT, sizeof(const char *));

    if (!identity_page_load(call, &list->page, IDENTITY_PAGE_OF_ROLES, true))
        return false;
    for (int i = 0; i < list->page.rows->nelts; i++)
        APR_ARRAY_PUSH(ids, const char *) = APR_ARRAY_IDX(list->page.rows, i, identity_role_row_t *)->id;
    return identity_roles_load(call, ids, &list->roles);
}

static identity_position_t position_of(const void *row_)
{
    const identity_role_row_t *row = row_;
    return (identity_position_t){.id = row->id, .name = row->canonical, .created_at = row->created_at};
}

bool identity_roles_list(identity_call_t *call)
{
    list_t list = {.roles = NULL};
    const char *name = apr_table_get(call->query, "name");
    int nested, childless;

    if (!identity_page_parse(call, "name", &list.page) ||
        !identity_query_boolean(call, "include_child_roles", &nested) ||
        !identity_query_boolean(call, "only_childless_roles", &childless))
        return false;
    if (name)
        list.page.query.name = identity_name_canonical(call->pool, name);
    list.page.query.childless = childless == 1;
    if (!identity_read(call, load_list, &list))
        return false;
    json_t *data = json_array();
    for (int i = 0; i < list.page.rows->nelts; i++)
        json_array_append_new(data, identity_role_json(call, list.roles,
                                                       position_of(APR_ARRAY_IDX(list.page.rows, i, void *)).id,
                                                       nested == 1 ? IDENTITY_ROLE_DEPTH : 0));
    return identity_answer(call, 200, identity_page_json(call, &list.page, data, position_of));
}

/* ---- GET /roles/{id} -------------------------------------------------------------------------------------------- */

bool identity_role_found(identity_call_t *call, const char *id, identity_role_row_t **row)
{
    apr_array_header_t *rows = NULL;

    if (!identity_db_ok(call, identity_roles_find(call->db, call->principal->entity_id,
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

bool identity_roles_get(identity_call_t *call)
{
    identity_roles_t *roles;

    if (!identity_read(call, load_one, &roles))
        return false;
    return identity_answer_tagged(call, 200, identity_role_json(call, roles, call->id, IDENTITY_ROLE_DEPTH));
}

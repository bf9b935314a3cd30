/* Roles: list, create. */
#include <string.h>

#include "service_int.h"

/* ---- GET /roles ------------------------------------------------------------------------------------------------- */

typedef struct list {
    identity_listing_t page;
    identity_roles_t *roles;
} list_t;

static bool load_list(identity_call_t *call, void *data)
{
    list_t *list = data;
    apr_array_header_t *ids = apr_array_make(call->pool, IDENTITY_PAGE_LIMIT, sizeof(const char *));

    if (!identity_page_load(call, &list->page, identity_roles_page, identity_roles_count))
        return false;
    for (int i = 0; i < list->page.rows->nelts; i++)
        APR_ARRAY_PUSH(ids, const char *) = APR_ARRAY_IDX(list->page.rows, i, identity_role_row_t *)->id;
    return identity_roles_load(call, ids, &list->roles);
}

static const char *role_key(identity_call_t *call, const identity_listing_t *page, const void *row)
{
    return identity_role_order_key(call->pool, row, page->query.order);
}

static const char *role_id(const void *row)
{
    return ((const identity_role_row_t *)row)->id;
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
        json_array_append_new(data,
                              identity_role_json(call, list.roles, role_id(APR_ARRAY_IDX(list.page.rows, i, void *)),
                                                 nested == 1 ? 2 : 0));
    return identity_answer(call, 200, identity_page_json(call, &list.page, data, role_key, role_id));
}

/* ---- POST /roles ------------------------------------------------------------------------------------------------ */

typedef struct creation {
    identity_role_row_t row;
    apr_array_header_t *children, *permissions;
    bool slug_given;
    identity_roles_t *roles;
} creation_t;

static apr_array_header_t *strings(identity_call_t *call, const char *name)
{
    apr_array_header_t *list = apr_array_make(call->pool, 8, sizeof(const char *));
    apr_hash_t *seen = apr_hash_make(call->pool);
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(call->body, name), i, item) {
        const char *text = json_string_value(item);
        if (apr_hash_get(seen, text, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, text, APR_HASH_KEY_STRING, text);
        APR_ARRAY_PUSH(list, const char *) = text;
    }
    return list;
}

bool identity_permissions_read(identity_call_t *call, apr_array_header_t **list)
{
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(call->body, "permissions"), i, item)
        if (!identity_permission_valid(json_string_value(item)))
            return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD,
                                 apr_psprintf(call->pool, "permissions.%" APR_SIZE_T_FMT, (apr_size_t)i),
                                 "A permission is made of upper-case words joined by dots, such as REPORT.VIEW.");
    *list = strings(call, "permissions");
    return true;
}

/* Children of children are shown and counted to depth 2; a child that is itself two deep would hide what it grants. */
static bool check_children(identity_call_t *call, const creation_t *creation)
{
    size_t i;
    json_t *item;

    /* By the body's own list: creation->children holds each only once, at another position. */
    json_array_foreach (json_object_get(call->body, "child_role_ids"), i, item) {
        const char *child = json_string_value(item),
                   *field = apr_psprintf(call->pool, "child_role_ids.%" APR_SIZE_T_FMT, (apr_size_t)i);
        const identity_role_row_t *row = apr_hash_get(creation->roles->rows, child, APR_HASH_KEY_STRING);
        if (!row || (row->entity_id[0] && strcmp(row->entity_id, call->who->entity_id) != 0))
            return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field, "There is no such role.");
        const apr_array_header_t *second = apr_hash_get(creation->roles->children, child, APR_HASH_KEY_STRING);
        for (int s = 0; s < second->nelts; s++) {
            const apr_array_header_t *third =
                apr_hash_get(creation->roles->children, APR_ARRAY_IDX(second, s, const char *), APR_HASH_KEY_STRING);
            if (third && third->nelts)
                return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field,
                                     "Child roles may be nested two deep at most.");
        }
    }
    return true;
}

static bool may_define(identity_call_t *call, const creation_t *creation)
{
    identity_permset_t want = {0};
    bool covers;

    identity_permset_add(call->pool, &want, call->route->permission);
    for (int i = 0; i < creation->permissions->nelts; i++)
        identity_permset_add(call->pool, &want, APR_ARRAY_IDX(creation->permissions, i, const char *));
    for (int i = 0; i < creation->children->nelts; i++)
        identity_roles_add_permissions(call, creation->roles, APR_ARRAY_IDX(creation->children, i, const char *),
                                       &want);
    if (!identity_principal_covers_entity(call, &want, &covers))
        return false;
    return covers || identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, "permissions",
                                   "Nobody can put into a role what they do not hold themselves.");
}

static bool insert_role(identity_call_t *call, creation_t *creation)
{
    identity_role_row_t *row = &creation->row;
    apr_array_header_t *names = apr_array_make(call->pool, 1, sizeof(const char *)), *taken = NULL;

    APR_ARRAY_PUSH(names, const char *) = row->canonical;
    if (!identity_db_ok(call, identity_roles_find(call->db, row->entity_id, NULL, names, NULL, &taken)))
        return false;
    if (taken->nelts)
        return identity_deny(call, IDENTITY_PROBLEM_EXISTS, "name", "There is a role of this name.");
    identity_db_status_t status = identity_role_insert(call->db, row, creation->children, creation->permissions);
    if (status == IDENTITY_DB_CONFLICT && !creation->slug_given) {
        /* Made from the name, so ours to change: Night Shift and night-shift may both be names. The end of the id tells
         * them apart. */
        row->slug = identity_slug_of_name(
            call->pool, apr_psprintf(call->pool, "%.48s-%s", row->slug, row->id + strlen(row->id) - 10));
        status = identity_role_insert(call->db, row, creation->children, creation->permissions);
    }
    if (status != IDENTITY_DB_CONFLICT)
        return identity_db_ok(call, status);
    return identity_deny(call, IDENTITY_PROBLEM_EXISTS, "slug", "There is a role of this slug.");
}

static bool write_creation(identity_call_t *call, void *data)
{
    creation_t *creation = data;
    identity_audit_t audit = {
        .action = "CREATE", .type = "ROLE", .id = creation->row.id, .message = "A role was created."};
    apr_array_header_t *ids = apr_array_make(call->pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(ids, const char *) = creation->row.id;
    return identity_roles_load(call, creation->children, &creation->roles) && check_children(call, creation) &&
           may_define(call, creation) && insert_role(call, creation) && identity_audit(call, &audit) &&
           identity_roles_load(call, ids, &creation->roles) &&
           identity_answer(call, 200, identity_role_json(call, creation->roles, creation->row.id, 2));
}

bool identity_roles_create(identity_call_t *call)
{
    creation_t creation = {.children = strings(call, "child_role_ids")};
    identity_role_row_t *row = &creation.row;
    const char *slug = identity_json_string(call->body, "slug"),
               *description = identity_json_string(call->body, "description");

    row->name = identity_json_string(call->body, "name");
    row->canonical = identity_name_canonical(call->pool, row->name);
    row->slug = slug ? slug : identity_slug_of_name(call->pool, row->name);
    row->description = description ? description : "";
    row->entity_id = call->who->entity_id;
    row->created_at = call->now;
    row->version = 1;
    creation.slug_given = slug != NULL;
    if (!row->canonical || !*row->canonical)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "name", "name must be text.");
    row->id = identity_call_id(call, "role");
    return row->id && identity_permissions_read(call, &creation.permissions) &&
           identity_write(call, write_creation, &creation);
}

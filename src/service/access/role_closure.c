/* SPDX-License-Identifier: Apache-2.0 */
/* Roles with their children, as rows and as JSON. */
#include <string.h>

#include "access/access.h"

static bool load(identity_call_t *call, const apr_array_header_t *ids, bool with_permissions,
                 identity_roles_t **roles)
{
    apr_array_header_t *rows = NULL, *edges = NULL, *permissions = NULL;
    identity_roles_t *made = apr_pcalloc(call->pool, sizeof *made);

    made->rows = apr_hash_make(call->pool);
    made->children = apr_hash_make(call->pool);
    made->permissions = apr_hash_make(call->pool);
    for (int i = 0; i <= IDENTITY_ROLE_DEPTH; i++) {
        made->rendered[i] = apr_hash_make(call->pool);
        made->embedded[i] = apr_hash_make(call->pool);
    }
    *roles = made;
    if (ids->nelts == 0)
        return true;
    if (!identity_db_ok(call, identity_roles_closure(call->db, ids, &rows, &edges,
                                                     with_permissions ? &permissions : NULL)))
        return false;
    for (int i = 0; i < rows->nelts; i++) {
        identity_role_row_t *row = APR_ARRAY_IDX(rows, i, identity_role_row_t *);
        identity_permset_t *set = apr_pcalloc(call->pool, sizeof *set);
        int index = identity_builtin_role_find(row->id);
        if (index >= 0)
            identity_builtin_role_permissions(index, call->env->settings->catalogue, set);
        apr_hash_set(made->rows, row->id, APR_HASH_KEY_STRING, row);
        apr_hash_set(made->permissions, row->id, APR_HASH_KEY_STRING, set);
        apr_hash_set(made->children, row->id, APR_HASH_KEY_STRING,
                     apr_array_make(call->pool, 2, sizeof(const char *)));
    }
    for (int i = 0; i < edges->nelts; i++) {
        identity_role_edge_row_t *edge = APR_ARRAY_IDX(edges, i, identity_role_edge_row_t *);
        apr_array_header_t *children =
            apr_hash_get(made->children, edge->role_id, APR_HASH_KEY_STRING);
        if (children)
            APR_ARRAY_PUSH(children, const char *) = edge->child_id;
    }
    for (int i = 0; permissions && i < permissions->nelts; i++) {
        identity_role_permission_row_t *row =
            APR_ARRAY_IDX(permissions, i, identity_role_permission_row_t *);
        identity_permset_t *set =
            apr_hash_get(made->permissions, row->role_id, APR_HASH_KEY_STRING);
        if (set)
            identity_permset_add(call->pool, set, row->permission);
    }
    return true;
}

bool identity_roles_load(identity_call_t *call, const apr_array_header_t *ids,
                         identity_roles_t **roles)
{
    return load(call, ids, true, roles);
}

bool identity_roles_load_shown(identity_call_t *call, const apr_array_header_t *ids,
                               identity_roles_t **roles)
{
    return load(call, ids, false, roles);
}

static void add_permissions(identity_call_t *call, const identity_roles_t *roles, const char *id,
                            int levels, identity_permset_t *set)
{
    const identity_permset_t *own = apr_hash_get(roles->permissions, id, APR_HASH_KEY_STRING);
    const apr_array_header_t *children = apr_hash_get(roles->children, id, APR_HASH_KEY_STRING);

    if (own)
        identity_permset_add_set(call->pool, set, own);
    for (int i = 0; levels > 0 && children && i < children->nelts; i++)
        add_permissions(call, roles, APR_ARRAY_IDX(children, i, const char *), levels - 1, set);
}

void identity_roles_add_permissions(identity_call_t *call, const identity_roles_t *roles,
                                    const char *id, identity_permset_t *set)
{
    add_permissions(call, roles, id, IDENTITY_ROLE_DEPTH, set);
}

static json_t *role_json(identity_call_t *call, identity_roles_t *roles, const char *id, int levels,
                         bool embedded);

static json_t *render(identity_call_t *call, identity_roles_t *roles,
                      const identity_role_row_t *row, int levels, bool embedded)
{
    const apr_array_header_t *children =
        apr_hash_get(roles->children, row->id, APR_HASH_KEY_STRING);
    json_t *role = json_object(), *child_ids = json_array(), *child_roles = json_array();

    for (int i = 0; children && i < children->nelts; i++) {
        const char *child = APR_ARRAY_IDX(children, i, const char *);
        json_array_append_new(child_ids, json_string(child));
        if (levels > 0 && apr_hash_get(roles->rows, child, APR_HASH_KEY_STRING))
            json_array_append_new(child_roles, role_json(call, roles, child, levels - 1, embedded));
    }
    json_object_set_new(role, "object_type", json_string("ROLE"));
    json_object_set_new(role, "id", json_string(row->id));
    json_object_set_new(role, "name", json_string(row->name));
    json_object_set_new(role, "description", json_string(row->description));
    json_object_set_new(role, "entity_id", identity_json_text_or_null(row->entity_id));
    json_object_set_new(role, "child_role_ids", child_ids);
    json_object_set_new(role, "child_roles", child_roles);
    if (embedded)
        return role;
    json_object_set_new(role, "slug", json_string(row->slug));
    json_object_set_new(
        role, "permissions",
        identity_permset_json(apr_hash_get(roles->permissions, row->id, APR_HASH_KEY_STRING),
                              call->env->settings->catalogue));
    return role;
}

static json_t *role_json(identity_call_t *call, identity_roles_t *roles, const char *id, int levels,
                         bool embedded)
{
    const identity_role_row_t *row = apr_hash_get(roles->rows, id, APR_HASH_KEY_STRING);
    apr_hash_t *cache = embedded ? roles->embedded[levels] : roles->rendered[levels];
    json_t *known = apr_hash_get(cache, id, APR_HASH_KEY_STRING);

    if (!row)
        return json_null();
    if (!known) {
        /* A page of users refers to the same few roles over and over: all share one object. */
        known = identity_json_own(call->pool, render(call, roles, row, levels, embedded));
        apr_hash_set(cache, row->id, APR_HASH_KEY_STRING, known);
    }
    return json_incref(known);
}

json_t *identity_role_json(identity_call_t *call, identity_roles_t *roles, const char *id,
                           int levels)
{
    return role_json(call, roles, id, levels, false);
}

json_t *identity_embedded_role_json(identity_call_t *call, identity_roles_t *roles, const char *id)
{
    return role_json(call, roles, id, IDENTITY_ROLE_DEPTH, true);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* API keys with their permissions, as rows and as JSON. */
#include <string.h>

#include "access/keys.h"

bool identity_key_accounts_load(identity_call_t *call, identity_key_accounts_t *accounts)
{
    accounts->read_only = apr_array_make(call->pool, 1, sizeof(const char *));
    for (int i = 0; i < identity_builtin_role_count(); i++)
        if (strcmp(identity_builtin_role(i)->slug, "read-only") == 0)
            APR_ARRAY_PUSH(accounts->read_only, const char *) = identity_builtin_role(i)->id;
    return identity_db_ok(call, identity_accounts_list(call->db, call->principal->entity_id,
                                                       &accounts->rows)) &&
           identity_roles_load(call, accounts->read_only, &accounts->roles);
}

json_t *identity_key_accounts_json(identity_call_t *call, const identity_key_accounts_t *accounts,
                                   identity_key_role_t role)
{
    json_t *list = json_array();

    for (int i = 0; i < accounts->rows->nelts; i++) {
        const identity_account_row_t *account =
            APR_ARRAY_IDX(accounts->rows, i, identity_account_row_t *);
        bool administrator = role == IDENTITY_KEY_ADMINISTRATOR;
        json_array_append_new(
            list,
            identity_membership_json(call, NULL, account,
                                     administrator ? IDENTITY_MEMBER_ADMIN : IDENTITY_MEMBER_USER,
                                     administrator ? NULL : accounts->read_only, accounts->roles));
    }
    return list;
}

json_t *identity_key_json(const identity_key_row_t *key, const char *text, json_t *permissions,
                          json_t *accounts)
{
    json_t *object = json_object();

    json_object_set_new(object, "object_type", json_string("API_KEY"));
    json_object_set_new(object, "id", json_string(key->id));
    json_object_set_new(object, "api_key", json_string(text));
    json_object_set_new(object, "entity_id", json_string(key->entity_id));
    json_object_set_new(object, "created_at", identity_time_json(key->created_at));
    json_object_set_new(object, "status", json_string(key->active ? "ACTIVE" : "INACTIVE"));
    json_object_set_new(object, "description",
                        key->description ? json_string(key->description) : json_null());
    json_object_set_new(object, "role_type", json_string(identity_key_role_name(key->role_type)));
    json_object_set_new(object, "active", json_boolean(key->active));
    json_object_set_new(object, "account_memberships", accounts);
    json_object_set_new(object, "team_memberships", json_array());
    json_object_set_new(object, "expires_at", identity_time_json(key->expires_at));
    json_object_set_new(object, "last_used_at", identity_time_json(key->last_used_at));
    json_object_set_new(object, "permissions", permissions ? permissions : json_array());
    json_object_set_new(object, "created_by",
                        key->created_by[0] ? json_string(key->created_by) : json_null());
    return object;
}

/* ---- one key ---------------------------------------------------------------------------------------------------- */

bool identity_key_narrowing(identity_call_t *call, const identity_key_row_t *key,
                            apr_array_header_t **names)
{
    apr_array_header_t *rows = NULL;

    *names = apr_array_make(call->pool, 4, sizeof(const char *));
    if (!key->narrowed)
        return true;
    if (!identity_db_ok(
            call, identity_key_permissions(call->db, identity_list_of(call->pool, key->id), &rows)))
        return false;
    for (int i = 0; i < rows->nelts; i++)
        APR_ARRAY_PUSH(*names, const char *) =
            APR_ARRAY_IDX(rows, i, identity_role_permission_row_t *)->permission;
    return true;
}

bool identity_keys_permissions(identity_call_t *call, const apr_array_header_t *keys,
                               apr_hash_t **permissions)
{
    apr_array_header_t *ids = apr_array_make(call->pool, 8, sizeof(const char *)), *rows = NULL;

    *permissions = apr_hash_make(call->pool);
    for (int i = 0; i < keys->nelts; i++)
        if (APR_ARRAY_IDX(keys, i, identity_key_row_t *)->narrowed)
            APR_ARRAY_PUSH(ids, const char *) = APR_ARRAY_IDX(keys, i, identity_key_row_t *)->id;
    if (ids->nelts && !identity_db_ok(call, identity_key_permissions(call->db, ids, &rows)))
        return false;
    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_role_permission_row_t *row =
            APR_ARRAY_IDX(rows, i, identity_role_permission_row_t *);
        json_t *array = apr_hash_get(*permissions, row->role_id, APR_HASH_KEY_STRING);
        if (!array) {
            array = identity_json_own(call->pool, json_array());
            apr_hash_set(*permissions, row->role_id, APR_HASH_KEY_STRING, array);
        }
        json_array_append_new(array, json_string(row->permission));
    }
    return true;
}

json_t *identity_key_names_json(const apr_array_header_t *names)
{
    json_t *list = json_array();

    for (int i = 0; i < names->nelts; i++)
        json_array_append_new(list, json_string(APR_ARRAY_IDX(names, i, const char *)));
    return list;
}

void identity_key_holds(identity_call_t *call, const identity_key_row_t *key,
                        const apr_array_header_t *names, identity_permset_t *set)
{
    identity_permset_t narrow = {0};

    if (key->role_type == IDENTITY_KEY_ADMINISTRATOR)
        set->all = true;
    else
        identity_permset_add_view(set, call->env->settings->catalogue);
    if (!key->narrowed)
        return;
    for (int i = 0; i < names->nelts; i++)
        identity_permset_add(call->pool, &narrow, APR_ARRAY_IDX(names, i, const char *));
    identity_permset_intersect(call->pool, set, &narrow);
}

bool identity_key_covered(identity_call_t *call, const identity_key_row_t *key,
                          const apr_array_header_t *names, bool *covers)
{
    identity_permset_t want = {0};

    identity_key_holds(call, key, names, &want);
    identity_permset_add(call->pool, &want, call->route->permission);
    return identity_principal_covers_entity(call, &want, covers);
}

bool identity_key_load(identity_call_t *call, void *data)
{
    identity_key_view_t *view = data;
    bool found;

    if (!identity_db_found(
            call, identity_key_find(call->db, call->principal->entity_id, view->id, &view->row),
            &found))
        return false;
    if (!found)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    return identity_key_narrowing(call, view->row, &view->names) &&
           identity_key_accounts_load(call, &view->accounts);
}

json_t *identity_key_view_json(identity_call_t *call, const identity_key_view_t *view,
                               const char *text)
{
    return identity_key_json(
        view->row, text, identity_key_names_json(view->names),
        identity_key_accounts_json(call, &view->accounts, view->row->role_type));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of an entity that were created by a user who is deactivated: they remain valid until somebody ends them. */
#include "access/keys.h"
#include "users/users.h"

/* By the same rule as PATCH /api-keys/{id}. */
static bool may_revoke(identity_call_t *call, const identity_key_row_t *key)
{
    apr_array_header_t *names;
    identity_permset_t want = {0};
    bool covers;

    if (!identity_key_narrowing(call, key, &names))
        return false;
    identity_key_holds(call, key, names, &want);
    identity_permset_add(call->pool, &want, "USER.API.UPDATE");
    if (!identity_principal_covers_entity(call, &want, &covers))
        return false;
    return covers ||
           identity_deny(
               call, IDENTITY_PROBLEM_NOT_ALLOWED, "revoke_keys",
               "The key %s holds more than the caller, or the caller lacks USER.API.UPDATE.",
               key->id);
}

static bool end_key(identity_call_t *call, identity_key_row_t *key)
{
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {
        .action = "UPDATE", .type = "API_KEY", .id = key->id, .changes = changes};

    if (!may_revoke(call, key))
        return false;
    identity_changes_add(changes, "status", "ACTIVE", "INACTIVE");
    key->active = false;
    return identity_db_ok(call, identity_key_update(call->db, key, NULL)) &&
           identity_audit(call, &audit);
}

bool identity_made_keys(identity_call_t *call, const identity_user_row_t *user, bool ends,
                        apr_array_header_t **rows)
{
    if (!identity_db_ok(call, identity_keys_made_by(call->db, user->entity_id, user->id, rows)))
        return false;
    for (int i = 0; ends && i < (*rows)->nelts; i++)
        if (!end_key(call, APR_ARRAY_IDX(*rows, i, identity_key_row_t *)))
            return false;
    return true;
}

json_t *identity_made_keys_json(const apr_array_header_t *rows)
{
    json_t *ids = json_array();

    for (int i = 0; i < rows->nelts; i++)
        json_array_append_new(ids, json_string(APR_ARRAY_IDX(rows, i, identity_key_row_t *)->id));
    return ids;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Finds users and keys for every operation. */
#include <string.h>

#include "access/access.h"

const char *identity_canonical_field(identity_call_t *call, const char *name)
{
    const char *username = identity_json_string(call->body, name);
    return username ? identity_username_key(call->pool, username) : NULL;
}

bool identity_user_hidden(const identity_call_t *call, const char *id)
{
    return call->partner && strcmp(id, call->principal->id) != 0;
}

bool identity_user_found(identity_call_t *call, const char *id, identity_user_row_t **user)
{
    bool found;

    if (!identity_db_found(call, identity_user_get(call->db, call->principal->entity_id, id, user),
                           &found))
        return false;
    if (found && !identity_user_hidden(call, id))
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_USER_NOT_FOUND, NULL, NULL);
}

const char *identity_user_key(identity_call_t *call, const identity_user_row_t *user)
{
    return identity_username_key(call->pool, user->username);
}

/* An old name may be a list, or look like another user's name: the id is unambiguous. */
const char *identity_user_told(const identity_user_row_t *user)
{
    return user->old_name ? user->id : user->canonical;
}

bool identity_change_pending(const identity_call_t *call, const identity_user_row_t *user)
{
    return user->pending_username && *user->pending_username &&
           user->pending_expires_at > call->now;
}

bool identity_key_live(const identity_call_t *call, identity_key_row_t *row)
{
    apr_time_t latest = row->created_at + call->env->settings->personal_key_lifetime;

    if (row->user_id && (!row->expires_at || row->expires_at > latest))
        row->expires_at = latest;
    return row->active && !(row->expires_at && row->expires_at <= call->now);
}

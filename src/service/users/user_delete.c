/* SPDX-License-Identifier: Apache-2.0 */
/* Users: delete, restore, and erase (security 89).
 *
 * A deleted user is INACTIVE with a deletion date. All its credentials end at once; memberships, teams and password
 * remain, so that restoring loses nothing. After IdentityDeleteAfter the purge (purge.c) erases the user, and the
 * audit trail keeps a pseudonym: the HMAC of the id, under a key derived from the signing key. That key is stored
 * beside the database and never in it, so no copy of the database reveals who it was; but the records of one person
 * still belong together. */
#include <string.h>

#include "users/users.h"

#define PSEUDONYM_KEY "audit pseudonym"

static apr_time_t erased_at(const identity_call_t *call, const identity_user_row_t *user)
{
    return user->deleted_at + call->env->settings->retention.deleted;
}

bool identity_user_present(identity_call_t *call, const identity_user_row_t *user,
                           const char *field)
{
    return !user->deleted_at ||
           identity_deny(call, IDENTITY_PROBLEM_STATE, field,
                         "This user was deleted, and can be restored until %s.",
                         identity_time_format(call->pool, erased_at(call, user)));
}

/* Not for users with more rights. */
static bool load(identity_call_t *call, identity_user_view_t *view)
{
    return identity_user_load(call, view) &&
           identity_may_act_on(call, view->assignments, call->id, call->route->permission);
}

static bool on_record(identity_call_t *call, const identity_user_view_t *view,
                      identity_audit_t *audit)
{
    return identity_audit_accounts(
        call, audit, identity_assigned_memberships(view->assignments, view->user->id));
}

static bool answer(identity_call_t *call, const identity_user_view_t *view)
{
    return identity_answer(call, 200, identity_user_json(call, view->user, view->assignments));
}

/* ---- DELETE /users/{id} ----------------------------------------------------------------------------------------- */

static bool tell(identity_call_t *call, const identity_user_row_t *user, identity_audit_t *audit)
{
    const identity_notice_t notice = {.kind = IDENTITY_MAIL_DELETED,
                                      .expires_at = erased_at(call, user)};
    const char *untold = NULL;

    if (!identity_notify(call, user, &notice, &untold))
        return false;
    if (untold)
        audit->message = apr_pstrcat(call->pool, audit->message, " ", untold, NULL);
    return true;
}

/* Updates the row and ends all access. */
static bool end_user(identity_call_t *call, identity_user_row_t *user)
{
    user->status = IDENTITY_USER_INACTIVE;
    user->updated_at = user->deleted_at = call->now;
    return identity_change_void(call, user) && identity_name_keep(call, user) &&
           identity_db_ok(call, identity_user_update(call->db, user)) &&
           identity_db_ok(call, identity_user_deleted(call->db, user->id, call->now)) &&
           identity_user_end_access(call, user);
}

static bool write_deletion(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    identity_administered_t administered;
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "DELETE",
                              .type = "USER",
                              .id = call->id,
                              .message = "A user was deleted.",
                              .changes = changes};

    if (!load(call, view) || !identity_user_present(call, view->user, NULL))
        return false;
    identity_changes_add(changes, "status", identity_user_status_name(view->user->status),
                         identity_user_status_name(IDENTITY_USER_INACTIVE));
    identity_changes_add_time(changes, "deleted_at", 0, call->now);
    return identity_administrators_before(call, view->assignments, call->id, &administered) &&
           end_user(call, view->user) && identity_administrators_remain(call, &administered) &&
           tell(call, view->user, &audit) && on_record(call, view, &audit) && answer(call, view);
}

bool identity_op_delete_user(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};
    return identity_write(call, write_deletion, &view);
}

/* ---- POST /users/{id}/restore ----------------------------------------------------------------------------------- */

static bool write_restoration(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "RESTORE",
                              .type = "USER",
                              .id = call->id,
                              .message = "A user was restored.",
                              .changes = changes};

    if (!load(call, view))
        return false;
    identity_user_row_t *user = view->user;
    if (!user->deleted_at)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, NULL,
                             "There is nothing to restore: this user is not deleted.");
    /* The purge may already have started. */
    if (erased_at(call, user) <= call->now || *user->pseudonym)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, NULL,
                             "There is nothing to restore: this user is being erased.");
    identity_changes_add_time(changes, "deleted_at", user->deleted_at, 0);
    user->deleted_at = 0;
    user->updated_at = call->now;
    return identity_db_ok(call, identity_user_update(call->db, user)) &&
           identity_db_ok(call, identity_user_deleted(call->db, user->id, 0)) &&
           on_record(call, view, &audit) && answer(call, view);
}

bool identity_op_restore_user(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};
    return identity_write(call, write_restoration, &view);
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

/* NULL with the problem if the server has no keys. */
static const char *pseudonym_of(identity_call_t *call, const identity_user_row_t *user)
{
    unsigned char key[32];

    if (!identity_call_ready(call))
        return NULL;
    if (!identity_keyset_derive(call->env->keys, 0, PSEUDONYM_KEY, key)) {
        identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
        return NULL;
    }
    const char *digest = identity_keyed_digest(call->pool, key, user->id, strlen(user->id));
    identity_wipe(key, sizeof key);
    return identity_id_of_name(call->pool, "user", digest);
}

bool identity_user_erase(identity_call_t *call, const identity_user_row_t *user, apr_int64_t limit,
                         bool *over)
{
    /* Keep the pseudonym of the first step, even if the keys have changed since. */
    const char *pseudonym = *user->pseudonym ? user->pseudonym : pseudonym_of(call, user);
    identity_audit_t audit = {.action = "ERASE",
                              .type = "USER",
                              .id = pseudonym,
                              .entity_id = user->entity_id,
                              .actor = "",
                              .message = "The personal data of a deleted user was erased."};

    return pseudonym &&
           identity_db_ok(call, identity_erasure_step(call->db, user, pseudonym, limit, over)) &&
           (!*over || identity_audit(call, &audit));
}

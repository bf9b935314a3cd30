/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have a user name (conf/interface.md).
 *
 * A name is unique in its entity. Across the server it belongs to one user who is ACTIVE or INACTIVE; people invited
 * by several entities have several rows until one invitation is accepted. Proving the address (by a mailed link, or
 * through a provider that has verified it) takes precedence over a user of another entity who neither proved it nor
 * ever signed in: that user is deactivated, and the name becomes free. */
#include <string.h>

#include "users/users.h"

bool identity_name_taken(identity_call_t *call, const char *field)
{
    return identity_deny(call, IDENTITY_PROBLEM_EXISTS, field, "This %s is taken.",
                         field ? field : "username");
}

static bool held_by_deleted(identity_call_t *call, const identity_user_row_t *holder,
                            const char *field)
{
    return identity_deny(
        call, IDENTITY_PROBLEM_EXISTS, field,
        "A deleted user holds this %s until its data is erased, and can be restored until %s.",
        field,
        identity_time_format(call->pool,
                             holder->deleted_at + call->env->settings->retention.deleted));
}

/* Within their own entity callers learn how to resolve it. */
static bool taken_from(identity_call_t *call, const identity_user_row_t *user, const char *field)
{
    identity_user_row_t *present = NULL;
    bool found;

    if (!call->principal || call->partner ||
        strcmp(call->principal->entity_id, user->entity_id) != 0)
        return identity_name_taken(call, field);
    if (!identity_db_found(
            call, identity_user_in_entity(call->db, user->entity_id, user->username, &present),
            &found))
        return false;
    if (!found || !present->deleted_at)
        return identity_name_taken(call, field);
    return held_by_deleted(call, present, field ? field : "username");
}

static bool is_sandbox(identity_call_t *call, const char *entity_id, bool *sandbox)
{
    identity_entity_row_t *entity = NULL;

    if (!identity_db_ok(call, identity_entity_find(call->db, entity_id, &entity)))
        return false;
    *sandbox = entity->expires_at != 0;
    return true;
}

/* Would the holder give way to a user of the entity who proves the address? Sandboxes always do, and displace
 * nobody. */
static bool makes_way(identity_call_t *call, const identity_user_row_t *holder,
                      const char *entity_id, bool *way)
{
    bool claimant_sandbox, holder_sandbox;

    *way = false;
    if (strcmp(holder->entity_id, entity_id) == 0)
        return true;
    if (!is_sandbox(call, entity_id, &claimant_sandbox) ||
        !is_sandbox(call, holder->entity_id, &holder_sandbox))
        return false;
    *way = !claimant_sandbox && (holder_sandbox || (!holder->verified_at && !holder->signed_in_at));
    return true;
}

/* Reveals nothing about accounts of the other entity. */
static bool keeps(identity_call_t *call)
{
    return call->problem.kind == IDENTITY_PROBLEM_STATE &&
           identity_deny(
               call, IDENTITY_PROBLEM_STATE, NULL,
               "This username is held by another user, who cannot be deactivated for now.");
}

static bool displace(identity_call_t *call, identity_user_row_t *holder)
{
    identity_audit_t audit = {
        .action = "DEACTIVATE",
        .type = "USER",
        .id = holder->id,
        .entity_id = holder->entity_id,
        .actor = "",
        .message =
            "The user was deactivated and the username released: another user has verified the address."};
    identity_assignments_t *assignments;
    identity_administered_t administered;

    if (!identity_user_assignments(call, holder, &assignments) ||
        !identity_administrators_before(call, assignments, holder->id, &administered))
        return false;
    holder->status = IDENTITY_USER_INACTIVE;
    holder->held_name = false;
    holder->old_name = NULL;
    holder->updated_at = call->now;
    return identity_change_void(call, holder) &&
           identity_db_ok(call, identity_user_update(call->db, holder)) &&
           (identity_administrators_remain(call, &administered) || keeps(call)) &&
           identity_user_end_access(call, holder) && identity_audit(call, &audit);
}

bool identity_name_keep(identity_call_t *call, identity_user_row_t *user)
{
    identity_user_row_t *holder;
    bool held;

    if (user->held_name)
        return true;
    if (!identity_db_found(call, identity_user_holder(call->db, user, &holder), &held))
        return false;
    user->held_name = !held;
    return true;
}

bool identity_name_claim(identity_call_t *call, const identity_user_row_t *user, bool proved,
                         const char *field)
{
    identity_user_row_t *holder;
    bool found, way = false;

    if (!identity_db_ok(call, identity_user_give_way(call->db, user->canonical, user->entity_id)) ||
        !identity_db_found(call, identity_user_holder(call->db, user, &holder), &found))
        return false;
    if (!found)
        return true;
    if (proved && !makes_way(call, holder, user->entity_id, &way))
        return false;
    return way ? displace(call, holder) : taken_from(call, user, field);
}

bool identity_name_invitable(identity_call_t *call, const identity_user_row_t *user,
                             const char *field)
{
    identity_user_row_t *holder;
    bool found, way;

    if (!identity_db_found(call, identity_user_holder(call->db, user, &holder), &found))
        return false;
    if (!found)
        return true;
    return makes_way(call, holder, user->entity_id, &way) && (way || taken_from(call, user, field));
}

bool identity_user_make(identity_call_t *call, const identity_user_row_t *user, bool proved,
                        const char *field)
{
    bool invited = user->status == IDENTITY_USER_INVITED;

    if (!(invited ? identity_name_invitable(call, user, field)
                  : identity_name_claim(call, user, proved, field)))
        return false;
    identity_db_status_t status = identity_user_insert(call->db, user);
    return status == IDENTITY_DB_CONFLICT ? taken_from(call, user, field)
                                          : identity_db_ok(call, status);
}

bool identity_user_save(identity_call_t *call, identity_user_row_t *user)
{
    identity_db_status_t status = identity_user_update(call->db, user);
    return status == IDENTITY_DB_CONFLICT ? identity_name_taken(call, "username")
                                          : identity_db_ok(call, status);
}

bool identity_login_claim(identity_call_t *call, const identity_user_row_t *user)
{
    identity_user_row_t *holder = NULL;
    bool found = false;

    /* A user with an old name that is not an address signs in with it, before any user with an equal login. */
    if (user->login &&
        !identity_db_found(call, identity_user_by_name(call->db, user->login, &holder), &found))
        return false;
    if (found && strcmp(holder->id, user->id) != 0)
        return identity_name_taken(call, "login");
    identity_db_status_t status = identity_user_login_set(call->db, user);
    if (status != IDENTITY_DB_CONFLICT)
        return identity_db_ok(call, status);
    if (!identity_db_found(
            call, identity_user_of_login(call->db, user->entity_id, user->login, &holder), &found))
        return false;
    return found && holder->deleted_at && !call->partner ? held_by_deleted(call, holder, "login")
                                                         : identity_name_taken(call, "login");
}

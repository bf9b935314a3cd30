/* SPDX-License-Identifier: Apache-2.0 */
/* A user's own change of address: requested by PATCH, made by POST /oauth/confirm-address after the new mailbox has
 * answered. Until then the old name remains. */
#include <string.h>

#include "users/redeem.h"

/* Also an expired one, so that nothing of it remains. */
bool identity_change_void(identity_call_t *call, identity_user_row_t *user)
{
    if (!user->pending_username || !*user->pending_username)
        return true;
    user->pending_username = "";
    user->pending_expires_at = 0;
    return identity_db_ok(
               call, identity_secrets_end(call->db, user->id, IDENTITY_SECRET_CHANGE, call->now)) &&
           identity_db_ok(call,
                          identity_outbox_cancel(call->db, user->id,
                                                 identity_mail_kind_name(IDENTITY_MAIL_CHANGE)));
}

bool identity_change_begin(identity_call_t *call, identity_user_row_t *user, const char *username,
                           const identity_link_t *link, const char **untold)
{
    identity_notice_t notice = {
        .kind = IDENTITY_MAIL_CHANGED, .username = user->username, .address = username};

    user->pending_username = username;
    user->pending_expires_at = notice.expires_at = call->now + call->env->settings->reset_lifetime;
    return identity_link_send_change(call, link, user) &&
           identity_notify(call, user, &notice, untold);
}

/* ---- POST /oauth/confirm-address -------------------------------------------------------------------------------- */

bool redeem_change(identity_call_t *call, redemption_t *change)
{
    if (!redeem_find(call, change) || !redeem_lives(call, change) || !redeem_user(call, change))
        return false;
    return (change->user->status == IDENTITY_USER_ACTIVE &&
            identity_change_pending(call, change->user)) ||
           redeem_dead(call);
}

static bool read_change(identity_call_t *call, void *data)
{
    return redeem_change(call, data);
}

static bool write_change(identity_call_t *call, void *data)
{
    redemption_t *change = data;
    identity_audit_t audit = {.action = "UPDATE", .type = "USER"};
    identity_user_row_t *user;

    if (!redeem_change(call, change) || !redeem_spend(call, change))
        return false;
    user = change->user;
    audit.id = audit.actor = user->id;
    audit.entity_id = user->entity_id;
    identity_changes_t *changes = identity_changes_make(call);
    identity_changes_add(changes, "username", user->username, user->pending_username);
    audit.changes = changes;
    audit.message = "Changed: username, confirmed by a mailed link.";
    user->username = user->pending_username;
    user->canonical = identity_username_canonical(call->pool, user->username);
    user->verified_at = user->updated_at = call->now;
    user->pending_username = "";
    user->pending_expires_at = 0;
    user->old_name = NULL;
    /* If the name is taken nothing is written, and the link stays valid: the name may become free. */
    if (!identity_name_claim(call, user, true, "username"))
        return false;
    /* Another person in the same entity may be invited under the name. */
    return identity_user_save(call, user) &&
           identity_end_ways_in(call, user->id, change->secret->session_id) &&
           identity_audit(call, &audit) &&
           identity_user_assignments(call, user, &change->assignments);
}

bool identity_op_confirm_address(identity_call_t *call)
{
    redemption_t change;

    if (!redeem_begin(call, IDENTITY_SECRET_CHANGE, identity_json_string(call->body, "token"),
                      &change) ||
        !identity_read(call, read_change, &change) || !identity_write(call, write_change, &change))
        return false;
    identity_ratelimit_trust_client(call, identity_user_key(call, change.user));
    return identity_answer(call, 200, identity_user_json(call, change.user, change.assignments));
}

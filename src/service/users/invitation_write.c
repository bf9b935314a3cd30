/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations as a resource: create, resend, revoke (conf/interface.md). */
#include <string.h>

#include "users/invitations.h"

/* ---- the answer ------------------------------------------------------------------------------------------------- */

/* The invitation in its present state. */
static bool answer_with(identity_call_t *call, int status, const char *id)
{
    identity_invitation_view_t view = {
        apr_array_make(call->pool, 1, sizeof(identity_invitation_row_t *)), NULL};
    identity_invitation_row_t *row = NULL;

    if (!identity_db_ok(call,
                        identity_invitation_get(call->db, call->principal->entity_id, id, &row)))
        return false;
    APR_ARRAY_PUSH(view.rows, identity_invitation_row_t *) = row;
    return identity_invitation_view(call, &view) &&
           identity_answer(call, status, identity_invitation_json(call, &view, row));
}

/* ---- POST /invitations ------------------------------------------------------------------------------------------ */

/* The account that the call acts on; for a key without x-platform-id the entity's only one. */
static bool find_account(identity_call_t *call, identity_account_row_t **account)
{
    apr_array_header_t *all;
    apr_int64_t number = 0;

    if (call->account_id)
        return identity_db_ok(call, identity_account_find(call->db, call->principal->entity_id,
                                                          call->account_id, account));
    if (call->principal->entity_wide &&
        !identity_db_ok(call,
                        identity_accounts_count(call->db, call->principal->entity_id, 1, &number)))
        return false;
    if (number != 1)
        return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, "x-platform-id",
                             "An invitation is for one account: name it in x-platform-id.");
    if (!identity_db_ok(call, identity_accounts_list(call->db, call->principal->entity_id, &all)))
        return false;
    *account = APR_ARRAY_IDX(all, 0, identity_account_row_t *);
    return true;
}

static bool find_role(identity_call_t *call, const char *slug, const char **id)
{
    apr_array_header_t *found = NULL;

    if (!identity_db_ok(call, identity_roles_find(call->db, call->principal->entity_id, NULL, NULL,
                                                  identity_list_of(call->pool, slug), &found)))
        return false;
    if (found->nelts == 0)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "roleID",
                             "There is no such role.");
    *id = APR_ARRAY_IDX(found, 0, identity_role_row_t *)->id;
    return true;
}

/* The membership to be granted: USER in one account, with the role. */
static bool read_wanted(identity_call_t *call, identity_membership_request_t *request)
{
    identity_membership_row_t *row = apr_pcalloc(call->pool, sizeof *row);
    identity_account_row_t *account = NULL;
    const char *role = NULL;

    if (!find_role(call, identity_json_string(call->body, "roleID"), &role) ||
        !find_account(call, &account))
        return false;
    row->entity_id = call->principal->entity_id;
    row->created_at = call->now;
    row->type = IDENTITY_MEMBER_USER;
    row->account = *account;
    identity_membership_request_make(call, request);
    APR_ARRAY_PUSH(request->memberships, identity_membership_row_t *) = row;
    APR_ARRAY_PUSH(request->role_ids, apr_array_header_t *) = identity_list_of(call->pool, role);
    APR_ARRAY_PUSH(request->positions, int) = 0;
    if (identity_may_grant(call, request))
        return true;
    if (call->problem.field)
        call->problem.field = "roleID";
    return false;
}

static bool write_creation(identity_call_t *call, void *data)
{
    identity_inviting_t *inviting = data;

    return read_wanted(call, &inviting->request) && identity_invite(call, inviting) &&
           answer_with(call, 201, inviting->invitation->id);
}

bool identity_op_create_invitation(identity_call_t *call)
{
    const char *email = identity_json_string(call->body, "email");
    identity_inviting_t inviting = {.address = email,
                                    .canonical = identity_username_canonical(call->pool, email),
                                    .field = "email",
                                    .anew = true};

    return identity_mail_possible(call, email, "email") &&
           identity_link_make(call, IDENTITY_TOKEN_INVITE, &inviting.link) &&
           identity_write(call, write_creation, &inviting);
}

/* ---- POST /invitations/{id} ------------------------------------------------------------------------------------- */

typedef struct change {
    identity_invitation_row_t *row;
    identity_user_row_t *user;
    identity_link_t link;
} change_t;

static bool load_change(identity_call_t *call, change_t *change)
{
    return identity_invitation_found(call, &change->row) &&
           identity_db_ok(call, identity_user_get(call->db, change->row->entity_id,
                                                  change->row->user_id, &change->user));
}

static bool wrong_state(identity_call_t *call, const change_t *change, const char *what)
{
    const char *state =
        identity_invitation_state_name(identity_invitation_state(change->row, call->now));

    return identity_deny(call, IDENTITY_PROBLEM_STATE, "state",
                         "This invitation is %s%s: it cannot be %s.", state,
                         change->row->superseded ? " and was replaced or ended since" : "", what);
}

static bool write_revocation(identity_call_t *call, void *data)
{
    change_t *change = data;

    if (!load_change(call, change))
        return false;
    if (identity_invitation_state(change->row, call->now) != IDENTITY_INVITATION_INVITED)
        return wrong_state(call, change, "revoked");
    return identity_invitation_revoke(call, change->user, change->row, NULL) &&
           answer_with(call, 200, change->row->id);
}

/* Whoever resends it becomes its inviter if they could grant what it grants; otherwise the previous inviter remains,
 * who must still be able to. Nobody gains rights by it, and no link is sent that would be void (security 25, 26). */
static bool find_voucher(identity_call_t *call, identity_invitation_row_t *row,
                         const identity_assignments_t *given)
{
    bool covers, holds;

    if (!identity_inviter_covers(call, call->principal, row, given, &covers))
        return false;
    if (covers) {
        row->invited_by = call->principal->id;
        return true;
    }
    if (!identity_inviter_holds(call, row, given, &holds))
        return false;
    return holds ||
           identity_deny(
               call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
               "Neither the sender of this invitation nor the caller may grant any longer what it grants.");
}

static bool renew_user(identity_call_t *call, identity_user_row_t *user,
                       const identity_invitation_row_t *row)
{
    if (row->adds)
        return true;
    user->invite_expires_at = row->expires_at;
    user->updated_at = call->now;
    return identity_db_ok(call, identity_user_update(call->db, user));
}

bool identity_invitation_prolong(identity_call_t *call, identity_user_row_t *user,
                                 identity_invitation_row_t *row,
                                 const identity_assignments_t *given)
{
    if (!find_voucher(call, row, given))
        return false;
    row->modified_at = call->now;
    row->expires_at = call->now + call->env->settings->invite_lifetime;
    row->sandbox_cap = IDENTITY_SANDBOX_INVITATIONS;
    identity_db_status_t status = identity_invitation_renew(call->db, row);
    if (status == IDENTITY_DB_CONFLICT)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, "state",
                             "A sandbox can send at most %d invitations.",
                             IDENTITY_SANDBOX_INVITATIONS);
    return identity_db_ok(call, status) && renew_user(call, user, row);
}

static bool note_expiry(identity_call_t *call, const change_t *change, apr_time_t before,
                        identity_audit_t *audit)
{
    identity_changes_t *changes = identity_changes_make(call);

    identity_changes_add(changes, "state", before > call->now ? "invited" : "expired", "invited");
    identity_changes_add_time(changes, "expiry", before, change->row->expires_at);
    audit->changes = changes;
    return true;
}

static bool write_resend(identity_call_t *call, void *data)
{
    change_t *change = data;
    identity_audit_t audit = {
        .action = "RESEND_INVITE", .type = "USER", .message = "An invitation was sent again."};
    identity_assignments_t *given;
    const char *owner_id;

    if (!load_change(call, change))
        return false;
    identity_invitation_state_t state = identity_invitation_state(change->row, call->now);
    if (change->row->superseded ||
        (state != IDENTITY_INVITATION_INVITED && state != IDENTITY_INVITATION_EXPIRED))
        return wrong_state(call, change, "sent again");
    audit.id = change->user->id;
    apr_time_t expiry = change->row->expires_at;
    change->row->sent_at = call->now;
    return identity_invitation_given(call, change->user, change->row, &given, &owner_id) &&
           identity_may_resend(call, given, owner_id) &&
           identity_invitation_prolong(call, change->user, change->row, given) &&
           identity_link_send(call, &change->link, change->user, change->row) &&
           note_expiry(call, change, expiry, &audit) &&
           identity_audit_accounts(call, &audit, identity_assigned_memberships(given, owner_id)) &&
           answer_with(call, 200, change->row->id);
}

/* No body, an empty object and `invited` all mean: resend. */
bool identity_op_update_invitation(identity_call_t *call)
{
    const json_t *given = json_object_get(call->body, "state");
    const char *state = json_string_value(given);
    change_t change = {.row = NULL};

    if (given && !state)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "state",
                             "state must be invited or revoked.");
    if (state && strcmp(state, "revoked") == 0)
        return identity_write(call, write_revocation, &change);
    return identity_mail_possible(call, NULL, NULL) &&
           identity_ratelimit_take(call, IDENTITY_RATE_INVITE,
                                   identity_credential_id(call->principal)) &&
           identity_link_make(call, IDENTITY_TOKEN_INVITE, &change.link) &&
           identity_write(call, write_resend, &change);
}

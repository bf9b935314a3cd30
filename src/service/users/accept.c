/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting an invitation: by its link (POST /oauth/activate-user), or because a provider has proved the address. */
#include <string.h>

#include "users/redeem.h"

/* An already active person proves to be the invitee by their own session; nobody can accept for somebody else
 * (security 27). */
static bool right_person(identity_call_t *call, const redemption_t *accept)
{
    if (call->principal && call->principal->kind != IDENTITY_CALLER_USER)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                             "An API key cannot accept an invitation.");
    if (call->principal && strcmp(call->principal->id, accept->user->id) != 0)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                             "This invitation is for another user than the one who is signed in.");
    /* The user's address has changed: the invitation was not sent to the present one (security 27). */
    if (strcmp(identity_username_key(call->pool, accept->invitation->email),
               identity_user_key(call, accept->user)) != 0)
        return identity_deny(
            call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
            "This invitation was sent to an address that is no longer the user's.");
    if (accept->invitation->adds && !call->principal)
        return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL,
                             "Sign in first: this invitation is for an existing user.");
    return true;
}

bool accept_find(identity_call_t *call, redemption_t *accept)
{
    bool found;

    return redeem_find(call, accept) && redeem_user(call, accept) &&
           identity_db_found(call,
                             identity_invitation_get(call->db, accept->user->entity_id,
                                                     accept->secret->invitation_id,
                                                     &accept->invitation),
                             &found) &&
           (found || redeem_dead(call));
}

bool accept_lives(identity_call_t *call, const redemption_t *accept)
{
    identity_invitation_state_t state = identity_invitation_state(accept->invitation, call->now);

    if (!redeem_lives(call, accept))
        return false;
    if ((state != IDENTITY_INVITATION_INVITED && state != IDENTITY_INVITATION_EXPIRED) ||
        accept->user->status !=
            (accept->invitation->adds ? IDENTITY_USER_ACTIVE : IDENTITY_USER_INVITED))
        return redeem_dead(call);
    return state == IDENTITY_INVITATION_INVITED || redeem_expired(call);
}

/* What the invitation grants, and whether its inviter still exists and may still grant it (security 25, 26). */
static bool find_given(identity_call_t *call, redemption_t *accept, bool *holds)
{
    apr_array_header_t *owners = apr_array_make(call->pool, 1, sizeof(const char *));
    bool adds = accept->invitation->adds;

    APR_ARRAY_PUSH(owners, const char *) = adds ? accept->invitation->id : accept->user->id;
    if (!identity_assignments_load(call, adds ? IDENTITY_OWNER_INVITATION : IDENTITY_OWNER_USER,
                                   owners, &accept->assignments) ||
        !identity_inviter_holds(call, accept->invitation, accept->assignments, holds))
        return false;
    accept->given =
        identity_assigned_memberships(accept->assignments, APR_ARRAY_IDX(owners, 0, const char *));
    return true;
}

bool accept_given(identity_call_t *call, redemption_t *accept)
{
    bool holds;
    return find_given(call, accept, &holds) && (holds || redeem_dead(call));
}

static bool read_accept(identity_call_t *call, void *data)
{
    redemption_t *accept = data;
    return accept_find(call, accept) && accept_lives(call, accept) && right_person(call, accept) &&
           accept_given(call, accept);
}

bool identity_invitation_of_token(identity_call_t *call, const char *token, const char *email,
                                  identity_user_row_t **user)
{
    redemption_t accept;

    if (!redeem_begin(call, IDENTITY_SECRET_INVITE, token, &accept) || !accept_find(call, &accept))
        return false;
    /* Before anything about the token is revealed: to anybody else it does not exist, live or expired. */
    if (strcmp(identity_username_key(call->pool, accept.invitation->email), email) != 0)
        return redeem_dead(call);
    *user = accept.user;
    return accept_lives(call, &accept) && accept_given(call, &accept);
}

static bool write_accepted(identity_call_t *call, redemption_t *accept)
{
    identity_user_row_t *user = accept->user;
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "ACTIVATE",
                              .type = "USER",
                              .message = "An invitation was accepted.",
                              .changes = changes};

    /* A pending second mail for it is no longer needed. */
    if (!identity_db_ok(call, identity_invitation_close(call->db, accept->invitation->id,
                                                        IDENTITY_INVITATION_ACCEPTED, call->now)) ||
        !identity_db_ok(call, identity_outbox_cancel(call->db, user->id, "invite")))
        return false;
    audit.id = audit.actor = user->id;
    audit.entity_id = user->entity_id;
    if (accept->invitation->adds) {
        if (!identity_db_ok(
                call, identity_memberships_adopt(call->db, accept->invitation->id, user->id)) ||
            !identity_db_ok(call, identity_team_members_adopt(call->db, accept->invitation->id,
                                                              user->id, call->now)))
            return false;
    } else {
        identity_changes_add(changes, "status", identity_user_status_name(user->status),
                             identity_user_status_name(IDENTITY_USER_ACTIVE));
        if (accept->hash)
            identity_changes_add_secret(changes, "password");
        user->password_hash = accept->hash;
        user->status = IDENTITY_USER_ACTIVE;
        user->invite_expires_at = 0;
        user->updated_at = call->now;
        if (redeem_proves(accept))
            user->verified_at = call->now;
        user->password_changed_at = accept->hash ? call->now : 0;
        if (!identity_name_claim(call, user, redeem_proves(accept), NULL) ||
            !identity_db_ok(call, identity_user_update(call->db, user)))
            return false;
    }
    return identity_audit_accounts(call, &audit, accept->given);
}

static bool write_accept(identity_call_t *call, void *data)
{
    redemption_t *accept = data;

    return read_accept(call, accept) && redeem_spend(call, accept) &&
           write_accepted(call, accept) &&
           identity_user_assignments(call, accept->user, &accept->assignments);
}

/* Removes any previous password: nobody had proved to own the address (security 70). */
bool identity_invitation_accept(identity_call_t *call, identity_user_row_t *user, bool *accepted)
{
    redemption_t accept = {.kind = IDENTITY_SECRET_INVITE, .user = user};

    *accepted = false;
    if (!identity_db_found(call, identity_invitation_open(call->db, user->id, &accept.invitation),
                           accepted))
        return false;
    *accepted =
        *accepted && !accept.invitation->adds &&
        identity_invitation_state(accept.invitation, call->now) == IDENTITY_INVITATION_INVITED &&
        strcmp(identity_username_key(call->pool, accept.invitation->email),
               identity_user_key(call, user)) == 0;
    if (!*accepted)
        return true;
    if (!find_given(call, &accept, accepted))
        return false;
    return !*accepted ||
           (identity_db_ok(call, identity_secrets_end(call->db, user->id, IDENTITY_SECRET_INVITE,
                                                      call->now)) &&
            write_accepted(call, &accept));
}

bool identity_op_activate_user(identity_call_t *call)
{
    redemption_t accept;

    if (!redeem_begin_with_body(call, IDENTITY_SECRET_INVITE, &accept) ||
        !identity_read(call, read_accept, &accept))
        return false;
    if (!accept.invitation->adds) {
        if (!accept.password)
            return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, "new_password",
                                 "new_password is required.");
        if (!redeem_hash(call, &accept))
            return false;
    }
    if (!identity_write(call, write_accept, &accept))
        return false;
    identity_ratelimit_trust_client(call, identity_user_key(call, accept.user));
    return identity_answer(call, 200, identity_user_json(call, accept.user, accept.assignments));
}

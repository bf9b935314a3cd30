/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations in the users interface: users/invite and users/revoke-invite (conf/interface.md). */
#include <string.h>

#include "users/invitations.h"
#include "users/users.h"

/* An expired one stays expired, but cannot be resent. */
static bool end(identity_call_t *call, const identity_invitation_row_t *open)
{
    bool over = identity_invitation_state(open, call->now) == IDENTITY_INVITATION_EXPIRED;

    return identity_db_ok(call, over ? identity_invitation_supersede(call->db, open->id)
                                     : identity_invitation_close(call->db, open->id,
                                                                 IDENTITY_INVITATION_REVOKED,
                                                                 call->now)) &&
           identity_db_ok(call, identity_secrets_end(call->db, open->user_id,
                                                     IDENTITY_SECRET_INVITE, call->now)) &&
           identity_db_ok(call, identity_outbox_cancel(call->db, open->user_id, "invite")) &&
           identity_db_ok(
               call, identity_memberships_delete(call->db, IDENTITY_OWNER_INVITATION, open->id)) &&
           identity_db_ok(
               call, identity_team_members_delete(call->db, IDENTITY_OWNER_INVITATION, open->id));
}

bool identity_invitation_end(identity_call_t *call, const identity_user_row_t *user)
{
    identity_invitation_row_t *open = NULL;
    bool was_open;

    return identity_db_found(call, identity_invitation_open(call->db, user->id, &open),
                             &was_open) &&
           (!was_open || end(call, open));
}

/* The account and role with which it is shown: those of the first membership. ADMIN has the rights of that role. */
static void describe(identity_invitation_row_t *row, const identity_membership_request_t *request)
{
    const identity_membership_row_t *first =
        APR_ARRAY_IDX(request->memberships, 0, identity_membership_row_t *);
    const apr_array_header_t *roles = APR_ARRAY_IDX(request->role_ids, 0, apr_array_header_t *);

    row->account_id = first->account.id;
    if (first->type == IDENTITY_MEMBER_ADMIN)
        row->role_id = identity_builtin_role_administrator()->id;
    else
        row->role_id = roles->nelts ? APR_ARRAY_IDX(roles, 0, const char *) : NULL;
}

bool identity_invite_user(identity_call_t *call, const identity_user_row_t *user,
                          const identity_membership_request_t *request, const identity_link_t *link,
                          const char *field, identity_invitation_row_t **made)
{
    identity_invitation_row_t *row = apr_pcalloc(call->pool, sizeof *row);

    row->id = identity_invitation_id_make(call->pool, call->now, &call->env->random);
    if (!row->id)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    row->entity_id = user->entity_id;
    row->user_id = user->id;
    row->email = user->username;
    row->canonical = identity_user_key(call, user);
    row->state = IDENTITY_INVITATION_INVITED;
    row->invited_by = call->principal->id;
    row->adds = user->status == IDENTITY_USER_ACTIVE;
    row->created_at = row->modified_at = call->now;
    row->expires_at = call->now + call->env->settings->invite_lifetime;
    if (request && request->memberships->nelts)
        describe(row, request);
    row->sandbox_cap = IDENTITY_SANDBOX_INVITATIONS;
    if (made)
        *made = row;
    if (!identity_invitation_end(call, user))
        return false;
    identity_db_status_t status = identity_invitation_insert(call->db, row);
    if (status == IDENTITY_DB_CONFLICT)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, field,
                             "A sandbox can send at most %d invitations.",
                             IDENTITY_SANDBOX_INVITATIONS);
    return identity_db_ok(call, status) && identity_link_send(call, link, user, row);
}

/* ---- inviting somebody ----------------------------------------------------------------------------------------- */

bool identity_invitation_given(identity_call_t *call, const identity_user_row_t *user,
                               const identity_invitation_row_t *open,
                               identity_assignments_t **given, const char **owner_id)
{
    bool adds = open && open->adds;

    *owner_id = adds ? open->id : user->id;
    return identity_assignments_of(call, adds ? IDENTITY_OWNER_INVITATION : IDENTITY_OWNER_USER,
                                   *owner_id, given);
}

/* The new invitation replaces what another inviter may have granted. */
static bool may_replace(identity_call_t *call, const identity_inviting_t *invite)
{
    const identity_user_row_t *user = invite->user;
    identity_invitation_row_t *open = NULL;
    identity_assignments_t *given;
    const char *owner_id;
    bool found;

    if (!identity_db_found(call, identity_invitation_open(call->db, user->id, &open), &found))
        return false;
    if (found && invite->anew &&
        identity_invitation_state(open, call->now) == IDENTITY_INVITATION_INVITED)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, invite->field,
                             "This user has an open invitation: resend or revoke it.");
    if (!found && user->status == IDENTITY_USER_ACTIVE)
        return true;
    return identity_invitation_given(call, user, found ? open : NULL, &given, &owner_id) &&
           identity_may_revoke(call, given, owner_id, invite->field);
}

/* Removes what the user already has directly; the rest is added. */
static bool keep_added(identity_call_t *call, identity_inviting_t *invite)
{
    identity_assignments_t *present;
    identity_membership_request_t *request = &invite->request, added = *request;

    added.memberships = apr_array_make(call->pool, 4, sizeof(identity_membership_row_t *));
    added.role_ids = apr_array_make(call->pool, 4, sizeof(apr_array_header_t *));
    added.teams = apr_array_make(call->pool, 4, sizeof(identity_team_member_row_t *));

    if (!identity_user_assignments(call, invite->user, &present))
        return false;
    const apr_array_header_t *accounts = identity_assigned_memberships(present, invite->user->id);
    const apr_array_header_t *teams = identity_assigned_teams(present, invite->user->id);
    for (int i = 0; i < request->memberships->nelts; i++) {
        identity_membership_row_t *row =
            APR_ARRAY_IDX(request->memberships, i, identity_membership_row_t *);
        bool has = false;
        for (int a = 0; accounts && a < accounts->nelts; a++)
            has = has || strcmp(APR_ARRAY_IDX(accounts, a, identity_membership_row_t *)->account.id,
                                row->account.id) == 0;
        if (has)
            continue;
        APR_ARRAY_PUSH(added.memberships, identity_membership_row_t *) = row;
        APR_ARRAY_PUSH(added.role_ids, apr_array_header_t *) =
            APR_ARRAY_IDX(request->role_ids, i, apr_array_header_t *);
    }
    for (int i = 0; i < request->teams->nelts; i++) {
        identity_team_member_row_t *row =
            APR_ARRAY_IDX(request->teams, i, identity_team_member_row_t *);
        bool has = false;
        for (int t = 0; teams && t < teams->nelts; t++) {
            const identity_team_member_row_t *had =
                APR_ARRAY_IDX(teams, t, identity_team_member_row_t *);
            bool over = had->end_at && had->end_at <= call->now;
            has = has || (!over && strcmp(had->team_id, row->team_id) == 0);
        }
        if (!has)
            APR_ARRAY_PUSH(added.teams, identity_team_member_row_t *) = row;
    }
    *request = added;
    if (added.memberships->nelts || added.teams->nelts)
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_STATE, invite->field,
                         "This user is already active, and the invitation adds nothing.");
}

static bool new_user(identity_call_t *call, identity_inviting_t *invite)
{
    identity_user_row_t *user = apr_pcalloc(call->pool, sizeof *user);

    invite->user = user;
    user->id = identity_call_id(call, "user");
    user->entity_id = call->principal->entity_id;
    user->username = invite->address;
    user->canonical = invite->canonical;
    user->status = IDENTITY_USER_INVITED;
    user->created_at = user->updated_at = call->now;
    user->invite_expires_at = call->now + call->env->settings->invite_lifetime;
    user->version = 1;
    return user->id && identity_user_make(call, user, false, invite->field);
}

/* Invited before and not accepted yet: the earlier grants are replaced. */
static bool renew_user(identity_call_t *call, identity_inviting_t *invite)
{
    identity_user_row_t *user = invite->user;

    identity_changes_add(invite->changes, "status", identity_user_status_name(user->status),
                         identity_user_status_name(IDENTITY_USER_INVITED));
    /* Names compared by their spelling keep it. */
    if (!user->old_name) {
        identity_changes_add(invite->changes, "username", user->username, invite->address);
        user->username = invite->address;
    }
    user->status = IDENTITY_USER_INVITED;
    user->updated_at = call->now;
    user->invite_expires_at = call->now + call->env->settings->invite_lifetime;
    return identity_name_invitable(call, user, invite->field) &&
           identity_db_ok(call, identity_user_update(call->db, user)) &&
           identity_db_ok(call,
                          identity_memberships_delete(call->db, IDENTITY_OWNER_USER, user->id)) &&
           identity_db_ok(call,
                          identity_team_members_delete(call->db, IDENTITY_OWNER_USER, user->id));
}

static bool settle_user(identity_call_t *call, identity_inviting_t *invite)
{
    bool found;

    if (!identity_db_found(call,
                           identity_user_in_entity(call->db, call->principal->entity_id,
                                                   invite->address, &invite->user),
                           &found))
        return false;
    if (!found)
        return new_user(call, invite);
    if (call->partner && strcmp(invite->user->id, call->principal->id) != 0)
        return identity_name_taken(call, invite->field);
    if (!identity_user_present(call, invite->user, invite->field))
        return false;
    if (invite->user->status == IDENTITY_USER_INACTIVE)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, invite->field,
                             "This user is inactive: make the user active instead.");
    if (!may_replace(call, invite))
        return false;
    if (invite->user->status == IDENTITY_USER_ACTIVE)
        return keep_added(call, invite);
    return renew_user(call, invite);
}

bool identity_invite(identity_call_t *call, identity_inviting_t *invite)
{
    identity_audit_t audit = {.action = "INVITE", .type = "USER", .message = "A user was invited."};

    invite->changes = identity_changes_make(call);
    if (!settle_user(call, invite) ||
        !identity_invite_user(call, invite->user, &invite->request, &invite->link, invite->field,
                              &invite->invitation))
        return false;
    bool adds = invite->invitation->adds;
    invite->owner = adds ? IDENTITY_OWNER_INVITATION : IDENTITY_OWNER_USER;
    invite->owner_id = adds ? invite->invitation->id : invite->user->id;
    audit.id = invite->user->id;
    identity_changes_add_membership_request(invite->changes, &invite->request);
    audit.changes = invite->changes;
    return identity_membership_request_write(call, invite->owner, invite->owner_id,
                                             &invite->request) &&
           identity_audit_accounts(call, &audit, invite->request.memberships);
}

/* ---- POST /users/invite ----------------------------------------------------------------------------------------- */

static bool answer_invite(identity_call_t *call, const identity_inviting_t *invite)
{
    identity_assignments_t *assignments;

    if (!identity_assignments_of(call, invite->owner, invite->owner_id, &assignments))
        return false;
    json_t *answer = json_object();
    json_object_set_new(answer, "username", json_string(invite->user->username));
    json_object_set_new(answer, "entity_id", json_string(invite->user->entity_id));
    json_object_set_new(answer, "account_memberships",
                        identity_memberships_json(call, assignments, invite->owner_id));
    json_object_set_new(answer, "team_memberships",
                        identity_teams_json(call, assignments, invite->owner_id));
    return identity_answer(call, 200, answer);
}

static bool write_invite(identity_call_t *call, void *data)
{
    identity_inviting_t *invite = data;

    return identity_membership_request_read(call, &invite->request) &&
           identity_invite(call, invite) && answer_invite(call, invite);
}

bool identity_op_invite_user(identity_call_t *call)
{
    const char *entity = identity_json_string(call->body, "entity_id");
    identity_inviting_t invite = {.address = identity_json_string(call->body, "username"),
                                  .canonical = identity_canonical_field(call, "username"),
                                  .field = "username"};

    if (entity && strcmp(entity, call->principal->entity_id) != 0)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "entity_id",
                             "There is no such entity.");
    return identity_mail_possible(call, invite.address, "username") &&
           identity_link_make(call, IDENTITY_TOKEN_INVITE, &invite.link) &&
           identity_write(call, write_invite, &invite);
}

/* ---- POST /users/revoke-invite ---------------------------------------------------------------------------------- */

static bool find_invited(identity_call_t *call, identity_user_row_t **user)
{
    bool found;

    if (!identity_db_found(call,
                           identity_user_in_entity(call->db, call->principal->entity_id,
                                                   identity_json_string(call->body, "username"),
                                                   user),
                           &found))
        return false;
    if (found)
        return identity_user_found(call, (*user)->id, user);
    /* Checked last: invitations under a name from an older database can be revoked. */
    if (!identity_username_valid(identity_json_string(call->body, "username")))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "username",
                             "username must be " IDENTITY_USERNAME_RULE ".");
    return identity_deny(call, IDENTITY_PROBLEM_USER_NOT_FOUND, NULL, NULL);
}

bool identity_invitation_revoke(identity_call_t *call, identity_user_row_t *user,
                                identity_invitation_row_t *open, const char *field)
{
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {.action = "REVOKE_INVITE",
                              .type = "USER",
                              .id = user->id,
                              .message = "An invitation was revoked.",
                              .changes = changes};
    identity_assignments_t *given;
    const char *owner_id;

    /* For a user who has not accepted yet it also changes the status. */
    if (!identity_invitation_given(call, user, open, &given, &owner_id) ||
        !identity_may_revoke(call, given, owner_id, field) ||
        (!open->adds && !identity_may_act_on(call, given, owner_id, call->route->permission)) ||
        !end(call, open))
        return false;
    identity_changes_add(changes, "state", "invited", "revoked");
    if (user->status == IDENTITY_USER_INVITED) {
        identity_changes_add(changes, "status", identity_user_status_name(user->status),
                             identity_user_status_name(IDENTITY_USER_INVITE_REVOKED));
        user->status = IDENTITY_USER_INVITE_REVOKED;
        user->updated_at = call->now;
        if (!identity_db_ok(call, identity_user_update(call->db, user)))
            return false;
    }
    return identity_audit_accounts(call, &audit, identity_assigned_memberships(given, owner_id));
}

static bool write_revoke(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    identity_invitation_row_t *open = NULL;
    bool found;

    if (!find_invited(call, &view->user) ||
        !identity_db_found(call, identity_invitation_open(call->db, view->user->id, &open), &found))
        return false;
    if (!found || identity_invitation_state(open, call->now) != IDENTITY_INVITATION_INVITED)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, "username",
                             "This user has no open invitation.");
    return identity_invitation_revoke(call, view->user, open, "username") &&
           identity_user_assignments(call, view->user, &view->assignments) &&
           identity_answer(call, 200, identity_user_json(call, view->user, view->assignments));
}

bool identity_op_revoke_invite(identity_call_t *call)
{
    identity_user_view_t view = {.id = NULL};

    return identity_write(call, write_revoke, &view);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* POST /users/{id}/link: a link that is handed over instead of mailed, for when mail is down. Whoever has it can
 * become the user, so creating one requires all rights; and it does not prove the address, which only a mailbox can. */
#include <string.h>

#include "users/invitations.h"
#include "users/users.h"

typedef struct handing {
    identity_user_view_t view;
    identity_secret_row_t secret;
    identity_mail_kind_t mail; /* that the link replaces */
    const char *token;
    const char *untold;
} handing_t;

/* The open invitation, with a new lifetime. */
static bool prepare_activation(identity_call_t *call, handing_t *handing)
{
    identity_user_row_t *user = handing->view.user;
    identity_invitation_row_t *open = NULL;
    identity_assignments_t *given;
    const char *owner_id;
    bool found;

    if (!identity_db_found(call, identity_invitation_open(call->db, user->id, &open), &found))
        return false;
    if (!found)
        return identity_deny(
            call, IDENTITY_PROBLEM_STATE, "kind",
            "This user has no open invitation to create a link for: invite the user first.");
    if (!identity_invitation_given(call, user, open, &given, &owner_id) ||
        !identity_invitation_prolong(call, user, open, given))
        return false;
    handing->secret.invitation_id = open->id;
    handing->secret.expires_at = open->expires_at;
    return true;
}

/* Nor must an unattended session reveal its owner's password (security 9). */
static bool prepare_reset(identity_call_t *call, handing_t *handing)
{
    if (call->principal->kind == IDENTITY_CALLER_USER &&
        strcmp(call->principal->id, handing->view.user->id) == 0)
        return identity_deny(
            call, IDENTITY_PROBLEM_NOT_ALLOWED, "kind",
            "Change your own password by PATCH of the user, with current_password.");
    handing->secret.expires_at = call->now + call->env->settings->reset_lifetime;
    return handing->view.user->status == IDENTITY_USER_ACTIVE ||
           identity_deny(call, IDENTITY_PROBLEM_STATE, "kind",
                         "Only ACTIVE users can set a new password.");
}

/* Replaces any link or pending mail for the same purpose. */
static bool write_secret(identity_call_t *call, const handing_t *handing)
{
    const identity_secret_row_t *secret = &handing->secret;

    return identity_db_ok(
               call, identity_secrets_end(call->db, secret->user_id, secret->kind, call->now)) &&
           identity_db_ok(call, identity_outbox_cancel(call->db, secret->user_id,
                                                       identity_mail_kind_name(handing->mail))) &&
           identity_db_ok(call, identity_secret_insert(call->db, secret));
}

static bool on_record(identity_call_t *call, handing_t *handing)
{
    const identity_user_row_t *user = handing->view.user;
    const identity_notice_t notice = {.kind = IDENTITY_MAIL_LINK,
                                      .expires_at = handing->secret.expires_at};
    identity_changes_t *changes = identity_changes_make(call);
    bool reset = handing->secret.kind == IDENTITY_SECRET_RESET;
    identity_audit_t audit = {.action = "LINK", .type = "USER", .id = user->id, .changes = changes};

    identity_changes_add(changes, "link", NULL, identity_json_string(call->body, "kind"));
    identity_changes_add_time(changes, "link_expires_at", 0, handing->secret.expires_at);
    if (!identity_notify(call, user, &notice, &handing->untold))
        return false;
    audit.message = apr_pstrcat(
        call->pool, "A link to ", reset ? "set a new password" : "accept an invitation",
        " was created, to be handed over.", handing->untold ? " " : "", handing->untold, NULL);
    return identity_audit_accounts(
        call, &audit, identity_assigned_memberships(handing->view.assignments, user->id));
}

static bool answer(identity_call_t *call, const handing_t *handing)
{
    const char *link =
        apr_pstrcat(call->pool, call->env->settings->public_url,
                    identity_mail_kind_page(handing->mail), "#token=", handing->token, NULL);
    json_t *object = json_object();

    identity_wipe_with_pool(call->pool, (char *)link);
    json_object_set_new(object, "link", json_string(link));
    json_object_set_new(object, "expires_at", identity_time_json(handing->secret.expires_at));
    return identity_answer(call, 201, object);
}

static bool write_link(identity_call_t *call, void *data)
{
    handing_t *handing = data;
    bool reset = handing->secret.kind == IDENTITY_SECRET_RESET;

    if (!identity_user_load(call, &handing->view) ||
        !identity_needs_everything(call, "A link for somebody") ||
        !identity_user_present(call, handing->view.user, NULL))
        return false;
    handing->secret.user_id = handing->view.user->id;
    return (reset ? prepare_reset(call, handing) : prepare_activation(call, handing)) &&
           write_secret(call, handing) && on_record(call, handing) && answer(call, handing);
}

bool identity_op_create_user_link(identity_call_t *call)
{
    bool reset = strcmp(identity_json_string(call->body, "kind"), "reset") == 0;
    handing_t handing = {.view = {.id = call->id},
                         .secret = {.kind = reset ? IDENTITY_SECRET_RESET : IDENTITY_SECRET_INVITE,
                                    .created_at = call->now,
                                    .handed = true},
                         .mail = reset ? IDENTITY_MAIL_RESET : IDENTITY_MAIL_INVITE};

    handing.token = identity_token_make(
        call->pool, reset ? IDENTITY_TOKEN_RESET : IDENTITY_TOKEN_INVITE, &call->env->random);
    if (!handing.token)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    handing.secret.digest = identity_token_digest(call->pool, handing.token);
    return identity_write(call, write_link, &handing);
}

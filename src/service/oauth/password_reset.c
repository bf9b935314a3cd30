/* SPDX-License-Identifier: Apache-2.0 */
/* request-password-reset and the operations of mailed links: reset-password, activate-user, describe-link. */
#include <string.h>

#include "users/redeem.h"
#include "users/users.h"

/* ---- POST /oauth/request-password-reset ------------------------------------------------------------------------- */

typedef struct reset_request {
    const char *email, *canonical;
    identity_link_t link;
    identity_user_row_t *user;
} reset_request_t;

/* Known or unknown, both run the same number of statements in one write transaction: the time reveals nothing
 * (security 15, 28). */
static bool write_reset_request(identity_call_t *call, void *data)
{
    reset_request_t *request = data;
    identity_audit_t audit = {.action = "RESET_REQUESTED",
                              .type = "USER",
                              .entity_id = "",
                              .actor = "",
                              .message = "A password reset was requested."};
    bool found;

    if (!identity_db_found(call, identity_user_by_name(call->db, request->email, &request->user),
                           &found))
        return false;
    bool known = found && request->user->status == IDENTITY_USER_ACTIVE &&
                 identity_mail_address_valid(request->user->username);
    if (found) {
        audit.entity_id = request->user->entity_id;
        audit.id = request->user->id;
    }
    /* Above the limit no mail is written, and the answer is the same. */
    known = known && identity_ratelimit_mail(call, request->canonical);
    if (known && !identity_link_send(call, &request->link, request->user, NULL))
        return false;
    /* The same number of statements as identity_link_send. */
    for (int i = 0; !known && i < 2; i++)
        if (!identity_db_ok(call,
                            identity_secrets_end(call->db, "", IDENTITY_SECRET_RESET, call->now)) ||
            !identity_db_ok(call, identity_outbox_cancel(call->db, "", "reset")))
            return false;
    return identity_audit(call, &audit);
}

bool identity_op_request_password_reset(identity_call_t *call)
{
    reset_request_t request = {.email = identity_json_string(call->body, "email"),
                               .canonical = identity_canonical_field(call, "email")};

    /* Counted before the address is looked up, so that the answer reveals nothing about it either. */
    if (!identity_mail_possible(call, NULL, NULL) ||
        !identity_ratelimit_reset(call, request.canonical) ||
        !identity_link_make(call, IDENTITY_TOKEN_RESET, &request.link) ||
        !identity_write(call, write_reset_request, &request))
        return false;
    return identity_answer_empty(call, 200);
}

/* ---- POST /oauth/reset-password --------------------------------------------------------------------------------- */

static bool read_reset(identity_call_t *call, void *data)
{
    redemption_t *reset = data;
    if (!redeem_find(call, reset) || !redeem_lives(call, reset) || !redeem_user(call, reset))
        return false;
    return reset->user->status == IDENTITY_USER_ACTIVE || redeem_dead(call);
}

static bool write_reset(identity_call_t *call, void *data)
{
    redemption_t *reset = data;
    identity_notice_t notice = {.kind = IDENTITY_MAIL_PASSWORD};
    const char *untold = NULL;
    identity_audit_t audit = {.action = "PASSWORD_RESET",
                              .type = "USER",
                              .message = "A password was reset by a mailed link."};
    identity_changes_t *changes = identity_changes_make(call);

    if (!read_reset(call, reset) || !redeem_spend(call, reset))
        return false;
    if (!redeem_proves(reset))
        audit.message = "A password was reset by a link that was handed over.";
    /* The address is newly proved: whoever linked the user before may not be the owner of the address, and must not
     * keep a way in (security 70). */
    if (!reset->user->verified_at &&
        !identity_db_ok(call, identity_provider_links_end(call->db, reset->user->id)))
        return false;
    audit.id = audit.actor = reset->user->id;
    audit.entity_id = reset->user->entity_id;
    identity_changes_add_secret(changes, "password");
    audit.changes = changes;
    reset->user->password_hash = reset->hash;
    reset->user->password_changed_at = reset->user->updated_at = call->now;
    if (redeem_proves(reset))
        reset->user->verified_at = call->now;
    return identity_change_void(call, reset->user) &&
           identity_db_ok(call, identity_user_update(call->db, reset->user)) &&
           identity_end_ways_in(call, reset->user->id, NULL) &&
           identity_personal_keys_end(call, reset->user, reset->user->id) &&
           identity_notify(call, reset->user, &notice, &untold) &&
           identity_audit_told(call, &audit, untold);
}

bool identity_op_reset_password(identity_call_t *call)
{
    redemption_t reset;

    if (!redeem_begin_with_body(call, IDENTITY_SECRET_RESET, &reset) ||
        !identity_read(call, read_reset, &reset) || !redeem_hash(call, &reset) ||
        !identity_write(call, write_reset, &reset))
        return false;
    identity_ratelimit_trust_client(call, identity_user_key(call, reset.user));
    return identity_answer(call, 200, json_string("The password has been changed."));
}

/* ---- POST /oauth/describe-link ---------------------------------------------------------------------------------- */

static bool read_link(identity_call_t *call, void *data)
{
    redemption_t *link = data;

    bool live =
        link->kind == IDENTITY_SECRET_RESET ? read_reset(call, link)
        : link->kind == IDENTITY_SECRET_CHANGE
            ? redeem_change(call, link)
            : accept_find(call, link) && accept_lives(call, link) && accept_given(call, link);
    return live && identity_password_sign_in(call, link->user->entity_id, &link->sign_in);
}

/* The kind whose prefix the token has; anything else is refused like an invitation's token. */
static identity_secret_kind_t kind_of(const char *token)
{
    static const identity_secret_kind_t kinds[] = {IDENTITY_SECRET_RESET, IDENTITY_SECRET_CHANGE};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (identity_token_valid(token, redeem_prefix(kinds[i])))
            return kinds[i];
    return IDENTITY_SECRET_INVITE;
}

/* For the pages: the holder of the secret reads the mailbox, so the address that the mail went to is no news to
 * them. Does not redeem the link (security 22), and refuses with the messages of the operation that redeems it
 * (security 24). */
bool identity_op_describe_link(identity_call_t *call)
{
    static const char *const kinds[] = {[IDENTITY_SECRET_INVITE] = "INVITE",
                                        [IDENTITY_SECRET_RESET] = "RESET",
                                        [IDENTITY_SECRET_CHANGE] = "CHANGE"};
    const identity_settings_t *settings = call->env->settings;
    const char *token = identity_json_string(call->body, "token");
    redemption_t link;

    if (!redeem_begin(call, kind_of(token), token, &link) || !identity_read(call, read_link, &link))
        return false;
    bool adds = link.kind == IDENTITY_SECRET_INVITE && link.invitation->adds;
    json_t *answer = json_object();
    json_object_set_new(answer, "kind", json_string(kinds[link.kind]));
    json_object_set_new(answer, "username",
                        json_string(link.kind == IDENTITY_SECRET_CHANGE
                                        ? link.user->pending_username
                                        : link.user->username));
    json_object_set_new(answer, "adds", json_boolean(adds));
    json_object_set_new(answer, "expires_at", identity_time_json(link.secret->expires_at));
    json_object_set_new(
        answer, "password_min_length",
        json_integer((json_int_t)identity_password_minimum(settings->password_minimum)));
    json_object_set_new(answer, "password_sign_in",
                        json_boolean(settings->password_grant && link.sign_in));
    return identity_answer(call, 200, answer);
}

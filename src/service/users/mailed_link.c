/* SPDX-License-Identifier: Apache-2.0 */
/* Mailed links: writes the secret, the outbox row and the end of earlier links together. */
#include <string.h>

#include "users/users.h"

bool identity_mail_possible(identity_call_t *call, const char *address, const char *field)
{
    if (!call->env->settings->mail)
        return identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL,
                             "This server is not configured to send mail.");
    if (address && !identity_mail_address_valid(address))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field,
                             "%s must be an address that mail can be sent to.", field);
    return true;
}

bool identity_link_make(identity_call_t *call, const char *prefix, identity_link_t *link)
{
    unsigned char key[32];

    link->token = identity_token_make(call->pool, prefix, &call->env->random);
    link->outbox_id = identity_call_id(call, "mail");
    if (link->token && link->outbox_id &&
        identity_keyset_derive(call->env->keys, 0, IDENTITY_SEAL_OUTBOX, key)) {
        link->digest = identity_token_digest(call->pool, link->token);
        link->sealed_with = identity_keyset_kid(call->env->keys, 0);
        link->sealed =
            identity_seal(call->pool, key, link->token, link->outbox_id, &call->env->random);
        identity_wipe(key, sizeof key);
    }
    return link->sealed || identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
}

/* The requester's language: an inviter, or the person who forgot the password. */
const char *identity_call_language(identity_call_t *call, identity_mail_kind_t kind)
{
    const identity_mail_templates_t *templates = call->env->settings->mail_templates;
    const char *accepted = call->in ? call->in->headers.accept_language : NULL;

    return templates ? identity_mail_language(call->pool, templates, kind, accepted) : "";
}

/* Names from older databases have no canonical form and are mailed to as they are spelled. */
const char *identity_mail_recipient(identity_call_t *call, const identity_user_row_t *user,
                                    const char *address)
{
    const char *canonical =
        user->old_name ? NULL : identity_username_canonical(call->pool, address);
    return canonical ? canonical : address;
}

/* Writes a link's secret and mail; secret has the purpose's own columns, mail the recipient. */
static bool enqueue(identity_call_t *call, const identity_link_t *link,
                    const identity_user_row_t *user, identity_mail_kind_t kind,
                    identity_secret_row_t *secret, identity_outbox_row_t *mail)
{
    secret->digest = link->digest;
    secret->user_id = mail->user_id = user->id;
    secret->created_at = mail->created_at = mail->next_attempt_at = call->now;
    mail->id = link->outbox_id;
    mail->entity_id = user->entity_id;
    mail->invitation_id = secret->invitation_id;
    mail->kind = identity_mail_kind_name(kind);
    mail->sealed = link->sealed;
    mail->sealed_with = link->sealed_with;
    mail->state = IDENTITY_OUTBOX_QUEUED;
    mail->language = identity_call_language(call, kind);
    mail->link_expires_at = secret->expires_at;
    return identity_db_ok(call,
                          identity_secrets_end(call->db, user->id, secret->kind, call->now)) &&
           identity_db_ok(call, identity_outbox_cancel(call->db, user->id, mail->kind)) &&
           identity_db_ok(call, identity_secret_insert(call->db, secret)) &&
           identity_db_ok(call, identity_outbox_insert(call->db, mail));
}

bool identity_link_send(identity_call_t *call, const identity_link_t *link,
                        const identity_user_row_t *user,
                        const identity_invitation_row_t *invitation)
{
    identity_secret_row_t secret = {.kind = invitation ? IDENTITY_SECRET_INVITE
                                                       : IDENTITY_SECRET_RESET};
    identity_outbox_row_t mail = {.recipient = invitation ? invitation->email : user->username};

    mail.recipient = identity_mail_recipient(call, user, mail.recipient);
    secret.invitation_id = invitation ? invitation->id : NULL;
    secret.expires_at =
        invitation ? invitation->expires_at : call->now + call->env->settings->reset_lifetime;
    /* Refusing a reset would reveal that the user exists: resets are counted when they are requested. */
    return (!invitation ||
            identity_ratelimit_take(call, IDENTITY_RATE_MAIL, identity_user_key(call, user))) &&
           enqueue(call, link, user, invitation ? IDENTITY_MAIL_INVITE : IDENTITY_MAIL_RESET,
                   &secret, &mail);
}

bool identity_link_send_change(identity_call_t *call, const identity_link_t *link,
                               const identity_user_row_t *user)
{
    const char *address = user->pending_username;
    identity_secret_row_t secret = {.kind = IDENTITY_SECRET_CHANGE,
                                    .session_id =
                                        call->principal ? call->principal->session_id : NULL,
                                    .expires_at = user->pending_expires_at};
    identity_outbox_row_t mail = {.recipient = identity_username_canonical(call->pool, address)};
    json_t *details = json_pack("{s:s, s:s}", "username", user->username, "address", address);
    size_t length;

    mail.details =
        details ? identity_json_text(call->pool, identity_json_own(call->pool, details), &length)
                : NULL;
    if (!mail.details)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    return identity_ratelimit_change(call, user->id,
                                     identity_username_canonical(call->pool, address)) &&
           enqueue(call, link, user, IDENTITY_MAIL_CHANGE, &secret, &mail);
}

bool identity_end_ways_in(identity_call_t *call, const char *user_id, const char *except_session_id)
{
    return identity_db_ok(call,
                          identity_sessions_end(call->db, user_id, except_session_id, call->now)) &&
           identity_db_ok(call, identity_aliases_end(call->db, user_id, call->now)) &&
           identity_db_ok(
               call, identity_secrets_end(call->db, user_id, IDENTITY_SECRET_RESET, call->now)) &&
           identity_db_ok(call,
                          identity_outbox_cancel(call->db, user_id,
                                                 identity_mail_kind_name(IDENTITY_MAIL_RESET)));
}

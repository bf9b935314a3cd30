/* SPDX-License-Identifier: Apache-2.0 */
/* Notices: mails without a link that inform users about changes of their credentials (security 10). They never make
 * a call fail; if nobody can be notified the audit record says so. */
#include <string.h>

#include "users/users.h"

/* A name from an older database may contain whole sentences, which would look like this server's. */
static const char *fit(const char *name, const char *id)
{
    return identity_username_valid(name) ? name : id;
}

/* Who made the change, if it was somebody else. */
static const char *actor_of(const identity_call_t *call, const identity_user_row_t *user)
{
    const identity_principal_t *principal = call->principal;

    if (!principal || !*principal->id || strcmp(principal->id, user->id) == 0)
        return NULL;
    return fit(principal->name, principal->id);
}

static const char *details_of(identity_call_t *call, const identity_user_row_t *user,
                              const identity_notice_t *notice)
{
    json_t *details = json_pack("{s:s, s:s*, s:s*}", "username",
                                fit(notice->username ? notice->username : user->username, user->id),
                                "address", notice->address, "actor", actor_of(call, user));
    size_t length;

    if (details && notice->expires_at)
        json_object_set_new(details, "expires_at", json_integer(notice->expires_at));
    return details ? identity_json_text(call->pool, identity_json_own(call->pool, details), &length)
                   : NULL;
}

/* Why nobody is notified, or NULL. */
static const char *why_not(identity_call_t *call, const char *recipient)
{
    if (!call->env->settings->mail)
        return "No notice was mailed: this server is not configured to send mail.";
    if (!identity_mail_address_valid(recipient))
        return "No notice was mailed: the username is not an address that mail can be sent to.";
    if (!identity_ratelimit_notice(call, recipient))
        return "No notice was mailed: too many notices were sent to this address.";
    return NULL;
}

bool identity_notify(identity_call_t *call, const identity_user_row_t *to,
                     const identity_notice_t *notice, const char **untold)
{
    identity_outbox_row_t mail = {
        .entity_id = to->entity_id, .user_id = to->id, .sealed = "", .sealed_with = ""};
    const char *recipient = identity_mail_recipient(call, to, to->username),
               *why = why_not(call, recipient);

    if (why) {
        *untold = why;
        return true;
    }
    mail.id = identity_call_id(call, "mail");
    mail.kind = identity_mail_kind_name(notice->kind);
    mail.recipient = recipient;
    mail.details = details_of(call, to, notice);
    mail.state = IDENTITY_OUTBOX_QUEUED;
    mail.language = identity_call_language(call, notice->kind);
    mail.created_at = mail.next_attempt_at = call->now;
    if (!mail.id || !mail.details)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    /* It is queued all the same, and sent when the mail server is available again. */
    if (identity_metric_read(call->env->metrics, IDENTITY_METRIC_MAIL_OUTAGES) > 0)
        *untold = "The notice is not sent yet: the mail server is unavailable.";
    return identity_db_ok(call, identity_outbox_insert(call->db, &mail));
}

bool identity_audit_told(identity_call_t *call, identity_audit_t *audit, const char *untold)
{
    if (untold)
        audit->message = apr_pstrcat(
            call->pool, audit->message ? audit->message : identity_changes_message(audit->changes),
            audit->message ? " " : ". ", untold, NULL);
    return identity_audit(call, audit);
}

/* ---- what became of one ----------------------------------------------------------------------------------------- */

bool identity_notice_failed(identity_call_t *call, const identity_outbox_row_t *mail, bool for_good)
{
    identity_audit_t audit = {.action = "NOTICE_FAILED",
                              .type = "USER",
                              .id = mail->user_id,
                              .entity_id = mail->entity_id,
                              .actor = ""};

    audit.message = apr_psprintf(call->pool, "The notice \"%s\" could not be delivered%s.",
                                 mail->kind, for_good ? "" : " so far");
    return identity_audit(call, &audit);
}

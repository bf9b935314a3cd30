/* request-password-reset, and what mailed links do: reset-password, activate-user, describe-link. */
#include <string.h>

#include "redeem_int.h"
#include "users_int.h"

/* ---- POST /oauth/request-password-reset ------------------------------------------------------------------------- */

typedef struct reset_request {
    const char *email, *canonical;
    identity_link_t link;
    identity_user_row_t *user;
} reset_request_t;

/* Known or unknown, both run as many statements in one write transaction: time tells nothing (security 15, 28). */
static bool write_reset_request(identity_call_t *call, void *data)
{
    reset_request_t *request = data;
    identity_audit_t audit = {.action = "RESET_REQUESTED",
                              .type = "USER",
                              .entity_id = "",
                              .actor = "",
                              .message = "A password reset was asked for."};
    bool found;

    if (!identity_db_found(call, identity_user_by_name(call->db, request->email, &request->user), &found))
        return false;
    bool known =
        found && request->user->status == IDENTITY_USER_ACTIVE && identity_mail_address_valid(request->user->username);
    if (found) {
        audit.entity_id = request->user->entity_id;
        audit.id = request->user->id;
    }
    /* Over the limit no mail is written, and the answer is the same. */
    known = known && identity_limit_mail(call, request->canonical);
    if (known && !identity_link_send(call, &request->link, request->user, NULL))
        return false;
    /* As many statements as identity_link_send runs. */
    for (int i = 0; !known && i < 2; i++)
        if (!identity_db_ok(call, identity_secrets_end(call->db, "", IDENTITY_SECRET_RESET, call->now)) ||
            !identity_db_ok(call, identity_outbox_cancel(call->db, "", "reset")))
            return false;
    return identity_audit(call, &audit);
}

bool identity_oauth_request_reset(identity_call_t *call)
{
    reset_request_t request = {.email = identity_json_string(call->body, "email"),
                               .canonical = identity_canonical_field(call, "email")};

    /* Counted before anything is known of the address, so that the answer tells nothing of it either. */
    if (!identity_mail_possible(call, NULL, NULL) || !identity_limit_reset(call, request.canonical) ||
        !identity_link_make(call, IDENTITY_TOKEN_RESET, &request.link) ||
        !identity_write(call, write_reset_request, &request))
        return false;
    return identity_answer_empty(call, 200);
}

static bool new_hash(identity_call_t *call, redemption_t *redemption)
{
    return identity_password_permitted(call, redemption->password, redemption->user->username, "new_password") &&
           identity_hash_password(call, redemption->user->canonical,
                                  identity_password_normalise(call->pool, redemption->password), &redemption->hash);
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
    identity_audit_t audit = {
        .action = "PASSWORD_RESET", .type = "USER", .message = "A password was set anew by a mailed link."};
    identity_changes_t *changes = identity_changes_make(call);

    if (!read_reset(call, reset) || !redeem_spend(call, reset))
        return false;
    if (!redeem_proves(reset))
        audit.message = "A password was set anew by a link that was handed over.";
    /* The address is new and nobody had proved it: whoever linked the user before may be somebody else than who owns
     * the address, and does not keep a way in (security 70). */
    if (!reset->user->verified_at && !identity_db_ok(call, identity_provider_links_end(call->db, reset->user->id)))
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
           identity_notify(call, reset->user, &notice, &untold) && identity_audit_told(call, &audit, untold);
}

static bool begin_with_body(identity_call_t *call, identity_secret_kind_t kind, redemption_t *redemption)
{
    if (!redeem_begin(call, kind, identity_json_string(call->body, "token"), redemption))
        return false;
    redemption->password = identity_json_string(call->body, "new_password");
    return true;
}

bool identity_oauth_reset(identity_call_t *call)
{
    redemption_t reset;

    if (!begin_with_body(call, IDENTITY_SECRET_RESET, &reset) || !identity_read(call, read_reset, &reset) ||
        !new_hash(call, &reset) || !identity_write(call, write_reset, &reset))
        return false;
    identity_limit_proved(call, identity_user_key(call, reset.user));
    return identity_answer(call, 200, json_string("The password has been changed."));
}

/* ---- POST /oauth/activate-user ---------------------------------------------------------------------------------- */

/* A person who is active already proves to be the one invited by an own session; nobody accepts in another's name
 * (security 27). */
static bool right_person(identity_call_t *call, const redemption_t *accept)
{
    if (call->who && call->who->kind != IDENTITY_CALLER_USER)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL, "An API key cannot accept an invitation.");
    if (call->who && strcmp(call->who->id, accept->user->id) != 0)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                             "This invitation is for somebody else than the person who is signed in.");
    /* Somebody who has another address by now: it was not sent to that one (security 27). */
    if (strcmp(identity_username_key(call->pool, accept->invitation->email), identity_user_key(call, accept->user)) !=
        0)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                             "This invitation was sent to another address than the one that this person has now.");
    if (accept->invitation->adds && !call->who)
        return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL,
                             "Sign in first: this invitation adds to an account that is there.");
    return true;
}

static bool find_invitation(identity_call_t *call, redemption_t *accept)
{
    bool found;

    return redeem_find(call, accept) && redeem_user(call, accept) &&
           identity_db_found(call,
                             identity_invitation_get(call->db, accept->user->entity_id, accept->secret->invitation_id,
                                                     &accept->invitation),
                             &found) &&
           (found || redeem_dead(call));
}

static bool invitation_lives(identity_call_t *call, const redemption_t *accept)
{
    identity_invitation_state_t state = identity_invitation_state(accept->invitation, call->now);

    if (!redeem_lives(call, accept))
        return false;
    if ((state != IDENTITY_INVITATION_INVITED && state != IDENTITY_INVITATION_EXPIRED) ||
        accept->user->status != (accept->invitation->adds ? IDENTITY_USER_ACTIVE : IDENTITY_USER_INVITED))
        return redeem_dead(call);
    return state == IDENTITY_INVITATION_INVITED || redeem_expired(call);
}

/* What the invitation gives, and whether its inviter is there and may give it still (security 25, 26). */
static bool find_given(identity_call_t *call, redemption_t *accept, bool *holds)
{
    apr_array_header_t *owners = apr_array_make(call->pool, 1, sizeof(const char *));
    bool adds = accept->invitation->adds;

    APR_ARRAY_PUSH(owners, const char *) = adds ? accept->invitation->id : accept->user->id;
    if (!identity_holdings_load(call, adds ? IDENTITY_OWNER_INVITATION : IDENTITY_OWNER_USER, owners,
                                &accept->holdings) ||
        !identity_inviter_holds(call, accept->invitation, accept->holdings, holds))
        return false;
    accept->given = identity_held_memberships(accept->holdings, APR_ARRAY_IDX(owners, 0, const char *));
    return true;
}

static bool still_given(identity_call_t *call, redemption_t *accept)
{
    bool holds;
    return find_given(call, accept, &holds) && (holds || redeem_dead(call));
}

static bool read_accept(identity_call_t *call, void *data)
{
    redemption_t *accept = data;
    return find_invitation(call, accept) && invitation_lives(call, accept) && right_person(call, accept) &&
           still_given(call, accept);
}

bool identity_invitation_of_token(identity_call_t *call, const char *token, const char *email,
                                  identity_user_row_t **user)
{
    redemption_t accept;

    if (!redeem_begin(call, IDENTITY_SECRET_INVITE, token, &accept) || !find_invitation(call, &accept))
        return false;
    /* Before anything is told of the token: it is nothing to anybody else, be it live or expired. */
    if (strcmp(identity_username_key(call->pool, accept.invitation->email), email) != 0)
        return redeem_dead(call);
    *user = accept.user;
    return invitation_lives(call, &accept) && still_given(call, &accept);
}

static bool write_accepted(identity_call_t *call, redemption_t *accept)
{
    identity_user_row_t *user = accept->user;
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {
        .action = "ACTIVATE", .type = "USER", .message = "An invitation was accepted.", .changes = changes};

    /* A mail of it that is to be sent once more is of no use any more. */
    if (!identity_db_ok(call, identity_invitation_close(call->db, accept->invitation->id, IDENTITY_INVITATION_ACCEPTED,
                                                        call->now)) ||
        !identity_db_ok(call, identity_outbox_cancel(call->db, user->id, "invite")))
        return false;
    audit.id = audit.actor = user->id;
    audit.entity_id = user->entity_id;
    if (accept->invitation->adds) {
        if (!identity_db_ok(call, identity_memberships_adopt(call->db, accept->invitation->id, user->id)) ||
            !identity_db_ok(call, identity_team_members_adopt(call->db, accept->invitation->id, user->id, call->now)))
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

    return read_accept(call, accept) && redeem_spend(call, accept) && write_accepted(call, accept) &&
           identity_user_holdings(call, accept->user, &accept->holdings);
}

/* Whatever password the user had before is gone with it: nobody had proved to own the address (security 70). */
bool identity_invitation_accept(identity_call_t *call, identity_user_row_t *user, bool *accepted)
{
    redemption_t accept = {.kind = IDENTITY_SECRET_INVITE, .user = user};

    *accepted = false;
    if (!identity_db_found(call, identity_invitation_open(call->db, user->id, &accept.invitation), accepted))
        return false;
    *accepted = *accepted && !accept.invitation->adds &&
                identity_invitation_state(accept.invitation, call->now) == IDENTITY_INVITATION_INVITED &&
                strcmp(identity_username_key(call->pool, accept.invitation->email), identity_user_key(call, user)) == 0;
    if (!*accepted)
        return true;
    if (!find_given(call, &accept, accepted))
        return false;
    return !*accepted ||
           (identity_db_ok(call, identity_secrets_end(call->db, user->id, IDENTITY_SECRET_INVITE, call->now)) &&
            write_accepted(call, &accept));
}

bool identity_oauth_activate(identity_call_t *call)
{
    redemption_t accept;

    if (!begin_with_body(call, IDENTITY_SECRET_INVITE, &accept) || !identity_read(call, read_accept, &accept))
        return false;
    if (!accept.invitation->adds) {
        if (!accept.password)
            return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, "new_password", "new_password is needed.");
        if (!new_hash(call, &accept))
            return false;
    }
    if (!identity_write(call, write_accept, &accept))
        return false;
    identity_limit_proved(call, identity_user_key(call, accept.user));
    return identity_answer(call, 200, identity_user_json(call, accept.user, accept.holdings));
}

/* ---- POST /oauth/describe-link ---------------------------------------------------------------------------------- */

static bool read_link(identity_call_t *call, void *data)
{
    redemption_t *link = data;

    bool live = link->kind == IDENTITY_SECRET_RESET ? read_reset(call, link)
                : link->kind == IDENTITY_SECRET_CHANGE
                    ? redeem_change(call, link)
                    : find_invitation(call, link) && invitation_lives(call, link) && still_given(call, link);
    return live && identity_password_sign_in(call, link->user->entity_id, &link->sign_in);
}

/* The one whose prefix the token has; what is not a token is refused as an invitation's. */
static identity_secret_kind_t kind_of(const char *token)
{
    static const identity_secret_kind_t kinds[] = {IDENTITY_SECRET_RESET, IDENTITY_SECRET_CHANGE};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (identity_token_valid(token, redeem_prefix(kinds[i])))
            return kinds[i];
    return IDENTITY_SECRET_INVITE;
}

/* For the pages: whoever holds the secret reads the mailbox, so the address that the mail went to is nothing new to
 * them. Spends nothing (security 22) and refuses in the words of where the link is used (security 24). */
bool identity_oauth_describe_link(identity_call_t *call)
{
    static const char *const kinds[] = {
        [IDENTITY_SECRET_INVITE] = "INVITE", [IDENTITY_SECRET_RESET] = "RESET", [IDENTITY_SECRET_CHANGE] = "CHANGE"};
    const identity_settings_t *settings = call->env->settings;
    const char *token = identity_json_string(call->body, "token");
    redemption_t link;

    if (!redeem_begin(call, kind_of(token), token, &link) || !identity_read(call, read_link, &link))
        return false;
    bool adds = link.kind == IDENTITY_SECRET_INVITE && link.invitation->adds;
    json_t *answer = json_object();
    json_object_set_new(answer, "kind", json_string(kinds[link.kind]));
    json_object_set_new(
        answer, "username",
        json_string(link.kind == IDENTITY_SECRET_CHANGE ? link.user->pending_username : link.user->username));
    json_object_set_new(answer, "adds", json_boolean(adds));
    json_object_set_new(answer, "expires_at", identity_time_json(link.secret->expires_at));
    json_object_set_new(answer, "password_min_length",
                        json_integer((json_int_t)identity_password_minimum(settings->password_minimum)));
    json_object_set_new(answer, "password_sign_in", json_boolean(settings->password_grant && link.sign_in));
    return identity_answer(call, 200, answer);
}

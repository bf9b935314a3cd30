/* SPDX-License-Identifier: Apache-2.0 */
/* demo-token and sandbox-token: people without a user account, after a captcha (conf/interface.md).
 *
 * A guest of the demo account is a session and nothing else: there is no user who could be invited, deactivated or
 * count as an administrator, and no password, membership or refresh token that could be changed. Its rights are
 * determined with every request: *.VIEW in the account configured at that time.
 *
 * A sandbox is an entity with an expiry. Everything in it is ordinary; the expiry is checked wherever a credential
 * is presented (store: WITHIN_ENTITY; session.c), and afterwards identity_purge deletes it. */
#include <string.h>

#include "oauth/oauth.h"

/* Reserved: RFC 2606 keeps mail to it from going anywhere. */
#define SANDBOX_DOMAIN    ".sandbox.invalid"
#define SANDBOX_REFERENCE "sandbox"
#define SPECIMEN          "00000000000000000000" /* as long as the mark of any sandbox */
/* Until a failed service is worth another attempt, and until a sandbox may have made room. */
#define RETRY_CAPTCHA     10
#define RETRY_ROOM        60

/* Without holding a database connection. */
static bool solved(identity_call_t *call)
{
    const char *error;

    switch (identity_captcha_verify(call->pool, call->env->settings->captcha,
                                    identity_json_string(call->body, "captcha_token"),
                                    call->in->client_address, &error)) {
    case IDENTITY_CAPTCHA_PASSED:
        return true;
    case IDENTITY_CAPTCHA_REFUSED:
        return identity_ratelimit_failed(call) &&
               identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "captcha_token",
                             "captcha_token was not accepted; please solve the captcha again.");
    case IDENTITY_CAPTCHA_UNAVAILABLE:
        break;
    }
    identity_log(call, IDENTITY_LOG_ERROR,
                 "ID0380: the service of IdentityCaptcha cannot be used: %s", error);
    identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL,
                  "The captcha cannot be verified at the moment; please try again.");
    call->problem.retry_after = RETRY_CAPTCHA;
    return false;
}

/* ---- the demo account ------------------------------------------------------------------------------------------- */

static bool no_demo(identity_call_t *call)
{
    return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                         "There is no demo account on this server.");
}

typedef struct visit {
    identity_account_row_t *account;
    identity_login_t login;
} guest_t;

static bool find_account(identity_call_t *call, void *data)
{
    guest_t *visit = data;
    return identity_demo_account(call, &visit->account);
}

static bool write_guest(identity_call_t *call, void *data)
{
    guest_t *visit = data;

    if (!identity_demo_account(call, &visit->account))
        return false;
    return visit->account ? identity_login_guest(call, &visit->login, visit->account)
                          : no_demo(call);
}

bool identity_op_demo_token(identity_call_t *call)
{
    const identity_settings_t *settings = call->env->settings;
    guest_t visit = {.account = NULL};

    if (!settings->demo_account || !settings->captcha)
        return no_demo(call);
    if (!identity_read(call, find_account, &visit))
        return false;
    if (!visit.account) {
        identity_log(
            call, IDENTITY_LOG_ERROR,
            "ID0381: IdentityDemoAccount %s names no account, or several; use the account's id",
            settings->demo_account);
        return no_demo(call);
    }
    return solved(call) && identity_write(call, write_guest, &visit) &&
           identity_login_answer(call, &visit.login);
}

/* ---- sandboxes -------------------------------------------------------------------------------------------------- */

typedef struct sandbox {
    const char *email;
    identity_entity_row_t entity;
    identity_account_row_t account;
    identity_user_row_t user;
    identity_login_t login;
} sandbox_t;

static bool is_room(identity_call_t *call, void *data)
{
    apr_int64_t count;

    (void)data;
    if (!identity_db_ok(call, identity_sandboxes_count(call->db, IDENTITY_SANDBOXES, &count)))
        return false;
    if (count < IDENTITY_SANDBOXES)
        return true;
    identity_log(call, IDENTITY_LOG_WARNING, "ID0382: the limit of %d sandboxes is reached",
                 IDENTITY_SANDBOXES);
    identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL,
                  "There are too many sandboxes; please try again later.");
    call->problem.retry_after = RETRY_ROOM;
    return false;
}

static void fill_entity(identity_call_t *call, sandbox_t *sandbox)
{
    sandbox->entity =
        (identity_entity_row_t){.id = identity_call_id(call, "enti"),
                                .name = "Sandbox",
                                .created_at = call->now,
                                .expires_at = call->now + call->env->settings->sandbox_lifetime};
    /* Unique because the id is; other references never contain a colon, so there are no collisions. */
    sandbox->entity.reference =
        apr_pstrcat(call->pool, SANDBOX_REFERENCE ":", sandbox->entity.id, NULL);
    sandbox->account = (identity_account_row_t){.id = identity_call_id(call, "plat"),
                                                .entity_id = sandbox->entity.id,
                                                .reference = SANDBOX_REFERENCE,
                                                .account_type_code = "PLATFORM",
                                                .environment = "TEST",
                                                .created_at = call->now};
}

static const char *name_in(identity_call_t *call, const char *email, const char *mark)
{
    return apr_pstrcat(call->pool, email, ".", mark, SANDBOX_DOMAIN, NULL);
}

/* The address is unproved, and may already be somebody's user name: a unique mark is added to form the name. */
static void fill_user(identity_call_t *call, sandbox_t *sandbox)
{
    identity_user_row_t *user = &sandbox->user;

    user->id = identity_call_id(call, "user");
    user->entity_id = sandbox->entity.id;
    user->username = name_in(call, sandbox->email, strchr(sandbox->entity.id, '_') + 1);
    user->canonical = identity_username_canonical(call->pool, user->username);
    user->status = IDENTITY_USER_ACTIVE;
    user->created_at = user->updated_at = call->now;
    user->version = 1;
}

static bool write_things(identity_call_t *call, sandbox_t *sandbox)
{
    identity_membership_row_t membership = {.id = identity_call_id(call, "memb"),
                                            .entity_id = sandbox->entity.id,
                                            .owner_id = sandbox->user.id,
                                            .account = sandbox->account,
                                            .type = IDENTITY_MEMBER_ADMIN,
                                            .created_at = call->now};
    apr_array_header_t *roles = apr_array_make(call->pool, 1, sizeof(const char *));

    return membership.id &&
           identity_db_ok(call, identity_entity_insert(call->db, &sandbox->entity)) &&
           identity_db_ok(call, identity_account_insert(call->db, &sandbox->account)) &&
           identity_db_ok(call, identity_user_insert(call->db, &sandbox->user)) &&
           identity_db_ok(
               call, identity_membership_insert(call->db, IDENTITY_OWNER_USER, &membership, roles));
}

/* The sandbox's own trail, which is deleted with it, records for whom it was created; the server's trail, without a
 * name, that it was. */
static bool write_trail(identity_call_t *call, const sandbox_t *sandbox)
{
    identity_audit_t audit = {.action = "SANDBOX_CREATED",
                              .type = "ENTITY",
                              .id = sandbox->entity.id,
                              .actor = sandbox->user.id,
                              .entity_id = sandbox->entity.id,
                              .account = &sandbox->account};

    audit.message =
        apr_pstrcat(call->pool, "A sandbox was created for ", sandbox->email, ".", NULL);
    if (!identity_audit(call, &audit))
        return false;
    audit.entity_id = audit.actor = "";
    audit.account = NULL;
    audit.message = "A sandbox was created.";
    return identity_audit(call, &audit);
}

static bool write_sandbox(identity_call_t *call, void *data)
{
    sandbox_t *sandbox = data;

    fill_entity(call, sandbox);
    if (!sandbox->entity.id || !sandbox->account.id)
        return false;
    fill_user(call, sandbox);
    sandbox->login = (identity_login_t){.user = &sandbox->user, .method = "sandbox"};
    return sandbox->user.id && is_room(call, NULL) && write_things(call, sandbox) &&
           write_trail(call, sandbox) && identity_login_open(call, &sandbox->login);
}

bool identity_op_sandbox_token(identity_call_t *call)
{
    sandbox_t sandbox = {.email = identity_json_string(call->body, "email")};

    if (!call->env->settings->sandbox || !call->env->settings->captcha)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                             "Sandboxes are not enabled on this server.");
    if (!identity_username_canonical(call->pool, name_in(call, sandbox.email, SPECIMEN)))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "email",
                             "email is too long for a sandbox.");
    /* Checked first, so that nobody solves a captcha in vain. */
    return identity_read(call, is_room, NULL) && solved(call) &&
           identity_write(call, write_sandbox, &sandbox) &&
           identity_login_answer(call, &sandbox.login);
}

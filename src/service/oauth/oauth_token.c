/* SPDX-License-Identifier: Apache-2.0 */
/* token, refresh-token, logout in the form of the published interface; oauth_form.c has their standard forms. */
#include <string.h>

#include "oauth/oauth.h"

/* Within this time a spent refresh token is a retry by a client that lost the answer; later it is theft (RFC 9700,
 * 4.14; security 36). */
#define RETRY_WINDOW apr_time_from_sec(10)

/* ---- by alias -----------------------------------------------------------------------------------------------------
 */

typedef struct attempt {
    const char *digest;
    identity_user_row_t *user; /* NULL: unknown */
    identity_alias_row_t *alias;
    identity_login_t login;
} attempt_t;

static bool write_failure(identity_call_t *call, void *data)
{
    const attempt_t *attempt = data;
    return identity_login_failed(call, attempt->user);
}

/* An alias signs in repeatedly without a hash: as often as a session may refresh. */
static bool find_alias(identity_call_t *call, void *data)
{
    attempt_t *attempt = data;
    bool found;

    if (!identity_db_found(call, identity_alias_get(call->db, attempt->digest, &attempt->alias),
                           &found))
        return false;
    return !found || identity_ratelimit_take(call, IDENTITY_RATE_REFRESH, attempt->alias->id);
}

static bool write_alias_login(identity_call_t *call, void *data)
{
    attempt_t *attempt = data;
    bool found;

    if (!identity_db_found(call, identity_alias_get(call->db, attempt->digest, &attempt->alias),
                           &found))
        return false;
    if (found && !identity_db_found(call,
                                    identity_user_get(call->db, attempt->alias->entity_id,
                                                      attempt->alias->user_id, &attempt->user),
                                    &found))
        return false;
    if (!found || attempt->alias->expires_at <= call->now ||
        attempt->user->status != IDENTITY_USER_ACTIVE) {
        if (!found)
            attempt->user = NULL;
        return identity_ratelimit_failed(call) && write_failure(call, attempt);
    }
    attempt->login.user = attempt->user;
    attempt->login.method = "alias";
    return identity_db_ok(call, identity_alias_touch(call->db, attempt->alias->id, call->now)) &&
           identity_login_open(call, &attempt->login);
}

static bool login_by_alias(identity_call_t *call, const char *alias)
{
    attempt_t attempt = {.digest = identity_token_digest(call->pool, alias)};

    if (!identity_ratelimit_account(call, NULL))
        return false;
    if (identity_token_valid(alias, IDENTITY_TOKEN_ALIAS)) {
        if (!identity_read(call, find_alias, &attempt) ||
            !identity_write(call, write_alias_login, &attempt))
            return false;
        if (attempt.login.session) {
            identity_ratelimit_trust_client(call, identity_user_key(call, attempt.user));
            return identity_login_answer(call, &attempt.login);
        }
    } else if (!identity_ratelimit_failed(call) || !identity_write(call, write_failure, &attempt)) {
        return false;
    }
    return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL, "The alias is not valid.");
}

/* ---- POST /oauth/token ------------------------------------------------------------------------------------------ */

bool identity_op_obtain_token(identity_call_t *call)
{
    const char *username = identity_json_string(call->body, "username"),
               *password = identity_json_string(call->body, "password");
    const char *alias = identity_json_string(call->body, "token_alias");

    if (call->standard)
        return identity_oauth_grant(call);
    if (alias && (username || password))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "token_alias",
                             "token_alias must be sent without username and password.");
    if (alias)
        return login_by_alias(call, alias);
    if (!username)
        return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, "username",
                             "username is required.");
    if (!password)
        return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, "password",
                             "password is required.");
    return identity_login_by_password(call, username, password);
}

/* ---- POST /oauth/refresh-token ---------------------------------------------------------------------------------- */

typedef struct renewal {
    const char *token;
    identity_refresh_row_t *refresh;
    identity_user_row_t *user;
    identity_login_t login;
    bool live, reused;
} renewal_t;

static bool find_refresh(identity_call_t *call, void *data)
{
    renewal_t *renewal = data;

    if (!identity_refresh_session(call, renewal->token, &renewal->refresh, &renewal->login.session,
                                  &renewal->user))
        return false;
    renewal->live = renewal->login.session != NULL;
    renewal->login.user = renewal->user;
    return true;
}

static bool end_family(identity_call_t *call, renewal_t *renewal)
{
    identity_audit_t audit = {.action = "REFRESH_REUSED",
                              .type = "SESSION",
                              .message =
                                  "A spent refresh token was used again: its session was ended."};

    audit.id = renewal->login.session->id;
    audit.entity_id = renewal->user->entity_id;
    audit.actor = renewal->user->id;
    renewal->reused = true;
    return identity_db_ok(call,
                          identity_session_end(call->db, renewal->login.session->id, call->now)) &&
           identity_audit(call, &audit);
}

static bool rotate(identity_call_t *call, renewal_t *renewal)
{
    identity_session_row_t *session = renewal->login.session;
    identity_refresh_row_t next = {.session_id = session->id, .nonce = "", .created_at = call->now};
    const char *nonce = identity_call_id(call, "nonc");
    identity_audit_t audit = {.action = "REFRESH",
                              .type = "SESSION",
                              .id = session->id,
                              .entity_id = session->entity_id,
                              .actor = session->user_id,
                              .message = "A refresh token was exchanged."};

    if (!nonce)
        return false;
    renewal->login.refresh = identity_refresh_successor(call->pool, renewal->token, nonce);
    next.digest = identity_token_digest(call->pool, renewal->login.refresh);
    session->idle_expires_at = call->now + call->env->settings->refresh_idle;
    if (session->idle_expires_at >
        session->expires_at) /* never past the absolute expiry (security 34) */
        session->idle_expires_at = session->expires_at;
    const char *digest = identity_token_digest(call->pool, renewal->token);
    return identity_db_ok(call, identity_refresh_spend(call->db, digest, nonce, call->now)) &&
           identity_db_ok(call, identity_refresh_insert(call->db, &next)) &&
           identity_db_ok(
               call, identity_session_touch(call->db, session->id, session->idle_expires_at)) &&
           identity_audit(call, &audit);
}

static bool write_renewal(identity_call_t *call, void *data)
{
    renewal_t *renewal = data;

    if (!find_refresh(call, renewal))
        return false;
    if (!renewal->live)
        return true;
    if (renewal->refresh->spent_at == 0)
        return rotate(call, renewal);
    if (call->now - renewal->refresh->spent_at > RETRY_WINDOW)
        return end_family(call, renewal);
    renewal->login.refresh =
        identity_refresh_successor(call->pool, renewal->token, renewal->refresh->nonce);
    return true;
}

static bool may_refresh(identity_call_t *call, const renewal_t *renewal)
{
    const identity_refresh_row_t *refresh = renewal->refresh;

    return !renewal->live || (refresh->spent_at && call->now - refresh->spent_at > RETRY_WINDOW) ||
           identity_ratelimit_take(call, IDENTITY_RATE_REFRESH, renewal->login.session->id);
}

bool identity_session_renew(identity_call_t *call, const char *token, identity_login_t *login)
{
    renewal_t renewal = {.token = token};

    memset(login, 0, sizeof *login);
    if (!identity_token_valid(token, IDENTITY_TOKEN_REFRESH))
        return true;
    /* Looked up first, so that made-up tokens never wait for the write lock; a session that refreshes too often is
     * throttled, but not the termination of one whose spent token was reused. */
    if (!identity_read(call, find_refresh, &renewal) || !may_refresh(call, &renewal) ||
        (renewal.live && !identity_write(call, write_renewal, &renewal)))
        return false;
    if (renewal.live && !renewal.reused)
        *login = renewal.login;
    return true;
}

bool identity_op_refresh_token(identity_call_t *call)
{
    const char *token = identity_refresh_cookie(call);
    identity_login_t login = {.refresh = NULL};

    if (!identity_refresh_cookie_single(call))
        return false;
    if (token && (!identity_same_origin(call) || !identity_session_renew(call, token, &login)))
        return false;
    if (login.refresh)
        return identity_login_answer(call, &login);
    identity_session_cookies_clear(call);
    return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL,
                         "There is no live session; please sign in again.");
}

/* ---- POST /oauth/logout ----------------------------------------------------------------------------------------- */

typedef struct logout {
    renewal_t cookie;
    const char *access; /* the session of the access cookie, or NULL */
    bool ended;
} logout_t;

static bool end_session(identity_call_t *call, const char *session, const char *user,
                        const char *entity, bool *ended)
{
    identity_audit_t audit = {.action = "LOGOUT",
                              .type = "SESSION",
                              .id = session,
                              .actor = user,
                              .entity_id = entity,
                              .message = "Signed out."};
    identity_db_status_t status = identity_session_end(call->db, session, call->now);

    if (status == IDENTITY_DB_NONE)
        return true;
    *ended = true;
    return identity_db_ok(call, status) && identity_audit(call, &audit);
}

static bool end_access(identity_call_t *call, logout_t *logout)
{
    identity_session_row_t *session;
    identity_user_row_t *user;
    bool found;

    if (!identity_db_found(call, identity_session_get(call->db, logout->access, &session, &user),
                           &found))
        return false;
    return !found || !identity_session_live(session, user, call->now) ||
           end_session(call, session->id, user->id, user->entity_id, &logout->ended);
}

static bool write_logout(identity_call_t *call, void *data)
{
    logout_t *logout = data;
    renewal_t *cookie = &logout->cookie;

    if (call->principal && call->principal->session_id &&
        !end_session(call, call->principal->session_id, call->principal->id,
                     call->principal->entity_id, &logout->ended))
        return false;
    if (logout->access && !end_access(call, logout))
        return false;
    if (!cookie->live)
        return true;
    if (!find_refresh(call, cookie))
        return false;
    return !cookie->live || end_session(call, cookie->login.session->id, cookie->user->id,
                                        cookie->user->entity_id, &logout->ended);
}

bool identity_op_logout(identity_call_t *call)
{
    logout_t logout = {.cookie = {.token = identity_refresh_cookie(call)}};
    bool bearer = call->principal && call->principal->session_id;

    if (!identity_refresh_cookie_single(call))
        return false;
    if (logout.cookie.token && !identity_same_origin(call)) {
        if (!bearer)
            return false;
        logout.cookie.token = NULL;
    }
    /* Made-up tokens never wait for the write lock. */
    if (logout.cookie.token && !identity_read(call, find_refresh, &logout.cookie))
        return false;
    if ((bearer || logout.cookie.live) && !identity_write(call, write_logout, &logout))
        return false;
    identity_session_cookies_clear(call);
    if (!logout.ended)
        return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL,
                             "There is no live session.");
    return identity_answer_empty(call, 200);
}

bool identity_browser_logout(identity_call_t *call, bool *ended)
{
    logout_t logout = {.cookie = {.token = identity_refresh_cookie(call)}};
    const char *access = identity_access_cookie(call);

    if (!identity_refresh_cookie_single(call))
        return false;
    if (access)
        logout.access = identity_access_cookie_session(call, access);
    if (logout.cookie.token && !identity_read(call, find_refresh, &logout.cookie))
        return false;
    if ((logout.access || logout.cookie.live) && !identity_write(call, write_logout, &logout))
        return false;
    identity_session_cookies_clear(call);
    *ended = logout.ended;
    return true;
}

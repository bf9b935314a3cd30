/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, access tokens and the refresh cookie (conf/interface.md). */
#include <string.h>

#include "login/login.h"

#define COOKIE_PATH "/v1/oauth"

/* Limits the live sessions: expired ones are removed first, then the oldest. */
static bool make_room(identity_call_t *call, const identity_user_row_t *user)
{
    identity_audit_t audit = {.action = "SESSION_LIMIT",
                              .type = "USER",
                              .id = user->id,
                              .entity_id = user->entity_id,
                              .actor = user->id,
                              .each_minute = true,
                              .message = "The oldest session was ended: there were too many."};
    apr_int64_t count = 0;
    int ended = 0;

    if (!identity_db_ok(call,
                        identity_sessions_count(call->db, user->id, IDENTITY_SESSIONS_MAX, &count)))
        return false;
    if (count < IDENTITY_SESSIONS_MAX)
        return true;
    if (!identity_db_ok(call, identity_sessions_expire(call->db, user->id, call->now)) ||
        !identity_db_ok(call, identity_sessions_trim(call->db, user->id, IDENTITY_SESSIONS_MAX - 1,
                                                     call->now, &ended)))
        return false;
    return !ended || identity_audit(call, &audit);
}

static bool begin_session(identity_call_t *call, identity_login_t *login, const char *entity_id,
                          apr_interval_time_t idle, apr_interval_time_t absolute)
{
    identity_session_row_t *session = apr_pcalloc(call->pool, sizeof *session);

    login->session = session;
    session->id = identity_call_id(call, "sess");
    session->entity_id = entity_id;
    session->user_id = login->user ? login->user->id : NULL;
    session->method = login->method;
    session->client_address = call->in->client_address ? call->in->client_address : "";
    session->user_agent = identity_user_agent(call);
    session->created_at = session->authenticated_at = call->now;
    session->expires_at = call->now + absolute;
    session->idle_expires_at = call->now + idle;
    return session->id != NULL;
}

/* Nothing in a sandbox outlives it. */
static bool end_with_entity(identity_call_t *call, identity_session_row_t *session)
{
    identity_entity_row_t *entity;

    if (!identity_db_ok(call, identity_entity_find(call->db, session->entity_id, &entity)))
        return false;
    if (entity->expires_at && entity->expires_at <= call->now)
        return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL,
                             "This sandbox has expired.");
    if (entity->expires_at && entity->expires_at < session->expires_at)
        session->expires_at = entity->expires_at;
    return true;
}

bool identity_login_open(identity_call_t *call, identity_login_t *login)
{
    const identity_settings_t *settings = call->env->settings;
    identity_audit_t audit = {.action = "LOGIN",
                              .type = "SESSION",
                              .entity_id = login->user->entity_id,
                              .actor = login->user->id};
    identity_refresh_row_t refresh = {.nonce = "", .created_at = call->now};

    login->refresh = identity_token_make(call->pool, IDENTITY_TOKEN_REFRESH, &call->env->random);
    if (!login->refresh || !begin_session(call, login, login->user->entity_id,
                                          settings->refresh_idle, settings->refresh_absolute))
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    refresh.digest = identity_token_digest(call->pool, login->refresh);
    refresh.session_id = audit.id = login->session->id;
    audit.message = apr_pstrcat(call->pool, "Signed in by ", login->method, ".", NULL);
    if (!login->user->signed_in_at &&
        !identity_db_ok(call, identity_user_signed_in(call->db, login->user->id, call->now)))
        return false;
    return end_with_entity(call, login->session) && make_room(call, login->user) &&
           identity_db_ok(call, identity_session_insert(call->db, login->session)) &&
           identity_db_ok(call, identity_refresh_insert(call->db, &refresh)) &&
           identity_audit(call, &audit);
}

bool identity_login_guest(identity_call_t *call, identity_login_t *login,
                          const identity_account_row_t *account)
{
    apr_interval_time_t lifetime = call->env->settings->demo_lifetime;
    identity_audit_t audit = {.action = "DEMO_TOKEN",
                              .type = "SESSION",
                              .account = account,
                              .entity_id = account->entity_id};

    login->method = "demo";
    if (!begin_session(call, login, account->entity_id, lifetime, lifetime))
        return false;
    /* The guest's address is omitted: other guests can read this. */
    audit.id = audit.actor = login->session->id;
    audit.message = "A guest opened the demo account.";
    return identity_db_ok(call, identity_session_insert(call->db, login->session)) &&
           identity_audit(call, &audit);
}

/* Secure is omitted only for plain HTTP over loopback, where no browser would accept it; not if a proxy on this host
 * terminates TLS. */
bool identity_cookie_plain(const identity_call_t *call)
{
    return !call->in->secure && call->in->loopback &&
           strncmp(call->env->settings->public_url, "https:", 6) != 0;
}

void identity_cookie_set(identity_call_t *call, const identity_cookie_t *cookie)
{
    identity_cookie_t sent = *cookie;

    sent.plain = identity_cookie_plain(call);
    identity_header(call, "Set-Cookie", identity_cookie_text(call->pool, &sent));
}

void identity_oauth_cookie_set(identity_call_t *call, const char *name, const char *value,
                               apr_int64_t seconds)
{
    identity_cookie_set(call, &(identity_cookie_t){.name = name,
                                                   .value = value,
                                                   .path = COOKIE_PATH,
                                                   .same_site = "Strict",
                                                   .seconds = seconds});
}

void identity_session_cookies_clear(identity_call_t *call)
{
    identity_oauth_cookie_set(call, IDENTITY_REFRESH_COOKIE, "", 0);
    identity_access_cookie_clear(call);
}

const char *identity_cookie(identity_call_t *call, const char *name, const char *prefix)
{
    const apr_array_header_t *values =
        identity_cookie_values(call->pool, call->in->headers.cookie, name);
    const char *value = NULL;

    for (int i = 0; i < values->nelts; i++) {
        const char *given = APR_ARRAY_IDX(values, i, const char *);
        if (prefix && !identity_token_valid(given, prefix))
            continue;
        if (value && strcmp(value, given) != 0)
            return NULL; /* ambiguous */
        value = given;
    }
    return value;
}

bool identity_refresh_cookie_single(identity_call_t *call)
{
    if (identity_cookie_values(call->pool, call->in->headers.cookie, IDENTITY_REFRESH_COOKIE)
            ->nelts < 2)
        return true;
    identity_session_cookies_clear(call);
    return identity_deny(call, IDENTITY_PROBLEM_BAD_REQUEST, NULL,
                         "The cookie " IDENTITY_REFRESH_COOKIE
                         " was sent more than once, so the session is ambiguous.");
}

const char *identity_refresh_cookie(identity_call_t *call)
{
    return identity_cookie(call, IDENTITY_REFRESH_COOKIE, IDENTITY_TOKEN_REFRESH);
}

bool identity_same_origin(identity_call_t *call)
{
    const char *origin = call->in->headers.origin, *site = call->in->headers.fetch_site;
    /* Neither: no browser page sent this. */
    bool fits = identity_origin_fits(call) ||
                (origin ? call->in->origin_granted : !site || strcmp(site, "none") == 0);

    return fits || identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                                 "The session cookie cannot be used by a page of another origin.");
}

bool identity_access_sign(identity_call_t *call, identity_access_t *access)
{
    const identity_settings_t *settings = call->env->settings;
    identity_claims_t claims = {.issuer = settings->public_url,
                                .audience = settings->public_url,
                                .client_id = access->client_id,
                                .subject = access->subject,
                                .session_id = access->session_id,
                                .entity_id = access->entity_id};

    access->issued_at = call->now - call->now % APR_USEC_PER_SEC;
    access->expires_at = access->issued_at + settings->access_lifetime;
    if (access->ends && (access->expires_at > access->ends || access->whole))
        access->expires_at = access->ends - access->ends % APR_USEC_PER_SEC;
    claims.issued_at = access->issued_at;
    claims.expires_at = access->expires_at;
    claims.jwt_id = identity_call_id(call, "tokn");
    access->text = claims.jwt_id ? identity_jwt_sign(call->pool, call->env->keys, &claims) : NULL;
    return access->text || identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
}

/* After the commit. method is NULL if a session continues. */
static void count(const identity_call_t *call, const char *method)
{
    static const struct {
        const char *method;
        identity_metric_t metric;
    } counters[] = {{"password", IDENTITY_METRIC_LOGINS_PASSWORD},
                    {"sso", IDENTITY_METRIC_LOGINS_SSO},
                    {"alias", IDENTITY_METRIC_LOGINS_ALIAS},
                    {"demo", IDENTITY_METRIC_LOGINS_DEMO},
                    {"sandbox", IDENTITY_METRIC_LOGINS_SANDBOX}};
    identity_metric_t metric = IDENTITY_METRIC_LOGINS_REFRESH;

    for (size_t i = 0; method && i < sizeof counters / sizeof counters[0]; i++)
        if (strcmp(counters[i].method, method) == 0)
            metric = counters[i].metric;
    identity_metric_add(call->env->metrics, metric, 1);
}

bool identity_login_answer(identity_call_t *call, const identity_login_t *login)
{
    const identity_session_row_t *session = login->session;
    apr_time_t idle = session->idle_expires_at < session->expires_at ? session->idle_expires_at
                                                                     : session->expires_at;
    identity_access_t access = {.subject = login->user ? login->user->id : session->id,
                                .session_id = session->id,
                                .client_id = login->user ? "identity" : "demo",
                                .entity_id = session->entity_id,
                                .whole = !login->user,
                                .ends = idle};

    if (!identity_access_sign(call, &access))
        return false;
    count(call, login->method);
    if (call->standard)
        return identity_oauth_answer(call, &access, login->refresh);
    json_t *token = json_object();
    json_object_set_new(token, "issued_at", identity_time_json(access.issued_at));
    json_object_set_new(token, "access_token", json_string(access.text));
    json_object_set_new(token, "expires_in",
                        json_integer(apr_time_sec(access.expires_at - access.issued_at)));
    json_object_set_new(token, "expires_at", identity_time_json(access.expires_at));
    json_object_set_new(token, "token_type", json_string("Bearer"));
    json_object_set_new(token, "scope", json_null());
    json_object_set_new(token, "id_token", json_null());
    if (login->refresh) {
        identity_oauth_cookie_set(call, IDENTITY_REFRESH_COOKIE, login->refresh,
                                  apr_time_sec(idle - call->now));
        identity_access_cookie_set(call, session);
    }
    return identity_answer(call, 200, token);
}

bool identity_refresh_session(identity_call_t *call, const char *token,
                              identity_refresh_row_t **refresh, identity_session_row_t **session,
                              identity_user_row_t **user)
{
    bool found;

    *session = NULL;
    *user = NULL;
    if (!identity_db_found(
            call, identity_refresh_get(call->db, identity_token_digest(call->pool, token), refresh),
            &found))
        return false;
    if (found &&
        !identity_db_found(
            call, identity_session_get(call->db, (*refresh)->session_id, session, user), &found))
        return false;
    if (!found || !identity_session_live(*session, *user, call->now)) {
        *session = NULL;
        *user = NULL;
    }
    return true;
}

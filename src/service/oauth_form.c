/* POST /oauth/token with a form: grants and answers of RFC 6749. */
#include <string.h>

#include "service_int.h"

/* ---- answers ---------------------------------------------------------------------------------------------------- */

/* RFC 6749, 5.1 asks for it beside Cache-Control. */
static void no_cache(identity_call_t *call)
{
    identity_header(call, "Pragma", "no-cache");
}

bool identity_oauth_answer(identity_call_t *call, const identity_access_t *access, const char *refresh)
{
    json_t *token = json_object();

    no_cache(call);
    json_object_set_new(token, "access_token", json_string(access->text));
    json_object_set_new(token, "token_type", json_string("Bearer"));
    json_object_set_new(token, "expires_in", json_integer(apr_time_sec(access->expires_at - access->issued_at)));
    if (refresh)
        json_object_set_new(token, "refresh_token", json_string(refresh));
    return identity_answer(call, 200, token);
}

static const char *error_of(const identity_call_t *call, int status)
{
    if (status == 503 || status == 429)
        return "temporarily_unavailable";
    if (status >= 500)
        return "server_error";
    if (call->oauth_error)
        return call->oauth_error;
    if (call->problem.kind == IDENTITY_PROBLEM_UNAUTHORISED)
        return "invalid_client";
    return call->problem.kind == IDENTITY_PROBLEM_NOT_ALLOWED ? "access_denied" : "invalid_request";
}

/* What error_description may hold: printable ASCII without quotes and backslashes. */
static const char *description_of(identity_call_t *call)
{
    json_t *problem = identity_json_own(call->pool, identity_problem_json(&call->problem));
    char *text = apr_pstrdup(call->pool, identity_json_string(problem, "message"));

    for (char *at = text; *at; at++)
        if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\')
            *at = '?';
    return text;
}

json_t *identity_oauth_problem(identity_call_t *call, int *status)
{
    const char *error = error_of(call, *status);
    json_t *body = json_object();

    if (call->oauth_error == error)
        *status = 400;
    if (strcmp(error, "invalid_token") == 0) {
        *status = 401;
        identity_header(call, "WWW-Authenticate",
                        identity_challenge_bearer(call->pool, IDENTITY_REALM, error, NULL, NULL));
    } else if (strcmp(error, "invalid_client") == 0) {
        *status = 401;
        identity_header(call, "WWW-Authenticate", identity_challenge_basic(call->pool, IDENTITY_REALM));
    }
    no_cache(call);
    json_object_set_new(body, "error", json_string(error));
    json_object_set_new(body, "error_description", json_string(description_of(call)));
    return body;
}

/* ---- grants ----------------------------------------------------------------------------------------------------- */

static bool lacks(identity_call_t *call, const char *name)
{
    return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, name, "%s is needed.", name);
}

static bool by_password(identity_call_t *call)
{
    const char *username = identity_json_string(call->body, "username"),
               *password = identity_json_string(call->body, "password");

    if (!call->env->settings->password_grant)
        return identity_oauth_deny(call, "unsupported_grant_type", IDENTITY_PROBLEM_BAD_REQUEST,
                                   "Signing in by password is switched off on this server.");
    if (!username || !password)
        return lacks(call, username ? "password" : "username");
    if (identity_login_by_password(call, username, password))
        return true;
    if (call->problem.kind == IDENTITY_PROBLEM_UNAUTHORISED)
        call->oauth_error = "invalid_grant";
    /* Switched off for the entity: another grant is the way (RFC 6749, 5.2). */
    if (call->problem.kind == IDENTITY_PROBLEM_NOT_ALLOWED)
        call->oauth_error = "unauthorized_client";
    return false;
}

static bool by_refresh_token(identity_call_t *call)
{
    const char *token = identity_json_string(call->body, "refresh_token");
    identity_login_t login;

    if (!token)
        return lacks(call, "refresh_token");
    if (!identity_session_renew(call, token, &login))
        return false;
    if (login.refresh)
        return identity_login_answer(call, &login);
    return identity_oauth_deny(call, "invalid_grant", IDENTITY_PROBLEM_UNAUTHORISED,
                               "There is no live session of this refresh token.");
}

static bool write_issue(identity_call_t *call, void *data)
{
    const identity_key_row_t *key = data;
    identity_audit_t audit = {.action = "TOKEN_ISSUED",
                              .type = "API_KEY",
                              .id = key->id,
                              .entity_id = key->entity_id,
                              .actor = key->id,
                              .each_minute = true,
                              .message = "The key was given an access token."};

    if (call->now - key->last_used_at >= IDENTITY_LAST_USE_STEP &&
        !identity_db_ok(call, identity_key_touch(call->db, key->id, call->now)))
        return false;
    return identity_audit(call, &audit);
}

/* An access token that lives by its key: no session, nothing to refresh. */
static bool by_client(identity_call_t *call, const identity_client_t *client)
{
    identity_key_row_t *key = client->key;

    if (!key)
        return identity_oauth_deny(call, "invalid_client", IDENTITY_PROBLEM_UNAUTHORISED,
                                   "An API key is needed: its id as client_id, the key as client_secret.");
    identity_access_t access = {.subject = key->id,
                                .session_id = key->id,
                                .client_id = key->id,
                                .entity_id = key->entity_id,
                                .ends = key->expires_at};
    return identity_access_sign(call, &access) && identity_write(call, write_issue, key) &&
           identity_oauth_answer(call, &access, NULL);
}

bool identity_oauth_grant(identity_call_t *call)
{
    const char *grant = identity_json_string(call->body, "grant_type");
    identity_client_t client;

    if (!identity_oauth_client(call, &client))
        return false;
    if (identity_json_string(call->body, "scope"))
        return identity_oauth_deny(call, "invalid_scope", IDENTITY_PROBLEM_BAD_REQUEST,
                                   "There are no scopes: what a token may do is what its user or key may.");
    if (strcmp(grant, "password") == 0)
        return by_password(call);
    if (strcmp(grant, "refresh_token") == 0)
        return by_refresh_token(call);
    if (strcmp(grant, "client_credentials") == 0)
        return by_client(call, &client);
    return identity_oauth_deny(call, "unsupported_grant_type", IDENTITY_PROBLEM_BAD_REQUEST,
                               "grant_type must be one of those that the metadata lists.");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* POST /oauth/token with a form: grants and answers of RFC 6749. */
#include <string.h>

#include "oauth/oauth.h"

/* ---- grants ----------------------------------------------------------------------------------------------------- */

static bool lacks(identity_call_t *call, const char *name)
{
    return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, name, "%s is required.", name);
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
    /* Disabled for the entity: the client must use another grant (RFC 6749, 5.2). */
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
                               "The refresh token does not belong to a live session.");
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
                              .message = "The API key was issued an access token."};

    if (call->now - key->last_used_at >= IDENTITY_LAST_USE_STEP &&
        !identity_db_ok(call, identity_key_touch(call->db, key->id, call->now)))
        return false;
    return identity_audit(call, &audit);
}

/* An access token for an API key: no session, no refresh token. */
static bool by_client(identity_call_t *call, const identity_client_t *client)
{
    identity_key_row_t *key = client->key;

    if (!key)
        return identity_oauth_deny(
            call, "invalid_client", IDENTITY_PROBLEM_UNAUTHORISED,
            "An API key is required: its id as client_id, the key as client_secret.");
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
        return identity_oauth_deny(
            call, "invalid_scope", IDENTITY_PROBLEM_BAD_REQUEST,
            "Scopes are not supported: a token has the permissions of its user or API key.");
    if (strcmp(grant, "password") == 0)
        return by_password(call);
    if (strcmp(grant, "refresh_token") == 0)
        return by_refresh_token(call);
    if (strcmp(grant, "client_credentials") == 0)
        return by_client(call, &client);
    return identity_oauth_deny(call, "unsupported_grant_type", IDENTITY_PROBLEM_BAD_REQUEST,
                               "grant_type must be one of those listed in the server's metadata.");
}

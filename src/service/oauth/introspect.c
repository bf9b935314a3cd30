/* SPDX-License-Identifier: Apache-2.0 */
/* POST /oauth/introspect (RFC 7662) and /oauth/revoke (RFC 7009). */
#include <string.h>

#include <apr_lib.h>

#include "oauth/oauth.h"

typedef struct question {
    const char *token;
    identity_bearer_t bearer; /* bearer.principal: the token is a live access token */
    identity_refresh_row_t *refresh;
    identity_session_row_t *session; /* of either */
    identity_user_row_t *user;
    bool ended;
} question_t;

/* ---- who asks --------------------------------------------------------------------------------------------------- */

/* Sets call->principal: from the usual headers, or as an OAuth client. NULL if no credential is presented. */
static bool authenticate(identity_call_t *call)
{
    const identity_headers_t *headers = &call->in->headers;
    identity_client_t client;

    if (!call->principal && headers->authorization &&
        identity_scheme(headers->authorization, "Bearer"))
        return identity_oauth_deny(call, "invalid_token", IDENTITY_PROBLEM_UNAUTHORISED,
                                   "The token is not valid.");
    if (call->principal && identity_json_has(call->body, "client_secret"))
        return identity_oauth_deny(call, "invalid_request", IDENTITY_PROBLEM_BAD_REQUEST,
                                   "The client must use only one authentication method.");
    if (!call->principal) {
        if (!identity_oauth_client(call, &client))
            return false;
        call->principal = client.principal;
    }
    return !call->principal || identity_permissions_select(call);
}

/* Is it of the caller's own entity, and of the caller itself or with the permission? A key speaks for its entity. */
static bool within_sight(const identity_call_t *call, const question_t *question,
                         const char *permission)
{
    const identity_claims_t *claims = &question->bearer.claims;
    const char *subject = question->user ? question->user->id : claims->subject;
    const char *entity = question->user ? question->user->entity_id : claims->entity_id;

    if (strcmp(entity, call->principal->entity_id) != 0)
        return false;
    if (call->principal->kind != IDENTITY_CALLER_USER || strcmp(subject, call->principal->id) == 0)
        return true;
    return !call->partner && identity_permset_has(&call->permissions, permission);
}

/* ---- what the token is ------------------------------------------------------------------------------------------ */

static bool load(identity_call_t *call, void *data)
{
    question_t *question = data;

    if (!identity_token_valid(question->token, IDENTITY_TOKEN_REFRESH)) {
        if (!identity_bearer_load(call, &question->bearer))
            return false;
        question->session = question->bearer.session;
        question->user = question->bearer.user;
        return true;
    }
    return identity_refresh_session(call, question->token, &question->refresh, &question->session,
                                    &question->user);
}

/* Reads only if it could be one of our tokens. */
static bool find(identity_call_t *call, question_t *question)
{
    question->token = identity_json_string(call->body, "token");
    return (!identity_token_valid(question->token, IDENTITY_TOKEN_REFRESH) &&
            !identity_bearer_verify(call, question->token, &question->bearer)) ||
           identity_read(call, load, question);
}

/* ---- POST /oauth/introspect ------------------------------------------------------------------------------------- */

static void set_time(json_t *object, const char *name, apr_time_t time)
{
    json_object_set_new(object, name, json_integer(apr_time_sec(time)));
}

static json_t *access_json(const question_t *question)
{
    const identity_claims_t *claims = &question->bearer.claims;
    json_t *object = json_object();

    json_object_set_new(object, "active", json_true());
    json_object_set_new(object, "token_type", json_string("Bearer"));
    json_object_set_new(object, "client_id", json_string(claims->client_id));
    if (question->user)
        json_object_set_new(object, "username", json_string(identity_user_told(question->user)));
    json_object_set_new(object, "sub", json_string(claims->subject));
    json_object_set_new(object, "iss", json_string(claims->issuer));
    json_object_set_new(object, "aud", json_string(claims->audience));
    set_time(object, "exp", claims->expires_at);
    set_time(object, "iat", claims->issued_at);
    json_object_set_new(object, "jti", json_string(claims->jwt_id));
    json_object_set_new(object, "sid", json_string(claims->session_id));
    json_object_set_new(object, "entity_id", json_string(claims->entity_id));
    if (question->session) {
        set_time(object, "auth_time", question->session->authenticated_at);
        json_object_set_new(object, "auth_method", json_string(question->session->method));
    }
    return object;
}

static json_t *refresh_json(identity_call_t *call, const question_t *question)
{
    const identity_session_row_t *session = question->session;
    json_t *object = json_object();

    json_object_set_new(object, "active", json_true());
    json_object_set_new(object, "username", json_string(identity_user_told(question->user)));
    json_object_set_new(object, "sub", json_string(question->user->id));
    json_object_set_new(object, "iss", json_string(call->env->settings->public_url));
    set_time(object, "exp",
             session->idle_expires_at < session->expires_at ? session->idle_expires_at
                                                            : session->expires_at);
    set_time(object, "iat", question->refresh->created_at);
    json_object_set_new(object, "sid", json_string(session->id));
    json_object_set_new(object, "entity_id", json_string(session->entity_id));
    return object;
}

/* A refresh token is reported only if asked for: a server that takes any active token for an access token must not
 * be misled. */
static bool refresh_asked(const identity_call_t *call)
{
    const char *hint = identity_json_string(call->body, "token_type_hint");
    return hint && strcmp(hint, "refresh_token") == 0;
}

bool identity_op_introspect_token(identity_call_t *call)
{
    question_t question = {.token = NULL};

    if (!authenticate(call))
        return false;
    if (!call->principal)
        return identity_oauth_deny(call, "invalid_client", IDENTITY_PROBLEM_UNAUTHORISED,
                                   "A credential is required.");
    if (!find(call, &question))
        return false;
    bool key = question.bearer.key != NULL;
    bool access = question.bearer.principal &&
                  within_sight(call, &question, key ? "USER.API.VIEW" : "USER.MORTAL.VIEW");
    bool refresh = question.refresh && question.session && question.refresh->spent_at == 0 &&
                   refresh_asked(call) && within_sight(call, &question, "USER.MORTAL.VIEW");
    return identity_answer(call, 200,
                           access    ? access_json(&question)
                           : refresh ? refresh_json(call, &question)
                                     : json_pack("{s:b}", "active", 0));
}

/* ---- POST /oauth/revoke ----------------------------------------------------------------------------------------- */

static bool write_end(identity_call_t *call, void *data)
{
    question_t *question = data;
    identity_audit_t audit = {.action = "TOKEN_REVOKED",
                              .type = "SESSION",
                              .message = "A token was revoked: its session was ended."};

    if (!load(call, question))
        return false;
    if (question->session) {
        audit.id = question->session->id;
        audit.entity_id = question->session->entity_id;
        audit.actor = call->principal  ? call->principal->id
                      : question->user ? question->user->id
                                       : question->session->id;
        if (!identity_db_ok(call,
                            identity_session_end(call->db, question->session->id, call->now)) ||
            !identity_audit(call, &audit))
            return false;
    }
    return identity_answer_empty(call, 200);
}

/* Does it have the characters of our tokens? Anything else is a malformed request rather than an unknown token. */
static bool token_formed(const char *token)
{
    for (const char *at = token; *at; at++)
        if (!apr_isalnum(*at) && !strchr("-_.", *at))
            return false;
    return true;
}

/* The holder of a token may end it, just as they may use it; a client that presents a credential as well must
 * present a valid one, and can only end tokens that it may see. */
bool identity_op_revoke_token(identity_call_t *call)
{
    question_t question = {.token = NULL};

    if (!authenticate(call))
        return false;
    if (!token_formed(identity_json_string(call->body, "token")))
        return identity_oauth_deny(call, "invalid_request", IDENTITY_PROBLEM_BAD_REQUEST,
                                   "The token is malformed.");
    if (!find(call, &question))
        return false;
    bool sighted = !call->principal || ((question.session || question.bearer.principal) &&
                                        within_sight(call, &question, "USER.MORTAL.UPDATE"));
    if (sighted && question.bearer.key)
        return identity_oauth_deny(
            call, "unsupported_token_type", IDENTITY_PROBLEM_BAD_REQUEST,
            "The token of an API key cannot be revoked: it ends when it expires or when the key is deleted.");
    if (sighted && question.session)
        return identity_write(call, write_end, &question);
    return identity_answer_empty(call, 200);
}

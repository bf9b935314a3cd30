/* SPDX-License-Identifier: Apache-2.0 */
/* OAuth answers in their standard form (RFC 6749, 5.1 and 5.2). */
#include <string.h>

#include "login/login.h"

/* RFC 6749, 5.1 requires it in addition to Cache-Control. */
static void no_cache(identity_call_t *call)
{
    identity_header(call, "Pragma", "no-cache");
}

bool identity_oauth_answer(identity_call_t *call, const identity_access_t *access,
                           const char *refresh)
{
    json_t *token = json_object();

    no_cache(call);
    json_object_set_new(token, "access_token", json_string(access->text));
    json_object_set_new(token, "token_type", json_string("Bearer"));
    json_object_set_new(token, "expires_in",
                        json_integer(apr_time_sec(access->expires_at - access->issued_at)));
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

/* The characters allowed in error_description: printable ASCII without quotes and backslashes. */
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
        identity_header(call, "WWW-Authenticate",
                        identity_challenge_basic(call->pool, IDENTITY_REALM));
    }
    no_cache(call);
    json_object_set_new(body, "error", json_string(error));
    json_object_set_new(body, "error_description", json_string(description_of(call)));
    return body;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of an authorization request (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636, 4.3). */
#include <string.h>

#include "oidc/authorize.h"

#define CHALLENGE_LENGTH 43 /* of S256 */
#define NONCE_MAX        512
#define AGE_DIGITS       9

static const char *given(identity_call_t *call, const char *name)
{
    const char *value = apr_table_get(call->query, name);
    return value && *value ? value : NULL;
}

bool oidc_request_target(identity_call_t *call, oidc_request_t *request)
{
    const json_t *list, *item;
    size_t i;

    request->redirect_uri = given(call, "redirect_uri");
    if (!request->client_id || !*request->client_id)
        request->description = "client_id is missing.";
    else if (!request->party.client)
        request->description = apr_pstrcat(call->pool, "There is no client ", request->client_id,
                                           ", or it is disabled.", NULL);
    else if (!request->redirect_uri)
        request->description = "redirect_uri is missing.";
    else
        request->description =
            apr_pstrcat(call->pool, "The client ", request->client_id,
                        " is not registered with the redirect URI ", request->redirect_uri, NULL);
    if (!request->party.client || !request->redirect_uri)
        return false;
    list = json_object_get(request->party.settings, "redirect_uris");
    json_array_foreach ((json_t *)list, i, item)
        if (identity_client_redirect_fits(json_string_value(item), request->redirect_uri)) {
            request->description = NULL;
            return true;
        }
    return false;
}

static bool wrong(oidc_request_t *request, const char *error, const char *description)
{
    request->error = error;
    request->description = description;
    return false;
}

static bool read_prompt(oidc_request_t *request, const char *prompt)
{
    if (!prompt)
        return true;
    request->none = oidc_scope_has(prompt, "none");
    request->login = oidc_scope_has(prompt, "login") || oidc_scope_has(prompt, "select_account");
    return !request->none || strcmp(prompt, "none") == 0 ||
           wrong(request, "invalid_request", "prompt=none cannot be combined with other values.");
}

static bool read_age(oidc_request_t *request, const char *age)
{
    request->max_age = -1;
    if (!age)
        return true;
    if (strlen(age) > AGE_DIGITS || strspn(age, "0123456789") != strlen(age))
        return wrong(request, "invalid_request", "max_age must be a number of seconds.");
    request->max_age = apr_atoi64(age);
    return true;
}

/* A challenge that was sent counts, whether it was demanded or not. */
static bool read_challenge(identity_call_t *call, oidc_request_t *request)
{
    const char *challenge = given(call, "code_challenge"),
               *method = given(call, "code_challenge_method");

    if (!challenge && (method || oidc_setting(&request->party, "require_pkce")))
        return wrong(request, "invalid_request", "code_challenge is needed (PKCE).");
    if (!challenge)
        return true;
    if (!method || strcmp(method, "S256") != 0)
        return wrong(request, "invalid_request", "code_challenge_method must be S256.");
    size_t size;
    if (strlen(challenge) != CHALLENGE_LENGTH ||
        !identity_base64url_decode(call->pool, challenge, &size))
        return wrong(request, "invalid_request", "code_challenge is not a valid S256 challenge.");
    request->challenge = challenge;
    return true;
}

static bool read_hint(identity_call_t *call, oidc_request_t *request)
{
    const char *hint = given(call, "id_token_hint");

    if (!hint)
        return true;
    const json_t *claims =
        identity_openid_hint(call->pool, call->env->keys, call->env->settings->openid_key, hint,
                             call->env->settings->public_url);
    request->hint_subject = claims ? identity_json_string(claims, "sub") : NULL;
    return request->hint_subject ||
           wrong(request, "invalid_request", "id_token_hint is not an ID token of this server.");
}

static bool read_scope(identity_call_t *call, oidc_request_t *request)
{
    const char *scope = given(call, "scope");

    request->scope = scope ? oidc_scopes(call, &request->party, scope) : "";
    return oidc_scope_has(request->scope, "openid") ||
           wrong(request, "invalid_scope",
                 "scope must include openid, which the client must be allowed to request.");
}

static bool read_type(identity_call_t *call, oidc_request_t *request)
{
    const char *type = given(call, "response_type"), *mode = given(call, "response_mode");

    if (given(call, "request"))
        return wrong(request, "request_not_supported", "request objects are not supported.");
    if (given(call, "request_uri"))
        return wrong(request, "request_uri_not_supported", "request_uri is not supported.");
    if (!type)
        return wrong(request, "invalid_request", "response_type is needed.");
    if (strcmp(type, "code") != 0)
        return wrong(request, "unsupported_response_type", "response_type must be code.");
    if (mode && strcmp(mode, "query") != 0)
        return wrong(request, "invalid_request", "response_mode must be query.");
    return oidc_grants(&request->party, "authorization_code") ||
           wrong(request, "unauthorized_client",
                 "This client may not use the grant type authorization_code.");
}

bool oidc_request_read(identity_call_t *call, oidc_request_t *request)
{
    request->state = given(call, "state");
    request->nonce = given(call, "nonce");
    request->login_hint = given(call, "login_hint");
    if (request->nonce && strlen(request->nonce) > NONCE_MAX)
        return wrong(request, "invalid_request", "nonce is too long.");
    return read_type(call, request) && read_scope(call, request) &&
           read_prompt(request, given(call, "prompt")) &&
           read_age(request, given(call, "max_age")) && read_challenge(call, request) &&
           read_hint(call, request);
}

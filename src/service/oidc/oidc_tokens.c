/* SPDX-License-Identifier: Apache-2.0 */
/* What a client gets: an access token for userinfo alone, and an ID token (OpenID Connect Core 1.0, 2 and 3.1.3.3). */
#include <string.h>

#include "oidc/oidc.h"

const char *oidc_audience(const identity_call_t *call)
{
    return apr_pstrcat(call->pool, call->env->settings->public_url, OIDC_USERINFO, NULL);
}

static bool sign_access(identity_call_t *call, const oidc_party_t *party,
                        const identity_client_grant_row_t *grant, const char *scope,
                        identity_access_t *access)
{
    const char *id = identity_call_id(call, "tokn");

    if (!id)
        return false;
    access->issued_at = call->now - call->now % APR_USEC_PER_SEC;
    access->expires_at = access->issued_at + call->env->settings->access_lifetime;
    if (access->expires_at > party->session->expires_at)
        access->expires_at = party->session->expires_at;
    /* The grant stands in jti: userinfo asks whether it has ended. */
    identity_claims_t claims = {.issuer = call->env->settings->public_url,
                                .audience = oidc_audience(call),
                                .subject = party->user->id,
                                .client_id = party->client->id,
                                .session_id = party->session->id,
                                .entity_id = party->user->entity_id,
                                .scope = scope,
                                .jwt_id = apr_pstrcat(call->pool, grant->id, ".", id, NULL),
                                .issued_at = access->issued_at,
                                .expires_at = access->expires_at};
    access->text = identity_jwt_sign(call->pool, call->env->keys, &claims);
    return access->text || identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
}

static const char *id_token(identity_call_t *call, const oidc_party_t *party,
                            const identity_client_grant_row_t *grant, const char *scope,
                            const identity_access_t *access)
{
    const char *algorithm = identity_json_string(party->settings, "id_token_signed_response_alg");
    bool es256 = algorithm && strcmp(algorithm, "ES256") == 0;
    json_t *claims = identity_json_own(call->pool, json_object());

    json_object_set_new(claims, "iss", json_string(call->env->settings->public_url));
    json_object_set_new(claims, "sub", json_string(party->user->id));
    json_object_set_new(claims, "aud", json_string(party->client->id));
    json_object_set_new(claims, "azp", json_string(party->client->id));
    json_object_set_new(claims, "exp", json_integer(apr_time_sec(access->expires_at)));
    json_object_set_new(claims, "iat", json_integer(apr_time_sec(access->issued_at)));
    json_object_set_new(claims, "auth_time",
                        json_integer(apr_time_sec(party->session->authenticated_at)));
    if (*grant->nonce)
        json_object_set_new(claims, "nonce", json_string(grant->nonce));
    json_object_set_new(claims, "sid", json_string(party->session->id));
    if (strcmp(party->session->method, "password") == 0)
        json_object_set_new(claims, "amr", json_pack("[s]", "pwd")); /* RFC 8176 */
    json_object_set_new(claims, "at_hash",
                        json_string(identity_openid_at_hash(call->pool, access->text)));
    if (oidc_setting(party, "claims_in_id_token"))
        oidc_claims_add(party, scope, claims);
    return identity_openid_sign(call->pool, call->env->keys, call->env->settings->openid_key, es256,
                                "JWT", claims);
}

bool oidc_tokens_answer(identity_call_t *call, const oidc_party_t *party,
                        const identity_client_grant_row_t *grant, const char *scope,
                        const char *refresh)
{
    identity_access_t access = {.text = NULL};

    if (!sign_access(call, party, grant, scope, &access))
        return false;
    const char *identity = id_token(call, party, grant, scope, &access);
    if (!identity) {
        identity_log(
            call, IDENTITY_LOG_ERROR,
            "ID0392: no ID token can be signed: check that the key of IdentityOpenIDKey could be read at the start");
        return identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL, NULL);
    }
    json_t *answer = json_object();
    json_object_set_new(answer, "access_token", json_string(access.text));
    json_object_set_new(answer, "token_type", json_string("Bearer"));
    json_object_set_new(answer, "expires_in",
                        json_integer(apr_time_sec(access.expires_at - access.issued_at)));
    if (refresh)
        json_object_set_new(answer, "refresh_token", json_string(refresh));
    json_object_set_new(answer, "id_token", json_string(identity));
    json_object_set_new(answer, "scope", json_string(scope));
    identity_header(call, "Pragma", "no-cache"); /* RFC 6749, 5.1 */
    return identity_answer(call, 200, answer);
}

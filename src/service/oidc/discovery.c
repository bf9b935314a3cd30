/* SPDX-License-Identifier: Apache-2.0 */
/* What the OpenID provider says of itself (OpenID Connect Discovery 1.0, 3; RFC 8414, 2; RFC 9207, 3). */
#include "oidc/oidc.h"

static json_t *texts(const char *const *list)
{
    json_t *array = json_array();

    for (; *list; list++)
        json_array_append_new(array, json_string(*list));
    return array;
}

bool identity_op_get_openid_configuration(identity_call_t *call)
{
    static const struct {
        const char *name, *path;
    } endpoints[] = {{"issuer", ""},
                     {"authorization_endpoint", "/v1/oidc/authorize"},
                     {"token_endpoint", "/v1/oidc/token"},
                     {"userinfo_endpoint", OIDC_USERINFO},
                     {"jwks_uri", "/.well-known/jwks.json"}};
    static const struct {
        const char *name;
        const char *values[20];
    } lists[] = {
        {"scopes_supported", {"openid", "profile", "email", "groups", NULL}},
        {"response_types_supported", {"code", NULL}},
        {"response_modes_supported", {"query", NULL}},
        {"grant_types_supported", {"authorization_code", "refresh_token", NULL}},
        {"subject_types_supported", {"public", NULL}},
        {"id_token_signing_alg_values_supported", {"RS256", "ES256", NULL}},
        {"token_endpoint_auth_methods_supported",
         {"client_secret_basic", "client_secret_post", "none", NULL}},
        {"code_challenge_methods_supported", {"S256", NULL}},
        {"prompt_values_supported", {"none", "login", NULL}},
        {"claims_supported",
         {"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "sid", "amr", "at_hash",
          "preferred_username", "updated_at", "email", "email_verified", "groups", NULL}}};
    json_t *document;

    if (!oidc_enabled(call))
        return false;
    document = json_object();
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++)
        json_object_set_new(document, endpoints[i].name,
                            json_string(apr_pstrcat(call->pool, call->env->settings->public_url,
                                                    endpoints[i].path, NULL)));
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        json_object_set_new(document, lists[i].name, texts(lists[i].values));
    json_object_set_new(document, "request_parameter_supported", json_false());
    json_object_set_new(document, "request_uri_parameter_supported", json_false());
    json_object_set_new(document, "claims_parameter_supported", json_false());
    json_object_set_new(document, "authorization_response_iss_parameter_supported", json_true());
    apr_table_setn(call->out->headers, "Cache-Control", "public, max-age=300");
    return identity_answer(call, 200, document);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Documents for other programs: the verifying keys (RFC 7517) and the metadata (RFC 8414) of this server. */
#include <string.h>

#include "oauth/oauth.h"

/* Public and the same for everybody: cacheable, but not for long, since keys and settings change. */
#define KEPT "public, max-age=300"

static bool publish(identity_call_t *call, json_t *document)
{
    apr_table_setn(call->out->headers, "Cache-Control", KEPT);
    return identity_answer(call, 200, document);
}

bool identity_op_get_jwks(identity_call_t *call)
{
    const identity_settings_t *settings = call->env->settings;
    json_t *document = identity_keyset_jwks(call->env->keys);

    if (settings->openid && settings->openid_key)
        json_array_append_new(json_object_get(document, "keys"),
                              identity_openid_key_jwk(settings->openid_key));
    return publish(call, document);
}

static void set_url(identity_call_t *call, json_t *document, const char *name, const char *path)
{
    json_object_set_new(
        document, name,
        json_string(apr_pstrcat(call->pool, call->env->settings->public_url, path, NULL)));
}

static json_t *texts(const char *const *list)
{
    json_t *array = json_array();

    for (; *list; list++)
        json_array_append_new(array, json_string(*list));
    return array;
}

bool identity_op_get_oauth_metadata(identity_call_t *call)
{
    static const char *const grants[] = {"password", "refresh_token", "client_credentials", NULL};
    static const char *const open[] = {"client_secret_basic", "client_secret_post", "none", NULL};
    static const char *const closed[] = {"client_secret_basic", "client_secret_post", "Bearer",
                                         NULL};
    json_t *document = json_object();

    set_url(call, document, "issuer", "");
    set_url(call, document, "token_endpoint", "/v1/oauth/token");
    set_url(call, document, "jwks_uri", "/.well-known/jwks.json");
    set_url(call, document, "introspection_endpoint", "/v1/oauth/introspect");
    set_url(call, document, "revocation_endpoint", "/v1/oauth/revoke");
    json_object_set_new(document, "grant_types_supported",
                        texts(grants + !call->env->settings->password_grant));
    /* Required by RFC 8414; there is no authorization endpoint that would use one. */
    json_object_set_new(document, "response_types_supported", json_array());
    json_object_set_new(document, "token_endpoint_auth_methods_supported", texts(open));
    json_object_set_new(document, "introspection_endpoint_auth_methods_supported", texts(closed));
    json_object_set_new(document, "revocation_endpoint_auth_methods_supported", texts(open));
    return publish(call, document);
}

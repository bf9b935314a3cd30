/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens: JWTs of RFC 9068. */
#include <string.h>

#include <apr_strings.h>

#include "keyset_int.h"

#define TOKEN_MAX 4096
#define TYPE      "at+jwt"
#define SKEW      60 /* seconds */
#define LAST_SECOND                                                                                \
    APR_INT64_C(253402300799) /* 9999-12-31: far from where microseconds would wrap */

/* ---- signing ---------------------------------------------------------------------------------------------------- */

static json_t *payload_of(const identity_claims_t *claims)
{
    json_t *payload = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s}", "iss",
                                claims->issuer, "sub", claims->subject, "aud", claims->audience,
                                "exp", (json_int_t)apr_time_sec(claims->expires_at), "iat",
                                (json_int_t)apr_time_sec(claims->issued_at), "jti", claims->jwt_id,
                                "sid", claims->session_id, "client_id", claims->client_id,
                                "entity_id", claims->entity_id);

    if (payload != NULL && claims->scope != NULL)
        json_object_set_new(payload, "scope", json_string(claims->scope));
    return payload;
}

const char *identity_jwt_sign(apr_pool_t *pool, const identity_keyset_t *keys,
                              const identity_claims_t *claims)
{
    json_t *payload = payload_of(claims);
    size_t length;
    const char *text = payload != NULL ? identity_json_text(pool, payload, &length) : NULL;
    const char *token = NULL;

    json_decref(payload);
    if (text != NULL) {
        const identity_signing_key_t *key = &keys->keys[0];
        token = identity_jws_sign(pool, &key->jwk, key->kid, TYPE, text, length);
    }
    return token;
}

/* ---- verifying -------------------------------------------------------------------------------------------------- */

/* The key named in the header, if the token is one of ours; checked before anything is verified. */
static const identity_signing_key_t *key_of(const identity_keyset_t *keys,
                                            const identity_jws_t *jws)
{
    if (!jws->kid || !jws->type || strcmp(jws->type, TYPE) != 0)
        return NULL;
    for (int i = 0; i < keys->count; i++)
        if (strcmp(keys->keys[i].kid, jws->kid) == 0)
            return &keys->keys[i];
    return NULL;
}

static bool take_text(apr_pool_t *pool, const json_t *payload, const char *name, const char **text)
{
    const char *value = identity_json_string(payload, name);
    *text = value != NULL ? apr_pstrdup(pool, value) : NULL;
    return value != NULL;
}

static bool take_time(const json_t *payload, const char *name, apr_time_t *time)
{
    const json_t *value = json_object_get(payload, name);
    json_int_t seconds = json_integer_value(value);

    if (!json_is_integer(value) || seconds < 0 || seconds > LAST_SECOND)
        return false;
    *time = apr_time_from_sec(seconds);
    return true;
}

static bool take_claims(apr_pool_t *pool, const json_t *payload, identity_claims_t *claims)
{
    claims->scope = NULL;
    take_text(pool, payload, "scope", &claims->scope);
    return take_text(pool, payload, "iss", &claims->issuer) &&
           take_text(pool, payload, "sub", &claims->subject) &&
           take_text(pool, payload, "aud", &claims->audience) &&
           take_text(pool, payload, "jti", &claims->jwt_id) &&
           take_text(pool, payload, "sid", &claims->session_id) &&
           take_text(pool, payload, "client_id", &claims->client_id) &&
           take_text(pool, payload, "entity_id", &claims->entity_id) &&
           take_time(payload, "exp", &claims->expires_at) &&
           take_time(payload, "iat", &claims->issued_at);
}

bool identity_jwt_verify(apr_pool_t *pool, const identity_keyset_t *keys, const char *token,
                         const char *issuer, const char *audience, apr_time_t now,
                         identity_claims_t *claims)
{
    static const char *const algorithms[] = {"ES256", NULL};
    static const identity_jws_rules_t rules = {.max = TOKEN_MAX, .algorithms = algorithms};
    identity_jws_t jws;

    if (identity_jws_read(pool, token, strnlen(token, TOKEN_MAX + 1), &rules, &jws) != NULL)
        return false;
    const identity_signing_key_t *key = key_of(keys, &jws);
    if (!key || !identity_jws_verify(&jws, &key->jwk))
        return false;
    const json_t *payload = identity_jws_claims(pool, &jws);
    bool right = payload != NULL && take_claims(pool, payload, claims);
    return right && strcmp(claims->issuer, issuer) == 0 &&
           strcmp(claims->audience, audience) == 0 && claims->expires_at > now &&
           claims->issued_at <= now + apr_time_from_sec(SKEW);
}

/* ---- form ------------------------------------------------------------------------------------------------------- */

static const json_t *part_of(apr_pool_t *pool, const char *text, size_t length)
{
    identity_problem_t ignored = {0};
    size_t size;
    const char *bytes = (const char *)identity_base64url_decode_n(pool, text, length, &size);
    return bytes != NULL ? identity_json_parse(pool, bytes, size, &ignored) : NULL;
}

static bool is_text(const char *value, const char *wanted)
{
    return value != NULL && strcmp(value, wanted) == 0;
}

bool identity_jwt_formed(apr_pool_t *pool, const identity_keyset_t *keys, const char *token,
                         const char *issuer)
{
    size_t length = strnlen(token, TOKEN_MAX + 1);
    const char *first = length <= TOKEN_MAX ? strchr(token, '.') : NULL;
    const char *second = first != NULL ? strchr(first + 1, '.') : NULL;
    const json_t *payload =
        second != NULL ? part_of(pool, first + 1, (size_t)(second - first - 1)) : NULL;
    const json_t *header = payload != NULL ? part_of(pool, token, (size_t)(first - token)) : NULL;

    if (!header || !is_text(identity_json_string(payload, "iss"), issuer))
        return false;
    for (int i = 0; i < keys->count; i++)
        if (is_text(identity_json_string(header, "kid"), keys->keys[i].kid))
            return true;
    return false;
}

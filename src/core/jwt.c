/* Access tokens: JWTs of RFC 9068, signed and verified by cjose. */
#include <string.h>

#include <apr_strings.h>
#include <openssl/err.h>
#include <sodium.h>

#include "keyset_int.h"

#define TOKEN_MAX        4096
#define SIGNATURE_SIZE   64
#define SIGNATURE_LENGTH 86                        /* in base64url */
#define SKEW             60                        /* seconds */
#define LAST_SECOND      APR_INT64_C(253402300799) /* 9999-12-31: far from where microseconds would wrap */

/* ---- signing ---------------------------------------------------------------------------------------------------- */

static json_t *payload_of(const identity_claims_t *claims)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s}", "iss", claims->issuer, "sub", claims->subject,
                     "aud", claims->audience, "exp", (json_int_t)apr_time_sec(claims->expires_at), "iat",
                     (json_int_t)apr_time_sec(claims->issued_at), "jti", claims->jwt_id, "sid", claims->session_id,
                     "client_id", claims->client_id, "entity_id", claims->entity_id);
}

static const char *sign_text(apr_pool_t *pool, const identity_signing_key_t *key, const char *text, size_t length)
{
    cjose_header_t *header = cjose_header_new(NULL);
    cjose_jws_t *jws = NULL;
    const char *compact = NULL;

    if (header != NULL && cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_ES256, NULL) &&
        cjose_header_set(header, "typ", "at+jwt", NULL) && cjose_header_set(header, CJOSE_HDR_KID, key->kid, NULL)) {
        jws = cjose_jws_sign(key->jwk, header, (const uint8_t *)text, length, NULL);
    }
    if (jws != NULL && cjose_jws_export(jws, &compact, NULL)) {
        compact = apr_pstrdup(pool, compact);
    }
    cjose_jws_release(jws);
    cjose_header_release(header);
    return compact;
}

const char *identity_jwt_sign(apr_pool_t *pool, const identity_keyset_t *keys, const identity_claims_t *claims)
{
    json_t *payload = payload_of(claims);
    size_t length;
    const char *text = payload != NULL ? identity_json_text(pool, payload, &length) : NULL;
    const char *token = NULL;

    json_decref(payload);
    if (text != NULL) {
        /* what fails here must not be found by httpd's TLS in the thread's queue of errors */
        ERR_set_mark();
        token = sign_text(pool, &keys->keys[0], text, length);
        ERR_pop_to_mark();
    }
    return token;
}

/* ---- verifying -------------------------------------------------------------------------------------------------- */

/* One part of a token as an object: strict base64url, no key twice. A new reference or NULL. */
static json_t *part_of(apr_pool_t *pool, const char *text, size_t length)
{
    size_t size;
    const unsigned char *bytes = identity_base64url_decode(pool, apr_pstrmemdup(pool, text, length), &size);
    json_t *part = bytes != NULL ? json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (part != NULL && !json_is_object(part)) {
        json_decref(part);
        part = NULL;
    }
    return part;
}

static bool has_text(const json_t *object, const char *name, const char *wanted)
{
    const char *value = identity_json_string(object, name);
    return value != NULL && strcmp(value, wanted) == 0;
}

/* The key that the header names, if the header is one of ours; judged before anything is verified. */
static const identity_signing_key_t *key_of_header(const identity_keyset_t *keys, const json_t *header)
{
    const char *kid = identity_json_string(header, "kid");

    if (kid == NULL || !has_text(header, "alg", "ES256") || !has_text(header, "typ", "at+jwt") ||
        json_object_get(header, "crit") != NULL) {
        return NULL;
    }
    for (int i = 0; i < keys->count; i++) {
        if (strcmp(keys->keys[i].kid, kid) == 0) {
            return &keys->keys[i];
        }
    }
    return NULL;
}

/* cjose would take a longer signature and leave its last byte unread, and other spellings of the same bytes: one token,
 * one text. */
static bool signature_formed(const char *text)
{
    unsigned char bytes[SIGNATURE_SIZE];
    size_t size;

    return strlen(text) == SIGNATURE_LENGTH &&
           sodium_base642bin(bytes, sizeof bytes, text, SIGNATURE_LENGTH, NULL, &size, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           size == sizeof bytes;
}

static bool signature_right(const identity_signing_key_t *key, const char *token, size_t length)
{
    ERR_set_mark();
    cjose_jws_t *jws = cjose_jws_import(token, length, NULL);
    bool right = jws != NULL && cjose_jws_verify(jws, key->jwk, NULL);
    cjose_jws_release(jws);
    ERR_pop_to_mark();
    return right;
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

    if (!json_is_integer(value) || seconds < 0 || seconds > LAST_SECOND) {
        return false;
    }
    *time = apr_time_from_sec(seconds);
    return true;
}

static bool take_claims(apr_pool_t *pool, const json_t *payload, identity_claims_t *claims)
{
    return take_text(pool, payload, "iss", &claims->issuer) && take_text(pool, payload, "sub", &claims->subject) &&
           take_text(pool, payload, "aud", &claims->audience) && take_text(pool, payload, "jti", &claims->jwt_id) &&
           take_text(pool, payload, "sid", &claims->session_id) &&
           take_text(pool, payload, "client_id", &claims->client_id) &&
           take_text(pool, payload, "entity_id", &claims->entity_id) &&
           take_time(payload, "exp", &claims->expires_at) && take_time(payload, "iat", &claims->issued_at);
}

bool identity_jwt_verify(apr_pool_t *pool, const identity_keyset_t *keys, const char *token, const char *issuer,
                         const char *audience, apr_time_t now, identity_claims_t *claims)
{
    size_t length = strnlen(token, TOKEN_MAX + 1);
    const char *first = length <= TOKEN_MAX ? strchr(token, '.') : NULL;
    const char *second = first != NULL ? strchr(first + 1, '.') : NULL;

    if (second == NULL || !signature_formed(second + 1)) {
        return false;
    }
    json_t *header = part_of(pool, token, (size_t)(first - token));
    const identity_signing_key_t *key = header != NULL ? key_of_header(keys, header) : NULL;
    json_decref(header);
    if (key == NULL || !signature_right(key, token, length)) {
        return false;
    }
    json_t *payload = part_of(pool, first + 1, (size_t)(second - first - 1));
    bool right = payload != NULL && take_claims(pool, payload, claims);
    json_decref(payload);
    return right && strcmp(claims->issuer, issuer) == 0 && strcmp(claims->audience, audience) == 0 &&
           claims->expires_at > now && claims->issued_at <= now + apr_time_from_sec(SKEW);
}

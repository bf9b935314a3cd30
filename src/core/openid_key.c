/* SPDX-License-Identifier: Apache-2.0 */
/* The RSA key of the OpenID provider, which signs ID tokens by RS256, and ID tokens by either algorithm. */
#include <string.h>

#include <apr_strings.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "keyset_int.h"

#define BITS     2048
#define BITS_MAX 8192
#define HINT_MAX 8192 /* bytes of an ID token that comes back */

struct identity_openid_key {
    EVP_PKEY *pkey;
    const char *n, *e; /* base64url */
    const char *kid;
};

char *identity_openid_key_make(apr_pool_t *pool)
{
    ERR_set_mark();
    EVP_PKEY *key = EVP_RSA_gen(BITS);
    char *pem = key != NULL ? identity_pem_of(pool, key) : NULL;
    EVP_PKEY_free(key);
    ERR_pop_to_mark();
    return pem;
}

static apr_status_t release(void *pkey)
{
    EVP_PKEY_free(pkey);
    return APR_SUCCESS;
}

/* A public number as a JWK has it: base64url of its bytes without leading zeros. */
static const char *number_of(apr_pool_t *pool, const EVP_PKEY *pkey, const char *name)
{
    BIGNUM *number = NULL;
    const char *text = NULL;

    if (EVP_PKEY_get_bn_param(pkey, name, &number) == 1) {
        size_t size = (size_t)BN_num_bytes(number);
        unsigned char *bytes = apr_palloc(pool, size);
        BN_bn2bin(number, bytes);
        text = identity_base64url_encode(pool, bytes, size);
    }
    BN_free(number);
    return text;
}

static bool sound(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *context;

    if (!EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_get_bits(pkey) < BITS ||
        EVP_PKEY_get_bits(pkey) > BITS_MAX)
        return false;
    context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool right = context != NULL && EVP_PKEY_pairwise_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    return right;
}

identity_openid_key_t *identity_openid_key_load(apr_pool_t *pool, const char *pem)
{
    identity_openid_key_t *key = apr_pcalloc(pool, sizeof *key);

    ERR_set_mark();
    key->pkey = identity_pem_read(pem);
    if (key->pkey != NULL)
        apr_pool_cleanup_register(pool, key->pkey, release, apr_pool_cleanup_null);
    if (key->pkey != NULL && sound(key->pkey)) {
        key->n = number_of(pool, key->pkey, OSSL_PKEY_PARAM_RSA_N);
        key->e = number_of(pool, key->pkey, OSSL_PKEY_PARAM_RSA_E);
    }
    ERR_pop_to_mark();
    if (!key->n || !key->e)
        return NULL;
    /* RFC 7638 */
    key->kid = identity_sha256_base64url(
        pool,
        apr_pstrcat(pool, "{\"e\":\"", key->e, "\",\"kty\":\"RSA\",\"n\":\"", key->n, "\"}", NULL));
    return key;
}

json_t *identity_openid_key_jwk(const identity_openid_key_t *key)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "RSA", "n", key->n, "e", key->e,
                     "use", "sig", "alg", "RS256", "kid", key->kid);
}

/* ---- signing ---------------------------------------------------------------------------------------------------- */

static const char *signature_of(apr_pool_t *pool, const identity_openid_key_t *key,
                                const char *text, size_t length)
{
    unsigned char bytes[BITS_MAX / 8];
    size_t size = sizeof bytes;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL &&
                EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, key->pkey, NULL) == 1 &&
                EVP_DigestSign(context, bytes, &size, (const unsigned char *)text, length) == 1;

    EVP_MD_CTX_free(context);
    return done ? identity_base64url_encode(pool, bytes, size) : NULL;
}

static const char *sign_rs256(apr_pool_t *pool, const identity_openid_key_t *key, const char *type,
                              const char *payload, size_t length)
{
    const char *header = apr_pstrcat(pool, "{\"alg\":\"RS256\",\"typ\":\"", type, "\",\"kid\":\"",
                                     key->kid, "\"}", NULL);
    const char *text = apr_pstrcat(pool, identity_base64url_encode(pool, header, strlen(header)),
                                   ".", identity_base64url_encode(pool, payload, length), NULL);

    ERR_set_mark();
    const char *signature = signature_of(pool, key, text, strlen(text));
    ERR_pop_to_mark();
    return signature != NULL ? apr_pstrcat(pool, text, ".", signature, NULL) : NULL;
}

const char *identity_openid_sign(apr_pool_t *pool, const identity_keyset_t *keys,
                                 const identity_openid_key_t *key, bool es256, const char *type,
                                 const json_t *claims)
{
    size_t length;
    const char *text = identity_json_text(pool, claims, &length);

    if (!text || (!es256 && !key))
        return NULL;
    return es256
               ? identity_jws_sign(pool, &keys->keys[0].jwk, keys->keys[0].kid, type, text, length)
               : sign_rs256(pool, key, type, text, length);
}

const char *identity_openid_at_hash(apr_pool_t *pool, const char *access_token)
{
    unsigned char digest[IDENTITY_SHA256_SIZE];

    identity_sha256(access_token, strlen(access_token), digest);
    return identity_base64url_encode(pool, digest, sizeof digest / 2);
}

/* ---- ID tokens that come back ----------------------------------------------------------------------------------- */

static bool right_rs256(const identity_openid_key_t *key, const identity_jws_t *jws)
{
    const char *first = memchr(jws->text, '.', jws->length);
    const char *second = memchr(first + 1, '.', jws->length - (size_t)(first + 1 - jws->text));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool right =
        context != NULL &&
        EVP_DigestVerifyInit_ex(context, NULL, "SHA256", NULL, NULL, key->pkey, NULL) == 1 &&
        EVP_DigestVerify(context, jws->signature, jws->signature_size,
                         (const unsigned char *)jws->text, (size_t)(second - jws->text)) == 1;

    EVP_MD_CTX_free(context);
    return right;
}

static bool by_keyset(const identity_keyset_t *keys, const identity_jws_t *jws)
{
    for (int i = 0; i < keys->count; i++)
        if (strcmp(keys->keys[i].kid, jws->kid) == 0)
            return identity_jws_verify(jws, &keys->keys[i].jwk);
    return false;
}

const json_t *identity_openid_hint(apr_pool_t *pool, const identity_keyset_t *keys,
                                   const identity_openid_key_t *key, const char *token,
                                   const char *issuer)
{
    static const char *const algorithms[] = {"RS256", "ES256", NULL};
    static const identity_jws_rules_t rules = {.max = HINT_MAX, .algorithms = algorithms};
    identity_jws_t jws;
    bool right;

    if (identity_jws_read(pool, token, strnlen(token, HINT_MAX + 1), &rules, &jws) != NULL ||
        !jws.kid || !jws.type || strcmp(jws.type, "JWT") != 0)
        return NULL;
    ERR_set_mark();
    right = jws.algorithm->curve != NULL
                ? by_keyset(keys, &jws)
                : key != NULL && strcmp(jws.kid, key->kid) == 0 && right_rs256(key, &jws);
    ERR_pop_to_mark();
    const json_t *claims = right ? identity_jws_claims(pool, &jws) : NULL;
    const char *whose = claims != NULL ? identity_json_string(claims, "iss") : NULL;
    return whose != NULL && strcmp(whose, issuer) == 0 ? claims : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* JWTs, JWSs and JWKs from outside (RFC 7515, 7517, 7518, 7519, 8037): decoded and validated here, then verified by
 * cjose, or by OpenSSL where cjose cannot. */
#include <string.h>

#include <apr_strings.h>
#include <openssl/err.h>

#include "jose.h"

#define MODULUS_MIN     256 /* bytes: 2,048 bits */
#define MODULUS_MAX     2048
#define EXPONENT_MAX    8
#define COORDINATE_MAX  66 /* bytes, of P-521 */
#define MEMBER_TEXT_MAX (MODULUS_MAX / 3 * 4 + 8)

static const identity_jws_algorithm_t algorithms[] = {
    {"RS256", "RSA", NULL, "SHA256", 0, 0},      {"RS384", "RSA", NULL, "SHA384", 0, 0},
    {"RS512", "RSA", NULL, "SHA512", 0, 0},      {"PS256", "RSA", NULL, "SHA256", 0, 0},
    {"PS384", "RSA", NULL, "SHA384", 0, 0},      {"PS512", "RSA", NULL, "SHA512", 0, 0},
    {"ES256", "EC", "P-256", "SHA256", 32, 64},  {"ES384", "EC", "P-384", "SHA384", 48, 96},
    {"ES512", "EC", "P-521", "SHA512", 66, 132}, {"EdDSA", "OKP", "Ed25519", "SHA512", 32, 64},
};

const identity_jws_algorithm_t *identity_jws_algorithm(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof algorithms / sizeof algorithms[0]; i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

const char *const *identity_id_token_algorithms(void)
{
    static const char *const names[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
                                        "ES256", "ES384", "ES512", "EdDSA", NULL};
    return names;
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

static bool accepted(const identity_jws_rules_t *rules, const char *name)
{
    bool found = !rules->algorithms;

    for (const char *const *at = rules->algorithms; !found && *at != NULL; at++)
        found = strcmp(*at, name) == 0;
    return found;
}

/* The member if it is a string; *formed is false if it is present and is not. */
static const char *optional_string(const json_t *object, const char *name, bool *formed)
{
    const json_t *value = json_object_get(object, name);

    *formed = *formed && (!value || json_is_string(value));
    return json_string_value(value);
}

static const char *read_header(apr_pool_t *pool, const char *text, size_t length,
                               const identity_jws_rules_t *rules, identity_jws_t *jws)
{
    identity_problem_t ignored = {0};
    size_t size;
    const char *bytes = (const char *)identity_base64url_decode_n(pool, text, length, &size);
    const char *algorithm;
    bool formed = true;

    jws->header = bytes != NULL ? identity_json_parse(pool, bytes, size, &ignored) : NULL;
    if (!jws->header)
        return "it is not a signed token";
    algorithm = identity_json_string(jws->header, "alg");
    jws->algorithm = identity_jws_algorithm(algorithm);
    if (!jws->algorithm || !accepted(rules, algorithm))
        return "its algorithm is not accepted";
    jws->type = optional_string(jws->header, "typ", &formed);
    jws->kid = optional_string(jws->header, "kid", &formed);
    if (!formed)
        return "typ or kid in its header is not a string";
    return !json_object_get(jws->header, "crit") ? NULL : "it has critical extensions";
}

const char *identity_jws_read(apr_pool_t *pool, const char *text, size_t length,
                              const identity_jws_rules_t *rules, identity_jws_t *jws)
{
    const char *first = length <= rules->max ? memchr(text, '.', length) : NULL;
    const char *second =
        first != NULL ? memchr(first + 1, '.', length - (size_t)(first + 1 - text)) : NULL;

    memset(jws, 0, sizeof *jws);
    if (!second)
        return length > rules->max ? "it is too long" : "it is not a signed token";
    /* Further dots are not in the alphabet, and fail in the signature. */
    jws->text = text;
    jws->length = length;
    jws->signature = identity_base64url_decode_n(
        pool, second + 1, length - (size_t)(second + 1 - text), &jws->signature_size);
    jws->payload = (const char *)identity_base64url_decode_n(
        pool, first + 1, (size_t)(second - first - 1), &jws->payload_size);
    if (!jws->signature || !jws->payload)
        return "it is not a signed token";
    const char *wrong = read_header(pool, text, (size_t)(first - text), rules, jws);
    if (!wrong && jws->algorithm->signature_size != 0 &&
        jws->signature_size != jws->algorithm->signature_size)
        wrong =
            "its signature does not have the length of its algorithm"; /* cjose would ignore the "
            "end of a longer one */
    return wrong;
}

const json_t *identity_jws_claims(apr_pool_t *pool, const identity_jws_t *jws)
{
    identity_problem_t ignored = {0};
    return identity_json_parse(pool, jws->payload, jws->payload_size, &ignored);
}

/* ---- verifying and signing -------------------------------------------------------------------------------------- */

static bool verify_ed25519(const identity_jws_t *jws, EVP_PKEY *key)
{
    const char *end = memchr(jws->text, '.', jws->length);
    size_t size =
        (size_t)((const char *)memchr(end + 1, '.', jws->length - (size_t)(end + 1 - jws->text)) -
                 jws->text);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool right = context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                 EVP_DigestVerify(context, jws->signature, jws->signature_size,
                                  (const unsigned char *)jws->text, size) == 1;

    EVP_MD_CTX_free(context);
    return right;
}

bool identity_jws_verify(const identity_jws_t *jws, const identity_jwk_t *key)
{
    bool right = false;

    ERR_set_mark();
    if (key->ed25519 != NULL) {
        right = verify_ed25519(jws, key->ed25519);
    } else if (key->jose != NULL) {
        cjose_jws_t *read = cjose_jws_import(jws->text, jws->length, NULL);
        right = read != NULL && cjose_jws_verify(read, key->jose, NULL);
        cjose_jws_release(read);
    }
    ERR_pop_to_mark();
    return right;
}

const char *identity_jws_sign(apr_pool_t *pool, const identity_jwk_t *key, const char *kid,
                              const char *type, const char *payload, size_t length)
{
    const char *compact = NULL;
    cjose_jws_t *jws = NULL;

    /* errors from here must not be found by httpd's TLS in the thread's error queue */
    ERR_set_mark();
    cjose_header_t *header = cjose_header_new(NULL);
    if (header != NULL && cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_ES256, NULL) &&
        cjose_header_set(header, "typ", type, NULL) &&
        cjose_header_set(header, CJOSE_HDR_KID, kid, NULL))
        jws = cjose_jws_sign(key->jose, header, (const uint8_t *)payload, length, NULL);
    compact =
        jws != NULL && cjose_jws_export(jws, &compact, NULL) ? apr_pstrdup(pool, compact) : NULL;
    cjose_jws_release(jws);
    cjose_header_release(header);
    ERR_pop_to_mark();
    return compact;
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static apr_status_t release_jose(void *jwk)
{
    cjose_jwk_release(jwk);
    return APR_SUCCESS;
}

static apr_status_t release_pkey(void *key)
{
    EVP_PKEY_free(key);
    return APR_SUCCESS;
}

/* The bytes of a member, NULL unless it is canonical base64url of at most max bytes. */
static unsigned char *member_of(apr_pool_t *pool, const json_t *jwk, const char *name, size_t max,
                                size_t *size)
{
    const json_t *value = json_object_get(jwk, name);
    size_t length = json_string_length(value);
    unsigned char *bytes =
        json_is_string(value) && length > 0 && length <= MEMBER_TEXT_MAX
            ? identity_base64url_decode_n(pool, json_string_value(value), length, size)
            : NULL;

    return bytes != NULL && *size <= max ? bytes : NULL;
}

/* A number without the leading zeros that some libraries write (RFC 7518, 6.3.1.1). */
static unsigned char *number_of(apr_pool_t *pool, const json_t *jwk, const char *name, size_t min,
                                size_t max, size_t *size)
{
    unsigned char *bytes = member_of(pool, jwk, name, max + 1, size);

    while (bytes != NULL && *size > 0 && *bytes == 0) {
        bytes++;
        (*size)--;
    }
    return bytes != NULL && *size >= min && *size <= max ? bytes : NULL;
}

static cjose_jwk_t *read_rsa(apr_pool_t *pool, const json_t *jwk)
{
    cjose_jwk_rsa_keyspec parts = {0};

    parts.n = number_of(pool, jwk, "n", MODULUS_MIN, MODULUS_MAX, &parts.nlen);
    parts.e = number_of(pool, jwk, "e", 1, EXPONENT_MAX, &parts.elen);
    /* 1 would make every text its own signature; exponents and moduli must be odd. */
    if (!parts.n || !parts.e || !(parts.n[parts.nlen - 1] & 1) || !(parts.e[parts.elen - 1] & 1) ||
        (parts.elen == 1 && parts.e[0] == 1))
        return NULL;
    return cjose_jwk_create_RSA_spec(&parts, NULL);
}

static cjose_jwk_t *read_ec(apr_pool_t *pool, const json_t *jwk,
                            const identity_jws_algorithm_t *algorithm)
{
    cjose_jwk_ec_keyspec parts = {0};

    parts.crv = algorithm->coordinate == 32   ? CJOSE_JWK_EC_P_256
                : algorithm->coordinate == 48 ? CJOSE_JWK_EC_P_384
                                              : CJOSE_JWK_EC_P_521;
    parts.x = member_of(pool, jwk, "x", COORDINATE_MAX, &parts.xlen);
    parts.y = member_of(pool, jwk, "y", COORDINATE_MAX, &parts.ylen);
    if (!parts.x || !parts.y || parts.xlen != algorithm->coordinate ||
        parts.ylen != algorithm->coordinate)
        return NULL;
    return cjose_jwk_create_EC_spec(&parts, NULL);
}

static EVP_PKEY *read_ed25519(apr_pool_t *pool, const json_t *jwk,
                              const identity_jws_algorithm_t *algorithm)
{
    size_t size;
    const unsigned char *x = member_of(pool, jwk, "x", COORDINATE_MAX, &size);

    return x != NULL && size == algorithm->coordinate
               ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, size)
               : NULL;
}

static bool member_is(const json_t *jwk, const char *name, const char *wanted)
{
    const char *value = identity_json_string(jwk, name);
    return value != NULL && strcmp(value, wanted) == 0;
}

bool identity_jwk_read(apr_pool_t *pool, const json_t *jwk,
                       const identity_jws_algorithm_t *algorithm, identity_jwk_t *key)
{
    memset(key, 0, sizeof *key);
    if (!member_is(jwk, "kty", algorithm->key_type) ||
        (algorithm->curve != NULL && !member_is(jwk, "crv", algorithm->curve)))
        return false;
    ERR_set_mark();
    if (!algorithm->curve)
        key->jose = read_rsa(pool, jwk);
    else if (strcmp(algorithm->key_type, "OKP") == 0)
        key->ed25519 = read_ed25519(pool, jwk, algorithm);
    else
        key->jose = read_ec(pool, jwk, algorithm);
    ERR_pop_to_mark();
    if (key->jose != NULL)
        apr_pool_cleanup_register(pool, key->jose, release_jose, apr_pool_cleanup_null);
    if (key->ed25519 != NULL)
        apr_pool_cleanup_register(pool, key->ed25519, release_pkey, apr_pool_cleanup_null);
    return key->jose != NULL || key->ed25519 != NULL;
}

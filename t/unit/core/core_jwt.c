/* SPDX-License-Identifier: Apache-2.0 */
/* Signing keys and access tokens. Every hostile token here is built and signed by OpenSSL itself, not by the code under
 * test. */
#include <pthread.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include "core_fixture.h"

#define ISSUER   "https://id.example.com"
#define AUDIENCE "https://id.example.com/v1"
#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define NOW      APR_INT64_C(1705311000) /* seconds */

static char *pems[2];
static identity_keyset_t *keys;     /* both, the first one signs */
static identity_keyset_t *old_keys; /* the second alone */

static const identity_claims_t claims = {
    .issuer = ISSUER,
    .subject = "user_0123456789ABCDEFGHxz",
    .audience = AUDIENCE,
    .jwt_id = "jti-1",
    .session_id = "sess-1",
    .client_id = "web",
    .entity_id = "enti_0123456789ABCDEFGHxz",
    .issued_at = NOW * APR_USEC_PER_SEC,
    .expires_at = (NOW + 900) * APR_USEC_PER_SEC,
};

static bool verify_at(const char *token, apr_int64_t second)
{
    identity_claims_t got;
    return identity_jwt_verify(pool, keys, token, ISSUER, AUDIENCE, apr_time_from_sec(second), &got);
}

static bool verify(const char *token)
{
    return verify_at(token, NOW);
}

/* ---- tokens of an attacker, or of ourselves by other means ------------------------------------------------------ */

static EVP_PKEY *read_key(const char *pem)
{
    BIO *memory = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL);
    BIO_free(memory);
    return key;
}

static const char *public_pem(const char *pem)
{
    EVP_PKEY *key = read_key(pem);
    BIO *memory = BIO_new(BIO_s_mem());
    char *data;
    PEM_write_bio_PUBKEY(memory, key);
    long size = BIO_get_mem_data(memory, &data);
    const char *text = apr_pstrmemdup(pool, data, (apr_size_t)size);
    BIO_free(memory);
    EVP_PKEY_free(key);
    return text;
}

static const char *signature_of(const char *pem, const EVP_MD *digest, const char *input)
{
    EVP_PKEY *key = read_key(pem);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char der[128];
    unsigned char raw[64];
    size_t size = sizeof der;
    const unsigned char *at = der;

    EVP_DigestSignInit(context, NULL, digest, NULL, key);
    EVP_DigestSign(context, der, &size, (const unsigned char *)input, strlen(input));
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32);
    ECDSA_SIG_free(signature);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return identity_base64url_encode(pool, raw, sizeof raw);
}

static const char *signature_es256(const char *pem, const char *input)
{
    return signature_of(pem, EVP_sha256(), input);
}

static const char *input_of(const char *header, const char *payload)
{
    return apr_pstrcat(pool, identity_base64url_encode(pool, header, strlen(header)), ".",
                       identity_base64url_encode(pool, payload, strlen(payload)), NULL);
}

static const char *signed_token(const char *header, const char *payload)
{
    const char *input = input_of(header, payload);
    return apr_pstrcat(pool, input, ".", signature_es256(pems[0], input), NULL);
}

static const char *header_with(const char *alg, const char *typ, const char *kid)
{
    return apr_psprintf(pool, "{\"alg\":%s,\"typ\":%s,\"kid\":%s}", alg, typ, kid);
}

static const char *quoted(const char *text)
{
    return apr_psprintf(pool, "\"%s\"", text);
}

static const char *good_header(void)
{
    return header_with("\"ES256\"", "\"at+jwt\"", quoted(identity_keyset_kid(keys, 0)));
}

/* All claims, good, but for exp and iat, which are texts of JSON. */
static const char *payload_with(const char *exp, const char *iat)
{
    return apr_psprintf(pool,
                        "{\"iss\":\"" ISSUER "\",\"sub\":\"user_1\",\"aud\":\"" AUDIENCE "\",\"exp\":%s,\"iat\":%s,"
                        "\"jti\":\"j\",\"sid\":\"s\",\"client_id\":\"c\",\"entity_id\":\"e\"}",
                        exp, iat);
}

static const char *good_payload(void)
{
    return payload_with("1705311900", "1705311000");
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static void test_load(void)
{
    const char *error = NULL;
    const char *both[] = {pems[0], pems[1]};
    const char *twice[] = {pems[0], pems[1], pems[0]};
    const char *garbage[] = {pems[0], "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
    const char *public_half[] = {public_pem(pems[0])};

    keys = identity_keyset_load(pool, both, 2, &error);
    old_keys = identity_keyset_load(pool, both + 1, 1, &error);
    ok(keys != NULL && old_keys != NULL && error == NULL, "keys are read");
    is_int(strlen(identity_keyset_kid(keys, 0)), 43, "a kid is a SHA-256");
    is_str(identity_keyset_kid(old_keys, 0), identity_keyset_kid(keys, 1), "and the same wherever the key stands");
    is_str(identity_keyset_kid(keys, 2), NULL, "none past the last");
    is_str(identity_keyset_kid(keys, -1), NULL, "none before the first");

    ok(identity_keyset_load(pool, twice, 3, &error) == NULL, "a key twice is refused");
    is_str(error, "Signing keys 1 and 3 are the same.", "and told");
    ok(identity_keyset_load(pool, garbage, 2, &error) == NULL, "what is no key is refused");
    is_str(error, "Signing key 2 is not a readable private key in PEM format.", "and told without the key");
    ok(identity_keyset_load(pool, public_half, 1, &error) == NULL, "a public half is refused");
    ok(identity_keyset_load(pool, both, 0, &error) == NULL && error != NULL, "no key is refused");
    ok(strcmp(pems[0], pems[1]) != 0, "two keys differ");
}

static const char *pem_of(EVP_PKEY *key, const EVP_CIPHER *cipher, const char *password)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *data;
    PEM_write_bio_PrivateKey(memory, key, cipher, (const unsigned char *)password,
                             password != NULL ? (int)strlen(password) : 0, NULL, NULL);
    long size = BIO_get_mem_data(memory, &data);
    const char *pem = apr_pstrmemdup(pool, data, (apr_size_t)size);
    BIO_free(memory);
    return pem;
}

static void test_other_keys(void)
{
    EVP_PKEY *others[] = {EVP_EC_gen("P-384"), EVP_EC_gen("secp256k1"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
                          EVP_RSA_gen(1024)};
    static const char *const names[] = {"P-384", "secp256k1", "Ed25519", "RSA"};
    const char *error;

    for (int i = 0; i < 4; i++) {
        const char *pem = pem_of(others[i], NULL, NULL);
        ok(identity_keyset_load(pool, &pem, 1, &error) == NULL, "a key of %s is refused # security 48", names[i]);
        is_str(error, "Signing key 1 is not a valid key of the curve P-256.", "and told");
        EVP_PKEY_free(others[i]);
    }
    EVP_PKEY *key = read_key(pems[0]);
    const char *pem = pem_of(key, EVP_aes_128_cbc(), "secret");
    ok(identity_keyset_load(pool, &pem, 1, &error) == NULL, "an encrypted key is refused, and nobody is asked");
    EVP_PKEY_free(key);
}

static void test_jwks(void)
{
    json_t *jwks = identity_json_own(pool, identity_keyset_jwks(keys));
    const json_t *list = json_object_get(jwks, "keys");
    const json_t *first = json_array_get(list, 0);

    is_int(json_array_size(list), 2, "every key is published");
    is_str(identity_json_string(first, "kid"), identity_keyset_kid(keys, 0), "the newest first");
    is_str(identity_json_string(first, "kty"), "EC", "kty");
    is_str(identity_json_string(first, "crv"), "P-256", "crv");
    is_str(identity_json_string(first, "alg"), "ES256", "alg");
    is_str(identity_json_string(first, "use"), "sig", "use");
    is_int(json_object_size(first), 7, "nothing else: no private part");
    ok(json_object_get(first, "d") == NULL, "least of all d");

    EVP_PKEY *key = read_key(pems[0]);
    unsigned char point[65];
    size_t size = 0;
    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &size);
    EVP_PKEY_free(key);
    is_str(identity_json_string(first, "x"), identity_base64url_encode(pool, point + 1, 32), "x");
    is_str(identity_json_string(first, "y"), identity_base64url_encode(pool, point + 33, 32), "y");
    const char *canonical = apr_psprintf(pool, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                                         identity_json_string(first, "x"), identity_json_string(first, "y"));
    unsigned char digest[32];
    EVP_Digest(canonical, strlen(canonical), digest, NULL, EVP_sha256(), NULL);
    is_str(identity_keyset_kid(keys, 0), identity_base64url_encode(pool, digest, 32), "kid is the thumbprint");
}

/* Against OpenSSL's HKDF. */
static void test_derive(void)
{
    unsigned char got[32];
    unsigned char again[32];
    unsigned char expected[32];
    unsigned char scalar[32];
    static char salt[] = "mod_identity derived key";
    static char label[] = "escrow";
    BIGNUM *number = NULL;
    EVP_PKEY *key = read_key(pems[0]);
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(hkdf);

    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number);
    BN_bn2binpad(number, scalar, 32);
    BN_free(number);
    EVP_PKEY_free(key);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, scalar, sizeof scalar),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof salt - 1),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, label, sizeof label - 1),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF_derive(context, expected, sizeof expected, parameters);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(hkdf);

    ok(identity_keyset_derive(keys, 0, "escrow", got), "a key is derived");
    ok(memcmp(got, expected, 32) == 0, "it is HKDF's");
    identity_keyset_derive(keys, 0, "other", again);
    ok(memcmp(got, again, 32) != 0, "another label, another key");
    identity_keyset_derive(keys, 1, "escrow", again);
    ok(memcmp(got, again, 32) != 0, "another signing key, another key");
    identity_keyset_derive(old_keys, 0, "escrow", got);
    ok(memcmp(got, again, 32) == 0, "the same wherever the signing key stands");
    ok(!identity_keyset_derive(keys, 2, "escrow", got) && !identity_keyset_derive(keys, -1, "escrow", got),
       "none of a key that is not there");
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

static void test_sign(void)
{
    identity_claims_t got;
    const char *token = identity_jwt_sign(pool, keys, &claims);
    const char *dot = strchr(token, '.');
    size_t size;

    is_str((const char *)identity_base64url_decode(pool, apr_pstrmemdup(pool, token, (apr_size_t)(dot - token)), &size),
           apr_pstrcat(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"", identity_keyset_kid(keys, 0), "\"}",
                       NULL),
           "the header # security 48");
    is_str((const char *)identity_base64url_decode(
               pool, apr_pstrmemdup(pool, dot + 1, (apr_size_t)(strrchr(token, '.') - dot - 1)), &size),
           "{\"iss\":\"" ISSUER "\",\"sub\":\"user_0123456789ABCDEFGHxz\",\"aud\":\"" AUDIENCE
           "\",\"exp\":1705311900,\"iat\":1705311000,\"jti\":\"jti-1\",\"sid\":\"sess-1\",\"client_id\":\"web\","
           "\"entity_id\":\"enti_0123456789ABCDEFGHxz\"}",
           "the claims # security 48");
    ok(identity_jwt_verify(pool, keys, token, ISSUER, AUDIENCE, claims.issued_at, &got), "verified");
    is_str(got.issuer, claims.issuer, "iss");
    is_str(got.subject, claims.subject, "sub");
    is_str(got.audience, claims.audience, "aud");
    is_str(got.jwt_id, claims.jwt_id, "jti");
    is_str(got.session_id, claims.session_id, "sid");
    is_str(got.client_id, claims.client_id, "client_id");
    is_str(got.entity_id, claims.entity_id, "entity_id");
    is_int(got.issued_at, claims.issued_at, "iat");
    is_int(got.expires_at, claims.expires_at, "exp");
    identity_claims_t incomplete = claims;
    incomplete.session_id = NULL;
    is_str(identity_jwt_sign(pool, keys, &incomplete), NULL, "no token without a session");
}

static void test_control(void)
{
    ok(verify(signed_token(good_header(), good_payload())), "a good token made by OpenSSL is verified");
    ok(verify(identity_jwt_sign(pool, old_keys, &claims)), "the older key verifies # security 49");
    identity_claims_t got;
    ok(!identity_jwt_verify(pool, old_keys, identity_jwt_sign(pool, keys, &claims), ISSUER, AUDIENCE, claims.issued_at,
                            &got),
       "a key that is not in the set does not # security 48");
}

static void test_headers(void)
{
    const char *kid = quoted(identity_keyset_kid(keys, 0));
    const char *bad[] = {
        header_with("\"none\"", "\"at+jwt\"", kid),
        header_with("\"None\"", "\"at+jwt\"", kid),
        header_with("\"HS256\"", "\"at+jwt\"", kid),
        header_with("\"ES384\"", "\"at+jwt\"", kid),
        header_with("\"RS256\"", "\"at+jwt\"", kid),
        header_with("\"es256\"", "\"at+jwt\"", kid),
        header_with("\"\"", "\"at+jwt\"", kid),
        header_with("null", "\"at+jwt\"", kid),
        header_with("[\"ES256\"]", "\"at+jwt\"", kid),
        header_with("\"ES256\"", "\"JWT\"", kid),
        header_with("\"ES256\"", "\"AT+JWT\"", kid),
        header_with("\"ES256\"", "\"application/at+jwt\"", kid),
        header_with("\"ES256\"", "null", kid),
        header_with("\"ES256\"", "\"at+jwt\"", "\"other\""),
        header_with("\"ES256\"", "\"at+jwt\"", "\"\""),
        header_with("\"ES256\"", "\"at+jwt\"", "null"),
        header_with("\"ES256\"", "\"at+jwt\"", "0"),
        header_with("\"ES256\"", "\"at+jwt\"", quoted(identity_keyset_kid(keys, 1))),
        apr_psprintf(pool, "{\"alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s}", kid),
        apr_psprintf(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s,\"crit\":[\"exp\"]}", kid),
        apr_psprintf(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s,\"crit\":[]}", kid),
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}",
        "{\"typ\":\"at+jwt\"}",
        "{}",
        "[]",
        "\"ES256\"",
        "",
        "{",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ok(!verify(signed_token(bad[i], good_payload())), "header %s is refused # security 48", bad[i]);
    }
}

static const char *hmac_token(const char *secret, size_t size)
{
    const char *input =
        input_of(header_with("\"HS256\"", "\"at+jwt\"", quoted(identity_keyset_kid(keys, 0))), good_payload());
    unsigned char mac[32];
    HMAC(EVP_sha256(), secret, (int)size, (const unsigned char *)input, strlen(input), mac, NULL);
    return apr_pstrcat(pool, input, ".", identity_base64url_encode(pool, mac, sizeof mac), NULL);
}

static void test_forged(void)
{
    const char *kid = quoted(identity_keyset_kid(keys, 0));
    const char *unsigned_input = input_of(header_with("\"none\"", "\"at+jwt\"", kid), good_payload());
    const char *public_half = public_pem(pems[0]);
    json_t *jwks = identity_json_own(pool, identity_keyset_jwks(keys));
    const char *jwk = identity_json_text(pool, json_array_get(json_object_get(jwks, "keys"), 0), NULL);

    ok(!verify(apr_pstrcat(pool, unsigned_input, ".", NULL)), "alg none without a signature # security 48");
    ok(!verify(unsigned_input), "alg none without its dot # security 48");
    ok(!verify(hmac_token(public_half, strlen(public_half))), "HS256 with the public key in PEM # security 48");
    ok(!verify(hmac_token(jwk, strlen(jwk))), "HS256 with the published JWK # security 48");
    ok(!verify(hmac_token("", 0)), "HS256 with nothing # security 48");

    const char *input = input_of(good_header(), good_payload());
    char *stranger = identity_signing_key_make(pool);
    ok(!verify(apr_pstrcat(pool, input, ".", signature_es256(stranger, input), NULL)),
       "our kid, a stranger's key # security 48");
    const char *longer = input_of(header_with("\"ES384\"", "\"at+jwt\"", kid), good_payload());
    ok(!verify(apr_pstrcat(pool, longer, ".", signature_of(pems[0], EVP_sha384(), longer), NULL)),
       "our own key over another digest, alg ES384 # security 48");
    unsigned char zeros[64] = {0};
    ok(!verify(apr_pstrcat(pool, input, ".", identity_base64url_encode(pool, zeros, 64), NULL)),
       "a signature of zeros");
    memset(zeros, 0xff, sizeof zeros);
    ok(!verify(apr_pstrcat(pool, input, ".", identity_base64url_encode(pool, zeros, 64), NULL)), "a signature of ones");
}

/* Keys that a token brings along or points at are none of ours. */
static void test_foreign_keys(void)
{
    char *stranger = identity_signing_key_make(pool);
    const char *error = NULL, *pem[] = {stranger}, *kid = identity_keyset_kid(keys, 0);
    json_t *jwks =
        identity_json_own(pool, identity_keyset_jwks(identity_keyset_load(pool, (const char *const *)pem, 1, &error)));
    const json_t *jwk = json_array_get(json_object_get(jwks, "keys"), 0);
    const char *own_kid = identity_json_string(jwk, "kid"), *text = identity_json_text(pool, jwk, NULL);
    const char *headers[] = {
        apr_psprintf(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"jwk\":%s}", kid, text),
        apr_psprintf(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"jwk\":%s}", own_kid, text),
        apr_psprintf(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"jwk\":%s}", text),
        apr_psprintf(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"jku\":\"https://evil.example/\"}",
                     kid),
        apr_psprintf(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"x5u\":\"https://evil.example/\"}",
                     kid),
        apr_psprintf(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", own_kid),
        apr_psprintf(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"../../%s\"}", kid),
    };

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        const char *input = input_of(headers[i], good_payload());
        ok(!verify(apr_pstrcat(pool, input, ".", signature_es256(stranger, input), NULL)),
           "a stranger's key by header %s # security 48", headers[i]);
    }
}

/* Only the compact form, with one signature (RFC 7515, 7.2 knows others). */
static void test_serialisations(void)
{
    const char *token = signed_token(good_header(), good_payload());
    const char *first = strchr(token, '.'), *second = strchr(first + 1, '.');
    const char *protected = apr_pstrmemdup(pool, token, (apr_size_t)(first - token));
    const char *payload = apr_pstrmemdup(pool, first + 1, (apr_size_t)(second - first - 1)), *signature = second + 1;
    const char *flat = apr_psprintf(pool, "{\"payload\":\"%s\",\"protected\":\"%s\",\"signature\":\"%s\"}", payload,
                                    protected, signature);
    const char *one = apr_psprintf(pool, "{\"protected\":\"%s\",\"signature\":\"%s\"}", protected, signature);
    const char *all[] = {
        flat,
        apr_psprintf(pool, "{\"payload\":\"%s\",\"signatures\":[%s]}", payload, one),
        apr_psprintf(pool, "{\"payload\":\"%s\",\"signatures\":[%s,%s]}", payload, one, one),
        identity_base64url_encode(pool, flat, strlen(flat)),
        apr_pstrcat(pool, token, ".", signature, NULL),
        apr_pstrcat(pool, token, signature, NULL),
        apr_pstrcat(pool, protected, ".", payload, ".", signature, ".", payload, ".", signature, NULL),
        apr_pstrcat(pool, protected, "..", signature, NULL),
        apr_pstrcat(pool, ".", payload, ".", signature, NULL),
    };

    ok(verify(token), "the compact form is verified");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ok(!verify(all[i]), "another serialisation, %d, is not # security 48", (int)i);
    }
    const char *unencoded =
        apr_psprintf(pool, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"b64\":false,\"crit\":[\"b64\"]}",
                     identity_keyset_kid(keys, 0));
    const char *input =
        apr_pstrcat(pool, identity_base64url_encode(pool, unencoded, strlen(unencoded)), ".", good_payload(), NULL);
    ok(!verify(apr_pstrcat(pool, input, ".", signature_es256(pems[0], input), NULL)),
       "nor a payload that is not encoded (RFC 7797) # security 48");
}

static void test_tampered(void)
{
    const char *token = signed_token(good_header(), good_payload());
    size_t length = strlen(token);
    int wrong = 0;

    for (size_t i = 0; i < length; i++) {
        char *changed = apr_pstrdup(pool, token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        wrong += verify(changed);
        changed[i] = '\0';
        wrong += verify(changed);
    }
    is_int(wrong, 0, "every changed character and every cut is refused # security 48");

    /* the last character holds two bits of the signature and four that must be zero */
    char *respelt = apr_pstrdup(pool, token);
    const char *place = strchr(ALPHABET, respelt[length - 1]);
    for (int i = 1; i < 16; i++) {
        respelt[length - 1] = place[i];
        wrong += verify(respelt);
    }
    is_int(wrong, 0, "no other spelling of the same signature is taken # security 48");

    static const char *const tails[] = {"A", "AA", "=", ".", ".x", " ", "\n", "=="};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        wrong += verify(apr_pstrcat(pool, token, tails[i], NULL));
        wrong += verify(apr_pstrcat(pool, tails[i], token, NULL));
    }
    is_int(wrong, 0, "nothing may stand before or behind");
    static const char *const shapes[] = {"", ".", "..", "...", "a.b", "a.b.c", "....", "Bearer x"};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        ok(!verify(shapes[i]), "\"%s\" is no token", shapes[i]);
    }
    ok(!verify(repeat(token, 20)), "nor what is too long");
    is_int(ERR_peek_error(), 0, "refusals leave nothing in OpenSSL's queue of errors");
}

typedef struct instant_case {
    const char *exp, *iat;
    bool valid;
} instant_case_t;

static const instant_case_t instants[] = {
    {"1705311001", "1705311000", true},
    {"1705311000", "1705310000", false},
    {"1705310999", "1705310000", false},
    {"1705311900", "1705311060", true},
    {"1705311900", "1705311061", false},
    {"4102444800", "1705311000", true},
    {"253402300799", "1705311000", true},
    {"253402300800", "1705311000", false},
    {"9223372036854775807", "1705311000", false},
    {"9223372036855", "1705311000", false},
    {"18446744073710", "1705311000", false},
    {"18446744073709551617", "1705311000", false},
    {"99999999999999999999999999", "1705311000", false},
    {"-1", "1705311000", false},
    {"-9223372036854775808", "1705311000", false},
    {"-9223372036854775809", "1705311000", false},
    {"1705311900.5", "1705311000", false},
    {"1705311900.0", "1705311000", false},
    {"1.7e9", "1705311000", false},
    {"1e400", "1705311000", false},
    {"\"1705311900\"", "1705311000", false},
    {"null", "1705311000", false},
    {"true", "1705311000", false},
    {"[1705311900]", "1705311000", false},
    {"1705311900", "-1", false},
    {"1705311900", "1.5", false},
    {"1705311900", "null", false},
    {"1705311900", "-9223372036854775808", false},
    {"1705311900", "9223372036854775807", false},
    {"1705311900", "0", true},
};

static void test_instants(void)
{
    for (size_t i = 0; i < sizeof instants / sizeof instants[0]; i++) {
        const instant_case_t *c = &instants[i];
        ok(verify(signed_token(good_header(), payload_with(c->exp, c->iat))) == c->valid,
           "exp %s, iat %s: %s # security 51", c->exp, c->iat, c->valid ? "valid" : "refused");
    }
    const char *token = identity_jwt_sign(pool, keys, &claims);
    ok(verify_at(token, NOW + 899), "valid in its last second");
    ok(!verify_at(token, NOW + 900), "not at its end # security 51");
    ok(verify_at(token, NOW - 60), "a clock 60 s behind # security 51");
    ok(!verify_at(token, NOW - 61), "not 61 s behind # security 51");
    identity_claims_t late = claims;
    late.issued_at = APR_INT64_C(2147483700) * APR_USEC_PER_SEC;
    late.expires_at = APR_INT64_C(2147484600) * APR_USEC_PER_SEC;
    ok(verify_at(identity_jwt_sign(pool, keys, &late), APR_INT64_C(2147484000)), "past 2038 # security 51");
}

/* Each claim absent, null, of another type, and iss and aud of others. */
static void test_claims(void)
{
    static const char *const names[] = {"iss", "sub", "aud", "exp", "iat", "jti", "sid", "client_id", "entity_id"};
    identity_claims_t got;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *values[] = {NULL, json_null(), json_array(), json_true(), json_object()};
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
            json_t *payload = identity_json_own(pool, json_loads(good_payload(), 0, NULL));
            if (values[j] == NULL) {
                json_object_del(payload, names[i]);
            } else {
                json_object_set_new(payload, names[i], values[j]);
            }
            ok(!verify(signed_token(good_header(), identity_json_text(pool, payload, NULL))),
               "%s %s is refused # security 48", names[i], values[j] == NULL ? "absent" : "of a wrong type");
        }
    }
    const char *token = identity_jwt_sign(pool, keys, &claims);
    ok(!identity_jwt_verify(pool, keys, token, ISSUER "/", AUDIENCE, claims.issued_at, &got),
       "another iss # security 48");
    ok(!identity_jwt_verify(pool, keys, token, ISSUER, ISSUER, claims.issued_at, &got), "another aud # security 48");
    const char *payload = "{\"iss\":\"" ISSUER "\",\"sub\":\"user_1\",\"sub\":\"user_2\",\"aud\":\"" AUDIENCE
                          "\",\"exp\":1705311900,\"iat\":1705311000,\"jti\":\"j\",\"sid\":\"s\",\"client_id\":\"c\","
                          "\"entity_id\":\"e\"}";
    ok(!verify(signed_token(good_header(), payload)), "a claim twice is refused");
    ok(!verify(signed_token(good_header(), "[]")), "a list of claims is refused");
    ok(!verify(signed_token(good_header(), "no claims")), "what is no JSON is refused");
}

/* One set of keys in four threads at once. */
static void *sign_and_verify(void *context)
{
    apr_pool_t *own;
    apr_pool_create_unmanaged_ex(&own, NULL, NULL);
    for (int i = 0; i < 100; i++) {
        identity_claims_t got;
        const char *token = identity_jwt_sign(own, i % 2 ? keys : old_keys, &claims);
        bool right = token != NULL && identity_jwt_verify(own, keys, token, ISSUER, AUDIENCE, claims.issued_at, &got);
        *(int *)context += !right;
    }
    apr_pool_destroy(own);
    return NULL;
}

/* What is not passed on to other programs: neither signature nor time decides. */
static void test_formed(void)
{
    const char *token = identity_jwt_sign(pool, keys, &claims), *end = strrchr(token, '.'), *dot = strchr(token, '.');
    const char *unsigned_part = apr_pstrmemdup(pool, token, (size_t)(end + 1 - token));
    char *long_token = apr_palloc(pool, 6000);

    memset(long_token, 'A', 5999);
    long_token[5999] = '\0';
    ok(identity_jwt_formed(pool, keys, token, ISSUER), "A7: a token of ours");
    ok(identity_jwt_formed(pool, old_keys, identity_jwt_sign(pool, old_keys, &claims), ISSUER), "... by an older key");
    ok(identity_jwt_formed(pool, keys, apr_pstrcat(pool, unsigned_part, "AAAA", NULL), ISSUER),
       "A7: with a false signature");
    ok(identity_jwt_formed(pool, keys, unsigned_part, ISSUER), "A7: without one");
    ok(!identity_jwt_formed(pool, old_keys, token, ISSUER), "A7: not of another key");
    ok(!identity_jwt_formed(pool, keys, token, ISSUER "/"), "A7: not of another issuer");
    const char *const others[] = {"",      ".",        "..",    "a.b.c", "=.=.=",
                                  "idk_x", "A=.A=.A=", dot + 1, ". . .", apr_pstrcat(pool, token, "A", NULL) + 1};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ok(!identity_jwt_formed(pool, keys, others[i], ISSUER), "A7: not %.20s", others[i]);
    ok(!identity_jwt_formed(pool, keys, apr_pstrcat(pool, unsigned_part, long_token, NULL), ISSUER),
       "A7: nor what is longer than any");
}

static void test_threads(void)
{
    pthread_t threads[4];
    int failures[4] = {0};

    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, sign_and_verify, &failures[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        is_int(failures[i], 0, "100 tokens signed and verified in thread %d", i);
    }
}

int main(void)
{
    fixture_begin();
    pems[0] = identity_signing_key_make(pool);
    pems[1] = identity_signing_key_make(pool);
    if (pems[0] == NULL || pems[1] == NULL) {
        bail("no key could be made");
    }
    test_load();
    test_other_keys();
    test_jwks();
    test_derive();
    test_sign();
    test_control();
    test_headers();
    test_forged();
    test_foreign_keys();
    test_serialisations();
    test_tampered();
    test_instants();
    test_claims();
    test_formed();
    test_threads();
    return fixture_end();
}

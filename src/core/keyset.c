/* SPDX-License-Identifier: Apache-2.0 */
/* Signing keys: generate, load, publish. */
#include <string.h>

#include <apr_strings.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sodium.h>

#include "keyset_int.h"

#define COORDINATE_SIZE 32 /* of P-256 */

/* ---- making ----------------------------------------------------------------------------------------------------- */

char *identity_pem_of(apr_pool_t *pool, EVP_PKEY *key)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *pem = NULL;

    if (memory != NULL &&
        PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) == 1) {
        char *data;
        long size = BIO_get_mem_data(memory, &data);
        pem = apr_pstrmemdup(pool, data, (apr_size_t)size);
        identity_wipe_with_pool(pool, pem);
    }
    BIO_free(memory); /* clears what it held */
    return pem;
}

char *identity_signing_key_make(apr_pool_t *pool)
{
    ERR_set_mark();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char *pem = key != NULL ? identity_pem_of(pool, key) : NULL;
    EVP_PKEY_free(key);
    ERR_pop_to_mark();
    return pem;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* Encrypted keys are refused; without this OpenSSL would ask for the password on the terminal. */
static int no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

EVP_PKEY *identity_pem_read(const char *pem)
{
    BIO *memory = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key =
        memory != NULL ? PEM_read_bio_PrivateKey(memory, NULL, no_password, NULL) : NULL;

    BIO_free(memory);
    return key;
}

static bool is_p256_pair(EVP_PKEY *key)
{
    char group[64] = "";
    EVP_PKEY_CTX *context;

    if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1 ||
        strcmp(group, "prime256v1") != 0)
        return false;
    context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool sound = context != NULL && EVP_PKEY_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    return sound;
}

static bool number_of(EVP_PKEY *key, const char *name, unsigned char bytes[COORDINATE_SIZE])
{
    BIGNUM *number = NULL;
    bool done = EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
                BN_bn2binpad(number, bytes, COORDINATE_SIZE) == COORDINATE_SIZE;

    BN_clear_free(number);
    return done;
}

static void spell(char text[IDENTITY_KID_LENGTH + 1], const unsigned char bytes[32])
{
    sodium_bin2base64(text, IDENTITY_KID_LENGTH + 1, bytes, 32,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* RFC 7638: the required members of the key, in lexicographic order. */
static void put_thumbprint(identity_signing_key_t *key)
{
    char text[256];
    unsigned char digest[IDENTITY_SHA256_SIZE];
    int length = apr_snprintf(text, sizeof text,
                              "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                              key->x, key->y);

    identity_sha256(text, (size_t)length, digest);
    spell(key->kid, digest);
}

static bool take_key(EVP_PKEY *pkey, identity_signing_key_t *key)
{
    unsigned char x[COORDINATE_SIZE];
    unsigned char y[COORDINATE_SIZE];

    if (!is_p256_pair(pkey) || !number_of(pkey, OSSL_PKEY_PARAM_PRIV_KEY, key->scalar) ||
        !number_of(pkey, OSSL_PKEY_PARAM_EC_PUB_X, x) ||
        !number_of(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, y))
        return false;
    const cjose_jwk_ec_keyspec parts = {
        .crv = CJOSE_JWK_EC_P_256,
        .d = key->scalar,
        .dlen = COORDINATE_SIZE,
        .x = x,
        .xlen = sizeof x,
        .y = y,
        .ylen = sizeof y,
    };
    spell(key->x, x);
    spell(key->y, y);
    put_thumbprint(key);
    key->jwk.jose = cjose_jwk_create_EC_spec(&parts, NULL);
    return key->jwk.jose != NULL;
}

static apr_status_t release_keys(void *context)
{
    identity_keyset_t *keys = context;

    for (int i = 0; i < keys->count; i++) {
        if (keys->keys[i].jwk.jose != NULL)
            cjose_jwk_release(keys->keys[i].jwk.jose);
        identity_wipe(&keys->keys[i], sizeof keys->keys[i]);
    }
    return APR_SUCCESS;
}

static int place_of(const identity_keyset_t *keys, const char *kid, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(keys->keys[i].kid, kid) == 0)
            return i;
    return -1;
}

static const char *load_key(apr_pool_t *pool, identity_keyset_t *keys, int index, const char *pem)
{
    EVP_PKEY *pkey = identity_pem_read(pem);
    if (!pkey)
        return apr_psprintf(pool, "Signing key %d is not a readable private key in PEM format.",
                            index + 1);
    bool taken = take_key(pkey, &keys->keys[index]);
    EVP_PKEY_free(pkey);
    if (!taken)
        return apr_psprintf(pool, "Signing key %d is not a valid key of the curve P-256.",
                            index + 1);
    int twin = place_of(keys, keys->keys[index].kid, index);
    return twin < 0
               ? NULL
               : apr_psprintf(pool, "Signing keys %d and %d are the same.", twin + 1, index + 1);
}

identity_keyset_t *identity_keyset_load(apr_pool_t *pool, const char *const *pems, int count,
                                        const char **error)
{
    *error = count < 1 ? "There is no signing key." : NULL;
    if (*error != NULL)
        return NULL;
    identity_keyset_t *keys = apr_pcalloc(pool, sizeof *keys);
    keys->count = count;
    keys->keys = apr_pcalloc(pool, (size_t)count * sizeof *keys->keys);
    apr_pool_cleanup_register(pool, keys, release_keys, apr_pool_cleanup_null);

    ERR_set_mark();
    for (int i = 0; i < count && !*error; i++)
        *error = load_key(pool, keys, i, pems[i]);
    ERR_pop_to_mark();
    return !*error ? keys : NULL;
}

/* ---- using ------------------------------------------------------------------------------------------------------ */

const char *identity_keyset_kid(const identity_keyset_t *keys, int index)
{
    return index >= 0 && index < keys->count ? keys->keys[index].kid : NULL;
}

/* HKDF (RFC 5869) with SHA-256, a fixed salt and one block. */
bool identity_keyset_derive(const identity_keyset_t *keys, int index, const char *label,
                            unsigned char key[32])
{
    static const char salt[] = "mod_identity derived key";
    unsigned char extracted[IDENTITY_SHA256_SIZE];
    crypto_auth_hmacsha256_state state;

    if (index < 0 || index >= keys->count)
        return false;
    identity_hmac_sha256(salt, sizeof salt - 1, keys->keys[index].scalar,
                         sizeof keys->keys[index].scalar, extracted);
    crypto_auth_hmacsha256_init(&state, extracted, sizeof extracted);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)label, strlen(label));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)"\x01", 1);
    crypto_auth_hmacsha256_final(&state, key);
    identity_wipe(&state, sizeof state);
    identity_wipe(extracted, sizeof extracted);
    return true;
}

json_t *identity_keyset_jwks(const identity_keyset_t *keys)
{
    json_t *list = json_array();
    for (int i = 0; i < keys->count; i++) {
        const identity_signing_key_t *key = &keys->keys[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "EC",
                                              "crv", "P-256", "x", key->x, "y", key->y, "use",
                                              "sig", "alg", "ES256", "kid", key->kid));
    }
    return json_pack("{s:o}", "keys", list);
}

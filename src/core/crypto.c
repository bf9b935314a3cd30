/* SPDX-License-Identifier: Apache-2.0 */
/* Library handles, fetched once per process, and the two digests used everywhere. */
#include <pthread.h>

#include <sodium.h>

#include "core_int.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_CIPHER *aes256gcm;
static bool sodium_ready;

static void fetch_handles(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    aes256gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    sodium_ready = sodium_init() >= 0;
}

bool identity_crypto_ready(void)
{
    pthread_once(&once, fetch_handles);
    return sodium_ready;
}

const EVP_CIPHER *identity_crypto_aes256gcm(void)
{
    pthread_once(&once, fetch_handles);
    return aes256gcm;
}

/* OpenSSL's is faster (it uses the processor's instructions); libsodium's cannot fail. */
void identity_sha256(const void *data, size_t size, unsigned char digest[IDENTITY_SHA256_SIZE])
{
    pthread_once(&once, fetch_handles);
    if (!sha256 || EVP_Digest(data, size, digest, NULL, sha256, NULL) != 1)
        crypto_hash_sha256(digest, data, size);
}

void identity_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                          unsigned char digest[IDENTITY_SHA256_SIZE])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key, key_size);
    crypto_auth_hmacsha256_update(&state, data, size);
    crypto_auth_hmacsha256_final(&state, digest);
    identity_wipe(&state, sizeof state);
}

/* ---- piece by piece --------------------------------------------------------------------------------------------- */

struct identity_digest {
    EVP_MD_CTX *context;
};

static apr_status_t free_digest(void *context)
{
    EVP_MD_CTX_free(context);
    return APR_SUCCESS;
}

identity_digest_t *identity_digest_make(apr_pool_t *pool)
{
    identity_digest_t *digest = apr_palloc(pool, sizeof *digest);

    pthread_once(&once, fetch_handles);
    digest->context = EVP_MD_CTX_new();
    if (!digest->context)
        return NULL;
    apr_pool_cleanup_register(pool, digest->context, free_digest, apr_pool_cleanup_null);
    return sha256 != NULL && EVP_DigestInit_ex(digest->context, sha256, NULL) == 1 ? digest : NULL;
}

void identity_digest_add(identity_digest_t *digest, const void *data, size_t size)
{
    EVP_DigestUpdate(digest->context, data, size);
}

const char *identity_digest_hex(apr_pool_t *pool, identity_digest_t *digest)
{
    unsigned char bytes[IDENTITY_SHA256_SIZE] = {0};
    char *hex = apr_palloc(pool, 2 * sizeof bytes + 1);

    EVP_DigestFinal_ex(digest->context, bytes, NULL);
    return sodium_bin2hex(hex, 2 * sizeof bytes + 1, bytes, sizeof bytes);
}

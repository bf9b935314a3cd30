/* Handles of the libraries below us, fetched once a process, and the two digests that everything here uses. */
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
    if (sha256 == NULL || EVP_Digest(data, size, digest, NULL, sha256, NULL) != 1) {
        crypto_hash_sha256(digest, data, size);
    }
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

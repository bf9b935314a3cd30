/* SPDX-License-Identifier: Apache-2.0 */
/* Seals small secrets for storage: AES-256-GCM, bound to their location. */
#include <string.h>

#include <openssl/err.h>
#include <sodium.h>

#include "core_int.h"

#define NONCE_SIZE 12
#define TAG_SIZE   16
#define PLAIN_MAX  (1 << 24)
#define KEY_SIZE   32

static bool encrypt(const unsigned char key[32], unsigned char *sealed, const char *plain, int size,
                    const char *aad)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    unsigned char *body = sealed + NONCE_SIZE;
    int written;
    bool done =
        context != NULL &&
        EVP_EncryptInit_ex2(context, identity_crypto_aes256gcm(), key, sealed, NULL) == 1 &&
        EVP_EncryptUpdate(context, NULL, &written, (const unsigned char *)aad, (int)strlen(aad)) ==
            1 &&
        EVP_EncryptUpdate(context, body, &written, (const unsigned char *)plain, size) == 1 &&
        EVP_EncryptFinal_ex(context, body + written, &written) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, body + size) == 1;

    EVP_CIPHER_CTX_free(context);
    return done;
}

static bool decrypt(const unsigned char key[32], unsigned char *sealed, char *plain, int size,
                    const char *aad)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    unsigned char *body = sealed + NONCE_SIZE;
    int written;
    bool done = context != NULL &&
                EVP_DecryptInit_ex2(context, identity_crypto_aes256gcm(), key, sealed, NULL) == 1 &&
                EVP_DecryptUpdate(context, NULL, &written, (const unsigned char *)aad,
                                  (int)strlen(aad)) == 1 &&
                EVP_DecryptUpdate(context, (unsigned char *)plain, &written, body, size) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, body + size) == 1 &&
                EVP_DecryptFinal_ex(context, (unsigned char *)plain + written, &written) == 1;

    EVP_CIPHER_CTX_free(context);
    return done;
}

const char *identity_seal(apr_pool_t *pool, const unsigned char key[32], const char *plain,
                          const char *aad, const identity_random_t *random)
{
    size_t size = strlen(plain);

    if (size > PLAIN_MAX || strlen(aad) > PLAIN_MAX || !identity_crypto_aes256gcm())
        return NULL;
    unsigned char *sealed = apr_palloc(pool, NONCE_SIZE + size + TAG_SIZE);
    if (!random->fill(random->context, sealed, NONCE_SIZE))
        return NULL;
    /* errors from here must not be found by httpd's TLS in the thread's error queue */
    ERR_set_mark();
    bool done = encrypt(key, sealed, plain, (int)size, aad);
    ERR_pop_to_mark();
    return done ? identity_base64url_encode(pool, sealed, NONCE_SIZE + size + TAG_SIZE) : NULL;
}

char *identity_unseal(apr_pool_t *pool, const unsigned char key[32], const char *sealed,
                      const char *aad)
{
    size_t size;

    if (!sealed || strlen(sealed) > 2 * PLAIN_MAX || strlen(aad) > PLAIN_MAX ||
        !identity_crypto_aes256gcm())
        return NULL;
    unsigned char *bytes = identity_base64url_decode(pool, sealed, &size);
    if (!bytes || size < NONCE_SIZE + TAG_SIZE)
        return NULL;
    size -= NONCE_SIZE + TAG_SIZE;
    char *plain = apr_palloc(pool, size + 1);
    ERR_set_mark();
    bool done = decrypt(key, bytes, plain, (int)size, aad);
    ERR_pop_to_mark();
    if (!done) {
        identity_wipe(plain, size);
        return NULL;
    }
    plain[size] = '\0';
    return plain;
}

/* Nothing, or a line end with nothing after it. */
static bool ends_here(const char *rest)
{
    return *rest == '\0' || strcmp(rest, "\n") == 0 || strcmp(rest, "\r\n") == 0;
}

bool identity_sealing_key_read(const char *text, unsigned char key[32])
{
    static const int variants[] = {
        sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
        sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING};
    size_t length = strcspn(text, "\r\n"), size = 0;
    bool read = false;

    if (!ends_here(text + length))
        return false;
    if (length == 2 * KEY_SIZE)
        return sodium_hex2bin(key, KEY_SIZE, text, length, NULL, &size, NULL) == 0 &&
               size == KEY_SIZE;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0] && !read; i++)
        read =
            sodium_base642bin(key, KEY_SIZE, text, length, NULL, &size, NULL, variants[i]) == 0 &&
            size == KEY_SIZE;
    return read;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Wiping, comparing and encoding secrets. */
#include <string.h>

#include <sodium.h>

#include "core_int.h"

#define TAG_SIZE crypto_generichash_BYTES_MIN

void identity_wipe(void *memory, size_t size)
{
    if (memory != NULL && size > 0)
        sodium_memzero(memory, size);
}

void identity_wipe_string(char *text)
{
    if (text != NULL)
        identity_wipe(text, strlen(text));
}

static apr_status_t wipe_text(void *text)
{
    identity_wipe_string(text);
    return APR_SUCCESS;
}

void identity_wipe_with_pool(apr_pool_t *pool, char *text)
{
    if (text != NULL)
        apr_pool_cleanup_register(pool, text, wipe_text, apr_pool_cleanup_null);
}

bool identity_secret_equal(const char *a, const char *b)
{
    if (!a || !b)
        return false;
    size_t length = strlen(a);
    return length == strlen(b) && sodium_memcmp(a, b, length) == 0;
}

const char *identity_sha256_hex(apr_pool_t *pool, const void *data, size_t size)
{
    unsigned char digest[IDENTITY_SHA256_SIZE];
    char *hex = apr_palloc(pool, 2 * sizeof digest + 1);

    identity_sha256(data, size, digest);
    return sodium_bin2hex(hex, 2 * sizeof digest + 1, digest, sizeof digest);
}

const char *identity_text_tag(apr_pool_t *pool, const void *data, size_t size)
{
    unsigned char digest[TAG_SIZE];
    char *hex = apr_palloc(pool, 2 * sizeof digest + 1);

    crypto_generichash(digest, sizeof digest, data, size, NULL, 0);
    return sodium_bin2hex(hex, 2 * sizeof digest + 1, digest, sizeof digest);
}

const char *identity_mac_text(apr_pool_t *pool, const void *key, size_t key_size, const char *text)
{
    unsigned char mac[IDENTITY_SHA256_SIZE];

    identity_hmac_sha256(key, key_size, text, strlen(text), mac);
    const char *spelled = identity_base64url_encode(pool, mac, sizeof mac);
    identity_wipe(mac, sizeof mac);
    return spelled;
}

const char *identity_sha256_base64url(apr_pool_t *pool, const char *text)
{
    unsigned char digest[IDENTITY_SHA256_SIZE];

    identity_sha256(text, strlen(text), digest);
    return identity_base64url_encode(pool, digest, sizeof digest);
}

const char *identity_keyed_digest(apr_pool_t *pool, const unsigned char key[32], const void *data,
                                  size_t size)
{
    unsigned char digest[IDENTITY_SHA256_SIZE];
    char *hex = apr_palloc(pool, 2 * sizeof digest + 1);

    identity_hmac_sha256(key, 32, data, size, digest);
    return sodium_bin2hex(hex, 2 * sizeof digest + 1, digest, sizeof digest);
}

const char *identity_base64url_encode(apr_pool_t *pool, const void *data, size_t size)
{
    size_t room = sodium_base64_encoded_len(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *text = apr_palloc(pool, room);
    return sodium_bin2base64(text, room, data, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

unsigned char *identity_base64url_decode_n(apr_pool_t *pool, const char *text, size_t length,
                                           size_t *size)
{
    size_t room = length / 4 * 3 + 3;
    unsigned char *data = apr_palloc(pool, room + 1);

    if (sodium_base642bin(data, room, text, length, NULL, size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return NULL;
    data[*size] = 0; /* text can be used as it is */
    return data;
}

unsigned char *identity_base64url_decode(apr_pool_t *pool, const char *text, size_t *size)
{
    return identity_base64url_decode_n(pool, text, strlen(text), size);
}

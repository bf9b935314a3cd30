/* SPDX-License-Identifier: Apache-2.0 */
/* Typed secrets: prefix, 256 bits, checksum. */
#include <string.h>

#include <apr_strings.h>
#include <sodium.h>

#include "core_int.h"

#define SECRET_SIZE     32
#define SECRET_LENGTH   43 /* of 32 bytes in base64url */
#define CHECKSUM_LENGTH 6
#define KEY_PREFIX      "idk"
#define KEY_ID_PREFIX   "apik"
#define KEY_ID_LENGTH   20

#define BASE64URL sodium_base64_VARIANT_URLSAFE_NO_PADDING

/* The first characters of the SHA-256 of everything before. */
static void put_checksum(char *at, const char *text, size_t length)
{
    unsigned char digest[IDENTITY_SHA256_SIZE];
    char encoded[9];

    identity_sha256(text, length, digest);
    sodium_bin2base64(encoded, sizeof encoded, digest, 6, BASE64URL);
    memcpy(at, encoded, CHECKSUM_LENGTH);
    at[CHECKSUM_LENGTH] = '\0';
}

/* start (which ends in _), the bytes, the checksum. */
static const char *spell(apr_pool_t *pool, const char *start,
                         const unsigned char bytes[SECRET_SIZE])
{
    size_t length = strlen(start);
    char *token = apr_palloc(pool, length + SECRET_LENGTH + CHECKSUM_LENGTH + 1);

    memcpy(token, start, length);
    sodium_bin2base64(token + length, SECRET_LENGTH + 1, bytes, SECRET_SIZE, BASE64URL);
    put_checksum(token + length + SECRET_LENGTH, token, length + SECRET_LENGTH);
    return token;
}

static const char *spell_random(apr_pool_t *pool, const char *start,
                                const identity_random_t *random)
{
    unsigned char bytes[SECRET_SIZE];
    const char *token = NULL;

    if (random->fill(random->context, bytes, sizeof bytes))
        token = spell(pool, start, bytes);
    identity_wipe(bytes, sizeof bytes);
    return token;
}

/* Is the rest of token exactly a secret and the checksum over everything before? */
static bool tail_valid(const char *token, size_t start)
{
    unsigned char bytes[SECRET_SIZE];
    char checksum[CHECKSUM_LENGTH + 1];
    size_t size;
    size_t length = start + SECRET_LENGTH;

    if (strnlen(token, length + CHECKSUM_LENGTH + 1) != length + CHECKSUM_LENGTH)
        return false;
    int decoded = sodium_base642bin(bytes, sizeof bytes, token + start, SECRET_LENGTH, NULL, &size,
                                    NULL, BASE64URL);
    identity_wipe(bytes, sizeof bytes);
    if (decoded != 0 || size != SECRET_SIZE)
        return false;
    put_checksum(checksum, token, length);
    return memcmp(checksum, token + length, CHECKSUM_LENGTH) == 0;
}

const char *identity_token_make(apr_pool_t *pool, const char *prefix,
                                const identity_random_t *random)
{
    return spell_random(pool, apr_pstrcat(pool, prefix, "_", NULL), random);
}

const char *identity_token_of_bytes(apr_pool_t *pool, const char *prefix,
                                    const unsigned char bytes[32])
{
    return spell(pool, apr_pstrcat(pool, prefix, "_", NULL), bytes);
}

bool identity_token_valid(const char *token, const char *prefix)
{
    size_t length = strlen(prefix);
    return token != NULL && strncmp(token, prefix, length) == 0 && token[length] == '_' &&
           tail_valid(token, length + 1);
}

const char *identity_token_digest(apr_pool_t *pool, const char *token)
{
    return identity_sha256_hex(pool, token, strlen(token));
}

const char *identity_refresh_successor(apr_pool_t *pool, const char *token, const char *nonce)
{
    unsigned char bytes[IDENTITY_SHA256_SIZE];

    identity_hmac_sha256(token, strlen(token), nonce, strlen(nonce), bytes);
    const char *successor = identity_token_of_bytes(pool, IDENTITY_TOKEN_REFRESH, bytes);
    identity_wipe(bytes, sizeof bytes);
    return successor;
}

/* ---- API keys --------------------------------------------------------------------------------------------------- */

const char *identity_key_make(apr_pool_t *pool, const char *key_id, const identity_random_t *random)
{
    if (!identity_id_valid(key_id, KEY_ID_PREFIX))
        return NULL;
    return spell_random(
        pool, apr_pstrcat(pool, KEY_PREFIX "_", key_id + sizeof KEY_ID_PREFIX, "_", NULL), random);
}

const char *identity_key_id(apr_pool_t *pool, const char *key)
{
    static const char start[] = KEY_PREFIX "_";
    const size_t id_at = sizeof start - 1;
    char id[sizeof KEY_ID_PREFIX + KEY_ID_LENGTH + 1] = KEY_ID_PREFIX "_";

    if (!key || strncmp(key, start, id_at) != 0 ||
        strnlen(key + id_at, KEY_ID_LENGTH + 1) <= KEY_ID_LENGTH ||
        key[id_at + KEY_ID_LENGTH] != '_')
        return NULL;
    memcpy(id + sizeof KEY_ID_PREFIX, key + id_at, KEY_ID_LENGTH);
    if (!identity_id_valid(id, KEY_ID_PREFIX) || !tail_valid(key, id_at + KEY_ID_LENGTH + 1))
        return NULL;
    return apr_pstrdup(pool, id);
}

const char *identity_key_mask(apr_pool_t *pool, const char *key)
{
    size_t length = strlen(key);
    return apr_pstrcat(pool, KEY_PREFIX "_...", length > 4 ? key + length - 4 : "", NULL);
}

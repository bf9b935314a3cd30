/* SPDX-License-Identifier: Apache-2.0 */
/* Ids that sort by their creation time. */
#include <string.h>

#include <apr_strings.h>

#include "core_int.h"

#define ID_LENGTH         20
#define ID_TIME_LENGTH    IDENTITY_ID_TIME_LENGTH /* 62^9 microseconds reach to the year 2398 */
#define ID_RANDOM_LENGTH  11
#define INVITATION_LENGTH 32

/* In byte order: this makes ids sort. */
static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void put_base62(char *at, int count, apr_uint64_t value)
{
    while (count-- > 0) {
        at[count] = alphabet[value % 62];
        value /= 62;
    }
}

const char *identity_id_make(apr_pool_t *pool, const char *prefix, apr_time_t now,
                             const identity_random_t *random)
{
    apr_uint64_t words[2];
    size_t length = strlen(prefix);

    if (now < 0 || !random->fill(random->context, words, sizeof words))
        return NULL;
    char *id = apr_palloc(pool, length + 1 + ID_LENGTH + 1);
    memcpy(id, prefix, length);
    id[length] = '_';
    char *tail = id + length + 1;
    put_base62(tail, ID_TIME_LENGTH, (apr_uint64_t)now);
    /* 5 and 6 characters of 64 bits each: the remainder's bias is below 2^-28 */
    put_base62(tail + ID_TIME_LENGTH, 5, words[0]);
    put_base62(tail + ID_TIME_LENGTH + 5, ID_RANDOM_LENGTH - 5, words[1]);
    tail[ID_LENGTH] = '\0';
    return id;
}

const char *identity_id_of_name(apr_pool_t *pool, const char *prefix, const char *name)
{
    return identity_id_of_name_at(pool, prefix, name, 0);
}

const char *identity_id_of_name_at(apr_pool_t *pool, const char *prefix, const char *name,
                                   apr_time_t at)
{
    unsigned char digest[IDENTITY_SHA256_SIZE];
    char tail[ID_LENGTH + 1];

    identity_sha256(name, strlen(name), digest);
    put_base62(tail, ID_TIME_LENGTH, (apr_uint64_t)at);
    for (int i = 0; i < ID_RANDOM_LENGTH; i++)
        tail[ID_TIME_LENGTH + i] = alphabet[digest[i] % 62];
    tail[ID_LENGTH] = '\0';
    return apr_pstrcat(pool, prefix, "_", tail, NULL);
}

static bool is_base62(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool identity_id_valid(const char *id, const char *prefix)
{
    size_t length = strlen(prefix);

    if (!id || strncmp(id, prefix, length) != 0 || id[length] != '_')
        return false;
    const char *tail = id + length + 1;
    for (int i = 0; i < ID_LENGTH; i++)
        if (!is_base62(tail[i]))
            return false;
    return tail[ID_LENGTH] == '\0';
}

const char *identity_invitation_id_make(apr_pool_t *pool, apr_time_t now,
                                        const identity_random_t *random)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char bytes[INVITATION_LENGTH / 2];
    apr_uint64_t milliseconds = (apr_uint64_t)apr_time_as_msec(now);

    if (now < 0 || !random->fill(random->context, bytes + 6, sizeof bytes - 6))
        return NULL;
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(milliseconds >> (8 * (5 - i)));
    char *id = apr_palloc(pool, INVITATION_LENGTH + 1);
    for (size_t i = 0; i < sizeof bytes; i++) {
        id[2 * i] = hex[bytes[i] >> 4];
        id[2 * i + 1] = hex[bytes[i] & 15];
    }
    id[INVITATION_LENGTH] = '\0';
    return id;
}

bool identity_invitation_id_valid(const char *id)
{
    return id != NULL && strspn(id, "0123456789ABCDEF") == INVITATION_LENGTH &&
           id[INVITATION_LENGTH] == '\0';
}

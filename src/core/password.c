/* SPDX-License-Identifier: Apache-2.0 */
/* Password hashes: Argon2id by libsodium in PHC strings; those of other programs are in password_foreign.c. */
#include <limits.h>
#include <string.h>

#include <apr_strings.h>
#include <sodium.h>

#include "core_int.h"

/* Limits for stored hashes, whoever wrote them: anything above is refused before memory is allocated or a processor
 * occupied for seconds. */
#define STORED_MEMORY_MAX 1048576 /* KiB */
#define STORED_MEMORY_MIN 8
#define STORED_PASSES_MAX 64
#define STORED_WORK_MAX   4194304 /* KiB times passes */

#define PHC_START "$argon2id$v=19$"
#define HASH_SIZE 32

/* ---- hashes ----------------------------------------------------------------------------------------------------- */

char *identity_password_normalise(apr_pool_t *pool, const char *password)
{
    size_t length = strnlen(password, IDENTITY_PASSWORD_MAX + 1);
    char *normalised;

    if (length > IDENTITY_PASSWORD_MAX)
        return NULL;
    normalised = identity_text_map(pool, password, length,
                                   UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    identity_wipe_with_pool(pool, normalised);
    return normalised;
}

const char *identity_password_hash(apr_pool_t *pool, const identity_hash_parameters_t *parameters,
                                   const char *normalised)
{
    char hash[crypto_pwhash_STRBYTES];

    if (!identity_crypto_ready() ||
        crypto_pwhash_str_alg(hash, normalised, strlen(normalised), parameters->passes,
                              (size_t)parameters->memory_kib * 1024,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        return NULL;
    return apr_pstrdup(pool, hash);
}

/* Exactly the output of hash(). */
typedef struct stored_hash {
    unsigned memory_kib, passes;
    unsigned char salt[crypto_pwhash_SALTBYTES];
    unsigned char hash[HASH_SIZE];
} stored_hash_t;

/* Reads `name=number` and its terminator; false if malformed or above max. */
static bool read_parameter(const char **at, const char *name, char end, unsigned max,
                           unsigned *value)
{
    size_t length = strlen(name);
    const char *text = *at + length;
    unsigned number = 0;

    if (strncmp(*at, name, length) != 0 || *text < '1' || *text > '9')
        return false;
    while (*text >= '0' && *text <= '9') {
        number = number * 10 + (unsigned)(*text++ - '0');
        if (number > max)
            return false;
    }
    if (*text != end)
        return false;
    *at = text + 1;
    *value = number;
    return true;
}

/* Reads exactly size bytes of base64 and their terminator. */
static bool read_bytes(const char **at, char end, unsigned char *bytes, size_t size)
{
    const char *stop = strchrnul(*at, end);
    size_t got;

    if (*stop != end || sodium_base642bin(bytes, size, *at, (size_t)(stop - *at), NULL, &got, NULL,
                                          sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
        return false;
    *at = stop + 1;
    return got == size;
}

static bool read_stored(const char *text, stored_hash_t *stored)
{
    const char *at = text + sizeof PHC_START - 1;
    unsigned lanes;

    return strnlen(text, crypto_pwhash_STRBYTES) < crypto_pwhash_STRBYTES &&
           strncmp(text, PHC_START, sizeof PHC_START - 1) == 0 &&
           read_parameter(&at, "m=", ',', STORED_MEMORY_MAX, &stored->memory_kib) &&
           read_parameter(&at, "t=", ',', STORED_PASSES_MAX, &stored->passes) &&
           read_parameter(&at, "p=", '$', 1, &lanes) &&
           read_bytes(&at, '$', stored->salt, sizeof stored->salt) &&
           read_bytes(&at, '\0', stored->hash, sizeof stored->hash) &&
           stored->memory_kib >= STORED_MEMORY_MIN &&
           (apr_uint64_t)stored->memory_kib * stored->passes <= STORED_WORK_MAX;
}

/* crypto_pwhash_str_verify() reports a lack of memory as a mismatch: a busy machine would reject the right password.
 * Therefore the hash is computed and compared here. */
identity_password_verdict_t identity_password_verify(const char *hash, const char *typed,
                                                     const char *normalised,
                                                     const identity_hash_parameters_t *parameters,
                                                     bool *weaker)
{
    stored_hash_t stored;
    unsigned char computed[HASH_SIZE];

    *weaker = false;
    if (!hash)
        return IDENTITY_PASSWORD_WRONG;
    if (!read_stored(hash, &stored)) {
        *weaker = true;
        return identity_foreign_verify(hash, typed, parameters->memory_kib);
    }
    *weaker = stored.memory_kib < parameters->memory_kib || stored.passes < parameters->passes;
    if (!identity_crypto_ready() ||
        crypto_pwhash(computed, sizeof computed, normalised, strlen(normalised), stored.salt,
                      stored.passes, (size_t)stored.memory_kib * 1024,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return IDENTITY_PASSWORD_NO_MEMORY;
    bool right = sodium_memcmp(computed, stored.hash, sizeof computed) == 0;
    identity_wipe(computed, sizeof computed);
    identity_wipe(&stored.hash, sizeof stored.hash);
    return right ? IDENTITY_PASSWORD_RIGHT : IDENTITY_PASSWORD_WRONG;
}

/* For a hash that read_stored() rejects: is it well-formed, but with too many passes? */
static bool too_slow(const char *hash)
{
    const char *at = hash + sizeof PHC_START - 1;
    unsigned memory, passes, lanes;

    return strncmp(hash, PHC_START, sizeof PHC_START - 1) == 0 &&
           read_parameter(&at, "m=", ',', UINT_MAX / 20, &memory) &&
           read_parameter(&at, "t=", ',', UINT_MAX / 20, &passes) &&
           read_parameter(&at, "p=", '$', 1, &lanes) &&
           (passes > STORED_PASSES_MAX || (apr_uint64_t)memory * passes > STORED_WORK_MAX);
}

identity_import_t identity_password_importable(const char *hash,
                                               const identity_hash_parameters_t *parameters)
{
    stored_hash_t stored;

    if (read_stored(hash, &stored))
        return stored.memory_kib <= parameters->memory_kib ? IDENTITY_IMPORT_FINE
                                                           : IDENTITY_IMPORT_MEMORY;
    return too_slow(hash) ? IDENTITY_IMPORT_SLOW
                          : identity_foreign_importable(hash, parameters->memory_kib);
}

const char *identity_password_dummy(apr_pool_t *pool, const identity_hash_parameters_t *parameters)
{
    /* a salt of 16 and a hash of 32 zero bytes, as long as real ones */
    return apr_psprintf(pool, PHC_START "m=%u,t=%u,p=1$%s$%s", parameters->memory_kib,
                        parameters->passes, "AAAAAAAAAAAAAAAAAAAAAA",
                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}

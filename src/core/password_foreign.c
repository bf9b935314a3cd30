/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes made by other programs: verified once and then replaced (security 8). None is ever created here. */
#include <crypt.h>
#include <limits.h>
#include <string.h>

#include <apr_md5.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "core_int.h"

#define BCRYPT_BYTES    72 /* longer passwords are truncated by it */
#define BCRYPT_COST_MAX 14
#define ROUNDS_MAX      1000000 /* of SHA-crypt */
#define ITERATIONS_MAX  2000000 /* of PBKDF2 */
#define LANES_MAX       16      /* of scrypt */
#define HASH_MAX        384
#define BYTES_MAX       64

typedef enum {
    FOREIGN_NONE,
    FOREIGN_CRYPT,
    FOREIGN_BCRYPT,
    FOREIGN_HTPASSWD,
    FOREIGN_DERIVED
} foreign_kind_t;

/* PBKDF2 and scrypt: the inputs, and the expected result. */
typedef struct derived {
    const EVP_MD *digest; /* NULL: scrypt */
    apr_uint64_t n, r, p; /* n: iterations of PBKDF2 */
    const unsigned char *salt;
    size_t salt_size;
    unsigned char salt_bytes[BYTES_MAX];
    unsigned char wanted[BYTES_MAX];
    size_t size;
} derived_t;

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static bool skip(const char **at, const char *text)
{
    size_t length = strlen(text);

    if (strncmp(*at, text, length) != 0)
        return false;
    *at += length;
    return true;
}

static bool number(const char **at, char end, apr_uint64_t max, apr_uint64_t *value)
{
    const char *digits = *at;

    for (*value = 0; **at >= '0' && **at <= '9'; ++*at) {
        *value = *value * 10 + (apr_uint64_t)(**at - '0');
        if (*value > max)
            return false;
    }
    return *at != digits && *value > 0 && *(*at)++ == end;
}

/* Base64, padded or not; passlib writes `.` for `+`. */
static bool bytes(const char **at, char end, unsigned char *out, size_t *size)
{
    char text[2 * BYTES_MAX];
    const char *stop = strchrnul(*at, end);
    size_t length = (size_t)(stop - *at);

    if (*stop != end || length >= sizeof text)
        return false;
    for (size_t i = 0; i < length; i++)
        text[i] = (*at)[i] == '.' ? '+' : (*at)[i];
    while (length > 0 && text[length - 1] == '=')
        length--;
    *at = stop + (end != '\0');
    return length > 0 && sodium_base642bin(out, BYTES_MAX, text, length, NULL, size, NULL,
                                           sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0;
}

static bool passlib_salt(const char **at, derived_t *derived)
{
    derived->salt = derived->salt_bytes;
    return bytes(at, '$', derived->salt_bytes, &derived->salt_size);
}

/* Django's salt is text. */
static bool django_salt(const char **at, derived_t *derived)
{
    derived->salt = (const unsigned char *)*at;
    derived->salt_size = strcspn(*at, "$");
    *at += derived->salt_size;
    return derived->salt_size > 0 && skip(at, "$");
}

static bool read_pbkdf2(const char *hash, derived_t *derived)
{
    const char *at = hash;
    bool django = false;

    if (skip(&at, "$pbkdf2-sha256$") || (django = skip(&at, "pbkdf2_sha256$")))
        derived->digest = EVP_sha256();
    else if (skip(&at, "$pbkdf2-sha512$"))
        derived->digest = EVP_sha512();
    else if (skip(&at, "$pbkdf2$") || (django = skip(&at, "pbkdf2_sha1$")))
        derived->digest = EVP_sha1();
    else
        return false;
    return number(&at, '$', ITERATIONS_MAX, &derived->n) &&
           (django ? django_salt(&at, derived) : passlib_salt(&at, derived)) &&
           bytes(&at, '\0', derived->wanted, &derived->size);
}

static bool read_scrypt(const char *hash, unsigned memory_kib, derived_t *derived)
{
    const char *at = hash;
    apr_uint64_t power;

    if (!skip(&at, "$scrypt$ln=") || !number(&at, ',', 24, &power) || !skip(&at, "r=") ||
        !number(&at, ',', 64, &derived->r) || !skip(&at, "p=") ||
        !number(&at, '$', LANES_MAX, &derived->p))
        return false;
    derived->digest = NULL;
    derived->n = (apr_uint64_t)1 << power;
    return derived->n * derived->r / 8 <= memory_kib && passlib_salt(&at, derived) &&
           bytes(&at, '\0', derived->wanted, &derived->size);
}

/* The parameters of yescrypt and of crypt's scrypt are characters that encode six bits each. */
static int six_bits(char c)
{
    static const char alphabet[] =
        "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

    return at != NULL ? (int)(at - alphabet) : -1;
}

/* 128 * N * r bytes */
static bool memory_fits(int power, int r, unsigned memory_kib)
{
    return power > 0 && power < 32 && r > 0 && (((apr_uint64_t)r << power) + 7) / 8 <= memory_kib;
}

/* $y$ flavour, N, r, one character each: the form written by libxcrypt and every distribution. Further parameters
 * would ask for more time or threads. */
static bool yescrypt_fits(const char *parameters, unsigned memory_kib)
{
    return strcspn(parameters, "$") == 3 && parameters[0] == 'j' &&
           memory_fits(six_bits(parameters[1]) + 1, six_bits(parameters[2]) + 1, memory_kib);
}

/* $7$ N, then r and p of five characters each, least significant first. */
static bool scrypt7_fits(const char *parameters, unsigned memory_kib)
{
    return strlen(parameters) > 11 && strncmp(parameters + 2, "....", 4) == 0 &&
           strncmp(parameters + 7, "....", 4) == 0 && six_bits(parameters[6]) > 0 &&
           six_bits(parameters[6]) <= LANES_MAX &&
           memory_fits(six_bits(parameters[0]), six_bits(parameters[1]), memory_kib);
}

static bool rounds_fit(const char *rest)
{
    apr_uint64_t rounds;

    return !skip(&rest, "rounds=") || number(&rest, '$', ROUNDS_MAX, &rounds);
}

static foreign_kind_t kind_of(const char *hash, unsigned memory_kib, derived_t *derived)
{
    const char *at = hash;

    memset(derived, 0, sizeof *derived);
    if (strnlen(hash, HASH_MAX) == HASH_MAX)
        return FOREIGN_NONE;
    if (skip(&at, "$2y$") || skip(&at, "$2b$") || skip(&at, "$2a$")) {
        apr_uint64_t cost;
        return strlen(hash) == 60 && number(&at, '$', BCRYPT_COST_MAX, &cost) ? FOREIGN_BCRYPT
                                                                              : FOREIGN_NONE;
    }
    if (skip(&at, "$apr1$") || skip(&at, "{SHA}"))
        return FOREIGN_HTPASSWD;
    if (skip(&at, "$1$"))
        return FOREIGN_CRYPT;
    if (skip(&at, "$5$") || skip(&at, "$6$"))
        return rounds_fit(at) ? FOREIGN_CRYPT : FOREIGN_NONE;
    if (skip(&at, "$y$"))
        return yescrypt_fits(at, memory_kib) ? FOREIGN_CRYPT : FOREIGN_NONE;
    if (skip(&at, "$7$"))
        return scrypt7_fits(at, memory_kib) ? FOREIGN_CRYPT : FOREIGN_NONE;
    return read_pbkdf2(hash, derived) || read_scrypt(hash, memory_kib, derived) ? FOREIGN_DERIVED
                                                                                : FOREIGN_NONE;
}

/* The cost parameter of a hash, if its format has one, and its limit. */
static bool too_slow(const char *hash)
{
    static const struct {
        const char *before;
        apr_uint64_t max;
    } costs[] = {{"$2a$", BCRYPT_COST_MAX},           {"$2b$", BCRYPT_COST_MAX},
                 {"$2y$", BCRYPT_COST_MAX},           {"$5$rounds=", ROUNDS_MAX},
                 {"$6$rounds=", ROUNDS_MAX},          {"$pbkdf2-sha256$", ITERATIONS_MAX},
                 {"$pbkdf2-sha512$", ITERATIONS_MAX}, {"$pbkdf2$", ITERATIONS_MAX},
                 {"pbkdf2_sha256$", ITERATIONS_MAX},  {"pbkdf2_sha1$", ITERATIONS_MAX}};

    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++) {
        const char *at = hash;
        apr_uint64_t cost;
        if (skip(&at, costs[i].before) && !number(&at, '$', costs[i].max, &cost) && *at >= '0' &&
            *at <= '9')
            return true;
    }
    return false;
}

identity_import_t identity_foreign_importable(const char *hash, unsigned memory_kib)
{
    derived_t derived;

    if (kind_of(hash, memory_kib, &derived) != FOREIGN_NONE)
        return IDENTITY_IMPORT_FINE;
    if (too_slow(hash))
        return IDENTITY_IMPORT_SLOW;
    return kind_of(hash, UINT_MAX / 2, &derived) != FOREIGN_NONE ? IDENTITY_IMPORT_MEMORY
                                                                 : IDENTITY_IMPORT_UNKNOWN;
}

/* ---- verifying -------------------------------------------------------------------------------------------------- */

static bool by_crypt(const char *hash, const char *typed)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *made = data != NULL ? crypt_rn(typed, hash, data, sizeof *data) : NULL;
    bool right = made != NULL && made[0] != '*' && identity_secret_equal(made, hash);

    if (data != NULL)
        identity_wipe(data, sizeof *data);
    free(data);
    return right;
}

static identity_password_verdict_t by_derivation(const derived_t *derived, const char *typed,
                                                 unsigned memory_kib)
{
    unsigned char made[BYTES_MAX];
    size_t length = strlen(typed);
    int done = derived->digest != NULL
                   ? PKCS5_PBKDF2_HMAC(typed, (int)length, derived->salt, (int)derived->salt_size,
                                       (int)derived->n, derived->digest, (int)derived->size, made)
                   : EVP_PBE_scrypt(typed, length, derived->salt, derived->salt_size, derived->n,
                                    derived->r, derived->p,
                                    ((apr_uint64_t)memory_kib + 1024) * 1024, made, derived->size);
    bool right = done == 1 && sodium_memcmp(made, derived->wanted, derived->size) == 0;

    identity_wipe(made, sizeof made);
    if (done != 1)
        return IDENTITY_PASSWORD_NO_MEMORY;
    return right ? IDENTITY_PASSWORD_RIGHT : IDENTITY_PASSWORD_WRONG;
}

identity_password_verdict_t identity_foreign_verify(const char *hash, const char *typed,
                                                    unsigned memory_kib)
{
    derived_t derived;
    bool right = false;

    switch (kind_of(hash, memory_kib, &derived)) {
    case FOREIGN_BCRYPT:
        right = strlen(typed) <= BCRYPT_BYTES && by_crypt(hash, typed);
        break;
    case FOREIGN_CRYPT:
        right = by_crypt(hash, typed);
        break;
    case FOREIGN_HTPASSWD:
        right = apr_password_validate(typed, hash) == APR_SUCCESS;
        break;
    case FOREIGN_DERIVED:
        return by_derivation(&derived, typed, memory_kib);
    case FOREIGN_NONE:
        break;
    }
    return right ? IDENTITY_PASSWORD_RIGHT : IDENTITY_PASSWORD_WRONG;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder. */
#ifndef IDENTITY_CORE_INT_H
#define IDENTITY_CORE_INT_H

#include <openssl/evp.h>
#include <utf8proc.h>

#include "identity/core.h"

/* The catalogue, with an enumerator for each family (roles.def) and a bit for each class of action
 * (permissions.def). */
typedef enum {
#define BUILTIN(number, name, slug, description)
#define FAMILY(family, number, words, slug) FAMILY_##family,
#include "roles.def"
#undef FAMILY
#undef BUILTIN
    FAMILY_COUNT
} identity_family_t;

enum {
    IDENTITY_CLASS_VIEW = 1,
    IDENTITY_CLASS_WRITE = 2,
    IDENTITY_CLASS_ADMIN = 4,
    IDENTITY_CLASS_SITE = 8
};

bool identity_family_in(identity_family_t family, identity_catalogue_t catalogue);

/* Adds the family's permissions of these classes. */
void identity_permset_add_family(identity_permset_t *set, identity_family_t family,
                                 unsigned classes);

/* Library handles, fetched once per process: OpenSSL's implicit fetch costs more than a short digest itself. NULL if
 * OpenSSL lacks the algorithm. */
const EVP_CIPHER *identity_crypto_aes256gcm(void);
/* Has libsodium selected its implementations? Initializes it; false if it cannot. */
bool identity_crypto_ready(void);

/* Hashes of other programs: crypt(3) of libxcrypt, htpasswd's, PBKDF2 and scrypt in the formats of passlib and
 * Django. known: one of these, with no more than memory_kib and a bounded time. The password is used as typed. */
identity_import_t identity_foreign_importable(const char *hash, unsigned memory_kib);
identity_password_verdict_t identity_foreign_verify(const char *hash, const char *typed,
                                                    unsigned memory_kib);

#define IDENTITY_SHA256_SIZE 32
void identity_sha256(const void *data, size_t size, unsigned char digest[IDENTITY_SHA256_SIZE]);
void identity_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                          unsigned char digest[IDENTITY_SHA256_SIZE]);

/* The next character of a NUL-terminated text, 0 at its end, -1 if it is not valid UTF-8. */
utf8proc_int32_t identity_next_char(const char **text);
/* May this character occur in a name or a description? Not: control, line and paragraph separators, bidirectional
 * formatting (it makes a text read as another). */
bool identity_char_printable(utf8proc_int32_t character);
/* One pass over UTF-8: false if it is not valid or a character is not printable; otherwise the number of characters. */
bool identity_text_scan(const char *text, size_t *characters);
/* Normalises text in buffers of its own, which it wipes: it may be a password. NULL if it is not valid UTF-8. */
char *identity_text_map(apr_pool_t *pool, const char *text, size_t length,
                        utf8proc_option_t options);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets, passwords, signing keys and tokens. Part of identity/core.h. */
#ifndef IDENTITY_CORE_SECRETS_PUBLIC_H
#define IDENTITY_CORE_SECRETS_PUBLIC_H

#include "identity/core.h"

/* ---- secrets ---------------------------------------------------------------------------------------------------- */

void identity_wipe(void *memory, size_t size);
/* Overwrites a C string; NULL is allowed. */
void identity_wipe_string(char *text);
/* Wipes the C string when the pool is destroyed (passwords of a request). */
void identity_wipe_with_pool(apr_pool_t *pool, char *text);
/* Constant-time comparison of two strings of equal length; false for different lengths. (security 18) */
bool identity_secret_equal(const char *a, const char *b);
const char *identity_sha256_hex(apr_pool_t *pool, const void *data, size_t size);
/* 128 bits of BLAKE2b in hex: distinguishes texts as well as SHA-256 at a fifth of the cost. Not for secrets. */
const char *identity_text_tag(apr_pool_t *pool, const void *data, size_t size);
/* identity_sha256_hex, incrementally. NULL if memory runs out; call the end function once. */
typedef struct identity_digest identity_digest_t;
identity_digest_t *identity_digest_make(apr_pool_t *pool);
void identity_digest_add(identity_digest_t *digest, const void *data, size_t size);
const char *identity_digest_hex(apr_pool_t *pool, identity_digest_t *digest);
/* Hex HMAC-SHA256: a digest that reveals nothing without the key, even for guessable text. */
const char *identity_keyed_digest(apr_pool_t *pool, const unsigned char key[32], const void *data,
                                  size_t size);
const char *identity_base64url_encode(apr_pool_t *pool, const void *data, size_t size);
/* NULL unless it is canonical base64url without padding: no `=`, no blanks, no leftover bits. The result is
 * NUL-terminated. */
unsigned char *identity_base64url_decode(apr_pool_t *pool, const char *text, size_t *size);
/* The same for text that may contain any bytes. */
unsigned char *identity_base64url_decode_n(apr_pool_t *pool, const char *text, size_t length,
                                           size_t *size);

/* Typed secrets: prefix_ + 43 characters of base64url (256 bits) + 6 characters of checksum over everything before,
 * so that secret scanners can find them and typos are detected without a look-up (security 20, 33). */
#define IDENTITY_TOKEN_REFRESH "idr"
#define IDENTITY_TOKEN_INVITE  "idi"
#define IDENTITY_TOKEN_RESET   "idp"
#define IDENTITY_TOKEN_CHANGE  "idc"
#define IDENTITY_TOKEN_ALIAS   "ida"
#define IDENTITY_TOKEN_CLIENT  "ido" /* the secret of a client of the OpenID provider */
#define IDENTITY_TOKEN_CODE    "idx" /* an authorization code for a client */
const char *identity_token_make(apr_pool_t *pool, const char *prefix,
                                const identity_random_t *random);
/* The token for exactly these 32 bytes. */
const char *identity_token_of_bytes(apr_pool_t *pool, const char *prefix,
                                    const unsigned char bytes[32]);
bool identity_token_valid(const char *token, const char *prefix);
/* The form in which the database stores a token or key: hex SHA-256 of the whole text. */
const char *identity_token_digest(apr_pool_t *pool, const char *token);
/* The successor of a refresh token: HMAC-SHA256 of nonce, keyed with the spent token, so that only the holder of the
 * spent token can receive it again. */
const char *identity_refresh_successor(apr_pool_t *pool, const char *token, const char *nonce);

#define IDENTITY_TOKEN_SIGN_ON "ids" /* the cookie that binds a sign-on to its browser */
/* HMAC-SHA256 in base64url (43 characters): derived from a secret alone. */
const char *identity_mac_text(apr_pool_t *pool, const void *key, size_t key_size, const char *text);
/* SHA-256 in base64url, the form of PKCE's S256 challenge (RFC 7636). */
const char *identity_sha256_base64url(apr_pool_t *pool, const char *text);

/* API keys: idk_ + the 20 characters of the key's id + _ + 43 characters of base64url + 6 of checksum. */
const char *identity_key_make(apr_pool_t *pool, const char *key_id,
                              const identity_random_t *random);
/* The id (apik_...) in a well-formed key; NULL for anything else, which saves a look-up. */
const char *identity_key_id(apr_pool_t *pool, const char *key);
/* idk_ and the last four characters: idk_...a1B2 */
const char *identity_key_mask(apr_pool_t *pool, const char *key);

/* AES-256-GCM. Text: base64url of nonce, ciphertext and tag. aad binds it to its location (a row's id). NULL on an
 * error or a wrong key. */
const char *identity_seal(apr_pool_t *pool, const unsigned char key[32], const char *plain,
                          const char *aad, const identity_random_t *random);
char *identity_unseal(apr_pool_t *pool, const unsigned char key[32], const char *sealed,
                      const char *aad);

/* ---- passwords -------------------------------------------------------------------------------------------------- */

#define IDENTITY_PASSWORD_MAX    1024  /* bytes */
#define IDENTITY_HASH_MEMORY_MIN 19456 /* KiB (security 1) */
#define IDENTITY_HASH_PASSES_MIN 2

typedef struct identity_hash_parameters {
    unsigned memory_kib;
    unsigned passes;
} identity_hash_parameters_t;

/* Words that a new password may not be, ignoring case and surrounding digits and signs (security 6): one a line;
 * lines that begin with # are comments. In pool; used by many threads at once. */
typedef struct identity_blocklist identity_blocklist_t;
identity_blocklist_t *identity_blocklist_make(apr_pool_t *pool, const char *text, size_t length);
/* Nothing has to be made of it: text that lasts, of words in the form of identity_name_canonical, each once, in the
 * order of their bytes, with a line feed behind each. */
identity_blocklist_t *identity_blocklist_sorted(apr_pool_t *pool, const char *text, size_t length);
/* A word in that form. */
bool identity_blocklist_has(const identity_blocklist_t *list, const char *word);
unsigned identity_blocklist_count(const identity_blocklist_t *list);

typedef struct identity_password_policy {
    size_t minimum;                        /* bytes; less than 8 counts as 8 */
    const identity_blocklist_t *blocklist; /* or NULL */
    const char *username,
        *site; /* a password may not consist only of words from these; either may be NULL */
} identity_password_policy_t;
/* The effective minimum length in bytes for a configured one. */
size_t identity_password_minimum(size_t wanted);
/* 8 (or minimum) to 1,024 bytes, a digit, a capital letter, not the user name in any case nor made of it and the
 * site's name, not on the blocklist, valid UTF-8 without NUL or control characters. INVALID_FIELD on `field`
 * otherwise, with the reason; the message never contains the password. Length is checked first (security 4). */
bool identity_password_acceptable(apr_pool_t *pool, const char *password,
                                  const identity_password_policy_t *policy, const char *field,
                                  identity_problem_t *problem);
/* NFKC, once, before hashing and before verifying (security 3). NULL for invalid UTF-8 or over the cap. Wiped with the
 * pool. */
char *identity_password_normalise(apr_pool_t *pool, const char *password);
/* PHC string of Argon2id with a fresh salt. Uses the parameters' memory and about 16 ms: call it only under the
 * hashing semaphore. NULL if memory runs out. */
const char *identity_password_hash(apr_pool_t *pool, const identity_hash_parameters_t *parameters,
                                   const char *normalised);
typedef enum {
    IDENTITY_PASSWORD_RIGHT,
    IDENTITY_PASSWORD_WRONG,
    IDENTITY_PASSWORD_NO_MEMORY
} identity_password_verdict_t;
/* Verifies a password; *weaker (also if it is wrong): the hash is not Argon2id with at least these parameters.
 * Hashes of other programs (bcrypt, apr1, {SHA}, SHA-crypt, md5-crypt, yescrypt, PBKDF2, scrypt) are compared with
 * the password as typed, byte for byte; if such a format would ignore the end of a longer password, that password is
 * wrong (security 3). */
identity_password_verdict_t identity_password_verify(const char *hash, const char *typed,
                                                     const char *normalised,
                                                     const identity_hash_parameters_t *parameters,
                                                     bool *weaker);
/* Can passwords be verified against the hash, within the memory of the parameters? If not, why. */
typedef enum {
    IDENTITY_IMPORT_FINE,
    IDENTITY_IMPORT_UNKNOWN, /* unknown format */
    IDENTITY_IMPORT_MEMORY,  /* needs more memory */
    IDENTITY_IMPORT_SLOW     /* would take too much processor time */
} identity_import_t;
identity_import_t identity_password_importable(const char *hash,
                                               const identity_hash_parameters_t *parameters);
/* A well-formed PHC string of these parameters that no password matches: logins of unknown users are verified
 * against it (security 16). */
const char *identity_password_dummy(apr_pool_t *pool, const identity_hash_parameters_t *parameters);

/* ---- signing keys and access tokens (RFC 7515, 7517, 7519, 9068; cjose) ----------------------------------------- */

/* ES256 keys: the first one signs, all verify. Immutable after loading: shared by all threads. */
typedef struct identity_keyset identity_keyset_t;

/* PEM of a new P-256 private key. Wiped with the pool. NULL on an error. */
char *identity_signing_key_make(apr_pool_t *pool);
/* Reads PEM private keys, newest first. NULL with *error, a sentence (index of the key, no key material), otherwise.
 * Freed with the pool. */
identity_keyset_t *identity_keyset_load(apr_pool_t *pool, const char *const *pems, int count,
                                        const char **error);
/* kid (RFC 7638 thumbprint, base64url) of key i, NULL past the last. */
const char *identity_keyset_kid(const identity_keyset_t *keys, int index);
/* A sealing key derived from signing key i (HKDF-like HMAC over its private scalar; label separates uses). False past
 * the last. */
bool identity_keyset_derive(const identity_keyset_t *keys, int index, const char *label,
                            unsigned char key[32]);
/* {"keys":[...]} of the public halves. A new reference. */
json_t *identity_keyset_jwks(const identity_keyset_t *keys);

typedef struct identity_claims {
    const char *issuer, *subject, *audience, *jwt_id, *session_id, *client_id, *entity_id;
    const char *scope;                /* of a client's token; NULL: none */
    apr_time_t issued_at, expires_at; /* whole seconds on the wire */
} identity_claims_t;

/* Compact JWS, typ at+jwt, alg ES256, kid. NULL on an error. */
const char *identity_jwt_sign(apr_pool_t *pool, const identity_keyset_t *keys,
                              const identity_claims_t *claims);
/* Checks the signature by the key named by kid, alg ES256 and typ at+jwt only, iss and aud exactly as given, exp in
 * the future and iat not more than 60 s ahead of now, and that every claim is present and of its type (security 48,
 * 51). False gives no reason. */
bool identity_jwt_verify(apr_pool_t *pool, const identity_keyset_t *keys, const char *token,
                         const char *issuer, const char *audience, apr_time_t now,
                         identity_claims_t *claims);
/* Does it look like an access token of this issuer under one of these keys? Neither the signature nor the expiry is
 * checked: this recognizes what must not be passed on, it never authenticates. */
bool identity_jwt_formed(apr_pool_t *pool, const identity_keyset_t *keys, const char *token,
                         const char *issuer);

/* ---- the OpenID provider's own key and ID tokens (openid_key.c) -------------------------------------------------- */

/* An RSA key for RS256, which clients of OpenID Connect expect. Immutable: shared by all threads. */
typedef struct identity_openid_key identity_openid_key_t;
/* PEM of a new RSA key of 2,048 bits. Wiped with the pool. NULL on an error. */
char *identity_openid_key_make(apr_pool_t *pool);
/* NULL unless it is a sound RSA private key of 2,048 to 8,192 bits. Freed with the pool. */
identity_openid_key_t *identity_openid_key_load(apr_pool_t *pool, const char *pem);
/* Its public half (RFC 7517). A new reference. */
json_t *identity_openid_key_jwk(const identity_openid_key_t *key);
/* Compact JWS of the claims by RS256, or by ES256 with the first key of the set; typ as given. NULL on an error. */
const char *identity_openid_sign(apr_pool_t *pool, const identity_keyset_t *keys,
                                 const identity_openid_key_t *key, bool es256, const char *type,
                                 const json_t *claims);
/* at_hash (OpenID Connect Core 1.0, 3.1.3.6), for either algorithm. */
const char *identity_openid_at_hash(apr_pool_t *pool, const char *access_token);
/* The claims of an ID token that this issuer signed by one of these keys; NULL for anything else. Its expiry is not
 * judged. */
const json_t *identity_openid_hint(apr_pool_t *pool, const identity_keyset_t *keys,
                                   const identity_openid_key_t *key, const char *token,
                                   const char *issuer);

/* ---- ID tokens of OpenID providers (OpenID Connect Core 1.0, 3.1.3.7; idtoken.c) -------------------------------- */

typedef struct identity_id_token_rules {
    const char *issuer, *client_id, *nonce; /* must match exactly */
    const char
        *access_token; /* the access token received with it, checked against at_hash; or NULL */
    apr_time_t now;
} identity_id_token_rules_t;

/* The person that a provider vouches for. */
typedef struct identity_vouched {
    const char *
        subject; /* identifies the person together with the issuer; the address never does (security 69) */
    const char *email; /* NULL if not given */
    bool email_verified;
    bool
        email_judged; /* the provider states whether it is verified; if not, email_verified is false */
} identity_vouched_t;

typedef enum {
    IDENTITY_ID_TOKEN_RIGHT,
    IDENTITY_ID_TOKEN_UNKNOWN_KEY, /* the cached key set may be outdated */
    IDENTITY_ID_TOKEN_WRONG,
    IDENTITY_ID_TOKEN_NOT_VERIFIABLE /* because of its algorithm or key: the provider is set up incompatibly */
} identity_id_token_verdict_t;

/* The supported signature algorithms of ID tokens, NULL-terminated. */
const char *const *identity_id_token_algorithms(void);
/* Checks the signature by one of these algorithms and a key of the provider's JWKS of the matching type; iss, aud,
 * azp, nonce, at_hash exactly; exp and iat with a tolerance of 60 s. At most 64 KiB. *why: the reason in a few
 * words, quoting nothing from the token. */
identity_id_token_verdict_t identity_id_token_verify(apr_pool_t *pool, const char *jwks,
                                                     const char *token,
                                                     const identity_id_token_rules_t *rules,
                                                     identity_vouched_t *vouched, const char **why);
/* The supported keys of a key set; NULL if it is malformed. */
const json_t *identity_key_set_read(apr_pool_t *pool, const char *text, size_t length);
/* A userinfo response: JSON, or signed like an ID token, with the rules' iss and aud. */
const json_t *identity_userinfo_read(apr_pool_t *pool, const char *text, size_t length);
identity_id_token_verdict_t identity_userinfo_verify(apr_pool_t *pool, const char *jwks,
                                                     const char *token, size_t length,
                                                     const identity_id_token_rules_t *rules,
                                                     const json_t **claims, const char **why);
/* Completes the address from the ID token with userinfo claims. If userinfo states whether its address is verified,
 * it replaces the one from the ID token. False if the claims belong to another subject. */
bool identity_userinfo_take(apr_pool_t *pool, const json_t *claims, identity_vouched_t *vouched);

#endif

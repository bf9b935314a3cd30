/* Secrets, passwords, signing keys and tokens. Part of identity/core.h. */
#ifndef IDENTITY_CORE_SECRETS_PUBLIC_H
#define IDENTITY_CORE_SECRETS_PUBLIC_H

#include "identity/core.h"

/* ---- secrets ---------------------------------------------------------------------------------------------------- */

void identity_wipe(void *memory, size_t size);
/* Overwrites a C string; NULL is fine. */
void identity_wipe_string(char *text);
/* Wipes the C string when the pool goes (passwords of a request). */
void identity_wipe_with_pool(apr_pool_t *pool, char *text);
/* Constant-time comparison of two strings of equal length; false for different lengths. (security 18) */
bool identity_secret_equal(const char *a, const char *b);
const char *identity_sha256_hex(apr_pool_t *pool, const void *data, size_t size);
/* 128 bits of BLAKE2b in hex: tells texts apart as well, at a fifth of the cost. Not for secrets. */
const char *identity_text_tag(apr_pool_t *pool, const void *data, size_t size);
/* identity_sha256_hex of what comes piece by piece. NULL without memory; the end may be asked for once. */
typedef struct identity_digest identity_digest_t;
identity_digest_t *identity_digest_make(apr_pool_t *pool);
void identity_digest_add(identity_digest_t *digest, const void *data, size_t size);
const char *identity_digest_hex(apr_pool_t *pool, identity_digest_t *digest);
/* HMAC-SHA256 in hex: a digest that says nothing, even of a guessable text, to who does not have the key. */
const char *identity_keyed_digest(apr_pool_t *pool, const unsigned char key[32], const void *data, size_t size);
const char *identity_base64url_encode(apr_pool_t *pool, const void *data, size_t size);
/* NULL where it is not canonical base64url without padding: no `=`, no blanks, no bits left over. A NUL follows what is
 * returned. */
unsigned char *identity_base64url_decode(apr_pool_t *pool, const char *text, size_t *size);
/* The same of a text of any bytes. */
unsigned char *identity_base64url_decode_n(apr_pool_t *pool, const char *text, size_t length, size_t *size);

/* Typed secrets: prefix_ + 43 characters of base64url (256 bits) + 6 characters of checksum over all before it, so that
 * secret scanners can find them and a typo is told without a look-up (security 20, 33). */
#define IDENTITY_TOKEN_REFRESH "idr"
#define IDENTITY_TOKEN_INVITE  "idi"
#define IDENTITY_TOKEN_RESET   "idp"
#define IDENTITY_TOKEN_CHANGE  "idc"
#define IDENTITY_TOKEN_ALIAS   "ida"
const char *identity_token_make(apr_pool_t *pool, const char *prefix, const identity_random_t *random);
/* The token of exactly these 32 bytes. */
const char *identity_token_of_bytes(apr_pool_t *pool, const char *prefix, const unsigned char bytes[32]);
bool identity_token_valid(const char *token, const char *prefix);
/* What the database holds of a token or key: SHA-256 in hex of the whole text. */
const char *identity_token_digest(apr_pool_t *pool, const char *token);
/* The successor of a refresh token: HMAC-SHA256 keyed with the spent token over nonce, so that only who holds the spent
 * one can be given it again. */
const char *identity_refresh_successor(apr_pool_t *pool, const char *token, const char *nonce);

#define IDENTITY_TOKEN_SIGN_ON "ids" /* the cookie that binds a sign-on to its browser */
/* HMAC-SHA256 in base64url (43 characters): what follows from a secret and from nothing else. */
const char *identity_mac_text(apr_pool_t *pool, const void *key, size_t key_size, const char *text);
/* SHA-256 in base64url, as PKCE's S256 spells a challenge (RFC 7636). */
const char *identity_sha256_base64url(apr_pool_t *pool, const char *text);

/* API keys: idk_ + the 20 characters of the key's id + _ + 43 characters of base64url + 6 of checksum. */
const char *identity_key_make(apr_pool_t *pool, const char *key_id, const identity_random_t *random);
/* The id (apik_...) that a well-formed key names; NULL for anything else, so that no look-up is made for it. */
const char *identity_key_id(apr_pool_t *pool, const char *key);
/* idk_ and the last four characters: idk_...a1B2 */
const char *identity_key_mask(apr_pool_t *pool, const char *key);

/* AES-256-GCM. Text: base64url of nonce, ciphertext and tag. aad binds it to its place (a row's id). NULL on a fault or
 * a false key. */
const char *identity_seal(apr_pool_t *pool, const unsigned char key[32], const char *plain, const char *aad,
                          const identity_random_t *random);
char *identity_unseal(apr_pool_t *pool, const unsigned char key[32], const char *sealed, const char *aad);

/* ---- passwords -------------------------------------------------------------------------------------------------- */

#define IDENTITY_PASSWORD_MAX    1024  /* bytes */
#define IDENTITY_HASH_MEMORY_MIN 19456 /* KiB (security 1) */
#define IDENTITY_HASH_PASSES_MIN 2

typedef struct identity_hash_parameters {
    unsigned memory_kib;
    unsigned passes;
} identity_hash_parameters_t;

/* Words that a new password may not be, whatever their case and with digits and signs around them (security 6): one a
 * line, lines with # at their beginning left out. In pool; used by many threads at once. */
typedef struct identity_blocklist identity_blocklist_t;
identity_blocklist_t *identity_blocklist_make(apr_pool_t *pool, const char *text, size_t length);
unsigned identity_blocklist_count(const identity_blocklist_t *list);

typedef struct identity_password_policy {
    size_t minimum;                        /* bytes; less than 8 counts as 8 */
    const identity_blocklist_t *blocklist; /* or NULL */
    const char *username, *site;           /* words of these are not enough for a password; either may be NULL */
} identity_password_policy_t;
/* The bytes that a password must have where a site wants so many. */
size_t identity_password_minimum(size_t wanted);
/* 8 (or minimum) to 1,024 bytes, a digit, a capital letter, not the user name in any case nor made of it and the site's
 * name, not on the block list, valid UTF-8 without NUL or control characters. INVALID_FIELD on `field` otherwise, with
 * the reason; the message never holds the password. Length is checked before anything else (security 4). */
bool identity_password_acceptable(apr_pool_t *pool, const char *password, const identity_password_policy_t *policy,
                                  const char *field, identity_problem_t *problem);
/* NFKC, once, before hashing and before verifying (security 3). NULL for invalid UTF-8 or over the cap. Wiped with the
 * pool. */
char *identity_password_normalise(apr_pool_t *pool, const char *password);
/* PHC string of Argon2id with a fresh salt. Takes the parameters' memory and about 16 ms: call it inside the gate only.
 * NULL when memory lacks. */
const char *identity_password_hash(apr_pool_t *pool, const identity_hash_parameters_t *parameters,
                                   const char *normalised);
typedef enum {
    IDENTITY_PASSWORD_RIGHT,
    IDENTITY_PASSWORD_WRONG,
    IDENTITY_PASSWORD_NO_MEMORY
} identity_password_verdict_t;
/* Compares; *weaker, right or wrong: the hash is not (or less than) Argon2id with the parameters. Hashes of other
 * programs (bcrypt, apr1, {SHA}, SHA-crypt, md5-crypt, yescrypt, PBKDF2, scrypt) are compared with what was typed, byte
 * for byte: where they would look at a part of it only, a longer password is wrong (security 3). */
identity_password_verdict_t identity_password_verify(const char *hash, const char *typed, const char *normalised,
                                                     const identity_hash_parameters_t *parameters, bool *weaker);
/* Could a password be verified against it, within the memory of the parameters? If not, why. */
typedef enum {
    IDENTITY_IMPORT_FINE,
    IDENTITY_IMPORT_UNKNOWN, /* no form that is known */
    IDENTITY_IMPORT_MEMORY,  /* it takes more memory */
    IDENTITY_IMPORT_SLOW     /* it would keep a processor too long */
} identity_import_t;
identity_import_t identity_password_importable(const char *hash, const identity_hash_parameters_t *parameters);
/* A well-formed PHC string of these parameters that no password has: what an unknown user's login is verified against
 * (security 16). */
const char *identity_password_dummy(apr_pool_t *pool, const identity_hash_parameters_t *parameters);

/* ---- signing keys and access tokens (RFC 7515, 7517, 7519, 9068; cjose) ----------------------------------------- */

/* ES256 keys, the first one signs, all verify. Immutable after loading: shared by all threads. */
typedef struct identity_keyset identity_keyset_t;

/* PEM of a new P-256 private key. Wiped with the pool. NULL on a fault. */
char *identity_signing_key_make(apr_pool_t *pool);
/* Reads PEM private keys, newest first. NULL with *error a sentence (index of the key, no key material) otherwise.
 * Freed with the pool. */
identity_keyset_t *identity_keyset_load(apr_pool_t *pool, const char *const *pems, int count, const char **error);
/* kid (RFC 7638 thumbprint, base64url) of key i, NULL past the last. */
const char *identity_keyset_kid(const identity_keyset_t *keys, int index);
/* A sealing key derived from signing key i (HKDF-like HMAC over its private scalar; label separates uses). False past
 * the last. */
bool identity_keyset_derive(const identity_keyset_t *keys, int index, const char *label, unsigned char key[32]);
/* {"keys":[...]} of the public halves. A new reference. */
json_t *identity_keyset_jwks(const identity_keyset_t *keys);

typedef struct identity_claims {
    const char *issuer, *subject, *audience, *jwt_id, *session_id, *client_id, *entity_id;
    apr_time_t issued_at, expires_at; /* whole seconds on the wire */
} identity_claims_t;

/* Compact JWS, typ at+jwt, alg ES256, kid. NULL on a fault. */
const char *identity_jwt_sign(apr_pool_t *pool, const identity_keyset_t *keys, const identity_claims_t *claims);
/* Signature by a key of the set named by kid, alg ES256 and typ at+jwt only, iss and aud exactly as given, exp in the
 * future and iat not more than 60 s ahead of now, every claim there and of its type (security 48, 51). False tells
 * nothing more. */
bool identity_jwt_verify(apr_pool_t *pool, const identity_keyset_t *keys, const char *token, const char *issuer,
                         const char *audience, apr_time_t now, identity_claims_t *claims);
/* Is it written like an access token of this issuer under one of these keys? Neither its signature nor its time is
 * looked at: to recognize what must not be passed on, not to let anybody in. */
bool identity_jwt_formed(apr_pool_t *pool, const identity_keyset_t *keys, const char *token, const char *issuer);

/* ---- ID tokens of OpenID providers (OpenID Connect Core 1.0, 3.1.3.7; idtoken.c) -------------------------------- */

typedef struct identity_id_token_rules {
    const char *issuer, *client_id, *nonce; /* exactly these */
    const char *access_token;               /* that came with it: must be the one of at_hash; or NULL */
    apr_time_t now;
} identity_id_token_rules_t;

/* Whom a provider vouches for. */
typedef struct identity_vouched {
    const char *subject; /* with the issuer the identity; the address never is (security 69) */
    const char *email;   /* NULL where none was told */
    bool email_verified;
    bool email_judged; /* the provider says whether it is verified; without it email_verified is false */
} identity_vouched_t;

typedef enum {
    IDENTITY_ID_TOKEN_RIGHT,
    IDENTITY_ID_TOKEN_UNKNOWN_KEY, /* the key set is perhaps an old one */
    IDENTITY_ID_TOKEN_WRONG,
    IDENTITY_ID_TOKEN_NOT_VERIFIABLE /* by its algorithm or its key: a matter of the provider's set-up */
} identity_id_token_verdict_t;

/* The algorithms of ID tokens that are verified, for a sentence and to look through; ended by NULL. */
const char *const *identity_id_token_algorithms(void);
/* Signature by one of these, and by a key of the provider's JWKS that is of the algorithm's kind; iss, aud, azp, nonce,
 * at_hash exactly; exp and iat with a tolerance of 60 s. At most 64 KiB. *why: what was wrong, in a few words without
 * anything out of the token. */
identity_id_token_verdict_t identity_id_token_verify(apr_pool_t *pool, const char *jwks, const char *token,
                                                     const identity_id_token_rules_t *rules,
                                                     identity_vouched_t *vouched, const char **why);
/* A key set as far as it is read; NULL where it is none. */
const json_t *identity_key_set_read(apr_pool_t *pool, const char *text, size_t length);
/* An answer of userinfo: as JSON, or signed as an ID token is, with the rules' iss and aud. */
const json_t *identity_userinfo_read(apr_pool_t *pool, const char *text, size_t length);
identity_id_token_verdict_t identity_userinfo_verify(apr_pool_t *pool, const char *jwks, const char *token,
                                                     size_t length, const identity_id_token_rules_t *rules,
                                                     const json_t **claims, const char **why);
/* Completes what the ID token said of the address by such claims. An address that userinfo judges itself takes the
 * place of the ID token's. False where they are somebody else's. */
bool identity_userinfo_take(apr_pool_t *pool, const json_t *claims, identity_vouched_t *vouched);

#endif

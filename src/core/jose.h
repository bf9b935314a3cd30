/* SPDX-License-Identifier: Apache-2.0 */
/* The only way in for JWTs, JWSs and JWKs that come from outside: access tokens, ID tokens, userinfo answers, key sets.
 *
 * cjose 0.6 asserts on some malformed base64url, and so ends the whole process. Therefore every part of a token and
 * every member of a key is decoded here first, strictly and within bounds; cjose sees only what passed. A guard of the
 * suite keeps other files from calling cjose, apart from keyset.c, which makes keys of our own numbers.
 */
#ifndef IDENTITY_JOSE_H
#define IDENTITY_JOSE_H

#include <cjose/cjose.h>
#include <openssl/evp.h>

#include "core_int.h"

/* A signature algorithm (RFC 7518, 3.1; RFC 8037), and the key that it needs. */
typedef struct identity_jws_algorithm {
    const char *name, *key_type;
    const char *curve;     /* NULL: RSA */
    const char *digest;    /* that at_hash is made with (OpenID Connect Core, 3.1.3.6) */
    size_t coordinate;     /* bytes of each member of a key of the curve; 0: RSA */
    size_t signature_size; /* 0: as long as the modulus */
} identity_jws_algorithm_t;

typedef struct identity_jws_rules {
    size_t max; /* bytes of the whole token */
    const char *const *
        algorithms; /* accepted ones, NULL-terminated; NULL: every one that this server can verify */
} identity_jws_rules_t;

/* A well-formed compact JWS, not verified. Everything lives in the pool of identity_jws_read. */
typedef struct identity_jws {
    const char *text;
    size_t length;
    const json_t *header;
    const identity_jws_algorithm_t *algorithm;
    const char *type, *kid; /* NULL: none */
    const char *payload;    /* decoded; ends in NUL */
    size_t payload_size;
    const unsigned char *signature;
    size_t signature_size;
} identity_jws_t;

/* A key. Only one of the members is set: cjose has no Ed25519, OpenSSL verifies that itself. */
typedef struct identity_jwk {
    cjose_jwk_t *jose;
    EVP_PKEY *ed25519;
} identity_jwk_t;

/* The algorithm of that name, NULL if this server cannot verify it. */
const identity_jws_algorithm_t *identity_jws_algorithm(const char *name);

/* Takes a compact JWS apart: exactly three parts of canonical base64url without padding, a header that is one JSON
 * object without duplicates, its alg one of the rules', kid and typ strings where present, no crit, a signature as long
 * as the algorithm's. NULL where all is right, else what is wrong in a few words without anything out of the token. */
const char *identity_jws_read(apr_pool_t *pool, const char *text, size_t length,
                              const identity_jws_rules_t *rules, identity_jws_t *jws);
/* Was it signed with the key? Leaves OpenSSL's error queue unchanged. */
bool identity_jws_verify(const identity_jws_t *jws, const identity_jwk_t *key);
/* The payload as an object, parsed as strictly as a request body; NULL if it is not one. Owned by pool. */
const json_t *identity_jws_claims(apr_pool_t *pool, const identity_jws_t *jws);
/* The public key that a JWK spells, for this algorithm: kty and crv are the algorithm's; RSA moduli have 2,048 to
 * 16,384 bits and odd exponents of at most 64; coordinates have their curve's length and are a point of it. False
 * otherwise. Freed with pool. */
bool identity_jwk_read(apr_pool_t *pool, const json_t *jwk,
                       const identity_jws_algorithm_t *algorithm, identity_jwk_t *key);
/* A compact JWS by ES256 of our own payload. NULL on an error. */
const char *identity_jws_sign(apr_pool_t *pool, const identity_jwk_t *key, const char *kid,
                              const char *type, const char *payload, size_t length);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of an OpenID provider and what it signs, made by OpenSSL alone and not by the code under test. */
#ifndef IDENTITY_TEST_SIGNER_H
#define IDENTITY_TEST_SIGNER_H

#include <openssl/evp.h>

#include "identity/core.h"

typedef struct signer {
    EVP_PKEY *key;
    bool rsa;
    const char *kid;
    json_t *jwk; /* public; kty, kid and the members of the key; to be changed at will */
} signer_t;

/* bits: of RSA; 0: a key of P-256. */
signer_t *signer_make(apr_pool_t *pool, int bits, const char *kid);
/* curve: P-256, P-384, P-521 or Ed25519. */
signer_t *signer_make_curve(apr_pool_t *pool, const char *curve, const char *kid);
/* {"keys":[...]} of these, ended by NULL. */
const char *signer_set(apr_pool_t *pool, const signer_t *first, ...) __attribute__((sentinel));
/* A compact JWS by RS, PS or ES with 256, 384 or 512, or EdDSA (by the header's alg, whether the key is of its kind or
 * not), or HS256 keyed with `secret`; any other: without a signature. header and claims: JSON texts. */
const char *signer_token(apr_pool_t *pool, const signer_t *signer, const char *header, const char *claims,
                         const char *secret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The signing keys as jwt.c needs them. */
#ifndef IDENTITY_KEYSET_INT_H
#define IDENTITY_KEYSET_INT_H

#include "jose.h"

#define IDENTITY_KID_LENGTH 43

typedef struct identity_signing_key {
    char kid[IDENTITY_KID_LENGTH + 1];
    char x[IDENTITY_KID_LENGTH + 1], y[IDENTITY_KID_LENGTH + 1];
    unsigned char scalar[32];
    /* never retained or released while shared: its count is not atomic; signing and verifying only read it */
    identity_jwk_t jwk;
} identity_signing_key_t;

struct identity_keyset {
    int count;
    identity_signing_key_t *keys;
};

/* keyset.c: a private key as PEM (wiped with the pool), and back; NULL on an error. The caller frees the key. */
char *identity_pem_of(apr_pool_t *pool, EVP_PKEY *key);
EVP_PKEY *identity_pem_read(const char *pem);

#endif

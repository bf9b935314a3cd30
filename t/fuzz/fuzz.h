/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. A target is one file of t/fuzz: it defines LLVMFuzzerTestOneInput, sees bytes that
 * somebody outside could send, and must neither crash nor trip a sanitizer. `make fuzz` runs it by libFuzzer;
 * `make check` replays the files of t/fuzz/corpus/TARGET, of which those named right* must succeed (fuzz_right). */
#ifndef IDENTITY_FUZZ_H
#define IDENTITY_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "identity/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Did the last input come through, as far as an input can? */
extern bool fuzz_right;

/* Seconds since 1970 at which the tokens of the corpus are good. */
#define FUZZ_NOW    APR_INT64_C(1705311000)
#define FUZZ_ISSUER "https://id.example.org"
#define FUZZ_CLIENT "client-1"
#define FUZZ_NONCE  "n-0S6_WzA2Mj"

/* A pool that lives as long as the process; the same one in all files of a target. */
apr_pool_t *fuzz_root(void);

static inline apr_pool_t *fuzz_pool(void)
{
    apr_pool_t *pool;

    apr_pool_create(&pool, fuzz_root());
    return pool;
}

/* In memory of exactly its size, so that a sanitizer sees each byte that is read past it. Freed by the caller. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif

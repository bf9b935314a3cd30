/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the corpus, made for it and used nowhere else. */
#ifndef IDENTITY_FUZZ_KEYS_H
#define IDENTITY_FUZZ_KEYS_H

#include "../fuzz.h"

/* A set of one key, which signs the tokens of the corpus. */
identity_keyset_t *fuzz_keys(void);

#endif

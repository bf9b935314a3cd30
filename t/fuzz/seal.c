/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed values of the database, and files of sealing keys: nothing that was not sealed opens. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[32] = {7};
    unsigned char read[32];
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    if (identity_unseal(pool, key, text, "aad"))
        abort();
    fuzz_right = identity_sealing_key_read(text, read);
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Password hashes of other programs, as they are imported: each that is taken can be verified against, in time. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const identity_hash_parameters_t parameters = {IDENTITY_HASH_MEMORY_MIN, IDENTITY_HASH_PASSES_MIN};
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    /* As import lines are: an Argon2id of the largest memory at the most. */
    if (size < 1024 && identity_password_importable(text, &parameters) == IDENTITY_IMPORT_FINE) {
        bool weaker;
        fuzz_right = identity_password_verify(text, "Correct1Horse", "Correct1Horse", &parameters, &weaker) ==
                     IDENTITY_PASSWORD_RIGHT;
    } else {
        fuzz_right = false;
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

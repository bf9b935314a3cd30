/* SPDX-License-Identifier: Apache-2.0 */
/* Times: one that is read is written as one that reads as the same. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_time_t when, again;
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    fuzz_right = identity_time_parse(text, &when);
    if (fuzz_right && (!identity_time_parse(identity_time_format(pool, when), &again) || when != again))
        abort();
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Cookie headers: what is found lies in the header, and what is taken out is not in what is left. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length = 0;
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    const char *found = identity_cookie_find(text, "identity", &length);
    fuzz_right = found != NULL;
    if (found && (found < text || found + length > text + strlen(text)))
        abort();
    apr_array_header_t *values = identity_cookie_values(pool, text, "identity");
    if ((values->nelts > 0) != (found != NULL))
        abort();
    const char *left = identity_cookie_without(pool, text, "identity");
    if (strlen(left) > strlen(text) || identity_cookie_find(left, "identity", &length))
        abort();
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

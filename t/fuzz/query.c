/* SPDX-License-Identifier: Apache-2.0 */
/* Queries of requests, and one value, which comes back when it is encoded. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    apr_table_t *parameters;
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    fuzz_right = identity_query_parse(pool, text, &parameters, &problem);
    if (fuzz_right)
        identity_query_known(pool, parameters, "limit cursor", &problem);
    const char *value = identity_query_unescape(pool, text, size);
    if (value) {
        const char *escaped = identity_query_escape(pool, value);
        const char *again = identity_query_unescape(pool, escaped, strlen(escaped));
        if (!again || strcmp(value, again) != 0)
            abort();
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Accept-Language: what is chosen is one of what there is. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    apr_array_header_t *languages = apr_array_make(pool, 2, sizeof(const char *));

    APR_ARRAY_PUSH(languages, const char *) = "de-AT";
    APR_ARRAY_PUSH(languages, const char *) = "en";
    const char *chosen = identity_language_choose(pool, text, languages);
    fuzz_right = chosen != NULL;
    if (chosen && strcmp(chosen, "de-AT") != 0 && strcmp(chosen, "en") != 0)
        abort();
    identity_language_valid(text);
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

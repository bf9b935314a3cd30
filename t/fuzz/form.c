/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of application/x-www-form-urlencoded: every value is text. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    const json_t *form = identity_form_parse(pool, text, size, &problem), *value;
    const char *name;
    fuzz_right = form != NULL;
    if (!form && problem.kind == IDENTITY_PROBLEM_NONE)
        abort();
    json_object_foreach ((json_t *)(uintptr_t)form, name, value)
        if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
            abort();
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

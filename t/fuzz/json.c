/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests: what is accepted is written as text that is accepted again, and the same. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const identity_json_member_t inner[] = {{"c", NULL}, {NULL, NULL}};
    static const identity_json_member_t members[] = {{"a", NULL}, {"b", inner}, {NULL, NULL}};
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    const json_t *body = identity_json_parse(pool, text, size, &problem);
    fuzz_right = body != NULL;
    if (!body && problem.kind != IDENTITY_PROBLEM_BAD_REQUEST)
        abort();
    if (body) {
        size_t length;
        const char *written = identity_json_text(pool, body, &length);
        const json_t *again = identity_json_parse(pool, written, length, &problem);
        if (!again || !json_equal(body, again))
            abort();
    }
    identity_json_pick(pool, text, size, members);
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

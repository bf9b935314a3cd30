/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a client sends, on its way into a log line, and passwords on theirs to a hash. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    static const identity_password_policy_t policy = {.username = "ada@example.org", .site = "id.example.org"};
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    const char *line = identity_log_text(pool, text);
    if (!identity_utf8_valid(line))
        abort();
    for (const char *at = line; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            abort();
    fuzz_right = identity_password_normalise(pool, text) != NULL;
    identity_prefix_end(pool, text);
    identity_password_acceptable(pool, text, &policy, "password", &problem);
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

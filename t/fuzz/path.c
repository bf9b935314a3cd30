/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of requests, found among the routes; the first word is the method. */
#include "fuzz.h"
#include "identity/service.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    identity_request_t in = {.method = text, .path = "/", .client_address = "192.0.2.7"};
    char *target = strchr(text, ' ');
    if (target) {
        *target++ = '\0';
        in.path = target;
        identity_request_match(pool, &in);
        fuzz_right = in.match.kind == IDENTITY_MATCH_ROUTE;
        if (fuzz_right != (in.match.route && !in.match.allow))
            abort();
        identity_request_open(&in);
    } else {
        fuzz_right = false;
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Issuers, redirect URIs and hosts, as clients and administrators name them. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    fuzz_right = identity_issuer_valid(pool, text);
    fuzz_right |= identity_redirect_valid(pool, text);
    fuzz_right |= identity_client_redirect_valid(pool, text);
    if (fuzz_right && (strlen(text) > 512 || strchr(text, '#')))
        abort();
    identity_client_redirect_fits("http://127.0.0.1/back", text);
    identity_host_loopback(text);
    identity_host_canonical(pool, text);
    identity_urn_namespace_valid(text);
    identity_urn_part_valid(text);
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

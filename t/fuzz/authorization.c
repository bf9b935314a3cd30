/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials as they come in Authorization and X-Api-Key: Basic, API keys, typed secrets. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const prefixes[] = {IDENTITY_TOKEN_REFRESH, IDENTITY_TOKEN_INVITE, IDENTITY_TOKEN_RESET,
                                           IDENTITY_TOKEN_CLIENT, IDENTITY_TOKEN_CODE};
    const char *name, *secret;
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    fuzz_right = identity_basic_parse(pool, text, &name, &secret);
    if (fuzz_right && (!identity_utf8_valid(name) || !identity_utf8_valid(secret)))
        abort();
    identity_basic_secret(pool, text);
    const char *key_id = identity_key_id(pool, text);
    if (key_id && !identity_id_valid(key_id, "apik"))
        abort();
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (identity_token_valid(text, prefixes[i]))
            fuzz_right = identity_token_digest(pool, text) != NULL;
    fuzz_right |= key_id != NULL;
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

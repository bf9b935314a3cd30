/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets of providers: every key of the set against a token of each algorithm. */
#include "../../src/core/jose.h"
#include "support/keys.h"

bool fuzz_right;

/* A token of the algorithm whose signature is as long as it has to be; whose it is does not matter here. */
static const char *token_of(apr_pool_t *pool, const char *name, size_t size)
{
    static const unsigned char bytes[2048] = {1, 2, 3};
    const char *header = apr_psprintf(pool, "{\"alg\":\"%s\"}", name);

    return apr_pstrcat(pool, identity_base64url_encode(pool, header, strlen(header)), ".e30.",
                       identity_base64url_encode(pool, bytes, size ? size : 256), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const identity_jws_rules_t any = {.max = 65536};
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    const json_t *set = identity_key_set_read(pool, text, size);
    const json_t *jwk;
    size_t i;

    fuzz_right = false;
    for (const char *const *name = identity_id_token_algorithms(); set && *name; name++) {
        const identity_jws_algorithm_t *algorithm = identity_jws_algorithm(*name);
        const char *token = token_of(pool, *name, algorithm->signature_size);
        identity_jws_t jws;
        identity_jwk_t key;

        if (identity_jws_read(pool, token, strlen(token), &any, &jws) != NULL) {
            abort();
        }
        json_array_foreach (json_object_get(set, "keys"), i, jwk) {
            if (i < 4 && identity_jwk_read(pool, jwk, algorithm, &key)) {
                fuzz_right = true;
                if (identity_jws_verify(&jws, &key)) {
                    abort(); /* nobody signed it */
                }
            }
        }
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

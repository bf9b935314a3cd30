/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens, as they come in Authorization and in bodies: the front of core/jose.c with all that is behind it. */
#include "../../src/core/jose.h"
#include "support/keys.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const identity_jws_rules_t any = {.max = 65536};
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    identity_claims_t claims;
    identity_jws_t jws;
    identity_jwk_t key;

    fuzz_right =
        identity_jwt_verify(pool, fuzz_keys(), text, FUZZ_ISSUER, FUZZ_ISSUER, apr_time_from_sec(FUZZ_NOW), &claims);
    /* With all its bytes, and past the check of our own key. */
    if (identity_jws_read(pool, text, size, &any, &jws) == NULL) {
        identity_jws_claims(pool, &jws);
        const json_t *jwk = json_object_get(jws.header, "jwk");
        if (identity_jwk_read(pool, jwk, jws.algorithm, &key)) {
            identity_jws_verify(&jws, &key);
        }
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What an OpenID provider signs or says: claims of an ID token, of userinfo, a discovery document, a key set. The input
 * is the JSON; it is signed here, so that nothing of it is kept from being read. */
#include "../../src/core/jose.h"
#include "../../src/core/keyset_int.h"
#include "support/keys.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const identity_id_token_rules_t rules = {FUZZ_ISSUER, FUZZ_CLIENT, FUZZ_NONCE, "access",
                                                    (apr_time_t)FUZZ_NOW * APR_USEC_PER_SEC};
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    identity_keyset_t *keys = fuzz_keys();
    const char *jwks = identity_json_text(pool, identity_json_own(pool, identity_keyset_jwks(keys)), NULL), *why;
    const char *token = identity_jws_sign(pool, &keys->keys[0].jwk, keys->keys[0].kid, "JWT", text, size);
    identity_vouched_t vouched, told = {.subject = "s"};
    const json_t *claims;

    fuzz_right =
        token && identity_id_token_verify(pool, jwks, token, &rules, &vouched, &why) == IDENTITY_ID_TOKEN_RIGHT;
    if (token) {
        identity_userinfo_verify(pool, jwks, token, strlen(token), &rules, &claims, &why);
    }
    claims = identity_userinfo_read(pool, text, size);
    if (claims) {
        identity_userinfo_take(pool, claims, &told);
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The small parsers of what comes in headers, queries and bodies, each with the whole input. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[32] = {7};
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    apr_array_header_t *languages = apr_array_make(pool, 2, sizeof(const char *));
    const char *name, *secret;
    unsigned char sealing[32];
    identity_cursor_t cursor;
    apr_table_t *query;
    apr_time_t when;

    APR_ARRAY_PUSH(languages, const char *) = "de-AT";
    APR_ARRAY_PUSH(languages, const char *) = "en";
    fuzz_right = identity_json_parse(pool, text, size, &problem) != NULL;
    fuzz_right |= identity_form_parse(pool, text, size, &problem) != NULL;
    fuzz_right |= identity_query_parse(pool, text, &query, &problem);
    fuzz_right |= identity_basic_parse(pool, text, &name, &secret);
    identity_basic_secret(pool, text);
    fuzz_right |= identity_cursor_decode(pool, text, &cursor);
    fuzz_right |= identity_time_parse(text, &when);
    identity_language_choose(pool, text, languages);
    identity_unseal(pool, key, text, "aad");
    identity_sealing_key_read(text, sealing);
    identity_key_id(pool, text);
    identity_token_valid(text, IDENTITY_TOKEN_REFRESH);
    identity_log_text(pool, text);
    identity_issuer_valid(pool, text);
    identity_redirect_valid(pool, text);
    if (identity_username_valid(text)) {
        identity_username_canonical(pool, text);
    }
    if (identity_text_valid(text)) {
        identity_name_canonical(pool, text);
        identity_slug_of_name(pool, text);
    }
    identity_mail_address_valid(text);
    identity_prefix_end(pool, text);
    identity_password_normalise(pool, text);
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

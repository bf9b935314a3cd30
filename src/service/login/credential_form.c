/* SPDX-License-Identifier: Apache-2.0 */
/* Recognizes our credentials by their form, without a look-up: so that they are not passed on to other programs, and
 * those of other programs are not mistaken for them. */
#include <string.h>

#include <apr_strings.h>

#include "login/login.h"

#define KEY_LETTERS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define TOKEN_LETTERS KEY_LETTERS "."

typedef struct search {
    apr_pool_t *pool;
    const identity_env_t *env;
    apr_array_header_t *secrets; /* of const char * */
} search_t;

static bool is_key(const search_t *search, const char *word)
{
    return identity_key_id(search->pool, word) != NULL;
}

static bool is_token(const search_t *search, const char *word)
{
    return search->env->keys && identity_jwt_formed(search->pool, search->env->keys, word,
                                                    search->env->settings->public_url);
}

/* Finds every token with that prefix, whatever surrounds it: a scheme, a parameter, a repeated header. */
static void find_words(const search_t *search, const char *text, const char *letters,
                       const char *beginning, bool (*is)(const search_t *search, const char *word))
{
    while (*text) {
        size_t length = strspn(text, letters);
        if (strncmp(text, beginning, strlen(beginning)) == 0) {
            const char *word = apr_pstrmemdup(search->pool, text, length);
            if (is(search, word))
                APR_ARRAY_PUSH(search->secrets, const char *) = word;
        }
        text += length;
        text += strcspn(text, letters);
    }
}

static void find_secrets(const search_t *search, const char *text)
{
    find_words(search, text, KEY_LETTERS, "idk_", is_key);
    find_words(search, text, TOKEN_LETTERS, "ey", is_token); /* {" in base64url */
}

/* In both user name and password. */
static void find_in_basic(const search_t *search, const char *encoded)
{
    const char *secret = identity_basic_secret(search->pool, encoded), *name, *ignored;

    if (!secret)
        return;
    find_secrets(search, secret);
    if (identity_basic_parse(search->pool, encoded, &name, &ignored))
        find_secrets(search, name);
}

bool identity_credential_formed(apr_pool_t *pool, const identity_env_t *env, const char *value,
                                apr_array_header_t *secrets)
{
    const search_t search = {pool, env,
                             secrets ? secrets : apr_array_make(pool, 2, sizeof(const char *))};
    int before = search.secrets->nelts;

    find_secrets(&search, value);
    /* httpd joins two header lines with a comma. */
    for (const char *at = value; *at;) {
        at += strspn(at, ", \t");
        size_t length = strcspn(at, ",");
        const char *basic = identity_scheme(apr_pstrmemdup(pool, at, length), "Basic");
        if (basic)
            find_in_basic(&search, basic);
        at += length;
    }
    return search.secrets->nelts > before;
}

/* What is recognized as a credential of ours by its form alone, without a look-up: so that it is not passed on to other
 * programs, and other programs' credentials are not taken for it. */
#include <string.h>

#include <apr_strings.h>

#include "service_int.h"

static bool secret_formed(apr_pool_t *pool, const identity_env_t *env, const char *text)
{
    return identity_key_id(pool, text) != NULL ||
           (env->keys && identity_jwt_formed(pool, env->keys, text, env->settings->public_url));
}

bool identity_credential_formed(apr_pool_t *pool, const identity_env_t *env, const char *value, const char **secret)
{
    const char *blank = strpbrk(value, " \t"), *rest = blank ? blank + strspn(blank, " \t") : value;
    const char *basic = identity_scheme(value, "Basic");

    *secret = rest;
    if (secret_formed(pool, env, rest))
        return true;
    *secret = basic ? identity_basic_secret(pool, basic) : NULL;
    return *secret && secret_formed(pool, env, *secret);
}

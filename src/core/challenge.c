/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of refusals: WWW-Authenticate (RFC 6750, 7617, 9470) and Retry-After (RFC 9110). */
#include <apr_strings.h>

#include "core_int.h"

const char *identity_challenge_bearer(apr_pool_t *pool, const char *realm, const char *error,
                                      const char *name, const char *value)
{
    const char *text = apr_pstrcat(pool, "Bearer realm=\"", realm, "\"", NULL);

    if (error != NULL)
        text = apr_pstrcat(pool, text, ", error=\"", error, "\"", NULL);
    return name != NULL ? apr_pstrcat(pool, text, ", ", name, "=\"", value, "\"", NULL) : text;
}

const char *identity_challenge_basic(apr_pool_t *pool, const char *realm)
{
    return apr_pstrcat(pool, "Basic realm=\"", realm, "\"", NULL);
}

const char *identity_retry_after(apr_pool_t *pool, const identity_problem_t *problem, int status)
{
    if (status != 429 && status != 503)
        return NULL;
    return apr_itoa(pool, problem->retry_after > 0 ? problem->retry_after : 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* CORS (conf/interface.md; security 79): browsers let pages of the origins named in
 * IdentityCORSOrigin use this API, with their user's credentials. Other origins get no CORS headers. Implemented
 * here and not in the service layer, since it also applies to errors that httpd generates. */
#include <string.h>

#include "server_int.h"

#define REQUEST_HEADERS                                                                                       \
    "Content-Type, Authorization, X-API-KEY, X-Platform-Id, X-Client-Version, Idempotency-Key, Api-Version, " \
    "If-Match, If-None-Match, resource_id"
#define ANSWER_HEADERS                                                                             \
    "X-Request-Id, Link, ETag, Retry-After, Idempotent-Replayed, Idempotency-Retryable"
#define MAX_AGE "3600"

static const char *const names[] = {"Access-Control-Allow-Origin",
                                    "Access-Control-Allow-Credentials",
                                    "Access-Control-Expose-Headers"};

static const apr_array_header_t *origins_of(const request_rec *r)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    return conf->cors_origins && conf->cors_origins->nelts ? conf->cors_origins : NULL;
}

/* The request's Origin if it is one of the configured ones, byte by byte; NULL otherwise. */
static const char *granted_origin(const request_rec *r)
{
    const apr_array_header_t *origins = origins_of(r);
    const char *origin = apr_table_get(r->headers_in, "Origin");

    for (int i = 0; origin && origins && i < origins->nelts; i++)
        if (strcmp(origin, APR_ARRAY_IDX(origins, i, const char *)) == 0)
            return origin;
    return NULL;
}

bool identity_cors_granted(const request_rec *r)
{
    return granted_origin(r) != NULL;
}

void identity_cors_withdraw(apr_table_t *headers)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        apr_table_unset(headers, names[i]);
}

void identity_cors_answer(request_rec *r, apr_table_t *headers)
{
    const char *origin = granted_origin(r), *vary = apr_table_get(headers, "Vary");

    identity_cors_withdraw(headers);
    if (!origins_of(r))
        return;
    if (!vary || !ap_find_token(r->pool, vary, "Origin"))
        apr_table_mergen(headers, "Vary", "Origin");
    if (!origin)
        return;
    apr_table_setn(headers, "Access-Control-Allow-Origin", origin);
    apr_table_setn(headers, "Access-Control-Allow-Credentials", "true");
    apr_table_setn(headers, "Access-Control-Expose-Headers", ANSWER_HEADERS);
}

void identity_cors_preflight(request_rec *r, const char *allow)
{
    if (!allow || strcmp(r->method, "OPTIONS") != 0 ||
        !apr_table_get(r->headers_in, "Access-Control-Request-Method") || !granted_origin(r))
        return;
    apr_table_setn(r->err_headers_out, "Access-Control-Allow-Methods", allow);
    apr_table_setn(r->err_headers_out, "Access-Control-Allow-Headers", REQUEST_HEADERS);
    apr_table_setn(r->err_headers_out, "Access-Control-Max-Age", MAX_AGE);
}

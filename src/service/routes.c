/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "routes.h"
#include "bodies.h"

/* The forms of bodies other than plain JSON. */
#define FORM(table)                  NULL, .form = table
#define JSON_OR_FORM(json, table)    json, .form = table
#define MAYBE(json)                  json, .body_optional = true
#define INVITATIONS(body)            body, .invitations = true
/* ... and a class whose limit on the address alone is not enforced at first. */
#define IDENTITY_RATE_LOGIN_DEFERRED IDENTITY_RATE_LOGIN, .rate_deferred = true
#define ROUTE(name, verb, path, wants, needs, own, takes, limit)                                   \
    {.operation = #name,                                                                           \
     .method = verb,                                                                               \
     .pattern = path,                                                                              \
     .credential = IDENTITY_CREDENTIAL_##wants,                                                    \
     .permission = needs,                                                                          \
     .self = own,                                                                                  \
     .body = takes,                                                                                \
     .rate = IDENTITY_RATE_##limit,                                                                \
     .handler = identity_op_##name},
const identity_route_t identity_routes[] = {
#include "routes.def"
};
#undef ROUTE

static const struct {
    const char *operation, *names;
} queries[] = {
#define QUERY(operation, names) {#operation, names},
#include "queries.def"
#undef QUERY
};

const char *identity_route_query(const identity_route_t *route)
{
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        if (strcmp(queries[i].operation, route->operation) == 0)
            return queries[i].names;
    return NULL;
}

bool identity_route_of_personal_key(const identity_route_t *route)
{
    static const char *const operations[] = {
#define PERSONAL_KEY(operation) #operation,
#include "personal_key.def"
#undef PERSONAL_KEY
    };

    if (strcmp(route->method, "GET") == 0)
        return route->handler != identity_op_decrypt_api_key;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(operations[i], route->operation) == 0)
            return true;
    return false;
}

const int identity_route_count = sizeof identity_routes / sizeof identity_routes[0];

typedef struct fit {
    int literals; /* segments, so that /users/search takes precedence over /users/{user} */
    int count;
    const char *segments[IDENTITY_PATH_IDS]; /* in braces */
    size_t lengths[IDENTITY_PATH_IDS];
} fit_t;

static bool segment_ends(const char *at)
{
    return *at == '/' || *at == '\0';
}

static bool pattern_fits(const char *pattern, const char *path, fit_t *fit)
{
    memset(fit, 0, sizeof *fit);
    while (*pattern == '/' && *path == '/') {
        pattern++;
        path++;
        if (*pattern == '{') {
            size_t given = strcspn(path, "/");
            if (given == 0 || fit->count == IDENTITY_PATH_IDS)
                return false;
            fit->segments[fit->count] = path;
            fit->lengths[fit->count++] = given;
            pattern += strcspn(pattern, "/");
            path += given;
            continue;
        }
        for (; *pattern && *pattern != '/' && *pattern == *path; pattern++)
            path++;
        if (!segment_ends(pattern) || !segment_ends(path))
            return false;
        fit->literals++;
    }
    return *pattern == '\0' && *path == '\0';
}

static const char *allowed(apr_pool_t *pool, const char *pattern)
{
    const char *list = "";
    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        if (strcmp(route->pattern, pattern) == 0)
            list = apr_pstrcat(pool, list, route->method, ", ",
                               strcmp(route->method, "GET") == 0 ? "HEAD, " : "", NULL);
    }
    return apr_pstrcat(pool, list, "OPTIONS", NULL);
}

void identity_request_match(apr_pool_t *pool, identity_request_t *in)
{
    const char *method = strcmp(in->method, "HEAD") == 0 ? "GET" : in->method;
    identity_match_t *match = &in->match;
    int most = -1;

    memset(match, 0, sizeof *match);
    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *candidate = &identity_routes[i];
        fit_t fit;
        if (!pattern_fits(candidate->pattern, in->path, &fit) || fit.literals < most)
            continue;
        if (fit.literals > most) {
            most = fit.literals;
            match->kind = IDENTITY_MATCH_PATH;
            match->route = candidate;
            for (int s = 0; s < IDENTITY_PATH_IDS; s++)
                match->ids[s] =
                    s < fit.count ? apr_pstrmemdup(pool, fit.segments[s], fit.lengths[s]) : NULL;
        }
        if (strcmp(candidate->method, method) == 0) {
            match->kind = IDENTITY_MATCH_ROUTE;
            match->route = candidate;
        }
    }
    if (match->kind == IDENTITY_MATCH_PATH)
        match->allow = allowed(pool, match->route->pattern);
}

/* Signing in and out, the pages of mailed links, and discovery documents: all methods of such a path are open, so
 * that OPTIONS and wrong methods get an answer, too. */
bool identity_request_open(const identity_request_t *in)
{
    const identity_route_t *route = in->match.route;

    return route && route->credential != IDENTITY_CREDENTIAL_REQUIRED &&
           (strncmp(in->path, "/v1/oauth/", 10) == 0 || strncmp(in->path, "/v1/oidc/", 9) == 0 ||
            strncmp(in->path, "/.well-known/", 13) == 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The authentication phase: one credential, a suitable transport, a valid key or session. */
#include <string.h>

#include "login/login.h"

typedef enum {
    CREDENTIAL_ABSENT,
    CREDENTIAL_KEY,
    CREDENTIAL_BEARER,
    CREDENTIAL_COOKIE,
    CREDENTIAL_UNKNOWN
} credential_kind_t;

typedef struct credential {
    credential_kind_t kind;
    const char *text, *method;
    const identity_principal_t *principal; /* NULL after a look-up: not valid */
    identity_cache_lookup_t lookup;
    /* If not cached: */
    identity_principal_t *read;
    identity_key_row_t *key; /* presented directly, or through its token */
    identity_bearer_t bearer;
} credential_t;

const char *identity_scheme(const char *authorization, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(authorization, name, length) != 0 || authorization[length] != ' ')
        return NULL;
    authorization += length;
    while (*authorization == ' ')
        authorization++;
    return authorization;
}

/* A cookie is ignored if there is a key or token (security 42). */
static void find_further(identity_call_t *call, const identity_accepts_t *accepts,
                         credential_t *credential)
{
    const char *authorization = call->in->headers.authorization;
    const char *basic = authorization ? identity_scheme(authorization, "Basic") : NULL;

    if (basic && accepts->basic_keys &&
        (credential->text = identity_basic_secret(call->pool, basic)) != NULL) {
        credential->kind = CREDENTIAL_KEY;
        credential->method = "basic";
    } else if (credential->kind == CREDENTIAL_ABSENT && accepts->cookie &&
               (credential->text = identity_access_cookie(call)) != NULL) {
        credential->kind = CREDENTIAL_COOKIE;
        credential->method = "cookie";
    }
}

/* False if two were sent (security 43). */
static bool find(identity_call_t *call, credential_t *credential)
{
    const char *key = call->in->headers.api_key, *authorization = call->in->headers.authorization;

    memset(credential, 0, sizeof *credential);
    if (key && !*key)
        key = NULL;
    if (authorization && !*authorization)
        authorization = NULL;
    if (key && authorization)
        return identity_deny(call, IDENTITY_PROBLEM_BAD_REQUEST, NULL,
                             "Send only one credential: X-API-KEY or Authorization.");
    credential->method = "key";
    if (key) {
        credential->kind = CREDENTIAL_KEY;
        credential->text = key;
    } else if (authorization &&
               (credential->text = identity_scheme(authorization, "Bearer")) != NULL) {
        credential->kind = CREDENTIAL_BEARER;
        credential->method = "bearer";
    } else if (authorization &&
               (credential->text = identity_scheme(authorization, "ApiKey")) != NULL) {
        credential->kind = CREDENTIAL_KEY;
    } else if (authorization) {
        credential->kind = CREDENTIAL_UNKNOWN;
    }
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

bool identity_apikey_verify(identity_call_t *call, const char *text, identity_key_row_t **row)
{
    bool found;

    if (!identity_db_found(call, identity_key_get(call->db, identity_key_id(call->pool, text), row),
                           &found))
        return false;
    if (!found || !identity_secret_equal((*row)->digest, identity_token_digest(call->pool, text)) ||
        !identity_key_live(call, *row))
        *row = NULL;
    return true;
}

static bool load_key(identity_call_t *call, void *data)
{
    credential_t *credential = data;

    if (!identity_apikey_verify(call, credential->text, &credential->key))
        return false;
    return !credential->key || identity_principal_of_key(call, credential->key, &credential->read);
}

static bool write_last_use(identity_call_t *call, void *data)
{
    credential_t *credential = data;
    return identity_db_ok(
        call,
        identity_key_touch(call->db, identity_credential_id(credential->principal), call->now));
}

/* ---- access tokens ---------------------------------------------------------------------------------------------- */

bool identity_session_live(const identity_session_row_t *session, const identity_user_row_t *user,
                           apr_time_t now)
{
    return session->ended_at == 0 && session->expires_at > now && session->idle_expires_at > now &&
           user->status == IDENTITY_USER_ACTIVE;
}

/* subject: the required owner; NULL: anybody. */
static bool load_session(identity_call_t *call, const char *id, const char *subject,
                         identity_bearer_t *bearer)
{
    identity_session_row_t *session = NULL;
    identity_user_row_t *user = NULL;
    bool found;

    if (!identity_db_found(call, identity_session_get(call->db, id, &session, &user), &found))
        return false;
    if (!found || !identity_session_live(session, user, call->now) ||
        (subject && strcmp(user->id, subject) != 0))
        return true;
    if (!identity_principal_of_user(call, user, &bearer->principal))
        return false;
    bearer->session = session;
    bearer->user = user;
    bearer->principal->session_id = session->id;
    bearer->principal->authenticated_at = session->authenticated_at;
    bearer->principal->expires_at = session->expires_at;
    bearer->principal->idle_expires_at = session->idle_expires_at;
    return true;
}

/* A key's token has the key's present permissions, and expires with the key. */
static bool load_key_of(identity_call_t *call, identity_bearer_t *bearer)
{
    const identity_claims_t *claims = &bearer->claims;
    identity_key_row_t *row = NULL;
    bool found;

    if (!identity_db_found(call, identity_key_get(call->db, claims->subject, &row), &found))
        return false;
    if (!found || !identity_key_live(call, row) || strcmp(row->entity_id, claims->entity_id) != 0)
        return true;
    if (!identity_principal_of_key(call, row, &bearer->principal))
        return false;
    if (!bearer->principal)
        return true;
    bearer->key = row;
    bearer->principal->method = "bearer";
    return true;
}

bool identity_bearer_verify(identity_call_t *call, const char *text, identity_bearer_t *bearer)
{
    const char *issuer = call->env->settings->public_url;

    memset(bearer, 0, sizeof *bearer);
    return identity_jwt_verify(call->pool, call->env->keys, text, issuer, issuer, call->now,
                               &bearer->claims);
}

bool identity_bearer_load(identity_call_t *call, void *data)
{
    identity_bearer_t *bearer = data;

    bearer->principal = NULL;
    if (identity_id_valid(bearer->claims.subject, "sess"))
        return identity_principal_of_guest(call, bearer->claims.subject, &bearer->session,
                                           &bearer->principal);
    return identity_id_valid(bearer->claims.subject, "apik")
               ? load_key_of(call, bearer)
               : load_session(call, bearer->claims.session_id, bearer->claims.subject, bearer);
}

/* ---- the phase -------------------------------------------------------------------------------------------------- */

static bool load_bearer(identity_call_t *call, void *data)
{
    credential_t *credential = data;

    if (!identity_bearer_load(call, &credential->bearer))
        return false;
    credential->read = credential->bearer.principal;
    credential->key = credential->bearer.key;
    return true;
}

static bool load_cookie(identity_call_t *call, void *data)
{
    credential_t *credential = data;

    if (!load_session(call, credential->bearer.claims.session_id, NULL, &credential->bearer))
        return false;
    credential->read = credential->bearer.principal;
    return true;
}

/* Is it well-formed and signed? No look-up. */
static bool verify(identity_call_t *call, credential_t *credential)
{
    switch (credential->kind) {
    case CREDENTIAL_KEY:
        return identity_key_id(call->pool, credential->text) != NULL;
    case CREDENTIAL_BEARER:
        return identity_bearer_verify(call, credential->text, &credential->bearer);
    case CREDENTIAL_COOKIE:
        credential->bearer.claims.session_id =
            identity_access_cookie_session(call, credential->text);
        return credential->bearer.claims.session_id != NULL;
    default:
        return false;
    }
}

/* Reads from the database. */
static bool ask(identity_call_t *call, credential_t *credential)
{
    static identity_work_t *const loads[] = {[CREDENTIAL_KEY] = load_key,
                                             [CREDENTIAL_BEARER] = load_bearer,
                                             [CREDENTIAL_COOKIE] = load_cookie};
    const identity_key_row_t *key;

    if (!verify(call, credential))
        return true;
    if (!identity_read(call, loads[credential->kind], credential)) {
        credential->principal = credential->lookup.principal;
        return identity_principal_cache_stale(call, &credential->lookup);
    }
    credential->principal = credential->read;
    key = credential->key;
    if (credential->read && key)
        credential->read->ends_at = key->expires_at;
    identity_principal_cache_put(call, &credential->lookup, credential->read,
                                 credential->bearer.claims.expires_at, key ? key->last_used_at : 0);
    return true;
}

/* False only on an error; an invalid credential leaves the principal NULL. */
static bool check(identity_call_t *call, credential_t *credential)
{
    identity_cache_lookup_t *lookup = &credential->lookup;

    identity_principal_cache_get(call, credential->kind, credential->text, lookup);
    credential->principal = lookup->principal;
    if (!lookup->sure && !ask(call, credential))
        return false;
    if (credential->principal &&
        (credential->principal->kind == IDENTITY_CALLER_KEY || credential->principal->key_id) &&
        identity_use_due(call, lookup, IDENTITY_LAST_USE_STEP) &&
        !identity_write_nowait(call, write_last_use, credential))
        identity_use_missed(call, lookup, IDENTITY_LAST_USE_STEP);
    return true;
}

bool identity_transport_fits(identity_call_t *call)
{
    const identity_request_t *in = call->in;

    if (in->secure || in->loopback || !call->env->settings->require_tls)
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                         "Credentials are accepted over TLS only: use https.");
}

static bool authenticate(identity_call_t *call, const identity_route_t *route,
                         identity_authentication_t *out)
{
    /* The public operations carry passwords, tokens or cookies; pages carry no secrets. */
    bool public_secret =
        route->credential != IDENTITY_CREDENTIAL_REQUIRED && strcmp(route->method, "POST") == 0;
    credential_t credential;

    out->ambiguous = !find(call, &credential);
    if (out->ambiguous)
        return false;
    out->credential = credential.kind != CREDENTIAL_ABSENT;
    if ((out->credential || public_secret) && !identity_transport_fits(call))
        return false;
    if (route->credential == IDENTITY_CREDENTIAL_NONE || credential.kind == CREDENTIAL_ABSENT) {
        if (route->credential == IDENTITY_CREDENTIAL_REQUIRED)
            return identity_unauthorised(call,
                                         "A credential is required: X-API-KEY or Authorization.");
        return true;
    }
    if (!check(call, &credential))
        return false;
    out->principal = credential.principal;
    if (!credential.principal && route->credential == IDENTITY_CREDENTIAL_REQUIRED)
        return identity_unauthorised(call, "The credential is not valid.");
    return true;
}

void identity_authentication_end(const identity_call_t *call, bool good,
                                 identity_authentication_t *out)
{
    if (good)
        return;
    out->refused = true;
    out->principal = NULL;
    out->problem = call->problem;
}

void identity_authenticate(apr_pool_t *pool, const identity_env_t *env,
                           const identity_request_t *in, identity_authentication_t *out)
{
    identity_call_t call;

    memset(out, 0, sizeof *out);
    if (in->match.kind != IDENTITY_MATCH_ROUTE)
        return;
    identity_call_begin(&call, pool, env, in);
    identity_authentication_end(
        &call, identity_call_ready(&call) && authenticate(&call, in->match.route, out), out);
}

/* ---- anything but the API --------------------------------------------------------------------------------------- */

static bool formed(identity_call_t *call, const char *value)
{
    return value && identity_credential_formed(call->pool, call->env, value, NULL);
}

/* The access cookie, if the headers contain no credential of ours. False only on an error; an invalid cookie leaves
 * the kind ABSENT. */
static bool find_beside(identity_call_t *call, const identity_accepts_t *accepts,
                        credential_t *credential)
{
    const identity_headers_t *headers = &call->in->headers;

    memset(credential, 0, sizeof *credential);
    if (!accepts->cookie || (!headers->api_key && !headers->authorization) ||
        formed(call, headers->api_key) || formed(call, headers->authorization) ||
        !(credential->text = identity_access_cookie(call)))
        return true;
    credential->kind = CREDENTIAL_COOKIE;
    credential->method = "cookie";
    if (!identity_transport_fits(call) || !check(call, credential))
        return false;
    if (!credential->principal)
        credential->kind = CREDENTIAL_ABSENT;
    return true;
}

static bool by_headers(identity_call_t *call, const identity_accepts_t *accepts,
                       credential_t *credential, identity_authentication_t *out)
{
    out->ambiguous = out->credential = !find(call, credential);
    if (out->ambiguous)
        return false;
    find_further(call, accepts, credential);
    out->credential = credential->kind != CREDENTIAL_ABSENT;
    if (out->credential && credential->kind != CREDENTIAL_UNKNOWN)
        out->method = credential->method;
    if (!out->credential)
        return identity_unauthorised(call, "A credential is required.");
    if (!identity_transport_fits(call) || !check(call, credential))
        return false;
    if (credential->principal && credential->principal->key_id)
        out->method = credential->principal->method;
    return credential->principal || identity_unauthorised(call, "The credential is not valid.");
}

static bool identify(identity_call_t *call, const identity_accepts_t *accepts,
                     identity_authentication_t *out)
{
    credential_t credential;

    if (!find_beside(call, accepts, &credential)) {
        out->credential = true;
        return false;
    }
    if (credential.kind == CREDENTIAL_COOKIE) {
        out->credential = true;
        out->method = credential.method;
    } else if (!by_headers(call, accepts, &credential, out)) {
        return false;
    }
    if (credential.kind == CREDENTIAL_COOKIE) {
        if (!identity_own_page(call))
            return false;
        identity_session_used(call, credential.principal, &credential.lookup);
    }
    out->principal = credential.principal;
    return identity_authorize_location(call, out);
}

void identity_identify(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                       const identity_accepts_t *accepts, identity_authentication_t *out)
{
    identity_call_t call;

    memset(out, 0, sizeof *out);
    identity_call_begin(&call, pool, env, in);
    identity_authentication_end(&call, identity_call_ready(&call) && identify(&call, accepts, out),
                                out);
}

/* The authentication phase: one credential, a fit transport, a live key or session. */
#include <string.h>

#include "service_int.h"

typedef enum { CREDENTIAL_ABSENT, CREDENTIAL_KEY, CREDENTIAL_BEARER, CREDENTIAL_UNKNOWN } credential_kind_t;

typedef struct credential {
    credential_kind_t kind;
    const char *text;
    const identity_principal_t *who; /* NULL after a look-up: not valid */
    /* Of who is not remembered: */
    identity_principal_t *read;
    identity_key_row_t *key; /* shown itself, or by a token of it */
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

/* False where two were sent (security 43). */
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
                             "Send one credential, not X-API-KEY and Authorization both.");
    if (key) {
        credential->kind = CREDENTIAL_KEY;
        credential->text = key;
    } else if (authorization && (credential->text = identity_scheme(authorization, "Bearer")) != NULL) {
        credential->kind = CREDENTIAL_BEARER;
    } else if (authorization && (credential->text = identity_scheme(authorization, "ApiKey")) != NULL) {
        credential->kind = CREDENTIAL_KEY;
    } else if (authorization) {
        credential->kind = CREDENTIAL_UNKNOWN;
    }
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static bool key_live(const identity_key_row_t *row, apr_time_t now)
{
    return row->active && !(row->expires_at && row->expires_at <= now);
}

bool identity_key_shown(identity_call_t *call, const char *text, identity_key_row_t **row)
{
    bool found;

    if (!identity_db_found(call, identity_key_get(call->db, identity_key_id(call->pool, text), row), &found))
        return false;
    if (!found || !identity_secret_equal((*row)->digest, identity_token_digest(call->pool, text)) ||
        !key_live(*row, call->now))
        *row = NULL;
    return true;
}

static bool load_key(identity_call_t *call, void *data)
{
    credential_t *credential = data;

    if (!identity_key_shown(call, credential->text, &credential->key))
        return false;
    return !credential->key || identity_principal_of_key(call, credential->key, &credential->read);
}

static bool write_last_use(identity_call_t *call, void *data)
{
    credential_t *credential = data;
    return identity_db_ok(call, identity_key_touch(call->db, credential->who->id, call->now));
}

/* ---- access tokens ---------------------------------------------------------------------------------------------- */

bool identity_session_live(const identity_session_row_t *session, const identity_user_row_t *user, apr_time_t now)
{
    return session->ended_at == 0 && session->expires_at > now && session->idle_expires_at > now &&
           user->status == IDENTITY_USER_ACTIVE;
}

static bool load_session(identity_call_t *call, identity_bearer_t *bearer)
{
    const identity_claims_t *claims = &bearer->claims;
    identity_session_row_t *session = NULL;
    identity_user_row_t *user = NULL;
    bool found;

    if (!identity_db_found(call, identity_session_get(call->db, claims->session_id, &session, &user), &found))
        return false;
    if (!found || !identity_session_live(session, user, call->now) || strcmp(user->id, claims->subject) != 0)
        return true;
    if (!identity_principal_of_user(call, user, &bearer->who))
        return false;
    bearer->session = session;
    bearer->user = user;
    bearer->who->session_id = session->id;
    bearer->who->authenticated_at = session->authenticated_at;
    return true;
}

/* A key's token holds what the key holds now, and no longer than the key. */
static bool load_key_of(identity_call_t *call, identity_bearer_t *bearer)
{
    const identity_claims_t *claims = &bearer->claims;
    identity_key_row_t *row = NULL;
    bool found;

    if (!identity_db_found(call, identity_key_get(call->db, claims->subject, &row), &found))
        return false;
    if (!found || !key_live(row, call->now) || strcmp(row->entity_id, claims->entity_id) != 0)
        return true;
    if (!identity_principal_of_key(call, row, &bearer->who))
        return false;
    bearer->key = row;
    bearer->who->method = "bearer";
    return true;
}

bool identity_bearer_verify(identity_call_t *call, const char *text, identity_bearer_t *bearer)
{
    const char *issuer = call->env->settings->public_url;

    memset(bearer, 0, sizeof *bearer);
    return identity_jwt_verify(call->pool, call->env->keys, text, issuer, issuer, call->now, &bearer->claims);
}

bool identity_bearer_load(identity_call_t *call, void *data)
{
    identity_bearer_t *bearer = data;

    bearer->who = NULL;
    if (identity_id_valid(bearer->claims.subject, "sess"))
        return identity_principal_of_visitor(call, bearer->claims.subject, &bearer->session, &bearer->who);
    return identity_id_valid(bearer->claims.subject, "apik") ? load_key_of(call, bearer) : load_session(call, bearer);
}

/* ---- the phase -------------------------------------------------------------------------------------------------- */

static bool load_bearer(identity_call_t *call, void *data)
{
    credential_t *credential = data;

    if (!identity_bearer_load(call, &credential->bearer))
        return false;
    credential->read = credential->bearer.who;
    credential->key = credential->bearer.key;
    return true;
}

static apr_time_t sooner(apr_time_t one, apr_time_t other)
{
    return one == 0 || (other != 0 && other < one) ? other : one;
}

/* When who was read ends, or changes, though nobody does anything. */
static bool find_end(identity_call_t *call, credential_t *credential)
{
    const identity_session_row_t *session = credential->bearer.session;
    identity_principal_t *who = credential->read;
    apr_time_t turn = 0;

    if (!who || !call->env->generations)
        return true;
    if (credential->bearer.user && !identity_db_ok(call, identity_grants_turn(call->db, who->id, call->now, &turn)))
        return false;
    who->expires_at = credential->key ? credential->key->expires_at : 0;
    if (session)
        who->expires_at = sooner(sooner(session->expires_at, session->idle_expires_at), turn);
    return true;
}

static bool load(identity_call_t *call, void *data)
{
    credential_t *credential = data;
    bool read = credential->kind == CREDENTIAL_KEY ? load_key(call, data) : load_bearer(call, data);
    return read && find_end(call, credential);
}

/* Past the cache. */
static bool ask(identity_call_t *call, credential_t *credential, identity_memory_t *memory)
{
    bool known = credential->kind == CREDENTIAL_KEY
                     ? identity_key_id(call->pool, credential->text) != NULL
                     : credential->kind == CREDENTIAL_BEARER &&
                           identity_bearer_verify(call, credential->text, &credential->bearer);

    if (!known)
        return true;
    if (!identity_read(call, load, credential)) {
        credential->who = memory->who;
        return identity_recall_stale(call, memory);
    }
    credential->who = credential->read;
    identity_remember(call, memory, credential->read, credential->bearer.claims.expires_at,
                      credential->key ? credential->key->last_used_at : 0);
    return true;
}

/* False only for a fault; an invalid credential leaves who NULL. */
static bool check(identity_call_t *call, credential_t *credential)
{
    identity_memory_t memory;

    identity_recall(call, credential->kind, credential->text, &memory);
    credential->who = memory.who;
    if (!memory.sure && !ask(call, credential, &memory))
        return false;
    if (credential->who && credential->who->kind == IDENTITY_CALLER_KEY && identity_use_due(call, &memory) &&
        !identity_write_aside(call, write_last_use, credential))
        identity_use_missed(call, &memory);
    return true;
}

static bool transport_fits(identity_call_t *call, const identity_route_t *route, credential_kind_t kind)
{
    const identity_request_t *in = call->in;
    /* The public calls carry passwords, tokens or cookies; pages carry nothing. */
    bool secret = kind != CREDENTIAL_ABSENT ||
                  (route->credential != IDENTITY_CREDENTIAL_REQUIRED && strcmp(route->method, "POST") == 0);

    if (!secret || in->secure || in->loopback || !call->env->settings->require_tls)
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                         "A credential may be sent over TLS only: use https.");
}

static bool authenticate(identity_call_t *call, const identity_route_t *route, identity_authentication_t *out)
{
    credential_t credential;

    out->ambiguous = !find(call, &credential);
    if (out->ambiguous)
        return false;
    out->credential = credential.kind != CREDENTIAL_ABSENT;
    if (!transport_fits(call, route, credential.kind))
        return false;
    if (route->credential == IDENTITY_CREDENTIAL_NONE || credential.kind == CREDENTIAL_ABSENT) {
        if (route->credential == IDENTITY_CREDENTIAL_REQUIRED)
            return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL,
                                 "A credential is needed: X-API-KEY or Authorization.");
        return true;
    }
    if (!check(call, &credential))
        return false;
    out->principal = credential.who;
    if (!credential.who && route->credential == IDENTITY_CREDENTIAL_REQUIRED)
        return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL, "The credential is not valid.");
    return true;
}

void identity_authenticate(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                           identity_authentication_t *out)
{
    identity_call_t call;
    const identity_route_t *route;
    const char *ids[IDENTITY_PATH_IDS], *allow;

    memset(out, 0, sizeof *out);
    if (identity_route_match(pool, in->method, in->path, &route, ids, &allow) != IDENTITY_MATCH_ROUTE)
        return;
    identity_call_begin(&call, pool, env, in);
    if (!authenticate(&call, route, out)) {
        out->refused = true;
        out->principal = NULL;
        out->problem = call.problem;
    }
}

void identity_authenticate_local(apr_pool_t *pool, const char *entity_id, identity_authentication_t *out)
{
    identity_principal_t *who = apr_pcalloc(pool, sizeof *who);

    memset(out, 0, sizeof *out);
    who->kind = IDENTITY_CALLER_LOCAL;
    who->id = who->name = "";
    who->method = "local";
    who->entity_id = entity_id;
    who->entity_wide = true;
    who->entity_permissions.all = true;
    out->principal = who;
}

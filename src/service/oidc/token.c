/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoint of the OpenID provider: codes and refresh tokens of clients (RFC 6749, 3.2, 4.1.3 and 6; RFC 7636,
 * 4.5 and 4.6). */
#include <string.h>

#include "oidc/oidc.h"

/* Within this time a refresh token that was exchanged is a retry by a client that lost the answer (security 36). */
#define RETRY_WINDOW apr_time_from_sec(10)

/* ---- which client it is ----------------------------------------------------------------------------------------- */

typedef struct shown {
    const char *id, *secret; /* secret: NULL if none was shown */
    oidc_party_t *party;
} shown_t;

/* Sets the problem for a client that is not known by what it shows. */
static bool unknown(identity_call_t *call)
{
    return identity_ratelimit_failed(call) &&
           identity_oauth_deny(call, "invalid_client", IDENTITY_PROBLEM_UNAUTHORISED,
                               "The client is unknown.");
}

static bool look(identity_call_t *call, shown_t *shown)
{
    const char *authorization = call->in->headers.authorization, *id = NULL, *secret = NULL;
    const char *basic = authorization ? identity_scheme(authorization, "Basic") : NULL;

    shown->id = identity_json_string(call->body, "client_id");
    shown->secret = identity_json_string(call->body, "client_secret");
    if (!basic)
        return true;
    if (!identity_basic_parse(call->pool, basic, &id, &secret))
        return unknown(call);
    if (shown->secret || (shown->id && strcmp(shown->id, id) != 0))
        return identity_oauth_deny(call, "invalid_request", IDENTITY_PROBLEM_BAD_REQUEST,
                                   "The client must use only one authentication method.");
    shown->id = id;
    shown->secret = secret;
    return true;
}

static bool load_client(identity_call_t *call, void *data)
{
    const shown_t *shown = data;
    return oidc_client_find(call, shown->id, shown->party);
}

/* The secret, or the one before until its time is up. */
static bool proved(const identity_call_t *call, const identity_client_row_t *client,
                   const char *secret)
{
    if (strcmp(client->type, "PUBLIC") == 0)
        return !secret;
    if (!secret || !identity_token_valid(secret, IDENTITY_TOKEN_CLIENT))
        return false;
    const char *digest = identity_token_digest(call->pool, secret);
    return identity_secret_equal(client->digest, digest) ||
           (client->old_expires_at > call->now &&
            identity_secret_equal(client->old_digest, digest));
}

static bool find_client(identity_call_t *call, oidc_party_t *party)
{
    shown_t shown = {.party = party};

    if (!look(call, &shown))
        return false;
    if (!shown.id)
        return unknown(call);
    if (!identity_ratelimit_account(call, shown.id) || !identity_read(call, load_client, &shown))
        return false;
    return (party->client && proved(call, party->client, shown.secret)) || unknown(call);
}

/* ---- a code ----------------------------------------------------------------------------------------------------- */

typedef struct exchange {
    oidc_party_t party;
    const char *digest; /* of the code or refresh token */
    const char *id;     /* of the grant; NULL: it is found by the code */
    identity_client_grant_row_t *grant;
    const char *refresh; /* the refresh token for the answer; NULL: none */
    const char *refused; /* why it ends in invalid_grant */
    const char *reused;  /* ... and the grant with it: what the record says */
} exchange_t;

static bool invalid_grant(identity_call_t *call, const char *why)
{
    return identity_oauth_deny(call, "invalid_grant", IDENTITY_PROBLEM_UNAUTHORISED, "%s", why);
}

/* The grant, where it is one of this client. */
static bool find_grant(identity_call_t *call, void *data)
{
    exchange_t *exchange = data;
    bool found;

    exchange->grant = NULL;
    if (!identity_db_found(
            call,
            exchange->id
                ? identity_client_grant_get(call->db, exchange->id, &exchange->grant)
                : identity_client_grant_of_code(call->db, exchange->digest, &exchange->grant),
            &found))
        return false;
    if (!found || strcmp(exchange->grant->client_id, exchange->party.client->id) != 0)
        exchange->grant = NULL;
    return true;
}

/* Something that was used came back: whoever has it, and what was given for it, is not trusted any more (RFC 6749,
 * 4.1.2 and 10.4). */
static bool end_reused(identity_call_t *call, exchange_t *exchange)
{
    identity_audit_t audit = {.action = "GRANT_REUSED",
                              .type = "CLIENT",
                              .id = exchange->party.client->id,
                              .target_name = exchange->party.client->name,
                              .entity_id = exchange->party.client->entity_id,
                              .actor = "",
                              .message = exchange->reused};
    identity_db_status_t status =
        identity_client_grant_end(call->db, exchange->grant->id, call->now);

    exchange->refused = exchange->reused;
    if (status == IDENTITY_DB_NONE)
        return true;
    return identity_db_ok(call, status) && identity_audit(call, &audit);
}

static const char *code_fault(identity_call_t *call, const exchange_t *exchange)
{
    const identity_client_grant_row_t *grant = exchange->grant;
    const char *uri = identity_json_string(call->body, "redirect_uri"),
               *verifier = identity_json_string(call->body, "code_verifier");

    if (grant->expires_at <= call->now || grant->ended_at)
        return "The code has expired.";
    if (!uri || strcmp(uri, grant->redirect_uri) != 0)
        return "redirect_uri differs from that of the authorization request.";
    if (!*grant->challenge)
        return verifier ? "There is a code_verifier, but no code_challenge was sent." : NULL;
    if (!verifier ||
        !identity_secret_equal(identity_sha256_base64url(call->pool, verifier), grant->challenge))
        return "code_verifier does not match the code_challenge.";
    return NULL;
}

static const char *person_fault(const oidc_party_t *party)
{
    if (!party->session)
        return "The session has ended.";
    return oidc_admitted(party) ? NULL : "This person may not use this application any more.";
}

static bool write_code(identity_call_t *call, void *data)
{
    exchange_t *exchange = data;

    if (!find_grant(call, exchange))
        return false;
    if (exchange->grant && exchange->grant->spent_at) {
        exchange->reused = "A code was used twice: what it gave has ended.";
        return end_reused(call, exchange);
    }
    exchange->refused = exchange->grant ? code_fault(call, exchange) : "The code is not known.";
    if (exchange->refused)
        return true;
    if (!oidc_person_find(call, exchange->grant->session_id, &exchange->party))
        return false;
    exchange->refused = person_fault(&exchange->party);
    if (exchange->refused)
        return true;
    return identity_db_ok(
        call, identity_client_grant_spend(
                  call->db, exchange->grant->id,
                  exchange->refresh ? identity_token_digest(call->pool, exchange->refresh) : "",
                  call->now));
}

/* A refresh token begins with the id of its grant, so that one that was exchanged long ago is known for what it is. */
static bool first_refresh(identity_call_t *call, exchange_t *exchange)
{
    const char *token = identity_token_make(call->pool, IDENTITY_TOKEN_REFRESH, &call->env->random);

    if (!token)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    exchange->refresh = apr_pstrcat(call->pool, exchange->grant->id, ".", token, NULL);
    return true;
}

static bool by_code(identity_call_t *call, exchange_t *exchange)
{
    const char *code = identity_json_string(call->body, "code");

    if (!code)
        return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, "code", "code is needed.");
    if (!identity_token_valid(code, IDENTITY_TOKEN_CODE))
        return invalid_grant(call, "The code is not known.");
    exchange->digest = identity_token_digest(call->pool, code);
    /* Made-up ones never wait for the write lock. */
    if (!identity_read(call, find_grant, exchange))
        return false;
    if (!exchange->grant)
        return invalid_grant(call, "The code is not known.");
    if (oidc_grants(&exchange->party, "refresh_token") && !first_refresh(call, exchange))
        return false;
    if (!identity_write(call, write_code, exchange))
        return false;
    if (exchange->refused)
        return invalid_grant(call, exchange->refused);
    return oidc_tokens_answer(call, &exchange->party, exchange->grant, exchange->grant->scope,
                              exchange->refresh);
}

/* ---- a refresh token -------------------------------------------------------------------------------------------- */

static const char *successor(identity_call_t *call, const exchange_t *exchange, const char *nonce)
{
    return apr_pstrcat(call->pool, exchange->grant->id, ".",
                       identity_refresh_successor(
                           call->pool, identity_json_string(call->body, "refresh_token"), nonce),
                       NULL);
}

/* The secret of a CONFIDENTIAL client protects its refresh token, which stays; a PUBLIC one gets another each time
 * (RFC 9700, 2.2.2). */
static bool rotate(identity_call_t *call, exchange_t *exchange)
{
    const identity_client_grant_row_t *grant = exchange->grant;
    identity_audit_t audit = {.action = "CLIENT_REFRESH",
                              .type = "CLIENT",
                              .id = exchange->party.client->id,
                              .target_name = exchange->party.client->name,
                              .entity_id = exchange->party.client->entity_id,
                              .actor = exchange->party.user->id,
                              .each_minute = true,
                              .message = "A client's refresh token was exchanged."};

    if (!oidc_session_used(call, exchange->party.session) || !identity_audit(call, &audit))
        return false;
    if (strcmp(exchange->party.client->type, "PUBLIC") != 0) {
        exchange->refresh = identity_json_string(call->body, "refresh_token");
        return true;
    }
    const char *nonce = identity_call_id(call, "nonc");
    if (!nonce)
        return false;
    exchange->refresh = successor(call, exchange, nonce);
    return identity_db_ok(
        call, identity_client_grant_refresh(call->db, grant->id, exchange->digest,
                                            identity_token_digest(call->pool, exchange->refresh),
                                            nonce, call->now));
}

static bool write_refresh(identity_call_t *call, void *data)
{
    exchange_t *exchange = data;

    if (!find_grant(call, exchange))
        return false;
    const identity_client_grant_row_t *grant = exchange->grant;
    bool present = grant && identity_secret_equal(grant->refresh, exchange->digest),
         retry = grant && !present && identity_secret_equal(grant->refresh_old, exchange->digest) &&
                 call->now - grant->refreshed_at <= RETRY_WINDOW;
    if (!grant || grant->ended_at) {
        exchange->refused = "The refresh token is not valid any more.";
        return true;
    }
    if (!present && !retry) {
        exchange->reused = "A refresh token was used twice: its grant has ended.";
        return end_reused(call, exchange);
    }
    if (!oidc_person_find(call, grant->session_id, &exchange->party))
        return false;
    exchange->refused = person_fault(&exchange->party);
    if (exchange->refused)
        return true;
    if (retry)
        exchange->refresh = successor(call, exchange, grant->refresh_nonce);
    return retry || rotate(call, exchange);
}

/* Of the grant's scope what is asked for; false for more than it has. */
static bool narrowed(identity_call_t *call, const exchange_t *exchange, const char **scope)
{
    const char *asked = identity_json_string(call->body, "scope");
    char *list = asked ? apr_pstrdup(call->pool, asked) : NULL, *rest;

    *scope = exchange->grant->scope;
    for (char *name = list ? apr_strtok(list, " ", &rest) : NULL; name;
         name = apr_strtok(NULL, " ", &rest))
        if (!oidc_scope_has(exchange->grant->scope, name))
            return identity_oauth_deny(call, "invalid_scope", IDENTITY_PROBLEM_BAD_REQUEST,
                                       "scope asks for more than was granted.");
    if (asked)
        *scope = oidc_scopes(call, &exchange->party, asked);
    return true;
}

static bool by_refresh_token(identity_call_t *call, exchange_t *exchange)
{
    const char *token = identity_json_string(call->body, "refresh_token"), *scope;
    const char *dot = token ? strchr(token, '.') : NULL;

    if (!token)
        return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, "refresh_token",
                             "refresh_token is needed.");
    exchange->id = dot ? apr_pstrmemdup(call->pool, token, (apr_size_t)(dot - token)) : "";
    if (!dot || !identity_id_valid(exchange->id, "gran") ||
        !identity_token_valid(dot + 1, IDENTITY_TOKEN_REFRESH))
        return invalid_grant(call, "The refresh token is not known.");
    exchange->digest = identity_token_digest(call->pool, token);
    if (!identity_read(call, find_grant, exchange))
        return false;
    if (!exchange->grant)
        return invalid_grant(call, "The refresh token is not known.");
    if (!narrowed(call, exchange, &scope) ||
        !identity_ratelimit_take(call, IDENTITY_RATE_REFRESH, exchange->id) ||
        !identity_write(call, write_refresh, exchange))
        return false;
    if (exchange->refused)
        return invalid_grant(call, exchange->refused);
    return oidc_tokens_answer(call, &exchange->party, exchange->grant, scope, exchange->refresh);
}

/* ----------------------------------------------------------------------------------------------------------------- */

bool identity_op_oidc_token(identity_call_t *call)
{
    const char *grant = identity_json_string(call->body, "grant_type");
    exchange_t exchange = {.digest = NULL};
    bool code = strcmp(grant, "authorization_code") == 0,
         refresh = strcmp(grant, "refresh_token") == 0;

    if (!oidc_enabled(call) || !find_client(call, &exchange.party))
        return false;
    if (!code && !refresh)
        return identity_oauth_deny(call, "unsupported_grant_type", IDENTITY_PROBLEM_BAD_REQUEST,
                                   "grant_type must be authorization_code or refresh_token.");
    if (!oidc_grants(&exchange.party, grant))
        return identity_oauth_deny(call, "unauthorized_client", IDENTITY_PROBLEM_BAD_REQUEST,
                                   "This client may not use this grant type.");
    return code ? by_code(call, &exchange) : by_refresh_token(call, &exchange);
}

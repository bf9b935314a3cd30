/* SPDX-License-Identifier: Apache-2.0 */
/* Signing on at an OpenID provider: authorize sends the browser there, callback takes what it comes back with.
 *
 * Nothing is written before somebody comes back. The state that travels through the provider says by itself whose it
 * is:
 *
 *     state   <provider's id>.<end, in seconds>.<MAC over these, the browser's cookie and the redirect_uri>
 *     cookie  a secret; nonce and PKCE verifier follow from it and the state
 *
 * so that only the browser which began can end a sign-on, within ten minutes, at the address it was begun for. That it
 * ends once is what the database is asked for (sso_states).
 */
#include <string.h>

#include <apr_lib.h>

#include "sso/sso.h"

#define COOKIE      "identity_sso"
#define LIFETIME    apr_time_from_sec(600)
#define SEAL        "sso state"
#define RETRY_AFTER 5 /* for as long as the client folder caches a failure */

/* ---- what follows from a cookie --------------------------------------------------------------------------------- */

/* The MAC of a state by key i of the server's; NULL past the last. */
static const char *state_mac(identity_call_t *call, int key, const char *cookie, const char *start,
                             const char *redirect_uri)
{
    unsigned char secret[32];

    if (!identity_keyset_kid(call->env->keys, key) ||
        !identity_keyset_derive(call->env->keys, key, SEAL, secret))
        return NULL;
    const char *text = apr_pstrcat(call->pool, cookie, "\n", start, "\n", redirect_uri, NULL);
    const char *mac = identity_mac_text(call->pool, secret, sizeof secret, text);
    identity_wipe(secret, sizeof secret);
    return mac;
}

static void derive(identity_call_t *call, const char *cookie, identity_oidc_sign_on_t *oidc)
{
    size_t length = strlen(cookie);

    oidc->nonce = identity_mac_text(call->pool, cookie, length,
                                    apr_pstrcat(call->pool, "nonce\n", oidc->state, NULL));
    oidc->verifier = identity_mac_text(call->pool, cookie, length,
                                       apr_pstrcat(call->pool, "verifier\n", oidc->state, NULL));
}

static bool redirect_allowed(identity_call_t *call, const char *uri)
{
    const apr_array_header_t *allowed = call->env->settings->redirect_uris;

    /* Exactly (security 71); the module's own sign-in page is always allowed. */
    if (strcmp(apr_pstrcat(call->pool, call->env->settings->public_url, "/v1/oauth/sign-in", NULL),
               uri) == 0)
        return true;
    for (int i = 0; allowed && i < allowed->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(allowed, i, const char *), uri) == 0)
            return true;
    return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "redirect_uri",
                         "redirect_uri must be exactly one of those configured on this server.");
}

static bool unavailable(identity_call_t *call, const sso_sign_on_t *sign_on, const char *error)
{
    identity_log(call, IDENTITY_LOG_ERROR, "ID0371: the provider %s cannot be used: %s",
                 sign_on->provider.configured->name, error);
    identity_deny(
        call, IDENTITY_PROBLEM_UNAVAILABLE, NULL,
        "The provider cannot be reached or does not answer correctly; please try again later.");
    call->problem.retry_after = RETRY_AFTER;
    return false;
}

/* ---- GET /oauth/authorize --------------------------------------------------------------------------------------- */

typedef struct search {
    const char *name;
    sso_provider_t provider;
} search_t;

static bool find_provider(identity_call_t *call, void *data)
{
    search_t *search = data;
    return sso_provider_find(call, search->name, &search->provider);
}

static bool ask(identity_call_t *call, const char *name, const char **value)
{
    *value = apr_table_get(call->query, name);
    if (*value && **value)
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD, name, "%s is required.", name);
}

static bool begin(identity_call_t *call, sso_sign_on_t *sign_on, const char *redirect_uri,
                  const char **cookie)
{
    const sso_provider_t *provider = &sign_on->provider;

    *cookie = identity_token_make(call->pool, IDENTITY_TOKEN_SIGN_ON, &call->env->random);
    if (!*cookie)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    const char *start = apr_psprintf(call->pool, "%s.%" APR_INT64_T_FMT,
                                     provider->row_id ? provider->row_id : provider->configured->id,
                                     (apr_int64_t)apr_time_sec(call->now + LIFETIME));
    sign_on->oidc.state =
        apr_pstrcat(call->pool, start, ".", state_mac(call, 0, *cookie, start, redirect_uri), NULL);
    sign_on->oidc.redirect_uri = redirect_uri;
    sign_on->oidc.now = call->now;
    derive(call, *cookie, &sign_on->oidc);
    return true;
}

bool identity_op_authorize(identity_call_t *call)
{
    search_t search = {.name = NULL};
    sso_sign_on_t sign_on = {.digest = NULL};
    const char *redirect_uri, *cookie, *url, *error;

    if (!ask(call, "provider", &search.name) || !ask(call, "redirect_uri", &redirect_uri) ||
        !redirect_allowed(call, redirect_uri) ||
        (!sso_provider_configured(call, search.name, &search.provider) &&
         !identity_read(call, find_provider, &search)))
        return false;
    if (!search.provider.configured)
        return identity_deny(
            call, IDENTITY_PROBLEM_INVALID_FIELD, "provider",
            "provider must be the id or the name of an enabled provider for single sign-on.");
    sign_on.provider = search.provider;
    if (!begin(call, &sign_on, redirect_uri, &cookie))
        return false;
    if (identity_oidc_authorization(call->pool, sign_on.provider.configured->oidc, &sign_on.oidc,
                                    &url, &error) != IDENTITY_OIDC_DONE)
        return unavailable(call, &sign_on, error);
    identity_oauth_cookie_set(call, COOKIE, cookie, apr_time_sec(LIFETIME));
    identity_header(call, "Location", url);
    identity_header(call, "Referrer-Policy", "no-referrer");
    return identity_answer_empty(call, 302);
}

/* ---- POST /oauth/callback --------------------------------------------------------------------------------------- */

/* Unknown, expired, used, or another browser's: the same message. */
static bool dead(identity_call_t *call)
{
    return identity_ratelimit_failed(call) &&
           identity_deny(
               call, IDENTITY_PROBLEM_INVALID_FIELD, "state",
               "This sign-on is no longer valid, or was started in another browser; please start again.");
}

static bool mac_right(identity_call_t *call, const char *cookie, const char *start,
                      const char *redirect_uri, const char *given)
{
    bool right = false;
    const char *mac;

    /* A sign-on started before a change of signing keys remains valid. */
    for (int key = 0; !right && (mac = state_mac(call, key, cookie, start, redirect_uri)) != NULL;
         key++)
        right = identity_secret_equal(mac, given);
    return right;
}

/* Parses and verifies the state: the provider's id if everything is right. */
static const char *provider_of_state(identity_call_t *call, sso_sign_on_t *sign_on)
{
    const char *state = sign_on->oidc.state,
               *cookie = identity_cookie(call, COOKIE, IDENTITY_TOKEN_SIGN_ON);
    const char *first = strchr(state, '.'), *last = strrchr(state, '.');

    if (!cookie || !first || first == last ||
        !mac_right(call, cookie, apr_pstrmemdup(call->pool, state, (apr_size_t)(last - state)),
                   sign_on->oidc.redirect_uri, last + 1))
        return NULL;
    sign_on->expires_at = apr_time_from_sec(apr_strtoi64(first + 1, NULL, 10));
    if (sign_on->expires_at <= call->now)
        return NULL;
    sign_on->digest = identity_token_digest(call->pool, state);
    derive(call, cookie, &sign_on->oidc);
    return apr_pstrmemdup(call->pool, state, (apr_size_t)(first - state));
}

typedef struct beginning {
    sso_sign_on_t *sign_on;
    const char *provider;
} beginning_t;

static bool spend(identity_call_t *call, void *data)
{
    const beginning_t *beginning = data;
    sso_sign_on_t *sign_on = beginning->sign_on;
    identity_db_status_t status =
        identity_sso_state_spend(call->db, sign_on->digest, call->now, sign_on->expires_at);

    if (status == IDENTITY_DB_CONFLICT)
        return dead(call);
    if (!identity_db_ok(call, status) ||
        !sso_provider_find(call, beginning->provider, &sign_on->provider))
        return false;
    /* It may have been disabled meanwhile. */
    return sign_on->provider.configured || dead(call);
}

static bool write_failure(identity_call_t *call, void *data)
{
    return sso_write_failure(call, data);
}

/* Not the provider's own answer: whoever sent it learns that it was rejected, and it is audited. */
static bool disbelieve(identity_call_t *call, sso_sign_on_t *sign_on, const char *error)
{
    bool set_up = sign_on->oidc.set_up;

    identity_log(call, set_up ? IDENTITY_LOG_ERROR : IDENTITY_LOG_WARNING,
                 "ID0372: a sign-on at %s was refused: %s%s", sign_on->provider.configured->name,
                 error, set_up ? " (nobody can sign on there)" : "");
    if (!set_up &&
        (!identity_ratelimit_failed(call) || !identity_write(call, write_failure, sign_on)))
        return false;
    return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL,
                         "The answer of the provider is not valid; please start again.");
}

/* Could the answer belong to a provider with another issuer? */
static bool one_of_many(const identity_call_t *call, const sso_sign_on_t *sign_on)
{
    const apr_array_header_t *all = call->env->settings->providers;
    bool other = false;

    for (int i = 0; i < all->nelts && !other; i++)
        other = strcmp(APR_ARRAY_IDX(all, i, const identity_configured_provider_t *)->issuer,
                       sign_on->provider.configured->issuer) != 0;
    return other;
}

/* Without holding a database connection, except to look whether an address is needed. */
static identity_oidc_status_t vouch(identity_call_t *call, sso_sign_on_t *sign_on,
                                    const char **error)
{
    identity_oidc_t *oidc = sign_on->provider.configured->oidc;
    identity_oidc_status_t status = identity_oidc_exchange(call->pool, oidc, &sign_on->oidc, error);

    if (status != IDENTITY_OIDC_DONE)
        return status;
    if (!identity_read(call, sso_find_link, sign_on)) {
        *error = NULL; /* the problem is set */
        return IDENTITY_OIDC_UNAVAILABLE;
    }
    if (sign_on->linked && sign_on->user->status == IDENTITY_USER_ACTIVE)
        return status;
    status = identity_oidc_address(call->pool, oidc, &sign_on->oidc, error);
    if (status == IDENTITY_OIDC_DONE && *error)
        identity_log(call, IDENTITY_LOG_WARNING, "ID0374: %s does not provide an address: %s",
                     sign_on->provider.configured->name, *error);
    return status;
}

static bool turn_away(identity_call_t *call, const sso_sign_on_t *sign_on)
{
    if (!sign_on->set_up && !identity_ratelimit_failed(call))
        return false;
    identity_log(call, sign_on->set_up ? IDENTITY_LOG_WARNING : IDENTITY_LOG_INFO,
                 "ID0373: a sign-on at %s was denied: %s", sign_on->provider.configured->name,
                 sign_on->refused);
    return identity_deny(
        call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
        "This account of the provider cannot sign in here. The address of its user or invitation "
        "here must be verified by both the provider and this server.");
}

bool identity_op_oauth_callback(identity_call_t *call)
{
    sso_sign_on_t sign_on = {
        .oidc = {.redirect_uri = identity_json_string(call->body, "redirect_uri"),
                 .state = identity_json_string(call->body, "state"),
                 .code = identity_json_string(call->body, "code"),
                 .issuer = identity_json_string(call->body, "iss"),
                 .now = call->now}};
    beginning_t beginning = {.sign_on = &sign_on};
    const char *error = NULL;

    if (!redirect_allowed(call, sign_on.oidc.redirect_uri))
        return false;
    beginning.provider = provider_of_state(call, &sign_on);
    if (!beginning.provider)
        return dead(call);
    if (!identity_write(call, spend, &beginning))
        return false;
    identity_oauth_cookie_set(call, COOKIE, "", 0);
    sign_on.oidc.one_of_many = one_of_many(call, &sign_on);
    identity_oidc_status_t status = vouch(call, &sign_on, &error);
    if (status == IDENTITY_OIDC_REFUSED)
        return disbelieve(call, &sign_on, error);
    if (status != IDENTITY_OIDC_DONE)
        return error ? unavailable(call, &sign_on, error) : false;
    if (!identity_write(call, sso_finish, &sign_on))
        return false;
    if (sign_on.refused)
        return turn_away(call, &sign_on);
    identity_ratelimit_trust_client(call, sign_on.user->canonical);
    return identity_login_answer(call, &sign_on.login);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-ons at an OpenID provider through the door. The provider is a server of the test (support/provider.c); its
 * tokens are signed by OpenSSL (support/signer.c). */
#ifndef IDENTITY_TEST_SERVE_SSO_H
#define IDENTITY_TEST_SERVE_SSO_H

#include "serve.h"
#include "support/provider.h"
#include "support/signer.h"

#define HERE                     "https://app.example.org/sso"
#define SECOND                   "http://localhost:3000/sso?from=provider"
#define CLIENT                   "client-1"
/* One text for each: of a state, of a provider's answer, of a person. */
#define dead(answer, ...)        refused(answer, 400, "INVALID_FIELD", "state", __VA_ARGS__)
#define disbelieved(answer, ...) refused(answer, 401, "UNAUTHORISED", "", __VA_ARGS__)
#define turned_away(answer, ...) refused(answer, 403, "USER_NOT_ALLOWED", "", __VA_ARGS__)

static provider_t *provider, *other;
static signer_t *key, *stranger;
static identity_configured_provider_t first = {.name = "work"}, second = {.name = "else"};
static apr_array_header_t *redirects;
static int patience = 5000; /* milliseconds that a provider has */

/* ---- a sign-on -------------------------------------------------------------------------------------------------- */

typedef struct flow {
    const char *url, *state, *nonce, *challenge, *cookie;
} flow_t;

static inline identity_oidc_t *client_of(const provider_t *at, const char *client)
{
    const char *error;
    const identity_oidc_options_t options = {.issuer = at->issuer,
                                             .client_id = client,
                                             .client_secret = "s3cret/+&=",
                                             .timeout = apr_time_from_msec(patience)};
    identity_oidc_t *oidc = identity_oidc_make(door->pool, &options, &error);
    return oidc ? oidc : (bail(error), NULL);
}

/* Providers that remember nothing yet, and are well. */
static inline void fresh(void)
{
    first.issuer = provider->issuer;
    second.issuer = other->issuer;
    first.client_id = second.client_id = CLIENT;
    first.oidc = client_of(provider, CLIENT);
    second.oidc = client_of(other, CLIENT);
    provider_t *both[] = {provider, other};
    for (int i = 0; i < 2; i++) {
        memset(both[i]->answers, 0, sizeof both[i]->answers);
        memset(both[i]->asked, 0, sizeof both[i]->asked);
        both[i]->answers[PROVIDER_DISCOVERY].body = provider_discovery(door->pool, both[i], NULL);
        both[i]->answers[PROVIDER_KEYS].body = signer_set(door->pool, key, NULL);
    }
}

static inline const char *parameter(const char *url, const char *name)
{
    apr_table_t *parameters = NULL;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    const char *query = strchr(url, '?'), *value = NULL;

    if (query && identity_query_parse(door->pool, query + 1, &parameters, &problem))
        value = apr_table_get(parameters, name);
    return value ? value : "";
}

static inline door_answer_t authorize(const char *name, const char *redirect)
{
    return get(text("/v1/oauth/authorize?provider=%s&redirect_uri=%s", identity_query_escape(door->pool, name),
                    identity_query_escape(door->pool, redirect)),
               NULL);
}

static inline flow_t begin_at(const char *name, const char *redirect)
{
    door_answer_t answer = authorize(name, redirect);
    const char *cookie = header(&answer, "Set-Cookie"), *url = header(&answer, "Location");

    if (answer.status != 302 || !cookie || !url)
        bail(text("no sign-on begins: %d %s", answer.status, answer.text ? answer.text : ""));
    return (flow_t){.url = url,
                    .state = parameter(url, "state"),
                    .nonce = parameter(url, "nonce"),
                    .challenge = parameter(url, "code_challenge"),
                    .cookie = text("%.*s", (int)strcspn(cookie, ";"), cookie)};
}

static inline flow_t begin(void)
{
    return begin_at("work", HERE);
}

/* What the provider says of somebody: its claims with changes (a JSON object). */
static inline const char *id_token(const provider_t *at, const flow_t *flow, const char *subject, const char *email,
                                   const char *changes)
{
    json_int_t now = (json_int_t)apr_time_sec(door->now);
    json_t *claims =
        identity_json_own(door->pool, json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:b}", "iss", at->issuer, "sub",
                                                subject, "aud", CLIENT, "exp", now + 300, "iat", now, "nonce",
                                                flow->nonce, "email", email, "email_verified", 1));
    json_t *patch = identity_json_own(door->pool, json_loads(changes ? changes : "{}", 0, NULL)), *value;
    const char *name;

    json_object_foreach (patch, name, value) {
        if (json_is_null(value))
            json_object_del(claims, name);
        else
            json_object_set(claims, name, value);
    }
    return signer_token(door->pool, key, "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
                        identity_json_text(door->pool, claims, NULL), NULL);
}

static inline void hand_out(provider_t *at, const char *token)
{
    at->answers[PROVIDER_TOKEN] =
        (provider_answer_t){.body = text("{\"access_token\":\"opaque\",\"token_type\":\"Bearer\",\"expires_in\":60,"
                                         "\"id_token\":\"%s\"}",
                                         token)};
}

static inline void vouch(const flow_t *flow, const char *subject, const char *email, const char *changes)
{
    hand_out(provider, id_token(provider, flow, subject, email, changes));
}

static inline door_answer_t come_back(const char *cookie, const char *state, const char *redirect, const char *more)
{
    door->cookie = cookie;
    door_answer_t answer =
        post("/v1/oauth/callback", NULL,
             text("{\"code\":\"the-code\",\"redirect_uri\":\"%s\",\"state\":\"%s\"%s}", redirect, state, more));
    door->cookie = NULL;
    return answer;
}

static inline door_answer_t finish(const flow_t *flow)
{
    return come_back(flow->cookie, flow->state, HERE, "");
}

/* A whole sign-on of somebody. */
static inline door_answer_t sign_on(const char *subject, const char *email, const char *changes)
{
    flow_t flow = begin();
    vouch(&flow, subject, email, changes);
    return finish(&flow);
}

static inline long long audited(const char *action)
{
    return count(text("SELECT COALESCE(SUM(times), 0) FROM audit_records WHERE action = '%s'", action));
}

static inline void sso_begin(void)
{
    serve_begin();
    provider = provider_open(door->pool);
    other = provider_open(door->pool);
    provider->held[0] = other->held[0] = &door->borrowed;
    provider->held[1] = other->held[1] = &door->writers;
    key = signer_make(door->pool, 2048, "k1");
    stranger = signer_make(door->pool, 2048, "new");
    apr_array_header_t *providers = apr_array_make(door->pool, 2, sizeof(void *));
    redirects = apr_array_make(door->pool, 2, sizeof(void *));
    first.id = identity_id_of_name(door->pool, "auth", "work");
    second.id = identity_id_of_name(door->pool, "auth", "else");
    APR_ARRAY_PUSH(providers, identity_configured_provider_t *) = &first;
    APR_ARRAY_PUSH(providers, identity_configured_provider_t *) = &second;
    APR_ARRAY_PUSH(redirects, const char *) = HERE;
    APR_ARRAY_PUSH(redirects, const char *) = SECOND;
    door->settings.providers = providers;
    door->settings.redirect_uris = redirects;
    fresh();
}

#endif

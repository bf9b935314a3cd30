/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the OpenID provider share: a client, a person with an access cookie, and the way of a browser. */
#ifndef IDENTITY_TEST_OIDC_H
#define IDENTITY_TEST_OIDC_H

#include "oauth.h"

#define AUTHORIZE "/v1/oidc/authorize"
#define TOKEN     "/v1/oidc/token"
#define USERINFO  "/v1/oidc/userinfo"
#define CALLBACK  "https://app.example.org/cb"
#define VERIFIER  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" /* RFC 7636, appendix B */
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

typedef struct oidc_client {
    const char *id, *secret;
} oidc_client_t;

/* more: further members of the body, each behind a comma. */
static inline oidc_client_t oidc_client(const char *more)
{
    door_answer_t answer =
        post("/v1/clients", door->key, text("{\"name\":\"App\",\"redirect_uris\":[\"" CALLBACK "\"]%s}", more));
    oidc_client_t client = {door_text(&answer, "id"), door_text(&answer, "client_secret")};

    return client.id ? client : (bail(answer.text), client);
}

/* Signs in on the page: the cookies of the browser. */
static inline const char *oidc_cookie(const char *address)
{
    door->access_cookie = true;
    door_answer_t answer =
        post("/v1/oauth/token", NULL, text("{\"username\":\"%s\",\"password\":\"" PASSWORD "\"}", address));
    const apr_array_header_t *all = apr_table_elts(answer.headers);
    for (int i = 0; i < all->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(all, i, apr_table_entry_t);
        if (strcmp(entry->key, "Set-Cookie") == 0 && strstr(entry->val, "identity_access="))
            return text("%.*s", (int)strcspn(entry->val, ";"), entry->val);
    }
    bail(answer.text);
}

/* A value of a URL's query, decoded; NULL where it is not there. */
static inline const char *oidc_value(const char *url, const char *name)
{
    apr_table_t *query;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    const char *mark = url ? strchr(url, '?') : NULL;

    return mark && identity_query_parse(door->pool, mark + 1, &query, &problem) ? apr_table_get(query, name) : NULL;
}

/* The browser at authorize with these parameters. */
static inline door_answer_t oidc_visit(const char *cookie, const char *query)
{
    door->cookie = cookie;
    door_answer_t answer = get(text(AUTHORIZE "?%s", query), NULL);
    door->cookie = NULL;
    return answer;
}

/* A good request of the client, and more parameters. */
static inline const char *oidc_query(const oidc_client_t *client, const char *more)
{
    return text(
        "client_id=%s&redirect_uri=%s&response_type=code&scope=openid%%20profile%%20email%%20groups&state=s%%20t"
        "&nonce=n1&code_challenge=" CHALLENGE "&code_challenge_method=S256%s",
        client->id, identity_query_escape(door->pool, CALLBACK), more);
}

static inline const char *oidc_location(door_answer_t answer)
{
    const char *location = header(&answer, "Location");
    return answer.status == 303 && location ? location : text("%d", answer.status);
}

static inline const char *oidc_code(const oidc_client_t *client, const char *cookie, const char *more)
{
    const char *location = oidc_location(oidc_visit(cookie, oidc_query(client, more)));
    const char *code = oidc_value(location, "code");
    return code ? code : (bail(location), NULL);
}

/* "login_required", or "code" where it went well, or the status. */
static inline const char *oidc_outcome(door_answer_t answer)
{
    const char *location = oidc_location(answer), *error = oidc_value(location, "error");

    if (strncmp(location, "/v1/oauth/sign-in?", 18) == 0)
        return "sign in";
    return error ? error : oidc_value(location, "code") ? "code" : text("%d", answer.status);
}

static inline door_answer_t oidc_exchange(const oidc_client_t *client, const char *code, const char *more)
{
    return form(TOKEN, text("grant_type=authorization_code&code=%s&redirect_uri=%s&client_id=%s%s%s%s", code,
                            identity_query_escape(door->pool, CALLBACK), client->id,
                            client->secret ? "&client_secret=" : "", client->secret ? client->secret : "", more));
}

#define oidc_tokens(client, code) oidc_exchange(client, code, "&code_verifier=" VERIFIER)

static inline door_answer_t oidc_refresh(const oidc_client_t *client, const char *token)
{
    return form(TOKEN, text("grant_type=refresh_token&refresh_token=%s&client_id=%s%s%s", token, client->id,
                            client->secret ? "&client_secret=" : "", client->secret ? client->secret : ""));
}

/* Part 0 (header) or 1 (claims) of a JWT. */
static inline json_t *oidc_part(const char *token, int part)
{
    size_t size;
    const char *at = token;

    for (; part > 0; part--)
        at = strchr(at, '.') + 1;
    const char *bytes = (const char *)identity_base64url_decode_n(door->pool, at, strcspn(at, "."), &size);
    return identity_json_own(door->pool, json_loadb(bytes, size, 0, NULL));
}

static inline const char *oidc_claim(const char *token, int part, const char *name)
{
    const json_t *value = json_object_get(oidc_part(token, part), name);
    return value ? identity_json_text(door->pool, identity_json_own(door->pool, json_pack("[O]", value)), NULL) : NULL;
}

static inline door_answer_t oidc_userinfo(const char *token)
{
    return call_with("GET", USERINFO, with_authorization(text("Bearer %s", token)), true, false, NULL);
}

static inline void oidc_begin(void)
{
    serve_begin();
    door->settings.openid = true;
    door->settings.openid_key = identity_openid_key_load(door->pool, identity_openid_key_make(door->pool));
}

#endif

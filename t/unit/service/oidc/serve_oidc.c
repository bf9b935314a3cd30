/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenID provider, OP1 to OP14: discovery, authorize, token, userinfo. route oidc_authorize oidc_authorize_form oidc_token
 * oidc_userinfo oidc_userinfo_form get_openid_configuration */
#include "routes.h"
#include "oidc.h"

#define BARE "client_id=%s&redirect_uri=https%%3A%%2F%%2Fapp.example.org%%2Fcb&response_type=code&scope=openid%s"
#define CODE                                                                                                           \
    "grant_type=authorization_code&redirect_uri=https%%3A%%2F%%2Fapp.example.org%%2Fcb&code_verifier=" VERIFIER        \
    "&code=%s%s"

static const char *ada, *ada_id;

/* ---- off -------------------------------------------------------------------------------------------------------- */

static void test_off(void)
{
    oidc_client_t client = oidc_client("");

    door->settings.openid = false;
    is_int(get("/.well-known/openid-configuration", NULL).status, 404, "off by default: no discovery");
    is_int(oidc_visit(ada, oidc_query(&client, "")).status, 404, "... no authorize");
    is_int(oidc_exchange(&client, "x", "").status, 404, "... no token");
    is_int(oidc_userinfo("x").status, 404, "... no userinfo");
    door_answer_t jwks = get("/.well-known/jwks.json", NULL);
    is_int(size_at(&jwks, "keys"), 1, "... and no RSA key");
    door->settings.openid = true;
}

/* ---- OP1 to OP3 -------------------------------------------------------------------------------------------------- */

static void test_discovery(void)
{
    door_answer_t answer = get("/.well-known/openid-configuration", NULL), jwks;
    static const char *const endpoints[] = {"authorization_endpoint", "token_endpoint", "userinfo_endpoint",
                                            "jwks_uri"};

    accepted(answer, 200, "OP1: discovery");
    is_str(door_text(&answer, "issuer"), door->settings.public_url, "OP1: the issuer, byte for byte");
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++)
        is_int(strncmp(door_text(&answer, endpoints[i]), door->settings.public_url, strlen(door->settings.public_url)),
               0, "OP1: %s is here", endpoints[i]);
    is_str(json_at(&answer, "id_token_signing_alg_values_supported"), "[\"RS256\",\"ES256\"]", "OP1: RS256 is there");
    is_str(json_at(&answer, "subject_types_supported"), "[\"public\"]", "OP1: subject types");
    is_str(json_at(&answer, "scopes_supported"), "[\"openid\",\"profile\",\"email\",\"groups\"]", "OP1: scopes");
    is_str(json_at(&answer, "grant_types_supported"), "[\"authorization_code\",\"refresh_token\"]",
           "OP1: grants are told, since absent ones mean implicit");
    is_str(json_at(&answer, "request_parameter_supported"), "false", "OP2: no request objects");
    is_str(json_at(&answer, "request_uri_parameter_supported"), "false", "OP2: no request_uri, whose default is true");
    is_str(json_at(&answer, "claims_parameter_supported"), "false", "OP2: no claims parameter");
    is_str(json_at(&answer, "authorization_response_iss_parameter_supported"), "true", "OP2: iss in answers");
    is_str(json_at(&answer, "code_challenge_methods_supported"), "[\"S256\"]", "OP2: PKCE, by S256 alone");
    is_str(json_at(&answer, "token_endpoint_auth_methods_supported"),
           "[\"client_secret_basic\",\"client_secret_post\",\"none\"]", "OP2: how clients show who they are");
    jwks = get("/.well-known/jwks.json", NULL);
    is_int(size_at(&jwks, "keys"), 2, "OP3: two keys");
    ok(strcmp(door_text(&jwks, "keys.0.kid"), door_text(&jwks, "keys.1.kid")) != 0, "OP3: each with its own kid");
    is_str(text("%s %s %s %s", door_text(&jwks, "keys.0.alg"), door_text(&jwks, "keys.0.use"),
                door_text(&jwks, "keys.1.alg"), door_text(&jwks, "keys.1.use")),
           "ES256 sig RS256 sig", "OP3: for signatures, with their algorithm");
    ok(!strstr(jwks.text, "\"d\":") && !strstr(jwks.text, "\"p\":"), "OP3: nothing of the private halves");
}

/* ---- OP4 --------------------------------------------------------------------------------------------------------- */

static void test_request(void)
{
    static const struct {
        const char *query, *outcome, *words;
    } cases[] = {
        {"&unknown=1&display=page&ui_locales=de&claims_locales=de&acr_values=1", "code",
         "unknown parameters are ignored"},
        {"&request=x", "request_not_supported", "a request object"},
        {"&request_uri=https://a.example/", "request_uri_not_supported", "request_uri"},
        {"&response_mode=fragment", "invalid_request", "another response_mode"},
        {"&prompt=none%20login", "invalid_request", "prompt=none beside others"},
        {"&max_age=x", "invalid_request", "max_age that is no number"},
        {"&id_token_hint=x", "invalid_request", "an id_token_hint that is none"},
    };
    oidc_client_t client = oidc_client("");
    const char *redirect = identity_query_escape(door->pool, CALLBACK), *location;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = oidc_visit(ada, oidc_query(&client, cases[i].query));
        location = oidc_location(answer);
        is_str(oidc_outcome(answer), cases[i].outcome, "OP4: %s", cases[i].words);
        is_str(oidc_value(location, "state"), "s t", "OP4: ... with state");
        is_str(oidc_value(location, "iss"), door->settings.public_url, "OP12: ... and iss");
        is_str(header(&answer, "Referrer-Policy"), "no-referrer", "OP13: ... and no referrer");
    }
    is_str(oidc_outcome(oidc_visit(ada, text("client_id=%s&redirect_uri=%s&scope=openid", client.id, redirect))),
           "invalid_request", "OP4: no response_type");
    is_str(oidc_outcome(oidc_visit(
               ada, text("client_id=%s&redirect_uri=%s&scope=openid&response_type=token", client.id, redirect))),
           "unsupported_response_type", "OP4: another response_type");
    is_str(oidc_outcome(oidc_visit(
               ada, text("client_id=%s&redirect_uri=%s&scope=email&response_type=code", client.id, redirect))),
           "invalid_scope", "OP4: no openid");
    static const char *const lost[] = {"", "client_id=clnt_0000000000000000zzzz&redirect_uri=https%3A%2F%2Fa.example",
                                       "client_id=x&redirect_uri=https%3A%2F%2Fa.example"};
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        door_answer_t answer = oidc_visit(ada, lost[i]);
        ok(answer.status == 400 && !header(&answer, "Location") && strstr(answer.content_type, "text/html"),
           "OP4: an unknown client is told on a page: %s", lost[i]);
    }
    door_answer_t answer =
        oidc_visit(ada, text("client_id=%s&redirect_uri=https%%3A%%2F%%2Fevil.example%%2F%%3C", client.id));
    ok(answer.status == 400 && !header(&answer, "Location"), "OP4: another redirect URI is told on a page");
    ok(strstr(answer.text, "https://evil.example/&lt;") != NULL, "OP4: ... which names it, escaped");
    ok(strstr(header(&answer, "Content-Security-Policy"), "frame-ancestors 'none'") != NULL, "OP13: ... in no frame");
    answer = form(AUTHORIZE, oidc_query(&client, ""));
    ok(answer.status == 303 &&
           strncmp(header(&answer, "Location"), AUTHORIZE "?client_id=", strlen(AUTHORIZE "?client_id=")) == 0,
       "OP4: POST goes on by GET, since the cookie does not come with a form of another site");
    accepted(patch(text("/v1/clients/%s", client.id), door->key, "{\"status\":\"DISABLED\"}"), 200, "(disabled)");
    is_int(oidc_visit(ada, oidc_query(&client, "")).status, 400, "OP4: nor a client that is disabled");
}

/* ---- OP5 --------------------------------------------------------------------------------------------------------- */

/* The way by the sign-in page: what authorize says when the browser comes back with this cookie. */
static door_answer_t come_back(const char *sent, const char *cookie)
{
    const char *back = oidc_value(sent, "return");

    if (!back)
        bail(sent);
    return oidc_visit(cookie, strchr(back, '?') + 1);
}

static void test_prompt(void)
{
    oidc_client_t client = oidc_client("");
    const char *sent, *again, *first, *token;

    is_str(oidc_outcome(oidc_visit(NULL, oidc_query(&client, "&prompt=none"))), "login_required",
           "OP5: prompt=none, and nobody is there");
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&client, "&prompt=none"))), "code", "OP5: ... somebody is");
    is_str(oidc_outcome(oidc_visit(NULL, oidc_query(&client, "&login_hint=ada"))), "sign in", "OP5: sign in first");
    sent = oidc_location(oidc_visit(NULL, oidc_query(&client, "&login_hint=ada%40example.org")));
    is_str(oidc_value(sent, "login_hint"), "ada@example.org", "OP5: login_hint goes to the page");
    door_answer_t page = get(text("/v1/oauth/sign-in?login_hint=ada%%40example.org"), NULL);
    ok(strstr(page.text, "value=\"ada@example.org\"") != NULL, "OP5: ... which knows the name");
    is_str(oidc_outcome(come_back(sent, NULL)), "sign in", "OP5: coming back without signing in");
    pass(5);
    is_str(oidc_outcome(come_back(sent, oidc_cookie("ada@example.org"))), "code", "OP5: signed in, and on");
    first = door_text(&(door_answer_t){.json = oidc_tokens(&client, oidc_code(&client, ada, "")).json}, "id_token");
    pass(100);
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&client, "&max_age=1000"))), "code", "OP5: young enough");
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&client, "&max_age=1"))), "sign in", "OP5: max_age=1 asks again");
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&client, "&max_age=0"))), "sign in", "OP5: max_age=0 asks again");
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&client, "&max_age=1&prompt=none"))), "login_required",
           "OP5: ... but not silently");
    sent = oidc_location(oidc_visit(ada, oidc_query(&client, "&prompt=login")));
    is_str(oidc_outcome(come_back(sent, ada)), "sign in", "OP5: prompt=login asks again although signed in");
    pass(5);
    again = oidc_cookie("ada@example.org");
    door_answer_t answer = come_back(sent, again);
    is_str(oidc_outcome(answer), "code", "OP5: ... once");
    answer = oidc_tokens(&client, oidc_value(oidc_location(answer), "code"));
    token = door_text(&answer, "id_token");
    ok(json_integer_value(json_object_get(oidc_part(token, 1), "auth_time")) >
           json_integer_value(json_object_get(oidc_part(first, 1), "auth_time")),
       "OP5: auth_time is later");
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&client, "&prompt=none"))), "code",
           "OP5: signing in again does not end the session before");
    const char *forged = apr_pstrcat(door->pool, strchr(oidc_value(sent, "return"), '?') + 1, NULL);
    char *other = strstr(apr_pstrdup(door->pool, forged), "nonce=n1");
    other[7] = '2';
    is_str(oidc_outcome(oidc_visit(again, other - (strstr(forged, "nonce=n1") - forged))), "sign in",
           "OP5: what was signed in for is this request alone");
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&client, text("&prompt=none&id_token_hint=%s", token)))), "code",
           "OP5: id_token_hint of the same person");
    const char *bob = oidc_cookie("bob@example.org");
    is_str(oidc_outcome(oidc_visit(bob, oidc_query(&client, text("&prompt=none&id_token_hint=%s", token)))),
           "login_required", "OP5: ... of another one");
    sent = oidc_location(oidc_visit(bob, oidc_query(&client, text("&id_token_hint=%s", token))));
    pass(5);
    is_str(oidc_outcome(come_back(sent, oidc_cookie("bob@example.org"))), "login_required",
           "OP5: ... leads in no circle");
}

/* ---- OP6, OP7 ---------------------------------------------------------------------------------------------------- */

static void test_code(void)
{
    oidc_client_t client = oidc_client(""), other = oidc_client("");
    const char *code = oidc_code(&client, ada, ""), *access, *refresh;
    door_answer_t answer;

    ok(strlen(code) >= 43 && strcmp(code, oidc_code(&client, ada, "")) != 0, "OP6: a code of 256 bits");
    is_str(rows(text("SELECT COUNT(*) FROM client_grants WHERE digest = '%s'", code)), "0",
           "OP6: of which a digest is kept");
    is_str(oauth_outcome(oidc_tokens(&other, code)), "400 invalid_grant", "OP6: another client's");
    is_str(
        oauth_outcome(form(TOKEN, text("grant_type=authorization_code&code=%s&redirect_uri=https%%3A%%2F%%2Fa.example"
                                       "&client_id=%s&client_secret=%s&code_verifier=" VERIFIER,
                                       code, client.id, client.secret))),
        "400 invalid_grant", "OP6: another redirect URI");
    is_str(oauth_outcome(oidc_exchange(&client, code, "")), "400 invalid_grant", "OP7: no verifier");
    is_str(oauth_outcome(oidc_exchange(&client, code, "&code_verifier=" CHALLENGE)), "400 invalid_grant",
           "OP7: another verifier");
    answer = oidc_tokens(&client, code);
    is_str(oauth_outcome(answer), "200", "OP6: the code");
    access = door_text(&answer, "access_token"), refresh = door_text(&answer, "refresh_token");
    is_int(oidc_userinfo(access).status, 200, "OP6: its token is good");
    is_str(oauth_outcome(oidc_tokens(&client, code)), "400 invalid_grant", "OP6: not twice");
    is_int(oidc_userinfo(access).status, 401, "OP6: ... and what the first use gave has ended");
    is_str(oauth_outcome(oidc_refresh(&client, refresh)), "400 invalid_grant", "OP6: ... the refresh token, too");
    code = oidc_code(&client, ada, "");
    is_str(oauth_outcome(oidc_tokens(&client, code)), "200", "OP6: another code");
    pass(30);
    is_str(oauth_outcome(oidc_tokens(&client, code)), "400 invalid_grant", "OP6: nor twice after 30 seconds");
    code = oidc_code(&client, ada, "");
    pass(61);
    is_str(oauth_outcome(oidc_tokens(&client, code)), "400 invalid_grant", "OP6: a code lives a minute");
}

static void test_pkce(void)
{
    oidc_client_t client = oidc_client(""), lax = oidc_client(",\"require_pkce\":false");

    is_str(oidc_outcome(oidc_visit(ada, text(BARE, client.id, ""))), "invalid_request", "OP7: PKCE is demanded");
    is_str(oidc_outcome(
               oidc_visit(ada, text(BARE, client.id, "&code_challenge=" CHALLENGE "&code_challenge_method=plain"))),
           "invalid_request", "OP7: not plain");
    is_str(oidc_outcome(oidc_visit(ada, text(BARE, client.id, "&code_challenge=" CHALLENGE))), "invalid_request",
           "OP7: nor no method, which means plain");
    is_str(oidc_outcome(oidc_visit(ada, text(BARE, client.id, "&code_challenge=short&code_challenge_method=S256"))),
           "invalid_request", "OP7: a challenge that is none");
    door_answer_t answer = oidc_visit(ada, text(BARE, lax.id, ""));
    const char *code = oidc_value(oidc_location(answer), "code");
    is_str(oauth_outcome(oidc_exchange(&lax, code, "&code_verifier=" VERIFIER)), "400 invalid_grant",
           "OP7: a verifier without a challenge is a downgrade");
    is_str(oauth_outcome(oidc_exchange(&lax, code, "")), "200", "OP7: a client may do without PKCE");
    code = oidc_code(&lax, ada, "");
    is_str(oauth_outcome(oidc_exchange(&lax, code, "")), "400 invalid_grant",
           "OP7: but a challenge that was sent counts");
}

/* ---- OP8, OP9 ---------------------------------------------------------------------------------------------------- */

static void test_id_token(void)
{
    oidc_client_t client = oidc_client(""), es = oidc_client(",\"id_token_signed_response_alg\":\"ES256\","
                                                             "\"claims_in_id_token\":true");
    door_answer_t answer = oidc_tokens(&client, oidc_code(&client, ada, "")),
                  jwks = get("/.well-known/jwks.json", NULL);
    const char *token = door_text(&answer, "id_token"), *access = door_text(&answer, "access_token");

    is_str(members_at(&answer, ""), "access_token,token_type,expires_in,refresh_token,id_token,scope",
           "OP8: the answer");
    is_str(door_text(&answer, "token_type"), "Bearer", "OP8: Bearer is spelled so");
    is_str(door_members(door, oidc_part(token, 0)), "alg,typ,kid", "OP8: its header");
    is_str(oidc_claim(token, 0, "alg"), "[\"RS256\"]", "OP8: RS256 by default");
    is_str(oidc_claim(token, 0, "kid"), text("[\"%s\"]", door_text(&jwks, "keys.1.kid")), "OP3: the key by its kid");
    is_str(door_members(door, oidc_part(token, 1)), "iss,sub,aud,azp,exp,iat,auth_time,nonce,sid,amr,at_hash",
           "OP8: no name and no address");
    is_str(oidc_claim(token, 1, "iss"), text("[\"%s\"]", door->settings.public_url), "OP8: iss");
    is_str(oidc_claim(token, 1, "sub"), text("[\"%s\"]", ada_id), "OP8: sub is the user's id");
    is_str(oidc_claim(token, 1, "aud"), text("[\"%s\"]", client.id), "OP8: aud");
    is_str(oidc_claim(token, 1, "nonce"), "[\"n1\"]", "OP8: nonce");
    is_str(oidc_claim(token, 1, "amr"), "[[\"pwd\"]]", "OP8: amr");
    is_str(oidc_claim(token, 1, "at_hash"), text("[\"%s\"]", identity_openid_at_hash(door->pool, access)),
           "OP8: at_hash");
    ok(identity_openid_hint(door->pool, door->env.keys, door->settings.openid_key, token, door->settings.public_url) !=
           NULL,
       "OP8: the signature is right");
    char *bad = apr_pstrdup(door->pool, token);
    bad[strlen(bad) - 5] = bad[strlen(bad) - 5] == 'A' ? 'B' : 'A';
    ok(!identity_openid_hint(door->pool, door->env.keys, door->settings.openid_key, bad, door->settings.public_url),
       "OP8: ... and another one is not");
    answer = oidc_tokens(&es, oidc_code(&es, ada, ""));
    token = door_text(&answer, "id_token");
    is_str(oidc_claim(token, 0, "alg"), "[\"ES256\"]", "OP8: ES256 by choice");
    is_str(oidc_claim(token, 1, "email"), "[\"ada@example.org\"]", "OP8: claims in the ID token by choice");
    ok(identity_openid_hint(door->pool, door->env.keys, door->settings.openid_key, token, door->settings.public_url) !=
           NULL,
       "OP8: that signature is right, too");
}

static void test_userinfo(void)
{
    oidc_client_t client = oidc_client("");
    door_answer_t answer = oidc_tokens(&client, oidc_code(&client, ada, ""));
    const char *token = door_text(&answer, "access_token");

    answer = oidc_userinfo(token);
    accepted(answer, 200, "OP9: GET");
    is_str(members_at(&answer, ""), "sub,preferred_username,updated_at,email,email_verified,groups", "OP9: by scope");
    is_str(door_text(&answer, "sub"), ada_id, "OP9: sub");
    is_str(json_at(&answer, "email_verified"), "true", "OP9: email_verified is a boolean");
    is_str(json_at(&answer, "groups"), "[\"quote-viewer\"]", "OP9: groups are slugs");
    identity_headers_t headers = with_authorization(text("Bearer %s", token));
    is_int(call_with("POST", USERINFO, headers, true, false, NULL).status, 200, "OP9: POST with the header");
    is_int(form(USERINFO, text("access_token=%s", token)).status, 200, "OP9: POST with the body");
    is_int(form_with(USERINFO, headers, text("access_token=%s", token)).status, 400, "OP9: not both");
    answer = oidc_userinfo("x");
    is_int(answer.status, 401, "OP9: no token of ours");
    ok(strstr(header(&answer, "WWW-Authenticate"), "Bearer ") &&
           strstr(header(&answer, "WWW-Authenticate"), "error=\"invalid_token\""),
       "OP9: ... with a challenge");
    is_int(get(USERINFO, NULL).status, 401, "OP9: none at all");
    is_int(oidc_userinfo(login("ada@example.org") + strlen("Bearer ")).status, 401, "OP9: nor a session's own token");
    answer = oidc_tokens(
        &client,
        oidc_value(
            oidc_location(oidc_visit(
                ada,
                text(
                    "client_id=%s&redirect_uri=https%%3A%%2F%%2Fapp.example.org%%2Fcb&response_type=code&scope=openid&code_challenge=" CHALLENGE
                    "&code_challenge_method=S256",
                    client.id))),
            "code"));
    answer = oidc_userinfo(door_text(&answer, "access_token"));
    is_str(members_at(&answer, ""), "sub", "OP9: openid alone says no more");
}

/* ---- OP10 -------------------------------------------------------------------------------------------------------- */

static void test_clients(void)
{
    oidc_client_t client = oidc_client(""), spa = oidc_client(",\"type\":\"PUBLIC\"");
    const char *code = oidc_code(&client, ada, "");

    is_str(oauth_outcome(form_with(TOKEN, basic(client.id, "ido_wrong"), text(CODE, code, ""))), "401 invalid_client",
           "OP10: another secret");
    is_str(oauth_outcome(form(TOKEN, text(CODE, code, text("&client_id=%s", client.id)))), "401 invalid_client",
           "OP10: no secret");
    is_str(oauth_outcome(form_with(TOKEN, basic(client.id, client.secret),
                                   text(CODE, code, text("&client_secret=%s", client.secret)))),
           "400 invalid_request", "OP10: two ways at once");
    const char *encoded = text("%%%02X%s", client.secret[0], client.secret + 1);
    door_answer_t answer = form_with(TOKEN, basic(client.id, encoded), text(CODE, code, ""));
    is_str(oauth_outcome(answer), "200", "OP10: Basic, form-encoded");
    is_str(header(&answer, "Cache-Control"), "no-store", "OP10: no-store");
    answer = post(text("/v1/clients/%s/rotate-secret", client.id), door->key,
                  "{\"previous_expires_at\":\"2999-01-01T00:00:00Z\"}");
    is_int(answer.status, 400, "(too long an overlap)");
    answer = post(text("/v1/clients/%s/rotate-secret", client.id), door->key, NULL);
    oidc_client_t renewed = {client.id, door_text(&answer, "client_secret")};
    is_str(oauth_outcome(oidc_tokens(&client, oidc_code(&client, ada, ""))), "200",
           "OP10: the secret before a rotation");
    is_str(oauth_outcome(oidc_tokens(&renewed, oidc_code(&client, ada, ""))), "200", "OP10: ... and the one after");
    pass(24 * 3600 + 1);
    const char *fresh = oidc_cookie("ada@example.org");
    is_str(oauth_outcome(oidc_tokens(&client, oidc_code(&client, fresh, ""))), "401 invalid_client",
           "OP10: ... until its time is up");
    is_str(oauth_outcome(oidc_tokens(&spa, oidc_code(&spa, fresh, ""))), "200", "OP10: a PUBLIC client has none");
    spa.secret = client.secret;
    is_str(oauth_outcome(oidc_exchange(&spa, "x", "")), "401 invalid_client", "OP10: and shows none");
    is_str(oauth_outcome(
               form(TOKEN, text("grant_type=password&client_id=%s&client_secret=%s", renewed.id, renewed.secret))),
           "400 unsupported_grant_type", "OP10: no other grant");
    ada = fresh;
}

/* ---- OP11 -------------------------------------------------------------------------------------------------------- */

static void test_refresh(void)
{
    oidc_client_t client = oidc_client(""), other = oidc_client(""), spa = oidc_client(",\"type\":\"PUBLIC\"");
    door_answer_t answer = oidc_tokens(&client, oidc_code(&client, ada, ""));
    const char *token = door_text(&answer, "refresh_token"), *first = door_text(&answer, "id_token"), *next;

    is_int((long)strspn(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."),
           (long)strlen(token), "OP11: characters of VSCHAR");
    is_str(oauth_outcome(oidc_refresh(&other, token)), "400 invalid_grant", "OP11: another client's");
    pass(100);
    answer = oidc_refresh(&client, token);
    is_str(oauth_outcome(answer), "200", "OP11: exchanged");
    is_str(oidc_claim(door_text(&answer, "id_token"), 1, "auth_time"), oidc_claim(first, 1, "auth_time"),
           "OP11: with the first auth_time");
    is_int(oidc_userinfo(door_text(&answer, "access_token")).status, 200, "OP11: and a good access token");
    is_str(
        oauth_outcome(form(TOKEN, text("grant_type=refresh_token&refresh_token=%s&client_id=%s&client_secret=%s&scope="
                                       "openid%%20admin",
                                       token, client.id, client.secret))),
        "400 invalid_scope", "OP11: no wider scope");
    is_str(oauth_outcome(token_form(text("grant_type=refresh_token&refresh_token=%s", token))), "400 invalid_grant",
           "OP11: it is none of a session");
    is_str(oauth_outcome(token_form(text("grant_type=refresh_token&refresh_token=%s", strchr(token, '.') + 1))),
           "400 invalid_grant", "OP11: nor is any part of it");
    answer = oidc_tokens(&spa, oidc_code(&spa, ada, ""));
    token = door_text(&answer, "refresh_token");
    answer = oidc_refresh(&spa, token);
    next = door_text(&answer, "refresh_token");
    ok(next && strcmp(next, token) != 0, "OP11: a PUBLIC client's rotates");
    answer = oidc_refresh(&spa, token);
    is_str(door_text(&answer, "refresh_token"), next, "OP11: an answer that was lost comes again");
    pass(11);
    is_str(oauth_outcome(oidc_refresh(&spa, token)), "400 invalid_grant", "OP11: later it is theft");
    is_str(oauth_outcome(oidc_refresh(&spa, next)), "400 invalid_grant", "OP11: ... and ends the grant");
    answer = oidc_tokens(&spa, oidc_code(&spa, ada, ""));
    token = door_text(&answer, "refresh_token");
    answer = oidc_refresh(&spa, token);
    answer = oidc_refresh(&spa, door_text(&answer, "refresh_token"));
    is_str(oauth_outcome(oidc_refresh(&spa, token)), "400 invalid_grant", "OP11: one from two exchanges ago");
    is_str(oauth_outcome(oidc_refresh(&spa, door_text(&answer, "refresh_token"))), "400 invalid_grant",
           "OP11: ... ends it, too");
    oidc_client_t none = oidc_client(",\"grant_types\":[\"authorization_code\"]");
    answer = oidc_tokens(&none, oidc_code(&none, ada, ""));
    ok(answer.status == 200 && !door_text(&answer, "refresh_token"), "OP11: none for a client without that grant");
    is_str(oauth_outcome(oidc_refresh(&none, token)), "400 unauthorized_client", "OP11: which may not exchange any");
}

/* ---- who may use which client ----------------------------------------------------------------------------------- */

static void test_require(void)
{
    oidc_client_t viewers = oidc_client(",\"require\":{\"role\":\"quote-viewer\"}"),
                  nobody = oidc_client(",\"require\":{\"permission\":\"WIKI.USE\"}");
    door_answer_t answer = oidc_tokens(&viewers, oidc_code(&viewers, ada, ""));
    const char *token = door_text(&answer, "refresh_token"), *access = door_text(&answer, "access_token");

    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&nobody, ""))), "access_denied",
           "who lacks the permission stays out");
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&nobody, "&prompt=none"))), "access_denied",
           "OP12: ... silently, too");
    is_str(oauth_outcome(oidc_refresh(&viewers, token)), "200", "who has the role is in");
    change(text("DELETE FROM membership_roles WHERE membership_id IN (SELECT id FROM memberships WHERE user_id = '%s')",
                ada_id));
    is_str(oauth_outcome(oidc_refresh(&viewers, token)), "400 invalid_grant",
           "... until it is taken: asked at refresh");
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&viewers, ""))), "access_denied", "... and at authorize");
    oidc_client_t client = oidc_client("");
    answer = oidc_tokens(&client, oidc_code(&client, ada, ""));
    token = door_text(&answer, "refresh_token"), access = door_text(&answer, "access_token");
    accepted(door_call(door, "DELETE", text("/v1/users/%s/sessions", ada_id), door->key, NULL), 200, "(sessions end)");
    is_int(oidc_userinfo(access).status, 401, "with the session its tokens end");
    is_str(oauth_outcome(oidc_refresh(&client, token)), "400 invalid_grant", "... refresh tokens, too");
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&client, "&prompt=none"))), "login_required", "... and the cookie");
    ada = oidc_cookie("ada@example.org");
    change(text("UPDATE clients SET entity_id = '%s' WHERE id = '%s'", door->other_entity_id, client.id));
    is_str(oidc_outcome(oidc_visit(ada, oidc_query(&client, ""))), "access_denied", "a client of another entity");
}

/* ---- a client's token opens nothing else ------------------------------------------------------------------------ */

static void test_nothing_else(void)
{
    oidc_client_t client = oidc_client("");
    door_answer_t answer = oidc_tokens(&client, oidc_code(&client, ada, ""));
    const char *bearer = text("Bearer %s", door_text(&answer, "access_token"));
    int asked = 0;

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        char *path = apr_pstrdup(door->pool, route->pattern);
        if (route->credential != IDENTITY_CREDENTIAL_REQUIRED)
            continue;
        for (char *at = path; *at; at++)
            if (*at == '{' || *at == '}')
                *at = 'x';
        answer = door_call(door, route->method, path, bearer, route->body ? "{}" : NULL);
        is_int(answer.status, 401, "fact 2: a client's token does not open %s %s", route->method, route->pattern);
        asked++;
    }
    ok(asked > 50, "fact 2: %d operations", asked);
    identity_accepts_t accepts = {.cookie = true, .basic_keys = true};
    identity_request_t in = {.method = "GET", .path = "/protected", .headers.authorization = bearer, .secure = true};
    identity_authentication_t found;
    in.request_id = identity_request_id(door->pool, &door->env);
    identity_identify(door->pool, &door->env, &in, &accepts, &found);
    ok(!found.principal && found.refused, "fact 2: nor a protected location");
}

int main(void)
{
    oidc_begin();
    ada_id = person_with("ada@example.org", "USER", named("Quote Viewer"));
    person_with("bob@example.org", "USER", "");
    ada = oidc_cookie("ada@example.org");
    test_off();
    test_discovery();
    test_request();
    test_prompt();
    test_code();
    test_pkce();
    test_id_token();
    test_userinfo();
    test_clients();
    test_refresh();
    test_nothing_else();
    test_require();
    return serve_end();
}

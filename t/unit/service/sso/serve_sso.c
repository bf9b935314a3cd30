/* SPDX-License-Identifier: Apache-2.0 */
/* Signing on at an OpenID provider, through the door: authorize, callback, and what an attacker may do between
 * (security 67 to 72). The provider is a server of the test (support/provider.c), its tokens are signed by OpenSSL
 * (support/signer.c). */
#include "serve_sso.h"

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void test_whole(void)
{
    const char *id = person_with("ada@example.org", "ADMIN", "");
    const char *before = state();
    fresh();
    flow_t flow = begin();
    door_answer_t answer = authorize("work", HERE);
    const char *cookie = header(&answer, "Set-Cookie");

    is_str(state(), before, "the start changes nothing # security 22");
    is_str(parameter(flow.url, "response_type"), "code", "it asks for a code");
    is_str(parameter(flow.url, "scope"), "openid email", "of this scope");
    is_str(parameter(flow.url, "client_id"), CLIENT, "for the client");
    is_str(parameter(flow.url, "redirect_uri"), HERE, "back to the page");
    is_str(parameter(flow.url, "code_challenge_method"), "S256", "by PKCE # security 67");
    ok(strlen(flow.state) <= 256 && strlen(flow.nonce) == 43 && strlen(flow.challenge) == 43,
       "state, nonce, challenge");
    ok(strcmp(parameter(header(&answer, "Location"), "state"), flow.state) &&
           strcmp(parameter(header(&answer, "Location"), "nonce"), flow.nonce) &&
           strcmp(parameter(header(&answer, "Location"), "code_challenge"), flow.challenge),
       "which are other ones each time # security 67");
    ok(strncmp(cookie, "identity_sso=ids_", 17) == 0 &&
           strcmp(strchr(cookie, ';'), "; Path=/v1/oauth; Max-Age=600; HttpOnly; Secure; SameSite=Strict") == 0,
       "bound to the browser by a cookie for ten minutes: %s # security 67", cookie);
    ok(!strstr(flow.url, flow.cookie + 13), "which is not told to the provider");
    is_str(header(&answer, "Referrer-Policy"), "no-referrer", "and nobody is told where it came from");
    is_str(header(&answer, "Cache-Control"), "no-store", "nor is it kept");

    vouch(&flow, "subject-ada", "Ada@Example.ORG", NULL);
    answer = finish(&flow);
    accepted(answer, 200, "it ends well");
    is_str(members_at(&answer, ""), "issued_at,access_token,expires_in,expires_at,token_type,scope,id_token",
           "with a Token");
    const char *cookies = headers_of(&answer);
    ok(strstr(cookies, "Set-Cookie: identity_sso=; Path=/v1/oauth; Max-Age=0"), "the cookie is taken back");
    ok(strstr(cookies, "Set-Cookie: identity_refresh=idr_"), "the refresh cookie is set");
    door_answer_t own = get(text("/v1/users/%s", id), text("Bearer %s", door_text(&answer, "access_token")));
    accepted(own, 200, "and the token is Ada's");
    is_str(rows("SELECT method FROM sessions"), "sso", "the session says how");
    is_str(rows("SELECT issuer, subject, user_id FROM provider_links"), text("%s|subject-ada|%s", provider->issuer, id),
           "she is linked by issuer and subject # security 69");
    is_str(rows("SELECT action, user_id FROM audit_records WHERE action IN ('LINK', 'LOGIN') ORDER BY action"),
           text("LINK|%s LOGIN|%s", id, id), "both are in the trail");

    const char *request = provider->request[PROVIDER_TOKEN], *form = strstr(request, "\r\n\r\n") + 4;
    const char *verifier = parameter(text("?%s", form), "code_verifier");
    is_str(identity_sha256_base64url(door->pool, verifier), flow.challenge, "the verifier was the challenge's");
    is_str(parameter(text("?%s", form), "code"), "the-code", "the code was given");
    is_str(parameter(text("?%s", form), "redirect_uri"), HERE, "with the page");
    ok(strstr(request, "\r\nAuthorization: Basic Y2xpZW50LTE6czNjcmV0JTJGJTJCJTI2JTNE\r\n") && !strstr(form, "s3cret"),
       "and the secret, as RFC 6749 spells it");
    is_int(provider->asked[PROVIDER_ADDRESS], 0, "nothing else was asked");
}

static void test_secret_in_form(void)
{
    fresh();
    provider->answers[PROVIDER_DISCOVERY].body = provider_discovery(
        door->pool, provider, "{\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]}");
    door_answer_t answer = sign_on("subject-ada", "ada@example.org", NULL);
    accepted(answer, 200, "a provider that wants the secret in the form");
    const char *form = strstr(provider->request[PROVIDER_TOKEN], "\r\n\r\n") + 4;
    is_str(parameter(text("?%s", form), "client_secret"), "s3cret/+&=", "... has it there");
    ok(!strstr(provider->request[PROVIDER_TOKEN], "Authorization:"), "... and there alone");
}

/* Security 71: what looks like a configured address, or is read as one by somebody. */
static const char *const tricks[] = {
    "https://app.example.org/sso/",
    "https://app.example.org/sso?",
    "https://app.example.org/sso#",
    "https://app.example.org/SSO",
    "https://APP.example.org/sso",
    "HTTPS://app.example.org/sso",
    "http://app.example.org/sso",
    "https://app.example.org:443/sso",
    "https://app.example.org./sso",
    "https://app.example.org/./sso",
    "https://app.example.org/x/../sso",
    "https://app.example.org/sso/..",
    "https://app.example.org/%73so",
    "https://app.example.org//sso",
    "https://app.example.org\\sso",
    "https:/app.example.org/sso",
    "https:app.example.org/sso",
    "//app.example.org/sso",
    "///app.example.org/sso",
    "/sso",
    "sso",
    "https://evil.example.org/sso",
    "https://app.example.org.evil.org/sso",
    "https://evil.org/https://app.example.org/sso",
    "https://evil.org#https://app.example.org/sso",
    "https://evil.org?https://app.example.org/sso",
    "https://evil.org\\@app.example.org/sso",
    "https://app.example.org@evil.org/sso",
    "https://app.example.org:x@evil.org/sso",
    "https://app.example.org%2f@evil.org/sso",
    "https://app.example.org%00.evil.org/sso",
    ("https://app.example.org\xe3\x80\x82"
     "evil.org/sso"),
    " https://app.example.org/sso",
    "https://app.example.org/sso ",
    "https://app.example.org/sso\t",
    "https://app.example.org/sso\r\nSet-Cookie: a=b",
    "https://app.example.org/sso https://evil.org",
    "https://app.example.org/sso,https://evil.org",
    "javascript:alert(1)",
    "data:text/html,x",
    "http://localhost:3000/sso",
    "http://localhost:3000/sso?from=provider&x=1",
    "http://127.0.0.1:3000/sso?from=provider",
    "*",
};

static void test_redirects(void)
{
    fresh();
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        door_answer_t answer = authorize("work", tricks[i]);
        refused(answer, 400, "INVALID_FIELD", "redirect_uri", "authorize refuses trick %d # security 71", (int)i);
        ok(!header(&answer, "Location") && !header(&answer, "Set-Cookie"), "... and sends nobody anywhere");
        json_t *body = identity_json_own(
            door->pool, json_pack("{s:s, s:s, s:s}", "code", "c", "redirect_uri", tricks[i], "state", "s"));
        refused(post("/v1/oauth/callback", NULL, identity_json_text(door->pool, body, NULL)), 400, "INVALID_FIELD",
                "redirect_uri", "callback too");
    }
    refused(get("/v1/oauth/authorize?provider=work", NULL), 400, "MISSING_FIELD", "redirect_uri", "none at all");
    refused(get("/v1/oauth/authorize?provider=work&redirect_uri=", NULL), 400, "MISSING_FIELD", "redirect_uri",
            "empty");
    refused(get("/v1/oauth/authorize?redirect_uri=" HERE, NULL), 400, "MISSING_FIELD", "provider", "no provider");
    refused(authorize("nobody", HERE), 400, "INVALID_FIELD", "provider", "an unknown provider");
    refused(authorize("auth_00000000000000000000", HERE), 400, "INVALID_FIELD", "provider", "an unknown id");
    refused(authorize("Work", HERE), 400, "INVALID_FIELD", "provider", "a name in other letters");
    is_int(provider->asked[PROVIDER_DISCOVERY], 0, "nobody was called for any of it");
    door->refuse_borrow = true;
    is_int(authorize("work", HERE).status, 302, "a provider of the configuration needs no database");
    refused(authorize("auth_00000000000000000000", HERE), 503, "INTERNAL_ERROR", "", "a row does # security 86");
    door->refuse_borrow = false;
    door_answer_t answer = authorize(first.id, SECOND);
    is_int(answer.status, 302, "by its id, and to the second address");
    is_str(parameter(header(&answer, "Location"), "redirect_uri"), SECOND, "... which is told to the letter");
}

static void test_bodies(void)
{
    static const char *const names[] = {"code", "redirect_uri", "state"};
    char *at_most = memset(apr_pcalloc(door->pool, 258), 'x', 256);

    for (int i = 0; i < 3; i++) {
        json_t *body = identity_json_own(door->pool,
                                         json_pack("{s:s, s:s, s:s}", "code", "c", "redirect_uri", HERE, "state", "s"));
        json_object_set_new(body, names[i], json_string(""));
        refused(post("/v1/oauth/callback", NULL, identity_json_text(door->pool, body, NULL)), 400, "INVALID_FIELD",
                names[i], "an empty %s", names[i]);
        json_object_set_new(body, names[i], json_string(text("%sx", at_most)));
        refused(post("/v1/oauth/callback", NULL, identity_json_text(door->pool, body, NULL)), 400, "INVALID_FIELD",
                names[i], "%s of 257 bytes", names[i]);
        json_object_del(body, names[i]);
        refused(post("/v1/oauth/callback", NULL, identity_json_text(door->pool, body, NULL)), 400, "MISSING_FIELD",
                names[i], "no %s", names[i]);
    }
    dead(post("/v1/oauth/callback", NULL,
              text("{\"code\":\"%s\",\"redirect_uri\":\"" HERE "\",\"state\":\"%s\"}", at_most, at_most)),
         "code and state of 256 bytes are read");
}

/* Security 67: bound to the browser, single use, ten minutes. */
static void test_state(void)
{
    fresh();
    flow_t flow = begin(), twin = begin();
    const char *before = state();
    vouch(&flow, "subject-ada", "ada@example.org", NULL);

    dead(come_back(NULL, flow.state, HERE, ""), "without the cookie # security 67");
    dead(come_back(twin.cookie, flow.state, HERE, ""), "with another browser's cookie # security 67");
    dead(come_back(flow.cookie, twin.state, HERE, ""), "with another browser's state # security 67");
    dead(come_back("identity_sso=x", flow.state, HERE, ""), "with a cookie that is none");
    dead(come_back(flow.cookie, flow.state, SECOND, ""), "from another page than it was begun for");
    dead(come_back(flow.cookie, text("%sx", flow.state), HERE, ""), "with a longer state");
    dead(come_back(flow.cookie, text("%.*s", (int)strlen(flow.state) - 1, flow.state), HERE, ""), "with a shorter one");
    /* Another end, another provider under the same MAC. */
    const char *dot = strchr(flow.state, '.');
    dead(come_back(flow.cookie, text("%.*s.9%s", (int)(dot - flow.state), flow.state, dot + 2), HERE, ""),
         "with a later end");
    dead(come_back(flow.cookie, text("%s%s", second.id, dot), HERE, ""), "for another provider # security 68");
    static const char *const states[] = {".", "..", "a.b.c", "a..b", "auth_x.1", "%00", "a.b", "'; --"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        dead(come_back(flow.cookie, states[i], HERE, ""), "with the state %s", states[i]);
    is_int(provider->asked[PROVIDER_TOKEN], 0, "the provider heard of none of it");
    is_str(state(), before, "nor did the database # security 67");

    accepted(finish(&flow), 200, "the right browser ends it after all");
    dead(finish(&flow), "and does so once # security 67");
    is_int(provider->asked[PROVIDER_TOKEN], 1, "... the provider was asked once");

    pass(598);
    vouch(&twin, "subject-ada", "ada@example.org", NULL);
    flow = begin();
    accepted(finish(&twin), 200, "up to ten minutes # security 67");
    pass(601);
    vouch(&flow, "subject-ada", "ada@example.org", NULL);
    dead(finish(&flow), "and not longer # security 67");
    fresh();
    accepted(sign_on("subject-ada", "ada@example.org", NULL), 200, "a new one works");
    is_int(count("SELECT COUNT(*) FROM sso_states"), 1, "what has expired is forgotten");
}

/* What the provider says is held against what it should say; the whole of it is in core_idtoken.c. */
static void test_tokens(void)
{
    static const struct {
        const char *changes, *what;
    } cases[] = {{"{\"iss\":\"https://evil.example.org\"}", "another issuer # security 68"},
                 {"{\"aud\":\"client-2\"}", "another audience # security 68"},
                 {"{\"nonce\":\"x\"}", "another nonce # security 67"},
                 {"{\"nonce\":null}", "no nonce # security 67"},
                 {"{\"exp\":1}", "long expired"},
                 {"{\"iat\":99999999999}", "from the future"},
                 {"{\"at_hash\":\"AAAA\"}", "another access token"},
                 {"{\"sub\":null}", "nobody"}};
    long long sessions, failed = audited("LOGIN_FAILED");

    fresh();
    sessions = count("SELECT COUNT(*) FROM sessions");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        disbelieved(sign_on("subject-ada", "ada@example.org", cases[i].changes), "an ID token with %s", cases[i].what);
    is_int(audited("LOGIN_FAILED"), failed + (long long)(sizeof cases / sizeof cases[0]), "each is in the trail");

    flow_t flow = begin();
    const char *good = id_token(provider, &flow, "subject-ada", "ada@example.org", NULL);
    const char *body = text("%.*s", (int)(strrchr(good, '.') - good), good);
    hand_out(provider, text("%s.", body));
    disbelieved(finish(&flow), "one without a signature");
    flow = begin();
    hand_out(provider, signer_token(door->pool, stranger, "{\"alg\":\"RS256\",\"kid\":\"k1\"}", "{}", NULL));
    disbelieved(finish(&flow), "one of another key");
    flow = begin();
    hand_out(provider, signer_token(door->pool, NULL, "{\"alg\":\"none\"}", "{}", NULL));
    disbelieved(finish(&flow), "alg none # security 48");
    flow = begin();
    hand_out(provider, signer_token(door->pool, NULL, "{\"alg\":\"HS256\",\"kid\":\"k1\"}", "{}",
                                    signer_set(door->pool, key, NULL)));
    disbelieved(finish(&flow), "HS256 with what is public # security 48");
    is_int(count("SELECT COUNT(*) FROM sessions"), sessions, "no session came of any of it");
}

/* Keys change; they are looked for again, but not at anybody's pleasure (security 72). */
static void test_keys(void)
{
    fresh();
    accepted(sign_on("subject-ada", "ada@example.org", NULL), 200, "by the keys as they are");
    accepted(sign_on("subject-ada", "ada@example.org", NULL), 200, "and again");
    is_int(provider->asked[PROVIDER_KEYS], 1, "which were fetched once");
    provider->answers[PROVIDER_KEYS].body = signer_set(door->pool, key, stranger, NULL);
    for (int i = 0; i < 3; i++) {
        flow_t flow = begin();
        hand_out(provider, signer_token(door->pool, stranger, "{\"alg\":\"RS256\",\"kid\":\"new\"}", "{}", NULL));
        disbelieved(finish(&flow), "a key that is not known is not looked for at once");
    }
    is_int(provider->asked[PROVIDER_KEYS], 1, "... the throttle holds # security 72");
    pass(31);
    signer_t *old = key;
    key = stranger;
    json_object_set_new(key->jwk, "kid", json_string("k1"));
    provider->answers[PROVIDER_KEYS].body = signer_set(door->pool, key, NULL);
    flow_t flow = begin();
    vouch(&flow, "subject-ada", "ada@example.org", NULL);
    disbelieved(finish(&flow), "a changed key under a known name is not taken");
    provider->answers[PROVIDER_KEYS].status = 500;
    flow = begin();
    hand_out(provider, signer_token(door->pool, old, "{\"alg\":\"RS256\",\"kid\":\"k7\"}", "{}", NULL));
    refused(finish(&flow), 503, "INTERNAL_ERROR", "", "an unknown key and no key set to be had: closed # security 72");
    json_object_set_new(stranger->jwk, "kid", json_string("new"));
    key = old;
    fresh();
    accepted(sign_on("subject-ada", "ada@example.org", NULL), 200, "with an old set and an old key");
    provider->answers[PROVIDER_KEYS] = (provider_answer_t){.body = signer_set(door->pool, key, stranger, NULL)};
    pass(31);
    flow = begin();
    const char *token = id_token(provider, &flow, "subject-ada", "ada@example.org", NULL);
    const char *claims = strchr(token, '.') + 1;
    size_t size;
    claims = text("%.*s", (int)strcspn(claims, "."), claims);
    claims = text("%s", (const char *)identity_base64url_decode(door->pool, claims, &size));
    claims = text("%.*s", (int)size, claims);
    hand_out(provider, signer_token(door->pool, stranger, "{\"alg\":\"RS256\",\"kid\":\"new\"}", claims, NULL));
    accepted(finish(&flow), 200, "a new key is found where it is time to look again");
    is_int(provider->asked[PROVIDER_KEYS], 2, "... by one more request");
}

/* One provider's answer for another's (security 68). */
static void test_mix_up(void)
{
    fresh();
    flow_t flow = begin();
    vouch(&flow, "subject-ada", "ada@example.org", NULL);
    disbelieved(come_back(flow.cookie, flow.state, HERE, text(",\"iss\":\"%s\"", other->issuer)),
                "an answer that says it is another issuer's # security 68");
    is_int(provider->asked[PROVIDER_TOKEN] + other->asked[PROVIDER_TOKEN], 0, "... the code is given to nobody");
    dead(finish(&flow), "... and that sign-on is over");
    flow = begin();
    vouch(&flow, "subject-ada", "ada@example.org", NULL);
    accepted(come_back(flow.cookie, flow.state, HERE, text(",\"iss\":\"%s\"", provider->issuer)), 200,
             "one that says it is this one's");
    fresh();
    provider->answers[PROVIDER_DISCOVERY].body =
        provider_discovery(door->pool, provider, "{\"authorization_response_iss_parameter_supported\":true}");
    flow = begin();
    vouch(&flow, "subject-ada", "ada@example.org", NULL);
    disbelieved(finish(&flow), "one without a name, of a provider that always says it (RFC 9207) # security 68");
    is_int(provider->asked[PROVIDER_TOKEN], 0, "... the code is not given away");
    flow = begin();
    vouch(&flow, "subject-ada", "ada@example.org", NULL);
    accepted(come_back(flow.cookie, flow.state, HERE, text(",\"iss\":\"%s\"", provider->issuer)), 200, "with it");
    second.issuer = first.issuer;
    flow = begin();
    vouch(&flow, "subject-ada", "ada@example.org", NULL);
    accepted(finish(&flow), 200, "nor is it asked for where all providers are of one issuer");
    second.issuer = other->issuer;
    flow = begin_at("else", HERE);
    hand_out(other, id_token(provider, &flow, "subject-ada", "ada@example.org", NULL));
    disbelieved(finish(&flow), "a token of the first from the second # security 68");
    flow = begin_at("else", HERE);
    hand_out(other, id_token(other, &flow, "subject-ada", "mallory@example.org", NULL));
    turned_away(finish(&flow), "the same subject at another issuer is somebody else # security 69");
}

/* Down, slow, huge, leading elsewhere, talking nonsense: 503, and nobody's credential is wrong. */
static void test_unavailable(void)
{
    static const struct {
        provider_answer_t answer;
        const char *what;
    } cases[] = {{{.status = 500}, "down"},
                 {{.status = 429}, "asked too often"},
                 {{.hang_up = true}, "hanging up"},
                 {{.body = "{}", .wait = 3000}, "slow"},
                 {{.body = "{\"a\":1}", .drip = 300}, "dripping"},
                 {{.body = "{}", .length = 300000}, "huge"},
                 {{.status = 302, .location = "http://127.0.0.1:1/"}, "leading elsewhere"},
                 {{.body = "nonsense"}, "talking nonsense"},
                 {{.body = "{}"}, "saying nothing"},
                 {{.status = 401, .body = "{\"error\":\"invalid_client\"}"}, "at odds with our secret"},
                 {{.status = 400, .body = "{\"error\":\"unauthorized_client\"}"}, "at odds with our configuration"}};
    static const char *const names[] = {"discovery", "the keys", "the token"};

    for (int path = PROVIDER_DISCOVERY; path <= PROVIDER_TOKEN; path++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            patience = cases[i].answer.wait || cases[i].answer.drip ? 250 : 5000;
            fresh();
            flow_t flow = begin();
            if (path == PROVIDER_DISCOVERY)
                first.oidc = client_of(provider, CLIENT);
            vouch(&flow, "subject-ada", "ada@example.org", NULL);
            provider->answers[path] = cases[i].answer;
            door_answer_t answer = path == PROVIDER_DISCOVERY ? authorize("work", HERE) : finish(&flow);
            refused(answer, 503, "INTERNAL_ERROR", "", "%s: %s # security 86", names[path], cases[i].what);
            is_str(header(&answer, "Retry-After"), "5", "... says when to come again");
        }
    patience = 5000;
    is_int(provider->asked_else + other->asked_else, 0, "no redirect was followed # security 72");
    fresh();
    flow_t flow = begin();
    provider->answers[PROVIDER_TOKEN] = (provider_answer_t){.status = 400, .body = "{\"error\":\"invalid_grant\"}"};
    disbelieved(finish(&flow), "a code that is no good");
}

/* B13: userinfo as a signed JWT; B11: what can never be verified is nobody's failed sign-in. */
static void test_signed_userinfo(void)
{
    static const char *const nobody_else = "{\"email\":null,\"email_verified\":null}";
    json_t *claims =
        identity_json_own(door->pool, json_pack("{s:s, s:s, s:s, s:s, s:b}", "iss", provider->issuer, "aud", CLIENT,
                                                "sub", "signed", "email", "signed@example.org", "email_verified", 1));
    const char *said = identity_json_text(door->pool, claims, NULL), *header = "{\"alg\":\"RS256\",\"kid\":\"k1\"}";
    provider_answer_t *userinfo = &provider->answers[PROVIDER_ADDRESS];

    person_with("signed@example.org", "USER", "");
    fresh();
    *userinfo = (provider_answer_t){.type = "application/jwt; charset=utf-8",
                                    .body = signer_token(door->pool, stranger, header, said, NULL)};
    disbelieved(sign_on("signed", "", nobody_else), "B13: userinfo that somebody else signed");
    userinfo->body = said;
    disbelieved(sign_on("signed", "", nobody_else), "B13: or that is no JWT, though it says so");
    userinfo->body = signer_token(door->pool, NULL, "{\"alg\":\"none\"}", said, NULL);
    long long failed = audited("LOGIN_FAILED");
    disbelieved(sign_on("signed", "", nobody_else), "B13: or that nobody signed");
    is_int(audited("LOGIN_FAILED"), failed, "B11: ... which is no failed sign-in of anybody");
    userinfo->body = signer_token(door->pool, key, header, said, NULL);
    accepted(sign_on("signed", "", nobody_else), 200, "B13: userinfo as application/jwt is taken");
    ok(strstr(provider->request[PROVIDER_ADDRESS], "\r\nAccept: application/json, application/jwt\r\n"),
       "B13: and asked for");
    fresh();
}

/* B13: whatever a token endpoint writes beside what is read. */
static void test_unread(void)
{
    flow_t flow = begin();

    person_with("unread@example.org", "USER", "");
    hand_out(provider, id_token(provider, &flow, "unread", "unread@example.org", NULL));
    provider->answers[PROVIDER_TOKEN].body = text("{\"expires_at\":99999999999999999999,\"x\":\"\\u0000\",\"x\":1,%s",
                                                  provider->answers[PROVIDER_TOKEN].body + 1);
    accepted(finish(&flow), 200, "B13: a number past 64 bits, a \\u0000 and a member twice that nobody reads");
    flow = begin();
    hand_out(provider, id_token(provider, &flow, "unread", "unread@example.org", NULL));
    provider->answers[PROVIDER_TOKEN].body = text("{\"id_token\":\"x\",%s", provider->answers[PROVIDER_TOKEN].body + 1);
    refused(finish(&flow), 503, "INTERNAL_ERROR", "", "B13: ... but none that is read");
}

/* The address may stand in the ID token, or be asked for. */
static void test_address(void)
{
    static const char *const nobody_else = "{\"email\":null,\"email_verified\":null}";

    person_with("grace@example.org", "USER", "");
    fresh();
    provider->answers[PROVIDER_ADDRESS].body =
        "{\"sub\":\"subject-x\",\"email\":\"grace@example.org\",\"email_verified\":true}";
    disbelieved(sign_on("subject-grace", "", nobody_else), "somebody else's address");
    provider->answers[PROVIDER_ADDRESS].body =
        "{\"sub\":\"subject-grace\",\"email\":\"grace@example.org\",\"email_verified\":false}";
    turned_away(sign_on("subject-grace", "", nobody_else), "one that is not verified");
    provider->answers[PROVIDER_ADDRESS] = (provider_answer_t){.status = 500};
    refused(sign_on("subject-grace", "", nobody_else), 503, "INTERNAL_ERROR", "", "nobody to ask");
    provider->answers[PROVIDER_ADDRESS] = (provider_answer_t){
        .body = "{\"sub\":\"subject-grace\",\"email\":\"grace@example.org\",\"email_verified\":true}"};
    accepted(sign_on("subject-grace", "", nobody_else), 200, "her own");
    ok(strstr(provider->request[PROVIDER_ADDRESS], "\r\nAuthorization: Bearer opaque\r\n"),
       "asked by the access token");
    int asked = provider->asked[PROVIDER_ADDRESS];
    accepted(sign_on("subject-grace", "", nobody_else), 200, "who is linked needs no address");
    is_int(provider->asked[PROVIDER_ADDRESS], asked, "... so it is not asked for");
}

int main(void)
{
    sso_begin();
    test_whole();
    test_secret_in_form();
    test_redirects();
    test_bodies();
    test_state();
    test_tokens();
    test_keys();
    test_mix_up();
    test_unavailable();
    test_address();
    test_signed_userinfo();
    test_unread();
    is_int(provider->most_held + other->most_held, 0, "no connection and no gate was held while a provider was asked");
    return serve_end();
}

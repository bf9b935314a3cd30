/* SPDX-License-Identifier: Apache-2.0 */
/* The modules of the OpenID Foundation's conformance suite for the profiles Basic OP (38) and Config OP (1), by their
 * names: of each what it is about, in short. The suite itself, another program that is not run here, judges more
 * conditions than these. At the end a table of them is printed; where the suite skips a module because of what discovery
 * does not offer, or warns, the table says so. */
#include "oidc.h"

#define LINES 40

static const char *ada, *ada_id;
static oidc_client_t client, second; /* neither has to do PKCE, which most modules do not */

/* ---- the table -------------------------------------------------------------------------------------------------- */

static struct {
    const char *name, *result;
} table[LINES];
static int count_of_lines;

static void judge(bool passed, const char *name, const char *note)
{
    ok(passed, "%s: %s", name, note);
    table[count_of_lines].name = name;
    table[count_of_lines++].result = passed ? note : "FAILED";
}

/* ---- a sign-in -------------------------------------------------------------------------------------------------- */

static const char *query_of(const char *scope, const char *more)
{
    return text("client_id=%s&redirect_uri=%s&response_type=code&scope=%s&state=af0ifjsldkj%s", client.id,
                identity_query_escape(door->pool, CALLBACK), scope, more);
}

typedef struct run {
    const char *location, *code, *error, *id, *access, *refresh;
    door_answer_t tokens, userinfo;
    json_t *claims;
} run_t;

/* From the answer of authorize to userinfo. */
static run_t go_on(door_answer_t answer)
{
    run_t run = {.location = oidc_location(answer)};

    run.code = oidc_value(run.location, "code");
    run.error = oidc_value(run.location, "error");
    if (!run.code)
        return run;
    run.tokens = form_with(TOKEN, basic(client.id, client.secret),
                           text("grant_type=authorization_code&code=%s&redirect_uri=%s", run.code,
                                identity_query_escape(door->pool, CALLBACK)));
    run.id = door_text(&run.tokens, "id_token");
    run.access = door_text(&run.tokens, "access_token");
    run.refresh = door_text(&run.tokens, "refresh_token");
    run.claims = run.id ? oidc_part(run.id, 1) : NULL;
    if (run.access)
        run.userinfo = oidc_userinfo(run.access);
    return run;
}

static run_t start(const char *scope, const char *more)
{
    return go_on(oidc_visit(ada, query_of(scope, more)));
}

static const char *text_of(const run_t *run, const char *name)
{
    return json_string_value(json_object_get(run->claims, name));
}

/* What every module judges of a sign-in that is to succeed: state, iss, the token answer, the ID token, userinfo. */
static bool good(const run_t *run)
{
    const char *state = oidc_value(run->location, "state"), *iss = oidc_value(run->location, "iss");
    json_int_t now = (json_int_t)apr_time_sec(door->now);

    return run->code && state && strcmp(state, "af0ifjsldkj") == 0 && strcmp(iss, door->settings.public_url) == 0 &&
           run->tokens.status == 200 && strcmp(door_text(&run->tokens, "token_type"), "Bearer") == 0 && run->claims &&
           strcmp(text_of(run, "iss"), door->settings.public_url) == 0 && strcmp(text_of(run, "sub"), ada_id) == 0 &&
           strcmp(text_of(run, "aud"), client.id) == 0 &&
           json_integer_value(json_object_get(run->claims, "exp")) > now &&
           json_integer_value(json_object_get(run->claims, "iat")) <= now &&
           strcmp(text_of(run, "at_hash"), identity_openid_at_hash(door->pool, run->access)) == 0 &&
           run->userinfo.status == 200 && strcmp(door_text(&run->userinfo, "sub"), ada_id) == 0;
}

static void succeeds(const char *name, const char *scope, const char *more)
{
    run_t run = start(scope, more);
    judge(good(&run), name, "passed");
}

/* ---- the modules ------------------------------------------------------------------------------------------------ */

static void test_server(void)
{
    run_t run = start("openid", "&nonce=n-0S6");
    door_answer_t jwks = get("/.well-known/jwks.json", NULL);

    judge(good(&run) && strcmp(text_of(&run, "nonce"), "n-0S6") == 0, "oidcc-server", "passed");
    run = go_on(oidc_visit(ada, text("client_id=%s&redirect_uri=%s&scope=openid&state=af0ifjsldkj", client.id,
                                     identity_query_escape(door->pool, CALLBACK))));
    judge(run.error && strcmp(run.error, "invalid_request") == 0, "oidcc-response-type-missing", "passed");
    run = start("openid", "");
    judge(good(&run) &&
              strcmp(json_string_value(json_object_get(oidc_part(run.id, 0), "kid")), door_text(&jwks, "keys.1.kid")) ==
                  0 &&
              identity_openid_hint(door->pool, door->env.keys, door->settings.openid_key, run.id,
                                   door->settings.public_url),
          "oidcc-idtoken-signature", "passed");
    door_answer_t found = get("/.well-known/openid-configuration", NULL);
    judge(!strstr(json_at(&found, "id_token_signing_alg_values_supported"), "none"), "oidcc-idtoken-unsigned",
          "skipped: no alg none");
}

static void test_userinfo(void)
{
    run_t run = start("openid", "");
    identity_headers_t headers = with_authorization(text("Bearer %s", run.access));

    judge(good(&run), "oidcc-userinfo-get", "passed");
    judge(call_with("POST", USERINFO, headers, true, false, NULL).status == 200, "oidcc-userinfo-post-header",
          "passed");
    judge(form(USERINFO, text("access_token=%s", run.access)).status == 200, "oidcc-userinfo-post-body", "passed");
}

static void test_scopes(void)
{
    door_answer_t found = get("/.well-known/openid-configuration", NULL);
    run_t run;

    succeeds("oidcc-ensure-request-without-nonce-succeeds-for-code-flow", "openid", "");
    run = start("openid%20profile", "");
    judge(good(&run) && door_text(&run.userinfo, "preferred_username"), "oidcc-scope-profile",
          "passed with a warning: two claims of the scope");
    run = start("openid%20email", "");
    judge(good(&run) && door_text(&run.userinfo, "email") &&
              strcmp(json_at(&run.userinfo, "email_verified"), "true") == 0,
          "oidcc-scope-email", "passed");
    judge(!strstr(json_at(&found, "scopes_supported"), "address"), "oidcc-scope-address", "skipped: not in discovery");
    judge(!strstr(json_at(&found, "scopes_supported"), "phone"), "oidcc-scope-phone", "skipped: not in discovery");
    succeeds("oidcc-scope-all", "openid%20profile%20email%20address%20phone", "");
    succeeds("oidcc-ensure-other-scope-order-succeeds", "email%20openid", "");
    succeeds("oidcc-display-page", "openid", "&display=page");
    succeeds("oidcc-display-popup", "openid", "&display=popup");
}

/* Signs in again, as the page asks, and comes back. */
static run_t sign_in_again(const char *more)
{
    const char *sent = oidc_location(oidc_visit(ada, query_of("openid", more))), *back = oidc_value(sent, "return");

    if (!back)
        return (run_t){.location = sent};
    pass(5);
    return go_on(oidc_visit(oidc_cookie("ada@example.org"), strchr(back, '?') + 1));
}

static json_int_t age_of(const run_t *run)
{
    return json_integer_value(json_object_get(run->claims, "auth_time"));
}

static void test_prompts(void)
{
    run_t first = start("openid", ""), run = sign_in_again("&prompt=login");

    judge(good(&first) && good(&run) && age_of(&run) > age_of(&first), "oidcc-prompt-login", "passed");
    run = go_on(oidc_visit(NULL, query_of("openid", "&prompt=none")));
    judge(run.error && strcmp(run.error, "login_required") == 0, "oidcc-prompt-none-not-logged-in", "passed");
    run = start("openid", "&prompt=none");
    judge(good(&run) && age_of(&run) == age_of(&first) && strcmp(text_of(&run, "sub"), text_of(&first, "sub")) == 0,
          "oidcc-prompt-none-logged-in", "passed");
    pass(2);
    run = sign_in_again("&max_age=1");
    judge(good(&run) && age_of(&run) > age_of(&first), "oidcc-max-age-1", "passed");
    run = start("openid", "&max_age=10000");
    judge(good(&run) && age_of(&run) == age_of(&first), "oidcc-max-age-10000", "passed");
    succeeds("oidcc-ensure-request-with-unknown-parameter-succeeds", "openid", "&extra=foobar");
    run = start("openid", text("&prompt=none&id_token_hint=%s", first.id));
    judge(good(&run) && strcmp(text_of(&run, "sub"), text_of(&first, "sub")) == 0, "oidcc-id-token-hint", "passed");
    succeeds("oidcc-login-hint", "openid", "&login_hint=ada%40example.org");
    succeeds("oidcc-ui-locales", "openid", "&ui_locales=se");
    succeeds("oidcc-claims-locales", "openid", "&claims_locales=se");
    run = start("openid", "&acr_values=1%202");
    judge(good(&run), "oidcc-ensure-request-with-acr-values-succeeds", "passed with a warning: no acr");
}

static void test_codes(void)
{
    run_t run = start("openid", "");

    judge(good(&run) && strcmp(oauth_outcome(oidc_exchange(&client, run.code, "")), "400 invalid_grant") == 0,
          "oidcc-codereuse", "passed");
    run = start("openid", "");
    pass(30);
    judge(good(&run) && strcmp(oauth_outcome(oidc_exchange(&client, run.code, "")), "400 invalid_grant") == 0 &&
              oidc_userinfo(run.access).status == 401,
          "oidcc-codereuse-30seconds", "passed");
    door_answer_t answer = oidc_visit(ada, text("client_id=%s&redirect_uri=%s%%2Fother&response_type=code&scope=openid",
                                                client.id, identity_query_escape(door->pool, CALLBACK)));
    judge(answer.status == 400 && !header(&answer, "Location"), "oidcc-ensure-registered-redirect-uri", "passed");
    answer = form(AUTHORIZE, query_of("openid", ""));
    run = go_on(oidc_visit(ada, strchr(header(&answer, "Location"), '?') + 1));
    judge(answer.status == 303 && good(&run), "oidcc-ensure-post-request-succeeds", "passed");
    answer = oidc_exchange(&client, oidc_value(oidc_location(oidc_visit(ada, query_of("openid", ""))), "code"), "");
    judge(answer.status == 200, "oidcc-server-client-secret-post", "passed");
}

static void test_requests(void)
{
    const char *object = "eyJhbGciOiJub25lIn0.eyJzY29wZSI6Im9wZW5pZCJ9."; /* {"alg":"none"} */
    run_t run = start("openid", "&request_uri=https%3A%2F%2Fapp.example.org%2Frequest");

    judge(run.error && strcmp(run.error, "request_uri_not_supported") == 0,
          "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", "passed");
    run = start("openid", text("&request=%s", object));
    judge(run.error && strcmp(run.error, "request_not_supported") == 0,
          "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", "passed");
    run = start("openid", "&claims=%7B%22userinfo%22%3A%7B%22name%22%3A%7B%22essential%22%3Atrue%7D%7D%7D");
    judge(good(&run), "oidcc-claims-essential", "passed with a warning: no name");
    run = start("openid", text("&request=%s", object));
    judge(run.error && strcmp(run.error, "request_not_supported") == 0, "oidcc-ensure-request-object-with-redirect-uri",
          "passed");
    run = start("openid", "");
    door_answer_t answer = oidc_refresh(&client, run.refresh);
    const char *token = door_text(&answer, "id_token");
    judge(good(&run) && token &&
              json_integer_value(json_object_get(oidc_part(token, 1), "auth_time")) == age_of(&run) &&
              strcmp(oauth_outcome(oidc_refresh(&second, run.refresh)), "400 invalid_grant") == 0,
          "oidcc-refresh-token", "passed");
    answer = oidc_visit(ada, query_of("openid", "&code_challenge=" CHALLENGE "&code_challenge_method=S256"));
    answer = oidc_tokens(&client, oidc_value(oidc_location(answer), "code"));
    judge(answer.status == 200, "oidcc-ensure-request-with-valid-pkce-succeeds", "passed");
}

static void test_config(void)
{
    door_answer_t answer = get("/.well-known/openid-configuration", NULL);
    static const char *const members[] = {"authorization_endpoint",
                                          "token_endpoint",
                                          "userinfo_endpoint",
                                          "jwks_uri",
                                          "scopes_supported",
                                          "response_types_supported",
                                          "grant_types_supported",
                                          "subject_types_supported",
                                          "id_token_signing_alg_values_supported",
                                          "claims_supported",
                                          "request_parameter_supported"};
    bool whole = answer.status == 200 && strcmp(door_text(&answer, "issuer"), door->settings.public_url) == 0 &&
                 strstr(json_at(&answer, "id_token_signing_alg_values_supported"), "\"RS256\"");

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        whole = whole && json_at(&answer, members[i]);
    judge(whole, "oidcc-discovery-endpoint-verification", "passed");
}

int main(void)
{
    oidc_begin();
    client = oidc_client(",\"require_pkce\":false");
    second = oidc_client(",\"require_pkce\":false");
    ada_id = person_with("ada@example.org", "USER", "");
    ada = oidc_cookie("ada@example.org");
    test_server();
    test_userinfo();
    test_scopes();
    test_prompts();
    test_codes();
    test_requests();
    is_int(count_of_lines, 38, "Basic OP has 38 modules");
    test_config();
    for (int i = 0; i < count_of_lines; i++)
        printf("# %-78s %s\n", table[i].name, table[i].result);
    return serve_end();
}

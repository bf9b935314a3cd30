/* SPDX-License-Identifier: Apache-2.0 */
/* A captcha service of the test, and visitors who ask for a token. */
#ifndef IDENTITY_TEST_SERVE_GUESTS_H
#define IDENTITY_TEST_SERVE_GUESTS_H

#include "serve.h"
#include "support/provider.h"

#define DEMO    "/v1/oauth/demo-token"
#define SANDBOX "/v1/oauth/sandbox-token"

static provider_t *service;
static identity_captcha_t captcha;

static inline void captcha_answers(const char *body)
{
    service->answers[PROVIDER_TOKEN] = (provider_answer_t){.body = body};
    service->asked[PROVIDER_TOKEN] = 0;
}

static inline void captcha_open(void)
{
    service = provider_open(door->pool);
    captcha = (identity_captcha_t){.url = text("%s/token", service->issuer), .secret = "captcha-canary"};
    captcha_answers("{\"success\":true}");
    service->held[0] = &door->borrowed;
    service->held[1] = &door->writers;
    door->settings.captcha = &captcha;
    door->settings.demo_lifetime = apr_time_from_sec(1800);
    door->settings.sandbox_lifetime = apr_time_from_sec(86400);
}

static inline door_answer_t visit(const char *path, const char *email)
{
    return post(path, NULL, text("{\"email\":\"%s\",\"captcha_token\":\"solved-canary\"}", email));
}

static inline const char *bearer_in(const door_answer_t *answer)
{
    const char *token = door_text(answer, "access_token");
    return token ? text("Bearer %s", token) : (bail(text("no token: %s", answer->text)), NULL);
}

/* Nothing that a visitor is asked for stands in the database, but for what is told here. */
static inline const char *traces_of(const char *needle)
{
    char *tables = apr_pstrdup(door->pool, rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"));
    const char *found = "";
    char *rest;

    for (char *table = apr_strtok(tables, " ", &rest); table; table = apr_strtok(NULL, " ", &rest))
        if (strstr(rows(text("SELECT * FROM %s", table)), needle))
            found = text("%s%s%s", found, *found ? " " : "", table);
    return found;
}

static inline void test_held(void)
{
    is_int(service->most_held, 0, "no connection and no gate was held while the service was asked");
}

/* What both calls do alike. */
static inline void test_captcha_of(const char *path)
{
    const char *before = state();
    static const struct {
        const char *body, *code, *field;
    } bad[] = {{"{}", "MISSING_FIELD", "email"},
               {"{\"email\":\"a@example.org\"}", "MISSING_FIELD", "captcha_token"},
               {"{\"email\":null,\"captcha_token\":\"x\"}", "MISSING_FIELD", "email"},
               {"{\"email\":\"a@example.org\",\"captcha_token\":7}", "INVALID_FIELD", "captcha_token"},
               {"{\"email\":\"nobody\",\"captcha_token\":\"x\"}", "INVALID_FIELD", "email"},
               {"{\"email\":\"a b@example.org\",\"captcha_token\":\"x\"}", "INVALID_FIELD", "email"},
               {"{\"email\":\"a@b@example.org\",\"captcha_token\":\"x\"}", "INVALID_FIELD", "email"},
               {"{\"email\":\"a\\u000a@example.org\",\"captcha_token\":\"x\"}", "INVALID_FIELD", "email"}};

    captcha_answers("{\"success\":true}");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused(post(path, NULL, bad[i].body), 400, bad[i].code, bad[i].field, "%s %s", path, bad[i].body);
    char *long_token = apr_pcalloc(door->pool, 8194);
    memset(long_token, 'x', 8193);
    refused(post(path, NULL, text("{\"email\":\"a@example.org\",\"captcha_token\":\"%s\"}", long_token)), 400,
            "INVALID_FIELD", "captcha_token", "%s with a token that nobody makes", path);
    is_int(service->asked[PROVIDER_TOKEN], 0, "... of which the service hears nothing");

    captcha_answers("{\"success\":false,\"error-codes\":[\"invalid-input-response\"]}");
    refused(visit(path, "a@example.org"), 400, "INVALID_FIELD", "captcha_token", "%s: the captcha is not solved", path);
    is_int(service->asked[PROVIDER_TOKEN], 1, "... the service says");
    is_str(strstr(service->request[PROVIDER_TOKEN], "secret="),
           "secret=captcha-canary&response=solved-canary&remoteip=192.0.2.7", "... asked with the client's address");

    captcha_answers("<html>");
    door_answer_t answer = visit(path, "a@example.org");
    refused(answer, 503, "INTERNAL_ERROR", "", "%s: the service talks nonsense # security 86", path);
    is_str(header(&answer, "Retry-After"), "10", "... and may be asked again soon");
    captcha_answers("{\"success\":false,\"error-codes\":[\"invalid-input-secret\"]}");
    refused(visit(path, "a@example.org"), 503, "INTERNAL_ERROR", "", "%s: it does not know us # security 86", path);
    captcha.url = "http://127.0.0.1:1/";
    refused(visit(path, "a@example.org"), 503, "INTERNAL_ERROR", "", "%s: nobody is there # security 86", path);
    captcha.url = text("%s/token", service->issuer);
    is_str(state(), before, "none of it wrote a row");

    door->settings.rates.of[IDENTITY_RATE_TOKEN] = (identity_rate_t){3, apr_time_from_sec(60)};
    captcha_answers("{\"success\":false}");
    door->client_address = "198.51.100.9";
    for (int i = 0; i < 3; i++)
        refused(visit(path, "a@example.org"), 400, "INVALID_FIELD", "captcha_token", "%s: failure %d", path, i + 1);
    answer = visit(path, "a@example.org");
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "%s: enough # security 80", path);
    is_int(service->asked[PROVIDER_TOKEN], 3, "... the service is asked three times");
    door->client_address = NULL;
    refused(visit(path, "a@example.org"), 400, "INVALID_FIELD", "captcha_token", "another address may try");
    memset(&door->settings.rates, 0, sizeof door->settings.rates);

    door->insecure = true;
    refused(visit(path, "a@example.org"), 403, "USER_NOT_ALLOWED", "", "%s without TLS", path);
    door->insecure = false;
    captcha_answers("{\"success\":true}");
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The round trip to a captcha service: what is asked, what counts as an answer, and its bounds (security 72). */
#include <pthread.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "identity/client.h"
#include "support/provider.h"
#include "tap.h"

#define F(...) apr_psprintf(pool, __VA_ARGS__)
#define SECRET "s3cret &=+ canary"

static apr_pool_t *pool;
static provider_t *service;
static identity_captcha_t captcha;

static void answers(provider_answer_t answer)
{
    service->answers[PROVIDER_TOKEN] = answer;
    service->asked[PROVIDER_TOKEN] = 0;
}

static const char *const names[] = {"passed", "refused", "unavailable"};

/* "passed", or what it was and why. */
static const char *verdict_of(const char *token)
{
    const char *error;
    identity_captcha_status_t status = identity_captcha_verify(pool, &captcha, token, "192.0.2.7", &error);

    return error ? F("%s: %s", names[status], error) : names[status];
}

static void test_urls(void)
{
    static const char *const good[] = {"https://captcha.example.org/siteverify",
                                       "https://a.example:8443/v?k=1",
                                       "http://127.0.0.1:9/x",
                                       "http://localhost/x",
                                       "http://[::1]:80/siteverify",
                                       "HTTP://LOCALHOST/x"};
    static const char *const bad[] = {"http://captcha.example.org/siteverify",
                                      "https://user:pw@captcha.example.org/",
                                      "https://captcha.example.org/#x",
                                      "ftp://127.0.0.1/x",
                                      "file:///etc/passwd",
                                      "http://10.0.0.1/x",
                                      "http://localhost.example.org/",
                                      "captcha.example.org",
                                      "https://captcha.example.org/a b",
                                      ""};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ok(identity_captcha_fault(pool, good[i]) == NULL, "%s may be asked", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *fault = identity_captcha_fault(pool, bad[i]);
        ok(fault && !strstr(fault, "pw"), "\"%s\" may not # security 72", bad[i]);
    }
}

static void test_question(void)
{
    const char *form =
        F("secret=%s&response=%s&remoteip=192.0.2.7", "s3cret%20%26%3D%2B%20canary", "a%26b%3Dc%20%C3%A9");

    answers((provider_answer_t){.body = "{\"success\": true, \"hostname\": \"x\", \"score\": 0.9}"});
    is_str(verdict_of("a&b=c \xc3\xa9"), "passed", "a person");
    is_int(service->asked[PROVIDER_TOKEN], 1, "... by one call");
    const char *asked = service->request[PROVIDER_TOKEN], *body = strstr(asked, "\r\n\r\n");
    ok(strncmp(asked, "POST /token HTTP/1.1\r\n", 22) == 0, "... a POST");
    ok(strcasestr(asked, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"), "... of a form");
    is_str(body + 4, form, "... with all three, encoded");
    const char *error;
    is_int(identity_captcha_verify(pool, &captcha, "t", NULL, &error), IDENTITY_CAPTCHA_PASSED, "without an address");
    is_str(strstr(service->request[PROVIDER_TOKEN], "&response"), "&response=t", "... none is told");
}

static void test_answers(void)
{
    static const struct {
        const char *body, *verdict;
    } cases[] = {
        {"{\"success\":false}", "refused"},
        {"{\"success\":false,\"error-codes\":[\"invalid-input-response\"]}", "refused"},
        {"{\"success\":false,\"error-codes\":[\"timeout-or-duplicate\", 7, null]}", "refused"},
        {"{\"success\":false,\"error-codes\":\"bad-request\"}", "refused"},
        {"{\"success\":false,\"error-codes\":[\"x\",\"invalid-input-secret\"]}",
         "unavailable: it rejected the request: invalid-input-secret"},
        {"{\"success\":false,\"error-codes\":[\"internal-error\"]}",
         "unavailable: it rejected the request: internal-error"},
    };
    static const char *const strange[] = {"",
                                          "<html>",
                                          "true",
                                          "[]",
                                          "{}",
                                          "{\"success\":\"true\"}",
                                          "{\"success\":1}",
                                          "{\"success\":null}",
                                          "{\"Success\":true}",
                                          "{\"success\":true",
                                          "{\"success\":true}x",
                                          "{\"success\":false,\"success\":true}",
                                          "[{\"success\":true}]",
                                          "{\"success\":true,\"x\":\"\xff\"}"};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answers((provider_answer_t){.body = cases[i].body});
        is_str(verdict_of("t"), cases[i].verdict, "%s", cases[i].body);
    }
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        answers((provider_answer_t){.body = strange[i]});
        is_str(verdict_of("t"), "unavailable: its answer is neither {\"success\": true} nor {\"success\": false}",
               "\"%s\" is no answer", strange[i]);
    }
    static const int statuses[] = {201, 204, 400, 403, 404, 429, 500, 503};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        answers((provider_answer_t){.status = statuses[i], .body = "{\"success\":true}"});
        is_str(verdict_of("t"), F("unavailable: it answered with status %d", statuses[i]), "status %d is none",
               statuses[i]);
    }
}

static void test_bounds(void)
{
    answers((provider_answer_t){.body = "{\"success\":true}", .length = 256 * 1024});
    is_str(verdict_of("t"), "passed", "a long answer");
    answers((provider_answer_t){.body = "{\"success\":true}", .length = 256 * 1024 + 1});
    is_str(verdict_of("t"), "unavailable: its answer is too large", "a longer one # security 72");
    answers((provider_answer_t){.status = 302, .location = F("%s/userinfo", service->issuer)});
    service->answers[PROVIDER_ADDRESS] = (provider_answer_t){.body = "{\"success\":true}"};
    service->asked[PROVIDER_ADDRESS] = 0;
    is_str(verdict_of("t"), "unavailable: it answered with status 302", "elsewhere is not looked # security 72");
    is_int(service->asked[PROVIDER_ADDRESS], 0, "... indeed");
    answers((provider_answer_t){.hang_up = true});
    ok(strncmp(verdict_of("t"), "unavailable: ", 13) == 0, "it hangs up");
    captcha.timeout = apr_time_from_msec(200);
    answers((provider_answer_t){.body = "{\"success\":true}", .wait = 1000});
    is_str(verdict_of("t"), "unavailable: it did not answer in time", "it thinks for too long # security 72");
    answers((provider_answer_t){.body = "{\"success\":true}", .drip = 20});
    is_str(verdict_of("t"), "unavailable: it did not answer in time", "it tells too slowly # security 72");
    captcha.timeout = apr_time_from_msec(500);
    captcha.url = "http://127.0.0.1:1/siteverify";
    ok(strncmp(verdict_of("t"), "unavailable: ", 13) == 0, "nobody is there");
    captcha.url = "https://10.255.255.1/siteverify";
    const char *verdict = verdict_of("t");
    ok(strstr(verdict, "is not allowed"), "a private address is not reached: %s # security 72", verdict);
    captcha.url = F("https://127.0.0.1:%d/siteverify", service->port);
    verdict = verdict_of("t");
    ok(strncmp(verdict, "unavailable: ", 13) == 0 && !strstr(verdict, "canary"), "no TLS there: %s", verdict);
    captcha.url = F("%s/token", service->issuer);
    captcha.timeout = 0;
}

static void *ask(void *data)
{
    const char *error;
    apr_pool_t *own;

    apr_pool_create(&own, NULL);
    identity_captcha_status_t status = identity_captcha_verify(own, &captcha, "t", NULL, &error);
    *(int *)data = status == IDENTITY_CAPTCHA_PASSED                           ? 0
                   : error && strncmp(error, "too many requests are", 21) == 0 ? 1
                                                                               : 2;
    apr_pool_destroy(own);
    return NULL;
}

/* A service that hangs takes some threads of the server and no more. */
static void test_crowd(void)
{
    pthread_t threads[20];
    int told[20], counts[3] = {0};

    answers((provider_answer_t){.body = "{\"success\":true}", .wait = 800});
    for (int i = 0; i < 20; i++)
        pthread_create(&threads[i], NULL, ask, &told[i]);
    for (int i = 0; i < 20; i++) {
        pthread_join(threads[i], NULL);
        counts[told[i]]++;
    }
    is_int(counts[0], 8, "eight wait for it");
    is_int(counts[1], 12, "... the others are turned away");
    is_int(service->asked[PROVIDER_TOKEN], 8, "... without asking");
    answers((provider_answer_t){.body = "{\"success\":true}"});
    is_str(verdict_of("t"), "passed", "and the next one is served again");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (!identity_client_start())
        bail("libcurl does not start");
    service = provider_open(pool);
    captcha = (identity_captcha_t){.url = F("%s/token", service->issuer), .secret = SECRET};
    test_urls();
    test_question();
    test_answers();
    test_bounds();
    test_crowd();
    apr_pool_destroy(pool);
    identity_client_stop();
    return tap_done();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to OpenID providers and their bounds (security 72): which addresses, how much, how long, how often; what a
 * discovery document must say (security 68). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "src/client/fetch.h"
#include "support/provider.h"
#include "tap.h"

#define F(...) apr_psprintf(pool, __VA_ARGS__)
#define START  apr_time_from_sec(1705311000)

static apr_pool_t *pool;
static provider_t *provider;

/* ---- addresses -------------------------------------------------------------------------------------------------- */

static bool allowed(const char *text, bool loopback, bool private_network, bool plain)
{
    const client_reach_t reach = {.loopback = loopback, .private_network = private_network};
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return client_address_allowed((struct sockaddr *)&four, &reach, plain);
    if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
        return client_address_allowed((struct sockaddr *)&six, &reach, plain);
    bail(text);
}

static void test_addresses(void)
{
    static const char *const open[] = {"1.1.1.1",        "8.8.8.8",      "100.63.255.255", "100.128.0.0",
                                       "172.15.0.1",     "172.32.0.1",   "192.167.1.1",    "223.255.255.255",
                                       "2600::1",        "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
                                       "2002:808:808::1"};
    static const char *const private_[] = {"10.0.0.1",        "100.64.0.1",        "172.16.0.1",   "172.31.255.255",
                                           "192.168.1.1",     "198.18.0.1",        "fc00::1",      "fdff::1",
                                           "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1"};
    static const char *const loopback[] = {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"};
    static const char *const never[] = {"0.0.0.0",
                                        "0.1.2.3",
                                        "169.254.169.254",
                                        "169.254.0.1",
                                        "192.0.0.1",
                                        "192.0.2.1",
                                        "198.51.100.1",
                                        "203.0.113.1",
                                        "224.0.0.1",
                                        "240.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "::7f00:1",
                                        "fe80::1",
                                        "ff02::1",
                                        "2001:db8::1",
                                        "2001::1",
                                        "fec0::1",
                                        "::ffff:169.254.169.254",
                                        "::ffff:0.0.0.0",
                                        "100::1"};

    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        ok(allowed(open[i], false, false, false) && !allowed(open[i], true, true, true), "%s may be reached, by TLS",
           open[i]);
    for (size_t i = 0; i < sizeof private_ / sizeof private_[0]; i++)
        ok(!allowed(private_[i], true, false, false) && allowed(private_[i], false, true, false) &&
               !allowed(private_[i], true, true, true),
           "%s may be reached with leave, by TLS # security 72", private_[i]);
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
        ok(!allowed(loopback[i], false, true, false) && allowed(loopback[i], true, false, true),
           "%s may be reached where the issuer is there, without TLS too # security 72", loopback[i]);
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        ok(!allowed(never[i], true, true, false), "%s is never reached # security 72", never[i]);
}

static void test_urls(void)
{
    static const struct {
        const char *url;
        bool https, plain;
    } cases[] = {{"https://login.example.org/token", true, true},
                 {"https://login.example.org:8443/token?a=b", true, true},
                 {"http://127.0.0.1/token", false, true},
                 {"ftp://login.example.org/", false, false},
                 {"file:///etc/passwd", false, false},
                 {"login.example.org/token", false, false},
                 {"https://user@login.example.org/", false, false},
                 {"https://user:password@login.example.org/", false, false},
                 {"https://login.example.org/#x", false, false},
                 {"https://login.example.org/a b", false, false},
                 {"https://login.example.org/\r\nX: y", false, false},
                 {"https://", false, false},
                 {"", false, false}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ok(client_url_valid(cases[i].url, false) == cases[i].https &&
               client_url_valid(cases[i].url, true) == cases[i].plain,
           "the endpoint %.*s", (int)strcspn(cases[i].url, "\r"), cases[i].url);
}

/* ---- a request -------------------------------------------------------------------------------------------------- */

static bool fetch(const char *url, bool loopback, int milliseconds, fetch_response_t *response, const char **error)
{
    const fetch_request_t request = {.url = url,
                                     .reach = {.loopback = loopback},
                                     .connect_timeout = apr_time_from_sec(3),
                                     .deadline = apr_time_now() + apr_time_from_msec(milliseconds)};
    return client_fetch(pool, &request, response, error);
}

static void test_fetch(void)
{
    const char *url = F("%s/keys", provider->issuer), *error;
    provider_answer_t *answer = &provider->answers[PROVIDER_KEYS];
    fetch_response_t response;

    *answer = (provider_answer_t){.body = "{}"};
    ok(fetch(url, true, 5000, &response, &error) && response.status == 200 && strcmp(response.body, "{}") == 0,
       "an answer comes");
    int before = provider->asked[PROVIDER_KEYS];
    ok(!fetch(url, false, 5000, &response, &error) && strstr(error, "is not allowed"),
       "loopback is not reached without leave # security 72");
    is_int(provider->asked[PROVIDER_KEYS], before, "... not by a single byte");
    ok(!fetch(F("http://localhost:%d/keys", provider->port), false, 5000, &response, &error),
       "nor by a name that leads there # security 72");
    *answer = (provider_answer_t){.status = 302, .location = F("%s/elsewhere", provider->issuer)};
    ok(fetch(url, true, 5000, &response, &error) && response.status == 302 && provider->asked_else == 0,
       "a redirect is not followed # security 72");
    *answer = (provider_answer_t){.body = "{}", .length = FETCH_SIZE_MAX};
    ok(fetch(url, true, 5000, &response, &error) && response.length == FETCH_SIZE_MAX, "256 KiB are taken");
    *answer = (provider_answer_t){.body = "{}", .length = FETCH_SIZE_MAX + 1};
    ok(!fetch(url, true, 5000, &response, &error) && strstr(error, "too large"), "and not one more # security 72");
    *answer = (provider_answer_t){.body = "{}", .wait = 2000};
    ok(!fetch(url, true, 200, &response, &error) && strstr(error, "in time"), "who is silent is not waited for");
    *answer = (provider_answer_t){.body = "{}", .drip = 50};
    ok(!fetch(url, true, 300, &response, &error) && strstr(error, "in time"),
       "nor who says a letter now and then # security 72");
    *answer = (provider_answer_t){.hang_up = true};
    ok(!fetch(url, true, 5000, &response, &error), "who hangs up has not answered");
    ok(!fetch("http://127.0.0.1:1/", true, 5000, &response, &error), "nor who is not there");
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    *answer = (provider_answer_t){.body = "{}"};
    ok(fetch(url, true, 5000, &response, &error), "a proxy of the environment is not asked # security 72");
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

/* ---- discovery -------------------------------------------------------------------------------------------------- */

static identity_oidc_t *client_for(int milliseconds)
{
    const identity_oidc_options_t options = {.issuer = provider->issuer,
                                             .client_id = "client & 1",
                                             .client_secret = "secret",
                                             .timeout = apr_time_from_msec(milliseconds)};
    const char *error;
    identity_oidc_t *oidc = identity_oidc_make(pool, &options, &error);

    return oidc ? oidc : (bail(error), NULL);
}

static identity_oidc_t *client(void)
{
    return client_for(10000);
}

static identity_oidc_status_t ask(identity_oidc_t *oidc, apr_time_t now, const char **url, const char **error)
{
    identity_oidc_sign_on_t sign_on = {.redirect_uri = "https://app.example.org/sso?x=1&y=2",
                                       .state = "s.1.m",
                                       .nonce = "nonce",
                                       .verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                                       .now = now};
    return identity_oidc_authorization(pool, oidc, &sign_on, url, error);
}

static void test_discovery(void)
{
    static const struct {
        const char *changes, *what;
    } wrong[] = {
        {"{\"issuer\":\"https://evil.example.org\"}", "another issuer # security 68"},
        {"{\"issuer\":null}", "no issuer"},
        {"{\"token_endpoint\":\"http://login.example.org/token\"}", "a token endpoint without TLS # security 72"},
        {"{\"token_endpoint\":\"file:///etc/passwd\"}", "a token endpoint that is a file # security 72"},
        {"{\"token_endpoint\":null}", "no token endpoint"},
        {"{\"jwks_uri\":\"gopher://127.0.0.1/\"}", "keys by another protocol # security 72"},
        {"{\"jwks_uri\":null}", "no keys"},
        {"{\"authorization_endpoint\":\"javascript:alert(1)\"}", "an authorization endpoint that is a script"},
        {"{\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"]}", "a way to authenticate that is not ours"},
        {"{\"id_token_signing_alg_values_supported\":[\"HS256\",\"ES256K\",\"none\"]}",
         "B11: algorithms of which none is verified here"},
    };
    provider_answer_t *answer = &provider->answers[PROVIDER_DISCOVERY];
    const char *url, *error;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        *answer = (provider_answer_t){.body = provider_discovery(pool, provider, wrong[i].changes)};
        is_int(ask(client(), START, &url, &error), IDENTITY_OIDC_UNAVAILABLE, "a document with %s", wrong[i].what);
    }
    static const char *const bodies[] = {"", "[]", "{", "nothing", "{\"issuer\":7}", "\"text\""};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        *answer = (provider_answer_t){.body = bodies[i]};
        is_int(ask(client(), START, &url, &error), IDENTITY_OIDC_UNAVAILABLE, "the document \"%s\"", bodies[i]);
    }
    *answer = (provider_answer_t){
        .body = provider_discovery(pool, provider, "{\"id_token_signing_alg_values_supported\":[\"HS256\"]}")};
    ask(client(), START, &url, &error);
    ok(error && strstr(error, "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA"),
       "B11: the log says which are: %s", error);
    *answer =
        (provider_answer_t){.body = provider_discovery(
                                pool, provider, "{\"id_token_signing_alg_values_supported\":[\"HS256\",\"EdDSA\"]}")};
    is_int(ask(client(), START, &url, &error), IDENTITY_OIDC_DONE, "B11: one that is does");
    *answer = (provider_answer_t){.body = F("{\"big\":123456789012345678901234567890,\"a\":1,\"a\":\"\\u0000\",%s",
                                            provider_discovery(pool, provider, NULL) + 1)};
    is_int(ask(client(), START, &url, &error), IDENTITY_OIDC_DONE, "B13: whatever stands in them, and twice");
    *answer = (provider_answer_t){.body = F("{\"issuer\":\"x\",%s", provider_discovery(pool, provider, NULL) + 1)};
    is_int(ask(client(), START, &url, &error), IDENTITY_OIDC_UNAVAILABLE, "B13: but not one twice that is read");
    *answer = (provider_answer_t){.body = provider_discovery(pool, provider, NULL), .status = 500};
    is_int(ask(client(), START, &url, &error), IDENTITY_OIDC_UNAVAILABLE, "a document under 500");
    *answer = (provider_answer_t){.body = provider_discovery(pool, provider, NULL)};
    is_int(ask(client(), START, &url, &error), IDENTITY_OIDC_DONE, "a good one");
    /* The challenge is that of RFC 7636, appendix B. */
    is_str(url,
           F("%s/authorize?response_type=code&scope=openid%%20email&client_id=client%%20%%26%%201&redirect_uri="
             "https%%3A%%2F%%2Fapp.example.org%%2Fsso%%3Fx%%3D1%%26y%%3D2&state=s.1.m&nonce=nonce&"
             "code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
             provider->issuer),
           "where the browser is sent # security 67");
    *answer = (provider_answer_t){
        .body = provider_discovery(pool, provider,
                                   "{\"authorization_endpoint\":\"https://login.example.org/a?tenant=1\"}")};
    ok(ask(client(), START, &url, &error) == IDENTITY_OIDC_DONE &&
           strncmp(url, "https://login.example.org/a?tenant=1&response_type=code&", 56) == 0,
       "an endpoint that has a query keeps it");
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static void *ask_at_once(void *data)
{
    apr_pool_t *own;
    const char *url, *error;
    identity_oidc_sign_on_t sign_on = {
        .redirect_uri = "https://a.org/", .state = "s", .nonce = "n", .verifier = "v", .now = START};

    apr_pool_create(&own, NULL);
    identity_oidc_status_t status = identity_oidc_authorization(own, data, &sign_on, &url, &error);
    apr_pool_destroy(own);
    return (void *)(apr_uintptr_t)(status == IDENTITY_OIDC_DONE);
}

static int together(identity_oidc_t *oidc)
{
    pthread_t threads[8];
    int done = 0;

    for (int i = 0; i < 8; i++)
        if (pthread_create(&threads[i], NULL, ask_at_once, oidc) != 0)
            bail("no thread");
    for (int i = 0; i < 8; i++) {
        void *result;
        pthread_join(threads[i], &result);
        done += (int)(apr_uintptr_t)result;
    }
    return done;
}

static void test_memory(void)
{
    provider_answer_t *answer = &provider->answers[PROVIDER_DISCOVERY];
    int *asked = &provider->asked[PROVIDER_DISCOVERY];
    identity_oidc_t *oidc = client();
    const char *url, *error;

    *answer = (provider_answer_t){.body = provider_discovery(pool, provider, NULL), .wait = 100};
    *asked = 0;
    is_int(together(oidc), 8, "eight at once are served");
    is_int(*asked, 1, "by one request");
    is_int(ask(oidc, START + apr_time_from_sec(3599), &url, &error), IDENTITY_OIDC_DONE, "it is remembered");
    is_int(*asked, 1, "for an hour");
    ask(oidc, START + apr_time_from_sec(3601), &url, &error);
    is_int(*asked, 2, "and not longer");
    ask(oidc, START + apr_time_from_sec(3592), &url, &error);
    is_int(*asked, 2, "but good for who came before and waited");
    ask(oidc, START - apr_time_from_sec(10), &url, &error);
    is_int(*asked, 3, "nor where the clock was set back");

    oidc = client();
    *answer = (provider_answer_t){.status = 503};
    *asked = 0;
    is_int(ask(oidc, START, &url, &error), IDENTITY_OIDC_UNAVAILABLE, "a provider that is down");
    is_int(ask(oidc, START + apr_time_from_sec(4), &url, &error), IDENTITY_OIDC_UNAVAILABLE, "... is down");
    is_int(ask(oidc, START - apr_time_from_sec(2), &url, &error), IDENTITY_OIDC_UNAVAILABLE, "... is down");
    is_int(*asked, 1, "... and is let alone for a while, by who came before, too");
    *answer = (provider_answer_t){.body = provider_discovery(pool, provider, NULL)};
    is_int(ask(oidc, START + apr_time_from_sec(6), &url, &error), IDENTITY_OIDC_DONE, "until it is up again");

    oidc = client_for(300);
    *answer = (provider_answer_t){.body = provider_discovery(pool, provider, NULL), .wait = 4000};
    *asked = 0;
    is_int(together(oidc), 0, "eight that meet a provider that is slow");
    is_int(*asked, 1, "wait for one request");
}

static void test_issuers(void)
{
    static const char *const wrong[] = {"http://login.example.org",      "login.example.org",
                                        "https://a:b@login.example.org", "https://login.example.org?x",
                                        "https://login.example.org#x",   ""};
    const char *error;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const identity_oidc_options_t options = {.issuer = wrong[i], .client_id = "c", .client_secret = "s"};
        ok(!identity_oidc_make(pool, &options, &error) && error, "no issuer: \"%s\"", wrong[i]);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (!identity_client_start())
        bail("libcurl does not start");
    provider = provider_open(pool);
    test_addresses();
    test_urls();
    test_fetch();
    test_discovery();
    test_memory();
    test_issuers();
    apr_pool_destroy(pool);
    return tap_done();
}

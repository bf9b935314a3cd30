/* SPDX-License-Identifier: Apache-2.0 */
/* Cookie headers, and the headers of refusals. */
#include "core_fixture.h"

static void test_values(void)
{
    static const struct {
        const char *cookies, *values;
    } cases[] = {
        {"", ""},
        {"a=1", "1|"},
        {"b=2; a=1", "1|"},
        {"b=2,a=1", "1|"},
        {"a=1; a=2", "1|2|"},
        {"a=1, a=1", "1|1|"},
        {"a=", "|"},
        {"a", ""},
        {"aa=1; a-a=2; ba=3", ""},
        {"b=a=1", ""},
        {"b=2;\ta=1 ;c=3", "1|"},
        {"a=x=y", "x=y|"},
        {"A=1", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        apr_array_header_t *values = identity_cookie_values(pool, cases[i].cookies, "a");
        const char *text = "";
        for (int v = 0; v < values->nelts; v++) {
            text = apr_pstrcat(pool, text, APR_ARRAY_IDX(values, v, const char *), "|", NULL);
        }
        is_str(text, cases[i].values, "A7: a in \"%s\"", cases[i].cookies);
    }
    is_int(identity_cookie_values(pool, NULL, "a")->nelts, 0, "A7: a without a header");
}

static void test_without(void)
{
    static const struct {
        const char *cookies, *left;
    } cases[] = {
        {"a=1", ""},
        {"a=1; b=2", "b=2"},
        {"b=2; a=1", "b=2"},
        {"b=2; a=1; c=3", "b=2; c=3"},
        {"a=1; a=2,a=3", ""},
        {"b=2; a=1 with blanks; c=3", "b=2; c=3"},
        {"aa=1; b=a=2", "aa=1; b=a=2"},
        {"b=2;a=1; ", "b=2"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        is_str(identity_cookie_without(pool, cases[i].cookies, "a"), cases[i].left, "A7: \"%s\" without a",
               cases[i].cookies);
    }
}

static void test_text(void)
{
    identity_cookie_t cookie = {.name = "a", .value = "1", .path = "/", .same_site = "Lax", .seconds = 60};

    is_str(identity_cookie_text(pool, &cookie), "a=1; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
           "Set-Cookie");
    cookie.plain = true;
    is_str(identity_cookie_text(pool, &cookie), "a=1; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
           "... on plain HTTP over loopback");
}

static void test_refusals(void)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_THROTTLED, .retry_after = 7};

    is_str(identity_challenge_bearer(pool, "here", NULL, NULL, NULL), "Bearer realm=\"here\"", "no error code");
    is_str(identity_challenge_bearer(pool, "here", "invalid_token", NULL, NULL),
           "Bearer realm=\"here\", error=\"invalid_token\"", "an error code");
    is_str(identity_challenge_bearer(pool, "here", "insufficient_scope", "scope", "A B"),
           "Bearer realm=\"here\", error=\"insufficient_scope\", scope=\"A B\"", "a parameter");
    is_str(identity_challenge_basic(pool, "here"), "Basic realm=\"here\"", "Basic");
    is_str(identity_retry_after(pool, &problem, 429), "7", "Retry-After of 429");
    problem.retry_after = 0;
    is_str(identity_retry_after(pool, &problem, 503), "1", "... of 503, where nothing is known");
    ok(identity_retry_after(pool, &problem, 500) == NULL, "... of nothing else");
}

int main(void)
{
    fixture_begin();
    test_values();
    test_without();
    test_text();
    test_refusals();
    return fixture_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Forms and HTTP Basic, as clients of OAuth send them. */
#include "core_fixture.h"

static const char *form_as_json(const char *form, size_t length)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    json_t *object = identity_form_parse(pool, apr_pstrmemdup(pool, form, length), length, &problem);

    if (object == NULL) {
        return apr_psprintf(pool, "%d%s%s", identity_problem_status(problem.kind), problem.field ? " " : "",
                            problem.field ? problem.field : "");
    }
    return identity_json_text(pool, object, NULL);
}

static void test_forms(void)
{
    static const struct {
        const char *form, *json;
    } cases[] = {
        {"", "{}"},
        {"a=b", "{\"a\":\"b\"}"},
        {"a=b&c=d", "{\"a\":\"b\",\"c\":\"d\"}"},
        {"&&a=b&", "{\"a\":\"b\"}"},
        {"a=b+c%20d%2B%26%3D", "{\"a\":\"b c d+&=\"}"},
        {"a=x=y", "{\"a\":\"x=y\"}"},
        {"a=%C3%A9", "{\"a\":\"\xc3\xa9\"}"},
        {"a=\xc3\xa9", "{\"a\":\"\xc3\xa9\"}"},
        {"a=%22%5C%0A", "{\"a\":\"\\\"\\\\\\n\"}"},
        {"a=", "{}"},
        {"a", "{}"},
        {"a=&b=c", "{\"b\":\"c\"}"},
        {"a=b&a=c", "400 a"},
        {"a=&a=b", "400 a"},
        {"a=b&a=b", "400 a"},
        {"a=b&%61=c", "400 a"},
        {"a=%", "400 a"},
        {"a=%4", "400 a"},
        {"a=%zz", "400 a"},
        {"a=%00", "400 a"},
        {"a=%ff", "400 a"},
        {"a=\xff", "400 a"},
        {"a=%c3%28", "400 a"},
        {"a=%ed%a0%80", "400 a"},
        {"%ff=a", "400 query"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        is_str(form_as_json(cases[i].form, strlen(cases[i].form)), cases[i].json, "\"%s\" # security 45, 74",
               cases[i].form);
    }
    is_str(form_as_json("a=b\0c", 5), "400", "a NUL # security 74");
    const char *many = "x=y";
    for (int i = 0; i < 100; i++) {
        many = apr_psprintf(pool, "%s&n%d=v", many, i);
    }
    is_str(form_as_json(many, strlen(many)), "400", "a hundred parameters # security 74");
}

static const char *basic(const char *credentials)
{
    const char *name = NULL, *secret = NULL;
    return identity_basic_parse(pool, credentials, &name, &secret) ? apr_psprintf(pool, "[%s][%s]", name, secret)
                                                                   : "none";
}

static void test_basic_secret(void)
{
    static const char *const cases[][2] = {{"YTpi", "b"},
                                           {"YTo=", ""},
                                           {"JTp4", "x"} /* %:x */,
                                           {"JTYxOiU2Mg==", "%62"},
                                           {"YTpiOmM=", "b:c"},
                                           {"YQ==", NULL},
                                           {"", NULL},
                                           {"YQA6Yg==", NULL},
                                           {"!", NULL}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        is_str(identity_basic_secret(pool, cases[i][0]), cases[i][1], "the password alone, as it stands: %s",
               cases[i][0]);
    }
}

static void test_basic(void)
{
    static const struct {
        const char *credentials, *read;
    } cases[] = {
        {"YTpi", "[a][b]"},
        {"YTo=", "[a][]"},
        {"OmI=", "[][b]"},
        {"Og==", "[][]"},
        {"YTpiOmM=", "[a][b:c]"},
        {"JTYxOiU2Mg==", "[a][b]"},    /* %61:%62 */
        {"YStiOmMlMkI=", "[a b][c+]"}, /* a+b:c%2B */
        {"w6k6w6k=", "[\xc3\xa9][\xc3\xa9]"},
        {"YQ==", "none"},
        {"", "none"},
        {"YTpi=", "none"},
        {"YTp", "none"},
        {"YTpi YTpi", "none"},
        {"!", "none"},
        {"YTr_", "none"},     /* of base64url */
        {"JTp4", "none"},     /* %:x */
        {"YTolMDA=", "none"}, /* a:%00 */
        {"YQA6Yg==", "none"}, /* a, NUL, :b */
        {"YTr/", "none"},     /* a: and half a character */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        is_str(basic(cases[i].credentials), cases[i].read, "Basic \"%s\"", cases[i].credentials);
    }
    is_str(basic(repeat("YTpi", 1025)), "none", "nor what is too long");
}

int main(void)
{
    fixture_begin();
    test_forms();
    test_basic();
    test_basic_secret();
    return fixture_end();
}

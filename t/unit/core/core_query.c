/* SPDX-License-Identifier: Apache-2.0 */
/* Query strings and cursors. */
#include "core_fixture.h"

static apr_table_t *parse(const char *query, identity_problem_t *problem)
{
    apr_table_t *parameters;
    *problem = (identity_problem_t){.kind = IDENTITY_PROBLEM_NONE};
    return identity_query_parse(pool, query, &parameters, problem) ? parameters : NULL;
}

static void test_good(void)
{
    identity_problem_t problem;
    apr_table_t *p = parse("a=b&c=d%20e+f&username=Ada%40Example.com&empty=&bare&&x=%3D%26=1&g=%c3%A9", &problem);

    if (!ok(p != NULL, "a query is read")) {
        return;
    }
    is_str(apr_table_get(p, "a"), "b", "a plain value");
    is_str(apr_table_get(p, "c"), "d e f", "%%20 and + are spaces");
    is_str(apr_table_get(p, "username"), "Ada@Example.com", "an address");
    is_str(apr_table_get(p, "empty"), "", "an empty value");
    is_str(apr_table_get(p, "bare"), "", "a name alone");
    is_str(apr_table_get(p, "x"), "=&=1", "all behind the first = is value");
    is_str(apr_table_get(p, "g"), "\xc3\xa9", "UTF-8 in escapes of any case");
    is_int(apr_table_elts(p)->nelts, 7, "and nothing more");
    ok(parse(NULL, &problem) != NULL && parse("", &problem) != NULL, "no query is an empty one");
}

typedef struct query_case {
    const char *query, *field;
} query_case_t;

static const query_case_t bad[] = {
    {"limit=%", "limit"},         {"limit=%2", "limit"},   {"limit=%zz", "limit"},       {"limit=%-1", "limit"},
    {"limit=a%2&b=c", "limit"},   {"limit=%00", "limit"},  {"limit=%ff", "limit"},       {"limit=%c0%80", "limit"},
    {"limit=%ed%a0%80", "limit"}, {"limit=\xff", "limit"}, {"limit=1&limit=2", "limit"}, {"limit=1&li%6Dit=1", "limit"},
    {"limit=1&LIMIT=1", "LIMIT"}, /* the table would read the one for the other */
    {"%ff=1", "query"},           {"%0a=%ff", "query"},
};

static void test_bad(void)
{
    identity_problem_t problem;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ok(parse(bad[i].query, &problem) == NULL && problem.kind == IDENTITY_PROBLEM_INVALID_FIELD,
           "%s is refused # security 74", bad[i].query);
        is_str(problem.field, bad[i].field, "%s names its parameter", bad[i].query);
    }
    const char *many = "p0";
    for (int i = 1; i < 64; i++) {
        many = apr_psprintf(pool, "%s&p%d", many, i);
    }
    ok(parse(many, &problem) != NULL, "64 parameters are read");
    ok(parse(apr_pstrcat(pool, many, "&p64", NULL), &problem) == NULL, "65 are refused # security 74");
    is_int(problem.kind, IDENTITY_PROBLEM_BAD_REQUEST, "as a bad request");
}

static void test_escape(void)
{
    identity_problem_t problem;
    const char *all = "aZ09-._~ +%&=?/#\"\x7f\n\xc3\xa9";
    const char *escaped = identity_query_escape(pool, all);

    is_str(escaped, "aZ09-._~%20%2B%25%26%3D%3F%2F%23%22%7F%0A%C3%A9", "escaped");
    is_str(apr_table_get(parse(apr_pstrcat(pool, "x=", escaped, NULL), &problem), "x"), all, "and read back");
}

static void test_cursor(void)
{
    static const identity_cursor_t cursors[] = {
        {.key = "1705311000000000", .id = "user_0123456789ABCDEFGHxz", .backward = false, .page = 2, .total = 200},
        {.key = "a.b@c.d.e", .id = "user_0123456789ABCDEFGHxz", .backward = true, .page = 1, .total = -1},
        {.key = "", .id = "018D0C74D63BA5A5A5A5A5A5A5A5A5A5", .backward = false, .page = 10000, .total = 0},
        {.key = "\xc3\xa9 ..", .id = "role_1", .backward = true, .page = APR_INT64_C(1) << 40, .total = 7},
    };

    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        const identity_cursor_t *c = &cursors[i];
        const char *text = identity_cursor_encode(pool, c);
        identity_cursor_t back;

        is_str(identity_query_escape(pool, text), text, "cursor %d needs no escape", (int)i);
        ok(identity_cursor_decode(pool, text, &back), "cursor %d is read", (int)i);
        is_str(back.key, c->key, "cursor %d: key", (int)i);
        is_str(back.id, c->id, "cursor %d: id", (int)i);
        is_int(back.backward, c->backward, "cursor %d: direction", (int)i);
        is_int(back.page, c->page, "cursor %d: page", (int)i);
        is_int(back.total, c->total, "cursor %d: total", (int)i);
    }
}

static void test_bad_cursor(void)
{
    static const char *const plain[] = {
        "",
        "1",
        "1f",
        "2f2.200.user_1.k",
        "1x2.200.user_1.k",
        "1f2.200.user_1",
        "1f2.200..k",
        "1f0.200.user_1.k",
        "1f-1.200.user_1.k",
        "1f2.-2.user_1.k",
        "1f 2.200.user_1.k",
        "1f+2.200.user_1.k",
        "1f2x.200.user_1.k",
        "1f.200.user_1.k",
        "1f99999999999999999999.200.user_1.k",
        "1f9223372036854775807.200.user_1.k",
        "1f2.200.user'1.k",
        "1f2.200.user_1.\xff",
        "1f2.200.user_1.\n",
    };
    identity_cursor_t cursor;

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        const char *text = identity_base64url_encode(pool, plain[i], strlen(plain[i]));
        ok(!identity_cursor_decode(pool, text, &cursor), "cursor of \"%s\" is refused", plain[i]);
    }
    ok(!identity_cursor_decode(pool, identity_base64url_encode(pool, "1f2.2.u.k\0x", 11), &cursor),
       "a NUL in a cursor is refused");
    ok(!identity_cursor_decode(pool, "no cursor", &cursor), "what is no base64url is refused");
    ok(!identity_cursor_decode(pool, NULL, &cursor), "NULL is refused");
    ok(!identity_cursor_decode(pool, repeat("MWYy", 2000), &cursor), "8,000 characters are refused");
}

int main(void)
{
    fixture_begin();
    test_good();
    test_bad();
    test_escape();
    test_cursor();
    test_bad_cursor();
    return fixture_end();
}

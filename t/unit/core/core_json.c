/* SPDX-License-Identifier: Apache-2.0 */
/* Request bodies, good and bad (security 74), and the text of answers. */
#include "core_fixture.h"

#define CANARY "hunter2"

typedef struct body_case {
    const char *what, *body;
    size_t length;    /* 0: of the C string */
    const char *told; /* part of the message */
} body_case_t;

static const body_case_t bad[] = {
    {"an array", "[1]", 0, "must be a JSON object"},
    {"a string", "\"a\"", 0, "not valid JSON"},
    {"a number", "1", 0, "not valid JSON"},
    {"null", "null", 0, "not valid JSON"},
    {"spaces", "   ", 0, "not valid JSON"},
    {"a cut object", "{\"a\":1", 0, "not valid JSON"},
    {"a cut string", "{\"a\":\"" CANARY, 0, "not valid JSON"},
    {"a string cut in an escape", "{\"a\":\"\\", 0, "not valid JSON"},
    {"a word after the object", "{\"a\":1} " CANARY, 0, "not valid JSON"},
    {"two objects", "{}{}", 0, "not valid JSON"},
    {"a comma at the end", "{\"a\":1,}", 0, "not valid JSON"},
    {"single quotes", "{'a':1}", 0, "not valid JSON"},
    {"a comment", "{/**/}", 0, "not valid JSON"},
    {"an unknown word", "{\"a\":" CANARY "}", 0, "not valid JSON"},
    {"a leading zero", "{\"a\":01}", 0, "not valid JSON"},
    {"a raw newline in a string", "{\"a\":\"x\ny\"}", 0, "not valid JSON"},
    {"a lone surrogate", "{\"a\":\"\\ud800\"}", 0, "not valid"},
    {"a byte order mark", "\xef\xbb\xbf{}", 0, "not valid JSON"},
    {"closing brackets first", "]]]]{}", 0, "not valid JSON"},
    {"a number too large", "{\"a\":123456789012345678901234567890}", 0, "number that is too large"},
    {"a key twice", "{\"password\":\"" CANARY "\",\"password\":\"" CANARY "2\"}", 0, "contains a key twice"},
    {"a key twice, once escaped", "{\"ab\":1,\"\\u0061b\":2}", 0, "contains a key twice"},
    {"a key twice, inside", "{\"l\":[{\"a\":1,\"a\":1}]}", 0, "contains a key twice"},
    {"an escaped NUL", "{\"a\":\"x\\u0000" CANARY "\"}", 0, "NUL"},
    {"an escaped NUL in a key", "{\"a\\u0000b\":1}", 0, "NUL"},
    {"a raw NUL in a string", "{\"a\":\"x\0y\"}", 11, "NUL"},
    {"a raw NUL at the end", "{}\0", 3, "NUL"},
    {"a wrong UTF-8 byte", "{\"a\":\"\xff\"}", 0, "UTF-8"},
    {"overlong UTF-8", "{\"a\":\"\xc0\xaf\"}", 0, "UTF-8"},
    {"a surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", 0, "UTF-8"},
    {"cut UTF-8", "{\"a\":\"\xe2\x82\"}", 0, "UTF-8"},
    {"a wrong byte in a key", "{\"\xff\":1}", 0, "UTF-8"},
};

static const body_case_t good[] = {
    {"an empty object", "{}", 0, NULL},
    {"spaces around", " \r\n\t{ \"a\" : 1 }\n", 0, NULL},
    {"brackets in a string", "{\"a\":\"[[[[[[[[[[[[[[[[[[[[{{{{{{{{{{{{{{{{\"}", 0, NULL},
    {"brackets after an escaped quote", "{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[\"}", 0, NULL},
    {"a backslash at the end of a string", "{\"a\":\"\\\\\",\"b\":[]}", 0, NULL},
    {"all escapes", "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}", 0, NULL},
    {"the same key in two objects", "{\"a\":{\"a\":1},\"b\":{\"a\":1}}", 0, NULL},
    {"the largest number", "{\"a\":9223372036854775807}", 0, NULL},
};

static json_t *parse(const char *body, size_t length, identity_problem_t *problem)
{
    *problem = (identity_problem_t){.kind = IDENTITY_PROBLEM_NONE};
    return identity_json_parse(pool, body, length, problem);
}

static void test_bad(void)
{
    identity_problem_t problem;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const body_case_t *c = &bad[i];
        json_t *root = parse(c->body, c->length != 0 ? c->length : strlen(c->body), &problem);

        ok(root == NULL && problem.kind == IDENTITY_PROBLEM_BAD_REQUEST, "%s is refused # security 74", c->what);
        ok(problem.message != NULL && strstr(problem.message, c->told) != NULL, "%s is told", c->what);
        ok(problem.message != NULL && strstr(problem.message, CANARY) == NULL, "%s is not repeated # security 84",
           c->what);
    }
    ok(parse("", 0, &problem) == NULL && problem.kind == IDENTITY_PROBLEM_BAD_REQUEST, "no body is refused");
    ok(parse(NULL, 0, &problem) == NULL && problem.kind == IDENTITY_PROBLEM_BAD_REQUEST, "NULL is refused");
}

static void test_good(void)
{
    identity_problem_t problem;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        json_t *root = parse(good[i].body, strlen(good[i].body), &problem);
        ok(json_is_object(root) && problem.kind == IDENTITY_PROBLEM_NONE, "%s is taken", good[i].what);
    }
}

/* {"a": and arrays below it: depth levels in all, closed properly */
static const char *nested(int depth)
{
    return apr_pstrcat(pool, "{\"a\":", repeat("[", depth - 1), repeat("]", depth - 1), "}", NULL);
}

static const char *with_members(int count)
{
    const char *text = "{\"k0\":0";
    apr_array_header_t *parts = apr_array_make(pool, count, sizeof(const char *));
    APR_ARRAY_PUSH(parts, const char *) = text;
    for (int i = 1; i < count; i++) {
        APR_ARRAY_PUSH(parts, const char *) = apr_psprintf(pool, ",\"k%d\":0", i);
    }
    APR_ARRAY_PUSH(parts, const char *) = "}";
    return apr_array_pstrcat(pool, parts, 0);
}

static void test_limits(void)
{
    identity_problem_t problem;
    const char *text;

    text = nested(IDENTITY_JSON_DEPTH);
    ok(parse(text, strlen(text), &problem) != NULL, "depth 16 is taken # security 74");
    text = nested(IDENTITY_JSON_DEPTH + 1);
    ok(parse(text, strlen(text), &problem) == NULL, "depth 17 is refused # security 74");
    ok(strstr(problem.message, "nested too deeply") != NULL, "depth 17 is told");
    text = repeat("{\"a\":", 17);
    ok(parse(text, strlen(text), &problem) == NULL && strstr(problem.message, "nested"),
       "17 open objects are refused for their depth, before anything is parsed # security 74");
    text = repeat("[", 60000);
    ok(parse(text, strlen(text), &problem) == NULL, "60,000 brackets are refused # security 74");
    text = with_members(IDENTITY_JSON_MEMBERS);
    ok(parse(text, strlen(text), &problem) != NULL, "4,096 members are taken # security 74");
    text = with_members(IDENTITY_JSON_MEMBERS + 1);
    ok(parse(text, strlen(text), &problem) == NULL, "4,097 members are refused # security 74");
    ok(strstr(problem.message, "too many members") != NULL, "too many members are told");
    text = apr_pstrcat(pool, "{\"a\":\"", repeat(":", 5000), "\"}", NULL);
    ok(parse(text, strlen(text), &problem) != NULL, "colons in a string are no members");
}

static void test_text(void)
{
    identity_problem_t problem;
    size_t length = 0;
    const char *body = "{ \"z\" : 1 , \"a\" : [ true , null , \"\\u00e9\\/\" ] }";
    json_t *root = parse(body, strlen(body), &problem);

    is_str(identity_json_text(pool, root, &length), "{\"z\":1,\"a\":[true,null,\"\xc3\xa9/\"]}",
           "compact, in order, UTF-8 kept");
    is_int(length, 29, "its length");

    json_t *text = identity_json_own(pool, json_string("done"));
    is_str(identity_json_text(pool, text, NULL), "\"done\"", "a bare string is a text too");

    const char *wide = repeat("0123456789abcdef", 4000);
    json_t *list = identity_json_own(pool, json_array());
    for (int i = 0; i < 3; i++) {
        json_array_append_new(list, json_string(wide));
    }
    const char *expected = apr_pstrcat(pool, "[\"", wide, "\",\"", wide, "\",\"", wide, "\"]", NULL);
    const char *got = identity_json_text(pool, list, &length);
    ok(strcmp(got, expected) == 0, "a text of 192,000 bytes is whole");
    is_int(length, strlen(expected), "its length");

    got = identity_json_text_within(pool, list, strlen(expected), &length);
    ok(got && strcmp(got, expected) == 0, "... within just as many");
    is_int(length, strlen(expected), "its length");
    ok(!identity_json_text_within(pool, list, strlen(expected) - 1, &length), "... but not within one less");
    ok(length > strlen(expected) - 1, "which the length tells");
}

static void test_members(void)
{
    identity_problem_t problem;
    const char *body = "{\"s\":\"x\",\"t\":true,\"f\":false,\"n\":null,\"i\":1}";
    json_t *root = parse(body, strlen(body), &problem);

    is_str(identity_json_string(root, "s"), "x", "a string");
    is_str(identity_json_string(root, "n"), NULL, "null is no string");
    is_str(identity_json_string(root, "i"), NULL, "a number is no string");
    is_str(identity_json_string(root, "absent"), NULL, "what is absent is no string");
    ok(identity_json_boolean(root, "t", false), "true");
    ok(!identity_json_boolean(root, "f", true), "false");
    ok(identity_json_boolean(root, "n", true), "null falls back");
    ok(!identity_json_boolean(root, "absent", false), "what is absent falls back");
    ok(identity_json_has(root, "f"), "false is there");
    ok(!identity_json_has(root, "n"), "null is not");
    ok(!identity_json_has(root, "absent"), "what is absent is not");
    ok(identity_json_own(pool, NULL) == NULL, "NULL stays NULL");
}

int main(void)
{
    fixture_begin();
    test_bad();
    test_good();
    test_limits();
    test_text();
    test_members();
    return fixture_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies checked by table: each rule good and bad, and the path that is named. */
#include "core_fixture.h"

static const char *const types[] = {"ADMIN", "USER", "PARTNER", NULL};

static const identity_field_t role_fields[] = {
    {.name = "id", .type = IDENTITY_FIELD_STRING, .min = 1, .max = 30},
    {.name = "name", .type = IDENTITY_FIELD_STRING, .min = 1},
    {.name = NULL},
};

static const identity_field_t membership_fields[] = {
    {.name = "account_id", .type = IDENTITY_FIELD_STRING, .flags = IDENTITY_FIELD_REQUIRED, .min = 1},
    {.name = "type", .type = IDENTITY_FIELD_ENUM, .values = types},
    {.name = "roles", .type = IDENTITY_FIELD_LIST, .items = role_fields, .max = 3},
    {.name = "role_ids", .type = IDENTITY_FIELD_LIST},
    {.name = NULL},
};

static const identity_field_t sso_fields[] = {
    {.name = "variant", .type = IDENTITY_FIELD_STRING, .flags = IDENTITY_FIELD_REQUIRED},
    {.name = NULL},
};

static const identity_field_t table[] = {
    {.name = "username",
     .type = IDENTITY_FIELD_STRING,
     .flags = IDENTITY_FIELD_REQUIRED,
     .max = 20,
     .valid = identity_username_valid,
     .rule = "an e-mail address"},
    {.name = "password", .type = IDENTITY_FIELD_STRING, .flags = IDENTITY_FIELD_SECRET, .min = 8},
    {.name = "description", .type = IDENTITY_FIELD_STRING, .flags = IDENTITY_FIELD_NULLABLE},
    {.name = "note", .type = IDENTITY_FIELD_STRING, .flags = IDENTITY_FIELD_NULLABLE | IDENTITY_FIELD_REQUIRED},
    {.name = "active", .type = IDENTITY_FIELD_BOOLEAN},
    {.name = "end_at", .type = IDENTITY_FIELD_TIME},
    {.name = "account_memberships", .type = IDENTITY_FIELD_LIST, .items = membership_fields},
    {.name = "permissions",
     .type = IDENTITY_FIELD_LIST,
     .min = 1,
     .valid = identity_permission_valid,
     .rule = "a name such as REPORT.VIEW"},
    {.name = "sso", .type = IDENTITY_FIELD_OBJECT, .items = sso_fields},
    {.name = NULL},
};

typedef struct field_case {
    const char *what, *rest; /* members beside a good username and note */
    const char *field;       /* NULL: taken */
    const char *message;     /* NULL: not looked at */
} field_case_t;

static const field_case_t cases[] = {
    {"nothing more", "", NULL, NULL},
    {"an unknown member", ",\"more\":{\"deep\":[1]}", NULL, NULL},
    {"everything good",
     ",\"password\":\"12345678\",\"description\":\"x\",\"active\":true,\"end_at\":\"2024-01-15T09:30:00+01:00\","
     "\"account_memberships\":[{\"account_id\":\"plat_1\",\"type\":\"USER\",\"roles\":[{\"name\":\"A\"}],"
     "\"role_ids\":[\"role_1\"]}],\"permissions\":[\"A.B\"],\"sso\":{\"variant\":\"OKTA\"}",
     NULL, NULL},
    {"null where it is a value", ",\"description\":null", NULL, NULL},
    {"null where it counts as absent", ",\"active\":null,\"password\":null,\"account_memberships\":null", NULL, NULL},
    {"an empty object in a list", ",\"account_memberships\":[{}]", NULL, NULL},
    {"an empty list", ",\"account_memberships\":[]", NULL, NULL},
    {"a number for a string", ",\"description\":1", "description", "description must be a string."},
    {"a short string", ",\"password\":\"hunter2\"", "password", "password must have at least 8 bytes."},
    {"an empty string", ",\"password\":\"\"", "password", "password must not be empty."},
    {"a string for a boolean", ",\"active\":\"true\"", "active", "active must be true or false."},
    {"a number for a boolean", ",\"active\":1", "active", "active must be true or false."},
    {"a fraction in a time", ",\"end_at\":\"2024-01-15T09:30:00.5Z\"", "end_at",
     "end_at must be a time in seconds such as 2024-01-15T09:30:00Z."},
    {"a number for a time", ",\"end_at\":1700000000", "end_at", NULL},
    {"an object for a list", ",\"account_memberships\":{}", "account_memberships",
     "account_memberships must be a list."},
    {"a string in a list of objects", ",\"account_memberships\":[\"x\"]", "account_memberships.0",
     "account_memberships.0 must be an object."},
    {"null in a list of objects", ",\"account_memberships\":[null]", "account_memberships.0", NULL},
    {"a required member inside a list", ",\"account_memberships\":[{},{\"type\":\"USER\"}]",
     "account_memberships.1.account_id", "account_memberships.1.account_id is required."},
    {"a wrong word", ",\"account_memberships\":[{\"account_id\":\"p\",\"type\":\"user\"}]",
     "account_memberships.0.type", "account_memberships.0.type must be one of ADMIN, USER, PARTNER."},
    {"a number for a word", ",\"account_memberships\":[{\"account_id\":\"p\",\"type\":1}]",
     "account_memberships.0.type", NULL},
    {"a deep place", ",\"account_memberships\":[{\"account_id\":\"p\",\"roles\":[{\"id\":\"r\"},{\"name\":\"\"}]}]",
     "account_memberships.0.roles.1.name", "account_memberships.0.roles.1.name must not be empty."},
    {"too many items",
     ",\"account_memberships\":[{\"account_id\":\"p\",\"roles\":[{\"id\":\"1\"},{\"id\":\"2\"},{\"id\":\"3\"},"
     "{\"id\":\"4\"}]}]",
     "account_memberships.0.roles", "account_memberships.0.roles must have at most 3 items."},
    {"too few items", ",\"permissions\":[]", "permissions", "permissions must have at least 1 items."},
    {"an item against the rule", ",\"permissions\":[\"A.B\",\"a.b\"]", "permissions.1",
     "permissions.1 must be a name such as REPORT.VIEW."},
    {"a number in a list of strings", ",\"account_memberships\":[{\"account_id\":\"p\",\"role_ids\":[\"a\",2]}]",
     "account_memberships.0.role_ids.1", "account_memberships.0.role_ids.1 must be a string."},
    {"a list for an object", ",\"sso\":[]", "sso", "sso must be an object."},
    {"a required member of an object", ",\"sso\":{}", "sso.variant", "sso.variant is required."},
};

static bool check(const char *body, identity_problem_t *problem)
{
    identity_problem_t none;
    json_t *root = identity_json_parse(pool, body, strlen(body), &none);

    *problem = (identity_problem_t){.kind = IDENTITY_PROBLEM_NONE};
    if (root == NULL) {
        bail("a body of the table is no JSON");
    }
    return identity_fields_check(pool, root, table, problem);
}

static void test_cases(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const field_case_t *c = &cases[i];
        identity_problem_t problem;
        bool taken = check(apr_pstrcat(pool, "{\"username\":\"a@b.c\",\"note\":\"n\"", c->rest, "}", NULL), &problem);

        ok(taken == (c->field == NULL), "%s: %s", c->what, c->field == NULL ? "taken" : "refused");
        is_str(problem.field, c->field, "%s: the field", c->what);
        if (c->message != NULL) {
            is_str(problem.message, c->message, "%s: the message", c->what);
        }
        if (c->field != NULL) {
            is_int(problem.kind,
                   strstr(problem.message, "is required") ? IDENTITY_PROBLEM_MISSING_FIELD
                                                          : IDENTITY_PROBLEM_INVALID_FIELD,
                   "%s: the kind", c->what);
            ok(strstr(problem.message, "hunter2") == NULL, "%s: no value is repeated # security 84", c->what);
        }
    }
}

static void test_required(void)
{
    identity_problem_t problem;

    ok(!check("{}", &problem) && problem.kind == IDENTITY_PROBLEM_MISSING_FIELD, "a required field is missed");
    is_str(problem.field, "username", "it is named");
    ok(!check("{\"username\":null}", &problem) && problem.kind == IDENTITY_PROBLEM_MISSING_FIELD,
       "null counts as missing");
    ok(!check("{\"username\":\"a@b.c\"}", &problem) && problem.kind == IDENTITY_PROBLEM_MISSING_FIELD,
       "required and nullable: absent is missing");
    is_str(problem.field, "note", "it is named");
    ok(check("{\"username\":\"a@b.c\",\"note\":null}", &problem), "required and nullable: null is a value");
    ok(!check("{\"username\":\"nobody\",\"note\":null}", &problem) && problem.kind == IDENTITY_PROBLEM_INVALID_FIELD,
       "a further rule");
    is_str(problem.message, "username must be an e-mail address.", "the rule is told");
    ok(!check("{\"username\":\"a@bbbbbbbbbbbbbbbbb.c\",\"note\":null}", &problem), "21 bytes where 20 are allowed");
    is_str(problem.message, "username must have at most 20 bytes.", "the most is told");
}

static void test_defaults(void)
{
    identity_problem_t problem;
    const char *start = "{\"username\":\"a@b.c\",\"note\":\"";

    ok(check(apr_pstrcat(pool, start, repeat("x", 256), "\"}", NULL), &problem), "256 bytes without a most");
    ok(!check(apr_pstrcat(pool, start, repeat("x", 257), "\"}", NULL), &problem), "257 are refused # security 74");
    start = "{\"username\":\"a@b.c\",\"note\":null,\"account_memberships\":[{}";
    ok(check(apr_pstrcat(pool, start, repeat(",{}", 499), "]}", NULL), &problem), "500 items without a most");
    ok(!check(apr_pstrcat(pool, start, repeat(",{}", 500), "]}", NULL), &problem), "501 are refused # security 74");
    is_str(problem.field, "account_memberships", "the list is named");
}

int main(void)
{
    fixture_begin();
    test_cases();
    test_required();
    test_defaults();
    return fixture_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Problems: status, code and the flat error object of conf/interface.md. */
#include "core_fixture.h"

typedef struct kind_case {
    identity_problem_kind_t kind;
    int status;
    const char *type, *code;
} kind_case_t;

static const kind_case_t kind_cases[] = {
    {IDENTITY_PROBLEM_BAD_REQUEST, 400, "INVALID_REQUEST", "BAD_REQUEST"},
    {IDENTITY_PROBLEM_MISSING_FIELD, 400, "INVALID_REQUEST", "MISSING_FIELD"},
    {IDENTITY_PROBLEM_INVALID_FIELD, 400, "INVALID_REQUEST", "INVALID_FIELD"},
    {IDENTITY_PROBLEM_UNAUTHORISED, 401, "INVALID_REQUEST", "UNAUTHORISED"},
    {IDENTITY_PROBLEM_NOT_ALLOWED, 403, "INVALID_REQUEST", "USER_NOT_ALLOWED"},
    {IDENTITY_PROBLEM_USER_NOT_FOUND, 404, "INVALID_REQUEST", "USER_NOT_FOUND"},
    {IDENTITY_PROBLEM_NOT_FOUND, 404, "INVALID_REQUEST", "RESOURCE_NOT_FOUND"},
    {IDENTITY_PROBLEM_VERSION, 404, "INVALID_REQUEST", "UNSUPPORTED_VERSION"},
    {IDENTITY_PROBLEM_METHOD, 405, "INVALID_REQUEST", "INVALID_OPERATION"},
    {IDENTITY_PROBLEM_TIMEOUT, 408, "INVALID_REQUEST", "BAD_REQUEST"},
    {IDENTITY_PROBLEM_EXISTS, 409, "INVALID_REQUEST", "RESOURCE_ALREADY_EXISTS"},
    {IDENTITY_PROBLEM_STATE, 409, "INVALID_REQUEST", "INVALID_OPERATION"},
    {IDENTITY_PROBLEM_KEY_REUSED, 409, "INVALID_REQUEST", "IDEMPOTENCY_CHECK_FAILED"},
    {IDENTITY_PROBLEM_PRECONDITION, 412, "INVALID_REQUEST", "INVALID_OPERATION"},
    {IDENTITY_PROBLEM_TOO_LARGE, 413, "INVALID_REQUEST", "BAD_REQUEST"},
    {IDENTITY_PROBLEM_MEDIA_TYPE, 415, "INVALID_REQUEST", "UNSUPPORTED_MEDIA_TYPE"},
    {IDENTITY_PROBLEM_KEY_RUNNING, 422, "INVALID_REQUEST", "IDEMPOTENCY_CHECK_FAILED"},
    {IDENTITY_PROBLEM_THROTTLED, 429, "INVALID_REQUEST", "UNABLE_TO_PROCESS_INSTRUCTIONS"},
    {IDENTITY_PROBLEM_INTERNAL, 500, "API_ERROR", "INTERNAL_ERROR"},
    {IDENTITY_PROBLEM_UNAVAILABLE, 503, "API_ERROR", "INTERNAL_ERROR"},
};

static const char *text_of(const identity_problem_t *problem)
{
    json_t *object = identity_json_own(pool, identity_problem_json(problem));
    return identity_json_text(pool, object, NULL);
}

static void test_kinds(void)
{
    for (size_t i = 0; i < sizeof kind_cases / sizeof kind_cases[0]; i++) {
        const kind_case_t *c = &kind_cases[i];
        identity_problem_t problem = {.kind = c->kind};
        json_t *object = identity_json_own(pool, identity_problem_json(&problem));

        is_int(identity_problem_status(c->kind), c->status, "kind %d has status %d", c->kind, c->status);
        is_str(identity_json_string(object, "type"), c->type, "kind %d has type %s", c->kind, c->type);
        is_str(identity_json_string(object, "code"), c->code, "kind %d has code %s", c->kind, c->code);
        ok(strlen(identity_json_string(object, "message")) > 10, "kind %d has a sentence of its own", c->kind);
        is_int(json_object_size(json_object_get(object, "fields")), 0, "kind %d has empty fields", c->kind);
    }
    is_int(identity_problem_status((identity_problem_kind_t)99), 500, "an unknown kind is our fault");
}

static void test_object(void)
{
    identity_problem_t problem;

    ok(!identity_refuse(pool, &problem, IDENTITY_PROBLEM_INVALID_FIELD, "a.0.b", "%s must be %d.", "a.0.b", 7),
       "refusing is false");
    problem.resource_id = "user_1";
    problem.resource_type = "USER";
    is_str(text_of(&problem),
           "{\"type\":\"INVALID_REQUEST\",\"code\":\"INVALID_FIELD\",\"message\":\"a.0.b must be 7.\","
           "\"field\":\"a.0.b\",\"resource_id\":\"user_1\",\"resource_type\":\"USER\","
           "\"fields\":{\"a.0.b\":\"a.0.b must be 7.\"}}",
           "the whole object in its order");

    identity_refuse(pool, &problem, IDENTITY_PROBLEM_USER_NOT_FOUND, NULL, NULL);
    is_str(text_of(&problem),
           "{\"type\":\"INVALID_REQUEST\",\"code\":\"USER_NOT_FOUND\",\"message\":\"There is no such user.\","
           "\"fields\":{}}",
           "refusing wipes what an earlier problem left; no field, empty fields");

    problem = (identity_problem_t){.kind = IDENTITY_PROBLEM_INVALID_FIELD, .message = "\xff", .field = "\xfe"};
    is_str(text_of(&problem),
           "{\"type\":\"INVALID_REQUEST\",\"code\":\"INVALID_FIELD\","
           "\"message\":\"A field has a value that is not allowed.\",\"fields\":{}}",
           "texts that are no UTF-8 do not break the answer");
}

static void test_statuses(void)
{
    static const int known[] = {401, 403, 404, 405, 408, 412, 413, 415, 429, 500, 503};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        is_int(identity_problem_status(identity_problem_of_status(known[i])), known[i], "httpd's %d keeps its status",
               known[i]);
    }
    is_int(identity_problem_of_status(404), IDENTITY_PROBLEM_NOT_FOUND, "httpd's 404 is of a resource");
    is_int(identity_problem_of_status(409), IDENTITY_PROBLEM_STATE, "httpd's 409");
    is_int(identity_problem_of_status(418), IDENTITY_PROBLEM_BAD_REQUEST, "an unknown 4xx is a bad request");
    is_int(identity_problem_of_status(599), IDENTITY_PROBLEM_INTERNAL, "an unknown 5xx is our fault");
    is_int(identity_problem_of_status(204), IDENTITY_PROBLEM_NONE, "a good status is no problem");
}

int main(void)
{
    fixture_begin();
    test_kinds();
    test_object();
    test_statuses();
    return fixture_end();
}

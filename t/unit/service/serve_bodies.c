/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that are refused before an operation runs, and the form of the refusal (security 74). */
#include "serve.h"

#define INVITE "/v1/users/invite"
#define CANARY "canary7f3"

static const char *repeat(const char *part, size_t times)
{
    size_t length = strlen(part);
    char *all = apr_palloc(door->pool, length * times + 1);

    for (size_t i = 0; i < times; i++)
        memcpy(all + i * length, part, length);
    all[length * times] = '\0';
    return all;
}

/* ---- type and size ---------------------------------------------------------------------------------------------- */

static void test_content_type(void)
{
    static const char *const wrong[] = {"",
                                        "text/plain",
                                        "application/x-www-form-urlencoded",
                                        "application/jsonx",
                                        "application/jso",
                                        "application/json-patch+json",
                                        "xapplication/json",
                                        "text/json",
                                        "json"},
                             *const right[] = {"application/json", "application/json; charset=utf-8",
                                               "application/json;charset=UTF-8", "Application/JSON",
                                               "application/json ; charset=utf-8"};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        door->content_type = wrong[i];
        door_answer_t answer = post(INVITE, door->key, "{\"username\":\"ada@example.org\"}");
        refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "", "Content-Type \"%s\"", wrong[i]);
    }
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        door->content_type = right[i];
        door_answer_t answer = post(INVITE, door->key, "{}");
        refused(answer, 400, "MISSING_FIELD", "username", "Content-Type \"%s\" is read", right[i]);
    }
    door->content_type = NULL;
    door_answer_t answer = post(INVITE, door->key, NULL);
    refused(answer, 400, "BAD_REQUEST", "", "no body");
    answer = post(INVITE, door->key, "");
    refused(answer, 400, "BAD_REQUEST", "", "an empty one");
}

static void test_size(void)
{
    const char *start = "{\"username\":\"x\",\"more\":\"", *end = "\"}";
    size_t room = 65536 - strlen(start) - strlen(end);

    door_answer_t answer = post(INVITE, door->key, text("%s%s%s", start, repeat("a", room), end));
    refused(answer, 400, "INVALID_FIELD", "username", "64 KiB are read");
    answer = post(INVITE, door->key, text("%s%s%s", start, repeat("a", room + 1), end));
    refused(answer, 413, "BAD_REQUEST", "", "one byte more is not # security 74");
    answer = post("/v1/oauth/token", NULL, text("%s%s%s", start, repeat("a", room + 1), end));
    refused(answer, 413, "BAD_REQUEST", "", "nor for those without a credential # security 74");
}

/* ---- form ------------------------------------------------------------------------------------------------------- */

static void test_malformed(void)
{
    static const char *const bodies[] = {"{", "}", "{\"a\":}", "{\"a\":1,}", "{} x", "{}{}", "{'a':1}", "{a:1}", "nul",
                                         "\xef\xbb\xbf{}", "{\"a\":01}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}",
                                         "{\"a\":1e999}", ("{\"username\":\"" CANARY "@example.org\""), ("// " CANARY),
                                         /* what is no object */
                                         "[]", "\"x\"", "1", "null", "true", "[{\"username\":\"a@example.org\"}]",
                                         /* the same key twice, at any depth */
                                         "{\"username\":\"a@example.org\",\"username\":\"b@example.org\"}",
                                         "{\"x\":{\"a\":1,\"a\":1}}", "{\"x\":[{\"a\":1,\"b\":2,\"\\u0061\":1}]}",
                                         /* NUL, and what is no UTF-8 */
                                         "{\"username\":\"a\\u0000@example.org\"}", "{\"a\\u0000\":1}",
                                         "{\"username\":\"\xff@example.org\"}", "{\"\xc0\x80\":1}",
                                         "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\\ud800\"}",
                                         "{\"a\":\"\xf5\x80\x80\x80\"}", "{\"a\":\"\xe2\x82\"}"};
    static const char nul[] = "{\"username\":\"a\0@example.org\"}", tail[] = "{}\0";

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        door_answer_t answer = post(INVITE, door->key, bodies[i]);
        refused(answer, 400, "BAD_REQUEST", "", "malformed body %d", (int)i);
        ok(!strstr(answer.text, CANARY), "... and not repeated");
    }
    door_answer_t answer = door_call_bytes(door, "POST", INVITE, door->key, nul, sizeof nul - 1);
    refused(answer, 400, "BAD_REQUEST", "", "a NUL byte in a string");
    answer = door_call_bytes(door, "POST", INVITE, door->key, tail, sizeof tail - 1);
    refused(answer, 400, "BAD_REQUEST", "", "a NUL byte behind the object");
}

static const char *nested(size_t depth)
{
    return text("{\"x\":%s%s}", repeat("[", depth - 1), repeat("]", depth - 1));
}

static void test_depth(void)
{
    door_answer_t answer = post(INVITE, door->key, nested(16));
    refused(answer, 400, "MISSING_FIELD", "username", "nested 16 deep");
    answer = post(INVITE, door->key, nested(17));
    refused(answer, 400, "BAD_REQUEST", "", "nested 17 deep # security 74");
    answer = post(INVITE, door->key, nested(30000));
    refused(answer, 400, "BAD_REQUEST", "", "nested 30,000 deep # security 74");
    answer = post(INVITE, door->key, text("{\"username\":\"%s\"}", repeat("[{", 400)));
    refused(answer, 400, "INVALID_FIELD", "username", "brackets in a string are no nesting");
    answer = post(INVITE, door->key, text("{\"x\":[%s{\"a\":1}]}", repeat("{\"a\":1},", 4095)));
    refused(answer, 400, "BAD_REQUEST", "", "4,097 members # security 74");
}

/* ---- fields ----------------------------------------------------------------------------------------------------- */

typedef struct wrong_field {
    const char *path, *body, *code, *field;
} wrong_field_t;

#define MISSING "MISSING_FIELD"
#define INVALID "INVALID_FIELD"

static const wrong_field_t oauth_fields[] = {
    {"/v1/oauth/token", "{}", MISSING, "username"},
    {"/v1/oauth/token", "{\"username\":\"a@example.org\"}", MISSING, "password"},
    {"/v1/oauth/token", "{\"password\":\"" CANARY "\"}", MISSING, "username"},
    {"/v1/oauth/token", "{\"username\":null,\"password\":\"" CANARY "\"}", MISSING, "username"},
    {"/v1/oauth/token", "{\"username\":1,\"password\":\"x\"}", INVALID, "username"},
    {"/v1/oauth/token", "{\"username\":\"a\",\"password\":[\"" CANARY "\"]}", INVALID, "password"},
    {"/v1/oauth/token", "{\"token_alias\":{}}", INVALID, "token_alias"},
    {"/v1/oauth/token", "{\"token_alias\":\"" CANARY "\",\"username\":\"a\"}", INVALID, "token_alias"},
    {"/v1/oauth/token", "{\"token_alias\":\"" CANARY "\",\"password\":\"a\"}", INVALID, "token_alias"},
    {"/v1/oauth/describe-link", "{}", MISSING, "token"},
    {"/v1/oauth/describe-link", "{\"token\":[\"" CANARY "\"]}", INVALID, "token"},
    {"/v1/oauth/confirm-address", "{}", MISSING, "token"},
    {"/v1/oauth/confirm-address", "{\"token\":null}", MISSING, "token"},
    {"/v1/oauth/confirm-address", "{\"token\":{\"a\":\"" CANARY "\"}}", INVALID, "token"},
    {"/v1/oauth/confirm-address", "{\"token\":\"" CANARY "\"}", INVALID, "token"},
    {"/v1/oauth/request-password-reset", "{}", MISSING, "email"},
    {"/v1/oauth/request-password-reset", "{\"email\":null}", MISSING, "email"},
    {"/v1/oauth/request-password-reset", "{\"email\":1}", INVALID, "email"},
    {"/v1/oauth/reset-password", "{}", MISSING, "token"},
    {"/v1/oauth/reset-password", "{\"token\":\"" CANARY "\"}", MISSING, "new_password"},
    {"/v1/oauth/reset-password", "{\"token\":1,\"new_password\":\"" CANARY "\"}", INVALID, "token"},
    {"/v1/oauth/reset-password", "{\"token\":\"" CANARY "\",\"new_password\":1}", INVALID, "new_password"},
    {"/v1/oauth/reset-password", "{\"token\":\"" CANARY "\",\"new_password\":\"" CANARY "\"}", INVALID, "token"},
    {"/v1/oauth/activate-user", "{}", MISSING, "token"},
    {"/v1/oauth/activate-user", "{\"token\":false}", INVALID, "token"},
    {"/v1/oauth/activate-user", "{\"token\":\"" CANARY "\",\"new_password\":7}", INVALID, "new_password"},
    {"/v1/oauth/activate-user", "{\"token\":\"" CANARY "\"}", INVALID, "token"},
};

static const wrong_field_t resource_fields[] = {
    {"/v1/users", "{}", MISSING, "username"},
    {"/v1/users", "{\"username\":5}", INVALID, "username"},
    {"/v1/users", "{\"username\":\"\"}", INVALID, "username"},
    {"/v1/users", "{\"username\":\"" CANARY "\"}", INVALID, "username"},
    {"/v1/users", "{\"username\":\"a@example\"}", INVALID, "username"},
    {"/v1/users", "{\"username\":\"a b@example.org\"}", INVALID, "username"},
    {"/v1/users", "{\"username\":\"a\\n@example.org\"}", INVALID, "username"},
    {"/v1/users", "{\"username\":\"a@example.org\\u007f\"}", INVALID, "username"},
    {"/v1/users", "{\"username\":\"a@example.org\",\"password\":1}", INVALID, "password"},
    {"/v1/users", "{\"username\":\"a@example.org\",\"status\":\"" CANARY "\"}", INVALID, "status"},
    {"/v1/users", "{\"username\":\"a@example.org\",\"status\":\"active\"}", INVALID, "status"},
    {"/v1/users", "{\"username\":\"a@example.org\",\"active\":\"true\"}", INVALID, "active"},
    {"/v1/users/revoke-invite", "{}", MISSING, "username"},
    {"/v1/users/revoke-invite", "{\"username\":[]}", INVALID, "username"},
    {"/v1/roles", "{}", MISSING, "name"},
    {"/v1/roles", "{\"name\":\"\"}", INVALID, "name"},
    {"/v1/roles", "{\"name\":\" \"}", INVALID, "name"},
    {"/v1/roles", "{\"name\":\"a\\tb\"}", INVALID, "name"},
    {"/v1/roles", "{\"name\":\"x\",\"slug\":\"A b\"}", INVALID, "slug"},
    {"/v1/roles", "{\"name\":\"x\",\"description\":{}}", INVALID, "description"},
    {"/v1/roles", "{\"name\":\"x\",\"permissions\":\"REPORT.VIEW\"}", INVALID, "permissions"},
    {"/v1/roles", "{\"name\":\"x\",\"permissions\":[\"REPORT.VIEW\",1]}", INVALID, "permissions.1"},
    {"/v1/roles", "{\"name\":\"x\",\"child_role_ids\":{}}", INVALID, "child_role_ids"},
    {"/v1/roles", "{\"name\":\"x\",\"child_role_ids\":[null]}", INVALID, "child_role_ids.0"},
    {"/v1/api-keys", "{\"status\":\"INVITED\"}", INVALID, "status"},
    {"/v1/api-keys", "{\"role_type\":\"" CANARY "\"}", INVALID, "role_type"},
    {"/v1/api-keys", "{\"active\":1}", INVALID, "active"},
    {"/v1/api-keys", "{\"active\":false,\"status\":\"ACTIVE\"}", INVALID, "active"},
    {"/v1/api-keys", "{\"expires_at\":\"tomorrow\"}", INVALID, "expires_at"},
    {"/v1/api-keys", "{\"expires_at\":\"2033-01-15T09:30:00.5Z\"}", INVALID, "expires_at"},
    {"/v1/api-keys", "{\"expires_at\":2000000000}", INVALID, "expires_at"},
    {"/v1/api-keys", "{\"description\":\"\\u0007\"}", INVALID, "description"},
    {"/v1/api-keys", "{\"permissions\":[\"" CANARY "\"]}", INVALID, "permissions.0"},
};

#define ONE(members)  "{\"username\":\"a@example.org\",\"account_memberships\":[" members "]}"
#define TEAM(members) "{\"username\":\"a@example.org\",\"team_memberships\":[" members "]}"
#define GIVEN         "\"account_id\":\"x\",\"type\":\"USER\","

static const wrong_field_t invite_fields[] = {
    {INVITE, "{}", MISSING, "username"},
    {INVITE, "{\"username\":null}", MISSING, "username"},
    {INVITE, "{\"username\":true}", INVALID, "username"},
    {INVITE, "{\"username\":\"a@example.org\",\"entity_id\":1}", INVALID, "entity_id"},
    {INVITE, "{\"username\":\"a@example.org\",\"account_memberships\":{}}", INVALID, "account_memberships"},
    {INVITE, ONE("1"), INVALID, "account_memberships.0"},
    {INVITE, ONE("{},[]"), INVALID, "account_memberships.1"},
    {INVITE, ONE("{\"type\":\"USER\"}"), MISSING, "account_memberships.0.account_id"},
    {INVITE, ONE("{},{\"account_id\":\"x\"}"), MISSING, "account_memberships.1.type"},
    {INVITE, ONE("{\"account_id\":7,\"type\":\"USER\"}"), INVALID, "account_memberships.0.account_id"},
    {INVITE, ONE("{\"account_id\":\"x\",\"type\":\"user\"}"), INVALID, "account_memberships.0.type"},
    {INVITE, ONE("{" GIVEN "\"role_ids\":\"x\"}"), INVALID, "account_memberships.0.role_ids"},
    {INVITE, ONE("{" GIVEN "\"role_ids\":[1]}"), INVALID, "account_memberships.0.role_ids.0"},
    {INVITE, ONE("{" GIVEN "\"roles\":[{},\"Administrator\"]}"), INVALID, "account_memberships.0.roles.1"},
    {INVITE, ONE("{" GIVEN "\"roles\":[{\"name\":1}]}"), INVALID, "account_memberships.0.roles.0.name"},
    {INVITE, ONE("{" GIVEN "\"roles\":[{\"id\":[]}]}"), INVALID, "account_memberships.0.roles.0.id"},
    {INVITE, ONE("{" GIVEN "\"roles\":[{\"nane\":\"x\"}]}"), MISSING, "account_memberships.0.roles.0.name"},
    {INVITE, TEAM("[]"), INVALID, "team_memberships.0"},
    {INVITE, TEAM("{},{\"end_at\":null}"), MISSING, "team_memberships.1.team_id"},
    {INVITE, TEAM("{\"team_id\":1}"), INVALID, "team_memberships.0.team_id"},
    {INVITE, TEAM("{\"team_id\":\"x\",\"start_at\":\"2024-01-15\"}"), INVALID, "team_memberships.0.start_at"},
    {INVITE, TEAM("{\"team_id\":\"x\",\"end_at\":\"2024-01-15T09:30:00.000Z\"}"), INVALID, "team_memberships.0.end_at"},
};

static void test_fields(const wrong_field_t *cases, size_t count_of_cases, const char *credential)
{
    for (size_t i = 0; i < count_of_cases; i++) {
        const wrong_field_t *wrong = &cases[i];
        door_answer_t answer = post(wrong->path, credential, wrong->body);
        refused(answer, 400, wrong->code, wrong->field, "%s %s", wrong->path, wrong->body);
        ok(!strstr(answer.text, CANARY), "... and nothing of it is repeated");
    }
}

static void test_update_fields(void)
{
    static const wrong_field_t cases[] = {{NULL, "{\"username\":1}", INVALID, "username"},
                                          {NULL, "{\"password\":{}}", INVALID, "password"},
                                          {NULL, "{\"current_password\":1}", INVALID, "current_password"},
                                          {NULL, "{\"status\":\"" CANARY "\"}", INVALID, "status"},
                                          {NULL, "{\"active\":0}", INVALID, "active"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = patch("/v1/users/user_00000000000000000000", door->key, cases[i].body);
        refused(answer, 400, cases[i].code, cases[i].field, "PATCH %s", cases[i].body);
        ok(!strstr(answer.text, CANARY), "... and nothing of it is repeated");
    }
}

static void test_lengths(void)
{
    const char *domain = "@example.org";

    door_answer_t answer = post("/v1/users", door->key, text("{\"username\":\"%s%s\"}", repeat("a", 245), domain));
    refused(answer, 400, INVALID, "username", "a username of 257 characters");
    answer = post(INVITE, door->key, text("{\"username\":\"%s%s\"}", repeat("a", 244), domain));
    refused(answer, 400, INVALID, "username", "256, but no mail has so long an address");
    answer = post("/v1/roles", door->key, text("{\"name\":\"%s\"}", repeat("a", 257)));
    refused(answer, 400, INVALID, "name", "a name of 257 bytes");
    answer = post("/v1/roles", door->key, text("{\"name\":\"x\",\"slug\":\"%s\"}", repeat("a", 65)));
    refused(answer, 400, INVALID, "slug", "a slug of 65 characters");
    answer = post(INVITE, door->key,
                  text("{\"username\":\"a@example.org\",\"account_memberships\":[%s{}]}", repeat("{},", 100)));
    refused(answer, 400, INVALID, "account_memberships", "101 memberships");
}

static void test_unknown_fields(void)
{
    door_answer_t answer =
        post("/v1/roles", door->key,
             "{\"object_type\":\"USER\",\"id\":\"x\",\"name\":\"Kept\",\"entity_id\":7,\"surprise\":[{}]}");
    accepted(answer, 200, "fields that are not known, and read-only ones, are ignored");
    is_str(door_text(&answer, "entity_id"), door->entity_id, "... really");
}

/* route invite_user create_user update_user create_role create_api_key revoke_invite */
/* route obtain_token request_password_reset reset_password activate_user describe_link confirm_address */
int main(void)
{
    serve_begin();
    get("/v1/roles?limit=1", door->key); /* writes the key's last use */
    const char *before = state();
    test_content_type();
    test_size();
    test_malformed();
    test_depth();
    test_fields(oauth_fields, sizeof oauth_fields / sizeof oauth_fields[0], NULL);
    test_fields(resource_fields, sizeof resource_fields / sizeof resource_fields[0], door->key);
    test_fields(invite_fields, sizeof invite_fields / sizeof invite_fields[0], door->key);
    test_update_fields();
    test_lengths();
    is_str(state(), before, "none of it changed a row");
    test_unknown_fields();
    return serve_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* GET and POST /api-keys, and what a key opens. route list_api_keys create_api_key */
#include "serve.h"

#define MEMBERS                                                                                                        \
    "object_type,id,api_key,entity_id,created_at,status,description,role_type,active,account_memberships,"             \
    "team_memberships,expires_at,last_used_at,permissions,created_by"

static door_answer_t make(const char *credential, const char *body)
{
    return post("/v1/api-keys", credential, body);
}

static int status_of(const char *method, const char *target, const char *key, const char *body)
{
    door_answer_t answer = door_call(door, method, target, key, body);
    return answer.status;
}

/* ---- create ----------------------------------------------------------------------------------------------------- */

static void test_create(void)
{
    door_answer_t answer =
        make(door->key, "{\"description\":\"For the till\",\"expires_at\":\"2033-05-18T05:33:20+02:00\"}");
    const char *key = door_text(&answer, "api_key"), *id = door_text(&answer, "id");

    accepted(answer, 201, "create");
    is_str(members_at(&answer, ""), MEMBERS, "ApiKey: members and their order");
    is_str(door_text(&answer, "object_type"), "API_KEY", "... of this type");
    is_str(identity_key_id(door->pool, key), id, "the key is in clear, and names its id # security 53");
    ok(strncmp(key, "idk_", 4) == 0 && strlen(key) == 4 + 20 + 1 + 43 + 6,
       "... in the form that scanners find # security 33");
    is_str(text("%s %s %s %s %s", door_text(&answer, "status"), json_at(&answer, "active"),
                door_text(&answer, "role_type"), door_text(&answer, "description"), door_text(&answer, "entity_id")),
           text("ACTIVE true ADMINISTRATOR For the till %s", door->entity_id), "the defaults");
    is_str(door_text(&answer, "expires_at"), "2033-05-18T03:33:20Z", "its end, in UTC");
    is_str(json_at(&answer, "last_used_at"), "null", "not used yet");
    is_str(json_at(&answer, "permissions"), "[]", "not narrowed");
    is_int(size_at(&answer, "account_memberships"), 2, "it acts in each account of the entity");
    is_str(door_text(&answer, "account_memberships.0.type"), "ADMIN", "... as ADMIN");
    is_str(rows(text("SELECT digest = '%s', entity_id FROM api_keys WHERE id = '%s'",
                     identity_token_digest(door->pool, key), id)),
           text("1|%s", door->entity_id), "the database holds its digest # security 53");
    is_str(rows("SELECT action, user_id, target_resource_type, target_id FROM audit_records ORDER BY id DESC LIMIT 1"),
           text("CREATE|%s|API_KEY|%s", identity_key_id(door->pool, door->key), id), "an audit record # security 82");
    is_int(status_of("GET", "/v1/users", key, NULL), 200, "the key opens");
    answer = make(door->key, "{\"role_type\":\"READ_ONLY\",\"description\":null}");
    is_str(door_text(&answer, "account_memberships.1.type"), "USER", "READ_ONLY: a USER");
    is_str(door_text(&answer, "account_memberships.1.roles.0.name"), "Read Only", "... with this role");
    is_str(json_at(&answer, "description"), "null", "no description");
    is_str(json_at(&answer, "expires_at"), "null", "no end");
}

/* ---- list ------------------------------------------------------------------------------------------------------- */

static void test_list(void)
{
    door_answer_t answer = get("/v1/api-keys?order_direction=asc", door->key);
    json_t *key;
    size_t i, clear = 0;

    accepted(answer, 200, "list");
    is_str(members_at(&answer, ""), "data,links,page,limit,total_number_of_pages", "wrapper: members and their order");
    is_int(size_at(&answer, "data"), 4, "the keys of the entity");
    is_str(members_at(&answer, "data.0"), MEMBERS, "ApiKey: members and their order");
    is_str(door_text(&answer, "data.0.api_key"), text("idk_...%s", door->key + strlen(door->key) - 4),
           "masked: prefix and last four # security 53");
    json_array_foreach (door_at(answer.json, "data"), i, key)
        clear += strlen(json_string_value(json_object_get(key, "api_key"))) > 11;
    is_int(clear, 0, "... all of them");
    is_int(size_at(&answer, "data.0.account_memberships"), 2, "with the accounts they act in");
    unsigned long statements = answer.statements;
    for (i = 0; i < 30; i++)
        make(door->key, "{\"permissions\":[\"QUOTE.VIEW\"],\"active\":false}");
    make(door->key, "{\"permissions\":[\"QUOTE.VIEW\",\"SITE.OPEN\"],\"status\":\"INACTIVE\"}");
    answer = get("/v1/api-keys", door->key);
    is_int(size_at(&answer, "data"), 35, "35 keys");
    is_int(answer.statements, statements + 1, "... in as many statements, and one for what narrows them");
    is_str(json_at(&answer, "data.0.permissions"), "[\"QUOTE.VIEW\",\"SITE.OPEN\"]",
           "the newest first, as narrow as it was made");
    is_str(door_text(&answer, "data.0.status"), "INACTIVE", "... and inactive");
    answer = get("/v1/api-keys?active=true", door->key);
    is_int(size_at(&answer, "data"), 4, "active=true");
    answer = get("/v1/api-keys?active=false&limit=10", door->key);
    is_int(size_at(&answer, "data"), 10, "active=false");
    is_str(json_at(&answer, "total_number_of_pages"), "4", "... by pages");
    answer = get("/v1/api-keys?order_by=description", door->key);
    refused(answer, 400, "INVALID_FIELD", "order_by", "another order");
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

static void test_refusals(void)
{
    const char *before;

    get("/v1/roles?limit=1", door->read_key); /* writes its last use */
    before = state();

    door_answer_t answer = make(door->key, "{\"expires_at\":\"2023-11-14T22:13:20Z\"}");
    refused(answer, 400, "INVALID_FIELD", "expires_at", "an end in the past");
    answer = make(door->key, "{\"permissions\":[\"QUOTE.VIEW\",\"QUOTE.VIEW\",\"quote.view\"]}");
    refused(answer, 400, "INVALID_FIELD", "permissions.2", "a malformed permission, by its own position");
    answer = make(door->read_key, "{\"role_type\":\"READ_ONLY\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "a READ_ONLY key makes no keys # security 58");
    is_str(state(), before, "none of it changed a row");
}

static void test_narrowed(void)
{
    door_answer_t answer =
        make(door->key, "{\"permissions\":[\"USER.MORTAL.VIEW\",\"USER.API.CREATE\",\"SITE.OPEN\"]}");
    const char *narrow = door_text(&answer, "api_key"), *before;

    accepted(answer, 201, "a narrowed key");
    is_str(json_at(&answer, "permissions"), "[\"USER.MORTAL.VIEW\",\"USER.API.CREATE\",\"SITE.OPEN\"]",
           "... says to what");
    is_int(status_of("GET", "/v1/users", narrow, NULL), 200, "what it holds it opens # security 54");
    is_int(status_of("GET", "/v1/roles", narrow, NULL), 403, "... and nothing else # security 54");
    before = state();
    answer = make(narrow, "{}");
    refused(answer, 403, "USER_NOT_ALLOWED", "role_type", "it makes no key that holds more # security 58");
    answer = make(narrow, "{\"role_type\":\"READ_ONLY\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "role_type", "... not to read either");
    answer = make(narrow, "{\"permissions\":[\"USER.MORTAL.VIEW\",\"ROLE.VIEW\"]}");
    refused(answer, 403, "USER_NOT_ALLOWED", "permissions", "... nor one that is narrowed to more");
    is_str(state(), before, "none of it changed a row");
    answer = make(narrow, "{\"permissions\":[\"USER.MORTAL.VIEW\"]}");
    accepted(answer, 201, "one that holds less it makes");
    answer =
        make(door->key,
             "{\"role_type\":\"READ_ONLY\",\"permissions\":[\"QUOTE.VIEW\",\"QUOTE.CREATE\",\"USER.MORTAL.CREATE\"]}");
    accepted(answer, 201, "READ_ONLY and narrowed");
    is_int(status_of("POST", "/v1/users", door_text(&answer, "api_key"), "{\"username\":\"x@example.org\"}"), 403,
           "... holds what both say # security 54");
}

static void test_makers(void)
{
    person_with("half@example.org", "ADMIN", "");
    door_person(door, "whole@example.org", PASSWORD,
                text("[%s,%s]", member(door->account_id, "ADMIN", ""), member(door->second_account_id, "ADMIN", "")));

    door_answer_t answer = make(login("half@example.org"), "{}");
    refused(answer, 403, "USER_NOT_ALLOWED", "role_type", "an administrator of one of two accounts # security 62");
    answer = make(login("half@example.org"), "{\"permissions\":[\"QUOTE.VIEW\"]}");
    refused(answer, 403, "USER_NOT_ALLOWED", "permissions", "... not even a narrow one");
    answer = make(login("whole@example.org"), "{}");
    accepted(answer, 201, "an administrator of all");
    is_str(rows("SELECT created_by FROM api_keys ORDER BY id DESC LIMIT 1"),
           rows("SELECT id FROM users WHERE canonical = 'whole@example.org'"), "... is its maker");
}

/* ---- life and death --------------------------------------------------------------------------------------------- */

static void test_life(void)
{
    door_answer_t answer = make(door->key, "{\"expires_at\":\"2023-11-15T00:00:00Z\"}"),
                  idle = make(door->key, "{\"active\":false}");
    const char *key = door_text(&answer, "api_key"), *id = door_text(&answer, "id");
    apr_time_t end;

    is_int(status_of("GET", "/v1/users/search", door_text(&idle, "api_key"), NULL), 401,
           "an inactive key opens nothing # security 55");
    identity_time_parse("2023-11-15T00:00:00Z", &end);
    door->now = end - apr_time_from_sec(300);
    is_int(status_of("GET", "/v1/users/search", key, NULL), 200, "before its end a key opens");
    const char *used = rows(text("SELECT last_used_at FROM api_keys WHERE id = '%s'", id));
    pass(59);
    is_int(status_of("GET", "/v1/users/search", key, NULL), 200, "again within a minute");
    is_str(rows(text("SELECT last_used_at FROM api_keys WHERE id = '%s'", id)), used,
           "... its last use is kept to the minute # security 55");
    pass(1);
    is_int(status_of("GET", "/v1/users/search", key, NULL), 200, "after a minute");
    ok(strcmp(rows(text("SELECT last_used_at FROM api_keys WHERE id = '%s'", id)), used) > 0,
       "... it is written # security 55");
    answer = get("/v1/api-keys", key);
    ok(strstr(answer.text, "\"last_used_at\":\"2023-11-14T23:56:"), "... and shown");
    change(text("UPDATE api_keys SET active = 0 WHERE id = '%s'", id));
    is_int(status_of("GET", "/v1/users/search", key, NULL), 401, "switched off it is dead at once # security 56");
    change(text("UPDATE api_keys SET active = 1 WHERE id = '%s'", id));
    is_int(status_of("GET", "/v1/users/search", key, NULL), 200, "(and on again)");
    door->now = end;
    answer = get("/v1/users/search", key);
    refused(answer, 401, "UNAUTHORISED", "", "at its end it is dead # security 55");
}

int main(void)
{
    serve_begin();
    test_create();
    test_list();
    test_refusals();
    test_narrowed();
    test_makers();
    test_life();
    return serve_end();
}

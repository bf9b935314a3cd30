/* SPDX-License-Identifier: Apache-2.0 */
/* GET, PATCH and DELETE /api-keys/{id}, search, decrypt.
 * route get_api_key update_api_key delete_api_key search_api_key decrypt_api_key */
#include "serve.h"

#define ESCROW ((const unsigned char *)"0123456789abcdef0123456789abcdef")
#define OTHER  ((const unsigned char *)"fedcba9876543210fedcba9876543210")

typedef struct made {
    const char *id, *key;
} made_t;

static made_t make(const char *body)
{
    door_answer_t answer = post("/v1/api-keys", door->key, body);
    made_t made = {door_text(&answer, "id"), door_text(&answer, "api_key")};
    if (!made.id)
        bail(text("no key: %s", answer.text));
    return made;
}

static door_answer_t key(const char *id, const char *credential)
{
    return get(text("/v1/api-keys/%s", id), credential);
}

static door_answer_t set(const char *id, const char *credential, const char *body)
{
    return patch(text("/v1/api-keys/%s", id), credential, body);
}

static door_answer_t search(const char *credential, const char *body)
{
    return post("/v1/api-keys/search", credential, body);
}

static door_answer_t decrypt(const char *id, const char *credential)
{
    return get(text("/v1/api-keys/%s/decrypt", id), credential);
}

static int opens(const char *with, const char *target)
{
    door_answer_t answer = get(target, with);
    return answer.status;
}

static long long version(const char *id)
{
    return count(text("SELECT version FROM api_keys WHERE id = '%s'", id));
}

/* Tests move the clock: the newest of all need not be the last. */
static const char *last_audit(const char *id)
{
    return rows(text("SELECT action, user_id, target_resource_type, message FROM audit_records WHERE target_id = '%s' "
                     "ORDER BY id DESC LIMIT 1",
                     id));
}

static const char *by(const char *with)
{
    return identity_key_id(door->pool, with);
}

/* ---- get -------------------------------------------------------------------------------------------------------- */

static void test_get(void)
{
    made_t made = make("{\"description\":\"Till\",\"permissions\":[\"SITE.B\",\"SITE.A\"]}");
    door_answer_t answer = key(made.id, door->key), listed = get("/v1/api-keys?limit=1", door->key);

    accepted(answer, 200, "get");
    is_str(answer.text, json_at(&listed, "data.0"), "as it is listed");
    is_str(door_text(&answer, "api_key"), text("idk_...%s", made.key + strlen(made.key) - 4),
           "masked: prefix and last four # security 53");
    is_str(json_at(&answer, "permissions"), "[\"SITE.A\",\"SITE.B\"]", "with what narrows it");
    answer = key(made.id, door->other_key);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "another entity's # security 60");
}

/* ---- change ----------------------------------------------------------------------------------------------------- */

static void test_fields(void)
{
    static const struct {
        const char *body, *at, *value, *changed;
    } cases[] = {
        {"{\"description\":\"Next\"}", "description", "\"Next\"", " description"},
        {"{\"description\":null}", "description", "null", " description"},
        {"{\"status\":\"INACTIVE\"}", "active", "false", " status"},
        {"{\"status\":\"INACTIVE\",\"active\":true}", "status", "\"ACTIVE\"", " status"},
        {"{\"status\":\"INACTIVE\",\"active\":true}", "status", "\"INACTIVE\"", " status"},
        {"{\"active\":true}", "status", "\"ACTIVE\"", " status"},
        {"{\"role_type\":\"READ_ONLY\"}", "account_memberships.0.roles.0.name", "\"Read Only\"", " role_type"},
        {"{\"role_type\":\"ADMINISTRATOR\"}", "account_memberships.0.type", "\"ADMIN\"", " role_type"},
        {"{\"expires_at\":\"2033-05-18T05:33:20+02:00\"}", "expires_at", "\"2033-05-18T03:33:20Z\"", " expires_at"},
        {"{\"expires_at\":\"2031-01-01T00:00:00Z\"}", "expires_at", "\"2031-01-01T00:00:00Z\"", " expires_at"},
        {"{\"expires_at\":null}", "expires_at", "null", " expires_at"},
        {"{\"permissions\":[\"SITE.B\",\"QUOTE.VIEW\",\"SITE.B\"]}", "permissions", "[\"QUOTE.VIEW\",\"SITE.B\"]",
         " permissions"},
        {"{\"permissions\":[\"SITE.C\"],\"description\":\"x\",\"status\":\"INACTIVE\"}", "permissions", "[\"SITE.C\"]",
         " status description permissions"},
        {"{\"permissions\":[]}", "permissions", "[]", " permissions"},
    };
    made_t made = make("{\"description\":\"First\"}");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        long long before = version(made.id);
        door_answer_t answer = set(made.id, door->key, cases[i].body), seen = key(made.id, door->key);
        accepted(answer, 200, "PATCH %s", cases[i].body);
        is_str(json_at(&answer, cases[i].at), cases[i].value, "... %s", cases[i].at);
        is_str(seen.text, answer.text, "... and so it is read, the key masked");
        is_int(version(made.id), before + 1, "... one version on");
        is_str(last_audit(made.id), text("UPDATE|%s|API_KEY|Changed:%s", by(door->key), cases[i].changed),
               "... an audit record # security 82");
    }
    is_str(rows(text("SELECT narrowed, (SELECT COUNT(*) FROM api_key_permissions WHERE key_id = id) FROM api_keys "
                     "WHERE id = '%s'",
                     made.id)),
           "0|0", "a key that is not narrowed any more has no rows that say to what");
}

static void test_sent_back(void)
{
    made_t made = make("{\"description\":\"Echo\",\"permissions\":[\"SITE.B\",\"SITE.A\"],\"expires_at\":\"2023-11-"
                       "15T00:00:00Z\"}");
    door_answer_t first = key(made.id, door->key);
    const char *before = state();
    door_answer_t answer = set(made.id, door->key, first.text);

    is_str(answer.text, first.text, "all of it sent back");
    answer = set(made.id, door->key,
                 "{\"id\":1,\"api_key\":\"x\",\"entity_id\":null,\"permissions\":null,\"status\":null,\"active\":null,"
                 "\"role_type\":null,\"last_used_at\":5,\"account_memberships\":{}}");
    is_str(answer.text, first.text, "what cannot be written, and null where nothing can be cleared");
    is_str(state(), before, "... changes no row");
    apr_time_t now = door->now;
    identity_time_parse("2023-11-15T00:00:01Z", &door->now);
    first = key(made.id, door->key);
    answer = set(made.id, door->key, first.text);
    is_str(answer.text, first.text, "an end that is past is kept");
    change(text("UPDATE api_keys SET expires_at = expires_at + 250000 WHERE id = '%s'", made.id));
    answer = set(made.id, door->key, first.text);
    is_str(answer.text, first.text, "... also one that the command line made, within a second");
    answer = set(made.id, door->key, "{\"expires_at\":\"2023-11-15T00:00:01Z\"}");
    refused(answer, 400, "INVALID_FIELD", "expires_at", "another end must lie ahead");
    answer = set(made.id, door->key, "{\"expires_at\":\"2023-11-16T00:00:00Z\"}");
    accepted(answer, 200, "... and then the key lives again");
    door->now = now;
}

static void test_refusals(void)
{
    made_t made = make("{}");
    static const struct {
        const char *body, *outcome;
    } cases[] = {
        {"{\"status\":\"GONE\"}", "400 INVALID_FIELD status"},
        {"{\"active\":1}", "400 INVALID_FIELD active"},
        {"{\"role_type\":\"OWNER\"}", "400 INVALID_FIELD role_type"},
        {"{\"expires_at\":\"2001-01-01T00:00:00Z\"}", "400 INVALID_FIELD expires_at"},
        {"{\"expires_at\":\"1970-01-01T00:00:00Z\"}", "400 INVALID_FIELD expires_at"},
        {"{\"expires_at\":\"2033-01-01T00:00:00.5Z\"}", "400 INVALID_FIELD expires_at"},
        {"{\"expires_at\":7}", "400 INVALID_FIELD expires_at"},
        {"{\"description\":\"\"}", "400 INVALID_FIELD description"},
        {"{\"permissions\":[\"A.B\",\"A.B\",\"a.b\"]}", "400 INVALID_FIELD permissions.2"},
        {"{\"permissions\":\"A.B\"}", "400 INVALID_FIELD permissions"},
        {"7", "400 BAD_REQUEST "},
    };
    const char *before = state();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = set(made.id, door->key, cases[i].body);
        is_str(outcome_of(&answer), cases[i].outcome, "PATCH %s", cases[i].body);
    }
    door_answer_t answer = set(made.id, door->other_key, "{\"status\":\"INACTIVE\"}");
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "another entity's key # security 60");
    is_str(state(), before, "none of it changed a row");
}

/* ---- nobody gives what they lack -------------------------------------------------------------------------------- */

static void test_lacking(void)
{
    made_t full = make("{}"), small = make("{\"permissions\":[\"ROLE.VIEW\",\"USER.API.UPDATE\"]}"),
           keeper = make("{\"permissions\":[\"ROLE.VIEW\",\"USER.API.UPDATE\",\"SITE.ONE\"]}");
    const char *half = login("half@example.org");
    get("/v1/roles", keeper.key), get("/v1/roles", small.key); /* writes their first use */
    const char *before = state();
    const struct {
        const char *id, *with, *body, *field;
    } cases[] = {
        /* upward */
        {small.id, keeper.key, "{\"permissions\":[\"ROLE.VIEW\",\"ROLE.UPDATE\"]}", "permissions"},
        {small.id, keeper.key, "{\"permissions\":[]}", "permissions"},
        {small.id, keeper.key, "{\"permissions\":[\"SITE.TWO\"],\"role_type\":\"ADMINISTRATOR\"}", "permissions"},
        {keeper.id, keeper.key, "{\"permissions\":[]}", "permissions"},
        {keeper.id, keeper.key, "{\"permissions\":[\"ROLE.VIEW\",\"USER.API.UPDATE\",\"SITE.ONE\",\"SITE.TWO\"]}",
         "permissions"},
        /* what holds more */
        {full.id, keeper.key, "{\"status\":\"INACTIVE\"}", ""},
        {full.id, keeper.key, "{\"permissions\":[\"SITE.ONE\"]}", ""},
        {full.id, keeper.key, "{}", ""},
        {keeper.id, small.key, "{\"description\":\"x\"}", ""},
        /* in one account of two */
        {small.id, half, "{\"description\":\"x\"}", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = set(cases[i].id, cases[i].with, cases[i].body);
        refused(answer, 403, "USER_NOT_ALLOWED", cases[i].field, "PATCH %s # security 58", cases[i].body);
    }
    is_str(state(), before, "none of it changed a row");
    door_answer_t answer = set(small.id, keeper.key, "{\"permissions\":[\"SITE.ONE\",\"ROLE.VIEW\"]}");
    accepted(answer, 200, "what the caller holds may be given");
    answer = set(keeper.id, keeper.key, "{\"permissions\":[\"USER.API.UPDATE\"]}");
    accepted(answer, 200, "a key may make itself less");
    answer = set(keeper.id, keeper.key, "{\"permissions\":[\"USER.API.UPDATE\",\"SITE.ONE\"]}");
    refused(answer, 403, "USER_NOT_ALLOWED", "permissions", "... and not more again # security 58");
    person_with("whole@example.org", "ADMIN", "");
    answer = post(text("/v1/users/%s/memberships", rows("SELECT id FROM users WHERE canonical = 'whole@example.org'")),
                  door->key, member(door->second_account_id, "ADMIN", ""));
    answer = set(full.id, login("whole@example.org"), "{\"status\":\"INACTIVE\"}");
    accepted(answer, 200, "an administrator of all accounts changes any");
}

/* READ_ONLY with the permission to change keys cannot be; READ_ONLY to ADMINISTRATOR is upward. */
static void test_role_type(void)
{
    made_t reader = make("{\"role_type\":\"READ_ONLY\"}"),
           keeper = make("{\"permissions\":[\"USER.API.UPDATE\",\"ROLE.VIEW\"]}"),
           narrow = make("{\"role_type\":\"READ_ONLY\",\"permissions\":[\"ROLE.VIEW\",\"ROLE.UPDATE\"]}");

    door_answer_t answer = set(reader.id, reader.key, "{\"description\":\"x\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "", "a READ_ONLY key changes none # security 58");
    answer = set(narrow.id, keeper.key, "{\"role_type\":\"ADMINISTRATOR\"}");
    refused(answer, 403, "USER_NOT_ALLOWED", "role_type", "what narrows a READ_ONLY key may hold more than it does");
    answer = set(narrow.id, door->key, "{\"role_type\":\"ADMINISTRATOR\"}");
    accepted(answer, 200, "(by one who holds it)");
    is_int(opens(narrow.key, "/v1/roles?limit=1"), 200, "it opens what it says");
}

static void test_life(void)
{
    made_t made = make("{\"permissions\":[\"USER.API.UPDATE\",\"ROLE.VIEW\",\"USER.MORTAL.VIEW\"],\"expires_at\":"
                       "\"2030-01-01T00:00:00Z\"}");
    const char *own = text("/v1/api-keys/%s", made.id);
    static const char *const longer[] = {"{\"expires_at\":null}", "{\"expires_at\":\"2030-01-01T00:00:01Z\"}"};

    for (size_t i = 0; i < 2; i++) {
        door_answer_t answer = patch(own, made.key, longer[i]);
        refused(answer, 403, "USER_NOT_ALLOWED", "expires_at", "a key makes its own life %s # security 58", longer[i]);
    }
    door_answer_t answer = patch(own, made.key, "{\"expires_at\":\"2029-01-01T00:00:00Z\"}");
    accepted(answer, 200, "... shorter it may");
    is_int(opens(made.key, "/v1/users"), 200, "it opens");
    set(made.id, door->key, "{\"permissions\":[\"ROLE.VIEW\"]}");
    is_int(opens(made.key, "/v1/users"), 403, "narrowed it does not, with the next request # security 54");
    is_int(opens(made.key, "/v1/roles"), 200, "... but what is left");
    set(made.id, door->key, "{\"status\":\"INACTIVE\"}");
    is_int(opens(made.key, "/v1/roles"), 401, "inactive it is dead # security 56");
    set(made.id, door->key, "{\"status\":\"ACTIVE\",\"expires_at\":\"2023-11-16T00:00:00Z\"}");
    is_int(opens(made.key, "/v1/roles"), 200, "active again");
    apr_time_t now = door->now;
    identity_time_parse("2023-11-16T00:00:00Z", &door->now);
    is_int(opens(made.key, "/v1/roles"), 401, "at its new end it is dead # security 55");
    door->now = now;
}

/* ---- delete ----------------------------------------------------------------------------------------------------- */

static door_answer_t end(const char *id, const char *credential)
{
    return door_call(door, "DELETE", text("/v1/api-keys/%s", id), credential, NULL);
}

static void test_delete_refused(void)
{
    made_t full = make("{}"), keeper = make("{\"permissions\":[\"USER.API.UPDATE\",\"SITE.ONE\"]}");
    const char *half = login("half@example.org");

    end(full.id, keeper.key), get("/v1/roles", door->read_key),
        get("/v1/roles", door->other_key); /* writes their use */
    const char *before = state();
    refused(end(full.id, NULL), 401, "UNAUTHORISED", "", "delete without a credential");
    refused(end(full.id, door->read_key), 403, "USER_NOT_ALLOWED", "", "delete without the permission");
    refused(end(full.id, keeper.key), 403, "USER_NOT_ALLOWED", "", "... one that holds more # security 58");
    refused(end(keeper.id, half), 403, "USER_NOT_ALLOWED", "", "... by an administrator of one account of two");
    refused(end(full.id, door->other_key), 404, "RESOURCE_NOT_FOUND", "", "another entity's key # security 60");
    refused(end("apik_00000000000000000000", door->key), 404, "RESOURCE_NOT_FOUND", "", "one that nobody has");
    is_str(state(), before, "none of it changed a row");
    accepted(end(keeper.id, keeper.key), 200, "a key deletes itself");
    is_int(opens(keeper.key, "/v1/roles"), 401, "... and is refused from the next request on # security 56");
}

static void test_delete(void)
{
    made_t made = make("{\"description\":\"Till\",\"permissions\":[\"ROLE.VIEW\",\"USER.MORTAL.CREATE\"]}");
    const char *path = "/v1/users/invite", *guest = "{\"username\":\"by.key@example.org\"}";

    is_int(opens(made.key, "/v1/roles"), 200, "it opens");
    door_answer_t answer = post(path, made.key, guest), seen = key(made.id, door->key);
    accepted(answer, 200, "... and invites somebody");
    json_t *ended = identity_json_own(door->pool, json_deep_copy(seen.json));
    json_object_set_new(ended, "status", json_string("INACTIVE"));
    json_object_set_new(ended, "active", json_false());
    answer = end(made.id, door->key);
    accepted(answer, 200, "delete");
    is_str(answer.text, identity_json_text(door->pool, ended, NULL), "... answers the key, masked, that is no more");
    is_int(opens(made.key, "/v1/roles"), 401, "it is refused from the next request on # security 56");
    refused(key(made.id, door->key), 404, "RESOURCE_NOT_FOUND", "", "... and not found");
    refused(end(made.id, door->key), 404, "RESOURCE_NOT_FOUND", "", "... nor deleted once more");
    is_str(rows(text("SELECT COUNT(*) FROM api_key_permissions WHERE key_id = '%s'", made.id)), "0",
           "nothing of it is left");
    is_str(last_audit(made.id), text("DELETE|%s|API_KEY|An API key was deleted.", by(door->key)),
           "... but its audit record # security 82");
    is_str(rows(text("SELECT x.target_name, x.changes FROM audit_records d JOIN audit_details x ON x.record_id = d.id "
                     "WHERE d.target_id = '%s' AND d.action = 'DELETE'",
                     made.id)),
           "Till|[{\"field\":\"status\",\"from\":\"ACTIVE\",\"to\":null},"
           "{\"field\":\"role_type\",\"from\":\"ADMINISTRATOR\",\"to\":null},"
           "{\"field\":\"permissions\",\"from\":[\"ROLE.VIEW\",\"USER.MORTAL.CREATE\"],\"to\":[]}]",
           "... with what it was");
}

/* ---- search ----------------------------------------------------------------------------------------------------- */

static void test_search(void)
{
    made_t first = make("{\"description\":\"older\"}"), last = make("{\"description\":\"newer\"}"),
           idle = make("{\"active\":false}");
    const struct {
        const char *body, *id;
    } cases[] = {
        {"{}", last.id},
        {"{\"user_type\":\"API\"}", last.id},
        {"{\"user_type\":\"MORTAL\"}", NULL},
        {"{\"include_inactive\":true}", idle.id},
        {"{\"include_inactive\":false}", last.id},
        {text("{\"resource_id\":\"%s\"}", first.id), first.id},
        {text("{\"username\":\"%s\"}", first.id), first.id},
        {text("{\"username\":\"%s\",\"resource_id\":\"%s\",\"user_type\":\"API\"}", first.id, first.id), first.id},
        {text("{\"username\":\"%s\",\"resource_id\":\"%s\"}", first.id, last.id), NULL},
        {text("{\"resource_id\":\"%s\",\"user_type\":\"MORTAL\"}", first.id), NULL},
        {text("{\"resource_id\":\"%s\"}", idle.id), NULL},
        {text("{\"resource_id\":\"%s\",\"include_inactive\":true}", idle.id), idle.id},
        {text("{\"resource_id\":\"%s\",\"include_inactive\":true}", first.id), first.id},
        {"{\"resource_id\":\"\"}", NULL},
        {"{\"resource_id\":\"apik_00000000000000000000\"}", NULL},
        {"{\"username\":\"ada@example.org\"}", NULL},
        {"{\"username\":\"' OR ''='\"}", NULL},
    };
    const char *before = state();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = search(door->key, cases[i].body), seen;
        if (!cases[i].id) {
            refused(answer, 404, "RESOURCE_NOT_FOUND", "", "search %s", cases[i].body);
            continue;
        }
        seen = key(cases[i].id, door->key);
        accepted(answer, 200, "search %s", cases[i].body);
        is_str(answer.text, seen.text, "... finds one, masked");
    }
    door_answer_t answer = search(door->other_key, text("{\"resource_id\":\"%s\"}", first.id));
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "another entity's # security 60");
    answer = search(door->key, "{\"user_type\":\"ROBOT\"}");
    refused(answer, 400, "INVALID_FIELD", "user_type", "an unknown type");
    answer = search(door->key, "{\"include_inactive\":\"yes\"}");
    refused(answer, 400, "INVALID_FIELD", "include_inactive", "no boolean");
    answer = search(door->key, "{\"resource_id\":5}");
    refused(answer, 400, "INVALID_FIELD", "resource_id", "no text");
    answer = search(door->key, NULL);
    refused(answer, 400, "BAD_REQUEST", "", "no body");
    is_str(state(), before, "none of it changed a row");
}

/* ---- decrypt ---------------------------------------------------------------------------------------------------- */

static void test_escrow(void)
{
    made_t early = make("{}");
    door_answer_t answer = decrypt(early.id, door->key);

    refused(answer, 409, "INVALID_OPERATION", "", "without a sealing key");
    is_str(rows("SELECT COUNT(*) FROM api_keys WHERE sealed IS NOT NULL"), "0", "no key is kept");
    door->settings.key_escrow = ESCROW;
    answer = decrypt(early.id, door->key);
    refused(answer, 409, "INVALID_OPERATION", "", "a key that was made before");
    made_t made = make("{\"description\":\"Kept\"}");
    const char *sealed = rows(text("SELECT sealed FROM api_keys WHERE id = '%s'", made.id)), *before = state();
    is_str(identity_unseal(door->pool, ESCROW, sealed, made.id), made.key, "sealed, bound to its id");
    ok(!strstr(sealed, made.key) && !identity_unseal(door->pool, ESCROW, sealed, early.id), "... and to nothing else");
    answer = decrypt(made.id, door->other_key);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "another entity's # security 60");
    is_str(state(), before, "none of it changed a row");
    door_answer_t masked = key(made.id, door->key);
    answer = decrypt(made.id, door->key);
    accepted(answer, 200, "decrypt");
    json_t *clear = identity_json_own(door->pool, json_deep_copy(masked.json));
    json_object_set_new(clear, "api_key", json_string(made.key));
    is_str(answer.text, identity_json_text(door->pool, clear, NULL), "... the key in clear, all else as ever");
    is_str(last_audit(made.id), text("DECRYPT|%s|API_KEY|An API key was shown in clear.", by(door->key)),
           "... an audit record # security 82");
    ok(!strstr(masked.text, made.key), "masked everywhere else # security 53");
    answer = search(door->key, text("{\"resource_id\":\"%s\"}", made.id));
    is_str(answer.text, masked.text, "... in search");
    answer = set(made.id, door->key, "{\"status\":\"INACTIVE\"}");
    ok(!strstr(answer.text, made.key), "... in a change");
    answer = decrypt(made.id, door->key);
    is_str(door_text(&answer, "api_key"), made.key, "an inactive one is shown too");
    before = state();
    door->settings.key_escrow = OTHER;
    answer = decrypt(made.id, door->key);
    refused(answer, 409, "INVALID_OPERATION", "", "sealed by another key");
    door->settings.key_escrow = ESCROW;
    change(text("UPDATE api_keys SET sealed = '%s' WHERE id = '%s'", sealed, early.id));
    answer = decrypt(early.id, door->key);
    refused(answer, 409, "INVALID_OPERATION", "", "the sealed text of another key");
    change(text("UPDATE api_keys SET sealed = NULL WHERE id = '%s'", early.id));
    is_str(state(), before, "none of it changed a row");
}

/* Whoever sees a key holds what it holds: never upward. */
static void test_who_decrypts(void)
{
    made_t full = make("{}"), reader = make("{\"role_type\":\"READ_ONLY\"}"),
           narrow = make("{\"permissions\":[\"USER.API.VIEW\",\"SITE.ONE\"]}"),
           less = make("{\"permissions\":[\"SITE.ONE\"]}"), blind = make("{\"permissions\":[\"SITE.ONE\"]}");
    const struct {
        const char *what, *id, *with;
        int outcome;
    } cases[] = {
        {"a READ_ONLY key, one that holds all", full.id, reader.key, 403},
        {"a READ_ONLY key, one that reads", reader.id, reader.key, 200},
        {"a READ_ONLY key, one that holds a permission of the site", less.id, reader.key, 403},
        {"a narrowed key, one that holds all", full.id, narrow.key, 403},
        {"a narrowed key, one that reads", reader.id, narrow.key, 403},
        {"a narrowed key, one that holds less", less.id, narrow.key, 200},
        {"a narrowed key, itself", narrow.id, narrow.key, 200},
        {"one without the permission, its like", less.id, blind.key, 403},
        {"an administrator of one of two accounts", less.id, login("half@example.org"), 403},
        {"an administrator of both", full.id, login("whole@example.org"), 200},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        long long before = count("SELECT COUNT(*) FROM audit_records WHERE action = 'DECRYPT'");
        door_answer_t answer = decrypt(cases[i].id, cases[i].with);
        is_int(answer.status, cases[i].outcome, "%s # security 58", cases[i].what);
        ok((strstr(answer.text, "idk_") != NULL) == (cases[i].outcome == 200), "... is shown what fits that");
        is_int(count("SELECT COUNT(*) FROM audit_records WHERE action = 'DECRYPT'"), before + (cases[i].outcome == 200),
               "... on record where it is shown");
    }
}

int main(void)
{
    serve_begin();
    person_with("half@example.org", "ADMIN", "");
    test_get();
    test_fields();
    test_sent_back();
    test_refusals();
    test_lacking();
    test_role_type();
    test_life();
    test_delete_refused();
    test_delete();
    test_search();
    test_escrow();
    test_who_decrypts();
    return serve_end();
}

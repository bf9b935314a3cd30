/* SPDX-License-Identifier: Apache-2.0 */
/* Personal keys (M4): GET, POST /users/{id}/api-keys, DELETE /users/{id}/api-keys/{kid}, what they may do and when they
 * end; and the keys of the entity that somebody made who is deactivated.
 * route list_user_api_keys create_user_api_key delete_user_api_key */
#include <apr_base64.h>

#include "routes.h"
#include "users/users.h"
#include "serve.h"

#define DAY 86400

static const char *ada_id, *ada, *bob_id, *bob, *root_id, *root;

typedef struct made {
    const char *id, *key;
} made_t;

static const char *keys_of(const char *user)
{
    return text("/v1/users/%s/api-keys", user);
}

static made_t make(const char *user, const char *credential, const char *body)
{
    door_answer_t answer = post(keys_of(user), credential, body);
    made_t made = {door_text(&answer, "id"), door_text(&answer, "api_key")};

    if (answer.status != 201)
        bail(text("no key: %s", answer.text));
    return made;
}

static door_answer_t delete_key(const char *user, const char *id, const char *credential)
{
    return door_call(door, "DELETE", text("%s/%s", keys_of(user), id), credential, NULL);
}

static int opens(const char *key, const char *user)
{
    door_answer_t answer = get(text("/v1/users/%s", user), key);
    return answer.status;
}

static long long kept(const char *user)
{
    return count(text("SELECT COUNT(*) FROM api_keys WHERE user_id = '%s'", user));
}

static const char *record_of(const char *id)
{
    return rows(text("SELECT d.action, d.user_id, d.target_resource_type, d.message, x.changes FROM audit_records d "
                     "JOIN audit_details x ON x.record_id = d.id WHERE d.target_id = '%s' ORDER BY d.id DESC LIMIT 1",
                     id));
}

/* ---- making ----------------------------------------------------------------------------------------------------- */

static void test_create(void)
{
    door_answer_t answer =
        post(keys_of(ada_id), ada, "{\"description\":\"git\",\"permissions\":[\"SITE.B\",\"SITE.A\"]}");
    const char *id = door_text(&answer, "id"), *key = door_text(&answer, "api_key");

    accepted(answer, 201, "M4: somebody makes a key of its own without any permission");
    is_str(members_at(&answer, ""),
           "object_type,id,api_key,entity_id,created_at,status,description,role_type,active,account_memberships,"
           "team_memberships,expires_at,last_used_at,permissions,created_by",
           "M4: an ApiKey with created_by");
    ok(identity_key_id(door->pool, key) && strcmp(identity_key_id(door->pool, key), id) == 0, "M4: in clear, once");
    is_str(door_text(&answer, "created_by"), ada_id, "M4: created_by is the person");
    is_str(json_at(&answer, "account_memberships.0.type"), "\"USER\"", "M4: with the person's own memberships");
    is_str(door_text(&answer, "expires_at"), identity_time_format(door->pool, door->now + apr_time_from_sec(90 * DAY)),
           "M4: for 90 days by default");
    is_int(count(text("SELECT COUNT(*) FROM api_keys WHERE id = '%s' AND user_id = '%s' AND sealed IS NULL AND "
                      "digest = '%s'",
                      id, ada_id, identity_token_digest(door->pool, key))),
           1, "M4: of the key only the digest is kept");
    ok(strstr(record_of(id), text("CREATE|%s|API_KEY|A personal key was created.|", ada_id)) &&
           strstr(record_of(id), "\"field\":\"user_id\"") && strstr(record_of(id), "\"field\":\"expires_at\"") &&
           strstr(record_of(id), "SITE.A") && !strstr(record_of(id), key),
       "M4: on record with what it is, without its text");
    answer = get(keys_of(ada_id), ada);
    accepted(answer, 200, "M4: listed without any permission");
    is_int(size_at(&answer, ""), 1, "M4: an array");
    is_str(door_text(&answer, "0.api_key"), text("idk_...%s", key + strlen(key) - 4), "M4: masked");
    is_str(json_at(&answer, "0.permissions"), "[\"SITE.A\",\"SITE.B\"]", "M4: with what narrows it");
    answer = get(text("%s?page=1", keys_of(ada_id)), ada);
    refused(answer, 400, "INVALID_FIELD", "page", "M4: no query parameter is known");
    delete_key(ada_id, id, ada);
}

static void test_fields(void)
{
    static const struct {
        const char *body, *field, *code;
        int status;
    } cases[] = {{"{\"expires_at\":\"2020-01-01T00:00:00Z\"}", "expires_at", "INVALID_FIELD", 400},
                 {"{\"expires_at\":\"2999-01-01T00:00:00Z\"}", "expires_at", "INVALID_FIELD", 400},
                 {"{\"expires_at\":\"tomorrow\"}", "expires_at", "INVALID_FIELD", 400},
                 {"{\"permissions\":[\"no\"]}", "permissions.0", "INVALID_FIELD", 400},
                 {"{\"permissions\":\"SITE.A\"}", "permissions", "INVALID_FIELD", 400},
                 {"{\"description\":7}", "description", "INVALID_FIELD", 400},
                 {"[]", "", "BAD_REQUEST", 400}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(post(keys_of(ada_id), ada, cases[i].body), cases[i].status, cases[i].code, cases[i].field,
                "M4: POST %s", cases[i].body);
    is_int(kept(ada_id), 0, "M4: nothing was made");
}

static void test_lifetime(void)
{
    const char *within = text("{\"expires_at\":\"%s\"}",
                              identity_time_format(door->pool, door->now + apr_time_from_sec(29 * DAY))),
               *beyond = text("{\"expires_at\":\"%s\"}",
                              identity_time_format(door->pool, door->now + apr_time_from_sec(31 * DAY)));
    apr_time_t start = door->now;

    made_t made = make(ada_id, ada, "{}");
    door->settings.personal_key_lifetime = apr_time_from_sec(30 * DAY);
    refused(post(keys_of(ada_id), ada, beyond), 400, "INVALID_FIELD", "expires_at",
            "M4: no longer than IdentityPersonalKeyLifetime");
    accepted(post(keys_of(ada_id), ada, within), 201, "M4: up to it");
    door_answer_t answer = post(keys_of(ada_id), ada, "{}");
    is_str(door_text(&answer, "expires_at"), identity_time_format(door->pool, door->now + apr_time_from_sec(30 * DAY)),
           "M4: which is the default then");
    is_int(opens(made.key, ada_id), 200, "M4: a key works before its end");
    pass(30 * DAY);
    is_int(opens(made.key, ada_id), 401, "M4: one that was made for longer ends by the setting, too");
    is_int(opens(door_text(&answer, "api_key"), ada_id), 401, "M4: and one by its own end");
    door->settings.personal_key_lifetime = apr_time_from_sec(90 * DAY);
    is_int(opens(made.key, ada_id), 200, "M4: the setting is looked at when the key is used");
    door->now = start;
    change("DELETE FROM api_keys WHERE user_id IS NOT NULL");
}

static void test_proof(void)
{
    apr_time_t start = door->now;

    pass(601);
    refused(post(keys_of(ada_id), ada, "{}"), 400, "MISSING_FIELD", "current_password",
            "M4: ten minutes after the sign-in the password is asked for");
    refused(post(keys_of(ada_id), ada, "{\"current_password\":\"Wrong1horse\"}"), 400, "INVALID_FIELD",
            "current_password", "M4: the right one");
    is_int(kept(ada_id), 0, "M4: nothing was made");
    accepted(post(keys_of(ada_id), ada, "{\"current_password\":\"" PASSWORD "\"}"), 201, "M4: with it a key is made");
    door->now = start;
    change("DELETE FROM api_keys WHERE user_id IS NOT NULL");
}

static void test_others(void)
{
    made_t made = make(ada_id, ada, "{}");

    refused(post(keys_of(ada_id), NULL, "{}"), 401, "UNAUTHORISED", "", "M4: nobody makes no key");
    refused(post(keys_of(ada_id), bob, "{}"), 403, "USER_NOT_ALLOWED", "",
            "M4: for somebody else it takes a permission");
    refused(get(keys_of(ada_id), bob), 403, "USER_NOT_ALLOWED", "", "M4: so does looking");
    refused(delete_key(ada_id, made.id, bob), 403, "USER_NOT_ALLOWED", "", "M4: and deleting");
    refused(get(keys_of(root_id),
                person_with("viewer@example.org", "USER", named("Administrator")) ? login("viewer@example.org") : NULL),
            403, "USER_NOT_ALLOWED", "", "M4: nobody looks at the keys of who holds more");
    refused(post(keys_of(ada_id), login("viewer@example.org"), "{}"), 403, "USER_NOT_ALLOWED", "",
            "M4: every permission in one account of two makes no key for others");
    accepted(get(keys_of(ada_id), root), 200, "M4: who holds all sees them");
    door_answer_t answer = post(keys_of(ada_id), root, "{}");
    accepted(answer, 201, "M4: and makes one for somebody else");
    is_str(door_text(&answer, "created_by"), root_id, "M4: created_by says who");
    is_int(opens(door_text(&answer, "api_key"), ada_id), 200, "M4: it is the other one's");
    refused(post(keys_of(ada_id), door->other_key, "{}"), 404, "USER_NOT_FOUND", "", "M4: of another entity, 404");
    refused(delete_key(bob_id, made.id, bob), 404, "RESOURCE_NOT_FOUND", "", "M4: a key is found with its owner alone");
    accepted(delete_key(ada_id, made.id, root), 200, "M4: who holds all deletes");
    change("DELETE FROM api_keys WHERE user_id IS NOT NULL");
}

static void test_most(void)
{
    for (int i = 0; i < 100; i++)
        make(bob_id, bob, "{}");
    refused(post(keys_of(bob_id), bob, "{}"), 409, "INVALID_OPERATION", "", "M4: a hundred keys are enough");
    is_int(kept(bob_id), 100, "M4: and stay");
    change("DELETE FROM api_keys WHERE user_id IS NOT NULL");
}

/* ---- acting ----------------------------------------------------------------------------------------------------- */

static identity_authentication_t identified(const char *key, bool basic)
{
    const char *pair = text("whoever:%s", key);
    char *encoded = apr_palloc(door->pool, 200);
    identity_request_t in = {.method = "GET", .path = "/git", .secure = true, .client_address = "192.0.2.7"};
    identity_accepts_t accepts = {.basic_keys = true};
    identity_authentication_t out;

    apr_base64_encode(encoded, pair, (int)strlen(pair));
    if (basic)
        in.headers.authorization = text("Basic %s", encoded);
    else
        in.headers.api_key = key;
    in.request_id = identity_request_id(door->pool, &door->env);
    identity_identify(door->pool, &door->env, &in, &accepts, &out);
    return out;
}

static void test_acts(void)
{
    made_t made = make(root_id, root, "{}"), narrow = make(root_id, root, "{\"permissions\":[\"ROLE.VIEW\"]}"),
           mere = make(ada_id, ada, "{}");

    for (int basic = 0; basic < 2; basic++) {
        identity_authentication_t out = identified(made.key, basic);
        is_int(out.refused, false, "M4: a protected place takes it%s", basic ? " by Basic" : "");
        is_str(out.principal ? out.principal->name : NULL, "root@example.org", "M4: it is the person by name");
        is_str(out.principal ? out.principal->id : NULL, root_id, "M4: and by id");
        is_str(out.method, "key", "M4: IDENTITY_AUTH is key");
        ok(out.principal && out.principal->authenticated_at == 0, "M4: which never was a sign-in");
        ok(out.principal && identity_has_role_anywhere(identified(narrow.key, basic).principal, "full-access") ==
                                identity_has_role_anywhere(out.principal, "full-access"),
           "M4: roles are the person's");
    }
    accepted(get("/v1/roles", narrow.key), 200, "M4: narrowed to what it names");
    refused(get("/v1/users", narrow.key), 403, "USER_NOT_ALLOWED", "", "M4: and to nothing else");
    accepted(get("/v1/users", made.key), 200, "M4: else it holds what the person does");
    refused(get("/v1/users", mere.key), 403, "USER_NOT_ALLOWED", "", "M4: which need not be much");
    post(text("/v1/users/%s/memberships", ada_id), root, member(door->second_account_id, "USER", named("User Viewer")));
    door_answer_t answer =
        call_with("GET", "/v1/users", (identity_headers_t){.api_key = mere.key, .platform_id = door->second_account_id},
                  true, false, NULL);
    accepted(answer, 200, "M4: and what is given to the person later counts at once");
    is_int(count(text("SELECT last_used_at > 0 FROM api_keys WHERE id = '%s'", made.id)), 1,
           "M4: its last use is kept");
    accepted(post("/v1/teams", made.key, "{\"name\":\"By key\"}"), 201, "M4: it changes what is no credential");
    is_str(rows("SELECT user_id FROM audit_records WHERE target_resource_type = 'TEAM' ORDER BY id DESC LIMIT 1"),
           root_id, "M4: and the record names the person");
    refused(post("/v1/roles", narrow.key, "{\"name\":\"x\",\"permissions\":[\"SITE.A\"]}"), 403, "USER_NOT_ALLOWED", "",
            "M4: a narrowed one changes nothing");
    change("DELETE FROM api_keys WHERE user_id IS NOT NULL");
}

/* What a personal key may ask for beside reading: every other operation that takes a credential is refused. */
static const char *const may[] = {"invite_user",
                                  "create_user",
                                  "revoke_invite",
                                  "create_invitation",
                                  "update_invitation",
                                  "add_user_membership",
                                  "update_user_membership",
                                  "delete_user_membership",
                                  "add_user_team",
                                  "update_user_team",
                                  "delete_user_team",
                                  "create_team",
                                  "update_team",
                                  "delete_team",
                                  "add_team_membership",
                                  "delete_team_membership",
                                  "create_role",
                                  "update_role",
                                  "delete_role",
                                  "search_api_key",
                                  "introspect_token"};

static bool listed(const identity_route_t *route)
{
    for (size_t i = 0; i < sizeof may / sizeof may[0]; i++)
        if (strcmp(may[i], route->operation) == 0)
            return true;
    return strcmp(route->method, "GET") == 0 && strcmp(route->operation, "decrypt_api_key") != 0;
}

static const char *path_of(const identity_route_t *route)
{
    const char *path = "", *from = route->pattern, *open;

    while ((open = strchr(from, '{'))) {
        int length = (int)strcspn(open + 1, "}");
        path = text("%s%.*s%s", path, (int)(open - from), from,
                    strncmp(open, "{user}", 6) == 0 ? root_id : text("%.*s_00000000000000000001", length, open + 1));
        from = open + length + 2;
    }
    return text("%s%s", path, from);
}

static void test_refused(void)
{
    made_t made = make(root_id, root, "{}");
    int refusals = 0;

    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        if (route->credential == IDENTITY_CREDENTIAL_NONE)
            continue;
        door_answer_t answer =
            door_call(door, route->method, path_of(route), made.key, strcmp(route->method, "GET") == 0 ? NULL : "{}");
        bool refusal = answer.status == 403 && strstr(answer.text, "or change credentials");
        refusals += refusal;
        is_int(refusal, !listed(route), "M4: %s is %s to a personal key", route->operation,
               listed(route) ? "open" : "refused");
    }
    ok(refusals >= 12, "M4: %d operations are refused", refusals);
    refused(post("/v1/users", made.key, "{\"username\":\"new@example.org\",\"password\":\"" PASSWORD "\"}"), 403,
            "USER_NOT_ALLOWED", "password", "M4: nor does it give anybody a password");
    is_int(count("SELECT COUNT(*) FROM users WHERE canonical = 'new@example.org'"), 0, "M4: nobody was made");
    door_answer_t answer =
        call_with("POST", "/v1/oauth/token",
                  (identity_headers_t){.api_key = made.key, .content_type = "application/x-www-form-urlencoded"}, true,
                  false, "grant_type=client_credentials");
    is_int(answer.status, 401, "M4: it is no client of OAuth");
    is_int(kept(root_id), 1, "M4: and is there still");
    change("DELETE FROM api_keys WHERE user_id IS NOT NULL");
}

/* A stored answer that shows a key is its maker's session's, not a personal key's. */
static void test_once(void)
{
    made_t made = make(root_id, root, "{}");
    identity_headers_t headers = {.authorization = root, .idempotency_key = "one"};
    door_answer_t first = call_with("POST", "/v1/teams", headers, true, false, "{\"name\":\"Once\"}");

    headers = (identity_headers_t){.api_key = made.key, .idempotency_key = "one"};
    accepted(first, 201, "M4: a team by a session");
    refused(call_with("POST", "/v1/teams", headers, true, false, "{\"name\":\"Once\"}"), 409, "RESOURCE_ALREADY_EXISTS",
            "name", "M4: an Idempotency-Key of a session is none of a personal key's");
    change("DELETE FROM api_keys WHERE user_id IS NOT NULL");
}

static void test_not_entity(void)
{
    made_t made = make(ada_id, ada, "{}");
    door_answer_t answer = get("/v1/api-keys?limit=500", door->key);

    ok(answer.status == 200 && !strstr(answer.text, made.id), "M4: GET /api-keys lists keys of the entity alone");
    is_str(json_at(&answer, "total_number_of_pages"), "1", "M4: and counts these");
    ok(strstr(answer.text, "\"created_by\":null") != NULL, "M4: created_by is null where nobody is known");
    for (int active = 0; active < 2; active++) {
        answer = get(text("/v1/api-keys?active=%s", active ? "true" : "false"), door->key);
        ok(answer.status == 200 && !strstr(answer.text, made.id), "M4: active or not");
    }
    refused(get(text("/v1/api-keys/%s", made.id), door->key), 404, "RESOURCE_NOT_FOUND", "",
            "M4: nor is it found there");
    refused(patch(text("/v1/api-keys/%s", made.id), door->key, "{\"expires_at\":null}"), 404, "RESOURCE_NOT_FOUND", "",
            "M4: nor changed");
    refused(get(text("/v1/api-keys/%s/decrypt", made.id), door->key), 404, "RESOURCE_NOT_FOUND", "", "M4: nor shown");
    refused(post("/v1/api-keys/search", door->key, text("{\"resource_id\":\"%s\"}", made.id)), 404,
            "RESOURCE_NOT_FOUND", "", "M4: nor searched");
    change("DELETE FROM api_keys WHERE user_id IS NOT NULL");
}

/* ---- ending ----------------------------------------------------------------------------------------------------- */

static void test_delete(void)
{
    made_t made = make(ada_id, ada, "{\"permissions\":[\"SITE.A\"]}"), other = make(ada_id, ada, "{}");
    door_answer_t answer;

    is_int(opens(made.key, ada_id), 200, "M4: it works");
    answer = delete_key(ada_id, made.id, ada);
    accepted(answer, 200, "M4: an own one is deleted without a permission");
    is_str(door_text(&answer, "status"), "INACTIVE", "M4: and answered as INACTIVE");
    is_int(opens(made.key, ada_id), 401, "M4: refused from the next request on");
    is_int(opens(other.key, ada_id), 200, "M4: the others work on");
    is_int(count(text("SELECT COUNT(*) FROM api_key_permissions WHERE key_id = '%s'", made.id)), 0,
           "M4: no row is left");
    ok(strstr(record_of(made.id), text("DELETE|%s|API_KEY|", ada_id)) != NULL, "M4: on record");
    refused(delete_key(ada_id, made.id, ada), 404, "RESOURCE_NOT_FOUND", "", "M4: once");
    change("DELETE FROM api_keys WHERE user_id IS NOT NULL");
}

static void test_password(void)
{
    const char *id = person_with("pat@example.org", "USER", "");
    const char *pat = login("pat@example.org");
    made_t made = make(id, pat, "{}");

    accepted(
        patch(text("/v1/users/%s", id), pat, "{\"password\":\"Another1horse\",\"current_password\":\"" PASSWORD "\"}"),
        200, "M4: the own password is changed");
    is_int(opens(made.key, id), 200, "M4: a changed password alone ends no personal key");
    accepted(patch(text("/v1/users/%s", id), root, "{\"password\":\"Third1horse\"}"), 200, "M4: by an administrator");
    is_int(opens(made.key, id), 200, "M4: nor does that");
    accepted(post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"pat@example.org\"}"), 200, "M4: a reset");
    accepted(
        post("/v1/oauth/reset-password", NULL,
             text("{\"token\":\"%s\",\"new_password\":\"Fourth1horse\"}", door_mailed_token(door, "pat@example.org"))),
        200, "M4: by mail");
    is_int(opens(made.key, id), 401, "M4: ends it");
    is_int(kept(id), 0, "M4: for good");
    is_int(count(text("SELECT COUNT(*) FROM audit_records WHERE action = 'KEYS_ENDED' AND target_id = '%s' AND "
                      "user_id = '%s'",
                      id, id)),
           1, "M4: on record");
}

static void test_deactivation(void)
{
    const char *id = person_with("dan@example.org", "USER", "");
    made_t made = make(id, login("dan@example.org"), "{}");

    accepted(patch(text("/v1/users/%s", id), root, "{\"status\":\"INACTIVE\"}"), 200, "M4: deactivated");
    is_int(opens(made.key, id), 401, "M4: the key ends with the user");
    accepted(patch(text("/v1/users/%s", id), root, "{\"status\":\"ACTIVE\"}"), 200, "M4: active again");
    is_int(opens(made.key, id), 401, "M4: the key is not");
    refused(get(keys_of(id), made.key), 401, "UNAUTHORISED", "", "M4: nowhere");
    change(text("UPDATE users SET status = 'INACTIVE', active = 0 WHERE id = '%s'", id));
    refused(post(keys_of(id), root, "{}"), 409, "INVALID_OPERATION", "", "M4: who is INACTIVE gets none");
}

static void test_displaced(void)
{
    const char *id = person_with("eve@example.org", "USER", "");

    make(id, root, "{}");
    change(text("UPDATE users SET verified_at = 0, signed_in_at = 0 WHERE id = '%s'", id));
    post("/v1/users/invite", door->other_key,
         text("{\"username\":\"eve@example.org\",\"account_memberships\":[%s]}",
              member(door->other_account_id, "USER", "")));
    accept_mailed("eve@example.org");
    is_str(rows(text("SELECT status FROM users WHERE id = '%s'", id)), "INACTIVE", "M4: somebody was displaced");
    is_int(kept(id), 0, "M4: whose keys end, too");
    is_str(rows(text("SELECT user_id FROM audit_records WHERE action = 'KEYS_ENDED' AND target_id = '%s'", id)), "",
           "M4: on record, without the other one's id");
}

/* ---- keys of the entity that somebody made ---------------------------------------------------------------------- */

static const char *entity_key(const char *credential, const char *body)
{
    door_answer_t answer = post("/v1/api-keys", credential, body);
    const char *id = door_text(&answer, "id");

    if (!id)
        bail(answer.text);
    return id;
}

static void test_made(void)
{
    const char *both =
        text("[%s,%s]", member(door->account_id, "ADMIN", ""), member(door->second_account_id, "ADMIN", ""));
    const char *id = door_person(door, "max@example.org", PASSWORD, both), *max = login("max@example.org"),
               *path = text("/v1/users/%s", id);
    const char *first = entity_key(max, "{}"), *second = entity_key(max, "{\"role_type\":\"READ_ONLY\"}");
    door_answer_t answer = get(text("/v1/api-keys/%s", first), root);

    entity_key(root, "{}");
    is_str(door_text(&answer, "created_by"), id, "M4: a key of the entity says who made it");
    refused(patch(text("%s?revoke_keys=true", path), root, "{\"status\":\"ACTIVE\"}"), 400, "INVALID_FIELD",
            "revoke_keys", "M4: revoke_keys goes with INACTIVE");
    refused(patch(text("%s?revoke_keys=maybe", path), root, "{\"status\":\"INACTIVE\"}"), 400, "INVALID_FIELD",
            "revoke_keys", "M4: and is true or false");
    answer = patch(path, root, "{\"status\":\"INACTIVE\"}");
    accepted(answer, 200, "M4: deactivated");
    is_str(json_at(&answer, "api_keys_created"), text("[\"%s\",\"%s\"]", first, second),
           "M4: api_keys_created names the keys of the entity that the person made");
    door_answer_t seen = get(path, root);
    is_str(header(&answer, "ETag"), header(&seen, "ETag"), "M4: beside the tag that GET gives");
    ok(!strstr(seen.text, "api_keys_created"), "M4: which does not have it");
    is_int(count(text("SELECT COUNT(*) FROM api_keys WHERE created_by = '%s' AND active = 1", id)), 2,
           "M4: they go on");
    answer = post("/v1/api-keys", root, "{\"permissions\":[\"USER.MORTAL.UPDATE\",\"USER.MORTAL.VIEW\"]}");
    refused(patch(text("%s?revoke_keys=true", path), door_text(&answer, "api_key"), "{\"status\":\"INACTIVE\"}"), 403,
            "USER_NOT_ALLOWED", "", "M4: who could not end them one by one ends none");
    is_int(count(text("SELECT COUNT(*) FROM api_keys WHERE created_by = '%s' AND active = 1", id)), 2, "M4: none");
    answer = patch(text("%s?revoke_keys=true", path), root, "{\"status\":\"INACTIVE\"}");
    accepted(answer, 200, "M4: asked for afterwards");
    is_str(json_at(&answer, "api_keys_created"), text("[\"%s\",\"%s\"]", first, second), "M4: revoke_keys names them");
    is_int(count(text("SELECT COUNT(*) FROM api_keys WHERE created_by = '%s' AND active = 1", id)), 0,
           "M4: and ends them");
    ok(strstr(record_of(first), text("UPDATE|%s|API_KEY|", root_id)) && strstr(record_of(first), "INACTIVE"),
       "M4: on record");
    answer = patch(path, root, "{\"status\":\"INACTIVE\"}");
    is_str(json_at(&answer, "api_keys_created"), "[]", "M4: then none is left");
}

static void test_made_at_once(void)
{
    const char *both =
        text("[%s,%s]", member(door->account_id, "ADMIN", ""), member(door->second_account_id, "ADMIN", ""));
    const char *id = door_person(door, "moe@example.org", PASSWORD, both),
               *key = entity_key(login("moe@example.org"), "{}");
    door_answer_t answer = patch(text("/v1/users/%s?revoke_keys=true", id), root, "{\"active\":false}");

    accepted(answer, 200, "M4: deactivated by the alias");
    is_str(json_at(&answer, "api_keys_created"), text("[\"%s\"]", key), "M4: the same");
    is_str(
        rows(text("SELECT active, (SELECT status FROM users WHERE id = '%s') FROM api_keys WHERE id = '%s'", id, key)),
        "0|INACTIVE", "M4: in one change");
}

int main(void)
{
    serve_begin();
    const char *both =
        text("[%s,%s]", member(door->account_id, "ADMIN", ""), member(door->second_account_id, "ADMIN", ""));
    root_id = door_person(door, "root@example.org", PASSWORD, both);
    root = login("root@example.org");
    ada_id = person_with("ada@example.org", "USER", "");
    ada = login("ada@example.org");
    bob_id = person_with("bob@example.org", "USER", "");
    bob = login("bob@example.org");
    test_create();
    test_fields();
    test_lifetime();
    test_proof();
    test_others();
    test_most();
    test_acts();
    test_refused();
    test_once();
    test_not_entity();
    test_delete();
    test_password();
    test_deactivation();
    test_displaced();
    test_made();
    test_made_at_once();
    return serve_end();
}

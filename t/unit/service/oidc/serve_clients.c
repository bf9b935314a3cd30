/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the OpenID provider. route list_clients create_client get_client update_client delete_client
 * rotate_client_secret */
#include "serve.h"

#define CLIENTS  "/v1/clients"
#define REDIRECT "\"redirect_uris\":[\"https://app.example.org/cb\"]"

static door_answer_t make(const char *body)
{
    return post(CLIENTS, door->key, body);
}

static const char *made(const char *body)
{
    door_answer_t answer = make(body);
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(answer.text), NULL);
}

static const char *path_to(const char *id)
{
    return text(CLIENTS "/%s", id);
}

static void test_create(void)
{
    door_answer_t answer = make("{\"name\":\"Wiki\"," REDIRECT "}");
    const char *id = door_text(&answer, "id"), *secret = door_text(&answer, "client_secret");

    accepted(answer, 201, "a client");
    is_str(text("%.*s", (int)(strstr(answer.text, ",\"created_at\"") - strstr(answer.text, "\"name\"")),
                strstr(answer.text, "\"name\"")),
           "\"name\":\"Wiki\",\"type\":\"CONFIDENTIAL\",\"status\":\"ENABLED\"," REDIRECT
           ",\"grant_types\":[\"authorization_code\",\"refresh_token\"],\"scopes\":[\"openid\",\"profile\",\"email\","
           "\"groups\"],\"require\":null,\"id_token_signed_response_alg\":\"RS256\",\"claims_in_id_token\":false,"
           "\"require_pkce\":true",
           "with its defaults");
    ok(identity_token_valid(secret, IDENTITY_TOKEN_CLIENT) &&
           strspn(secret, "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == strlen(secret),
       "OP10: its secret is made of unreserved characters");
    is_str(rows(text("SELECT digest FROM clients WHERE id = '%s'", id)), identity_token_digest(door->pool, secret),
           "of which the database has a digest");
    is_str(rows("SELECT COUNT(*) FROM clients WHERE settings || name || digest LIKE '%ido_%'"), "0",
           "and nothing else");
    answer = get(path_to(id), door->key);
    accepted(answer, 200, "it can be read");
    ok(!door_text(&answer, "client_secret"), "without its secret");
    answer = make("{\"name\":\"SPA\",\"type\":\"PUBLIC\"," REDIRECT ",\"scopes\":[\"email\",\"openid\",\"email\"]}");
    ok(answer.status == 201 && !door_text(&answer, "client_secret"), "a PUBLIC client has no secret");
    is_str(json_at(&answer, "scopes"), "[\"openid\",\"email\"]", "scopes stand once, in one order");
    refused(post(text("%s/rotate-secret", path_to(door_text(&answer, "id"))), door->key, NULL), 409,
            "INVALID_OPERATION", "", "and gets none");
}

static void test_rules(void)
{
    static const struct {
        const char *body, *code, *field;
    } cases[] = {
        {"{" REDIRECT "}", "MISSING_FIELD", "name"},
        {"{\"name\":\"x\"}", "MISSING_FIELD", "redirect_uris"},
        {"{\"name\":\"x\",\"redirect_uris\":[]}", "MISSING_FIELD", "redirect_uris"},
        {"{\"name\":\"x\",\"redirect_uris\":[\"https://a.example/\",\"http://a.example/\"]}", "INVALID_FIELD",
         "redirect_uris.1"},
        {"{\"name\":\"x\",\"redirect_uris\":[\"javascript:alert(1)\"]}", "INVALID_FIELD", "redirect_uris.0"},
        {"{\"name\":\"x\"," REDIRECT ",\"grant_types\":[\"implicit\"]}", "INVALID_FIELD", "grant_types.0"},
        {"{\"name\":\"x\"," REDIRECT ",\"scopes\":[\"openid\",\"admin\"]}", "INVALID_FIELD", "scopes.1"},
        {"{\"name\":\"x\"," REDIRECT ",\"type\":\"PUBLIC\",\"require_pkce\":false}", "INVALID_FIELD", "require_pkce"},
        {"{\"name\":\"x\"," REDIRECT ",\"require\":{}}", "INVALID_FIELD", "require"},
        {"{\"name\":\"x\"," REDIRECT ",\"require\":{\"role\":\"full-access\",\"permission\":\"A.B\"}}", "INVALID_FIELD",
         "require"},
        {"{\"name\":\"x\"," REDIRECT ",\"require\":{\"permission\":\"nothing\"}}", "INVALID_FIELD",
         "require.permission"},
        {"{\"name\":\"x\"," REDIRECT ",\"require\":{\"role\":\"nobody-has-it\"}}", "INVALID_FIELD", "require.role"},
        {"{\"name\":\"x\"," REDIRECT ",\"require\":{\"team\":\"team_0000000000000000zzzz\"}}", "INVALID_FIELD",
         "require.team"},
        {"{\"name\":\"x\"," REDIRECT ",\"id_token_signed_response_alg\":\"none\"}", "INVALID_FIELD",
         "id_token_signed_response_alg"},
    };
    const char *before = rows("SELECT COUNT(*) FROM clients");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(make(cases[i].body), 400, cases[i].code, cases[i].field, "%s", cases[i].body);
    is_str(rows("SELECT COUNT(*) FROM clients"), before, "nothing of these was kept");
    door_answer_t answer = make("{\"name\":\"x\"," REDIRECT ",\"require\":{\"role\":\"full-access\"}}");
    is_str(json_at(&answer, "require"), "{\"role\":\"full-access\"}", "a built-in role by its slug");
}

static void test_change(void)
{
    const char *id = made("{\"name\":\"Wiki\"," REDIRECT ",\"require\":{\"permission\":\"WIKI.USE\"}}"), *before;
    door_answer_t answer = patch(path_to(id), door->key, "{\"status\":\"DISABLED\",\"type\":\"PUBLIC\"}");

    accepted(answer, 200, "change");
    is_str(door_text(&answer, "status"), "DISABLED", "its status");
    is_str(door_text(&answer, "type"), "CONFIDENTIAL", "its type stays");
    is_str(json_at(&answer, "require"), "{\"permission\":\"WIKI.USE\"}", "what is left out stays");
    is_str(rows(text("SELECT x.changes FROM audit_records d JOIN audit_details x ON x.record_id = d.id WHERE "
                     "d.target_id = '%s' AND d.action = 'UPDATE'",
                     id)),
           "[{\"field\":\"status\",\"from\":\"ENABLED\",\"to\":\"DISABLED\"}]", "as it was recorded");
    before = rows("SELECT COUNT(*) FROM audit_records");
    accepted(patch(path_to(id), door->key, "{\"status\":\"DISABLED\"}"), 200, "the same again");
    is_str(rows("SELECT COUNT(*) FROM audit_records"), before, "is no change");
    answer = patch(path_to(id), door->key, "{\"require\":null}");
    is_str(json_at(&answer, "require"), "null", "null clears the requirement");
    refused(patch(path_to(id), door->key, "{\"redirect_uris\":[]}"), 400, "MISSING_FIELD", "redirect_uris",
            "a change keeps the rules");
    refused(patch(path_to(id), door->read_key, "{\"name\":\"x\"}"), 403, "USER_NOT_ALLOWED", "",
            "a key that may only read");
    refused(get(path_to(id), door->other_key), 404, "RESOURCE_NOT_FOUND", "", "another entity's # security 60");
    accepted(door_call(door, "DELETE", path_to(id), door->key, NULL), 200, "delete");
    refused(get(path_to(id), door->key), 404, "RESOURCE_NOT_FOUND", "", "it is gone");
    is_str(rows(text("SELECT x.target_name FROM audit_records d JOIN audit_details x ON x.record_id = d.id WHERE "
                     "d.target_id = '%s' AND d.action = 'DELETE'",
                     id)),
           "Wiki", "the record names it");
}

static void test_rotate(void)
{
    const char *id = made("{\"name\":\"Wiki\"," REDIRECT "}"), *path = text("%s/rotate-secret", path_to(id));
    const char *first = rows(text("SELECT digest FROM clients WHERE id = '%s'", id));
    door_answer_t answer = post(path, door->key, NULL);

    accepted(answer, 200, "rotate");
    is_str(rows(text("SELECT digest FROM clients WHERE id = '%s'", id)),
           identity_token_digest(door->pool, door_text(&answer, "client_secret")), "the new secret");
    is_str(rows(text("SELECT old_digest FROM clients WHERE id = '%s'", id)), first, "the one before stays beside it");
    is_str(rows(text("SELECT old_expires_at FROM clients WHERE id = '%s'", id)),
           text("%" APR_TIME_T_FMT, door->now + apr_time_from_sec(24 * 3600)), "for a day");
    answer = post(path, door->key, "{\"previous_expires_at\":\"2000-01-01T00:00:00Z\"}");
    is_str(json_at(&answer, "previous_secret_expires_at"), "null", "or ends at once");
    is_str(rows(text("SELECT old_digest FROM clients WHERE id = '%s'", id)), "", "with nothing left of it");
    refused(post(path, door->key, "{\"previous_expires_at\":\"2999-01-01T00:00:00Z\"}"), 400, "INVALID_FIELD",
            "previous_expires_at", "but not for ever");
    is_str(rows(text("SELECT x.changes FROM audit_records d JOIN audit_details x ON x.record_id = d.id WHERE "
                     "d.target_id = '%s' AND d.action = 'UPDATE' LIMIT 1",
                     id)),
           "[{\"field\":\"client_secret\",\"from\":null,\"to\":null}]", "the record has neither secret");
}

int main(void)
{
    serve_begin();
    test_create();
    test_rules();
    test_change();
    test_rotate();
    return serve_end();
}

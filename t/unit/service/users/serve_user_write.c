/* SPDX-License-Identifier: Apache-2.0 */
/* POST /users, PATCH /users/{id}, and the memberships of a user. */
#include "serve.h"

static const char *ada_id, *bob_id, *ada;

static const char *user_path(const char *id)
{
    return text("/v1/users/%s", id);
}

static const char *last_audit(void)
{
    return rows("SELECT action, user_id, target_resource_type, target_id FROM audit_records ORDER BY id DESC LIMIT 1");
}

/* ---- create ----------------------------------------------------------------------------------------------------- */

/* route create_user */
static void test_create_with_password(void)
{
    const identity_hash_parameters_t quick = door->settings.hash;

    door->settings.hash = (identity_hash_parameters_t){IDENTITY_HASH_MEMORY_MIN, IDENTITY_HASH_PASSES_MIN};
    door_answer_t answer =
        post("/v1/users", door->key, "{\"username\":\"New@Example.org\",\"password\":\"" PASSWORD "\"}");
    const char *id = door_text(&answer, "id");
    door->settings.hash = quick;

    accepted(answer, 201, "create with a password");
    is_str(door_text(&answer, "status"), "ACTIVE", "... is ACTIVE at once");
    is_str(json_at(&answer, "active"), "true", "... and says so the older way");
    is_str(json_at(&answer, "password"), "null", "... and never shows the password");
    is_str(json_at(&answer, "account_memberships"), "[]", "... holds nothing");
    is_str(rows(text("SELECT entity_id, username, canonical, status, version FROM users WHERE id = '%s'", id)),
           text("%s|New@Example.org|new@example.org|ACTIVE|1", door->entity_id), "what the database holds");
    ok(strncmp(rows(text("SELECT password_hash FROM users WHERE id = '%s'", id)), "$argon2id$v=19$m=19456,t=2,p=1$",
               31) == 0,
       "... the password as Argon2id # security 1");
    is_str(last_audit(), text("CREATE|%s|USER|%s", rows("SELECT id FROM api_keys ORDER BY created_at LIMIT 1"), id),
           "... and who did it # security 82");
    is_int(count("SELECT count(*) FROM outbox"), 0, "no mail is sent");
    ok(door_login(door, "new@example.org", PASSWORD, NULL) != NULL, "the person signs in");
    answer = get(user_path(id), door->key);
    is_str(door_text(&answer, "username"), "New@Example.org", "the name keeps its case");
}

static void test_create_without_password(void)
{
    door_answer_t answer =
        post("/v1/users", door->key, "{\"username\":\"invited@example.org\",\"status\":\"INVITED\"}");
    const char *id = door_text(&answer, "id");

    accepted(answer, 201, "create without a password");
    is_str(door_text(&answer, "status"), "INVITED", "... is an invitation");
    is_str(json_at(&answer, "active"), "false", "... not active yet");
    is_str(json_at(&answer, "invite_expired"), "false", "... not expired");
    is_str(rows(text("SELECT password_hash IS NULL, invite_expires_at > created_at FROM users WHERE id = '%s'", id)),
           "1|1", "what the database holds");
    is_int(count(text("SELECT count(*) FROM outbox WHERE user_id = '%s'", id)), 1, "a mail is on its way");
    is_str(last_audit(), text("CREATE|%s|USER|%s", rows("SELECT id FROM api_keys ORDER BY created_at LIMIT 1"), id),
           "an audit record");
    is_str(accept_mailed("invited@example.org"), id, "the link makes the user ACTIVE");
}

static void test_create_states(void)
{
    static const struct {
        const char *fields, *outcome, *status;
    } cases[] = {
        {",\"password\":\"" PASSWORD "\",\"status\":\"ACTIVE\",\"active\":true", "201", "ACTIVE"},
        {",\"password\":\"" PASSWORD "\",\"status\":\"INACTIVE\"", "201", "INACTIVE"},
        {",\"password\":\"" PASSWORD "\",\"active\":false", "201", "INACTIVE"},
        {",\"password\":\"" PASSWORD "\",\"status\":\"ACTIVE\",\"active\":false", "400 INVALID_FIELD active", NULL},
        {",\"password\":\"" PASSWORD "\",\"status\":\"INACTIVE\",\"active\":true", "400 INVALID_FIELD active", NULL},
        {",\"password\":\"" PASSWORD "\",\"status\":\"INVITED\"", "400 INVALID_FIELD status", NULL},
        {",\"password\":null,\"active\":false", "201", "INVITED"},
        {",\"active\":true", "400 INVALID_FIELD active", NULL},
        {",\"status\":\"ACTIVE\"", "400 INVALID_FIELD status", NULL},
        {",\"status\":\"INACTIVE\"", "400 INVALID_FIELD status", NULL},
        {",\"status\":\"INVITE_REVOKED\"", "400 INVALID_FIELD status", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *before = state();
        door_answer_t answer =
            post("/v1/users", door->key, text("{\"username\":\"state%d@example.org\"%s}", (int)i, cases[i].fields));
        is_str(outcome_of(&answer), cases[i].outcome, "create with%s", cases[i].fields);
        is_str(door_text(&answer, "status"), cases[i].status, "... status");
        if (!cases[i].status)
            is_str(state(), before, "... changes nothing");
    }
}

static void test_create_refusals(void)
{
    static const struct {
        const char *password, *what;
    } weak[] = {{"Short1x", "7 bytes"},
                {"nocapital1", "no capital letter"},
                {"NoDigitAtAll", "no digit"},
                {"", "empty"},
                {"Weak1@Example.org", "the user name in another case"},
                {"Bell1\\u0007bell", "a control character"}};
    const char *before = state();

    for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
        door_answer_t answer = post("/v1/users", door->key,
                                    text("{\"username\":\"weak1@example.org\",\"password\":\"%s\"}", weak[i].password));
        refused(answer, 400, "INVALID_FIELD", "password", "a password with %s", weak[i].what);
    }
    char *longest = apr_pstrcat(door->pool, "A1", door_format(door, "%01100d", 0), NULL);
    door_answer_t answer =
        post("/v1/users", door->key, text("{\"username\":\"weak1@example.org\",\"password\":\"%s\"}", longest));
    refused(answer, 400, "INVALID_FIELD", "password", "a password of over 1,024 bytes # security 4");
    answer = post("/v1/users", door->key, "{\"username\":\"ADA@example.org\",\"password\":\"" PASSWORD "\"}");
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "username", "a name that is taken, in another case # security 77");
    answer = post("/v1/users", door->key, "{\"username\":\"ada@example.org\"}");
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "username", "... without a password");
    answer = post("/v1/users", door->other_key, "{\"username\":\"ada@example.org\",\"password\":\"" PASSWORD "\"}");
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "username", "... in another entity: names are the server's");
    answer = post("/v1/users", door->key, "{\"username\":\"a,b@example.org\"}");
    refused(answer, 400, "INVALID_FIELD", "username", "a name that no mail can go to");
    door->settings.password_minimum = 15;
    answer = post("/v1/users", door->key, "{\"username\":\"weak1@example.org\",\"password\":\"" PASSWORD "\"}");
    refused(answer, 400, "INVALID_FIELD", "password", "a site's own minimum");
    door->settings.password_minimum = 8;
    const identity_mail_target_t *mail = door->settings.mail;
    door->settings.mail = NULL;
    answer = post("/v1/users", door->key, "{\"username\":\"nomail@example.org\"}");
    refused(answer, 503, "INTERNAL_ERROR", "", "an invitation without a way to mail it");
    door->settings.mail = mail;
    door->refuse_hash = true;
    answer = post("/v1/users", door->key, "{\"username\":\"busy@example.org\",\"password\":\"" PASSWORD "\"}");
    refused(answer, 503, "INTERNAL_ERROR", "", "a full hash gate # security 17");
    door->refuse_hash = false;
    is_str(state(), before, "none of it changed a row");
}

/* ---- memberships ------------------------------------------------------------------------------------------------ */

/* route list_user_memberships add_user_membership */
static void test_memberships(void)
{
    const char *id = door_person(door, "carol@example.org", PASSWORD, "[]"),
               *path = text("/v1/users/%s/memberships", id);

    door_answer_t answer = get(path, door->key);
    accepted(answer, 200, "memberships of nobody's");
    is_str(answer.text, "[]", "... none");
    answer = post(path, door->key, member(door->account_id, "USER", named("user viewer")));
    accepted(answer, 201, "a membership is given");
    is_int(size_at(&answer, ""), 1, "... the answer is the list");
    is_str(door_text(&answer, "0.roles.0.name"), "User Viewer", "... with the role named in any case");
    is_str(last_audit(),
           text("ADD_MEMBERSHIP|%s|USER|%s", rows("SELECT id FROM api_keys ORDER BY created_at LIMIT 1"), id),
           "... an audit record");
    const char *carol = login("carol@example.org");
    answer = get("/v1/users", carol);
    accepted(answer, 200, "it holds from the next request");
    answer = post(path, door->key, member(door->account_id, "ADMIN", ""));
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "account_id", "a second one in the same account");
    answer = post(path, door->key, member(door->second_account_id, "PARTNER", ""));
    accepted(answer, 201, "one in another account");
    is_int(size_at(&answer, ""), 2, "... the answer lists all of the user's");
    door_answer_t same = get(path, door->key);
    is_str(same.text, answer.text, "... as GET does");
    answer = get(user_path(id), door->key);
    is_str(json_at(&answer, "account_memberships"), same.text, "... and the User");
    answer = get(path, carol);
    refused(answer, 403, "USER_NOT_ALLOWED", "", "that list takes the permission in every account, one's own too");
}

static void test_membership_refusals(void)
{
    const char *path = text("/v1/users/%s/memberships", bob_id), *before = state();
    const struct {
        const char *body, *code, *field, *what;
    } wrong[] = {
        {"{}", "MISSING_FIELD", "account_id", "an empty object"},
        {"{\"type\":\"USER\"}", "MISSING_FIELD", "account_id", "no account"},
        {text("{\"account_id\":\"%s\"}", door->second_account_id), "MISSING_FIELD", "type", "no type"},
        {member(door->second_account_id, "OWNER", ""), "INVALID_FIELD", "type", "another type"},
        {member(door->other_account_id, "USER", ""), "INVALID_FIELD", "account_id", "an account of another entity"},
        {member("plat_00000000000000000000", "USER", ""), "INVALID_FIELD", "account_id", "an unknown account"},
        {member("default", "USER", ""), "INVALID_FIELD", "account_id", "a reference"},
        {member(door->second_account_id, "USER", named("Nobody")), "INVALID_FIELD", "roles.0.name", "an unknown role"},
        {member(door->second_account_id, "USER", ",\"role_ids\":[\"role_x\"]"), "INVALID_FIELD", "role_ids.0",
         "an unknown role's id"}};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        door_answer_t answer = post(path, door->key, wrong[i].body);
        refused(answer, 400, wrong[i].code, wrong[i].field, "a membership with %s", wrong[i].what);
    }
    door_answer_t answer = post(path, ada, member(door->second_account_id, "USER", ""));
    refused(answer, 403, "USER_NOT_ALLOWED", "", "nobody lets others into an account where they are not # security 62");
    answer = post(text("/v1/users/%s/memberships", ada_id), ada, member(door->second_account_id, "ADMIN", ""));
    refused(answer, 403, "USER_NOT_ALLOWED", "", "nobody gives what they lack in that account # security 62");
    answer = post(text("/v1/users/%s/memberships", ada_id), ada,
                  member(door->second_account_id, "USER", named("Quote Viewer")));
    refused(answer, 403, "USER_NOT_ALLOWED", "", "... not even one permission # security 62");
    is_str(state(), before, "none of it changed a row");
}

int main(void)
{
    serve_begin();
    test_create_with_password();
    test_create_without_password();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    bob_id = person_with("bob@example.org", "USER", named("Quote Viewer"));
    ada = login("ada@example.org");
    get("/v1/roles?limit=1", door->other_key); /* writes its last use */
    test_create_states();
    test_create_refusals();
    test_memberships();
    test_membership_refusals();
    return serve_end();
}

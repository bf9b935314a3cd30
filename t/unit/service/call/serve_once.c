/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency-Key: what comes twice is done once, whatever breaks in between, and its answer is kept for nobody else.
 */
#include "routes.h"
#include "users/users.h"
#include "serve.h"

#define KEPT      (48 * 3600)
#define ABANDONED 60

static const char *ada, *ada_id, *bob_id, *team_id;

static door_answer_t once(const char *key, const char *target, const char *credential, const char *body)
{
    door->idempotency_key = key;
    door_answer_t answer = post(target, credential, body);
    door->idempotency_key = NULL;
    return answer;
}

static const char *role(const char *name)
{
    return text("{\"name\":\"%s\"}", name);
}

static long long kept(const char *key)
{
    return count(text("SELECT COUNT(*) FROM idempotency WHERE idempotency_key = '%s'", key));
}

static const char *replayed(const door_answer_t *answer)
{
    const char *value = header(answer, "Idempotent-Replayed");
    return value ? value : "no";
}

/* ---- keys -----------------------------------------------------------------------------------------------------------
 */

static void test_keys(void)
{
    char longest[258];
    const char *bad[] = {"", longest, "a\tb", "a\x7f", "gr\xc3\xbc\xc3\x9f", "a\x01"};
    const char *before = state();

    memset(longest, 'k', 256);
    longest[256] = '\0';
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        door_answer_t answer = once(bad[i], "/v1/roles", door->key, role("Never"));
        refused(answer, 400, "INVALID_FIELD", "Idempotency-Key", "bad key %d", (int)i);
    }
    is_str(state(), before, "nothing was done");
    longest[255] = '\0';
    const char *good[] = {"k", longest, "a key, with (everything) that is \"printed\" \\ ~ '"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        door_answer_t answer = once(good[i], "/v1/roles", door->key, role(text("Key %d", (int)i)));
        accepted(answer, 200, "good key %d", (int)i);
        is_int(count(text("SELECT COUNT(*) FROM audit_records WHERE idempotency_key IS NOT NULL AND target_id = '%s'",
                          door_text(&answer, "id"))),
               1, "... is on record");
        answer = once(good[i], "/v1/roles", door->key, role(text("Key %d", (int)i)));
        is_str(replayed(&answer), "true", "... and known again");
    }
}

/* ---- every POST that needs a credential
 * ------------------------------------------------------------------------------- */

static const struct {
    const char *operation, *body;
    bool reads;
} bodies[] = {{"create_user", "{\"username\":\"new@example.org\",\"password\":\"" PASSWORD "\"}", false},
              {"invite_user", "{\"username\":\"invited@example.org\"}", false},
              {"revoke_invite", "{\"username\":\"open@example.org\"}", false},
              {"add_user_membership", NULL, false}, /* need an account or a team: body_of */
              {"add_team_membership", NULL, false},
              {"restore_user", "{}", false},
              {"create_user_link", "{\"kind\":\"reset\"}", false},
              {"add_user_team", NULL, false},
              {"create_team", "{\"name\":\"New\"}", false},
              {"create_role", "{\"name\":\"New\"}", false},
              {"create_api_key", "{\"description\":\"once\"}", false},
              {"create_user_api_key", "{\"description\":\"once\"}", false},
              {"search_api_key", "{\"include_inactive\":true}", true},
              {"create_invitation", "{\"email\":\"keyed@example.org\",\"roleID\":\"read-only\"}", false},
              {"update_invitation", "{}", false},
              {"create_authentication_provider", "{\"type\":\"DEFAULT\",\"name\":\"Once\"}", false},
              {"create_client", "{\"name\":\"Once\",\"redirect_uris\":[\"https://once.example/cb\"]}", false},
              {"rotate_client_secret", "{}", false}};

static const char *body_of(const identity_route_t *route, bool *reads)
{
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (strcmp(bodies[i].operation, route->operation) == 0) {
            *reads = bodies[i].reads;
            return bodies[i].body ? bodies[i].body
                   : strcmp(route->operation, "add_user_team") == 0
                       ? text("{\"team_id\":\"%s\"}", team_id)
                       : member(door->account_id, "USER", named("Quote Viewer"));
        }
    bail(text("no body for %s is known: add one to this test", route->operation));
}

static const char *deleted_user(void)
{
    const char *id = door_person(door, "deleted@example.org", PASSWORD, "[]");

    accepted(door_call(door, "DELETE", text("/v1/users/%s", id), door->key, NULL), 200, "(a user is deleted)");
    return id;
}

static const char *path_of(const identity_route_t *route)
{
    const char *open = strchr(route->pattern, '{');

    if (!open)
        return route->pattern;
    const char *id = strcmp(route->operation, "restore_user") == 0 ? deleted_user()
                     : strncmp(open, "{user}", 6) == 0             ? bob_id
                     : strncmp(open, "{team}", 6) == 0             ? team_id
                     : strncmp(open, "{clnt}", 6) == 0             ? rows("SELECT id FROM clients LIMIT 1")
                     : strncmp(open, "{invitation}", 12) == 0      ? rows("SELECT id FROM invitations WHERE state = "
                                                                               "'invited' AND email = 'keyed@example.org'")
                                                                   : NULL;
    if (!id)
        bail(text("no id for %s is known: add one to this test", route->pattern));
    return text("%.*s%s%s", (int)(open - route->pattern), route->pattern, id, strchr(open, '}') + 1);
}

/* The Nth statement fails, for every N: nothing is half made, and the same request is done afterwards. */
static door_answer_t exhaust(const char *key, const char *operation, const char *path, const char *body)
{
    const char *before = state();
    door_answer_t answer;
    int n = 0;

    for (bool failed = true; failed; door->fail_after = 0) {
        door->fail_after = ++n;
        answer = once(key, path, door->key, body);
        failed = door->fail_after <= 0;
        door->fail_after = 0;
        if (!failed)
            break;
        refused(answer, 503, "INTERNAL_ERROR", "", "%s: statement %d fails # security 86", operation, n);
        is_str(header(&answer, "Idempotency-Retryable"), "true", "... may be tried again");
        is_str(state(), before, "... nothing is half made");
    }
    ok(n > 9, "%s: %d statements were tried", operation, n - 1);
    return answer;
}

/* What is answered again is what was answered, with one header more. */
static void same_again(const char *operation, const door_answer_t *first, const door_answer_t *again)
{
    is_int(again->status, first->status, "%s again: the status", operation);
    is_str(again->text, first->text, "... the answer");
    is_str(again->content_type, first->content_type, "... its type");
    is_str(headers_of(again), text("%sIdempotent-Replayed: true\n", headers_of(first)), "... its headers");
}

static void test_route(const identity_route_t *route)
{
    const char *key = text("route %s", route->operation), *path = path_of(route), *records;
    bool reads = false;
    const char *body = body_of(route, &reads);

    /* Of which account the body does not say. */
    door->platform_id = strcmp(route->operation, "create_invitation") == 0 ? door->account_id : NULL;
    door->idempotency_key = key;
    door_answer_t answer = door_call(door, "POST", path, NULL, body);
    refused(answer, 401, "UNAUTHORISED", "", "%s without a credential", route->operation);
    answer = door_call(door, "POST", path, door->read_key, body);
    door->idempotency_key = NULL;
    if (!reads)
        refused(answer, 403, "USER_NOT_ALLOWED", "", "%s without the permission", route->operation);
    is_int(kept(key), 0, "... keeps nothing that is refused");

    door_answer_t first = reads ? once(key, path, door->key, body) : exhaust(key, route->operation, path, body);
    ok(first.status >= 200 && first.status < 300, "%s is done: %d", route->operation, first.status);
    records = text("SELECT COUNT(*) FROM audit_records WHERE idempotency_key = '%s'", key);
    is_int(count(records), !reads, "... on record with the key, once");
    if (reads) {
        answer = once(key, path, door->key, body);
        is_str(header(&answer, "Idempotent-Replayed"), NULL, "A11: %s only reads: it is done again", route->operation);
        is_int(kept(key), 0, "A11: and no key is kept");
        return;
    }
    const char *before = state();
    for (int i = 0; i < 2; i++) {
        answer = once(key, path, door->key, body);
        same_again(route->operation, &first, &answer);
    }
    is_str(state(), before, "... and nothing is done again");
    if (!route->body) { /* nothing of a body is read */
        door->platform_id = NULL;
        return;
    }
    answer = once(key, path, door->key, text(" %s", body));
    if (route->invitations)
        refused(answer, 400, "BAD_REQUEST", "", "%s with another body, where there is no 409", route->operation);
    else
        refused(answer, 409, "IDEMPOTENCY_CHECK_FAILED", "", "%s with another body", route->operation);
    is_str(header(&answer, "Idempotent-Replayed"), NULL, "... is no answer again");
    is_str(state(), before, "... and not done");
    door->platform_id = NULL;
}

static void test_routes(void)
{
    int tried = 0;

    post("/v1/users/invite", door->key, "{\"username\":\"open@example.org\"}");
    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        if (strcmp(route->method, "POST") != 0 || route->credential != IDENTITY_CREDENTIAL_REQUIRED)
            continue;
        tried++;
        test_route(route);
    }
    ok(tried >= 10, "%d routes were tried", tried);
}

/* What is wrong with a key is said where it would not be kept, too. */
static void test_search(void)
{
    refused(once("", "/v1/api-keys/search", door->key, "{}"), 400, "INVALID_FIELD", "Idempotency-Key", "an empty key");
    refused(once("search", "/v1/api-keys/search", door->key, "{\"user_type\":\"MORTAL\"}"), 404, "RESOURCE_NOT_FOUND",
            "", "what is not found");
    is_int(kept("search"), 0, "... is not kept");
}

/* ---- another request, another credential
 * ------------------------------------------------------------------------------ */

static void test_other_request(void)
{
    door_answer_t first = once("other", "/v1/roles?a=b", door->key, role("Other"));
    const char *before = state();

    accepted(first, 200, "the first request");
    door_answer_t answer = once("other", "/v1/roles", door->key, role("Other"));
    refused(answer, 409, "IDEMPOTENCY_CHECK_FAILED", "", "without its query");
    answer = once("other", "/v1/api-keys?a=b", door->key, role("Other"));
    refused(answer, 409, "IDEMPOTENCY_CHECK_FAILED", "", "elsewhere");
    door->platform_id = door->account_id;
    answer = once("other", "/v1/roles?a=b", door->key, role("Other"));
    refused(answer, 409, "IDEMPOTENCY_CHECK_FAILED", "", "in an account");
    door->platform_id = NULL;
    answer = once("other", "/v1/roles?a=b", door->key, role("OTher"));
    refused(answer, 409, "IDEMPOTENCY_CHECK_FAILED", "", "with another body");
    is_str(state(), before, "none of it was done");
    answer = once("other", "/v1/roles?a=b", door->key, role("Other"));
    same_again("the first request", &first, &answer);
    answer = once("Other", "/v1/roles", door->key, role("Other two"));
    accepted(answer, 200, "keys tell capitals");
}

static void test_credentials(void)
{
    const char *again = login("ada@example.org");

    door_answer_t first = once("shared", "/v1/roles", door->key, role("Of a key")),
                  answer = once("shared", "/v1/roles", door->other_key, role("Of a key"));
    accepted(answer, 200, "another credential has keys of its own");
    is_str(replayed(&answer), "no", "... which are new");
    ok(strcmp(answer.text, first.text) != 0, "... and answers of its own");
    answer = once("shared", "/v1/roles", ada, role("Of ada"));
    accepted(answer, 200, "so has a person");
    door_answer_t second = once("shared", "/v1/roles", again, role("Of ada"));
    same_again("a person in another session", &answer, &second);

    /* What the caller may do is asked first. */
    change(text("UPDATE memberships SET type = 'USER' WHERE user_id = '%s'", ada_id));
    answer = once("shared", "/v1/roles", ada, role("Of ada"));
    refused(answer, 403, "USER_NOT_ALLOWED", "", "who has lost the permission gets no answer again");
    change(text("UPDATE memberships SET type = 'ADMIN' WHERE user_id = '%s'", ada_id));
    answer = once("shared", "/v1/roles", ada, role("Of ada"));
    is_str(replayed(&answer), "true", "who has it does");
    post("/v1/oauth/logout", again, NULL);
    answer = once("shared", "/v1/roles", again, role("Of ada"));
    refused(answer, 401, "UNAUTHORISED", "", "nor does an ended session");
}

/* ---- what is not kept
 * --------------------------------------------------------------------------------------------------- */

static void test_refused(void)
{
    const struct {
        const char *target, *body;
        int status;
        const char *code, *field;
    } cases[] = {{"/v1/roles", "{", 400, "BAD_REQUEST", ""},
                 {"/v1/roles", "{}", 400, "MISSING_FIELD", "name"},
                 {"/v1/roles", "{\"name\":\"read only\"}", 409, "RESOURCE_ALREADY_EXISTS", "name"},
                 {"/v1/roles", "{\"name\":\"x\",\"permissions\":[\"x\"]}", 400, "INVALID_FIELD", "permissions.0"},
                 {"/v1/users/revoke-invite", "{\"username\":\"nobody@example.org\"}", 404, "USER_NOT_FOUND", ""},
                 {"/v1/users/user_00000000000000000000/memberships", "{\"account_id\":\"x\",\"type\":\"USER\"}", 404,
                  "USER_NOT_FOUND", ""}};
    const char *before = state();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        door_answer_t answer = once("refused", cases[i].target, door->key, cases[i].body);
        refused(answer, cases[i].status, cases[i].code, cases[i].field, "refused with a key");
        is_str(header(&answer, "Idempotency-Retryable"), NULL, "... which says nothing of trying again");
        is_str(state(), before, "... and is not kept");
    }
    door_answer_t answer = once("refused", "/v1/roles", door->key, role("Set right"));
    accepted(answer, 200, "the key is free for what is right");
}

static void test_elsewhere(void)
{
    const char *patch_path = text("/v1/users/%s", bob_id);
    long long before = count("SELECT COUNT(*) FROM idempotency");

    door->idempotency_key = "no POST";
    door_answer_t answer = get("/v1/roles?limit=1", door->key);
    accepted(answer, 200, "GET");
    answer = patch(patch_path, door->key, "{\"status\":\"INACTIVE\"}");
    accepted(answer, 200, "PATCH");
    answer = patch(patch_path, door->key, "{\"status\":\"ACTIVE\"}");
    accepted(answer, 200, "PATCH again is carried out again");
    answer = post("/v1/oauth/token", NULL, "{\"username\":\"ada@example.org\",\"password\":\"" PASSWORD "\"}");
    accepted(answer, 200, "a POST without a credential");
    const char *token = door_text(&answer, "access_token");
    answer = post("/v1/oauth/token", NULL, "{\"username\":\"ada@example.org\",\"password\":\"" PASSWORD "\"}");
    ok(strcmp(token, door_text(&answer, "access_token")) != 0, "... is no case for a key: no token is kept");
    door->idempotency_key = NULL;
    is_int(count("SELECT COUNT(*) FROM idempotency"), before, "nothing is kept");

    door_answer_t plain = post("/v1/roles", door->key, role("Plain")),
                  keyed = once("cost", "/v1/roles", door->key, role("Keyed"));
    is_int(keyed.statements - plain.statements, 4, "a key costs a transaction and a statement; without it, nothing");
    keyed = once("cost", "/v1/roles", door->key, role("Keyed"));
    ok(keyed.statements < plain.statements, "%lu statements to answer again", keyed.statements);
}

/* ---- secrets
 * -------------------------------------------------------------------------------------------------------------- */

static bool in_file(const char *name, const char *needle)
{
    char *bytes = apr_palloc(door->pool, 1 << 24);
    FILE *file = fopen(text("%s/%s", door->folder, name), "r");
    size_t size = file ? fread(bytes, 1, 1 << 24, file) : 0;

    if (file)
        fclose(file);
    return memmem(bytes, size, needle, strlen(needle)) != NULL;
}

static bool in_database(const char *needle)
{
    return in_file("identity.db", needle) || in_file("identity.db-wal", needle);
}

static void test_secrets(void)
{
    const char *body = "{\"username\":\"sealed@example.org\",\"password\":\"" PASSWORD "\"}";
    door_answer_t first = once("secret", "/v1/api-keys", door->key, "{}");
    const char *key = door_text(&first, "api_key");

    accepted(first, 201, "a key is made");
    ok(in_database(door_text(&first, "id")) && !in_database(key) && !in_database(key + 30),
       "it stands nowhere in the database");
    door_answer_t answer = once("secret", "/v1/api-keys", door->key, "{}");
    is_str(door_text(&answer, "api_key"), key, "and is answered again");
    answer = get("/v1/users", key);
    accepted(answer, 200, "... and good");
    answer = once("password", "/v1/users", door->key, body);
    accepted(answer, 201, "a user with a password is made");
    const char *digest = rows("SELECT request_digest FROM idempotency WHERE idempotency_key = 'password'");
    const char *request = text("POST\n/v1/users\n\n\n%s", identity_sha256_hex(door->pool, body, strlen(body)));
    ok(strlen(digest) == 64 && strcmp(digest, identity_sha256_hex(door->pool, request, strlen(request))) != 0,
       "the password cannot be guessed from what is kept");
    change("UPDATE idempotency SET credential_id = 'apik_x' WHERE idempotency_key = 'secret'");
    change(text("UPDATE idempotency SET credential_id = '%s' WHERE credential_id = 'apik_x'",
                identity_key_id(door->pool, door->other_key)));
    answer = once("secret", "/v1/api-keys", door->other_key, "{}");
    refused(answer, 409, "IDEMPOTENCY_CHECK_FAILED", "", "a row moved to another credential cannot be read");
}

static void test_rotation(void)
{
    const identity_keyset_t *present = door->env.keys;
    const char *error, *pem = identity_signing_key_make(door->pool);
    door_answer_t first = once("rotation", "/v1/roles", door->key, role("Rotation"));

    door->env.keys = identity_keyset_load(door->pool, &pem, 1, &error);
    door_answer_t answer = once("rotation", "/v1/roles", door->key, role("Rotation"));
    refused(answer, 409, "IDEMPOTENCY_CHECK_FAILED", "",
            "the signing key is gone: nothing is answered, nor done twice");
    answer = once("rotation 2", "/v1/roles", door->key, role("Rotation 2"));
    accepted(answer, 200, "... but other keys are taken");
    door->env.keys = present;
    answer = once("rotation", "/v1/roles", door->key, role("Rotation"));
    same_again("the key is back", &first, &answer);
}

/* ---- time
 * ----------------------------------------------------------------------------------------------------------------- */

static const char *invitation = "{\"username\":\"often@example.org\"}";

static void test_age(void)
{
    once("age", "/v1/users/invite", door->key, invitation);
    pass(KEPT - 10);
    door_answer_t answer = once("age", "/v1/users/invite", door->key, invitation);
    is_str(replayed(&answer), "true", "kept for 48 hours");
    is_int(identity_purge(door->pool, &door->env) >= 0 && kept("age"), 1, "... and not purged");
    pass(20);
    answer = once("age", "/v1/roles", door->key, role("Age"));
    accepted(answer, 200, "then the key is free for anything");
    answer = once("age", "/v1/roles", door->key, role("Age"));
    is_str(replayed(&answer), "true", "... and kept again");
}

static void test_purge(void)
{
    change("DELETE FROM idempotency");
    unsigned long before = identity_db_statements(door->db);
    is_int(identity_purge(door->pool, &door->env), 0, "nothing to purge");
    is_int(identity_db_statements(door->db) - before, 5 + IDENTITY_OLD_KINDS, "... is a look at each kind that ends");
    for (int i = 0; i < 450; i++)
        change(text("INSERT INTO idempotency (credential_id, idempotency_key, request_digest, state, status, sealed, "
                    "sealed_with, created_at) VALUES ('user_x', '%d', '', '%s', 200, '', '', %" APR_INT64_T_FMT ")",
                    i, i % 2 ? "done" : "running", (apr_int64_t)(door->now + i)));
    pass(KEPT + 1);
    once("young", "/v1/users/invite", door->key, invitation);
    is_int(identity_purge(door->pool, &door->env), 200, "a batch");
    is_int(count("SELECT MIN(CAST(idempotency_key AS INTEGER)) FROM idempotency WHERE credential_id = 'user_x'"), 200,
           "... of the oldest");
    door->fail_after = 2;
    is_int(identity_purge(door->pool, &door->env), 0, "a fault");
    door->fail_after = 0;
    is_int(count("SELECT COUNT(*) FROM idempotency"), 251, "... deletes nothing");
    is_int(identity_purge(door->pool, &door->env), 200, "another");
    is_int(identity_purge(door->pool, &door->env), 50, "the rest");
    is_int(identity_purge(door->pool, &door->env), 0, "nothing is left");
    is_str(rows("SELECT idempotency_key FROM idempotency"), "young", "... but what is young");
}

/* ---- at the same time
 * ------------------------------------------------------------------------------------------------------ */

static void (*between)(void);

/* Something happens while the first request has its key and waits to write. */
static bool enter_second(void *context)
{
    static int entered;
    void (*now)(void) = between;

    if (now && ++entered % 2 == 0) {
        between = NULL;
        now();
    }
    ((door_t *)context)->writers++;
    return true;
}

static door_answer_t with_between(void (*what)(void), const char *key, const char *target, const char *body)
{
    bool (*enter)(void *) = door->env.enter_write;

    between = what;
    door->env.enter_write = enter_second;
    door_answer_t answer = once(key, target, door->key, body);
    door->env.enter_write = enter;
    return answer;
}

static void same_meanwhile(void)
{
    door_answer_t answer = once("twice", "/v1/roles", door->key, role("Twice"));
    refused(answer, 422, "IDEMPOTENCY_CHECK_FAILED", "", "the second, while the first runs");
    answer = once("twice", "/v1/roles", door->key, role("Twice!"));
    refused(answer, 409, "IDEMPOTENCY_CHECK_FAILED", "", "another, while the first runs");
    answer = once("twice", "/v1/roles", ada, role("Ada's"));
    accepted(answer, 200, "somebody else's, while the first runs");
}

static void take_over(void)
{
    pass(ABANDONED + 1);
    door_answer_t answer = once("slow", "/v1/roles", door->key, role("Slow"));
    accepted(answer, 200, "who left the key behind is overtaken");
}

static void test_meanwhile(void)
{
    door_answer_t answer = with_between(same_meanwhile, "twice", "/v1/roles", role("Twice"));
    accepted(answer, 200, "the first");
    answer = once("twice", "/v1/roles", door->key, role("Twice"));
    is_str(replayed(&answer), "true", "the second, afterwards");

    answer = with_between(take_over, "slow", "/v1/roles", role("Slow"));
    ok(answer.status == 409, "the overtaken one finds the change made: %d", answer.status);
    is_int(count("SELECT COUNT(*) FROM roles WHERE name = 'Slow'"), 1, "... and it was made once");
    answer = once("slow", "/v1/roles", door->key, role("Slow"));
    accepted(answer, 200, "the answer");
    is_str(replayed(&answer), "true", "... is the overtaker's");
}

static void overtake_invitation(void)
{
    pass(ABANDONED + 1);
    once("slow 2", "/v1/users/invite", door->key, invitation);
}

static void test_overtaken(void)
{
    const char *made = "SELECT COUNT(*) FROM invitations WHERE email = 'often@example.org'";
    long long before = count(made);

    /* Here nothing but the mark stands in the way of doing it twice. */
    door_answer_t answer = with_between(overtake_invitation, "slow 2", "/v1/users/invite", invitation);
    refused(answer, 503, "INTERNAL_ERROR", "", "who was overtaken changes nothing");
    is_str(header(&answer, "Idempotency-Retryable"), "true", "... and may ask again");
    is_int(count(made), before + 1, "one invitation");
    answer = once("slow 2", "/v1/users/invite", door->key, invitation);
    is_str(replayed(&answer), "true", "whose answer is there");
}

/* ---- left behind
 * ------------------------------------------------------------------------------------------------------------ */

static bool no_random(void *context, void *buffer, size_t size)
{
    (void)context;
    (void)buffer;
    (void)size;
    return false;
}

static void test_left_behind(void)
{
    bool (*fill)(void *, void *, size_t) = door->env.random.fill;
    const char *behind = NULL, *before = state();
    int n, left = 0;

    door->env.random.fill = no_random;
    door_answer_t answer = once("left", "/v1/roles", door->key, role("Left"));
    refused(answer, 500, "INTERNAL_ERROR", "", "our fault");
    is_str(header(&answer, "Idempotency-Retryable"), "true", "... may be tried again");
    is_str(state(), before, "... the key is free");
    for (n = 1; n < 30; n++) {
        const char *key = text("left %d", n);
        door->fail_after = n;
        answer = once(key, "/v1/roles", door->key, role("Left"));
        bool failed = door->fail_after <= 0;
        door->fail_after = 0;
        if (!failed)
            break;
        if (!kept(key))
            continue;
        left++;
        refused(answer, 500, "INTERNAL_ERROR", "", "our fault, and the key cannot be given free: statement %d", n);
        is_str(header(&answer, "Idempotency-Retryable"), "false", "... says so");
        answer = once(key, "/v1/roles", door->key, role("Left"));
        refused(answer, 422, "IDEMPOTENCY_CHECK_FAILED", "", "... and at once it is held to be running");
        behind = key;
    }
    is_int(left, 3, "BEGIN, DELETE and COMMIT can fail");
    door->env.random.fill = fill;
    pass(ABANDONED - 1);
    answer = once(behind, "/v1/roles", door->key, role("Left"));
    refused(answer, 422, "IDEMPOTENCY_CHECK_FAILED", "", "so for a minute");
    pass(2);
    answer = once(behind, "/v1/roles", door->key, role("Left"));
    accepted(answer, 200, "after a minute the key is taken over");
    answer = once(behind, "/v1/roles", door->key, role("Left"));
    is_str(replayed(&answer), "true", "... and kept");
}

/* ---- no change without its answer
 * ---------------------------------------------------------------------------------------------- */

static bool forgetful_write(identity_call_t *call, void *data)
{
    identity_audit_t audit = {.action = "FORGOTTEN", .type = "USER", .id = data, .message = "x"};
    return identity_audit(call, &audit);
}

static bool forgetful(identity_call_t *call)
{
    return identity_write(call, forgetful_write, (void *)"user_x") && identity_answer(call, 200, json_object());
}

static bool reads_only(identity_call_t *call)
{
    return identity_answer(call, 200, json_pack("{s:s}", "request", call->in->request_id));
}

static bool call_handler(bool (*handler)(identity_call_t *call), identity_call_t *call, bool *answered)
{
    identity_request_t *in = apr_pcalloc(door->pool, sizeof *in);
    identity_response_t *out = apr_pcalloc(door->pool, sizeof *out);
    identity_route_t *route = apr_pcalloc(door->pool, sizeof *route);
    identity_authentication_t authentication;

    *route = (identity_route_t){
        .operation = "x", .method = "POST", .credential = IDENTITY_CREDENTIAL_REQUIRED, .handler = handler};
    *in = (identity_request_t){
        .method = "POST", .path = "/v1/x", .request_id = identity_request_id(door->pool, &door->env)};
    in->headers.idempotency_key = "forgetful";
    out->headers = apr_table_make(door->pool, 4);
    identity_authenticate_local(door->pool, door->entity_id, &authentication);
    identity_call_begin(call, door->pool, &door->env, in);
    call->out = out;
    call->route = route;
    call->principal = authentication.principal;
    bool done = identity_idempotency_begin(call, answered) && (*answered || handler(call));
    identity_idempotency_end(call, done);
    return done;
}

static void test_forgetful(void)
{
    const char *before = state();
    identity_call_t call;
    bool answered;

    ok(!call_handler(forgetful, &call, &answered) && call.problem.kind == IDENTITY_PROBLEM_INTERNAL,
       "a handler that answers after its transaction");
    is_str(state(), before, "... changes nothing");
    ok(call_handler(reads_only, &call, &answered) && !answered, "one that only reads");
    const char *first = call.out->body;
    ok(call_handler(reads_only, &call, &answered) && answered, "... is answered again");
    is_str(call.out->body, first, "... with what it said");
}

int main(void)
{
    serve_begin();
    ada_id = door_person(
        door, "ada@example.org", PASSWORD,
        text("[%s,%s]", member(door->account_id, "ADMIN", ""), member(door->second_account_id, "ADMIN", "")));
    bob_id = door_person(door, "bob@example.org", PASSWORD, "[]");
    team_id = serve_team("Team");
    ada = login("ada@example.org");
    test_keys();
    test_routes();
    test_search();
    test_other_request();
    test_credentials();
    test_refused();
    test_elsewhere();
    test_secrets();
    test_rotation();
    test_forgetful();
    test_meanwhile();
    test_overtaken();
    test_left_behind();
    test_age();
    test_purge();
    return serve_end();
}

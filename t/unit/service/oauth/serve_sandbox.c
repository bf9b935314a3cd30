/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox-token: an entity of one's own, what can be done in it, that it is nobody else's, and that it ends with all
 * that is in it (security 23, 88). */
#include "serve_guests.h"

#define DAY            86400
#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

typedef struct sandbox {
    door_answer_t answer;
    const char *bearer, *cookie;
    const char *entity, *account, *user, *username;
} sandbox_t;

static sandbox_t made_for(const char *email)
{
    sandbox_t sandbox = {.answer = visit(SANDBOX, email)};
    const char *set = header(&sandbox.answer, "Set-Cookie");

    sandbox.bearer = bearer_in(&sandbox.answer);
    sandbox.cookie = set ? text("%.*s", (int)strcspn(set, ";"), set) : NULL;
    door_answer_t users = get("/v1/users", sandbox.bearer);
    sandbox.user = door_text(&users, "data.0.id");
    sandbox.username = door_text(&users, "data.0.username");
    sandbox.entity = door_text(&users, "data.0.entity_id");
    sandbox.account = door_text(&users, "data.0.account_memberships.0.account_id");
    if (!sandbox.account)
        bail(text("no sandbox: %s", users.text));
    return sandbox;
}

/* Rows of each table, without those whose number is of no matter here. */
static const char *sizes(void)
{
    char *tables = apr_pstrdup(door->pool, rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"));
    const char *all = "";
    char *rest;

    /* What was changed is on a list for ten minutes of the wall clock. */
    for (char *table = apr_strtok(tables, " ", &rest); table; table = apr_strtok(NULL, " ", &rest))
        if (strcmp(table, "changes") != 0)
            all = text("%s %s:%ld", all, table,
                       (long)count(text("SELECT COUNT(*) FROM %s%s", table,
                                        strcmp(table, "audit_records") == 0   ? " WHERE entity_id <> ''"
                                        : strcmp(table, "audit_details") == 0 ? " JOIN audit_records ON id = record_id "
                                                                                "WHERE entity_id <> ''"
                                                                              : "")));
    return all;
}

static void purge_all(int *rounds)
{
    *rounds = 0;
    while (identity_purge(door->pool, &door->env) > 0 && *rounds < 1000)
        ++*rounds;
}

/* ---- whether there are any -------------------------------------------------------------------------------------- */

static void test_configured(void)
{
    const char *before = state();

    door->settings.sandbox = false;
    refused(visit(SANDBOX, "a@example.org"), 403, "USER_NOT_ALLOWED", "", "sandboxes are off");
    is_int(service->asked[PROVIDER_TOKEN], 0, "nobody solves a captcha for nothing");
    door->settings.sandbox = true;
    /* 64 bytes before the @, labels of 63: 218 bytes in all, and the mark takes 36 to 254 */
    char *address = apr_pcalloc(door->pool, 219);
    memset(address, 'x', 218);
    address[64] = '@';
    address[128] = address[192] = '.';
    refused(visit(SANDBOX, address), 400, "INVALID_FIELD", "email", "an address too long to make a name of");
    is_str(state(), before, "... and nothing is written");
    accepted(visit(SANDBOX, address + 1), 200, "the longest that goes");
}

/* ---- what is made ----------------------------------------------------------------------------------------------- */

static void test_made(void)
{
    sandbox_t sandbox = made_for("Ada@Example.org");
    const char *mark = sandbox.entity + strlen("enti_");

    accepted(sandbox.answer, 200, "a sandbox");
    is_str(members_at(&sandbox.answer, ""), "issued_at,access_token,expires_in,expires_at,token_type,scope,id_token",
           "... a Token");
    is_str(json_at(&sandbox.answer, "expires_in"), "900", "... as of any user");
    ok(sandbox.cookie, "... with a refresh cookie");
    is_str(rows(text("SELECT reference, name, expires_at - created_at FROM entities WHERE id = '%s'", sandbox.entity)),
           text("sandbox:%s|Sandbox|86400000000", sandbox.entity), "an entity with an end");
    is_str(rows(text("SELECT reference, environment, account_type_code FROM accounts WHERE entity_id = '%s'",
                     sandbox.entity)),
           "sandbox|TEST|PLATFORM", "one TEST account");
    is_str(sandbox.username, text("Ada@Example.org.%s.sandbox.invalid", mark), "a user whose name is marked");
    is_str(rows(text("SELECT status, password_hash, verified_at FROM users WHERE id = '%s'", sandbox.user)),
           "ACTIVE|-|0", "... without a password, and of whom nothing is proved");
    is_str(rows(text("SELECT account_id, type FROM memberships WHERE user_id = '%s'", sandbox.user)),
           text("%s|ADMIN", sandbox.account), "... who administers it");
    is_str(rows(text("SELECT action, user_id, message FROM audit_records WHERE entity_id = '%s' ORDER BY action DESC",
                     sandbox.entity)),
           text("SANDBOX_CREATED|%s|A sandbox was created for Ada@Example.org. LOGIN|%s|Signed in by sandbox.",
                sandbox.user, sandbox.user),
           "it is on its own record # security 82");
    is_str(rows(text("SELECT action, user_id, message FROM audit_records WHERE entity_id = '' AND target_id = '%s'",
                     sandbox.entity)),
           "SANDBOX_CREATED||A sandbox was created.", "... and, without a name, on the server's");
    is_str(traces_of("captcha-canary"), "", "the service's secret is kept nowhere");
    is_str(traces_of("solved-canary"), "", "... nor the captcha's");
}

/* Known or not, once or twice: always a fresh one (security 15). */
static void test_names(void)
{
    door_person(door, "known@example.org", PASSWORD,
                text("[%s,%s]", member(door->account_id, "ADMIN", ""), member(door->second_account_id, "ADMIN", "")));
    sandbox_t first = made_for("known@example.org"), second = made_for("known@example.org"),
              unknown = made_for("unknown@example.org");

    ok(strcmp(first.entity, second.entity) != 0 && strcmp(first.user, second.user) != 0, "two for one address");
    is_str(members_at(&first.answer, ""), members_at(&unknown.answer, ""), "... which may be a user's or not");
    is_int(first.answer.statements, unknown.answer.statements, "... in as many statements");
    accepted(post("/v1/oauth/token", NULL, "{\"username\":\"known@example.org\",\"password\":\"" PASSWORD "\"}"), 200,
             "the user of that name is the one before");
}

static void test_invisible(void)
{
    sandbox_t one = made_for("one@example.org"), two = made_for("two@example.org");
    const char *const credentials[] = {two.bearer, door->key, door->other_key};

    for (size_t i = 0; i < COUNT_OF(credentials); i++) {
        door_answer_t answer = get("/v1/users?limit=500", credentials[i]);
        ok(!strstr(answer.text, one.user) && !strstr(answer.text, "one@example.org"), "nobody else lists it");
        refused(get(text("/v1/users/%s", one.user), credentials[i]), 404, "USER_NOT_FOUND", "", "... gets it");
        answer = get(text("/v1/users/search?username=%s", one.username), credentials[i]);
        is_str(answer.text, "[]", "... finds it # security 60");
    }
    door_answer_t answer = get("/v1/users?limit=500", one.bearer);
    is_int(size_at(&answer, "data"), 1, "and it sees nobody");
    refused(get(text("/v1/users/%s", two.user), one.bearer), 404, "USER_NOT_FOUND", "", "... of another sandbox");
    door->platform_id = door->account_id;
    refused(get("/v1/users", one.bearer), 403, "USER_NOT_ALLOWED", "", "... and acts nowhere else");
    door->platform_id = NULL;
    door->settings.demo_account = one.account;
    refused(visit(DEMO, "a@example.org"), 403, "USER_NOT_ALLOWED", "", "no sandbox is a demo account");
    door->settings.demo_account = "sandbox";
    refused(visit(DEMO, "a@example.org"), 403, "USER_NOT_ALLOWED", "", "... by its reference either");
    door->settings.demo_account = NULL;
}

/* ---- what can be done in it ------------------------------------------------------------------------------------- */

static const char *must(door_answer_t answer, const char *path)
{
    const char *value = answer.status < 300 ? door_text(&answer, path) : NULL;
    return value ? value : (bail(text("%d %s", answer.status, answer.text)), NULL);
}

/* Something of everything that an entity can have. */
static void fill(const sandbox_t *sandbox, const char *domain)
{
    const char *bearer = sandbox->bearer, *key, *child, *role, *team, *person, *alias;
    identity_alias_row_t *alias_row;
    identity_problem_t problem;

    child = must(post("/v1/roles", bearer, "{\"name\":\"Child\",\"permissions\":[\"SITE.LOOK\"]}"), "id");
    role = must(post("/v1/roles", bearer, text("{\"name\":\"Parent\",\"child_role_ids\":[\"%s\"]}", child)), "id");
    must(post("/v1/roles", bearer,
              text("{\"name\":\"Again\",\"child_role_ids\":[\"%s\",\"%s\"]}", child, role_named("Quote Viewer"))),
         "id");
    team = must(post("/v1/teams", bearer, "{\"name\":\"Team\"}"), "id");
    must(post(text("/v1/teams/%s/memberships", team), bearer,
              member(sandbox->account, "USER", text(",\"role_ids\":[\"%s\"]", role))),
         "0.id");
    must(post("/v1/authentication-providers", bearer, "{\"type\":\"DEFAULT\"}"), "id");
    must(post("/v1/clients", bearer, "{\"name\":\"Client\",\"redirect_uris\":[\"https://a.example/\"]}"), "id");
    door->idempotency_key = "once";
    key = must(post("/v1/api-keys", bearer, "{\"permissions\":[\"SITE.LOOK\",\"USER.MORTAL.CREATE\"]}"), "api_key");
    accepted(post("/v1/users", key, text("{\"username\":\"made@%s\",\"password\":\"" PASSWORD "\"}", domain)), 201,
             "a key of it makes somebody");
    door->idempotency_key = NULL;
    accepted(post("/v1/users/invite", bearer,
                  text("{\"username\":\"guest@%s\",\"account_memberships\":[%s],\"team_memberships\":[{\"team_id\":"
                       "\"%s\"}]}",
                       domain, member(sandbox->account, "USER", text(",\"role_ids\":[\"%s\"]", role)), team)),
             200, "somebody is invited");
    person = accept_mailed(text("guest@%s", domain));
    refused(get("/v1/roles", login(text("guest@%s", domain))), 403, "USER_NOT_ALLOWED", "", "... and is in");
    is_int(identity_alias_add(door->pool, &door->env, person, NULL, apr_time_from_sec(10 * DAY), &alias, &alias_row,
                              &problem),
           true, "... has an alias");
    change(text("INSERT INTO provider_links (issuer, subject, user_id, created_at) VALUES ('https://x.example', '%s', "
                "'%s', 1)",
                person, person));
    accepted(post("/v1/users/invite", bearer, text("{\"username\":\"open@%s\"}", domain)), 200, "another one waits");
    post("/v1/oauth/request-password-reset", NULL, text("{\"email\":\"guest@%s\"}", domain));
}

static void test_usable(void)
{
    sandbox_t sandbox = made_for("use@example.org");

    fill(&sandbox, "use.example");
    door_answer_t answer = get("/v1/users", sandbox.bearer);
    is_int(size_at(&answer, "data"), 4, "four people are there");
    refused(patch(text("/v1/users/%s", sandbox.user), sandbox.bearer, "{\"status\":\"INACTIVE\"}"), 409,
            "INVALID_OPERATION", "", "its only administrator stays # security 63");
    door->cookie = sandbox.cookie;
    answer = post("/v1/oauth/refresh-token", NULL, NULL);
    door->cookie = NULL;
    accepted(answer, 200, "the token is renewed");
    accepted(get("/v1/users", bearer_in(&answer)), 200, "... and good");
}

/* In the log, and to the Require lines of the interface's own location, nobody of a sandbox is called as others are. */
static void test_logins(void)
{
    sandbox_t sandbox = made_for("login@example.org");
    identity_request_t in = {.method = "GET",
                             .path = "/v1/users",
                             .headers.authorization = sandbox.bearer,
                             .client_address = "192.0.2.7",
                             .secure = true,
                             .request_id = "reqr_00000000000000000001"};
    identity_authentication_t found;

    accepted(patch(text("/v1/users/%s", sandbox.user), sandbox.bearer, "{\"login\":\"root\"}"), 200,
             "a login in a sandbox");
    door->settings.logins = true;
    identity_request_match(door->pool, &in);
    identity_authenticate(door->pool, &door->env, &in, &found);
    is_str(identity_remote_user(&door->settings, found.principal), found.principal->name,
           "A4: ... is not r->user, which it would share with somebody");
    ok(strchr(found.principal->name, '@') != NULL, "A4: ... but the address, as without IdentityUserName login");
    door->settings.logins = false;
}

/* Nobody who tries something out keeps a name from whom it belongs to; but a sandbox takes none from anybody. */
static void test_names_give_way(void)
{
    sandbox_t sandbox = made_for("way@example.org"), rival = made_for("rival@example.org");
    static const char *const names[] = {"first@corp.example", "second@corp.example", "third@corp.example"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        accepted(
            post("/v1/users", sandbox.bearer, text("{\"username\":\"%s\",\"password\":\"" PASSWORD "\"}", names[i])),
            201, "a sandbox has %s", names[i]);
    refused(post("/v1/users", rival.bearer, text("{\"username\":\"%s\",\"password\":\"" PASSWORD "\"}", names[0])), 409,
            "RESOURCE_ALREADY_EXISTS", "username", "another sandbox cannot have it");
    refused(post("/v1/users/invite", rival.bearer, text("{\"username\":\"%s\"}", names[0])), 409,
            "RESOURCE_ALREADY_EXISTS", "username", "... nor invite it");
    accepted(post("/v1/users", door->key, text("{\"username\":\"%s\",\"password\":\"" PASSWORD "\"}", names[0])), 201,
             "an entity that lasts can");
    accepted(post("/v1/users/invite", door->key, text("{\"username\":\"%s\"}", names[1])), 200, "... and invite it");
    accept_mailed(names[1]);
    const char *renamed = door_person(door, "renamed@corp.example", PASSWORD, "[]");
    accepted(patch(text("/v1/users/%s", renamed), login("known@example.org"), text("{\"username\":\"%s\"}", names[2])),
             200, "... and give it to a user");
    door_answer_t answer = get("/v1/users", sandbox.bearer);
    is_int(size_at(&answer, "data"), 1, "the sandbox has them no more");
    for (size_t i = 0; i < COUNT_OF(names); i++)
        is_str(rows(text("SELECT entity_id FROM users WHERE canonical = '%s'", names[i])), door->entity_id,
               "%s is there", names[i]);
    refused(post("/v1/users/invite", sandbox.bearer, text("{\"username\":\"%s\"}", names[0])), 409,
            "RESOURCE_ALREADY_EXISTS", "username", "the sandbox does not get it back");
    refused(post("/v1/users", sandbox.bearer, text("{\"username\":\"%s\",\"password\":\"" PASSWORD "\"}", names[1])),
            409, "RESOURCE_ALREADY_EXISTS", "username", "... nor that one");
    is_str(rows(text("SELECT entity_id FROM users WHERE canonical = '%s'", names[0])), door->entity_id, "... at all");
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

static void test_end(void)
{
    sandbox_t sandbox = made_for("end@example.org");
    const char *domain = "end.example";
    apr_time_t made = door->now;

    fill(&sandbox, domain);
    door->cookie = NULL;
    const char *key =
        must(post("/v1/api-keys", sandbox.bearer, "{\"expires_at\":\"2040-01-01T00:00:00Z\"}"), "api_key");
    const char *cookie, *guest = door_login(door, text("guest@%s", domain), PASSWORD, &cookie);
    const char *open = door_mailed_token(door, text("open@%s", domain));
    const char *alias;
    identity_alias_row_t *alias_row;
    identity_problem_t problem;
    identity_alias_add(door->pool, &door->env, text("guest@%s", domain), NULL, apr_time_from_sec(10 * DAY), &alias,
                       &alias_row, &problem);
    const char *reset = door_mailed_token(door, text("guest@%s", domain));

    door->now = made + apr_time_from_sec(DAY - 60);
    door->cookie = cookie;
    door_answer_t answer = post("/v1/oauth/refresh-token", NULL, NULL);
    door->cookie = NULL;
    accepted(answer, 200, "a minute before the end");
    long left = strtol(json_at(&answer, "expires_in"), NULL, 10);
    ok(left > 0 && left <= 60, "... a token lasts to the end and no longer (%ld s)", left);
    cookie = text("%.*s", (int)strcspn(header(&answer, "Set-Cookie"), ";"), header(&answer, "Set-Cookie"));
    guest = bearer_in(&answer);
    refused(get("/v1/users", guest), 403, "USER_NOT_ALLOWED", "", "... and is good");
    accepted(get("/v1/users", key), 200, "... as the key is");

    door->now = made + apr_time_from_sec(DAY);
    is_int(count(text("SELECT COUNT(*) FROM entities WHERE id = '%s'", sandbox.entity)), 1, "nothing is purged yet");
    refused(get("/v1/users", guest), 401, "UNAUTHORISED", "", "at the end the token is dead # security 23");
    refused(get("/v1/users", key), 401, "UNAUTHORISED", "", "... the key");
    door->cookie = cookie;
    refused(post("/v1/oauth/refresh-token", NULL, NULL), 401, "UNAUTHORISED", "", "... the refresh token");
    door->cookie = NULL;
    refused(post("/v1/oauth/token", NULL, text("{\"username\":\"guest@%s\",\"password\":\"" PASSWORD "\"}", domain)),
            401, "UNAUTHORISED", "", "... the password");
    refused(post("/v1/oauth/token", NULL, text("{\"token_alias\":\"%s\"}", alias)), 401, "UNAUTHORISED", "",
            "... the alias");
    refused(post("/v1/oauth/activate-user", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", open)),
            400, "INVALID_FIELD", "token", "... an invitation");
    refused(post("/v1/oauth/reset-password", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", reset)),
            400, "INVALID_FIELD", "token", "... a reset");
    is_int(count(text("SELECT COUNT(*) FROM sessions WHERE entity_id = '%s' AND created_at > %" APR_INT64_T_FMT,
                      sandbox.entity, (apr_int64_t)(made + apr_time_from_sec(DAY - 30)))),
           0, "nobody came in");
    int rounds;
    purge_all(&rounds);
}

/* The end is the entity's, whatever its sessions and keys say. */
static void test_moved_end(void)
{
    sandbox_t sandbox = made_for("moved@example.org");
    const char *key = must(post("/v1/api-keys", sandbox.bearer, "{}"), "api_key");

    accepted(get("/v1/users", key), 200, "a sandbox");
    change(text("UPDATE entities SET expires_at = %" APR_INT64_T_FMT " WHERE id = '%s'", (apr_int64_t)door->now,
                sandbox.entity));
    refused(get("/v1/users", sandbox.bearer), 401, "UNAUTHORISED", "", "is ended: its session # security 37");
    refused(get("/v1/users", key), 401, "UNAUTHORISED", "", "... and its key");
}

static void test_purge(void)
{
    int rounds;

    pass(2 * DAY + 1);
    purge_all(&rounds);
    is_int(count("SELECT COUNT(*) FROM entities WHERE expires_at > 0"), 0, "no sandbox is left");
    const char *before = sizes();
    sandbox_t sandbox = made_for("purge@example.org"), later;
    fill(&sandbox, "purge.example");
    for (int i = 0; i < 45; i++)
        must(post("/v1/users", sandbox.bearer,
                  text("{\"username\":\"many%d@purge.example\",\"password\":\"" PASSWORD "\"}", i)),
             "id");
    ok(strcmp(sizes(), before) != 0, "one is filled:%s", sizes());
    char *tables = apr_pstrdup(door->pool, rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"));
    char *rest;
    for (char *table = apr_strtok(tables, " ", &rest); table; table = apr_strtok(NULL, " ", &rest))
        if (!strstr("schema_version settings changes sso_states client_grants", table))
            ok(!strstr(before, text(" %s:%ld", table, (long)count(text("SELECT COUNT(*) FROM %s", table)))),
               "it has rows in %s", table);
    is_int(identity_purge(door->pool, &door->env), 0, "it stays as long as it lasts");
    pass(DAY - 10);
    later = made_for("later@example.org");
    pass(20);
    int first = identity_purge(door->pool, &door->env);
    ok(first > 0 && first <= 20, "then it goes, a few at a time: %d # security 88", first);
    is_int(count(text("SELECT COUNT(*) FROM entities WHERE id = '%s'", sandbox.entity)), 1, "... the entity last");
    for (int i = 1; i < 6; i++) {
        door->fail_after = i;
        is_int(identity_purge(door->pool, &door->env), 0, "a fault of statement %d", i);
        door->fail_after = 0;
    }
    purge_all(&rounds);
    ok(rounds > 5, "in %d more rounds", rounds);
    is_int(count(text("SELECT COUNT(*) FROM entities WHERE id = '%s'", sandbox.entity)), 0, "it is gone");
    accepted(get("/v1/users", later.bearer), 200, "another one is not");
    is_str(rows(text("SELECT action FROM audit_records WHERE entity_id = '' AND target_id = '%s' ORDER BY id",
                     sandbox.entity)),
           "SANDBOX_CREATED SANDBOX_REMOVED", "which is on the server's record");
    is_str(traces_of("purge.example"), "", "no name is left anywhere");
    is_str(traces_of("purge@example"), "", "... nor its address # security 89");
    pass(DAY);
    purge_all(&rounds);
    pass(2 * DAY + 1);
    purge_all(&rounds);
    is_str(sizes(), before, "every table is as it was");
    apr_array_header_t *faults;
    identity_db_use(door->db, door->pool);
    is_int(identity_schema_check(door->db, &faults), IDENTITY_DB_OK, "the file is sound");
    is_int(faults->nelts, 0, "... and no reference leads nowhere");
}

/* ---- what they may take ----------------------------------------------------------------------------------------- */

static void test_bounds(void)
{
    sandbox_t sandbox = made_for("bounds@example.org");
    const char *bearer = sandbox.bearer;
    long there = (long)count("SELECT COUNT(*) FROM entities WHERE expires_at > 0");

    change(text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %ld) INSERT INTO entities "
                "(id, reference, name, created_at, expires_at) SELECT 'x' || i, 'x' || i, 'x', 1, %" APR_INT64_T_FMT
                " FROM n",
                99 - there, (apr_int64_t)door->now + apr_time_from_sec(DAY)));
    accepted(visit(SANDBOX, "last@example.org"), 200, "the hundredth sandbox");
    captcha_answers("{\"success\":true}");
    const char *before = state();
    door_answer_t answer = visit(SANDBOX, "more@example.org");
    refused(answer, 503, "INTERNAL_ERROR", "", "there is no room for another");
    is_str(header(&answer, "Retry-After"), "60", "... for a while");
    is_int(service->asked[PROVIDER_TOKEN], 0, "... which costs nobody a captcha");
    is_str(state(), before, "... nor the database a row");
    change("DELETE FROM entities WHERE id LIKE 'x%'");
    accepted(visit(SANDBOX, "more@example.org"), 200, "then there is");

    for (int i = 0; i < 50; i++)
        must(post("/v1/users/invite", bearer, text("{\"username\":\"guest%d@bounds.example\"}", i)), "username");
    refused(post("/v1/users/invite", bearer, "{\"username\":\"guest@bounds.example\"}"), 409, "INVALID_OPERATION",
            "username", "it invites fifty times");
    is_int(count("SELECT COUNT(*) FROM users WHERE canonical = 'guest@bounds.example'"), 0, "... and nobody more");
    refused(post("/v1/users", bearer, "{\"username\":\"guest@bounds.example\"}"), 409, "INVALID_OPERATION", "username",
            "... in whatever way");
    refused(post("/v1/invitations", bearer, "{\"email\":\"guest@bounds.example\",\"roleID\":\"read-only\"}"), 400,
            "INVALID_FIELD", "email", "... nor by the other interface");
    const char *sent =
        rows(text("SELECT '/v1/invitations/' || id FROM invitations WHERE entity_id = '%s' LIMIT 1", sandbox.entity));
    refused(post(sent, bearer, NULL), 400, "INVALID_FIELD", "state", "... nor does it send one again");
    for (int i = 0; i < 51; i++)
        if (post("/v1/users/invite", door->key, text("{\"username\":\"guest%d@lasting.example\"}", i)).status != 200)
            bail("an entity that lasts invites as many as it likes");

    there = (long)count(text("SELECT COUNT(*) FROM audit_records WHERE entity_id = '%s'", sandbox.entity));
    change(
        text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %ld) INSERT INTO audit_records "
             "(id, entity_id, user_id, target_resource_type, action, message, client_address, created_at) SELECT 'x' "
             "|| i, '%s', '', 'USER', 'X', '', '', 1 FROM n",
             999 - there, sandbox.entity));
    accepted(post("/v1/roles", bearer, "{\"name\":\"The last\"}"), 200, "the thousandth change");
    refused(post("/v1/roles", bearer, "{\"name\":\"One more\"}"), 409, "INVALID_OPERATION", "", "is the last one");
    is_int(count(text("SELECT COUNT(*) FROM roles WHERE entity_id = '%s'", sandbox.entity)), 1, "... indeed");
    door->cookie = sandbox.cookie;
    answer = post("/v1/oauth/logout", NULL, NULL);
    door->cookie = NULL;
    is_int(answer.status, 200, "signing out still goes");
}

static void test_faults(void)
{
    int failed = 0, n;

    for (n = 1; n < 60; n++) {
        const char *before = state();
        door->fail_after = n;
        door_answer_t answer = visit(SANDBOX, "fault@example.org");
        bool fell = door->fail_after <= 0;
        door->fail_after = 0;
        if (!fell) {
            accepted(answer, 200, "without a fault");
            break;
        }
        refused(answer, 503, "INTERNAL_ERROR", "", "statement %d fails # security 86", n);
        is_str(state(), before, "... and nothing is kept");
        failed++;
    }
    ok(failed >= 12, "%d statements failed one after the other", failed);
}

int main(void)
{
    serve_begin();
    captcha_open();
    test_configured();
    test_captcha_of(SANDBOX);
    test_made();
    test_names();
    test_invisible();
    test_usable();
    test_logins();
    test_names_give_way();
    test_end();
    test_moved_end();
    test_purge();
    test_bounds();
    test_faults();
    test_held();
    return serve_end();
}

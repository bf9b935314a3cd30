/* SPDX-License-Identifier: Apache-2.0 */
/* What can be filled without end is bounded (A11, security 88): records of failures, refresh tokens, kept answers; and
 * what nobody needs any more goes, so that after enough days a day like the others adds nothing. */
#include "serve.h"

#define DAY     86400
#define ADDRESS "192.0.2.7"

static const char *ada_id;

static long long times(const char *action)
{
    return count(text("SELECT COALESCE(SUM(times), 0) FROM audit_records WHERE action = '%s'", action));
}

static door_answer_t sign_in_from(const char *address, const char *name, const char *password)
{
    door->client_address = address;
    door_answer_t answer =
        post("/v1/oauth/token", NULL, text("{\"username\":\"%s\",\"password\":\"%s\"}", name, password));
    door->client_address = NULL;
    return answer;
}

/* ---- failures --------------------------------------------------------------------------------------------------- */

static void test_failures(void)
{
    change("DELETE FROM audit_details");
    change("DELETE FROM audit_records");
    pass(60 - (apr_int64_t)apr_time_sec(door->now) % 60); /* to the beginning of a minute */
    for (int i = 0; i < 5; i++) {
        sign_in_from(text("192.0.2.%d", i), "ada@example.org", "Wrong1Horse");
        sign_in_from(text("192.0.2.%d", i), text("nobody%d@example.org", i), "Wrong1Horse");
    }
    is_str(rows("SELECT entity_id <> '', target_id IS NOT NULL, times FROM audit_records ORDER BY 1"), "0|0|5 1|1|5",
           "A11: one record a minute for an account and a network, and one for all names that nobody has");
    is_int(count("SELECT COUNT(*) FROM audit_records WHERE message LIKE '%nobody%'"), 0,
           "A11: what was typed stands in none");
    sign_in_from("198.51.100.7", "ada@example.org", "Wrong1Horse");
    is_int(count("SELECT COUNT(*) FROM audit_records"), 3, "A11: another network, another record");
    pass(60);
    sign_in_from(ADDRESS, "ada@example.org", "Wrong1Horse");
    is_int(count("SELECT COUNT(*) FROM audit_records"), 4, "A11: another minute, another record");
    is_int(times("LOGIN_FAILED"), 12, "A11: none is lost # security 82");
    door_answer_t answer = get(text("/v1/audit-records?target_id=%s&order_direction=asc", ada_id), door->key);
    accepted(answer, 200, "the trail");
    is_str(door_text(&answer, "data.0.message"), "A sign-in failed, 5 times within a minute.",
           "A11: the record says how often");
    is_str(door_text(&answer, "data.1.message"), "A sign-in failed.", "A11: ... unless it was once");
    is_int(size_at(&answer, "data"), 3, "A11: what belongs to no entity is in nobody's trail");
}

/* ---- refresh tokens --------------------------------------------------------------------------------------------- */

static const char *cookie_of(const door_answer_t *answer)
{
    const char *set = header(answer, "Set-Cookie");
    return set ? apr_pstrmemdup(door->pool, set, strcspn(set, ";")) : NULL;
}

static door_answer_t refresh(const char **cookie)
{
    door->cookie = *cookie;
    door_answer_t answer = post("/v1/oauth/refresh-token", NULL, NULL);
    door->cookie = NULL;
    if (answer.status == 200)
        *cookie = cookie_of(&answer);
    return answer;
}

static const char *begin(void)
{
    const char *cookie;

    door_login(door, "ada@example.org", PASSWORD, &cookie);
    return cookie;
}

static void test_refreshes(void)
{
    const char *cookie = begin(), *other = begin(), *first = cookie;
    int good = 0;

    door->settings.rates.of[IDENTITY_RATE_REFRESH] = identity_rates_standard.of[IDENTITY_RATE_REFRESH];
    while (good < 200 && refresh(&cookie).status == 200)
        good++;
    is_int(good, 60, "A11: a session refreshes sixty times in an hour");
    long long leaves = count("SELECT COUNT(*) FROM refresh_tokens");
    door_answer_t answer = refresh(&cookie);
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "A11: then no more # security 80");
    ok(header(&answer, "Retry-After") && !header(&answer, "Set-Cookie"), "A11: ... come later, still signed in");
    is_int(count("SELECT COUNT(*) FROM refresh_tokens"), leaves, "A11: ... and nothing is written");
    is_int(refresh(&other).status, 200, "A11: another session of the same person goes on");
    pass(strtol(header(&answer, "Retry-After"), NULL, 10));
    is_int(refresh(&cookie).status, 200, "A11: when that is over there is one more");
    pass(20);
    refused(refresh(&first), 401, "UNAUTHORISED", "", "A11: a spent one that comes back is not held up");
    is_int(count("SELECT COUNT(*) FROM audit_records WHERE action = 'REFRESH_REUSED'"), 1,
           "A11: it ends its session # security 36");
    door->settings.rates.of[IDENTITY_RATE_REFRESH].count = 0;
    for (good = 0; good < 70 && refresh(&other).status == 200;)
        good++;
    is_int(good, 70, "A11: IdentityRateLimit refresh off");
}

/* ---- what succeeds ---------------------------------------------------------------------------------------------- */

static door_answer_t by_alias(const char *alias)
{
    return post("/v1/oauth/token", NULL, text("{\"token_alias\":\"%s\"}", alias));
}

static const char *make_alias(const char *name)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    identity_alias_row_t *row;
    const char *alias;

    return identity_alias_add(door->pool, &door->env, "ada@example.org", name, apr_time_from_sec(DAY), &alias, &row,
                              &problem)
               ? alias
               : (bail("no alias"), NULL);
}

static void test_aliases(void)
{
    const char *alias = make_alias("one"), *other = make_alias("other");
    int good = 0;

    door->settings.rates.of[IDENTITY_RATE_REFRESH] = identity_rates_standard.of[IDENTITY_RATE_REFRESH];
    while (good < 200 && by_alias(alias).status == 200)
        good++;
    is_int(good, 60, "A11: an alias signs in sixty times in an hour");
    long long sessions = count("SELECT COUNT(*) FROM sessions");
    refused(by_alias(alias), 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "A11: then no more # security 80");
    is_int(count("SELECT COUNT(*) FROM sessions"), sessions, "A11: ... and nothing is written");
    is_int(by_alias(other).status, 200, "A11: another alias of the same person goes on");
    door->settings.rates.of[IDENTITY_RATE_REFRESH].count = 0;
}

/* Nobody needs a permission for it. */
static void test_own_keys(void)
{
    const char *ada = login("ada@example.org"), *path = text("/v1/users/%s/api-keys", ada_id);
    int made = 0;
    door_answer_t answer;

    door->settings.rates.of[IDENTITY_RATE_REFRESH] = identity_rates_standard.of[IDENTITY_RATE_REFRESH];
    while (made < 200 && (answer = post(path, ada, "{}")).status == 201) {
        made++;
        door_call(door, "DELETE", text("%s/%s", path, door_text(&answer, "id")), ada, NULL);
    }
    is_int(made, 60, "A11: a person makes and deletes sixty keys in an hour");
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "A11: then no more");
    answer = post(path, door->key, "{}");
    is_int(answer.status, 201, "A11: who makes one for somebody else is not counted");
    door->settings.rates.of[IDENTITY_RATE_REFRESH].count = 0;
}

static void test_tokens_of_keys(void)
{
    const identity_headers_t headers = {.api_key = door->key, .content_type = "application/x-www-form-urlencoded"};

    pass(60 - (apr_int64_t)apr_time_sec(door->now) % 60);
    long long records = count("SELECT COUNT(*) FROM audit_records"), before = times("TOKEN_ISSUED");
    for (int i = 0; i < 20; i++)
        is_int(call_with("POST", "/v1/oauth/token", headers, true, false, "grant_type=client_credentials").status, 200,
               "a key is given a token");
    is_int(count("SELECT COUNT(*) FROM audit_records"), records + 1, "A11: tokens of one key are a record a minute");
    is_int(times("TOKEN_ISSUED"), before + 20, "A11: ... and none is lost # security 82");
}

/* ---- addresses -------------------------------------------------------------------------------------------------- */

static void test_changed_addresses(void)
{
    const char *ada = login("ada@example.org");
    door_answer_t answer;
    int asked = 0;

    door->settings.rates.of[IDENTITY_RATE_MAIL] = identity_rates_standard.of[IDENTITY_RATE_MAIL];
    change("DELETE FROM outbox");
    for (; asked < 50; asked++) {
        answer = patch(text("/v1/users/%s", ada_id), ada,
                       text("{\"username\":\"stranger%d@example.net\",\"current_password\":\"" PASSWORD "\"}", asked));
        if (answer.status != 200)
            break;
    }
    is_int(asked, 20, "A11, A15: a person has twenty mails sent in an hour, to however many addresses");
    refused(answer, 429, "UNABLE_TO_PROCESS_INSTRUCTIONS", "", "A11: then no more # security 80");
    is_int(count("SELECT COUNT(*) FROM outbox WHERE kind = 'change'"), 20, "A11: ... and none is written");
    door->settings.rates.of[IDENTITY_RATE_MAIL].count = 0;
    change(text("UPDATE users SET pending_username = '' WHERE id = '%s'", ada_id));
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static void test_answers(void)
{
    change("DELETE FROM idempotency");
    for (int i = 0; i < 5; i++) {
        door->idempotency_key = text("read %d", i);
        door_answer_t answer = post("/v1/api-keys/search", door->read_key, "{}");
        ok(answer.status == 200 || answer.status == 404, "a call that only reads: %d", answer.status);
    }
    is_int(count("SELECT COUNT(*) FROM idempotency"), 0, "A11: no key is kept for what only reads");
    door->idempotency_key = "write";
    accepted(post("/v1/roles", door->key, "{\"name\":\"Kept\"}"), 200, "one that changes something");
    is_int(count("SELECT COUNT(*) FROM idempotency"), 1, "A11: but for what changes something");
    door->idempotency_key = NULL;
}

/* ---- days ------------------------------------------------------------------------------------------------------- */

/* What a day leaves behind: sign-ins that end in each way, failures, refreshes, mails, answers. */
static void day(int number)
{
    const char *cookie = begin(), *left = begin(), *out = begin();

    for (int hour = 0; hour < 8; hour++) {
        pass(3600);
        refresh(&cookie);
        sign_in_from(ADDRESS, "ada@example.org", "Wrong1Horse");
        sign_in_from(ADDRESS, "nobody@example.org", "Wrong1Horse");
    }
    refresh(&left);
    door->cookie = out;
    post("/v1/oauth/logout", NULL, NULL);
    door->cookie = NULL;
    door->idempotency_key = text("day %d", number);
    accepted(post("/v1/users/invite", door->key, "{\"username\":\"often@example.org\"}"), 200, "day %d", number);
    door->idempotency_key = NULL;
    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"ada@example.org\"}");
    if (number % 2)
        change("UPDATE outbox SET state = 'sent', sent_at = next_attempt_at, sealed = '' WHERE state = 'queued'");
    pass(16 * 3600);
    while (identity_purge(door->pool, &door->env) > 0)
        ;
}

static const char *sizes(void)
{
    return rows("SELECT (SELECT COUNT(*) FROM audit_records), (SELECT COUNT(*) FROM sessions), "
                "(SELECT COUNT(*) FROM refresh_tokens), (SELECT COUNT(*) FROM secrets), (SELECT COUNT(*) FROM outbox), "
                "(SELECT COUNT(*) FROM idempotency)");
}

static void test_days(void)
{
    door->settings.refresh_idle = door->settings.retention.leaves = apr_time_from_sec(2 * DAY);
    door->settings.refresh_absolute = apr_time_from_sec(3 * DAY);
    door->settings.invite_lifetime = apr_time_from_sec(2 * DAY);
    door->settings.retention.of[IDENTITY_KEEP_AUDIT] = apr_time_from_sec(6 * DAY);
    door->settings.retention.of[IDENTITY_KEEP_SESSIONS] = apr_time_from_sec(2 * DAY);
    door->settings.retention.of[IDENTITY_KEEP_MAIL] = apr_time_from_sec(3 * DAY);
    int number = 0;
    while (number < 10)
        day(number++);
    const char *before = sizes();
    for (int i = 0; i < 4; i++)
        day(number++);
    is_str(sizes(), before, "A11: after ten days four more add no row to any table # security 88");
    is_int(count(text("SELECT COUNT(*) FROM audit_records WHERE created_at < %" APR_INT64_T_FMT,
                      (apr_int64_t)(door->now - apr_time_from_sec(6 * DAY)))),
           0, "A11: IdentityRetention audit: nothing is older # security 88");
    ok(count("SELECT COUNT(*) FROM audit_records") > 5 * 8, "A11: what is younger is all there");
    is_int(count(text("SELECT COUNT(*) FROM sessions WHERE ended_at > 0 AND ended_at < %" APR_INT64_T_FMT
                      " OR idle_expires_at < %" APR_INT64_T_FMT,
                      (apr_int64_t)(door->now - apr_time_from_sec(2 * DAY)),
                      (apr_int64_t)(door->now - apr_time_from_sec(2 * DAY)))),
           0, "A11: IdentityRetention sessions: no session that ended longer ago # security 88");
    is_str(rows("SELECT COUNT(*) FROM users WHERE username = 'often@example.org'"), "1", "A11: the user is there");
    pass(400 * DAY);
    while (identity_purge(door->pool, &door->env) > 0)
        ;
    is_str(rows("SELECT (SELECT COUNT(*) FROM audit_records), (SELECT COUNT(*) FROM sessions), (SELECT COUNT(*) FROM "
                "refresh_tokens), (SELECT COUNT(*) FROM secrets), (SELECT COUNT(*) FROM outbox), (SELECT COUNT(*) FROM "
                "idempotency)"),
           "0|0|0|0|0|0", "A11: in the end nothing is left but who is who, mails that nobody sent included");
    is_str(rows("PRAGMA foreign_key_check"), "", "A11: nothing hangs in the air");
}

/* ---- how it is purged ------------------------------------------------------------------------------------------- */

static bool busy(void *context)
{
    (void)context;
    return false;
}

static void test_batches(void)
{
    door->settings.retention = identity_retention_standard;
    for (int i = 0; i < 450; i++)
        change(text("INSERT INTO audit_records (id, entity_id, user_id, target_resource_type, action, message, "
                    "client_address, created_at) VALUES ('old%d', '', '', 'USER', 'X', '', '', 1)",
                    i));
    is_int(identity_purge(door->pool, &door->env), 200, "A11: a batch at a time, so that no writer waits long");
    bool (*enter)(void *) = door->env.try_write;
    door->env.try_write = busy;
    is_int(identity_purge_nowait(door->pool, &door->env), IDENTITY_PURGE_BUSY,
           "A11: and never before others who write");
    is_int(count("SELECT COUNT(*) FROM audit_records WHERE created_at = 1"), 250, "A11: ... nothing is deleted");
    door->env.try_write = enter;
    is_int(identity_purge_nowait(door->pool, &door->env), 200, "A11: it goes on when they are done");
    is_int(identity_purge_nowait(door->pool, &door->env), 50, "A11: to the end");
    is_int(identity_purge_nowait(door->pool, &door->env), 0, "A11: which it says");
    for (identity_keep_t keep = 0; keep < IDENTITY_KEEPS; keep++)
        is_int(identity_keep_find(identity_keep_name(keep)), keep, "IdentityRetention %s", identity_keep_name(keep));
    is_int(identity_keep_find("all"), IDENTITY_KEEPS, "and no other");
}

int main(void)
{
    serve_begin();
    door->settings.retention = identity_retention_standard;
    ada_id = door_person(door, "ada@example.org", PASSWORD, "[]");
    test_failures();
    test_refreshes();
    test_aliases();
    test_own_keys();
    test_tokens_of_keys();
    test_changed_addresses();
    test_answers();
    test_days();
    test_batches();
    return serve_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Item 13: the answers that are written piece by piece, byte by byte as they were when jansson made all of them (the
 * recorded set t/unit/serve_written.txt, made anew by IDENTITY_RECORD=1), and as jansson makes them now. */
#include <stdlib.h>

#include <apr_file_io.h>
#include <apr_hash.h>

#include "serve.h"

#define RECORDED "t/unit/serve_written.txt"

/* ---- a site with one of every shape ----------------------------------------------------------------------------- */

static const char *role_of(const char *name, const char *child)
{
    door_answer_t answer = post("/v1/roles", door->key,
                                text("{\"name\":\"%s\",\"permissions\":[\"USER.MORTAL.VIEW\"],\"child_role_ids\":[%s]}",
                                     name, child ? text("\"%s\"", child) : ""));

    accepted(answer, 200, "%s", name);
    return door_text(&answer, "id");
}

static void site(void)
{
    const char *inner = role_of("Inner", NULL), *outer = role_of("Outer", inner), *team = serve_team("Readers"),
               *empty = serve_team("Empty");

    /* What no body could bring in. */
    change(text("UPDATE roles SET description = 'a \"quote\", a \\, a /, a %% and ' || char(1, 31, 8, 12, 10, 13, 9, "
                "127, 233, 8232, 128512), "
                "name = 'Inner \"' WHERE id = '%s'",
                inner));
    change(text("UPDATE roles SET name = 'Outer \"of\" Zo' || char(235) WHERE id = '%s'", outer));
    change(text("UPDATE accounts SET account_group_id = 'group \"7\"', parent_id = '%s', account_type_code = '' "
                "WHERE id = '%s'",
                door->account_id, door->second_account_id));
    serve_team_gives(team, door->account_id, "USER", "Outer");
    serve_team_gives(team, door->second_account_id, "PARTNER", "");
    person_with("plain@example.org", "USER", "");
    const char *both = person_with("Both@Example.org", "ADMIN", text(",\"role_ids\":[\"%s\",\"%s\"]", outer, inner));
    post(text("/v1/users/%s/memberships", both), door->key, member(door->second_account_id, "PARTNER", ""));
    post(text("/v1/users/%s/teams", both), door->key,
         text("{\"team_id\":\"%s\",\"start_at\":\"2023-01-01T00:00:00Z\",\"end_at\":\"2030-01-01T00:00:00Z\"}", team));
    post(text("/v1/users/%s/teams", both), door->key, text("{\"team_id\":\"%s\"}", empty));
    const char *login_of = person_with("zo\xc3\xab@example.org", "USER", text(",\"role_ids\":[\"%s\"]", inner));
    accepted(patch(text("/v1/users/%s", login_of), door->key, "{\"login\":\"zoe\"}"), 200, "a login");
    const char *gone = person_with("gone@example.org", "USER", "");
    door_call(door, "DELETE", text("/v1/users/%s", gone), door->key, NULL);
    post("/v1/users/invite", door->key,
         text("{\"username\":\"invited@example.org\",\"account_memberships\":[%s]}",
              member(door->account_id, "USER", text(",\"role_ids\":[\"%s\"]", inner))));
    post("/v1/users/invite", door->key, "{\"username\":\"nothing@example.com\"}");
    change("UPDATE users SET pending_username = 'new\"name@example.org', pending_expires_at = 9999999999999999 "
           "WHERE canonical = 'plain@example.org'");
}

static const char *id_of(const char *canonical)
{
    return door_value(door, text("SELECT id FROM users WHERE canonical = '%s'", canonical));
}

/* ---- what it answers -------------------------------------------------------------------------------------------- */

static const char *recording;
static apr_hash_t *seen; /* ids that were met -> their names */

static const char *const people[] = {"plain@example.org", "both@example.org",    "zo\xc3\xab@example.org",
                                     "gone@example.org",  "invited@example.org", "nothing@example.com"};

static bool id_at(const char *at)
{
    return strspn(at, "abcdefghijklmnopqrstuvwxyz") == 4 && at[4] == '_' &&
           strspn(at + 5, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == 20;
}

/* Ids by the order in which they were met, since they are others in every run; of a cursor only that there is one. */
static const char *named_alike(const char *answer)
{
    char *out = apr_palloc(door->pool, strlen(answer) * 2 + 1), *to = out;

    if (!seen)
        seen = apr_hash_make(door->pool);
    while (*answer) {
        if (strncmp(answer, "cursor=", 7) == 0) {
            to += sprintf(to, "cursor=-");
            answer += 7;
            answer += strspn(answer, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_");
        } else if (id_at(answer)) {
            const char *id = apr_pstrmemdup(door->pool, answer, 25);
            const char *name = apr_hash_get(seen, id, APR_HASH_KEY_STRING);
            if (!name) {
                name = text("%.4s_%d", id, apr_hash_count(seen));
                apr_hash_set(seen, id, APR_HASH_KEY_STRING, name);
            }
            to += sprintf(to, "%s", name);
            answer += 25;
        } else {
            *to++ = *answer++;
        }
    }
    *to = '\0';
    return out;
}

static void record(const char *target)
{
    door_answer_t answer = get(target, door->key);

    is_str(answer.text && answer.json ? identity_json_text(door->pool, answer.json, NULL) : NULL, answer.text,
           "as jansson writes it: %s", named_alike(target));
    recording = text("%s%s %d\n%s\n", recording, named_alike(target), answer.status, named_alike(answer.text));
}

static const char *page_after(const char *target, const char *member)
{
    door_answer_t answer = get(target, door->key);
    return door_text(&answer, member);
}

static void record_all(void)
{
    static const char *const lists[] = {"/v1/users",
                                        "/v1/users?limit=2",
                                        "/v1/users?limit=2&page=2",
                                        "/v1/users?limit=2&page=9",
                                        "/v1/users?order_by=username&order_direction=asc&limit=3",
                                        "/v1/users?active=true",
                                        "/v1/users?active=false&limit=1",
                                        "/v1/users?status=INVITED",
                                        "/v1/users?status=ACTIVE&active=false",
                                        "/v1/users?username=Both%40example.org",
                                        "/v1/users?username=nobody%22%40example.org",
                                        "/v1/users/search?username=both@example.org",
                                        "/v1/users/search?username=bo",
                                        "/v1/users/search?username=@example.org",
                                        "/v1/users/search?username=nobody",
                                        "/v1/users/search?user_type=API",
                                        "/v1/users/search"};

    recording = "";
    for (size_t i = 0; i < sizeof people / sizeof people[0]; i++) {
        const char *id = id_of(people[i]);
        record(text("/v1/users/%s", id));
        record(text("/v1/users/%s/memberships", id));
        record(text("/v1/users/%s/teams", id));
    }
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        record(lists[i]);
    const char *next = page_after("/v1/users?limit=2", "links.next");
    record(next);
    record(page_after(next, "links.previous"));
    record(page_after(next, "links.next"));
}

static void test_recorded(void)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_int32_t how =
        getenv("IDENTITY_RECORD") ? APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE : APR_FOPEN_READ;
    apr_size_t size = strlen(recording);

    if (apr_file_open(&file, RECORDED, how, APR_FPROT_OS_DEFAULT, door->pool) != APR_SUCCESS)
        bail("t/unit/serve_written.txt cannot be opened: the tests run in the folder of the Makefile");
    if (how != APR_FOPEN_READ) {
        apr_file_write_full(file, recording, size, NULL);
    } else {
        apr_file_info_get(&info, APR_FINFO_SIZE, file);
        char *before = apr_pcalloc(door->pool, (apr_size_t)info.size + 1);
        apr_file_read_full(file, before, (apr_size_t)info.size, NULL);
        is_str(recording, before, "every answer is what it was, byte by byte");
    }
    apr_file_close(file);
}

/* A PATCH answers with what jansson makes, and its entity tag must be the one of the GET. */
static void test_both_ways(const char *person)
{
    const char *target = text("/v1/users/%s", id_of(person));
    door_answer_t written = get(target, door->key), built = patch(target, door->key, "{}");

    accepted(built, 200, "%s, unchanged", person);
    is_str(written.text, built.text, "%s: written and built are the same", person);
    is_str(header(&written, "ETag"), header(&built, "ETag"), "... with one tag");
}

/* Twice over with what is kept in the process: made, and found. */
static void test_kept(void)
{
    const char *before = recording;

    door_remember(door, 100);
    for (int i = 0; i < 2; i++) {
        apr_hash_clear(seen);
        record_all();
        is_str(recording, before, i ? "from what is kept" : "while it is made to be kept");
    }
    ok(identity_cache_size(door->env.shared).entries > 10, "some of it is kept");
}

/* What this server changes shows in the next answer; what others change, too. */
static void test_changes(void)
{
    const char *both = id_of("both@example.org"), *target = text("/v1/users/%s", both),
               *role = door_value(door, "SELECT id FROM roles WHERE name LIKE 'Outer%'");
    door_answer_t answer = get(target, door->key);
    unsigned long warm = answer.statements;

    accepted(patch(text("/v1/roles/%s", role), door->key, "{\"description\":\"Other words\"}"), 200, "a role");
    answer = get(target, door->key);
    is_str(door_text(&answer, "account_memberships.0.roles.0.description"), "Other words", "a role's new words");
    answer = get(target, door->key);
    is_int((int)answer.statements, (int)warm, "... which are kept, too");
    post(text("/v1/users/%s/memberships", id_of("nothing@example.com")), door->key,
         member(door->account_id, "USER", ""));
    answer = get(text("/v1/users/%s", id_of("nothing@example.com")), door->key);
    is_int((int)size_at(&answer, "account_memberships"), 1, "a membership");
    change("UPDATE roles SET description = 'By others' WHERE name LIKE 'Outer%'");
    answer = get(target, door->key);
    is_str(door_text(&answer, "account_memberships.0.roles.0.description"), "Other words", "by hand: not seen at once");
    change(text("INSERT INTO changes (kind, subject_id, created_at) VALUES ('enti', '%s', 1)", door->entity_id));
    answer = get(target, door->key);
    is_str(door_text(&answer, "account_memberships.0.roles.0.description"), "By others",
           "what others say that they changed is seen at once");
}

/* Users that this server makes are counted at once; those that others make within a second. */
static void test_counted(void)
{
    const char *pages = "total_number_of_pages", *target = "/v1/users?limit=1";
    door_answer_t answer = get(target, door->key);
    int before = (int)json_integer_value(door_at(answer.json, pages));

    get(target, door->key);
    answer = get(target, door->key);
    is_int((int)answer.statements, 2, "what has not changed is not counted again: the rows, and what was changed last");
    post("/v1/users/invite", door->key, "{\"username\":\"more@example.com\"}");
    answer = get(target, door->key);
    is_int((int)json_integer_value(door_at(answer.json, pages)), before + 1, "one more");
    change("UPDATE users SET status = 'ACTIVE', active = 1 WHERE canonical = 'more@example.com'");
    answer = get("/v1/users?limit=1&active=true", door->key);
    before = (int)json_integer_value(door_at(answer.json, pages));
    change("UPDATE users SET status = 'INVITED', active = 0 WHERE canonical = 'more@example.com'");
    door->ticks += apr_time_from_sec(1);
    answer = get("/v1/users?limit=1&active=true", door->key);
    is_int((int)json_integer_value(door_at(answer.json, pages)), before - 1, "one less, which others have made");
}

int main(void)
{
    serve_begin();
    site();
    record_all();
    test_recorded();
    for (size_t i = 0; i < sizeof people / sizeof people[0]; i++)
        if (strncmp(people[i], "gone", 4) != 0)
            test_both_ways(people[i]);
    record_all();
    test_kept();
    test_changes();
    test_counted();
    return serve_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Audit records: who sees which of them, every filter, pages; and that what concerns an account names it.
 * route list_audit_records get_audit_record */
#include "serve.h"

#define RECORDS "/v1/audit-records"

static const char *ada, *both, *ada_id, *partner_id;

static const char *ids_at(const char *query, const char *credential)
{
    door_answer_t answer = get(text(RECORDS "?%s", query), credential);
    const char *ids = "";

    if (answer.status != 200)
        return text("%d", answer.status);
    for (size_t i = 0; i < size_at(&answer, "data"); i++)
        ids = text("%s%s%s", ids, i ? " " : "", door_text(&answer, text("data.%d.id", (int)i)));
    return ids;
}

static const char *wanted(const char *condition)
{
    return rows(
        text("SELECT id FROM audit_records WHERE entity_id = '%s' AND (%s) ORDER BY created_at DESC, id DESC LIMIT 500",
             door->entity_id, condition));
}

/* ---- the object ------------------------------------------------------------------------------------------------- */

static void test_object(void)
{
    door_answer_t made = post("/v1/authentication-providers", door->key, "{\"type\":\"DEFAULT\"}"), answer;
    const char *id = door_text(&made, "id"),
               *record = rows(text("SELECT id FROM audit_records WHERE target_id = '%s'", id)),
               *time = rows(text("SELECT strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', created_at / 1000000, 'unixepoch') FROM "
                                 "audit_records WHERE id = '%s'",
                                 record));

    answer = get(text(RECORDS "/%s", record), door->key);
    accepted(answer, 200, "get");
    is_str(
        answer.text,
        text("{\"object_type\":\"AUDIT_RECORD\",\"id\":\"%s\",\"user_id\":\"%s\",\"target_entity_id\":\"%s\","
             "\"target_platform_id\":null,\"target_resource_type\":\"AUTHENTICATION_PROVIDER\",\"target_id\":\"%s\","
             "\"target_environment\":null,\"action\":\"CREATE\",\"created_at\":\"%s\",\"message\":\"An authentication "
             "provider was created.\",\"reference\":\"%s\",\"idempotency_key\":null,\"actor_name\":\"administrator\","
             "\"target_name\":\"Password\",\"client_address\":\"192.0.2.7\",\"user_agent\":null,\"changes\":[]}",
             record, identity_key_id(door->pool, door->key), door->entity_id, id, time, header(&made, "X-REQUEST-ID")),
        "the whole of it, with the id of the request");
    answer = get(RECORDS "?limit=1", door->key);
    is_str(members_at(&answer, ""), "data,links,page,limit,total_number_of_pages", "the wrapper");
    is_str(
        members_at(&answer, "data.0"),
        "object_type,id,user_id,target_entity_id,target_platform_id,target_resource_type,target_id,target_environment,"
        "action,created_at,message,reference,idempotency_key,actor_name,target_name,client_address,user_agent,changes",
        "of the same objects");
    refused(get(text(RECORDS "/%s", record), door->other_key), 404, "RESOURCE_NOT_FOUND", "",
            "another entity does not see it # security 60");
    is_str(rows("SELECT count(*) FROM audit_records WHERE entity_id <> '' AND target_entity_id IS NOT entity_id"), "0",
           "the records of an entity are about that entity");
}

/* ---- who sees what ---------------------------------------------------------------------------------------------- */

static const char *sees(const char *credential, const char *platform)
{
    door->platform_id = platform;
    const char *ids = ids_at("limit=500", credential);
    door->platform_id = NULL;
    return ids;
}

static void sees_record(const char *credential, const char *platform, const char *condition, int status,
                        const char *what)
{
    const char *id =
        rows(text("SELECT id FROM audit_records WHERE entity_id = '%s' AND %s LIMIT 1", door->entity_id, condition));
    door->platform_id = platform;
    door_answer_t answer = get(text(RECORDS "/%s", id), credential);
    door->platform_id = NULL;
    is_int(answer.status, status, "%s: %d", what, status);
}

static void test_sight(void)
{
    const char *first = text("target_platform_id = '%s'", door->account_id),
               *second = text("target_platform_id = '%s'", door->second_account_id);
    const char *partner = login("partner@example.org"), *two = login("two@example.org");

    ok(strlen(wanted(first)) > 26 && strlen(wanted(second)) > 26, "(there are records of both accounts)");
    is_str(sees(door->key, NULL), wanted("1"), "a key sees the whole entity's");
    is_str(sees(door->read_key, NULL), wanted("1"), "one that reads only, too");
    is_str(sees(door->key, door->account_id), wanted(first), "or one account's, where it names one");
    is_str(sees(both, NULL), wanted("1"), "who holds it in every account sees the whole");
    is_str(sees(both, door->second_account_id), wanted(second), "... or the one that is named");
    is_str(sees(ada, NULL), wanted(first), "an administrator of one account sees that account's # security 60");
    is_str(sees(ada, door->account_id), wanted(first), "... named or not");
    refused(get(RECORDS "?limit=500", two), 400, "MISSING_FIELD", "x-platform-id",
            "who holds it in some of several accounts names one");
    is_str(sees(two, door->second_account_id), wanted(second), "... and sees that one's");
    is_str(sees(partner, NULL), wanted(text("%s AND user_id = '%s'", first, partner_id)),
           "a PARTNER sees what it did itself");
    ok(strstr(sees(partner, NULL), wanted("action = 'PARTNERED'")), "(which is something)");
    is_str(ids_at(text("user_id=%s", ada_id), partner), "", "... and not what somebody else did");
    sees_record(ada, NULL, first, 200, "a record of one's account");
    sees_record(ada, NULL, second, 404, "one of another account # security 60");
    sees_record(ada, NULL, "target_platform_id IS NULL", 404, "one of none");
    sees_record(both, NULL, "target_platform_id IS NULL", 200, "one of none, by who sees the whole");
    sees_record(both, door->account_id, second, 404, "one of another account than the one named");
    sees_record(door->key, NULL, second, 200, "any, by a key");
    sees_record(partner, NULL, "action = 'PARTNERED'", 200, "a PARTNER's own");
    sees_record(partner, NULL, text("%s AND user_id <> '%s'", first, partner_id), 404, "and nobody else's");
    refused(get(RECORDS, login("viewer@example.org")), 403, "USER_NOT_ALLOWED", "",
            "without the permission there is none");
    is_str(sees(door->other_key, NULL),
           rows(text("SELECT id FROM audit_records WHERE entity_id = '%s' ORDER BY created_at DESC, id DESC",
                     door->other_entity_id)),
           "another entity sees its own");
}

/* ---- filters ---------------------------------------------------------------------------------------------------- */

static void test_filters(void)
{
    const char *key = identity_key_id(door->pool, door->key);

    for (int bits = 0; bits < 32; bits++) {
        const char *query = "limit=500", *condition = "1";
        if (bits & 1) {
            query = text("%s&user_id=%s", query, key);
            condition = text("%s AND user_id = '%s'", condition, key);
        }
        if (bits & 2) {
            query = text("%s&target_id=%s", query, ada_id);
            condition = text("%s AND target_id = '%s'", condition, ada_id);
        }
        if (bits & 4) {
            query = text("%s&target_type=USER", query);
            condition = text("%s AND target_resource_type = 'USER'", condition);
        }
        if (bits & 8)
            query = text("%s&target_entity_id=%s", query, door->entity_id);
        door->platform_id = bits & 16 ? door->account_id : NULL;
        if (bits & 16)
            condition = text("%s AND target_platform_id = '%s'", condition, door->account_id);
        is_str(ids_at(query, door->key), wanted(condition), "?%s%s", query, bits & 16 ? " in one account" : "");
        door->platform_id = NULL;
    }
    ok(*wanted(
           text("user_id = '%s' AND target_id = '%s' AND target_platform_id = '%s'", key, ada_id, door->account_id)),
       "(some records meet all of it)");
    is_str(ids_at(text("target_entity_id=%s", door->other_entity_id), door->key), "", "nothing of another entity");
    is_str(ids_at("target_type=user", door->key), "", "no type of that name");
    is_str(ids_at("target_id=%27%20OR%201=1", door->key), "", "no target of that name # security 78");
    is_str(ids_at("user_id=", door->key), wanted("user_id = ''"), "what nobody did, or the command line");
    refused(get(RECORDS "?order_by=action", door->key), 400, "INVALID_FIELD", "order_by", "no other order");
}

static const char *at(apr_time_t seconds)
{
    return identity_time_format(door->pool, apr_time_from_sec(seconds));
}

static void test_malformed_spans(void)
{
    static const char *const malformed[] = {"",
                                            "[]",
                                            "[",
                                            "[,",
                                            ",]",
                                            "2024-01-15T09:30:00Z",
                                            "[2024-01-15T09:30:00Z]",
                                            "[2024-01-15T09:30:00Z,",
                                            "2024-01-15T09:30:00Z,]",
                                            "[2024-01-15,2024-01-16]",
                                            "[2024-01-15T09:30:00.5Z,]",
                                            "[2024-01-15T09:30:00Z,x]",
                                            "[2024-01-15T09:30:00Z,2024-01-15T09:29:59Z]",
                                            "[ 2024-01-15T09:30:00Z,]",
                                            "[2024-01-15T09:30:00Z,2024-01-15T09:30:00Z,]",
                                            "[2024-01-15T09:30:00Z,]x"};

    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        refused(get(text(RECORDS "?created_at=%s", identity_query_escape(door->pool, malformed[i])), door->key), 400,
                "INVALID_FIELD", "created_at", "created_at=%s", malformed[i]);
}

static void test_span(apr_time_t start)
{
    for (int i = 0; i < 5; i++)
        change(text(
            "INSERT INTO audit_records (id, entity_id, user_id, target_resource_type, action, message, client_address, "
            "created_at) VALUES ('audi_zzzzzzzzzzzzzzzzzzz%d', '%s', 'timed', 'X', 'X', '', '', %" APR_INT64_T_FMT ")",
            i, door->entity_id, (apr_int64_t)(apr_time_from_sec(start + i * 10) + 999999)));
    const struct {
        const char *from, *to, *found;
    } spans[] = {{"", "", "4 3 2 1 0"},
                 {at(start), "", "4 3 2 1 0"},
                 {at(start + 1), "", "4 3 2 1"},
                 {"", at(start + 20), "2 1 0"},
                 {"", at(start + 19), "1 0"},
                 {at(start + 10), at(start + 30), "3 2 1"},
                 {at(start + 10), at(start + 10), "1"},
                 {at(start + 11), at(start + 19), ""},
                 {"1970-01-01T00:00:00Z", "", "4 3 2 1 0"},
                 {"", "1970-01-01T00:00:00Z", ""},
                 {"", "9999-12-31T23:59:59Z", "4 3 2 1 0"},
                 {"2001-01-01T00:00:00+02:00", "", "4 3 2 1 0"}};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        const char *span = text("[%s,%s]", spans[i].from, spans[i].to), *found = "";
        door_answer_t answer =
            get(text(RECORDS "?user_id=timed&created_at=%s", identity_query_escape(door->pool, span)), door->key);
        accepted(answer, 200, "created_at=%s", span);
        for (size_t r = 0; r < size_at(&answer, "data"); r++)
            found = text("%s%s%s", found, r ? " " : "", door_text(&answer, text("data.%d.id", (int)r)) + 24);
        is_str(found, spans[i].found, "... both ends included");
    }
}

/* Pages within a span, both ways, and a cursor of another span. */
static void test_span_pages(apr_time_t start)
{
    const char *query = text("user_id=timed&limit=1&created_at=%s",
                             identity_query_escape(door->pool, text("[%s,%s]", at(start + 10), at(start + 30))));
    for (int down = 0; down < 2; down++) {
        const char *next = text(RECORDS "?%s&order_direction=%s", query, down ? "desc" : "asc"), *seen = "",
                   *last = next;
        for (int i = 0; next && i < 9; i++) {
            door_answer_t page = get(next, door->key);
            is_int(size_at(&page, "data"), 1, "a page of one");
            seen = text("%s%s", seen, door_text(&page, "data.0.id") + 24);
            last = door_text(&page, "links.previous");
            next = door_text(&page, "links.next");
        }
        is_str(seen, down ? "321" : "123", "the span by following next");
        for (int i = 0; last && i < 9; i++) {
            door_answer_t page = get(last, door->key);
            seen = text("%s%s", seen, door_text(&page, "data.0.id") + 24);
            last = door_text(&page, "links.previous");
        }
        is_str(seen, down ? "32123" : "12321", "... and back");
    }
    door_answer_t page = get(text(RECORDS "?%s", query), door->key);
    const char *cursor = strstr(door_text(&page, "links.next"), "cursor=");
    refused(get(text(RECORDS "?user_id=timed&created_at=%s&%s",
                     identity_query_escape(door->pool, text("[,%s]", at(start + 10))), cursor),
                door->key),
            400, "INVALID_FIELD", "cursor", "a cursor of another span");
    change("DELETE FROM audit_records WHERE user_id = 'timed'");
}

/* The same number of statements for each page. */
static void test_pages(void)
{
    const char *all = wanted("1"), *seen = "", *next = RECORDS "?limit=3";
    unsigned long statements = 0;
    bool alike = true;

    for (int i = 0; next && i < 200; i++) {
        door_answer_t page = get(next, door->key);
        for (size_t r = 0; r < size_at(&page, "data"); r++)
            seen = text("%s%s%s", seen, *seen ? " " : "", door_text(&page, text("data.%d.id", (int)r)));
        next = door_text(&page, "links.next");
        alike = alike && (i < 2 || page.statements == statements);
        statements = page.statements;
    }
    is_str(seen, all, "every record once by following next");
    ok(alike, "each page costs as much as the one before");
}

/* ---- what is written (security 82) ------------------------------------------------------------------------------ */

static const char *written(const char *action, const char *address)
{
    return rows(
        text("SELECT target_platform_id, target_environment FROM audit_records WHERE action = '%s' AND target_id = "
             "(SELECT id FROM users WHERE canonical = '%s') ORDER BY target_environment",
             action, address));
}

static void test_accounts(void)
{
    const char *two = text("%s|LIVE %s|TEST", door->account_id, door->second_account_id),
               *body = text("{\"username\":\"zoe@example.org\",\"account_memberships\":[%s,%s]}",
                            member(door->account_id, "USER", ""), member(door->second_account_id, "USER", ""));

    accepted(post("/v1/users/invite", door->key, body), 200, "an invitation to two accounts");
    is_str(written("INVITE", "zoe@example.org"), two, "... is on record in both # security 82");
    accepted(post("/v1/users/revoke-invite", door->key, "{\"username\":\"zoe@example.org\"}"), 200, "its end");
    is_str(written("REVOKE_INVITE", "zoe@example.org"), two, "... too");
    accepted(post("/v1/users/invite", door->key, body), 200, "(once more)");
    accept_mailed("zoe@example.org");
    is_str(written("ACTIVATE", "zoe@example.org"), two, "... and its acceptance");
    accepted(post("/v1/users/invite", door->key, "{\"username\":\"yan@example.org\"}"), 200, "one to no account");
    is_str(written("INVITE", "yan@example.org"), "-|-", "... is on record once, of none");
    const char *team = serve_team("Support"), *xia = person_with("xia@example.org", "USER", "");
    serve_team_gives(team, door->account_id, "USER", "");
    serve_team_gives(team, door->second_account_id, "USER", "");
    accepted(post(text("/v1/users/%s/teams", xia), door->key, text("{\"team_id\":\"%s\"}", team)), 201,
             "to join a team");
    is_str(written("ADD_TEAM", "xia@example.org"), two, "... is on record in each account that it gives");
    post("/v1/users/invite", door->key,
         text("{\"username\":\"xia@example.org\",\"account_memberships\":[%s]}",
              member(door->second_account_id, "USER", "")));
    accepted(post("/v1/users/revoke-invite", door->key, "{\"username\":\"xia@example.org\"}"), 200,
             "an invitation to another account, revoked");
    is_str(written("REVOKE_INVITE", "xia@example.org"), text("%s|TEST", door->second_account_id),
           "... is on record there");
    door->platform_id = door->account_id;
    accepted(post("/v1/authentication-providers", both, "{\"type\":\"DEFAULT\"}"), 201,
             "what is done acting on an account");
    door->platform_id = NULL;
    is_str(rows("SELECT target_platform_id, target_environment FROM audit_records ORDER BY id DESC LIMIT 1"),
           text("%s|LIVE", door->account_id), "... names its environment # security 82");
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    partner_id = person_with("partner@example.org", "PARTNER", named("Audit Record Viewer"));
    person_with("viewer@example.org", "USER", named("Quote Viewer"));
    door_person(door, "both@example.org", PASSWORD,
                text("[%s,%s]", member(door->account_id, "USER", named("Administrator")),
                     member(door->second_account_id, "ADMIN", "")));
    identity_account_row_t *third;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    ada = login("ada@example.org");
    both = login("both@example.org");
    post("/v1/users", ada, "{\"username\":\"made@example.org\",\"password\":\"" PASSWORD "\"}");
    change(text(
        "INSERT INTO audit_records (id, entity_id, user_id, target_platform_id, target_resource_type, action, message, "
        "client_address, created_at, target_entity_id) VALUES ('audi_00000000000000000001', '%s', '%s', '%s', 'X', "
        "'PARTNERED', '', '', 5, '%s')",
        door->entity_id, partner_id, door->account_id, door->entity_id));
    get(RECORDS, door->read_key); /* writes the last use of the keys */
    get(RECORDS, door->other_key);
    test_object();
    test_accounts();
    test_filters();
    apr_time_t start = apr_time_sec(door->now) + 100;
    test_span(start);
    test_span_pages(start);
    test_malformed_spans();
    test_pages();
    /* With a third account there are those who hold it in some and not in all. */
    if (!identity_account_add(door->pool, &door->env, door->entity_id, "third", "TEST", NULL, NULL, &third, &problem))
        bail("no third account");
    door_person(door, "two@example.org", PASSWORD,
                text("[%s,%s]", member(door->account_id, "ADMIN", ""), member(door->second_account_id, "ADMIN", "")));
    refused(get(RECORDS, both), 400, "MISSING_FIELD", "x-platform-id", "an account more than one holds it in");
    door_answer_t answer =
        post(text("/v1/users/%s/memberships", rows("SELECT id FROM users WHERE username LIKE 'both@%'")), door->key,
             member(third->id, "ADMIN", ""));
    accepted(answer, 201, "(which is given)");
    test_sight();
    return serve_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests that come in by identity_serve share beside the door: short calls, refusals told in one line, and the
 * database looked at (and, where a test needs it, changed) past the service. */
#ifndef IDENTITY_TEST_SERVE_H
#define IDENTITY_TEST_SERVE_H

#include <apr_dbd.h>
#include <apr_strings.h>

#include "support/door.h"
#include "tap.h"

#define PASSWORD "Correct1horse"

static door_t *door;

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static inline door_answer_t get(const char *target, const char *credential)
{
    return door_call(door, "GET", target, credential, NULL);
}

static inline door_answer_t post(const char *target, const char *credential, const char *body)
{
    return door_call(door, "POST", target, credential, body);
}

static inline door_answer_t patch(const char *target, const char *credential, const char *body)
{
    return door_call(door, "PATCH", target, credential, body);
}

#define text(...) door_format(door, __VA_ARGS__)

typedef struct serve_body {
    const char *text;
    size_t length;
} serve_body_t;

static inline identity_problem_kind_t serve_read(void *context, apr_pool_t *pool, size_t limit, char **body,
                                                 size_t *length)
{
    const serve_body_t *given = context;

    if (given->length > limit)
        return IDENTITY_PROBLEM_TOO_LARGE;
    *body = apr_pstrmemdup(pool, given->text, given->length);
    *length = given->length;
    return IDENTITY_PROBLEM_NONE;
}

/* A request with these headers over this transport, past what door_call can say. */
static inline door_answer_t call_with(const char *method, const char *path, identity_headers_t headers, bool secure,
                                      bool loopback, const char *body)
{
    serve_body_t given = {body, body ? strlen(body) : 0};
    identity_request_t in = {.method = method,
                             .path = path,
                             .headers = headers,
                             .client_address = "192.0.2.7",
                             .secure = secure,
                             .loopback = loopback,
                             .has_body = body != NULL,
                             .read_body = body ? serve_read : NULL,
                             .body_context = &given};
    identity_authentication_t authentication;
    identity_response_t out;
    unsigned long before = identity_db_statements(door->db);

    if (body && !headers.content_type)
        in.headers.content_type = "application/json";
    in.request_id = identity_request_id(door->pool, &door->env);
    identity_request_match(door->pool, &in);
    identity_authenticate(door->pool, &door->env, &in, &authentication);
    identity_serve(door->pool, &door->env, &in, &authentication, &out);
    door_record(method, path, &out);
    door_answer_t answer = {.status = out.status,
                            .content_type = out.content_type,
                            .text = out.body,
                            .length = out.length,
                            .headers = out.headers,
                            .statements = identity_db_statements(door->db) - before};
    if (out.body)
        answer.json = identity_json_own(door->pool, json_loadb(out.body, out.length, JSON_DECODE_ANY, NULL));
    return answer;
}

static inline const char *header(const door_answer_t *answer, const char *name)
{
    return apr_table_get(answer->headers, name);
}

static inline int serve_add_header(void *data, const char *name, const char *value)
{
    const char **all = data;
    if (strcmp(name, "X-REQUEST-ID") != 0)
        *all = text("%s%s: %s\n", *all, name, value);
    return 1;
}

/* All of them but the request id, in their order. */
static inline const char *headers_of(const door_answer_t *answer)
{
    const char *all = "";
    apr_table_do(serve_add_header, &all, answer->headers, NULL);
    return all;
}

/* What stands at a dotted path of the answer, as compact JSON; "" is the whole answer. */
static inline const char *json_at(const door_answer_t *answer, const char *path)
{
    const json_t *value = *path ? door_at(answer->json, path) : answer->json;
    return value ? identity_json_text(door->pool, value, NULL) : NULL;
}

static inline const char *members_at(const door_answer_t *answer, const char *path)
{
    return door_members(door, *path ? door_at(answer->json, path) : answer->json);
}

static inline size_t size_at(const door_answer_t *answer, const char *path)
{
    return json_array_size(*path ? door_at(answer->json, path) : answer->json);
}

/* One account membership of a body; roles: JSON of further members, such as ,"role_ids":[], or "". */
static inline const char *member(const char *account_id, const char *type, const char *roles)
{
    return text("{\"account_id\":\"%s\",\"type\":\"%s\"%s}", account_id, type, roles);
}

static inline const char *named(const char *role)
{
    return text(",\"roles\":[{\"name\":\"%s\"}]", role);
}

/* A person of the first account. */
static inline const char *person_with(const char *address, const char *type, const char *roles)
{
    return door_person(door, address, PASSWORD, text("[%s]", member(door->account_id, type, roles)));
}

static inline const char *login(const char *address)
{
    const char *bearer = door_login(door, address, PASSWORD, NULL);
    if (!bearer)
        bail(text("%s cannot sign in", address));
    return bearer;
}

static inline void pass(apr_int64_t seconds)
{
    door->now += apr_time_from_sec(seconds);
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

/* What must not show in any answer: SQL, files, libraries (security 75). */
static inline const char *leak_in(const char *message)
{
    static const char *const words[] = {"SELECT", "INSERT", "DELETE ",     "sqlite", "SQLite", "constraint", "/tmp",
                                        "/home",  ".c:",    "identity.db", "apr_",   "NULL",   "argon",      "jansson"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(message, words[i]))
            return words[i];
    return NULL;
}

/* "" where an error answer has the contract's form: members and their order, exact type, the headers that belong to it.
 */
static inline const char *misshape_of(const door_answer_t *answer)
{
    const char *message = door_text(answer, "message"), *field = door_text(answer, "field"),
               *type = door_text(answer, "type"), *cache = header(answer, "Cache-Control"), *fields = "{}";

    if (!answer->content_type || strcmp(answer->content_type, "application/json") != 0)
        return " (not application/json)";
    const char *members = text("type,code,message%s%s,fields", field ? ",field" : "",
                               door_text(answer, "resource_id") ? ",resource_id,resource_type" : "");
    if (!message || strcmp(members_at(answer, ""), members))
        return text(" (members %s)", members_at(answer, ""));
    if (strcmp(type ? type : "", answer->status >= 500 ? "API_ERROR" : "INVALID_REQUEST") != 0)
        return " (wrong type)";
    if (field)
        fields =
            identity_json_text(door->pool, identity_json_own(door->pool, json_pack("{s:s}", field, message)), NULL);
    if (strcmp(json_at(answer, "fields"), fields) != 0)
        return " (wrong fields)";
    if (leak_in(message) || message[strlen(message) - 1] != '.')
        return text(" (message: %s)", message);
    if (!cache || strcmp(cache, "no-store") != 0 || !header(answer, "X-REQUEST-ID"))
        return " (a header lacks)";
    if ((answer->status == 401) > (header(answer, "WWW-Authenticate") != NULL))
        return " (no WWW-Authenticate)";
    if ((answer->status == 503 || answer->status == 429) != (header(answer, "Retry-After") != NULL))
        return " (Retry-After)";
    return "";
}

/* "409 INVALID_OPERATION username", or "200" for a success of exactly the contract's type. */
static inline const char *outcome_of(const door_answer_t *answer)
{
    bool json = answer->content_type && strcmp(answer->content_type, "application/json") == 0;

    if (answer->status < 400)
        return text("%d%s", answer->status, answer->text && !json ? " (not application/json)" : "");
    return text("%d %s %s%s", answer->status, door_code(answer), door_field(answer), misshape_of(answer));
}

static inline const char *serve_outcome(door_answer_t answer)
{
    return outcome_of(&answer);
}

#define refused(answer, status, code, field, ...)                                                                      \
    tap_is_str(serve_outcome(answer), text("%d %s %s", status, code, field), __FILE__, __LINE__, __VA_ARGS__)
#define accepted(answer, status, ...)                                                                                  \
    tap_is_str(serve_outcome(answer), text("%d", status), __FILE__, __LINE__, __VA_ARGS__)

/* ---- people, roles, teams --------------------------------------------------------------------------------------- */

static inline const char *role_named(const char *name)
{
    door_answer_t answer = get(text("/v1/roles?name=%s", identity_query_escape(door->pool, name)), door->key);
    const char *id = door_text(&answer, "data.0.id");
    return id ? id : (bail(text("no role %s", name)), NULL);
}

/* Accepts the invitation that was mailed: the user's id. */
static inline const char *accept_mailed(const char *address)
{
    const char *token = door_mailed_token(door, address);
    door_answer_t answer = post("/v1/oauth/activate-user", NULL,
                                text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token ? token : ""));
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(text("%s could not accept: %s", address, answer.text)), NULL);
}

/* ---- the database past the service, on a connection of its own -------------------------------------------------- */

static const apr_dbd_driver_t *serve_driver;
static apr_dbd_t *serve_handle;

static inline void serve_begin(void)
{
    door = door_open();
    /* The floor costs 16 ms each time; the tests of hashing set it again. */
    door->settings.hash.memory_kib = 64;
    door->settings.hash.passes = 1;
    apr_dbd_init(door->pool);
    if (apr_dbd_get_driver(door->pool, "sqlite3", &serve_driver) != APR_SUCCESS ||
        apr_dbd_open(serve_driver, door->pool, door->params, &serve_handle) != APR_SUCCESS)
        bail("no second connection");
}

static inline int serve_end(void)
{
    apr_dbd_close(serve_driver, serve_handle);
    door_close(door);
    return tap_done();
}

/* All rows of a query: columns joined by |, rows by a space. */
static inline const char *rows_in(apr_pool_t *pool, const char *sql)
{
    apr_array_header_t *parts = apr_array_make(pool, 64, sizeof(const char *));
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;

    if (apr_dbd_select(serve_driver, pool, serve_handle, &results, sql, 0) != 0)
        bail(text("%s: %s", sql, apr_dbd_error(serve_driver, serve_handle, 1)));
    while (apr_dbd_get_row(serve_driver, pool, results, &row, -1) == 0) {
        for (int i = 0; i < apr_dbd_num_cols(serve_driver, results); i++) {
            const char *entry = apr_dbd_get_entry(serve_driver, row, i);
            APR_ARRAY_PUSH(parts, const char *) = i ? "|" : parts->nelts ? " " : "";
            APR_ARRAY_PUSH(parts, const char *) = entry ? entry : "-";
        }
    }
    return apr_array_pstrcat(pool, parts, 0);
}

static inline const char *rows(const char *sql)
{
    return rows_in(door->pool, sql);
}

static inline long long count(const char *sql)
{
    return strtoll(rows(sql), NULL, 10);
}

/* Changes rows; how many. */
static inline int change(const char *sql)
{
    int changed = 0;
    if (apr_dbd_query(serve_driver, serve_handle, &changed, sql) != 0)
        bail(text("%s: %s", sql, apr_dbd_error(serve_driver, serve_handle, 1)));
    return changed;
}

/* ---- teams ------------------------------------------------------------------------------------------------------ */

static inline const char *serve_team_of(const char *entity_id, const char *name)
{
    const char *id = identity_id_make(door->pool, "team", ++door->now, &door->env.random);

    change(text("INSERT INTO teams (id, entity_id, name, created_at) VALUES ('%s', '%s', '%s', %" APR_INT64_T_FMT ")",
                id, entity_id, name, (apr_int64_t)door->now));
    return id;
}

static inline const char *serve_team(const char *name)
{
    return serve_team_of(door->entity_id, name);
}

/* role: a name, or "" for none. */
static inline void serve_team_gives(const char *team, const char *account, const char *type, const char *role)
{
    const char *id = identity_id_make(door->pool, "memb", ++door->now, &door->env.random);

    change(
        text("INSERT INTO memberships (id, entity_id, team_id, account_id, type, created_at) VALUES ('%s', '%s', '%s', "
             "'%s', '%s', %" APR_INT64_T_FMT ")",
             id, door->entity_id, team, account, type, (apr_int64_t)door->now));
    if (*role)
        change(text("INSERT INTO membership_roles (membership_id, position, role_id) VALUES ('%s', 0, '%s')", id,
                    role_named(role)));
}

/* A digest of every row of every table: two are equal where nothing was changed between. */
static inline const char *state(void)
{
    char *tables = apr_pstrdup(door->pool, rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"));
    const char *all = "";
    apr_pool_t *pool;
    char *rest;

    apr_pool_create(&pool, door->pool);
    for (char *table = apr_strtok(tables, " ", &rest); table; table = apr_strtok(NULL, " ", &rest)) {
        const char *content = rows_in(pool, text("SELECT * FROM %s", table));
        all = text("%s%s%s:%.8s", all, *all ? " " : "", table, identity_sha256_hex(pool, content, strlen(content)));
    }
    apr_pool_destroy(pool);
    return all;
}

#endif

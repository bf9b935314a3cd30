/* SPDX-License-Identifier: Apache-2.0 */
/* The basis of all commands: the database, an environment for the service, requests. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_user.h>
#include <sodium.h>
#include <unistd.h>

#include "tool.h"

static bool fill(void *context, void *buffer, size_t size)
{
    (void)context;
    randombytes_buf(buffer, size);
    return true;
}

static apr_time_t now(void *context)
{
    (void)context;
    return apr_time_now();
}

static identity_db_status_t borrow(void *context, apr_pool_t *pool, identity_db_t **db)
{
    tool_t *tool = context;
    (void)pool;
    *db = tool->db;
    return IDENTITY_DB_OK;
}

static void give_back(void *context, identity_db_t *db)
{
    (void)context;
    (void)db;
}

static void log_line(void *context, identity_log_level_t level, const char *request_id,
                     const char *line)
{
    (void)context;
    (void)request_id;
    if (level <= IDENTITY_LOG_WARNING)
        fprintf(stderr, "htidentity: %s\n", line);
}

static void log_database(void *context, const char *statement, const char *failure,
                         const char *detail)
{
    (void)context;
    (void)detail;
    fprintf(stderr, "htidentity: database: %s: %s\n", statement, failure);
}

/* The server's defaults; settings that only the server uses are omitted. */
static void settle(tool_t *tool)
{
    static const identity_mail_target_t by_server = {.kind = IDENTITY_MAIL_MAILDIR};
    identity_settings_t *settings = &tool->settings;

    settings->public_url = "";
    settings->max_body = 65536;
    settings->invite_lifetime = apr_time_from_sec(7 * 86400);
    settings->reset_lifetime = apr_time_from_sec(3600);
    settings->personal_key_lifetime = apr_time_from_sec(90 * 86400);
    settings->hash.memory_kib = IDENTITY_HASH_MEMORY_MIN;
    settings->hash.passes = IDENTITY_HASH_PASSES_MIN;
    settings->password_minimum = 8;
    settings->blocklist = identity_blocklist_shipped(tool->pool);
    settings->mail = &by_server;
    settings->retention = identity_retention_standard;
    settings->urn_namespace = "identity";
    settings->urn_region = "local";
    identity_settings_read(tool->pool, tool->settings_json, settings);
    if (tool_has(tool, TOOL_HASH_MEMORY))
        settings->hash.memory_kib =
            (unsigned)tool_number(tool, TOOL_HASH_MEMORY, IDENTITY_HASH_MEMORY_MIN);
    tool->env.settings = settings;
    tool->env.random.fill = fill;
    tool->env.now = now;
    tool->env.borrow = borrow;
    tool->env.give_back = give_back;
    tool->env.log = log_line;
    tool->env.context = tool;
}

static identity_db_t *open_file(tool_t *tool, const char *path, identity_catalogue_t catalogue,
                                const char **error)
{
    const identity_db_options_t options = {.sync = IDENTITY_SYNC_FULL,
                                           .log = log_database,
                                           .catalogue = catalogue,
                                           .bulk = tool->bulk};
    return identity_db_open(tool->pool, tool->driver, path, &options, error);
}

identity_db_t *tool_open_path(tool_t *tool, const char *path, const char **error)
{
    return open_file(tool, path, tool->settings.catalogue, error);
}

static int open_database(tool_t *tool, identity_catalogue_t catalogue)
{
    const char *error = NULL;
    int version = 0;

    tool->db = open_file(tool, tool->params, catalogue, &error);
    if (!tool->db)
        return tool_fail(TOOL_DATABASE, "%s", error);
    identity_db_use(tool->db, tool->pool);
    if (identity_schema_version(tool->db, &version) != IDENTITY_DB_OK)
        return tool_fail(TOOL_DATABASE, "the version of the database cannot be read");
    if (version != identity_schema_current())
        return tool_fail(TOOL_DATABASE, "the database has version %d, this program needs %d: %s",
                         version, identity_schema_current(),
                         version < identity_schema_current() ? "run htidentity migrate"
                                                             : "use a newer htidentity");
    return TOOL_DONE;
}

int tool_open(tool_t *tool)
{
    int status = tool_configure(tool);

    if (status)
        return status;
    settle(tool);
    status = open_database(tool, tool->settings.catalogue);
    if (status == TOOL_DONE)
        status = tool_settings_kept(tool);
    if (status)
        return status;
    identity_catalogue_t opened = tool->settings.catalogue;
    settle(tool);
    return tool->settings.catalogue == opened ? TOOL_DONE
                                              : open_database(tool, tool->settings.catalogue);
}

static tool_status_t status_of(int http)
{
    switch (http) {
    case 404:
        return TOOL_NOT_FOUND;
    case 409:
    case 412:
        return TOOL_STATE;
    default:
        return http < 500 ? TOOL_REFUSED : TOOL_FAILED;
    }
}

int tool_problem(const identity_problem_t *problem)
{
    json_t *json = identity_problem_json(problem);
    int status = tool_fail(status_of(identity_problem_status(problem->kind)), "%s",
                           json_string_value(json_object_get(json, "message")));

    json_decref(json);
    return status;
}

int tool_find_entity(tool_t *tool)
{
    apr_array_header_t *rows = NULL;
    identity_entity_row_t *row = NULL;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    if (tool->entity) {
        if (!identity_entity_named(tool->pool, &tool->env, tool->entity, &row, &problem))
            return tool_problem(&problem);
        tool->entity_id = row->id;
        return 0;
    }
    if (!identity_entities(tool->pool, &tool->env, &rows, &problem))
        return tool_problem(&problem);
    for (int i = 0; i < rows->nelts; i++) {
        identity_entity_row_t *entity = APR_ARRAY_IDX(rows, i, identity_entity_row_t *);
        if (entity->expires_at) /* a sandbox is only meant if it is named */
            continue;
        if (row)
            return tool_fail(TOOL_USAGE, "there are several entities: name one by --entity");
        row = entity;
    }
    if (!row)
        return tool_fail(TOOL_NOT_FOUND,
                         "there is no entity yet: create one by htidentity entity add REFERENCE");
    tool->entity_id = row->id;
    return 0;
}

int tool_open_entity(tool_t *tool)
{
    int status = tool_open(tool);
    return status ? status : tool_find_entity(tool);
}

static identity_problem_kind_t read_body(void *context, apr_pool_t *pool, size_t limit, char **text,
                                         size_t *length)
{
    const char *body = context;

    *length = strlen(body);
    *text = apr_pstrmemdup(pool, body, *length);
    return *length > limit ? IDENTITY_PROBLEM_TOO_LARGE : IDENTITY_PROBLEM_NONE;
}

/* In the answer's links, or in the Link header of an answer that is a plain list. */
static const char *next_page(const tool_t *tool, const json_t *answer, const char *header)
{
    const char *url = json_string_value(json_object_get(json_object_get(answer, "links"), "next")),
               *end = header ? strstr(header, ">; rel=\"next\"") : NULL;

    while (end && end > header && end[-1] != '<')
        end--;
    if (end)
        url = apr_pstrmemdup(tool->pool, end, strcspn(end, ">"));
    return url && strchr(url, '?') ? strchr(url, '?') + 1 : NULL;
}

int tool_call(tool_t *tool, const char *method, const char *path, const char *query, json_t *body,
              json_t **answer)
{
    identity_authentication_t local;
    identity_response_t out;
    identity_request_t in = {
        .method = method, .path = path, .query = query, .client_address = "", .loopback = true};
    size_t length;

    if (body) {
        char *text =
            (char *)identity_json_text(tool->pool, identity_json_own(tool->pool, body), &length);
        identity_wipe_with_pool(tool->pool, text);
        in.has_body = true;
        in.read_body = read_body;
        in.body_context = text;
        in.headers.content_type = "application/json";
    }
    in.headers.platform_id = tool->account_id;
    in.request_id = identity_request_id(tool->pool, &tool->env);
    identity_authenticate_local(tool->pool, tool->entity_id, &local);
    identity_request_match(tool->pool, &in);
    identity_serve(tool->pool, &tool->env, &in, &local, &out);
    *answer = identity_json_own(
        tool->pool, out.body ? json_loadb(out.body, out.length, JSON_DECODE_ANY, NULL) : NULL);
    tool->next = next_page(tool, *answer, apr_table_get(out.headers, "Link"));
    if (out.status < 300)
        return 0;
    const char *field = tool_member(*answer, "field"), *message = tool_member(*answer, "message");
    return tool_fail(status_of(out.status), "%s%s%s", field ? field : "", field ? ": " : "",
                     message ? message : "the request was refused");
}

static void print_heading(const char *const *names)
{
    for (int i = 0; names[i]; i++) {
        if (i > 0)
            putchar('\t');
        for (const char *at = names[i]; *at; at++)
            putchar(*at == '_' ? ' ' : toupper((unsigned char)*at));
    }
    putchar('\n');
}

bool tool_wants_more(const tool_t *tool)
{
    return tool->wanted != 0;
}

bool tool_line(tool_t *tool, const json_t *value, const char *const *names)
{
    if (!tool_wants_more(tool))
        return false;
    if (!tool->headed)
        print_heading(names);
    tool->headed = true;
    tool_print(tool, value, names);
    if (tool->wanted > 0)
        tool->wanted--;
    return tool_wants_more(tool);
}

void tool_print(const tool_t *tool, const json_t *value, const char *const *names)
{
    if (tool->json) {
        json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        fputc('\n', stdout);
        return;
    }
    for (int i = 0; names[i]; i++) {
        const json_t *member = json_object_get(value, names[i]);
        if (i > 0)
            fputc('\t', stdout);
        if (json_is_string(member))
            fputs(json_string_value(member), stdout);
        else if (member && !json_is_null(member))
            json_dumpf(member, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        else
            fputc('-', stdout);
    }
    fputc('\n', stdout);
}

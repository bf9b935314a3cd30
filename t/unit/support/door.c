/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <sodium.h>

#include "tap.h"
#include "door.h"

#define START ((apr_time_t)1700000000 * APR_USEC_PER_SEC)

static bool fill(void *context, void *buffer, size_t size)
{
    (void)context;
    randombytes_buf(buffer, size);
    return true;
}

static apr_time_t now(void *context)
{
    return ++((door_t *)context)->now;
}

static identity_db_status_t borrow(void *context, apr_pool_t *pool, identity_db_t **db)
{
    door_t *door = context;
    (void)pool;
    if (door->refuse_borrow)
        return IDENTITY_DB_BUSY;
    if (door->borrowed++ > 0)
        bail("two connections were borrowed at once");
    *db = door->db;
    return IDENTITY_DB_OK;
}

static void give_back(void *context, identity_db_t *db)
{
    (void)db;
    ((door_t *)context)->borrowed--;
}

static bool enter_write(void *context)
{
    ((door_t *)context)->writers++;
    return true;
}

static void leave_write(void *context)
{
    ((door_t *)context)->writers--;
}

static identity_hash_turn_t enter_hash(void *context, const identity_hash_request_t *request,
                                       identity_hash_ticket_t *ticket)
{
    door_t *door = context;
    door->hash_account = apr_pstrdup(door->pool, request->account);
    *ticket = (identity_hash_ticket_t){.result = door->hash_result};
    if (door->borrowed || door->writers)
        bail("a password is hashed while a connection or the writers' gate is held");
    if (door->hash_result != IDENTITY_HASH_UNKNOWN)
        return IDENTITY_HASH_SHARED;
    return door->refuse_hash ? IDENTITY_HASH_REFUSED : IDENTITY_HASH_ENTERED;
}

static void leave_hash(void *context, const identity_hash_ticket_t *ticket, identity_hash_result_t result)
{
    (void)ticket;
    ((door_t *)context)->hash_told = result;
}

static void log_line(void *context, identity_log_level_t level, const char *request_id, const char *line)
{
    door_t *door = context;
    /* Every refusal has a line. */
    if (level == IDENTITY_LOG_DEBUG)
        return;
    if (door->log)
        door->log = apr_pstrcat(door->pool, door->log, line, "\n", NULL);
    diag("log %s %s", request_id ? request_id : "-", line);
}

static void log_database(void *context, const char *statement, const char *failure, const char *detail)
{
    (void)context;
    diag("database %s: %s (%s)", statement, failure, detail ? detail : "");
}

/* While set, requests come from the command line of this entity: how the first keys are made. */
static const char *local_entity;

static const char *key_of(door_t *door, const char *entity_id, const char *body)
{
    local_entity = entity_id;
    door_answer_t answer = door_call(door, "POST", "/v1/api-keys", NULL, body);
    local_entity = NULL;
    if (answer.status != 201)
        bail("no key could be made");
    return apr_pstrdup(door->pool, door_text(&answer, "api_key"));
}

static const char *entity(door_t *door, const char *reference)
{
    identity_entity_row_t *row;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    if (!identity_entity_add(door->pool, &door->env, reference, NULL, &row, &problem))
        bail("no entity could be made");
    return row->id;
}

static const char *account(door_t *door, const char *entity_id, const char *reference, const char *environment)
{
    identity_account_row_t *row;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    if (!identity_account_add(door->pool, &door->env, entity_id, reference, environment, NULL, NULL, &row, &problem))
        bail("no account could be made");
    return row->id;
}

static void seed(door_t *door)
{
    door->entity_id = entity(door, "default");
    door->account_id = account(door, door->entity_id, "default", "LIVE");
    door->second_account_id = account(door, door->entity_id, "second", "TEST");
    door->other_entity_id = entity(door, "other");
    door->other_account_id = account(door, door->other_entity_id, "default", "LIVE");
    door->key = key_of(door, door->entity_id, "{\"description\":\"administrator\"}");
    door->read_key = key_of(door, door->entity_id, "{\"role_type\":\"READ_ONLY\"}");
    door->other_key = key_of(door, door->other_entity_id, "{}");
}

static void settle(door_t *door)
{
    identity_settings_t *settings = &door->settings;
    const char *error = NULL;

    settings->public_url = "https://id.example.org";
    settings->require_tls = true;
    settings->max_body = 65536;
    settings->access_lifetime = apr_time_from_sec(900);
    settings->refresh_idle = apr_time_from_sec(7 * 86400);
    settings->refresh_absolute = apr_time_from_sec(30 * 86400);
    settings->invite_lifetime = apr_time_from_sec(7 * 86400);
    settings->reset_lifetime = apr_time_from_sec(3600);
    settings->personal_key_lifetime = apr_time_from_sec(90 * 86400);
    settings->retention = identity_retention_standard;
    settings->hash.memory_kib = IDENTITY_HASH_MEMORY_MIN;
    settings->hash.passes = IDENTITY_HASH_PASSES_MIN;
    settings->password_minimum = 8;
    settings->blocklist = identity_blocklist_shipped(door->pool);
    settings->password_grant = true;
    settings->mail = identity_mail_target_parse(
        door->pool, apr_pstrcat(door->pool, "maildir:", door->folder, "/mail", NULL), &error);
    settings->mail_from = "noreply@id.example.org";
    settings->urn_namespace = "identity";
    settings->urn_region = "local";
    settings->mail_templates = identity_mail_templates_load(door->pool, NULL, &error);
    if (!settings->mail)
        bail(error);
    door->env.settings = settings;
    door->env.random.fill = fill;
    door->env.now = now;
    door->env.borrow = borrow;
    door->env.give_back = give_back;
    door->env.enter_write = enter_write;
    door->env.leave_write = leave_write;
    door->env.enter_hash = enter_hash;
    door->env.leave_hash = leave_hash;
    door->env.log = log_line;
    door->env.context = door;
}

static identity_counters_t *counters_of(door_t *door, unsigned entries)
{
    void *memory = apr_pcalloc(door->pool, identity_counters_size(entries) + 64);
    identity_counters_t *counters =
        identity_counters_make((void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63), entries, &door->env.random);
    return counters ? counters : (bail("no counters"), NULL);
}

/* Nothing is limited until a test sets rates. */
static void limit(door_t *door)
{
    door->env.counters = counters_of(door, 4096);
    door->env.proofs = counters_of(door, 1024);
    door->env.counters_scope = door->params;
}

void door_catalogue(door_t *door, identity_catalogue_t catalogue)
{
    identity_db_options_t *options = apr_pcalloc(door->pool, sizeof *options);
    const char *error = NULL;

    options->sync = IDENTITY_SYNC_NORMAL;
    options->log = log_database;
    options->fail_after = &door->fail_after;
    options->fail_with = &door->fail_with;
    options->catalogue = door->settings.catalogue = catalogue;
    door->db = identity_db_open(door->pool, "sqlite3", door->params, options, &error);
    if (!door->db)
        bail(error);
}

static void connect_database(door_t *door)
{
    int from, to;
    const char *error = identity_schema_migrate(door->pool, "sqlite3", door->params, &from, &to);

    if (error)
        bail(error);
    door_catalogue(door, IDENTITY_CATALOGUE_PUBLISHED);
}

door_t *door_open(void)
{
    static bool started;
    apr_pool_t *pool;
    char folder[] = "/tmp/identity-unit-XXXXXX";
    const char *error = NULL, *pems[1];

    if (!started && (apr_initialize() != APR_SUCCESS || sodium_init() < 0 || !identity_client_start()))
        bail("the libraries do not start");
    started = true;
    if (!mkdtemp(folder))
        bail("no temporary folder");
    apr_pool_create(&pool, NULL);
    door_t *door = apr_pcalloc(pool, sizeof *door);
    door->pool = pool;
    door->now = START;
    door->folder = apr_pstrdup(pool, folder);
    door->params = apr_pstrcat(pool, folder, "/identity.db", NULL);
    pems[0] = identity_signing_key_make(pool);
    door->env.keys = identity_keyset_load(pool, pems, 1, &error);
    if (!door->env.keys)
        bail(error ? error : "no signing key");
    connect_database(door);
    settle(door);
    limit(door);
    seed(door);
    if (getenv("IDENTITY_TEST_CACHE"))
        door_remember(door, 10000);
    return door;
}

static void remove_folder(apr_pool_t *pool, const char *path)
{
    apr_dir_t *dir;
    apr_finfo_t info;

    if (apr_dir_open(&dir, path, pool) != APR_SUCCESS)
        return;
    while (apr_dir_read(&info, APR_FINFO_NAME | APR_FINFO_TYPE, dir) == APR_SUCCESS) {
        const char *inner = apr_pstrcat(pool, path, "/", info.name, NULL);
        if (strcmp(info.name, ".") == 0 || strcmp(info.name, "..") == 0)
            continue;
        if (info.filetype == APR_DIR)
            remove_folder(pool, inner);
        else
            apr_file_remove(inner, pool);
    }
    apr_dir_close(dir);
    apr_dir_remove(path, pool);
}

void door_close(door_t *door)
{
    char folder[64];

    snprintf(folder, sizeof folder, "%s", door->folder);
    apr_pool_destroy(door->pool);
    apr_pool_t *pool;
    apr_pool_create(&pool, NULL);
    remove_folder(pool, folder);
    apr_pool_destroy(pool);
}

typedef struct body {
    const char *text;
    size_t length;
} body_t;

static identity_problem_kind_t read_body(void *context, apr_pool_t *pool, size_t limit, char **text, size_t *length)
{
    const body_t *body = context;

    if (body->length > limit)
        return IDENTITY_PROBLEM_TOO_LARGE;
    *text = apr_pstrmemdup(pool, body->text, body->length);
    *length = body->length;
    return IDENTITY_PROBLEM_NONE;
}

door_answer_t door_call_bytes(door_t *door, const char *method, const char *target, const char *credential,
                              const char *text, size_t length)
{
    const char *question = strchr(target, '?');
    body_t body = {text, length};
    identity_request_t in = {.method = method,
                             .client_address = door->client_address ? door->client_address : "192.0.2.7"};
    identity_authentication_t authentication;
    identity_response_t out;
    door_answer_t answer = {.status = 0};
    unsigned long before = identity_db_statements(door->db);

    in.path = question ? apr_pstrmemdup(door->pool, target, (apr_size_t)(question - target)) : target;
    in.query = question ? question + 1 : NULL;
    in.secure = !door->insecure;
    if (credential && strncmp(credential, "Bearer ", 7) == 0)
        in.headers.authorization = credential;
    else
        in.headers.api_key = credential;
    in.headers.cookie = door->cookie;
    in.access_cookie = door->access_cookie;
    in.headers.platform_id = door->platform_id;
    in.headers.resource_id = door->resource_id;
    in.headers.user_agent = door->user_agent;
    in.headers.if_match = door->if_match;
    in.headers.if_none_match = door->if_none_match;
    in.headers.accept_language = door->accept_language;
    in.headers.idempotency_key = door->idempotency_key;
    in.headers.api_version = door->api_version;
    in.headers.content_type = door->content_type ? door->content_type : text ? "application/json" : NULL;
    in.has_body = text && length > 0;
    in.read_body = text ? read_body : NULL;
    in.body_context = &body;
    in.request_id = identity_request_id(door->pool, &door->env);
    identity_request_match(door->pool, &in);
    if (local_entity)
        identity_authenticate_local(door->pool, local_entity, &authentication);
    else
        identity_authenticate(door->pool, &door->env, &in, &authentication);
    if (door->env.cache && !local_entity) {
        unsigned long took = identity_db_statements(door->db) - before;
        door_hold_against_cold(door, &in, &authentication, took);
        before = identity_db_statements(door->db) - took;
    }
    identity_serve(door->pool, &door->env, &in, &authentication, &out);
    door_record(method, target, &out);
    if (door->borrowed || door->writers)
        bail("a connection or the writers' gate was not given back");
    answer.status = out.status;
    answer.content_type = out.content_type;
    answer.text = out.body;
    answer.length = out.length;
    answer.headers = out.headers;
    answer.json =
        identity_json_own(door->pool, out.body ? json_loadb(out.body, out.length, JSON_DECODE_ANY, NULL) : NULL);
    answer.statements = identity_db_statements(door->db) - before;
    return answer;
}

door_answer_t door_call(door_t *door, const char *method, const char *target, const char *credential, const char *body)
{
    return door_call_bytes(door, method, target, credential, body, body ? strlen(body) : 0);
}

json_t *door_at(const json_t *json, const char *path)
{
    const json_t *at = json;

    while (at && path && *path) {
        char name[128];
        size_t length = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        at = json_is_array(at) ? json_array_get(at, (size_t)atol(name)) : json_object_get(at, name);
        path += length + (path[length] == '.');
    }
    return (json_t *)at;
}

const char *door_text(const door_answer_t *answer, const char *path)
{
    return json_string_value(door_at(answer->json, path));
}

const char *door_code(const door_answer_t *answer)
{
    const char *code = door_text(answer, "code");
    return code ? code : "";
}

const char *door_field(const door_answer_t *answer)
{
    const char *field = door_text(answer, "field");
    return field ? field : "";
}

const char *door_members(door_t *door, const json_t *object)
{
    const char *name, *all = "";
    json_t *value;

    json_object_foreach ((json_t *)object, name, value)
        all = apr_pstrcat(door->pool, all, *all ? "," : "", name, NULL);
    return all;
}

const char *door_format(door_t *door, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = apr_pvsprintf(door->pool, format, arguments);
    va_end(arguments);
    return text;
}

const char *door_value(door_t *door, const char *sql)
{
    char line[4096] = "";
    const char *command = apr_psprintf(door->pool, "sqlite3 -readonly '%s' \"%s\"", door->params, sql);
    FILE *pipe = popen(command, "r");
    bool got = pipe && fgets(line, sizeof line, pipe);

    if (pipe && pclose(pipe) != 0)
        return NULL;
    line[strcspn(line, "\n")] = '\0';
    return got ? apr_pstrdup(door->pool, line) : NULL;
}

long long door_count(door_t *door, const char *sql)
{
    const char *value = door_value(door, sql);
    return value ? atoll(value) : -1;
}

static char *read_file(apr_pool_t *pool, const char *path)
{
    apr_file_t *file;
    apr_finfo_t info;
    char *text = NULL;

    if (apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, pool) != APR_SUCCESS)
        return NULL;
    if (apr_file_info_get(&info, APR_FINFO_SIZE, file) == APR_SUCCESS) {
        text = apr_pcalloc(pool, (apr_size_t)info.size + 1);
        apr_file_read_full(file, text, (apr_size_t)info.size, NULL);
    }
    apr_file_close(file);
    return text;
}

const char *door_mailed_token(door_t *door, const char *address)
{
    const char *folder = apr_pstrcat(door->pool, door->folder, "/mail/new", NULL), *newest = "", *token = NULL;
    const char *to = apr_psprintf(door->pool, "To: %s", identity_username_key(door->pool, address));
    apr_dir_t *dir;
    apr_finfo_t info;
    identity_courier_t courier = {.failures = 0};

    identity_deliver(door->pool, &door->env, "unit:1", &courier, NULL);
    if (apr_dir_open(&dir, folder, door->pool) != APR_SUCCESS)
        return NULL;
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        const char *path = apr_pstrcat(door->pool, folder, "/", info.name, NULL);
        char *text = info.name[0] == '.' ? NULL : read_file(door->pool, path);
        if (!text || !strstr(text, to))
            continue;
        const char *at = strstr(text, "#token=");
        if (at && strcmp(info.name, newest) > 0) {
            newest = apr_pstrdup(door->pool, info.name);
            token = apr_pstrmemdup(door->pool, at + 7,
                                   strspn(at + 7, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"));
        }
        apr_file_remove(path, door->pool);
    }
    apr_dir_close(dir);
    return token;
}

const char *door_person(door_t *door, const char *address, const char *password, const char *memberships)
{
    door_answer_t answer = door_call(door, "POST", "/v1/users/invite", door->key,
                                     door_format(door, "{\"username\":\"%s\",\"account_memberships\":%s}", address,
                                                 memberships ? memberships : "[]"));
    const char *token = answer.status == 200 ? door_mailed_token(door, address) : NULL;

    if (!token)
        bail(door_format(door, "%s could not be invited: %d %s", address, answer.status, answer.text));
    answer = door_call(door, "POST", "/v1/oauth/activate-user", NULL,
                       door_format(door, "{\"token\":\"%s\",\"new_password\":\"%s\"}", token, password));
    if (answer.status != 200)
        bail(door_format(door, "%s could not accept: %s", address, answer.text));
    return door_text(&answer, "id");
}

const char *door_login(door_t *door, const char *address, const char *password, const char **cookie)
{
    door_answer_t answer = door_call(door, "POST", "/v1/oauth/token", NULL,
                                     door_format(door, "{\"username\":\"%s\",\"password\":\"%s\"}", address, password));
    const char *set = apr_table_get(answer.headers, "Set-Cookie");

    if (answer.status != 200)
        return NULL;
    if (cookie)
        *cookie = set ? apr_pstrmemdup(door->pool, set, strcspn(set, ";")) : NULL;
    return door_format(door, "Bearer %s", door_text(&answer, "access_token"));
}

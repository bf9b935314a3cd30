/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the names in Require lines (roles, accounts, teams, entities) against the database in `httpd -t`: a name
 * that does not exist silently denies access to everybody. Warnings only, for it may be created later; at a start
 * nothing is checked. */
#include "server_int.h"

APLOG_USE_MODULE(identity);

#define NAMED "identity-named"

typedef struct named {
    server_rec *server;
    identity_named_t kind;
    const char *name, *file;
    int line;
} named_t;

void identity_named_note(const cmd_parms *cmd, identity_named_t kind, const char *name)
{
    apr_pool_t *pool = cmd->server->process->pconf;
    void *list = NULL;

    /* .htaccess is read during requests, by many threads. */
    if (cmd->pool != pool || !cmd->directive)
        return;
    apr_pool_userdata_get(&list, NAMED, pool);
    if (!list) {
        list = apr_array_make(pool, 8, sizeof(named_t));
        apr_pool_userdata_setn(list, NAMED, NULL, pool);
    }
    APR_ARRAY_PUSH((apr_array_header_t *)list, named_t) =
        (named_t){cmd->server, kind, name, cmd->directive->filename, cmd->directive->line_num};
}

/* ---- a connection of its own ------------------------------------------------------------------------------------ */

static apr_time_t now(void *context)
{
    (void)context;
    return apr_time_now();
}

static identity_db_status_t lend(void *db, apr_pool_t *pool, identity_db_t **lent)
{
    (void)pool;
    *lent = db;
    return db ? IDENTITY_DB_OK : IDENTITY_DB_BUSY;
}

static void take_back(void *context, identity_db_t *db)
{
    (void)context;
    (void)db;
}

static void be_silent(void *context, identity_log_level_t level, const char *request_id,
                      const char *line)
{
    (void)context;
    (void)level;
    (void)request_id;
    (void)line;
}

/* NULL if the database cannot be asked. Nothing is created or written here. */
static identity_db_t *open_database(apr_pool_t *pool, const identity_dbd_t *dbd)
{
    static const identity_db_options_t options = {.sync = IDENTITY_SYNC_FULL, .read_only = true};
    const char *errmsg;

    if (!dbd->driver || !dbd->params ||
        identity_database_check(pool, dbd, NULL, true, &errmsg) != IDENTITY_FAULT_NONE)
        return NULL;
    identity_db_t *db = identity_db_open(pool, dbd->driver, dbd->params, &options, &errmsg);
    if (db)
        identity_db_use(db, pool);
    return db;
}

static void check_named(apr_pool_t *pool, const server_rec *main_server, const named_t *named)
{
    static const identity_settings_t settings;
    identity_env_t env = {.settings = &settings,
                          .now = now,
                          .borrow = lend,
                          .give_back = take_back,
                          .log = be_silent};
    identity_dbd_t dbd;

    identity_dbd_read(pool, main_server, named->server, &dbd);
    env.context = open_database(pool, &dbd);
    const char *missing =
        env.context ? identity_named_missing(pool, &env, NULL, named->kind, named->name) : NULL;
    if (missing)
        IDENTITY_LOG(APLOG_WARNING, named->server, "ID0564: %s, line %d: %s", named->file,
                     named->line, missing);
}

void identity_named_check(apr_pool_t *temporary, const server_rec *main_server)
{
    void *list = NULL;

    apr_pool_userdata_get(&list, NAMED, main_server->process->pconf);
    if (!list)
        return;
    for (int i = 0; i < ((apr_array_header_t *)list)->nelts; i++) {
        apr_pool_t *pool;
        /* The connection ends with it. */
        apr_pool_create(&pool, temporary);
        check_named(pool, main_server, &APR_ARRAY_IDX((apr_array_header_t *)list, i, named_t));
        apr_pool_destroy(pool);
    }
}

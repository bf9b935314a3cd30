/* Sixteen processes at once: a secret is spent once, a refresh token has one successor (security 21, 35). */
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <sodium.h>

#include "identity/store.h"
#include "tap.h"

#define RIVALS 16
#define ROUNDS 10

static apr_pool_t *pool;
static const char *path;

static identity_db_t *connect_database(apr_pool_t *into)
{
    const identity_db_options_t options = {.sync = IDENTITY_SYNC_NORMAL};
    const char *error = NULL;
    identity_db_t *db = identity_db_open(into, "sqlite3", path, &options, &error);

    if (!db)
        bail(error);
    identity_db_use(db, into);
    return db;
}

static void seed(void)
{
    apr_pool_t *own;
    int from, to;

    if (identity_schema_migrate(pool, "sqlite3", path, &from, &to))
        bail("no database");
    apr_pool_create(&own, pool);
    identity_db_t *db = connect_database(own);
    identity_entity_insert(db, &(identity_entity_row_t){.id = "e", .reference = "e", .name = "e", .created_at = 1});
    identity_user_insert(db, &(identity_user_row_t){
                                 .id = "u", .entity_id = "e", .username = "u@x.y", .canonical = "u@x.y", .version = 1});
    identity_session_insert(db, &(identity_session_row_t){.id = "s",
                                                          .entity_id = "e",
                                                          .user_id = "u",
                                                          .method = "password",
                                                          .client_address = "",
                                                          .user_agent = "",
                                                          .expires_at = 9});
    for (int i = 0; i < ROUNDS; i++) {
        identity_secret_insert(
            db, &(identity_secret_row_t){.digest = apr_psprintf(own, "d%d", i), .user_id = "u", .expires_at = 9});
        identity_refresh_insert(
            db, &(identity_refresh_row_t){.digest = apr_psprintf(own, "r%d", i), .session_id = "s", .nonce = ""});
    }
    apr_pool_destroy(own);
}

/* In a transaction of its own each, as the service does it, or in none at all: the guard is in the statement. */
static int spend_all(bool transaction, bool refresh)
{
    identity_db_t *db = connect_database(pool);
    int won = 0;

    for (int i = 0; i < ROUNDS; i++) {
        identity_db_status_t status = IDENTITY_DB_BUSY;
        for (int tries = 0; status == IDENTITY_DB_BUSY && tries < 50; tries++) {
            if (transaction && (status = identity_db_begin(db, true)) != IDENTITY_DB_OK)
                continue;
            status = refresh ? identity_refresh_spend(db, apr_psprintf(pool, "r%d", i), "n", 5)
                             : identity_secret_spend(db, apr_psprintf(pool, "d%d", i), 5);
            if (transaction && identity_db_commit(db) != IDENTITY_DB_OK)
                status = IDENTITY_DB_BUSY;
        }
        if (status != IDENTITY_DB_OK && status != IDENTITY_DB_NONE)
            return 255;
        won += status == IDENTITY_DB_OK;
    }
    return won;
}

static void race(bool transaction, bool refresh, const char *what)
{
    int won = 0, broken = 0, status;

    for (int i = 0; i < RIVALS; i++)
        if (fork() == 0)
            _exit(spend_all(transaction, refresh));
    while (wait(&status) > 0) {
        broken += !WIFEXITED(status) || WEXITSTATUS(status) == 255;
        won += WIFEXITED(status) && WEXITSTATUS(status) != 255 ? WEXITSTATUS(status) : 0;
    }
    is_int(broken, 0, "%s: no rival met a fault", what);
    is_int(won, ROUNDS, "%s: of %d at once one wins, %d times", what, RIVALS, ROUNDS);
}

int main(void)
{
    char folder[] = "/tmp/identity-unit-XXXXXX", command[128];

    if (apr_initialize() != APR_SUCCESS || sodium_init() < 0 || !mkdtemp(folder))
        bail("the libraries do not start");
    apr_pool_create(&pool, NULL);
    path = apr_pstrcat(pool, folder, "/identity.db", NULL);
    seed();
    race(true, false, "secrets # security 21");
    race(false, true, "refresh tokens # security 35");
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ok(system(command) == 0, "nothing is left behind");
    return tap_done();
}

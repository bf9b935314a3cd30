/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a database as a process knows it: available, or the problem. A problem never ends httpd. Meanwhile
 * connections are refused (503), the problem is logged once, in the main log, by whichever process sees it first,
 * and the database is examined again until it is available. While it is available, this costs a stat() per request
 * and an examination every few seconds.
 *
 * There are two kinds: a failed examination (file, permissions, schema, signing key) makes the database unavailable;
 * a statement that fails because of a full disk, a lock or damage is only logged, since others may still succeed. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

#define LOOK_WELL  apr_time_from_sec(5)    /* delay until a schema changed in place is noticed */
#define LOOK_FAULT apr_time_from_msec(500) /* delay until a repaired folder is noticed */
/* A restart reports a problem again, unless the children have reported it just before. */
#define SAID_ANEW  apr_time_from_sec(30)

/* The last report, shared by all processes. */
typedef struct reported {
    atomic_ullong fault; /* kind and digest of the text; 0: available */
    atomic_ullong at;
} reported_t;

struct identity_database {
    identity_site_t *site;
    identity_dbd_t dbd;
    reported_t *reported;
    /* of this process; under state */
    identity_fault_t fault;
    identity_file_t file; /* as of the last look */
    bool suspect;         /* a failure since then */
    apr_time_t looked_at;
    atomic_llong keys_at; /* when signing keys were last checked for changes */
    /* one thread examines at a time; it owns: */
    identity_magic_t magic;
    apr_thread_mutex_t *state, *looking; /* NULL: in the parent, or if none could be created */
};

/* ---- the file that lies there ----------------------------------------------------------------------------------- */

bool identity_file_same(const identity_file_t *a, const identity_file_t *b)
{
    return a->number && a->number == b->number && a->device == b->device;
}

static identity_file_t file_at(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return (identity_file_t){.number = 0};
    return (identity_file_t){.device = info.st_dev,
                             .number = info.st_ino,
                             .mode = info.st_mode,
                             .owner = info.st_uid,
                             .group = info.st_gid,
                             .empty = info.st_size == 0};
}

static bool unchanged(const identity_file_t *a, const identity_file_t *b)
{
    return a->number == b->number && a->device == b->device && a->mode == b->mode &&
           a->owner == b->owner && a->group == b->group && a->empty == b->empty;
}

/* ---- the log ---------------------------------------------------------------------------------------------------- */

static unsigned long long report_of(identity_fault_t fault, const char *errmsg)
{
    apr_ssize_t length = APR_HASH_KEY_STRING;
    return fault ? (unsigned long long)fault << 32 | apr_hashfunc_default(errmsg, &length) : 0;
}

static void report_well(identity_database_t *database, unsigned long long before)
{
    if (before)
        IDENTITY_LOG(APLOG_NOTICE, database->site->main_server,
                     "ID0535: The database %s is available again.", database->dbd.params);
}

/* An examination that began before another process reported a problem knows nothing of it: that it succeeded is no
 * news. */
static bool outdated(const identity_database_t *database, identity_fault_t fault,
                     apr_time_t looked_at)
{
    unsigned long long at = atomic_load(&database->reported->at);
    return !fault && at >= (unsigned long long)looked_at &&
           at <= (unsigned long long)apr_time_now();
}

/* looked_at: when the examination began. */
static void report(identity_database_t *database, identity_fault_t fault, const char *errmsg,
                   apr_time_t looked_at)
{
    if (outdated(database, fault, looked_at))
        return;
    unsigned long long now = report_of(fault, errmsg),
                       before = atomic_exchange(&database->reported->fault, now);

    if (!fault) {
        report_well(database, before);
    } else if (before != now) {
        atomic_store(&database->reported->at, (unsigned long long)apr_time_now());
        IDENTITY_LOG(APLOG_EMERG, database->site->main_server, "ID0531: %s%s", errmsg,
                     fault == IDENTITY_FAULT_LOCKED || fault == IDENTITY_FAULT_FULL
                         ? ""
                         : " Until then the API and protected content answer 503.");
    }
}

void identity_database_heard(identity_database_t *database, const char *failure, const char *detail)
{
    const char *errmsg;
    apr_pool_t *own;

    apr_pool_create(&own, NULL);
    identity_fault_t fault =
        identity_statement_fault(own, &database->dbd, failure, detail, &errmsg);
    if (fault)
        report(database, fault, errmsg, apr_time_now());
    apr_pool_destroy(own);
}

void identity_database_wrote(identity_database_t *database)
{
    unsigned long long before = atomic_load(&database->reported->fault);
    identity_fault_t fault = (identity_fault_t)(before >> 32);

    if ((fault == IDENTITY_FAULT_FULL || fault == IDENTITY_FAULT_LOCKED) &&
        atomic_compare_exchange_strong(&database->reported->fault, &before, 0))
        report_well(database, before);
}

/* ---- in the parent ---------------------------------------------------------------------------------------------- */

identity_database_t *identity_database_make(identity_site_t *site, const identity_dbd_t *dbd)
{
    identity_database_t *database = apr_pcalloc(site->pool, sizeof *database);

    database->site = site;
    database->dbd = *dbd;
    database->magic.file = -1;
    database->reported = identity_shared(
        site, apr_pstrcat(site->pool, "database-", dbd->driver, ":", dbd->params, NULL), 1,
        sizeof(reported_t), NULL, NULL);
    /* Without shared memory each process reports for itself; start.c soon refuses such a machine. */
    if (!database->reported)
        database->reported = apr_pcalloc(site->pool, sizeof *database->reported);
    return database;
}

void identity_database_started(identity_database_t *database, identity_fault_t fault,
                               const char *errmsg)
{
    database->file = file_at(database->dbd.params);
    database->fault = fault;
    if (fault && (unsigned long long)apr_time_now() - atomic_load(&database->reported->at) >
                     (unsigned long long)SAID_ANEW)
        atomic_store(&database->reported->fault, 0);
    report(database, fault, errmsg, apr_time_now());
}

identity_site_t *identity_database_site(const identity_database_t *database)
{
    return database->site;
}

bool identity_database_well(const identity_database_t *database)
{
    return database->fault == IDENTITY_FAULT_NONE;
}

/* ---- in a child ------------------------------------------------------------------------------------------------- */

bool identity_database_child(identity_database_t *database)
{
    /* An ungraceful stop destroys the child's pool under running threads: these objects outlive it. */
    if (apr_thread_mutex_create(&database->looking, APR_THREAD_MUTEX_DEFAULT,
                                database->site->pool) != APR_SUCCESS ||
        apr_thread_mutex_create(&database->state, APR_THREAD_MUTEX_DEFAULT, database->site->pool) !=
            APR_SUCCESS)
        database->state = NULL;
    return database->state != NULL;
}

void identity_database_suspect(identity_database_t *database)
{
    apr_thread_mutex_lock(database->state);
    database->suspect = true;
    apr_thread_mutex_unlock(database->state);
}

typedef enum { LOOK_NOT_YET, LOOK_SOON, LOOK_NOW } due_t;

/* SOON: meanwhile others rely on the last result. */
static due_t due(identity_database_t *database, const identity_file_t *found)
{
    apr_thread_mutex_lock(database->state);
    bool doubtful = database->suspect || !unchanged(found, &database->file);
    bool late = apr_time_now() - database->looked_at >= (database->fault ? LOOK_FAULT : LOOK_WELL);
    apr_thread_mutex_unlock(database->state);
    return doubtful ? LOOK_NOW : late ? LOOK_SOON : LOOK_NOT_YET;
}

static void look(identity_database_t *database, apr_pool_t *pool, const identity_file_t *found)
{
    const char *errmsg = NULL;
    bool replaced = !identity_file_same(found, &database->file);
    apr_time_t began = apr_time_now();
    apr_pool_t *own;

    apr_thread_mutex_lock(database->state);
    database->suspect = false; /* failures from here on are not covered by this examination */
    apr_thread_mutex_unlock(database->state);
    apr_pool_create(&own, pool);
    identity_fault_t before = database->fault;
    identity_fault_t fault =
        identity_database_check(own, &database->dbd, &database->magic, false, &errmsg);
    /* Open connections may find it unlocked, and can go on reading on a full disk. */
    if ((fault == IDENTITY_FAULT_LOCKED || fault == IDENTITY_FAULT_FULL) && !before && !replaced)
        fault = IDENTITY_FAULT_NONE;
    if (!fault)
        fault = identity_keys_reload(own, database, replaced, &errmsg);
    apr_thread_mutex_lock(database->state);
    database->fault = fault;
    database->file = *found;
    database->looked_at = apr_time_now();
    apr_thread_mutex_unlock(database->state);
    if (fault || before || replaced)
        report(database, fault, errmsg, began);
    apr_pool_destroy(own);
}

static void look_if_due(identity_database_t *database, apr_pool_t *pool,
                        const identity_file_t *found)
{
    due_t when = due(database, found);

    if (when == LOOK_NOT_YET)
        return;
    if (when == LOOK_NOW)
        apr_thread_mutex_lock(database->looking);
    else if (apr_thread_mutex_trylock(database->looking) != APR_SUCCESS)
        return;
    /* Another thread may have examined it while this one waited. */
    if (due(database, found) != LOOK_NOT_YET)
        look(database, pool, found);
    apr_thread_mutex_unlock(database->looking);
}

void identity_database_keys(identity_database_t *database, apr_time_t now)
{
    const char *errmsg;
    apr_pool_t *own;

    if (!database->state || now - atomic_load(&database->keys_at) < LOOK_WELL)
        return;
    /* One thread reads the folder; other requests use the known keys. */
    if (apr_thread_mutex_trylock(database->looking) != APR_SUCCESS)
        return;
    if (now - atomic_load(&database->keys_at) >= LOOK_WELL) {
        apr_pool_create(&own, NULL);
        if (!database->fault)
            identity_keys_reload(own, database, false, &errmsg);
        apr_pool_destroy(own);
        atomic_store(&database->keys_at, now);
    }
    apr_thread_mutex_unlock(database->looking);
}

identity_db_status_t identity_database_ready(identity_database_t *database, apr_pool_t *pool,
                                             identity_file_t *file)
{
    identity_file_t found = file_at(database->dbd.params);

    if (!database->state)
        return IDENTITY_DB_LOST;
    look_if_due(database, pool, &found);
    apr_thread_mutex_lock(database->state);
    identity_fault_t fault = database->fault;
    *file = database->file;
    apr_thread_mutex_unlock(database->state);
    return fault == IDENTITY_FAULT_NONE     ? IDENTITY_DB_OK
           : fault == IDENTITY_FAULT_LOCKED ? IDENTITY_DB_BUSY
                                            : IDENTITY_DB_LOST;
}

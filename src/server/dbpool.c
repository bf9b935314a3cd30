/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to a database, borrowed from mod_dbd, and the write lock.
 *
 * mod_dbd lets a thread wait forever when all its connections are in use, has no function to discard a broken one, and
 * aborts at a child's end unless all of them have been returned. So each process keeps a slot for every connection that
 * mod_dbd may open (DBDMax), and threads without a free slot wait here, no longer than IdentityDatabaseWait. If a
 * connection is broken, or mod_dbd's may refer to a file that has been replaced (by a backup), the slot continues with
 * connections of its own.
 */
#include <string.h>

#include <apr_optional.h>
#include <apr_dbd.h>
#include <apr_thread_cond.h>
#include <ap_mpm.h>
#include <mod_dbd.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

#define LONGEST_END apr_time_from_sec(2)

/* A slot belongs to the thread that has taken it. */
typedef struct slot {
    bool taken;
    bool leaked;          /* mod_dbd still counts a connection for it that has been closed */
    ap_dbd_t *record;     /* mod_dbd's, while taken */
    bool private_conn;    /* uses connections of its own: */
    apr_pool_t *own;      /* pool of db, also while the slot is free */
    identity_file_t file; /* on which db was opened */
    identity_db_t *db;
    identity_db_t
        *in_use; /* db while it is lent: by this give_back finds the slot; under the mutex */
} slot_t;

struct identity_dbpool {
    apr_pool_t *configuration;
    server_rec *server; /* the server whose mod_dbd configuration is used */
    identity_database_t *database;
    identity_dbd_t dbd;
    bool private; /* mod_dbd would prepare statements of other modules on its connections: use none of them */
    identity_db_options_t options;
    slot_t *slots;
    APR_OPTIONAL_FN_TYPE(ap_dbd_open) * open;
    APR_OPTIONAL_FN_TYPE(ap_dbd_close) * close;
    /* of this process */
    apr_pool_t *child;
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *freed;
    identity_file_t
        initial_file; /* the file on which mod_dbd's connections are opened, as long as it is the same */
    bool closing;       /* the child is ending: nothing is lent any more */
    bool interruptible; /* signals may be delivered to threads that use it (prefork) */
};

static void log_failure(void *context, const char *statement, const char *failure,
                        const char *detail)
{
    const identity_dbpool_t *pool = context;

    IDENTITY_LOG(APLOG_ERR, pool->server, "ID0540: database: %s: %s", statement, failure);
    identity_database_heard(pool->database, failure, detail);
    if (detail)
        IDENTITY_LOG(APLOG_DEBUG, pool->server, "ID0541: database: %s: %s", statement, detail);
}

identity_dbpool_t *identity_dbpool_make(apr_pool_t *configuration, identity_host_t *host)
{
    identity_dbpool_t *pool = apr_pcalloc(configuration, sizeof *pool);

    pool->configuration = configuration;
    pool->server = host->server;
    pool->database = host->database;
    pool->dbd = host->dbd;
    pool->private = identity_dbd_shared(configuration, host->site->main_server, host->server);
    pool->options = (identity_db_options_t){.sync = host->conf->sync,
                                            .catalogue = host->conf->settings.catalogue,
                                            .log = log_failure,
                                            .log_context = pool};
    pool->slots = apr_pcalloc(configuration, (apr_size_t)pool->dbd.max * sizeof *pool->slots);
    pool->open = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open);
    pool->close = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_close);
    return pool;
}

/* ---- slots ------------------------------------------------------------------------------------------------------ */

static slot_t *free_slot(const identity_dbpool_t *pool)
{
    for (int i = 0; i < pool->dbd.max && !pool->closing; i++)
        if (!pool->slots[i].taken)
            return &pool->slots[i];
    return NULL;
}

static slot_t *take_slot(identity_dbpool_t *pool, const identity_host_t *host)
{
    apr_time_t end = apr_time_now() + host->conf->database_wait;
    slot_t *slot;
    bool waited = false;

    apr_thread_mutex_lock(pool->mutex);
    while (!(slot = free_slot(pool))) {
        apr_interval_time_t left = end - apr_time_now();
        if (!waited)
            identity_metric_add(host->env.metrics, IDENTITY_METRIC_CONNECTION_WAITS, 1);
        waited = true;
        if (left <= 0 || pool->closing)
            break;
        apr_thread_cond_timedwait(pool->freed, pool->mutex, left);
    }
    if (slot)
        slot->taken = true;
    apr_thread_mutex_unlock(pool->mutex);
    return slot;
}

static void free_up(identity_dbpool_t *pool, slot_t *slot)
{
    apr_thread_mutex_lock(pool->mutex);
    slot->taken = false;
    /* All of them, since a waiting thread may be the child's end. */
    apr_thread_cond_broadcast(pool->freed);
    apr_thread_mutex_unlock(pool->mutex);
}

static void lend(identity_dbpool_t *pool, slot_t *slot)
{
    apr_thread_mutex_lock(pool->mutex);
    slot->in_use = slot->db;
    apr_thread_mutex_unlock(pool->mutex);
}

/* From here on the slot belongs to the caller. This must precede returning the connection to mod_dbd, which could
 * lend it to a thread with another slot. */
static slot_t *slot_of(identity_dbpool_t *pool, const identity_db_t *db)
{
    slot_t *slot = NULL;

    apr_thread_mutex_lock(pool->mutex);
    for (int i = 0; i < pool->dbd.max && !slot; i++)
        if (pool->slots[i].in_use == db)
            slot = &pool->slots[i];
    if (slot)
        slot->in_use = NULL;
    apr_thread_mutex_unlock(pool->mutex);
    return slot;
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

/* Subpools of the child's pool are created and destroyed under the mutex. */
static apr_pool_t *own_pool(identity_dbpool_t *pool)
{
    apr_pool_t *own = NULL;

    apr_thread_mutex_lock(pool->mutex);
    apr_pool_create(&own, pool->child);
    apr_thread_mutex_unlock(pool->mutex);
    return own;
}

static void drop_pool(identity_dbpool_t *pool, apr_pool_t *dropped)
{
    apr_thread_mutex_lock(pool->mutex);
    apr_pool_destroy(dropped);
    apr_thread_mutex_unlock(pool->mutex);
}

/* The record is cleared first: a connection must not be returned to mod_dbd twice. */
static void hand_back(identity_dbpool_t *pool, slot_t *slot)
{
    ap_dbd_t *record = slot->record;

    slot->record = NULL;
    slot->db = NULL;
    pool->close(pool->server, record);
}

/* Closes the connection of a slot permanently. */
static void discard(identity_dbpool_t *pool, slot_t *slot)
{
    if (slot->own) {
        drop_pool(pool, slot->own);
    } else if (slot->record && pool->dbd.persist) {
        /* Its pool closes it; mod_dbd keeps no pointer to lent connections. */
        slot->private_conn = slot->leaked = true;
        apr_pool_destroy(slot->record->pool);
    } else if (slot->record) {
        hand_back(pool, slot);
    }
    slot->own = NULL;
    slot->record = NULL;
    slot->db = NULL;
}

/* The database failed right after it was examined. */
static identity_db_status_t lost(identity_dbpool_t *pool, slot_t *slot)
{
    discard(pool, slot);
    identity_database_suspect(pool->database);
    return IDENTITY_DB_LOST;
}

static identity_db_status_t connect_own(identity_dbpool_t *pool, slot_t *slot,
                                        const identity_file_t *file, apr_pool_t *request)
{
    const char *error = "The database was replaced just now.";
    identity_file_t now;

    if (slot->db && identity_file_same(&slot->file, file))
        return IDENTITY_DB_OK;
    discard(pool, slot);
    slot->file = *file;
    slot->own = own_pool(pool);
    slot->db =
        identity_db_open(slot->own, pool->dbd.driver, pool->dbd.params, &pool->options, &error);
    if (slot->db && identity_database_ready(pool->database, request, &now) == IDENTITY_DB_OK &&
        identity_file_same(&now, file))
        return IDENTITY_DB_OK;
    IDENTITY_LOG(APLOG_ERR, pool->server, "ID0543: database: %s", error);
    return lost(pool, slot);
}

static identity_db_status_t connect_in_use(identity_dbpool_t *pool, slot_t *slot,
                                           apr_pool_t *request)
{
    const char *error = NULL;

    slot->record = pool->open(request, pool->server);
    if (!slot->record)
        return lost(pool, slot); /* mod_dbd has logged the reason */
    slot->db = identity_db_attach(slot->record->pool, slot->record->driver, slot->record->handle,
                                  &pool->options, &error);
    if (slot->db)
        return IDENTITY_DB_OK;
    IDENTITY_LOG(APLOG_ERR, pool->server, "ID0544: database: %s", error);
    return lost(pool, slot);
}

/* A file may be moved away or replaced while connections to it stay open and do not notice. */
static identity_db_status_t reach(identity_dbpool_t *pool, slot_t *slot, apr_pool_t *request)
{
    identity_file_t file;
    identity_db_status_t status = identity_database_ready(pool->database, request, &file);

    if (status != IDENTITY_DB_OK)
        return status;
    if (pool->private || (pool->dbd.persist && !identity_file_same(&file, &pool->initial_file)))
        slot->private_conn = true;
    return slot->private_conn ? connect_own(pool, slot, &file, request)
                              : connect_in_use(pool, slot, request);
}

static identity_db_status_t borrow(const identity_host_t *host, apr_pool_t *request,
                                   identity_db_t **db)
{
    identity_dbpool_t *pool = host->pool;
    slot_t *slot = pool->mutex ? take_slot(pool, host) : NULL;

    if (!slot) {
        identity_metric_add(host->env.metrics, IDENTITY_METRIC_CONNECTIONS_TIMEOUT, 1);
        return IDENTITY_DB_BUSY;
    }
    identity_db_status_t status = reach(pool, slot, request);
    if (status != IDENTITY_DB_OK) {
        free_up(pool, slot);
        identity_metric_add(host->env.metrics, IDENTITY_METRIC_CONNECTIONS_FAILED, 1);
        return status;
    }
    identity_metric_add(host->env.metrics, IDENTITY_METRIC_CONNECTIONS_LENT, 1);
    identity_metric_add(host->env.metrics, IDENTITY_METRIC_CONNECTIONS_IN_USE, 1);
    *db = slot->db;
    identity_db_use(*db, request);
    lend(pool, slot);
    return IDENTITY_DB_OK;
}

identity_db_status_t identity_dbpool_borrow(void *host_, apr_pool_t *request, identity_db_t **db)
{
    const identity_host_t *host = host_;
    bool interruptible = host->pool->interruptible;

    if (interruptible)
        identity_signals_hold();
    identity_db_status_t status = borrow(host, request, db);
    if (interruptible && status != IDENTITY_DB_OK)
        identity_signals_release();
    return status;
}

void identity_dbpool_release(void *host_, identity_db_t *db)
{
    const identity_host_t *host = host_;
    identity_dbpool_t *pool = host->pool;
    slot_t *slot = slot_of(pool, db);

    if (!slot)
        return;
    identity_metric_add(host->env.metrics, IDENTITY_METRIC_CONNECTIONS_IN_USE, -1);
    identity_db_release(db);
    if (identity_db_wrote(db))
        identity_database_wrote(pool->database);
    if (!identity_db_usable(db)) {
        IDENTITY_LOG(APLOG_WARNING, pool->server,
                     "ID0545: a broken database connection is replaced");
        lost(pool, slot);
    } else if (!slot->own) {
        hand_back(pool, slot);
    }
    free_up(pool, slot);
    if (pool->interruptible)
        identity_signals_release();
}

/* ---- a child's life --------------------------------------------------------------------------------------------- */

static bool all_free(const identity_dbpool_t *pool)
{
    for (int i = 0; i < pool->dbd.max; i++)
        if (pool->slots[i].taken)
            return false;
    return true;
}

/* Given to mod_dbd in place of a connection that is already closed: nothing but a pool that it may destroy. */
static ap_dbd_t *dummy_record(const identity_dbpool_t *pool)
{
    apr_pool_t *own;

    apr_pool_create(&own, pool->child);
    ap_dbd_t *record = apr_pcalloc(own, sizeof *record);
    record->pool = own;
    return record;
}

/* Before mod_dbd counts its connections. An ungraceful stop comes while threads are working, though never to one
 * that has a connection (signals.c): they get a moment to finish. */
static apr_status_t close_pool(void *pool_)
{
    identity_dbpool_t *pool = pool_;
    apr_time_t end = apr_time_now() + LONGEST_END;

    if (apr_thread_mutex_timedlock(pool->mutex, LONGEST_END) != APR_SUCCESS)
        return APR_SUCCESS;
    pool->closing = true;
    apr_thread_cond_broadcast(pool->freed);
    while (!all_free(pool) && apr_time_now() < end)
        apr_thread_cond_timedwait(pool->freed, pool->mutex, end - apr_time_now());
    for (int i = 0; i < pool->dbd.max && pool->dbd.persist; i++) {
        slot_t *slot = &pool->slots[i];
        if (slot->leaked)
            pool->close(pool->server, dummy_record(pool));
        else if (slot->taken && slot->record)
            pool->close(pool->server, slot->record);
    }
    apr_thread_mutex_unlock(pool->mutex);
    return APR_SUCCESS;
}

void identity_dbpool_child(identity_dbpool_t *pool, apr_pool_t *child)
{
    int threaded = 0;

    ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded);
    pool->interruptible = !threaded;
    apr_pool_create(&pool->child, child);
    /* An ungraceful stop destroys the child's pool under running threads: these objects outlive it. */
    if (apr_thread_cond_create(&pool->freed, pool->configuration) != APR_SUCCESS ||
        apr_thread_mutex_create(&pool->mutex, APR_THREAD_MUTEX_TIMED, pool->configuration) !=
            APR_SUCCESS ||
        !identity_database_child(pool->database)) {
        pool->mutex = NULL;
        IDENTITY_LOG(APLOG_CRIT, pool->server,
                     "ID0542: cannot create a mutex: this child cannot access the database");
        return;
    }
    /* mod_dbd opens its first ones after this. */
    identity_database_ready(pool->database, pool->child, &pool->initial_file);
    apr_pool_pre_cleanup_register(child, pool, close_pool);
}

/* ---- writers ---------------------------------------------------------------------------------------------------- */

bool identity_write_enter(void *host_)
{
    const identity_host_t *host = host_;
    apr_global_mutex_t *mutex = host->site->write;
    apr_interval_time_t wait = host->conf->database_wait;

    if (apr_global_mutex_trylock(mutex) == APR_SUCCESS)
        return true;
    identity_metric_add(host->env.metrics, IDENTITY_METRIC_WRITE_WAITS, 1);
    apr_status_t status = apr_global_mutex_timedlock(mutex, wait);
    /* An APR, or a mechanism, without time-outs. */
    for (apr_time_t end = apr_time_now() + wait;
         APR_STATUS_IS_ENOTIMPL(status) || APR_STATUS_IS_EBUSY(status);) {
        status = apr_global_mutex_trylock(mutex);
        if (!APR_STATUS_IS_EBUSY(status) || apr_time_now() >= end)
            break;
        apr_sleep(apr_time_from_msec(2));
    }
    if (status != APR_SUCCESS && !APR_STATUS_IS_TIMEUP(status) && !APR_STATUS_IS_EBUSY(status))
        ap_log_error(APLOG_MARK, APLOG_ERR, status, host->server, "ID0546: the mutex %s",
                     IDENTITY_WRITE_MUTEX);
    if (status != APR_SUCCESS)
        identity_metric_add(host->env.metrics, IDENTITY_METRIC_WRITE_TIMEOUTS, 1);
    return status == APR_SUCCESS;
}

bool identity_write_try(void *host_)
{
    const identity_host_t *host = host_;
    return apr_global_mutex_trylock(host->site->write) == APR_SUCCESS;
}

void identity_write_leave(void *host_)
{
    const identity_host_t *host = host_;
    apr_status_t status = apr_global_mutex_unlock(host->site->write);

    if (status != APR_SUCCESS)
        ap_log_error(APLOG_MARK, APLOG_ERR, status, host->server, "ID0547: the mutex %s",
                     IDENTITY_WRITE_MUTEX);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of mod_watchdog, each in one child of the server at a time: one checks the outbox of each database every
 * second, and deletes expired rows every minute; the other, which a slow mail server must not hold up, reads the
 * change feed. */
#include <stdatomic.h>
#include <unistd.h>

#include <apr_optional.h>
#include <apr_thread_cond.h>
#include <ap_mpm.h>
#include <http_main.h>
#include <mod_watchdog.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

#define EVERY       apr_time_from_sec(1)
#define PURGE_EVERY apr_time_from_sec(60)
#define PURGE_PAUSE apr_time_from_msec(10)
#define PURGE_TRIES 50
/* Measuring table sizes reads the whole file: larger databases are measured less often. */
#define SIZED_MOST  (64LL * 1024 * 1024)
#define SIZED_EVERY 30

struct identity_job {
    apr_pool_t *pool;
    apr_array_header_t *hosts;  /* of identity_host_t *: one for each outbox */
    apr_array_header_t *stores; /* ... for each database */
    /* of this process */
    const char *owner;
    identity_courier_t *couriers; /* one for each of hosts */
    bool *kept; /* one for each of stores: are the settings for htidentity stored? */
    apr_time_t purged_at;
    unsigned watched; /* rounds */
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *ended;
    int running;
    atomic_bool stop;
};

static bool stopping(void *job_)
{
    identity_job_t *job = job_;
    int state = AP_MPMQ_RUNNING;

    return atomic_load(&job->stop) || ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS ||
           state == AP_MPMQ_STOPPING;
}

/* HOST:BOOT:CONTAINER:PID. Nodes that share a database must not mistake each other's processes for dead ones of
 * their own, and host names may be equal. */
static const char *owner_name(apr_pool_t *pool)
{
    char name[256] = "", boot[37] = "", space[64] = "";
    apr_size_t length = sizeof boot - 1;
    apr_file_t *file;

    gethostname(name, sizeof name - 1);
    if (apr_file_open(&file, "/proc/sys/kernel/random/boot_id", APR_FOPEN_READ,
                      APR_FPROT_OS_DEFAULT, pool) == APR_SUCCESS) {
        apr_file_read(file, boot, &length);
        apr_file_close(file);
    }
    ssize_t size = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[size > 0 ? size : 0] = '\0';
    return apr_psprintf(pool, "%.180s:%s:%s:%ld", name, boot, space, (long)getpid());
}

/* Returns the number of mails sent. */
static int deliver(identity_job_t *job, apr_pool_t *pool)
{
    const identity_stop_t stop = {stopping, job};
    int sent = 0;

    for (int i = 0; i < job->hosts->nelts && !stopping(job); i++)
        sent += identity_deliver(pool, &APR_ARRAY_IDX(job->hosts, i, identity_host_t *)->env,
                                 job->owner, &job->couriers[i], &stop);
    return sent;
}

/* Batch by batch, giving way to others who want to write, with a pause after each; but if they write without end,
 * one batch after every so many attempts all the same. */
static void purge_store(identity_job_t *job, apr_pool_t *pool, const identity_env_t *env)
{
    int tries = 0;

    for (int gone = 1; gone != 0 && !stopping(job); apr_sleep(PURGE_PAUSE)) {
        apr_pool_t *round;
        apr_pool_create(&round, pool);
        gone = tries < PURGE_TRIES ? identity_purge_nowait(round, env) : identity_purge(round, env);
        apr_pool_destroy(round);
        tries = gone == IDENTITY_PURGE_BUSY ? tries + 1 : 0;
    }
}

/* Queued mail would wait silently if no host has IdentityMailURL (M20). */
static void tell_unsent(identity_job_t *job, apr_pool_t *pool)
{
    for (int i = 0; i < job->stores->nelts; i++) {
        const identity_host_t *store = APR_ARRAY_IDX(job->stores, i, identity_host_t *);
        bool sends = false;
        for (int j = 0; j < job->hosts->nelts; j++)
            sends = sends || APR_ARRAY_IDX(job->hosts, j, identity_host_t *)->pool == store->pool;
        apr_int64_t queued = sends ? 0 : identity_mails_queued(pool, &store->env);
        if (queued > 0)
            IDENTITY_LOG(APLOG_WARNING, store->server,
                         "ID0553: %s%" APR_INT64_T_FMT
                         " mail%s queued and nobody sends %s: set IdentityMailURL",
                         queued == IDENTITY_MAILS_MOST ? "at least " : "", queued,
                         queued == 1 ? " is" : "s are", queued == 1 ? "it" : "them");
    }
}

/* The host that represents a database: one that sends mail, else the first that answers the API. */
static const identity_host_t *speaker(const identity_job_t *job, const identity_host_t *store)
{
    for (int i = 0; i < job->hosts->nelts; i++)
        if (APR_ARRAY_IDX(job->hosts, i, identity_host_t *)->pool == store->pool)
            return APR_ARRAY_IDX(job->hosts, i, identity_host_t *);
    return store;
}

/* Once after a start, as soon as the database is available. */
static void keep_settings(identity_job_t *job, apr_pool_t *pool)
{
    for (int i = 0; i < job->stores->nelts && !stopping(job); i++) {
        const identity_host_t *store = APR_ARRAY_IDX(job->stores, i, identity_host_t *);
        if (!job->kept[i])
            job->kept[i] = identity_settings_keep(
                pool, &store->env,
                identity_json_own(pool, identity_host_json(speaker(job, store))));
    }
}

static void purge(identity_job_t *job, apr_pool_t *pool)
{
    for (int i = 0; i < job->stores->nelts; i++)
        purge_store(job, pool, &APR_ARRAY_IDX(job->stores, i, identity_host_t *)->env);
}

/* Statistics that are too expensive for each request. */
static void watch(identity_job_t *job, apr_pool_t *pool)
{
    for (int i = 0; i < job->stores->nelts && !stopping(job); i++) {
        const identity_host_t *store = APR_ARRAY_IDX(job->stores, i, const identity_host_t *);
        identity_watched_t files = identity_watched_files(pool, store);
        if (files.size > SIZED_MOST && job->watched % SIZED_EVERY)
            files.size = 0;
        if (store->watch)
            identity_watch_take(pool, &store->env, &files, store->watch);
    }
    job->watched++;
}

/* False once the child ends: its connections may be gone. The end of the child waits for what has begun (quiesce), so
 * it must not happen on the job's own thread. */
static bool begin(identity_job_t *job)
{
    identity_signals_hold();
    apr_thread_mutex_lock(job->mutex);
    bool may = !atomic_load(&job->stop);
    job->running += may;
    apr_thread_mutex_unlock(job->mutex);
    if (!may)
        identity_signals_release();
    return may;
}

static void end(identity_job_t *job)
{
    apr_thread_mutex_lock(job->mutex);
    job->running--;
    apr_thread_cond_broadcast(job->ended);
    apr_thread_mutex_unlock(job->mutex);
    identity_signals_release();
}

/* An error would end the job for the life of the child, so it never returns one. */
static apr_status_t tick(int state, void *job_, apr_pool_t *pool)
{
    identity_job_t *job = job_;
    int sent = 1;

    if (state != AP_WATCHDOG_STATE_RUNNING || !job->mutex || !begin(job))
        return APR_SUCCESS;
    /* A round takes only a few mails: the next follows at once, until the outbox is empty. */
    while (sent > 0 && !stopping(job)) {
        apr_pool_t *round;
        apr_pool_create(&round, pool);
        sent = deliver(job, round);
        apr_pool_destroy(round);
    }
    keep_settings(job, pool);
    if (apr_time_now() - job->purged_at >= PURGE_EVERY) {
        /* Once, when this process begins: the first one of a server, and any that takes over. */
        if (!job->purged_at)
            tell_unsent(job, pool);
        job->purged_at = apr_time_now();
        purge(job, pool);
        watch(job, pool);
    }
    end(job);
    return APR_SUCCESS;
}

static apr_status_t follow(int state, void *job_, apr_pool_t *pool)
{
    identity_job_t *job = job_;

    if (state != AP_WATCHDOG_STATE_RUNNING || !job->mutex || !begin(job))
        return APR_SUCCESS;
    for (int i = 0; i < job->stores->nelts && !stopping(job); i++) {
        apr_pool_t *round;
        apr_pool_create(&round, pool);
        identity_poll_changes(round, &APR_ARRAY_IDX(job->stores, i, identity_host_t *)->env);
        apr_pool_destroy(round);
    }
    end(job);
    return APR_SUCCESS;
}

/* The connections are destroyed with the child's pool while mod_watchdog's thread is still running: wait for it
 * first. */
static apr_status_t quiesce(void *job_)
{
    identity_job_t *job = job_;

    apr_thread_mutex_lock(job->mutex);
    atomic_store(&job->stop, true);
    while (job->running)
        apr_thread_cond_wait(job->ended, job->mutex);
    apr_thread_mutex_unlock(job->mutex);
    return APR_SUCCESS;
}

void identity_job_child(identity_job_t *job, apr_pool_t *child)
{
    /* Not in the child's pool: mod_watchdog's thread may still use it while that is destroyed. */
    if (apr_thread_cond_create(&job->ended, job->pool) != APR_SUCCESS ||
        apr_thread_mutex_create(&job->mutex, APR_THREAD_MUTEX_DEFAULT, job->pool) != APR_SUCCESS) {
        job->mutex = NULL;
        IDENTITY_LOG(
            APLOG_CRIT, ap_server_conf,
            "ID0550: cannot create a mutex: this child does not send mail, delete expired rows or read changes");
        return;
    }
    job->owner = owner_name(job->pool);
    job->couriers = apr_pcalloc(job->pool, (apr_size_t)job->hosts->nelts * sizeof *job->couriers);
    job->kept = apr_pcalloc(job->pool, (apr_size_t)job->stores->nelts * sizeof *job->kept);
    apr_pool_pre_cleanup_register(child, job, quiesce);
}

/* Of the hosts that share a database one purges for all, with the longest of their retention times. */
static void keep_as_long(identity_settings_t *mine, const identity_settings_t *other)
{
    if (mine->retention.leaves < other->retention.leaves)
        mine->retention.leaves = other->retention.leaves;
    if (mine->retention.deleted < other->retention.deleted)
        mine->retention.deleted = other->retention.deleted;
    for (int keep = 0; keep < IDENTITY_KEEPS; keep++)
        if (mine->retention.of[keep] < other->retention.of[keep])
            mine->retention.of[keep] = other->retention.of[keep];
}

void identity_retention_share(identity_site_t *site)
{
    for (int i = 0; i < site->hosts->nelts; i++)
        for (int j = 0; j < site->hosts->nelts; j++) {
            identity_host_t *one = APR_ARRAY_IDX(site->hosts, i, identity_host_t *),
                            *other = APR_ARRAY_IDX(site->hosts, j, identity_host_t *);
            if (one->pool == other->pool)
                keep_as_long(&one->settings, &other->settings);
        }
}

/* One of the hosts that share a database is enough; preferably one that sends mail, since it also has the keys with
 * which the others' mails are sealed. */
static void enter(apr_array_header_t *hosts, identity_host_t *host)
{
    for (int i = 0; i < hosts->nelts; i++)
        if (APR_ARRAY_IDX(hosts, i, identity_host_t *)->pool == host->pool)
            return;
    APR_ARRAY_PUSH(hosts, identity_host_t *) = host;
}

static identity_job_t *job_make(identity_site_t *site)
{
    identity_job_t *job = apr_pcalloc(site->pool, sizeof *job);

    identity_retention_share(site);
    job->pool = site->pool;
    job->hosts = apr_array_make(site->pool, 1, sizeof(identity_host_t *));
    job->stores = apr_array_make(site->pool, 1, sizeof(identity_host_t *));
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        enter(job->stores, host);
        if (host->settings.mail)
            enter(job->hosts, host);
    }
    return job;
}

bool identity_watchdog_loaded(void)
{
    return APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance) &&
           APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
}

int identity_start_watchdog(identity_site_t *site)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *instance =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *callback =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    const struct {
        const char *name;
        ap_watchdog_callback_fn_t *work;
    } threads[] = {{"_identity_", tick}, {"_identity_changes_", follow}};
    apr_status_t status = APR_SUCCESS;
    ap_watchdog_t *watchdog;

    if (!instance || !callback) {
        /* With mail, and with IdentityStale, check.c has already refused this. */
        IDENTITY_LOG(
            APLOG_WARNING, site->main_server,
            "ID0552: mod_watchdog is not loaded: expired rows stay in the database, and credentials are not cached");
        return OK;
    }
    if (!identity_revisions_share(site)) {
        IDENTITY_LOG(APLOG_EMERG, site->main_server,
                     "ID0554: Cannot allocate shared memory for IdentityCache.");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    site->job = job_make(site);
    identity_watch_share(site);
    identity_start_secrets(site);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0] && status == APR_SUCCESS; i++) {
        status = instance(&watchdog, threads[i].name, 0, 1, site->pool);
        if (status == APR_SUCCESS)
            status = callback(watchdog, EVERY, site->job, threads[i].work);
    }
    if (status == APR_SUCCESS)
        return OK;
    ap_log_error(
        APLOG_MARK, APLOG_EMERG, status, site->main_server,
        "ID0551: mod_watchdog does not accept the jobs that send mail, delete expired rows and read the "
        "changes made by others");
    return HTTP_INTERNAL_SERVER_ERROR;
}

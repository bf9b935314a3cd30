/* Mail: mod_watchdog's thread, in one child of the server at a time, looks into the outbox of each database every
 * second. */
#include <stdatomic.h>
#include <unistd.h>

#include <apr_optional.h>
#include <apr_thread_cond.h>
#include <ap_mpm.h>
#include <http_main.h>
#include <mod_watchdog.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

#define EVERY apr_time_from_sec(1)

struct identity_job {
    apr_pool_t *pool;
    apr_array_header_t *hosts; /* of identity_host_t *: one for each outbox */
    /* of this process */
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *ended;
    bool running;
    atomic_bool stop;
};

static bool stopping(void *job_)
{
    identity_job_t *job = job_;
    int state = AP_MPMQ_RUNNING;

    return atomic_load(&job->stop) || ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS ||
           state == AP_MPMQ_STOPPING;
}

/* How many mails left. */
static int deliver(identity_job_t *job, apr_pool_t *pool)
{
    char name[256] = "";
    int sent = 0;

    gethostname(name, sizeof name - 1);
    const char *owner = apr_psprintf(pool, "%s:%ld", name, (long)getpid());
    for (int i = 0; i < job->hosts->nelts && !stopping(job); i++)
        sent += identity_deliver(pool, &APR_ARRAY_IDX(job->hosts, i, identity_host_t *)->env, owner, stopping, job);
    return sent;
}

static void set_running(identity_job_t *job, bool running)
{
    apr_thread_mutex_lock(job->mutex);
    job->running = running;
    apr_thread_cond_broadcast(job->ended);
    apr_thread_mutex_unlock(job->mutex);
}

/* An error would end the job for the life of the child, so there is none. */
static apr_status_t tick(int state, void *job_, apr_pool_t *pool)
{
    identity_job_t *job = job_;
    int sent = 1;

    if (state != AP_WATCHDOG_STATE_RUNNING || !job->mutex)
        return APR_SUCCESS;
    set_running(job, true);
    /* A round takes a few mails only: the next follows at once, until the outbox is empty. */
    while (sent > 0 && !stopping(job)) {
        apr_pool_t *round;
        apr_pool_create(&round, pool);
        sent = deliver(job, round);
        apr_pool_destroy(round);
    }
    set_running(job, false);
    return APR_SUCCESS;
}

/* The connections die with the child's pool while mod_watchdog's thread still runs: wait for it first. */
static apr_status_t quiesce(void *job_)
{
    identity_job_t *job = job_;

    atomic_store(&job->stop, true);
    apr_thread_mutex_lock(job->mutex);
    while (job->running)
        apr_thread_cond_wait(job->ended, job->mutex);
    apr_thread_mutex_unlock(job->mutex);
    return APR_SUCCESS;
}

void identity_job_child(identity_job_t *job, apr_pool_t *child)
{
    /* Not in the child's pool: mod_watchdog's thread may look in once more while that dies. */
    if (apr_thread_cond_create(&job->ended, job->pool) != APR_SUCCESS ||
        apr_thread_mutex_create(&job->mutex, APR_THREAD_MUTEX_DEFAULT, job->pool) != APR_SUCCESS) {
        job->mutex = NULL;
        IDENTITY_SAY(APLOG_CRIT, ap_server_conf, "ID0550: no mutex can be made: this child sends no mail");
        return;
    }
    apr_pool_pre_cleanup_register(child, job, quiesce);
}

/* One of the hosts that share an outbox, and have the keys that its mails are sealed with, is enough. */
static bool known(const identity_job_t *job, const identity_host_t *host)
{
    for (int i = 0; i < job->hosts->nelts; i++)
        if (APR_ARRAY_IDX(job->hosts, i, identity_host_t *)->pool == host->pool)
            return true;
    return false;
}

int identity_start_watchdog(identity_site_t *site)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *instance = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *callback =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    identity_job_t *job = apr_pcalloc(site->pool, sizeof *job);
    ap_watchdog_t *watchdog;

    job->pool = site->pool;
    job->hosts = apr_array_make(site->pool, 1, sizeof(identity_host_t *));
    for (int i = 0; i < site->hosts->nelts; i++) {
        identity_host_t *host = APR_ARRAY_IDX(site->hosts, i, identity_host_t *);
        if (host->settings.mail && !known(job, host))
            APR_ARRAY_PUSH(job->hosts, identity_host_t *) = host;
    }
    if (!job->hosts->nelts)
        return OK;
    site->job = job;
    apr_status_t status = instance(&watchdog, "_identity_", 0, 1, site->pool);
    if (status == APR_SUCCESS)
        status = callback(watchdog, EVERY, job, tick);
    if (status == APR_SUCCESS)
        return OK;
    ap_log_error(APLOG_MARK, APLOG_EMERG, status, site->main_server,
                 "ID0551: mod_watchdog does not take the job that sends mail");
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* IdentityStreamRecheck: a long-running response (a download, server-sent events, a WebSocket) is cut off when its
 * caller is no longer authorized.
 *
 * Every request admitted to such a location is on a list of its process until its pool is destroyed. A thread of the
 * process re-checks each of them at the configured interval: nearly always that is a look at the revisions
 * (identity_principal_current). If something has changed it reads the principal again and evaluates the same Require
 * lines; if one of them has another result, or the principal no longer exists, the response ends:
 * - over HTTP/1 by closing the client's connection, which stops everything on it, even a tunnel of mod_proxy, where no
 *   filter sees the data. The list has a duplicate of the descriptor for that, so that it cannot refer to another
 *   connection by then;
 * - over HTTP/2, where other requests share the connection, by a filter that stops the data.
 *
 * identity-fresh is only required for admission, and the expiry of the access token ends nothing: the end of session,
 * key and membership does.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <apr_portable.h>
#include <util_filter.h>

#include "rctx.h"

APLOG_USE_MODULE(identity);

#define FILTER   "IDENTITY_STREAM"
#define TICK     1 /* seconds between two checks for due streams */
#define PATIENCE 3 /* seconds that the end of a child waits for the thread */
#define PIECE    32768

/* In the request's pool; everything but ended is protected by the mutex. */
typedef struct stream {
    struct stream *next, *previous;
    identity_streams_t *streams;
    identity_host_t *host;
    const request_rec *r;
    apr_uint64_t number;
    int descriptor;                        /* -1: HTTP/2 */
    const char *name, *account_id;         /* name: r->user */
    bool chosen;                           /* the client named the account */
    const identity_principal_t *principal; /* as admitted, with later: */
    apr_time_t ends_at;
    identity_snapshot_t snapshot;
    const apr_array_header_t *answers;
    apr_interval_time_t every, due; /* due: of env.ticks */
    atomic_bool ended;
} stream_t;

struct identity_streams {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    stream_t *first;
    apr_uint64_t numbers;
    pthread_t thread;
    bool running;
    atomic_bool stop;
};

identity_streams_t *identity_streams_make(identity_site_t *site)
{
    /* In the configuration's pool: an ungraceful stop destroys the child's pool under running requests. */
    return apr_pcalloc(site->pool, sizeof(identity_streams_t));
}

static apr_time_t ticks(const identity_host_t *host)
{
    return identity_ticks((void *)(uintptr_t)host);
}

/* ---- ending ----------------------------------------------------------------------------------------------------- */

static void end(stream_t *stream)
{
    /* Its thread may still be waiting for a silent backend. */
    identity_metric_add(stream->host->env.metrics, IDENTITY_METRIC_STREAMS, -1);
    identity_metric_add(stream->host->env.metrics, IDENTITY_METRIC_STREAMS_ENDED, 1);
    IDENTITY_LOG(APLOG_INFO, stream->host->server,
                 "ID0596: %s is no longer allowed to access %s: connection closed", stream->name,
                 stream->r->uri);
    atomic_store(&stream->ended, true);
    if (stream->descriptor >= 0)
        shutdown(stream->descriptor, SHUT_RDWR);
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

/* The data needed while the mutex is not held: meanwhile the request may end, the configuration cannot. */
typedef struct look {
    apr_uint64_t number;
    const identity_host_t *host;
    identity_principal_t principal;
    const char *name, *account_id;
    bool chosen;
    apr_array_header_t *answers;
} look_t;

static look_t *look_of(apr_pool_t *pool, const stream_t *stream)
{
    look_t *look = apr_pcalloc(pool, sizeof *look);
    identity_principal_t *principal = &look->principal;

    look->number = stream->number;
    look->host = stream->host;
    principal->kind = stream->principal->kind;
    principal->id = apr_pstrdup(pool, stream->principal->id);
    principal->entity_id = apr_pstrdup(pool, stream->principal->entity_id);
    principal->session_id = apr_pstrdup(pool, stream->principal->session_id);
    principal->key_id = apr_pstrdup(pool, stream->principal->key_id);
    principal->authenticated_at = stream->principal->authenticated_at;
    principal->ends_at = stream->ends_at;
    principal->snapshot = stream->snapshot;
    look->name = apr_pstrdup(pool, stream->name);
    look->account_id = apr_pstrdup(pool, stream->account_id);
    look->chosen = stream->chosen;
    look->answers = stream->answers ? apr_array_copy(pool, stream->answers) : NULL;
    return look;
}

static bool may_stay(const look_t *look, const identity_principal_t *now)
{
    if (strcmp(identity_remote_user(&look->host->settings, now), look->name) != 0)
        return false;
    if (look->chosen && !now->entity_wide && !identity_in_account(now, look->account_id))
        return false;
    for (int i = 0; look->answers && i < look->answers->nelts; i++)
        if (!identity_answers_same(&APR_ARRAY_IDX(look->answers, i, identity_answered_t), now,
                                   look->account_id))
            return false;
    return true;
}

static stream_t *find(const identity_streams_t *streams, apr_uint64_t number)
{
    stream_t *stream = streams->first;

    while (stream && stream->number != number)
        stream = stream->next;
    return stream;
}

static void decide(identity_streams_t *streams, apr_pool_t *pool, const look_t *look)
{
    const identity_principal_t *now;
    identity_renewal_t renewal =
        identity_principal_renew(pool, &look->host->env, &look->principal, &now);
    bool stays = renewal == IDENTITY_RENEWAL_UNKNOWN || (now && may_stay(look, now));

    pthread_mutex_lock(&streams->mutex);
    stream_t *stream = find(streams, look->number);
    if (stream && !stays) {
        end(stream);
    } else if (stream && now) {
        stream->snapshot = now->snapshot;
        stream->ends_at = now->ends_at;
    }
    pthread_mutex_unlock(&streams->mutex);
}

static bool current(const stream_t *stream)
{
    const identity_principal_t principal = {.ends_at = stream->ends_at,
                                            .snapshot = stream->snapshot};
    return identity_principal_current(&stream->host->env, &principal);
}

/* Collects streams that are due and whose principal is outdated. The mutex is held. */
static apr_array_header_t *collect(identity_streams_t *streams, apr_pool_t *pool)
{
    apr_array_header_t *looks = apr_array_make(pool, 4, sizeof(look_t *));

    for (stream_t *stream = streams->first; stream; stream = stream->next) {
        apr_time_t now = ticks(stream->host);
        if (atomic_load(&stream->ended) || now < stream->due)
            continue;
        stream->due = now + stream->every;
        if (!current(stream))
            APR_ARRAY_PUSH(looks, look_t *) = look_of(pool, stream);
    }
    return looks;
}

static void look(identity_streams_t *streams)
{
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    apr_array_header_t *looks = collect(streams, pool);
    pthread_mutex_unlock(&streams->mutex);
    for (int i = 0; i < looks->nelts && !atomic_load(&streams->stop); i++) {
        apr_pool_t *round;
        apr_pool_create(&round, pool);
        decide(streams, round, APR_ARRAY_IDX(looks, i, look_t *));
        apr_pool_destroy(round);
    }
    apr_pool_destroy(pool);
    pthread_mutex_lock(&streams->mutex);
}

/* Sleeps while there is nothing to check. */
static void *watch(void *streams_)
{
    identity_streams_t *streams = streams_;
    struct timespec until;

    pthread_mutex_lock(&streams->mutex);
    while (!atomic_load(&streams->stop)) {
        if (!streams->first) {
            pthread_cond_wait(&streams->changed, &streams->mutex);
            continue;
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += TICK;
        while (!atomic_load(&streams->stop) &&
               pthread_cond_timedwait(&streams->changed, &streams->mutex, &until) == 0)
            ;
        if (!atomic_load(&streams->stop))
            look(streams);
    }
    pthread_mutex_unlock(&streams->mutex);
    return NULL;
}

/* Signals are handled by the MPM. The mutex is held. */
static void start(identity_streams_t *streams, const identity_host_t *host)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    streams->running = pthread_create(&streams->thread, NULL, watch, streams) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!streams->running)
        IDENTITY_LOG(APLOG_ERR, host->server,
                     "ID0597: cannot create the thread for IdentityStreamRecheck");
}

/* ---- a request --------------------------------------------------------------------------------------------------- */

static apr_status_t leave(void *stream_)
{
    stream_t *stream = stream_;
    identity_streams_t *streams = stream->streams;

    pthread_mutex_lock(&streams->mutex);
    *(stream->previous ? &stream->previous->next : &streams->first) = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    pthread_mutex_unlock(&streams->mutex);
    if (stream->descriptor >= 0)
        close(stream->descriptor);
    if (!atomic_load(&stream->ended))
        identity_metric_add(stream->host->env.metrics, IDENTITY_METRIC_STREAMS, -1);
    return APR_SUCCESS;
}

/* True if it is checked from here on. */
static bool enter(stream_t *stream)
{
    identity_streams_t *streams = stream->streams;

    pthread_mutex_lock(&streams->mutex);
    if (!streams->running && !atomic_load(&streams->stop))
        start(streams, stream->host);
    bool watched = streams->running;
    if (watched) {
        identity_metric_add(stream->host->env.metrics, IDENTITY_METRIC_STREAMS, 1);
        stream->number = ++streams->numbers;
        stream->next = streams->first;
        if (stream->next)
            stream->next->previous = stream;
        streams->first = stream;
        if (!stream->next)
            pthread_cond_signal(&streams->changed);
    }
    pthread_mutex_unlock(&streams->mutex);
    return watched;
}

static int descriptor_of(const conn_rec *c)
{
    apr_socket_t *socket = ap_get_conn_socket((conn_rec *)(uintptr_t)c);
    apr_os_sock_t descriptor;

    if (!socket || apr_os_sock_get(&descriptor, socket) != APR_SUCCESS)
        return -1;
    return fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
}

static stream_t *stream_make(request_rec *r, const identity_rctx_t *rctx, apr_interval_time_t every)
{
    stream_t *stream = apr_pcalloc(r->pool, sizeof *stream);
    const identity_principal_t *principal = rctx->authentication.principal;

    stream->streams = rctx->host->site->streams;
    stream->host = rctx->host;
    stream->r = r;
    stream->name = identity_remote_user(&rctx->host->settings, principal);
    stream->account_id = rctx->authentication.account_id;
    stream->chosen = stream->account_id && identity_header_in(r, "X-Platform-Id");
    stream->principal = principal;
    stream->ends_at = principal->ends_at;
    stream->snapshot = principal->snapshot;
    stream->answers = rctx->location.answers;
    stream->every = every;
    stream->due = ticks(rctx->host) + every;
    stream->descriptor = r->connection->master ? -1 : descriptor_of(r->connection);
    return stream;
}

/* By default where identities are required: by AuthType Identity, or by a Require line of ours with another
 * AuthType. */
static apr_interval_time_t recheck_of(request_rec *r, const identity_directory_conf_t *conf,
                                      const identity_rctx_t *rctx)
{
    const char *type = ap_auth_type(r);
    bool guards = rctx->location.answers || (type && strcasecmp(type, "Identity") == 0);

    if (conf->stream_recheck != IDENTITY_RECHECK_UNSET)
        return conf->stream_recheck;
    return guards ? IDENTITY_RECHECK_STANDARD : 0;
}

/* A fixup: httpd has admitted the request. A response that cannot be checked is not started. */
int identity_stream_begin(request_rec *r)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    const identity_rctx_t *rctx =
        conf->stream_recheck && !r->main ? identity_rctx_inherited(r) : NULL;
    apr_interval_time_t every = rctx ? recheck_of(r, conf, rctx) : 0;

    if (!every || !rctx->authentication.principal || rctx->authentication.refused)
        return DECLINED;
    stream_t *stream = stream_make(r, rctx, every);
    if ((stream->descriptor < 0 && !r->connection->master) || !enter(stream)) {
        if (stream->descriptor >= 0)
            close(stream->descriptor);
        return HTTP_SERVICE_UNAVAILABLE;
    }
    /* Before anything of the request is destroyed. */
    apr_pool_pre_cleanup_register(r->pool, stream, leave);
    if (r->connection->master)
        ap_add_output_filter(FILTER, stream, r, r->connection);
    return DECLINED;
}

/* ---- HTTP/2 ------------------------------------------------------------------------------------------------------ */

/* mod_http2 resets a stream that ends in an error; otherwise it would leave it open. */
static apr_status_t cut(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    apr_bucket_alloc_t *alloc = filter->c->bucket_alloc;

    apr_brigade_cleanup(brigade);
    if (filter->c->aborted)
        return APR_ECONNABORTED;
    APR_BRIGADE_INSERT_TAIL(
        brigade, ap_bucket_error_create(HTTP_INTERNAL_SERVER_ERROR, NULL, filter->r->pool, alloc));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(alloc));
    ap_pass_brigade(filter->next, brigade);
    apr_brigade_cleanup(brigade);
    filter->c->aborted = 1;
    return APR_ECONNABORTED;
}

/* The first piece of the rest, copied: mod_http2 does not count mapped file data as waiting for the client, and
 * would accept all of it at once. */
static apr_status_t take_piece(apr_bucket_brigade *brigade, apr_bucket_brigade *piece)
{
    apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
    const char *data;
    apr_size_t length;

    if (!APR_BUCKET_IS_METADATA(bucket)) {
        apr_status_t status = apr_bucket_read(bucket, &data, &length, APR_BLOCK_READ);
        if (status == APR_SUCCESS && length > PIECE)
            status = apr_bucket_split(bucket, PIECE);
        if (status != APR_SUCCESS)
            return status;
        if (!APR_BUCKET_IS_HEAP(bucket)) {
            APR_BRIGADE_INSERT_TAIL(piece,
                                    apr_bucket_heap_create(data, length > PIECE ? PIECE : length,
                                                           NULL, piece->bucket_alloc));
            apr_bucket_delete(bucket);
            return APR_SUCCESS;
        }
    }
    APR_BUCKET_REMOVE(bucket);
    APR_BRIGADE_INSERT_TAIL(piece, bucket);
    return APR_SUCCESS;
}

static apr_status_t pass(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    const stream_t *stream = filter->ctx;
    apr_bucket_brigade *piece = apr_brigade_create(filter->r->pool, filter->c->bucket_alloc);
    apr_status_t status = APR_SUCCESS;

    while (status == APR_SUCCESS && !APR_BRIGADE_EMPTY(brigade)) {
        if (atomic_load(&stream->ended))
            return cut(filter, brigade);
        status = take_piece(brigade, piece);
        if (status == APR_SUCCESS)
            status = ap_pass_brigade(filter->next, piece);
        apr_brigade_cleanup(piece);
    }
    return status;
}

void identity_register_stream_filter(void)
{
    ap_register_output_filter(FILTER, pass, NULL, AP_FTYPE_PROTOCOL);
}

/* ---- a child ----------------------------------------------------------------------------------------------------- */

/* With prefork this interrupts the one thread that may hold the mutex. */
static apr_status_t quit(void *streams_)
{
    identity_streams_t *streams = streams_;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    if (pthread_mutex_timedlock(&streams->mutex, &until) != 0)
        return APR_SUCCESS;
    bool running = streams->running;
    streams->running = false;
    atomic_store(&streams->stop, true);
    pthread_cond_signal(&streams->changed);
    pthread_mutex_unlock(&streams->mutex);
    if (running)
        pthread_timedjoin_np(streams->thread, NULL, &until);
    return APR_SUCCESS;
}

void identity_streams_child(identity_streams_t *streams, apr_pool_t *child)
{
    pthread_condattr_t clock;

    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&streams->mutex, NULL);
    pthread_cond_init(&streams->changed, &clock);
    pthread_condattr_destroy(&clock);
    /* The last registered cleanup runs first: the thread ends before the database connections do. */
    apr_pool_pre_cleanup_register(child, streams, quit);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The environment that this server provides to operations: clock, randomness, log, connections, locks. */
#include <string.h>

#include <sodium.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

static bool fill(void *context, void *buffer, size_t size)
{
    (void)context;
    randombytes_buf(buffer, size);
    return true;
}

/* Unpredictable and unique: derived from a key that each child creates, and a counter. */
static bool fill_label(void *context, void *buffer, size_t size)
{
    identity_request_ids_t *labels = &((identity_host_t *)context)->site->labels;
    unsigned char *at = buffer, block[crypto_shorthash_siphashx24_BYTES];

    if (!labels->ready)
        return fill(context, buffer, size);
    for (size_t part; size > 0; at += part, size -= part) {
        uint64_t number = atomic_fetch_add_explicit(&labels->count, 1, memory_order_relaxed);
        part = size < sizeof block ? size : sizeof block;
        crypto_shorthash_siphashx24(block, (const unsigned char *)&number, sizeof number,
                                    labels->key);
        memcpy(at, block, part);
    }
    return true;
}

void identity_request_ids_begin(identity_request_ids_t *labels)
{
    randombytes_buf(labels->key, sizeof labels->key);
    labels->ready = true;
}

static apr_time_t now(void *context)
{
    (void)context;
    return apr_time_now();
}

static identity_hash_turn_t enter_hash(void *context, const identity_hash_request_t *request,
                                       identity_hash_ticket_t *ticket)
{
    static const identity_metric_t metrics[] = {
        [IDENTITY_HASH_ENTERED] = IDENTITY_METRIC_HASH_PASSED,
        [IDENTITY_HASH_SHARED] = IDENTITY_METRIC_HASH_SHARED,
        [IDENTITY_HASH_REFUSED] = IDENTITY_METRIC_HASH_REFUSED};
    const identity_host_t *host = context;
    identity_hash_turn_t turn = identity_hashsem_enter(host->site->hashing, request, ticket);

    identity_metric_add(host->env.metrics, metrics[turn], 1);
    if (ticket->waited)
        identity_metric_add(host->env.metrics, IDENTITY_METRIC_HASH_WAITS, 1);
    return turn;
}

static void leave_hash(void *context, const identity_hash_ticket_t *ticket,
                       identity_hash_result_t result)
{
    const identity_host_t *host = context;
    identity_hashsem_leave(host->site->hashing, ticket, result);
}

static void write_line(void *context, identity_log_level_t level, const char *request_id,
                       const char *line)
{
    static const int levels[] = {APLOG_ERR, APLOG_WARNING, APLOG_INFO, APLOG_DEBUG};
    const identity_host_t *host = context;

    if (request_id)
        IDENTITY_LOG(levels[level], host->server, "%s [%s]", line, request_id);
    else
        IDENTITY_LOG(levels[level], host->server, "%s", line);
}

static bool available(void *context, apr_pool_t *pool)
{
    const identity_host_t *host = context;
    identity_file_t file;

    return identity_database_ready(host->database, pool, &file) == IDENTITY_DB_OK;
}

void identity_env_fill(identity_host_t *host)
{
    identity_env_t *env = &host->env;

    env->settings = &host->settings;
    env->random = (identity_random_t){.fill = fill};
    env->labels = (identity_random_t){.fill = fill_label, .context = host};
    env->now = now;
    env->borrow = identity_dbpool_borrow;
    env->give_back = identity_dbpool_release;
    env->available = available;
    env->enter_write = identity_write_enter;
    env->try_write = identity_write_try;
    env->leave_write = identity_write_leave;
    env->enter_hash = enter_hash;
    env->leave_hash = leave_hash;
    env->log = write_line;
    env->context = host;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of all hosts, in shared memory, so that counting continues over a graceful restart; and which process
 * counts in which part of it. */
#include <stdatomic.h>
#include <unistd.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

/* Followed by the aligned counters. */
typedef struct shared {
    apr_time_t since;
    _Atomic pid_t owners[]; /* of the parts; 0: free, but the part's counters stay */
} shared_t;

struct identity_board {
    identity_metrics_t *metrics;
    shared_t *shared;
    unsigned parts;
    unsigned mine; /* equal to parts: none */
};

static bool init(void *shared, const void *nothing)
{
    (void)nothing;
    ((shared_t *)shared)->since = apr_time_now();
    return true;
}

bool identity_metrics_share(identity_site_t *site, unsigned processes)
{
    identity_board_t *board = apr_pcalloc(site->pool, sizeof *board);
    size_t head = identity_shared_border(sizeof(shared_t) + processes * sizeof(pid_t));
    const char *name = apr_psprintf(site->pool, "metrics-%u", processes);

    board->shared =
        identity_shared(site, name, 1, head + identity_metrics_size(processes), init, NULL);
    if (!board->shared)
        return false;
    board->metrics = identity_metrics_make(site->pool, (char *)board->shared + head, processes);
    board->parts = board->mine = processes;
    for (int i = 0; i < site->hosts->nelts; i++)
        APR_ARRAY_IDX(site->hosts, i, identity_host_t *)->env.metrics = board->metrics;
    site->board = board;
    return true;
}

/* Drops the levels of dead processes. */
static void sweep(identity_board_t *board)
{
    for (unsigned i = 0; i < board->parts; i++) {
        pid_t pid = atomic_load(&board->shared->owners[i]);
        if (pid <= 0 || (pid != getpid() && !identity_process_gone(pid)) ||
            (pid == getpid() && i == board->mine))
            continue;
        if (atomic_compare_exchange_strong(&board->shared->owners[i], &pid, -1)) {
            identity_metrics_leave(board->metrics, i);
            atomic_store(&board->shared->owners[i], 0);
        }
    }
}

static apr_status_t leave(void *board_)
{
    identity_board_t *board = board_;

    identity_metrics_leave(board->metrics, board->mine);
    atomic_store(&board->shared->owners[board->mine], 0);
    return APR_SUCCESS;
}

void identity_metrics_join(identity_site_t *site, apr_pool_t *child)
{
    identity_board_t *board = site->board;

    sweep(board);
    for (unsigned i = 0; i < board->parts; i++) {
        pid_t nobody = 0;
        if (!atomic_compare_exchange_strong(&board->shared->owners[i], &nobody, getpid()))
            continue;
        board->mine = i;
        identity_metrics_use(board->metrics, i);
        apr_pool_cleanup_register(child, board, leave, apr_pool_cleanup_null);
        return;
    }
    IDENTITY_LOG(APLOG_WARNING, site->main_server,
                 "ID0532: too many processes: this child is not counted in the metrics");
}

identity_metrics_snapshot_t *identity_metrics_collect(apr_pool_t *pool, identity_site_t *site)
{
    identity_board_t *board = site->board;
    unsigned processes = 0;

    sweep(board);
    identity_metrics_snapshot_t *snapshot = identity_metrics_read(pool, board->metrics);
    for (unsigned i = 0; i < board->parts; i++)
        processes += atomic_load(&board->shared->owners[i]) > 0;
    identity_snapshot_set(snapshot, IDENTITY_METRIC_PROCESSES, processes);
    identity_snapshot_set(snapshot, IDENTITY_METRIC_START_TIME, board->shared->since);
    return snapshot;
}

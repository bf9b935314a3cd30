/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the running server. Each process counts in a part of its own, so that processes do not contend for
 * cache lines and the levels of a process disappear with it; readers add the parts up. */
#include <stdatomic.h>
#include <string.h>

#include "call/metrics.h"

/* Of one operation, or of requests that match none. */
typedef struct requests {
    atomic_llong statuses[IDENTITY_STATUSES], times[IDENTITY_TIMES], microseconds;
} requests_t;

typedef struct part {
    _Alignas(64) atomic_bool used; /* pages of an unused part are never touched */
    atomic_llong metrics[IDENTITY_METRICS];
    requests_t requests[IDENTITY_OPERATIONS];
} part_t;

struct identity_metrics {
    part_t *parts;
    unsigned count;
    part_t *mine; /* NULL: counting has not begun */
};

#define FAMILY(sort, of, heading, called, tells)                                                   \
    {.name = called,                                                                               \
     .help = tells,                                                                                \
     .section = heading,                                                                           \
     .kind = IDENTITY_##sort,                                                                      \
     .unit = IDENTITY_UNIT_##of},
#define METRIC(id, labels, key, title)
const identity_metric_family_t identity_families[] = {
#include "identity/metrics.def"
};
#undef FAMILY
#undef METRIC

/* The same rows again: a metric belongs to the family before it. */
#define FAMILY(sort, of, heading, called, tells) {.family = true},
#define METRIC(id, with, line, called)           {.labels = with, .key = line, .title = called},
static const struct row {
    bool family;
    const char *labels, *key, *title;
} rows[] = {
#include "identity/metrics.def"
};
#undef FAMILY
#undef METRIC

const int identity_statuses[IDENTITY_STATUSES] = {200, 201, 204, 302, 303, 304, 400,
                                                  401, 403, 404, 405, 408, 409, 412,
                                                  413, 415, 422, 429, 500, 503, 0};
const apr_interval_time_t identity_times[IDENTITY_TIMES] = {500,    1000,   5000,    25000,
                                                            100000, 500000, 2500000, APR_INT64_MAX};

bool identity_metric_next(identity_metric_info_t *info)
{
    const int count = sizeof rows / sizeof rows[0];

    for (info->first = false; info->row < count && rows[info->row].family; info->row++) {
        info->families++;
        info->first = true;
    }
    if (info->row == count)
        return false;
    info->metric = (identity_metric_t)(info->row - info->families);
    info->family = &identity_families[info->families - 1];
    info->labels = rows[info->row].labels;
    info->key = rows[info->row].key;
    info->title = rows[info->row].title;
    info->row++;
    return true;
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

size_t identity_metrics_size(unsigned parts)
{
    return parts * sizeof(part_t);
}

identity_metrics_t *identity_metrics_make(apr_pool_t *pool, void *lookup, unsigned parts)
{
    identity_metrics_t *metrics = apr_pcalloc(pool, sizeof *metrics);

    metrics->parts = lookup;
    metrics->count = parts;
    return metrics;
}

void identity_metrics_leave(identity_metrics_t *metrics, unsigned part)
{
    identity_metric_info_t info = {.row = 0};

    while (identity_metric_next(&info))
        if (info.family->kind == IDENTITY_LEVEL)
            atomic_store_explicit(&metrics->parts[part].metrics[info.metric], 0,
                                  memory_order_relaxed);
}

void identity_metrics_use(identity_metrics_t *metrics, unsigned part)
{
    metrics->mine = &metrics->parts[part];
    atomic_store(&metrics->mine->used, true);
    identity_metrics_leave(metrics, part);
}

/* ---- counting --------------------------------------------------------------------------------------------------- */

static void add(atomic_llong *counter, apr_int64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void identity_metric_add(identity_metrics_t *metrics, identity_metric_t metric, apr_int64_t n)
{
    if (metrics && metrics->mine)
        add(&metrics->mine->metrics[metric], n);
}

void identity_metric_request(identity_metrics_t *metrics, int route, int status,
                             apr_interval_time_t took)
{
    int number = 0, time = 0;

    if (!metrics || !metrics->mine)
        return;
    requests_t *requests = &metrics->mine->requests[route < 0 ? IDENTITY_OPERATIONS - 1 : route];
    while (number < IDENTITY_STATUSES - 1 && identity_statuses[number] != status)
        number++;
    /* Clocks of virtual machines may jump back. */
    if (took < 0)
        took = 0;
    while (took > identity_times[time])
        time++;
    add(&requests->statuses[number], 1);
    add(&requests->times[time], 1);
    add(&requests->microseconds, took);
}

identity_metric_t identity_metric_protected(const char *method, int status)
{
    static const struct {
        const char *method;
        identity_metric_t first;
    } kinds[] = {{"key", IDENTITY_METRIC_PROTECTED_KEY},
                 {"bearer", IDENTITY_METRIC_PROTECTED_BEARER},
                 {"basic", IDENTITY_METRIC_PROTECTED_BASIC},
                 {"cookie", IDENTITY_METRIC_PROTECTED_COOKIE}};
    identity_metric_t first = IDENTITY_METRIC_PROTECTED_NONE;

    for (size_t i = 0; method && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].method, method) == 0)
            first = kinds[i].first;
    return first + (status == 401 ? 1u : status == 403 ? 2u : status >= 500 ? 3u : 0u);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static apr_int64_t value(atomic_llong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

apr_int64_t identity_metric_read(const identity_metrics_t *metrics, identity_metric_t metric)
{
    apr_int64_t sum = 0;

    for (unsigned p = 0; metrics && p < metrics->count; p++)
        if (atomic_load(&metrics->parts[p].used))
            sum += value(&metrics->parts[p].metrics[metric]);
    return sum;
}

static void add_requests(part_t *part, identity_metrics_snapshot_t *snapshot)
{
    for (int i = 0; i < IDENTITY_OPERATIONS; i++) {
        requests_t *requests = &part->requests[i];
        identity_request_metrics_t *sum = &snapshot->requests[i];
        for (int s = 0; s < IDENTITY_STATUSES; s++)
            sum->statuses[s] += value(&requests->statuses[s]);
        for (int t = 0; t < IDENTITY_TIMES; t++)
            sum->times[t] += value(&requests->times[t]);
        sum->microseconds += value(&requests->microseconds);
    }
}

identity_metrics_snapshot_t *identity_metrics_read(apr_pool_t *pool,
                                                   const identity_metrics_t *metrics)
{
    identity_metrics_snapshot_t *snapshot = apr_pcalloc(pool, sizeof *snapshot);
    identity_metric_info_t info = {.row = 0};

    for (unsigned p = 0; p < metrics->count; p++) {
        part_t *part = &metrics->parts[p];
        if (!atomic_load(&part->used))
            continue;
        for (int i = 0; i < IDENTITY_METRICS; i++)
            snapshot->metrics[i] += value(&part->metrics[i]);
        add_requests(part, snapshot);
    }
    while (identity_metric_next(&info))
        snapshot->known[info.metric] = info.family->kind != IDENTITY_GAUGE;
    return snapshot;
}

void identity_snapshot_set(identity_metrics_snapshot_t *snapshot, identity_metric_t metric,
                           apr_int64_t n)
{
    snapshot->metrics[metric] = n;
    snapshot->known[metric] = true;
}

void identity_snapshot_open(identity_metrics_snapshot_t *snapshot, identity_metric_t metric)
{
    snapshot->open[metric] = true;
}

const char *identity_operation_name(int operation)
{
#define ROUTE(operation, ...) #operation,
    static const char *const names[] = {
#include "routes.def"
    };
#undef ROUTE
    return operation == ROUTE_UNKNOWN ? "unknown" : names[operation];
}

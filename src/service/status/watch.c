/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics that are too slow, or too expensive, to be computed for each request: mod_watchdog's job computes them
 * once a minute, in one process, and all processes show them from shared memory. */
#include <stdatomic.h>
#include <string.h>

#include "status/status.h"

#define ROWS_MOST 100000
#define SIZED_MOST                                                                                 \
    (1024LL * 1024 * 1024) /* larger databases are not read through for table sizes */
#define MAILS_MOST 10000

struct identity_watch {
    atomic_llong values[IDENTITY_METRICS]; /* one more than the value; 0: unknown */
    atomic_bool open[IDENTITY_METRICS];
};

size_t identity_watch_size(void)
{
    return sizeof(identity_watch_t);
}

/* ---- taking ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *table;
    identity_metric_t rows, bytes, oldest;
} tables[] = {
#define TABLE(name)                                                                                \
    {#name, IDENTITY_METRIC_ROWS_##name, IDENTITY_METRIC_BYTES_##name,                             \
     IDENTITY_METRIC_OLDEST_##name},
#include "identity/tables.def"
#undef TABLE
};

static const struct {
    identity_metric_t metric;
    int seconds;
} waits[] = {{IDENTITY_METRIC_OUTBOX_MINUTE, 60},
             {IDENTITY_METRIC_OUTBOX_TENTH, 600},
             {IDENTITY_METRIC_OUTBOX_HOUR, 3600},
             {IDENTITY_METRIC_OUTBOX_DAY, 86400}};
#define WAITS (sizeof waits / sizeof waits[0])

typedef struct look {
    bool sized;
    apr_array_header_t *rows;
    apr_int64_t waiting[WAITS];
    apr_time_t backed_up_at;
} look_t;

static bool look(identity_call_t *call, void *data)
{
    look_t *look = data;
    apr_time_t before[WAITS];

    for (size_t i = 0; i < WAITS; i++)
        before[i] = call->now - apr_time_from_sec(waits[i].seconds);
    return identity_db_ok(call,
                          identity_tables_look(call->db, ROWS_MOST, look->sized, &look->rows)) &&
           identity_db_ok(call, identity_statistics_waiting(call->db, before, WAITS, MAILS_MOST,
                                                            look->waiting)) &&
           identity_db_ok(call, identity_backup_noted(call->db, &look->backed_up_at));
}

static void put(identity_watch_t *watch, identity_metric_t metric, apr_int64_t value, bool open)
{
    atomic_store(&watch->values[metric], value + 1);
    atomic_store(&watch->open[metric], open);
}

static apr_interval_time_t age(const identity_call_t *call, apr_time_t at)
{
    return at < call->now ? call->now - at : 0;
}

static void put_table(identity_call_t *call, identity_watch_t *watch,
                      const identity_table_row_t *row)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i].table, row->name) != 0)
            continue;
        put(watch, tables[i].rows, row->rows, row->rows >= ROWS_MOST);
        if (row->bytes >= 0)
            put(watch, tables[i].bytes, row->bytes, false);
        if (row->oldest_at)
            put(watch, tables[i].oldest, age(call, row->oldest_at), false);
        else
            atomic_store(&watch->values[tables[i].oldest], 0);
    }
}

void identity_watch_take(apr_pool_t *pool, const identity_env_t *env,
                         const identity_watched_t *files, identity_watch_t *watch)
{
    identity_call_t call;
    look_t found = {.sized = files->size && files->size <= SIZED_MOST};

    identity_call_begin(&call, pool, env, NULL);
    if (files->signing_key_at)
        put(watch, IDENTITY_METRIC_SIGNING_KEY_AGE, age(&call, files->signing_key_at), false);
    if (!identity_read(&call, look, &found))
        return; /* keep the previous values */
    for (int i = 0; i < found.rows->nelts; i++)
        put_table(&call, watch, APR_ARRAY_IDX(found.rows, i, const identity_table_row_t *));
    for (size_t i = 0; i < WAITS; i++)
        put(watch, waits[i].metric, found.waiting[i], found.waiting[i] >= MAILS_MOST);
    if (found.backed_up_at)
        put(watch, IDENTITY_METRIC_BACKUP_AGE, age(&call, found.backed_up_at), false);
}

void identity_watch_show(const identity_watch_t *watch, identity_metrics_snapshot_t *snapshot)
{
    for (int i = 0; i < IDENTITY_METRICS; i++) {
        apr_int64_t value = atomic_load(&watch->values[i]);
        if (!value)
            continue;
        identity_snapshot_set(snapshot, (identity_metric_t)i, value - 1);
        if (atomic_load(&watch->open[i]))
            identity_snapshot_open(snapshot, (identity_metric_t)i);
    }
}

/* ---- what htidentity tells -------------------------------------------------------------------------------------- */

static bool note(identity_call_t *call, void *data)
{
    (void)data;
    return identity_db_ok(call, identity_backup_note(call->db, call->now));
}

bool identity_backup_done(apr_pool_t *pool, const identity_env_t *env)
{
    identity_call_t call;

    identity_call_begin(&call, pool, env, NULL);
    return identity_write(&call, note, NULL);
}

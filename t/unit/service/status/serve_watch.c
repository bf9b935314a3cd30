/* SPDX-License-Identifier: Apache-2.0 */
/* What the watchdog looks at for the figures: every table of the schema, mails by how long they wait, the newest
 * backup, the signing key; at a cost that does not grow with the database. */
#include <string.h>
#include <sys/mman.h>

#include "status/status.h"
#include "serve.h"

static identity_watch_t *watch;

static const identity_metrics_snapshot_t *taken(identity_watched_t files)
{
    identity_metrics_snapshot_t *snapshot = apr_pcalloc(door->pool, sizeof *snapshot);

    identity_watch_take(door->pool, &door->env, &files, watch);
    identity_watch_show(watch, snapshot);
    return snapshot;
}

/* The clock of these tests moves by a microsecond with each look at it. */
static apr_int64_t seconds(const identity_metrics_snapshot_t *snapshot, identity_metric_t metric)
{
    return snapshot->known[metric] ? apr_time_sec(snapshot->metrics[metric]) : -1;
}

static apr_time_t oldest(void)
{
    return count("SELECT MIN(created_at) FROM accounts");
}

static void test_tables(void)
{
    apr_array_header_t *rows;
    const identity_metrics_snapshot_t *snapshot = taken((identity_watched_t){.size = 4096});
    identity_metric_info_t info = {.row = 0};
    int shown = 0;

    if (identity_tables_measure(door->db, &rows) != IDENTITY_DB_OK)
        bail("no tables");
    while (identity_metric_next(&info))
        if (strcmp(info.family->name, "table_rows") == 0) {
            shown++;
            ok(snapshot->known[info.metric], "%s is one of the schema", info.labels);
        }
    is_int(shown + 1, rows->nelts, "every table of the schema but that of its version has figures");
    is_int(snapshot->metrics[IDENTITY_METRIC_ROWS_users], count("SELECT COUNT(*) FROM users"), "rows of users");
    is_int(snapshot->metrics[IDENTITY_METRIC_ROWS_sessions], 0, "none of sessions");
    ok(snapshot->metrics[IDENTITY_METRIC_BYTES_users] > 0, "bytes");
    ok(!snapshot->known[IDENTITY_METRIC_OLDEST_sessions], "what has no row has no oldest one");
    is_int(snapshot->metrics[IDENTITY_METRIC_OLDEST_accounts],
           door->now - count("SELECT MIN(created_at) FROM accounts"), "age of the oldest row");
    change("UPDATE accounts SET created_at = created_at - 60000000 WHERE id = (SELECT MIN(id) FROM accounts)");
    is_int(seconds(taken((identity_watched_t){.size = 4096}), IDENTITY_METRIC_OLDEST_accounts),
           apr_time_sec(door->now - oldest()), "... which has the smallest id");
}

static void test_large(void)
{
    memset((void *)watch, 0, identity_watch_size());
    const identity_metrics_snapshot_t *snapshot = taken((identity_watched_t){.size = 2LL * 1024 * 1024 * 1024});
    ok(!snapshot->known[IDENTITY_METRIC_BYTES_users] && snapshot->known[IDENTITY_METRIC_ROWS_users],
       "a large database is not read through for the sizes of its tables");
    change(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001) INSERT INTO changes (kind, "
        "subject_id, created_at) SELECT 'all', '', i FROM n");
    snapshot = taken((identity_watched_t){.size = 0});
    is_int(snapshot->metrics[IDENTITY_METRIC_ROWS_changes], 100000, "rows are counted to 100,000");
    ok(snapshot->open[IDENTITY_METRIC_ROWS_changes], "... or more");
    change("DELETE FROM changes WHERE sequence < (SELECT MAX(sequence) FROM changes)");
}

static void test_mails(void)
{
    const identity_metrics_snapshot_t *snapshot;

    accepted(post("/v1/users/invite", door->key, "{\"username\":\"late@example.org\"}"), 200, "a mail is queued");
    snapshot = taken((identity_watched_t){.size = 0});
    is_int(snapshot->metrics[IDENTITY_METRIC_OUTBOX_MINUTE], 0, "it waits for no minute yet");
    pass(61);
    is_int(taken((identity_watched_t){.size = 0})->metrics[IDENTITY_METRIC_OUTBOX_MINUTE], 1, "... then for one");
    pass(3600);
    snapshot = taken((identity_watched_t){.size = 0});
    is_int(snapshot->metrics[IDENTITY_METRIC_OUTBOX_HOUR], 1, "... for an hour");
    is_int(snapshot->metrics[IDENTITY_METRIC_OUTBOX_DAY], 0, "... and for no day");
}

static void test_ages(void)
{
    json_t *kept, *settings = identity_json_own(door->pool, json_pack("{s:i}", "x", 1));
    identity_problem_t problem;

    ok(!taken((identity_watched_t){.size = 0})->known[IDENTITY_METRIC_BACKUP_AGE], "no backup yet, no age");
    ok(identity_backup_done(door->pool, &door->env), "one is made");
    pass(30);
    is_int(seconds(taken((identity_watched_t){.size = 0}), IDENTITY_METRIC_BACKUP_AGE), 30, "its age");
    ok(identity_settings_keep(door->pool, &door->env, settings), "what the server keeps at its start");
    ok(identity_settings_kept(door->pool, &door->env, &kept, &problem) && json_equal(kept, settings),
       "... is nothing more");
    is_int(seconds(taken((identity_watched_t){.size = 0}), IDENTITY_METRIC_BACKUP_AGE), 30,
           "... and does not forget the backup");
    ok(identity_backup_done(door->pool, &door->env), "another one");
    is_int(seconds(taken((identity_watched_t){.size = 0}), IDENTITY_METRIC_BACKUP_AGE), 0, "the newest counts");
    is_int(seconds(taken((identity_watched_t){.signing_key_at = door->now - apr_time_from_sec(5)}),
                   IDENTITY_METRIC_SIGNING_KEY_AGE),
           5, "the signing key's");
}

int main(void)
{
    serve_begin();
    watch = mmap(NULL, identity_watch_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    test_tables();
    test_large();
    test_mails();
    test_ages();
    return serve_end();
}

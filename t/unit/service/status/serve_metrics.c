/* SPDX-License-Identifier: Apache-2.0 */
/* Counters in shared memory: parts, levels, sums; and that the three forms tell the same of every figure. (security 84:
 * what is told holds no name) */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "status/status.h"
#include "tap.h"

#define PARTS   4
#define THREADS 8
#define ADDS    20000

static apr_pool_t *pool;
static void *memory;

static identity_metrics_t *fresh(void)
{
    memset(memory, 0, identity_metrics_size(PARTS));
    return identity_metrics_make(pool, memory, PARTS);
}

static apr_int64_t of(identity_metrics_t *metrics, identity_metric_t metric)
{
    return identity_metrics_read(pool, metrics)->metrics[metric];
}

/* ---- counting --------------------------------------------------------------------------------------------------- */

static void test_parts(void)
{
    identity_metrics_t *one = fresh(), *two = identity_metrics_make(pool, memory, PARTS);

    identity_metric_add(NULL, IDENTITY_METRIC_CACHE_HITS, 1);
    identity_metric_add(one, IDENTITY_METRIC_CACHE_HITS, 1);
    is_int(of(one, IDENTITY_METRIC_CACHE_HITS), 0, "who has no part counts nothing");
    identity_metrics_use(one, 0);
    identity_metrics_use(two, 3);
    identity_metric_add(one, IDENTITY_METRIC_CACHE_HITS, 2);
    identity_metric_add(two, IDENTITY_METRIC_CACHE_HITS, 40);
    identity_metric_add(one, IDENTITY_METRIC_CACHE_ENTRIES, 5);
    identity_metric_add(two, IDENTITY_METRIC_CACHE_ENTRIES, 7);
    identity_metric_add(two, IDENTITY_METRIC_CACHE_ENTRIES, -1);
    is_int(of(one, IDENTITY_METRIC_CACHE_HITS), 42, "counters of all parts are added up");
    is_int(of(two, IDENTITY_METRIC_CACHE_ENTRIES), 11, "levels, too");
    is_int(of(one, IDENTITY_METRIC_CACHE_MISSES), 0, "nothing else has moved");
    identity_metrics_leave(two, 0);
    is_int(of(two, IDENTITY_METRIC_CACHE_HITS), 42, "a process that is gone leaves its counters");
    is_int(of(two, IDENTITY_METRIC_CACHE_ENTRIES), 6, "and takes its levels along");
    identity_metrics_use(one, 3);
    is_int(of(one, IDENTITY_METRIC_CACHE_ENTRIES), 0, "so does one whose part another takes over");
    is_int(of(one, IDENTITY_METRIC_CACHE_HITS), 42, "again without the counters");
}

static void *add_many(void *metrics)
{
    for (int i = 0; i < ADDS; i++) {
        identity_metric_add(metrics, IDENTITY_METRIC_HASH_PASSED, 1);
        identity_metric_request(metrics, ROUTE_list_users, 200, 700);
    }
    return NULL;
}

/* Two processes of several threads each. */
static void test_at_once(void)
{
    identity_metrics_t *metrics = fresh();
    pthread_t threads[THREADS];
    int status = 1;

    fflush(stdout);
    pid_t child = fork();
    identity_metrics_use(metrics, child ? 1 : 2);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, add_many, metrics);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    if (child == 0)
        _exit(0);
    waitpid(child, &status, 0);
    identity_metrics_snapshot_t *snapshot = identity_metrics_read(pool, metrics);
    is_int(status, 0, "the other process has ended well");
    is_int(snapshot->metrics[IDENTITY_METRIC_HASH_PASSED], 2 * THREADS * ADDS, "not one addition is lost");
    is_int(identity_requests_sum(&snapshot->requests[ROUTE_list_users]), 2 * THREADS * ADDS, "not one request");
    is_int(snapshot->requests[ROUTE_list_users].microseconds, 700LL * 2 * THREADS * ADDS, "not a microsecond");
}

static void test_requests(void)
{
    identity_metrics_t *metrics = fresh();
    static const struct {
        apr_interval_time_t took;
        int bucket;
    } times[] = {{-5, 0}, {0, 0}, {500, 0}, {501, 1}, {1000, 1}, {2500000, 6}, {2500001, 7}, {APR_INT64_MAX, 7}};

    identity_metrics_use(metrics, 0);
    identity_metric_request(metrics, -1, 404, 1);
    identity_metric_request(metrics, ROUTE_UNKNOWN - 1, 418, 1);
    identity_metric_request(metrics, 0, 503, 1);
    identity_metrics_snapshot_t *snapshot = identity_metrics_read(pool, metrics);
    is_int(snapshot->requests[ROUTE_UNKNOWN].statuses[9], 1, "what matches no route is counted apart");
    is_int(snapshot->requests[ROUTE_UNKNOWN - 1].statuses[IDENTITY_STATUSES - 1], 1, "an odd status is another one");
    is_int(snapshot->requests[0].statuses[IDENTITY_STATUSES - 2], 1, "503 is told apart");
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        metrics = fresh();
        identity_metrics_use(metrics, 0);
        identity_metric_request(metrics, 0, 200, times[i].took);
        is_int(identity_metrics_read(pool, metrics)->requests[0].times[times[i].bucket], 1,
               "%" APR_INT64_T_FMT " us are in bucket %d", times[i].took, times[i].bucket);
    }
}

static void test_protected(void)
{
    is_int(identity_metric_protected(NULL, 401), IDENTITY_METRIC_PROTECTED_NONE_UNAUTHENTICATED, "nothing was sent");
    is_int(identity_metric_protected("key", 200), IDENTITY_METRIC_PROTECTED_KEY, "a key let in");
    is_int(identity_metric_protected("key", 401), IDENTITY_METRIC_PROTECTED_KEY_UNAUTHENTICATED, "a bad one");
    is_int(identity_metric_protected("bearer", 403), IDENTITY_METRIC_PROTECTED_BEARER_FORBIDDEN, "a token forbidden");
    is_int(identity_metric_protected("basic", 503), IDENTITY_METRIC_PROTECTED_BASIC_FAULT, "a fault with Basic");
    is_int(identity_metric_protected("cookie", 0), IDENTITY_METRIC_PROTECTED_COOKIE, "a cookie let in");
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static void test_table(void)
{
    identity_metric_info_t info = {.row = 0};
    apr_table_t *seen = apr_table_make(pool, 100);
    const char *section = "", *twice = "", *split = "";
    int count = 0, order = 0;

    while (identity_metric_next(&info)) {
        const char *series = apr_pstrcat(pool, info.family->name, "{", info.labels, "}", NULL);
        order += (int)info.metric == count++;
        if (apr_table_get(seen, series) || apr_table_get(seen, info.key))
            twice = apr_pstrcat(pool, twice, series, " ", info.key, " ", NULL);
        apr_table_setn(seen, series, "");
        apr_table_setn(seen, info.key, "");
        if (strcmp(section, info.family->section) != 0 &&
            apr_table_get(seen, apr_pstrcat(pool, "section ", info.family->section, NULL)))
            split = apr_pstrcat(pool, split, info.family->section, " ", NULL);
        section = info.family->section;
        apr_table_setn(seen, apr_pstrcat(pool, "section ", section, NULL), "");
    }
    is_int(count, IDENTITY_METRICS, "every figure is in the table");
    is_int(order, IDENTITY_METRICS, "in the order of the enumeration");
    is_str(twice, "", "none has the name of another");
    is_str(split, "", "sections stand together");
}

/* ---- the three forms -------------------------------------------------------------------------------------------- */

/* A value of its own for every figure. */
static identity_metrics_snapshot_t *numbered(void)
{
    identity_metrics_snapshot_t *snapshot = identity_metrics_read(pool, fresh());

    for (int i = 0; i < IDENTITY_METRICS; i++)
        identity_snapshot_set(snapshot, (identity_metric_t)i, 1000003 + i);
    identity_snapshot_open(snapshot, IDENTITY_METRIC_USERS_ACTIVE);
    snapshot->requests[ROUTE_get_user].statuses[0] = 77;
    snapshot->requests[ROUTE_get_user].times[2] = 70;
    snapshot->requests[ROUTE_get_user].times[7] = 7;
    snapshot->requests[ROUTE_get_user].microseconds = 77000;
    return snapshot;
}

static bool has(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool has(const char *text, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    const char *wanted = apr_pvsprintf(pool, format, list);
    va_end(list);
    return strstr(text, wanted) != NULL;
}

static void test_forms(void)
{
    identity_metrics_snapshot_t *snapshot = numbered();
    identity_metrics_view_t view = {.site = "<b>&\"site\"", .now = 0, .mail = true};
    const char *policy, *lines = identity_metrics_lines(pool, snapshot),
                        *open = identity_metrics_openmetrics(pool, snapshot),
                        *page = identity_metrics_page(pool, snapshot, &view, &policy),
                        *section = identity_metrics_section(pool, snapshot);
    identity_metric_info_t info = {.row = 0};

    while (identity_metric_next(&info)) {
        int value = 1000003 + (int)info.metric;
        bool time = info.family->unit == IDENTITY_UNIT_SECONDS || info.family->unit == IDENTITY_UNIT_TIME;
        const char *text = time ? apr_psprintf(pool, "1.%06d", value - 1000000) : apr_itoa(pool, value);
        ok(has(lines, "Identity%s: %s\n", info.key, text), "the line of %s", info.key);
        ok(has(open, "%s%s%s %s\n", *info.labels ? "{" : "", info.labels, *info.labels ? "}" : "", text),
           "OpenMetrics has %s", info.key);
        const char *row = apr_psprintf(pool, "<th scope=\"row\">%s</th><td>", info.title);
        ok(has(page, "%s", row) && has(section, "%s", row), "the page has %s", info.title);
        if (info.family->unit == IDENTITY_UNIT_NONE && info.metric != IDENTITY_METRIC_DATABASE_UP)
            ok(has(page, "<td>1,000,%03d", value - 1000000), "and its value");
    }
    ok(has(lines, "IdentityRequests: 77\n") && has(lines, "IdentityRequests-get_user-200: 77\n") &&
           has(lines, "IdentitySeconds-get_user: 0.077000\n"),
       "requests by operation as lines");
    ok(has(open, "identity_requests_total{operation=\"get_user\",status=\"200\"} 77\n") &&
           has(open, "_bucket{operation=\"get_user\",le=\"0.005\"} 70\n") &&
           has(open, "_bucket{operation=\"get_user\",le=\"2.5\"} 70\n") &&
           has(open, "_bucket{operation=\"get_user\",le=\"+Inf\"} 77\n") &&
           has(open, "_sum{operation=\"get_user\"} 0.077000\n"),
       "as OpenMetrics, with a histogram that adds up");
    ok(has(page, "<th scope=\"row\">get_user</th><td>77</td><td>77</td><td class=\"zero\">0</td>") &&
           has(page, "<td>1.00 ms</td>"),
       "on the page, with the mean");
    ok(has(page, "1,000,%03d or more", IDENTITY_METRIC_USERS_ACTIVE + 3), "what was not counted to its end says so");
    ok(strlen(open) > 6 && strcmp(open + strlen(open) - 6, "# EOF\n") == 0, "OpenMetrics ends as it must");
    ok(has(page, "&lt;b&gt;&amp;") && !has(page, "<b>"), "the name of the site is escaped");
    ok(!has(page, "<script") && !has(page, "src=") && !has(page, "://"), "no script, nothing from elsewhere");
    ok(has(policy, "default-src 'none'; style-src 'sha256-"), "and the policy says so");
}

static void test_unknown(void)
{
    identity_metrics_snapshot_t *snapshot = identity_metrics_read(pool, fresh());
    identity_metrics_view_t view = {.site = "x", .refresh = 5};
    const char *policy;

    identity_snapshot_set(snapshot, IDENTITY_METRIC_DATABASE_UP, 0);
    const char *lines = identity_metrics_lines(pool, snapshot), *open = identity_metrics_openmetrics(pool, snapshot),
               *page = identity_metrics_page(pool, snapshot, &view, &policy);
    ok(has(lines, "IdentityDatabaseUp: 0\n") && has(open, "identity_database_up 0\n"), "the database is away");
    ok(has(page, "<strong>Does not answer</strong>"), "which the page says in words");
    ok(!has(lines, "IdentityUsersActive") && !has(open, "identity_users"), "what nobody knows is not told");
    ok(has(page, "<th scope=\"row\">Active users</th><td>not known</td>"), "or as such");
    ok(has(page, "<strong>Off</strong>"), "no mail is sent");
    ok(has(page, "every 5 s"), "the page comes again");
    ok(has(page, "0 of %d operations", ROUTE_UNKNOWN), "nothing has been called");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    memory = mmap(NULL, identity_metrics_size(PARTS), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    test_parts();
    test_at_once();
    test_requests();
    test_protected();
    test_table();
    test_forms();
    test_unknown();
    apr_pool_destroy(pool);
    return tap_done();
}

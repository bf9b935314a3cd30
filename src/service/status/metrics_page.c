/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics for people: an overview, then a table for each section. No script, no external resources. */
#include <string.h>

#include <apr_escape.h>

#include "identity/pages.h"
#include "status/status.h"

/* A section with more metrics than this omits counters that are 0. */
#define MANY     8
#define LATE     apr_time_from_sec(300)
#define SLOW     apr_time_from_msec(100)
#define KIBIBYTE 1024

/* ---- values as people read them --------------------------------------------------------------------------------- */

/* 1,234,567 */
static const char *grouped(apr_pool_t *pool, apr_int64_t value)
{
    const char *digits = apr_psprintf(pool, "%" APR_INT64_T_FMT, value < 0 ? -value : value);
    size_t length = strlen(digits), first = (length - 1) % 3 + 1;
    const char *text =
        apr_pstrcat(pool, value < 0 ? "-" : "", apr_pstrndup(pool, digits, first), NULL);

    for (size_t i = first; i < length; i += 3)
        text = apr_pstrcat(pool, text, ",", apr_pstrndup(pool, digits + i, 3), NULL);
    return text;
}

static const char *lasting(apr_pool_t *pool, apr_interval_time_t time)
{
    apr_int64_t whole = apr_time_sec(time);

    if (time == 0)
        return "0 s";
    if (time < apr_time_from_sec(1))
        return apr_psprintf(pool, "%.2f ms", (double)time / 1000);
    if (whole < 60)
        return apr_psprintf(pool, "%.1f s", (double)time / APR_USEC_PER_SEC);
    if (whole < 3600)
        return apr_psprintf(pool, "%d min %d s", (int)(whole / 60), (int)(whole % 60));
    if (whole < 86400)
        return apr_psprintf(pool, "%d h %d min", (int)(whole / 3600), (int)(whole / 60 % 60));
    return apr_psprintf(pool, "%s d %d h", grouped(pool, whole / 86400), (int)(whole / 3600 % 24));
}

static const char *sized(apr_pool_t *pool, apr_int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes / KIBIBYTE;
    size_t unit = 0;

    if (bytes < KIBIBYTE)
        return apr_psprintf(pool, "%d bytes", (int)bytes);
    for (; size >= KIBIBYTE && unit + 1 < sizeof units / sizeof units[0]; unit++)
        size /= KIBIBYTE;
    return apr_psprintf(pool, "%.1f %s", size, units[unit]);
}

/* 2026-11-29 02:19:11 UTC */
static const char *dated(apr_pool_t *pool, apr_time_t time)
{
    char *text = apr_pstrdup(pool, identity_time_format(pool, time));

    text[strcspn(text, "T")] = ' ';
    text[strcspn(text, "Z")] = '\0';
    return apr_pstrcat(pool, text, " UTC", NULL);
}

static const char *value_of(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot,
                            const identity_metric_info_t *info)
{
    apr_int64_t value = snapshot->metrics[info->metric];

    if (!snapshot->known[info->metric])
        return "not known";
    if (info->metric == IDENTITY_METRIC_DATABASE_UP)
        return value ? "yes" : "no";
    switch (info->family->unit) {
    case IDENTITY_UNIT_BYTES:
        return sized(pool, value);
    case IDENTITY_UNIT_SECONDS:
        return lasting(pool, value);
    case IDENTITY_UNIT_TIME:
        return dated(pool, value);
    case IDENTITY_UNIT_NONE:
        break;
    }
    return apr_pstrcat(pool, grouped(pool, value), snapshot->open[info->metric] ? " or more" : "",
                       NULL);
}

/* ---- at a glance ------------------------------------------------------------------------------------------------ */

typedef struct health {
    const char *class, *words, *more;
} health_t;

static health_t database(apr_pool_t *pool, const apr_int64_t *metrics)
{
    apr_interval_time_t latency = metrics[IDENTITY_METRIC_DATABASE_LATENCY];

    if (!metrics[IDENTITY_METRIC_DATABASE_UP])
        return (health_t){"bad", "Does not answer", "See the error log"};
    return (health_t){latency > SLOW ? "fair" : "good", latency > SLOW ? "Slow" : "Reachable",
                      apr_psprintf(pool, "Reads in %s", lasting(pool, latency))};
}

static health_t mail(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot, bool on)
{
    const apr_int64_t *metrics = snapshot->metrics;
    apr_int64_t queued = metrics[IDENTITY_METRIC_OUTBOX_QUEUED],
                failed = metrics[IDENTITY_METRIC_OUTBOX_FAILED];

    if (!on)
        return (health_t){"idle", "Off", "IdentityMailURL is not set"};
    if (!snapshot->known[IDENTITY_METRIC_OUTBOX_QUEUED])
        return (health_t){"fair", "Not known", "The outbox is in the database"};
    const char *more =
        apr_psprintf(pool, "%s waiting, %s given up", grouped(pool, queued), grouped(pool, failed));
    if (metrics[IDENTITY_METRIC_OUTBOX_AGE] > LATE)
        return (health_t){"bad", "Late", more};
    if (failed)
        return (health_t){"fair", "Some were given up", more};
    return (health_t){"good", queued ? "On its way" : "Nothing waits", more};
}

static health_t gate(apr_pool_t *pool, const apr_int64_t *metrics)
{
    apr_int64_t slots = metrics[IDENTITY_METRIC_HASH_SLOTS],
                waiting = metrics[IDENTITY_METRIC_HASH_WAITING];
    const char *more = apr_psprintf(pool, "%s of %s in use, %s waiting",
                                    grouped(pool, metrics[IDENTITY_METRIC_HASH_IN_USE]),
                                    grouped(pool, slots), grouped(pool, waiting));

    if (waiting > slots)
        return (health_t){"fair", "Crowded", more};
    return (health_t){"good", waiting ? "Busy" : "Free", more};
}

static health_t cache(apr_pool_t *pool, const apr_int64_t *metrics)
{
    apr_int64_t hits = metrics[IDENTITY_METRIC_CACHE_HITS],
                asked = hits + metrics[IDENTITY_METRIC_CACHE_MISSES];
    const char *more = apr_psprintf(pool, "%s principals kept",
                                    grouped(pool, metrics[IDENTITY_METRIC_CACHE_ENTRIES]));

    if (!asked)
        return (health_t){"idle", "Not used yet", more};
    return (health_t){
        "good", apr_psprintf(pool, "%.1f %% found", 100.0 * (double)hits / (double)asked), more};
}

static void add_health(identity_text_t *text, const char *name, health_t health)
{
    identity_text_add(text,
                      "<li class=\"%s\"><span>%s</span><strong>%s</strong><span>%s</span></li>\n",
                      health.class, name, health.words, health.more);
}

static void add_glance(identity_text_t *text, const identity_metrics_snapshot_t *snapshot,
                       bool mails)
{
    identity_text_add(text, "<ul class=\"health\" aria-label=\"At a glance\">\n");
    add_health(text, "Database", database(text->pool, snapshot->metrics));
    add_health(text, "Mail", mail(text->pool, snapshot, mails));
    add_health(text, "Password hashing", gate(text->pool, snapshot->metrics));
    add_health(text, "Cache of principals", cache(text->pool, snapshot->metrics));
    identity_text_add(text, "</ul>\n");
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static int count_section(const char *section)
{
    identity_metric_info_t info = {.row = 0};
    int count = 0;

    while (identity_metric_next(&info))
        count += strcmp(info.family->section, section) == 0;
    return count;
}

static void add_row(identity_text_t *text, const identity_metrics_snapshot_t *snapshot,
                    const identity_metric_info_t *info)
{
    bool zero = snapshot->known[info->metric] && snapshot->metrics[info->metric] == 0;

    identity_text_add(text, "<tr><th scope=\"row\">%s</th><td%s>%s</td></tr>\n", info->title,
                      zero ? " class=\"zero\"" : "", value_of(text->pool, snapshot, info));
}

/* The metrics of one section; info is at the first one, and afterwards at the first one of the next section. */
static bool add_section(identity_text_t *text, const identity_metrics_snapshot_t *snapshot,
                        identity_metric_info_t *info)
{
    const char *section = info->family->section;
    bool brief = count_section(section) > MANY, more;
    identity_text_t rows = {.pool = text->pool};

    do {
        if (!brief || info->family->kind != IDENTITY_COUNTER || snapshot->metrics[info->metric])
            add_row(&rows, snapshot, info);
        more = identity_metric_next(info);
    } while (more && strcmp(info->family->section, section) == 0);
    identity_text_add(text, "<section>\n<h2>%s</h2>\n", section);
    if (rows.pieces)
        identity_text_add(text, "<table>\n<tbody>\n%s</tbody>\n</table>\n",
                          identity_text_whole(&rows));
    else
        identity_text_add(text, "<p>Nothing so far.</p>\n");
    identity_text_add(text, "</section>\n");
    return more;
}

static apr_int64_t class_sum(const identity_request_metrics_t *requests, int class)
{
    apr_int64_t sum = 0;

    for (int i = 0; i < IDENTITY_STATUSES; i++)
        sum += identity_statuses[i] / 100 == class ? requests->statuses[i] : 0;
    return sum;
}

static void add_cell(identity_text_t *text, apr_int64_t value)
{
    identity_text_add(text, "<td%s>%s</td>", value ? "" : " class=\"zero\"",
                      grouped(text->pool, value));
}

static void add_operation(identity_text_t *text, const char *name,
                          const identity_request_metrics_t *requests)
{
    apr_int64_t all = identity_requests_sum(requests), told = 0;

    identity_text_add(text, "<tr><th scope=\"row\">%s</th>", name);
    add_cell(text, all);
    for (int class = 2; class <= 5; class ++) {
        add_cell(text, class_sum(requests, class));
        told += class_sum(requests, class);
    }
    add_cell(text, all - told);
    identity_text_add(text, "<td>%s</td></tr>\n",
                      lasting(text->pool, requests->microseconds / all));
}

static void add_operations(identity_text_t *text, const identity_metrics_snapshot_t *snapshot)
{
    int called = 0;

    for (int i = 0; i < IDENTITY_OPERATIONS; i++)
        called += identity_requests_sum(&snapshot->requests[i]) > 0;
    identity_text_add(text, "<section>\n<h2 id=\"requests\">Requests to the API</h2>\n");
    if (called) {
        identity_text_add(
            text,
            "<div class=\"wide\" role=\"region\" aria-labelledby=\"requests\" tabindex=\"0\">\n<table>\n"
            "<thead><tr><th scope=\"col\">Operation</th>");
        static const char *const heads[] = {"All", "2xx",   "3xx",      "4xx",
                                            "5xx", "Other", "Mean time"};
        for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
            identity_text_add(text, "<th scope=\"col\" class=\"right\">%s</th>", heads[i]);
        identity_text_add(text, "</tr></thead>\n<tbody>\n");
        for (int i = 0; i < IDENTITY_OPERATIONS; i++)
            if (identity_requests_sum(&snapshot->requests[i]))
                add_operation(text, identity_operation_name(i), &snapshot->requests[i]);
        identity_text_add(text, "</tbody>\n</table>\n</div>\n");
    }
    identity_text_add(text, "<p>%d of %d operations have been called.</p>\n</section>\n",
                      called - (identity_requests_sum(&snapshot->requests[ROUTE_UNKNOWN]) > 0),
                      ROUTE_UNKNOWN);
}

static void add_sections(identity_text_t *text, const identity_metrics_snapshot_t *snapshot)
{
    identity_metric_info_t info = {.row = 0};

    for (bool more = identity_metric_next(&info); more;)
        more = add_section(text, snapshot, &info);
}

/* ---- documents -------------------------------------------------------------------------------------------------- */

const char *identity_metrics_page(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot,
                                  const identity_metrics_view_t *view, const char **policy)
{
    identity_text_t text = {.pool = pool};

    *policy = apr_pstrcat(pool, "default-src 'none'; style-src '", identity_style_status.hash,
                          "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", NULL);
    identity_text_add(&text,
                      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                      "<title>Identity status</title>\n<style>");
    identity_text_add(&text, "%s", identity_style_status.text);
    identity_text_add(
        &text, "</style>\n</head>\n<body>\n<header>\n<h1>Identity status</h1>\n<p>%s, %s</p>\n",
        apr_pescape_entity(pool, view->site, 1), dated(pool, view->now));
    if (view->refresh)
        identity_text_add(&text,
                          "<p>This page is reloaded every %d s. <a href=\"?\">Stop</a></p>\n",
                          view->refresh);
    else
        identity_text_add(&text, "<p><a href=\"?refresh=10\">Refresh every 10 s</a></p>\n");
    identity_text_add(&text, "</header>\n<main>\n");
    add_glance(&text, snapshot, view->mail);
    identity_text_add(&text, "<div class=\"sections\">\n");
    add_sections(&text, snapshot);
    identity_text_add(&text, "</div>\n");
    add_operations(&text, snapshot);
    identity_text_add(&text, "</main>\n</body>\n</html>\n");
    return identity_text_whole(&text);
}

const char *identity_metrics_section(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot)
{
    identity_text_t text = {.pool = pool};

    identity_text_add(&text, "<hr>\n<h1>Identity</h1>\n");
    add_sections(&text, snapshot);
    add_operations(&text, snapshot);
    return identity_text_whole(&text);
}

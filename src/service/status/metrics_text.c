/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics as text for programs: lines like those of mod_status, and OpenMetrics 1.0. */
#include <stdarg.h>
#include <string.h>

#include "status/status.h"

/* ---- pieces ----------------------------------------------------------------------------------------------------- */

void identity_text_add(identity_text_t *text, const char *format, ...)
{
    va_list arguments;

    if (!text->pieces)
        text->pieces = apr_array_make(text->pool, 256, sizeof(const char *));
    va_start(arguments, format);
    APR_ARRAY_PUSH(text->pieces, const char *) = apr_pvsprintf(text->pool, format, arguments);
    va_end(arguments);
}

const char *identity_text_whole(identity_text_t *text)
{
    return text->pieces ? apr_array_pstrcat(text->pool, text->pieces, '\0') : "";
}

apr_int64_t identity_requests_sum(const identity_request_metrics_t *requests)
{
    apr_int64_t sum = 0;

    for (int i = 0; i < IDENTITY_STATUSES; i++)
        sum += requests->statuses[i];
    return sum;
}

static const char *seconds(apr_pool_t *pool, apr_int64_t microseconds)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT ".%06d", microseconds / APR_USEC_PER_SEC,
                        (int)(microseconds % APR_USEC_PER_SEC));
}

static const char *value_of(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot,
                            const identity_metric_info_t *info)
{
    apr_int64_t value = snapshot->metrics[info->metric];
    bool time =
        info->family->unit == IDENTITY_UNIT_SECONDS || info->family->unit == IDENTITY_UNIT_TIME;

    return time ? seconds(pool, value) : apr_psprintf(pool, "%" APR_INT64_T_FMT, value);
}

static const char *status_name(apr_pool_t *pool, int number)
{
    return identity_statuses[number] ? apr_itoa(pool, identity_statuses[number]) : "other";
}

/* ---- lines ------------------------------------------------------------------------------------------------------ */

const char *identity_metrics_lines(apr_pool_t *pool, const identity_metrics_snapshot_t *snapshot)
{
    identity_text_t text = {.pool = pool};
    identity_metric_info_t info = {.row = 0};
    apr_int64_t all = 0;

    while (identity_metric_next(&info))
        if (snapshot->known[info.metric])
            identity_text_add(&text, "Identity%s: %s\n", info.key, value_of(pool, snapshot, &info));
    for (int i = 0; i < IDENTITY_OPERATIONS; i++)
        all += identity_requests_sum(&snapshot->requests[i]);
    identity_text_add(&text, "IdentityRequests: %" APR_INT64_T_FMT "\n", all);
    for (int i = 0; i < IDENTITY_OPERATIONS; i++) {
        const identity_request_metrics_t *requests = &snapshot->requests[i];
        for (int s = 0; s < IDENTITY_STATUSES; s++)
            if (requests->statuses[s])
                identity_text_add(&text, "IdentityRequests-%s-%s: %" APR_INT64_T_FMT "\n",
                                  identity_operation_name(i), status_name(pool, s),
                                  requests->statuses[s]);
        if (requests->microseconds)
            identity_text_add(&text, "IdentitySeconds-%s: %s\n", identity_operation_name(i),
                              seconds(pool, requests->microseconds));
    }
    return identity_text_whole(&text);
}

/* ---- OpenMetrics ------------------------------------------------------------------------------------------------ */

static void add_family(identity_text_t *text, const char *name, const char *type, const char *unit,
                       const char *help)
{
    identity_text_add(text, "# TYPE %s %s\n", name, type);
    if (*unit)
        identity_text_add(text, "# UNIT %s %s\n", name, unit);
    identity_text_add(text, "# HELP %s %s.\n", name, help);
}

static const char *unit_of(const identity_metric_family_t *family)
{
    static const char *const names[] = {[IDENTITY_UNIT_NONE] = "",
                                        [IDENTITY_UNIT_BYTES] = "bytes",
                                        [IDENTITY_UNIT_SECONDS] = "seconds",
                                        [IDENTITY_UNIT_TIME] = "seconds"};
    return names[family->unit];
}

static void add_metrics(identity_text_t *text, const identity_metrics_snapshot_t *snapshot)
{
    identity_metric_info_t info = {.row = 0};
    const char *name = "";
    bool told = false;

    while (identity_metric_next(&info)) {
        const char *unit = unit_of(info.family);
        bool counter = info.family->kind == IDENTITY_COUNTER;
        if (info.first)
            name = apr_pstrcat(text->pool, "identity_", info.family->name, *unit ? "_" : "", unit,
                               NULL);
        told = told && !info.first;
        if (!snapshot->known[info.metric])
            continue;
        if (!told)
            add_family(text, name, counter ? "counter" : "gauge", unit, info.family->help);
        told = true;
        identity_text_add(text, "%s%s%s%s%s %s\n", name, counter ? "_total" : "",
                          *info.labels ? "{" : "", info.labels, *info.labels ? "}" : "",
                          value_of(text->pool, snapshot, &info));
    }
}

static void add_requests(identity_text_t *text, const identity_metrics_snapshot_t *snapshot)
{
    add_family(text, "identity_requests", "counter", "", "Requests to the API that were answered");
    for (int i = 0; i < IDENTITY_OPERATIONS; i++)
        for (int s = 0; s < IDENTITY_STATUSES; s++)
            if (snapshot->requests[i].statuses[s])
                identity_text_add(
                    text,
                    "identity_requests_total{operation=\"%s\",status=\"%s\"} %" APR_INT64_T_FMT
                    "\n",
                    identity_operation_name(i), status_name(text->pool, s),
                    snapshot->requests[i].statuses[s]);
}

/* 0.0005, 2.5, +Inf */
static const char *bound_of(apr_pool_t *pool, int time)
{
    if (time == IDENTITY_TIMES - 1)
        return "+Inf";
    char *text = apr_pstrdup(pool, seconds(pool, identity_times[time]));
    size_t length = strlen(text);
    while (text[length - 1] == '0' && text[length - 2] != '.')
        length--;
    text[length] = '\0';
    return text;
}

static void add_histogram(identity_text_t *text, const char *operation,
                          const identity_request_metrics_t *requests)
{
    apr_int64_t count = 0;

    for (int t = 0; t < IDENTITY_TIMES; t++) {
        count += requests->times[t];
        identity_text_add(
            text,
            "identity_request_duration_seconds_bucket{operation=\"%s\",le=\"%s\"} %" APR_INT64_T_FMT
            "\n",
            operation, bound_of(text->pool, t), count);
    }
    identity_text_add(
        text, "identity_request_duration_seconds_count{operation=\"%s\"} %" APR_INT64_T_FMT "\n",
        operation, count);
    identity_text_add(text, "identity_request_duration_seconds_sum{operation=\"%s\"} %s\n",
                      operation, seconds(text->pool, requests->microseconds));
}

const char *identity_metrics_openmetrics(apr_pool_t *pool,
                                         const identity_metrics_snapshot_t *snapshot)
{
    identity_text_t text = {.pool = pool};

    add_metrics(&text, snapshot);
    add_requests(&text, snapshot);
    add_family(&text, "identity_request_duration_seconds", "histogram", "seconds",
               "Time from a request to the API to its answer");
    for (int i = 0; i < IDENTITY_OPERATIONS; i++)
        if (identity_requests_sum(&snapshot->requests[i]))
            add_histogram(&text, identity_operation_name(i), &snapshot->requests[i]);
    identity_text_add(&text, "# EOF\n");
    return identity_text_whole(&text);
}

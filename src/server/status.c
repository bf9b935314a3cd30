/* SPDX-License-Identifier: Apache-2.0 */
/* SetHandler identity-status, and a section in mod_status. Access is controlled by httpd (Require). */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <mod_status.h>
#include <apr_optional_hooks.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

#define HANDLER "identity-status"

/* mod_status's own default, if the value is omitted. */
#define REFRESH_DEFAULT 10
#define REFRESH_MAX     86400

static void set_size(identity_metrics_snapshot_t *snapshot, identity_metric_t metric,
                     const char *path)
{
    struct stat info;

    if (stat(path, &info) == 0)
        identity_snapshot_set(snapshot, metric, info.st_size);
}

static void set_room(identity_metrics_snapshot_t *snapshot, const char *path)
{
    struct statvfs room;

    if (statvfs(path, &room) == 0)
        identity_snapshot_set(snapshot, IDENTITY_METRIC_DATABASE_FREE,
                              (apr_int64_t)room.f_bavail * (apr_int64_t)room.f_frsize);
}

/* Counters are read before the database is asked, so that the query does not count itself. */
static identity_metrics_snapshot_t *collect(apr_pool_t *pool, const identity_host_t *host)
{
    identity_metrics_snapshot_t *snapshot = identity_metrics_collect(pool, host->site);

    identity_hashsem_metrics(host->site, snapshot);
    identity_metrics_statistics(pool, &host->env, snapshot);
    identity_snapshot_set(snapshot, IDENTITY_METRIC_CONNECTIONS_MAX, host->dbd.max);
    set_size(snapshot, IDENTITY_METRIC_DATABASE_SIZE, host->dbd.params);
    set_size(snapshot, IDENTITY_METRIC_DATABASE_WAL,
             apr_pstrcat(pool, host->dbd.params, "-wal", NULL));
    set_room(snapshot, identity_folder_of(pool, host->dbd.params));
    identity_snapshot_set(snapshot, IDENTITY_METRIC_BUILD, 1);
    if (host->watch)
        identity_watch_show(host->watch, snapshot);
    return snapshot;
}

/* ---- the handler ------------------------------------------------------------------------------------------------ */

/* The value of a query parameter, "" if it has none; NULL if it is absent. */
static const char *parameter(const request_rec *r, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = r->args; at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL) {
        size_t end = strcspn(at, "&");
        if (end >= length && strncmp(at, name, length) == 0 && (end == length || at[length] == '='))
            return apr_pstrmemdup(r->pool, at + length + (end > length),
                                  end - length - (end > length));
    }
    return NULL;
}

static int refresh_of(const request_rec *r)
{
    const char *value = parameter(r, "refresh");
    long seconds = value ? strtol(value, NULL, 10) : 0;

    if (!value)
        return 0;
    return seconds < 1 ? REFRESH_DEFAULT : seconds > REFRESH_MAX ? REFRESH_MAX : (int)seconds;
}

static const char *page(request_rec *r, const identity_host_t *host,
                        const identity_metrics_snapshot_t *snapshot)
{
    identity_metrics_view_t view = {.site = ap_get_server_name(r),
                                    .now = apr_time_now(),
                                    .mail = host->settings.mail != NULL,
                                    .refresh = refresh_of(r)};
    const char *policy, *text = identity_metrics_page(r->pool, snapshot, &view, &policy);

    ap_set_content_type(r, "text/html; charset=utf-8");
    apr_table_setn(r->headers_out, "Content-Security-Policy", policy);
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    if (view.refresh)
        apr_table_setn(r->headers_out, "Refresh", apr_itoa(r->pool, view.refresh));
    return text;
}

int identity_show_status(request_rec *r)
{
    const identity_host_t *host = identity_conf(r->server)->host;
    const char *format, *text;

    if (!r->handler || strcmp(r->handler, HANDLER) != 0)
        return DECLINED;
    ap_allow_methods(r, REPLACE_ALLOW, "GET", NULL);
    if (r->method_number != M_GET)
        return HTTP_METHOD_NOT_ALLOWED;
    if (!host)
        return HTTP_NOT_FOUND; /* this virtual host has nothing of ours */
    const identity_metrics_snapshot_t *snapshot = collect(r->pool, host);
    format = parameter(r, "format");
    if (format && strcmp(format, "openmetrics") == 0) {
        ap_set_content_type(r, IDENTITY_OPENMETRICS_TYPE);
        text = identity_metrics_openmetrics(r->pool, snapshot);
    } else if (parameter(r, "auto")) {
        ap_set_content_type(r, "text/plain; charset=utf-8");
        text = identity_metrics_lines(r->pool, snapshot);
    } else {
        text = page(r, host, snapshot);
    }
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    ap_set_content_length(r, (apr_off_t)strlen(text));
    if (!r->header_only)
        ap_rputs(text, r);
    return OK;
}

/* ---- mod_status ------------------------------------------------------------------------------------------------- */

static int add_to_status(request_rec *r, int flags)
{
    const identity_host_t *host = identity_conf(r->server)->host;

    if (!host)
        return DECLINED;
    const identity_metrics_snapshot_t *snapshot = collect(r->pool, host);
    ap_rputs(flags & AP_STATUS_SHORT ? identity_metrics_lines(r->pool, snapshot)
                                     : identity_metrics_section(r->pool, snapshot),
             r);
    return OK;
}

void identity_register_status(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, add_to_status, NULL, NULL, APR_HOOK_MIDDLE);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of metrics.def, for counting, summing and showing. */
#ifndef IDENTITY_METRICS_INT_H
#define IDENTITY_METRICS_INT_H

#include "call/call.h"

#define ROUTE(name, ...) ROUTE_##name,
enum {
#include "routes.def"
    ROUTE_UNKNOWN, /* requests that match no route */
    IDENTITY_OPERATIONS
};
#undef ROUTE

/* Statuses counted individually; the last slot is for all others. */
#define IDENTITY_STATUSES 21
extern const int identity_statuses[IDENTITY_STATUSES];
/* Upper bounds, inclusive, in microseconds; the last is open-ended. */
#define IDENTITY_TIMES 8
extern const apr_interval_time_t identity_times[IDENTITY_TIMES];

typedef enum { IDENTITY_COUNTER, IDENTITY_LEVEL, IDENTITY_GAUGE } identity_metric_kind_t;
typedef enum {
    IDENTITY_UNIT_NONE,
    IDENTITY_UNIT_BYTES,
    IDENTITY_UNIT_SECONDS,
    IDENTITY_UNIT_TIME
} identity_unit_t;

typedef struct identity_metric_family {
    const char *name, *help, *section;
    identity_metric_kind_t kind;
    identity_unit_t unit;
} identity_metric_family_t;
extern const identity_metric_family_t identity_families[];

/* Iterator over the metrics in table order; zeroed at first. */
typedef struct identity_metric_info {
    identity_metric_t metric;
    const identity_metric_family_t *family;
    bool first; /* in its family */
    const char *labels, *key, *title;
    int row, families; /* position of the iterator */
} identity_metric_info_t;
bool identity_metric_next(identity_metric_info_t *info);

typedef struct identity_request_metrics {
    apr_int64_t statuses[IDENTITY_STATUSES], times[IDENTITY_TIMES], microseconds;
} identity_request_metrics_t;

struct identity_metrics_snapshot {
    apr_int64_t metrics[IDENTITY_METRICS];
    bool known[IDENTITY_METRICS]; /* a GAUGE is unknown until it is set */
    bool open[IDENTITY_METRICS];  /* the value is a lower bound */
    identity_request_metrics_t requests[IDENTITY_OPERATIONS];
};

/* Name of the operation in routes.def, or unknown. */
const char *identity_operation_name(int operation);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Presentation of metrics. */
#ifndef IDENTITY_SERVICE_STATUS_H
#define IDENTITY_SERVICE_STATUS_H

#include "call/metrics.h"

/* A string builder. */
typedef struct identity_text {
    apr_pool_t *pool;
    apr_array_header_t *pieces; /* of const char * */
} identity_text_t;
void identity_text_add(identity_text_t *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *identity_text_whole(identity_text_t *text);
apr_int64_t identity_requests_sum(const identity_request_metrics_t *requests);

#endif

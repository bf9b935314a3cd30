/* SPDX-License-Identifier: Apache-2.0 */
/* The handler: passes the request to identity_serve and writes its answer. By then no database connection is held. */
#include <string.h>

#include "rctx.h"

APLOG_USE_MODULE(identity);

/* err_headers_out, since those are kept whatever happens later. */
static int set_header(void *r_, const char *name, const char *value)
{
    request_rec *r = r_;

    /* Where mod_deflate looks for it. */
    if (strcasecmp(name, "ETag") == 0)
        apr_table_setn(r->headers_out, name, value);
    else if (strcasecmp(name, "Set-Cookie") == 0)
        apr_table_addn(r->err_headers_out, name, value);
    else
        apr_table_setn(r->err_headers_out, name, value);
    return 1;
}

static int answer(request_rec *r, const identity_response_t *response)
{
    r->status = response->status;
    r->status_line = NULL;
    apr_table_do(set_header, r, response->headers, NULL);
    identity_cors_preflight(r, apr_table_get(response->headers, "Allow"));
    /* A part of an answer would not be JSON. */
    apr_table_unset(r->headers_in, "Range");
    apr_table_unset(r->headers_in, "If-Range");
    if (response->content_type)
        ap_set_content_type(r, response->content_type);
    if (!AP_STATUS_IS_HEADER_ONLY(r->status)) {
        ap_set_content_length(r, (apr_off_t)response->length);
        if (!r->header_only && response->length)
            ap_rwrite(response->body, (int)response->length, r);
    }
    return OK;
}

void identity_count_answer(const request_rec *r, identity_rctx_t *rctx, int route, int status)
{
    if (!rctx->api.counted)
        identity_metric_request(rctx->host->env.metrics, route, status,
                                apr_time_now() - r->request_time);
    rctx->api.counted = true;
}

int identity_handler(request_rec *r)
{
    identity_rctx_t *rctx = identity_rctx_claimed(r);
    identity_response_t response;

    if (!rctx)
        return DECLINED;
    if (!identity_stands_in(rctx, NULL))
        return identity_plain_error(r, rctx);
    if (!rctx->api.authenticated)
        identity_authenticate_inherited(r, rctx);
    identity_serve(r->pool, &rctx->host->env, rctx->api.in,
                   rctx->api.authenticated ? &rctx->authentication : NULL, &response);
    identity_body_drain(r, rctx);
    if (rctx->api.answered)
        return AP_FILTER_ERROR;
    if (!identity_stands_in(rctx, &response))
        return identity_plain_error(r, rctx);
    identity_count_answer(r, rctx, response.route, response.status);
    return answer(r, &response);
}

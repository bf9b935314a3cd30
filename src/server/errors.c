/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that httpd generates inside our locations are sent as our JSON: a filter in front of its error page drops
 * the page and writes the object. */
#include <util_filter.h>

#include "rctx.h"

APLOG_USE_MODULE(identity);

static ap_filter_rec_t *error_filter; /* set again whenever the module is loaded */

static int keep_header(void *r_, const char *name, const char *value)
{
    request_rec *r = r_;

    /* Another module's challenge is kept. */
    if (!apr_table_get(r->headers_out, name) && !apr_table_get(r->err_headers_out, name))
        apr_table_setn(r->headers_out, name, value);
    return 1;
}

static apr_status_t write_error(ap_filter_t *filter, apr_bucket_brigade *page)
{
    request_rec *r = filter->r;
    identity_rctx_t *rctx = identity_rctx_api(r);
    identity_response_t response;

    apr_brigade_cleanup(page);
    if (filter->ctx)
        return APR_SUCCESS; /* the rest of the page */
    filter->ctx = rctx;
    identity_serve_refused(r->pool, &rctx->host->env, rctx->api.in, &rctx->authentication,
                           r->status, &response);
    identity_count_answer(r, rctx, response.route, r->status);
    apr_table_unset(r->headers_in, "Range");
    /* For an error found by a filter, such as an invalid chunk, httpd has lost the headers by now. */
    apr_table_setn(r->headers_out, "X-REQUEST-ID", rctx->request_id);
    identity_cors_answer(r, r->headers_out);
    apr_table_do(keep_header, r, response.headers, NULL);
    ap_set_content_type(r, response.content_type);
    ap_set_content_length(r, (apr_off_t)response.length);
    apr_bucket_alloc_t *allocator = filter->c->bucket_alloc;
    if (response.length)
        APR_BRIGADE_INSERT_TAIL(
            page, apr_bucket_pool_create(response.body, response.length, r->pool, allocator));
    APR_BRIGADE_INSERT_TAIL(page, apr_bucket_eos_create(allocator));
    return ap_pass_brigade(filter->next, page);
}

void identity_register_error_filter(void)
{
    error_filter =
        ap_register_output_filter("IDENTITY_ERROR", write_error, NULL, AP_FTYPE_RESOURCE);
}

void identity_insert_error_filter(request_rec *r)
{
    const identity_rctx_t *rctx = identity_rctx_api(r);

    if (rctx && !rctx->api.plain_error && ap_is_HTTP_ERROR(r->status))
        ap_add_output_filter_handle(error_filter, NULL, r, r->connection);
}

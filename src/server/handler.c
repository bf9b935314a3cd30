/* The handler: hands the request to identity_serve and writes what it answers. No connection to the database is held by
 * then. */
#include <string.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

/* err_headers_out, since whatever happens behind this keeps those. */
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
    /* A part of an answer is no JSON. */
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

void identity_count_answer(const request_rec *r, identity_state_t *state, int route, int status)
{
    if (!state->counted)
        identity_metric_request(state->host->env.metrics, route, status, apr_time_now() - r->request_time);
    state->counted = true;
}

int identity_handle(request_rec *r)
{
    identity_state_t *state = identity_claimed(r);
    identity_response_t response;

    if (!state)
        return DECLINED;
    if (!identity_stands_in(state, NULL))
        return identity_plain_error(r, state);
    if (!state->authenticated)
        identity_authenticate_inherited(r, state);
    identity_serve(r->pool, &state->host->env, &state->request, state->authenticated ? &state->authentication : NULL,
                   &response);
    identity_body_drain(r, state);
    if (state->answered)
        return AP_FILTER_ERROR;
    if (!identity_stands_in(state, &response))
        return identity_plain_error(r, state);
    identity_count_answer(r, state, response.route, response.status);
    return answer(r, &response);
}

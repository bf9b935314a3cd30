/* SPDX-License-Identifier: Apache-2.0 */
/* Claims the URLs of the API before httpd looks for files, and assigns request ids. */
#include <string.h>

#include "rctx.h"

APLOG_USE_MODULE(identity);

static bool engine(const request_rec *r)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    return conf->engine && identity_conf(r->server)->host;
}

/* ---- the request as the operations see it ----------------------------------------------------------------------- */

const char *identity_header_in(const request_rec *r, const char *name)
{
    const char *value = apr_table_get(r->headers_in, name);
    return value && *value ? value : NULL;
}

static void describe(request_rec *r, identity_rctx_t *rctx)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    identity_request_t *in = rctx->api.in = apr_pcalloc(r->pool, sizeof *in);

    in->path = r->uri;
    in->query = r->args;
    in->headers = (identity_headers_t){
        .authorization = identity_header_sent(r, "Authorization"),
        .api_key = identity_header_sent(r, "X-API-KEY"),
        .cookie = identity_header_sent(r, "Cookie"),
        .content_type = identity_header_in(r, "Content-Type"),
        .platform_id = identity_header_in(r, "X-Platform-Id"),
        .resource_id = identity_header_in(r, "resource_id"),
        .user_agent = identity_header_in(r, "User-Agent"),
        .origin = identity_header_in(r, "Origin"),
        .fetch_site = identity_header_in(r, "Sec-Fetch-Site"),
        .if_match = identity_header_in(r, "If-Match"),
        .if_none_match = identity_header_in(r, "If-None-Match"),
        .api_version = identity_header_in(r, "Api-Version"),
        .accept_language = identity_header_in(r, "Accept-Language"),
        .idempotency_key = apr_table_get(r->headers_in, "Idempotency-Key"),
    };
    identity_describe_transport(r, in);
    identity_request_match(r->pool, in);
    identity_describe_stand_in(r, in);
    in->access_cookie = conf->cookie;
    in->origin_granted = identity_cors_granted(r);
    in->request_id = rctx->request_id;
    identity_body_announce(r, rctx);
}

/* ---- claiming --------------------------------------------------------------------------------------------------- */

/* An ErrorDocument of the server would replace what errors.c writes, or redirect the client. */
static void drop_error_documents(request_rec *r)
{
    static const int codes[] = {400, 401, 402, 403, 404, 405, 406, 407, 408, 409,
                                410, 411, 412, 413, 414, 415, 416, 417, 418, 421,
                                422, 423, 424, 425, 426, 428, 429, 431, 451, 500,
                                501, 502, 503, 504, 505, 506, 507, 508, 510, 511};
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    if (core->response_code_exprs)
        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
            ap_custom_response(r, codes[i], "-");
}

static identity_rctx_t *begin(request_rec *r)
{
    identity_rctx_t *rctx =
        identity_rctx_begin(r, identity_conf(r->server)->host, IDENTITY_RCTX_API);

    apr_table_setn(r->err_headers_out, "X-REQUEST-ID", rctx->request_id);
    identity_cors_answer(r, r->err_headers_out);
    /* A request for an error document may have to answer as if there were none (stand_in.c). */
    if (!r->prev || !ap_is_HTTP_ERROR(r->prev->status))
        drop_error_documents(r);
    return rctx;
}

/* ---- mailed links ----------------------------------------------------------------------------------------------- */

/* %23, possibly encoded once more: the start of a fragment that has become part of the path. */
static bool is_hash(const char *at)
{
    if (*at++ != '%')
        return false;
    while (strncmp(at, "25", 2) == 0)
        at += 2;
    return strncmp(at, "23", 2) == 0;
}

/* Some mail programs write %23 for the # of a link, so that its secret is in the request line. The request is still
 * one for the page, and the page finds the secret in the browser's address bar; here it is removed, before anything
 * that writes logs or variables has seen it (security 20). */
static void mend_link(request_rec *r)
{
    for (int kind = 0; kind < IDENTITY_MAIL_KINDS; kind++) {
        const char *page = identity_mail_kind_page((identity_mail_kind_t)kind);
        size_t length = page ? strlen(page) : 0;
        if (!page || strncmp(r->uri, page, length) != 0 || !is_hash(r->uri + length))
            continue;
        r->uri = apr_pstrdup(r->pool, page);
        r->parsed_uri.path = r->uri;
        r->unparsed_uri = apr_pstrcat(r->pool, page, "%23...", NULL);
        r->the_request =
            apr_pstrcat(r->pool, r->method, " ", r->unparsed_uri, " ", r->protocol, NULL);
        return;
    }
}

/* ---- hooks ------------------------------------------------------------------------------------------------------ */

/* Before httpd decodes the path: what it refuses while doing so (%2F) must already be ours to answer. */
int identity_pre_translate_name(request_rec *r)
{
    if (!engine(r))
        return DECLINED;
    mend_link(r);
    begin(r);
    return DECLINED;
}

int identity_translate_name(request_rec *r)
{
    if (r->proxyreq == PROXYREQ_PROXY)
        return DECLINED; /* a proxy request, not one to us */
    if (!engine(r)) {
        /* Once decoded, it may be a different path. */
        if (identity_rctx_api(r)) {
            identity_rctx_drop(r);
            apr_table_unset(r->err_headers_out, "X-REQUEST-ID");
            identity_cors_withdraw(r->err_headers_out);
        }
        return DECLINED;
    }
    identity_rctx_t *rctx = begin(r);
    describe(r, rctx);
    r->proxyreq = PROXYREQ_NONE;
    r->filename = apr_pstrcat(r->pool, IDENTITY_SCHEME, r->uri, NULL);
    return OK;
}

int identity_map_to_storage(request_rec *r)
{
    return identity_rctx_claimed(r) ? OK : DECLINED;
}

/* Otherwise mod_mime would derive a type, or a handler such as CGI, from the path's suffix. */
int identity_type_checker(request_rec *r)
{
    if (!identity_rctx_claimed(r))
        return DECLINED;
    r->handler = "identity";
    return OK;
}

int identity_generate_log_id(const conn_rec *c, const request_rec *r, const char **id)
{
    const identity_rctx_t *rctx = r ? identity_rctx(r) : NULL;

    (void)c;
    if (!rctx || !rctx->kind)
        return DECLINED;
    *id = rctx->request_id;
    return OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's identity for backends: environment, X-Identity-... headers. */
#include <string.h>

#include <apr_lib.h>

#include "rctx.h"

#define PREFIX "x-identity"

/* ---- headers of the client's own making (security 73) ----------------------------------------------------------- */

/* However a backend may read a name: CGI and its relatives map - to _, others any character. */
bool identity_header_ours(const char *name)
{
    size_t i = 0;

    for (; i < sizeof PREFIX - 1; i++) {
        char c = apr_isalnum(name[i]) ? (char)apr_tolower(name[i]) : '-';
        if (!name[i] || c != PREFIX[i])
            return false;
    }
    return !apr_isalnum(name[i]);
}

int identity_post_read_request(request_rec *r)
{
    if (!identity_conf(r->server)->forwards)
        return DECLINED;
    const apr_array_header_t *headers = apr_table_elts(r->headers_in);
    for (int i = 0; i < headers->nelts;) {
        const char *name = APR_ARRAY_IDX(headers, i, apr_table_entry_t).key;
        if (name && identity_header_ours(name))
            apr_table_unset(r->headers_in, name); /* the following ones move up */
        else
            i++;
    }
    return DECLINED;
}

/* ---- what the backend gets -------------------------------------------------------------------------------------- */

/* With Connection a client could make a proxy drop our headers (RFC 9110, 7.6.1). */
static void cut_connection(request_rec *r)
{
    const char *names = apr_table_get(r->headers_in, "Connection"), *left = "";

    while (names && *names) {
        const char *name = ap_get_token(r->pool, &names, 0);
        if (*name && !identity_header_ours(name))
            left = *left ? apr_pstrcat(r->pool, left, ", ", name, NULL) : name;
        names += strcspn(names, ",");
        names += *names == ',';
    }
    if (*left)
        apr_table_setn(r->headers_in, "Connection", left);
    else
        apr_table_unset(r->headers_in, "Connection");
}

static void tell_backend(request_rec *r, const identity_rctx_t *rctx)
{
    const identity_authentication_t *found = &rctx->authentication;
    const identity_principal_t *principal = found->principal;

    cut_connection(r);
    apr_table_setn(r->headers_in, "X-Identity-User-Id", principal->id);
    apr_table_setn(r->headers_in, "X-Identity-Username",
                   identity_remote_user(&rctx->host->settings, principal));
    apr_table_setn(r->headers_in, "X-Identity-Entity-Id", principal->entity_id);
    if (found->account_id)
        apr_table_setn(r->headers_in, "X-Identity-Account-Id", found->account_id);
}

/* mod_dir continues with another file after looking for an index. */
int identity_fixups_last(request_rec *r)
{
    if (!identity_rctx_claimed(r))
        identity_keep_credentials(r);
    return DECLINED;
}

int identity_fixups(request_rec *r)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    identity_rctx_t *rctx = identity_rctx_inherited(r);

    if (identity_rctx_claimed(r))
        return DECLINED;
    /* The values set before an internal redirect. */
    if (r->prev || r->main)
        identity_post_read_request(r);
    identity_keep_credentials(r);
    if (!rctx || !rctx->authentication.principal)
        return DECLINED;
    if (rctx != identity_rctx_protected(r))
        identity_environment(r, rctx);
    if (conf->forward_headers)
        tell_backend(r, rctx);
    /* Shared caches honour this for requests with Authorization, but not for other credentials; and mod_cache finds
     * the header gone. */
    if (!r->main && !apr_table_get(r->err_headers_out, "Cache-Control"))
        apr_table_setn(r->err_headers_out, "Cache-Control", "private");
    return DECLINED;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ErrorDocument 401 and 403 that name the sign-in page: which request it replaces, and for whom. People with a
 * browser see the page; programs, and everybody for any other error, get what httpd answers without an
 * ErrorDocument. The status is that of the first request, whatever happens to the page. */
#include <string.h>

#include "rctx.h"

APLOG_USE_MODULE(identity);

/* The request that httpd redirected here because of an error; NULL: r is a client's own. */
static request_rec *refused(const request_rec *r)
{
    return r->prev && ap_is_HTTP_ERROR(r->prev->status) ? r->prev : NULL;
}

/* As the client wrote it, from the first /; for a request in absolute form, the part after the authority. */
static const char *asked_for(const request_rec *r)
{
    while (r->prev)
        r = r->prev;
    const char *path = r->unparsed_uri, *authority = path ? strstr(path, "://") : NULL;
    if (path && *path == '/')
        return path;
    return authority ? strchr(authority + 3, '/') : NULL;
}

static bool takes_cookie(const request_rec *r)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    const char *type = ap_auth_type((request_rec *)r);

    return conf->cookie && type && strcasecmp(type, "Identity") == 0;
}

void identity_describe_stand_in(request_rec *r, identity_request_t *in)
{
    const request_rec *before = refused(r);

    in->headers.accept = identity_header_in(r, "Accept");
    in->headers.fetch_destination = identity_header_in(r, "Sec-Fetch-Dest");
    if (!before)
        return;
    in->stand_in = (identity_stand_in_t){.status = before->status,
                                         .path = asked_for(before),
                                         .user = before->user,
                                         .contact = r->server->server_admin,
                                         .cookie = takes_cookie(before)};
}

bool identity_stands_in(const identity_rctx_t *rctx, const identity_response_t *response)
{
    int status = rctx->api.in->stand_in.status;
    bool ours = status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN;

    return !status ||
           (ours && identity_wants_page(rctx->api.in) && (!response || response->status == status));
}

int identity_plain_error(request_rec *r, identity_rctx_t *rctx)
{
    const request_rec *before = refused(r);

    for (const char *const *name = (const char *const[]){"error-notes", "verbose-error-to", NULL};
         *name; name++)
        if (apr_table_get(before->notes, *name))
            apr_table_set(r->notes, *name, apr_table_get(before->notes, *name));
    rctx->api.plain_error = true; /* errors.c leaves it unchanged */
    apr_table_unset(r->err_headers_out, "X-REQUEST-ID");
    r->status = before->status;
    r->status_line = NULL;
    ap_send_error_response(r, 0);
    return DONE;
}

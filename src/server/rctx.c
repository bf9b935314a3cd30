/* SPDX-License-Identifier: Apache-2.0 */
/* The request context: per-request state, and what one request inherits from another. */
#include <string.h>

#include "rctx.h"

/* The maximum length of IDENTITY_PERMISSIONS: the environment of a process is limited. */
#define PERMISSIONS_MAX 8192

identity_rctx_t *identity_rctx(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &identity_module);
}

identity_rctx_t *identity_rctx_make(request_rec *r)
{
    identity_rctx_t *rctx = identity_rctx(r);

    if (!rctx) {
        rctx = apr_pcalloc(r->pool, sizeof *rctx);
        ap_set_module_config(r->request_config, &identity_module, rctx);
    }
    return rctx;
}

/* ---- kinds ------------------------------------------------------------------------------------------------------ */

static const char *request_id(const request_rec *r, const identity_host_t *host)
{
    for (const request_rec *from = r; from; from = identity_request_before(from)) {
        const identity_rctx_t *rctx = identity_rctx(from);
        if (rctx && rctx->request_id)
            return rctx->request_id;
    }
    return identity_request_id(r->pool, &host->env);
}

identity_rctx_t *identity_rctx_begin(request_rec *r, identity_host_t *host,
                                     identity_rctx_kind_t kind)
{
    identity_rctx_t *rctx = identity_rctx_make(r);

    if (rctx->kind != kind) {
        rctx->kind = kind;
        rctx->host = host;
        rctx->request_id = request_id(r, host);
        apr_table_setn(r->subprocess_env, "IDENTITY_REQUEST_ID", rctx->request_id);
    }
    return rctx;
}

void identity_rctx_drop(request_rec *r)
{
    identity_rctx_t *rctx = identity_rctx(r);

    rctx->kind = IDENTITY_RCTX_NONE;
    rctx->request_id = NULL;
    apr_table_unset(r->subprocess_env, "IDENTITY_REQUEST_ID");
}

static identity_rctx_t *of_kind(const request_rec *r, identity_rctx_kind_t kind)
{
    identity_rctx_t *rctx = identity_rctx(r);
    return rctx && rctx->kind == kind ? rctx : NULL;
}

identity_rctx_t *identity_rctx_api(const request_rec *r)
{
    return of_kind(r, IDENTITY_RCTX_API);
}

identity_rctx_t *identity_rctx_protected(const request_rec *r)
{
    return of_kind(r, IDENTITY_RCTX_PROTECTED);
}

identity_rctx_t *identity_rctx_claimed(const request_rec *r)
{
    identity_rctx_t *rctx = identity_rctx_api(r);
    /* A module after us (mod_rewrite in the same <Location>) may have redirected it. */
    bool ours = rctx && rctx->api.in && r->filename &&
                strncmp(r->filename, IDENTITY_SCHEME, strlen(IDENTITY_SCHEME)) == 0;
    return ours ? rctx : NULL;
}

/* ---- requests that come from requests --------------------------------------------------------------------------- */

const request_rec *identity_request_before(const request_rec *r)
{
    return r->prev ? r->prev : r->main;
}

const request_rec *identity_request_inherits(const request_rec *r)
{
    return r->prev && r->prev->per_dir_config == r->per_dir_config   ? r->prev
           : r->main && r->main->per_dir_config == r->per_dir_config ? r->main
                                                                     : NULL;
}

identity_rctx_t *identity_rctx_inherited(const request_rec *r)
{
    const request_rec *from = identity_request_inherits(r);
    identity_rctx_t *own = identity_rctx_protected(r);

    return own ? own : from ? identity_rctx_inherited(from) : NULL;
}

identity_rctx_t *identity_rctx_shown(const request_rec *r)
{
    for (const request_rec *from = identity_request_before(r); from;
         from = identity_request_before(from)) {
        identity_rctx_t *rctx = identity_rctx_protected(from);
        if (rctx && rctx->authentication.credential)
            return rctx;
    }
    return NULL;
}

/* ---- who it is -------------------------------------------------------------------------------------------------- */

const identity_principal_t *identity_caller(const request_rec *r, const char **account_id)
{
    const identity_rctx_t *rctx = identity_rctx_claimed(r);

    if (!rctx)
        rctx = identity_rctx_protected(r);
    *account_id = rctx ? rctx->authentication.account_id : NULL;
    return rctx && !rctx->authentication.refused ? rctx->authentication.principal : NULL;
}

void identity_environment(request_rec *r, const identity_rctx_t *rctx)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    const identity_authentication_t *found = &rctx->authentication;
    const identity_principal_t *principal = found->principal;
    apr_table_t *env = r->subprocess_env;

    apr_table_setn(env, "IDENTITY_USER_ID", principal->id);
    apr_table_setn(env, "IDENTITY_USERNAME",
                   identity_remote_user(&rctx->host->settings, principal));
    apr_table_setn(env, "IDENTITY_ENTITY_ID", principal->entity_id);
    apr_table_setn(env, "IDENTITY_AUTH", found->method ? found->method : principal->method);
    apr_table_setn(env, "IDENTITY_REQUEST_ID", rctx->request_id);
    if (found->account_id)
        apr_table_setn(env, "IDENTITY_ACCOUNT_ID", found->account_id);
    if (rctx->kind == IDENTITY_RCTX_PROTECTED && conf->env_permissions)
        apr_table_setn(
            env, "IDENTITY_PERMISSIONS",
            identity_permission_list(r->pool, principal, found->account_id, PERMISSIONS_MAX));
}

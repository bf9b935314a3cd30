/* SPDX-License-Identifier: Apache-2.0 */
/* httpd's authentication phase for our locations.
 *
 * httpd evaluates its access rules twice: without a user (access_checker_ex), and, if they require one or force_authn
 * says so, with one. Our force_authn always does; that httpd calls it at all means that the rules already admit the
 * request. If it was not called, they require a user: then an unauthenticated caller is refused here, since `Require
 * valid-user` would accept the name "-".
 */
#include <string.h>

#include "rctx.h"

APLOG_USE_MODULE(identity);

#define NOBODY "-"

int identity_force_authn(request_rec *r)
{
    identity_rctx_t *rctx = identity_rctx_claimed(r);

    if (!rctx)
        return DECLINED;
    rctx->api.open = true;
    return OK;
}

/* Another module's AuthType, such as Basic, is in charge: it gets the Authorization header, unless that holds one of
 * our credentials. */
static bool foreign(request_rec *r, const identity_rctx_t *rctx)
{
    const char *type = ap_auth_type(r);
    return !rctx->api.open && type && strcasecmp(type, "Identity") != 0;
}

static void hide_foreign(identity_rctx_t *rctx)
{
    const char *authorization = rctx->api.in->headers.authorization;

    if (authorization && strncasecmp(authorization, "Bearer ", 7) != 0 &&
        strncasecmp(authorization, "ApiKey ", 7) != 0)
        rctx->api.in->headers.authorization = NULL;
}

static void authenticate(request_rec *r, identity_rctx_t *rctx)
{
    identity_authenticate(r->pool, &rctx->host->env, rctx->api.in, &rctx->authentication);
    rctx->api.authenticated = true;
    if (rctx->authentication.principal && !rctx->authentication.refused)
        identity_environment(r, rctx);
}

int identity_check_authn(request_rec *r)
{
    identity_rctx_t *rctx = identity_rctx_claimed(r);

    if (!rctx)
        return identity_protect_authn(r);
    bool other = foreign(r, rctx);
    if (other)
        hide_foreign(rctx);
    authenticate(r, rctx);
    if (other)
        return DECLINED;
    const identity_principal_t *principal =
        rctx->authentication.refused ? NULL : rctx->authentication.principal;
    const char *user = principal ? identity_remote_user(&rctx->host->settings, principal) : NULL;
    r->user = apr_pstrdup(r->pool, user && *user ? user : NOBODY);
    r->ap_auth_type = "Identity";
    return OK;
}

/* One of the public operations, inside a location that requires a user: httpd's access rules have determined that
 * nothing but a user is missing (Require ip, all denied and the like refuse earlier). */
static bool way_in(request_rec *r, const identity_rctx_t *rctx)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    const char *type = ap_auth_type(r);

    if (!type || strcasecmp(type, "Identity") != 0 || !identity_request_open(rctx->api.in))
        return false;
    if (!conf->public_calls)
        ap_log_rerror(
            APLOG_MARK, APLOG_INFO, 0, r,
            "ID0562: %s needs no credential, but this location requires a user (IdentityPublicCalls Off)",
            r->uri);
    return conf->public_calls;
}

int identity_check_authz(request_rec *r)
{
    const identity_rctx_t *rctx = identity_rctx_claimed(r);

    if (!rctx)
        return identity_protect_authz(r);
    if (!rctx->api.authenticated || rctx->api.open || foreign(r, rctx))
        return DECLINED;
    if (way_in(r, rctx))
        return OK;
    if (rctx->authentication.refused)
        return identity_problem_status(rctx->authentication.problem.kind);
    return rctx->authentication.principal ? DECLINED : HTTP_UNAUTHORIZED;
}

void identity_authenticate_inherited(request_rec *r, identity_rctx_t *rctx)
{
    const request_rec *before = identity_request_inherits(r);
    const identity_rctx_t *its = before ? identity_rctx_api(before) : NULL;

    /* The result for the other path may be more or less than this one requires. */
    if (its && its->api.authenticated)
        authenticate(r, rctx);
}

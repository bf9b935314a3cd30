/* SPDX-License-Identifier: Apache-2.0 */
/* AuthType Identity: authentication and authorization outside the API (conf/README.md).
 *
 * httpd checks credentials (check_authn) and then rights (check_authz). In the second phase mod_authz_core answers 401
 * whenever something is missing, even to authenticated callers, so our hook runs the other hooks of that phase and
 * corrects this: 403 for authenticated callers. In the first phase our hook runs the hooks of another AuthType for the
 * sake of AuthBasicProvider identity: an authentication provider can report no more than "wrong" or "500".
 *
 * Internal redirects and subrequests into another configuration are checked again, and by then credential.c has removed
 * the credential: the result for the request that the client sent is used.
 */
#include <string.h>

#include <mod_auth.h>

#include "rctx.h"

APLOG_USE_MODULE(identity);

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static const char *realm(request_rec *r)
{
    const char *name = ap_auth_name(r); /* quotes already escaped */
    return name ? name : IDENTITY_REALM;
}

static bool by_bearer(const identity_rctx_t *rctx)
{
    return rctx->authentication.method && strcmp(rctx->authentication.method, "bearer") == 0;
}

static void add_challenge(request_rec *r, const char *text)
{
    apr_table_addn(r->err_headers_out, "WWW-Authenticate", text);
}

static void add_bearer(request_rec *r, const char *error, const char *name, const char *value)
{
    add_challenge(r, identity_challenge_bearer(r->pool, realm(r), error, name, value));
}

void identity_challenge(request_rec *r, const identity_rctx_t *rctx)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);

    apr_table_unset(r->err_headers_out, "WWW-Authenticate");
    add_bearer(r,
               rctx ? identity_authentication_error(&rctx->authentication, by_bearer(rctx)) : NULL,
               NULL, NULL);
    if (conf->basic_keys)
        add_challenge(r, identity_challenge_basic(r->pool, realm(r)));
}

int identity_note_auth_failure(request_rec *r, const char *type)
{
    const identity_rctx_t *rctx = identity_rctx_protected(r);

    if (rctx && rctx->location.nested && rctx->authentication.principal)
        return OK; /* an authenticated caller is not asked again */
    /* The API writes its own challenge into its answers. */
    if (!type || strcasecmp(type, "Identity") != 0 || identity_rctx_claimed(r))
        return DECLINED;
    identity_challenge(r, rctx);
    return OK;
}

static void count(const identity_rctx_t *rctx, int status)
{
    identity_metric_add(rctx->host->env.metrics,
                        identity_metric_protected(rctx->authentication.method, status), 1);
}

static int refuse(request_rec *r, const identity_rctx_t *rctx)
{
    const identity_problem_t *problem = &rctx->authentication.problem;
    int status = identity_problem_status(problem->kind);
    const char *retry_after = identity_retry_after(r->pool, problem, status);

    if (status == HTTP_UNAUTHORIZED || status == HTTP_BAD_REQUEST)
        identity_challenge(r, rctx);
    if (retry_after)
        apr_table_setn(r->err_headers_out, "Retry-After", retry_after);
    ap_log_rerror(APLOG_MARK, status >= 500 ? APLOG_ERR : APLOG_INFO, 0, r,
                  "ID0591: %s: answered %d: %s [%s]", r->uri, status,
                  problem->message ? problem->message : "", rctx->request_id);
    count(rctx, status);
    return status;
}

/* ---- authentication --------------------------------------------------------------------------------------------- */

static void identify(request_rec *r, identity_rctx_t *rctx)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    const identity_accepts_t accepts = {.basic_keys = conf->basic_keys, .cookie = conf->cookie};
    identity_request_t in = {.path = r->uri, .request_id = rctx->request_id};

    identity_describe_transport(r, &in);
    in.headers.authorization = identity_header_sent(r, "Authorization");
    in.headers.api_key = identity_header_sent(r, "X-API-KEY");
    in.headers.platform_id = identity_header_in(r, "X-Platform-Id");
    if (conf->cookie) {
        in.headers.cookie = identity_header_sent(r, "Cookie");
        in.headers.origin = identity_header_in(r, "Origin");
        in.headers.fetch_site = identity_header_in(r, "Sec-Fetch-Site");
        in.upgrade = identity_header_in(r, "Upgrade") != NULL;
    }
    identity_identify(r->pool, &rctx->host->env, &in, &accepts, &rctx->authentication);
}

/* Is the earlier result valid here, too? */
static bool found_before(const request_rec *r, identity_rctx_t *rctx)
{
    const identity_directory_conf_t *conf =
        ap_get_module_config(r->per_dir_config, &identity_module);
    const identity_rctx_t *before = identity_rctx_shown(r);
    const char *method =
        before && before->authentication.principal ? before->authentication.method : NULL;

    if (!method || (strcmp(method, "basic") == 0 && !conf->basic_keys) ||
        (strcmp(method, "cookie") == 0 && !conf->cookie))
        return false;
    rctx->authentication = before->authentication;
    return true;
}

void identity_location_granted(request_rec *r, const identity_rctx_t *rctx)
{
    r->user = apr_pstrdup(
        r->pool, identity_remote_user(&rctx->host->settings, rctx->authentication.principal));
    identity_environment(r, rctx);
}

static identity_host_t *host_of(request_rec *r)
{
    identity_host_t *host = identity_conf(r->server)->host;

    if (!host)
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            "ID0592: this location requires identities, but mod_identity is not active on this server: put "
            "AuthType Identity or IdentityEngine into its configuration, not only into .htaccess");
    return host;
}

static int authenticate(request_rec *r)
{
    identity_host_t *host = host_of(r);

    if (!host)
        return HTTP_INTERNAL_SERVER_ERROR;
    if (r->proxyreq == PROXYREQ_PROXY) {
        /* Its credential is Proxy-Authorization; Authorization is for the site behind it. */
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "ID0593: AuthType Identity cannot protect a forward proxy");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    identity_rctx_t *rctx = identity_rctx_begin(r, host, IDENTITY_RCTX_PROTECTED);
    if (!found_before(r, rctx))
        identify(r, rctx);
    if (rctx->authentication.refused)
        return refuse(r, rctx);
    r->ap_auth_type = "Identity";
    identity_location_granted(r, rctx);
    return OK;
}

/* Another AuthType, which may use our providers. */
static int run_others(request_rec *r)
{
    identity_host_t *host = identity_conf(r->server)->host;

    if (!host)
        return DECLINED;
    identity_rctx_t *rctx = identity_rctx_begin(r, host, IDENTITY_RCTX_PROTECTED);
    const char *authorization = identity_header_sent(r, "Authorization");
    if (rctx->location.nested)
        return DECLINED;
    if (authorization && !identity_header_in(r, "Authorization"))
        apr_table_setn(r->headers_in, "Authorization", authorization);
    rctx->location.nested = true;
    int status = ap_run_check_user_id(r);
    rctx->location.nested = false;
    if (status == OK || !rctx->authentication.refused)
        return status;
    return rctx->authentication.problem.kind == IDENTITY_PROBLEM_UNAUTHORISED
               ? (count(rctx, HTTP_UNAUTHORIZED), status)
               : refuse(r, rctx);
}

int identity_protect_authn(request_rec *r)
{
    const char *type = ap_auth_type(r);

    if (!type)
        return DECLINED;
    return strcasecmp(type, "Identity") == 0 ? authenticate(r) : run_others(r);
}

/* ---- authorisation ---------------------------------------------------------------------------------------------- */

/* RFC 9470: signing in again would help, so this is a 401, although the credential is valid; not for a key, which
 * never signs in. */
static bool too_old(const identity_rctx_t *rctx)
{
    return rctx->location.fresh && !rctx->location.lacking &&
           rctx->authentication.principal->authenticated_at;
}

/* httpd may evaluate a line twice. */
static bool asked_before(const apr_array_header_t *answers, int index)
{
    for (int i = 0; i < index; i++)
        if (APR_ARRAY_IDX(answers, i, identity_answered_t).line ==
            APR_ARRAY_IDX(answers, index, identity_answered_t).line)
            return true;
    return false;
}

static void log_lacking(request_rec *r, const identity_rctx_t *rctx)
{
    const char *text = "";

    if (!APLOG_R_IS_LEVEL(r, APLOG_INFO))
        return;
    for (int i = 0; rctx->location.answers && i < rctx->location.answers->nelts; i++) {
        const char *lacks = asked_before(rctx->location.answers, i)
                                ? NULL
                                : identity_answer_lacks(r->pool, rctx,
                                                        &APR_ARRAY_IDX(rctx->location.answers, i,
                                                                       identity_answered_t));
        if (lacks)
            text = apr_pstrcat(r->pool, text, *text ? "; " : "", lacks, NULL);
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "ID0563: %s: %s is denied access: %s [%s]", r->uri,
                  r->user, *text ? text : "not because of a 'Require identity-...' line",
                  rctx->request_id);
}

static int lacking(request_rec *r, const identity_rctx_t *rctx)
{
    log_lacking(r, rctx);
    if (too_old(rctx)) {
        add_bearer(r, "insufficient_user_authentication", "max_age",
                   apr_psprintf(r->pool, "%u", rctx->location.fresh));
        return HTTP_UNAUTHORIZED;
    }
    if (by_bearer(rctx) && rctx->location.scope)
        add_bearer(r, "insufficient_scope", "scope", rctx->location.scope);
    return HTTP_FORBIDDEN;
}

int identity_protect_authz(request_rec *r)
{
    identity_rctx_t *rctx = identity_rctx_protected(r);

    if (!rctx || rctx->location.nested)
        return DECLINED;
    rctx->location.nested = true;
    int status = ap_run_auth_checker(r);
    rctx->location.nested = false;
    if (!rctx->authentication.principal) {
        /* A user authenticated by another provider: asking again would not help. */
        if (status != HTTP_UNAUTHORIZED || !rctx->location.foreign)
            return status;
        apr_table_unset(r->err_headers_out, "WWW-Authenticate");
        return HTTP_FORBIDDEN;
    }
    if (status == HTTP_UNAUTHORIZED)
        status = lacking(r, rctx);
    if (status != DECLINED)
        count(rctx, status);
    return status;
}

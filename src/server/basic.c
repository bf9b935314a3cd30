/* SPDX-License-Identifier: Apache-2.0 */
/* AuthBasicProvider identity: verifies user name and password, by the rules of a login. */
#include <mod_auth.h>

#include "rctx.h"

APLOG_USE_MODULE(identity);

/* Errors other than a wrong password are reported by protect.c, which runs mod_auth_basic. Unknown users are
 * refused, not left to another provider (security 65). */
static authn_status check_password(request_rec *r, const char *user, const char *password)
{
    identity_rctx_t *rctx = identity_rctx_protected(r);
    identity_request_t in = {.path = r->uri};

    if (!rctx) {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            "ID0594: AuthBasicProvider identity: mod_identity is not active on this server");
        return AUTH_GENERAL_ERROR;
    }
    in.request_id = rctx->request_id;
    identity_describe_transport(r, &in);
    in.headers.platform_id = identity_header_in(r, "X-Platform-Id");
    in.headers.cookie = identity_header_sent(r, "Cookie");
    identity_identify_password(r->pool, &rctx->host->env, &in, user, password,
                               &rctx->authentication);
    if (rctx->authentication.refused)
        return rctx->authentication.problem.kind == IDENTITY_PROBLEM_UNAUTHORISED
                   ? AUTH_DENIED
                   : AUTH_GENERAL_ERROR;
    identity_location_granted(r, rctx);
    return AUTH_GRANTED;
}

static const authn_provider provider = {.check_password = check_password};

void identity_register_basic(apr_pool_t *pool)
{
    ap_register_auth_provider(pool, AUTHN_PROVIDER_GROUP, "identity", AUTHN_PROVIDER_VERSION,
                              &provider, AP_AUTH_INTERNAL_PER_CONF);
}

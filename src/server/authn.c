/* httpd's authentication phase for our locations.
 *
 * httpd asks its access rules twice: without a user (access_checker_ex), and, where they want one or force_authn says
 * so, with one. force_authn always says so; that httpd calls it at all means that the rules already let the request in.
 * If it was not called, they want to know who it is: then a caller of whom nothing is known is refused here, since to
 * `Require valid-user` the name "-" would be one.
 */
#include <string.h>

#include "server_int.h"

APLOG_USE_MODULE(identity);

#define NOBODY "-"

int identity_force_authn(request_rec *r)
{
    identity_state_t *state = identity_claimed(r);

    if (!state)
        return DECLINED;
    state->open = true;
    return OK;
}

/* Another module's AuthType in front, such as Basic: it has the Authorization header, unless that speaks of us. */
static bool foreign(request_rec *r, const identity_state_t *state)
{
    const char *type = ap_auth_type(r);
    return !state->open && type && strcasecmp(type, "Identity") != 0;
}

static void hide_foreign(identity_state_t *state)
{
    const char *authorization = state->request.headers.authorization;

    if (authorization && strncasecmp(authorization, "Bearer ", 7) != 0 && strncasecmp(authorization, "ApiKey ", 7) != 0)
        state->request.headers.authorization = NULL;
}

static void authenticate(request_rec *r, identity_state_t *state)
{
    identity_authenticate(r->pool, &state->host->env, &state->request, &state->authentication);
    state->authenticated = true;
    const identity_principal_t *who = state->authentication.refused ? NULL : state->authentication.principal;
    if (!who)
        return;
    apr_table_setn(r->subprocess_env, "IDENTITY_USER_ID", who->id);
    apr_table_setn(r->subprocess_env, "IDENTITY_USERNAME", identity_remote_user(&state->host->settings, who));
    apr_table_setn(r->subprocess_env, "IDENTITY_ENTITY_ID", who->entity_id);
    apr_table_setn(r->subprocess_env, "IDENTITY_AUTH", who->method);
}

int identity_check_authn(request_rec *r)
{
    identity_state_t *state = identity_claimed(r);

    if (!state)
        return identity_protect_authn(r);
    bool other = foreign(r, state);
    if (other)
        hide_foreign(state);
    authenticate(r, state);
    if (other)
        return DECLINED;
    const identity_principal_t *who = state->authentication.refused ? NULL : state->authentication.principal;
    const char *user = who ? identity_remote_user(&state->host->settings, who) : NULL;
    r->user = apr_pstrdup(r->pool, user && *user ? user : NOBODY);
    r->ap_auth_type = "Identity";
    return OK;
}

/* A call by which people come in, inside a location that asks who they are: httpd's access rules have said by now that
 * a user is all that is missing (Require ip, all denied and their like refuse before that). */
static bool way_in(request_rec *r)
{
    const identity_directory_conf_t *conf = ap_get_module_config(r->per_dir_config, &identity_module);
    const char *type = ap_auth_type(r);

    if (!type || strcasecmp(type, "Identity") != 0 || !identity_route_open(r->pool, r->method, r->uri))
        return false;
    if (!conf->public_calls)
        ap_log_rerror(
            APLOG_MARK, APLOG_INFO, 0, r,
            "ID0562: %s needs no credential of its own, but a user is asked for here (IdentityPublicCalls Off)",
            r->uri);
    return conf->public_calls;
}

int identity_check_authz(request_rec *r)
{
    const identity_state_t *state = identity_claimed(r);

    if (!state)
        return identity_protect_authz(r);
    if (!state->authenticated || state->open || foreign(r, state))
        return DECLINED;
    if (way_in(r))
        return OK;
    if (state->authentication.refused)
        return identity_problem_status(state->authentication.problem.kind);
    return state->authentication.principal ? DECLINED : HTTP_UNAUTHORIZED;
}

void identity_authenticate_inherited(request_rec *r, identity_state_t *state)
{
    const request_rec *before = identity_request_inherits(r);
    const identity_state_t *its = before ? identity_state(before) : NULL;

    /* What was found for the other path may say less or more than what this one asks for. */
    if (its && its->authenticated)
        authenticate(r, state);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The entry point: match, authenticate, permit, read and validate the body, handle, answer. */
#include <string.h>

#include "oauth/oauth.h"
#include "routes.h"

const char *identity_request_id(apr_pool_t *pool, const identity_env_t *env)
{
    const char *id = identity_id_make(pool, "reqr", env->now(env->context),
                                      env->labels.fill ? &env->labels : &env->random);
    return id ? id : "reqr_00000000000000000000";
}

/* A first path segment such as v2 or vx. */
static bool other_version(const char *path)
{
    return path[0] == '/' && path[1] == 'v' && !(strcspn(path + 1, "/") == 2 && path[2] == '1');
}

static bool content_is(const identity_call_t *call, const char *wanted)
{
    const char *type = call->in->headers.content_type;
    size_t length = type ? strcspn(type, "; \t") : 0;
    return length == strlen(wanted) && strncasecmp(type, wanted, length) == 0;
}

/* Is it a form where forms are accepted, or a standard operation without a body? Determined before anything is
 * refused. */
static bool standard(const identity_call_t *call)
{
    const identity_route_t *route = call->route;
    return route->form && (!route->body || content_is(call, "application/x-www-form-urlencoded"));
}

static bool adopt(identity_call_t *call)
{
    const identity_match_t *match = &call->in->match;

    if (match->kind == IDENTITY_MATCH_PATH) {
        identity_header(call, "Allow", match->allow);
        if (strcmp(call->in->method, "OPTIONS") == 0)
            return identity_answer_empty(call, 204);
        return identity_deny(call, IDENTITY_PROBLEM_METHOD, NULL,
                             "This resource does not support this method.");
    }
    if (match->kind == IDENTITY_MATCH_NOTHING && other_version(call->in->path))
        return identity_deny(call, IDENTITY_PROBLEM_VERSION, NULL,
                             "This version of the API is not supported; use /v1.");
    if (match->kind == IDENTITY_MATCH_NOTHING)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL,
                             "There is no resource at this path.");
    call->route = match->route;
    call->id = match->ids[0];
    call->inner_id = match->ids[1];
    call->out->operation = call->route->operation;
    call->out->route = (int)(call->route - identity_routes);
    call->standard = standard(call);
    return true;
}

/* The account named in the query, if the operation has that parameter: the permission is checked there. NULL for a
 * malformed query, which is refused later. */
static const char *account_asked(identity_call_t *call)
{
    const char *known = identity_route_query(call->route);
    identity_problem_t ignored = {.kind = IDENTITY_PROBLEM_NONE};
    apr_table_t *query;

    if (!known || strncmp(known, "account ", 8) != 0 ||
        !identity_query_parse(call->pool, call->in->query, &query, &ignored))
        return NULL;
    return apr_table_get(query, "account");
}

static bool permit(identity_call_t *call, const identity_authentication_t *authentication)
{
    const identity_route_t *route = call->route;

    if (authentication && authentication->refused) {
        call->problem = authentication->problem;
        return false;
    }
    call->principal = authentication ? authentication->principal : NULL;
    if (!identity_ratelimit_enter(call))
        return false;
    if (call->principal && call->principal->key_id && !identity_route_of_personal_key(route))
        return identity_deny(
            call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
            "A personal key cannot create keys or change credentials: sign in to do this.");
    if (route->credential != IDENTITY_CREDENTIAL_REQUIRED)
        return true;
    if (!call->principal)
        return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL, NULL);
    call->account_asked = account_asked(call);
    if (!identity_permissions_select(call))
        return false;
    return identity_permission_held(call);
}

/* Required by one interface only; the others have the version in the path. */
static bool version_fits(identity_call_t *call)
{
    const char *version = call->in->headers.api_version;

    return !call->route->invitations || !version || strcmp(version, "v1") == 0 ||
           identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "Api-Version",
                         "This version of the API is not supported; use v1.");
}

static bool id_valid(const char *id, const char *prefix)
{
    return strcmp(prefix, "invitation") == 0   ? identity_invitation_id_valid(id)
           : strcmp(prefix, "permission") == 0 ? identity_permission_valid(id)
                                               : identity_id_valid(id, prefix);
}

/* A malformed id gets the same 404 as an unknown one. */
static bool path_ids(identity_call_t *call)
{
    const char *ids[] = {call->id, call->inner_id}, *at = call->route->pattern;

    for (int i = 0; i < IDENTITY_PATH_IDS && ids[i]; i++) {
        at = strchr(at, '{') + 1;
        const char *prefix = apr_pstrmemdup(call->pool, at, strcspn(at, "}"));
        if (!id_valid(ids[i], prefix))
            return identity_deny(call,
                                 strcmp(prefix, "user") == 0 ? IDENTITY_PROBLEM_USER_NOT_FOUND
                                                             : IDENTITY_PROBLEM_NOT_FOUND,
                                 NULL, NULL);
    }
    return true;
}

static bool query(identity_call_t *call)
{
    const char *known = identity_route_query(call->route);

    return identity_query_parse(call->pool, call->in->query, &call->query, &call->problem) &&
           (!known || identity_query_known(call->pool, call->query, known, &call->problem));
}

static bool content_fits(identity_call_t *call)
{
    const identity_route_t *route = call->route;

    if (!call->in->has_body)
        return identity_deny(call, IDENTITY_PROBLEM_BAD_REQUEST, NULL,
                             "The request body is missing: a %s is required.",
                             call->standard ? "form" : "JSON object");
    if (call->standard ? content_is(call, "application/x-www-form-urlencoded")
                       : content_is(call, "application/json"))
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_MEDIA_TYPE, NULL,
                         "The request body must have the Content-Type %s%s.",
                         route->body ? "application/json" : "application/x-www-form-urlencoded",
                         route->body && route->form ? " or application/x-www-form-urlencoded" : "");
}

/* jansson frees its copies without wiping them: they are overwritten in place just before (security 18). */
static void wipe_secrets_later(identity_call_t *call, const identity_field_t *table)
{
    for (const identity_field_t *field = table; field->name; field++) {
        json_t *value = json_object_get(call->body, field->name);
        if ((field->flags & IDENTITY_FIELD_SECRET) && json_is_string(value))
            identity_wipe_with_pool(call->pool, (char *)json_string_value(value));
    }
}

static bool parse_body(identity_call_t *call, const identity_field_t *table, char *text,
                       size_t length)
{
    if (call->in->headers.idempotency_key)
        call->body_digest = identity_sha256_hex(call->pool, text, length);
    call->body = call->standard ? identity_form_parse(call->pool, text, length, &call->problem)
                                : identity_json_parse(call->pool, text, length, &call->problem);
    identity_wipe(text, length);
    if (call->body)
        wipe_secrets_later(call, table);
    return call->body && identity_fields_check(call->pool, call->body, table, &call->problem);
}

/* If the body is optional, an empty one counts as absent; with chunked encoding this is known only at its end. */
static bool body(identity_call_t *call)
{
    const identity_request_t *in = call->in;
    const identity_field_t *table = call->standard ? call->route->form : call->route->body;
    bool optional = call->route->body_optional;
    char *text = NULL;
    size_t length = 0;

    if (!table)
        return true;
    if (!optional && !content_fits(call))
        return false;
    identity_problem_kind_t fault =
        in->has_body ? in->read_body(in->body_context, call->pool, call->env->settings->max_body,
                                     &text, &length)
                     : IDENTITY_PROBLEM_NONE;
    if (fault == IDENTITY_PROBLEM_MEDIA_TYPE) {
        identity_header(call, "Accept-Encoding", "identity"); /* RFC 9110, 15.5.16 */
        return identity_deny(call, fault, NULL,
                             "The request body must be sent without a Content-Encoding.");
    }
    if (fault != IDENTITY_PROBLEM_NONE)
        return identity_deny(call, fault, NULL, NULL);
    if (optional && length == 0) {
        call->body = identity_json_own(call->pool, json_object());
        return true;
    }
    return (!optional || content_fits(call)) && parse_body(call, table, text, length);
}

const char *identity_authentication_error(const identity_authentication_t *found, bool bearer)
{
    return found && found->ambiguous              ? "invalid_request"
           : found && found->credential && bearer ? "invalid_token"
                                                  : NULL;
}

static void challenge(identity_call_t *call, const identity_authentication_t *authentication)
{
    bool bearer = call->in->headers.authorization &&
                  strncasecmp(call->in->headers.authorization, "Bearer ", 7) == 0;
    const char *error = identity_authentication_error(authentication, bearer), *scope = NULL;

    if (call->problem.kind != IDENTITY_PROBLEM_UNAUTHORISED && bearer && call->lacking) {
        error = "insufficient_scope";
        scope = call->lacking;
    } else if (call->problem.kind != IDENTITY_PROBLEM_UNAUTHORISED &&
               !(authentication && authentication->ambiguous)) {
        return;
    }
    identity_header(call, "WWW-Authenticate",
                    identity_challenge_bearer(call->pool, IDENTITY_REALM, error,
                                              scope ? "scope" : NULL, scope));
}

/* Which object of the path was not found; with its id as requested, even if malformed. */
static void name_resource(identity_call_t *call)
{
    static const struct {
        const char *prefix, *type;
    } types[] = {{"{user}", "USER"},
                 {"{memb}", "MEMBERSHIP"},
                 {"{role}", "ROLE"},
                 {"{team}", "TEAM"},
                 {"{apik}", "API_KEY"},
                 {"{auth}", "AUTHENTICATION_PROVIDER"},
                 {"{clnt}", "CLIENT"},
                 {"{audi}", "AUDIT_RECORD"},
                 {"{sess}", "SESSION"},
                 {"{invitation}", "INVITATION"},
                 {"{permission}", "PERMISSION"}};
    identity_problem_t *problem = &call->problem;
    bool user = problem->kind == IDENTITY_PROBLEM_USER_NOT_FOUND;

    if (!call->id || problem->resource_type ||
        (!user && problem->kind != IDENTITY_PROBLEM_NOT_FOUND))
        return;
    const char *braces =
        user ? strchr(call->route->pattern, '{') : strrchr(call->route->pattern, '{');
    problem->resource_id = !user && call->inner_id ? call->inner_id : call->id;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strncmp(braces, types[i].prefix, strlen(types[i].prefix)) == 0)
            problem->resource_type = types[i].type;
}

/* A client that sent an Idempotency-Key needs to know whether it may simply retry. */
static bool asks_to_retry(const identity_call_t *call)
{
    return call->in->headers.idempotency_key && call->route &&
           strcmp(call->route->method, "POST") == 0 &&
           call->route->credential == IDENTITY_CREDENTIAL_REQUIRED;
}

/* The invitations interface has neither 409 nor 422: a conflict with the present state is reported as a bad request,
 * and while the first request of a key is in progress others are asked to retry. */
static void recast(identity_problem_t *problem)
{
    switch (problem->kind) {
    case IDENTITY_PROBLEM_EXISTS:
    case IDENTITY_PROBLEM_STATE:
    case IDENTITY_PROBLEM_KEY_REUSED:
        identity_problem_recast(problem, problem->field ? IDENTITY_PROBLEM_INVALID_FIELD
                                                        : IDENTITY_PROBLEM_BAD_REQUEST);
        break;
    case IDENTITY_PROBLEM_KEY_RUNNING:
        identity_problem_recast(problem, IDENTITY_PROBLEM_UNAVAILABLE);
        break;
    default:
        break;
    }
}

/* The body of a refusal, ours or httpd's. */
static void answer_problem(identity_call_t *call, const identity_authentication_t *authentication,
                           int status)
{
    identity_problem_t *problem = &call->problem;
    json_t *body;

    const char *retry_after = identity_retry_after(call->pool, problem, status);
    if (retry_after)
        identity_header(call, "Retry-After", retry_after);
    if (identity_entry_refused(call, status))
        return;
    if (call->standard) {
        body = identity_oauth_problem(call, &status);
    } else {
        challenge(call, authentication);
        name_resource(call);
        body = identity_problem_json(problem);
    }
    apr_table_unset(call->out->headers,
                    "ETag"); /* left over from an answer that could not be sent */
    if (status >= 500 && asks_to_retry(call))
        identity_header(call, "Idempotency-Retryable",
                        identity_idempotency_released(call) ? "true" : "false");
    call->out->status = status;
    call->out->content_type = "application/json";
    call->out->body =
        identity_json_text(call->pool, identity_json_own(call->pool, body), &call->out->length);
}

static void refuse(identity_call_t *call, const identity_authentication_t *authentication)
{
    identity_problem_t *problem = &call->problem;

    if (problem->kind == IDENTITY_PROBLEM_NONE)
        problem->kind = IDENTITY_PROBLEM_INTERNAL;
    if (call->route && call->route->invitations)
        recast(problem);
    int status = identity_problem_status(problem->kind);
    if (problem->kind == IDENTITY_PROBLEM_UNAVAILABLE)
        identity_taken_give_back(call, 0);
    if (status >= 500)
        identity_log(call, IDENTITY_LOG_ERROR, "ID0302: %s %s: answered %d",
                     call->route ? call->route->operation : "-",
                     problem->field ? problem->field : "-", status);
    else
        identity_log(call, IDENTITY_LOG_DEBUG, "ID0308: %s: refused with %d, permission %s",
                     call->route ? call->route->operation : "-", status,
                     call->lacking ? call->lacking : "-");
    answer_problem(call, authentication, status);
}

/* With an Idempotency-Key only the first of several requests reaches the handler. */
static bool perform(identity_call_t *call)
{
    bool answered;
    return identity_idempotency_begin(call, &answered) && (answered || call->route->handler(call));
}

static bool handle(identity_call_t *call, const identity_authentication_t *authentication)
{
    if (!adopt(call))
        return false;
    if (!call->route)
        return true; /* OPTIONS has been answered */
    return identity_call_ready(call) && permit(call, authentication) && version_fits(call) &&
           path_ids(call) && query(call) && body(call) && perform(call);
}

static void begin(identity_call_t *call, apr_pool_t *pool, const identity_env_t *env,
                  const identity_request_t *in, identity_response_t *out)
{
    memset(out, 0, sizeof *out);
    out->route = -1;
    out->headers = apr_table_make(pool, 8);
    identity_call_begin(call, pool, env, in);
    call->out = out;
    call->recheck = identity_caller_recheck;
    identity_header(call, "Cache-Control", "no-store");
    identity_header(call, "X-Content-Type-Options", "nosniff");
}

void identity_serve(apr_pool_t *pool, const identity_env_t *env, const identity_request_t *in,
                    const identity_authentication_t *authentication, identity_response_t *out)
{
    identity_call_t call;

    begin(&call, pool, env, in, out);
    identity_header(&call, "X-REQUEST-ID", in->request_id);
    bool done = handle(&call, authentication);
    identity_idempotency_end(&call, done);
    if (!done)
        refuse(&call, authentication);
}

void identity_serve_refused(apr_pool_t *pool, const identity_env_t *env,
                            const identity_request_t *in,
                            const identity_authentication_t *authentication, int status,
                            identity_response_t *out)
{
    static const identity_request_t nothing = {.method = "", .path = ""};
    identity_call_t call;

    begin(&call, pool, env, in ? in : &nothing, out);
    if (authentication && authentication->refused &&
        identity_problem_status(authentication->problem.kind) == status) {
        adopt(&call);
        call.problem = authentication->problem;
        refuse(&call, authentication);
    } else {
        call.problem.kind = identity_problem_of_status(status);
        answer_problem(&call, NULL, status);
    }
}

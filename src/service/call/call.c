/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by all operations: outcomes of statements, answers. */
#include <stdarg.h>

#include "call/call.h"

void identity_call_begin(identity_call_t *call, apr_pool_t *pool, const identity_env_t *env,
                         const identity_request_t *in)
{
    memset(call, 0, sizeof *call);
    call->pool = pool;
    call->env = env;
    call->in = in;
    call->now = env->now(env->context);
}

void identity_log(const identity_call_t *call, identity_log_level_t level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *line = identity_log_text(call->pool, apr_pvsprintf(call->pool, format, arguments));
    va_end(arguments);
    call->env->log(call->env->context, level, call->in ? call->in->request_id : NULL, line);
}

static bool unavailable(identity_call_t *call)
{
    return identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL,
                         "The service is temporarily unavailable; please try again.");
}

bool identity_call_ready(identity_call_t *call)
{
    const identity_env_t *env = call->env;

    /* A process without keys must itself check whether the database, and the key beside it, are available again. */
    return !env->available || env->keys ||
           (env->available(env->context, call->pool) && env->keys) || unavailable(call);
}

bool identity_unauthorised(identity_call_t *call, const char *message)
{
    if (call->env->available && !call->env->available(call->env->context, call->pool))
        return unavailable(call);
    return identity_deny(call, IDENTITY_PROBLEM_UNAUTHORISED, NULL, "%s", message);
}

bool identity_db_ok(identity_call_t *call, identity_db_status_t status)
{
    switch (status) {
    case IDENTITY_DB_OK:
        return true;
    case IDENTITY_DB_BUSY:
    case IDENTITY_DB_RETRY: /* as often as it was worth it */
        return identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL,
                             "The service is busy; please try again.");
    case IDENTITY_DB_NONE:
    case IDENTITY_DB_CONFLICT:
        /* A guarded update that matched no row, or a duplicate id: an unforeseen conflict with another request. */
        identity_log(call, IDENTITY_LOG_WARNING, "ID0301: two changes conflicted");
        return identity_deny(call, IDENTITY_PROBLEM_UNAVAILABLE, NULL,
                             "The service is busy; please try again.");
    case IDENTITY_DB_LOST:
    case IDENTITY_DB_FAILED:
        break;
    }
    return unavailable(call);
}

bool identity_db_found(identity_call_t *call, identity_db_status_t status, bool *found)
{
    *found = status == IDENTITY_DB_OK;
    return status == IDENTITY_DB_NONE || identity_db_ok(call, status);
}

apr_array_header_t *identity_list_of(apr_pool_t *pool, const char *only)
{
    apr_array_header_t *list = apr_array_make(pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(list, const char *) = only;
    return list;
}

const char *identity_call_id(identity_call_t *call, const char *prefix)
{
    const char *id = identity_id_make(call->pool, prefix, call->now, &call->env->random);
    if (!id)
        identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    return id;
}

void identity_header(identity_call_t *call, const char *name, const char *value)
{
    apr_table_addn(call->out->headers, name, value);
}

static void refuse_text(identity_call_t *call, bool too_large)
{
    if (too_large)
        identity_deny(call,
                      call->paged ? IDENTITY_PROBLEM_INVALID_FIELD : IDENTITY_PROBLEM_BAD_REQUEST,
                      call->paged ? "limit" : NULL, "The answer would be too large%s.",
                      call->paged ? ": request less at a time" : "");
    else
        identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
}

const char *identity_answer_text(identity_call_t *call, json_t *body, size_t *length)
{
    size_t max = call->db ? IDENTITY_ANSWER_HELD_MAX : IDENTITY_ANSWER_MAX;
    const char *text = NULL;

    *length = 0;
    if (identity_json_own(call->pool, body))
        text = identity_json_text_within(call->pool, body, max, length);
    if (!text)
        refuse_text(call, *length > max);
    return text;
}

bool identity_answer(identity_call_t *call, int status, json_t *body)
{
    call->out->status = status;
    call->out->content_type = "application/json";
    call->out->body = identity_answer_text(call, body, &call->out->length);
    return call->out->body != NULL;
}

bool identity_answer_written(identity_call_t *call, identity_writer_t *writer)
{
    call->out->status = 200;
    call->out->content_type = "application/json";
    call->out->body = identity_writer_end(writer, &call->out->length);
    if (!call->out->body)
        refuse_text(call, true);
    return call->out->body != NULL;
}

bool identity_answer_empty(identity_call_t *call, int status)
{
    call->out->status = status;
    call->out->content_type = NULL;
    call->out->body = NULL;
    call->out->length = 0;
    return true;
}

/* ---- work of the command line ------------------------------------------------------------------------------------ */

bool identity_run_local_data(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                             bool write, identity_work_t *work, void *data, size_t size,
                             identity_problem_t *problem)
{
    identity_authentication_t local;
    identity_call_t call;

    identity_call_begin(&call, pool, env, NULL);
    identity_authenticate_local(pool, entity_id, &local);
    call.principal = local.principal;
    bool done = write ? identity_write_data(&call, work, data, size)
                      : identity_read_data(&call, work, data, size);
    *problem = call.problem;
    return done;
}

void identity_authenticate_local(apr_pool_t *pool, const char *entity_id,
                                 identity_authentication_t *out)
{
    identity_principal_t *principal = apr_pcalloc(pool, sizeof *principal);

    memset(out, 0, sizeof *out);
    principal->kind = IDENTITY_CALLER_LOCAL;
    principal->id = principal->name = "";
    principal->method = "local";
    principal->entity_id = entity_id;
    principal->entity_wide = true;
    principal->entity_permissions.all = true;
    out->principal = principal;
}

/* Helps people to recognise a session: at most 255 bytes, not cut inside a character, printable text only. */
const char *identity_user_agent(const identity_call_t *call)
{
    const char *given = call->in->headers.user_agent ? call->in->headers.user_agent : "";
    size_t length = strlen(given) < 255 ? strlen(given) : 255;

    while (length > 0 && ((unsigned char)given[length] & 0xC0) == 0x80)
        length--;
    const char *text = apr_pstrmemdup(call->pool, given, length);
    return identity_text_valid(text) ? text : "";
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses and codes of all errors; they are defined only here. */
#include <stdarg.h>

#include <apr_strings.h>

#include "identity/core.h"

typedef struct problem_kind {
    int status;
    const char *code;
    const char *message;
} problem_kind_t;

static const problem_kind_t kinds[] = {
    [IDENTITY_PROBLEM_NONE] = {200, "", ""},
    [IDENTITY_PROBLEM_BAD_REQUEST] = {400, "BAD_REQUEST", "The request is malformed."},
    [IDENTITY_PROBLEM_MISSING_FIELD] = {400, "MISSING_FIELD", "A required field is missing."},
    [IDENTITY_PROBLEM_INVALID_FIELD] = {400, "INVALID_FIELD",
                                        "A field has a value that is not allowed."},
    [IDENTITY_PROBLEM_UNAUTHORISED] = {401, "UNAUTHORISED", "Valid credentials are required."},
    [IDENTITY_PROBLEM_NOT_ALLOWED] = {403, "USER_NOT_ALLOWED", "You are not allowed to do this."},
    [IDENTITY_PROBLEM_USER_NOT_FOUND] = {404, "USER_NOT_FOUND", "There is no such user."},
    [IDENTITY_PROBLEM_NOT_FOUND] = {404, "RESOURCE_NOT_FOUND", "There is no such resource."},
    [IDENTITY_PROBLEM_VERSION] = {404, "UNSUPPORTED_VERSION",
                                  "This version of the API is not supported."},
    [IDENTITY_PROBLEM_METHOD] = {405, "INVALID_OPERATION", "This method is not allowed here."},
    [IDENTITY_PROBLEM_TIMEOUT] = {408, "BAD_REQUEST", "The request did not arrive in time."},
    [IDENTITY_PROBLEM_EXISTS] = {409, "RESOURCE_ALREADY_EXISTS", "The resource already exists."},
    [IDENTITY_PROBLEM_STATE] = {409, "INVALID_OPERATION",
                                "This is not possible in the present state."},
    [IDENTITY_PROBLEM_KEY_REUSED] = {409, "IDEMPOTENCY_CHECK_FAILED",
                                     "This Idempotency-Key was already used for another request."},
    [IDENTITY_PROBLEM_PRECONDITION] = {412, "INVALID_OPERATION",
                                       "A precondition of the request is not met."},
    [IDENTITY_PROBLEM_TOO_LARGE] = {413, "BAD_REQUEST", "The request is too large."},
    [IDENTITY_PROBLEM_MEDIA_TYPE] = {415, "UNSUPPORTED_MEDIA_TYPE",
                                     "The body must have the Content-Type application/json."},
    [IDENTITY_PROBLEM_KEY_RUNNING] =
        {422, "IDEMPOTENCY_CHECK_FAILED",
         "The first request with this Idempotency-Key is still being processed."},
    [IDENTITY_PROBLEM_THROTTLED] = {429, "UNABLE_TO_PROCESS_INSTRUCTIONS",
                                    "Too many requests; try again later."},
    [IDENTITY_PROBLEM_INTERNAL] = {500, "INTERNAL_ERROR",
                                   "Internal server error; try again later."},
    [IDENTITY_PROBLEM_UNAVAILABLE] = {503, "INTERNAL_ERROR",
                                      "The service is busy; try again shortly."},
};

static const problem_kind_t *kind_of(identity_problem_kind_t kind)
{
    if ((size_t)kind >= sizeof kinds / sizeof kinds[0])
        kind = IDENTITY_PROBLEM_INTERNAL;
    return &kinds[kind];
}

bool identity_refuse(apr_pool_t *pool, identity_problem_t *problem, identity_problem_kind_t kind,
                     const char *field, const char *format, ...)
{
    *problem = (identity_problem_t){.kind = kind, .field = field};
    if (format != NULL) {
        va_list arguments;
        va_start(arguments, format);
        problem->message = apr_pvsprintf(pool, format, arguments);
        va_end(arguments);
    }
    return false;
}

int identity_problem_status(identity_problem_kind_t kind)
{
    return kind_of(kind)->status;
}

void identity_problem_recast(identity_problem_t *problem, identity_problem_kind_t kind)
{
    if (!problem->message)
        problem->message = kind_of(problem->kind)->message;
    problem->kind = kind;
}

identity_problem_kind_t identity_problem_of_status(int status)
{
    switch (status) {
    case 401:
        return IDENTITY_PROBLEM_UNAUTHORISED;
    case 403:
        return IDENTITY_PROBLEM_NOT_ALLOWED;
    case 404:
    case 410:
        return IDENTITY_PROBLEM_NOT_FOUND;
    case 405:
        return IDENTITY_PROBLEM_METHOD;
    case 408:
        return IDENTITY_PROBLEM_TIMEOUT;
    case 409:
        return IDENTITY_PROBLEM_STATE;
    case 412:
        return IDENTITY_PROBLEM_PRECONDITION;
    case 413:
        return IDENTITY_PROBLEM_TOO_LARGE;
    case 415:
        return IDENTITY_PROBLEM_MEDIA_TYPE;
    case 429:
        return IDENTITY_PROBLEM_THROTTLED;
    case 503:
        return IDENTITY_PROBLEM_UNAVAILABLE;
    default:
        break;
    }
    if (status >= 400 && status < 500)
        return IDENTITY_PROBLEM_BAD_REQUEST;
    return status >= 500 ? IDENTITY_PROBLEM_INTERNAL : IDENTITY_PROBLEM_NONE;
}

/* Text that is not UTF-8 is omitted: jansson rejects it, and an error answer must not fail because of it. */
static void set_text(json_t *object, const char *name, const char *text)
{
    json_t *value = !text ? NULL : json_string(text);
    if (value != NULL)
        json_object_set_new_nocheck(object, name, value);
}

json_t *identity_problem_json(const identity_problem_t *problem)
{
    const problem_kind_t *kind = kind_of(problem->kind);
    json_t *object = json_object();
    json_t *fields = json_object();
    json_t *message = !problem->message ? NULL : json_string(problem->message);

    if (!message)
        message = json_string(kind->message);
    set_text(object, "type", kind->status >= 500 ? "API_ERROR" : "INVALID_REQUEST");
    set_text(object, "code", kind->code);
    json_object_set_nocheck(object, "message", message);
    set_text(object, "field", problem->field);
    set_text(object, "resource_id", problem->resource_id);
    set_text(object, "resource_type", problem->resource_type);
    if (problem->field != NULL)
        json_object_set(fields, problem->field, message);
    json_decref(message);
    json_object_set_new_nocheck(object, "fields", fields);
    return object;
}

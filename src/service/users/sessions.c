/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of a user: listed and ended by the user, or by callers who may change the user (security 39). */
#include <string.h>

#include "users/users.h"

typedef struct sessions {
    bool own;
    const char *except; /* stays, or NULL */
    identity_user_row_t *user;
    apr_array_header_t *rows; /* live ones, newest first; when ending sessions, those that remain */
} sessions_t;

static json_t *session_json(const identity_call_t *call, const identity_session_row_t *session)
{
    json_t *object = json_object();
    const char *own = call->principal->session_id;

    json_object_set_new(object, "object_type", json_string("SESSION"));
    json_object_set_new(object, "id", json_string(session->id));
    json_object_set_new(object, "user_id", json_string(session->user_id));
    json_object_set_new(object, "created_at", identity_time_json(session->created_at));
    json_object_set_new(object, "authenticated_at", identity_time_json(session->authenticated_at));
    json_object_set_new(object, "idle_expires_at", identity_time_json(session->idle_expires_at));
    json_object_set_new(object, "expires_at", identity_time_json(session->expires_at));
    json_object_set_new(object, "method", json_string(session->method));
    json_object_set_new(object, "client_address", json_string(session->client_address));
    json_object_set_new(object, "user_agent", json_string(session->user_agent));
    json_object_set_new(object, "current", json_boolean(own && strcmp(own, session->id) == 0));
    return object;
}

static bool answer(identity_call_t *call, const sessions_t *sessions)
{
    json_t *list = json_array(), *wrapper = json_object();

    for (int i = 0; i < sessions->rows->nelts; i++)
        json_array_append_new(
            list,
            session_json(call, APR_ARRAY_IDX(sessions->rows, i, const identity_session_row_t *)));
    json_object_set_new(wrapper, "data", list);
    return identity_answer(call, 200, wrapper);
}

static bool load(identity_call_t *call, void *data)
{
    sessions_t *sessions = data;

    sessions->own =
        call->principal->kind == IDENTITY_CALLER_USER && strcmp(call->principal->id, call->id) == 0;
    if (!identity_user_found(call, call->id, &sessions->user))
        return false;
    return identity_db_ok(call, identity_sessions_live(call->db, sessions->user->id, call->now,
                                                       IDENTITY_SESSIONS_MAX, &sessions->rows));
}

/* Where somebody is signed in may only be seen by callers who could end those sessions: not for users with more
 * rights (security 62). */
static bool load_permitted(identity_call_t *call, void *data)
{
    sessions_t *sessions = data;
    identity_assignments_t *assignments;

    if (!load(call, sessions))
        return false;
    return sessions->own ||
           (identity_user_assignments(call, sessions->user, &assignments) &&
            identity_may_act_on(call, assignments, sessions->user->id, call->route->permission));
}

bool identity_op_list_user_sessions(identity_call_t *call)
{
    sessions_t sessions = {.rows = NULL};
    return identity_read(call, load_permitted, &sessions) && answer(call, &sessions);
}

/* ---- DELETE ----------------------------------------------------------------------------------------------------- */

/* Removes one row from the list (wanted true), or all others: returns how many. */
static int take_out(identity_call_t *call, sessions_t *sessions, const char *id, bool request)
{
    apr_array_header_t *left =
        apr_array_make(call->pool, sessions->rows->nelts + 1, sizeof(void *));
    int before = sessions->rows->nelts;

    for (int i = 0; i < before; i++) {
        identity_session_row_t *row = APR_ARRAY_IDX(sessions->rows, i, identity_session_row_t *);
        if ((id && strcmp(row->id, id) == 0) != request)
            APR_ARRAY_PUSH(left, identity_session_row_t *) = row;
    }
    sessions->rows = left;
    return before - left->nelts;
}

static bool write_end_all(identity_call_t *call, void *data)
{
    sessions_t *sessions = data;
    identity_audit_t audit = {.action = "SESSIONS_ENDED", .type = "USER", .id = call->id};

    if (!load_permitted(call, sessions))
        return false;
    int ended = take_out(call, sessions, sessions->except, false);
    audit.message = apr_psprintf(call->pool, "Sessions ended: %d.", ended);
    if (ended && (!identity_db_ok(call, identity_sessions_end(call->db, call->id, sessions->except,
                                                              call->now)) ||
                  !identity_audit(call, &audit)))
        return false;
    return answer(call, sessions);
}

bool identity_op_end_user_sessions(identity_call_t *call)
{
    sessions_t sessions = {.rows = NULL};
    int except;

    if (!identity_query_boolean(call, "except_current", &except))
        return false;
    sessions.except = except == 1 ? call->principal->session_id : NULL;
    return identity_write(call, write_end_all, &sessions);
}

static bool write_end_one(identity_call_t *call, void *data)
{
    sessions_t *sessions = data;
    identity_audit_t audit = {.action = "SESSION_ENDED",
                              .type = "SESSION",
                              .id = call->inner_id,
                              .message = "A session was ended."};

    if (!load_permitted(call, sessions))
        return false;
    if (!take_out(call, sessions, call->inner_id, true))
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    return identity_db_ok(call, identity_session_end(call->db, call->inner_id, call->now)) &&
           identity_audit(call, &audit) && answer(call, sessions);
}

bool identity_op_end_user_session(identity_call_t *call)
{
    sessions_t sessions = {.rows = NULL};
    return identity_write(call, write_end_one, &sessions);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A user's teams: list, join, change the period, leave. */
#include <string.h>

#include "users/users.h"

static bool answer_teams(identity_call_t *call, const identity_user_view_t *view)
{
    return identity_answer(
        call, 200,
        json_pack("{s:o}", "data", identity_teams_json(call, view->assignments, call->id)));
}

bool identity_op_list_user_teams(identity_call_t *call)
{
    identity_user_look_t look;
    identity_writer_t writer;

    if (!identity_read(call, identity_user_look, &look))
        return false;
    identity_shown_begin(call, &writer, 1);
    identity_write_literal(&writer, "{\"data\":");
    identity_shown_teams(&writer, look.shown, call->id);
    identity_write_literal(&writer, "}");
    return identity_answer_written(call, &writer);
}

static identity_team_member_row_t *member_of(const identity_call_t *call,
                                             const identity_user_view_t *view, const char *team_id)
{
    const apr_array_header_t *rows = identity_assigned_teams(view->assignments, call->id);

    for (int i = 0; rows && i < rows->nelts; i++) {
        identity_team_member_row_t *row = APR_ARRAY_IDX(rows, i, identity_team_member_row_t *);
        if (strcmp(row->team_id, team_id) == 0)
            return row;
    }
    return NULL;
}

/* ---- POST /users/{id}/teams ------------------------------------------------------------------------------------- */

/* A membership that has ended makes room for another one. */
static bool make_room(identity_call_t *call, const identity_user_view_t *view, const char *team_id)
{
    const identity_team_member_row_t *row = member_of(call, view, team_id);

    if (!row)
        return true;
    if (!row->end_at || row->end_at > call->now)
        return identity_deny(call, IDENTITY_PROBLEM_EXISTS, "team_id",
                             "The user is already in this team.");
    return identity_db_ok(call, identity_team_member_delete(call->db, row->entity_id, row->id));
}

static bool write_team(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    identity_membership_request_t request = {.present_role_ids = NULL};
    identity_audit_t audit = {.action = "ADD_TEAM", .type = "USER", .id = call->id};

    if (!identity_user_load(call, view) || !identity_user_present(call, view->user, NULL) ||
        !identity_membership_request_read_one(call, "team_memberships", &request))
        return false;
    const char *team_id = APR_ARRAY_IDX(request.teams, 0, identity_team_member_row_t *)->team_id;
    audit.message = apr_pstrcat(call->pool, "The user joined the team ", team_id, ".", NULL);
    identity_changes_t *changes = identity_changes_make(call);
    identity_changes_add_membership_request(changes, &request);
    audit.changes = changes;
    return make_room(call, view, team_id) &&
           identity_membership_request_write(call, IDENTITY_OWNER_USER, call->id, &request) &&
           identity_user_load(call, view) &&
           identity_audit_accounts(
               call, &audit, identity_assigned_team_memberships(view->assignments, team_id)) &&
           identity_answer(call, 201, identity_teams_json(call, view->assignments, call->id));
}

bool identity_op_add_user_team(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};
    return identity_write(call, write_team, &view);
}

/* ---- PATCH, DELETE /users/{id}/teams/{team} --------------------------------------------------------------------- */

/* Ending somebody's team membership is an action on that person. */
static bool may_take(identity_call_t *call, const identity_user_view_t *view)
{
    return identity_may_act_on(call, view->assignments, call->id, call->route->permission);
}

static bool on_record(identity_call_t *call, const identity_user_view_t *view,
                      identity_audit_t *audit)
{
    return identity_audit_accounts(
        call, audit, identity_assigned_team_memberships(view->assignments, call->inner_id));
}

/* Times are shown in seconds: sending one back unchanged changes nothing. */
static void read_time(const char *text, apr_time_t *time)
{
    apr_time_t asked = 0;

    if (text && identity_time_parse(text, &asked) && apr_time_sec(asked) != apr_time_sec(*time))
        *time = asked;
}

/* The requested period; an end in the past is allowed without a beginning before it. */
static bool read_window(identity_call_t *call, identity_team_member_row_t *row)
{
    const char *start = identity_json_string(call->body, "start_at"),
               *end = identity_json_string(call->body, "end_at");

    read_time(start, &row->start_at);
    read_time(end, &row->end_at);
    if (!end && json_object_get(call->body, "end_at"))
        row->end_at = 0;
    if (row->end_at > call->now && row->end_at <= row->start_at)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD,
                             start && !end ? "start_at" : "end_at",
                             "end_at must be later than start_at.");
    return true;
}

static bool write_window(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    identity_administered_t administered;
    identity_audit_t audit = {.action = "UPDATE_TEAM", .type = "USER", .id = call->id};

    if (!identity_user_load(call, view))
        return false;
    identity_team_member_row_t *row = member_of(call, view, call->inner_id), before;
    if (!row)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    /* Before the body is judged: it is not the caller's to change at all. */
    if (!identity_may_move_in_team(call, view->assignments, call->inner_id))
        return false;
    before = *row;
    if (!read_window(call, row))
        return false;
    bool shorter = row->start_at > before.start_at ||
                   (row->end_at && (!before.end_at || row->end_at < before.end_at));
    if (row->start_at == before.start_at && row->end_at == before.end_at)
        return answer_teams(call, view);
    audit.message =
        apr_pstrcat(call->pool, "The period in the team ", row->team_id, " was changed.", NULL);
    identity_changes_t *changes = identity_changes_make(call);
    identity_changes_add_team(changes, &before, row);
    audit.changes = changes;
    return (!shorter || may_take(call, view)) &&
           identity_administrators_before(call, view->assignments, call->id, &administered) &&
           identity_db_ok(call, identity_team_member_update(call->db, row)) &&
           identity_administrators_remain(call, &administered) && on_record(call, view, &audit) &&
           answer_teams(call, view);
}

bool identity_op_update_user_team(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};
    return identity_write(call, write_window, &view);
}

static bool write_leave(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    identity_administered_t administered;
    identity_audit_t audit = {.action = "REMOVE_TEAM", .type = "USER", .id = call->id};

    if (!identity_user_load(call, view))
        return false;
    const identity_team_member_row_t *row = member_of(call, view, call->inner_id);
    if (!row)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    audit.message = apr_pstrcat(call->pool, "The user left the team ", row->team_id, ".", NULL);
    identity_changes_t *changes = identity_changes_make(call);
    identity_changes_add_team(changes, row, NULL);
    audit.changes = changes;
    return identity_may_move_in_team(call, view->assignments, call->inner_id) &&
           may_take(call, view) &&
           identity_administrators_before(call, view->assignments, call->id, &administered) &&
           identity_db_ok(call, identity_team_member_delete(call->db, row->entity_id, row->id)) &&
           identity_administrators_remain(call, &administered) && on_record(call, view, &audit) &&
           identity_user_load(call, view) && answer_teams(call, view);
}

bool identity_op_delete_user_team(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};
    return identity_write(call, write_leave, &view);
}

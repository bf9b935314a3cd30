/* A user's teams: list, join. */
#include <string.h>

#include "service_int.h"
#include "users_int.h"

bool identity_user_teams_list(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};

    if (!identity_read(call, identity_user_load, &view))
        return false;
    return identity_answer(call, 200, json_pack("{s:o}", "data", identity_teams_json(call, view.holdings, call->id)));
}

/* A window that is over makes room for another one. */
static bool make_room(identity_call_t *call, const identity_user_view_t *view, const char *team_id)
{
    const apr_array_header_t *rows = apr_hash_get(view->holdings->teams, call->id, APR_HASH_KEY_STRING);

    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_team_member_row_t *row = APR_ARRAY_IDX(rows, i, identity_team_member_row_t *);
        if (strcmp(row->team_id, team_id) != 0)
            continue;
        if (!row->end_at || row->end_at > call->now)
            return identity_deny(call, IDENTITY_PROBLEM_EXISTS, "team_id", "The user is in this team already.");
        return identity_db_ok(call, identity_team_member_delete(call->db, row->entity_id, row->id));
    }
    return true;
}

static bool write_team(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    identity_wanted_t wanted = {.present_role_ids = NULL};
    identity_audit_t audit = {.action = "ADD_TEAM", .type = "USER", .id = call->id};

    if (!identity_user_load(call, view) || !identity_wanted_read_one(call, "team_memberships", &wanted))
        return false;
    const char *team_id = APR_ARRAY_IDX(wanted.teams, 0, identity_team_member_row_t *)->team_id;
    audit.message = apr_pstrcat(call->pool, "The user joined the team ", team_id, ".", NULL);
    return make_room(call, view, team_id) && identity_wanted_write(call, IDENTITY_OWNER_USER, call->id, &wanted) &&
           identity_user_load(call, view) &&
           identity_audit_accounts(call, &audit,
                                   apr_hash_get(view->holdings->team_memberships, team_id, APR_HASH_KEY_STRING)) &&
           identity_answer(call, 201, identity_teams_json(call, view->holdings, call->id));
}

bool identity_user_teams_add(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};
    return identity_write(call, write_team, &view);
}

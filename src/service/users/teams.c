/* SPDX-License-Identifier: Apache-2.0 */
/* Teams: grant their members rights for the time of their membership. */
#include <string.h>

#include "users/users.h"

typedef struct view {
    identity_team_row_t *team;
    identity_assignments_t *assignments;
} view_t;

static json_t *team_json(identity_call_t *call, const identity_team_row_t *team,
                         identity_assignments_t *assignments)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", json_string(team->id));
    json_object_set_new(object, "entity_id", json_string(team->entity_id));
    json_object_set_new(object, "name", json_string(team->name));
    json_object_set_new(object, "account_memberships",
                        identity_memberships_json(call, assignments, team->id));
    return object;
}

static bool load_team(identity_call_t *call, void *data)
{
    view_t *view = data;
    bool found;

    if (!identity_db_found(
            call, identity_team_get(call->db, call->principal->entity_id, call->id, &view->team),
            &found))
        return false;
    if (!found) {
        identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
        /* The team in the path, even if a membership follows it. */
        call->problem.resource_type = "TEAM";
        call->problem.resource_id = call->id;
        return false;
    }
    return identity_assignments_of(call, IDENTITY_OWNER_TEAM, call->id, &view->assignments);
}

/* ---- GET /teams ------------------------------------------------------------------------------------------------- */

static bool load_list(identity_call_t *call, identity_listing_t *page)
{
    identity_assignments_t *assignments;

    if (!identity_assignments_load(call, IDENTITY_OWNER_TEAM,
                                   identity_row_ids(call->pool, page->rows), &assignments))
        return false;
    page->beside = assignments;
    return true;
}

static json_t *row_json(identity_call_t *call, const identity_listing_t *page, const void *row)
{
    return team_json(call, row, page->beside);
}

static identity_position_t position_of(const void *row_)
{
    const identity_team_row_t *row = row_;
    return (identity_position_t){.id = row->id, .created_at = row->created_at};
}

/* An array, with the links in a header. */
static bool answer_list(identity_call_t *call, const identity_listing_t *page, json_t *data)
{
    identity_page_header(call, page, position_of);
    return identity_answer(call, 200, data);
}

bool identity_op_list_teams(identity_call_t *call)
{
    static const identity_collection_t teams = {.of = IDENTITY_PAGE_OF_TEAMS,
                                                .load = load_list,
                                                .row_json = row_json,
                                                .answer = answer_list};
    return identity_collection_list(call, &teams);
}

/* ---- GET /teams/{id} -------------------------------------------------------------------------------------------- */

bool identity_op_get_team(identity_call_t *call)
{
    view_t view;

    if (!identity_read(call, load_team, &view))
        return false;
    return identity_answer(call, 200, team_json(call, view.team, view.assignments));
}

/* ---- POST /teams ------------------------------------------------------------------------------------------------ */

static bool name_taken(identity_call_t *call)
{
    return identity_deny(call, IDENTITY_PROBLEM_EXISTS, "name",
                         "A team with this name already exists.");
}

static bool write_creation(identity_call_t *call, void *data)
{
    identity_team_row_t *team = data;
    identity_assignments_t *none;
    identity_audit_t audit = {
        .action = "CREATE", .type = "TEAM", .id = team->id, .message = "A team was created."};

    identity_db_status_t status = identity_team_insert(call->db, team);
    if (status == IDENTITY_DB_CONFLICT)
        return name_taken(call);
    return identity_db_ok(call, status) && identity_audit(call, &audit) &&
           identity_assignments_of(call, IDENTITY_OWNER_TEAM, team->id, &none) &&
           identity_answer(call, 201, team_json(call, team, none));
}

bool identity_op_create_team(identity_call_t *call)
{
    const char *entity = identity_json_string(call->body, "entity_id"), *canonical;
    identity_team_row_t team = {.entity_id = call->principal->entity_id,
                                .name = identity_json_string(call->body, "name"),
                                .created_at = call->now};

    if (entity && strcmp(entity, team.entity_id) != 0)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "entity_id",
                             "There is no such entity.");
    if (!identity_name_compared(call, team.name, &canonical))
        return false;
    team.id = identity_call_id(call, "team");
    return team.id && identity_write(call, write_creation, &team);
}

/* ---- PATCH /teams/{id} ------------------------------------------------------------------------------------------ */

static bool rename_team(identity_call_t *call, view_t *view, const char *name)
{
    identity_changes_t *changes = identity_changes_make(call);
    identity_audit_t audit = {
        .action = "UPDATE", .type = "TEAM", .id = call->id, .changes = changes};

    identity_changes_add(changes, "name", view->team->name, name);
    view->team->name = name;
    identity_db_status_t status = identity_team_rename(call->db, view->team);
    if (status == IDENTITY_DB_CONFLICT)
        return name_taken(call);
    return identity_db_ok(call, status) &&
           identity_audit_accounts(call, &audit,
                                   identity_assigned_memberships(view->assignments, call->id));
}

/* People recognise a team's purpose by its name: changing it requires the right to grant and revoke what the team
 * grants. */
static bool write_change(identity_call_t *call, void *data)
{
    view_t *view = data;
    const char *name = identity_json_string(call->body, "name");

    if (!load_team(call, view) || !identity_may_change_team(call, view->assignments, call->id))
        return false;
    if (name && strcmp(name, view->team->name) != 0 && !rename_team(call, view, name))
        return false;
    return identity_answer(call, 200, team_json(call, view->team, view->assignments));
}

bool identity_op_update_team(identity_call_t *call)
{
    const char *name = identity_json_string(call->body, "name"), *canonical;
    view_t view;

    if (name && !identity_name_compared(call, name, &canonical))
        return false;
    return identity_write(call, write_change, &view);
}

/* ---- DELETE /teams/{id} ----------------------------------------------------------------------------------------- */

static bool write_deletion(identity_call_t *call, void *data)
{
    view_t *view = data;
    identity_administered_t administered;
    identity_audit_t audit = {
        .action = "DELETE", .type = "TEAM", .id = call->id, .message = "A team was deleted."};

    if (!load_team(call, view))
        return false;
    audit.target_name = view->team->name;
    return identity_may_change_team(call, view->assignments, call->id) &&
           identity_administrators_before(call, view->assignments, call->id, &administered) &&
           identity_db_ok(call, identity_team_delete(call->db, view->team->entity_id, call->id)) &&
           identity_administrators_remain(call, &administered) &&
           identity_audit_accounts(call, &audit,
                                   identity_assigned_memberships(view->assignments, call->id)) &&
           identity_answer(call, 200, team_json(call, view->team, view->assignments));
}

bool identity_op_delete_team(identity_call_t *call)
{
    view_t view;
    return identity_write(call, write_deletion, &view);
}

/* ---- POST /teams/{id}/memberships ------------------------------------------------------------------------------- */

static bool write_membership(identity_call_t *call, void *data)
{
    view_t *view = data;
    identity_membership_request_t request = {.present_role_ids = NULL};
    identity_audit_t audit = {.action = "ADD_MEMBERSHIP",
                              .type = "TEAM",
                              .id = call->id,
                              .message = "An account membership was granted to a team."};

    if (!load_team(call, view) ||
        !identity_membership_request_read_one(call, "account_memberships", &request) ||
        !identity_may_grant_to_team(call, view->assignments, call->id))
        return false;
    audit.account = &APR_ARRAY_IDX(request.memberships, 0, identity_membership_row_t *)->account;
    identity_changes_t *changes = identity_changes_make(call);
    identity_changes_add_membership_request(changes, &request);
    audit.changes = changes;
    return identity_membership_absent(call, view->assignments, call->id, audit.account->id) &&
           identity_membership_request_write(call, IDENTITY_OWNER_TEAM, call->id, &request) &&
           identity_audit(call, &audit) && load_team(call, view) &&
           identity_answer(call, 201, identity_memberships_json(call, view->assignments, call->id));
}

bool identity_op_add_team_membership(identity_call_t *call)
{
    view_t view;
    return identity_write(call, write_membership, &view);
}

/* ---- DELETE /teams/{id}/memberships/{membership} ---------------------------------------------------------------- */

static bool write_membership_end(identity_call_t *call, void *data)
{
    view_t *view = data;
    identity_audit_t audit = {.action = "REMOVE_MEMBERSHIP",
                              .type = "TEAM",
                              .id = call->id,
                              .message = "An account membership was removed from a team."};

    return load_team(call, view) &&
           identity_membership_end(call, IDENTITY_OWNER_TEAM, view->assignments, &audit) &&
           load_team(call, view) &&
           identity_answer(call, 200, identity_memberships_json(call, view->assignments, call->id));
}

bool identity_op_delete_team_membership(identity_call_t *call)
{
    view_t view;
    return identity_write(call, write_membership_end, &view);
}

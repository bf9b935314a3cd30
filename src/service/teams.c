/* Teams: what their members hold as long as they are members. */
#include <string.h>

#include "service_int.h"

typedef struct view {
    identity_team_row_t *team;
    identity_holdings_t *holdings;
} view_t;

static json_t *team_json(identity_call_t *call, const identity_team_row_t *team, identity_holdings_t *holdings)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", json_string(team->id));
    json_object_set_new(object, "entity_id", json_string(team->entity_id));
    json_object_set_new(object, "name", json_string(team->name));
    json_object_set_new(object, "account_memberships", identity_memberships_json(call, holdings, team->id));
    return object;
}

static bool load_team(identity_call_t *call, void *data)
{
    view_t *view = data;
    bool found;

    if (!identity_db_found(call, identity_team_get(call->db, call->who->entity_id, call->id, &view->team), &found))
        return false;
    if (!found)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
    return identity_holdings_of(call, IDENTITY_OWNER_TEAM, call->id, &view->holdings);
}

/* ---- GET /teams ------------------------------------------------------------------------------------------------- */

typedef struct list {
    identity_listing_t page;
    identity_holdings_t *holdings;
} list_t;

static bool load_list(identity_call_t *call, void *data)
{
    list_t *list = data;
    apr_array_header_t *ids = apr_array_make(call->pool, 8, sizeof(const char *));

    if (!identity_page_load(call, &list->page, IDENTITY_PAGE_OF_TEAMS, false))
        return false;
    for (int i = 0; i < list->page.rows->nelts; i++)
        APR_ARRAY_PUSH(ids, const char *) = APR_ARRAY_IDX(list->page.rows, i, identity_team_row_t *)->id;
    return identity_holdings_load(call, IDENTITY_OWNER_TEAM, ids, &list->holdings);
}

static identity_place_t place_of(const void *row_)
{
    const identity_team_row_t *row = row_;
    return (identity_place_t){.id = row->id, .created_at = row->created_at};
}

bool identity_teams_list(identity_call_t *call)
{
    list_t list = {.holdings = NULL};

    if (!identity_page_parse(call, NULL, &list.page) || !identity_read(call, load_list, &list))
        return false;
    json_t *array = json_array();
    for (int i = 0; i < list.page.rows->nelts; i++)
        json_array_append_new(array,
                              team_json(call, APR_ARRAY_IDX(list.page.rows, i, identity_team_row_t *), list.holdings));
    identity_page_header(call, &list.page, place_of);
    return identity_answer(call, 200, array);
}

/* ---- GET /teams/{id} -------------------------------------------------------------------------------------------- */

bool identity_teams_get(identity_call_t *call)
{
    view_t view;

    if (!identity_read(call, load_team, &view))
        return false;
    return identity_answer(call, 200, team_json(call, view.team, view.holdings));
}

/* ---- POST /teams ------------------------------------------------------------------------------------------------ */

static bool write_creation(identity_call_t *call, void *data)
{
    identity_team_row_t *team = data;
    identity_holdings_t *none;
    identity_audit_t audit = {.action = "CREATE", .type = "TEAM", .id = team->id, .message = "A team was created."};

    return identity_db_ok(call, identity_team_insert(call->db, team)) && identity_audit(call, &audit) &&
           identity_holdings_of(call, IDENTITY_OWNER_TEAM, team->id, &none) &&
           identity_answer(call, 201, team_json(call, team, none));
}

bool identity_teams_create(identity_call_t *call)
{
    const char *entity = identity_json_string(call->body, "entity_id");
    identity_team_row_t team = {
        .entity_id = call->who->entity_id, .name = identity_json_string(call->body, "name"), .created_at = call->now};

    if (entity && strcmp(entity, team.entity_id) != 0)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "entity_id", "There is no such entity.");
    team.id = identity_call_id(call, "team");
    return team.id && identity_write(call, write_creation, &team);
}

/* ---- POST /teams/{id}/memberships ------------------------------------------------------------------------------- */

static bool write_membership(identity_call_t *call, void *data)
{
    view_t *view = data;
    identity_wanted_t wanted = {.present_role_ids = NULL};
    identity_audit_t audit = {.action = "ADD_MEMBERSHIP",
                              .type = "TEAM",
                              .id = call->id,
                              .message = "An account membership was given to all of the team."};

    if (!load_team(call, view) || !identity_wanted_read_one(call, "account_memberships", &wanted) ||
        !identity_may_grant_to_team(call, view->holdings, call->id))
        return false;
    audit.account = &APR_ARRAY_IDX(wanted.memberships, 0, identity_membership_row_t *)->account;
    return identity_membership_absent(call, view->holdings, call->id, audit.account->id) &&
           identity_wanted_write(call, IDENTITY_OWNER_TEAM, call->id, &wanted) && identity_audit(call, &audit) &&
           load_team(call, view) &&
           identity_answer(call, 201, identity_memberships_json(call, view->holdings, call->id));
}

bool identity_teams_memberships_add(identity_call_t *call)
{
    view_t view;
    return identity_write(call, write_membership, &view);
}

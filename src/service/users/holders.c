/* SPDX-License-Identifier: Apache-2.0 */
/* GET /permissions/{name}/holders: who has a permission, in which account, and through what. */
#include <string.h>

#include "users/users.h"

typedef struct inquiry {
    identity_listing_t page;
    identity_holders_t holders;
    identity_assignments_t *assignments; /* of the people on the page */
    apr_hash_t *teams;                   /* id -> name */
    json_t *data;
} inquiry_t;

/* ---- what is asked ---------------------------------------------------------------------------------------------- */

static bool permitted(identity_call_t *call)
{
    static const char *const needed = "ROLE.VIEW";

    if (call->principal->guest)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                             "Guests cannot see who holds a permission.");
    if (identity_permset_has(&call->permissions, needed))
        return true;
    call->lacking = needed;
    return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL, "This needs the permission %s.",
                         needed);
}

/* The account that the call acts on, else every account of the caller; NULL: all of the entity. */
static const apr_array_header_t *accounts_asked(identity_call_t *call)
{
    const apr_array_header_t *grants = call->principal->grants;

    if (call->account_id)
        return identity_list_of(call->pool, call->account_id);
    if (call->principal->entity_wide)
        return NULL;
    apr_array_header_t *ids = apr_array_make(call->pool, grants->nelts + 1, sizeof(const char *));
    for (int i = 0; i < grants->nelts; i++)
        APR_ARRAY_PUSH(ids, const char *) = APR_ARRAY_IDX(grants, i, identity_grant_t).account_id;
    return ids;
}

static void read_inquiry(identity_call_t *call, inquiry_t *inquiry)
{
    identity_holders_t *holders = &inquiry->holders;
    identity_permset_t views = {0};

    holders->permission = call->id;
    holders->now = call->now;
    holders->account_ids = accounts_asked(call);
    holders->keys = !call->partner && identity_permset_has(&call->permissions, "USER.API.VIEW");
    identity_permset_add_view(&views, call->env->settings->catalogue);
    holders->read_only_keys = identity_permset_has(&views, call->id);
    if (call->partner)
        inquiry->page.query.only_id = call->principal->id;
    inquiry->page.query.holders = holders;
}

/* Is it in the catalogue, or used in a role or key of the entity? Holders of every permission have others, too, but
 * are not listed for those. */
static bool is_known(identity_call_t *call, bool *known)
{
    *known = false;
    for (int i = 0; !*known && i < identity_permission_count(); i++)
        *known = strcmp(identity_permission_name(i), call->id) == 0;
    return *known ||
           identity_db_ok(call, identity_permission_named(call->db, call->principal->entity_id,
                                                          call->id, known));
}

static apr_array_header_t *built_in_roles(const identity_call_t *call)
{
    apr_array_header_t *ids = apr_array_make(call->pool, 16, sizeof(const char *));

    for (int i = 0; i < identity_builtin_role_count(); i++) {
        identity_permset_t set = {0};
        identity_builtin_role_permissions(i, call->env->settings->catalogue, &set);
        if (identity_permset_has(&set, call->id))
            APR_ARRAY_PUSH(ids, const char *) = identity_builtin_role(i)->id;
    }
    return ids;
}

/* ---- sources ---------------------------------------------------------------------------------------------------- */

/* For one holder in one account. */
typedef struct sources {
    const char *permission, *account_id;
    json_t *list;
} sources_t;

static void tell_source(identity_call_t *call, void *data, const identity_account_row_t *account,
                        const identity_permset_t *set, json_t *source)
{
    const sources_t *sources = data;

    (void)call;
    if (strcmp(account->id, sources->account_id) == 0 &&
        identity_permset_has(set, sources->permission))
        json_array_append(sources->list, source);
}

static bool team_name(identity_call_t *call, const inquiry_t *inquiry, const char *id,
                      const char **name)
{
    identity_team_row_t *team;

    *name = apr_hash_get(inquiry->teams, id, APR_HASH_KEY_STRING);
    if (*name)
        return true;
    if (!identity_db_ok(call, identity_team_get(call->db, call->principal->entity_id, id, &team)))
        return false;
    *name = team->name;
    apr_hash_set(inquiry->teams, id, APR_HASH_KEY_STRING, team->name);
    return true;
}

static bool sources_of_user(identity_call_t *call, const inquiry_t *inquiry, const char *id,
                            sources_t *sources)
{
    const identity_assignments_t *assignments = inquiry->assignments;
    const apr_array_header_t *teams = identity_assigned_teams(assignments, id);
    const char *name;

    identity_sources_of(call, assignments, identity_assigned_memberships(assignments, id), NULL,
                        tell_source, sources);
    for (int i = 0; teams && i < teams->nelts; i++) {
        const identity_team_member_row_t *row =
            APR_ARRAY_IDX(teams, i, identity_team_member_row_t *);
        if (row->start_at > call->now || (row->end_at && row->end_at <= call->now))
            continue;
        if (!team_name(call, inquiry, row->team_id, &name))
            return false;
        identity_sources_of(call, assignments,
                            identity_assigned_team_memberships(assignments, row->team_id), name,
                            tell_source, sources);
    }
    return true;
}

/* In the form of the key's account_memberships. */
static json_t *source_of_key(const identity_holder_row_t *row)
{
    bool all = row->role == IDENTITY_KEY_ADMINISTRATOR;
    json_t *roles = json_array();

    for (int i = 0; !all && i < identity_builtin_role_count(); i++)
        if (strcmp(identity_builtin_role(i)->slug, "read-only") == 0)
            json_array_append_new(roles, json_string(identity_builtin_role(i)->name));
    return json_pack("{s:n, s:n, s:s, s:o}", "membership_id", "team", "type",
                     identity_member_type_name(all ? IDENTITY_MEMBER_ADMIN : IDENTITY_MEMBER_USER),
                     "roles", roles);
}

/* ---- the page --------------------------------------------------------------------------------------------------- */

static bool add_holder(identity_call_t *call, const inquiry_t *inquiry,
                       const identity_holder_row_t *row)
{
    sources_t sources = {call->id, row->account_id, identity_json_own(call->pool, json_array())};
    json_t *holder = row->key ? json_pack("{s:s, s:s?}", "id", row->id, "description", row->name)
                              : json_pack("{s:s, s:s}", "id", row->id, "username", row->name);

    json_array_append_new(inquiry->data,
                          json_pack("{s:o, s:s, s:O}", row->key ? "api_key" : "user", holder,
                                    "account_id", row->account_id, "sources", sources.list));
    if (row->key)
        return json_array_append_new(sources.list, source_of_key(row)) == 0;
    return sources_of_user(call, inquiry, row->id, &sources);
}

static bool load_assignments(identity_call_t *call, inquiry_t *inquiry)
{
    const apr_array_header_t *rows = inquiry->page.rows;
    apr_array_header_t *ids = apr_array_make(call->pool, rows->nelts + 1, sizeof(const char *));
    const char *last = "";

    for (int i = 0; i < rows->nelts; i++) {
        const identity_holder_row_t *row = APR_ARRAY_IDX(rows, i, identity_holder_row_t *);
        if (!row->key && strcmp(row->id, last) != 0)
            APR_ARRAY_PUSH(ids, const char *) = last = row->id;
    }
    return identity_assignments_load(call, IDENTITY_OWNER_USER, ids, &inquiry->assignments);
}

static bool load(identity_call_t *call, void *data)
{
    inquiry_t *inquiry = data;
    apr_array_header_t *roles;
    bool known;

    if (!is_known(call, &known))
        return false;
    if (!known) {
        identity_page_nothing(call, &inquiry->page);
        return true;
    }
    if (!identity_db_ok(call, identity_roles_granting(call->db, call->principal->entity_id,
                                                      call->id, built_in_roles(call), &roles)))
        return false;
    inquiry->holders.role_ids = roles;
    if (!identity_page_load(call, &inquiry->page, IDENTITY_PAGE_OF_HOLDERS, true) ||
        !load_assignments(call, inquiry))
        return false;
    for (int i = 0; i < inquiry->page.rows->nelts; i++)
        if (!add_holder(call, inquiry,
                        APR_ARRAY_IDX(inquiry->page.rows, i, identity_holder_row_t *)))
            return false;
    return true;
}

static identity_position_t position_of(const void *row_)
{
    const identity_holder_row_t *row = row_;
    return (identity_position_t){.id = row->place, .created_at = row->created_at};
}

bool identity_op_list_permission_holders(identity_call_t *call)
{
    inquiry_t inquiry = {.teams = apr_hash_make(call->pool),
                         .data = identity_json_own(call->pool, json_array())};

    if (!permitted(call) || !identity_page_parse(call, NULL, &inquiry.page))
        return false;
    read_inquiry(call, &inquiry);
    if (!identity_read(call, load, &inquiry))
        return false;
    return identity_answer(
        call, 200, identity_page_json(call, &inquiry.page, json_incref(inquiry.data), position_of));
}

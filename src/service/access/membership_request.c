/* SPDX-License-Identifier: Apache-2.0 */
/* account_memberships and team_memberships of a body: resolved within the entity and limited to what the caller may
 * grant (delegation.c). */
#include <string.h>

#include "access/access.h"

/* A role named in the body: by id, by name, or both. */
typedef struct mention {
    const char *field; /* dotted path, for the error */
    const char *id, *canonical;
} mention_t;

static const char *at(identity_call_t *call, const char *list, size_t position, const char *member)
{
    return apr_psprintf(call->pool, "%s.%" APR_SIZE_T_FMT ".%s", list, (apr_size_t)position,
                        member);
}

static bool push_id(identity_call_t *call, apr_array_header_t *mentions, const char *field,
                    const json_t *value)
{
    const char *id = json_string_value(value);

    if (!identity_id_valid(id, "role"))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field, "There is no such role.");
    mention_t *mention = apr_array_push(mentions);
    mention->field = field;
    mention->id = id;
    mention->canonical = NULL;
    return true;
}

static bool push_name(identity_call_t *call, apr_array_header_t *mentions, const char *field,
                      const json_t *value)
{
    const char *canonical = identity_name_canonical(call->pool, json_string_value(value));

    if (!canonical || !*canonical)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field, "There is no such role.");
    mention_t *mention = apr_array_push(mentions);
    mention->field = field;
    mention->id = NULL;
    mention->canonical = canonical;
    return true;
}

/* Collects what a membership object lists in `role_ids` and in `roles`. */
static bool mentions_of(identity_call_t *call, const json_t *object, size_t position,
                        apr_array_header_t *ids, apr_array_header_t *roles)
{
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(object, "role_ids"), i, item) {
        const char *field = apr_psprintf(
            call->pool, "account_memberships.%" APR_SIZE_T_FMT ".role_ids.%" APR_SIZE_T_FMT,
            (apr_size_t)position, (apr_size_t)i);
        if (!push_id(call, ids, field, item))
            return false;
    }
    json_array_foreach (json_object_get(object, "roles"), i, item) {
        const char *field = apr_psprintf(
            call->pool, "account_memberships.%" APR_SIZE_T_FMT ".roles.%" APR_SIZE_T_FMT,
            (apr_size_t)position, (apr_size_t)i);
        if (json_object_size(item) == 0)
            continue;
        if (identity_json_has(item, "id")) {
            if (!push_id(call, roles, apr_pstrcat(call->pool, field, ".id", NULL),
                         json_object_get(item, "id")))
                return false;
        } else if (identity_json_has(item, "name")) {
            if (!push_name(call, roles, apr_pstrcat(call->pool, field, ".name", NULL),
                           json_object_get(item, "name")))
                return false;
        } else {
            return identity_deny(call, IDENTITY_PROBLEM_MISSING_FIELD,
                                 apr_pstrcat(call->pool, field, ".name", NULL),
                                 "A role needs an id or a name.");
        }
    }
    return true;
}

static const identity_role_row_t *find_role(const apr_array_header_t *rows,
                                            const mention_t *mention)
{
    for (int i = 0; rows && i < rows->nelts; i++) {
        const identity_role_row_t *row = APR_ARRAY_IDX(rows, i, identity_role_row_t *);
        if (strcmp(mention->id ? row->id : row->canonical,
                   mention->id ? mention->id : mention->canonical) == 0)
            return row;
    }
    return NULL;
}

static bool holds(const apr_array_header_t *ids, const char *id)
{
    for (int i = 0; i < ids->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(ids, i, const char *), id) == 0)
            return true;
    return false;
}

/* The distinct ids of the named roles. NULL with the problem if one is unknown. */
static apr_array_header_t *resolve(identity_call_t *call, const apr_array_header_t *mentions,
                                   const apr_array_header_t *rows)
{
    apr_array_header_t *ids = apr_array_make(call->pool, 4, sizeof(const char *));

    for (int i = 0; i < mentions->nelts; i++) {
        const mention_t *mention = &APR_ARRAY_IDX(mentions, i, mention_t);
        const identity_role_row_t *row = find_role(rows, mention);
        if (!row) {
            identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, mention->field,
                          "There is no such role.");
            return NULL;
        }
        if (!holds(ids, row->id))
            APR_ARRAY_PUSH(ids, const char *) = row->id;
    }
    return ids;
}

static bool same_ids(const apr_array_header_t *a, const apr_array_header_t *b)
{
    bool same = a->nelts == b->nelts;

    for (int i = 0; same && i < a->nelts; i++)
        same = holds(b, APR_ARRAY_IDX(a, i, const char *));
    return same;
}

/* The roles of a membership object; `rows` are those of all roles named in the body. */
static bool roles_of(identity_call_t *call, const json_t *object, size_t position,
                     const apr_array_header_t *rows, apr_array_header_t **role_ids)
{
    apr_array_header_t *by_id = apr_array_make(call->pool, 4, sizeof(mention_t)),
                       *by_role = apr_array_make(call->pool, 4, sizeof(mention_t));
    apr_array_header_t *ids, *roles;

    if (!mentions_of(call, object, position, by_id, by_role))
        return false;
    ids = resolve(call, by_id, rows);
    roles = ids ? resolve(call, by_role, rows) : NULL;
    if (!roles)
        return false;
    if (by_id->nelts && by_role->nelts && !same_ids(ids, roles))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD,
                             at(call, "account_memberships", position, "roles"),
                             "roles and role_ids name different roles.");
    *role_ids = by_role->nelts ? roles : ids;
    return true;
}

/* Reads all roles named in the body, in one statement. */
static bool read_roles(identity_call_t *call, const json_t *list, apr_array_header_t **rows)
{
    apr_array_header_t *mentions = apr_array_make(call->pool, 8, sizeof(mention_t));
    apr_array_header_t *ids = apr_array_make(call->pool, 8, sizeof(const char *)),
                       *names = apr_array_make(call->pool, 8, sizeof(const char *));
    size_t i;
    json_t *object;

    *rows = NULL;
    json_array_foreach (list, i, object)
        if (!mentions_of(call, object, i, mentions, mentions))
            return false;
    for (int m = 0; m < mentions->nelts; m++) {
        const mention_t *mention = &APR_ARRAY_IDX(mentions, m, mention_t);
        APR_ARRAY_PUSH(mention->id ? ids : names, const char *) =
            mention->id ? mention->id : mention->canonical;
    }
    if (mentions->nelts == 0)
        return true;
    return identity_db_ok(
        call, identity_roles_find(call->db, call->principal->entity_id, ids, names, NULL, rows));
}

static bool account_at(identity_call_t *call, const char *field, const char *id,
                       identity_account_row_t *account)
{
    identity_account_row_t *row = NULL;
    bool found = false;

    if (identity_id_valid(id, "plat") &&
        !identity_db_found(
            call, identity_account_find(call->db, call->principal->entity_id, id, &row), &found))
        return false;
    if (!found)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field,
                             "There is no such account.");
    *account = *row;
    return true;
}

static bool read_membership(identity_call_t *call, const json_t *object, size_t position,
                            const apr_array_header_t *rows, identity_membership_request_t *request)
{
    identity_membership_row_t *row = apr_pcalloc(call->pool, sizeof *row);
    apr_array_header_t *role_ids = NULL;
    const char *field = at(call, "account_memberships", position, "account_id");

    if (!account_at(call, field, identity_json_string(object, "account_id"), &row->account) ||
        !roles_of(call, object, position, rows, &role_ids))
        return false;
    for (int i = 0; i < request->memberships->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(request->memberships, i, identity_membership_row_t *)->account.id,
                   row->account.id) == 0)
            return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field,
                                 "This account is listed twice.");
    row->entity_id = call->principal->entity_id;
    row->created_at = call->now;
    identity_member_type_parse(identity_json_string(object, "type"), &row->type);
    APR_ARRAY_PUSH(request->memberships, identity_membership_row_t *) = row;
    APR_ARRAY_PUSH(request->role_ids, apr_array_header_t *) = role_ids;
    APR_ARRAY_PUSH(request->positions, int) = (int)position;
    return true;
}

static bool read_team(identity_call_t *call, const json_t *object, size_t position,
                      identity_membership_request_t *request)
{
    identity_team_member_row_t *row = apr_pcalloc(call->pool, sizeof *row);
    const char *id = identity_json_string(object, "team_id"),
               *field = at(call, "team_memberships", position, "team_id");
    identity_team_row_t *team = NULL;
    bool found = false;

    if (identity_id_valid(id, "team") &&
        !identity_db_found(call, identity_team_get(call->db, call->principal->entity_id, id, &team),
                           &found))
        return false;
    if (!found)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field, "There is no such team.");
    for (int i = 0; i < request->teams->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(request->teams, i, identity_team_member_row_t *)->team_id,
                   team->id) == 0)
            return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, field,
                                 "This team is listed twice.");
    row->entity_id = call->principal->entity_id;
    row->team_id = team->id;
    row->created_at = call->now;
    row->start_at = call->now;
    if (identity_json_has(object, "start_at"))
        identity_time_parse(identity_json_string(object, "start_at"), &row->start_at);
    if (identity_json_has(object, "end_at"))
        identity_time_parse(identity_json_string(object, "end_at"), &row->end_at);
    if (identity_json_has(object, "end_at") && row->end_at <= row->start_at)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD,
                             at(call, "team_memberships", position, "end_at"),
                             "end_at must be later than start_at.");
    APR_ARRAY_PUSH(request->teams, identity_team_member_row_t *) = row;
    APR_ARRAY_PUSH(request->team_positions, int) = (int)position;
    return true;
}

void identity_membership_request_make(identity_call_t *call, identity_membership_request_t *request)
{
    request->memberships = apr_array_make(call->pool, 4, sizeof(identity_membership_row_t *));
    request->role_ids = apr_array_make(call->pool, 4, sizeof(apr_array_header_t *));
    request->teams = apr_array_make(call->pool, 4, sizeof(identity_team_member_row_t *));
    request->positions = apr_array_make(call->pool, 4, sizeof(int));
    request->team_positions = apr_array_make(call->pool, 4, sizeof(int));
}

bool identity_membership_request_read(identity_call_t *call, identity_membership_request_t *request)
{
    const json_t *accounts = json_object_get(call->body, "account_memberships"),
                 *teams = json_object_get(call->body, "team_memberships");
    apr_array_header_t *rows;
    size_t i;
    json_t *object;

    identity_membership_request_make(call, request);
    if (!read_roles(call, accounts, &rows))
        return false;
    json_array_foreach (accounts, i, object)
        if (json_object_size(object) > 0 && !read_membership(call, object, i, rows, request))
            return false;
    json_array_foreach (teams, i, object)
        if (json_object_size(object) > 0 && !read_team(call, object, i, request))
            return false;
    return identity_may_grant(call, request);
}

bool identity_membership_request_read_one(identity_call_t *call, const char *list,
                                          identity_membership_request_t *request)
{
    json_t *body = call->body;
    const char *prefix = apr_pstrcat(call->pool, list, ".0", NULL);

    call->body = identity_json_own(call->pool, json_pack("{s:[O]}", list, body));
    bool read = identity_membership_request_read(call, request);
    call->body = body;
    const char *field = call->problem.field;
    if (!read && field && strncmp(field, prefix, strlen(prefix)) == 0)
        call->problem.field = field[strlen(prefix)] == '.' ? field + strlen(prefix) + 1 : NULL;
    return read;
}

bool identity_membership_request_write(identity_call_t *call, identity_owner_t owner,
                                       const char *owner_id,
                                       const identity_membership_request_t *request)
{
    for (int i = 0; i < request->memberships->nelts; i++) {
        identity_membership_row_t *row =
            APR_ARRAY_IDX(request->memberships, i, identity_membership_row_t *);
        row->owner_id = owner_id;
        row->id = identity_call_id(call, "memb");
        if (!row->id ||
            !identity_db_ok(call, identity_membership_insert(
                                      call->db, owner, row,
                                      APR_ARRAY_IDX(request->role_ids, i, apr_array_header_t *))))
            return false;
    }
    for (int i = 0; i < request->teams->nelts; i++) {
        identity_team_member_row_t *row =
            APR_ARRAY_IDX(request->teams, i, identity_team_member_row_t *);
        row->owner_id = owner_id;
        row->id = identity_call_id(call, "tmem");
        if (!row->id || !identity_db_ok(call, identity_team_member_insert(call->db, owner, row)))
            return false;
    }
    return true;
}

/* ---- for audit records ------------------------------------------------------------------------------------------ */

void identity_changes_add_membership_request(identity_changes_t *changes,
                                             const identity_membership_request_t *request)
{
    for (int i = 0; i < request->memberships->nelts; i++)
        identity_changes_add_membership(
            changes, NULL, NULL,
            APR_ARRAY_IDX(request->memberships, i, identity_membership_row_t *),
            APR_ARRAY_IDX(request->role_ids, i, apr_array_header_t *));
    for (int i = 0; i < request->teams->nelts; i++)
        identity_changes_add_team(changes, NULL,
                                  APR_ARRAY_IDX(request->teams, i, identity_team_member_row_t *));
}

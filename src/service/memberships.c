/* A user's account memberships: list, add. */
#include <string.h>

#include "service_int.h"
#include "users_int.h"

#define LIST_PREFIX "account_memberships.0."

/* ---- GET /users/{id}/memberships -------------------------------------------------------------------------------- */

bool identity_memberships_list(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};

    if (!identity_read(call, identity_user_load, &view))
        return false;
    return identity_answer(call, 200, identity_memberships_json(call, view.holdings, call->id));
}

/* ---- POST /users/{id}/memberships ------------------------------------------------------------------------------- */

/* The body is what an invitation gives as one of several: read the same way, its fields named without the list around
 * it. */
static bool read_one(identity_call_t *call, identity_wanted_t *wanted)
{
    json_t *body = call->body;

    call->body = identity_json_own(call->pool, json_pack("{s:[O]}", "account_memberships", body));
    bool read = identity_wanted_read(call, wanted);
    call->body = body;
    const char *field = call->problem.field;
    if (!read && field && strncmp(field, LIST_PREFIX, strlen(LIST_PREFIX)) == 0)
        call->problem.field = field + strlen(LIST_PREFIX);
    else if (!read && field)
        call->problem.field = NULL;
    return read;
}

static bool write_membership(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    identity_wanted_t wanted;
    identity_audit_t audit = {
        .action = "ADD_MEMBERSHIP", .type = "USER", .id = call->id, .message = "An account membership was given."};

    if (!identity_user_load(call, view) || !read_one(call, &wanted))
        return false;
    const identity_membership_row_t *row = APR_ARRAY_IDX(wanted.memberships, 0, identity_membership_row_t *);
    const apr_array_header_t *present = apr_hash_get(view->holdings->memberships, call->id, APR_HASH_KEY_STRING);
    for (int i = 0; present && i < present->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(present, i, identity_membership_row_t *)->account.id, row->account.id) == 0)
            return identity_deny(call, IDENTITY_PROBLEM_EXISTS, "account_id",
                                 "The user is a member of this account already.");
    audit.account = &row->account;
    return identity_wanted_write(call, IDENTITY_OWNER_USER, call->id, &wanted) && identity_audit(call, &audit) &&
           identity_user_load(call, view) &&
           identity_answer(call, 201, identity_memberships_json(call, view->holdings, call->id));
}

bool identity_memberships_add(identity_call_t *call)
{
    identity_user_view_t view = {.id = call->id};

    return identity_write(call, write_membership, &view);
}

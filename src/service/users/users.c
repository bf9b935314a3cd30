/* SPDX-License-Identifier: Apache-2.0 */
/* Users: list, get, search. */
#include <string.h>

#include "users/users.h"

#define SEARCH_LIMIT 500

static void write_users(identity_call_t *call, identity_writer_t *writer,
                        const apr_array_header_t *users, const identity_shown_t *shown)
{
    identity_write_literal(writer, "[");
    for (int i = 0; i < users->nelts; i++) {
        if (i > 0)
            identity_write_literal(writer, ",");
        identity_shown_user(call, writer, shown, APR_ARRAY_IDX(users, i, identity_user_row_t *));
    }
    identity_write_literal(writer, "]");
}

/* ---- GET /users ------------------------------------------------------------------------------------------------- */

static bool load_list(identity_call_t *call, identity_listing_t *page)
{
    identity_shown_t *shown;

    if (!identity_shown_load(call, identity_row_ids(call->pool, page->rows), 0, &shown))
        return false;
    page->beside = shown;
    return true;
}

static void row_write(identity_call_t *call, identity_writer_t *writer,
                      const identity_listing_t *page, const void *row)
{
    identity_shown_user(call, writer, page->beside, row);
}

static identity_position_t position_of(const void *row_)
{
    const identity_user_row_t *row = row_;
    return (identity_position_t){
        .id = row->id, .name = row->canonical, .created_at = row->created_at};
}

/* A status filter determines `active`: combined, `active` adds nothing or excludes everybody. */
static bool read_status(identity_call_t *call, identity_listing_t *page)
{
    identity_page_query_t *query = &page->query;
    const char *name = apr_table_get(call->query, "status");
    identity_user_status_t status;

    if (!name)
        return true;
    if (!identity_user_status_parse(name, &status))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "status",
                             "status must be INVITED, INVITE_REVOKED, ACTIVE or INACTIVE.");
    page->nothing = query->active >= 0 && (query->active == 1) != (status == IDENTITY_USER_ACTIVE);
    query->active = -1;
    query->state = identity_user_status_name(status);
    return true;
}

static bool filter(identity_call_t *call, identity_listing_t *page)
{
    const char *username = apr_table_get(call->query, "username");

    if (username)
        page->query.name = identity_username_key(call->pool, username);
    if (call->partner)
        page->query.only_id = call->principal->id;
    return identity_query_boolean(call, "active", &page->query.active) && read_status(call, page);
}

bool identity_op_list_users(identity_call_t *call)
{
    static const identity_collection_t users = {.of = IDENTITY_PAGE_OF_USERS,
                                                .name_order = "username",
                                                .filter = filter,
                                                .load = load_list,
                                                .row_write = row_write,
                                                .row_length = IDENTITY_SHOWN_LENGTH,
                                                .position_of = position_of};
    return identity_collection_list(call, &users);
}

/* ---- GET /users/{id} -------------------------------------------------------------------------------------------- */

bool identity_user_load(identity_call_t *call, void *data)
{
    identity_user_view_t *view = data;
    return identity_user_found(call, view->id, &view->user) &&
           identity_user_assignments(call, view->user, &view->assignments);
}

bool identity_user_look(identity_call_t *call, void *data)
{
    identity_user_look_t *look = data;
    bool found;

    if (!identity_db_found(
            call, identity_user_shown(call->db, call->principal->entity_id, call->id, &look->user),
            &found))
        return false;
    if (!found || identity_user_hidden(call, call->id))
        return identity_deny(call, IDENTITY_PROBLEM_USER_NOT_FOUND, NULL, NULL);
    return identity_shown_load(call, identity_list_of(call->pool, call->id), look->user->sequence,
                               &look->shown);
}

bool identity_op_get_user(identity_call_t *call)
{
    identity_user_look_t look;
    identity_writer_t writer;

    if (!identity_read(call, identity_user_look, &look))
        return false;
    identity_shown_begin(call, &writer, 1);
    identity_shown_user(call, &writer, look.shown, look.user);
    return identity_answer_written(call, &writer) && identity_tag_answer(call);
}

/* ---- GET /users/search ------------------------------------------------------------------------------------------ */

typedef struct search {
    const char *exact, *prefix, *domain, *only_id;
    apr_array_header_t *users;
    identity_shown_t *shown;
} search_t;

static bool search_by(identity_call_t *call, search_t *search, const char *exact,
                      const char *prefix)
{
    return identity_db_ok(call, identity_users_search(call->db, call->principal->entity_id, exact,
                                                      prefix, search->domain, search->only_id,
                                                      SEARCH_LIMIT, &search->users));
}

static bool load_search(identity_call_t *call, void *data)
{
    search_t *search = data;

    if (!search_by(call, search, search->exact, search->prefix))
        return false;
    /* ada@example.c looks like an address, but may be a prefix of one. */
    if (search->exact && search->users->nelts == 0 && !search_by(call, search, NULL, search->exact))
        return false;
    return identity_shown_load(call, identity_row_ids(call->pool, search->users), 0,
                               &search->shown);
}

static const char *domain_sought(identity_call_t *call, const char *text)
{
    const char *canonical = identity_domain_canonical(call->pool, text);
    return canonical ? canonical : identity_username_old_form(call->pool, text);
}

bool identity_op_search_users(identity_call_t *call)
{
    const char *username = apr_table_get(call->query, "username"),
               *type = apr_table_get(call->query, "user_type");
    search_t search = {.only_id = call->in->headers.resource_id};
    identity_writer_t writer;
    bool nobody;

    if (type && strcmp(type, "MORTAL") != 0 && strcmp(type, "API") != 0)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "user_type",
                             "user_type must be MORTAL or API.");
    /* Keys are not users: POST /api-keys/search finds them. */
    nobody = type && strcmp(type, "API") == 0;
    if (search.only_id && !identity_id_valid(search.only_id, "user"))
        nobody = true;
    if (call->partner) {
        nobody = nobody || (search.only_id && strcmp(search.only_id, call->principal->id) != 0);
        search.only_id = call->principal->id;
    }
    if (username && *username) {
        if (username[0] == '@')
            search.domain = domain_sought(call, username + 1);
        else if (identity_username_valid(username))
            search.exact = identity_username_canonical(call->pool, username);
        else
            search.prefix = identity_username_prefix(call->pool, username);
    }
    if (nobody)
        return identity_answer(call, 200, json_array());
    if (!identity_read(call, load_search, &search))
        return false;
    identity_shown_begin(call, &writer, search.users->nelts);
    write_users(call, &writer, search.users, search.shown);
    return identity_answer_written(call, &writer);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations as a resource: list, describe (conf/interface.md). The same rows that users/invite creates; callers
 * who see the entity's users see them. */
#include <string.h>

#include "users/invitations.h"

#define LIMIT     25
#define LIMIT_MAX 100

/* ---- an invitation as JSON -------------------------------------------------------------------------------------- */

static json_t *delivery_json(const identity_outbox_row_t *mail)
{
    json_t *object = json_object();

    json_object_set_new(object, "state", json_string(identity_outbox_state_name(mail->state)));
    json_object_set_new(object, "attempts", json_integer(mail->attempts));
    json_object_set_new(object, "lastError", identity_json_text_or_null(mail->last_error));
    json_object_set_new(object, "queued", identity_time_json(mail->created_at));
    json_object_set_new(object, "sent", identity_time_json(mail->sent_at));
    return object;
}

/* An invitation without an account belongs to the entity. */
static const char *urn_of(identity_call_t *call, const identity_invitation_row_t *row)
{
    const identity_settings_t *settings = call->env->settings;

    return apr_psprintf(call->pool, "urn:%s:identity:%s:%s:invitation/%s", settings->urn_namespace,
                        settings->urn_region, row->account_id ? row->account_id : row->entity_id,
                        row->id);
}

json_t *identity_invitation_json(identity_call_t *call, const identity_invitation_view_t *view,
                                 const identity_invitation_row_t *row)
{
    json_t *object = json_object();
    const char *state = identity_invitation_state_name(identity_invitation_state(row, call->now));

    json_object_set_new(object, "id", json_string(row->id));
    json_object_set_new(object, "email", json_string(row->email));
    json_object_set_new(object, "roleID", json_string(row->role_slug));
    json_object_set_new(object, "state", json_string(state));
    json_object_set_new(object, "created", identity_time_json(row->created_at));
    json_object_set_new(object, "lastModified", identity_time_json(row->modified_at));
    json_object_set_new(object, "expiry", identity_time_json(row->expires_at));
    /* When the mail was sent; until then, when it was queued. */
    json_object_set_new(object, "lastSent",
                        identity_time_json(row->sent_at ? row->sent_at : row->created_at));
    json_object_set_new(object, "urn", json_string(urn_of(call, row)));
    const identity_outbox_row_t *mail =
        view->mails ? apr_hash_get(view->mails, row->id, APR_HASH_KEY_STRING) : NULL;
    if (mail)
        json_object_set_new(object, "delivery", delivery_json(mail));
    return object;
}

/* The state of the mail is only for callers who may resend it. */
bool identity_invitation_view(identity_call_t *call, identity_invitation_view_t *view)
{
    apr_array_header_t *ids =
                           apr_array_make(call->pool, view->rows->nelts + 1, sizeof(const char *)),
                       *mails;

    if (!identity_permset_has(&call->permissions, "USER.MORTAL.UPDATE"))
        return true;
    for (int i = 0; i < view->rows->nelts; i++)
        APR_ARRAY_PUSH(ids, const char *) =
            APR_ARRAY_IDX(view->rows, i, identity_invitation_row_t *)->id;
    if (!identity_db_ok(call, identity_outbox_newest(call->db, ids, &mails)))
        return false;
    view->mails = apr_hash_make(call->pool);
    for (int i = 0; i < mails->nelts; i++) {
        const identity_outbox_row_t *mail = APR_ARRAY_IDX(mails, i, identity_outbox_row_t *);
        apr_hash_set(view->mails, mail->invitation_id, APR_HASH_KEY_STRING, mail);
    }
    return true;
}

/* ---- GET /invitations/{id} -------------------------------------------------------------------------------------- */

/* A PARTNER sees nobody else's. */
bool identity_invitation_found(identity_call_t *call, identity_invitation_row_t **row)
{
    bool found;

    if (!identity_db_found(
            call, identity_invitation_get(call->db, call->principal->entity_id, call->id, row),
            &found))
        return false;
    if (found && !(call->partner && strcmp((*row)->user_id, call->principal->id) != 0))
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
}

static bool load_one(identity_call_t *call, void *data)
{
    identity_invitation_view_t *view = data;

    view->rows = apr_array_make(call->pool, 1, sizeof(identity_invitation_row_t *));
    return identity_invitation_found(call,
                                     (identity_invitation_row_t **)apr_array_push(view->rows)) &&
           identity_invitation_view(call, view);
}

bool identity_op_get_invitation(identity_call_t *call)
{
    identity_invitation_view_t view = {NULL, NULL};

    if (!identity_read(call, load_one, &view))
        return false;
    return identity_answer(
        call, 200,
        identity_invitation_json(call, &view,
                                 APR_ARRAY_IDX(view.rows, 0, identity_invitation_row_t *)));
}

/* ---- GET /invitations ------------------------------------------------------------------------------------------- */

typedef struct beside {
    identity_invitation_view_t view;
    const char *filters; /* the filters that a cursor was created for */
} beside_t;

/* An empty parameter counts as absent. */
static const char *parameter(const identity_call_t *call, const char *name)
{
    const char *value = apr_table_get(call->query, name);
    return value && *value ? value : NULL;
}

static bool read_limit(identity_call_t *call, identity_listing_t *page)
{
    const char *text = parameter(call, "limit");
    char *end = NULL;

    call->paged = true;
    page->page = 1;
    page->limit = text ? apr_strtoi64(text, &end, 10) : 0;
    if (text &&
        (text[0] < '0' || text[0] > '9' || *end || page->limit > LIMIT_MAX || strlen(text) > 10))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "limit",
                             "limit must be a number from 0 (which means %d) to %d.", LIMIT,
                             LIMIT_MAX);
    if (page->limit == 0)
        page->limit = LIMIT;
    page->query.limit = page->limit + 1;
    return true;
}

/* Open and expired invitations are stored alike and distinguished by their expiry: they are therefore ordered by it,
 * the last one sent first. Those for one address are few, and are filtered while reading. */
static bool read_state(identity_call_t *call, identity_page_query_t *query)
{
    const char *text = parameter(call, "state");
    identity_invitation_state_t state;

    if (!text)
        return true;
    if (!identity_invitation_state_parse(text, &state))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "state",
                             "state must be invited, accepted, revoked or expired.");
    if (state == IDENTITY_INVITATION_INVITED)
        query->from = call->now + 1;
    if (state == IDENTITY_INVITATION_EXPIRED)
        query->to = call->now + 1;
    bool open = query->from || query->to;
    query->state = identity_invitation_state_name(open ? IDENTITY_INVITATION_INVITED : state);
    query->order = open && !query->name ? IDENTITY_ORDER_EXPIRY : IDENTITY_ORDER_CREATED_AT;
    return true;
}

/* A PARTNER finds only invitations to its own user: those to its address that are for it. */
static void narrow_to_self(const identity_call_t *call, identity_listing_t *page)
{
    identity_page_query_t *query = &page->query;
    const char *own = call->principal->name;

    page->nothing = query->name && strcmp(query->name, own) != 0;
    query->name = own;
    query->user_id = call->principal->id;
}

static bool read_filters(identity_call_t *call, identity_listing_t *page)
{
    const char *email = parameter(call, "email"), *role = parameter(call, "roleID"),
               *state = parameter(call, "state");
    beside_t *beside = page->beside = apr_pcalloc(call->pool, sizeof *beside);
    identity_page_query_t *query = &page->query;

    if (role && !identity_slug_valid(role) && strcmp(role, IDENTITY_SLUG_NONE) != 0)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "roleID",
                             "roleID must be the slug of a role.");
    query->role_slug = role;
    query->name = email ? identity_username_key(call->pool, email) : NULL;
    if (call->partner)
        narrow_to_self(call, page);
    beside->filters = apr_pstrcat(call->pool, query->name ? query->name : "", "\n",
                                  state ? state : "", "\n", role ? role : "", NULL);
    beside->filters = apr_pstrndup(
        call->pool, identity_sha256_hex(call->pool, beside->filters, strlen(beside->filters)), 12);
    return read_state(call, query);
}

/* The key of a cursor: position in the order, and the filters. */
static bool read_cursor(identity_call_t *call, identity_listing_t *page)
{
    const beside_t *beside = page->beside;
    const char *text = parameter(call, "cursor"), *dot;

    if (!text)
        return true;
    bool good = identity_cursor_decode(call->pool, text, &page->cursor) && !page->cursor.backward &&
                identity_invitation_id_valid(page->cursor.id);
    dot = good ? strchr(page->cursor.key, '.') : NULL;
    if (!dot || strspn(page->cursor.key, "0123456789") != (size_t)(dot - page->cursor.key) ||
        dot - page->cursor.key > 18 || strcmp(dot + 1, beside->filters) != 0)
        return identity_deny(
            call, IDENTITY_PROBLEM_INVALID_FIELD, "cursor",
            "cursor must be the next of an earlier page, sent with the same filters.");
    page->query.cursor = &page->cursor;
    return true;
}

static bool parse(identity_call_t *call, identity_listing_t *page)
{
    page->query.entity_id = call->principal->entity_id;
    page->query.active = -1;
    page->query.descending = true;
    return read_limit(call, page) && read_filters(call, page) && read_cursor(call, page);
}

static bool load_list(identity_call_t *call, identity_listing_t *page)
{
    beside_t *beside = page->beside;

    beside->view.rows = page->rows;
    return page->nothing || identity_invitation_view(call, &beside->view);
}

static json_t *row_json(identity_call_t *call, const identity_listing_t *page, const void *row)
{
    return identity_invitation_json(call, &((const beside_t *)page->beside)->view, row);
}

static const char *next_of(identity_call_t *call, const identity_listing_t *page)
{
    const identity_invitation_row_t *last =
        APR_ARRAY_IDX(page->rows, page->rows->nelts - 1, const identity_invitation_row_t *);
    apr_time_t at =
        page->query.order == IDENTITY_ORDER_EXPIRY ? last->expires_at : last->created_at;
    identity_cursor_t next = {.key = apr_psprintf(call->pool, "%" APR_TIME_T_FMT ".%s", at,
                                                  ((const beside_t *)page->beside)->filters),
                              .id = last->id,
                              .page = 1};

    return identity_cursor_encode(call->pool, &next);
}

static bool answer_list(identity_call_t *call, const identity_listing_t *page, json_t *data)
{
    json_t *answer = json_object();

    json_object_set_new(answer, "invitations", data);
    if (page->more_after)
        json_object_set_new(answer, "next", json_string(next_of(call, page)));
    return identity_answer(call, 200, answer);
}

bool identity_op_list_invitations(identity_call_t *call)
{
    static const identity_collection_t invitations = {.of = IDENTITY_PAGE_OF_INVITATIONS,
                                                      .parse = parse,
                                                      .load = load_list,
                                                      .row_json = row_json,
                                                      .answer = answer_list};
    return identity_collection_list(call, &invitations);
}

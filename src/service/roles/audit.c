/* SPDX-License-Identifier: Apache-2.0 */
/* Audit records: list, get. */
#include <string.h>

#include "roles/roles.h"

/* ---- what of them the caller may see ---------------------------------------------------------------------------- */

typedef struct sight {
    bool all;               /* of the entity */
    const char *account_id; /* else: only this account */
    const char *user_id;    /* only actions of this user, or NULL */
} sight_t;

/* The trail reveals everybody's actions, so it is limited by the right to read it: callers with that right in every
 * account of the entity see everything, others only the account that the call acts on. Records without an account
 * (sign-ins, roles, keys) belong to the whole. Reads. */
static bool look(identity_call_t *call, sight_t *sight)
{
    identity_permset_t want = {0};

    memset(sight, 0, sizeof *sight);
    sight->account_id = call->account_id;
    sight->user_id = call->partner ? call->principal->id : NULL;
    if (call->in->headers.platform_id)
        return true;
    identity_permset_add(call->pool, &want, call->route->permission);
    if (!identity_principal_covers_entity(call, &want, &sight->all))
        return false;
    return sight->all || sight->account_id ||
           identity_deny(
               call, IDENTITY_PROBLEM_MISSING_FIELD, "x-platform-id",
               "Audit records are shown for one account at a time: name it in x-platform-id.");
}

/* "A sign-in failed, 3 times within a minute." */
static json_t *message_json(const identity_audit_row_t *row)
{
    int length = (int)strlen(row->message);

    if (row->times < 2)
        return json_string(row->message);
    if (length > 0 && row->message[length - 1] == '.')
        length--;
    return json_sprintf("%.*s, %d times within a minute.", length, row->message, row->times);
}

/* Guests of the demo account see each other's actions, but not their addresses. */
static json_t *audit_json(identity_call_t *call, const identity_audit_row_t *row)
{
    json_t *object = json_object(),
           *changes = *row->changes ? json_loads(row->changes, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool origin = !call->principal->guest;

    json_object_set_new(object, "object_type", json_string("AUDIT_RECORD"));
    json_object_set_new(object, "id", json_string(row->id));
    json_object_set_new(object, "user_id", identity_json_text_or_null(row->user_id));
    json_object_set_new(object, "target_entity_id",
                        identity_json_text_or_null(row->target_entity_id));
    json_object_set_new(object, "target_platform_id",
                        identity_json_text_or_null(row->target_platform_id));
    json_object_set_new(object, "target_resource_type", json_string(row->target_resource_type));
    json_object_set_new(object, "target_id", identity_json_text_or_null(row->target_id));
    json_object_set_new(object, "target_environment",
                        identity_json_text_or_null(row->target_environment));
    json_object_set_new(object, "action", json_string(row->action));
    json_object_set_new(object, "created_at", identity_time_json(row->created_at));
    json_object_set_new(object, "message", message_json(row));
    json_object_set_new(object, "reference", identity_json_text_or_null(row->reference));
    json_object_set_new(object, "idempotency_key",
                        identity_json_text_or_null(row->idempotency_key));
    json_object_set_new(object, "actor_name", identity_json_text_or_null(row->actor_name));
    json_object_set_new(object, "target_name", identity_json_text_or_null(row->target_name));
    json_object_set_new(object, "client_address",
                        identity_json_text_or_null(origin ? row->client_address : NULL));
    json_object_set_new(object, "user_agent",
                        identity_json_text_or_null(origin ? row->user_agent : NULL));
    json_object_set_new(object, "changes", changes ? changes : json_array());
    return object;
}

/* ---- GET /audit-records ----------------------------------------------------------------------------------------- */

static bool malformed_span(identity_call_t *call)
{
    return identity_deny(
        call, IDENTITY_PROBLEM_INVALID_FIELD, "created_at",
        "created_at must be [from,to], two times such as 2024-01-15T09:30:00Z of which either may be "
        "left out, the earlier one first.");
}

static bool end_of_span(const char *text, bool *given, apr_time_t *time)
{
    *given = *text != '\0';
    *time = 0;
    return !*given || identity_time_parse(text, time);
}

/* `[from,to]`, both inclusive: the second `to` to its end, since records have a resolution of a second. */
static bool read_span(identity_call_t *call, identity_page_query_t *query)
{
    const char *span = apr_table_get(call->query, "created_at"),
               *comma = span ? strchr(span, ',') : NULL;
    size_t length = span ? strlen(span) : 0;
    apr_time_t from, to;
    bool begins, ends;

    if (!span)
        return true;
    if (!comma || span[0] != '[' || span[length - 1] != ']' ||
        !end_of_span(apr_pstrmemdup(call->pool, span + 1, (apr_size_t)(comma - span) - 1), &begins,
                     &from) ||
        !end_of_span(apr_pstrmemdup(call->pool, comma + 1, length - (apr_size_t)(comma - span) - 2),
                     &ends, &to) ||
        (begins && ends && from > to))
        return malformed_span(call);
    query->from = from;
    query->to = ends ? to + APR_USEC_PER_SEC : 0;
    return true;
}

/* A cursor is only valid within the span that it was created for. */
static bool cursor_fits(identity_call_t *call, const identity_page_query_t *query)
{
    apr_time_t at = query->cursor ? apr_atoi64(query->cursor->key) : 0;

    if (!query->cursor || ((!query->from || at >= query->from) && (!query->to || at < query->to)))
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "cursor",
                         "cursor must be sent with the created_at that it was issued for.");
}

static bool narrow(identity_call_t *call, identity_listing_t *page)
{
    const char *entity = apr_table_get(call->query, "target_entity_id"), *by = page->query.user_id;
    sight_t sight;

    if (!look(call, &sight))
        return false;
    if (!sight.all)
        page->query.platform_id = sight.account_id;
    if (sight.user_id)
        page->query.user_id = sight.user_id;
    /* The target of an entity's records is always that entity. */
    page->nothing = (entity && strcmp(entity, call->principal->entity_id) != 0) ||
                    (sight.user_id && by && strcmp(by, sight.user_id) != 0);
    return true;
}

static json_t *row_json(identity_call_t *call, const identity_listing_t *page, const void *row)
{
    (void)page;
    return audit_json(call, row);
}

static identity_position_t position_of(const void *row_)
{
    const identity_audit_row_t *row = row_;
    return (identity_position_t){.id = row->id, .created_at = row->created_at};
}

static bool filter(identity_call_t *call, identity_listing_t *page)
{
    page->query.user_id = apr_table_get(call->query, "user_id");
    page->query.target_id = apr_table_get(call->query, "target_id");
    page->query.target_type = apr_table_get(call->query, "target_type");
    return read_span(call, &page->query) && cursor_fits(call, &page->query);
}

bool identity_op_list_audit_records(identity_call_t *call)
{
    static const identity_collection_t records = {.of = IDENTITY_PAGE_OF_AUDITS,
                                                  .filter = filter,
                                                  .narrow = narrow,
                                                  .row_json = row_json,
                                                  .position_of = position_of};
    return identity_collection_list(call, &records);
}

/* ---- GET /audit-records/{id} ------------------------------------------------------------------------------------ */

static bool load_record(identity_call_t *call, void *data)
{
    identity_audit_row_t **row = data;
    sight_t sight;
    bool found;

    if (!look(call, &sight) ||
        !identity_db_found(
            call, identity_audit_get(call->db, call->principal->entity_id, call->id, row), &found))
        return false;
    const char *account = found && (*row)->target_platform_id ? (*row)->target_platform_id : "";
    found = found && (sight.all || strcmp(account, sight.account_id) == 0) &&
            (!sight.user_id || strcmp((*row)->user_id, sight.user_id) == 0);
    return found || identity_deny(call, IDENTITY_PROBLEM_NOT_FOUND, NULL, NULL);
}

bool identity_op_get_audit_record(identity_call_t *call)
{
    identity_audit_row_t *row = NULL;

    if (!identity_read(call, load_record, &row))
        return false;
    return identity_answer(call, 200, audit_json(call, row));
}

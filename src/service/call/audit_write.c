/* SPDX-License-Identifier: Apache-2.0 */
/* Writes audit records, and collects the changes of an operation for them. */
#include <string.h>

#include "call/call.h"

#define VALUE_MAX                                                                                  \
    2048 /* of a list, as JSON: otherwise every record could grow as large as the body */

/* ---- what a change changed -------------------------------------------------------------------------------------- */

typedef struct change {
    const char *account_id; /* NULL: of no account */
    const char *field;
    json_t *json;
} change_t;

struct identity_changes {
    apr_pool_t *pool;
    apr_array_header_t *list; /* of change_t */
};

identity_changes_t *identity_changes_make(identity_call_t *call)
{
    identity_changes_t *changes = apr_palloc(call->pool, sizeof *changes);

    changes->pool = call->pool;
    changes->list = apr_array_make(call->pool, 4, sizeof(change_t));
    return changes;
}

/* Truncates a long list; its last item states how many are missing. Takes the reference. */
static json_t *bounded(json_t *value)
{
    size_t left = VALUE_MAX, i;
    json_t *cut, *item;

    if (!json_is_array(value) ||
        json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) <= VALUE_MAX)
        return value;
    cut = json_array();
    json_array_foreach (value, i, item) {
        size_t size = json_dumpb(item, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) + 1;
        if (size > left)
            break;
        left -= size;
        json_array_append(cut, item);
    }
    json_array_append_new(cut, json_sprintf("... and %d more", (int)(json_array_size(value) - i)));
    json_decref(value);
    return cut;
}

static void add(identity_changes_t *changes, const char *account_id, const char *field,
                json_t *from, json_t *to)
{
    change_t *change = apr_array_push(changes->list);

    change->account_id = account_id;
    change->field = field;
    change->json =
        identity_json_own(changes->pool, json_pack("{s:s,s:o,s:o}", "field", field, "from",
                                                   bounded(from), "to", bounded(to)));
}

void identity_changes_add_json(identity_changes_t *changes, const char *field, json_t *from,
                               json_t *to)
{
    if (!json_equal(from, to)) {
        add(changes, NULL, field, from, to);
        return;
    }
    json_decref(from);
    json_decref(to);
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

void identity_changes_add(identity_changes_t *changes, const char *field, const char *from,
                          const char *to)
{
    identity_changes_add_json(changes, field, text_or_null(from), text_or_null(to));
}

void identity_changes_add_time(identity_changes_t *changes, const char *field, apr_time_t from,
                               apr_time_t to)
{
    identity_changes_add_json(changes, field, identity_time_json(from), identity_time_json(to));
}

void identity_changes_add_secret(identity_changes_t *changes, const char *field)
{
    add(changes, NULL, field, json_null(), json_null());
}

static json_t *strings_json(const apr_array_header_t *list)
{
    json_t *array = json_array();

    for (int i = 0; list && i < list->nelts; i++)
        json_array_append_new(array, json_string(APR_ARRAY_IDX(list, i, const char *)));
    return array;
}

void identity_changes_add_list(identity_changes_t *changes, const char *field,
                               const apr_array_header_t *from, const apr_array_header_t *to)
{
    identity_changes_add_json(changes, field, strings_json(from), strings_json(to));
}

static json_t *member_or_null(const json_t *object, const char *name)
{
    json_t *member = json_object_get(object, name);
    return member ? json_incref(member) : json_null();
}

void identity_changes_compare(identity_changes_t *changes, const char *prefix, const json_t *from,
                              const json_t *to)
{
    json_t *both = json_copy((json_t *)from), *value;
    const char *name;

    json_object_update_missing(both, (json_t *)to);
    json_object_foreach (both, name, value) {
        const char *field = apr_pstrcat(changes->pool, prefix, name, NULL);
        json_t *before = json_object_get(from, name), *after = json_object_get(to, name);
        if (json_is_object(before) && json_is_object(after))
            identity_changes_compare(changes, apr_pstrcat(changes->pool, field, ".", NULL), before,
                                     after);
        else
            identity_changes_add_json(changes, field, member_or_null(from, name),
                                      member_or_null(to, name));
    }
    json_decref(both);
}

void identity_changes_add_membership(identity_changes_t *changes,
                                     const identity_membership_row_t *from,
                                     const apr_array_header_t *from_roles,
                                     const identity_membership_row_t *to,
                                     const apr_array_header_t *to_roles)
{
    const identity_membership_row_t *rows[] = {from, to};
    const apr_array_header_t *roles[] = {from_roles, to_roles};
    json_t *values[2];

    for (int i = 0; i < 2; i++)
        values[i] = !rows[i] ? json_null()
                             : json_pack("{s:s,s:s,s:o}", "account_id", rows[i]->account.id, "type",
                                         identity_member_type_name(rows[i]->type), "role_ids",
                                         bounded(strings_json(roles[i])));
    if (json_equal(values[0], values[1])) {
        json_decref(values[0]);
        json_decref(values[1]);
        return;
    }
    add(changes, (to ? to : from)->account.id, "account_memberships", values[0], values[1]);
}

static json_t *team_json(const identity_team_member_row_t *row)
{
    return row ? json_pack("{s:s,s:o,s:o}", "team_id", row->team_id, "start_at",
                           identity_time_json(row->start_at), "end_at",
                           identity_time_json(row->end_at))
               : json_null();
}

void identity_changes_add_team(identity_changes_t *changes, const identity_team_member_row_t *from,
                               const identity_team_member_row_t *to)
{
    identity_changes_add_json(changes, "team_memberships", team_json(from), team_json(to));
}

bool identity_changes_any(const identity_changes_t *changes)
{
    return changes->list->nelts > 0;
}

const char *identity_changes_message(const identity_changes_t *changes)
{
    const char *message = "Changed:";

    for (int i = 0; i < changes->list->nelts; i++)
        message = apr_pstrcat(changes->pool, message, " ",
                              APR_ARRAY_IDX(changes->list, i, change_t).field, NULL);
    return message;
}

/* Text about an account appears only in the records of that account, and in those without one. */
static const char *text_of(const identity_changes_t *changes, const char *account_id)
{
    json_t *list = identity_json_own(changes->pool, json_array());

    for (int i = 0; i < changes->list->nelts; i++) {
        const change_t *change = &APR_ARRAY_IDX(changes->list, i, change_t);
        if (!change->account_id || !account_id || strcmp(change->account_id, account_id) == 0)
            json_array_append(list, change->json);
    }
    return json_array_size(list) ? identity_json_text(changes->pool, list, NULL) : "";
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

/* Equal failures within a minute get the same id, and so share one record. */
static const char *id_of_minute(identity_call_t *call, const identity_audit_row_t *row)
{
    apr_time_t minute = row->created_at - row->created_at % apr_time_from_sec(60);
    const char *parts[] = {row->entity_id,
                           row->user_id,
                           row->target_id,
                           row->target_platform_id,
                           row->action,
                           row->message,
                           identity_client_network(call)};
    const char *name = "";

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        name = apr_pstrcat(call->pool, name, parts[i] ? parts[i] : "", "\n", NULL);
    return identity_id_of_name_at(call->pool, "audi", name, minute);
}

bool identity_audit(identity_call_t *call, const identity_audit_t *audit)
{
    identity_audit_row_t row = {.id = identity_call_id(call, "audi")};

    if (!row.id)
        return false;
    row.entity_id = audit->entity_id  ? audit->entity_id
                    : call->principal ? call->principal->entity_id
                                      : "";
    row.user_id = audit->actor ? audit->actor : call->principal ? call->principal->id : "";
    row.target_entity_id = row.entity_id[0] ? row.entity_id : NULL;
    row.target_platform_id = audit->account ? audit->account->id : call->account_id;
    row.target_resource_type = audit->type;
    row.target_id = audit->id;
    row.target_environment = audit->account ? audit->account->environment : NULL;
    row.action = audit->action;
    row.message = audit->message ? audit->message : identity_changes_message(audit->changes);
    row.reference = call->in ? call->in->request_id : NULL;
    row.idempotency_key = identity_idempotency_key(call);
    row.target_name = audit->target_name;
    row.client_address = call->in && call->in->client_address ? call->in->client_address : "";
    row.user_agent = call->in ? identity_user_agent(call) : "";
    row.changes = audit->changes ? text_of(audit->changes, row.target_platform_id) : "";
    row.created_at = call->now;
    /* A sandbox must not fill the database; but signing in and out is never refused for this reason. */
    bool change = call->route && call->route->credential == IDENTITY_CREDENTIAL_REQUIRED;
    row.sandbox_cap = change ? IDENTITY_SANDBOX_CHANGES : 0;
    if (audit->each_minute)
        row.id = id_of_minute(call, &row);
    identity_db_status_t status = audit->each_minute ? identity_audit_count(call->db, &row)
                                                     : identity_audit_insert(call->db, &row);
    if (status == IDENTITY_DB_CONFLICT)
        return identity_deny(call, IDENTITY_PROBLEM_STATE, NULL,
                             "This sandbox allows no more than %d changes.",
                             IDENTITY_SANDBOX_CHANGES);
    return identity_db_ok(call, status);
}

bool identity_audit_accounts(identity_call_t *call, const identity_audit_t *audit,
                             const apr_array_header_t *memberships)
{
    identity_audit_t one = *audit;

    if (!memberships || memberships->nelts == 0)
        return identity_audit(call, audit);
    for (int i = 0; i < memberships->nelts; i++) {
        one.account = &APR_ARRAY_IDX(memberships, i, identity_membership_row_t *)->account;
        if (!identity_audit(call, &one))
            return false;
    }
    return true;
}

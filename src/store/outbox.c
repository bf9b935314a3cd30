/* SPDX-License-Identifier: Apache-2.0 */
/* Outgoing mail: leased by its sender, so that two servers on one database send no mail twice. */
#include "rows_int.h"

static const char *const state_names[] = {"queued", "sent", "failed", "cancelled"};

static identity_outbox_state_t state_of(const char *name)
{
    for (int i = IDENTITY_OUTBOX_QUEUED; i < IDENTITY_OUTBOX_CANCELLED; i++)
        if (strcmp(name, state_names[i]) == 0)
            return (identity_outbox_state_t)i;
    return IDENTITY_OUTBOX_CANCELLED;
}

#define DB_READ_OUTBOX_STATE(row, at) state_of(db_text(row, at))
static DB_READER(read_mail, identity_outbox_row_t, IDENTITY_OUTBOX_ROW)

    static void *read_due(const db_row_t *row, int from)
{
    identity_outbox_row_t *mail = read_mail(row, from);

    from += DB_COLUMNS(IDENTITY_OUTBOX_ROW);
    mail->inviter = db_text_or_null(row, from);
    mail->account = db_text_or_null(row, from + 1);
    mail->username = db_text_or_null(row, from + 2);
    return mail;
}

identity_db_status_t identity_outbox_insert(identity_db_t *db, const identity_outbox_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_OUTBOX_INSERT,
                     DB_ARGS(S(row->id), S(row->entity_id), S(row->user_id), S(row->invitation_id),
                             S(row->kind), S(row->recipient), S(row->sealed), S(row->sealed_with),
                             N(row->created_at), N(row->next_attempt_at), N(row->link_expires_at),
                             S(row->language ? row->language : ""),
                             S(row->details ? row->details : "")));
}

identity_db_status_t identity_outbox_newest(identity_db_t *db,
                                            const apr_array_header_t *invitation_ids,
                                            apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_OUTBOX_NEWEST, DB_ARGS(S(db_json(db, invitation_ids))),
                   read_mail, rows);
}

identity_db_status_t identity_outbox_in_state(identity_db_t *db, identity_outbox_state_t state,
                                              apr_int64_t limit, apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_OUTBOX_IN_STATE, DB_ARGS(S(state_names[state]), N(limit)),
                   read_mail, rows);
}

const char *identity_outbox_state_name(identity_outbox_state_t state)
{
    return state_names[state];
}

identity_db_status_t identity_outbox_hasten(identity_db_t *db, apr_time_t now, int *changed)
{
    identity_db_status_t status = db_in_write(db, "OUTBOX_HASTEN");

    return status == IDENTITY_DB_OK
               ? db_change(db, IDENTITY_SQL_OUTBOX_HASTEN, DB_ARGS(N(now), N(now)), changed)
               : status;
}

identity_db_status_t identity_outbox_waiting(identity_db_t *db, apr_time_t now,
                                             apr_int64_t *waiting)
{
    return db_count(db, IDENTITY_SQL_OUTBOX_WAITING, DB_ARGS(N(now)), waiting);
}

identity_db_status_t identity_outbox_claim(identity_db_t *db, const char *owner, apr_time_t now,
                                           apr_time_t lease_until, apr_int64_t limit,
                                           apr_array_header_t **rows)
{
    apr_array_header_t *ids = apr_array_make(db_use_pool(db), 8, sizeof(const char *));
    identity_db_status_t status = db_in_write(db, "OUTBOX_CLAIM");

    if (status == IDENTITY_DB_OK)
        status = db_list(db, IDENTITY_SQL_OUTBOX_DUE, DB_ARGS(N(now), N(limit)), read_due, rows);
    for (int i = 0; status == IDENTITY_DB_OK && i < (*rows)->nelts; i++) {
        identity_outbox_row_t *row = APR_ARRAY_IDX(*rows, i, identity_outbox_row_t *);
        row->attempts++;
        APR_ARRAY_PUSH(ids, const char *) = row->id;
    }
    if (status != IDENTITY_DB_OK || ids->nelts == 0)
        return status;
    return db_change(db, IDENTITY_SQL_OUTBOX_LEASE,
                     DB_ARGS(S(owner), N(lease_until), N(lease_until), S(db_json(db, ids))), NULL);
}

identity_db_status_t identity_outbox_held(identity_db_t *db, const char *id, const char *owner,
                                          apr_int64_t *held)
{
    return db_count(db, IDENTITY_SQL_OUTBOX_HELD, DB_ARGS(S(id), S(owner)), held);
}

identity_db_status_t identity_outbox_sent(identity_db_t *db, const char *id, const char *owner,
                                          apr_time_t now)
{
    identity_db_status_t status = db_in_write(db, "OUTBOX_SENT");

    if (status == IDENTITY_DB_OK)
        status = db_guarded(db, IDENTITY_SQL_OUTBOX_SENT, DB_ARGS(N(now), S(id), S(owner)));
    return status == IDENTITY_DB_OK
               ? db_change(db, IDENTITY_SQL_OUTBOX_SENT_INVITATION, DB_ARGS(N(now), S(id)), NULL)
               : status;
}

identity_db_status_t identity_outbox_retry(identity_db_t *db, const char *id, const char *owner,
                                           apr_time_t next_attempt_at, const char *error)
{
    return db_guarded(db, IDENTITY_SQL_OUTBOX_RETRY,
                      DB_ARGS(N(next_attempt_at), S(error), S(id), S(owner)));
}

identity_db_status_t identity_outbox_give_up(identity_db_t *db, const char *id, const char *owner,
                                             const char *error)
{
    return db_guarded(db, IDENTITY_SQL_OUTBOX_GIVE_UP, DB_ARGS(S(error), S(id), S(owner)));
}

identity_db_status_t identity_outbox_return(identity_db_t *db, const char *id, const char *owner,
                                            const char *error)
{
    return db_guarded(db, IDENTITY_SQL_OUTBOX_RETURN, DB_ARGS(S(error), S(id), S(owner)));
}

static void *read_owner(const db_row_t *row, int from)
{
    return (void *)db_text(row, from);
}

identity_db_status_t identity_outbox_owners(identity_db_t *db, apr_time_t now,
                                            apr_array_header_t **owners)
{
    return db_list(db, IDENTITY_SQL_OUTBOX_OWNERS, DB_ARGS(N(now)), read_owner, owners);
}

identity_db_status_t identity_outbox_abandon(identity_db_t *db, const char *owner)
{
    return db_change(db, IDENTITY_SQL_OUTBOX_ABANDON, DB_ARGS(S(owner)), NULL);
}

identity_db_status_t identity_outbox_cancel(identity_db_t *db, const char *user_id,
                                            const char *kind)
{
    return db_change(db, IDENTITY_SQL_OUTBOX_CANCEL, DB_ARGS(S(user_id), S(kind)), NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations and the secrets of mailed links. */
#include "rows_int.h"

static const char *const state_names[] = {"invited", "accepted", "revoked", "expired"};
static const char *const kind_names[] = {"invite", "reset", "change"};

const char *identity_invitation_state_name(identity_invitation_state_t state)
{
    return state_names[state];
}

bool identity_invitation_state_parse(const char *name, identity_invitation_state_t *state)
{
    for (int i = IDENTITY_INVITATION_INVITED; i <= IDENTITY_INVITATION_EXPIRED; i++)
        if (strcmp(name, state_names[i]) == 0) {
            *state = (identity_invitation_state_t)i;
            return true;
        }
    return false;
}

identity_invitation_state_t identity_invitation_state(const identity_invitation_row_t *row,
                                                      apr_time_t now)
{
    bool over =
        row->state == IDENTITY_INVITATION_INVITED && (row->superseded || row->expires_at <= now);
    return over ? IDENTITY_INVITATION_EXPIRED : row->state;
}

/* An unknown state: unusable. */
static identity_invitation_state_t state_of(const char *name)
{
    identity_invitation_state_t state;
    return identity_invitation_state_parse(name, &state) ? state : IDENTITY_INVITATION_REVOKED;
}

#define DB_READ_INVITATION_STATE(row, at) state_of(db_text(row, at))
DB_READER(db_read_invitation, identity_invitation_row_t, IDENTITY_INVITATION_ROW)

identity_db_status_t identity_invitation_insert(identity_db_t *db,
                                                const identity_invitation_row_t *row)
{
    return db_insert(
        db, IDENTITY_SQL_INVITATION_INSERT,
        DB_ARGS(S(row->id), S(row->entity_id), S(row->user_id), S(row->email), S(row->account_id),
                S(row->role_id), S(state_names[row->state]), S(row->invited_by), N(row->adds),
                N(row->created_at), N(row->modified_at), N(row->expires_at), N(row->sent_at),
                S(row->canonical), S(row->role_id), S(row->entity_id), N(row->sandbox_cap),
                S(row->entity_id), N(row->sandbox_cap), N(row->sandbox_cap)));
}

identity_db_status_t identity_invitation_get(identity_db_t *db, const char *entity_id,
                                             const char *id, identity_invitation_row_t **row)
{
    return db_one(db, IDENTITY_SQL_INVITATION_GET, DB_ARGS(S(id), S(entity_id)), db_read_invitation,
                  row);
}

identity_db_status_t identity_invitation_open(identity_db_t *db, const char *user_id,
                                              identity_invitation_row_t **row)
{
    return db_one(db, IDENTITY_SQL_INVITATION_OPEN, DB_ARGS(S(user_id)), db_read_invitation, row);
}

identity_db_status_t identity_invitation_close(identity_db_t *db, const char *id,
                                               identity_invitation_state_t state, apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_INVITATION_CLOSE,
                      DB_ARGS(S(state_names[state]), N(now), S(id)));
}

identity_db_status_t identity_invitation_supersede(identity_db_t *db, const char *id)
{
    return db_guarded(db, IDENTITY_SQL_INVITATION_SUPERSEDE, DB_ARGS(S(id)));
}

identity_db_status_t identity_invitation_renew(identity_db_t *db,
                                               const identity_invitation_row_t *row)
{
    identity_invitation_row_t *open = NULL;
    identity_db_status_t status = db_in_write(db, "INVITATION_RENEW");

    if (status == IDENTITY_DB_OK)
        status = db_guarded(db, IDENTITY_SQL_INVITATION_RENEW,
                            DB_ARGS(S(row->invited_by), N(row->modified_at), N(row->expires_at),
                                    N(row->sent_at), S(row->id), S(row->entity_id),
                                    S(row->entity_id), N(row->sandbox_cap), N(row->sandbox_cap)));
    if (status != IDENTITY_DB_NONE)
        return status;
    status = identity_invitation_open(db, row->user_id, &open);
    return status == IDENTITY_DB_OK
               ? strcmp(open->id, row->id) == 0 ? IDENTITY_DB_CONFLICT : IDENTITY_DB_NONE
               : status;
}

static identity_secret_kind_t kind_of(const char *name)
{
    int kind = IDENTITY_SECRET_CHANGE;

    while (kind > 0 && strcmp(name, kind_names[kind]) != 0)
        kind--;
    return (identity_secret_kind_t)kind;
}

#define DB_READ_SECRET_KIND(row, at) kind_of(db_text(row, at))
#define DB_BIND_SECRET_KIND(kind)    S(kind_names[kind])
static DB_READER(read_secret, identity_secret_row_t, IDENTITY_SECRET_ROW)

    identity_db_status_t identity_secret_insert(identity_db_t *db, const identity_secret_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_SECRET_INSERT, DB_ROW_ARGS(IDENTITY_SECRET_ROW));
}

identity_db_status_t identity_secret_get(identity_db_t *db, const char *digest,
                                         identity_secret_kind_t kind, identity_secret_row_t **row)
{
    return db_one(db, IDENTITY_SQL_SECRET_GET, DB_ARGS(S(digest), S(kind_names[kind])), read_secret,
                  row);
}

identity_db_status_t identity_secret_spend(identity_db_t *db, const char *digest, apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_SECRET_SPEND, DB_ARGS(N(now), S(digest)));
}

identity_db_status_t identity_secrets_end(identity_db_t *db, const char *user_id,
                                          identity_secret_kind_t kind, apr_time_t now)
{
    return db_change(db, IDENTITY_SQL_SECRETS_END, DB_ARGS(N(now), S(user_id), S(kind_names[kind])),
                     NULL);
}

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

identity_invitation_state_t identity_invitation_state(const identity_invitation_row_t *row, apr_time_t now)
{
    bool over = row->state == IDENTITY_INVITATION_INVITED && (row->superseded || row->expires_at <= now);
    return over ? IDENTITY_INVITATION_EXPIRED : row->state;
}

void *db_read_invitation(const db_row_t *row, int from)
{
    identity_invitation_row_t *invitation = apr_pcalloc(db_pool(row), sizeof *invitation);

    invitation->id = db_text(row, from);
    invitation->entity_id = db_text(row, from + 1);
    invitation->user_id = db_text(row, from + 2);
    invitation->email = db_text(row, from + 3);
    invitation->account_id = db_text_or_null(row, from + 4);
    invitation->role_id = db_text_or_null(row, from + 5);
    if (!identity_invitation_state_parse(db_text(row, from + 6), &invitation->state))
        invitation->state = IDENTITY_INVITATION_REVOKED; /* of no known state: good for nothing */
    invitation->invited_by = db_text(row, from + 7);
    invitation->adds = db_number(row, from + 8) != 0;
    invitation->created_at = db_number(row, from + 9);
    invitation->modified_at = db_number(row, from + 10);
    invitation->expires_at = db_number(row, from + 11);
    invitation->sent_at = db_number(row, from + 12);
    invitation->role_slug = db_text(row, from + 13);
    invitation->superseded = db_number(row, from + 14) != 0;
    return invitation;
}

identity_db_status_t identity_invitation_insert(identity_db_t *db, const identity_invitation_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_INVITATION_INSERT,
                     DB_ARGS(S(row->id), S(row->entity_id), S(row->user_id), S(row->email), S(row->account_id),
                             S(row->role_id), S(state_names[row->state]), S(row->invited_by), N(row->adds),
                             N(row->created_at), N(row->modified_at), N(row->expires_at), N(row->sent_at),
                             S(row->canonical), S(row->role_id), S(row->entity_id), N(row->sandbox_cap),
                             S(row->entity_id), N(row->sandbox_cap), N(row->sandbox_cap)));
}

identity_db_status_t identity_invitation_get(identity_db_t *db, const char *entity_id, const char *id,
                                             identity_invitation_row_t **row)
{
    return db_one(db, IDENTITY_SQL_INVITATION_GET, DB_ARGS(S(id), S(entity_id)), db_read_invitation, row);
}

identity_db_status_t identity_invitation_open(identity_db_t *db, const char *user_id, identity_invitation_row_t **row)
{
    return db_one(db, IDENTITY_SQL_INVITATION_OPEN, DB_ARGS(S(user_id)), db_read_invitation, row);
}

identity_db_status_t identity_invitation_close(identity_db_t *db, const char *id, identity_invitation_state_t state,
                                               apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_INVITATION_CLOSE, DB_ARGS(S(state_names[state]), N(now), S(id)));
}

identity_db_status_t identity_invitation_supersede(identity_db_t *db, const char *id)
{
    return db_guarded(db, IDENTITY_SQL_INVITATION_SUPERSEDE, DB_ARGS(S(id)));
}

identity_db_status_t identity_invitation_renew(identity_db_t *db, const identity_invitation_row_t *row)
{
    identity_invitation_row_t *open = NULL;
    identity_db_status_t status = db_in_write(db, "INVITATION_RENEW");

    if (status == IDENTITY_DB_OK)
        status =
            db_guarded(db, IDENTITY_SQL_INVITATION_RENEW,
                       DB_ARGS(S(row->invited_by), N(row->modified_at), N(row->expires_at), N(row->sent_at), S(row->id),
                               S(row->entity_id), S(row->entity_id), N(row->sandbox_cap), N(row->sandbox_cap)));
    if (status != IDENTITY_DB_NONE)
        return status;
    status = identity_invitation_open(db, row->user_id, &open);
    return status == IDENTITY_DB_OK ? strcmp(open->id, row->id) == 0 ? IDENTITY_DB_CONFLICT : IDENTITY_DB_NONE : status;
}

static void *read_secret(const db_row_t *row, int from)
{
    identity_secret_row_t *secret = apr_pcalloc(db_pool(row), sizeof *secret);

    secret->digest = db_text(row, from);
    secret->user_id = db_text(row, from + 1);
    secret->invitation_id = db_text_or_null(row, from + 2);
    secret->created_at = db_number(row, from + 3);
    secret->expires_at = db_number(row, from + 4);
    secret->ended_at = db_number(row, from + 5);
    secret->session_id = db_text_or_null(row, from + 6);
    secret->handed = db_number(row, from + 7) != 0;
    return secret;
}

identity_db_status_t identity_secret_insert(identity_db_t *db, const identity_secret_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_SECRET_INSERT,
                     DB_ARGS(S(row->digest), S(kind_names[row->kind]), S(row->user_id), S(row->invitation_id),
                             S(row->session_id), N(row->created_at), N(row->expires_at), N(row->ended_at),
                             N(row->handed)));
}

identity_db_status_t identity_secret_get(identity_db_t *db, const char *digest, identity_secret_kind_t kind,
                                         identity_secret_row_t **row)
{
    identity_db_status_t status =
        db_one(db, IDENTITY_SQL_SECRET_GET, DB_ARGS(S(digest), S(kind_names[kind])), read_secret, row);

    if (status == IDENTITY_DB_OK)
        (*row)->kind = kind;
    return status;
}

identity_db_status_t identity_secret_spend(identity_db_t *db, const char *digest, apr_time_t now)
{
    return db_guarded(db, IDENTITY_SQL_SECRET_SPEND, DB_ARGS(N(now), S(digest)));
}

identity_db_status_t identity_secrets_end(identity_db_t *db, const char *user_id, identity_secret_kind_t kind,
                                          apr_time_t now)
{
    return db_change(db, IDENTITY_SQL_SECRETS_END, DB_ARGS(N(now), S(user_id), S(kind_names[kind])), NULL);
}

/* Part of store.h: whole databases (backups, sizes), and rows that jobs work off (retention, mail, the list of changes,
 * answers that are kept). */
#ifndef IDENTITY_STORE_JOBS_H
#define IDENTITY_STORE_JOBS_H

#include "identity/store.h"

/* Copies of whole databases (backup.c). */
typedef enum {
    IDENTITY_FILE_DONE,
    IDENTITY_FILE_FAILED,
    IDENTITY_FILE_STATE, /* the file is there already; the database is in use */
    IDENTITY_FILE_UNFIT  /* no database of this program, of a newer version, or damaged */
} identity_file_status_t;
/* Into a new file (0600), as of one moment, while others read and write. *error: a sentence. */
identity_file_status_t identity_db_backup(identity_db_t *db, const char *path, const char **error);
/* A copy to try something out on (0600), which nobody else uses: beside the database, with this suffix, and with -wal
 * and -shm behind it. One that an earlier program left behind is taken away first. */
#define IDENTITY_TRIAL_SUFFIX ".dry-run"
identity_file_status_t identity_db_trial(identity_db_t *db, const char *driver, const char *params, const char **path,
                                         const char **error);
/* Puts a backup, once it was looked through, in the place of a database that nobody uses, and brings it up to date.
 * *kept: where the database lies that was there before, NULL where there was none. */
identity_file_status_t identity_db_restore(apr_pool_t *pool, const char *driver, const char *params, const char *from,
                                           const char **kept, const char **error);

/* A table: its rows; bytes with its indexes, -1 where SQLite does not tell; created_at of its oldest row, or 0. */
typedef struct identity_table_row {
    const char *name;
    apr_int64_t rows, bytes;
    apr_time_t oldest_at;
} identity_table_row_t;
/* By name. Counts every row: it takes as long as reading the database does. */
identity_db_status_t identity_tables_measure(identity_db_t *db, apr_array_header_t **rows);
/* The same at little cost: rows are counted to `most`, the oldest is found by ids, which begin with their time (0 where
 * a larger table has none), and bytes are added up only where sized: that reads the whole file. */
identity_db_status_t identity_tables_look(identity_db_t *db, apr_int64_t most, bool sized, apr_array_header_t **rows);

/* Of `most` queued mails, how many were queued before each of these times. */
identity_db_status_t identity_statistics_waiting(identity_db_t *db, const apr_time_t before[], int count,
                                                 apr_int64_t most, apr_int64_t waiting[]);

/* How things stand. Of each kind at most `most` rows are looked at, so it costs little however many there are. */
typedef struct identity_statistics {
    apr_int64_t users, users_active, keys, keys_active;
    apr_int64_t sessions, sessions_live; /* of those that end last */
    apr_int64_t queued, failed;          /* mails */
    apr_time_t oldest_queued_at;         /* 0: none */
} identity_statistics_t;
identity_db_status_t identity_statistics_take(identity_db_t *db, apr_time_t now, apr_int64_t most,
                                              identity_statistics_t *statistics);

/* What has been kept for long enough (IdentityRetention). */
typedef enum {
    IDENTITY_OLD_AUDIT,            /* records written before */
    IDENTITY_OLD_SESSIONS_ENDED,   /* sessions that ended before, with their refresh tokens */
    IDENTITY_OLD_SESSIONS_EXPIRED, /* ... that expired before */
    IDENTITY_OLD_LEAVES,           /* refresh tokens that were exchanged before */
    IDENTITY_OLD_SECRETS,          /* of mailed links that expired before */
    IDENTITY_OLD_MAILS,            /* sent, given up, or cancelled before */
    IDENTITY_OLD_MAILS_QUEUED,     /* whose links expired before while nobody sent them */
    IDENTITY_OLD_KINDS
} identity_old_t;
identity_db_status_t identity_old_any(identity_db_t *db, identity_old_t kind, apr_time_t before, bool *any);
/* Deletes at most limit of them. Inside a write transaction. */
identity_db_status_t identity_old_purge(identity_db_t *db, identity_old_t kind, apr_time_t before, apr_int64_t limit,
                                        int *deleted);

/* Mail on its way. The secret of its link is sealed and is wiped once the mail has gone or is given up. */
typedef enum {
    IDENTITY_OUTBOX_QUEUED,
    IDENTITY_OUTBOX_SENT,
    IDENTITY_OUTBOX_FAILED,
    IDENTITY_OUTBOX_CANCELLED
} identity_outbox_state_t;
typedef struct identity_outbox_row {
    IDENTITY_OUTBOX_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
    /* found by a claim: username of who invited, reference of the account, username that it goes to; or NULL */
    const char *inviter, *account, *username;
} identity_outbox_row_t;
identity_db_status_t identity_outbox_insert(identity_db_t *db, const identity_outbox_row_t *row);
/* queued, sent, failed, cancelled */
const char *identity_outbox_state_name(identity_outbox_state_t state);
/* The newest mail of each of these invitations, in no order; those that none was written for are left out. */
identity_db_status_t identity_outbox_newest(identity_db_t *db, const apr_array_header_t *invitation_ids,
                                            apr_array_header_t **rows);
/* Up to limit mails in a state, the one whose turn is (or was) first in front. */
identity_db_status_t identity_outbox_in_state(identity_db_t *db, identity_outbox_state_t state, apr_int64_t limit,
                                              apr_array_header_t **rows);
/* What waits for a further attempt is due now; in a write transaction. *changed: how many. */
identity_db_status_t identity_outbox_hasten(identity_db_t *db, apr_time_t now, int *changed);
/* How many mails are due and not leased (counted to 1 at most): asked without a transaction, so that a quiet outbox
 * costs one read. */
identity_db_status_t identity_outbox_waiting(identity_db_t *db, apr_time_t now, apr_int64_t *waiting);
/* Leases up to limit mails that are due to owner until lease_until; the rows. In a write transaction. attempts counts
 * the lease. */
identity_db_status_t identity_outbox_claim(identity_db_t *db, const char *owner, apr_time_t now, apr_time_t lease_until,
                                           apr_int64_t limit, apr_array_header_t **rows);
/* 1 where the mail is still to be sent, and by owner; else 0: it was cancelled, or another has taken it over. */
identity_db_status_t identity_outbox_held(identity_db_t *db, const char *id, const char *owner, apr_int64_t *held);
/* Ends of a lease; NONE where owner does not hold it any more. sent also moves the invitation's sent_at. */
identity_db_status_t identity_outbox_sent(identity_db_t *db, const char *id, const char *owner, apr_time_t now);
identity_db_status_t identity_outbox_retry(identity_db_t *db, const char *id, const char *owner,
                                           apr_time_t next_attempt_at, const char *error);
identity_db_status_t identity_outbox_give_up(identity_db_t *db, const char *id, const char *owner, const char *error);
/* A lease that is returned unused (stopping, or the mail server is away: error; NULL keeps the one that is there): the
 * attempt is not counted. */
identity_db_status_t identity_outbox_return(identity_db_t *db, const char *id, const char *owner, const char *error);
/* Owners of running leases, and the end of all leases of one of them that is known to be dead. */
identity_db_status_t identity_outbox_owners(identity_db_t *db, apr_time_t now, apr_array_header_t **owners);
identity_db_status_t identity_outbox_abandon(identity_db_t *db, const char *owner);
/* Mails to a user of a kind that are not sent yet will not be (their link is dead). */
identity_db_status_t identity_outbox_cancel(identity_db_t *db, const char *user_id, const char *kind);

/* What the server was configured with at its last start. value: JSON. */
typedef struct identity_setting_row {
    const char *name, *value;
} identity_setting_row_t;
identity_db_status_t identity_settings_list(identity_db_t *db, apr_array_header_t **rows);
/* In a write transaction. */
identity_db_status_t identity_settings_clear(identity_db_t *db);
identity_db_status_t identity_setting_put(identity_db_t *db, const identity_setting_row_t *row);
/* When htidentity backup has last made a copy, 0: never. The copy itself does not know of it. The first inside a write
 * transaction. */
identity_db_status_t identity_backup_note(identity_db_t *db, apr_time_t at);
identity_db_status_t identity_backup_noted(identity_db_t *db, apr_time_t *at);

/* Whose rights were changed, in the order of the commits. */
typedef struct identity_change_row {
    apr_int64_t sequence;
    const char *kind;       /* the subject's, or what is asked of every node */
    const char *subject_id; /* "": everybody's */
    apr_time_t created_at;
} identity_change_row_t;
/* One that comes with no change of rows. */
identity_db_status_t identity_change_insert(identity_db_t *db, const char *subject_id);
/* What every node is asked to do besides: to forget the failures that it has counted against a user, or of a client. */
#define IDENTITY_CHANGE_UNLOCK        "unlock"
#define IDENTITY_CHANGE_UNLOCK_CLIENT "unlock-client"
identity_db_status_t identity_change_tell(identity_db_t *db, const char *kind, const char *subject_id);
/* The one of that number and those after it. */
identity_db_status_t identity_changes_from(identity_db_t *db, apr_int64_t sequence, apr_int64_t limit,
                                           apr_array_header_t **rows);
identity_db_status_t identity_change_last(identity_db_t *db, identity_change_row_t **row);
/* Its sequence alone; 0: there is none yet. */
identity_db_status_t identity_change_sequence(identity_db_t *db, apr_int64_t *sequence);
/* The rows of `changes` that the last write transaction wrote, if its COMMIT came: from which number to which; last 0:
 * none.
 */
typedef struct identity_written {
    apr_int64_t first, last;
    apr_time_t made_at;
} identity_written_t;
identity_written_t identity_db_written(const identity_db_t *db);
/* Whose users it has made more, fewer or others: names of revisions, as identity_users_of gives them. ""
 * is the one of all entities. */
const apr_array_header_t *identity_db_counted(const identity_db_t *db);
const char *identity_users_of(apr_pool_t *pool, const char *entity_id);
/* How many are older, the last one left out (counted to 1 at most), and the deletion of at most limit of them. */
identity_db_status_t identity_changes_old(identity_db_t *db, apr_time_t before, apr_int64_t *old);
identity_db_status_t identity_changes_purge(identity_db_t *db, apr_time_t before, apr_int64_t limit, int *deleted);

/* What was answered to an Idempotency-Key (identity-api.md, section 1), of one credential: a user's or key's id. */
typedef struct identity_idempotency_row {
    const char *credential_id, *key;
    const char *digest;      /* of the request */
    bool running;            /* else answered */
    int status;              /* of the answer */
    const char *owner;       /* while running: the mark of the request that answers it; else NULL */
    const char *sealed;      /* the answer; NULL while running */
    const char *sealed_with; /* kid of the signing key whose derived keys made digest and sealed */
    apr_time_t created_at;
} identity_idempotency_row_t;
/* running, with its owner; CONFLICT: there is one of this key. */
identity_db_status_t identity_idempotency_reserve(identity_db_t *db, const identity_idempotency_row_t *row);
identity_db_status_t identity_idempotency_get(identity_db_t *db, const char *credential_id, const char *key,
                                              identity_idempotency_row_t **row);
/* The same for one that is there and has had its time: compare-and-set, NONE where it is not as `seen` any more. */
identity_db_status_t identity_idempotency_take(identity_db_t *db, const identity_idempotency_row_t *seen,
                                               const identity_idempotency_row_t *row);
/* From running to answered; NONE where row->owner does not hold it any more. */
identity_db_status_t identity_idempotency_store(identity_db_t *db, const identity_idempotency_row_t *row);
/* Deletes it, where row->owner holds it and it is still running. OK also where not. */
identity_db_status_t identity_idempotency_free(identity_db_t *db, const identity_idempotency_row_t *row);
/* How many are older (counted to 1 at most), and the deletion of about `limit` of them, the oldest first. */
identity_db_status_t identity_idempotency_old(identity_db_t *db, apr_time_t before, apr_int64_t *old);
identity_db_status_t identity_idempotency_purge(identity_db_t *db, apr_time_t before, apr_int64_t limit, int *deleted);

#endif

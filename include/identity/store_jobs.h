/* SPDX-License-Identifier: Apache-2.0 */
/* Part of store.h: whole databases (backups, sizes), and rows processed by jobs (retention, mail, the change feed,
 * stored answers). */
#ifndef IDENTITY_STORE_JOBS_H
#define IDENTITY_STORE_JOBS_H

#include "identity/store.h"

/* Copies of whole databases (backup.c). */
typedef enum {
    IDENTITY_FILE_DONE,
    IDENTITY_FILE_FAILED,
    IDENTITY_FILE_STATE, /* the target file exists; the database is in use */
    IDENTITY_FILE_UNFIT  /* not a database of this program, a newer version, or damaged */
} identity_file_status_t;
/* Writes a new file (0600) as of one moment, without blocking other readers and writers. *error: a sentence. */
identity_file_status_t identity_db_backup(identity_db_t *db, const char *path, const char **error);
/* A private copy for a dry run (0600): next to the database, with this suffix, and with -wal and -shm. A copy left
 * behind by an earlier run is deleted first. */
#define IDENTITY_TRIAL_SUFFIX ".dry-run"
identity_file_status_t identity_db_trial(identity_db_t *db, const char *driver, const char *params,
                                         const char **path, const char **error);
/* Replaces an unused database with a backup, after checking it, and migrates it. *kept: the path of the previous
 * database, NULL if there was none. */
identity_file_status_t identity_db_restore(apr_pool_t *pool, const char *driver, const char *params,
                                           const char *from, const char **kept, const char **error);

/* Statistics of a table: rows; bytes with its indexes, -1 if SQLite cannot tell; created_at of the oldest row, or 0. */
typedef struct identity_table_row {
    const char *name;
    apr_int64_t rows, bytes;
    apr_time_t oldest_at;
} identity_table_row_t;
/* By name. Counts every row: takes as long as reading the whole database. */
identity_db_status_t identity_tables_measure(identity_db_t *db, apr_array_header_t **rows);
/* A cheaper estimate: rows are counted to `most`, the oldest is found by ids, which begin with their time (0 if a
 * larger table has no such ids), and bytes are computed only if sized, which reads the whole file. */
identity_db_status_t identity_tables_look(identity_db_t *db, apr_int64_t most, bool sized,
                                          apr_array_header_t **rows);

/* How many of `most` queued mails were queued before each of these times. */
identity_db_status_t identity_statistics_waiting(identity_db_t *db, const apr_time_t before[],
                                                 int count, apr_int64_t most,
                                                 apr_int64_t waiting[]);

/* Overall statistics. At most `most` rows of each kind are examined, so the cost is bounded. */
typedef struct identity_statistics {
    apr_int64_t users, users_active, keys, keys_active;
    apr_int64_t sessions, sessions_live; /* among those that expire last */
    apr_int64_t queued, failed;          /* mails */
    apr_time_t oldest_queued_at;         /* 0: none */
} identity_statistics_t;
identity_db_status_t identity_statistics_take(identity_db_t *db, apr_time_t now, apr_int64_t most,
                                              identity_statistics_t *statistics);

/* Rows whose retention time is over (IdentityRetention). */
typedef enum {
    IDENTITY_OLD_AUDIT,            /* records written before */
    IDENTITY_OLD_SESSIONS_ENDED,   /* sessions that ended before, with their refresh tokens */
    IDENTITY_OLD_SESSIONS_EXPIRED, /* ... that expired before */
    IDENTITY_OLD_LEAVES,           /* refresh tokens exchanged before */
    IDENTITY_OLD_SECRETS,          /* of mailed links that expired before */
    IDENTITY_OLD_MAILS,            /* sent, failed, or cancelled before */
    IDENTITY_OLD_MAILS_QUEUED,     /* never sent, with links that expired before */
    IDENTITY_OLD_KINDS
} identity_old_t;
identity_db_status_t identity_old_any(identity_db_t *db, identity_old_t kind, apr_time_t before,
                                      bool *any);
/* Deletes at most limit of them. Inside a write transaction. */
identity_db_status_t identity_old_purge(identity_db_t *db, identity_old_t kind, apr_time_t before,
                                        apr_int64_t limit, int *deleted);

/* Outgoing mail. The secret of its link is sealed, and wiped once the mail has been sent or has failed. */
typedef enum {
    IDENTITY_OUTBOX_QUEUED,
    IDENTITY_OUTBOX_SENT,
    IDENTITY_OUTBOX_FAILED,
    IDENTITY_OUTBOX_CANCELLED
} identity_outbox_state_t;
typedef struct identity_outbox_row {
    IDENTITY_OUTBOX_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
    /* set when claimed: username of the inviter, reference of the account, username of the recipient; or NULL */
    const char *inviter, *account, *username;
} identity_outbox_row_t;
identity_db_status_t identity_outbox_insert(identity_db_t *db, const identity_outbox_row_t *row);
/* queued, sent, failed, cancelled */
const char *identity_outbox_state_name(identity_outbox_state_t state);
/* The newest mail of each of these invitations, unordered; invitations without a mail are omitted. */
identity_db_status_t identity_outbox_newest(identity_db_t *db,
                                            const apr_array_header_t *invitation_ids,
                                            apr_array_header_t **rows);
/* Up to limit mails in a state, ordered by the time at which they are (or were) due. */
identity_db_status_t identity_outbox_in_state(identity_db_t *db, identity_outbox_state_t state,
                                              apr_int64_t limit, apr_array_header_t **rows);
/* Makes waiting retries due now; in a write transaction. *changed: how many. */
identity_db_status_t identity_outbox_hasten(identity_db_t *db, apr_time_t now, int *changed);
/* The number of mails due and not leased (counted to 1 at most): asked without a transaction, so that an idle outbox
 * costs one read. */
identity_db_status_t identity_outbox_waiting(identity_db_t *db, apr_time_t now,
                                             apr_int64_t *waiting);
/* Leases up to limit due mails to owner until lease_until and returns the rows. In a write transaction. attempts is
 * incremented. */
identity_db_status_t identity_outbox_claim(identity_db_t *db, const char *owner, apr_time_t now,
                                           apr_time_t lease_until, apr_int64_t limit,
                                           apr_array_header_t **rows);
/* 1 if the mail is still to be sent by owner; 0 if it was cancelled or taken over by another. */
identity_db_status_t identity_outbox_held(identity_db_t *db, const char *id, const char *owner,
                                          apr_int64_t *held);
/* These end a lease; NONE if owner no longer holds it. sent also updates the invitation's sent_at. */
identity_db_status_t identity_outbox_sent(identity_db_t *db, const char *id, const char *owner,
                                          apr_time_t now);
identity_db_status_t identity_outbox_retry(identity_db_t *db, const char *id, const char *owner,
                                           apr_time_t next_attempt_at, const char *error);
identity_db_status_t identity_outbox_give_up(identity_db_t *db, const char *id, const char *owner,
                                             const char *error);
/* Returns a lease unused (when stopping, or when the mail server is down: error; NULL keeps the previous one): the
 * attempt is not counted. */
identity_db_status_t identity_outbox_return(identity_db_t *db, const char *id, const char *owner,
                                            const char *error);
/* Owners of active leases, and the release of all leases of an owner known to be dead. */
identity_db_status_t identity_outbox_owners(identity_db_t *db, apr_time_t now,
                                            apr_array_header_t **owners);
identity_db_status_t identity_outbox_abandon(identity_db_t *db, const char *owner);
/* Cancels unsent mails of a kind to a user (their link is dead). */
identity_db_status_t identity_outbox_cancel(identity_db_t *db, const char *user_id,
                                            const char *kind);

/* Settings that the server had at its last start. value: JSON. */
typedef struct identity_setting_row {
    const char *name, *value;
} identity_setting_row_t;
identity_db_status_t identity_settings_list(identity_db_t *db, apr_array_header_t **rows);
/* In a write transaction. */
identity_db_status_t identity_settings_clear(identity_db_t *db);
identity_db_status_t identity_setting_put(identity_db_t *db, const identity_setting_row_t *row);
/* When htidentity backup last made a copy, 0: never. The copy itself does not contain this. The first one inside a
 * write transaction. */
identity_db_status_t identity_backup_note(identity_db_t *db, apr_time_t at);
identity_db_status_t identity_backup_noted(identity_db_t *db, apr_time_t *at);

/* Ids whose rights were changed, in commit order. */
typedef struct identity_change_row {
    apr_int64_t sequence;
    const char *kind;       /* the kind of the subject, or a request to every node */
    const char *subject_id; /* "": everybody's */
    apr_time_t created_at;
} identity_change_row_t;
/* Inserts a record without a change of rows. */
identity_db_status_t identity_change_insert(identity_db_t *db, const char *subject_id);
/* A request to every node: reset the failure counters of a user, or of a client. */
#define IDENTITY_CHANGE_UNLOCK        "unlock"
#define IDENTITY_CHANGE_UNLOCK_CLIENT "unlock-client"
identity_db_status_t identity_change_tell(identity_db_t *db, const char *kind,
                                          const char *subject_id);
/* The record with that number, and all later ones. */
identity_db_status_t identity_changes_from(identity_db_t *db, apr_int64_t sequence,
                                           apr_int64_t limit, apr_array_header_t **rows);
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
/* How many older records there are, except the last one (counted to 1 at most), and the deletion of at most limit of
 * them. */
identity_db_status_t identity_changes_old(identity_db_t *db, apr_time_t before, apr_int64_t *old);
identity_db_status_t identity_changes_purge(identity_db_t *db, apr_time_t before, apr_int64_t limit,
                                            int *deleted);

/* The stored answer to an Idempotency-Key (conf/interface.md) of one credential: a user's or key's id. */
typedef struct identity_idempotency_row {
    const char *credential_id, *key;
    const char *digest; /* of the request */
    bool running;       /* else answered */
    int status;         /* of the answer */
    const char *owner;  /* while running: identifies the request that is answering; else NULL */
    const char *sealed; /* the answer; NULL while running */
    const char *sealed_with; /* kid of the signing key whose derived keys made digest and sealed */
    apr_time_t created_at;
} identity_idempotency_row_t;
/* Inserts it as running, with its owner; CONFLICT: the key is in use. */
identity_db_status_t identity_idempotency_reserve(identity_db_t *db,
                                                  const identity_idempotency_row_t *row);
identity_db_status_t identity_idempotency_get(identity_db_t *db, const char *credential_id,
                                              const char *key, identity_idempotency_row_t **row);
/* The same for an existing, expired row: compare-and-set, NONE if it no longer matches `seen`. */
identity_db_status_t identity_idempotency_take(identity_db_t *db,
                                               const identity_idempotency_row_t *seen,
                                               const identity_idempotency_row_t *row);
/* From running to answered; NONE if row->owner no longer holds it. */
identity_db_status_t identity_idempotency_store(identity_db_t *db,
                                                const identity_idempotency_row_t *row);
/* Deletes it if row->owner holds it and it is still running. OK otherwise, too. */
identity_db_status_t identity_idempotency_free(identity_db_t *db,
                                               const identity_idempotency_row_t *row);
/* How many older rows there are (counted to 1 at most), and the deletion of about `limit` of them, oldest first. */
identity_db_status_t identity_idempotency_old(identity_db_t *db, apr_time_t before,
                                              apr_int64_t *old);
identity_db_status_t identity_idempotency_purge(identity_db_t *db, apr_time_t before,
                                                apr_int64_t limit, int *deleted);

#endif

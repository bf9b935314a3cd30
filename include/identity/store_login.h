/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of invitations, mailed secrets, sessions, providers and audit records. Part of identity/store.h. */
#ifndef IDENTITY_STORE_LOGIN_PUBLIC_H
#define IDENTITY_STORE_LOGIN_PUBLIC_H

#include "identity/store.h"

typedef enum {
    IDENTITY_INVITATION_INVITED,
    IDENTITY_INVITATION_ACCEPTED,
    IDENTITY_INVITATION_REVOKED,
    IDENTITY_INVITATION_EXPIRED /* never stored: computed from expires_at by identity_invitation_state */
} identity_invitation_state_t;
const char *
identity_invitation_state_name(identity_invitation_state_t state); /* invited, accepted, ... */
bool identity_invitation_state_parse(const char *name, identity_invitation_state_t *state);
typedef struct identity_invitation_row {
    IDENTITY_INVITATION_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
    const char *canonical;   /* of email; written, not read */
    apr_int64_t sandbox_cap; /* on insert; 0: none */
} identity_invitation_row_t;

/* CONFLICT: the entity is a sandbox and already has row->sandbox_cap of them. */
identity_db_status_t identity_invitation_insert(identity_db_t *db,
                                                const identity_invitation_row_t *row);
identity_db_status_t identity_invitation_get(identity_db_t *db, const char *entity_id,
                                             const char *id, identity_invitation_row_t **row);
/* The state at a given time. Besides the bounds of a page, this alone decides whether an invitation has expired. */
identity_invitation_state_t identity_invitation_state(const identity_invitation_row_t *row,
                                                      apr_time_t now);
/* The user's invitation that is INVITED, or has expired and may be resent. */
identity_db_status_t identity_invitation_open(identity_db_t *db, const char *user_id,
                                              identity_invitation_row_t **row);
/* Changes INVITED to state; NONE if it is no longer INVITED (security 23). */
identity_db_status_t identity_invitation_close(identity_db_t *db, const char *id,
                                               identity_invitation_state_t state, apr_time_t now);
/* Marks an expired invitation as superseded; NONE if it is no longer open. */
identity_db_status_t identity_invitation_supersede(identity_db_t *db, const char *id);
/* For resending: writes invited_by, modified_at, expires_at and sent_at. NONE: no longer open. CONFLICT: the entity
 * is a sandbox and has made row->sandbox_cap invitation mails. In a write transaction. */
identity_db_status_t identity_invitation_renew(identity_db_t *db,
                                               const identity_invitation_row_t *row);

/* Secrets of mailed links: only their digests are stored. */
typedef enum {
    IDENTITY_SECRET_INVITE,
    IDENTITY_SECRET_RESET,
    IDENTITY_SECRET_CHANGE
} identity_secret_kind_t;
typedef struct identity_secret_row {
    IDENTITY_SECRET_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_secret_row_t;
identity_db_status_t identity_secret_insert(identity_db_t *db, const identity_secret_row_t *row);
identity_db_status_t identity_secret_get(identity_db_t *db, const char *digest,
                                         identity_secret_kind_t kind, identity_secret_row_t **row);
/* Guarded by ended_at: of concurrent callers exactly one gets OK, the others NONE (security 21). */
identity_db_status_t identity_secret_spend(identity_db_t *db, const char *digest, apr_time_t now);
/* Ends the user's live secrets of that kind. OK also if there were none. */
identity_db_status_t identity_secrets_end(identity_db_t *db, const char *user_id,
                                          identity_secret_kind_t kind, apr_time_t now);

/* A user or an API key, and an account in which it has rights. */
typedef struct identity_holder_row {
    const char *id, *account_id,
        *name; /* name: username, or description of a key, NULL if it has none */
    bool key;
    const char *place;        /* the row's id in a cursor */
    identity_key_role_t role; /* of a key */
    apr_time_t created_at;    /* of the holder */
} identity_holder_row_t;

/* A session; its refresh tokens form a family, of which one is live. */
typedef struct identity_session_row {
    IDENTITY_SESSION_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_session_row_t;
identity_db_status_t identity_session_insert(identity_db_t *db, const identity_session_row_t *row);
/* The session and its user in one statement; it expires with its entity at the latest. */
identity_db_status_t identity_session_get(identity_db_t *db, const char *id,
                                          identity_session_row_t **session,
                                          identity_user_row_t **user);
/* A guest's session, which has no user. */
identity_db_status_t identity_session_of_guest(identity_db_t *db, const char *id,
                                               identity_session_row_t **session);
/* How many guest sessions have expired (counted to 1 at most), and the deletion of at most limit of them. */
identity_db_status_t identity_guests_over(identity_db_t *db, apr_time_t now, apr_int64_t *over);
identity_db_status_t identity_guests_purge(identity_db_t *db, apr_time_t now, apr_int64_t limit,
                                           int *deleted);
identity_db_status_t identity_session_touch(identity_db_t *db, const char *id,
                                            apr_time_t idle_expires_at);
identity_db_status_t identity_session_end(identity_db_t *db, const char *id,
                                          apr_time_t now); /* NONE: ended already */
/* All live sessions of a user except one (or NULL). OK also if there were none. */
identity_db_status_t identity_sessions_end(identity_db_t *db, const char *user_id,
                                           const char *except, apr_time_t now);

/* Of a user, newest first. */
identity_db_status_t identity_sessions_live(identity_db_t *db, const char *user_id, apr_time_t now,
                                            apr_int64_t limit, apr_array_header_t **rows);
/* Sessions that have not been ended, though they may have expired; counted to cap at most. */
identity_db_status_t identity_sessions_count(identity_db_t *db, const char *user_id,
                                             apr_int64_t cap, apr_int64_t *count);
/* Ends the expired ones. */
identity_db_status_t identity_sessions_expire(identity_db_t *db, const char *user_id,
                                              apr_time_t now);
/* Ends all except the newest ones; *ended: how many. */
identity_db_status_t identity_sessions_trim(identity_db_t *db, const char *user_id,
                                            apr_int64_t keep, apr_time_t now, int *ended);

typedef struct identity_refresh_row {
    IDENTITY_REFRESH_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_refresh_row_t;
identity_db_status_t
identity_refresh_insert(identity_db_t *db,
                        const identity_refresh_row_t *row); /* CONFLICT: already exists */
identity_db_status_t identity_refresh_get(identity_db_t *db, const char *digest,
                                          identity_refresh_row_t **row);
/* Compare-and-set: NONE if it is already spent (security 35). */
identity_db_status_t identity_refresh_spend(identity_db_t *db, const char *digest,
                                            const char *nonce, apr_time_t now);

typedef struct identity_alias_row {
    IDENTITY_ALIAS_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
    const char *username; /* joined on listing */
} identity_alias_row_t;
identity_db_status_t identity_alias_insert(identity_db_t *db, const identity_alias_row_t *row);
identity_db_status_t identity_alias_get(identity_db_t *db, const char *digest,
                                        identity_alias_row_t **row);
identity_db_status_t identity_alias_touch(identity_db_t *db, const char *id, apr_time_t now);
/* All of a user's. */
identity_db_status_t identity_aliases_end(identity_db_t *db, const char *user_id, apr_time_t now);
identity_db_status_t identity_alias_find(identity_db_t *db, const char *entity_id, const char *id,
                                         identity_alias_row_t **row);
/* NONE: already ended. */
identity_db_status_t identity_alias_end(identity_db_t *db, const char *entity_id, const char *id,
                                        apr_time_t now);
identity_db_status_t
identity_aliases_list(identity_db_t *db, const char *entity_id,
                      apr_array_header_t **rows); /* newest first, 500 at most */

/* A way to sign in: by a password, or at an external provider. */
typedef struct identity_provider_row {
    IDENTITY_PROVIDER_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_provider_row_t;
identity_db_status_t identity_provider_insert(identity_db_t *db,
                                              const identity_provider_row_t *row);
identity_db_status_t identity_provider_get(identity_db_t *db, const char *entity_id, const char *id,
                                           identity_provider_row_t **row);
/* Writes all columns except id, entity_id, created_at if the row still has row->version, and increments that. NONE:
 * changed meanwhile. */
identity_db_status_t identity_provider_update(identity_db_t *db, identity_provider_row_t *row);
identity_db_status_t identity_provider_delete(identity_db_t *db, const char *entity_id,
                                              const char *id);

/* In any entity: a sign-on begins with nothing but the provider's id. Not in sandboxes, so that nobody can be lured
 * into one. */
identity_db_status_t identity_provider_by_id(identity_db_t *db, const char *id,
                                             identity_provider_row_t **row);
/* All of type SSO of an entity, in any status. */
/* Does the entity have a DEFAULT provider that is DISABLED, and none that is ENABLED? */
identity_db_status_t identity_providers_password_off(identity_db_t *db, const char *entity_id,
                                                     bool *off);
identity_db_status_t identity_providers_sso(identity_db_t *db, const char *entity_id,
                                            apr_array_header_t **rows);

/* Marks a sign-on as used and deletes some expired ones. CONFLICT: already used. */
identity_db_status_t identity_sso_state_spend(identity_db_t *db, const char *digest, apr_time_t now,
                                              apr_time_t expires_at);
/* The user linked to an identity at a provider: (issuer, subject). */
identity_db_status_t identity_provider_link_get(identity_db_t *db, const char *issuer,
                                                const char *subject, identity_user_row_t **user);
identity_db_status_t identity_provider_link_insert(identity_db_t *db, const char *issuer,
                                                   const char *subject, const char *user_id,
                                                   apr_time_t now);
/* The number of the user's links at the issuer. */
identity_db_status_t identity_provider_links_at(identity_db_t *db, const char *user_id,
                                                const char *issuer, apr_int64_t *count);
/* Deletes all links of the user. */
identity_db_status_t identity_provider_links_end(identity_db_t *db, const char *user_id);

/* A client of the OpenID provider: an application that people sign in to. */
typedef struct identity_client_row {
    IDENTITY_CLIENT_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_client_row_t;
identity_db_status_t identity_client_insert(identity_db_t *db, const identity_client_row_t *row);
identity_db_status_t identity_client_get(identity_db_t *db, const char *entity_id, const char *id,
                                         identity_client_row_t **row);
/* Writes name, status, digests and settings if the row still has row->version, and increments that. NONE: changed
 * meanwhile. */
identity_db_status_t identity_client_update(identity_db_t *db, identity_client_row_t *row);
identity_db_status_t identity_client_delete(identity_db_t *db, const char *entity_id,
                                            const char *id);

/* In any entity but a sandbox: a sign-in begins with nothing but the client's id. */
identity_db_status_t identity_client_by_id(identity_db_t *db, const char *id,
                                           identity_client_row_t **row);

/* What a person's session has given a client. */
typedef struct identity_client_grant_row {
    IDENTITY_CLIENT_GRANT_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
} identity_client_grant_row_t;
/* Deletes those of the same session and client whose code expired before `forget` and that have no refresh token. */
identity_db_status_t identity_client_grant_insert(identity_db_t *db,
                                                  const identity_client_grant_row_t *row,
                                                  apr_time_t forget);
identity_db_status_t identity_client_grant_of_code(identity_db_t *db, const char *digest,
                                                   identity_client_grant_row_t **row);
identity_db_status_t identity_client_grant_get(identity_db_t *db, const char *id,
                                               identity_client_grant_row_t **row);
/* refresh: digest of the refresh token, or "". NONE: the code is spent, or the grant ended. */
identity_db_status_t identity_client_grant_spend(identity_db_t *db, const char *id,
                                                 const char *refresh, apr_time_t now);
/* Compare-and-set. NONE: another one was exchanged meanwhile, or the grant ended. */
identity_db_status_t identity_client_grant_refresh(identity_db_t *db, const char *id,
                                                   const char *present, const char *next,
                                                   const char *nonce, apr_time_t now);
/* NONE: ended already. */
identity_db_status_t identity_client_grant_end(identity_db_t *db, const char *id, apr_time_t now);

typedef struct identity_audit_row {
    IDENTITY_AUDIT_ROW(IDENTITY_MEMBER, IDENTITY_MEMBER)
    apr_int64_t sandbox_cap; /* on insert; 0: none */
} identity_audit_row_t;
/* CONFLICT: the entity is a sandbox and already has row->sandbox_cap of them. */
identity_db_status_t identity_audit_insert(identity_db_t *db, const identity_audit_row_t *row);
/* The same, but if a row with that id exists, increments its times. */
identity_db_status_t identity_audit_count(identity_db_t *db, const identity_audit_row_t *row);
identity_db_status_t identity_audit_get(identity_db_t *db, const char *entity_id, const char *id,
                                        identity_audit_row_t **row);

/* Erasure of deleted users (erasure.c). The earliest user deleted by `before`; NONE if there is none. */
identity_db_status_t identity_erasure_due(identity_db_t *db, apr_time_t before,
                                          identity_user_row_t **row);
/* One step, in a write transaction: replaces the user with the pseudonym in up to limit audit records and erases the
 * personal data in them. *over: no records are left, and the user has been deleted with everything that belongs to
 * it. */
identity_db_status_t identity_erasure_step(identity_db_t *db, const identity_user_row_t *user,
                                           const char *pseudonym, apr_int64_t limit, bool *over);

#endif

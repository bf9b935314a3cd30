/* SPDX-License-Identifier: Apache-2.0 */
/* Users, memberships, teams, invitations, mailed links and notices. */
#ifndef IDENTITY_SERVICE_USERS_H
#define IDENTITY_SERVICE_USERS_H

#include "login/login.h"

/* ---- memberships (memberships.c) --------------------------------------------------------------------------------- */

/* 409 if the owner already has a membership in the account. */
bool identity_membership_absent(identity_call_t *call, const identity_assignments_t *assignments,
                                const char *owner_id, const char *account_id);
/* Ends the membership named in the path (inner_id) of the owner named in the path (id), whose assignments these are,
 * and audits it in its account: 404, 403, 409 for the last administrator. Inside identity_write. */
bool identity_membership_end(identity_call_t *call, identity_owner_t owner,
                             const identity_assignments_t *assignments, identity_audit_t *audit);

/* ---- mailed links and notices (mailed_link.c, notice.c, confirm_address.c) --------------------------------------- */

/* A generated and sealed secret, ready to be written; made before the transaction. */
typedef struct identity_link {
    const char *token, *digest, *sealed, *sealed_with, *outbox_id;
} identity_link_t;
bool identity_link_make(identity_call_t *call, const char *prefix, identity_link_t *link);
/* Writes secret and mail; ends earlier links to the same user for the same purpose. invitation: NULL for a reset. */
bool identity_link_send(identity_call_t *call, const identity_link_t *link,
                        const identity_user_row_t *user,
                        const identity_invitation_row_t *invitation);
/* The same for the user's pending_username, until pending_expires_at. */
bool identity_link_send_change(identity_call_t *call, const identity_link_t *link,
                               const identity_user_row_t *user);
/* An address in the form used for mail. */
const char *identity_mail_recipient(identity_call_t *call, const identity_user_row_t *user,
                                    const char *address);
/* The language of mails caused by this request. */
const char *identity_call_language(identity_call_t *call, identity_mail_kind_t kind);
/* Notices (notice.c). All inside identity_write. */
typedef struct identity_notice {
    identity_mail_kind_t kind;
    const char *username;  /* the user's previous name; NULL: the present one */
    const char *address;   /* the new address, or NULL */
    apr_time_t expires_at; /* of a change that awaits confirmation; 0: already in effect */
} identity_notice_t;
/* Writes a notice to the mailbox `to`, the name in a row of the user. *untold: set to a message if nobody can be
 * notified, else unchanged. False only for errors. */
bool identity_notify(identity_call_t *call, const identity_user_row_t *to,
                     const identity_notice_t *notice, const char **untold);
/* identity_audit with the message (or NULL) that nobody could be notified. */
bool identity_audit_told(identity_call_t *call, identity_audit_t *audit, const char *untold);
/* Audits that a notice was not delivered, so far or finally. */
bool identity_notice_failed(identity_call_t *call, const identity_outbox_row_t *mail,
                            bool for_good);

/* A user's own change of address (confirm_address.c). Both run inside identity_write before the row is written, and
 * set its pending_... columns. */
bool identity_change_begin(identity_call_t *call, identity_user_row_t *user, const char *username,
                           const identity_link_t *link, const char **untold);
/* Cancels the pending change, its link and its unsent mail. */
bool identity_change_void(identity_call_t *call, identity_user_row_t *user);

/* Ends all sessions of a user except that one (or NULL), its aliases (which could open new ones), and its open
 * password reset links. Inside identity_write. */
bool identity_end_ways_in(identity_call_t *call, const char *user_id,
                          const char *except_session_id);
/* Can the site send mail, and to this address? (503, 400 naming the field) */
bool identity_mail_possible(identity_call_t *call, const char *address, const char *field);

/* ---- personal keys (personal_keys.c, made_keys.c) ---------------------------------------------------------------- */

/* Deletes and audits all personal keys of a user. actor: as in identity_audit_t. Inside identity_write. */
bool identity_personal_keys_end(identity_call_t *call, const identity_user_row_t *user,
                                const char *actor);
/* The entity's active keys that the user created; ends: deactivates them, 403 if the caller could not do so one by
 * one. Reads; with ends inside identity_write. */
bool identity_made_keys(identity_call_t *call, const identity_user_row_t *user, bool ends,
                        apr_array_header_t **rows);

/* ---- invitations (invite.c, accept.c) ---------------------------------------------------------------------------- */

/* Ends the user's open invitation, if any, with its pending memberships and its link. */
bool identity_invitation_end(identity_call_t *call, const identity_user_row_t *user);
/* Creates the user's invitation and its mail; ends an open one first. wanted: what it is for, for the invitations
 * interface, or NULL. For an ACTIVE user it offers further memberships (adds). field: in the body, for a refusal.
 * *made may be NULL. Inside identity_write. */
bool identity_invite_user(identity_call_t *call, const identity_user_row_t *user,
                          const identity_membership_request_t *request, const identity_link_t *link,
                          const char *field, identity_invitation_row_t **made);

/* ---- user names (user_names.c); all inside identity_write -------------------------------------------------------- */

/* Frees the name for a user that is to become (or stay) ACTIVE or INACTIVE with it: a sandbox's user of that name is
 * deleted; if the address is proved, another entity's user who never proved it nor signed in is deactivated. 409
 * naming the field (or NULL) if another user holds the name. The caller writes the row afterwards. */
bool identity_name_claim(identity_call_t *call, const identity_user_row_t *user, bool proved,
                         const char *field);
/* May somebody be invited under the name? 409 if its holder would not give way on acceptance. */
bool identity_name_invitable(identity_call_t *call, const identity_user_row_t *user,
                             const char *field);
/* A user that becomes INACTIVE keeps its name if that is free. The caller writes the row afterwards. */
bool identity_name_keep(identity_call_t *call, identity_user_row_t *user);
/* A deleted user can neither be changed nor given anything until it is restored: 409 that says so. field: in the
 * body, or NULL. */
bool identity_user_present(identity_call_t *call, const identity_user_row_t *user,
                           const char *field);
/* The next step of erasing a deleted user (user_delete.c); *over: finished. Inside identity_write. */
bool identity_user_erase(identity_call_t *call, const identity_user_row_t *user, apr_int64_t limit,
                         bool *over);
/* 409: "This username is taken.", or the text for that field. */
bool identity_name_taken(identity_call_t *call, const char *field);
/* Writes the row; 409 if another user of the entity has the name. */
bool identity_user_save(identity_call_t *call, identity_user_row_t *user);
/* Claims the name and writes the new row: INVITED, or ACTIVE or INACTIVE. */
bool identity_user_make(identity_call_t *call, const identity_user_row_t *user, bool proved,
                        const char *field);
/* Ends the user's sessions, aliases, personal keys, reset links with their mails, and open invitation. */
bool identity_user_end_access(identity_call_t *call, const identity_user_row_t *user);
/* Writes the login of a row that has just been inserted or updated: 409 naming `login` if another user of the entity
 * has it, ignoring case. Inside identity_write. */
bool identity_login_claim(identity_call_t *call, const identity_user_row_t *user);

/* Accepts the open invitation of an INVITED user whose address was proved other than by its link: the user becomes
 * ACTIVE, without a password. *accepted: was there a valid one? Inside identity_write. */
bool identity_invitation_accept(identity_call_t *call, identity_user_row_t *user, bool *accepted);

/* The user of a live invitation's token that was sent to the address (canonical): 400 with the messages of
 * activate-user; for any other address that of an unknown token. Reads, does not redeem. */
bool identity_invitation_of_token(identity_call_t *call, const char *token, const char *email,
                                  identity_user_row_t **user);

typedef struct identity_user_view {
    const char *id;
    identity_user_row_t *user;
    identity_assignments_t *assignments;
} identity_user_view_t;
/* One that is only to be shown. */
typedef struct identity_user_look {
    identity_user_row_t *user;
    identity_shown_t *shown;
} identity_user_look_t;
/* identity_work_t on an identity_user_look_t: the user of the path. */
bool identity_user_look(identity_call_t *call, void *look);
/* identity_work_t on an identity_user_view_t: loads the user view->id and its assignments. */
bool identity_user_load(identity_call_t *call, void *view);

#endif

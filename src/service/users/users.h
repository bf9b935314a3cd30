/* Users, memberships, teams, invitations, mailed links and notices. */
#ifndef IDENTITY_SERVICE_USERS_H
#define IDENTITY_SERVICE_USERS_H

#include "login/login.h"

/* ---- memberships (memberships.c) --------------------------------------------------------------------------------- */

/* The owner has no membership of the account yet: 409. */
bool identity_membership_absent(identity_call_t *call, const identity_assignments_t *assignments, const char *owner_id,
                                const char *account_id);
/* Ends the membership that the path names (inner_id) of the owner that it names (id), whose holdings these are, and
 * puts it on record in its account: 404, 403, 409 for the last administrator. Inside identity_write. */
bool identity_membership_end(identity_call_t *call, identity_owner_t owner, const identity_assignments_t *assignments,
                             identity_audit_t *audit);

/* ---- mailed links and notices (mailed_link.c, notice.c, confirm_address.c) --------------------------------------- */

/* A secret made, sealed and ready to be written; made before the transaction. */
typedef struct identity_link {
    const char *token, *digest, *sealed, *sealed_with, *outbox_id;
} identity_link_t;
bool identity_link_make(identity_call_t *call, const char *prefix, identity_link_t *link);
/* Writes secret and mail, ends what was sent before to the same user for the same purpose. invitation: NULL for a
 * reset. */
bool identity_link_send(identity_call_t *call, const identity_link_t *link, const identity_user_row_t *user,
                        const identity_invitation_row_t *invitation);
/* The same to the user's pending_username, until pending_expires_at. */
bool identity_link_send_change(identity_call_t *call, const identity_link_t *link, const identity_user_row_t *user);
/* The form of an address that mail goes to. */
const char *identity_mail_recipient(identity_call_t *call, const identity_user_row_t *user, const char *address);
/* The language of mails that this request causes. */
const char *identity_call_language(identity_call_t *call, identity_mail_kind_t kind);
/* Notices (notice.c). All inside identity_write. */
typedef struct identity_notice {
    identity_mail_kind_t kind;
    const char *username;  /* that the user had before; NULL: the present one */
    const char *address;   /* that takes its place, or NULL */
    apr_time_t expires_at; /* of a change that is to be confirmed; 0: it counts already */
} identity_notice_t;
/* Writes one to the mailbox that `to`, a row of the user, has as its name. *untold: a sentence where nobody is told,
 * else it stays. False for a fault alone. */
bool identity_notify(identity_call_t *call, const identity_user_row_t *to, const identity_notice_t *notice,
                     const char **untold);
/* identity_audit, with the sentence (or NULL) that nobody was told. */
bool identity_audit_told(identity_call_t *call, identity_audit_t *audit, const char *untold);
/* On record: this notice did not arrive, so far or for good. */
bool identity_notice_failed(identity_call_t *call, const identity_outbox_row_t *mail, bool for_good);

/* A person's own change of address (confirm_address.c). Both inside identity_write and before the row is written, whose
 * pending_... they set. */
bool identity_change_begin(identity_call_t *call, identity_user_row_t *user, const char *username,
                           const identity_link_t *link, const char **untold);
/* What is pending is so no more, its link is dead and its mail does not leave. */
bool identity_change_void(identity_call_t *call, identity_user_row_t *user);

/* Ends the sessions of a user but that one (or NULL), its aliases, which are sessions that are yet to be opened, and
 * its open links for a new password. Inside identity_write. */
bool identity_end_ways_in(identity_call_t *call, const char *user_id, const char *except_session_id);
/* Is the site able to send mail, and may mail go to this address? (503, 400 naming the field) */
bool identity_mail_possible(identity_call_t *call, const char *address, const char *field);

/* ---- personal keys (personal_keys.c, made_keys.c) ---------------------------------------------------------------- */

/* Ends all of a user's, on record. actor: as in identity_audit_t. Inside identity_write. */
bool identity_personal_keys_end(identity_call_t *call, const identity_user_row_t *user, const char *actor);
/* The active keys of the entity that the user made; ends: they are INACTIVE afterwards, which is 403 where the caller
 * could not do that one by one. Reads; with ends inside identity_write. */
bool identity_made_keys(identity_call_t *call, const identity_user_row_t *user, bool ends, apr_array_header_t **rows);

/* ---- invitations (invite.c, accept.c) ---------------------------------------------------------------------------- */

/* How the open invitation of a user ends, if there is one, with its pending memberships and its link. */
bool identity_invitation_end(identity_call_t *call, const identity_user_row_t *user);
/* Makes the invitation of a user and its mail; an open one before it ends. wanted: what it is for, for the invitations
 * interface, or NULL. To somebody ACTIVE it is one to further memberships (adds). field: of the body, for a refusal.
 * *made may be NULL. Inside identity_write. */
bool identity_invite_user(identity_call_t *call, const identity_user_row_t *user,
                          const identity_membership_request_t *request, const identity_link_t *link, const char *field,
                          identity_invitation_row_t **made);

/* ---- user names (user_names.c); all inside identity_write -------------------------------------------------------- */

/* Makes the name free for the user, who is to become (or stay) ACTIVE or INACTIVE with it: a user of a sandbox goes;
 * where the address is proved, a user of another entity who never proved it nor signed in is deactivated there. 409
 * naming the field (or NULL) where another user holds it. The caller writes the row afterwards. */
bool identity_name_claim(identity_call_t *call, const identity_user_row_t *user, bool proved, const char *field);
/* May somebody be invited to the name? 409 where who holds it would not make way for who accepts. */
bool identity_name_invitable(identity_call_t *call, const identity_user_row_t *user, const char *field);
/* Who becomes INACTIVE goes on to hold the name, where it is free. The caller writes the row afterwards. */
bool identity_name_keep(identity_call_t *call, identity_user_row_t *user);
/* Is the user deleted? Then nothing is changed of it, nor given to it, until it is restored: 409 that says so. field:
 * of the body, or NULL. */
bool identity_user_present(identity_call_t *call, const identity_user_row_t *user, const char *field);
/* The next step of the erasure of a deleted user (user_delete.c); *over: it is gone. Inside identity_write. */
bool identity_user_erase(identity_call_t *call, const identity_user_row_t *user, apr_int64_t limit, bool *over);
/* 409: "This username is taken.", or what field says. */
bool identity_name_taken(identity_call_t *call, const char *field);
/* Writes the row; 409 where somebody else of the entity has the name. */
bool identity_user_save(identity_call_t *call, identity_user_row_t *user);
/* Both and the new row: INVITED, or ACTIVE or INACTIVE. */
bool identity_user_make(identity_call_t *call, const identity_user_row_t *user, bool proved, const char *field);
/* Ends the sessions, aliases, personal keys, reset links with their mails, and the open invitation of a user. */
bool identity_user_end_access(identity_call_t *call, const identity_user_row_t *user);
/* Writes the login of a row that was inserted or updated just now: 409 naming `login` where another user of the entity
 * has it, in whatever case. Inside identity_write. */
bool identity_login_claim(identity_call_t *call, const identity_user_row_t *user);

/* Accepts the open invitation of somebody INVITED whose address was proved in another way than by its link: the user
 * becomes ACTIVE, without a password. *accepted: whether there was one that still holds. Inside identity_write. */
bool identity_invitation_accept(identity_call_t *call, identity_user_row_t *user, bool *accepted);

/* The person of a live invitation's token that was sent to the address (canonical): 400 in the words of activate-user,
 * and to any other address those for an unknown token. Reads, spends nothing. */
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
/* identity_work_t on an identity_user_view_t: the user of view->id and all it holds. */
bool identity_user_load(identity_call_t *call, void *view);

#endif

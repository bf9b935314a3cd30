/* What the two views of invitations share: users/invite and revoke-invite (invite.c), /invitations (invitations.c,
 * invitation_write.c). */
#ifndef IDENTITY_INVITATIONS_INT_H
#define IDENTITY_INVITATIONS_INT_H

#include "users/users.h"

typedef struct identity_inviting {
    const char *address, *canonical;
    const char *field; /* what the body calls the address */
    bool anew;         /* not in the place of an invitation that is open */
    identity_membership_request_t request;
    identity_link_t link;
    /* What became of it. */
    identity_user_row_t *user;
    identity_invitation_row_t *invitation;
    identity_owner_t owner; /* of what is given */
    const char *owner_id;
    identity_changes_t *changes;
} identity_inviting_t;
/* Finds or makes the person, gives what is wanted (which the caller may give, membership_request.c) and writes
 * invitation, mail and audit record. 409 naming the field. Inside identity_write. */
bool identity_invite(identity_call_t *call, identity_inviting_t *inviting);

/* What an invitation gives (open NULL: what its user holds): of the invitation itself for somebody active, else of the
 * user. Reads. */
bool identity_invitation_given(identity_call_t *call, const identity_user_row_t *user,
                               const identity_invitation_row_t *open, identity_assignments_t **given,
                               const char **owner_id);

/* The invitation of the user holds from now on for as long as a new one does, and the caller answers for it where they
 * could invite to what it gives; else who did before must be able to still (403). Inside identity_write. */
bool identity_invitation_prolong(identity_call_t *call, identity_user_row_t *user, identity_invitation_row_t *row,
                                 const identity_assignments_t *given);

/* Takes back an invitation that is open; field: of the body, for a refusal (403). Inside identity_write. */
bool identity_invitation_revoke(identity_call_t *call, identity_user_row_t *user, identity_invitation_row_t *open,
                                const char *field);

/* Invitations as the interface shows them. */
typedef struct identity_invitation_view {
    apr_array_header_t *rows; /* of identity_invitation_row_t * */
    apr_hash_t *mails;        /* invitation id -> identity_outbox_row_t; NULL: the caller is not shown them */
} identity_invitation_view_t;
/* mails of the rows. Reads. */
bool identity_invitation_view(identity_call_t *call, identity_invitation_view_t *view);
json_t *identity_invitation_json(identity_call_t *call, const identity_invitation_view_t *view,
                                 const identity_invitation_row_t *row);
/* The invitation of the path and within the caller's sight: 404 otherwise. Reads. */
bool identity_invitation_found(identity_call_t *call, identity_invitation_row_t **row);

#endif

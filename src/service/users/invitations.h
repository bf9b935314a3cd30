/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the two interfaces for invitations: users/invite and revoke-invite (invite.c), /invitations
 * (invitations.c, invitation_write.c). */
#ifndef IDENTITY_INVITATIONS_INT_H
#define IDENTITY_INVITATIONS_INT_H

#include "users/users.h"

typedef struct identity_inviting {
    const char *address, *canonical;
    const char *field; /* the body's name for the address */
    bool anew;         /* refuse to replace an open invitation */
    identity_membership_request_t request;
    identity_link_t link;
    /* results */
    identity_user_row_t *user;
    identity_invitation_row_t *invitation;
    identity_owner_t owner; /* of the assignments */
    const char *owner_id;
    identity_changes_t *changes;
} identity_inviting_t;
/* Finds or creates the person, grants the requested memberships (after checking that the caller may,
 * membership_request.c) and writes invitation, mail and audit record. 409 naming the field. Inside identity_write. */
bool identity_invite(identity_call_t *call, identity_inviting_t *inviting);

/* The assignments of an invitation (open NULL: those of its user): owned by the invitation itself if the user is
 * active, else by the user. Reads. */
bool identity_invitation_given(identity_call_t *call, const identity_user_row_t *user,
                               const identity_invitation_row_t *open,
                               identity_assignments_t **given, const char **owner_id);

/* Extends the user's invitation to a full lifetime from now. The caller becomes its inviter if they could grant what
 * it grants; otherwise the previous inviter must still be able to (403). Inside identity_write. */
bool identity_invitation_prolong(identity_call_t *call, identity_user_row_t *user,
                                 identity_invitation_row_t *row,
                                 const identity_assignments_t *given);

/* Revokes an open invitation; field: in the body, for a refusal (403). Inside identity_write. */
bool identity_invitation_revoke(identity_call_t *call, identity_user_row_t *user,
                                identity_invitation_row_t *open, const char *field);

/* Invitations in the form of the interface. */
typedef struct identity_invitation_view {
    apr_array_header_t *rows; /* of identity_invitation_row_t * */
    apr_hash_t
        *mails; /* invitation id -> identity_outbox_row_t; NULL: the caller may not see mails */
} identity_invitation_view_t;
/* Reads the mails of the rows. */
bool identity_invitation_view(identity_call_t *call, identity_invitation_view_t *view);
json_t *identity_invitation_json(identity_call_t *call, const identity_invitation_view_t *view,
                                 const identity_invitation_row_t *row);
/* The invitation named in the path, if the caller may see it: 404 otherwise. Reads. */
bool identity_invitation_found(identity_call_t *call, identity_invitation_row_t **row);

#endif

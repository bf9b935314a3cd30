/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the operations of mailed links (redeem.c). */
#ifndef IDENTITY_REDEEM_INT_H
#define IDENTITY_REDEEM_INT_H

#include "users/users.h"

typedef struct redemption {
    const char *digest, *password, *hash;
    identity_secret_kind_t kind;
    identity_secret_row_t *secret;
    identity_user_row_t *user;
    identity_invitation_row_t *invitation; /* of INVITE */
    identity_assignments_t *assignments;
    const apr_array_header_t *given; /* memberships granted by the invitation, or NULL */
    bool sign_in;                    /* password sign-in is enabled in the user's entity */
} redemption_t;

/* The token prefix of a kind. */
const char *redeem_prefix(identity_secret_kind_t kind);
/* Refusals: unknown, used, revoked and replaced links get one message, expired ones another (contract, errors).
 * Counted as failures. */
bool redeem_dead(identity_call_t *call);
bool redeem_expired(identity_call_t *call);
/* Begins a redemption; a token of another form is refused without a look-up. */
bool redeem_begin(identity_call_t *call, identity_secret_kind_t kind, const char *token,
                  redemption_t *redemption);
/* Each reads: the secret, which must exist; whether it is live; its user. */
bool redeem_find(identity_call_t *call, redemption_t *redemption);
bool redeem_lives(identity_call_t *call, const redemption_t *redemption);
bool redeem_user(identity_call_t *call, redemption_t *redemption);
/* Inside identity_write: of concurrent redemptions exactly one succeeds (security 21). */
bool redeem_spend(identity_call_t *call, redemption_t *redemption);
/* Does it prove that the address belongs to the person? Not if the link was not delivered by mail. */
static inline bool redeem_proves(const redemption_t *redemption)
{
    return !redemption->secret || !redemption->secret->handed;
}
/* redeem_begin with the body's token and new password. */
bool redeem_begin_with_body(identity_call_t *call, identity_secret_kind_t kind,
                            redemption_t *redemption);
/* Validates and hashes the user's new password, under the hashing semaphore. No connection may be held. */
bool redeem_hash(identity_call_t *call, redemption_t *redemption);
/* Reads all three for a pending change of address (confirm_address.c). */
bool redeem_change(identity_call_t *call, redemption_t *redemption);

/* accept.c. Each reads: the token's invitation with its user; whether it can still be accepted; what it grants,
 * which its inviter must still be able to grant (security 25, 26). */
bool accept_find(identity_call_t *call, redemption_t *accept);
bool accept_lives(identity_call_t *call, const redemption_t *accept);
bool accept_given(identity_call_t *call, redemption_t *accept);

#endif

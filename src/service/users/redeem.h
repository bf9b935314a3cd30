/* What the operations of mailed links share (redeem.c). */
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
    const apr_array_header_t *given; /* memberships that come with the invitation, or NULL */
    bool sign_in;                    /* by password, in the user's entity */
} redemption_t;

/* What the tokens of a kind begin with. */
const char *redeem_prefix(identity_secret_kind_t kind);
/* Refuses: unknown, used, revoked and replaced links in one text, expired ones in another (contract, errors). Counted
 * as failures. */
bool redeem_dead(identity_call_t *call);
bool redeem_expired(identity_call_t *call);
/* Begins a redemption; what is not a token of the kind is dead without a look-up. */
bool redeem_begin(identity_call_t *call, identity_secret_kind_t kind, const char *token, redemption_t *redemption);
/* Reads: the secret, which must be there; whether it lives; its user. */
bool redeem_find(identity_call_t *call, redemption_t *redemption);
bool redeem_lives(identity_call_t *call, const redemption_t *redemption);
bool redeem_user(identity_call_t *call, redemption_t *redemption);
/* Inside identity_write: exactly one of many at once passes (security 21). */
bool redeem_spend(identity_call_t *call, redemption_t *redemption);
/* Does it show that the address is the person's? Not where the link came by another way than to the mailbox. */
static inline bool redeem_proves(const redemption_t *redemption)
{
    return !redemption->secret || !redemption->secret->handed;
}
/* redeem_begin with the token and the new password of the body. */
bool redeem_begin_with_body(identity_call_t *call, identity_secret_kind_t kind, redemption_t *redemption);
/* Judges and hashes the new password for the user, inside the hashing semaphore. No connection may be held. */
bool redeem_hash(identity_call_t *call, redemption_t *redemption);
/* Reads all three for a change of address that is still to be confirmed (confirm_address.c). */
bool redeem_change(identity_call_t *call, redemption_t *redemption);

/* accept.c. Each reads: the invitation that the token is of, with its user; whether it may still be accepted; what it
 * gives, which its inviter must be able to give still (security 25, 26). */
bool accept_find(identity_call_t *call, redemption_t *accept);
bool accept_lives(identity_call_t *call, const redemption_t *accept);
bool accept_given(identity_call_t *call, redemption_t *accept);

#endif

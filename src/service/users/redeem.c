/* SPDX-License-Identifier: Apache-2.0 */
/* Mailed links: common to all purposes. */
#include <string.h>

#include "users/redeem.h"

const char *redeem_prefix(identity_secret_kind_t kind)
{
    static const char *const prefixes[] = {[IDENTITY_SECRET_INVITE] = IDENTITY_TOKEN_INVITE,
                                           [IDENTITY_SECRET_RESET] = IDENTITY_TOKEN_RESET,
                                           [IDENTITY_SECRET_CHANGE] = IDENTITY_TOKEN_CHANGE};
    return prefixes[kind];
}

bool redeem_dead(identity_call_t *call)
{
    return identity_ratelimit_failed(call) &&
           identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "token",
                         "This link is no longer valid.");
}

bool redeem_expired(identity_call_t *call)
{
    return identity_ratelimit_failed(call) &&
           identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "token",
                         "This link has expired; please ask for a new one.");
}

bool redeem_begin(identity_call_t *call, identity_secret_kind_t kind, const char *token,
                  redemption_t *redemption)
{
    memset(redemption, 0, sizeof *redemption);
    redemption->kind = kind;
    if (!identity_token_valid(token, redeem_prefix(kind)))
        return redeem_dead(call);
    redemption->digest = identity_token_digest(call->pool, token);
    return true;
}

bool redeem_find(identity_call_t *call, redemption_t *redemption)
{
    bool found;

    if (!identity_db_found(call,
                           identity_secret_get(call->db, redemption->digest, redemption->kind,
                                               &redemption->secret),
                           &found))
        return false;
    return found ? identity_ratelimit_account(call, redemption->secret->user_id)
                 : redeem_dead(call);
}

bool redeem_lives(identity_call_t *call, const redemption_t *redemption)
{
    if (redemption->secret->ended_at)
        return redeem_dead(call);
    return redemption->secret->expires_at > call->now || redeem_expired(call);
}

bool redeem_user(identity_call_t *call, redemption_t *redemption)
{
    bool found;

    if (!identity_db_found(
            call, identity_user_by_id(call->db, redemption->secret->user_id, &redemption->user),
            &found))
        return false;
    return found || redeem_dead(call);
}

bool redeem_spend(identity_call_t *call, redemption_t *redemption)
{
    bool won;
    return identity_db_found(call, identity_secret_spend(call->db, redemption->digest, call->now),
                             &won) &&
           (won || redeem_dead(call));
}

bool redeem_hash(identity_call_t *call, redemption_t *redemption)
{
    return identity_password_permitted(call, redemption->password, redemption->user->username,
                                       "new_password") &&
           identity_hash_password(call, redemption->user->canonical,
                                  identity_password_normalise(call->pool, redemption->password),
                                  &redemption->hash);
}

bool redeem_begin_with_body(identity_call_t *call, identity_secret_kind_t kind,
                            redemption_t *redemption)
{
    if (!redeem_begin(call, kind, identity_json_string(call->body, "token"), redemption))
        return false;
    redemption->password = identity_json_string(call->body, "new_password");
    return true;
}

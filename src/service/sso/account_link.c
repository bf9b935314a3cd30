/* SPDX-License-Identifier: Apache-2.0 */
/* Whose sign-on it is. Who somebody is at a provider is (issuer, subject), never the address (security 69); an address
 * only leads to the first link, and only where both sides have proved it (security 70):
 *
 *     linked                          the user, if ACTIVE; an open invitation is accepted where the address is proved
 *     ACTIVE and its address proved   linked
 *     INVITED                         the invitation is accepted and linked; the user has no password
 *     nobody, IdentitySSOProvision    made, ACTIVE and without memberships, where the provider names the domain
 *     anybody else                    refused, in one text
 *
 * A user who has another subject of the same issuer is not linked again: addresses are given to others in time.
 */
#include <string.h>

#include "sso/sso.h"

static const identity_configured_provider_t *configured_of(const sso_sign_on_t *sign_on)
{
    return sign_on->provider.configured;
}

static bool refuse(sso_sign_on_t *sign_on, const char *why)
{
    sign_on->refused = why;
    return true;
}

/* Everybody is refused in this way until the set-up changes. */
static bool refuse_set_up(sso_sign_on_t *sign_on, const char *why)
{
    sign_on->set_up = true;
    return refuse(sign_on, why);
}

bool sso_write_failure(identity_call_t *call, const sso_sign_on_t *sign_on)
{
    identity_audit_t audit = {
        .action = "LOGIN_FAILED", .type = "USER", .actor = "", .each_minute = true};

    audit.entity_id = sign_on->user                 ? sign_on->user->entity_id
                      : sign_on->provider.entity_id ? sign_on->provider.entity_id
                                                    : "";
    audit.id = sign_on->user ? sign_on->user->id : NULL;
    audit.message = apr_pstrcat(
        call->pool, "A sign-in by sso failed: ", configured_of(sign_on)->name, ".", NULL);
    return identity_audit(call, &audit);
}

bool sso_find_link(identity_call_t *call, void *data)
{
    sso_sign_on_t *sign_on = data;

    if (!identity_db_found(call,
                           identity_provider_link_get(call->db, configured_of(sign_on)->issuer,
                                                      sign_on->oidc.vouched.subject,
                                                      &sign_on->user),
                           &sign_on->linked))
        return false;
    if (!sign_on->linked)
        sign_on->user = NULL;
    return true;
}

/* ---- what a sign-on may change ---------------------------------------------------------------------------------- */

static bool write_audit(identity_call_t *call, const sso_sign_on_t *sign_on, const char *action,
                        const char *what)
{
    identity_audit_t audit = {.action = action, .type = "USER"};

    audit.id = audit.actor = sign_on->user->id;
    audit.entity_id = sign_on->user->entity_id;
    audit.message = apr_pstrcat(call->pool, what, configured_of(sign_on)->name, ".", NULL);
    return identity_audit(call, &audit);
}

static bool link_user(identity_call_t *call, const sso_sign_on_t *sign_on)
{
    return identity_db_ok(call, identity_provider_link_insert(
                                    call->db, configured_of(sign_on)->issuer,
                                    sign_on->oidc.vouched.subject, sign_on->user->id, call->now)) &&
           write_audit(call, sign_on, "LINK", "Linked to an identity of the provider ");
}

static bool provision(identity_call_t *call, sso_sign_on_t *sign_on, const char *canonical)
{
    identity_user_row_t *user = apr_pcalloc(call->pool, sizeof *user);
    const char *entity_id = NULL;
    bool admitted;

    if (!call->env->settings->sso_provision)
        return refuse(sign_on, "no user here has the address");
    if (!sso_entity(call, &sign_on->provider, &entity_id))
        return false;
    if (!entity_id)
        return refuse_set_up(
            sign_on, "the configuration does not say to which entity new users belong (entity=)");
    if (!sso_admits(call, &sign_on->provider, entity_id, identity_username_domain(canonical), true,
                    &admitted))
        return false;
    if (!admitted)
        return refuse(sign_on, "the provider may not create users of the address's domain");
    user->id = identity_call_id(call, "user");
    if (!user->id)
        return false;
    user->entity_id = entity_id;
    user->username = sign_on->oidc.vouched.email;
    user->canonical = canonical;
    user->status = IDENTITY_USER_ACTIVE;
    user->created_at = user->updated_at = user->verified_at = call->now;
    user->version = 1;
    sign_on->user = user;
    return identity_user_make(call, user, true, NULL) &&
           write_audit(call, sign_on, "PROVISION",
                       "Created at the first sign-in by the provider ") &&
           link_user(call, sign_on);
}

/* ---- who it is -------------------------------------------------------------------------------------------------- */

/* The canonical form of an address that the provider has verified, or for which the configuration vouches if the
 * provider does not say; or NULL. */
static const char *proved_address(identity_call_t *call, const sso_sign_on_t *sign_on)
{
    const identity_vouched_t *vouched = &sign_on->oidc.vouched;
    const char *canonical =
        vouched->email ? identity_username_canonical(call->pool, vouched->email) : NULL;

    if (!canonical)
        return NULL;
    bool proved = vouched->email_judged
                      ? vouched->email_verified
                      : sso_vouches(&sign_on->provider, identity_username_domain(canonical));
    return proved ? canonical : NULL;
}

static bool refuse_address(sso_sign_on_t *sign_on)
{
    const identity_vouched_t *vouched = &sign_on->oidc.vouched;

    if (!vouched->email)
        return refuse_set_up(sign_on, "the provider does not give an address");
    return vouched->email_judged
               ? refuse(sign_on, "the provider has not verified the address")
               : refuse_set_up(
                     sign_on,
                     "the provider does not say whether the address is verified (verified=)");
}

/* The invitation that a sign-on accepts: one of an entity that the provider is set up for takes precedence over
 * others. A person with several equal invitations is not led to one of them by chance, or by order of arrival. */
typedef struct invitations {
    identity_user_row_t *best;
    bool set_up; /* best's entity */
    int equal;
} invitations_t;

static bool prefer(identity_call_t *call, const sso_sign_on_t *sign_on, identity_user_row_t *user,
                   invitations_t *invitations)
{
    bool set_up;

    if (!sso_set_up_for(call, &sign_on->provider, user->entity_id, &set_up))
        return false;
    if (!invitations->best || set_up > invitations->set_up)
        *invitations = (invitations_t){.best = user, .set_up = set_up, .equal = 1};
    else if (set_up == invitations->set_up)
        invitations->equal++;
    return true;
}

/* The holder of the name; if nobody has proved the address, a person invited to it by an entity that the provider is
 * set up for takes precedence. */
static bool find_user(identity_call_t *call, sso_sign_on_t *sign_on, const char *canonical)
{
    identity_user_row_t *holder = NULL;
    invitations_t invitations = {.best = NULL};
    apr_array_header_t *rows;

    if (!identity_db_ok(call, identity_users_of_name(call->db, canonical, &rows)))
        return false;
    for (int i = 0; i < rows->nelts; i++) {
        identity_user_row_t *user = APR_ARRAY_IDX(rows, i, identity_user_row_t *);
        identity_entity_row_t *entity;
        bool admitted = user->held_name;
        if (!identity_db_ok(call, identity_entity_find(call->db, user->entity_id, &entity)))
            return false;
        /* A sandbox may contain any name its owner has chosen: nobody is led there. */
        if (entity->expires_at)
            continue;
        if (user->status == IDENTITY_USER_INVITED &&
            !sso_admits(call, &sign_on->provider, user->entity_id,
                        identity_username_domain(canonical), false, &admitted))
            return false;
        if (user->held_name)
            holder = user;
        else if (admitted && !prefer(call, sign_on, user, &invitations))
            return false;
    }
    bool proved = holder && (holder->verified_at || holder->signed_in_at);
    if (!proved && invitations.equal > 1)
        return refuse_set_up(
            sign_on,
            "several entities have invited the address, and the provider is not configured for "
            "one of them (entity=)");
    sign_on->user = invitations.best && !proved ? invitations.best : holder;
    return true;
}

/* Checks before a first link is written. */
static bool may_link(identity_call_t *call, sso_sign_on_t *sign_on)
{
    apr_int64_t others;

    if (sign_on->user->status == IDENTITY_USER_ACTIVE && !sign_on->user->verified_at)
        return refuse(sign_on, "the user's address has not been verified here");
    if (!identity_db_ok(call, identity_provider_links_at(call->db, sign_on->user->id,
                                                         configured_of(sign_on)->issuer, &others)))
        return false;
    return others == 0 || refuse(sign_on, "the user is linked to another identity at this issuer");
}

static bool activate(identity_call_t *call, sso_sign_on_t *sign_on, const char *canonical)
{
    bool accepted;

    if (!canonical || strcmp(canonical, sign_on->user->canonical) != 0)
        return refuse(sign_on, "the invitation is for another address");
    if (!identity_invitation_accept(call, sign_on->user, &accepted))
        return false;
    return accepted || refuse(sign_on, "the invitation has expired or is no longer valid");
}

/* An existing user: may they sign on, and what does that change? */
static bool take_user(identity_call_t *call, sso_sign_on_t *sign_on, const char *canonical)
{
    identity_user_row_t *user = sign_on->user;
    bool admitted;

    if (!sso_admits(call, &sign_on->provider, user->entity_id,
                    identity_username_domain(user->canonical), false, &admitted))
        return false;
    if (!admitted)
        return refuse(sign_on, "the user may not use the provider");
    if (user->status != IDENTITY_USER_ACTIVE && user->status != IDENTITY_USER_INVITED)
        return refuse(sign_on, "the user is not active");
    if (!sign_on->linked && !may_link(call, sign_on))
        return false;
    if (!sign_on->refused && user->status == IDENTITY_USER_INVITED &&
        !activate(call, sign_on, canonical))
        return false;
    return sign_on->refused || sign_on->linked || link_user(call, sign_on);
}

static bool find_person(identity_call_t *call, sso_sign_on_t *sign_on)
{
    const char *canonical = proved_address(call, sign_on);

    if (!sso_find_link(call, sign_on))
        return false;
    if (!sign_on->linked && !canonical)
        return refuse_address(sign_on);
    if (!sign_on->linked && !find_user(call, sign_on, canonical))
        return false;
    if (sign_on->refused)
        return true;
    return sign_on->user ? take_user(call, sign_on, canonical)
                         : provision(call, sign_on, canonical);
}

bool sso_finish(identity_call_t *call, void *data)
{
    sso_sign_on_t *sign_on = data;

    sign_on->refused = NULL;
    sign_on->set_up = false;
    sign_on->login = (identity_login_t){.method = "sso"};
    if (!find_person(call, sign_on))
        return false;
    if (sign_on->refused)
        return sign_on->set_up || sso_write_failure(call, sign_on);
    sign_on->login.user = sign_on->user;
    return identity_login_open(call, &sign_on->login);
}

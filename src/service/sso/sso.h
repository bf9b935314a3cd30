/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files about single sign-on. */
#ifndef IDENTITY_SSO_INT_H
#define IDENTITY_SSO_INT_H

#include "login/sign_in_providers.h"
#include "sso/providers.h"

/* ---- account_link.c: whose sign-on it is ------------------------------------------------------------------------- */

typedef struct sso_sign_on {
    sso_provider_t provider;
    identity_oidc_sign_on_t oidc;
    apr_time_t expires_at;
    const char *digest; /* of the state */
    identity_user_row_t *user;
    bool linked;
    const char *refused; /* reason for the log; NULL: accepted */
    bool
        set_up; /* refused because of the set-up of provider and server, not of the person: not a failed sign-in */
    identity_login_t login;
} sso_sign_on_t;

/* identity_work_t on a sso_sign_on_t: looks for a link, which decides whether an address is needed. */
bool sso_find_link(identity_call_t *call, void *sign_on);
/* identity_work_t: finds, links, activates or creates the user and opens the session, or sets refused. A refusal is
 * not an error: it is committed with its audit record. */
bool sso_finish(identity_call_t *call, void *sign_on);
/* The audit record of a failed sign-on. Inside identity_write. */
bool sso_write_failure(identity_call_t *call, const sso_sign_on_t *sign_on);

#endif

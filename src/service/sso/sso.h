/* What the files about signing on at a provider share. */
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
    const char *refused; /* why, for the log; NULL: welcome */
    bool set_up;         /* by how provider and server are set up, whoever comes: no failed sign-in */
    identity_login_t login;
} sso_sign_on_t;

/* identity_work_t on a sso_sign_on_t: looks for a link, so that it is known whether an address is needed. */
bool sso_find_link(identity_call_t *call, void *sign_on);
/* identity_work_t: finds, links, activates or makes the user and opens the session, or says why not (refused), which is
 * no fault: it is committed with its audit row. */
bool sso_finish(identity_call_t *call, void *sign_on);
/* The audit row of a sign-on that failed. Inside identity_write. */
bool sso_write_failure(identity_call_t *call, const sso_sign_on_t *sign_on);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A request to the authorization endpoint. */
#ifndef IDENTITY_SERVICE_AUTHORIZE_H
#define IDENTITY_SERVICE_AUTHORIZE_H

#include "oauth/sign_in_page.h"
#include "oidc/oidc.h"

typedef struct oidc_request {
    const char *client_id, *redirect_uri, *state, *nonce, *scope, *challenge, *login_hint;
    const char *hint_subject; /* of id_token_hint; NULL: none was sent */
    bool none, login;         /* of prompt */
    apr_time_t sent_at;  /* when this browser was sent to sign in for this request; 0: it was not */
    apr_int64_t max_age; /* in seconds; -1: none was sent */
    const char *error, *description; /* what was refused, and why */
    oidc_party_t party;
    identity_client_grant_row_t grant;
} oidc_request_t;

/* Is it known where to send errors: a client that is there, and a redirect URI that fits one of its own? Sets
 * redirect_uri; false with a description otherwise. */
bool oidc_request_target(identity_call_t *call, oidc_request_t *request);
/* The other parameters; false with error and description. Unknown ones are ignored. */
bool oidc_request_read(identity_call_t *call, oidc_request_t *request);

#endif

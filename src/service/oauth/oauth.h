/* SPDX-License-Identifier: Apache-2.0 */
/* OAuth endpoints and the pages that mailed links open. */
#ifndef IDENTITY_SERVICE_OAUTH_H
#define IDENTITY_SERVICE_OAUTH_H

#include "users/users.h"

/* ---- refresh tokens (oauth_token.c) ------------------------------------------------------------------------------ */

/* Rotates a refresh token: sets session and refresh of *login if it was valid, else both are NULL. */
bool identity_session_renew(identity_call_t *call, const char *token, identity_login_t *login);
/* ---- the page that signs in and out (sign_in_page.c) ------------------------------------------------------------- */

/* Renders the refusal of a browser's own form as the sign-in page; false: not such a call, or sent by a program. */
bool identity_entry_refused(identity_call_t *call, int status);
/* Ends the session of the browser's refresh and access cookies and clears both. The caller has checked the origin. */
bool identity_browser_logout(identity_call_t *call, bool *ended);

/* ---- the token endpoint with a form (oauth_form.c) --------------------------------------------------------------- */

/* POST /oauth/token with a form. */
bool identity_oauth_grant(identity_call_t *call);

#endif

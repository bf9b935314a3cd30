/* OAuth endpoints and the pages that mailed links open. */
#ifndef IDENTITY_SERVICE_OAUTH_H
#define IDENTITY_SERVICE_OAUTH_H

#include "users/users.h"

/* ---- refresh tokens (oauth_token.c) ------------------------------------------------------------------------------ */

/* Rotates a refresh token: session and refresh of *login are set where it was good, else both are NULL. */
bool identity_session_renew(identity_call_t *call, const char *token, identity_login_t *login);
/* ---- the page that signs in and out (sign_in_page.c) ------------------------------------------------------------- */

/* Writes the refusal of a browser's own form as the page; false: it is no such call, or a program's. */
bool identity_entry_refused(identity_call_t *call, int status);
/* Ends the session of the browser's cookies, the refresh cookie and the access cookie, and clears both. The caller has
 * made sure of the origin. */
bool identity_browser_logout(identity_call_t *call, bool *ended);

/* ---- the token endpoint with a form (oauth_form.c) --------------------------------------------------------------- */

/* POST /oauth/token with a form. */
bool identity_oauth_grant(identity_call_t *call);

#endif

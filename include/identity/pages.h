/* The pages behind mailed links, embedded at build time from src/pages/. They hold no data: the token stays in the
 * fragment, which a browser never sends. */
#ifndef IDENTITY_PAGES_H
#define IDENTITY_PAGES_H

#include <stddef.h>

typedef struct identity_page {
    const char *html;
    size_t length;
    const char *content_security_policy; /* default-src 'none' and the hashes of the page's one style and one script;
                                            connect-src 'self' */
} identity_page_t;

extern const identity_page_t identity_page_activate; /* GET /v1/oauth/activate-user */
extern const identity_page_t identity_page_reset;    /* GET /v1/oauth/reset-password */

/* The built-in mail templates, text and HTML (src/pages/mail/). */
extern const char identity_mail_invite_text[], identity_mail_invite_html[], identity_mail_reset_text[],
    identity_mail_reset_html[];

#endif

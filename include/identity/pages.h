/* SPDX-License-Identifier: Apache-2.0 */
/* Text embedded at build time: the pages behind mailed links and the mails from src/pages/, and the description of
 * the interface. The pages hold no data: the token stays in the fragment, which a browser never sends. */
#ifndef IDENTITY_PAGES_H
#define IDENTITY_PAGES_H

#include <stddef.h>

typedef struct identity_page {
    const char *html;
    size_t length;
    const char *
        content_security_policy; /* default-src 'none' and the hashes of the page's one style and one script;
                                            connect-src 'self' */
} identity_page_t;

extern const identity_page_t identity_page_activate; /* GET /v1/oauth/activate-user */
extern const identity_page_t identity_page_reset;    /* GET /v1/oauth/reset-password */
extern const identity_page_t identity_page_confirm;  /* GET /v1/oauth/confirm-address */
/* GET /v1/reference: openapi.json for people, by reference.pl. It has no script. */
extern const identity_page_t identity_page_reference;

/* A page that is filled in on request, in a language: {{name}} is a value, {{#name}}...{{/name}} is kept only if
 * there is one, {{*name}}...{{/name}} is repeated for each item. The last entry has no language. */
typedef struct identity_filled_page {
    const char *language;
    identity_page_t page;
} identity_filled_page_t;

extern const identity_filled_page_t
    identity_pages_entry[]; /* GET /v1/oauth/sign-in, /v1/oauth/sign-out */

/* The style of a page that is made when it is asked for, and its hash for a Content-Security-Policy. */
typedef struct identity_style {
    const char *text, *hash;
} identity_style_t;

extern const identity_style_t identity_style_status; /* SetHandler identity-status */

/* The built-in mail templates (src/pages/mail/). The last has no kind. */
typedef struct identity_mail_source {
    const char *kind;     /* as mails.def has it */
    const char *language; /* "" for whom no other suits: English */
    const char *text, *html;
} identity_mail_source_t;
extern const identity_mail_source_t identity_mail_sources[];

/* Files of conf/ as they are. */
typedef struct identity_document {
    const char *text;
    size_t length;
} identity_document_t;

extern const identity_document_t identity_document_openapi; /* GET /v1/openapi.json */
extern const identity_document_t
    identity_document_blocklist; /* the words of password-blocklist.txt, sorted */

#endif

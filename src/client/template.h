/* SPDX-License-Identifier: Apache-2.0 */
/* Mail templates: compiled once, filled for each mail. */
#ifndef IDENTITY_CLIENT_TEMPLATE_H
#define IDENTITY_CLIENT_TEMPLATE_H

#include "client_int.h"

/* ---- markup.c --------------------------------------------------------------------------------------------------- */

typedef enum { MAIL_ESCAPE_NONE, MAIL_ESCAPE_HTML, MAIL_ESCAPE_URL } mail_escape_t;

/* A context in an HTML text; zeroed at its beginning. */
typedef struct mail_markup {
    enum {
        MAIL_MARKUP_TEXT,
        MAIL_MARKUP_OPEN, /* after < */
        MAIL_MARKUP_DECLARATION,
        MAIL_MARKUP_COMMENT,
        MAIL_MARKUP_TAG_NAME,
        MAIL_MARKUP_TAG, /* between attributes */
        MAIL_MARKUP_ATTRIBUTE,
        MAIL_MARKUP_EQUALS,
        MAIL_MARKUP_QUOTED,
        MAIL_MARKUP_BARE, /* an unquoted value */
        MAIL_MARKUP_RAW   /* script, style */
    } state;
    char quote;
    char name[16]; /* of the tag, then of the attribute; truncated */
    bool raw;      /* the contents of the tag are */
    bool begun;    /* the attribute's value has already begun */
} mail_markup_t;

/* Continues over literal text. Each end of a comment must be in one piece. */
void mail_markup_read(mail_markup_t *at, const char *text, size_t length);
/* How a value must be escaped here; whole_address: it is a URL of our own. Returns what is wrong with it here, or
 * NULL. */
const char *mail_markup_value(mail_markup_t *at, bool whole_address, mail_escape_t *escape);

/* ---- template.c ------------------------------------------------------------------------------------------------- */

typedef enum {
    MAIL_VALUE_LINK,
    MAIL_VALUE_USERNAME,
    MAIL_VALUE_SITE,
    MAIL_VALUE_EXPIRES,
    MAIL_VALUE_INVITER,
    MAIL_VALUE_ACCOUNT,
    MAIL_VALUE_ADDRESS,
    MAIL_VALUE_ACTOR,
    MAIL_VALUES
} mail_value_t;

typedef struct mail_template {
    apr_array_header_t *pieces;
    bool uses[MAIL_VALUES];
} mail_template_t;

/* source is kept, not copied. NULL with *error: "line 3: ...". */
mail_template_t *mail_template_compile(apr_pool_t *pool, const char *source, int first_line,
                                       bool html, const char **error);
/* NULL values count as empty. */
const char *mail_template_fill(apr_pool_t *pool, const mail_template_t *template,
                               const char *const values[MAIL_VALUES]);

#endif

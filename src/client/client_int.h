/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder. */
#ifndef IDENTITY_CLIENT_INT_H
#define IDENTITY_CLIENT_INT_H

#include "identity/client.h"

/* ---- mime.c: how bytes are written in a mail (RFC 2045, 2047, 5322) --------------------------------------------- */

/* A growing buffer in a pool. */
typedef struct mail_buffer {
    apr_pool_t *pool;
    char *data;
    size_t length, size;
} mail_buffer_t;

void mail_put(mail_buffer_t *buffer, const char *data, size_t length);
void mail_puts(mail_buffer_t *buffer, const char *text);

/* The body of a part, unchanged except for line breaks: they become CRLF, the body ends with one, and lines of more
 * than 998 bytes (RFC 5322, 2.1.1) are broken. */
void mail_put_lines(mail_buffer_t *buffer, const char *text);
/* `name: text` and CRLF, folded; encoded words if the text is not plain ASCII. */
void mail_put_unstructured(mail_buffer_t *buffer, const char *name, const char *text);
/* A display name: a quoted string, or encoded words. */
void mail_put_phrase(mail_buffer_t *buffer, const char *text);

/* ---- wording.c -------------------------------------------------------------------------------------------------- */

/* "a, b and c". */
const char *mail_words_listed(apr_pool_t *pool, const char *const *words, int count);

/* ---- message.c -------------------------------------------------------------------------------------------------- */

/* The address in `address` or `Name <address>`, with the local part quoted where the grammar requires it, so that it
 * is a valid address in any context. *name the display name or NULL. NULL if it is not an address. */
const char *mail_address_read(apr_pool_t *pool, const char *text, const char **name);
/* Can it be used in a file name and in a header? */
bool mail_id_valid(const char *id);

/* ---- target.c --------------------------------------------------------------------------------------------------- */

/* Does a URL written by identity_mail_target_parse refer to loopback? */
bool mail_url_is_loopback(const char *url);

/* ---- the two ways out: length bytes of a composed message ------------------------------------------------------- */

identity_delivery_t mail_send_smtp(apr_pool_t *pool, const identity_mail_target_t *target,
                                   const identity_mail_t *mail, const char *message, size_t length,
                                   const identity_stop_t *stop, const char **error);
identity_delivery_t mail_send_maildir(apr_pool_t *pool, const identity_mail_target_t *target,
                                      const identity_mail_t *mail, const char *message,
                                      size_t length, const char **error);

#endif

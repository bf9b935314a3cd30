/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef IDENTITY_CLIENT_INT_H
#define IDENTITY_CLIENT_INT_H

#include "identity/client.h"

/* ---- mime.c: how bytes are written in a mail (RFC 2045, 2047, 5322) --------------------------------------------- */

/* A buffer that grows in a pool. */
typedef struct mail_buffer {
    apr_pool_t *pool;
    char *data;
    size_t length, size;
} mail_buffer_t;

void mail_put(mail_buffer_t *buffer, const char *data, size_t length);
void mail_puts(mail_buffer_t *buffer, const char *text);

/* The body of a part, as it is but for its line breaks: they become CRLF, one stands at the end, and lines of more than
 * 998 bytes (RFC 5322, 2.1.1) are broken. */
void mail_put_lines(mail_buffer_t *buffer, const char *text);
/* `name: text` and CRLF, folded; encoded words where the text is not plain ASCII. */
void mail_put_unstructured(mail_buffer_t *buffer, const char *name, const char *text);
/* A display name: a quoted string, or encoded words. */
void mail_put_phrase(mail_buffer_t *buffer, const char *text);

/* ---- wording.c -------------------------------------------------------------------------------------------------- */

/* "a, b and c". */
const char *mail_words_listed(apr_pool_t *pool, const char *const *words, int count);

/* ---- message.c -------------------------------------------------------------------------------------------------- */

/* The address alone of `address` or `Name <address>`, its local part quoted where the grammar asks for it, so that it
 * is one address wherever it is written. *name the display name or NULL. NULL where it is no address. */
const char *mail_address_read(apr_pool_t *pool, const char *text, const char **name);
/* Is it fit to name a file and to stand in a header? */
bool mail_id_valid(const char *id);

/* ---- target.c --------------------------------------------------------------------------------------------------- */

/* Does a URL that identity_mail_target_parse wrote name this machine itself? */
bool mail_url_is_loopback(const char *url);

/* ---- the two ways out: length bytes of a composed message ------------------------------------------------------- */

identity_delivery_t mail_send_smtp(apr_pool_t *pool, const identity_mail_target_t *target, const identity_mail_t *mail,
                                   const char *message, size_t length, const identity_stop_t *stop, const char **error);
identity_delivery_t mail_send_maildir(apr_pool_t *pool, const identity_mail_target_t *target,
                                      const identity_mail_t *mail, const char *message, size_t length,
                                      const char **error);

#endif

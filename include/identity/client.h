/* Outward calls, all through libcurl, and the mail they carry. Knows no database and no request: it is handed a
 * finished message. */
#ifndef IDENTITY_CLIENT_H
#define IDENTITY_CLIENT_H

#include "identity/core.h"

typedef enum { IDENTITY_MAIL_INVITE, IDENTITY_MAIL_RESET } identity_mail_kind_t;

/* What the built-in templates (src/pages/mail/) are filled with; every value is escaped for where it stands. */
typedef struct identity_mail_values {
    const char *link;      /* the whole URL with the secret in its fragment */
    const char *username;  /* whom the mail is for */
    const char *site;      /* host of IdentityPublicURL, for a person to recognise */
    apr_time_t expires_at; /* of the link */
} identity_mail_values_t;

typedef struct identity_mail {
    const char *id;   /* of the outbox row: names the Maildir file and makes the Message-ID, so that a second attempt is
                         recognised as the same mail */
    const char *from; /* address, or `Name <address>` */
    const char *to;   /* address */
    apr_time_t date;
    const char *subject;
    const char *text; /* UTF-8, lines end in \n */
    const char *html;
} identity_mail_t;

/* Fills subject, text and html from the templates of kind. */
void identity_mail_render(apr_pool_t *pool, identity_mail_kind_t kind, const identity_mail_values_t *values,
                          identity_mail_t *mail);

/* The whole message: RFC 5322 headers (From, To, Subject by RFC 2047, Date, Message-ID, MIME-Version, Auto-Submitted:
 * auto-generated) and a multipart/alternative of text and HTML, quoted-printable, CRLF. NULL where an address or header
 * would hold a line break or is no address. */
const char *identity_mail_compose(apr_pool_t *pool, const identity_mail_t *mail, size_t *length);

/* Where mail goes: smtp://user@host:port (STARTTLS is demanded unless the host is loopback), smtps://user@host:port,
 * maildir:DIR. */
typedef struct identity_mail_target {
    enum { IDENTITY_MAIL_SMTP, IDENTITY_MAIL_MAILDIR } kind;
    const char *url;       /* of SMTP, without user */
    const char *directory; /* of the Maildir */
    const char *user;      /* or NULL */
    const char *password;  /* or NULL; from a file, never printed */
    int timeout;           /* seconds for one delivery as a whole */
} identity_mail_target_t;

/* Reads IdentityMailURL. NULL with *error a sentence otherwise. A password inside the URL is refused: secrets are
 * files. */
identity_mail_target_t *identity_mail_target_parse(apr_pool_t *pool, const char *url, const char **error);

typedef enum {
    IDENTITY_DELIVERY_SENT,
    IDENTITY_DELIVERY_TEMPORARY, /* 4xx, no connection, time-out, disk full: try later */
    IDENTITY_DELIVERY_PERMANENT  /* 5xx: this mail will never be taken */
} identity_delivery_t;

/* Delivers one mail. *error: a short text for administrators (server's answer code and text with control characters
 * removed, no credential), NULL when sent. Maildir: written to tmp/, synced, renamed to new/ under a name made of
 * mail->id alone; a mail of that id that is already in new/ or cur/ is not written again. The folders are made where
 * missing (0700). */
identity_delivery_t identity_mail_send(apr_pool_t *pool, const identity_mail_target_t *target,
                                       const identity_mail_t *mail, const char **error);

/* Once a process, before threads use this room; and at its end. */
bool identity_client_start(void);
void identity_client_stop(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Outgoing calls, all through libcurl, and the mail they carry. Knows neither database nor request: it receives a
 * finished message. */
#ifndef IDENTITY_CLIENT_H
#define IDENTITY_CLIENT_H

#include "identity/core.h"

typedef enum {
#define MAIL(kind, name, page) IDENTITY_MAIL_##kind,
#include "identity/mails.def"
#undef MAIL
    IDENTITY_MAIL_KINDS
} identity_mail_kind_t;

/* As in mails.def. */
const char *identity_mail_kind_name(identity_mail_kind_t kind);
const char *identity_mail_kind_page(identity_mail_kind_t kind);
/* False for an unknown name. */
bool identity_mail_kind_named(const char *name, identity_mail_kind_t *kind);
/* "invite, reset and change". */
const char *identity_mail_kinds_listed(apr_pool_t *pool);

/* Values for templates; each is escaped for its context. */
typedef struct identity_mail_values {
    const char *link;      /* the whole URL with the secret in its fragment; NULL in a notice */
    const char *username;  /* the user that the mail is about */
    const char *site;      /* host of IdentityPublicURL, which people recognise */
    apr_time_t expires_at; /* of the link; 0: none */
    const char *inviter;   /* username, or NULL */
    const char *account;   /* reference, or NULL */
    const char *address;   /* the new username, or NULL */
    const char *actor;     /* who made the change, if it was somebody else; or NULL */
} identity_mail_values_t;

/* Mail templates by kind and language; immutable once loaded. */
typedef struct identity_mail_templates identity_mail_templates_t;
/* The templates shipped with the module (src/pages/mail/: English, German, French); if directory is not NULL, its
 * files replace those of the same kinds. NULL with *error, a sentence: the folder or a file cannot be read, is not
 * UTF-8, too large, lacks its other form, or uses an unknown value or one that cannot be escaped there. */
identity_mail_templates_t *identity_mail_templates_load(apr_pool_t *pool, const char *directory,
                                                        const char **error);
/* The language of a mail to somebody with these preferences (Accept-Language, or NULL); "" if unknown. */
const char *identity_mail_language(apr_pool_t *pool, const identity_mail_templates_t *templates,
                                   identity_mail_kind_t kind, const char *accepted);

typedef struct identity_mail {
    const char *
        id; /* of the outbox row: used in the Maildir file name and the Message-ID, so that a second attempt is
                     recognised as the same mail */
    const char *from;     /* address, or `Name <address>` */
    const char *to;       /* address */
    const char *host;     /* right side of the Message-ID; NULL: the sender's domain */
    const char *language; /* tag; NULL or "" if unknown */
    apr_time_t date;
    const char *subject;
    const char *text; /* UTF-8, lines end in \n */
    const char *html;
} identity_mail_t;

/* Fills language, subject, text and html. language: from identity_mail_language, or any other available one. */
void identity_mail_render(apr_pool_t *pool, const identity_mail_templates_t *templates,
                          identity_mail_kind_t kind, const char *language,
                          const identity_mail_values_t *values, identity_mail_t *mail);

/* The complete message: RFC 5322 headers (From, To, Subject by RFC 2047, Date, Message-ID, MIME-Version,
 * Auto-Submitted: auto-generated) and a multipart/alternative of text and HTML, CRLF. Parts are not re-encoded, 7bit
 * if ASCII and else 8bit, so that a link can be copied from the file; only lines of more than 998 bytes are broken,
 * preferably at a blank. NULL if an address or header is invalid or would contain a line break. */
const char *identity_mail_compose(apr_pool_t *pool, const identity_mail_t *mail, size_t *length);

/* Mail server: smtp://user@host:port (STARTTLS is required unless the host is loopback), smtps://user@host:port,
 * maildir:DIR. */
typedef struct identity_mail_target {
    enum { IDENTITY_MAIL_SMTP, IDENTITY_MAIL_MAILDIR } kind;
    const char *url;       /* for SMTP, without user */
    const char *directory; /* of the Maildir */
    const char *user;      /* or NULL */
    const char *password;  /* or NULL; read from a file, never printed */
    const char *helo; /* the name for EHLO, from identity_mail_helo; NULL: this machine's name */
    const char *
        authorities; /* file with trusted CA certificates; NULL: the system's, always so in the server */
    int timeout; /* seconds for a whole delivery */
} identity_mail_target_t;

/* Parses IdentityMailURL. NULL with *error, a sentence, otherwise. A password in the URL is refused: secrets belong
 * in files. */
identity_mail_target_t *identity_mail_target_parse(apr_pool_t *pool, const char *url,
                                                   const char **error);

/* The EHLO argument (RFC 5321, 4.1.1.1) for a host: a domain unchanged, an address as a literal ([192.0.2.1],
 * [IPv6:2001:db8::1]; literals unchanged). NULL if host is neither. */
const char *identity_mail_helo(apr_pool_t *pool, const char *host);

typedef enum {
    IDENTITY_DELIVERY_SENT,
    IDENTITY_DELIVERY_TEMPORARY, /* the mail was refused for now (4xx after MAIL, RCPT, DATA or the text) */
    IDENTITY_DELIVERY_PERMANENT, /* the mail will never be accepted (5xx after RCPT, DATA or the text) */
    IDENTITY_DELIVERY_UNAVAILABLE, /* nothing can be sent: no connection, no TLS, no login, our sender refused, 421, a
                                      full disk. Independent of the mail */
    IDENTITY_DELIVERY_INTERRUPTED, /* the connection was lost or fell silent during the transfer: because of the server
                                      or of the mail, which may have been accepted */
    IDENTITY_DELIVERY_STOPPED /* by the caller */
} identity_delivery_t;

/* Polled about once a second during slow operations; NULL: never. */
typedef struct identity_stop {
    bool (*asked)(void *context);
    void *context;
} identity_stop_t;

/* Delivers one mail. *error: a short text for administrators (the server's reply code and text without control
 * characters, no credential), NULL if sent or stopped. Maildir: written to tmp/, synced, renamed to new/ under a
 * name derived from mail->id; a mail of that id that is already in new/ or cur/ is not written again. Missing
 * folders are created (0700). SMTP: returns as soon as the server has replied; the connection is closed with the
 * pool, so that the outcome can be recorded first (security 86). */
identity_delivery_t identity_mail_send(apr_pool_t *pool, const identity_mail_target_t *target,
                                       const identity_mail_t *mail, const identity_stop_t *stop,
                                       const char **error);

/* ---- OpenID providers (oidc.c, oidc_token.c) -------------------------------------------------------------------- */

/* A provider with its cached discovery document and keys, an hour each. Thread-safe; of several threads that need
 * the same document one fetches it and the others wait. */
typedef struct identity_oidc identity_oidc_t;

typedef struct identity_oidc_options {
    const char *issuer; /* https; http only for loopback */
    const char *client_id, *client_secret;
    bool
        private_network; /* its addresses may be in a private network; loopback is allowed if the issuer itself names
                             it */
    apr_interval_time_t connect_timeout,
        timeout; /* timeout: for all calls of one sign-on together; 0: 3 s, 10 s */
} identity_oidc_options_t;

/* Lives as long as the pool. The strings in options must live as long. NULL with *error, a sentence, if the issuer
 * may not be called. */
identity_oidc_t *identity_oidc_make(apr_pool_t *pool, const identity_oidc_options_t *options,
                                    const char **error);
/* Replaces the client secret, even while others use the old one. The string is kept, not copied, and the old one may
 * still be read for a while. */
void identity_oidc_secret(identity_oidc_t *oidc, const char *secret);

typedef enum {
    IDENTITY_OIDC_DONE,
    IDENTITY_OIDC_REFUSED, /* the provider does not vouch, or not credibly */
    IDENTITY_OIDC_UNAVAILABLE /* down, slow, sending nonsense, or incompatible with our configuration: not the person's
                                 fault */
} identity_oidc_status_t;

/* A sign-on in progress. All strings belong to the caller. */
typedef struct identity_oidc_sign_on {
    const char *redirect_uri, *state, *nonce, *verifier; /* verifier: for PKCE */
    const char *code;    /* from here on: for identity_oidc_exchange */
    const char *issuer;  /* issuer named in the answer (RFC 9207), or NULL */
    bool one_of_many;    /* other issuers are configured, to which the answer could belong */
    apr_time_t now;      /* by the caller's clock */
    apr_time_t deadline; /* by apr_time_now(), for all calls together; 0: set by the first call */
    /* results */
    identity_vouched_t vouched;
    const char *access_token;
    bool set_up; /* with IDENTITY_OIDC_REFUSED: because of the provider's set-up, for everybody */
} identity_oidc_sign_on_t;

/* *error: for the log, without secrets. NULL when done. */

/* The URL to which the browser is redirected. May call the provider. */
identity_oidc_status_t identity_oidc_authorization(apr_pool_t *pool, identity_oidc_t *oidc,
                                                   identity_oidc_sign_on_t *sign_on,
                                                   const char **url, const char **error);
/* Exchanges the code for an ID token and verifies it: sets sign_on->vouched, access_token. */
identity_oidc_status_t identity_oidc_exchange(apr_pool_t *pool, identity_oidc_t *oidc,
                                              identity_oidc_sign_on_t *sign_on, const char **error);
/* Requests the address, or whether it is verified, if the ID token lacks it. Also succeeds if the provider has no
 * userinfo endpoint or does not answer the question (*error then holds the reason for the log). */
identity_oidc_status_t identity_oidc_address(apr_pool_t *pool, identity_oidc_t *oidc,
                                             identity_oidc_sign_on_t *sign_on, const char **error);

/* ---- captchas (captcha.c) --------------------------------------------------------------------------------------- */

/* A captcha service, called in the way the leading ones share: POST of secret, response and remoteip, answered by
 * {"success": true}. */
typedef struct identity_captcha {
    const char *url, *secret;
    bool
        private_network; /* its address may be in a private network; loopback is allowed if the URL itself names it */
    apr_interval_time_t connect_timeout, timeout; /* 0: 3 s, 5 s */
} identity_captcha_t;

/* NULL if the URL may be called, otherwise what it must be, to complete a sentence. */
const char *identity_captcha_fault(apr_pool_t *pool, const char *url);

typedef enum {
    IDENTITY_CAPTCHA_PASSED,
    IDENTITY_CAPTCHA_REFUSED, /* for this response */
    IDENTITY_CAPTCHA_UNAVAILABLE /* down, slow, sending nonsense, or rejecting our secret: not the person's fault */
} identity_captcha_status_t;

/* Verifies a response. client_address may be NULL. The number of concurrent calls per process is limited; further
 * ones do not wait. *error: for the log, without secrets; NULL if the service answered properly. */
identity_captcha_status_t identity_captcha_verify(apr_pool_t *pool,
                                                  const identity_captcha_t *captcha,
                                                  const char *response, const char *client_address,
                                                  const char **error);

/* Keeps libcurl, and what it needs, in memory though this module is unloaded, until the release; NULL: it cannot. */
void *identity_client_hold(void);
void identity_client_release(void *held);
/* Once per process, before threads use this folder; and at its end. */
bool identity_client_start(void);
void identity_client_stop(void);

#endif

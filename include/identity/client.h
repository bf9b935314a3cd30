/* Outward calls, all through libcurl, and the mail they carry. Knows no database and no request: it is handed a
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

/* As mails.def has it. */
const char *identity_mail_kind_name(identity_mail_kind_t kind);
const char *identity_mail_kind_page(identity_mail_kind_t kind);
/* False for what is not a name of a kind. */
bool identity_mail_kind_named(const char *name, identity_mail_kind_t *kind);
/* "invite, reset and change". */
const char *identity_mail_kinds_listed(apr_pool_t *pool);

/* What templates are filled with; every value is escaped for where it stands. */
typedef struct identity_mail_values {
    const char *link;      /* the whole URL with the secret in its fragment; NULL in a notice */
    const char *username;  /* whom the mail is about */
    const char *site;      /* host of IdentityPublicURL, for a person to recognise */
    apr_time_t expires_at; /* of the link; 0: none */
    const char *inviter;   /* username, or NULL */
    const char *account;   /* reference, or NULL */
    const char *address;   /* that takes the place of username, or NULL */
    const char *actor;     /* who made the change, where that was somebody else; or NULL */
} identity_mail_values_t;

/* The words of mails, by kind and language; never changed once loaded. */
typedef struct identity_mail_templates identity_mail_templates_t;
/* Those that come with the module (src/pages/mail/: English, German, French), and where directory is not NULL those of
 * its files in place of the kinds that it has. NULL with *error a sentence: the folder or a file cannot be read, is not
 * UTF-8, too large, without its other form, names an unknown value, or one where it cannot be escaped. */
identity_mail_templates_t *identity_mail_templates_load(apr_pool_t *pool, const char *directory, const char **error);
/* In which language a mail will be written to whom accepts these (Accept-Language, or NULL); "" where it is not known
 * in which. */
const char *identity_mail_language(apr_pool_t *pool, const identity_mail_templates_t *templates,
                                   identity_mail_kind_t kind, const char *accepted);

typedef struct identity_mail {
    const char *id;   /* of the outbox row: names the Maildir file and makes the Message-ID, so that a second attempt is
                         recognised as the same mail */
    const char *from; /* address, or `Name <address>` */
    const char *to;   /* address */
    const char *host; /* right side of the Message-ID; NULL: the sender's domain */
    const char *language; /* tag, or NULL or "" where it is not known */
    apr_time_t date;
    const char *subject;
    const char *text; /* UTF-8, lines end in \n */
    const char *html;
} identity_mail_t;

/* Fills language, subject, text and html. language: of identity_mail_language, or any other that may be there. */
void identity_mail_render(apr_pool_t *pool, const identity_mail_templates_t *templates, identity_mail_kind_t kind,
                          const char *language, const identity_mail_values_t *values, identity_mail_t *mail);

/* The whole message: RFC 5322 headers (From, To, Subject by RFC 2047, Date, Message-ID, MIME-Version, Auto-Submitted:
 * auto-generated) and a multipart/alternative of text and HTML, CRLF. Each part is as it was given, 7bit where that is
 * ASCII and else 8bit, so that a link can be copied from the file; only lines of more than 998 bytes are broken, at a
 * blank where there is one. NULL where an address or header would hold a line break or is no address. */
const char *identity_mail_compose(apr_pool_t *pool, const identity_mail_t *mail, size_t *length);

/* Where mail goes: smtp://user@host:port (STARTTLS is demanded unless the host is loopback), smtps://user@host:port,
 * maildir:DIR. */
typedef struct identity_mail_target {
    enum { IDENTITY_MAIL_SMTP, IDENTITY_MAIL_MAILDIR } kind;
    const char *url;         /* of SMTP, without user */
    const char *directory;   /* of the Maildir */
    const char *user;        /* or NULL */
    const char *password;    /* or NULL; from a file, never printed */
    const char *helo;        /* what EHLO says, of identity_mail_helo; NULL: the name of this machine */
    const char *authorities; /* file of the certificates that are believed; NULL: the system's, as in any server */
    int timeout;             /* seconds for one delivery as a whole */
} identity_mail_target_t;

/* Reads IdentityMailURL. NULL with *error a sentence otherwise. A password inside the URL is refused: secrets are
 * files. */
identity_mail_target_t *identity_mail_target_parse(apr_pool_t *pool, const char *url, const char **error);

/* What EHLO may say (RFC 5321, 4.1.1.1) for a host: a domain as it is, an address as a literal ([192.0.2.1],
 * [IPv6:2001:db8::1]; a literal stays one). NULL where host is neither. */
const char *identity_mail_helo(apr_pool_t *pool, const char *host);

typedef enum {
    IDENTITY_DELIVERY_SENT,
    IDENTITY_DELIVERY_TEMPORARY,   /* this mail was refused for now (4xx after MAIL, RCPT, DATA or the text) */
    IDENTITY_DELIVERY_PERMANENT,   /* this mail will never be taken (5xx after RCPT, DATA or the text) */
    IDENTITY_DELIVERY_UNAVAILABLE, /* nothing can be sent: no connection, no TLS, no login, our sender refused, 421, a
                                      full disk. Says nothing of the mail */
    IDENTITY_DELIVERY_INTERRUPTED, /* the connection was lost or fell silent while the mail was handed over: of the
                                      server or of the mail, and perhaps it was taken */
    IDENTITY_DELIVERY_STOPPED      /* by the caller */
} identity_delivery_t;

/* Asked about once a second while something takes long; NULL: never. */
typedef struct identity_stop {
    bool (*asked)(void *context);
    void *context;
} identity_stop_t;

/* Delivers one mail. *error: a short text for administrators (server's answer code and text with control characters
 * removed, no credential), NULL when sent or stopped. Maildir: written to tmp/, synced, renamed to new/ under a name
 * made of mail->id alone; a mail of that id that is already in new/ or cur/ is not written again. The folders are made
 * where missing (0700). SMTP: returns as soon as the server has answered; the connection ends with the pool, so that
 * what became of the mail can be recorded before (security 86). */
identity_delivery_t identity_mail_send(apr_pool_t *pool, const identity_mail_target_t *target,
                                       const identity_mail_t *mail, const identity_stop_t *stop, const char **error);

/* ---- OpenID providers (oidc.c, oidc_token.c) -------------------------------------------------------------------- */

/* One provider and what is remembered of it: its discovery document and its keys, an hour each. Used by many threads at
 * once; of those that want the same document one fetches it and the others wait. */
typedef struct identity_oidc identity_oidc_t;

typedef struct identity_oidc_options {
    const char *issuer; /* https; http only for this machine itself */
    const char *client_id, *client_secret;
    bool private_network; /* its addresses may be those of a private network; loopback may be called where the issuer
                             itself names it */
    apr_interval_time_t connect_timeout, timeout; /* timeout: of all calls of one sign-on together; 0: 3 s, 10 s */
} identity_oidc_options_t;

/* Lives as long as the pool. The options' texts must live as long. NULL with *error a sentence where the issuer is none
 * that may be called. */
identity_oidc_t *identity_oidc_make(apr_pool_t *pool, const identity_oidc_options_t *options, const char **error);
/* Another secret of the client, from now on; while others use it. It is kept, not copied, and the old one may still be
 * read for a while. */
void identity_oidc_secret(identity_oidc_t *oidc, const char *secret);

typedef enum {
    IDENTITY_OIDC_DONE,
    IDENTITY_OIDC_REFUSED,    /* the provider does not vouch, or not in a way that can be believed */
    IDENTITY_OIDC_UNAVAILABLE /* down, slow, talking nonsense, or at odds with our configuration: nobody's credential is
                                 wrong */
} identity_oidc_status_t;

/* A sign-on on its way. All texts are the caller's. */
typedef struct identity_oidc_sign_on {
    const char *redirect_uri, *state, *nonce, *verifier; /* verifier: of PKCE */
    const char *code;                                    /* from here on: of identity_oidc_exchange */
    const char *issuer;                                  /* that the answer names (RFC 9207), or NULL */
    bool one_of_many;    /* there are providers of other issuers, whose answer it could be */
    apr_time_t now;      /* of the caller's clock */
    apr_time_t deadline; /* of apr_time_now(), for all that is called; 0: set by the first call */
    /* found */
    identity_vouched_t vouched;
    const char *access_token;
    bool set_up; /* with IDENTITY_OIDC_REFUSED: by how the provider is set up, whoever comes */
} identity_oidc_sign_on_t;

/* *error: for the log, without anything secret. NULL when done. */

/* Where the browser is sent to. May call the provider. */
identity_oidc_status_t identity_oidc_authorization(apr_pool_t *pool, identity_oidc_t *oidc,
                                                   identity_oidc_sign_on_t *sign_on, const char **url,
                                                   const char **error);
/* Gives the code and has an ID token in return, which is verified: sign_on->vouched, access_token. */
identity_oidc_status_t identity_oidc_exchange(apr_pool_t *pool, identity_oidc_t *oidc, identity_oidc_sign_on_t *sign_on,
                                              const char **error);
/* Asks for the address where the ID token has not told one, or not whether it is verified. Done, too, where the
 * provider has nowhere to ask, or does not say (*error then says why, for the log). */
identity_oidc_status_t identity_oidc_address(apr_pool_t *pool, identity_oidc_t *oidc, identity_oidc_sign_on_t *sign_on,
                                             const char **error);

/* ---- captchas (captcha.c) --------------------------------------------------------------------------------------- */

/* A service that says whether a person has solved its riddle, by the call that the leading ones share: POST of secret,
 * response and remoteip, answered by {"success": true}. */
typedef struct identity_captcha {
    const char *url, *secret;
    bool private_network; /* its address may be one of a private network; loopback may be called where the URL itself
                             names it */
    apr_interval_time_t connect_timeout, timeout; /* 0: 3 s, 5 s */
} identity_captcha_t;

/* NULL where the URL may be called, else what it must be, to complete a sentence. */
const char *identity_captcha_fault(apr_pool_t *pool, const char *url);

typedef enum {
    IDENTITY_CAPTCHA_PASSED,
    IDENTITY_CAPTCHA_REFUSED,    /* of who sent the response */
    IDENTITY_CAPTCHA_UNAVAILABLE /* down, slow, talking nonsense, or it does not know our secret: nobody's fault */
} identity_captcha_status_t;

/* Asks. client_address may be NULL. A few at a time in a process; what is more is not waited for. *error: for the log,
 * without anything secret; NULL where it was answered as it should. */
identity_captcha_status_t identity_captcha_verify(apr_pool_t *pool, const identity_captcha_t *captcha,
                                                  const char *response, const char *client_address, const char **error);

/* Once a process, before threads use this room; and at its end. */
bool identity_client_start(void);
void identity_client_stop(void);

#endif

/* Hosts, URLs, query strings, cursors, cookies and challenges. Part of identity/core.h. */
#ifndef IDENTITY_CORE_HTTP_PUBLIC_H
#define IDENTITY_CORE_HTTP_PUBLIC_H

#include "identity/core.h"

/* ---- user names (username.c) ---- */

/* Is it a mail address that a mail server could take? One `@`; a local part of 1 to 64 bytes and a domain with a dot,
 * at most 254 bytes in all with the domain in A-labels; NFC; no white space, control, format or default-ignorable
 * character and none of "(),:;<>[]\; nothing in the local part that NFKC would change, or whose full case folding
 * differs from its simple one. */
bool identity_username_valid(const char *username);
/* The rule in words, behind "<field> must be". */
#define IDENTITY_USERNAME_RULE                                                                                         \
    "an e-mail address that a mail server can take, such as ada@example.org: without blanks, quotes, brackets, "       \
    "commas, "                                                                                                         \
    "invisible characters and letters that have several forms"
/* The one form that a user name is compared, counted, written to and told to others in: the local part by simple case
 * folding, the domain as lower-case A-labels (UTS 46, non-transitional). NULL where it is not a valid user name. The
 * form of a form is itself. */
const char *identity_username_canonical(apr_pool_t *pool, const char *username);
/* What databases before schema version 3 compared: the name with ASCII letters in lower case. */
const char *identity_username_old_form(apr_pool_t *pool, const char *username);
/* What a typed name is looked up and counted by: its canonical form; of text that is not a user name the old form. */
const char *identity_username_key(apr_pool_t *pool, const char *text);
/* The beginning of a canonical form, for a search by the beginning of a name. */
const char *identity_username_prefix(apr_pool_t *pool, const char *text);
/* The domain of a canonical username: what follows the last @; "" without one. Points into it. */
const char *identity_username_domain(const char *canonical);
/* A login, the second, short name of a user: a letter or digit, then letters, digits, dots, hyphens and underscores, 64
 * at most; not of the form of an id. */
bool identity_login_valid(const char *login);
#define IDENTITY_LOGIN_RULE                                                                                            \
    "a letter or digit and after it letters, digits, dots, hyphens and underscores, at most 64 in all, and not look "  \
    "like an id"
#define IDENTITY_LOGIN_MAX 64
/* The form in which it is compared, and told to others: its letters in lower case. */
const char *identity_login_key(apr_pool_t *pool, const char *login);
/* Can it be written into To:? Laxer than a user name: names of older databases get mail, too. */
bool identity_mail_address_valid(const char *address);
/* Is it a domain as in a user name: two labels at least? And its lower-case A-labels, NULL where it is not one. */
bool identity_domain_valid(const char *domain);
const char *identity_domain_canonical(apr_pool_t *pool, const char *domain);
/* The same for the name of a host, which may be one label. Not for addresses in brackets: NULL. */
const char *identity_host_canonical(apr_pool_t *pool, const char *host);

/* ---- cookies, and the headers of refusals (cookie.c, challenge.c) ----------------------------------------------- */

/* Where in the value of a Cookie header the first cookie of that name begins, NULL where there is none. *length: up to
 * what separates it from the next. Of two header lines httpd makes one with a comma, so that separates, too. */
const char *identity_cookie_find(const char *cookies, const char *name, size_t *length);
/* The values of all of that name (const char *). cookies may be NULL. */
apr_array_header_t *identity_cookie_values(apr_pool_t *pool, const char *cookies, const char *name);
/* The header's value without any of that name; "" where nothing is left. */
const char *identity_cookie_without(apr_pool_t *pool, const char *cookies, const char *name);

typedef struct identity_cookie {
    const char *name, *value, *path, *same_site;
    apr_int64_t seconds; /* 0: it is taken back */
    bool plain;          /* without Secure */
} identity_cookie_t;
/* The value of Set-Cookie, HttpOnly. */
const char *identity_cookie_text(apr_pool_t *pool, const identity_cookie_t *cookie);

/* The realm of the API. */
#define IDENTITY_REALM "identity"

/* Values of WWW-Authenticate. realm: with its quotes escaped. error: NULL where no credential was sent (RFC 6750, 3);
 * name: NULL, or of a further parameter. */
const char *identity_challenge_bearer(apr_pool_t *pool, const char *realm, const char *error, const char *name,
                                      const char *value);
const char *identity_challenge_basic(apr_pool_t *pool, const char *realm);
/* The value of Retry-After, NULL for a status that has none. */
const char *identity_retry_after(apr_pool_t *pool, const identity_problem_t *problem, int status);

/* ---- query strings and cursors ---------------------------------------------------------------------------------- */

/* Decodes `a=b&c=d` (percent and +). INVALID_FIELD naming the parameter for a bad escape, a NUL, invalid UTF-8, or one
 * given twice. query may be NULL. */
bool identity_query_parse(apr_pool_t *pool, const char *query, apr_table_t **parameters, identity_problem_t *problem);
/* Is each of them one of `known` (names with a blank between), or does its name begin with `_`? INVALID_FIELD naming it
 * otherwise. */
bool identity_query_known(apr_pool_t *pool, const apr_table_t *parameters, const char *known,
                          identity_problem_t *problem);
/* One name or value of it. NULL for a bad escape, a NUL or what is no UTF-8. */
char *identity_query_unescape(apr_pool_t *pool, const char *text, size_t length);
/* Percent-encodes for a query value (unreserved characters stay). */
const char *identity_query_escape(apr_pool_t *pool, const char *text);

/* Reads a body of application/x-www-form-urlencoded as an object of strings, by the rules of a query; a parameter
 * without a value counts as absent. NULL with *problem otherwise. Owned by pool; no other copy of a value stays. */
json_t *identity_form_parse(apr_pool_t *pool, const char *text, size_t length, identity_problem_t *problem);
/* What stands behind `Basic ` in Authorization: both halves decoded as RFC 6749 (2.3.1) has clients encode them, wiped
 * with the pool. */
bool identity_basic_parse(apr_pool_t *pool, const char *credentials, const char **name, const char **secret);
/* The password alone, as it stands (RFC 7617). NULL where there is none. */
const char *identity_basic_secret(apr_pool_t *pool, const char *credentials);

/* Where a page of a total order (key, id) begins. Opaque on the wire, no secret: every reader checks tenancy by itself.
 */
typedef struct identity_cursor {
    const char *key;   /* value of the order column in text */
    const char *id;    /* tie-breaker */
    bool backward;     /* the page before (key, id) instead of after */
    apr_int64_t page;  /* number of the page it leads to */
    apr_int64_t total; /* total_number_of_pages already counted, -1: past the cap */
} identity_cursor_t;
const char *identity_cursor_encode(apr_pool_t *pool, const identity_cursor_t *cursor);
bool identity_cursor_decode(apr_pool_t *pool, const char *text, identity_cursor_t *cursor);

#endif

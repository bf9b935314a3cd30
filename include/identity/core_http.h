/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts, URLs, query strings, cursors, cookies and challenges. Part of identity/core.h. */
#ifndef IDENTITY_CORE_HTTP_PUBLIC_H
#define IDENTITY_CORE_HTTP_PUBLIC_H

#include "identity/core.h"

/* ---- user names (username.c) ---- */

/* Is it an address that a mail server could accept? One `@`; a local part of 1 to 64 bytes and a domain with a dot,
 * at most 254 bytes in all with the domain in A-labels; NFC; no white space, control, format or default-ignorable
 * character and none of "(),:;<>[]\; nothing in the local part that NFKC would change, or whose full case folding
 * differs from its simple one. */
bool identity_username_valid(const char *username);
/* The rule in words, to follow "<field> must be". */
#define IDENTITY_USERNAME_RULE                                                                                   \
    "an e-mail address that a mail server can take, such as ada@example.org: without blanks, quotes, brackets, " \
    "commas, "                                                                                                   \
    "invisible characters and letters that have several forms"
/* The canonical form in which a user name is compared, counted, mailed to and shown to others: the local part by
 * simple case folding, the domain as lower-case A-labels (UTS 46, non-transitional). NULL if it is not a valid user
 * name. Idempotent. */
const char *identity_username_canonical(apr_pool_t *pool, const char *username);
/* The form compared by databases before schema version 3: the name with ASCII letters in lower case. */
const char *identity_username_old_form(apr_pool_t *pool, const char *username);
/* The key under which entered names are looked up and counted: the canonical form or, if it is not a user name, the
 * old form. */
const char *identity_username_key(apr_pool_t *pool, const char *text);
/* The start of a canonical form, to search by prefix. */
const char *identity_username_prefix(apr_pool_t *pool, const char *text);
/* The domain of a canonical username: the part after the last @; "" if there is none. Points into canonical. */
const char *identity_username_domain(const char *canonical);
/* A login, the user's second, short name: a letter or digit, then letters, digits, dots, hyphens and underscores, at
 * most 64; not of the form of an id. */
bool identity_login_valid(const char *login);
#define IDENTITY_LOGIN_RULE                                                                                           \
    "a letter or digit and after it letters, digits, dots, hyphens and underscores, at most 64 in all, and not look " \
    "like an id"
#define IDENTITY_LOGIN_MAX 64
/* The form in which it is compared and shown to others: lower case. */
const char *identity_login_key(apr_pool_t *pool, const char *login);
/* Can it be used in To:? Less strict than a user name, because names from older databases get mail, too. */
bool identity_mail_address_valid(const char *address);
/* Is it a domain as in a user name, with at least two labels? And its lower-case A-labels, NULL if it is not. */
bool identity_domain_valid(const char *domain);
const char *identity_domain_canonical(apr_pool_t *pool, const char *domain);
/* The same for a host name, which may be a single label. NULL for addresses in brackets. */
const char *identity_host_canonical(apr_pool_t *pool, const char *host);

/* ---- cookies, and the headers of refusals (cookie.c, challenge.c) ----------------------------------------------- */

/* The start of the first cookie of that name in a Cookie header, NULL if there is none. *length: up to the next
 * separator. httpd joins two header lines with a comma, so a comma separates, too. */
const char *identity_cookie_find(const char *cookies, const char *name, size_t *length);
/* The values of all cookies of that name (const char *). cookies may be NULL. */
apr_array_header_t *identity_cookie_values(apr_pool_t *pool, const char *cookies, const char *name);
/* The header's value without the cookies of that name; "" if nothing is left. */
const char *identity_cookie_without(apr_pool_t *pool, const char *cookies, const char *name);

typedef struct identity_cookie {
    const char *name, *value, *path, *same_site;
    apr_int64_t seconds; /* 0: delete it */
    bool plain;          /* without Secure */
} identity_cookie_t;
/* The value of Set-Cookie, HttpOnly. */
const char *identity_cookie_text(apr_pool_t *pool, const identity_cookie_t *cookie);

/* The realm of the API. */
#define IDENTITY_REALM "identity"

/* Values of WWW-Authenticate. realm: quotes already escaped. error: NULL if no credential was sent (RFC 6750, 3);
 * name: of an additional parameter, or NULL. */
const char *identity_challenge_bearer(apr_pool_t *pool, const char *realm, const char *error,
                                      const char *name, const char *value);
const char *identity_challenge_basic(apr_pool_t *pool, const char *realm);
/* The value of Retry-After, NULL for a status without one. */
const char *identity_retry_after(apr_pool_t *pool, const identity_problem_t *problem, int status);

/* ---- query strings and cursors ---------------------------------------------------------------------------------- */

/* Decodes `a=b&c=d` (percent and +). INVALID_FIELD naming the parameter for a bad escape, a NUL, invalid UTF-8, or a
 * duplicate. query may be NULL. */
bool identity_query_parse(apr_pool_t *pool, const char *query, apr_table_t **parameters,
                          identity_problem_t *problem);
/* Is each of them in `known` (names separated by blanks), or does its name begin with `_`? INVALID_FIELD naming it
 * otherwise. */
bool identity_query_known(apr_pool_t *pool, const apr_table_t *parameters, const char *known,
                          identity_problem_t *problem);
/* Decodes one name or value. NULL for a bad escape, a NUL or invalid UTF-8. */
char *identity_query_unescape(apr_pool_t *pool, const char *text, size_t length);
/* Percent-encodes a query value (unreserved characters stay). */
const char *identity_query_escape(apr_pool_t *pool, const char *text);

/* Reads a body of application/x-www-form-urlencoded as an object of strings, by the rules for queries; a parameter
 * without a value counts as absent. NULL with *problem otherwise. Owned by pool; no other copy of a value remains. */
json_t *identity_form_parse(apr_pool_t *pool, const char *text, size_t length,
                            identity_problem_t *problem);
/* Parses the part after `Basic ` in Authorization: both halves are decoded in the way RFC 6749 (2.3.1) has clients
 * encode them, and wiped with the pool. */
bool identity_basic_parse(apr_pool_t *pool, const char *credentials, const char **name,
                          const char **secret);
/* The password alone, not decoded (RFC 7617). NULL if there is none. */
const char *identity_basic_secret(apr_pool_t *pool, const char *credentials);

/* The start of a page in a total order (key, id). Opaque to clients but not secret: every reader checks tenancy
 * itself. */
typedef struct identity_cursor {
    const char *key;   /* value of the order column as text */
    const char *id;    /* tie-breaker */
    bool backward;     /* the page before (key, id) rather than after */
    apr_int64_t page;  /* number of the page it leads to */
    apr_int64_t total; /* total_number_of_pages already counted, -1: past the cap */
} identity_cursor_t;
const char *identity_cursor_encode(apr_pool_t *pool, const identity_cursor_t *cursor);
bool identity_cursor_decode(apr_pool_t *pool, const char *text, identity_cursor_t *cursor);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Pure rules: no database, no clock, no network, no state of their own. What they need (a time, random bytes, keys)
 * is passed in. Every other folder may call this one; it calls none of them.
 *
 * Memory: results live in the pool that was passed. Strings are NUL-terminated UTF-8. */
#ifndef IDENTITY_CORE_H
#define IDENTITY_CORE_H

#ifndef __linux__
#error                                                                                             \
    "mod_identity needs Linux: robust process-shared mutexes with priority inheritance, gettid() and /proc."
#endif

/* The only place: used by `htidentity --version`, httpd's Server header (as ServerTokens allows), `make dist`. */
#define IDENTITY_VERSION "0.9.0"

/* Shown in the manual pages. */
#define IDENTITY_VERSION_DATE "2026-11-30"

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>
#include <jansson.h>

/* ---- problems: what went wrong, told to a person and to a program (conf/interface.md) ---------- */

typedef enum {
    IDENTITY_PROBLEM_NONE = 0,
    IDENTITY_PROBLEM_BAD_REQUEST,    /* 400 BAD_REQUEST: malformed JSON, wrong shape */
    IDENTITY_PROBLEM_MISSING_FIELD,  /* 400 MISSING_FIELD, with field */
    IDENTITY_PROBLEM_INVALID_FIELD,  /* 400 INVALID_FIELD, with field */
    IDENTITY_PROBLEM_UNAUTHORISED,   /* 401 UNAUTHORISED */
    IDENTITY_PROBLEM_NOT_ALLOWED,    /* 403 USER_NOT_ALLOWED */
    IDENTITY_PROBLEM_USER_NOT_FOUND, /* 404 USER_NOT_FOUND */
    IDENTITY_PROBLEM_NOT_FOUND,      /* 404 RESOURCE_NOT_FOUND */
    IDENTITY_PROBLEM_VERSION,        /* 404 UNSUPPORTED_VERSION */
    IDENTITY_PROBLEM_METHOD,         /* 405 INVALID_OPERATION */
    IDENTITY_PROBLEM_TIMEOUT,        /* 408 BAD_REQUEST: the body did not arrive in time */
    IDENTITY_PROBLEM_EXISTS,         /* 409 RESOURCE_ALREADY_EXISTS */
    IDENTITY_PROBLEM_STATE,          /* 409 INVALID_OPERATION: not allowed in the present state */
    IDENTITY_PROBLEM_KEY_REUSED, /* 409 IDEMPOTENCY_CHECK_FAILED: the key was used for a different request before */
    IDENTITY_PROBLEM_PRECONDITION, /* 412 INVALID_OPERATION: If-Match, If-None-Match */
    IDENTITY_PROBLEM_TOO_LARGE,    /* 413 BAD_REQUEST */
    IDENTITY_PROBLEM_MEDIA_TYPE,   /* 415 UNSUPPORTED_MEDIA_TYPE */
    IDENTITY_PROBLEM_KEY_RUNNING, /* 422 IDEMPOTENCY_CHECK_FAILED: the first request with the key is still running */
    IDENTITY_PROBLEM_THROTTLED,  /* 429 UNABLE_TO_PROCESS_INSTRUCTIONS */
    IDENTITY_PROBLEM_INTERNAL,   /* 500 INTERNAL_ERROR, type API_ERROR */
    IDENTITY_PROBLEM_UNAVAILABLE /* 503 INTERNAL_ERROR, type API_ERROR, with Retry-After */
} identity_problem_kind_t;

typedef struct identity_problem {
    identity_problem_kind_t kind;
    const char *message;       /* a sentence for people; NULL: the kind's default */
    const char *field;         /* dotted path such as account_memberships.0.type, or NULL */
    const char *resource_id;   /* or NULL */
    const char *resource_type; /* or NULL */
    int retry_after;           /* seconds, for 429 and 503; 0: the default of 1 */
} identity_problem_t;

/* Fills *problem and returns false, so that a rule can end in `return identity_refuse(...)`. format may be NULL for
 * the kind's default text. */
bool identity_refuse(apr_pool_t *pool, identity_problem_t *problem, identity_problem_kind_t kind,
                     const char *field, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* HTTP status of a kind. */
int identity_problem_status(identity_problem_kind_t kind);
/* The kind for a status that httpd generated (403, 404, 405, 408, 413, ...); unknown 4xx: BAD_REQUEST, 5xx:
 * INTERNAL. */
identity_problem_kind_t identity_problem_of_status(int status);
/* Changes the kind of a problem, but keeps the original message. */
void identity_problem_recast(identity_problem_t *problem, identity_problem_kind_t kind);
/* The flat error object, fields in this order: type, code, message, field?, resource_id?, resource_type?, fields.
 * `fields` maps the problem's field to its message and is empty without one. A new reference. */
json_t *identity_problem_json(const identity_problem_t *problem);

/* ---- times, ids, names ------------------------------------------------------------------------------------------ */

/* 2024-01-15T09:30:00Z */
const char *identity_time_format(apr_pool_t *pool, apr_time_t time);
/* The earlier of two times; 0 means never. */
apr_time_t identity_time_sooner(apr_time_t one, apr_time_t other);
/* JSON string of it, or null for 0. A new reference. */
json_t *identity_time_json(apr_time_t time);
/* Reads ISO 8601 with seconds and `Z` or a numeric offset (+01:00); rejects fractions, impossible dates, anything
 * else. */
bool identity_time_parse(const char *text, apr_time_t *time);

/* A source of random bytes; false means a system failure and ends the request with 500. */
typedef struct identity_random {
    bool (*fill)(void *context, void *buffer, size_t size);
    void *context;
} identity_random_t;

#define IDENTITY_ID_TIME_LENGTH 9
/* prefix_ + 20 characters of [0-9A-Za-z]: 9 of microseconds, 11 random, so that ids sort (bytewise) by creation
 * time. NULL if the random source fails. */
const char *identity_id_make(apr_pool_t *pool, const char *prefix, apr_time_t now,
                             const identity_random_t *random);
/* A fixed id derived from a name, older than any other: for things without a row. */
const char *identity_id_of_name(apr_pool_t *pool, const char *prefix, const char *name);
/* The same for something that happens at a given time, by which the id sorts. */
const char *identity_id_of_name_at(apr_pool_t *pool, const char *prefix, const char *name,
                                   apr_time_t at);
/* Does it have the form prefix_ and 20 characters of the alphabet? */
bool identity_id_valid(const char *id, const char *prefix);
/* 32 upper-case hex digits: 12 of milliseconds, 20 random. NULL if the random source fails. */
const char *identity_invitation_id_make(apr_pool_t *pool, apr_time_t now,
                                        const identity_random_t *random);
bool identity_invitation_id_valid(const char *id);

/* ---- hosts and URLs ---- */

/* Is it the local machine: localhost, 127.0.0.0/8, ::1? */
bool identity_host_loopback(const char *host);
/* Is it an OpenID issuer: https (http only on loopback), a host, optionally port and path; no user, query or
 * fragment, at most 512 bytes? */
bool identity_issuer_valid(apr_pool_t *pool, const char *url);
/* Is it a valid redirect URI for a sign-on: like an issuer, but with a path and optionally a query, without *, at
 * most 256 bytes? */
bool identity_redirect_valid(apr_pool_t *pool, const char *url);
/* May a client of the OpenID provider register it as a redirect URI: as above, or of a private scheme that is a
 * domain reversed (com.example.app:/callback)? At most 256 bytes, no * and no fragment. */
bool identity_client_redirect_valid(apr_pool_t *pool, const char *uri);
/* Is the URI the registered one: byte for byte, but for the port where that is http on 127.0.0.1 or [::1] (RFC 8252,
 * 7.3)? */
bool identity_client_redirect_fits(const char *registered, const char *uri);
/* Is it a URN namespace (RFC 8141, 2): letters, digits and hyphens, 2 to 32, no hyphen first or last; not `urn`? */
bool identity_urn_namespace_valid(const char *text);
/* Is it allowed between two colons of a URN's specific part: letters, digits and .-_~, at most 64? */
bool identity_urn_part_valid(const char *text);
/* The end of the half-open range of all strings with that prefix, for `>= prefix AND < end`; NULL if there is no
 * end. */
const char *identity_prefix_end(apr_pool_t *pool, const char *prefix);
/* The form in which role and team names are compared: NFKC, case folded (utf8proc). NULL if it is not valid UTF-8. */
const char *identity_name_canonical(apr_pool_t *pool, const char *name);
/* `^[a-z0-9-]+$`, at most 64 characters; never the reserved word for "no role". */
#define IDENTITY_SLUG_NONE "none"
bool identity_slug_valid(const char *slug);
/* A slug derived from a name: lower case, runs of other characters become one hyphen; "role" if nothing valid is
 * left. */
const char *identity_slug_of_name(apr_pool_t *pool, const char *name);
/* `^[A-Z][A-Z0-9_]*(\.[A-Z][A-Z0-9_]*)+$`, at most 128 characters. */
bool identity_permission_valid(const char *name);
#define IDENTITY_LANGUAGE_MAX 35
/* A language tag (RFC 5646, by its characters): de, de-AT. */
bool identity_language_valid(const char *tag);
/* The best match for Accept-Language among the available tags (const char *): by weight, then by order, shortening
 * each range from its end until it is found (RFC 4647, 3.4). NULL if none matches; accepted may be NULL. */
const char *identity_language_choose(apr_pool_t *pool, const char *accepted,
                                     const apr_array_header_t *there);
/* Printable text with no control characters, valid UTF-8, not blank: names and descriptions. */
bool identity_text_valid(const char *text);
bool identity_utf8_valid(const char *text);

/* ---- permissions and built-in roles (permissions.def, roles.def) ------------------------------------------------ */

#define IDENTITY_PERMISSION_WORDS 4

/* A set of permission names: one bit for each built-in name, plus the site's own names, or simply all. Zeroed memory
 * is the empty set. Assignment makes a copy that shares `own`: within the same pool, copy with
 * identity_permset_add_set() into an empty set instead. */
typedef struct identity_permset {
    bool all;
    apr_uint64_t bits[IDENTITY_PERMISSION_WORDS];
    apr_array_header_t *own; /* of const char *, sorted, unique; NULL while empty */
} identity_permset_t;

int identity_permission_count(void);             /* in the built-in catalogue: 204 */
const char *identity_permission_name(int index); /* in catalogue order */
void identity_permset_add(apr_pool_t *pool, identity_permset_t *set, const char *name);
void identity_permset_add_set(apr_pool_t *pool, identity_permset_t *set,
                              const identity_permset_t *more);
/* The built-in part of the catalogue (IdentityBuiltInRoles): all names of the published interfaces, or only the
 * families USER, ROLE, AUDIT_RECORD and CLIENT. */
typedef enum { IDENTITY_CATALOGUE_PUBLISHED, IDENTITY_CATALOGUE_CORE } identity_catalogue_t;

/* Adds every built-in name whose last word is VIEW; none of the site's own. */
void identity_permset_add_view(identity_permset_t *set, identity_catalogue_t catalogue);
/* Reduces set to the intersection with other. */
void identity_permset_intersect(apr_pool_t *pool, identity_permset_t *set,
                                const identity_permset_t *other);
bool identity_permset_has(const identity_permset_t *set, const char *name);
/* Does set include everything in other? */
bool identity_permset_covers(const identity_permset_t *set, const identity_permset_t *other);
bool identity_permset_empty(const identity_permset_t *set);
/* Sorted names, built-in ones first; `all` lists the whole catalogue. A new reference. */
json_t *identity_permset_json(const identity_permset_t *set, identity_catalogue_t catalogue);

typedef struct identity_builtin_role {
    const char
        *id; /* role_ + 20 characters, the same in every installation, sorted like the catalogue */
    const char *name, *slug, *description;
} identity_builtin_role_t;

int identity_builtin_role_count(void);
const identity_builtin_role_t *identity_builtin_role(int index);
/* Index of a built-in role's id, -1 for any other. */
int identity_builtin_role_find(const char *id);
/* The one that grants everything. */
const identity_builtin_role_t *identity_builtin_role_administrator(void);
/* Is the role in the catalogue? Administrator and Read Only always are. */
bool identity_builtin_role_in(int index, identity_catalogue_t catalogue);
/* The role's permissions: `all` for Administrator. */
void identity_builtin_role_permissions(int index, identity_catalogue_t catalogue,
                                       identity_permset_t *set);

#include "identity/core_json.h"
#include "identity/core_http.h"
#include "identity/core_cache.h"
#include "identity/core_secrets.h"

#endif

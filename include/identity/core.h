/* The rules that need nothing: no database, no clock, no network, no state of their own. Whatever they need of these (a
 * time, random bytes, keys) is passed in. Everything else in the house may call this room; it calls nobody.
 *
 * Memory: what is returned lives in the pool that was passed. Strings are UTF-8 and end in NUL.
 */
#ifndef IDENTITY_CORE_H
#define IDENTITY_CORE_H

#ifndef __linux__
#error "mod_identity needs Linux: robust process-shared mutexes with priority inheritance, gettid() and /proc."
#endif

/* In one place: `htidentity --version`, httpd's Server header (as ServerTokens allows), `make dist`. */
#define IDENTITY_VERSION "0.9.0"

/* Of the manual pages, which need one. */
#define IDENTITY_VERSION_DATE "2026-11-30"

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>
#include <jansson.h>

/* ---- problems: what went wrong, told to a person and to a program (identity-api.md, section 1, Errors) ---------- */

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
    IDENTITY_PROBLEM_KEY_REUSED,     /* 409 IDEMPOTENCY_CHECK_FAILED: the key came with another request before */
    IDENTITY_PROBLEM_PRECONDITION,   /* 412 INVALID_OPERATION: If-Match, If-None-Match */
    IDENTITY_PROBLEM_TOO_LARGE,      /* 413 BAD_REQUEST */
    IDENTITY_PROBLEM_MEDIA_TYPE,     /* 415 UNSUPPORTED_MEDIA_TYPE */
    IDENTITY_PROBLEM_KEY_RUNNING,    /* 422 IDEMPOTENCY_CHECK_FAILED: the first request of the key still runs */
    IDENTITY_PROBLEM_THROTTLED,      /* 429 UNABLE_TO_PROCESS_INSTRUCTIONS */
    IDENTITY_PROBLEM_INTERNAL,       /* 500 INTERNAL_ERROR, type API_ERROR */
    IDENTITY_PROBLEM_UNAVAILABLE     /* 503 INTERNAL_ERROR, type API_ERROR, with Retry-After */
} identity_problem_kind_t;

typedef struct identity_problem {
    identity_problem_kind_t kind;
    const char *message;       /* a sentence for a person; NULL: the kind's own */
    const char *field;         /* dotted path such as account_memberships.0.type, or NULL */
    const char *resource_id;   /* or NULL */
    const char *resource_type; /* or NULL */
    int retry_after;           /* seconds, for 429 and 503; 0: the default of 1 */
} identity_problem_t;

/* Fills *problem and returns false, so that a rule can end in `return identity_refuse(...)`. format may be NULL for the
 * kind's own text. */
bool identity_refuse(apr_pool_t *pool, identity_problem_t *problem, identity_problem_kind_t kind, const char *field,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
/* HTTP status of a kind. */
int identity_problem_status(identity_problem_kind_t kind);
/* The kind for a status that httpd itself answered with (403, 404, 405, 408, 413, ...); unknown 4xx: BAD_REQUEST, 5xx:
 * INTERNAL. */
identity_problem_kind_t identity_problem_of_status(int status);
/* Another kind of the same fault, which keeps the words of the first. */
void identity_problem_recast(identity_problem_t *problem, identity_problem_kind_t kind);
/* The flat error object, fields in this order: type, code, message, field?, resource_id?, resource_type?, fields.
 * `fields` maps the problem's field to its message and is empty without one. A new reference. */
json_t *identity_problem_json(const identity_problem_t *problem);

/* ---- times, ids, names ------------------------------------------------------------------------------------------ */

/* 2024-01-15T09:30:00Z */
const char *identity_time_format(apr_pool_t *pool, apr_time_t time);
/* Of two moments the one that comes first; 0 is never. */
apr_time_t identity_time_sooner(apr_time_t one, apr_time_t other);
/* JSON string of it, or null for 0. A new reference. */
json_t *identity_time_json(apr_time_t time);
/* Reads ISO 8601 with seconds and `Z` or a numeric offset (+01:00); refuses fractions, impossible dates, anything else.
 */
bool identity_time_parse(const char *text, apr_time_t *time);

/* A source of random bytes; false is a fault of the machine and ends the request with 500. */
typedef struct identity_random {
    bool (*fill)(void *context, void *buffer, size_t size);
    void *context;
} identity_random_t;

#define IDENTITY_ID_TIME_LENGTH 9
/* prefix_ + 20 characters of [0-9A-Za-z]: 9 of microseconds, 11 random, so that ids sort (bytewise) by creation time.
 * NULL on a random fault. */
const char *identity_id_make(apr_pool_t *pool, const char *prefix, apr_time_t now, const identity_random_t *random);
/* The same id for the same name at all times, older than any other: of things that have no row. */
const char *identity_id_of_name(apr_pool_t *pool, const char *prefix, const char *name);
/* The same for what happens at one time only: sorted by that. */
const char *identity_id_of_name_at(apr_pool_t *pool, const char *prefix, const char *name, apr_time_t at);
/* Is it prefix_ and 20 characters of the alphabet? */
bool identity_id_valid(const char *id, const char *prefix);
/* 32 upper-case hex digits: 12 of milliseconds, 20 random. NULL on a random fault. */
const char *identity_invitation_id_make(apr_pool_t *pool, apr_time_t now, const identity_random_t *random);
bool identity_invitation_id_valid(const char *id);

/* ---- hosts and URLs ---- */

/* This machine itself: localhost, 127.0.0.0/8, ::1. */
bool identity_host_loopback(const char *host);
/* An OpenID issuer: https (http only on loopback), a host, perhaps port and path; no user, query or fragment, at most
 * 512 bytes. */
bool identity_issuer_valid(apr_pool_t *pool, const char *url);
/* Where a sign-on may come back to: as an issuer, but with a path and perhaps a query, without *, at most 256 bytes. */
bool identity_redirect_valid(apr_pool_t *pool, const char *url);
/* A namespace of URNs (RFC 8141, 2): letters, digits and hyphens, 2 to 32, none of the hyphens first or last; not
 * `urn`.
 */
bool identity_urn_namespace_valid(const char *text);
/* What may stand between two colons of a URN's specific part: letters, digits and .-_~, at most 64. */
bool identity_urn_part_valid(const char *text);
/* The end of the half-open range that holds every string beginning with prefix, for `>= prefix AND < end`; NULL where
 * there is no end. */
const char *identity_prefix_end(apr_pool_t *pool, const char *prefix);
/* Role and team names are compared in this form: NFKC, case folded (utf8proc). NULL where it is no valid UTF-8. */
const char *identity_name_canonical(apr_pool_t *pool, const char *name);
/* `^[a-z0-9-]+$`, at most 64 characters; never the one that stands for no role. */
#define IDENTITY_SLUG_NONE "none"
bool identity_slug_valid(const char *slug);
/* A slug made from a name: lower case, runs of anything else become one hyphen; "role" where nothing, or
 * nothing valid, is left. */
const char *identity_slug_of_name(apr_pool_t *pool, const char *name);
/* `^[A-Z][A-Z0-9_]*(\.[A-Z][A-Z0-9_]*)+$`, at most 128 characters. */
bool identity_permission_valid(const char *name);
#define IDENTITY_LANGUAGE_MAX 35
/* A language tag (RFC 5646, by its characters): de, de-AT. */
bool identity_language_valid(const char *tag);
/* Of the tags that there are (const char *) the one that suits Accept-Language best: by weight, then by order, each
 * range shortened from its end until it is found (RFC 4647, 3.4). NULL where none suits; accepted may be NULL. */
const char *identity_language_choose(apr_pool_t *pool, const char *accepted, const apr_array_header_t *there);
/* Printable text with no control characters, valid UTF-8, not blank: names and descriptions. */
bool identity_text_valid(const char *text);
bool identity_utf8_valid(const char *text);

/* ---- permissions and built-in roles (permissions.def, roles.def) ------------------------------------------------ */

#define IDENTITY_PERMISSION_WORDS 4

/* A set of permission names: a bit for each built-in one, the site's own beside them, or simply all. Zeroed memory is
 * the empty set. A copy by assignment shares `own`: in the same pool, copy by identity_permset_add_set() into an empty
 * set instead. */
typedef struct identity_permset {
    bool all;
    apr_uint64_t bits[IDENTITY_PERMISSION_WORDS];
    apr_array_header_t *own; /* of const char *, sorted, unique; NULL while empty */
} identity_permset_t;

int identity_permission_count(void);             /* of the built-in catalogue: 204 */
const char *identity_permission_name(int index); /* in the catalogue's order */
void identity_permset_add(apr_pool_t *pool, identity_permset_t *set, const char *name);
void identity_permset_add_set(apr_pool_t *pool, identity_permset_t *set, const identity_permset_t *more);
/* Which part of the catalogue is built in (IdentityBuiltInRoles): all that the published interfaces name, or the
 * families USER, ROLE, AUDIT_RECORD and CLIENT alone. */
typedef enum { IDENTITY_CATALOGUE_PUBLISHED, IDENTITY_CATALOGUE_CORE } identity_catalogue_t;

/* Every built-in name whose last word is VIEW; never one of the site's own. */
void identity_permset_add_view(identity_permset_t *set, identity_catalogue_t catalogue);
/* Keeps what both hold. */
void identity_permset_intersect(apr_pool_t *pool, identity_permset_t *set, const identity_permset_t *other);
bool identity_permset_has(const identity_permset_t *set, const char *name);
/* Does set hold everything that other holds? */
bool identity_permset_covers(const identity_permset_t *set, const identity_permset_t *other);
bool identity_permset_empty(const identity_permset_t *set);
/* Names in order, built-in ones first; `all` lists the whole catalogue. A new reference. */
json_t *identity_permset_json(const identity_permset_t *set, identity_catalogue_t catalogue);

typedef struct identity_builtin_role {
    const char *id; /* role_ + 20 characters, the same in every installation, sorted as the catalogue */
    const char *name, *slug, *description;
} identity_builtin_role_t;

int identity_builtin_role_count(void);
const identity_builtin_role_t *identity_builtin_role(int index);
/* Index of a built-in role's id, -1 for any other. */
int identity_builtin_role_find(const char *id);
/* The one that grants all. */
const identity_builtin_role_t *identity_builtin_role_administrator(void);
/* Administrator and Read Only are in any. */
bool identity_builtin_role_in(int index, identity_catalogue_t catalogue);
/* What it grants: `all` for Administrator. */
void identity_builtin_role_permissions(int index, identity_catalogue_t catalogue, identity_permset_t *set);

#include "identity/core_json.h"
#include "identity/core_http.h"
#include "identity/core_cache.h"
#include "identity/core_secrets.h"

#endif

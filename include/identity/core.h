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

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

#define IDENTITY_JSON_DEPTH   16
#define IDENTITY_JSON_MEMBERS 4096 /* of all objects of a body together (security 74) */

/* Ties a root's reference to the pool (json_decref at cleanup) and returns it. NULL stays NULL. */
json_t *identity_json_own(apr_pool_t *pool, json_t *root);
/* Reads a request body strictly: one object, UTF-8, no duplicate keys, no NUL, nesting at most IDENTITY_JSON_DEPTH (the
 * root counts as 1) and at most IDENTITY_JSON_MEMBERS members, both checked before parsing. NULL with *problem
 * BAD_REQUEST otherwise; the message never repeats the body. Owned by pool. */
json_t *identity_json_parse(apr_pool_t *pool, const char *text, size_t length, identity_problem_t *problem);
/* The same of something else than a request body, such as a "line". */
json_t *identity_json_read(apr_pool_t *pool, const char *what, const char *text, size_t length,
                           identity_problem_t *problem);
/* A member that is read of a document of another server. */
typedef struct identity_json_member {
    const char *name;                           /* NULL ends a table; at most 63 bytes of ASCII */
    const struct identity_json_member *members; /* of its object, or of the objects of its array; NULL: all of it */
} identity_json_member_t;
/* Reads a document of another server (a NUL follows it): an object of the members of the table that are there. They are
 * read as strictly as a request body. All others must be JSON of at most 64 levels and are passed over, whatever
 * numbers or escapes they have, and if they come twice. NULL for anything else. Owned by pool. */
const json_t *identity_json_pick(apr_pool_t *pool, const char *text, size_t length,
                                 const identity_json_member_t *members);
/* Compact text (no spaces, UTF-8 kept, order kept). */
const char *identity_json_text(apr_pool_t *pool, const json_t *value, size_t *length);
/* The same within max bytes: NULL with *length past max where it would be longer. */
const char *identity_json_text_within(apr_pool_t *pool, const json_t *value, size_t max, size_t *length);

/* A string, or null where it is NULL or empty. A new reference. */
json_t *identity_json_text_or_null(const char *text);

/* JSON that is written piece by piece, in the bytes that identity_json_text gives (json_write.c): for answers that are
 * asked for most. The pieces bring their own commas. */
typedef struct identity_writer {
    apr_pool_t *pool;
    char *text;
    size_t length, size, max;
    bool full; /* more than max was written */
} identity_writer_t;

/* expected: about how long it becomes, so that it need not grow. */
void identity_writer_begin(identity_writer_t *writer, apr_pool_t *pool, size_t expected, size_t max);
/* The text, ended by NUL; NULL where it is full. *length: its length, or more than max. */
const char *identity_writer_end(identity_writer_t *writer, size_t *length);
/* A piece as it is. */
void identity_write_raw(identity_writer_t *writer, const char *piece, size_t size);
#define identity_write_literal(writer, literal) identity_write_raw(writer, "" literal, sizeof literal - 1)
/* A string, or null where it is NULL. False, and nothing is written, where it is no UTF-8. */
bool identity_write_text(identity_writer_t *writer, const char *text);
/* A member: its beginning (,"name":) and a string, or null. Of a text that is no UTF-8 not even its name is written, as
 * jansson has it. */
void identity_write_member(identity_writer_t *writer, const char *beginning, const char *text);
void identity_write_number(identity_writer_t *writer, apr_int64_t number);
/* As identity_time_json. */
void identity_write_time(identity_writer_t *writer, apr_time_t time);

typedef enum {
    IDENTITY_FIELD_STRING,
    IDENTITY_FIELD_BOOLEAN,
    IDENTITY_FIELD_TIME,  /* ISO 8601 in seconds */
    IDENTITY_FIELD_ENUM,  /* one of values */
    IDENTITY_FIELD_LIST,  /* array; items checked against `items`, or of strings where items is NULL */
    IDENTITY_FIELD_OBJECT /* object; its members checked against `items` */
} identity_field_type_t;

#define IDENTITY_FIELD_REQUIRED 1u /* absent or null: MISSING_FIELD */
#define IDENTITY_FIELD_NULLABLE 2u /* null is a value of its own; without it null counts as absent */
#define IDENTITY_FIELD_SECRET   4u /* never repeated in a message */

typedef struct identity_field {
    const char *name; /* NULL ends a table */
    identity_field_type_t type;
    unsigned flags;
    size_t min, max;                    /* bytes of a string, or items of a list (max 0: 256 bytes, 500 items) */
    const char *const *values;          /* of an ENUM, NULL-terminated */
    const struct identity_field *items; /* of a LIST's objects or an OBJECT */
    bool (*valid)(const char *text);    /* further rule of a string, or NULL */
    const char *rule;                   /* what valid asks for, completing "<field> must be ..." */
} identity_field_t;

/* Checks an object against a table: MISSING_FIELD or INVALID_FIELD naming the dotted path. Members that the table does
 * not name are ignored. An empty object in a LIST is left to the caller (its required members are not asked for). */
bool identity_fields_check(apr_pool_t *pool, const json_t *object, const identity_field_t *table,
                           identity_problem_t *problem);
/* Shorthands for checked bodies: NULL / fallback where absent or null. */
const char *identity_json_string(const json_t *object, const char *name);
bool identity_json_boolean(const json_t *object, const char *name, bool fallback);
/* True where the member is there and not null. */
bool identity_json_has(const json_t *object, const char *name);

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

/* ---- secrets ---------------------------------------------------------------------------------------------------- */

void identity_wipe(void *memory, size_t size);
/* Overwrites a C string; NULL is fine. */
void identity_wipe_string(char *text);
/* Wipes the C string when the pool goes (passwords of a request). */
void identity_wipe_with_pool(apr_pool_t *pool, char *text);
/* Constant-time comparison of two strings of equal length; false for different lengths. (security 18) */
bool identity_secret_equal(const char *a, const char *b);
const char *identity_sha256_hex(apr_pool_t *pool, const void *data, size_t size);
/* 128 bits of BLAKE2b in hex: tells texts apart as well, at a fifth of the cost. Not for secrets. */
const char *identity_text_tag(apr_pool_t *pool, const void *data, size_t size);
/* identity_sha256_hex of what comes piece by piece. NULL without memory; the end may be asked for once. */
typedef struct identity_digest identity_digest_t;
identity_digest_t *identity_digest_make(apr_pool_t *pool);
void identity_digest_add(identity_digest_t *digest, const void *data, size_t size);
const char *identity_digest_hex(apr_pool_t *pool, identity_digest_t *digest);
/* HMAC-SHA256 in hex: a digest that says nothing, even of a guessable text, to who does not have the key. */
const char *identity_keyed_digest(apr_pool_t *pool, const unsigned char key[32], const void *data, size_t size);
const char *identity_base64url_encode(apr_pool_t *pool, const void *data, size_t size);
/* NULL where it is not canonical base64url without padding: no `=`, no blanks, no bits left over. A NUL follows what is
 * returned. */
unsigned char *identity_base64url_decode(apr_pool_t *pool, const char *text, size_t *size);
/* The same of a text of any bytes. */
unsigned char *identity_base64url_decode_n(apr_pool_t *pool, const char *text, size_t length, size_t *size);

/* Typed secrets: prefix_ + 43 characters of base64url (256 bits) + 6 characters of checksum over all before it, so that
 * secret scanners can find them and a typo is told without a look-up (security 20, 33). */
#define IDENTITY_TOKEN_REFRESH "idr"
#define IDENTITY_TOKEN_INVITE  "idi"
#define IDENTITY_TOKEN_RESET   "idp"
#define IDENTITY_TOKEN_CHANGE  "idc"
#define IDENTITY_TOKEN_ALIAS   "ida"
const char *identity_token_make(apr_pool_t *pool, const char *prefix, const identity_random_t *random);
/* The token of exactly these 32 bytes. */
const char *identity_token_of_bytes(apr_pool_t *pool, const char *prefix, const unsigned char bytes[32]);
bool identity_token_valid(const char *token, const char *prefix);
/* What the database holds of a token or key: SHA-256 in hex of the whole text. */
const char *identity_token_digest(apr_pool_t *pool, const char *token);
/* The successor of a refresh token: HMAC-SHA256 keyed with the spent token over nonce, so that only who holds the spent
 * one can be given it again. */
const char *identity_refresh_successor(apr_pool_t *pool, const char *token, const char *nonce);

#define IDENTITY_TOKEN_SIGN_ON "ids" /* the cookie that binds a sign-on to its browser */
/* HMAC-SHA256 in base64url (43 characters): what follows from a secret and from nothing else. */
const char *identity_mac_text(apr_pool_t *pool, const void *key, size_t key_size, const char *text);
/* SHA-256 in base64url, as PKCE's S256 spells a challenge (RFC 7636). */
const char *identity_sha256_base64url(apr_pool_t *pool, const char *text);

/* API keys: idk_ + the 20 characters of the key's id + _ + 43 characters of base64url + 6 of checksum. */
const char *identity_key_make(apr_pool_t *pool, const char *key_id, const identity_random_t *random);
/* The id (apik_...) that a well-formed key names; NULL for anything else, so that no look-up is made for it. */
const char *identity_key_id(apr_pool_t *pool, const char *key);
/* idk_ and the last four characters: idk_...a1B2 */
const char *identity_key_mask(apr_pool_t *pool, const char *key);

/* AES-256-GCM. Text: base64url of nonce, ciphertext and tag. aad binds it to its place (a row's id). NULL on a fault or
 * a false key. */
const char *identity_seal(apr_pool_t *pool, const unsigned char key[32], const char *plain, const char *aad,
                          const identity_random_t *random);
char *identity_unseal(apr_pool_t *pool, const unsigned char key[32], const char *sealed, const char *aad);

/* ---- rates and counters (rate.c, counters.c) -------------------------------------------------------------------- */

/* At most count in any period; a count of 0 is no limit, and nothing below is called with it. */
typedef struct identity_rate {
    unsigned count;
    apr_interval_time_t period;
} identity_rate_t;

#define IDENTITY_RATE_GROUPS 10
typedef struct identity_rate_group {
    apr_time_t last;
    unsigned count;
} identity_rate_group_t;

/* What one counter remembers. Zeroed memory: nothing. */
typedef struct identity_rate_state {
    apr_time_t until, quiet; /* of a growing wait: its end, and when it is forgotten that there was one */
    apr_time_t first;        /* beginning of the newest group */
    identity_rate_group_t groups[IDENTITY_RATE_GROUPS]; /* oldest first */
    int used;
    unsigned waits;
} identity_rate_state_t;

/* How long until the next one is allowed; 0: now. After so long it is, whatever is asked meanwhile. */
apr_interval_time_t identity_rate_wait(const identity_rate_state_t *state, const identity_rate_t *rate, apr_time_t now);
/* Counts one that is allowed (0), else counts nothing and tells the wait. Never more than the rate in any period.
 *
 * growing: the one that reaches the rate starts a wait of one period. When it is over the next one is allowed, and if
 * that is counted too the wait begins again, twice as long, up to identity_rate_longest. Who stays away after a wait
 * for as long as it was starts anew. */
apr_interval_time_t identity_rate_count(identity_rate_state_t *state, const identity_rate_t *rate, bool growing,
                                        apr_time_t now);
/* 16 periods, but at most an hour; a period, where that is longer. */
apr_interval_time_t identity_rate_longest(const identity_rate_t *rate);
/* From when on the state says nothing that zeroed memory does not. */
apr_time_t identity_rate_idle_at(const identity_rate_state_t *state, const identity_rate_t *rate);

/* Counters by name, in memory that processes may share and that never grows: where it is full, the counter that was
 * used longest ago gives way. Safe for threads and processes. */
typedef struct identity_counters identity_counters_t;

size_t identity_counters_size(unsigned entries);
/* memory: zeroed, on a border of 64, of identity_counters_size(entries). NULL where the machine fails. */
identity_counters_t *identity_counters_make(void *memory, unsigned entries, const identity_random_t *random);
/* identity_rate_wait and identity_rate_count of the counter of that name. */
apr_interval_time_t identity_counters_wait(identity_counters_t *counters, const char *key, const identity_rate_t *rate,
                                           apr_time_t now);
apr_interval_time_t identity_counters_count(identity_counters_t *counters, const char *key, const identity_rate_t *rate,
                                            bool growing, apr_time_t now);
/* The same table as a set of names, each until its time. */
void identity_counters_mark(identity_counters_t *counters, const char *key, apr_time_t until, apr_time_t now);
bool identity_counters_marked(identity_counters_t *counters, const char *key, apr_time_t now);
/* Until when; 0: it is not, or not any more. */
apr_time_t identity_counters_marked_until(identity_counters_t *counters, const char *key, apr_time_t now);

/* ---- what is remembered of somebody, and when it is old (revisions.c, cache.c) -------------------------------- */

/* A counter for each id, by a keyed hash, in memory that processes may share; never waits. */
typedef struct identity_revisions identity_revisions_t;

size_t identity_revisions_size(void);
/* memory: zeroed, on a border of 64, of identity_revisions_size(). NULL where the machine fails. */
identity_revisions_t *identity_revisions_make(void *memory, const identity_random_t *random);
/* After COMMIT of what changed the id's rights; "": everybody's. */
void identity_revisions_bump(identity_revisions_t *revisions, const char *id);

#define IDENTITY_STAMP_IDS 3
/* As of which revisions something was read. Zeroed: of none, and never current. */
typedef struct identity_snapshot {
    unsigned count, places[IDENTITY_STAMP_IDS + 1];
    apr_uint64_t values[IDENTITY_STAMP_IDS + 1];
} identity_snapshot_t;
/* Before the rows are read. */
apr_uint64_t identity_revisions_begin(identity_revisions_t *revisions);
/* After: the stamp of what was read of these ids (NULL: none) since then. False, with a stamp that is never current,
 * where anybody's rights were changed meanwhile. */
bool identity_snapshot_take(identity_revisions_t *revisions, apr_uint64_t began, const char *const ids[],
                            identity_snapshot_t *snapshot);
/* Is it still so? */
bool identity_snapshot_current(identity_revisions_t *revisions, const identity_snapshot_t *snapshot);

/* How far changes that others made have been counted: all that were committed before `at` (of a clock that only goes
 * forward; 0: never). sequence and made_at: the last of them. */
typedef struct identity_change_feed {
    apr_time_t at, made_at;
    apr_int64_t sequence;
} identity_change_feed_t;
identity_change_feed_t identity_revisions_followed(identity_revisions_t *revisions);
void identity_revisions_polled(identity_revisions_t *revisions, const identity_change_feed_t *follow);
/* These changes are this server's own, and counted: where they come right behind what was followed, that goes on to the
 * last of them. */
void identity_revisions_pass(identity_revisions_t *revisions, apr_int64_t first, apr_int64_t last, apr_time_t made_at);

/* A cache of blocks, of a bounded number of entries and twice as many KiB; what was used longest ago gives way. */
typedef struct identity_cache identity_cache_t;
#define IDENTITY_CACHE_KEY 16

/* entries: at least 1. Lives as long as the pool; identity_cache_clear frees its entries. NULL where the machine fails.
 */
identity_cache_t *identity_cache_make(apr_pool_t *pool, unsigned entries, const identity_random_t *random);
/* A keyed digest of a credential of a kind (below 8): says nothing to who finds it in memory. */
void identity_cache_key(const identity_cache_t *cache, unsigned kind, const char *text,
                        unsigned char key[IDENTITY_CACHE_KEY]);
/* Zeroed memory, held by the caller; NULL where there is none. */
void *identity_cache_block(size_t size);
/* Whoever holds a block releases it once. */
void identity_cache_release(const void *block);
/* The block, held for the caller; NULL: there is none. */
void *identity_cache_get(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY]);
/* Takes it in, in the place of another of the key; the caller holds it still. False where it is too large. *gone: how
 * many gave way, *evicted: of these, how many of other keys. */
bool identity_cache_put(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY], void *block,
                        unsigned *gone, unsigned *evicted);
/* Takes it out; false where it is not this one any more. */
bool identity_cache_drop(identity_cache_t *cache, const unsigned char key[IDENTITY_CACHE_KEY], const void *block);
void identity_cache_clear(identity_cache_t *cache);

typedef struct identity_cache_size {
    unsigned entries;
    size_t bytes;
} identity_cache_size_t;
identity_cache_size_t identity_cache_size(identity_cache_t *cache);

/* A text as one line of a log: control characters, marks that turn the direction of writing and bytes that are no UTF-8
 * become \xHH (security 85). */
const char *identity_log_text(apr_pool_t *pool, const char *text);
/* Reads a sealing key as its file has it: 32 bytes as 64 hexadecimal digits or in base64 (either alphabet, padded or
 * not), and perhaps the end of the line. False for anything else. */
bool identity_sealing_key_read(const char *text, unsigned char key[32]);

/* ---- passwords -------------------------------------------------------------------------------------------------- */

#define IDENTITY_PASSWORD_MAX    1024  /* bytes */
#define IDENTITY_HASH_MEMORY_MIN 19456 /* KiB (security 1) */
#define IDENTITY_HASH_PASSES_MIN 2

typedef struct identity_hash_parameters {
    unsigned memory_kib;
    unsigned passes;
} identity_hash_parameters_t;

/* Words that a new password may not be, whatever their case and with digits and signs around them (security 6): one a
 * line, lines with # at their beginning left out. In pool; used by many threads at once. */
typedef struct identity_blocklist identity_blocklist_t;
identity_blocklist_t *identity_blocklist_make(apr_pool_t *pool, const char *text, size_t length);
unsigned identity_blocklist_count(const identity_blocklist_t *list);

typedef struct identity_password_policy {
    size_t minimum;                        /* bytes; less than 8 counts as 8 */
    const identity_blocklist_t *blocklist; /* or NULL */
    const char *username, *site;           /* words of these are not enough for a password; either may be NULL */
} identity_password_policy_t;
/* The bytes that a password must have where a site wants so many. */
size_t identity_password_minimum(size_t wanted);
/* 8 (or minimum) to 1,024 bytes, a digit, a capital letter, not the user name in any case nor made of it and the site's
 * name, not on the block list, valid UTF-8 without NUL or control characters. INVALID_FIELD on `field` otherwise, with
 * the reason; the message never holds the password. Length is checked before anything else (security 4). */
bool identity_password_acceptable(apr_pool_t *pool, const char *password, const identity_password_policy_t *policy,
                                  const char *field, identity_problem_t *problem);
/* NFKC, once, before hashing and before verifying (security 3). NULL for invalid UTF-8 or over the cap. Wiped with the
 * pool. */
char *identity_password_normalise(apr_pool_t *pool, const char *password);
/* PHC string of Argon2id with a fresh salt. Takes the parameters' memory and about 16 ms: call it inside the gate only.
 * NULL when memory lacks. */
const char *identity_password_hash(apr_pool_t *pool, const identity_hash_parameters_t *parameters,
                                   const char *normalised);
typedef enum {
    IDENTITY_PASSWORD_RIGHT,
    IDENTITY_PASSWORD_WRONG,
    IDENTITY_PASSWORD_NO_MEMORY
} identity_password_verdict_t;
/* Compares; *weaker, right or wrong: the hash is not (or less than) Argon2id with the parameters. Hashes of other
 * programs (bcrypt, apr1, {SHA}, SHA-crypt, md5-crypt, yescrypt, PBKDF2, scrypt) are compared with what was typed, byte
 * for byte: where they would look at a part of it only, a longer password is wrong (security 3). */
identity_password_verdict_t identity_password_verify(const char *hash, const char *typed, const char *normalised,
                                                     const identity_hash_parameters_t *parameters, bool *weaker);
/* Could a password be verified against it, within the memory of the parameters? If not, why. */
typedef enum {
    IDENTITY_IMPORT_FINE,
    IDENTITY_IMPORT_UNKNOWN, /* no form that is known */
    IDENTITY_IMPORT_MEMORY,  /* it takes more memory */
    IDENTITY_IMPORT_SLOW     /* it would keep a processor too long */
} identity_import_t;
identity_import_t identity_password_importable(const char *hash, const identity_hash_parameters_t *parameters);
/* A well-formed PHC string of these parameters that no password has: what an unknown user's login is verified against
 * (security 16). */
const char *identity_password_dummy(apr_pool_t *pool, const identity_hash_parameters_t *parameters);

/* ---- signing keys and access tokens (RFC 7515, 7517, 7519, 9068; cjose) ----------------------------------------- */

/* ES256 keys, the first one signs, all verify. Immutable after loading: shared by all threads. */
typedef struct identity_keyset identity_keyset_t;

/* PEM of a new P-256 private key. Wiped with the pool. NULL on a fault. */
char *identity_signing_key_make(apr_pool_t *pool);
/* Reads PEM private keys, newest first. NULL with *error a sentence (index of the key, no key material) otherwise.
 * Freed with the pool. */
identity_keyset_t *identity_keyset_load(apr_pool_t *pool, const char *const *pems, int count, const char **error);
/* kid (RFC 7638 thumbprint, base64url) of key i, NULL past the last. */
const char *identity_keyset_kid(const identity_keyset_t *keys, int index);
/* A sealing key derived from signing key i (HKDF-like HMAC over its private scalar; label separates uses). False past
 * the last. */
bool identity_keyset_derive(const identity_keyset_t *keys, int index, const char *label, unsigned char key[32]);
/* {"keys":[...]} of the public halves. A new reference. */
json_t *identity_keyset_jwks(const identity_keyset_t *keys);

typedef struct identity_claims {
    const char *issuer, *subject, *audience, *jwt_id, *session_id, *client_id, *entity_id;
    apr_time_t issued_at, expires_at; /* whole seconds on the wire */
} identity_claims_t;

/* Compact JWS, typ at+jwt, alg ES256, kid. NULL on a fault. */
const char *identity_jwt_sign(apr_pool_t *pool, const identity_keyset_t *keys, const identity_claims_t *claims);
/* Signature by a key of the set named by kid, alg ES256 and typ at+jwt only, iss and aud exactly as given, exp in the
 * future and iat not more than 60 s ahead of now, every claim there and of its type (security 48, 51). False tells
 * nothing more. */
bool identity_jwt_verify(apr_pool_t *pool, const identity_keyset_t *keys, const char *token, const char *issuer,
                         const char *audience, apr_time_t now, identity_claims_t *claims);
/* Is it written like an access token of this issuer under one of these keys? Neither its signature nor its time is
 * looked at: to recognize what must not be passed on, not to let anybody in. */
bool identity_jwt_formed(apr_pool_t *pool, const identity_keyset_t *keys, const char *token, const char *issuer);

/* ---- ID tokens of OpenID providers (OpenID Connect Core 1.0, 3.1.3.7; idtoken.c) -------------------------------- */

typedef struct identity_id_token_rules {
    const char *issuer, *client_id, *nonce; /* exactly these */
    const char *access_token;               /* that came with it: must be the one of at_hash; or NULL */
    apr_time_t now;
} identity_id_token_rules_t;

/* Whom a provider vouches for. */
typedef struct identity_vouched {
    const char *subject; /* with the issuer the identity; the address never is (security 69) */
    const char *email;   /* NULL where none was told */
    bool email_verified;
    bool email_judged; /* the provider says whether it is verified; without it email_verified is false */
} identity_vouched_t;

typedef enum {
    IDENTITY_ID_TOKEN_RIGHT,
    IDENTITY_ID_TOKEN_UNKNOWN_KEY, /* the key set is perhaps an old one */
    IDENTITY_ID_TOKEN_WRONG,
    IDENTITY_ID_TOKEN_NOT_VERIFIABLE /* by its algorithm or its key: a matter of the provider's set-up */
} identity_id_token_verdict_t;

/* The algorithms of ID tokens that are verified, for a sentence and to look through; ended by NULL. */
const char *const *identity_id_token_algorithms(void);
/* Signature by one of these, and by a key of the provider's JWKS that is of the algorithm's kind; iss, aud, azp, nonce,
 * at_hash exactly; exp and iat with a tolerance of 60 s. At most 64 KiB. *why: what was wrong, in a few words without
 * anything out of the token. */
identity_id_token_verdict_t identity_id_token_verify(apr_pool_t *pool, const char *jwks, const char *token,
                                                     const identity_id_token_rules_t *rules,
                                                     identity_vouched_t *vouched, const char **why);
/* A key set as far as it is read; NULL where it is none. */
const json_t *identity_key_set_read(apr_pool_t *pool, const char *text, size_t length);
/* An answer of userinfo: as JSON, or signed as an ID token is, with the rules' iss and aud. */
const json_t *identity_userinfo_read(apr_pool_t *pool, const char *text, size_t length);
identity_id_token_verdict_t identity_userinfo_verify(apr_pool_t *pool, const char *jwks, const char *token,
                                                     size_t length, const identity_id_token_rules_t *rules,
                                                     const json_t **claims, const char **why);
/* Completes what the ID token said of the address by such claims. An address that userinfo judges itself takes the
 * place of the ID token's. False where they are somebody else's. */
bool identity_userinfo_take(apr_pool_t *pool, const json_t *claims, identity_vouched_t *vouched);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* JSON. Part of identity/core.h. */
#ifndef IDENTITY_CORE_JSON_PUBLIC_H
#define IDENTITY_CORE_JSON_PUBLIC_H

#include "identity/core.h"

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

#define IDENTITY_JSON_DEPTH   16
#define IDENTITY_JSON_MEMBERS 4096 /* of all objects of a body together (security 74) */

/* Ties a reference to the pool (json_decref at cleanup) and returns it. NULL stays NULL. */
json_t *identity_json_own(apr_pool_t *pool, json_t *root);
/* Reads a request body strictly: one object, UTF-8, no duplicate keys, no NUL, nesting at most IDENTITY_JSON_DEPTH (the
 * root counts as 1) and at most IDENTITY_JSON_MEMBERS members, both checked before parsing. NULL with *problem
 * BAD_REQUEST otherwise; the message never repeats the body. Owned by pool. */
json_t *identity_json_parse(apr_pool_t *pool, const char *text, size_t length,
                            identity_problem_t *problem);
/* The same for anything else, such as a "line". */
json_t *identity_json_read(apr_pool_t *pool, const char *what, const char *text, size_t length,
                           identity_problem_t *problem);
/* A member to be read from another server's document. */
typedef struct identity_json_member {
    const char *name; /* NULL ends a table; at most 63 bytes of ASCII */
    const struct identity_json_member
        *members; /* of its object, or of the objects in its array; NULL: everything */
} identity_json_member_t;
/* Reads a document from another server (NUL-terminated): an object with those members of the table that are present,
 * parsed as strictly as a request body. All other members need only be JSON of at most 64 levels; they are skipped
 * even if they are duplicated or have unusual numbers or escapes. NULL for anything else. Owned by pool. */
const json_t *identity_json_pick(apr_pool_t *pool, const char *text, size_t length,
                                 const identity_json_member_t *members);
/* Compact text (no spaces, UTF-8 kept, order kept). */
const char *identity_json_text(apr_pool_t *pool, const json_t *value, size_t *length);
/* The same, limited to max bytes: NULL with *length greater than max if it would be longer. */
const char *identity_json_text_within(apr_pool_t *pool, const json_t *value, size_t max,
                                      size_t *length);

/* A string, or null if it is NULL or empty. A new reference. */
json_t *identity_json_text_or_null(const char *text);

/* Writes JSON incrementally, with the same bytes as identity_json_text (json_write.c): for the most frequent
 * answers. The pieces must contain their own commas. */
typedef struct identity_writer {
    apr_pool_t *pool;
    char *text;
    size_t length, size, max;
    bool full; /* more than max was written */
} identity_writer_t;

/* expected: about how long it becomes, so that it need not grow. */
void identity_writer_begin(identity_writer_t *writer, apr_pool_t *pool, size_t expected,
                           size_t max);
/* The NUL-terminated text; NULL if it is full. *length: its length, or more than max. */
const char *identity_writer_end(identity_writer_t *writer, size_t *length);
/* A piece of JSON, unchanged. */
void identity_write_raw(identity_writer_t *writer, const char *piece, size_t size);
#define identity_write_literal(writer, literal)                                                    \
    identity_write_raw(writer, "" literal, sizeof literal - 1)
/* A string, or null if it is NULL. False, with nothing written, if it is not valid UTF-8. */
bool identity_write_text(identity_writer_t *writer, const char *text);
/* A member: its beginning (,"name":) and a string, or null. If the text is not valid UTF-8, the whole member is
 * omitted, as jansson does. */
void identity_write_member(identity_writer_t *writer, const char *beginning, const char *text);
void identity_write_number(identity_writer_t *writer, apr_int64_t number);
/* In the form of identity_time_json. */
void identity_write_time(identity_writer_t *writer, apr_time_t time);

typedef enum {
    IDENTITY_FIELD_STRING,
    IDENTITY_FIELD_BOOLEAN,
    IDENTITY_FIELD_TIME, /* ISO 8601 in seconds */
    IDENTITY_FIELD_ENUM, /* one of values */
    IDENTITY_FIELD_LIST, /* array; items are checked against `items`, or must be strings if that is NULL */
    IDENTITY_FIELD_OBJECT /* object; its members checked against `items` */
} identity_field_type_t;

#define IDENTITY_FIELD_REQUIRED 1u /* absent or null: MISSING_FIELD */
#define IDENTITY_FIELD_NULLABLE 2u /* null is a distinct value; otherwise null counts as absent */
#define IDENTITY_FIELD_SECRET   4u /* never repeated in a message */

typedef struct identity_field {
    const char *name; /* NULL ends a table */
    identity_field_type_t type;
    unsigned flags;
    size_t min, max; /* bytes of a string, or items of a list (max 0: 256 bytes, 500 items) */
    const char *const *values;          /* of an ENUM, NULL-terminated */
    const struct identity_field *items; /* of a LIST's objects or an OBJECT */
    bool (*valid)(const char *text);    /* additional rule for a string, or NULL */
    const char *rule; /* description of that rule, completing "<field> must be ..." */
} identity_field_t;

/* Validates an object against a table: MISSING_FIELD or INVALID_FIELD naming the dotted path. Members that are not
 * in the table are ignored. Required members of an empty object in a LIST are not enforced; that is left to the
 * caller. */
bool identity_fields_check(apr_pool_t *pool, const json_t *object, const identity_field_t *table,
                           identity_problem_t *problem);
/* Shorthands for validated bodies: NULL / fallback if absent or null. */
const char *identity_json_string(const json_t *object, const char *name);
bool identity_json_boolean(const json_t *object, const char *name, bool fallback);
/* Is the member present and not null? */
bool identity_json_has(const json_t *object, const char *name);

#endif

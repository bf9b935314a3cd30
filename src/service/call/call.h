/* SPDX-License-Identifier: Apache-2.0 */
/* A call between the entry point and its answer, and helpers that every resource shares. */
#ifndef IDENTITY_SERVICE_CALL_H
#define IDENTITY_SERVICE_CALL_H

#include <apr_hash.h>
#include <apr_strings.h>

#include "identity/service.h"

typedef struct identity_call identity_call_t;
typedef struct identity_idempotency identity_idempotency_t;

/* ---- routes.def -------------------------------------------------------------------------------------------------- */

typedef enum {
    IDENTITY_CREDENTIAL_NONE, /* public; a credential is ignored */
    IDENTITY_CREDENTIAL_OPTIONAL, /* public; a valid credential extends what is possible, an invalid one is ignored */
    IDENTITY_CREDENTIAL_REQUIRED
} identity_credential_t;

struct identity_route {
    const char *operation;
    const char *method;
    const char *
        pattern; /* /v1/users/{user}; the name in braces is the id's prefix, `invitation` for ids without one */
    identity_credential_t credential;
    const char *permission;       /* NULL: none required, or the handler decides */
    bool self;                    /* not needed on the caller's own record */
    const identity_field_t *body; /* of JSON; NULL: no body is read */
    const identity_field_t
        *form;          /* of application/x-www-form-urlencoded; NULL: forms are not accepted */
    bool body_optional; /* a missing body counts as an empty object */
    bool
        invitations; /* belongs to the invitations interface, which has a header and statuses of its own */
    identity_rate_class_t rate;
    bool
        rate_deferred; /* the client's limit is enforced only after the body has named the account */
    bool (*handler)(identity_call_t *call);
};

#define ROUTE(operation, method, pattern, credential, permission, self, body, rate)                \
    bool identity_op_##operation(identity_call_t *call);
#include "routes.def"
#undef ROUTE

/* ---- a call ------------------------------------------------------------------------------------------------------ */

/* The buckets in which a failure of this call is counted. */
#define IDENTITY_RATELIMIT_BUCKETS 3
typedef struct identity_ratelimit_bucket {
    const char *key;
    identity_rate_t rate;
} identity_ratelimit_bucket_t;
typedef struct identity_ratelimit {
    identity_rate_class_t class;
    identity_ratelimit_bucket_t buckets[IDENTITY_RATELIMIT_BUCKETS];
    int count;
} identity_ratelimit_t;

struct identity_call {
    apr_pool_t *pool;
    const identity_env_t *env;
    const identity_request_t *in;
    identity_response_t *out;
    const identity_route_t *route;
    const identity_principal_t *principal; /* NULL: unauthenticated */
    const char *account_id;         /* the account that the call acts on (x-platform-id), or NULL */
    const char *account_asked;      /* id or reference of the account named in the query, or NULL */
    identity_permset_t permissions; /* effective in this call */
    bool partner;                   /* the caller sees only its own user record */
    const char *
        lacking; /* the missing permission, if that is the problem (RFC 6750: insufficient_scope) */
    const char *id, *inner_id; /* from the path, well-formed; NULL if absent */
    apr_table_t *query;
    bool paged;         /* the query has been parsed for paging */
    bool looked, fresh; /* ... whether what is kept of answers may be used; it may (shared.c) */
    json_t *body;       /* validated; an object */
    bool standard;      /* an OAuth form: answers and errors have the form of RFC 6749 */
    const char *oauth_error; /* the OAuth error code, if the problem's kind does not imply it */
    const char *body_digest; /* SHA-256 of the raw body, if the request has an Idempotency-Key */
    identity_idempotency_t *idempotency; /* NULL: no Idempotency-Key */
    apr_time_t now;
    identity_db_t *db; /* set only inside identity_read and identity_write */
    bool (*recheck)(
        identity_call_t *call); /* run in each write transaction before its work; NULL: none */
    identity_ratelimit_t limit;
    apr_array_header_t *taken; /* of rate limits; NULL: nothing yet (taken.c) */
    identity_problem_t problem;
};

/* Sets the problem and evaluates to false. */
#define identity_deny(call, kind, field, ...)                                                      \
    identity_refuse((call)->pool, &(call)->problem, kind, field, __VA_ARGS__)
/* True for OK; otherwise sets the problem for a database error (503). Callers handle NONE and CONFLICT first. */
bool identity_db_ok(identity_call_t *call, identity_db_status_t status);
/* Are the server's keys loaded? 503 if they cannot be read yet. */
bool identity_call_ready(identity_call_t *call);
/* Refuses an unauthenticated caller: 401, or 503 while nobody can be authenticated. */
bool identity_unauthorised(identity_call_t *call, const char *message);
/* True for OK and NONE; *found tells them apart. */
bool identity_db_found(identity_call_t *call, identity_db_status_t status, bool *found);

/* The work of a POST ends with identity_answer: the transaction of the change also stores the answer for its
 * Idempotency-Key. If a POST with a key has changed something but has not answered by then, it is rolled back (500). */
typedef bool identity_work_t(identity_call_t *call, void *data);
/* Both may run work again if the database gave its transaction up, or its connection was dead from the beginning: up to
 * three times, then 503. Before, the call (its answer, its problem, what it has taken of rate limits) and what data
 * points to are as they were; what data itself points to is not, so work reads again what it changes. */
/* Borrows a connection, runs work, and returns the connection. */
#define identity_read(call, work, data)  identity_read_data(call, work, data, sizeof *(data))
/* The same in one write transaction under the write lock: commits only if work returns true and every statement
 * succeeded. */
#define identity_write(call, work, data) identity_write_data(call, work, data, sizeof *(data))
/* For writes that can be done later: gives up (false, silently) if the write lock is taken. */
#define identity_write_nowait(call, work, data)                                                    \
    identity_write_nowait_data(call, work, data, sizeof *(data))
bool identity_read_data(identity_call_t *call, identity_work_t *work, void *data, size_t size);
bool identity_write_data(identity_call_t *call, identity_work_t *work, void *data, size_t size);
bool identity_write_nowait_data(identity_call_t *call, identity_work_t *work, void *data,
                                size_t size);

/* Runs work for the command line in an entity, without a request, with all permissions. */
#define identity_run_local(pool, env, entity_id, write, work, data, problem)                       \
    identity_run_local_data(pool, env, entity_id, write, work, data, sizeof *(data), problem)
bool identity_run_local_data(apr_pool_t *pool, const identity_env_t *env, const char *entity_id,
                             bool write, identity_work_t *work, void *data, size_t size,
                             identity_problem_t *problem);

/* A call without a request: for authentication, delivery and the command line. */
void identity_call_begin(identity_call_t *call, apr_pool_t *pool, const identity_env_t *env,
                         const identity_request_t *in);
void identity_log(const identity_call_t *call, identity_log_level_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

apr_array_header_t *identity_list_of(apr_pool_t *pool,
                                     const char *only); /* a list with one string */
const char *
identity_call_id(identity_call_t *call,
                 const char *prefix); /* NULL with INTERNAL if the random source fails */
/* Memory and time for an answer grow with its size, and nested roles multiply it. Others may be waiting for the
 * connection held meanwhile. */
#define IDENTITY_ANSWER_MAX      (32 * 1024 * 1024)
#define IDENTITY_ANSWER_HELD_MAX (4 * 1024 * 1024)
/* Serializes an answer; takes the reference. NULL if it would be too large (400, naming `limit` of a page). */
const char *identity_answer_text(identity_call_t *call, json_t *body, size_t *length);
/* Answers with JSON; takes the reference. */
bool identity_answer(identity_call_t *call, int status, json_t *body);
bool identity_answer_empty(identity_call_t *call, int status);
/* 200 with what was written. */
bool identity_answer_written(identity_call_t *call, identity_writer_t *writer);
void identity_header(identity_call_t *call, const char *name, const char *value);

/* ---- the client (client_address.c) ------------------------------------------------------------------------------- */

/* The key under which failures of a client address are counted; NULL: not an address. */
const char *identity_client_counted(apr_pool_t *pool, const char *address);
/* The client's network (/24 for IPv4, /48 for IPv6), or the text itself if it is not an address. */
const char *identity_client_network(identity_call_t *call);
/* The rate limit key of a client address: IPv4 as a whole, IPv6 by its /64. */
const char *identity_client_address(identity_call_t *call);
const char *
identity_user_agent(const identity_call_t *call); /* truncated for storage; "" if absent */
/* The key of rate limits and Idempotency-Keys. */
static inline const char *identity_credential_id(const identity_principal_t *principal)
{
    return principal->key_id ? principal->key_id : principal->id;
}

/* ---- what the call has taken of rate limits (taken.c) ------------------------------------------------------------ */

/* Counts in the bucket and remembers that; the wait until another one is allowed, 0: counted. failure: of a credential,
 * with growing waits; never given back, and once for each bucket of a call. */
apr_interval_time_t identity_taken_count(identity_call_t *call, const char *key,
                                         const identity_rate_t *rate, bool failure);
/* How many times it has counted. */
int identity_taken(const identity_call_t *call);
/* Gives back what was counted from the first of them (0: from the beginning) on. */
void identity_taken_give_back(identity_call_t *call, int first);

/* ---- entity tags (etag.c) ---------------------------------------------------------------------------------------- */

/* Like identity_answer, with an ETag of the representation; 304 for a GET that already has it (If-None-Match). Takes
 * the reference. Every operation must render an object identically, byte by byte. */
bool identity_answer_tagged(identity_call_t *call, int status, json_t *representation);
/* The same for call->out as it is: a body of any type. */
bool identity_tag_answer(identity_call_t *call);
/* Is the request conditional? If not, the object need not be read for it. */
bool identity_conditional(const identity_call_t *call);
/* Checks If-Match (and If-None-Match) against what GET would answer now: true, or 412. Called inside identity_write
 * before the change, so that only one of several requests with the same tag succeeds. Takes the reference. */
bool identity_precondition(identity_call_t *call, json_t *representation);

/* ---- Idempotency-Key (idempotency.c) ----------------------------------------------------------------------------- */

#define IDENTITY_IDEMPOTENCY_KEPT apr_time_from_sec(48 * 3600)
/* Before the handler of a POST. *answered: the stored answer was replayed. False: refused. */
bool identity_idempotency_begin(identity_call_t *call, bool *answered);
/* Inside identity_write, just before COMMIT: stores the answer, which must exist by then. */
bool identity_idempotency_complete(identity_call_t *call);
/* The transaction in which the answer was stored is to be run again. */
void identity_idempotency_unstore(identity_call_t *call);
/* After the handler: stores the answer of a request that changed nothing, or releases the key. Keeps the problem. */
void identity_idempotency_end(identity_call_t *call, bool done);
/* The key to be written to the audit record, or NULL. */
const char *identity_idempotency_key(const identity_call_t *call);
/* May the same request be repeated immediately with the same key? */
bool identity_idempotency_released(const identity_call_t *call);

/* ---- audit (audit_write.c) --------------------------------------------------------------------------------------- */

/* The changes of one operation, field by field, for the audit record. Lives in the call's pool. Equal values are
 * omitted; values of secrets are never recorded. */
typedef struct identity_changes identity_changes_t;
identity_changes_t *identity_changes_make(identity_call_t *call);
/* NULL: no value. */
void identity_changes_add(identity_changes_t *changes, const char *field, const char *from,
                          const char *to);
void identity_changes_add_time(identity_changes_t *changes, const char *field, apr_time_t from,
                               apr_time_t to);
/* Lists of const char *; NULL: empty. Long ones are truncated. */
void identity_changes_add_list(identity_changes_t *changes, const char *field,
                               const apr_array_header_t *from, const apr_array_header_t *to);
void identity_changes_add_json(identity_changes_t *changes, const char *field, json_t *from,
                               json_t *to); /* takes both references */
/* Records only that it changed. */
void identity_changes_add_secret(identity_changes_t *changes, const char *field);
/* Adds every member in which two objects differ; nested ones get dotted names. prefix: "" or "sso.". */
void identity_changes_compare(identity_changes_t *changes, const char *prefix, const json_t *from,
                              const json_t *to);
bool identity_changes_any(const identity_changes_t *changes);
/* "Changed: ..." with field names only: values may be personal data, and the message outlives them. */
const char *identity_changes_message(const identity_changes_t *changes);

typedef struct identity_audit {
    const char *action, *type, *id; /* of the target */
    const char *target_name;        /* NULL: looked up in the database when the record is written */
    const char *entity_id;          /* NULL: the caller's */
    const char *actor;              /* NULL: the caller */
    const identity_account_row_t *account; /* NULL: none */
    const char *message; /* without personal data; NULL: the names of the changed fields */
    const identity_changes_t *changes; /* NULL: none; never NULL without a message */
    bool
        each_minute; /* for events that could be unlimited: one record with a count for each minute and network */
} identity_audit_t;
/* Inside identity_write. */
bool identity_audit(identity_call_t *call, const identity_audit_t *audit);
/* The same once for each account of the memberships (identity_membership_row_t *; NULL or empty: once, without an
 * account), so that the administrators of each account see it. */
bool identity_audit_accounts(identity_call_t *call, const identity_audit_t *audit,
                             const apr_array_header_t *memberships);

/* For audit records. NULL: not there before, or not any more; role ids go with it (array of const char *, or NULL). */
void identity_changes_add_membership(identity_changes_t *changes,
                                     const identity_membership_row_t *from,
                                     const apr_array_header_t *from_roles,
                                     const identity_membership_row_t *to,
                                     const apr_array_header_t *to_roles);
void identity_changes_add_team(identity_changes_t *changes, const identity_team_member_row_t *from,
                               const identity_team_member_row_t *to);

/* ---- fields of a body (body_fields.c) ---------------------------------------------------------------------------- */

/* The canonical form in which the body's `name` (of a role, a team) is compared: 400 if it is empty. */
bool identity_name_compared(identity_call_t *call, const char *name, const char **canonical);
/* The distinct strings of a list in the body. */
apr_array_header_t *identity_body_strings(identity_call_t *call, const char *name);
/* The body's `permissions` without duplicates: 400 naming the position of a malformed one. */
bool identity_permissions_read(identity_call_t *call, apr_array_header_t **list);

/* ---- pages (paging.c) -------------------------------------------------------------------------------------------- */

#define IDENTITY_PAGE_LIMIT     50
#define IDENTITY_PAGE_LIMIT_MAX 500
#define IDENTITY_COUNT_CAP      10000

typedef struct identity_listing {
    identity_page_query_t query; /* limit is one more than the page shows */
    identity_cursor_t cursor;
    apr_int64_t page, limit, total; /* total: -1 beyond the cap, -2 not counted yet */
    apr_array_header_t *rows;
    bool more_before, more_after;
    bool nothing; /* the filter cannot match any row */
    apr_array_header_t
        *before;  /* rows shown before all others, in addition to the limit; NULL: none */
    void *beside; /* data that the collection needs to render the rows */
} identity_listing_t;
/* Reads page, limit, order_by, order_direction, cursor. name_order: the order_by value for IDENTITY_ORDER_NAME, or
 * NULL. The entity is the caller's; without a caller the handler sets it. */
bool identity_page_parse(identity_call_t *call, const char *name_order, identity_listing_t *page);
/* A boolean query parameter: -1 if absent. */
bool identity_query_boolean(identity_call_t *call, const char *name, int *value);
/* Reads the rows (cut to limit) and counts them, if the total is requested and no cursor has it. */
bool identity_page_load(identity_call_t *call, identity_listing_t *page, identity_page_of_t of,
                        bool counted);
/* Used instead if the filter cannot match any row. */
void identity_page_nothing(identity_call_t *call, identity_listing_t *page);
/* The position of a row in the order. name: canonical, for pages ordered by name. */
typedef struct identity_position {
    const char *id, *name;
    apr_time_t created_at;
} identity_position_t;
typedef identity_position_t identity_position_of_t(const void *row);
/* The page object; takes data. */
json_t *identity_page_json(identity_call_t *call, const identity_listing_t *page, json_t *data,
                           identity_position_of_t *position_of);
/* The same written: all but the beginning {"data":[...] */
void identity_page_write(identity_call_t *call, identity_writer_t *writer,
                         const identity_listing_t *page, identity_position_of_t *position_of);
/* For an answer that is a bare array: the prev and next links in a header (RFC 8288). */
void identity_page_header(identity_call_t *call, const identity_listing_t *page,
                          identity_position_of_t *position_of);

/* The parts of a collection's GET that differ. Steps may be NULL; each may refuse. */
typedef bool identity_list_step_t(identity_call_t *call, identity_listing_t *page);
typedef struct identity_collection {
    identity_page_of_t of;
    const char *name_order;       /* see identity_page_parse */
    identity_list_step_t *parse;  /* replaces identity_page_parse */
    identity_list_step_t *filter; /* applies the query's filters */
    identity_list_step_t *narrow; /* ... and reads what they depend on */
    identity_list_step_t *load;   /* reads what belongs to the rows: fills before, beside */
    json_t *(*row_json)(identity_call_t *call, const identity_listing_t *page, const void *row);
    /* Replaces row_json where speed matters: writes the row, of about this length. The collection must have a page
     * object. */
    void (*row_write)(identity_call_t *call, identity_writer_t *writer,
                      const identity_listing_t *page, const void *row);
    size_t row_length;
    identity_position_of_t *position_of;
    /* Replaces the page object; takes data, the rows as an array. A total that it does not show is not counted. */
    bool (*answer)(identity_call_t *call, const identity_listing_t *page, json_t *data);
} identity_collection_t;
/* Answers with a page of the collection. */
bool identity_collection_list(identity_call_t *call, const identity_collection_t *collection);
/* Ids of the rows of a page; each row is a struct that begins with its id. */
apr_array_header_t *identity_row_ids(apr_pool_t *pool, const apr_array_header_t *rows);

/* ---- what others have changed (follow.c) --------------------------------------------------------------------------
 */

/* A look at the table `changes`, from where the last one ended. */
typedef struct identity_look {
    identity_change_feed_t from, to;
    apr_array_header_t *rows; /* of identity_change_row_t *; the first one was read before */
    identity_change_row_t *last;
} identity_look_t;
void identity_look_begin(const identity_env_t *env, identity_look_t *look);
bool identity_look_read(identity_call_t *call, identity_look_t *look);
/* Counts in the revisions what it found, and remembers how far that is. look->last must be there. */
void identity_look_end(const identity_env_t *env, identity_look_t *look);
/* Are all changes up to that one counted in the revisions? Where they are not yet, and ask for no more than that, it
 * counts them. False, and no problem, where they are not; false with the problem for a fault of the database. Reads. */
bool identity_followed_to(identity_call_t *call, apr_int64_t sequence);

/* ---- what many answers show alike (shared.c) ----------------------------------------------------------------------
 */

typedef enum {
    IDENTITY_SHARED_ROLE,
    IDENTITY_SHARED_ACCOUNT,
    IDENTITY_SHARED_TEAM,
    IDENTITY_SHARED_ASSIGNMENTS, /* of a user */
    IDENTITY_SHARED_COUNT        /* of users of an entity */
} identity_shared_kind_t;
/* As of when something was read, what ends it, and how long it is good at most. */
typedef struct identity_shared_age {
    apr_uint64_t began; /* identity_revisions_begin, before it was read */
    const char *ids[IDENTITY_STAMP_IDS];
    apr_interval_time_t lasts;
} identity_shared_age_t;
/* Before any of them is asked for, in a read: as of which change of the database (identity_change_sequence; 0: that is
 * read here), and sets age->began. False for a fault of the database. */
bool identity_shared_begin(identity_call_t *call, apr_int64_t sequence, identity_shared_age_t *age);
/* The text of that kind and id, or NULL; lives as long as the call's pool. */
const char *identity_shared_get(identity_call_t *call, identity_shared_kind_t kind, const char *id,
                                size_t *length);
/* Keeps it, where that can be. */
void identity_shared_keep(identity_call_t *call, identity_shared_kind_t kind, const char *id,
                          const identity_shared_age_t *age, const char *text, size_t length);

/* ---- keys to seal with (sealing.c) ------------------------------------------------------------------------------- */

#define IDENTITY_SEAL_OUTBOX                                                                       \
    "outbox" /* labels from which sealing keys are derived: links in the outbox */
#define IDENTITY_SEAL_ANSWER "idempotency"        /* ... stored answers */
#define IDENTITY_SEAL_DIGEST "idempotency-digest" /* ... digests of requests */
/* The key derived for that label from the signing key named by kid; false if that key has been removed. */
bool identity_sealing_key(const identity_call_t *call, const char *kid, const char *purpose,
                          unsigned char key[32]);

/* ---- what one sandbox, and all of them together, may take of a database ------------------------------------------ */

#define IDENTITY_SANDBOXES           100
#define IDENTITY_SANDBOX_CHANGES     1000
#define IDENTITY_SANDBOX_INVITATIONS 50

#endif

/* A call on its way from the entry point to its answer, and what every resource shares. */
#ifndef IDENTITY_SERVICE_CALL_H
#define IDENTITY_SERVICE_CALL_H

#include <apr_hash.h>
#include <apr_strings.h>

#include "identity/service.h"

typedef struct identity_call identity_call_t;
typedef struct identity_idempotency identity_idempotency_t;

/* ---- routes.def -------------------------------------------------------------------------------------------------- */

typedef enum {
    IDENTITY_CREDENTIAL_NONE,     /* public; a credential that is sent is not looked at */
    IDENTITY_CREDENTIAL_OPTIONAL, /* public; a valid one adds to what can be done, a bad one counts as none */
    IDENTITY_CREDENTIAL_REQUIRED
} identity_credential_t;

struct identity_route {
    const char *operation;
    const char *method;
    const char *pattern; /* /v1/users/{user}; the name in braces is the id's prefix, `invitation` for ids without one */
    identity_credential_t credential;
    const char *permission;       /* NULL: none is needed, or the handler decides */
    bool self;                    /* not needed on the caller's own record */
    const identity_field_t *body; /* of JSON; NULL: none is read */
    const identity_field_t *form; /* of application/x-www-form-urlencoded; NULL: none is taken */
    bool body_optional;           /* none at all counts as an empty object */
    bool invitations;             /* of the invitations interface, with its header and its statuses */
    identity_rate_class_t rate;
    bool rate_deferred; /* who is turned away is found out once the body has told the account */
    bool (*handler)(identity_call_t *call);
};

#define ROUTE(operation, method, pattern, credential, permission, self, body, rate)                                    \
    bool identity_op_##operation(identity_call_t *call);
#include "routes.def"
#undef ROUTE

/* ---- a call ------------------------------------------------------------------------------------------------------ */

/* The counters that a failure of this call would be counted by. */
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
    const identity_principal_t *principal; /* NULL: nobody */
    const char *account_id;                /* that the call acts on (x-platform-id), or NULL */
    const char *account_asked;             /* id or reference of the one that the query asks about, or NULL */
    identity_permset_t permissions;        /* that hold in this call */
    bool partner;                          /* sees no user but itself */
    const char *lacking;                   /* the permission whose lack is the problem (RFC 6750: insufficient_scope) */
    const char *id, *inner_id;             /* of the path, well-formed; NULL without one */
    apr_table_t *query;
    bool paged;              /* limit was read */
    bool looked, fresh;      /* ... whether what is kept of answers may be used; it may (shared.c) */
    json_t *body;            /* checked; an object */
    bool standard;           /* a form of OAuth, answered as RFC 6749 has it, refusals too */
    const char *oauth_error; /* what a refusal is called there, where the problem's kind alone does not tell */
    const char *body_digest; /* SHA-256 of its bytes, where an Idempotency-Key came with it */
    identity_idempotency_t *idempotency; /* NULL: no Idempotency-Key */
    apr_time_t now;
    identity_db_t *db;                      /* only inside identity_read and identity_write */
    bool (*recheck)(identity_call_t *call); /* in each write transaction, before its work; NULL: none */
    identity_ratelimit_t limit;
    identity_problem_t problem;
};

/* Sets the problem and is false. */
#define identity_deny(call, kind, field, ...) identity_refuse((call)->pool, &(call)->problem, kind, field, __VA_ARGS__)
/* True for OK; else the problem that a fault of the database is (503). NONE and CONFLICT must have been looked at
 * before. */
bool identity_db_ok(identity_call_t *call, identity_db_status_t status);
/* Does the server have its keys? 503 where they cannot be read yet. */
bool identity_call_ready(identity_call_t *call);
/* Refuses a caller of whom nothing is known: 401, or 503 while nobody can be known. */
bool identity_unauthorised(identity_call_t *call, const char *message);
/* True for OK and NONE; *found tells which. */
bool identity_db_found(identity_call_t *call, identity_db_status_t status, bool *found);

/* The work of a POST ends in its identity_answer: the answer to an Idempotency-Key is stored by the transaction that
 * makes the change. A change of a POST that came with a key and has no answer by then is rolled back (500). */
typedef bool identity_work_t(identity_call_t *call, void *data);
/* Borrows a connection, runs work, gives it back. */
bool identity_read(identity_call_t *call, identity_work_t *work, void *data);
/* The same in one write transaction, behind the writers' gate: COMMIT only where work is true and every statement
 * succeeded. */
bool identity_write(identity_call_t *call, identity_work_t *work, void *data);

/* Work of the command line in an entity, without a request: as its owner. */
bool identity_run_local(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, bool write,
                        identity_work_t *work, void *data, identity_problem_t *problem);

/* For what may be written another time: where others write just now it is left out (false). Says nothing. */
bool identity_write_nowait(identity_call_t *call, identity_work_t *work, void *data);

/* A call of our own making: for authentication, delivery and the command line. */
void identity_call_begin(identity_call_t *call, apr_pool_t *pool, const identity_env_t *env,
                         const identity_request_t *in);
void identity_log(const identity_call_t *call, identity_log_level_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

apr_array_header_t *identity_list_of(apr_pool_t *pool, const char *only); /* a list of one text */
const char *identity_call_id(identity_call_t *call, const char *prefix);  /* NULL with INTERNAL on a random fault */
/* An answer takes memory and time by its size, and roles within roles multiply. While a connection is held, others may
 * be waiting for it. */
#define IDENTITY_ANSWER_MAX      (32 * 1024 * 1024)
#define IDENTITY_ANSWER_HELD_MAX (4 * 1024 * 1024)
/* The text of an answer; takes the reference. NULL where it would be too large (400, naming `limit` of a page). */
const char *identity_answer_text(identity_call_t *call, json_t *body, size_t *length);
/* Answers with JSON; takes the reference. */
bool identity_answer(identity_call_t *call, int status, json_t *body);
bool identity_answer_empty(identity_call_t *call, int status);
/* 200 with what was written. */
bool identity_answer_written(identity_call_t *call, identity_writer_t *writer);
void identity_header(identity_call_t *call, const char *name, const char *value);

/* ---- the client (client_address.c) ------------------------------------------------------------------------------- */

/* How failures of a client address are counted; NULL: it is no address. */
const char *identity_client_counted(apr_pool_t *pool, const char *address);
/* The client's network (IPv4: its /24, IPv6: its /48), or the text that is no address. */
const char *identity_client_network(identity_call_t *call);
/* What a client address is counted by: IPv4 whole, IPv6 by its /64. */
const char *identity_client_address(identity_call_t *call);
const char *identity_user_agent(const identity_call_t *call); /* as far as it is kept; "" without one */
/* What limits and Idempotency-Keys count by. */
static inline const char *identity_credential_id(const identity_principal_t *principal)
{
    return principal->key_id ? principal->key_id : principal->id;
}

/* ---- entity tags (etag.c) ---------------------------------------------------------------------------------------- */

/* Answers as identity_answer does, with the ETag of what is answered; to a GET that has it already (If-None-Match) with
 * 304. Takes the reference. What one operation shows of a thing must be what every other shows of it, byte by byte. */
bool identity_answer_tagged(identity_call_t *call, int status, json_t *representation);
/* The same with what call->out holds already: a body of any type. */
bool identity_tag_answer(identity_call_t *call);
/* Does the request make a condition at all? If not there is no need to read for it. */
bool identity_conditional(const identity_call_t *call);
/* Holds If-Match (and If-None-Match) against what GET would answer now: true, or 412. Asked inside identity_write
 * before the change, so that of several requests with one tag one is carried out. Takes the reference. */
bool identity_precondition(identity_call_t *call, json_t *representation);

/* ---- Idempotency-Key (idempotency.c) ----------------------------------------------------------------------------- */

#define IDENTITY_IDEMPOTENCY_KEPT apr_time_from_sec(48 * 3600)
/* Before the handler of a POST: *answered where the stored answer was given again. False: refused. */
bool identity_idempotency_begin(identity_call_t *call, bool *answered);
/* Inside identity_write, just before COMMIT: stores the answer, which must have been made by then. */
bool identity_idempotency_complete(identity_call_t *call);
/* After the handler: stores the answer of what changed nothing, or gives the key free again. Keeps the problem. */
void identity_idempotency_end(identity_call_t *call, bool done);
/* The key that goes into the audit record, or NULL. */
const char *identity_idempotency_key(const identity_call_t *call);
/* May the same request be sent again at once with the same key? */
bool identity_idempotency_released(const identity_call_t *call);

/* ---- audit (audit_write.c) --------------------------------------------------------------------------------------- */

/* What a change changed, field by field, as the audit record reports it. Lives in the call's pool. Values that are
 * equal are left out; those of secrets are never given. */
typedef struct identity_changes identity_changes_t;
identity_changes_t *identity_changes_make(identity_call_t *call);
/* NULL: there is none. */
void identity_changes_add(identity_changes_t *changes, const char *field, const char *from, const char *to);
void identity_changes_add_time(identity_changes_t *changes, const char *field, apr_time_t from, apr_time_t to);
/* Lists of const char *; NULL: empty. A long one is cut. */
void identity_changes_add_list(identity_changes_t *changes, const char *field, const apr_array_header_t *from,
                               const apr_array_header_t *to);
void identity_changes_add_json(identity_changes_t *changes, const char *field, json_t *from,
                               json_t *to); /* takes both references */
/* Only that it changed. */
void identity_changes_add_secret(identity_changes_t *changes, const char *field);
/* Every member in which two objects differ, objects within them by dotted names; prefix: "" or "sso.". */
void identity_changes_compare(identity_changes_t *changes, const char *prefix, const json_t *from, const json_t *to);
bool identity_changes_any(const identity_changes_t *changes);
/* "Changed: ..." with the names of the fields only: values may be personal, and the message outlives them. */
const char *identity_changes_message(const identity_changes_t *changes);

typedef struct identity_audit {
    const char *action, *type, *id;        /* of the target */
    const char *target_name;               /* NULL: what the database has for id when the record is written */
    const char *entity_id;                 /* NULL: the caller's */
    const char *actor;                     /* NULL: the caller */
    const identity_account_row_t *account; /* NULL where none */
    const char *message;                   /* without personal data; NULL: the names of the changed fields */
    const identity_changes_t *changes;     /* NULL where none; never NULL without a message */
    bool each_minute; /* what may come without end: one record a minute for all alike from one network, with a count */
} identity_audit_t;
/* Inside identity_write. */
bool identity_audit(identity_call_t *call, const identity_audit_t *audit);
/* The same for each account of the memberships (identity_membership_row_t *; NULL or empty: once, for none), so that
 * whoever looks after one of them finds it there. */
bool identity_audit_accounts(identity_call_t *call, const identity_audit_t *audit,
                             const apr_array_header_t *memberships);

/* For audit records. NULL: none yet, or none any more; role ids beside it (array of const char *, or NULL). */
void identity_changes_add_membership(identity_changes_t *changes, const identity_membership_row_t *from,
                                     const apr_array_header_t *from_roles, const identity_membership_row_t *to,
                                     const apr_array_header_t *to_roles);
void identity_changes_add_team(identity_changes_t *changes, const identity_team_member_row_t *from,
                               const identity_team_member_row_t *to);

/* ---- fields of a body (body_fields.c) ---------------------------------------------------------------------------- */

/* The form by which the body's `name` (of a role, a team) is compared: 400 where nothing of it is left. */
bool identity_name_compared(identity_call_t *call, const char *name, const char **canonical);
/* The strings of a list of the body, each once. */
apr_array_header_t *identity_body_strings(identity_call_t *call, const char *name);
/* The body's `permissions`, each once: 400 naming the position of a malformed one. */
bool identity_permissions_read(identity_call_t *call, apr_array_header_t **list);

/* ---- pages (paging.c) -------------------------------------------------------------------------------------------- */

#define IDENTITY_PAGE_LIMIT     50
#define IDENTITY_PAGE_LIMIT_MAX 500
#define IDENTITY_COUNT_CAP      10000

typedef struct identity_listing {
    identity_page_query_t query; /* limit is one more than is shown */
    identity_cursor_t cursor;
    apr_int64_t page, limit, total; /* total: -1 past the cap, -2 not counted yet */
    apr_array_header_t *rows;
    bool more_before, more_after;
    bool nothing;               /* no row can meet what is asked for */
    apr_array_header_t *before; /* rows that stand in front of all, beyond the limit; NULL: none */
    void *beside;               /* what a collection needs to tell of the rows */
} identity_listing_t;
/* Reads page, limit, order_by, order_direction, cursor. name_order: what order_by calls IDENTITY_ORDER_NAME, or NULL.
 * The entity is the caller's; without a caller the handler sets it. */
bool identity_page_parse(identity_call_t *call, const char *name_order, identity_listing_t *page);
/* A boolean of the query: -1 absent. */
bool identity_query_boolean(identity_call_t *call, const char *name, int *value);
/* Reads the rows (cut to limit) and, where that is asked for and no cursor knows it, counts them. */
bool identity_page_load(identity_call_t *call, identity_listing_t *page, identity_page_of_t of, bool counted);
/* Instead of it, where no row can meet what is asked for. */
void identity_page_nothing(identity_call_t *call, identity_listing_t *page);
/* Where a row of rows stands in the order; name: canonical, where pages may be by name. */
typedef struct identity_position {
    const char *id, *name;
    apr_time_t created_at;
} identity_position_t;
typedef identity_position_t identity_position_of_t(const void *row);
/* The wrapper; takes data. */
json_t *identity_page_json(identity_call_t *call, const identity_listing_t *page, json_t *data,
                           identity_position_of_t *position_of);
/* The same written: all but the beginning {"data":[...] */
void identity_page_write(identity_call_t *call, identity_writer_t *writer, const identity_listing_t *page,
                         identity_position_of_t *position_of);
/* For an answer that is a bare array: the same links in a header (RFC 8288), prev and next. */
void identity_page_header(identity_call_t *call, const identity_listing_t *page, identity_position_of_t *position_of);

/* What GET of a collection does of its own. Steps may be NULL; each may refuse. */
typedef bool identity_list_step_t(identity_call_t *call, identity_listing_t *page);
typedef struct identity_collection {
    identity_page_of_t of;
    const char *name_order;       /* see identity_page_parse */
    identity_list_step_t *parse;  /* in place of it */
    identity_list_step_t *filter; /* what the query asks for */
    identity_list_step_t *narrow; /* ... and what has to be read before that is known */
    identity_list_step_t *load;   /* of the rows' own: into before, beside */
    json_t *(*row_json)(identity_call_t *call, const identity_listing_t *page, const void *row);
    /* In the place of row_json, where it is asked for often: written, about so long. Such a one has a wrapper. */
    void (*row_write)(identity_call_t *call, identity_writer_t *writer, const identity_listing_t *page,
                      const void *row);
    size_t row_length;
    identity_position_of_t *position_of;
    /* In place of the wrapper; takes data, the rows as an array. What it does not show is not counted. */
    bool (*answer)(identity_call_t *call, const identity_listing_t *page, json_t *data);
} identity_collection_t;
/* Answers with a page of it. */
bool identity_collection_list(identity_call_t *call, const identity_collection_t *collection);
/* Ids of the rows of a page, each a struct that begins with it. */
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
const char *identity_shared_get(identity_call_t *call, identity_shared_kind_t kind, const char *id, size_t *length);
/* Keeps it, where that can be. */
void identity_shared_keep(identity_call_t *call, identity_shared_kind_t kind, const char *id,
                          const identity_shared_age_t *age, const char *text, size_t length);

/* ---- keys to seal with (sealing.c) ------------------------------------------------------------------------------- */

#define IDENTITY_SEAL_OUTBOX "outbox"             /* what the key that seals links on their way is derived for */
#define IDENTITY_SEAL_ANSWER "idempotency"        /* ... stored answers */
#define IDENTITY_SEAL_DIGEST "idempotency-digest" /* ... digests of requests */
/* The key derived for a purpose from the signing key named by kid; false where that is not among the keys any more. */
bool identity_sealing_key(const identity_call_t *call, const char *kid, const char *purpose, unsigned char key[32]);

/* ---- what one sandbox, and all of them together, may take of a database ------------------------------------------ */

#define IDENTITY_SANDBOXES           100
#define IDENTITY_SANDBOX_CHANGES     1000
#define IDENTITY_SANDBOX_INVITATIONS 50

#endif

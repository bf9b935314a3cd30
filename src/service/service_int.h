/* Inside the service room: a call on its way from the door to its answer, and what the resources share. */
#ifndef IDENTITY_SERVICE_INT_H
#define IDENTITY_SERVICE_INT_H

#include <apr_hash.h>
#include <apr_strings.h>

#include "identity/service.h"

typedef struct identity_call identity_call_t;
typedef struct identity_once identity_once_t;

/* ---- routes.def ------------------------------------------------------------------------------------------------- */

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

#define ROUTE(operation, method, pattern, credential, permission, self, body, rate, handler)                           \
    bool handler(identity_call_t *call);
#include "routes.def"
#undef ROUTE

extern const identity_route_t identity_routes[];
extern const int identity_route_count;
/* Names of the query parameters that it takes, with a blank between; NULL where it ignores what it does not know
 * (queries.def). */
const char *identity_route_query(const identity_route_t *route);

/* ---- a call ----------------------------------------------------------------------------------------------------- */

/* The counters that a failure of this call would be counted by. */
#define IDENTITY_LIMIT_BOUNDS 3
typedef struct identity_limit_bound {
    const char *key;
    identity_rate_t rate;
} identity_limit_bound_t;
typedef struct identity_limit {
    identity_rate_class_t class;
    identity_limit_bound_t bounds[IDENTITY_LIMIT_BOUNDS];
    int count;
} identity_limit_t;

struct identity_call {
    apr_pool_t *pool;
    const identity_env_t *env;
    const identity_request_t *in;
    identity_response_t *out;
    const identity_route_t *route;
    const identity_principal_t *who; /* NULL: nobody */
    const char *account_id;          /* that the call acts on (x-platform-id), or NULL */
    const char *account_asked;       /* id or reference of the one that the query asks about, or NULL */
    identity_permset_t permissions;  /* that hold in this call */
    bool partner;                    /* sees no user but itself */
    const char *lacking;             /* the permission whose lack is the problem (RFC 6750: insufficient_scope) */
    const char *id, *inner_id;       /* of the path, well-formed; NULL without one */
    apr_table_t *query;
    bool paged;              /* limit was read */
    json_t *body;            /* checked; an object */
    bool standard;           /* a form of OAuth, answered as RFC 6749 has it, refusals too */
    const char *oauth_error; /* what a refusal is called there, where the problem's kind alone does not tell */
    const char *body_digest; /* SHA-256 of its bytes, where an Idempotency-Key came with it */
    identity_once_t *once;   /* NULL: no Idempotency-Key */
    apr_time_t now;
    identity_db_t *db; /* only inside identity_read and identity_write */
    identity_limit_t limit;
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

/* May a hash that another program made be a user's? The reason never repeats it. */
bool identity_hash_importable(apr_pool_t *pool, const char *hash, const identity_hash_parameters_t *parameters,
                              identity_problem_t *problem);

/* Work of the command line in an entity, without a request: as its owner. */
bool identity_run_local(apr_pool_t *pool, const identity_env_t *env, const char *entity_id, bool write,
                        identity_work_t *work, void *data, identity_problem_t *problem);
bool identity_reference_valid(const char *reference);
/* What the command line may write into entities and accounts: each false with the problem. */
bool identity_local_reference(identity_call_t *call, const char *reference);
bool identity_local_label(identity_call_t *call, const char *field, const char *text);
bool identity_local_environment(identity_call_t *call, const char *environment);
bool identity_local_type(identity_call_t *call, const char *code);

/* For what may be written another time: where others write just now it is left out (false). Says nothing. */
bool identity_write_aside(identity_call_t *call, identity_work_t *work, void *data);

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
void identity_header(identity_call_t *call, const char *name, const char *value);

/* ---- rate limits (limit.c) -------------------------------------------------------------------------------------- */
/* All are true where the call may go on; else the problem is 429 with the seconds to wait. */

/* By the route's class, before its permission is asked: counts invite, read, write; looks at the address's counter of
 * login, token. */
bool identity_limit_enter(identity_call_t *call);
/* login, token: a handler says whose account is meant (canonical user name, or an id; NULL: nobody's), as soon as it
 * knows and before it looks at any secret. A handler of the class login must call it. */
bool identity_limit_account(identity_call_t *call, const char *account);
/* ... and what became of it: the secret was wrong (counted, and logged; afterwards the problem is the caller's to set),
 * or right, before anything follows from that. */
bool identity_limit_failed(identity_call_t *call);
bool identity_limit_passed(identity_call_t *call);
/* The client has shown to be this account (canonical user name) itself: strangers cannot keep its address out. */
void identity_limit_proved(identity_call_t *call, const char *account);
/* Forgets the failures that were counted against an account (canonical user name, or id for its own password), or,
 * where that is "", of a client (identity_client_counted). */
void identity_limit_unlock(identity_call_t *call, const char *client, const char *account);
/* How failures of a client address are counted; NULL: it is no address. */
const char *identity_client_counted(apr_pool_t *pool, const char *address);
/* Outside of a route: both steps of a login with a password. */
bool identity_limit_password(identity_call_t *call, const char *account);
/* The client's network (IPv4: its /24, IPv6: its /48), or the text that is no address. */
const char *identity_client_network(identity_call_t *call);
/* Instead of identity_limit_account, for who is signed in and has to show its password once more. */
bool identity_limit_self(identity_call_t *call);
/* Counts one of the class by what: an address, a credential. */
bool identity_limit_take(identity_call_t *call, identity_rate_class_t class, const char *what);
/* A mail to this address is asked for: counted by it, and a hundred times as many by client. */
bool identity_limit_reset(identity_call_t *call, const char *address);
/* A person asks for another address: a mail to that address, at the wish of this person. 429 where there were too many
 * of either. */
bool identity_limit_change(identity_call_t *call, const char *user_id, const char *address);
/* A mail of whatever kind goes to this address, which is counted; false, and nothing denied, where there were too many.
 */
bool identity_limit_mail(identity_call_t *call, const char *address);
/* The same of a notice: counted apart, so that nobody who has other mails sent to it keeps an address from its notices.
 */
bool identity_limit_notice(identity_call_t *call, const char *address);
/* ---- entity tags (etag.c) --------------------------------------------------------------------------------------- */

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

/* ---- Idempotency-Key (idempotency.c) ---------------------------------------------------------------------------- */

#define IDENTITY_ONCE_KEPT apr_time_from_sec(48 * 3600)
/* Before the handler of a POST: *answered where the stored answer was given again. False: refused. */
bool identity_once_begin(identity_call_t *call, bool *answered);
/* Inside identity_write, just before COMMIT: stores the answer, which must have been made by then. */
bool identity_once_store(identity_call_t *call);
/* After the handler: stores the answer of what changed nothing, or gives the key free again. Keeps the problem. */
void identity_once_end(identity_call_t *call, bool done);
/* The key that goes into the audit record, or NULL. */
const char *identity_once_key(const identity_call_t *call);
/* May the same request be sent again at once with the same key? */
bool identity_once_free(const identity_call_t *call);

/* ---- audit (audit_write.c) -------------------------------------------------------------------------------------- */

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

/* ---- permissions ------------------------------------------------------------------------------------------------ */

/* A user with what it holds now. The user must be ACTIVE. */
bool identity_principal_of_user(identity_call_t *call, const identity_user_row_t *user, identity_principal_t **who);
/* NULL: of a personal key whose owner is not ACTIVE. */
bool identity_principal_of_key(identity_call_t *call, const identity_key_row_t *key, identity_principal_t **who);
/* The permissions that narrow a key (array of const char *; empty where it is not narrowed). Reads. */
bool identity_key_narrowing(identity_call_t *call, const identity_key_row_t *key, apr_array_header_t **names);
/* What the key holds in each account of its entity, into an empty set. */
void identity_key_holds(identity_call_t *call, const identity_key_row_t *key, const apr_array_header_t *names,
                        identity_permset_t *set);
/* What the caller holds in the account that the call acts on (or in all of its accounts alike): call->permissions,
 * account_id, partner. */
bool identity_permissions_select(identity_call_t *call);
/* The same of a caller that was read once more, without a connection of its own. */
bool identity_permissions_again(identity_call_t *call);
/* Does call->permissions have the route's, or is it the caller's own record? 403 otherwise. */
bool identity_permission_held(identity_call_t *call);
/* In a write transaction that has begun: does the caller's credential still hold, and what may it do now, where that
 * has changed since it was shown? 401, 403. No statement where nothing has. */
bool identity_caller_recheck(identity_call_t *call);
/* Does who hold all of want in the account? */
bool identity_principal_covers(const identity_principal_t *who, const char *account_id, const identity_permset_t *want);
/* In every account of the entity. Reads. */
bool identity_principal_covers_entity(identity_call_t *call, const identity_permset_t *want, bool *covers);
/* Every permission in every account of the entity, and there is one: what is asked for where something grants nothing.
 * No PARTNER does. Reads. */
bool identity_principal_holds_everything(identity_call_t *call, const identity_principal_t *who, bool *holds);
/* Denies to a caller who does not. what: what takes it, as a sentence begins: "A link for somebody". */
bool identity_needs_everything(identity_call_t *call, const char *what);
bool identity_principal_is_partner(const identity_principal_t *who, const char *account_id);

/* ---- memberships, teams and roles of many owners at once -------------------------------------------------------- */

#define IDENTITY_ROLE_DEPTH 2 /* levels of roles within a role; the closures of sql.def go as deep */

typedef struct identity_roles {
    apr_hash_t *rows;                              /* role id -> identity_role_row_t */
    apr_hash_t *children;                          /* role id -> array of const char * */
    apr_hash_t *permissions;                       /* role id -> identity_permset_t, own permissions only */
    apr_hash_t *rendered[IDENTITY_ROLE_DEPTH + 1]; /* role id -> json_t, by depth */
    apr_hash_t *embedded[IDENTITY_ROLE_DEPTH + 1]; /* the same, as memberships have it */
} identity_roles_t;
/* Reads the closure of the ids: three statements at most. */
bool identity_roles_load(identity_call_t *call, const apr_array_header_t *ids, identity_roles_t **roles);
/* Adds what a role and its children grant. */
void identity_roles_add_permissions(identity_call_t *call, const identity_roles_t *roles, const char *id,
                                    identity_permset_t *set);
/* New reference; levels of child_roles to show, 0 for none. */
json_t *identity_role_json(identity_call_t *call, identity_roles_t *roles, const char *id, int levels);
/* As it stands in a membership: without slug and permissions, which the published interface does not have. */
json_t *identity_embedded_role_json(identity_call_t *call, identity_roles_t *roles, const char *id);

typedef struct identity_holdings {
    apr_hash_t *memberships;      /* owner id -> array of identity_membership_row_t * */
    apr_hash_t *membership_roles; /* membership id -> array of const char * */
    apr_hash_t *teams;            /* owner id -> array of identity_team_member_row_t * */
    apr_hash_t *team_memberships; /* team id -> array of identity_membership_row_t * */
    identity_roles_t *roles;
} identity_holdings_t;
/* Reads what the owners hold, in a number of statements that does not grow with them. */
bool identity_holdings_load(identity_call_t *call, identity_owner_t owner, const apr_array_header_t *owner_ids,
                            identity_holdings_t **holdings);
/* The same of one. */
bool identity_holdings_of(identity_call_t *call, identity_owner_t owner, const char *owner_id,
                          identity_holdings_t **holdings);
bool identity_user_holdings(identity_call_t *call, const identity_user_row_t *user, identity_holdings_t **holdings);
/* NULL where there are none. */
apr_array_header_t *identity_held_memberships(const identity_holdings_t *holdings, const char *owner_id);
apr_array_header_t *identity_held_teams(const identity_holdings_t *holdings, const char *owner_id);
apr_array_header_t *identity_held_team_memberships(const identity_holdings_t *holdings, const char *team_id);
apr_array_header_t *identity_held_role_ids(const identity_holdings_t *holdings, const char *membership_id);
/* The one of that account among memberships (may be NULL), or NULL. */
identity_membership_row_t *identity_membership_in(const apr_array_header_t *memberships, const char *account_id);
json_t *identity_memberships_json(identity_call_t *call, identity_holdings_t *holdings, const char *owner_id);
json_t *identity_teams_json(identity_call_t *call, identity_holdings_t *holdings, const char *owner_id);
json_t *identity_membership_json(identity_call_t *call, const char *id, const identity_account_row_t *account,
                                 identity_member_type_t type, const apr_array_header_t *role_ids,
                                 identity_roles_t *roles);
json_t *identity_user_json(identity_call_t *call, const identity_user_row_t *user, identity_holdings_t *holdings);

/* Each set of permissions that the memberships (identity_membership_row_t *, of the holdings; NULL: none) give, with
 * its source as identity_user_explain has it: of a membership itself (all for ADMIN, else nothing), then of its roles.
 * team: name of the one that gives them, or NULL. The source is the pool's. */
typedef void identity_source_each_t(identity_call_t *call, void *data, const identity_account_row_t *account,
                                    const identity_permset_t *set, json_t *source);
void identity_sources_of(identity_call_t *call, const identity_holdings_t *holdings, const apr_array_header_t *rows,
                         const char *team, identity_source_each_t *each, void *data);

/* For audit records. NULL: none yet, or none any more; role ids beside it (array of const char *, or NULL). */
void identity_changes_add_membership(identity_changes_t *changes, const identity_membership_row_t *from,
                                     const apr_array_header_t *from_roles, const identity_membership_row_t *to,
                                     const apr_array_header_t *to_roles);
void identity_changes_add_team(identity_changes_t *changes, const identity_team_member_row_t *from,
                               const identity_team_member_row_t *to);

/* ---- memberships in a body -------------------------------------------------------------------------------------- */

typedef struct identity_wanted {
    apr_array_header_t *memberships;                /* of identity_membership_row_t *, id and owner_id not set yet */
    apr_array_header_t *role_ids;                   /* beside them: array of const char * each */
    apr_array_header_t *teams;                      /* of identity_team_member_row_t * */
    apr_array_header_t *positions, *team_positions; /* of int: where in the body's lists they stood */
    const apr_array_header_t *present_role_ids;     /* set before: roles of the membership that is changed, or NULL */
} identity_wanted_t;
/* Resolves account_memberships and team_memberships of the body within the entity and checks that the caller may grant
 * them: 400 naming the position, 403. */
bool identity_wanted_read(identity_call_t *call, identity_wanted_t *wanted);
/* The same where the body itself is one membership of that list (account_memberships, team_memberships): a problem
 * names its fields without the list. */
bool identity_wanted_read_one(identity_call_t *call, const char *list, identity_wanted_t *wanted);
/* The owner has no membership of the account yet: 409. */
bool identity_membership_absent(identity_call_t *call, const identity_holdings_t *holdings, const char *owner_id,
                                const char *account_id);
/* Ends the membership that the path names (inner_id) of the owner that it names (id), whose holdings these are, and
 * puts it on record in its account: 404, 403, 409 for the last administrator. Inside identity_write. */
bool identity_membership_end(identity_call_t *call, identity_owner_t owner, const identity_holdings_t *holdings,
                             identity_audit_t *audit);
/* Nothing yet: what a handler puts together itself. */
void identity_wanted_make(identity_call_t *call, identity_wanted_t *wanted);
/* All of them, as given. */
void identity_changes_add_wanted(identity_changes_t *changes, const identity_wanted_t *wanted);
/* Writes them for the owner, with new ids. */
bool identity_wanted_write(identity_call_t *call, identity_owner_t owner, const char *owner_id,
                           const identity_wanted_t *wanted);
extern const identity_field_t identity_membership_fields[], identity_team_member_fields[];

/* ---- delegation: what one may give, take, and whom one may act on (delegation.c) -------------------------------- */

/* All of these are true where it is allowed; else the problem is set, 403 but for a fault. They read, inside the
 * transaction that makes the change, so that what is judged is what is changed. */

/* May the caller give all that was asked for? Names the position. */
bool identity_may_grant(identity_call_t *call, const identity_wanted_t *wanted);
/* ... beside that, give a membership to a team (holdings: its own)? One that gives nothing and has members is dressed
 * up by nobody who could not let them in. */
bool identity_may_grant_to_team(identity_call_t *call, const identity_holdings_t *holdings, const char *team_id);
/* May the caller put somebody into the team, or take somebody out? holdings: that person's. */
bool identity_may_move_in_team(identity_call_t *call, const identity_holdings_t *holdings, const char *team_id);
/* May the caller rename or end the team (holdings: its own), and so give or take what its members hold by it? */
bool identity_may_change_team(identity_call_t *call, const identity_holdings_t *holdings, const char *team_id);
/* May the caller take back all that the owner (a user, an invitation) was given? field: of the body, or NULL. */
bool identity_may_revoke(identity_call_t *call, const identity_holdings_t *holdings, const char *owner_id,
                         const char *field);
/* May the caller change a membership as it is, or take it? stay: those of its roles that are not taken, or NULL. */
bool identity_may_change_membership(identity_call_t *call, const identity_membership_row_t *row,
                                    const apr_array_header_t *role_ids, const identity_roles_t *roles,
                                    const apr_array_header_t *stay);
/* May the caller change name, password or status of the user, end a membership of it, list or end its sessions?
 * permission: needed in each account that the user is in. Nobody acts upward. */
bool identity_may_act_on(identity_call_t *call, const identity_holdings_t *holdings, const char *user_id,
                         const char *permission);
/* May the caller send an invitation once more for whoever answers for it? given: what its owner holds. */
bool identity_may_resend(identity_call_t *call, const identity_holdings_t *given, const char *owner_id);

/* Could who invite to all that came with the invitation? given: what its owner holds. Reads. */
bool identity_inviter_covers(identity_call_t *call, const identity_principal_t *who,
                             const identity_invitation_row_t *invitation, const identity_holdings_t *given,
                             bool *covers);
/* Is the inviter still there, and could still invite to it (security 25, 26)? Reads. */
bool identity_inviter_holds(identity_call_t *call, const identity_invitation_row_t *invitation,
                            const identity_holdings_t *given, bool *holds);
/* Neither the role nor any within it has a permission; and: it is such a one, or has one within. */
bool identity_role_grants_nothing(const identity_roles_t *roles, const char *id);
bool identity_role_holds_nothing_within(const identity_roles_t *roles, const char *id);

/* The form by which the body's `name` (of a role, a team) is compared: 400 where nothing of it is left. */
bool identity_name_compared(identity_call_t *call, const char *name, const char **canonical);
/* The body's `permissions`, each once: 400 naming the position of a malformed one. */
bool identity_permissions_read(identity_call_t *call, apr_array_header_t **list);

/* ---- pages ------------------------------------------------------------------------------------------------------ */

#define IDENTITY_PAGE_LIMIT     50
#define IDENTITY_PAGE_LIMIT_MAX 500
#define IDENTITY_COUNT_CAP      10000

typedef struct identity_listing {
    identity_page_query_t query; /* limit is one more than is shown */
    identity_cursor_t cursor;
    apr_int64_t page, limit, total; /* total: -1 past the cap, -2 not counted yet */
    apr_array_header_t *rows;
    bool more_before, more_after;
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
/* For an answer that is a bare array: the same links in a header (RFC 8288), prev and next. */
void identity_page_header(identity_call_t *call, const identity_listing_t *page, identity_position_of_t *position_of);

/* ---- who is remembered (remember.c) ----------------------------------------------------------------------------- */

/* A credential's place in the cache. */
typedef struct identity_memory {
    const identity_principal_t *who; /* remembered; NULL: nobody is */
    bool sure;                       /* ... and the database need not be asked */
    struct identity_remembered *entry;
    unsigned char key[IDENTITY_CACHE_KEY];
    apr_uint64_t began;
    apr_time_t used_at; /* of a key that is not remembered */
} identity_memory_t;
/* Looks it up, before any row is read. who lives as long as the call's pool. */
void identity_recall(identity_call_t *call, unsigned kind, const char *credential, identity_memory_t *memory);
/* The database could not be asked (the problem says so): may who is remembered be believed still? Then there is no
 * problem. */
bool identity_recall_stale(identity_call_t *call, const identity_memory_t *memory);
/* The rows were read: who they are of (NULL: nobody), which gets its stamp. ends: when the credential itself does, 0
 * for never; used_at: when its last use was written. */
void identity_remember(identity_call_t *call, identity_memory_t *memory, identity_principal_t *who, apr_time_t ends,
                       apr_time_t used_at);
/* After the rows of who were read: when it ends, and as of which generations it is (where there are any). False where
 * that cannot be told. */
bool identity_principal_stamp(const identity_env_t *env, apr_uint64_t began, identity_principal_t *who);
/* The database is away: may who is known be believed still? */
bool identity_stale_enough(const identity_env_t *env);
/* Is its last use to be written once more, a step after the last time, and by this caller? And that it could not be. */
bool identity_use_due(identity_call_t *call, const identity_memory_t *memory, apr_interval_time_t step);
void identity_use_missed(identity_call_t *call, const identity_memory_t *memory, apr_interval_time_t step);

/* ---- passwords, mail, sessions ---------------------------------------------------------------------------------- */

/* May a password be set? 400 naming the field and the reason otherwise. */
bool identity_password_permitted(identity_call_t *call, const char *password, const char *username, const char *field);
/* Hashes inside the gate; 503 where it is full. No connection may be held. */
bool identity_hash_password(identity_call_t *call, const char *account, const char *normalised, const char **hash);
/* Verifies inside the gate; *fresh: a hash that should replace the present one, or NULL. */
bool identity_verify_password(identity_call_t *call, const char *account, const char *hash, const char *password,
                              bool *right, const char **fresh);

/* May somebody sign in by a password at all? 403 otherwise. */
bool identity_password_grant(identity_call_t *call);
/* May somebody of the entity? Not where it has a DEFAULT provider that is DISABLED and none that is ENABLED. Reads. */
bool identity_password_sign_in(identity_call_t *call, const char *entity_id, bool *on);
/* What the user is told where the own entity has it switched off, with the other ways in; NULL: it is on. To be told
 * only after the right password. Reads. */
bool identity_password_refusal(identity_call_t *call, const identity_user_row_t *user, const char **sentence);
/* Is there a way to sign in for anybody of the entity: by password, or at a provider? Reads. */
bool identity_ways_left(identity_call_t *call, const char *entity_id, bool *left);
/* On record: the password was right, and switched off. Inside identity_write. */
bool identity_password_refused(identity_call_t *call, const identity_user_row_t *user);
/* The user of that name, or NULL: a username, and where IdentityUserName says so a login. Reads. */
bool identity_login_user(identity_call_t *call, const char *username, identity_user_row_t **user);
/* What a sign-in with the name is counted by: the same for both names of a user. Reads for who types a login. No
 * connection may be held. */
bool identity_login_account(identity_call_t *call, const char *username, const char **account);
/* Can the user (or NULL) sign in by one? */
static inline bool identity_user_usable(const identity_user_row_t *user)
{
    return user && user->status == IDENTITY_USER_ACTIVE && user->password_hash;
}
/* identity_verify_password for a user, or as long as that for who has none. */
bool identity_verify_user(identity_call_t *call, const char *account, const identity_user_row_t *user,
                          const char *password, bool *right, const char **fresh);
/* On record. user: NULL where there is none of that name. Inside identity_write. */
bool identity_login_failed(identity_call_t *call, const identity_user_row_t *user);

#define IDENTITY_SEAL_OUTBOX "outbox"             /* what the key that seals links on their way is derived for */
#define IDENTITY_SEAL_ANSWER "idempotency"        /* ... stored answers */
#define IDENTITY_SEAL_DIGEST "idempotency-digest" /* ... digests of requests */
/* The key derived for a purpose from the signing key named by kid; false where that is not among the keys any more. */
bool identity_sealing_key(const identity_call_t *call, const char *kid, const char *purpose, unsigned char key[32]);
/* A secret made, sealed and ready to be written; made before the transaction. */
typedef struct identity_link {
    const char *token, *digest, *sealed, *sealed_with, *outbox_id;
} identity_link_t;
bool identity_link_make(identity_call_t *call, const char *prefix, identity_link_t *link);
/* Writes secret and mail, ends what was sent before to the same user for the same purpose. invitation: NULL for a
 * reset. */
bool identity_link_send(identity_call_t *call, const identity_link_t *link, const identity_user_row_t *user,
                        const identity_invitation_row_t *invitation);
/* The same to the user's pending_username, until pending_expires_at. */
bool identity_link_send_change(identity_call_t *call, const identity_link_t *link, const identity_user_row_t *user);
/* The form of an address that mail goes to. */
const char *identity_mail_recipient(identity_call_t *call, const identity_user_row_t *user, const char *address);
/* The language of mails that this request causes. */
const char *identity_call_language(identity_call_t *call, identity_mail_kind_t kind);
/* Notices (notice.c). All inside identity_write. */
typedef struct identity_notice {
    identity_mail_kind_t kind;
    const char *username;  /* that the user had before; NULL: the present one */
    const char *address;   /* that takes its place, or NULL */
    apr_time_t expires_at; /* of a change that is to be confirmed; 0: it counts already */
} identity_notice_t;
/* Writes one to the mailbox that `to`, a row of the user, has as its name. *untold: a sentence where nobody is told,
 * else it stays. False for a fault alone. */
bool identity_notify(identity_call_t *call, const identity_user_row_t *to, const identity_notice_t *notice,
                     const char **untold);
/* identity_audit, with the sentence (or NULL) that nobody was told. */
bool identity_audit_told(identity_call_t *call, identity_audit_t *audit, const char *untold);
/* On record: this notice did not arrive, so far or for good. */
bool identity_notice_failed(identity_call_t *call, const identity_outbox_row_t *mail, bool for_good);

/* A person's own change of address (confirm_address.c). Both inside identity_write and before the row is written, whose
 * pending_... they set. */
bool identity_change_begin(identity_call_t *call, identity_user_row_t *user, const char *username,
                           const identity_link_t *link, const char **untold);
/* What is pending is so no more, its link is dead and its mail does not leave. */
bool identity_change_void(identity_call_t *call, identity_user_row_t *user);
/* Is there one, and may it still be confirmed? */
bool identity_change_pending(const identity_call_t *call, const identity_user_row_t *user);

/* Ends the sessions of a user but that one (or NULL), its aliases, which are sessions that are yet to be opened, and
 * its open links for a new password. Inside identity_write. */
bool identity_end_ways_in(identity_call_t *call, const char *user_id, const char *except_session_id);
/* Is the site able to send mail, and may mail go to this address? (503, 400 naming the field) */
bool identity_mail_possible(identity_call_t *call, const char *address, const char *field);

#define IDENTITY_SESSIONS_MAX 100 /* of one user at a time; then the oldest ends (security 40) */
/* Session, first refresh token and audit row; 401 where the user's entity, a sandbox, has had its time. Inside
 * identity_write. */
typedef struct identity_login {
    const identity_user_row_t *user; /* NULL: a visitor */
    const char *method;
    identity_session_row_t *session;
    const char *refresh; /* the token for the cookie; NULL: there is none */
} identity_login_t;
bool identity_login_open(identity_call_t *call, identity_login_t *login);
/* The session of a visitor of the demo account: short, and nothing renews it. */
bool identity_login_visit(identity_call_t *call, identity_login_t *login, const identity_account_row_t *account);
/* 200 Token and the cookie; to a form both tokens in the body and no cookie. No connection is needed. */
bool identity_login_answer(identity_call_t *call, const identity_login_t *login);
const char *identity_user_agent(const identity_call_t *call); /* as far as it is kept; "" without one */
bool identity_session_live(const identity_session_row_t *session, const identity_user_row_t *user, apr_time_t now);
/* By user name and password; answers. */
bool identity_login_by_password(identity_call_t *call, const char *username, const char *password);
/* Rotates a refresh token: session and refresh of *login are set where it was good, else both are NULL. */
bool identity_session_renew(identity_call_t *call, const char *token, identity_login_t *login);
/* The session (and its user) that a refresh token belongs to, spent or not; both NULL where there is none that lives.
 * Reads. */
bool identity_refresh_session(identity_call_t *call, const char *token, identity_refresh_row_t **refresh,
                              identity_session_row_t **session, identity_user_row_t **user);
/* Else 400, and the cookie is cleared. */
bool identity_refresh_cookie_single(identity_call_t *call);
const char *identity_refresh_cookie(identity_call_t *call); /* the token in the cookie, NULL where it is none */
void identity_session_cookies_clear(identity_call_t *call); /* where a session has ended */
/* What was sent in a cookie of that name, with prefix a typed secret; NULL where there is none, or several that differ.
 */
const char *identity_cookie(identity_call_t *call, const char *name, const char *prefix);
/* Secure but for plain HTTP over loopback. */
void identity_cookie_set(identity_call_t *call, const identity_cookie_t *cookie);
/* For /v1/oauth only, SameSite=Strict. seconds 0: it is taken back. */
void identity_oauth_cookie_set(identity_call_t *call, const char *name, const char *value, apr_int64_t seconds);
bool identity_cookie_plain(const identity_call_t *call); /* is Secure left off? */

/* The access cookie (access_cookie.c). Set and cleared where the location has it. */
void identity_access_cookie_set(identity_call_t *call, const identity_session_row_t *session);
void identity_access_cookie_clear(identity_call_t *call);
/* Was it sent by a page of the origin that it was sent to, or of IdentityPublicURL's? */
bool identity_origin_fits(const identity_call_t *call);
const char *identity_access_cookie(identity_call_t *call); /* what was sent under its name, or NULL */
/* The session that it names, NULL where it is none of ours. No look-up. */
const char *identity_access_cookie_session(identity_call_t *call, const char *text);
/* What came with this cookie only and changes something was sent by a page of the same origin: 403 otherwise. */
bool identity_own_page(identity_call_t *call);
/* Moves the session's idle end on, now and then. */
void identity_session_used(identity_call_t *call, const identity_principal_t *who, const identity_memory_t *memory);

/* An access token: what it says, and its text. ends: when what it lives by ends, 0 for never; whole: then and not
 * before. */
typedef struct identity_access {
    const char *subject, *session_id, *client_id, *entity_id;
    bool whole;
    apr_time_t ends, issued_at, expires_at;
    const char *text;
} identity_access_t;
bool identity_access_sign(identity_call_t *call, identity_access_t *access);

/* Was a request that a cookie came with sent by a page of ours, or by no browser at all? 403 otherwise (security 42).
 */
bool identity_same_origin(identity_call_t *call);

/* May a secret come this way: TLS, or this machine itself? 403 otherwise. */
bool identity_transport_fits(identity_call_t *call);
/* Is what was identified somebody at a protected place, and in which account? 403 otherwise. */
bool identity_place_enter(identity_call_t *call, identity_authentication_t *out);

/* Somebody signed in shows who it is by the body's current_password: 400 naming it, 429, and a refusal on record.
 * lacking: the sentence where it is not there. No connection may be held. */
bool identity_owner_proved(identity_call_t *call, const identity_user_row_t *user, const char *lacking);

/* ---- personal keys ---------------------------------------------------------------------------------------------- */

/* What limits and Idempotency-Keys count by. */
static inline const char *identity_credential_id(const identity_principal_t *who)
{
    return who->key_id ? who->key_id : who->id;
}
/* May a personal key ask for it (personal_key.def)? */
bool identity_route_of_personal_key(const identity_route_t *route);
/* Ends all of a user's, on record. actor: as in identity_audit_t. Inside identity_write. */
bool identity_personal_keys_end(identity_call_t *call, const identity_user_row_t *user, const char *actor);
/* The active keys of the entity that the user made; ends: they are INACTIVE afterwards, which is 403 where the caller
 * could not do that one by one. Reads; with ends inside identity_write. */
bool identity_made_keys(identity_call_t *call, const identity_user_row_t *user, bool ends, apr_array_header_t **rows);
json_t *identity_made_keys_json(const apr_array_header_t *rows); /* their ids */

/* ---- credentials ------------------------------------------------------------------------------------------------ */

/* What stands behind a scheme in Authorization, NULL for another scheme. */
const char *identity_scheme(const char *authorization, const char *name);
/* Is it active and within its time? A personal key lives no longer than IdentityPersonalKeyLifetime says now, which its
 * row then says, too. */
bool identity_key_live(const identity_call_t *call, identity_key_row_t *row);
/* What an authentication was refused for, where it was not good. */
void identity_authentication_end(const identity_call_t *call, bool good, identity_authentication_t *out);
/* The live key of that text: *row NULL for anything else. Reads. */
bool identity_key_shown(identity_call_t *call, const char *text, identity_key_row_t **row);
#define IDENTITY_LAST_USE_STEP apr_time_from_sec(60) /* the last use of a key is written that often */
/* What a live access token stands for: *who NULL for anything else. user is NULL for a key's and a visitor's. */
typedef struct identity_bearer {
    identity_claims_t claims;
    identity_principal_t *who;
    identity_session_row_t *session;
    identity_user_row_t *user;
    identity_key_row_t *key;
} identity_bearer_t;
/* Signature and claims; no look-up. */
bool identity_bearer_verify(identity_call_t *call, const char *text, identity_bearer_t *bearer);
/* identity_work_t: looks up what the verified claims name. */
bool identity_bearer_load(identity_call_t *call, void *bearer);

/* ---- the page that signs in and out (entry.c) -------------------------------------------------------------------- */

/* Writes the refusal of a browser's own form as the page; false: it is no such call, or a program's. */
bool identity_entry_refused(identity_call_t *call, int status);
/* Ends the session of the browser's cookies, the refresh cookie and the access cookie, and clears both. The caller has
 * made sure of the origin. */
bool identity_browser_logout(identity_call_t *call, bool *ended);

/* ---- OAuth in its standard forms (oauth_form.c, oauth_client.c) ---------------------------------------------------
 */

/* POST /oauth/token with a form. */
bool identity_oauth_grant(identity_call_t *call);
/* 200 of RFC 6749, 5.1. refresh: NULL without one. */
bool identity_oauth_answer(identity_call_t *call, const identity_access_t *access, const char *refresh);
/* The call's problem as RFC 6749, 5.2, has it, with its headers. *status: in, that of the problem's kind; out, that of
 * the answer. A new reference. */
json_t *identity_oauth_problem(identity_call_t *call, int *status);
/* Sets the problem, with the name that a standard answer gives it, and is false. */
#define identity_oauth_deny(call, error, kind, ...)                                                                    \
    ((call)->oauth_error = (error), identity_deny(call, kind, NULL, __VA_ARGS__))

/* A program that shows its API key as a client of OAuth does: by HTTP Basic, in the form, or in the headers that any
 * call takes. */
typedef struct identity_client {
    identity_key_row_t *key; /* NULL: it shows none */
    identity_principal_t *who;
} identity_client_t;
/* One that is not valid, or shown in two ways at once, is refused. */
bool identity_oauth_client(identity_call_t *call, identity_client_t *client);

/* Nothing takes the last administrator from an account (security 63). Both inside identity_write: how the accounts that
 * the user administers stand before a change, and that none of them stands worse after it (409). */
typedef struct identity_administered {
    apr_array_header_t *account_ids; /* of const char * */
    apr_array_header_t *before;      /* beside them: of identity_admins_t */
} identity_administered_t;
bool identity_administrators_before(identity_call_t *call, const identity_holdings_t *holdings, const char *user_id,
                                    identity_administered_t *administered);
bool identity_administrators_remain(identity_call_t *call, const identity_administered_t *administered);

/* ---- visitors (visitors.c) -------------------------------------------------------------------------------------- */

/* What one sandbox, and all of them together, may take of a database. */
#define IDENTITY_SANDBOXES           100
#define IDENTITY_SANDBOX_CHANGES     1000
#define IDENTITY_SANDBOX_INVITATIONS 50

/* The demo account, NULL where there is none or not one. Reads. */
bool identity_demo_account(identity_call_t *call, identity_account_row_t **account);
/* Who looks at it in the session, both NULL where it is over. Reads. */
bool identity_principal_of_visitor(identity_call_t *call, const char *session_id, identity_session_row_t **session,
                                   identity_principal_t **who);

/* How the open invitation of a user ends, if there is one, with its pending memberships and its link. */
bool identity_invitation_end(identity_call_t *call, const identity_user_row_t *user);
/* Makes the invitation of a user and its mail; an open one before it ends. wanted: what it is for, for the invitations
 * interface, or NULL. To somebody ACTIVE it is one to further memberships (adds). field: of the body, for a refusal.
 * *made may be NULL. Inside identity_write. */
bool identity_invite_user(identity_call_t *call, const identity_user_row_t *user, const identity_wanted_t *wanted,
                          const identity_link_t *link, const char *field, identity_invitation_row_t **made);

/* ---- user names (names.c); all inside identity_write ---- */

/* Makes the name free for the user, who is to become (or stay) ACTIVE or INACTIVE with it: a user of a sandbox goes;
 * where the address is proved, a user of another entity who never proved it nor signed in is deactivated there. 409
 * naming the field (or NULL) where another user holds it. The caller writes the row afterwards. */
bool identity_name_claim(identity_call_t *call, const identity_user_row_t *user, bool proved, const char *field);
/* May somebody be invited to the name? 409 where who holds it would not make way for who accepts. */
bool identity_name_invitable(identity_call_t *call, const identity_user_row_t *user, const char *field);
/* Who becomes INACTIVE goes on to hold the name, where it is free. The caller writes the row afterwards. */
bool identity_name_keep(identity_call_t *call, identity_user_row_t *user);
/* Is the user deleted? Then nothing is changed of it, nor given to it, until it is restored: 409 that says so. field:
 * of the body, or NULL. */
bool identity_user_present(identity_call_t *call, const identity_user_row_t *user, const char *field);
/* The next step of the erasure of a deleted user (user_delete.c); *over: it is gone. Inside identity_write. */
bool identity_user_erase(identity_call_t *call, const identity_user_row_t *user, apr_int64_t limit, bool *over);
/* 409: "This username is taken.", or what field says. */
bool identity_name_taken(identity_call_t *call, const char *field);
/* Writes the row; 409 where somebody else of the entity has the name. */
bool identity_user_save(identity_call_t *call, identity_user_row_t *user);
/* Both and the new row: INVITED, or ACTIVE or INACTIVE. */
bool identity_user_make(identity_call_t *call, const identity_user_row_t *user, bool proved, const char *field);
/* Ends the sessions, aliases, personal keys, reset links with their mails, and the open invitation of a user. */
bool identity_user_end_access(identity_call_t *call, const identity_user_row_t *user);
/* Writes the login of a row that was inserted or updated just now: 409 naming `login` where another user of the entity
 * has it, in whatever case. Inside identity_write. */
bool identity_login_claim(identity_call_t *call, const identity_user_row_t *user);
/* What limits count for the user: what a name that signs it in is counted by. */
const char *identity_user_key(identity_call_t *call, const identity_user_row_t *user);
/* The name that others are told: the canonical form, or the id of who has a name of an older database. */
const char *identity_user_told(const identity_user_row_t *user);

/* Accepts the open invitation of somebody INVITED whose address was proved in another way than by its link: the user
 * becomes ACTIVE, without a password. *accepted: whether there was one that still holds. Inside identity_write. */
bool identity_invitation_accept(identity_call_t *call, identity_user_row_t *user, bool *accepted);

/* The person of a live invitation's token that was sent to the address (canonical): 400 in the words of activate-user,
 * and to any other address those for an unknown token. Reads, spends nothing. */
bool identity_invitation_of_token(identity_call_t *call, const char *token, const char *email,
                                  identity_user_row_t **user);

#endif

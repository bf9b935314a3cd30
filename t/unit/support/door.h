/* SPDX-License-Identifier: Apache-2.0 */
/* A whole service in a test: a fresh SQLite database in a folder of its own, keys, a Maildir, a clock that the test
 * moves, and requests by identity_serve.
 *
 *     door_t *door = door_open();
 *     door_answer_t answer = door_call(door, "GET", "/v1/users?limit=2", door->key, NULL);
 *     is_int(answer.status, 200, "list");
 *     door_close(door);
 */
#ifndef IDENTITY_TEST_DOOR_H
#define IDENTITY_TEST_DOOR_H

#include "identity/service.h"

typedef struct door {
    apr_pool_t *pool;
    const char *folder, *params; /* params: the database's file */
    identity_env_t env;
    identity_settings_t settings;
    identity_db_t *db;
    apr_time_t now; /* the clock; moves by a microsecond with every look, so that ids and times stay in order */
    int fail_after; /* as in identity_db_options_t, and fail_with */
    identity_db_status_t fail_with;
    bool refuse_borrow;                 /* no connection is to be had */
    bool refuse_hash;                   /* no place to hash a password */
    identity_hash_result_t hash_result; /* of an equal request that is being hashed; UNKNOWN: there is none */
    identity_hash_result_t hash_told;   /* what the last hash told those who share it */
    const char *hash_account;           /* whose it was */
    int writers;                        /* inside the writers' gate; must be 0 between requests */
    int borrowed;                       /* connections out; must be 0 between requests */
    const char *log;                    /* where a test sets it to "", the lines that are logged from then on */
    const char *entity_id, *account_id,
        *second_account_id;     /* accounts `default` (LIVE) and `second` (TEST) of entity `default` */
    const char *key, *read_key; /* X-API-KEY: ADMINISTRATOR, READ_ONLY */
    const char *other_entity_id, *other_account_id, *other_key; /* entity `other` */
    /* Further properties of the next requests. */
    const char *cookie, *platform_id, *resource_id, *content_type, *client_address, *user_agent;
    const char *if_match, *if_none_match, *accept_language, *idempotency_key, *api_version;
    bool insecure;      /* neither TLS nor loopback */
    bool access_cookie; /* IdentityCookie On */
    /* Where people are remembered (door_remember): the clock that only goes forward, which the test moves; how many
     * requests were let in without the database; how often a server that remembers nobody would have decided in another
     * way. */
    apr_time_t ticks;
    int warm, differences;
} door_t;

typedef struct door_answer {
    int status;
    const char *content_type, *text;
    size_t length;
    json_t *json; /* NULL where the body is none or no JSON; owned by the door */
    apr_table_t *headers;
    unsigned long statements; /* that the request took, its authentication too */
} door_answer_t;

/* Where IDENTITY_ANSWERS names a folder, every answer is kept there for t/answers/unit.t. door_call does it by itself.
 */
void door_record(const char *method, const char *path, const identity_response_t *answer);

door_t *door_open(void);
/* As IdentityBuiltInRoles, by a new connection. */
void door_catalogue(door_t *door, identity_catalogue_t catalogue);
void door_close(door_t *door);
/* A request. credential: an API key, a `Bearer ...` text, or NULL. body: JSON text, or NULL for none. */
door_answer_t door_call(door_t *door, const char *method, const char *target, const char *credential, const char *body);
/* The same with a body of any bytes. */
door_answer_t door_call_bytes(door_t *door, const char *method, const char *target, const char *credential,
                              const char *body, size_t length);

/* From here on people are remembered, and of each request it is looked at whether a cold server would find the same
 * caller. IDENTITY_TEST_CACHE in the environment: so from the beginning of every test. */
void door_remember(door_t *door, unsigned entries);
identity_revisions_t *door_revisions(door_t *door);
identity_cache_t *door_cache(door_t *door, unsigned entries);
/* All that was found of who calls, as text. */
const char *door_who(door_t *door, const identity_authentication_t *found);
void door_hold_against_cold(door_t *door, const identity_request_t *in, const identity_authentication_t *warm,
                            unsigned long statements);

/* "code" of an error answer, its "field" ("" where none). */
const char *door_code(const door_answer_t *answer);
const char *door_field(const door_answer_t *answer);
/* A string at a dotted path of the answer: data.0.username; NULL where there is none. */
const char *door_text(const door_answer_t *answer, const char *path);
json_t *door_at(const json_t *json, const char *path);
/* Names of an object's members in their order, joined by commas. */
const char *door_members(door_t *door, const json_t *object);
const char *door_format(door_t *door, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* First number of a query's answer (sqlite3 on its own connection), -1 on a fault. */
long long door_count(door_t *door, const char *sql);
/* First text of it, NULL where none. */
const char *door_value(door_t *door, const char *sql);

/* Delivers what is queued and returns the token of the newest mail to the address, NULL where none came since the last
 * call for it. */
const char *door_mailed_token(door_t *door, const char *address);
/* Invites by the administrator's key (memberships: JSON array text or NULL) and accepts with the password: the user's
 * id. */
const char *door_person(door_t *door, const char *address, const char *password, const char *memberships);
/* Logs in: `Bearer ...`, and the refresh cookie in door->cookie's form (identity_refresh=...) by *cookie where it is
 * not NULL. */
const char *door_login(door_t *door, const char *address, const char *password, const char **cookie);

#endif

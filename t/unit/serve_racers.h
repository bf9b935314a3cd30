/* SPDX-License-Identifier: Apache-2.0 */
/* Several requests at the same moment, each in a thread with a connection of its own, behind one writers' gate as in
 * httpd. */
#ifndef IDENTITY_TEST_RACERS_H
#define IDENTITY_TEST_RACERS_H

#include <pthread.h>

#include "serve.h"

#define RACERS 16 /* at most */

typedef struct racer {
    identity_env_t env;
    identity_db_t *db;
    const char *method, *path, *body;
    const char *platform_id;
    bool nobody; /* without a credential; else by the administrator's key */
    int status;
} racer_t;

static racer_t racers[RACERS];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t start;

static inline apr_time_t steady_now(void *context)
{
    (void)context;
    return door->now;
}

static inline identity_db_status_t borrow_own(void *context, apr_pool_t *pool, identity_db_t **db)
{
    racer_t *racer = context;
    (void)pool;
    *db = racer->db;
    return IDENTITY_DB_OK;
}

static inline void keep_own(void *context, identity_db_t *db)
{
    (void)context;
    (void)db;
}

static inline bool enter_gate(void *context)
{
    (void)context;
    return pthread_mutex_lock(&gate) == 0;
}

static inline void leave_gate(void *context)
{
    (void)context;
    pthread_mutex_unlock(&gate);
}

static inline identity_hash_turn_t enter_hash(void *context, const identity_hash_request_t *request,
                                              identity_hash_ticket_t *ticket)
{
    (void)context;
    (void)request;
    *ticket = (identity_hash_ticket_t){.waited = false};
    return IDENTITY_HASH_ENTERED;
}

static inline void leave_hash(void *context, const identity_hash_ticket_t *ticket, identity_hash_result_t result)
{
    (void)context;
    (void)ticket;
    (void)result;
}

static inline void say_nothing(void *context, identity_log_level_t level, const char *request_id, const char *line)
{
    (void)context;
    (void)level;
    (void)request_id;
    (void)line;
}

static inline void prepare(void)
{
    for (int i = 0; i < RACERS; i++) {
        racer_t *racer = &racers[i];
        const char *error = NULL;
        identity_db_options_t *options = apr_pcalloc(door->pool, sizeof *options);
        options->sync = IDENTITY_SYNC_NORMAL;
        racer->db = identity_db_open(door->pool, "sqlite3", door->params, options, &error);
        if (!racer->db)
            bail(error);
        racer->env = door->env;
        racer->env.now = steady_now;
        racer->env.borrow = borrow_own;
        racer->env.give_back = keep_own;
        racer->env.enter_write = enter_gate;
        racer->env.leave_write = leave_gate;
        racer->env.enter_hash = enter_hash;
        racer->env.leave_hash = leave_hash;
        racer->env.log = say_nothing;
        racer->env.context = racer;
    }
}

static inline void *run(void *data)
{
    racer_t *racer = data;
    serve_body_t given = {racer->body, racer->body ? strlen(racer->body) : 0};
    identity_request_t in = {.method = racer->method,
                             .path = racer->path,
                             .headers = {.api_key = racer->nobody ? NULL : door->key,
                                         .platform_id = racer->platform_id,
                                         .content_type = racer->body ? "application/json" : NULL},
                             .client_address = "192.0.2.7",
                             .secure = true,
                             .has_body = racer->body != NULL,
                             .read_body = racer->body ? serve_read : NULL,
                             .body_context = &given};
    identity_authentication_t authentication;
    identity_response_t out;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    in.request_id = identity_request_id(pool, &racer->env);
    identity_request_match(pool, &in);
    pthread_barrier_wait(&start);
    identity_authenticate(pool, &racer->env, &in, &authentication);
    identity_serve(pool, &racer->env, &in, &authentication, &out);
    racer->status = out.status;
    apr_pool_destroy(pool);
    return NULL;
}

static inline void ask(int number, const char *method, const char *path, const char *body)
{
    racers[number].method = method;
    racers[number].path = path;
    racers[number].body = body;
    racers[number].platform_id = NULL;
    racers[number].nobody = false;
}

/* Their answers' statuses in order, such as "200 409". */
static inline const char *race(int size)
{
    pthread_t threads[RACERS];
    int statuses[RACERS];
    const char *all = "";

    pthread_barrier_init(&start, NULL, (unsigned)size);
    for (int i = 0; i < size; i++)
        if (pthread_create(&threads[i], NULL, run, &racers[i]) != 0)
            bail("no thread");
    for (int i = 0; i < size; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    for (int i = 0; i < size; i++)
        statuses[i] = racers[i].status;
    for (int i = 0; i < size; i++)
        for (int k = i + 1; k < size; k++)
            if (statuses[k] < statuses[i]) {
                int kept = statuses[i];
                statuses[i] = statuses[k];
                statuses[k] = kept;
            }
    for (int i = 0; i < size; i++)
        all = text("%s%s%d", all, i ? " " : "", statuses[i]);
    return all;
}

#endif

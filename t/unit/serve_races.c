/* Several requests at the same moment, each in a thread with a connection of its own, behind one writers' gate as in
 * httpd: what one of them makes impossible no other may do. route update_role delete_role add_user_membership */
#include <pthread.h>

#include "serve.h"

#define RACERS 8
#define ROUNDS 25

typedef struct racer {
    identity_env_t env;
    identity_db_t *db;
    const char *method, *path, *body;
    int status;
} racer_t;

static racer_t racers[RACERS];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t start;

static apr_time_t steady_now(void *context)
{
    (void)context;
    return door->now;
}

static identity_db_status_t borrow_own(void *context, apr_pool_t *pool, identity_db_t **db)
{
    racer_t *racer = context;
    (void)pool;
    *db = racer->db;
    return IDENTITY_DB_OK;
}

static void keep_own(void *context, identity_db_t *db)
{
    (void)context;
    (void)db;
}

static bool enter_gate(void *context)
{
    (void)context;
    return pthread_mutex_lock(&gate) == 0;
}

static void leave_gate(void *context)
{
    (void)context;
    pthread_mutex_unlock(&gate);
}

static void say_nothing(void *context, identity_log_level_t level, const char *request_id, const char *line)
{
    (void)context;
    (void)level;
    (void)request_id;
    (void)line;
}

static void prepare(void)
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
        racer->env.log = say_nothing;
        racer->env.context = racer;
    }
}

static void *run(void *data)
{
    racer_t *racer = data;
    serve_body_t given = {racer->body, racer->body ? strlen(racer->body) : 0};
    identity_request_t in = {.method = racer->method,
                             .path = racer->path,
                             .headers = {.api_key = door->key, .content_type = "application/json"},
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
    pthread_barrier_wait(&start);
    identity_authenticate(pool, &racer->env, &in, &authentication);
    identity_serve(pool, &racer->env, &in, &authentication, &out);
    racer->status = out.status;
    apr_pool_destroy(pool);
    return NULL;
}

static void ask(int number, const char *method, const char *path, const char *body)
{
    racers[number].method = method;
    racers[number].path = path;
    racers[number].body = body;
}

/* Their answers' statuses in order, such as "200 409". */
static const char *race(int size)
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

static const char *make(const char *name)
{
    door_answer_t answer = post("/v1/roles", door->key, text("{\"name\":\"%s\"}", name));
    const char *id = door_text(&answer, "id");
    return id ? id : (bail(text("no role %s: %s", name, answer.text)), NULL);
}

static const char *path_of(const char *id)
{
    return text("/v1/roles/%s", id);
}

static const char *child(const char *id)
{
    return text("{\"child_role_ids\":[\"%s\"]}", id);
}

/* Each of these changes is fine alone; all of them together are a ring, or a chain that is too long. */
static void test_graph(const char *what, int size, bool ring)
{
    const char *ids[RACERS + 1];
    int wrong = 0;

    for (int i = 0; i <= size; i++)
        ids[i] = ring && i == size ? ids[0] : make(text("%s %d %d", what, size, i));
    for (int round = 0; round < ROUNDS; round++) {
        change("DELETE FROM role_children");
        for (int i = 0; i < size; i++)
            ask(i, "PATCH", path_of(ids[i]), child(ids[i + 1]));
        const char *statuses = race(size);
        wrong += strncmp(statuses, "200", 3) != 0 || strcmp(statuses + strlen(statuses) - 3, "400") != 0;
        wrong += strstr(statuses, "400 400") != NULL;
        wrong += count("SELECT COUNT(*) FROM role_children") != size - 1;
    }
    is_int(wrong, 0, "%s of %d made by as many at once: one of them is refused, %d times", what, size, ROUNDS);
    change("DELETE FROM role_children");
}

/* A role is deleted while somebody begins to use it: one of the two is told so. */
static void test_use(const char *what, const char *method, const char *path, const char *fields, int used)
{
    int by_user = 0, by_deletion = 0, wrong = 0;

    for (int round = 0; round < ROUNDS; round++) {
        const char *id = make(text("%s %d", what, round)), *statuses;
        ask(0, method, path, text("{%s:[\"%s\"]}", fields, id));
        ask(1, "DELETE", path_of(id), NULL);
        statuses = race(2);
        bool kept = strcmp(statuses, text("%d 409", used)) == 0, gone = strcmp(statuses, "200 400") == 0;
        by_user += kept;
        by_deletion += gone;
        wrong += !kept && !gone;
        if (!kept && !gone)
            diag("%s: %s", what, statuses);
        wrong += count(text("SELECT COUNT(*) FROM roles WHERE id = '%s'", id)) != kept;
        wrong += rows("PRAGMA foreign_key_check")[0] != '\0';
        change("DELETE FROM role_children");
        change("DELETE FROM membership_roles");
        change("DELETE FROM memberships WHERE user_id IS NOT NULL");
    }
    is_int(wrong, 0, "%s: used or deleted, never both (%d and %d times)", what, by_user, by_deletion);
}

/* No change is lost: each moves the version on. */
static void test_versions(void)
{
    const char *id = make("Busy");
    int wrong = 0;

    for (int round = 0; round < ROUNDS; round++) {
        long long before = count(text("SELECT version FROM roles WHERE id = '%s'", id));
        for (int i = 0; i < RACERS; i++)
            ask(i, "PATCH", path_of(id), text("{\"description\":\"%d.%d\"}", round, i));
        wrong += strcmp(race(RACERS), "200 200 200 200 200 200 200 200") != 0;
        wrong += count(text("SELECT version FROM roles WHERE id = '%s'", id)) != before + RACERS;
    }
    is_int(wrong, 0, "%d changes at once are %d versions", RACERS, RACERS);
}

int main(void)
{
    serve_begin();
    const char *user = door_person(door, "ada@example.org", PASSWORD, "[]"), *parent = make("Parent");
    get("/v1/roles?limit=1", door->key); /* writes the key's last use */
    prepare();
    test_graph("Ring", 2, true);
    test_graph("Ring", 3, true);
    test_graph("Chain", 3, false);
    test_use("a membership", "POST", text("/v1/users/%s/memberships", user),
             text("\"account_id\":\"%s\",\"type\":\"USER\",\"role_ids\"", door->account_id), 201);
    test_use("a parent", "PATCH", path_of(parent), "\"child_role_ids\"", 200);
    test_versions();
    return serve_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Several requests at the same moment, each in a thread with a connection of its own, behind one writers' gate as in
 * httpd: what one of them makes impossible no other may do. route update_role delete_role add_user_membership */
#include "serve_racers.h"

#define BUSY   8
#define ROUNDS 25

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
    const char *ids[BUSY + 1];
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
        for (int i = 0; i < BUSY; i++)
            ask(i, "PATCH", path_of(id), text("{\"description\":\"%d.%d\"}", round, i));
        wrong += strcmp(race(BUSY), "200 200 200 200 200 200 200 200") != 0;
        wrong += count(text("SELECT version FROM roles WHERE id = '%s'", id)) != before + BUSY;
    }
    is_int(wrong, 0, "%d changes at once are %d versions", BUSY, BUSY);
}

/* Names and slugs are one name space, however many ask at once. */
static void test_names(void)
{
    const char *other = make("Somebody");
    int wrong = 0;

    for (int round = 0; round < ROUNDS; round++) {
        ask(0, "POST", "/v1/roles", text("{\"name\":\"Twin %d\"}", round));
        ask(1, "POST", "/v1/roles", text("{\"name\":\"twin-%d\"}", round));
        ask(2, "POST", "/v1/roles", text("{\"name\":\"Sole %d\",\"slug\":\"twin-%d\"}", round, round));
        ask(3, "PATCH", path_of(other), text("{\"name\":\"TWIN  %d!\"}", round));
        wrong += strcmp(race(4), "200 409 409 409") != 0;
        wrong +=
            count(text("SELECT COUNT(*) FROM roles WHERE slug = 'twin-%d' OR canonical LIKE 'twin_%d' OR canonical "
                       "LIKE 'twin__%d!'",
                       round, round, round)) != 1;
    }
    is_int(wrong, 0, "A2: of four who ask for one name in four ways at once, one gets it, %d times", ROUNDS);
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
    test_names();
    return serve_end();
}

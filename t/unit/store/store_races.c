/* SPDX-License-Identifier: Apache-2.0 */
/* Many at once: one secret, one refresh token, one name, one version of a user, each of which only one may have.
 * Writers meet in separate processes without the gate that httpd's children queue on, so some are told BUSY; those try
 * again. */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "store_fixture.h"

#define RACERS    16
#define REFRESHES 625 /* of each: ten thousand */

static identity_db_t *db;

typedef identity_db_status_t race_t(identity_db_t *own, int number);

/* Did this one win? */
static bool race(int number, race_t *step)
{
    identity_db_t *own = connect_store();
    identity_db_status_t status = IDENTITY_DB_BUSY;

    for (int tries = 0; status == IDENTITY_DB_BUSY && tries < 20; tries++) {
        status = identity_db_begin(own, true);
        if (status == IDENTITY_DB_OK)
            status = step(own, number);
        if (status == IDENTITY_DB_OK)
            status = identity_db_commit(own);
        identity_db_release(own);
        identity_db_use(own, pool);
    }
    if (status != IDENTITY_DB_OK && status != IDENTITY_DB_NONE && status != IDENTITY_DB_CONFLICT)
        _exit(3);
    return status == IDENTITY_DB_OK;
}

/* security 21 */
static identity_db_status_t spend_secret(identity_db_t *own, int number)
{
    return identity_secret_spend(own, "secret", NOW + 1 + number);
}

/* security 35 */
static identity_db_status_t spend_refresh(identity_db_t *own, int number)
{
    identity_refresh_row_t next = {
        .digest = text("successor %d", number), .session_id = id("sess", 1), .nonce = "", .created_at = NOW};
    identity_db_status_t status = identity_refresh_spend(own, "refresh", text("nonce %d", number), NOW + 1);
    return status == IDENTITY_DB_OK ? identity_refresh_insert(own, &next) : status;
}

static identity_db_status_t take_name(identity_db_t *own, int number)
{
    identity_user_row_t row = {.id = id("user", 100 + number),
                               .entity_id = number % 2 ? ENTITY : OTHER,
                               .username = "Wanted@Example.org",
                               .canonical = "wanted@example.org",
                               .status = IDENTITY_USER_ACTIVE,
                               .version = 1};
    return identity_user_insert(own, &row);
}

static identity_db_status_t change_user(identity_db_t *own, int number)
{
    /* All have read version 1. */
    identity_user_row_t row = {.id = id("user", 1),
                               .entity_id = ENTITY,
                               .username = "ada@example.org",
                               .canonical = "ada@example.org",
                               .status = IDENTITY_USER_ACTIVE,
                               .updated_at = NOW + number,
                               .version = 1};
    return identity_user_update(own, &row);
}

static identity_db_status_t close_invitation(identity_db_t *own, int number)
{
    return identity_invitation_close(own, text("%032X", 1),
                                     number % 2 ? IDENTITY_INVITATION_ACCEPTED : IDENTITY_INVITATION_REVOKED, NOW);
}

static bool race_secret(int number)
{
    return race(number, spend_secret);
}

static bool race_refresh(int number)
{
    return race(number, spend_refresh);
}

static bool race_name(int number)
{
    return race(number, take_name);
}

static bool race_user(int number)
{
    return race(number, change_user);
}

static bool race_invitation(int number)
{
    return race(number, close_invitation);
}

/* ---- ten thousand refreshes of one family -------------------------------------------------------------------------
 */

#define FAMILIES 25 /* one after the other, so that none grows too long to be counted at every step */

/* How many exchanges each family saw; shared by all processes. How many of the ten thousand come in time is the
 * machine's business. */
static atomic_int *exchanges;

static const char *of_family(const char *what, int family)
{
    return text("SELECT %s FROM refresh_tokens WHERE session_id = '%s'", what, id("sess", 100 + family));
}

static const char *live(identity_db_t *own, const char *what, int family)
{
    return sql_value(own, text("%s AND spent_at = 0", of_family(what, family)));
}

/* What a refresh does: spend the leaf that was read before, and put its successor there. Two leaves are seen by whoever
 * makes the second. */
static identity_db_status_t rotate(identity_db_t *own, int family, const char *leaf, const char *successor)
{
    identity_refresh_row_t next = {
        .digest = successor, .session_id = id("sess", 100 + family), .nonce = "", .created_at = NOW};
    identity_db_status_t status = identity_refresh_spend(own, leaf, "nonce", NOW + 1);

    if (status == IDENTITY_DB_OK)
        status = identity_refresh_insert(own, &next);
    if (status == IDENTITY_DB_OK && strcmp(live(own, "COUNT(*)", family), "1") != 0)
        _exit(4);
    return status;
}

/* Writers queue as httpd's children do; a few come past the queue, as another program would. */
static bool refresh_often(int number)
{
    identity_db_t *own = connect_store();
    int gate = open(apr_pstrcat(pool, file, ".gate", NULL), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    for (int i = 0; i < REFRESHES; i++) {
        int family = i * FAMILIES / REFRESHES;
        const char *leaf = live(own, "digest", family), *successor = text("leaf %d %d", number, i);
        bool queues = i % 200 != 0;
        if (queues && flock(gate, LOCK_EX) != 0)
            _exit(5);
        identity_db_status_t status = identity_db_begin(own, true);
        if (status == IDENTITY_DB_OK)
            status = rotate(own, family, leaf, successor);
        if (status == IDENTITY_DB_OK)
            status = identity_db_commit(own);
        identity_db_release(own);
        identity_db_use(own, pool);
        if (queues)
            flock(gate, LOCK_UN);
        if (status != IDENTITY_DB_OK && status != IDENTITY_DB_NONE && status != IDENTITY_DB_BUSY)
            _exit(3);
        if (status == IDENTITY_DB_OK)
            atomic_fetch_add(&exchanges[family], 1);
    }
    return true;
}

static void test_refreshes(const char *user)
{
    for (int i = 0; i < FAMILIES; i++) {
        identity_session_row_t session = {.id = id("sess", 100 + i),
                                          .entity_id = ENTITY,
                                          .user_id = user,
                                          .method = "password",
                                          .client_address = "",
                                          .user_agent = "",
                                          .created_at = NOW};
        identity_refresh_row_t first = {
            .digest = text("first %d", i), .session_id = session.id, .nonce = "", .created_at = NOW};
        must(identity_session_insert(db, &session), "session");
        must(identity_refresh_insert(db, &first), "refresh token");
    }
    exchanges = mmap(NULL, FAMILIES * sizeof *exchanges, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (exchanges == MAP_FAILED)
        bail("there is no shared memory");
    /* A process that sees a second live leaf comes to grief, and the test with it. */
    is_int(in_processes(RACERS, refresh_often), RACERS,
           "10,000 refreshes by 16 processes, none of which ever sees two live leaves");
    for (int i = 0; i < FAMILIES; i++) {
        is_str(live(db, "COUNT(*)", i), "1", "at no moment there are two live leaves, family %d # security 35", i);
        int made = atomic_load(&exchanges[i]);
        ok(made > 0, "D1: the first that comes exchanges it, whatever the others do");
        is_str(sql_value(db, of_family("COUNT(*)", i)), text("%d", made + 1),
               "D1: a leaf for each exchange that was told to have been made, and no other");
    }
}

int main(void)
{
    db = fixture_begin();
    const char *user = add_user(db, ENTITY, 1, "ada@example.org", IDENTITY_USER_ACTIVE)->id;
    identity_secret_row_t secret = {.digest = "secret", .user_id = user, .created_at = NOW, .expires_at = NOW + HOUR};
    identity_session_row_t session = {.id = id("sess", 1),
                                      .entity_id = ENTITY,
                                      .user_id = user,
                                      .method = "password",
                                      .client_address = "",
                                      .user_agent = "",
                                      .created_at = NOW};
    identity_refresh_row_t refresh = {.digest = "refresh", .session_id = session.id, .nonce = "", .created_at = NOW};

    must(identity_secret_insert(db, &secret), "secret");
    must(identity_session_insert(db, &session), "session");
    must(identity_refresh_insert(db, &refresh), "refresh token");
    add_invitation(db, 1, user, NOW);

    is_int(in_processes(RACERS, race_secret), 1, "of 16 processes that spend one secret one succeeds");
    is_int(in_processes(RACERS, race_refresh), 1, "of 16 that spend one refresh token one succeeds");
    is_str(sql_value(db, "SELECT COUNT(*) FROM refresh_tokens WHERE spent_at = 0"), "1", "which has one successor");
    test_refreshes(user);
    is_int(in_processes(RACERS, race_name), 1, "of 16 that take one name one gets it");
    is_int(in_processes(RACERS, race_user), 1, "of 16 that change one version of a user one does");
    is_str(sql_value(db, text("SELECT version FROM users WHERE id = '%s'", user)), "2", "by one step");
    is_int(in_processes(RACERS, race_invitation), 1, "of 16 that accept or revoke one invitation one does");
    is_str(sql_value(db, "PRAGMA integrity_check"), "ok", "the file is sound");
    return fixture_end();
}

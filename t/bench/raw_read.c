/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench-raw_read DATABASE USERS SECONDS: how many users of that file (bench-seed's), in no order, can be read a
 * second of processor time by the statements of GET /v1/users/{id}, by SQLite alone in one thread (the limit of row
 * W3d). What each statement returns is looked at, and nothing is made of it. */
#include "identity/store.h"
#include "raw.h"

enum {
#define SQL(name, ...) name,
#include "../../src/store/sql.def"
#undef SQL
    STATEMENTS
};
#define ID_SIZE 64

static char (*ids)[ID_SIZE];
static long users;
static sqlite3_stmt *shown, *memberships, *teams;

/* The parameters of apr_dbd are ? here. */
static sqlite3_stmt *prepare(int name)
{
    static const char *const texts[STATEMENTS] = {
#define SQL(name, ...) [name] = __VA_ARGS__,
#include "../../src/store/sql.def"
#undef SQL
    };
    char text[4096], *to = text;

    for (const char *at = texts[name]; *at && to < text + sizeof text - 1; at++)
        if (strncmp(at, "%s", 2) == 0) {
            *to++ = '?';
            at++;
        } else {
            *to++ = *at;
        }
    *to = '\0';
    return raw_prepare(text);
}

static void read_users(const char *path)
{
    FILE *file = fopen(path, "r");
    char id[ID_SIZE], name[256];
    long space = 0;

    while (file && fscanf(file, "%63s %255s", id, name) == 2) {
        if (users == space) {
            space = space ? 2 * space : 1024;
            ids = realloc(ids, (size_t)space * sizeof *ids);
        }
        memcpy(ids[users++], id, sizeof id);
    }
    if (!users) {
        fprintf(stderr, "bench-raw_read: %s has no users\n", path);
        exit(1);
    }
    fclose(file);
}

static void one(void)
{
    const char *id = ids[random() % users];

    raw_text(shown, 1, id);
    raw_text(memberships, 1, id);
    raw_text(teams, 1, id);
    if (raw_step(shown) != 1 || raw_step(memberships) < 1 || raw_step(teams) < 0) {
        fprintf(stderr, "bench-raw_read: %s is not as bench-seed made it\n", id);
        exit(1);
    }
}

int main(int count, char *arguments[])
{
    static char entity[ID_SIZE];

    if (count != 4) {
        fputs("usage: bench-raw_read DATABASE USERS SECONDS\n", stderr);
        return 2;
    }
    read_users(arguments[2]);
    raw_open(arguments[1]);
    shown = prepare(USER_SHOWN);
    memberships = prepare(MEMBERSHIPS_SHOWN_USER);
    teams = prepare(TEAM_MEMBERS_SHOWN_USER);
    raw_one_text("SELECT id FROM entities", entity, sizeof entity);
    raw_text(shown, 2, entity);
    printf("%.2f\n", raw_rate(CLOCK_PROCESS_CPUTIME_ID, atof(arguments[3]), one));
    return 0;
}

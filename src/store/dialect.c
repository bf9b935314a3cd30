/* SPDX-License-Identifier: Apache-2.0 */
/* Which database it is, and what its errors mean. */
#include <ctype.h>
#include <string.h>

#include "dialect.h"

/* SQLite's codes, behind which its extended ones have further bits. */
#define SQLITE_CODE(code) ((code)&0xff)
#define SQLITE_BUSY       5
#define SQLITE_LOCKED     6

bool db_dialect_of(const char *driver, db_dialect_t *dialect)
{
    static const char *const drivers[] = {
        [DB_SQLITE] = "sqlite3", [DB_PGSQL] = "pgsql", [DB_MYSQL] = "mysql"};

    for (int i = 0; i < DB_DIALECT_COUNT; i++)
        if (strcmp(driver, drivers[i]) == 0) {
            *dialect = (db_dialect_t)i;
            return true;
        }
    return false;
}

/* For a lock that outlasted its patience the driver has a code with changes, but only a text with reads (P9). */
static db_outcome_t sqlite_outcome(int code, const char *detail)
{
    int base = SQLITE_CODE(code);

    if (base == SQLITE_BUSY || base == SQLITE_LOCKED ||
        (strncmp(detail, "database ", 9) == 0 && strstr(detail, " is locked")))
        return DB_OUTCOME_BUSY;
    return strstr(detail, "constraint failed") ? DB_OUTCOME_RULE : DB_OUTCOME_FAILED;
}

/* The five characters that stand alone behind a severity in any language, "FATAL:  57P01"; NULL: there are none. */
static const char *sqlstate(const char *detail)
{
    for (const char *at = strchr(detail, ':'); at; at = strchr(at + 1, ':')) {
        const char *state = at + 1 + strspn(at + 1, " ");
        size_t length = 0;
        while (isdigit((unsigned char)state[length]) || isupper((unsigned char)state[length]))
            length++;
        if (length == 5 && (!state[length] || isspace((unsigned char)state[length])))
            return state;
    }
    return NULL;
}

static db_outcome_t pgsql_outcome(const char *detail)
{
    static const struct {
        db_outcome_t outcome;
        const char *state;
    } outcomes[] = {
#define PGSQL(outcome, state) {DB_OUTCOME_##outcome, state},
#define MYSQL(outcome, number)
#include "outcomes.def"
#undef PGSQL
#undef MYSQL
    };
    const char *state = sqlstate(detail);

    for (size_t i = 0; state && i < sizeof outcomes / sizeof outcomes[0]; i++)
        if (strncmp(state, outcomes[i].state, strlen(outcomes[i].state)) == 0)
            return outcomes[i].outcome;
    return state ? DB_OUTCOME_FAILED : DB_OUTCOME_LOST;
}

static db_outcome_t mysql_outcome(int code)
{
    static const struct {
        db_outcome_t outcome;
        int number;
    } outcomes[] = {
#define PGSQL(outcome, state)
#define MYSQL(outcome, number) {DB_OUTCOME_##outcome, number},
#include "outcomes.def"
#undef PGSQL
#undef MYSQL
    };

    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        if (code == outcomes[i].number)
            return outcomes[i].outcome;
    return DB_OUTCOME_FAILED;
}

db_outcome_t db_outcome(db_dialect_t dialect, int code, const char *detail)
{
    if (code == 0)
        return DB_OUTCOME_OK;
    if (dialect == DB_MYSQL)
        return mysql_outcome(code);
    return dialect == DB_PGSQL ? pgsql_outcome(detail) : sqlite_outcome(code, detail);
}

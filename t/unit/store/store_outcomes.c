/* SPDX-License-Identifier: Apache-2.0 */
/* What the errors of three databases mean: the codes as their servers and drivers give them. */
#include "src/store/dialect.h"
#include "tap.h"

static const char *const names[] = {"OK", "UNIQUE", "RULE", "BUSY", "RETRY", "STALE", "LOST", "FAILED"};

#define means(dialect, code, detail, name)                                                                             \
    is_str(names[db_outcome(dialect, code, detail)], name, #dialect " %d %s", code, detail)

static void test_drivers(void)
{
    db_dialect_t dialect = DB_DIALECT_COUNT;

    ok(!db_dialect_of("oracle", &dialect) && dialect == DB_DIALECT_COUNT, "another driver is none of the three");
    ok(db_dialect_of("sqlite3", &dialect) && dialect == DB_SQLITE, "sqlite3");
    ok(db_dialect_of("pgsql", &dialect) && dialect == DB_PGSQL, "pgsql");
    ok(db_dialect_of("mysql", &dialect) && dialect == DB_MYSQL, "mysql");
}

static void test_sqlite(void)
{
    means(DB_SQLITE, 0, "not an error", "OK");
    means(DB_SQLITE, 5, "database is locked", "BUSY");
    means(DB_SQLITE, 261, "database is locked", "BUSY");
    means(DB_SQLITE, 6, "database table is locked", "BUSY");
    means(DB_SQLITE, 1, "database main.users is locked", "BUSY");
    means(DB_SQLITE, 19, "UNIQUE constraint failed: users.held_name", "RULE");
    means(DB_SQLITE, 1, "CHECK constraint failed: memberships", "RULE");
    means(DB_SQLITE, 1, "database schema has changed", "FAILED");
    means(DB_SQLITE, 13, "database or disk is full", "FAILED");
}

/* Every error of the driver has code 7: the SQLSTATE decides. */
static void test_pgsql(void)
{
    static const struct {
        const char *state, *name;
    } states[] = {
        {"23505", "UNIQUE"}, {"23502", "RULE"},   {"23503", "RULE"},   {"23514", "RULE"},   {"22001", "RULE"},
        {"22003", "RULE"},   {"22021", "RULE"},   {"55P03", "BUSY"},   {"57014", "BUSY"},   {"53300", "BUSY"},
        {"40001", "RETRY"},  {"40P01", "RETRY"},  {"26000", "STALE"},  {"0A000", "STALE"},  {"08006", "LOST"},
        {"08P01", "LOST"},   {"57P01", "LOST"},   {"57P02", "LOST"},   {"57P03", "LOST"},   {"25P03", "LOST"},
        {"25006", "LOST"},   {"25P02", "FAILED"}, {"42P01", "FAILED"}, {"53100", "FAILED"}, {"22P02", "FAILED"}};
    char detail[64];

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        snprintf(detail, sizeof detail, "ERROR:  %s\n", states[i].state);
        means(DB_PGSQL, 7, detail, states[i].name);
    }
    means(DB_PGSQL, 0, "", "OK");
    means(DB_PGSQL, 7, "FEHLER:  23505", "UNIQUE");
    means(DB_PGSQL, 7, "FATAL:  57P01\nserver closed the connection unexpectedly\n", "LOST");
    means(DB_PGSQL, 7, "no connection to the server\n", "LOST");
    means(DB_PGSQL, 7, "", "LOST");
    means(DB_PGSQL, 5, "connection to server at \"h\", port 5432 failed: timeout expired", "LOST");
}

/* 1285 and 2053 end in SQLite's code for a lock. */
static void test_mysql(void)
{
    static const struct {
        int number;
        const char *name;
    } numbers[] = {{1062, "UNIQUE"}, {1048, "RULE"},   {1264, "RULE"},  {1366, "RULE"},  {1406, "RULE"},
                   {1451, "RULE"},   {1452, "RULE"},   {4025, "RULE"},  {1205, "BUSY"},  {1969, "BUSY"},
                   {1040, "BUSY"},   {1203, "BUSY"},   {1213, "RETRY"}, {1020, "RETRY"}, {1243, "STALE"},
                   {1615, "STALE"},  {2002, "LOST"},   {2003, "LOST"},  {2006, "LOST"},  {2013, "LOST"},
                   {1927, "LOST"},   {1047, "LOST"},   {1053, "LOST"},  {1290, "LOST"},  {1285, "FAILED"},
                   {2053, "FAILED"}, {1064, "FAILED"}, {2014, "FAILED"}};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        means(DB_MYSQL, numbers[i].number, "a text that is not read: database is locked", numbers[i].name);
    means(DB_MYSQL, 0, "", "OK");
}

int main(void)
{
    test_drivers();
    test_sqlite();
    test_pgsql();
    test_mysql();
    return tap_done();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Which database it is, and what its errors mean. */
#ifndef IDENTITY_DIALECT_H
#define IDENTITY_DIALECT_H

#include <stdbool.h>

typedef enum { DB_SQLITE, DB_PGSQL, DB_MYSQL, DB_DIALECT_COUNT } db_dialect_t;

/* By the name of apr_dbd's driver: sqlite3, pgsql, mysql. False, and *dialect as it was, for any other. */
bool db_dialect_of(const char *driver, db_dialect_t *dialect);

/* What an error means for the statement, its transaction and its connection (outcomes.def). */
typedef enum {
    DB_OUTCOME_OK,
    DB_OUTCOME_UNIQUE, /* a uniqueness rule; SQLite does not tell it from RULE. PostgreSQL: the transaction is dead */
    DB_OUTCOME_RULE, /* another rule of the schema, or a value that does not fit. PostgreSQL: the transaction is dead */
    DB_OUTCOME_BUSY, /* waited for too long, or no room for one more. PostgreSQL: the transaction is dead */
    DB_OUTCOME_RETRY, /* the whole transaction is gone and can be run again */
    DB_OUTCOME_STALE, /* the prepared statement no longer fits the schema: worth preparing it anew */
    DB_OUTCOME_LOST,  /* the connection is no longer of use */
    DB_OUTCOME_FAILED /* anything else. SQLite: its prepared statement may be stale */
} db_outcome_t;

/* code: as apr_dbd returned it, 0 is OK. detail: the driver's text for it (apr_dbd_error). On PostgreSQL that has to be
 * the SQLSTATE alone ("ERROR:  23505", PQsetErrorVerbosity), in any language: a text without one is about the connection. */
db_outcome_t db_outcome(db_dialect_t dialect, int code, const char *detail);

#endif

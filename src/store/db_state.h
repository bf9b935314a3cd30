/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's state, for db.c, which runs statements on it, and db_open.c, which makes it. */
#ifndef IDENTITY_DB_STATE_H
#define IDENTITY_DB_STATE_H

#include <apr_hash.h>

#include "db_int.h"

struct identity_db {
    apr_pool_t *connection; /* as long as the connection lives: statements */
    apr_pool_t *scratch;    /* of one statement: the driver's result, until its values are copied */
    apr_pool_t *use;        /* where results go: the present borrower's */
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    identity_db_options_t options;
    apr_hash_t *statements;   /* by text: a finite set, prepared on first use */
    bool open, write, failed; /* inside a transaction; that may write; one of its statements failed */
    bool usable;
    bool wrote; /* a write transaction was committed */
    unsigned long count;
    apr_array_header_t *invalidated; /* ids, of the present write transaction or the last (change.c) */
    identity_written_t written;      /* of the last one that was committed */
    apr_array_header_t *counted;     /* of the same: entities whose users are to be counted anew */
    apr_hash_t *known;               /* these, and those that were born in it */
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's state, for db.c, which runs statements on it, and db_open.c, which creates it. */
#ifndef IDENTITY_DB_STATE_H
#define IDENTITY_DB_STATE_H

#include <apr_hash.h>

#include "db_int.h"
#include "dialect.h"

struct identity_db {
    apr_pool_t *connection; /* for the life of the connection: statements */
    apr_pool_t *scratch; /* for one statement: the driver's result, until its values are copied */
    apr_pool_t *use;     /* for results: the present borrower's */
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    db_dialect_t dialect;
    identity_db_options_t options;
    apr_hash_t *statements; /* by text: a finite set, prepared on first use */
    bool open, write,
        failed; /* inside a transaction; that may write; one of its statements failed */
    bool usable;
    unsigned long done; /* statements that succeeded since it was borrowed */
    bool given_up,
        lost_first; /* the transaction ended in RETRY; the first statement since then found it dead */
    bool wrote;     /* a write transaction was committed */
    unsigned long count;
    apr_array_header_t
        *invalidated; /* ids, of the current write transaction or the last one (change.c) */
    identity_written_t written;  /* of the last committed one */
    apr_array_header_t *counted; /* likewise: entities whose users must be counted anew */
    apr_hash_t *known;           /* these, and the ones created in it */
};

#endif

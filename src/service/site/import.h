/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by import and export, and the supported kinds of import files. */
#ifndef IDENTITY_IMPORT_INT_H
#define IDENTITY_IMPORT_INT_H

#include "site/site.h"

/* The first and the last line of an export, with line ends. */
const char *identity_site_header(apr_pool_t *pool, int schema);
const char *identity_site_footer(apr_pool_t *pool, const identity_site_totals_t *totals);

typedef enum { IMPORT_REFUSED, IMPORT_MADE, IMPORT_PRESENT } import_outcome_t;

/* A line of the current batch. */
typedef struct import_item {
    apr_int64_t line;
    const char *refusal; /* reason for rejecting it, a sentence; NULL if imported */
    void *request;       /* parsed by its kind */
    const char *sorted;  /* sort key for writing the batch: NULL first, ties in line order */
    import_outcome_t outcome;
    bool over; /* committed */
    apr_int64_t memberships;
} import_item_t;

/* A kind of file. Memory comes from the batch's pool. */
typedef struct import_kind {
    int lines; /* per batch */
    /* Parses a line; sets item->refusal if it is invalid. NULL without a message: nothing to import. */
    bool (*read)(identity_importer_t *importer, import_item_t *item, const char *text,
                 size_t length);
    /* In a write transaction: before its first item, for each item, after its last one. False aborts the import with
     * the call's problem; errors of the item itself go to item->refusal. */
    bool (*begin)(identity_call_t *call, identity_importer_t *importer);
    bool (*write)(identity_call_t *call, identity_importer_t *importer, import_item_t *item);
    bool (*end)(identity_call_t *call, identity_importer_t *importer);
} import_kind_t;
extern const import_kind_t identity_import_site, identity_import_users, identity_import_htpasswd;

struct identity_importer {
    /* batch: pending lines; work: a transaction; scratch: the line being read. Each is cleared after use. */
    apr_pool_t *pool, *batch, *work, *scratch;
    const identity_env_t *env;
    identity_import_options_t options;
    identity_import_totals_t totals;
    const import_kind_t *kind;
    apr_int64_t line;
    apr_array_header_t *items; /* of import_item_t */
    size_t bytes;
    apr_time_t rested; /* when others last had a chance to write */
    bool over;         /* finished */
    /* site imports */
    apr_hash_t *tables;   /* identity_site_table_t by name */
    apr_hash_t *entities; /* ids of imported entities */
    bool changed;         /* by the current transaction */
    /* user imports, in the current transaction */
    bool old_names;
    int users; /* created by it */
    apr_hash_t *accounts,
        *roles; /* identity_account_row_t by reference or id, identity_role_row_t by slug or id */
};

/* Rejects an item. Callers must take care which text of the line they quote. False. */
bool identity_item_refuse(identity_importer_t *importer, import_item_t *item, const char *format,
                          ...) __attribute__((format(printf, 3, 4)));
/* Rejects an unknown member without repeating it, since it may contain anything. */
bool identity_item_unknown(identity_importer_t *importer, import_item_t *item, const char *member);

#endif

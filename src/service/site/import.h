/* What import and export share, and the kinds of files that are imported. */
#ifndef IDENTITY_IMPORT_INT_H
#define IDENTITY_IMPORT_INT_H

#include "site/site.h"

/* The first and the last line of an export, with their ends. */
const char *identity_site_header(apr_pool_t *pool, int schema);
const char *identity_site_footer(apr_pool_t *pool, const identity_site_totals_t *totals);

typedef enum { IMPORT_REFUSED, IMPORT_MADE, IMPORT_PRESENT } import_outcome_t;

/* A line of the present batch. */
typedef struct import_item {
    apr_int64_t line;
    const char *refusal; /* why it is not taken over, a sentence; else NULL */
    void *request;       /* what its kind read */
    const char *sorted;  /* a batch is written in the order of these, NULL first; of equal ones in that of the lines */
    import_outcome_t outcome;
    bool over; /* committed */
    apr_int64_t memberships;
} import_item_t;

/* A kind of file. Whatever is read or written is in the pool of the batch. */
typedef struct import_kind {
    int lines; /* of a batch */
    /* Looks at a line; item->refusal where it does not fit. NULL without a word: there is nothing in it. */
    bool (*read)(identity_importer_t *importer, import_item_t *item, const char *text, size_t length);
    /* In a write transaction: in front of its first item, for an item, behind its last one. False ends the import, with
     * the call's problem; what is the item's own fault is item->refusal. */
    bool (*begin)(identity_call_t *call, identity_importer_t *importer);
    bool (*write)(identity_call_t *call, identity_importer_t *importer, import_item_t *item);
    bool (*end)(identity_call_t *call, identity_importer_t *importer);
} import_kind_t;
extern const import_kind_t identity_import_site, identity_import_users, identity_import_htpasswd;

struct identity_importer {
    /* batch: lines that wait; work: a transaction; scratch: a line that is read. Each is cleared when it is over. */
    apr_pool_t *pool, *batch, *work, *scratch;
    const identity_env_t *env;
    identity_import_options_t options;
    identity_import_totals_t totals;
    const import_kind_t *kind;
    apr_int64_t line;
    apr_array_header_t *items; /* of import_item_t */
    size_t bytes;
    apr_time_t rested; /* when others may be taken to have had their turn */
    bool over;         /* nothing may follow */
    /* of a site */
    apr_hash_t *tables;   /* identity_site_table_t by name */
    apr_hash_t *entities; /* ids of those that came with it */
    bool changed;         /* by the present transaction */
    /* of users, in the present transaction */
    bool old_names;
    int users;                    /* made by it */
    apr_hash_t *accounts, *roles; /* identity_account_row_t by reference or id, identity_role_row_t by slug or id */
};

/* Refuses an item. Text that came with the line is for the caller to choose with care. False. */
bool identity_item_refuse(identity_importer_t *importer, import_item_t *item, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Why a member that is not known is refused, without repeating what may be anything. */
bool identity_item_unknown(identity_importer_t *importer, import_item_t *item, const char *member);

#endif

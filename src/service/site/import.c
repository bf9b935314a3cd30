/* SPDX-License-Identifier: Apache-2.0 */
/* Import: processes lines in batches, with transactions short enough for a running server to write in between. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "site/import.h"

#define BATCH_BYTES (64 * 1024 * 1024)
/* Others poll for the lock ten times a second, for a second and a half: a longer pause lets them find it free, and
 * no transaction keeps them waiting for long. */
#define PAUSE       apr_time_from_msec(120)
#define TRANSACTION apr_time_from_msec(500)
#define LOOK_EVERY  64
/* Attempts to begin a transaction while others hold the lock; each waits for more than a second. */
#define BEGINNINGS  30

/* A line may contain control sequences for the terminal on which its rejection is shown. */
static const char *without_controls(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        bool upper = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0;
        if (upper)
            at[1] = '?';
        if (upper || *at < ' ' || *at == 127)
            *at = '?';
    }
    return text;
}

bool identity_item_refuse(identity_importer_t *importer, import_item_t *item, const char *format,
                          ...)
{
    va_list arguments;

    va_start(arguments, format);
    item->refusal = without_controls(apr_pvsprintf(importer->batch, format, arguments));
    va_end(arguments);
    return false;
}

bool identity_item_unknown(identity_importer_t *importer, import_item_t *item, const char *member)
{
    size_t length =
        strspn(member, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return length > 0 && length <= 40 && !member[length]
               ? identity_item_refuse(importer, item, "The member %s is unknown.", member)
               : identity_item_refuse(importer, item, "A member is unknown.");
}

static void begin_batch(identity_importer_t *importer)
{
    apr_pool_clear(importer->batch);
    importer->items = apr_array_make(importer->batch, 1024, sizeof(import_item_t));
    importer->bytes = 0;
}

static bool read_tables(identity_call_t *call, void *data)
{
    identity_importer_t *importer = data;
    apr_array_header_t *tables = NULL;

    if (!identity_db_ok(call, identity_site_tables(call->db, &tables)))
        return false;
    for (int i = 0; i < tables->nelts; i++) {
        identity_site_table_t *table = APR_ARRAY_IDX(tables, i, identity_site_table_t *);
        apr_hash_set(importer->tables, table->name, APR_HASH_KEY_STRING, table);
    }
    return true;
}

identity_importer_t *identity_importer_make(apr_pool_t *pool, const identity_env_t *env,
                                            const identity_import_options_t *options,
                                            identity_problem_t *problem)
{
    static const import_kind_t *const kinds[] = {[IDENTITY_IMPORT_SITE] = &identity_import_site,
                                                 [IDENTITY_IMPORT_USERS] = &identity_import_users,
                                                 [IDENTITY_IMPORT_HTPASSWD] =
                                                     &identity_import_htpasswd};
    identity_importer_t *importer = apr_pcalloc(pool, sizeof *importer);

    importer->pool = pool;
    importer->env = env;
    importer->options = *options;
    if (!options->entity_id)
        importer->options.entity_id = "";
    importer->kind = kinds[options->kind];
    importer->tables = apr_hash_make(pool);
    importer->entities = apr_hash_make(pool);
    apr_pool_create(&importer->batch, pool);
    apr_pool_create(&importer->work, pool);
    apr_pool_create(&importer->scratch, pool);
    begin_batch(importer);
    return options->kind != IDENTITY_IMPORT_SITE ||
                   identity_run_local(pool, env, "", false, read_tables, importer, problem)
               ? importer
               : NULL;
}

const identity_import_totals_t *identity_importer_totals(const identity_importer_t *importer)
{
    return &importer->totals;
}

/* ---- transactions ----------------------------------------------------------------------------------------------- */

typedef struct portion {
    identity_importer_t *importer;
    import_item_t **order; /* in which the items are written */
    int from, until;       /* current range; until: end of what this transaction covers */
    bool begun;
} portion_t;

static bool write_portion(identity_call_t *call, void *data)
{
    portion_t *portion = data;
    identity_importer_t *importer = portion->importer;
    apr_time_t began = apr_time_now();
    bool more = true;

    portion->begun = true;
    importer->changed = false;
    if (!importer->kind->begin(call, importer))
        return false;
    for (portion->until = portion->from; more && portion->until < importer->items->nelts;
         portion->until++) {
        import_item_t *item = portion->order[portion->until];
        item->outcome = IMPORT_REFUSED;
        if (!item->refusal && !importer->kind->write(call, importer, item))
            return false;
        more = portion->until % LOOK_EVERY != 0 || apr_time_now() - began < TRANSACTION;
    }
    return importer->kind->end(call, importer);
}

static void rest(identity_importer_t *importer)
{
    apr_time_t now = apr_time_now();

    if (importer->rested > now)
        apr_sleep(importer->rested - now);
}

/* Waiting before the transaction has begun loses nothing. */
static bool write_patiently(identity_importer_t *importer, portion_t *portion,
                            identity_problem_t *problem)
{
    bool done = false;

    for (int i = 0; !done && !portion->begun && i < BEGINNINGS; i++) {
        rest(importer);
        apr_pool_clear(importer->work);
        done = identity_run_local(importer->work, importer->env, importer->options.entity_id, true,
                                  write_portion, portion, problem);
        importer->rested = apr_time_now() + PAUSE;
    }
    return done;
}

/* Counts what has been committed. */
static void account_for(identity_importer_t *importer, const portion_t *portion)
{
    identity_import_totals_t *totals = &importer->totals;

    for (int i = portion->from; i < portion->until; i++) {
        import_item_t *item = portion->order[i];
        item->over = true;
        totals->lines++;
        totals->made += item->outcome == IMPORT_MADE;
        totals->present += item->outcome == IMPORT_PRESENT;
        totals->memberships += item->outcome == IMPORT_MADE ? item->memberships : 0;
        totals->refused += item->refusal != NULL;
    }
}

/* In file order. */
static void report(const identity_importer_t *importer)
{
    for (int i = 0; i < importer->items->nelts; i++) {
        const import_item_t *item = &APR_ARRAY_IDX(importer->items, i, import_item_t);
        if (item->over && item->refusal)
            importer->options.refused(importer->options.context, item->line, item->refusal);
    }
}

/* Equal items keep the order of their lines. */
static int compare_items(const void *one_, const void *other_)
{
    const import_item_t *one = *(import_item_t *const *)one_,
                        *other = *(import_item_t *const *)other_;
    int order = one->sorted && other->sorted ? strcmp(one->sorted, other->sorted) : 0;

    if (!one->sorted != !other->sorted)
        return one->sorted ? 1 : -1;
    return order ? order : (one->line > other->line) - (one->line < other->line);
}

/* Sorted so that neighbours in the indexes are written consecutively: with random order most of the time is spent
 * finding positions and writing every page once for each of its rows. */
static import_item_t **order_of(const identity_importer_t *importer)
{
    size_t count = (size_t)importer->items->nelts;
    import_item_t **order = apr_palloc(importer->batch, sizeof(import_item_t *) * (count + 1));

    for (size_t i = 0; i < count; i++)
        order[i] = (import_item_t *)(void *)importer->items->elts + i;
    qsort(order, count, sizeof order[0], compare_items);
    return order;
}

static bool flush(identity_importer_t *importer, identity_problem_t *problem)
{
    portion_t portion = {.importer = importer, .order = order_of(importer)};
    bool done = true;

    while (done && portion.from < importer->items->nelts) {
        portion.begun = false;
        done = write_patiently(importer, &portion, problem);
        if (done)
            account_for(importer, &portion);
        portion.from = portion.until;
    }
    report(importer);
    if (!done && problem->message)
        problem->message = apr_pstrdup(importer->pool, problem->message);
    if (done)
        begin_batch(importer);
    return done;
}

/* ---- lines ------------------------------------------------------------------------------------------------------ */

bool identity_importer_line(identity_importer_t *importer, const char *text, size_t length,
                            identity_problem_t *problem)
{
    import_item_t item = {.line = ++importer->line};
    bool read = false;

    if (!text)
        identity_item_refuse(importer, &item, "The line is longer than %d bytes.",
                             IDENTITY_IMPORT_LINE);
    else
        read = importer->kind->read(importer, &item, text, length);
    if (!read && !item.refusal)
        return true;
    APR_ARRAY_PUSH(importer->items, import_item_t) = item;
    importer->bytes += length;
    return (importer->items->nelts < importer->kind->lines && importer->bytes < BATCH_BYTES) ||
           flush(importer, problem);
}

bool identity_importer_end(identity_importer_t *importer, identity_problem_t *problem)
{
    return flush(importer, problem);
}

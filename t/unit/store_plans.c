/* Every statement is a key or range look-up, and nothing sorts: the plans of all of sql.def and of every page that
 * page.c can compose. */
#include <apr_general.h>

#include "../../src/store/rows_int.h"
#include "support/door.h"
#include "tap.h"

typedef struct plans {
    identity_db_t *db;
    apr_pool_t *pool;
    int texts, faults;
} plans_t;

/* Parameters stand for values only: any value of the right kind gives the same plan, since the driver prepares before
 * it binds. */
static const char *with_values(apr_pool_t *pool, const char *text)
{
    const char *out = "";

    for (const char *at = text; *at;) {
        size_t plain = strcspn(at, "%");
        out = apr_pstrcat(pool, out, apr_pstrmemdup(pool, at, plain), at[plain] ? "?" : "", NULL);
        at += plain;
        if (*at)
            at += strncmp(at, "%lld", 4) == 0 ? 4 : 2;
    }
    return out;
}

static bool allowed_scan(const char *name, const char *line)
{
    /* A list of ids; a closure that was just worked out; a constant; what is listed whole on purpose. */
    return strstr(line, "SCAN j") || strstr(line, "json_each") || strstr(line, "SCAN c") || strstr(line, "SCAN m") ||
           strstr(line, "SCAN r") || strstr(line, "SCAN CONSTANT ROW") || strstr(line, "SCAN n") ||
           strstr(line, "SCAN w") || strstr(line, "SCAN (subquery") || strstr(name, "ENTITIES_LIST") ||
           strstr(name, "SCHEMA_");
}

/* A reader that must not sort lists pages, searches, or what is due. */
static bool may_sort(const char *name)
{
    return !strstr(name, "_PAGE") && !strstr(name, "USERS_") && strcmp(name, "OUTBOX_DUE") != 0 &&
           strcmp(name, "INVITATION_OPEN") != 0;
}

static void look(void *context, const char *name, const char *text)
{
    plans_t *plans = context;
    apr_array_header_t *lines;
    const char *command = apr_pstrcat(plans->pool, "EXPLAIN QUERY PLAN ", with_values(plans->pool, text), NULL);

    plans->texts++;
    if (db_plain_details(plans->db, name, command, 3, &lines) != IDENTITY_DB_OK) {
        plans->faults++;
        diag("%s cannot be explained: %s", name, command);
        return;
    }
    for (int i = 0; i < lines->nelts; i++) {
        const char *line = APR_ARRAY_IDX(lines, i, const char *);
        bool scan = strncmp(line, "SCAN", 4) == 0 && !allowed_scan(name, line),
             sort = strstr(line, "TEMP B-TREE FOR ORDER BY") && !may_sort(name);
        if (scan || sort) {
            plans->faults++;
            diag("%s: %s\n# %s", name, line, text);
        }
    }
}

int main(void)
{
    door_t *door = door_open();
    plans_t plans = {.db = door->db, .pool = door->pool};

    identity_db_use(door->db, door->pool);
    for (int i = 0; i < IDENTITY_SQL_COUNT; i++)
        look(&plans, identity_sql_name((identity_sql_t)i), identity_sql_text((identity_sql_t)i));
    is_int(plans.faults, 0, "every statement of sql.def goes by an index");
    db_page_texts(door->pool, look, &plans);
    ok(plans.texts > 1500, "%d texts were looked at", plans.texts);
    is_int(plans.faults, 0, "every page goes by a range of an index and sorts nothing");
    door_close(door);
    return tap_done();
}

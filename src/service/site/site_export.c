/* SPDX-License-Identifier: Apache-2.0 */
/* The whole of a site as JSON Lines (identity/service.h). */
#include <string.h>

#include "site/import.h"

#define PAGE 500

typedef struct export
{
    identity_site_sink_t *sink;
    void *context;
    identity_site_totals_t *totals;
    identity_digest_t *digest;
    apr_pool_t *page; /* cleared with each page */
    bool refused;     /* by the sink */
}
export_t;

static bool give(export_t *export, const char *text)
{
    size_t length = strlen(text);

    export->refused = !export->sink(export->context, text, length, export->totals->rows);
    return !export->refused;
}

static bool give_line(export_t *export, const char *text)
{
    identity_digest_add(export->digest, text, strlen(text));
    return give(export, text);
}

/* What could not be imported again is reported, not written. */
static bool readable(identity_call_t *call, const identity_site_table_t *table,
                     const identity_site_line_t *line)
{
    if (strlen(line->text) > IDENTITY_IMPORT_LINE)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL,
                             "A row of %s (%s) is longer than %d bytes.", table->name,
                             line->keys[0], IDENTITY_IMPORT_LINE);
    return identity_utf8_valid(line->text) ||
           identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL,
                         "A row of %s (%s) is not valid UTF-8.", table->name, line->keys[0]);
}

static bool give_page(identity_call_t *call, export_t *export, const identity_site_table_t *table,
                      const apr_array_header_t *lines)
{
    const char **pieces = apr_palloc(export->page, sizeof *pieces * (size_t)(lines->nelts + 1));
    size_t size = 0;

    for (int i = 0; i < lines->nelts; i++) {
        const identity_site_line_t *line = APR_ARRAY_IDX(lines, i, const identity_site_line_t *);
        if (!readable(call, table, line))
            return false;
        pieces[i] = line->text;
        size += strlen(line->text) + 1;
    }
    char *text = apr_palloc(export->page, size + 1), *at = text;
    for (int i = 0; i < lines->nelts; i++) {
        size_t length = strlen(pieces[i]);
        memcpy(at, pieces[i], length);
        at[length] = '\n';
        at += length + 1;
    }
    *at = '\0';
    export->totals->rows += lines->nelts;
    return lines->nelts == 0 || give_line(export, text);
}

static bool give_table(identity_call_t *call, export_t *export, const identity_site_table_t *table)
{
    identity_site_line_t last, *after = NULL;
    apr_int64_t before = export->totals->rows;
    int count = PAGE;

    while (count == PAGE) {
        apr_array_header_t *lines = NULL;
        identity_db_use(call->db, export->page);
        if (!identity_db_ok(call, identity_site_page(call->db, table, after, PAGE, &lines)) ||
            !give_page(call, export, table, lines))
            return false;
        count = lines->nelts;
        if (count > 0) {
            const identity_site_line_t *line =
                APR_ARRAY_IDX(lines, count - 1, const identity_site_line_t *);
            for (int i = 0; i < IDENTITY_SITE_KEYS; i++)
                last.keys[i] = apr_pstrdup(call->pool, line->keys[i]);
            after = &last;
        }
        apr_pool_clear(export->page);
    }
    if (export->totals->rows > before)
        APR_ARRAY_PUSH(export->totals->tables, identity_site_count_t) =
            (identity_site_count_t){table->name, export->totals->rows - before};
    return true;
}

static bool give_all(identity_call_t *call, void *data)
{
    export_t *export = data;
    apr_array_header_t *tables = NULL;
    int version = 0;

    /* A consistent snapshot of everything. */
    if (!identity_db_ok(call, identity_db_begin(call->db, false)) ||
        !identity_db_ok(call, identity_schema_version(call->db, &version)) ||
        !identity_db_ok(call, identity_site_tables(call->db, &tables)))
        return false;
    if (!give_line(export, identity_site_header(call->pool, version)))
        return false;
    for (int i = 0; i < tables->nelts; i++)
        if (!give_table(call, export, APR_ARRAY_IDX(tables, i, const identity_site_table_t *)))
            return false;
    export->totals->digest = identity_digest_hex(call->pool, export->digest);
    return give(export, identity_site_footer(call->pool, export->totals));
}

bool identity_site_export(apr_pool_t *pool, const identity_env_t *env, identity_site_sink_t *sink,
                          void *context, identity_site_totals_t *totals,
                          identity_problem_t *problem)
{
    export_t export = {
        .sink = sink, .context = context, .totals = totals, .digest = identity_digest_make(pool)};

    totals->tables = apr_array_make(pool, 24, sizeof(identity_site_count_t));
    totals->rows = 0;
    apr_pool_create(&export.page, pool);
    if (!export.digest)
        return identity_refuse(pool, problem, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    bool done = identity_run_local(pool, env, "", false, give_all, &export, problem);
    apr_pool_destroy(export.page);
    return done || !export.refused ? done
                                   : identity_refuse(pool, problem, IDENTITY_PROBLEM_INTERNAL, NULL,
                                                     "The output cannot be written.");
}

/* ---- first and last line ---------------------------------------------------------------------------------------- */

const char *identity_site_header(apr_pool_t *pool, int schema)
{
    return apr_psprintf(pool,
                        "{\"type\":\"site\",\"format\":%d,\"schema\":%d,\"version\":\"%s\"}\n",
                        IDENTITY_SITE_FORMAT, schema, IDENTITY_VERSION);
}

const char *identity_site_footer(apr_pool_t *pool, const identity_site_totals_t *totals)
{
    const char *tables = "";

    for (int i = 0; i < totals->tables->nelts; i++) {
        const identity_site_count_t *count =
            &APR_ARRAY_IDX(totals->tables, i, identity_site_count_t);
        tables = apr_psprintf(pool, "%s%s\"%s\":%" APR_INT64_T_FMT, tables, i ? "," : "",
                              count->table, count->rows);
    }
    return apr_psprintf(pool,
                        "{\"type\":\"end\",\"rows\":%" APR_INT64_T_FMT
                        ",\"tables\":{%s},\"sha256\":\"%s\"}\n",
                        totals->rows, tables, totals->digest);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Files that htidentity imports, on a database of their own. The first character says of which kind: s, u or h; the
 * lines begin behind it. */
#include "support/door.h"

bool fuzz_right;

static door_t *door;

static void refused(void *context, apr_int64_t line, const char *reason)
{
    apr_int64_t *count = context;

    if (line < 1 || !reason || !*reason || !identity_utf8_valid(reason))
        abort();
    ++*count;
}

/* Each line in memory of its own size. */
static const char *next_line(apr_pool_t *pool, const char **at, const char *until, size_t *length)
{
    const char *line = *at, *stop = memchr(line, '\n', (size_t)(until - line));
    char *copy;

    *length = (size_t)((stop ? stop : until) - line);
    *at = stop ? stop + 1 : until;
    copy = apr_palloc(pool, *length + 1);
    memcpy(copy, line, *length);
    copy[*length] = '\n'; /* not 0: lines have lengths */
    return copy;
}

static void look_through(apr_pool_t *pool, const char *text, const char *until)
{
    identity_site_check_t *check = identity_site_check_make(pool, &door->env);
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    bool whole = true;
    size_t length;

    while (whole && text < until) {
        const char *line = next_line(pool, &text, until, &length);
        whole = identity_site_check_line(check, line, length, &problem);
    }
    if (whole)
        identity_site_check_end(check, &problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char kinds[] = "suh";
    const char *kind = size > 0 && data[0] ? strchr(kinds, data[0]) : NULL, *text = (const char *)data + 1;
    const char *until = (const char *)data + size;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    apr_int64_t told = 0;
    size_t length;

    door = fuzz_door();
    if (!kind)
        return 0;
    apr_pool_t *pool = fuzz_pool();
    identity_import_options_t options = {.kind = (identity_import_kind_t)(kind - kinds),
                                         .entity_id = door->entity_id,
                                         .resume = true,
                                         .refused = refused,
                                         .context = &told};
    if (options.kind == IDENTITY_IMPORT_SITE)
        look_through(pool, text, until);
    identity_importer_t *importer = identity_importer_make(pool, &door->env, &options, &problem);
    while (importer && text < until) {
        const char *line = next_line(pool, &text, until, &length);
        if (!identity_importer_line(importer, line, length, &problem))
            abort();
    }
    if (!importer || !identity_importer_end(importer, &problem))
        abort();
    const identity_import_totals_t *totals = identity_importer_totals(importer);
    if (totals->made + totals->present + totals->refused != totals->lines || told != totals->refused ||
        door->borrowed || door->writers)
        abort();
    fuzz_right = totals->made + totals->present > 0 && totals->refused == 0;
    apr_pool_destroy(pool);
    return 0;
}

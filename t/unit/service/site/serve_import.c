/* SPDX-License-Identifier: Apache-2.0 */
/* Import past a database that fails at every statement in turn: what was begun is wholly there or not at all, and a
 * second run brings the rest. */
#include "serve.h"

#define HASH "$2y$05$abcdefghijklmnopqrstuut3CYJcJzK0OXF40fU9tgfp3q7x3/1vu"
#define MOST 200

static int refusals;

static void count_refusal(void *context, apr_int64_t line, const char *reason)
{
    (void)context;
    (void)line;
    diag("%s", reason);
    refusals++;
}

/* False where the database failed. */
static bool import(identity_import_kind_t kind, const char *lines, identity_import_totals_t *totals)
{
    identity_import_options_t options = {
        .kind = kind, .entity_id = door->entity_id, .domain = "example.org", .resume = true, .refused = count_refusal};
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    identity_importer_t *importer = identity_importer_make(door->pool, &door->env, &options, &problem);
    bool done = importer != NULL;

    while (done && *lines) {
        size_t length = strcspn(lines, "\n");
        done = identity_importer_line(importer, lines, length, &problem);
        lines += length + 1;
    }
    done = done && identity_importer_end(importer, &problem);
    if (importer)
        *totals = *identity_importer_totals(importer);
    if (!done)
        is_int((int)problem.kind, IDENTITY_PROBLEM_UNAVAILABLE, "it is the database's fault");
    return done;
}

static const char *users(int run)
{
    const char *lines = "";

    for (int i = 0; i < 3; i++)
        lines = text(
            "%s{\"type\":\"user\",\"username\":\"u%d-%d@example.org\",\"login\":\"u%d-%d\",\"password_hash\":\"" HASH
            "\",\"memberships\":[{\"account\":\"default\",\"roles\":[\"read-only\"]}]}\n",
            lines, run, i, run, i);
    return lines;
}

static const char *names(int run)
{
    return text("h%d:" HASH "\nH%d@example.com:" HASH "\ni%d:" HASH "\n", run, run, run);
}

static const char *entities(int run)
{
    const char *lines = "";

    for (int i = 0; i < 3; i++)
        lines = text("%s{\"table\":\"entities\",\"id\":\"enti_%010d%010d\",\"reference\":\"r%d-%d\",\"name\":\"R\","
                     "\"created_at\":1,"
                     "\"expires_at\":0}\n",
                     lines, run, i, run, i);
    return lines;
}

static void fail_each(const char *what, identity_import_kind_t kind, const char *(*lines)(int run))
{
    identity_import_totals_t first = {0}, second = {0};
    int failed = 0, run = 0;
    bool whole = false;

    refusals = 0;
    /* Until none is left to fail. */
    for (run = 1; run < MOST && !whole; run++) {
        const char *text_of_run = lines(run);
        door->fail_after = run;
        whole = import(kind, text_of_run, &first) && door->fail_after > 0;
        door->fail_after = 0;
        failed += !whole;
        if (!import(kind, text_of_run, &second) || second.made + second.present != 3 || door->borrowed || door->writers)
            break;
    }
    ok(whole, "%s: after a failure of any of %d statements the rest comes with a second run", what, failed);
    ok(failed > 5, "and there were that many");
    is_int(refusals, 0, "nothing was refused");
}

int main(void)
{
    door = door_open();
    door->log = "";
    fail_each("users", IDENTITY_IMPORT_USERS, users);
    fail_each("htpasswd", IDENTITY_IMPORT_HTPASSWD, names);
    fail_each("a site", IDENTITY_IMPORT_SITE, entities);
    door_close(door);
    return tap_done();
}

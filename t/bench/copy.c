/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench-copy FROM TO: the entities and users of a database into one that `htidentity migrate` has made, by
 * SQLite alone, in one statement and one transaction each (the limit of row S2). */
#include <stdio.h>
#include <stdlib.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_strings.h>

static void run(const apr_dbd_driver_t *driver, apr_dbd_t *handle, const char *text)
{
    int rows, code = apr_dbd_query(driver, handle, &rows, text);
    const char *detail = code ? apr_dbd_error(driver, handle, code) : NULL;

    if (code == 0)
        return;
    fprintf(stderr, "bench-copy: %s: %s\n", text, detail ? detail : "");
    exit(1);
}

int main(int count, char *arguments[])
{
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    apr_pool_t *pool;

    if (count != 3 || apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        apr_dbd_init(pool) != APR_SUCCESS || apr_dbd_get_driver(pool, "sqlite3", &driver) != APR_SUCCESS ||
        apr_dbd_open(driver, pool, arguments[2], &handle) != APR_SUCCESS) {
        fputs("usage: bench-copy FROM TO\n", stderr);
        return 1;
    }
    run(driver, handle, "PRAGMA foreign_keys=ON");
    run(driver, handle, "PRAGMA synchronous=FULL");
    run(driver, handle, "PRAGMA cache_size=-262144");
    run(driver, handle, apr_pstrcat(pool, "ATTACH '", arguments[1], "' AS f", NULL));
    run(driver, handle, "BEGIN IMMEDIATE");
    run(driver, handle, "INSERT INTO entities SELECT * FROM f.entities");
    run(driver, handle, "INSERT INTO users SELECT * FROM f.users");
    run(driver, handle, "COMMIT");
    apr_dbd_close(driver, handle);
    return 0;
}

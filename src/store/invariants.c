/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants beyond the references that the database enforces itself: its own checks do not find violations (M23). */
#include "rows_int.h"

#define MOST 20 /* maximum number of rows listed for each kind */

static const struct {
    const char *query, *sentence;
} invariants[] = {
#define INVARIANT(query, sentence) {query, sentence},
#include "invariants.def"
#undef INVARIANT
};

identity_db_status_t identity_invariants_check(identity_db_t *db, apr_array_header_t **faults)
{
    identity_db_status_t status = IDENTITY_DB_OK;
    apr_array_header_t *ids;

    if (!*faults)
        *faults = apr_array_make(db_use_pool(db), 4, sizeof(const char *));
    for (size_t i = 0; status == IDENTITY_DB_OK && i < sizeof invariants / sizeof invariants[0];
         i++) {
        const char *text =
            apr_psprintf(db_use_pool(db), "%s LIMIT %d", invariants[i].query, MOST + 1);
        status = db_plain_list(db, "invariant", text, &ids);
        for (int j = 0; status == IDENTITY_DB_OK && j < ids->nelts; j++)
            APR_ARRAY_PUSH(*faults, const char *) =
                j < MOST ? apr_pstrcat(db_use_pool(db), APR_ARRAY_IDX(ids, j, const char *), " ",
                                       invariants[i].sentence, NULL)
                         : apr_pstrcat(db_use_pool(db), "and there are more of which each ",
                                       invariants[i].sentence, NULL);
    }
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors of lists: one that is read is written as one that says the same. */
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    identity_cursor_t cursor, again;
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    fuzz_right = identity_cursor_decode(pool, text, &cursor);
    if (fuzz_right) {
        const char *written = identity_cursor_encode(pool, &cursor);
        if (!written || !identity_cursor_decode(pool, written, &again) || strcmp(cursor.key, again.key) != 0 ||
            strcmp(cursor.id, again.id) != 0 || cursor.backward != again.backward || cursor.page != again.page ||
            cursor.total != again.total)
            abort();
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of a fuzz target. */
#include "../fuzz.h"

apr_pool_t *fuzz_root(void)
{
    static apr_pool_t *root;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    return root;
}

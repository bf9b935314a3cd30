/* SPDX-License-Identifier: Apache-2.0 */
/* User names, logins, domains, names of roles and teams: a canonical form is its own canonical form. */
#include "fuzz.h"

bool fuzz_right;

static void same(const char *one, const char *other)
{
    if (!other || strcmp(one, other) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    const char *canonical = identity_username_valid(text) ? identity_username_canonical(pool, text) : NULL;
    fuzz_right = canonical != NULL;
    if (canonical)
        same(canonical, identity_username_canonical(pool, canonical));
    identity_username_key(pool, text);
    identity_username_prefix(pool, text);
    const char *domain = identity_domain_valid(text) ? identity_domain_canonical(pool, text) : NULL;
    if (domain)
        same(domain, identity_domain_canonical(pool, domain));
    if (identity_login_valid(text))
        same(identity_login_key(pool, text), identity_login_key(pool, identity_login_key(pool, text)));
    if (identity_text_valid(text)) {
        const char *name = identity_name_canonical(pool, text);
        if (name)
            same(name, identity_name_canonical(pool, name));
        if (!identity_slug_valid(identity_slug_of_name(pool, text)))
            abort();
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of mails, with and without a display name, and URLs of mail servers. */
#include "../../src/client/client_int.h"
#include "fuzz.h"
#include "identity/client.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *name = NULL, *error = NULL;
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    const char *address = mail_address_read(pool, text, &name);
    fuzz_right = address != NULL;
    /* Neither can end a header. */
    if (address && (strpbrk(address, "\r\n") || (name && strpbrk(name, "\r\n"))))
        abort();
    identity_mail_address_valid(text);
    if (identity_mail_target_parse(pool, text, &error))
        fuzz_right = true;
    else if (!error || !*error)
        abort();
    identity_mail_helo(pool, text);
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

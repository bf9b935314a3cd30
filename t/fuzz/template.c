/* SPDX-License-Identifier: Apache-2.0 */
/* Mail templates of a site, as text and as HTML, and mails made of them. */
#include "../../src/client/template.h"
#include "fuzz.h"

bool fuzz_right;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char mark[] = "<b>&\"'";
    const char *const values[MAIL_VALUES] = {"https://id.example.org/#t", mark, mark, mark, mark, mark, mark, mark};
    const char *error = NULL;
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);

    fuzz_right = true;
    for (int html = 0; html < 2; html++) {
        mail_template_t *template = mail_template_compile(pool, text, 1, html, &error);
        if (!template && (!error || !*error))
            abort();
        fuzz_right &= template != NULL;
        if (template) {
            const char *mail = mail_template_fill(pool, template, values);
            /* A value never becomes markup. */
            if (html && strstr(mail, mark) && !strstr(text, mark))
                abort();
        }
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}

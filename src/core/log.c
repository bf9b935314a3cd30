/* SPDX-License-Identifier: Apache-2.0 */
/* Text for logs. */
#include <string.h>

#include "core_int.h"

/* Invisible characters, in addition to bidirectional formatting. */
static bool harmless(utf8proc_int32_t character)
{
    bool invisible = character == 0x61c || character == 0xfeff ||
                     (character >= 0x200b && character <= 0x200f) ||
                     (character >= 0x2060 && character <= 0x2064);
    return identity_char_printable(character) && !invisible;
}

const char *identity_log_text(apr_pool_t *pool, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *at = (const unsigned char *)text;
    char *line = apr_palloc(pool, 4 * strlen(text) + 1), *to = line;

    while (*at) {
        utf8proc_int32_t character;
        utf8proc_ssize_t size = utf8proc_iterate(at, -1, &character);
        bool shown = size > 0 && harmless(character);
        for (utf8proc_ssize_t left = size > 0 ? size : 1; left > 0; left--, at++) {
            if (!shown) {
                *to++ = '\\';
                *to++ = 'x';
                *to++ = hex[*at >> 4];
                *to++ = hex[*at & 15];
            } else {
                *to++ = (char)*at;
            }
        }
    }
    *to = '\0';
    return line;
}

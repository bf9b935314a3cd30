/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax of names, slugs and texts, and the forms in which they are compared. User names are in username.c. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "core_int.h"

#define SLUG_MAX       64
#define PERMISSION_MAX 128

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c + ('a' - 'A')) : c;
}

/* ---- texts ------------------------------------------------------------------------------------------------------ */

bool identity_char_printable(utf8proc_int32_t character)
{
    if (character < 0x80)
        return character >= 0x20 && character != 0x7f;
    if ((character >= 0x202a && character <= 0x202e) ||
        (character >= 0x2066 && character <= 0x2069))
        return false;
    utf8proc_category_t category = utf8proc_category(character);
    return category != UTF8PROC_CATEGORY_CC && category != UTF8PROC_CATEGORY_ZL &&
           category != UTF8PROC_CATEGORY_ZP;
}

utf8proc_int32_t identity_next_char(const char **text)
{
    const unsigned char *at = (const unsigned char *)*text;
    utf8proc_int32_t character;

    if (*at < 0x80) {
        *text += *at != 0;
        return *at;
    }
    utf8proc_ssize_t size = utf8proc_iterate(at, -1, &character);
    if (size <= 0)
        return -1;
    *text += size;
    return character;
}

bool identity_text_scan(const char *text, size_t *characters)
{
    size_t count = 0;
    utf8proc_int32_t character;

    while ((character = identity_next_char(&text)) > 0) {
        if (!identity_char_printable(character))
            return false;
        count++;
    }
    *characters = count;
    return character == 0;
}

bool identity_utf8_valid(const char *text)
{
    utf8proc_int32_t character;

    while ((character = identity_next_char(&text)) > 0)
        continue;
    return character == 0;
}

static bool is_space(utf8proc_int32_t character)
{
    return character == ' ' ||
           (character >= 0x80 && utf8proc_category(character) == UTF8PROC_CATEGORY_ZS);
}

bool identity_text_valid(const char *text)
{
    size_t characters;
    bool blank = true;

    if (!text || !identity_text_scan(text, &characters))
        return false;
    while (blank && *text != '\0')
        blank = is_space(identity_next_char(&text));
    return !blank;
}

char *identity_text_map(apr_pool_t *pool, const char *text, size_t length,
                        utf8proc_option_t options)
{
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t count = utf8proc_decompose(bytes, (utf8proc_ssize_t)length, NULL, 0, options);
    char *result = NULL;

    if (count < 0)
        return NULL;
    size_t size = ((size_t)count + 1) * sizeof(utf8proc_int32_t);
    utf8proc_int32_t *buffer = malloc(size);
    if (!buffer)
        return NULL;
    count = utf8proc_decompose(bytes, (utf8proc_ssize_t)length, buffer, count, options);
    if (count >= 0)
        count = utf8proc_reencode(buffer, count, options);
    if (count >= 0)
        result = apr_pstrmemdup(pool, (const char *)buffer, (apr_size_t)count);
    identity_wipe(buffer, size);
    free(buffer);
    return result;
}

const char *identity_name_canonical(apr_pool_t *pool, const char *name)
{
    return identity_text_map(pool, name, strlen(name),
                             UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                 UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
}

/* ---- ranges ----------------------------------------------------------------------------------------------------- */

/* The next character in code point order, skipping surrogates; 0 after the last one. */
static utf8proc_int32_t character_after(utf8proc_int32_t character)
{
    if (character == 0xd7ff)
        return 0xe000;
    return character < 0x10ffff ? character + 1 : 0;
}

const char *identity_prefix_end(apr_pool_t *pool, const char *prefix)
{
    size_t length = strlen(prefix);
    char *end = apr_palloc(pool, length + 5);

    memcpy(end, prefix, length);
    /* by characters, not bytes: the end must be valid UTF-8 too, as PostgreSQL requires */
    while (length > 0) {
        utf8proc_int32_t last;
        size_t start = length - 1;
        while (start > 0 && ((unsigned char)prefix[start] & 0xc0) == 0x80)
            start--;
        if (utf8proc_iterate((const unsigned char *)prefix + start,
                             (utf8proc_ssize_t)(length - start), &last) <= 0)
            return NULL;
        last = character_after(last);
        if (last != 0) {
            end[start + (size_t)utf8proc_encode_char(last, (unsigned char *)end + start)] = '\0';
            return end;
        }
        length = start;
    }
    return NULL;
}

/* ---- slugs and permissions -------------------------------------------------------------------------------------- */

bool identity_slug_valid(const char *slug)
{
    if (!slug)
        return false;
    size_t length = strspn(slug, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length > 0 && length <= SLUG_MAX && slug[length] == '\0' &&
           strcmp(slug, IDENTITY_SLUG_NONE) != 0;
}

const char *identity_slug_of_name(apr_pool_t *pool, const char *name)
{
    char slug[SLUG_MAX + 1];
    size_t length = 0;

    for (; *name != '\0' && length < SLUG_MAX; name++) {
        char c = to_lower(*name);
        if (is_lower(c) || is_digit(c))
            slug[length++] = c;
        else if (length > 0 && slug[length - 1] != '-')
            slug[length++] = '-';
    }
    if (length > 0 && slug[length - 1] == '-')
        length--;
    slug[length] = '\0';
    return identity_slug_valid(slug) ? apr_pstrdup(pool, slug) : "role";
}

bool identity_permission_valid(const char *name)
{
    bool dot = false;
    char before = '.';
    size_t length = 0;

    if (!name)
        return false;
    for (; name[length] != '\0'; before = name[length++]) {
        char c = name[length];
        if (length == PERMISSION_MAX || (before == '.' && !is_upper(c)))
            return false;
        if (c == '.')
            dot = true;
        else if (!is_upper(c) && !is_digit(c) && c != '_')
            return false;
    }
    return dot && before != '.';
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON incrementally into the request's memory. Building and freeing a tree would be most of the cost of an
 * answer. */
#include <stdint.h>
#include <string.h>

#include "core_int.h"

#define SMALLEST 256
#define NUMBER   24 /* characters of any */
#define ONES     UINT64_C(0x0101010101010101)
#define HIGHS    UINT64_C(0x8080808080808080)

void identity_writer_begin(identity_writer_t *writer, apr_pool_t *pool, size_t expected, size_t max)
{
    size_t size = expected > SMALLEST ? expected : SMALLEST;

    *writer =
        (identity_writer_t){.pool = pool, .text = apr_palloc(pool, size), .size = size, .max = max};
}

const char *identity_writer_end(identity_writer_t *writer, size_t *length)
{
    *length = writer->full ? writer->max + 1 : writer->length;
    if (writer->full)
        return NULL;
    writer->text[writer->length] = '\0';
    return writer->text;
}

/* Memory for that many more bytes, and for the NUL; NULL if it is full. */
static char *room_for(identity_writer_t *writer, size_t more)
{
    if (writer->full)
        return NULL;
    if (more >= writer->size - writer->length) {
        writer->size = (writer->size + more) * 2;
        char *text = apr_palloc(writer->pool, writer->size);
        memcpy(text, writer->text, writer->length);
        writer->text = text;
    }
    return writer->text + writer->length;
}

static void written(identity_writer_t *writer, size_t size)
{
    writer->length += size;
    writer->full = writer->length > writer->max;
}

void identity_write_raw(identity_writer_t *writer, const char *piece, size_t size)
{
    char *to = room_for(writer, size);

    if (to != NULL) {
        memcpy(to, piece, size);
        written(writer, size);
    }
}

/* Can eight characters be copied into a JSON string unchanged: ASCII without escapes? A false alarm (because of a
 * borrow) only means that they are checked one by one. */
static bool plain(const char *at)
{
    uint64_t word, quote, backslash;

    memcpy(&word, at, sizeof word);
    quote = word ^ ONES * '"';
    backslash = word ^ ONES * '\\';
    return ((word | (word - ONES * 0x20) | (quote - ONES) | (backslash - ONES)) & HIGHS) == 0;
}

static char *put_escaped(char *to, unsigned char c)
{
    static const char letters[] = "btn?fr", digits[] = "0123456789ABCDEF";

    *to++ = '\\';
    if (c == '"' || c == '\\') {
        *to++ = (char)c;
    } else if (c >= '\b' && c <= '\r' && c != '\v') {
        *to++ = letters[c - '\b'];
    } else {
        memcpy(to, "u00", 3);
        to[3] = digits[c >> 4];
        to[4] = digits[c & 15];
        to += 5;
    }
    return to;
}

/* The length of the multi-byte character at that position; 0: invalid. */
static size_t character_at(const char *at, const char *end)
{
    utf8proc_int32_t character;
    utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)at, end - at, &character);

    return size > 0 ? (size_t)size : 0;
}

bool identity_write_text(identity_writer_t *writer, const char *text)
{
    if (!text) {
        identity_write_literal(writer, "null");
        return true;
    }
    size_t length = strlen(text);
    char *from = room_for(writer, 6 * length + 2), *to = from;
    const char *end = text + length;
    if (!to)
        return true;
    *to++ = '"';
    while (text < end) {
        if (end - text >= 8 && plain(text)) {
            memcpy(to, text, 8);
            to += 8;
            text += 8;
            continue;
        }
        unsigned char c = (unsigned char)*text;
        size_t size = c < 0x80 ? 1 : character_at(text, end);
        if (size == 0)
            return false;
        if (c < 0x20 || c == '"' || c == '\\') {
            to = put_escaped(to, c);
        } else {
            memcpy(to, text, size);
            to += size;
        }
        text += size;
    }
    *to++ = '"';
    written(writer, (size_t)(to - from));
    return true;
}

void identity_write_member(identity_writer_t *writer, const char *beginning, const char *text)
{
    size_t before = writer->length;

    identity_write_raw(writer, beginning, strlen(beginning));
    if (!identity_write_text(writer, text))
        writer->length = before;
}

void identity_write_number(identity_writer_t *writer, apr_int64_t number)
{
    char digits[NUMBER];
    char *at = digits + sizeof digits;
    apr_uint64_t rest = number < 0 ? -(apr_uint64_t)number : (apr_uint64_t)number;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *--at = '-';
    identity_write_raw(writer, at, (size_t)(digits + sizeof digits - at));
}

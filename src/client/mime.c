/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting for mail: lines (RFC 5322), encoded words (RFC 2047), folded headers (RFC 5322). */
#include <string.h>

#include "client_int.h"

#define LINE_MAX_TEXT 998 /* RFC 5322, 2.1.1 */
#define LINE_SHOULD   78  /* the same */
#define WORD_MAX      66  /* the longest word of a header that is left unchanged */
#define ENCODED_TEXT                                                                               \
    39 /* bytes of text in one encoded word: with 12 around 52 of base64 and `Subject: ` in front a line               \
           stays within the 76 of RFC 2047, 2 */

void mail_put(mail_buffer_t *buffer, const char *data, size_t length)
{
    if (buffer->size - buffer->length < length + 1) {
        size_t size = (buffer->length + length + 1) * 2;
        char *data_new = apr_palloc(buffer->pool, size);

        if (buffer->length)
            memcpy(data_new, buffer->data, buffer->length);
        buffer->data = data_new;
        buffer->size = size;
    }
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void mail_puts(mail_buffer_t *buffer, const char *text)
{
    mail_put(buffer, text, strlen(text));
}

/* ---- bodies ----------------------------------------------------------------------------------------------------- */

/* The length of the first part of a line that is too long: up to its last blank, else as many whole characters as
 * fit. */
static size_t first_part(const char *line)
{
    size_t length = LINE_MAX_TEXT;

    while (length > 1 && line[length] != ' ')
        length--;
    if (length > 1)
        return length;
    for (length = LINE_MAX_TEXT; ((unsigned char)line[length] & 0xc0) == 0x80; length--)
        ;
    return length;
}

void mail_put_lines(mail_buffer_t *buffer, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\r\n"), part = length;

        if (length > LINE_MAX_TEXT)
            part = first_part(text);
        mail_put(buffer, text, part);
        mail_puts(buffer, "\r\n");
        text += part;
        if (part < length)
            text += *text == ' ';
        else
            text += text[0] == '\r' && text[1] == '\n' ? 2 : *text != '\0';
    }
}

/* ---- headers ---------------------------------------------------------------------------------------------------- */

static bool is_plain(const char *text)
{
    size_t word = 0;

    if (strstr(text, "=?"))
        return false;
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
            return false;
        word = *text == ' ' ? 0 : word + 1;
        if (word > WORD_MAX)
            return false;
    }
    return true;
}

static void put_base64(mail_buffer_t *buffer, const char *text, size_t length)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)text;

    for (size_t i = 0; i < length; i += 3) {
        unsigned left = (unsigned)(length - i < 3 ? length - i : 3);
        unsigned long bits = (unsigned long)at[i] << 16 |
                             (unsigned long)(left > 1 ? at[i + 1] : 0) << 8 |
                             (left > 2 ? at[i + 2] : 0);
        char piece[4] = {alphabet[bits >> 18 & 63], alphabet[bits >> 12 & 63],
                         left > 1 ? alphabet[bits >> 6 & 63] : '=',
                         left > 2 ? alphabet[bits & 63] : '='};
        mail_put(buffer, piece, sizeof(piece));
    }
}

/* Each encoded word is on a line of its own and never splits a character (RFC 2047, 5). */
static void put_encoded_words(mail_buffer_t *buffer, const char *text)
{
    size_t left = strlen(text);

    while (left) {
        size_t length = left < ENCODED_TEXT ? left : ENCODED_TEXT;

        while (length < left && length > 1 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
        mail_puts(buffer, "=?utf-8?B?");
        put_base64(buffer, text, length);
        mail_puts(buffer, "?=");
        text += length;
        left -= length;
        if (left)
            mail_puts(buffer, "\r\n ");
    }
}

/* A line is broken before a blank followed by a word, which begins the next line. */
static void put_folded(mail_buffer_t *buffer, const char *text, size_t column)
{
    while (*text) {
        size_t length = strspn(text, " ");

        length += strcspn(text + length, " ");
        if (*text == ' ' && text[length - 1] != ' ' && column + length > LINE_SHOULD) {
            mail_puts(buffer, "\r\n");
            column = 0;
        }
        mail_put(buffer, text, length);
        column += length;
        text += length;
    }
}

void mail_put_unstructured(mail_buffer_t *buffer, const char *name, const char *text)
{
    mail_puts(buffer, name);
    mail_puts(buffer, ": ");
    if (is_plain(text))
        put_folded(buffer, text, strlen(name) + 2);
    else
        put_encoded_words(buffer, text);
    mail_puts(buffer, "\r\n");
}

void mail_put_phrase(mail_buffer_t *buffer, const char *text)
{
    if (!is_plain(text) || strlen(text) > WORD_MAX) {
        put_encoded_words(buffer, text);
        return;
    }
    mail_put(buffer, "\"", 1);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            mail_put(buffer, "\\", 1);
        mail_put(buffer, text, 1);
    }
    mail_put(buffer, "\"", 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The template language, a subset of Mustache: {{name}} is a value, {{#name}}...{{/name}} is kept if the value is
 * not empty, {{^name}}...{{/name}} if it is. How a value is escaped depends on its context and is determined when
 * the template is compiled. */
#include <stdarg.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "template.h"

typedef struct piece {
    enum { LITERAL, VALUE, IF, UNLESS, END } kind;
    const char *text; /* of a LITERAL */
    size_t length;
    mail_value_t value;
    mail_escape_t escape;
} piece_t;

typedef struct compiler {
    apr_pool_t *pool;
    mail_template_t *template;
    bool html;
    mail_markup_t markup;
    bool in_address; /* in plain text: in a word with :// */
    bool in_section;
    mail_value_t section;
    mail_markup_t opened; /* context at its beginning */
    int line;
    const char *error;
} compiler_t;

static const char *const names[MAIL_VALUES] = {"link",    "username", "site",    "expires",
                                               "inviter", "account",  "address", "actor"};

/* ---- reading ---------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool refuse(compiler_t *compiler, const char *format,
                                                         ...)
{
    va_list arguments;

    va_start(arguments, format);
    const char *sentence = apr_pvsprintf(compiler->pool, format, arguments);
    va_end(arguments);
    compiler->error = apr_psprintf(compiler->pool, "line %d: %s", compiler->line, sentence);
    return false;
}

static piece_t *add(compiler_t *compiler)
{
    piece_t *piece = apr_array_push(compiler->template->pieces);

    memset(piece, 0, sizeof *piece);
    return piece;
}

static void read_literal(compiler_t *compiler, const char *text, size_t length)
{
    piece_t *piece = add(compiler);

    piece->text = text;
    piece->length = length;
    if (compiler->html)
        mail_markup_read(&compiler->markup, text, length);
    for (size_t i = 0; i < length; i++) {
        compiler->line += text[i] == '\n';
        if (apr_isspace(text[i]))
            compiler->in_address = false;
        else if (i >= 2 && !strncmp(text + i - 2, "://", 3))
            compiler->in_address = true;
    }
}

static bool read_value(compiler_t *compiler, mail_value_t value)
{
    mail_escape_t escape = compiler->in_address ? MAIL_ESCAPE_URL : MAIL_ESCAPE_NONE;
    const char *wrong =
        compiler->html ? mail_markup_value(&compiler->markup, value == MAIL_VALUE_LINK, &escape)
                       : NULL;

    if (wrong)
        return refuse(compiler, "{{%s}} %s.", names[value], wrong);
    piece_t *piece = add(compiler);
    piece->kind = VALUE;
    piece->value = value;
    piece->escape = escape;
    compiler->template->uses[value] = true;
    return true;
}

/* Whether a section is omitted or not, the text after it must be in the same context. */
static bool ends_where_it_began(const compiler_t *compiler)
{
    const mail_markup_t *now = &compiler->markup, *then = &compiler->opened;

    if (now->state == MAIL_MARKUP_TEXT || then->state == MAIL_MARKUP_TEXT)
        return now->state == then->state;
    return now->state == MAIL_MARKUP_QUOTED && then->state == MAIL_MARKUP_QUOTED &&
           now->quote == then->quote && strcmp(now->name, then->name) == 0;
}

static bool read_section(compiler_t *compiler, char sign, mail_value_t value)
{
    bool end = sign == '/';

    if (!end && compiler->in_section)
        return refuse(compiler, "a section of %s begins inside one of %s.", names[value],
                      names[compiler->section]);
    if (end && (!compiler->in_section || compiler->section != value))
        return refuse(compiler, "{{/%s}} has no section to end.", names[value]);
    if (end && !ends_where_it_began(compiler))
        return refuse(compiler, "the section of %s contains part of a tag.", names[value]);
    piece_t *piece = add(compiler);
    piece->kind = sign == '#' ? IF : sign == '^' ? UNLESS : END;
    piece->value = value;
    compiler->in_section = !end;
    compiler->section = value;
    compiler->opened = compiler->markup;
    return true;
}

/* The text between {{ and }}. */
static bool read_tag(compiler_t *compiler, const char *text, size_t length)
{
    char sign = length && strchr("#^/", *text) ? *text : '\0';

    if (sign) {
        text++;
        length--;
    }
    while (length && *text == ' ') {
        text++;
        length--;
    }
    while (length && text[length - 1] == ' ')
        length--;
    for (int value = 0; value < MAIL_VALUES; value++)
        if (strlen(names[value]) == length && !memcmp(names[value], text, length))
            return sign ? read_section(compiler, sign, (mail_value_t)value)
                        : read_value(compiler, (mail_value_t)value);
    return refuse(compiler, "there is no value {{%s}}; there are %s.",
                  apr_pstrmemdup(compiler->pool, text, length < 40 ? length : 40),
                  mail_words_listed(compiler->pool, names, MAIL_VALUES));
}

mail_template_t *mail_template_compile(apr_pool_t *pool, const char *source, int first_line,
                                       bool html, const char **error)
{
    compiler_t compiler = {.pool = pool, .html = html, .line = first_line};
    bool good = true;

    compiler.template = apr_pcalloc(pool, sizeof *compiler.template);
    compiler.template->pieces = apr_array_make(pool, 16, sizeof(piece_t));
    for (const char *open; good && (open = strstr(source, "{{"));) {
        const char *close = strstr(open, "}}");
        read_literal(&compiler, source, (size_t)(open - source));
        good = close ? read_tag(&compiler, open + 2, (size_t)(close - open - 2))
                     : refuse(&compiler, "a {{ has no }}.");
        source = close ? close + 2 : source;
    }
    if (good && compiler.in_section)
        good = refuse(&compiler, "a section of %s has no {{/%s}}.", names[compiler.section],
                      names[compiler.section]);
    read_literal(&compiler, source, strlen(source));
    *error = compiler.error;
    return good ? compiler.template : NULL;
}

/* ---- filling ---------------------------------------------------------------------------------------------------- */

/* Length of a character that breaks a line or changes the direction of writing, with which a value could pass for
 * our own text; 0 for any other. */
static size_t disguise(const char *at)
{
    const unsigned char *c = (const unsigned char *)at;

    if (c[0] < ' ' || c[0] == 127)
        return 1;
    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
        return 2; /* C1 controls */
    if (c[0] == 0xe2 && c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae)
        return 3; /* line and paragraph separators, embeddings, overrides */
    if (c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)
        return 3; /* isolates */
    return 0;
}

static const char *entity_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* RFC 3986, 2.3. */
static bool is_unreserved(char c)
{
    return apr_isalnum(c) || (c && strchr("-._~", c));
}

static void put_value(mail_buffer_t *buffer, const char *text, mail_escape_t escape)
{
    while (*text) {
        size_t length = disguise(text);
        const char *entity = escape == MAIL_ESCAPE_HTML ? entity_of(*text) : NULL;

        if (escape == MAIL_ESCAPE_URL && !is_unreserved(*text)) {
            mail_puts(buffer, apr_psprintf(buffer->pool, "%%%02X", (unsigned char)*text++));
            continue;
        }
        if (length)
            mail_put(buffer, " ", 1);
        else if (entity)
            mail_puts(buffer, entity);
        else
            mail_put(buffer, text, 1);
        text += length ? length : 1;
    }
}

const char *mail_template_fill(apr_pool_t *pool, const mail_template_t *template,
                               const char *const values[MAIL_VALUES])
{
    mail_buffer_t buffer = {.pool = pool};
    bool shown = true;

    mail_puts(&buffer, "");
    for (int i = 0; i < template->pieces->nelts; i++) {
        const piece_t *piece = &APR_ARRAY_IDX(template->pieces, i, piece_t);
        bool empty = !values[piece->value] || !*values[piece->value];

        if (piece->kind == IF || piece->kind == UNLESS)
            shown = empty == (piece->kind == UNLESS);
        else if (piece->kind == END)
            shown = true;
        else if (shown && piece->kind == LITERAL)
            mail_put(&buffer, piece->text, piece->length);
        else if (shown && !empty)
            put_value(&buffer, values[piece->value], piece->escape);
    }
    return buffer.data;
}

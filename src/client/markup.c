/* SPDX-License-Identifier: Apache-2.0 */
/* Tracks the context in an HTML text, as far as it determines how a value must be escaped. */
#include <string.h>

#include <apr_lib.h>

#include "template.h"

static void begin_name(mail_markup_t *at, char c)
{
    at->name[0] = (char)apr_tolower(c);
    at->name[1] = '\0';
}

static void add_to_name(mail_markup_t *at, char c)
{
    size_t length = strlen(at->name);

    if (length < sizeof at->name - 1) {
        at->name[length] = (char)apr_tolower(c);
        at->name[length + 1] = '\0';
    }
}

static bool is_raw(const char *tag)
{
    return strcmp(tag, "script") == 0 || strcmp(tag, "style") == 0;
}

static void end_tag(mail_markup_t *at)
{
    at->state = at->raw ? MAIL_MARKUP_RAW : MAIL_MARKUP_TEXT;
}

/* After a `<`. */
static void open_tag(mail_markup_t *at, char c)
{
    at->raw = false;
    if (c == '!')
        at->state = MAIL_MARKUP_DECLARATION;
    else if (apr_isalpha(c) || c == '/')
        at->state = MAIL_MARKUP_TAG_NAME;
    else
        at->state = MAIL_MARKUP_TEXT;
    begin_name(at, c);
}

static void read_tag(mail_markup_t *at, char c)
{
    switch (at->state) {
    case MAIL_MARKUP_TAG_NAME:
        if (c == '>' || c == '/' || apr_isspace(c)) {
            at->raw = is_raw(at->name);
            at->state = MAIL_MARKUP_TAG;
            if (c == '>')
                end_tag(at);
        } else {
            add_to_name(at, c);
        }
        break;
    case MAIL_MARKUP_TAG:
        if (c == '>') {
            end_tag(at);
        } else if (c == '=') {
            at->state = MAIL_MARKUP_EQUALS;
        } else if (c != '/' && !apr_isspace(c)) {
            at->state = MAIL_MARKUP_ATTRIBUTE;
            begin_name(at, c);
        }
        break;
    case MAIL_MARKUP_ATTRIBUTE:
        if (c == '=')
            at->state = MAIL_MARKUP_EQUALS;
        else if (c == '>')
            end_tag(at);
        else if (apr_isspace(c) || c == '/')
            at->state = MAIL_MARKUP_TAG;
        else
            add_to_name(at, c);
        break;
    case MAIL_MARKUP_EQUALS:
        at->begun = false;
        at->quote = c;
        if (c == '"' || c == '\'')
            at->state = MAIL_MARKUP_QUOTED;
        else if (!apr_isspace(c))
            at->state = MAIL_MARKUP_BARE;
        break;
    case MAIL_MARKUP_QUOTED:
        at->begun = true;
        if (c == at->quote)
            at->state = MAIL_MARKUP_TAG;
        break;
    default: /* MAIL_MARKUP_BARE */
        if (c == '>')
            end_tag(at);
        else if (apr_isspace(c))
            at->state = MAIL_MARKUP_TAG;
    }
}

static void read_character(mail_markup_t *at, const char *text, size_t before)
{
    char c = *text;

    switch (at->state) {
    case MAIL_MARKUP_TEXT:
        if (c == '<')
            at->state = MAIL_MARKUP_OPEN;
        break;
    case MAIL_MARKUP_OPEN:
        open_tag(at, c);
        break;
    case MAIL_MARKUP_DECLARATION:
        if (c == '>')
            at->state = MAIL_MARKUP_TEXT;
        else if (c == '-' && before >= 3 && !strncmp(text - 3, "<!--", 4))
            at->state = MAIL_MARKUP_COMMENT;
        break;
    case MAIL_MARKUP_COMMENT:
        if (c == '>' && before >= 2 && !strncmp(text - 2, "-->", 3))
            at->state = MAIL_MARKUP_TEXT;
        break;
    case MAIL_MARKUP_RAW:
        if (c == '/' && before >= 1 && text[-1] == '<')
            open_tag(at, c);
        break;
    default:
        read_tag(at, c);
    }
}

void mail_markup_read(mail_markup_t *at, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        read_character(at, text + i, i);
}

static bool is_address(const char *attribute)
{
    static const char *const addresses[] = {"href", "src",    "action", "formaction", "background",
                                            "cite", "poster", "data",   "longdesc"};

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        if (strcmp(attribute, addresses[i]) == 0)
            return true;
    return false;
}

const char *mail_markup_value(mail_markup_t *at, bool whole_address, mail_escape_t *escape)
{
    *escape = MAIL_ESCAPE_HTML;
    if (at->state == MAIL_MARKUP_TEXT)
        return NULL;
    if (at->state != MAIL_MARKUP_QUOTED)
        return "is allowed between tags and in quoted attributes, not in a tag, a comment, a "
               "script or a style";
    if (strcmp(at->name, "style") == 0 || strncmp(at->name, "on", 2) == 0)
        return "is not allowed in a style or a script";
    if (is_address(at->name)) {
        if (at->begun)
            *escape = MAIL_ESCAPE_URL;
        else if (!whole_address)
            return "is not a URL: only {{link}} can be the beginning of one";
    }
    at->begun = true;
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading of request bodies and compact writing of answers. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "identity/core.h"

static apr_status_t release_root(void *root)
{
    json_decref(root);
    return APR_SUCCESS;
}

json_t *identity_json_own(apr_pool_t *pool, json_t *root)
{
    if (root != NULL)
        apr_pool_cleanup_register(pool, root, release_root, apr_pool_cleanup_null);
    return root;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* The position after the string that begins at text[at] (its opening quote); length if it is unterminated. */
static size_t skip_string(const char *text, size_t length, size_t at)
{
    for (at++; at < length && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at < length ? at + 1 : length;
}

/* Nesting and number of members, told before the parser builds anything. Brackets in a malformed text may be counted
 * wrongly; the parser refuses such a text at the same place, so that what it builds until there is never deeper than
 * what was counted. */
static const char *excess_of(const char *text, size_t length)
{
    size_t depth = 0;
    size_t members = 0;

    for (size_t at = 0; at < length;) {
        switch (text[at]) {
        case '"':
            at = skip_string(text, length, at);
            continue;
        case '{':
        case '[':
            if (++depth > IDENTITY_JSON_DEPTH)
                return "is nested too deeply";
            break;
        case '}':
        case ']':
            if (depth > 0)
                depth--;
            break;
        case ':':
            if (++members > IDENTITY_JSON_MEMBERS)
                return "has too many members";
            break;
        default:
            break;
        }
        at++;
    }
    return NULL;
}

/* jansson's own error text quotes the input near the error, which may be a password: only its code and position are
 * used. */
static void refuse_syntax(apr_pool_t *pool, const char *read, const json_error_t *error,
                          identity_problem_t *problem)
{
    const char *what;

    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        what = "contains a key twice in one object";
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        what = "contains a NUL character";
        break;
    case json_error_invalid_utf8:
        what = "is not valid UTF-8";
        break;
    case json_error_numeric_overflow:
        what = "contains a number that is too large";
        break;
    default:
        what = "is not valid JSON";
        break;
    }
    identity_refuse(pool, problem, IDENTITY_PROBLEM_BAD_REQUEST, NULL,
                    "The %s %s (line %d, column %d).", read, what, error->line, error->column);
}

json_t *identity_json_parse(apr_pool_t *pool, const char *text, size_t length,
                            identity_problem_t *problem)
{
    if (!text || length == 0) {
        identity_refuse(pool, problem, IDENTITY_PROBLEM_BAD_REQUEST, NULL,
                        "The request has no body; a JSON object is required.");
        return NULL;
    }
    return identity_json_read(pool, "request body", text, length, problem);
}

json_t *identity_json_read(apr_pool_t *pool, const char *what, const char *text, size_t length,
                           identity_problem_t *problem)
{
    if (memchr(text, 0, length) != NULL) {
        identity_refuse(pool, problem, IDENTITY_PROBLEM_BAD_REQUEST, NULL,
                        "The %s contains a NUL character.", what);
        return NULL;
    }
    const char *excess = excess_of(text, length);
    if (excess != NULL) {
        identity_refuse(pool, problem, IDENTITY_PROBLEM_BAD_REQUEST, NULL, "The %s %s.", what,
                        excess);
        return NULL;
    }
    json_error_t error;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        refuse_syntax(pool, what, &error, problem);
        return NULL;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        identity_refuse(pool, problem, IDENTITY_PROBLEM_BAD_REQUEST, NULL,
                        "The %s must be a JSON object.", what);
        return NULL;
    }
    return identity_json_own(pool, root);
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

/* Text grows on the stack and, beyond that, in malloc; the pool gets one block of the right size. */
typedef struct growing_text {
    char *data;
    size_t length, size, max;
    char *heap;
} growing_text_t;

static int grow_text(const char *piece, size_t size, void *context)
{
    growing_text_t *text = context;

    if (size > text->max - text->length) {
        text->length = text->max + 1;
        return -1;
    }
    if (size > text->size - text->length) {
        size_t wanted = (text->size + size) * 2;
        char *heap = realloc(text->heap, wanted);
        if (!heap)
            return -1;
        if (!text->heap)
            memcpy(heap, text->data, text->length);
        text->data = text->heap = heap;
        text->size = wanted;
    }
    memcpy(text->data + text->length, piece, size);
    text->length += size;
    return 0;
}

const char *identity_json_text_within(apr_pool_t *pool, const json_t *value, size_t max,
                                      size_t *length)
{
    char start[4096];
    growing_text_t text = {.data = start, .size = sizeof start, .max = max};
    const char *result = NULL;

    if (json_dump_callback(value, grow_text, &text, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        result = apr_pstrmemdup(pool, text.data, text.length);
    *length = result != NULL || text.length > max ? text.length : 0;
    free(text.heap);
    return result;
}

const char *identity_json_text(apr_pool_t *pool, const json_t *value, size_t *length)
{
    size_t ignored;
    return identity_json_text_within(pool, value, SIZE_MAX - 1, length != NULL ? length : &ignored);
}

json_t *identity_json_text_or_null(const char *text)
{
    return text != NULL && *text != '\0' ? json_string(text) : json_null();
}

/* ---- checked bodies --------------------------------------------------------------------------------------------- */

const char *identity_json_string(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

bool identity_json_boolean(const json_t *object, const char *name, bool fallback)
{
    const json_t *value = json_object_get(object, name);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

bool identity_json_has(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value != NULL && !json_is_null(value);
}

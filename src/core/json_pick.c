/* SPDX-License-Identifier: Apache-2.0 */
/* Reads documents of other servers: only the relevant members are examined. Everything else must be JSON and is
 * skipped, so that a number beyond 64 bits, a \u0000 or a duplicate in irrelevant members does no harm; in relevant
 * ones the parser rejects each of them. */
#include <string.h>

#include <apr_lib.h>

#include "core_int.h"

#define DEPTH_MAX 64
#define NAME_MAX_ 64 /* of a member that is read, its NUL included */

/* The input, and what is kept of it, which is never longer. */
typedef struct pick {
    const char *at, *end;
    char *out;
    int depth;
} pick_t;

static void keep(pick_t *pick, const char *from)
{
    size_t length = (size_t)(pick->at - from);

    memcpy(pick->out, from, length);
    pick->out += length;
}

static void put(pick_t *pick, char character, bool kept)
{
    if (kept)
        *pick->out++ = character;
}

static void skip_space(pick_t *pick)
{
    while (pick->at < pick->end && strchr(" \t\r\n", *pick->at) != NULL)
        pick->at++;
}

static bool next_is(pick_t *pick, char character)
{
    bool is = pick->at < pick->end && *pick->at == character;

    pick->at += is;
    return is;
}

/* ---- the leaves ------------------------------------------------------------------------------------------------- */

static bool pass_escape(pick_t *pick)
{
    if (pick->at == pick->end || !strchr("\"\\/bfnrtu", *pick->at))
        return false;
    if (*pick->at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, pick->at++)
        if (pick->at == pick->end || !apr_isxdigit(*pick->at))
            return false;
    return true;
}

/* The whole text is known to be valid UTF-8 without NUL. */
static bool pass_string(pick_t *pick)
{
    if (!next_is(pick, '"'))
        return false;
    while (pick->at < pick->end && *pick->at != '"') {
        unsigned char character = (unsigned char)*pick->at++;
        if (character < 0x20 || (character == '\\' && !pass_escape(pick)))
            return false;
    }
    return next_is(pick, '"');
}

static bool pass_digits(pick_t *pick)
{
    const char *from = pick->at;

    while (pick->at < pick->end && apr_isdigit(*pick->at))
        pick->at++;
    return pick->at > from;
}

static bool pass_number(pick_t *pick)
{
    next_is(pick, '-');
    if (!next_is(pick, '0') && !pass_digits(pick))
        return false;
    if (next_is(pick, '.') && !pass_digits(pick))
        return false;
    if (next_is(pick, 'e') || next_is(pick, 'E')) {
        if (!next_is(pick, '-'))
            next_is(pick, '+');
        return pass_digits(pick);
    }
    return true;
}

static bool pass_word(pick_t *pick)
{
    static const char *const words[] = {"true", "false", "null"};

    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(pick->end - pick->at) >= length && memcmp(pick->at, words[i], length) == 0) {
            pick->at += length;
            return true;
        }
    }
    return false;
}

/* ---- which members are read ------------------------------------------------------------------------------------- */

static int character_of_escape(const char *at)
{
    static const char letters[] = "bfnrt";
    static const char means[] = "\b\f\n\r\t";
    const char *letter = strchr(letters, *at);

    if (*at != 'u')
        return letter != NULL ? means[letter - letters] : *at;
    int value = 0;
    for (int i = 1; i <= 4; i++)
        value = value * 16 + (apr_isdigit(at[i]) ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10);
    return value;
}

/* A name without escapes between its quotes; false if it is longer than, or different from, any relevant one. */
static bool plain_name(const char *from, const char *to, char name[NAME_MAX_])
{
    size_t length = 0;

    while (from < to) {
        int character = (unsigned char)*from++;
        if (character == '\\') {
            character = character_of_escape(from);
            from += *from == 'u' ? 5 : 1;
        }
        if (character == 0 || character >= 0x80 || length == NAME_MAX_ - 1)
            return false;
        name[length++] = (char)character;
    }
    name[length] = '\0';
    return true;
}

static const identity_json_member_t *member_named(const identity_json_member_t *members,
                                                  const char *from, const char *to)
{
    char name[NAME_MAX_];

    if (!plain_name(from, to, name))
        return NULL;
    for (; members->name != NULL; members++)
        if (strcmp(members->name, name) == 0)
            return members;
    return NULL;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

/* members: NULL: everything inside is kept unchanged. */
static bool pass_value(pick_t *pick, const identity_json_member_t *members, bool kept);

static bool pass_member(pick_t *pick, const identity_json_member_t *members, bool kept, bool *first)
{
    const identity_json_member_t *member = NULL;
    const char *from = pick->at;

    if (!pass_string(pick))
        return false;
    if (kept && members != NULL) {
        member = member_named(members, from + 1, pick->at - 1);
        kept = member != NULL;
    }
    if (kept) {
        put(pick, ',', !*first);
        keep(pick, from);
        *first = false;
    }
    skip_space(pick);
    if (!next_is(pick, ':'))
        return false;
    put(pick, ':', kept);
    return pass_value(pick, member != NULL ? member->members : NULL, kept);
}

static bool pass_object(pick_t *pick, const identity_json_member_t *members, bool kept)
{
    bool first = true;

    put(pick, '{', kept);
    skip_space(pick);
    if (!next_is(pick, '}')) {
        do {
            skip_space(pick);
            if (!pass_member(pick, members, kept, &first))
                return false;
            skip_space(pick);
        } while (next_is(pick, ','));
        if (!next_is(pick, '}'))
            return false;
    }
    put(pick, '}', kept);
    return true;
}

static bool pass_array(pick_t *pick, const identity_json_member_t *members, bool kept)
{
    put(pick, '[', kept);
    skip_space(pick);
    if (!next_is(pick, ']')) {
        for (;;) {
            if (!pass_value(pick, members, kept))
                return false;
            if (!next_is(pick, ','))
                break;
            put(pick, ',', kept);
        }
        if (!next_is(pick, ']'))
            return false;
    }
    put(pick, ']', kept);
    return true;
}

static bool pass_value(pick_t *pick, const identity_json_member_t *members, bool kept)
{
    bool passed;

    skip_space(pick);
    const char *from = pick->at;
    if (next_is(pick, '{') || next_is(pick, '[')) {
        passed = ++pick->depth <= DEPTH_MAX && (*from == '{' ? pass_object(pick, members, kept)
                                                             : pass_array(pick, members, kept));
        pick->depth--;
    } else {
        passed = pick->at < pick->end &&
                 (*from == '"' ? pass_string(pick) : pass_word(pick) || pass_number(pick));
        if (passed && kept)
            keep(pick, from);
    }
    skip_space(pick);
    return passed;
}

const json_t *identity_json_pick(apr_pool_t *pool, const char *text, size_t length,
                                 const identity_json_member_t *members)
{
    pick_t pick = {.at = text, .end = text + length, .out = apr_palloc(pool, length + 1)};
    const char *picked = pick.out;
    identity_problem_t ignored = {0};

    if (memchr(text, 0, length) != NULL || !identity_utf8_valid(text) ||
        !pass_value(&pick, members, true) || pick.at != pick.end)
        return NULL;
    return identity_json_parse(pool, picked, (size_t)(pick.out - picked), &ignored);
}

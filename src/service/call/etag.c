/* SPDX-License-Identifier: Apache-2.0 */
/* Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13). Tags are derived from the representation
 * itself: any visible change changes the tag. */
#include <string.h>

#include "call/call.h"

static const char *tag_of(identity_call_t *call, const char *text, size_t length)
{
    return identity_text_tag(call->pool, text, length);
}

/* mod_deflate and mod_brotli add a suffix to the tag of compressed responses (DeflateAlterETag, BrotliAlterETag
 * AddSuffix), and clients send it back. */
static size_t bare_length(const char *tag, size_t length)
{
    static const char *const suffixes[] = {"-gzip", "-br"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t suffix = strlen(suffixes[i]);
        if (length > suffix && memcmp(tag + length - suffix, suffixes[i], suffix) == 0)
            return length - suffix;
    }
    return length;
}

/* Does the value, `*` or a list of tags, contain this tag? strong: ignore weak ones. A malformed list is read up to
 * the error. */
static bool listed(const char *list, const char *tag, bool strong)
{
    if (strcmp(list, "*") == 0)
        return true;
    for (;;) {
        list += strspn(list, " \t,");
        bool weak = strncmp(list, "W/", 2) == 0;
        list += weak ? 2 : 0;
        if (*list != '"')
            return false;
        size_t length = strcspn(++list, "\"");
        if (list[length] != '"')
            return false;
        if (!(weak && strong) && bare_length(list, length) == strlen(tag) &&
            memcmp(list, tag, strlen(tag)) == 0)
            return true;
        list += length + 1;
    }
}

static bool match_holds(const identity_call_t *call, const char *tag)
{
    const char *list = call->in->headers.if_match;
    return !list || listed(list, tag, true);
}

static bool none_match_holds(const identity_call_t *call, const char *tag)
{
    const char *list = call->in->headers.if_none_match;
    return !list || !listed(list, tag, false);
}

static bool changed(identity_call_t *call)
{
    return identity_deny(
        call, IDENTITY_PROBLEM_PRECONDITION, NULL,
        "The object has changed in the meantime: read it again and send its new ETag.");
}

bool identity_conditional(const identity_call_t *call)
{
    return call->in->headers.if_match || call->in->headers.if_none_match;
}

bool identity_precondition(identity_call_t *call, json_t *representation)
{
    size_t length;
    const char *text = identity_answer_text(call, representation, &length);

    if (!text)
        return false;
    const char *tag = tag_of(call, text, length);
    if (!match_holds(call, tag))
        return changed(call);
    return none_match_holds(call, tag) ||
           identity_deny(call, IDENTITY_PROBLEM_PRECONDITION, NULL, NULL);
}

bool identity_tag_answer(identity_call_t *call)
{
    const char *tag = tag_of(call, call->out->body, call->out->length);
    /* Operations that change something checked the conditions beforehand. */
    bool reads = strcmp(call->route->method, "GET") == 0;

    if (reads && !match_holds(call, tag))
        return changed(call);
    identity_header(call, "ETag", apr_pstrcat(call->pool, "\"", tag, "\"", NULL));
    return !reads || none_match_holds(call, tag) || identity_answer_empty(call, 304);
}

bool identity_answer_tagged(identity_call_t *call, int status, json_t *representation)
{
    return identity_answer(call, status, representation) && identity_tag_answer(call);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of OAuth's standard forms share: requests as a client library sends them, and refusals told in one
 * line. */
#ifndef IDENTITY_TEST_OAUTH_H
#define IDENTITY_TEST_OAUTH_H

#include <sodium.h>

#include "serve.h"

static const identity_headers_t no_headers;

static inline door_answer_t form_with(const char *path, identity_headers_t headers, const char *body)
{
    headers.content_type = "application/x-www-form-urlencoded";
    return call_with("POST", path, headers, true, false, body);
}

static inline door_answer_t form(const char *path, const char *body)
{
    return form_with(path, no_headers, body);
}

static inline door_answer_t token_form(const char *body)
{
    return form("/v1/oauth/token", body);
}

static inline identity_headers_t with_key(const char *key)
{
    identity_headers_t headers = {.api_key = key};
    return headers;
}

static inline identity_headers_t with_authorization(const char *authorization)
{
    identity_headers_t headers = {.authorization = authorization};
    return headers;
}

static inline identity_headers_t basic(const char *name, const char *secret)
{
    const char *plain = text("%s:%s", name, secret);
    size_t room = sodium_base64_encoded_len(strlen(plain), sodium_base64_VARIANT_ORIGINAL);
    char *encoded = apr_palloc(door->pool, room);

    sodium_bin2base64(encoded, room, (const unsigned char *)plain, strlen(plain), sodium_base64_VARIANT_ORIGINAL);
    return with_authorization(text("Basic %s", encoded));
}

static inline const char *key_id(const char *key)
{
    return identity_key_id(door->pool, key);
}

/* RFC 6749, 5.2: what the description may hold. */
static inline bool plain_text(const char *description)
{
    size_t length = strlen(description);

    for (size_t i = 0; i < length; i++)
        if (description[i] < ' ' || description[i] > '~' || description[i] == '"' || description[i] == '\\')
            return false;
    return length > 0 && description[length - 1] == '.';
}

/* "400 invalid_grant", or "200"; with what is wrong about the answer's form behind it. */
static inline const char *oauth_outcome(door_answer_t answer)
{
    const char *error = door_text(&answer, "error"), *description = door_text(&answer, "error_description");
    const char *cache = header(&answer, "Cache-Control"), *faults = "";

    if (!cache || strcmp(cache, "no-store") != 0)
        faults = text("%s (Cache-Control: %s)", faults, cache);
    if (answer.status >= 400 && strcmp(members_at(&answer, ""), "error,error_description") != 0)
        return text("%d%s (members %s)", answer.status, faults, members_at(&answer, ""));
    if (answer.status >= 400 && (!description || !plain_text(description) || leak_in(description)))
        faults = text("%s (description: %s)", faults, description);
    if (answer.status >= 400 && (!header(&answer, "Pragma") || !header(&answer, "X-REQUEST-ID")))
        faults = text("%s (a header lacks)", faults);
    if ((answer.status == 401) != (header(&answer, "WWW-Authenticate") != NULL))
        faults = text("%s (WWW-Authenticate)", faults);
    if ((answer.status == 503 || answer.status == 429) != (header(&answer, "Retry-After") != NULL))
        faults = text("%s (Retry-After)", faults);
    if (header(&answer, "Set-Cookie"))
        faults = text("%s (a cookie)", faults);
    return answer.status >= 400 ? text("%d %s%s", answer.status, error, faults) : text("%d%s", answer.status, faults);
}

#define denied(answer, expected, ...) tap_is_str(oauth_outcome(answer), expected, __FILE__, __LINE__, __VA_ARGS__)
#define granted(answer, ...)          tap_is_str(oauth_outcome(answer), "200", __FILE__, __LINE__, __VA_ARGS__)

static inline const char *bearer_of(const door_answer_t *answer)
{
    const char *token = door_text(answer, "access_token");
    return token ? text("Bearer %s", token) : (bail(text("no access token: %s", answer->text)), NULL);
}

static inline const char *refresh_of(const door_answer_t *answer)
{
    const char *token = door_text(answer, "refresh_token");
    return token ? token : (bail(text("no refresh token: %s", answer->text)), NULL);
}

/* Somebody signs in by the form. */
static inline door_answer_t form_login(const char *address)
{
    return token_form(
        text("grant_type=password&username=%s&password=%s", identity_query_escape(door->pool, address), PASSWORD));
}

static inline door_answer_t form_refresh(const char *token)
{
    return token_form(text("grant_type=refresh_token&refresh_token=%s", token));
}

static inline json_t *claims_of(const char *token)
{
    const char *part = strchr(token, '.') + 1;
    size_t size;
    const unsigned char *decoded =
        identity_base64url_decode(door->pool, apr_pstrmemdup(door->pool, part, strcspn(part, ".")), &size);
    return identity_json_own(door->pool, json_loadb((const char *)decoded, size, 0, NULL));
}

static inline const char *claim(const door_answer_t *answer, const char *name)
{
    return json_string_value(json_object_get(claims_of(door_text(answer, "access_token")), name));
}

#endif

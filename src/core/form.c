/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of OAuth clients: forms (RFC 6749, appendix B) and HTTP Basic (RFC 7617). */
#include <string.h>

#include <sodium.h>

#include "core_int.h"

#define BASIC_MAX 4096

typedef struct fields {
    json_t *object;
    bool sound;
} fields_t;

/* A parameter without a value counts as omitted (RFC 6749, 3.2). */
static int take_field(void *context, const char *name, const char *value)
{
    fields_t *fields = context;

    if (*value != '\0')
        fields->sound =
            fields->sound && json_object_set_new(fields->object, name, json_string(value)) == 0;
    identity_wipe_string((char *)value);
    return 1;
}

json_t *identity_form_parse(apr_pool_t *pool, const char *text, size_t length,
                            identity_problem_t *problem)
{
    apr_table_t *parameters;
    fields_t fields = {.object = identity_json_own(pool, json_object()), .sound = true};

    if (memchr(text, '\0', length) != NULL) {
        identity_refuse(pool, problem, IDENTITY_PROBLEM_BAD_REQUEST, NULL,
                        "The form contains a NUL character.");
        return NULL;
    }
    bool read = identity_query_parse(pool, text, &parameters, problem);
    apr_table_do(take_field, &fields, parameters, NULL);
    if (read && !fields.sound)
        identity_refuse(pool, problem, IDENTITY_PROBLEM_BAD_REQUEST, NULL, NULL);
    return read && fields.sound ? fields.object : NULL;
}

/* Name and password, not decoded further; NULL without a colon, with a NUL, or if it is not base64. */
static char *split(apr_pool_t *pool, const char *credentials, char **secret)
{
    size_t length = strnlen(credentials, BASIC_MAX + 1), size = 0;

    if (length > BASIC_MAX)
        return NULL;
    char *text = apr_palloc(pool, length + 1);
    bool read = sodium_base642bin((unsigned char *)text, length, credentials, length, NULL, &size,
                                  NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
    text[read ? size : 0] = '\0';
    char *colon = strchr(text, ':');
    if (!colon || strlen(text) != size) {
        identity_wipe(text, size);
        return NULL;
    }
    *colon = '\0';
    *secret = colon + 1;
    return text;
}

const char *identity_basic_secret(apr_pool_t *pool, const char *credentials)
{
    char *secret = NULL;

    if (!split(pool, credentials, &secret))
        return NULL;
    identity_wipe_with_pool(pool, secret);
    return secret;
}

/* Each half is form-encoded before both are joined (RFC 6749, 2.3.1). */
static char *half(apr_pool_t *pool, const char *text)
{
    char *decoded = identity_query_unescape(pool, text, strlen(text));
    identity_wipe_with_pool(pool, decoded);
    return decoded;
}

bool identity_basic_parse(apr_pool_t *pool, const char *credentials, const char **name,
                          const char **secret)
{
    char *second = NULL, *first = split(pool, credentials, &second);

    if (!first)
        return false;
    *name = half(pool, first);
    *secret = half(pool, second);
    identity_wipe_string(second);
    return *name != NULL && *secret != NULL;
}

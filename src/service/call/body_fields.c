/* SPDX-License-Identifier: Apache-2.0 */
/* Body fields that several resources have in common. */
#include <string.h>

#include "call/call.h"

apr_array_header_t *identity_body_strings(identity_call_t *call, const char *name)
{
    apr_array_header_t *list = apr_array_make(call->pool, 8, sizeof(const char *));
    apr_hash_t *seen = apr_hash_make(call->pool);
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(call->body, name), i, item) {
        const char *text = json_string_value(item);
        if (apr_hash_get(seen, text, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, text, APR_HASH_KEY_STRING, text);
        APR_ARRAY_PUSH(list, const char *) = text;
    }
    return list;
}

bool identity_permissions_read(identity_call_t *call, apr_array_header_t **list)
{
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(call->body, "permissions"), i, item)
        if (!identity_permission_valid(json_string_value(item)))
            return identity_deny(
                call, IDENTITY_PROBLEM_INVALID_FIELD,
                apr_psprintf(call->pool, "permissions.%" APR_SIZE_T_FMT, (apr_size_t)i),
                "A permission must consist of upper-case words joined by dots, such as REPORT.VIEW.");
    *list = identity_body_strings(call, "permissions");
    return true;
}

bool identity_name_compared(identity_call_t *call, const char *name, const char **canonical)
{
    *canonical = identity_name_canonical(call->pool, name);
    if (*canonical && **canonical)
        return true;
    return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "name", "name must be text.");
}

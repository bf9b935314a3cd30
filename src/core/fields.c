/* SPDX-License-Identifier: Apache-2.0 */
/* Validates bodies against tables. Messages never quote a value, secret or not. */
#include <string.h>

#include <apr_strings.h>

#include "identity/core.h"

#define STRING_MAX_DEFAULT 256
#define LIST_MAX_DEFAULT   500

/* The current position; a chain on the stack, formatted only for an error. */
typedef struct place {
    const struct place *above;
    const char *name; /* NULL: position in a list */
    size_t position;
} place_t;

typedef struct check {
    apr_pool_t *pool;
    identity_problem_t *problem;
} check_t;

static bool check_object(const check_t *check, const json_t *object, const identity_field_t *table,
                         const place_t *above);

static const char *path_of(apr_pool_t *pool, const place_t *place)
{
    const char *own =
        place->name != NULL ? place->name : apr_psprintf(pool, "%" APR_SIZE_T_FMT, place->position);
    return !place->above ? own : apr_pstrcat(pool, path_of(pool, place->above), ".", own, NULL);
}

static bool invalid(const check_t *check, const place_t *place, const char *must)
{
    const char *path = path_of(check->pool, place);
    return identity_refuse(check->pool, check->problem, IDENTITY_PROBLEM_INVALID_FIELD, path,
                           "%s must %s.", path, must);
}

static bool check_rule(const check_t *check, const char *text, const identity_field_t *field,
                       const place_t *place)
{
    if (field->valid != NULL && !field->valid(text)) {
        return invalid(check, place,
                       field->rule != NULL ? apr_pstrcat(check->pool, "be ", field->rule, NULL)
                                           : "have an allowed form");
    }
    return true;
}

static bool check_string(const check_t *check, const json_t *value, const identity_field_t *field,
                         const place_t *place)
{
    if (!json_is_string(value))
        return invalid(check, place, "be a string");
    size_t length = json_string_length(value);
    size_t max = field->max != 0 ? field->max : STRING_MAX_DEFAULT;
    if (length < field->min) {
        return invalid(
            check, place,
            length == 0
                ? "not be empty"
                : apr_psprintf(check->pool, "have at least %" APR_SIZE_T_FMT " bytes", field->min));
    }
    if (length > max)
        return invalid(check, place,
                       apr_psprintf(check->pool, "have at most %" APR_SIZE_T_FMT " bytes", max));
    return check_rule(check, json_string_value(value), field, place);
}

static bool check_time(const check_t *check, const json_t *value, const place_t *place)
{
    apr_time_t time;
    if (!json_is_string(value) || !identity_time_parse(json_string_value(value), &time))
        return invalid(check, place, "be a time in seconds such as 2024-01-15T09:30:00Z");
    return true;
}

static bool check_enum(const check_t *check, const json_t *value, const identity_field_t *field,
                       const place_t *place)
{
    const char *text = json_string_value(value);
    const char *allowed = "";

    for (size_t i = 0; field->values[i] != NULL; i++)
        if (text != NULL && strcmp(text, field->values[i]) == 0)
            return true;
    for (size_t i = 0; field->values[i] != NULL; i++)
        allowed = apr_pstrcat(check->pool, allowed, i == 0 ? "" : ", ", field->values[i], NULL);
    return invalid(check, place, apr_pstrcat(check->pool, "be one of ", allowed, NULL));
}

static bool check_item(const check_t *check, const json_t *item, const identity_field_t *field,
                       const place_t *place)
{
    if (field->items != NULL) {
        if (!json_is_object(item))
            return invalid(check, place, "be an object");
        return json_object_size(item) == 0 || check_object(check, item, field->items, place);
    }
    if (!json_is_string(item))
        return invalid(check, place, "be a string");
    if (json_string_length(item) > STRING_MAX_DEFAULT)
        return invalid(check, place,
                       apr_psprintf(check->pool, "have at most %d bytes", STRING_MAX_DEFAULT));
    return check_rule(check, json_string_value(item), field, place);
}

static bool check_list(const check_t *check, const json_t *value, const identity_field_t *field,
                       const place_t *place)
{
    if (!json_is_array(value))
        return invalid(check, place, "be a list");
    size_t count = json_array_size(value);
    size_t max = field->max != 0 ? field->max : LIST_MAX_DEFAULT;
    if (count < field->min)
        return invalid(
            check, place,
            apr_psprintf(check->pool, "have at least %" APR_SIZE_T_FMT " items", field->min));
    if (count > max)
        return invalid(check, place,
                       apr_psprintf(check->pool, "have at most %" APR_SIZE_T_FMT " items", max));
    for (size_t i = 0; i < count; i++) {
        const place_t below = {.above = place, .position = i};
        if (!check_item(check, json_array_get(value, i), field, &below))
            return false;
    }
    return true;
}

static bool check_value(const check_t *check, const json_t *value, const identity_field_t *field,
                        const place_t *place)
{
    switch (field->type) {
    case IDENTITY_FIELD_STRING:
        return check_string(check, value, field, place);
    case IDENTITY_FIELD_BOOLEAN:
        return json_is_boolean(value) || invalid(check, place, "be true or false");
    case IDENTITY_FIELD_TIME:
        return check_time(check, value, place);
    case IDENTITY_FIELD_ENUM:
        return check_enum(check, value, field, place);
    case IDENTITY_FIELD_LIST:
        return check_list(check, value, field, place);
    case IDENTITY_FIELD_OBJECT:
        if (!json_is_object(value))
            return invalid(check, place, "be an object");
        return !field->items || check_object(check, value, field->items, place);
    }
    return invalid(check, place, "be of a known type");
}

static bool check_object(const check_t *check, const json_t *object, const identity_field_t *table,
                         const place_t *above)
{
    for (const identity_field_t *field = table; field->name != NULL; field++) {
        const place_t place = {.above = above, .name = field->name};
        const json_t *value = json_object_get(object, field->name);

        if (json_is_null(value) && (field->flags & IDENTITY_FIELD_NULLABLE))
            continue;
        if (!value || json_is_null(value)) {
            if (field->flags & IDENTITY_FIELD_REQUIRED) {
                const char *path = path_of(check->pool, &place);
                return identity_refuse(check->pool, check->problem, IDENTITY_PROBLEM_MISSING_FIELD,
                                       path, "%s is required.", path);
            }
            continue;
        }
        if (!check_value(check, value, field, &place))
            return false;
    }
    return true;
}

bool identity_fields_check(apr_pool_t *pool, const json_t *object, const identity_field_t *table,
                           identity_problem_t *problem)
{
    const check_t check = {.pool = pool, .problem = problem};
    return check_object(&check, object, table, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The description that is served (conf/openapi.json) against the tables that the server runs by: routes.def and the
 * bodies of its rows, in both directions. */
#include "routes.h"
#include "users/users.h"
#include "identity/pages.h"
#include "serve.h"

static json_t *document;
static bool patching; /* the route in hand */

static const char *string_at(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* What a $ref within the document stands for; anything else stands for itself. */
static json_t *looked_up(json_t *value)
{
    const char *reference = string_at(value, "$ref");

    if (!reference)
        return value;
    char *path = apr_pstrdup(door->pool, reference + strlen("#/"));
    for (char *at = path; *at; at++)
        if (*at == '/')
            *at = '.';
    return door_at(document, path);
}

static bool lists(const json_t *array, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach (array, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
            return true;
    return false;
}

/* ---- operations ------------------------------------------------------------------------------------------------- */

static const json_t *operation_of(const identity_route_t *route)
{
    char method[8] = "";

    for (size_t i = 0; route->method[i] && i < sizeof method - 1; i++)
        method[i] = (char)(route->method[i] | 0x20);
    return json_object_get(json_object_get(json_object_get(document, "paths"), route->pattern), method);
}

/* By what name the document tells the credential that a route wants. */
static const char *security_of(const identity_route_t *route)
{
    if (strcmp(route->operation, "introspect_token") ==
        0) /* which judges for itself, since clients come by Basic too */
        return "[{\"api_key\":[]},{\"bearer\":[]},{\"api_key_scheme\":[]},{\"client\":[]}]";
    if (strcmp(route->operation, "revoke_token") == 0)
        return "[{\"api_key\":[]},{\"bearer\":[]},{\"api_key_scheme\":[]},{\"client\":[]},{}]";
    switch (route->credential) {
    case IDENTITY_CREDENTIAL_NONE:
        return "[]";
    case IDENTITY_CREDENTIAL_OPTIONAL:
        return "[{\"api_key\":[]},{\"bearer\":[]},{\"api_key_scheme\":[]},{}]";
    case IDENTITY_CREDENTIAL_REQUIRED:
        break;
    }
    return "[{\"api_key\":[]},{\"bearer\":[]},{\"api_key_scheme\":[]}]";
}

static bool has_parameter(const json_t *operation, const char *place, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach (json_object_get(operation, "parameters"), i, item) {
        json_t *parameter = looked_up(item);
        if (strcmp(string_at(parameter, "in"), place) == 0 && strcmp(string_at(parameter, "name"), name) == 0)
            return true;
    }
    return false;
}

/* Does the answer show many: a list, or a page of one? */
static bool collection(const json_t *operation)
{
    json_t *schema = looked_up(json_object_get(
        door_at(json_object_get(json_object_get(operation, "responses"), "200"), "content.application/json"),
        "schema"));
    const char *type = string_at(schema, "type");
    json_t *members = json_object_get(schema, "properties");

    return type &&
           (strcmp(type, "array") == 0 || json_object_get(members, "data") || json_object_get(members, "invitations"));
}

/* queries.def names what the document has, and is there for every GET of a collection. */
static void test_query(const identity_route_t *route, const json_t *operation)
{
    const char *known = identity_route_query(route);
    size_t i, count = 0;
    json_t *item;

    if (strcmp(route->method, "GET") != 0)
        return;
    is_int(known != NULL, collection(operation), "M24: %s: unknown parameters are refused where it is a collection",
           route->operation);
    json_array_foreach (json_object_get(operation, "parameters"), i, item) {
        json_t *parameter = looked_up(item);
        if (!known || strcmp(string_at(parameter, "in"), "query") != 0)
            continue;
        const char *name = string_at(parameter, "name");
        count++;
        ok(strstr(text(" %s ", known), text(" %s ", name)) != NULL, "M24: %s takes %s", route->operation, name);
    }
    size_t names = 0;
    for (const char *at = known; at && *at; at += strcspn(at, " "), at += strspn(at, " "))
        names++;
    is_int(names, count, "M24: %s takes nothing that the document does not have", route->operation);
}

static void test_operation(const identity_route_t *route, const json_t *operation)
{
    json_t *security = json_object_get(operation, "security");
    bool required = route->credential == IDENTITY_CREDENTIAL_REQUIRED;

    is_str(string_at(operation, "operationId"), route->operation, "%s %s: operationId", route->method, route->pattern);
    is_str(string_at(operation, "x-identity-permission"), route->permission, "%s: permission", route->operation);
    is_int(json_is_true(json_object_get(operation, "x-identity-self")), route->self, "%s: self", route->operation);
    is_str(security ? identity_json_text(door->pool, security, NULL) : NULL, security_of(route), "%s: credential",
           route->operation);
    is_int(json_object_get(operation, "requestBody") != NULL, route->body || route->form, "%s: has a body",
           route->operation);
    is_int(has_parameter(operation, "header", "x-platform-id"), required, "%s: x-platform-id", route->operation);
    is_int(has_parameter(operation, "header", "Idempotency-Key"), required && strcmp(route->method, "POST") == 0,
           "%s: Idempotency-Key", route->operation);
    test_query(route, operation);
    const json_t *responses = json_object_get(operation, "responses");
    ok(json_object_get(responses, "500") && json_object_get(responses, "503"), "%s: our faults", route->operation);
    is_int(json_object_get(responses, "415") != NULL, route->body || route->form, "%s: 415 where there is a body",
           route->operation);
    is_int(json_object_get(responses, "429") != NULL, route->rate != IDENTITY_RATE_NONE,
           "%s: 429 where there is a limit", route->operation);
    if (required)
        ok(json_object_get(responses, "401") && json_object_get(responses, "403"), "%s: who is let in",
           route->operation);
    if (strchr(route->pattern, '{'))
        ok(json_object_get(responses, "404"), "%s: an unknown id", route->operation);
}

/* Is there a route of this method and path? */
static bool routed(const char *method, const char *path)
{
    for (int i = 0; i < identity_route_count; i++)
        if (strcasecmp(identity_routes[i].method, method) == 0 && strcmp(identity_routes[i].pattern, path) == 0)
            return true;
    return false;
}

static void test_nothing_more(void)
{
    const char *path, *method;
    json_t *item, *operation;

    json_object_foreach (json_object_get(document, "paths"), path, item)
        json_object_foreach (item, method, operation)
            ok(routed(method, path), "%s %s of the document is served", method, path);
}

/* ---- bodies ----------------------------------------------------------------------------------------------------- */

static void test_fields(const char *path, json_t *given, const identity_field_t *table);

static bool in_form; /* where there is no null */

/* What `type` must be: null is no fault where a field may be left out. */
static void test_type(const char *path, const json_t *schema, const char *type, bool required)
{
    const json_t *given = json_object_get(schema, "type");

    if (required || in_form)
        is_str(json_string_value(given), type, "%s: type", path);
    else
        ok(json_is_array(given) && json_array_size(given) == 2 && lists(given, type) && lists(given, "null"),
           "%s: type is %s or null", path, type);
}

static void test_string(const char *path, const json_t *schema, const identity_field_t *field)
{
    json_int_t max = (json_int_t)(field->max ? field->max : 256),
               given = json_integer_value(json_object_get(schema, "maxLength"));

    /* The table counts bytes, the document characters; a further rule may cut both. */
    if (field->valid || (field->flags & IDENTITY_FIELD_SECRET))
        ok(given > 0 && given <= max, "%s: maxLength %lld is at most %lld", path, (long long)given, (long long)max);
    else
        is_int(given, max, "%s: maxLength", path);
}

static void test_enum(const char *path, const json_t *schema, const identity_field_t *field, bool required)
{
    json_t *values = json_array();

    for (size_t i = 0; field->values[i]; i++)
        json_array_append_new(values, json_string(field->values[i]));
    if (!required)
        json_array_append_new(values, json_null());
    identity_json_own(door->pool, values);
    json_t *given = json_object_get(schema, "enum");
    is_str(given ? identity_json_text(door->pool, given, NULL) : NULL, identity_json_text(door->pool, values, NULL),
           "%s: enum", path);
}

static void test_list(const char *path, const json_t *schema, const identity_field_t *field)
{
    json_t *items = looked_up(json_object_get(schema, "items"));

    is_int(json_integer_value(json_object_get(schema, "maxItems")), field->max ? field->max : 500, "%s: maxItems",
           path);
    if (field->items)
        test_fields(text("%s[]", path), items, field->items);
    else
        is_str(string_at(items, "type"), "string", "%s: items are strings", path);
}

/* Elsewhere null counts as absent: where it is a value of its own a person must be told. */
static void test_null(const char *path, const json_t *given, const json_t *schema, const identity_field_t *field)
{
    const char *told = string_at(given, "description");

    if (!told)
        told = string_at(schema, "description");
    is_int(told && strstr(told, "Null clears it"), (field->flags & IDENTITY_FIELD_NULLABLE) != 0,
           "%s: tells what null does", path);
}

static void test_field(const char *path, json_t *given, const identity_field_t *field)
{
    static const char *const types[] = {
        [IDENTITY_FIELD_STRING] = "string", [IDENTITY_FIELD_BOOLEAN] = "boolean", [IDENTITY_FIELD_TIME] = "string",
        [IDENTITY_FIELD_ENUM] = "string",   [IDENTITY_FIELD_LIST] = "array",      [IDENTITY_FIELD_OBJECT] = "object"};
    json_t *schema = looked_up(given);
    bool required = field->flags & IDENTITY_FIELD_REQUIRED;

    test_type(path, schema, types[field->type], required);
    if (patching)
        test_null(path, given, schema, field);
    switch (field->type) {
    case IDENTITY_FIELD_STRING:
        test_string(path, schema, field);
        break;
    case IDENTITY_FIELD_BOOLEAN:
        break;
    case IDENTITY_FIELD_TIME:
        is_str(string_at(schema, "format"), "date-time", "%s: format", path);
        break;
    case IDENTITY_FIELD_ENUM:
        test_enum(path, schema, field, required);
        break;
    case IDENTITY_FIELD_LIST:
        test_list(path, schema, field);
        break;
    case IDENTITY_FIELD_OBJECT:
        test_fields(path, schema, field->items);
        break;
    }
}

static const identity_field_t *field_named(const identity_field_t *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

static void test_fields(const char *path, json_t *given, const identity_field_t *table)
{
    json_t *schema = looked_up(given), *properties = json_object_get(schema, "properties"), *property;
    json_t *required = json_object_get(schema, "required");
    const char *name;

    for (const identity_field_t *field = table; field->name; field++) {
        property = json_object_get(properties, field->name);
        if (!ok(property != NULL, "%s.%s is in the document", path, field->name))
            continue;
        is_int(lists(required, field->name), (field->flags & IDENTITY_FIELD_REQUIRED) != 0, "%s.%s: required", path,
               field->name);
        test_field(text("%s.%s", path, field->name), property, field);
    }
    json_object_foreach (properties, name, property)
        ok(field_named(table, name) != NULL, "%s.%s of the document is read", path, name);
    ok(!json_object_get(schema, "additionalProperties"), "%s: unknown members are no fault", path);
}

static void test_body(const identity_route_t *route, const json_t *operation)
{
    const json_t *body = json_object_get(operation, "requestBody"), *content = json_object_get(body, "content");

    is_int(json_is_true(json_object_get(body, "required")), !route->body_optional, "%s: the body is needed",
           route->operation);
    const json_t *json = json_object_get(content, "application/json"),
                 *form = json_object_get(content, "application/x-www-form-urlencoded");
    is_int(json != NULL, route->body != NULL, "%s: JSON is taken", route->operation);
    is_int(form != NULL, route->form != NULL, "%s: a form is taken", route->operation);
    if (route->body)
        test_fields(route->operation, json_object_get(json, "schema"), route->body);
    in_form = true;
    if (route->form)
        test_fields(text("%s (form)", route->operation), json_object_get(form, "schema"), route->form);
    in_form = false;
}

/* ---- as it is served -------------------------------------------------------------------------------------------- */

static void test_served(void)
{
    door_answer_t answer = get("/v1/openapi.json", NULL);

    is_int(answer.status, 200, "the document needs no credential");
    is_str(answer.content_type, "application/json", "... is JSON");
    is_str(header(&answer, "Cache-Control"), "no-store", "... and kept nowhere, like every answer");
    is_int(answer.statements, 0, "... costs the database nothing");
    ok(answer.length == identity_document_openapi.length &&
           memcmp(answer.text, identity_document_openapi.text, answer.length) == 0,
       "... the same bytes");
    is_int(door_call(door, "HEAD", "/v1/openapi.json", NULL, NULL).status, 200, "... for HEAD too");
    is_int(post("/v1/openapi.json", NULL, "{}").status, 405, "... and for nothing else");
}

int main(void)
{
    serve_begin();
    document =
        identity_json_own(door->pool, json_loadb(identity_document_openapi.text, identity_document_openapi.length,
                                                 JSON_REJECT_DUPLICATES, NULL));
    if (!document)
        bail("conf/openapi.json is no JSON, or has a member twice");
    for (int i = 0; i < identity_route_count; i++) {
        const identity_route_t *route = &identity_routes[i];
        const json_t *operation = operation_of(route);
        if (!ok(operation != NULL, "%s (%s %s) is in the document", route->operation, route->method, route->pattern))
            continue;
        test_operation(route, operation);
        patching = strcmp(route->method, "PATCH") == 0;
        if (route->body || route->form)
            test_body(route, operation);
    }
    test_nothing_more();
    test_served();
    return serve_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* IdentityBuiltInRoles: what core lists, gives and reserves, and what the published catalogue does. */
#include "serve.h"

static size_t listed(const char *query)
{
    door_answer_t answer = get(text("/v1/roles?limit=200%s", query), door->key);
    accepted(answer, 200, "roles");
    return size_at(&answer, "data");
}

static const char *made(const char *body)
{
    door_answer_t answer = post("/v1/roles", door->key, body);
    is_int(answer.status, 200, "M14: a role %s is made", body);
    return answer.status == 200 ? door_text(&answer, "id") : "";
}

static void refused_as(const char *body, int status, const char *code, const char *field, const char *what)
{
    door_answer_t answer = post("/v1/roles", door->key, body);
    refused(answer, status, code, field, "%s", what);
}

static void test_published(void)
{
    is_int(listed(""), identity_builtin_role_count(), "M14: published lists every role of the catalogue");
    refused_as("{\"name\":\"Invoice Viewer\"}", 409, "RESOURCE_ALREADY_EXISTS", "name",
               "M14: published reserves its names");
    refused_as("{\"name\":\"Other\",\"slug\":\"invoice-viewer\"}", 409, "RESOURCE_ALREADY_EXISTS", "slug",
               "M14: and its slugs");
}

static void test_core(void)
{
    const char *invoice = role_named("Invoice Viewer"), *administrator = role_named("User Administrator");
    door_answer_t answer;

    door_catalogue(door, IDENTITY_CATALOGUE_CORE);
    is_int(listed(""), 14, "M14: core lists 14 roles");
    is_int(listed("&name=Invoice%20Viewer"), 0, "M14: not those of other families");
    answer = get(text("/v1/roles/%s", invoice), door->key);
    refused(answer, 404, "RESOURCE_NOT_FOUND", "", "M14: which are not found by id either");
    answer = get(text("/v1/roles/%s", administrator), door->key);
    is_int(answer.status, 200, "M14: User Administrator is there");
    is_int(size_at(&answer, "permissions"), 7, "M14: with its seven permissions");
    answer = get("/v1/roles?name=Read%20Only", door->key);
    is_int(size_at(&answer, "data.0.permissions"), 5, "M14: Read Only holds what is built in to view");
    answer = get("/v1/roles?name=Administrator", door->key);
    is_int(size_at(&answer, "data.0.permissions"), 17, "M14: Administrator lists what is built in");
    refused_as(text("{\"name\":\"Outer\",\"child_role_ids\":[\"%s\"]}", invoice), 400, "INVALID_FIELD",
               "child_role_ids.0", "M14: a role of another family is not put into one");
    answer = post(
        "/v1/users/invite", door->key,
        text("{\"username\":\"core@example.org\",\"account_memberships\":[{\"account_id\":\"%s\",\"type\":\"USER\","
             "\"roles\":[{\"name\":\"Invoice Viewer\"}]}]}",
             door->account_id));
    ok(answer.status >= 400 && answer.status < 500, "M14: core does not give a role of another family: %d",
       answer.status);
    answer = post(
        "/v1/users/invite", door->key,
        text("{\"username\":\"core@example.org\",\"account_memberships\":[{\"account_id\":\"%s\",\"type\":\"USER\","
             "\"role_ids\":[\"%s\"]}]}",
             door->account_id, invoice));
    ok(answer.status >= 400 && answer.status < 500, "M14: nor by its id: %d", answer.status);
    const char *own = made("{\"name\":\"Invoice Viewer\",\"permissions\":[\"INVOICE.VIEW\"]}");
    answer = get("/v1/roles?name=Invoice%20Viewer", door->key);
    is_str(door_text(&answer, "data.0.id"), own, "M14: the name is the site's own in core");
    is_str(door_text(&answer, "data.0.slug"), "invoice-viewer", "M14: and the slug");
    refused_as("{\"name\":\"invoice viewer\"}", 409, "RESOURCE_ALREADY_EXISTS", "name", "M14: once");
    refused_as("{\"name\":\"User Viewer\"}", 409, "RESOURCE_ALREADY_EXISTS", "name",
               "M14: core reserves the names of its own");
    answer = patch(text("/v1/roles/%s", own), door->key, "{\"name\":\"Quote Viewer\"}");
    is_int(answer.status, 200, "M14: a role may be renamed to what core does not have");
    answer = patch(text("/v1/roles/%s", own), door->key, "{\"name\":\"Client Viewer\"}");
    refused(answer, 409, "RESOURCE_ALREADY_EXISTS", "name", "M14: not to what it has");
}

int main(void)
{
    serve_begin();
    test_published();
    test_core();
    return serve_end();
}

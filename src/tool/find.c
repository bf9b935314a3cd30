/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves names to ids, and helpers for calling the service. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

#define SECRET_LINE 4096

const char *tool_path(tool_t *tool, ...)
{
    const char *path = "", *part;
    va_list parts;

    va_start(parts, tool);
    while ((part = va_arg(parts, const char *)) != NULL)
        path = apr_pstrcat(tool->pool, path, "/", part, NULL);
    va_end(parts);
    return apr_pstrcat(tool->pool, "/v1", path, NULL);
}

json_t *tool_strings(const apr_array_header_t *list)
{
    json_t *array = json_array();

    for (int i = 0; i < list->nelts; i++)
        json_array_append_new(array, json_string(APR_ARRAY_IDX(list, i, const char *)));
    return array;
}

void tool_set_text(json_t *object, const char *name, const char *value)
{
    if (value)
        json_object_set_new(object, name, json_string(value));
}

const char *tool_filter(const tool_t *tool, const char *name, const char *value)
{
    return value ? apr_pstrcat(tool->pool, "&", name, "=", identity_query_escape(tool->pool, value),
                               NULL)
                 : "";
}

const char *tool_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* A page is a plain list, or an object with links and the rows in `data`. */
int tool_each_page(tool_t *tool, const char *path, const char *filters, tool_each_t *each,
                   void *data)
{
    apr_pool_t *pool = tool->pool;
    const char *query = apr_pstrcat(pool, "limit=500&order_direction=asc", filters, NULL);
    int status = TOOL_DONE;
    bool more = true;

    while (status == TOOL_DONE && query && more) {
        json_t *page, *item;
        size_t i;
        apr_pool_create(&tool->pool, pool);
        status = tool_call(tool, "GET", path, query, NULL, &page);
        if (status == TOOL_DONE)
            json_array_foreach (json_is_array(page) ? page : json_object_get(page, "data"), i, item)
                if (more)
                    more = each(tool, item, data);
        query = status == TOOL_DONE && tool->next ? apr_pstrdup(pool, tool->next) : NULL;
        apr_pool_destroy(tool->pool);
        tool->pool = pool;
    }
    return status;
}

static bool print_item(tool_t *tool, json_t *item, void *names)
{
    return tool_line(tool, item, names);
}

int tool_print_pages(tool_t *tool, const char *path, const char *filters, const char *const *names)
{
    return tool_each_page(tool, path, filters, print_item, (void *)names);
}

int tool_call_and_print(tool_t *tool, const char *method, const char *path, json_t *body,
                        const char *const *names)
{
    json_t *answer;
    int status = tool_call(tool, method, path, NULL, body, &answer);

    if (status == TOOL_DONE)
        tool_print(tool, answer, names);
    return status;
}

int tool_read_secret(tool_t *tool, char **secret)
{
    int status = tool_load_blocklist(tool);

    if (status)
        return status;
    *secret = apr_pcalloc(tool->pool, SECRET_LINE);
    identity_wipe_with_pool(tool->pool, *secret);
    if (!fgets(*secret, SECRET_LINE, stdin))
        return tool_fail(TOOL_USAGE, "there was no password on standard input");
    (*secret)[strcspn(*secret, "\r\n")] = '\0';
    return TOOL_DONE;
}

/* ---- what is named ---------------------------------------------------------------------------------------------- */

/* An address is never a login, and vice versa. */
static int find_by_login(tool_t *tool, const char *named, const char **id)
{
    identity_user_row_t *row = NULL;
    identity_db_status_t status = IDENTITY_DB_NONE;

    identity_db_use(tool->db, tool->pool);
    if (identity_login_valid(named))
        status = identity_user_of_login(tool->db, tool->entity_id, named, &row);
    if (status == IDENTITY_DB_NONE)
        return tool_fail(TOOL_NOT_FOUND, "there is no user %s", named);
    if (status != IDENTITY_DB_OK)
        return tool_fail(TOOL_FAILED, "the database could not be read");
    *id = row->id;
    return TOOL_DONE;
}

int tool_find_user(tool_t *tool, const char *named, const char **id)
{
    json_t *page;

    *id = named;
    if (identity_id_valid(named, "user"))
        return TOOL_DONE;
    int status =
        tool_call(tool, "GET", "/v1/users", tool_filter(tool, "username", named) + 1, NULL, &page);
    if (status != TOOL_DONE)
        return status;
    *id = tool_member(json_array_get(json_object_get(page, "data"), 0), "id");
    return *id ? TOOL_DONE : find_by_login(tool, named, id);
}

int tool_find_account(tool_t *tool, const char *named, const char **id)
{
    identity_account_row_t *row = NULL;
    identity_db_use(tool->db, tool->pool);
    identity_db_status_t status = identity_account_find(tool->db, tool->entity_id, named, &row);

    if (status == IDENTITY_DB_NONE)
        return tool_fail(TOOL_NOT_FOUND, "there is no account %s", named);
    if (status != IDENTITY_DB_OK)
        return tool_fail(TOOL_FAILED, "the database could not be read");
    *id = row->id;
    return TOOL_DONE;
}

typedef struct search {
    apr_pool_t *pool;
    const char *slug, *name; /* as typed; in the form in which names are compared */
    const char *by_slug, *by_name;
    bool several; /* several have that name */
} search_t;

static bool look_at(tool_t *tool, json_t *item, void *data)
{
    search_t *search = data;
    const char *slug = tool_member(item, "slug"), *name = tool_member(item, "name"),
               *id = tool_member(item, "id");
    const char *canonical = name ? identity_name_canonical(tool->pool, name) : NULL;

    if (slug && strcmp(slug, search->slug) == 0)
        search->by_slug = apr_pstrdup(search->pool, id);
    if (canonical && search->name && strcmp(canonical, search->name) == 0) {
        search->several = search->by_name != NULL;
        search->by_name = apr_pstrdup(search->pool, id);
    }
    return !search->by_slug;
}

static int find(tool_t *tool, const char *prefix, const char *path, const char *what,
                const char *named, const char **id)
{
    search_t search = {
        .pool = tool->pool, .slug = named, .name = identity_name_canonical(tool->pool, named)};

    *id = named;
    if (identity_id_valid(named, prefix))
        return TOOL_DONE;
    int status = tool_each_page(tool, path, "", look_at, &search);
    if (status != TOOL_DONE)
        return status;
    *id = search.by_slug ? search.by_slug : search.by_name;
    if (!*id)
        return tool_fail(TOOL_NOT_FOUND, "there is no %s %s", what, named);
    return search.by_slug || !search.several
               ? TOOL_DONE
               : tool_fail(TOOL_STATE, "there is more than one %s %s: name it by its id", what,
                           named);
}

int tool_find_team(tool_t *tool, const char *named, const char **id)
{
    return find(tool, "team", "/v1/teams", "team", named, id);
}

int tool_find_role(tool_t *tool, const char *named, const char **id)
{
    return find(tool, "role", "/v1/roles", "role", named, id);
}

int tool_find_provider(tool_t *tool, const char *named, const char **id)
{
    return find(tool, "auth", "/v1/authentication-providers", "authentication provider", named, id);
}

int tool_find_client(tool_t *tool, const char *named, const char **id)
{
    return find(tool, "clnt", "/v1/clients", "client", named, id);
}

int tool_role_ids(tool_t *tool, tool_option_t option, json_t **ids)
{
    const apr_array_header_t *names = tool_list(tool, option);
    int status = TOOL_DONE;

    *ids = identity_json_own(tool->pool, json_array());
    for (int i = 0; i < names->nelts && status == TOOL_DONE; i++) {
        const char *id = NULL;
        status = tool_find_role(tool, APR_ARRAY_IDX(names, i, const char *), &id);
        if (status == TOOL_DONE)
            json_array_append_new(*ids, json_string(id));
    }
    return status;
}

/* Checked before anything is created, so that a mistyped name leaves nothing half done. */
int tool_membership_of(tool_t *tool, const char *account, const char *type, json_t **object)
{
    const char *account_id = NULL;
    json_t *roles;
    int status = tool_find_account(tool, account, &account_id);

    *object = NULL;
    if (status == TOOL_DONE)
        status = tool_role_ids(tool, TOOL_ROLE, &roles);
    if (status != TOOL_DONE)
        return status;
    *object = identity_json_own(tool->pool, json_object());
    tool_set_text(*object, "account_id", account_id);
    tool_set_text(*object, "type", tool_has(tool, TOOL_TYPE) ? tool_text(tool, TOOL_TYPE) : type);
    if (type || tool_has(tool, TOOL_ROLE))
        json_object_set(*object, "role_ids", roles);
    return TOOL_DONE;
}

int tool_membership(tool_t *tool, json_t **object)
{
    *object = NULL;
    if (tool_has(tool, TOOL_ACCOUNT))
        return tool_membership_of(tool, tool_text(tool, TOOL_ACCOUNT), "USER", object);
    return tool_has(tool, TOOL_TYPE) || tool_has(tool, TOOL_ROLE)
               ? tool_fail(TOOL_USAGE, "--type and --role require --account")
               : TOOL_DONE;
}

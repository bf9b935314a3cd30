/* SPDX-License-Identifier: Apache-2.0 */
/* Paging: parses query parameters and builds the page object with its links (conf/interface.md). */
#include <string.h>

#include "call/call.h"

#define NOT_COUNTED (-2)
#define PAGE_MAX    1000000000 /* keeps page * limit far from overflow */

static bool number(identity_call_t *call, const char *name, apr_int64_t fallback, apr_int64_t max,
                   apr_int64_t *value)
{
    const char *text = apr_table_get(call->query, name);
    char *end;

    *value = fallback;
    if (!text)
        return true;
    *value = apr_strtoi64(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || *value < 1 || *value > max || strlen(text) > 10)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, name,
                             "%s must be a number from 1 to %" APR_INT64_T_FMT ".", name, max);
    return true;
}

bool identity_query_boolean(identity_call_t *call, const char *name, int *value)
{
    const char *text = apr_table_get(call->query, name);

    *value = -1;
    if (!text)
        return true;
    if (strcmp(text, "true") == 0)
        *value = 1;
    else if (strcmp(text, "false") == 0)
        *value = 0;
    else
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, name,
                             "%s must be true or false.", name);
    return true;
}

static bool order(identity_call_t *call, const char *name_order, identity_page_query_t *query)
{
    const char *by = apr_table_get(call->query, "order_by"),
               *direction = apr_table_get(call->query, "order_direction");

    if (!by || strcmp(by, "created_at") == 0)
        query->order = IDENTITY_ORDER_CREATED_AT;
    else if (name_order && strcmp(by, name_order) == 0)
        query->order = IDENTITY_ORDER_NAME;
    else
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "order_by",
                             "order_by must be created_at%s%s.", name_order ? " or " : "",
                             name_order ? name_order : "");
    if (!direction || strcmp(direction, "desc") == 0)
        query->descending = true;
    else if (strcmp(direction, "asc") != 0)
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "order_direction",
                             "order_direction must be asc or desc.");
    return true;
}

bool identity_page_parse(identity_call_t *call, const char *name_order, identity_listing_t *page)
{
    const char *cursor = apr_table_get(call->query, "cursor");

    memset(page, 0, sizeof *page);
    call->paged = true;
    page->query.entity_id = call->principal ? call->principal->entity_id : "";
    page->query.active = -1;
    page->total = NOT_COUNTED;
    if (!number(call, "page", 1, PAGE_MAX, &page->page) ||
        !number(call, "limit", IDENTITY_PAGE_LIMIT, IDENTITY_PAGE_LIMIT_MAX, &page->limit) ||
        !order(call, name_order, &page->query))
        return false;
    page->query.limit = page->limit + 1;
    page->query.offset = (page->page - 1) * page->limit;
    if (!cursor)
        return true;
    if (!identity_cursor_decode(call->pool, cursor, &page->cursor))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, "cursor",
                             "cursor must come from a link in an earlier response.");
    page->query.cursor = &page->cursor;
    page->query.offset = 0;
    page->page = page->cursor.page;
    page->total = page->cursor.total;
    return true;
}

/* Removes the extra row that only shows that there are more. */
static void cut(identity_listing_t *page)
{
    bool more = page->rows->nelts > page->limit,
         backward = page->query.cursor && page->cursor.backward;

    if (more && backward) {
        memmove(page->rows->elts, page->rows->elts + page->rows->elt_size,
                (size_t)page->limit * (size_t)page->rows->elt_size);
        page->rows->nelts--;
    } else if (more) {
        apr_array_pop(page->rows);
    }
    page->more_after = backward ? page->rows->nelts > 0 : more;
    page->more_before = backward ? more : page->page > 1 && page->rows->nelts > 0;
    if (backward && !more)
        page->page = 1;
}

/* The longest time by which the count of users may lag behind changes by other servers or the command line; changes
 * by this server invalidate it immediately. */
#define COUNT_LASTS apr_time_from_sec(1)

/* For a page of users without a name filter, which may have very many rows. */
static bool count_rows(identity_call_t *call, const identity_page_query_t *query, apr_int64_t *rows)
{
    bool many = query->of == IDENTITY_PAGE_OF_USERS && !query->name && !query->only_id;
    identity_shared_age_t age = {.lasts = COUNT_LASTS};
    size_t length;

    if (!many)
        return identity_db_ok(call, identity_page_count(call->db, query, IDENTITY_COUNT_CAP, rows));
    const char *name = apr_psprintf(call->pool, "%s %d %s", query->entity_id, query->active,
                                    query->state ? query->state : "-"),
               *known = NULL;
    if (!identity_shared_begin(call, 0, &age))
        return false;
    known = identity_shared_get(call, IDENTITY_SHARED_COUNT, name, &length);
    if (known) {
        memcpy(rows, known, sizeof *rows);
        return true;
    }
    age.ids[0] = query->entity_id;
    age.ids[1] = identity_users_of(call->pool, query->entity_id);
    age.ids[2] = identity_users_of(call->pool, "");
    if (!identity_db_ok(call, identity_page_count(call->db, query, IDENTITY_COUNT_CAP, rows)))
        return false;
    identity_shared_keep(call, IDENTITY_SHARED_COUNT, name, &age, (const char *)rows, sizeof *rows);
    return true;
}

bool identity_page_load(identity_call_t *call, identity_listing_t *page, identity_page_of_t of,
                        bool counted)
{
    apr_int64_t rows = 0;

    page->query.of = of;
    if (!identity_db_ok(call, identity_page(call->db, &page->query, &page->rows)))
        return false;
    cut(page);
    if (page->total != NOT_COUNTED || !counted)
        return true;
    if (page->page == 1 && !page->more_after) {
        page->total = page->rows->nelts > 0;
        return true;
    }
    if (!count_rows(call, &page->query, &rows))
        return false;
    page->total = rows > IDENTITY_COUNT_CAP ? -1 : (rows + page->limit - 1) / page->limit;
    return true;
}

void identity_page_nothing(identity_call_t *call, identity_listing_t *page)
{
    page->rows = apr_array_make(call->pool, 1, sizeof(void *));
    page->total = 0;
}

static int append_parameter(void *data, const char *name, const char *value)
{
    apr_array_header_t *parts = data;
    apr_pool_t *pool = parts->pool;

    if (strcasecmp(name, "page") != 0 && strcasecmp(name, "cursor") != 0)
        APR_ARRAY_PUSH(parts, const char *) =
            apr_pstrcat(pool, identity_query_escape(pool, name), "=",
                        identity_query_escape(pool, value), "&", NULL);
    return 1;
}

/* The request's own filters, then the position of the page. */
static const char *link_to(identity_call_t *call, const char *name, const char *value)
{
    apr_array_header_t *parts = apr_array_make(call->pool, 8, sizeof(const char *));

    apr_table_do(append_parameter, parts, call->query, NULL);
    return apr_pstrcat(call->pool, call->in->path, "?", apr_array_pstrcat(call->pool, parts, 0),
                       name, "=", identity_query_escape(call->pool, value), NULL);
}

static const char *link_from(identity_call_t *call, const identity_listing_t *page, int row,
                             bool backward, identity_position_of_t *position_of)
{
    identity_position_t edge = position_of(APR_ARRAY_IDX(page->rows, row, const void *));
    identity_cursor_t cursor = {
        .key = identity_order_key(call->pool, page->query.order, edge.name, edge.created_at),
        .id = edge.id,
        .backward = backward,
        .page = backward && page->page == 1 ? 1 : page->page + (backward ? -1 : 1),
        .total = page->total == NOT_COUNTED ? -1 : page->total};
    return link_to(call, "cursor", identity_cursor_encode(call->pool, &cursor));
}

/* The targets of a page's links; NULL: none. */
typedef struct links {
    const char *first, *previous, *current, *next;
} links_t;

static links_t links_of(identity_call_t *call, const identity_listing_t *page,
                        identity_position_of_t *position_of)
{
    const char *cursor = apr_table_get(call->query, "cursor");

    return (links_t){
        .first = link_to(call, "page", "1"),
        .previous = page->more_before ? link_from(call, page, 0, true, position_of) : NULL,
        .current = cursor ? link_to(call, "cursor", cursor)
                          : link_to(call, "page",
                                    apr_psprintf(call->pool, "%" APR_INT64_T_FMT, page->page)),
        .next = page->more_after ? link_from(call, page, page->rows->nelts - 1, false, position_of)
                                 : NULL};
}

json_t *identity_page_json(identity_call_t *call, const identity_listing_t *page, json_t *data,
                           identity_position_of_t *position_of)
{
    links_t to = links_of(call, page, position_of);
    json_t *links = json_object(), *wrapper = json_object();

    json_object_set_new(links, "first", json_string(to.first));
    json_object_set_new(links, "previous", to.previous ? json_string(to.previous) : json_null());
    json_object_set_new(links, "current", json_string(to.current));
    json_object_set_new(links, "next", to.next ? json_string(to.next) : json_null());
    json_object_set_new(wrapper, "data", data);
    json_object_set_new(wrapper, "links", links);
    json_object_set_new(wrapper, "page", json_integer(page->page));
    json_object_set_new(wrapper, "limit", json_integer(page->limit));
    json_object_set_new(wrapper, "total_number_of_pages",
                        page->total >= 0 ? json_integer(page->total) : json_null());
    return wrapper;
}

void identity_page_write(identity_call_t *call, identity_writer_t *writer,
                         const identity_listing_t *page, identity_position_of_t *position_of)
{
    links_t to = links_of(call, page, position_of);

    identity_write_member(writer, ",\"links\":{\"first\":", to.first);
    identity_write_member(writer, ",\"previous\":", to.previous);
    identity_write_member(writer, ",\"current\":", to.current);
    identity_write_member(writer, ",\"next\":", to.next);
    identity_write_literal(writer, "},\"page\":");
    identity_write_number(writer, page->page);
    identity_write_literal(writer, ",\"limit\":");
    identity_write_number(writer, page->limit);
    identity_write_literal(writer, ",\"total_number_of_pages\":");
    if (page->total >= 0)
        identity_write_number(writer, page->total);
    else
        identity_write_literal(writer, "null");
    identity_write_literal(writer, "}");
}

void identity_page_header(identity_call_t *call, const identity_listing_t *page,
                          identity_position_of_t *position_of)
{
    const char *links = NULL;

    if (page->more_before)
        links = apr_pstrcat(call->pool, "<", link_from(call, page, 0, true, position_of),
                            ">; rel=\"prev\"", NULL);
    if (page->more_after)
        links = apr_pstrcat(call->pool, links ? links : "", links ? ", " : "", "<",
                            link_from(call, page, page->rows->nelts - 1, false, position_of),
                            ">; rel=\"next\"", NULL);
    if (links)
        identity_header(call, "Link", links);
}

/* ---- collections ------------------------------------------------------------------------------------------------ */

typedef struct list {
    const identity_collection_t *collection;
    identity_listing_t page;
} list_t;

static bool load(identity_call_t *call, void *data)
{
    list_t *list = data;
    const identity_collection_t *collection = list->collection;

    if (collection->narrow && !collection->narrow(call, &list->page))
        return false;
    if (list->page.nothing)
        identity_page_nothing(call, &list->page);
    else if (!identity_page_load(call, &list->page, collection->of, !collection->answer))
        return false;
    return !collection->load || collection->load(call, &list->page);
}

static void append(identity_call_t *call, const list_t *list, const apr_array_header_t *rows,
                   json_t *data)
{
    for (int i = 0; rows && i < rows->nelts; i++)
        json_array_append_new(data, list->collection->row_json(
                                        call, &list->page, APR_ARRAY_IDX(rows, i, const void *)));
}

static bool parse(identity_call_t *call, list_t *list)
{
    const identity_collection_t *collection = list->collection;

    return (collection->parse ? collection->parse(call, &list->page)
                              : identity_page_parse(call, collection->name_order, &list->page)) &&
           (!collection->filter || collection->filter(call, &list->page));
}

static bool answer_written(identity_call_t *call, const list_t *list)
{
    const apr_array_header_t *rows = list->page.rows;
    identity_writer_t writer;

    identity_writer_begin(&writer, call->pool,
                          (size_t)(rows->nelts + 1) * list->collection->row_length,
                          IDENTITY_ANSWER_MAX);
    identity_write_literal(&writer, "{\"data\":[");
    for (int i = 0; i < rows->nelts; i++) {
        if (i > 0)
            identity_write_literal(&writer, ",");
        list->collection->row_write(call, &writer, &list->page,
                                    APR_ARRAY_IDX(rows, i, const void *));
    }
    identity_write_literal(&writer, "]");
    identity_page_write(call, &writer, &list->page, list->collection->position_of);
    return identity_answer_written(call, &writer);
}

bool identity_collection_list(identity_call_t *call, const identity_collection_t *collection)
{
    list_t list = {.collection = collection};

    if (!parse(call, &list) || !identity_read(call, load, &list))
        return false;
    if (collection->row_write)
        return answer_written(call, &list);
    json_t *data = json_array();
    append(call, &list, list.page.before, data);
    append(call, &list, list.page.rows, data);
    return collection->answer ? collection->answer(call, &list.page, data)
                              : identity_answer(call, 200,
                                                identity_page_json(call, &list.page, data,
                                                                   collection->position_of));
}

apr_array_header_t *identity_row_ids(apr_pool_t *pool, const apr_array_header_t *rows)
{
    apr_array_header_t *ids = apr_array_make(pool, rows->nelts + 1, sizeof(const char *));

    for (int i = 0; i < rows->nelts; i++)
        APR_ARRAY_PUSH(ids, const char *) = *APR_ARRAY_IDX(rows, i, const char *const *);
    return ids;
}

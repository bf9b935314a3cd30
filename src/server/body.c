/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request, read completely but never beyond its limit. */
#include <string.h>

#include <util_filter.h>

#include "rctx.h"

APLOG_USE_MODULE(identity);

/* Maximum amount of an unwanted body that is still read from an HTTP/2 stream. */
#define DRAINED (1024 * 1024)

typedef struct text {
    apr_pool_t *pool;
    char *bytes;
    size_t length, room;
} text_t;

/* Bodies contain passwords, so old buffers are wiped when they grow. */
static void grow(text_t *text, size_t room)
{
    char *bytes = apr_palloc(text->pool, room + 1);

    if (text->bytes) {
        memcpy(bytes, text->bytes, text->length);
        identity_wipe(text->bytes, text->length);
    }
    text->bytes = bytes;
    text->room = room;
}

static void append(text_t *text, const char *data, size_t length, size_t limit)
{
    if (length > text->room - text->length) {
        size_t room =
            2 * text->room > text->length + length ? 2 * text->room : text->length + length;
        grow(text, room < limit ? room : limit);
    }
    memcpy(text->bytes + text->length, data, length);
    text->length += length;
}

static identity_problem_kind_t fault(request_rec *r, apr_status_t status)
{
    identity_rctx_t *rctx = identity_rctx_api(r);

    r->connection->keepalive = AP_CONN_CLOSE;
    switch (ap_map_http_request_error(status, HTTP_BAD_REQUEST)) {
    case AP_FILTER_ERROR:
        /* httpd has already answered, through errors.c. */
        rctx->api.answered = true;
        return IDENTITY_PROBLEM_BAD_REQUEST;
    case HTTP_REQUEST_ENTITY_TOO_LARGE:
        return IDENTITY_PROBLEM_TOO_LARGE;
    case HTTP_REQUEST_TIME_OUT:
        return IDENTITY_PROBLEM_TIMEOUT;
    default:
        return IDENTITY_PROBLEM_BAD_REQUEST;
    }
}

/* Adds the contents of one brigade. */
static identity_problem_kind_t take(request_rec *r, apr_bucket_brigade *brigade, text_t *text,
                                    size_t limit, bool *end)
{
    for (apr_bucket *bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        const char *data;
        apr_size_t length;

        if (APR_BUCKET_IS_EOS(bucket)) {
            *end = true;
            return IDENTITY_PROBLEM_NONE;
        }
        if (APR_BUCKET_IS_METADATA(bucket))
            continue;
        apr_status_t status = apr_bucket_read(bucket, &data, &length, APR_BLOCK_READ);
        if (status != APR_SUCCESS)
            return fault(r, status);
        if (length > limit - text->length) {
            r->connection->keepalive = AP_CONN_CLOSE;
            return IDENTITY_PROBLEM_TOO_LARGE;
        }
        append(text, data, length, limit);
    }
    return IDENTITY_PROBLEM_NONE;
}

static apr_off_t announced(const request_rec *r)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t value;

    return length && ap_parse_strict_length(&value, length) ? value : -1;
}

/* Checked after the body was read: by then an input filter that decodes it (mod_deflate's) has removed the header. */
static bool encoded(const request_rec *r)
{
    const char *list = apr_table_get(r->headers_in, "Content-Encoding");
    char *coding;

    while (list && *(coding = ap_get_token(r->pool, &list, 0))) {
        if (strcasecmp(coding, "identity") != 0)
            return true;
        list += strspn(list, ", \t");
    }
    return false;
}

static identity_problem_kind_t read_body(void *r_, apr_pool_t *pool, size_t limit, char **bytes,
                                         size_t *length)
{
    request_rec *r = r_;
    apr_off_t size = announced(r);
    text_t text = {.pool = pool};
    identity_problem_kind_t problem = IDENTITY_PROBLEM_NONE;

    if (size > 0 && (apr_uint64_t)size > limit) {
        r->connection->keepalive = AP_CONN_CLOSE;
        return IDENTITY_PROBLEM_TOO_LARGE;
    }
    size_t first = size >= 0 ? (size_t)size : 4096;
    grow(&text, first < limit ? first : limit);
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    for (bool end = false; !end && problem == IDENTITY_PROBLEM_NONE; apr_brigade_cleanup(brigade)) {
        apr_status_t status = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES,
                                             APR_BLOCK_READ, HUGE_STRING_LEN);
        problem = status == APR_SUCCESS ? take(r, brigade, &text, limit, &end) : fault(r, status);
    }
    apr_brigade_destroy(brigade);
    identity_rctx_api(r)->api.ended = problem == IDENTITY_PROBLEM_NONE;
    if (problem == IDENTITY_PROBLEM_NONE && text.length > 0 && encoded(r))
        problem = IDENTITY_PROBLEM_MEDIA_TYPE;
    if (problem != IDENTITY_PROBLEM_NONE) {
        identity_wipe(text.bytes, text.length);
        return problem;
    }
    text.bytes[text.length] = '\0';
    *bytes = text.bytes;
    *length = text.length;
    return IDENTITY_PROBLEM_NONE;
}

void identity_body_announce(request_rec *r, identity_rctx_t *rctx)
{
    /* The body belongs to the client's request: a subrequest, or the GET that follows an error, has none. */
    if (r->main || announced(r) == 0)
        return;
    if (!apr_table_get(r->headers_in, "Transfer-Encoding") &&
        !apr_table_get(r->headers_in, "Content-Length"))
        return;
    rctx->api.in->has_body = true;
    rctx->api.in->read_body = read_body;
    rctx->api.in->body_context = r;
}

void identity_body_drain(request_rec *r, const identity_rctx_t *rctx)
{
    apr_off_t left = DRAINED, got = 0;

    if (!r->connection->master || !rctx->api.in->has_body || rctx->api.ended || rctx->api.answered)
        return;
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    for (bool end = false; !end && left > 0; left -= got) {
        end = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES, APR_BLOCK_READ,
                             HUGE_STRING_LEN) != APR_SUCCESS ||
              (!APR_BRIGADE_EMPTY(brigade) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(brigade))) ||
              apr_brigade_length(brigade, 1, &got) != APR_SUCCESS;
        apr_brigade_cleanup(brigade);
    }
    apr_brigade_destroy(brigade);
}

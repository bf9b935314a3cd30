/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to other people's servers, by libcurl: limited in size and time, no redirects, no proxy or credentials
 * from the environment, no forbidden addresses. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <curl/curl.h>

#include "fetch.h"

typedef struct transfer {
    CURL *curl;
    struct curl_slist *headers;
    const fetch_request_t *request;
    bool plain;     /* http */
    bool forbidden; /* the address is forbidden */
    bool too_large;
    char *body;
    size_t length;
    char fault[CURL_ERROR_SIZE];
} transfer_t;

/* ---- URLs ------------------------------------------------------------------------------------------------------- */

static bool part_is_absent(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool absent = curl_url_get(url, part, &text, 0) != CURLUE_OK;

    curl_free(text);
    return absent;
}

bool client_url_valid(const char *text, bool plain)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    bool valid = url && curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK &&
                 curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                 (strcmp(scheme, "https") == 0 || (plain && strcmp(scheme, "http") == 0)) &&
                 part_is_absent(url, CURLUPART_FRAGMENT) && part_is_absent(url, CURLUPART_USER);

    for (const char *at = text; valid && *at; at++)
        valid = *at > ' ' && *at <= '~' && !strchr("\"<>\\^`{|}", *at);
    curl_free(scheme);
    curl_url_cleanup(url);
    return valid;
}

bool client_url_loopback(apr_pool_t *pool, const char *text)
{
    CURLU *url = curl_url();
    char *host = NULL;
    bool loopback = false;

    if (url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        size_t length = strlen(host);
        const char *bare = host[0] == '[' ? apr_pstrmemdup(pool, host + 1, length - 2) : host;
        loopback = identity_host_loopback(bare);
    }
    curl_free(host);
    curl_url_cleanup(url);
    return loopback;
}

/* ---- what libcurl asks on its way ------------------------------------------------------------------------------- */

/* Called with the address to be connected to, after all names are resolved. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    transfer_t *transfer = data;

    (void)purpose;
    if (!client_address_allowed(&address->addr, &transfer->request->reach, transfer->plain)) {
        transfer->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take(char *data, size_t size, size_t count, void *context)
{
    transfer_t *transfer = context;
    size_t length = size * count;

    if (length > FETCH_SIZE_MAX - transfer->length) {
        transfer->too_large = true;
        return 0;
    }
    memcpy(transfer->body + transfer->length, data, length);
    transfer->length += length;
    return length;
}

/* ---- a transfer ------------------------------------------------------------------------------------------------- */

/* The first option that libcurl rejects aborts the set-up. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        CURLcode code_ = curl_easy_setopt(transfer->curl, option, value);                          \
        if (code_ != CURLE_OK)                                                                     \
            return code_;                                                                          \
    } while (0)

static CURLcode set_bounds(transfer_t *transfer, long left)
{
    const fetch_request_t *request = transfer->request;
    long connect = (long)apr_time_as_msec(request->connect_timeout);

    SET(CURLOPT_PROTOCOLS_STR, transfer->plain ? "http" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* ignore the environment */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, connect < left ? connect : left);
    SET(CURLOPT_TIMEOUT_MS, left);
    SET(CURLOPT_MAXFILESIZE, (long)FETCH_SIZE_MAX);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, take);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->fault);
    return CURLE_OK;
}

static CURLcode set_request(apr_pool_t *pool, transfer_t *transfer)
{
    const fetch_request_t *request = transfer->request;
    const char *accept = request->accept ? request->accept : "application/json";

    transfer->headers = curl_slist_append(NULL, apr_pstrcat(pool, "Accept: ", accept, NULL));
    if (!transfer->headers)
        return CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    SET(CURLOPT_USERAGENT, "mod_identity");
    if (request->form) {
        SET(CURLOPT_POSTFIELDSIZE, (long)strlen(request->form));
        SET(CURLOPT_POSTFIELDS, request->form);
    }
    if (request->user) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, request->user);
        SET(CURLOPT_PASSWORD, request->password);
    }
    if (request->bearer) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        SET(CURLOPT_XOAUTH2_BEARER, request->bearer);
    }
    return CURLE_OK;
}

#undef SET

static const char *fault_of(apr_pool_t *pool, const transfer_t *transfer, CURLcode code)
{
    if (transfer->forbidden && code == CURLE_COULDNT_CONNECT)
        return "its address is not allowed (a private one needs network=private)";
    if (transfer->too_large || code == CURLE_FILESIZE_EXCEEDED)
        return "its answer is too large";
    if (code == CURLE_OPERATION_TIMEDOUT)
        return "it did not answer in time";
    return apr_pstrdup(pool, transfer->fault[0] ? transfer->fault : curl_easy_strerror(code));
}

static void keep(apr_pool_t *pool, transfer_t *transfer, fetch_response_t *response)
{
    const char *type = NULL;

    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &response->status);
    curl_easy_getinfo(transfer->curl, CURLINFO_CONTENT_TYPE, &type);
    response->type = type ? apr_pstrmemdup(pool, type, strcspn(type, "; \t")) : "";
    response->length = transfer->length;
    response->body = apr_pstrmemdup(pool, transfer->body, transfer->length);
    identity_wipe_with_pool(pool, response->body);
}

bool client_fetch(apr_pool_t *pool, const fetch_request_t *request, fetch_response_t *response,
                  const char **error)
{
    apr_interval_time_t left = request->deadline - apr_time_now();
    transfer_t transfer = {.request = request, .plain = strncasecmp(request->url, "http:", 5) == 0};

    *error = left < 1000 ? "there is no time left for the request" : NULL;
    if (*error)
        return false;
    transfer.curl = curl_easy_init();
    transfer.body = malloc(FETCH_SIZE_MAX);
    CURLcode code = transfer.curl && transfer.body
                        ? set_bounds(&transfer, (long)apr_time_as_msec(left))
                        : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK)
        code = set_request(pool, &transfer);
    if (code == CURLE_OK)
        code = curl_easy_perform(transfer.curl);
    if (code == CURLE_OK)
        keep(pool, &transfer, response);
    else
        *error = fault_of(pool, &transfer, code);
    curl_easy_cleanup(transfer.curl);
    curl_slist_free_all(transfer.headers);
    identity_wipe(transfer.body, transfer.length);
    free(transfer.body);
    return code == CURLE_OK;
}

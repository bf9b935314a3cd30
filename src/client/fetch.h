/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP request to somebody else's server, within limits (security 72). */
#ifndef IDENTITY_CLIENT_FETCH_H
#define IDENTITY_CLIENT_FETCH_H

#include <sys/socket.h>

#include "client_int.h"

#define FETCH_SIZE_MAX (256 * 1024)

/* Addresses that may be connected to, in addition to the public network. */
typedef struct client_reach {
    bool loopback, private_network;
} client_reach_t;

/* address.c: checks the actual address of the connection, so that no name can lead elsewhere. plain: http, which is
 * for loopback only. */
bool client_address_allowed(const struct sockaddr *address, const client_reach_t *reach,
                            bool plain);

typedef struct fetch_request {
    const char *url;
    const char *form;            /* POST of application/x-www-form-urlencoded, or NULL: GET */
    const char *bearer;          /* or NULL */
    const char *user, *password; /* Basic, or NULL */
    const char *accept;          /* media types; NULL: application/json */
    client_reach_t reach;
    apr_interval_time_t connect_timeout;
    apr_time_t deadline; /* of apr_time_now() */
} fetch_request_t;

typedef struct fetch_response {
    long status;
    char *body; /* NUL-terminated; wiped with the pool */
    size_t length;
    const char *type; /* only the media type; "" if missing */
} fetch_response_t;

/* https, or http where plain; a host, no user, no fragment. */
bool client_url_valid(const char *url, bool plain);
/* Does the host of a URL refer to loopback? */
bool client_url_loopback(apr_pool_t *pool, const char *url);
/* False with *error, a sentence without the URL's query, any credential or body. */
bool client_fetch(apr_pool_t *pool, const fetch_request_t *request, fetch_response_t *response,
                  const char **error);

#endif

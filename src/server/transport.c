/* SPDX-License-Identifier: Apache-2.0 */
/* How a request arrived: over TLS, over loopback, at which origin. */
#include <string.h>

#include <http_ssl.h>

#include "rctx.h"

/* An HTTP/2 stream has its connection as master. */
static conn_rec *connection_of(const request_rec *r)
{
    return r->connection->master ? r->connection->master : r->connection;
}

/* Of the connection itself: regardless of mod_remoteip's header (useragent_addr) and of the PROXY protocol
 * (client_addr). */
static apr_sockaddr_t *peer(const request_rec *r)
{
    apr_socket_t *socket = ap_get_conn_socket(connection_of(r));
    apr_sockaddr_t *address = NULL;

    if (socket && apr_socket_addr_get(&address, APR_REMOTE, socket) == APR_SUCCESS && address)
        return address;
    return connection_of(r)->client_addr;
}

static bool loopback(const apr_sockaddr_t *address)
{
    if (address->family == APR_INET)
        return (ntohl(address->sa.sin.sin_addr.s_addr) >> 24) == 127;
#if APR_HAVE_IPV6
    if (address->family == APR_INET6) {
        const struct in6_addr *six = &address->sa.sin6.sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
    }
#endif
    return false;
}

/* ---- IdentityTrustedProxy --------------------------------------------------------------------------------------- */

static bool trusted(const request_rec *r)
{
    const apr_array_header_t *proxies = identity_conf(r->server)->trusted_proxies;

    for (int i = 0; proxies && i < proxies->nelts; i++)
        if (apr_ipsubnet_test(APR_ARRAY_IDX(proxies, i, apr_ipsubnet_t *), peer(r)))
            return true;
    return false;
}

/* Exactly one field with one word: a value that the client sent itself comes before what the proxy adds. */
static signed char verdict(const request_rec *r)
{
    const char *scheme = apr_table_get(r->headers_in, "X-Forwarded-Proto");
    return scheme && strcasecmp(scheme, "https") == 0 ? 1 : -1;
}

/* As the client's own request arrived, before any directive of a location has changed its headers. */
static signed char behind_proxy(const request_rec *r)
{
    for (const request_rec *before; (before = identity_request_before(r)) != NULL;)
        r = before;
    identity_rctx_t *rctx = identity_rctx_make((request_rec *)(uintptr_t)r);
    if (!rctx->transport_known) {
        rctx->transport_known = true;
        rctx->tls =
            identity_conf(r->server)->trusted_proxies && trusted(r) ? (signed char)verdict(r) : 0;
    }
    return rctx->tls;
}

int identity_note_transport(request_rec *r)
{
    const identity_conf_t *conf = identity_conf(r->server);

    if (conf->trusted_proxies)
        behind_proxy(r);
    if (conf->host)
        identity_database_keys(conf->host->database, r->request_time);
    return DECLINED;
}

/* ---- what follows ----------------------------------------------------------------------------------------------- */

const char *identity_scheme_of(const request_rec *r)
{
    signed char tls = behind_proxy(r);
    return tls > 0 ? "https" : tls < 0 ? "http" : ap_http_scheme(r);
}

/* Only compared with Origin, which no page can choose, so the name need not be one of the server's. */
static const char *own_origin(const request_rec *r)
{
    const char *host = identity_header_in(r, "Host");
    return host ? apr_pstrcat(r->pool, identity_scheme_of(r), "://", host, NULL) : NULL;
}

void identity_describe_transport(const request_rec *r, identity_request_t *in)
{
    signed char tls = behind_proxy(r);

    in->method = r->method;
    in->client_address = r->useragent_ip;
    in->secure = tls ? tls > 0 : ap_ssl_conn_is_ssl(r->connection);
    in->loopback = !tls && loopback(peer(r));
    in->own_origin = identity_header_in(r, "Origin") ? own_origin(r) : NULL;
}

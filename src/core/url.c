/* SPDX-License-Identifier: Apache-2.0 */
/* External URLs: which ones may be called or trusted. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_uri.h>

#include "identity/core.h"

#define ISSUER_MAX    512
#define NAMESPACE_MAX 32
#define PART_MAX      64
#define REDIRECT_MAX  256

bool identity_host_loopback(const char *host)
{
    bool number = host[strspn(host, "0123456789.")] == '\0';

    return (number && strncmp(host, "127.", 4) == 0) || strcasecmp(host, "localhost") == 0 ||
           strcmp(host, "::1") == 0;
}

static bool plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (!apr_isgraph(*text) || strchr("\"<>\\^`{|}", *text) != NULL)
            return false;
    return true;
}

static bool port_valid(const char *port)
{
    size_t length = strlen(port);
    long number = length > 0 && length < 6 && strspn(port, "0123456789") == length
                      ? strtol(port, NULL, 10)
                      : 0;

    return number > 0 && number < 65536;
}

/* https, or http to loopback; a host, optionally a port, no user, no fragment. */
static bool address_valid(apr_pool_t *pool, const char *url, size_t longest, apr_uri_t *uri)
{
    if (!url || strlen(url) > longest || !plain(url) ||
        apr_uri_parse(pool, url, uri) != APR_SUCCESS)
        return false;
    if (!uri->scheme || !uri->hostname || uri->hostname[0] == '\0' || uri->user != NULL ||
        uri->password != NULL || uri->fragment != NULL)
        return false;
    if (uri->port_str != NULL && !port_valid(uri->port_str))
        return false;
    return strcmp(uri->scheme, "https") == 0 ||
           (strcmp(uri->scheme, "http") == 0 && identity_host_loopback(uri->hostname));
}

bool identity_issuer_valid(apr_pool_t *pool, const char *url)
{
    apr_uri_t uri;
    return address_valid(pool, url, ISSUER_MAX, &uri) && !uri.query;
}

bool identity_redirect_valid(apr_pool_t *pool, const char *url)
{
    apr_uri_t uri;
    return address_valid(pool, url, REDIRECT_MAX, &uri) && uri.path != NULL && !strchr(url, '*');
}

/* A scheme with a dot is a domain reversed; javascript:, data: and other schemes of browsers have none. */
static bool private_scheme(const char *uri)
{
    size_t length = strcspn(uri, ":");
    const char *dot = memchr(uri, '.', length);

    return uri[length] == ':' && uri[length + 1] != '\0' && apr_islower(uri[0]) && dot != NULL &&
           dot[1] != ':' && strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == length &&
           strlen(uri) <= REDIRECT_MAX && plain(uri) && !strpbrk(uri, "#*");
}

bool identity_client_redirect_valid(apr_pool_t *pool, const char *uri)
{
    return identity_redirect_valid(pool, uri) || private_scheme(uri);
}

/* What stands in front of the port of a loopback address, 0 for any other URI. */
static size_t loopback_length(const char *uri)
{
    static const char *const starts[] = {"http://127.0.0.1", "http://[::1]"};

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        size_t length = strlen(starts[i]);
        if (strncmp(uri, starts[i], length) == 0 && strchr(":/", uri[length]) != NULL &&
            uri[length] != '\0')
            return length;
    }
    return 0;
}

/* The rest behind the port; NULL if the port is malformed. */
static const char *behind_port(const char *at)
{
    size_t digits = *at == ':' ? strspn(at + 1, "0123456789") : 0;

    if (*at != ':')
        return at;
    return digits > 0 && digits <= 5 && strchr("/", at[1 + digits]) != NULL ? at + 1 + digits
                                                                            : NULL;
}

bool identity_client_redirect_fits(const char *registered, const char *uri)
{
    size_t length = loopback_length(registered);

    if (strcmp(registered, uri) == 0)
        return true;
    if (length == 0 || loopback_length(uri) != length || strncmp(registered, uri, length) != 0)
        return false;
    const char *one = behind_port(registered + length), *other = behind_port(uri + length);
    return one != NULL && other != NULL && strcmp(one, other) == 0;
}

#define ALPHANUMERIC "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

bool identity_urn_namespace_valid(const char *text)
{
    size_t length = strlen(text);

    return length >= 2 && length <= NAMESPACE_MAX && strspn(text, ALPHANUMERIC "-") == length &&
           text[0] != '-' && text[length - 1] != '-' && strcasecmp(text, "urn") != 0;
}

bool identity_urn_part_valid(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= PART_MAX && strspn(text, ALPHANUMERIC ".-_~") == length;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The client's address in the form used for counting and recording. */
#include <arpa/inet.h>
#include <string.h>

#include "call/call.h"

/* The network part of an address with that prefix length, in hex; the text itself if it is not an address. */
static const char *network_of(apr_pool_t *pool, const char *text, unsigned bits4, unsigned bits6)
{
    unsigned char bytes[16];
    char *hex = apr_palloc(pool, 2 * sizeof bytes + 2), *to = hex;
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    unsigned bits = bits6, first = 0;

    if (inet_pton(AF_INET, text, bytes + sizeof mapped) == 1)
        memcpy(bytes, mapped, sizeof mapped);
    else if (inet_pton(AF_INET6, text, bytes) != 1)
        return text;
    if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        bits = bits4;
        first = sizeof mapped;
    }
    *to++ = first ? '4' : '6';
    for (unsigned i = first; i < first + bits / 8; i++, to += 2)
        apr_snprintf(to, 3, "%02x", bytes[i]);
    return hex;
}

static const char *network(identity_call_t *call, unsigned bits4, unsigned bits6)
{
    return network_of(call->pool,
                      call->in && call->in->client_address ? call->in->client_address : "", bits4,
                      bits6);
}

const char *identity_client_address(identity_call_t *call)
{
    return network(call, 32, 64);
}

const char *identity_client_counted(apr_pool_t *pool, const char *address)
{
    const char *counted = network_of(pool, address, 32, 64);
    return counted == address ? NULL : counted;
}

const char *identity_client_network(identity_call_t *call)
{
    return network(call, 24, 48);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses that an outgoing call may reach (security 72): the public network, and explicitly allowed ones. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "fetch.h"

typedef enum { PUBLIC, LOOPBACK, PRIVATE, NOBODY } address_kind_t;

typedef struct range {
    uint32_t first;
    int bits;
    address_kind_t kind;
} range_t;

/* IANA's special-purpose registry. Link-local, where clouds serve their metadata, is never allowed. */
static const range_t ranges[] = {
    {0x00000000, 8, NOBODY},   {0x0A000000, 8, PRIVATE},  {0x64400000, 10, PRIVATE},
    {0x7F000000, 8, LOOPBACK}, {0xA9FE0000, 16, NOBODY},  {0xAC100000, 12, PRIVATE},
    {0xC0000000, 24, NOBODY},  {0xC0000200, 24, NOBODY},  {0xC0586300, 24, NOBODY},
    {0xC0A80000, 16, PRIVATE}, {0xC6120000, 15, PRIVATE}, {0xC6336400, 24, NOBODY},
    {0xCB007100, 24, NOBODY},  {0xE0000000, 4, NOBODY},   {0xF0000000, 4, NOBODY}};

static address_kind_t kind_of_four(uint32_t address)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if ((address ^ ranges[i].first) >> (32 - ranges[i].bits) == 0)
            return ranges[i].kind;
    return PUBLIC;
}

static uint32_t four_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool begins(const uint8_t *bytes, const char *prefix, size_t size)
{
    return memcmp(bytes, prefix, size) == 0;
}

/* IPv4 addresses embedded in IPv6 are judged as IPv4. */
static address_kind_t kind_of_six(const uint8_t *bytes)
{
    static const uint8_t loopback[16] = {[15] = 1};

    if (memcmp(bytes, loopback, sizeof loopback) == 0)
        return LOOPBACK;
    if (begins(bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) ||
        begins(bytes, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12))
        return kind_of_four(four_at(bytes + 12)); /* mapped, NAT64 */
    if (begins(bytes, "\x20\x02", 2))
        return kind_of_four(four_at(bytes + 2)); /* 6to4 */
    if ((bytes[0] & 0xFE) == 0xFC)
        return PRIVATE;
    /* Global unicast is 2000::/3; except Teredo, which hides an address, ORCHID and documentation addresses. */
    bool global = (bytes[0] & 0xE0) == 0x20 && !begins(bytes, "\x20\x01\0\0", 4) &&
                  !begins(bytes, "\x20\x01\0\x10", 4) && !begins(bytes, "\x20\x01\x0d\xb8", 4);
    return global ? PUBLIC : NOBODY;
}

bool client_address_allowed(const struct sockaddr *address, const client_reach_t *reach, bool plain)
{
    address_kind_t kind = NOBODY;

    if (address->sa_family == AF_INET)
        kind = kind_of_four(
            ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    else if (address->sa_family == AF_INET6)
        kind = kind_of_six(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    if (plain && kind != LOOPBACK)
        return false;
    return kind == PUBLIC || (kind == LOOPBACK && reach->loopback) ||
           (kind == PRIVATE && reach->private_network);
}

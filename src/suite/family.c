#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/suite/suite.h"

#define IPV4_FIRST (198U << 24 | 18U << 16) /* 198.18.0.0 */

static const struct {
    const char *key, *name, *network, *dut;
} families[] = {
    [FAMILY_IPV4] = {"ipv4", "IPv4", "198.18.0.0/15", "198.18.0.1"},
    [FAMILY_IPV6] = {"ipv6", "IPv6", "2001:2::/48", "2001:2::1"},
};

enum family family_of(const char *address)
{
    return strchr(address, ':') ? FAMILY_IPV6 : FAMILY_IPV4;
}

const char *family_name(enum family family)
{
    return families[family].name;
}

enum family family_by_name(const char *name)
{
    for (enum family family = FAMILY_IPV4; family <= FAMILY_IPV6; family++)
        if (strcmp(name, families[family].key) == 0)
            return family;
    return FAMILY_ANY;
}

char *family_uri_host(const char *address)
{
    return family_of(address) == FAMILY_IPV6 ? text_format("[%s]", address) : text_copy(address);
}

const char *suite_network(enum family family)
{
    return families[family].network;
}

const char *suite_dut_address(enum family family)
{
    return families[family].dut;
}

char *suite_address(enum family family, unsigned number)
{
    unsigned address = IPV4_FIRST + number;

    if (family == FAMILY_IPV6)
        return text_format("2001:2::%x:%x", number >> 8, number & 255);
    return text_format("%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

unsigned suite_address_number(const char *address)
{
    struct in6_addr six = {0};
    struct in_addr four = {0};

    if (family_of(address) == FAMILY_IPV4) {
        (void)inet_pton(AF_INET, address, &four); /* it was made from a number */
        return ntohl(four.s_addr) - IPV4_FIRST;
    }
    (void)inet_pton(AF_INET6, address, &six);
    return (unsigned)(six.s6_addr[12] << 8 | six.s6_addr[13]) << 8 | six.s6_addr[15];
}

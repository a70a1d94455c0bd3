#include "src/base/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/text.h"

static unsigned longest(int family)
{
    return family == AF_INET6 ? 128 : 32;
}

/* `bytes` without what is behind the prefix. */
static struct network masked(const struct network *network, unsigned prefix)
{
    struct network result = {.family = network->family, .prefix = prefix};

    memcpy(result.bytes, network->bytes, prefix / 8);
    if (prefix % 8)
        result.bytes[prefix / 8] = network->bytes[prefix / 8] & (uint8_t)(0xff00 >> prefix % 8);
    return result;
}

bool network_has_ipv6(void)
{
    return access("/proc/sys/net/ipv6", F_OK) == 0;
}

int network_parse(const char *text, struct network *ret_network, struct error **ret)
{
    struct network given = {.family = strchr(text, ':') ? AF_INET6 : AF_INET}, meant;
    const char *slash = strchr(text, '/');
    cleanup_free char *address = slash ? text_slice(text, (size_t)(slash - text)) : NULL;
    char words[NETWORK_TEXT];
    long prefix;

    if (!slash || inet_pton(given.family, address, given.bytes) != 1 ||
        !text_number(slash + 1, 0, (long)longest(given.family), &prefix))
        return error_set(ret, ERROR_INPUT, "\"%s\" is not a network: it is written as 10.22.22.0/24 is",
                         text);
    given.prefix = (unsigned)prefix;
    meant = masked(&given, given.prefix);
    if (memcmp(meant.bytes, given.bytes, sizeof meant.bytes) != 0)
        return error_set(ret, ERROR_INPUT, "\"%s\" is an address in a network, which is %s", text,
                         network_text(&meant, words));
    *ret_network = meant;
    return 0;
}

struct network network_of(int family, const uint8_t *bytes)
{
    struct network network = {.family = family, .prefix = longest(family)};

    memcpy(network.bytes, bytes, network.prefix / 8);
    return network;
}

struct network network_of_socket(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6)
        return network_of(AF_INET6, ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
    return network_of(AF_INET, (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr);
}

bool network_is_address(const struct network *network)
{
    return (network->family == AF_INET || network->family == AF_INET6) &&
           network->prefix == longest(network->family);
}

bool network_holds(const struct network *outer, const struct network *inner)
{
    struct network around;

    if (inner->family != outer->family || inner->prefix < outer->prefix)
        return false;
    around = masked(inner, outer->prefix);
    return memcmp(around.bytes, outer->bytes, sizeof around.bytes) == 0;
}

const char *network_text(const struct network *network, char text[NETWORK_TEXT])
{
    if (!inet_ntop(network->family, network->bytes, text, NETWORK_TEXT)) /* only if the family is none */
        snprintf(text, NETWORK_TEXT, "?");
    else if (network->prefix < longest(network->family))
        snprintf(text + strlen(text), NETWORK_TEXT - strlen(text), "/%u", network->prefix);
    return text;
}

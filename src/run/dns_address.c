#include "src/run/dns_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "netns/resolver/resolver.h"
#include "src/base/memory.h"
#include "src/base/text.h"

#define DEFAULT_PORT 53

static int bad(struct error **ret)
{
    return error_set(ret, ERROR_INPUT,
                     "it is ADDRESS or ADDRESS:PORT, an IPv6 address in brackets: [2001:db8::1]:53");
}

/* Of the text, the address without brackets (to be freed), and what is behind it. NULL: it has no end. */
static char *split(const char *text, bool *ret_six, const char **ret_rest)
{
    const char *end;

    *ret_six = *text == '[';
    text += *ret_six;
    end = text + strcspn(text, *ret_six ? "]" : ":");
    if (*ret_six && !*end)
        return NULL;
    *ret_rest = end + *ret_six;
    return text_slice(text, (size_t)(end - text));
}

/* Answers have to come from the address that was asked. */
static bool is_one_host(const struct sockaddr_storage *address)
{
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    in_addr_t four = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr);

    if (address->ss_family == AF_INET6)
        return !IN6_IS_ADDR_UNSPECIFIED(six) && !IN6_IS_ADDR_MULTICAST(six);
    return four != INADDR_ANY && four != INADDR_BROADCAST && !IN_MULTICAST(four);
}

int dns_address_parse(const char *text, struct sockaddr_storage *ret_address, struct error **ret)
{
    struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;
    cleanup_free char *address = NULL;
    const char *rest;
    long port = DEFAULT_PORT;
    bool is_six;

    *ret_address = (struct sockaddr_storage){0};
    address = split(text, &is_six, &rest);
    if (!address || (*rest && (*rest != ':' || !text_number(rest + 1, 1, 65535, &port))) ||
        inet_pton(is_six ? AF_INET6 : AF_INET, address,
                  is_six ? (void *)&six->sin6_addr : (void *)&four->sin_addr) != 1)
        return bad(ret);
    ret_address->ss_family = is_six ? AF_INET6 : AF_INET;
    if (is_six)
        six->sin6_port = htons((uint16_t)port);
    else
        four->sin_port = htons((uint16_t)port);
    return is_one_host(ret_address) ? 0 : error_set(ret, ERROR_INPUT, "it is one address of this host");
}

static int explain(const char *text, int reason, const char *protocol, unsigned port, struct error **ret)
{
    if (reason == EADDRNOTAVAIL)
        return error_set(
            ret, ERROR_INPUT,
            "--dns-listen %s: this host has no such address; `ip address` lists those that it has", text);
    if (reason == EADDRINUSE)
        return error_set(ret, ERROR_INPUT,
                         "--dns-listen %s: another program has this port (%s); `ss -lnp sport = :%u` tells "
                         "which. Name another port or address",
                         text, protocol, port);
    if (reason == EACCES)
        return error_set(ret, ERROR_INPUT,
                         "--dns-listen %s: this port is for root. Name a higher one (to which a redirect may "
                         "lead), or let everybody have it: sysctl -w net.ipv4.ip_unprivileged_port_start=%u",
                         text, port);
    return error_sys(ret, ERROR_INPUT, reason, "--dns-listen %s: cannot listen there (%s)", text, protocol);
}

int dns_address_bind(const char *text, int ret_sockets[2], struct error **ret)
{
    struct sockaddr_storage address;
    const struct sockaddr *generic = (const struct sockaddr *)&address;
    unsigned port;

    if (dns_address_parse(text, &address, ret) < 0)
        return error_prefix(ret, "--dns-listen %s", text);
    port = ntohs(((const struct sockaddr_in *)&address)->sin_port); /* IPv6 has it in the same place */
    ret_sockets[0] = resolver_bind(generic, SOCK_DGRAM);
    if (ret_sockets[0] < 0)
        return explain(text, errno, "UDP", port, ret);
    ret_sockets[1] = resolver_bind(generic, SOCK_STREAM);
    if (ret_sockets[1] >= 0)
        return 0;
    (void)explain(text, errno, "TCP", port, ret);
    close_fd(&ret_sockets[0]);
    return -1;
}

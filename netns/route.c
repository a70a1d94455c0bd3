#include "netns/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/route/addr.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <string.h>

#include "netns/link.h"
#include "src/base/memory.h"
#include "src/base/text.h"

static void address_putp(struct nl_addr **address)
{
    nl_addr_put(*address); /* NULL is fine, as for the two below */
}
static void rtnl_addr_putp(struct rtnl_addr **address)
{
    rtnl_addr_put(*address);
}
static void route_putp(struct rtnl_route **route)
{
    rtnl_route_put(*route);
}
static void neighbour_putp(struct rtnl_neigh **neighbour)
{
    rtnl_neigh_put(*neighbour);
}
#define cleanup_address   __attribute__((cleanup(address_putp)))
#define cleanup_rtnl_addr __attribute__((cleanup(rtnl_addr_putp)))
#define cleanup_route     __attribute__((cleanup(route_putp)))
#define cleanup_neighbour __attribute__((cleanup(neighbour_putp)))

static int no_memory(struct error **ret)
{
    return error_sys(ret, ERROR_FAILED, ENOMEM, "cannot prepare a netlink request");
}

/* Numbers only, where libnl's own parser would take names of hosts and of other families too. */
static struct nl_addr *parse_address(const char *text, int prefix, struct error **ret)
{
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    int longest = family == AF_INET6 ? 128 : 32;
    struct in6_addr bytes; /* the longer of the two */
    struct nl_addr *address;

    if (inet_pton(family, text, &bytes) != 1 || prefix < -1 || prefix > longest) {
        error_set(ret, ERROR_INPUT, "\"%s\" is not an IP address%s", text,
                  prefix > longest ? " of that length" : "");
        return NULL;
    }
    address = nl_addr_build(family, &bytes, (size_t)longest / 8);
    if (address)
        nl_addr_set_prefixlen(address, prefix < 0 ? longest : prefix);
    else
        no_memory(ret);
    return address;
}

/* "default", ADDRESS or ADDRESS/PREFIX. */
static struct nl_addr *parse_destination(const char *text, int default_family, struct error **ret)
{
    const char *slash = strchr(text, '/');
    cleanup_free char *address = text_slice(text, slash ? (size_t)(slash - text) : strlen(text));
    long prefix = -1;

    if (text_equal(text, "default"))
        return parse_address(default_family == AF_INET6 ? "::" : "0.0.0.0", 0, ret);
    if (slash && !text_number(slash + 1, 0, 128, &prefix)) {
        error_set(ret, ERROR_INPUT, "\"%s\" is not a network", text);
        return NULL;
    }
    return parse_address(address, (int)prefix, ret);
}

int address_add(struct netlink *nl, const char *device, const char *address, int prefix, struct error **ret)
{
    cleanup_address struct nl_addr *local = parse_address(address, prefix, ret);
    cleanup_rtnl_addr struct rtnl_addr *request = NULL;
    int index, result;

    if (!local || link_index(nl, device, &index, ret) < 0)
        return -1;
    request = rtnl_addr_alloc();
    if (!request)
        return no_memory(ret);
    rtnl_addr_set_ifindex(request, index);
    if (nl_addr_get_family(local) == AF_INET6)
        rtnl_addr_set_flags(request, IFA_F_NODAD);
    result = rtnl_addr_set_local(request, local);
    if (result == 0)
        result = rtnl_addr_add(netlink_socket(nl), request, NLM_F_CREATE | NLM_F_EXCL);
    return result < 0 ? netlink_failed(nl, result, ret, "cannot give %s the address %s", device, address) : 0;
}

/* `gateway` may be NULL. The route takes over the next hop. */
static int set_next_hop(struct rtnl_route *route, int index, struct nl_addr *gateway, struct error **ret)
{
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();

    if (!hop)
        return no_memory(ret);
    rtnl_route_nh_set_ifindex(hop, index);
    if (gateway) {
        rtnl_route_nh_set_gateway(hop, gateway);
        rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
        rtnl_route_set_flags(route, RTNH_F_ONLINK); /* libnl sends only these for a route with one hop … */
    }
    rtnl_route_add_nexthop(route, hop); /* … in the versions before it learnt to send those as well */
    return 0;
}

int route_add(struct netlink *nl, const char *destination, const char *gateway, const char *device,
              struct error **ret)
{
    cleanup_address struct nl_addr *via = gateway ? parse_address(gateway, -1, ret) : NULL;
    cleanup_address struct nl_addr *target = NULL;
    cleanup_route struct rtnl_route *route = NULL;
    int index, result;

    if (gateway && !via)
        return -1;
    target = parse_destination(destination, via ? nl_addr_get_family(via) : AF_INET, ret);
    if (!target || link_index(nl, device, &index, ret) < 0)
        return -1;
    route = rtnl_route_alloc();
    if (!route)
        return no_memory(ret);
    rtnl_route_set_family(route, (uint8_t)nl_addr_get_family(target));
    rtnl_route_set_protocol(route, RTPROT_STATIC);
    if (set_next_hop(route, index, via, ret) < 0)
        return -1;
    result = rtnl_route_set_dst(route, target);
    if (result == 0)
        result = rtnl_route_add(netlink_socket(nl), route, NLM_F_CREATE | NLM_F_EXCL);
    if (result < 0)
        return netlink_failed(nl, result, ret, "cannot add the route to %s%s%s over %s", destination,
                              gateway ? " by way of " : "", gateway ? gateway : "", device);
    return 0;
}

int neighbour_add(struct netlink *nl, const char *device, const char *address, const uint8_t mac[6],
                  struct error **ret)
{
    cleanup_address struct nl_addr *target = parse_address(address, -1, ret);
    cleanup_address struct nl_addr *hardware = NULL;
    cleanup_neighbour struct rtnl_neigh *neighbour = NULL;
    int index, result;

    if (!target || link_index(nl, device, &index, ret) < 0)
        return -1;
    hardware = nl_addr_build(AF_UNSPEC, mac, MAC_LENGTH);
    neighbour = rtnl_neigh_alloc();
    if (!hardware || !neighbour)
        return no_memory(ret);
    rtnl_neigh_set_ifindex(neighbour, index);
    rtnl_neigh_set_lladdr(neighbour, hardware);
    rtnl_neigh_set_state(neighbour, NUD_PERMANENT);
    result = rtnl_neigh_set_dst(neighbour, target);
    if (result == 0)
        result = rtnl_neigh_add(netlink_socket(nl), neighbour, NLM_F_CREATE | NLM_F_REPLACE);
    return result < 0 ? netlink_failed(nl, result, ret, "cannot add the neighbour %s on %s", address, device)
                      : 0;
}

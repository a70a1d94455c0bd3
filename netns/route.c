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
#include <netlink/route/rule.h>
#include <string.h>

#include "netns/link.h"
#include "src/base/memory.h"
#include "src/base/text.h"

static void address_putp(struct nl_addr **address)
{
    nl_addr_put(*address); /* NULL is fine, as for those below */
}
static void rtnl_addr_putp(struct rtnl_addr **address)
{
    rtnl_addr_put(*address);
}
static void route_putp(struct rtnl_route **route)
{
    rtnl_route_put(*route);
}
static void rule_putp(struct rtnl_rule **rule)
{
    rtnl_rule_put(*rule);
}
static void neighbour_putp(struct rtnl_neigh **neighbour)
{
    rtnl_neigh_put(*neighbour);
}
#define cleanup_address   __attribute__((cleanup(address_putp)))
#define cleanup_rtnl_addr __attribute__((cleanup(rtnl_addr_putp)))
#define cleanup_route     __attribute__((cleanup(route_putp)))
#define cleanup_rule      __attribute__((cleanup(rule_putp)))
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

static int set_source(struct rtnl_route *object, const char *source, struct error **ret)
{
    cleanup_address struct nl_addr *address = parse_address(source, -1, ret);

    return address && rtnl_route_set_pref_src(object, address) == 0 ? 0 : -1;
}

/* The route as libnl's object; NULL on failure. */
static struct rtnl_route *make_route(struct netlink *nl, const struct route *route, struct error **ret)
{
    cleanup_address struct nl_addr *via = route->gateway ? parse_address(route->gateway, -1, ret) : NULL;
    cleanup_address struct nl_addr *target = NULL;
    cleanup_route struct rtnl_route *object = NULL;
    int index;

    if (route->gateway && !via)
        return NULL;
    target = parse_destination(route->destination, via ? nl_addr_get_family(via) : AF_INET, ret);
    if (!target || link_index(nl, route->device, &index, ret) < 0)
        return NULL;
    object = rtnl_route_alloc();
    if (!object || rtnl_route_set_family(object, (uint8_t)nl_addr_get_family(target)) < 0 ||
        rtnl_route_set_dst(object, target) < 0) {
        no_memory(ret);
        return NULL;
    }
    rtnl_route_set_protocol(object, (uint8_t)(route->protocol ? route->protocol : RTPROT_STATIC));
    rtnl_route_set_table(object, route->table ? route->table : RT_TABLE_MAIN);
    if (route->metric)
        rtnl_route_set_priority(object, route->metric);
    if (set_next_hop(object, index, via, ret) < 0 ||
        (route->source && set_source(object, route->source, ret) < 0))
        return NULL;
    return steal_pointer(&object);
}

static int route_failed(struct netlink *nl, int result, const char *what, const struct route *route,
                        struct error **ret)
{
    return netlink_failed(nl, result, ret, "cannot %s the route to %s%s%s over %s", what, route->destination,
                          route->gateway ? " by way of " : "", route->gateway ? route->gateway : "",
                          route->device);
}

int route_add(struct netlink *nl, const struct route *route, struct error **ret)
{
    cleanup_route struct rtnl_route *object = make_route(nl, route, ret);
    int result;

    if (!object)
        return -1;
    result = rtnl_route_add(netlink_socket(nl), object, NLM_F_CREATE | NLM_F_EXCL);
    return result < 0 ? route_failed(nl, result, "add", route, ret) : 0;
}

int route_delete(struct netlink *nl, const struct route *route, struct error **ret)
{
    cleanup_route struct rtnl_route *object = make_route(nl, route, ret);
    int result;

    if (!object)
        return -1;
    result = rtnl_route_delete(netlink_socket(nl), object, 0);
    return result < 0 ? route_failed(nl, result, "delete", route, ret) : 0;
}

static struct rtnl_rule *make_rule(const struct route_rule *rule, struct error **ret)
{
    cleanup_address struct nl_addr *source = parse_address(rule->source, -1, ret);
    cleanup_rule struct rtnl_rule *object = source ? rtnl_rule_alloc() : NULL;

    if (!source)
        return NULL;
    if (!object || rtnl_rule_set_iif(object, rule->input) < 0 || rtnl_rule_set_src(object, source) < 0) {
        no_memory(ret);
        return NULL;
    }
    rtnl_rule_set_family(object, nl_addr_get_family(source));
    rtnl_rule_set_table(object, rule->table);
    rtnl_rule_set_prio(object, rule->priority);
    rtnl_rule_set_action(object, FR_ACT_TO_TBL);
    return steal_pointer(&object);
}

int route_rule_add(struct netlink *nl, const struct route_rule *rule, struct error **ret)
{
    cleanup_rule struct rtnl_rule *object = make_rule(rule, ret);
    int result;

    if (!object)
        return -1;
    result = rtnl_rule_add(netlink_socket(nl), object, NLM_F_CREATE | NLM_F_EXCL);
    return result < 0 ? netlink_failed(nl, result, ret, "cannot add a routing rule") : 0;
}

int route_rule_delete(struct netlink *nl, const struct route_rule *rule, struct error **ret)
{
    cleanup_rule struct rtnl_rule *object = make_rule(rule, ret);
    int result;

    if (!object)
        return -1;
    result = rtnl_rule_delete(netlink_socket(nl), object, 0);
    return result < 0 ? netlink_failed(nl, result, ret, "cannot delete a routing rule") : 0;
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

int neighbour_delete(struct netlink *nl, const char *device, const char *address, struct error **ret)
{
    cleanup_address struct nl_addr *target = parse_address(address, -1, ret);
    cleanup_neighbour struct rtnl_neigh *neighbour = NULL;
    int index, result;

    if (!target || link_index(nl, device, &index, ret) < 0)
        return -1;
    neighbour = rtnl_neigh_alloc();
    if (!neighbour)
        return no_memory(ret);
    rtnl_neigh_set_ifindex(neighbour, index);
    result = rtnl_neigh_set_dst(neighbour, target);
    if (result == 0)
        result = rtnl_neigh_delete(netlink_socket(nl), neighbour, 0);
    return result < 0
               ? netlink_failed(nl, result, ret, "cannot delete the neighbour %s on %s", address, device)
               : 0;
}

/* Questions about routes: what the kernel would do with a packet, and what it has been told. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <string.h>

#include "netns/route.h"

static int family_of(const char *address, struct in6_addr *ret_bytes, struct error **ret)
{
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;

    if (inet_pton(family, address, ret_bytes) == 1)
        return family;
    return error_set(ret, ERROR_INPUT, "\"%s\" is not an IP address", address);
}

static size_t length_of(int family)
{
    return family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
}

/* ---- one route, as the kernel decides ---- */

static void take_gateway(const struct nlattr *attribute, int family, struct route_found *found)
{
    if (!attribute || nla_len(attribute) != (int)length_of(family) ||
        !inet_ntop(family, nla_data(attribute), found->gateway_text, sizeof found->gateway_text))
        return;
    found->gateway = found->gateway_text;
}

static int on_route(struct nl_msg *message, void *user)
{
    struct nlmsghdr *header = nlmsg_hdr(message);
    struct nlattr *attributes[RTA_MAX + 1];
    struct route_found *found = user;
    const struct rtmsg *route;

    if (header->nlmsg_type != RTM_NEWROUTE ||
        nlmsg_parse(header, sizeof *route, attributes, RTA_MAX, NULL) < 0)
        return NL_OK;
    route = nlmsg_data(header);
    found->reachable = true;
    found->local = route->rtm_type == RTN_LOCAL;
    found->unicast = route->rtm_type == RTN_UNICAST;
    found->prefix = route->rtm_dst_len;
    if (attributes[RTA_OIF])
        found->device = (int)nla_get_u32(attributes[RTA_OIF]);
    take_gateway(attributes[RTA_GATEWAY], route->rtm_family, found);
    return NL_OK;
}

static struct nl_msg *question(int family, const struct in6_addr *bytes)
{
    struct rtmsg route = {
        .rtm_family = (unsigned char)family,
        .rtm_dst_len = (unsigned char)(length_of(family) * 8),
        .rtm_flags = RTM_F_FIB_MATCH, /* the route that decides, not the host's own cut of it */
    };
    struct nl_msg *message = nlmsg_alloc_simple(RTM_GETROUTE, 0);

    if (message && nlmsg_append(message, &route, sizeof route, NLMSG_ALIGNTO) == 0 &&
        nla_put(message, RTA_DST, (int)length_of(family), bytes) == 0)
        return message;
    nlmsg_free(message);
    return NULL;
}

static int ask(struct nl_sock *socket, struct nl_msg *message, struct route_found *found)
{
    struct nl_cb *callbacks = nl_socket_get_cb(socket), *own = nl_cb_clone(callbacks);
    int result = -NLE_NOMEM;

    if (own) {
        nl_cb_set(own, NL_CB_VALID, NL_CB_CUSTOM, on_route, found);
        result = nl_send_auto(socket, message);
        if (result >= 0)
            result = nl_recvmsgs(socket, own); /* the answer … */
        if (result >= 0)
            result = nl_wait_for_ack(socket);
        nl_cb_put(own);
    }
    nl_cb_put(callbacks);
    return result;
}

int route_find(struct netlink *nl, const char *address, struct route_found *ret_found, struct error **ret)
{
    struct in6_addr bytes;
    int family = family_of(address, &bytes, ret), result, sys;
    struct nl_msg *message;

    if (family < 0)
        return -1;
    *ret_found = (struct route_found){0};
    message = question(family, &bytes);
    if (!message)
        return error_sys(ret, ERROR_FAILED, ENOMEM, "cannot ask for a route");
    result = ask(netlink_socket(nl), message, ret_found);
    nlmsg_free(message);
    sys = result < 0 ? netlink_errno(nl, result) : 0;
    if (sys == ENETUNREACH || sys == EHOSTUNREACH || sys == EACCES || sys == EINVAL)
        return 0; /* no route, or one that says so: unreachable, prohibit, blackhole */
    return result < 0 ? netlink_failed(nl, result, ret, "cannot find the route to %s", address) : 0;
}

/* ---- what there is ---- */

struct gateways {
    int family;
    void (*fn)(void *user, const char *gateway);
    void *user;
};

static void on_hop(struct rtnl_nexthop *hop, void *user)
{
    const struct gateways *gateways = user;
    struct nl_addr *gateway = rtnl_route_nh_get_gateway(hop);
    char text[INET6_ADDRSTRLEN];

    if (gateway && nl_addr_get_family(gateway) == gateways->family &&
        inet_ntop(gateways->family, nl_addr_get_binary_addr(gateway), text, sizeof text))
        gateways->fn(gateways->user, text);
}

static void on_object(struct nl_object *object, void *user)
{
    rtnl_route_foreach_nexthop((struct rtnl_route *)object, on_hop, user);
}

int route_gateways(struct netlink *nl, int family, void (*fn)(void *user, const char *gateway), void *user,
                   struct error **ret)
{
    struct gateways gateways = {.family = family, .fn = fn, .user = user};
    struct nl_cache *cache;
    int result = rtnl_route_alloc_cache(netlink_socket(nl), family, 0, &cache);

    if (result < 0)
        return netlink_failed(nl, result, ret, "cannot list the routes");
    nl_cache_foreach(cache, on_object, &gateways);
    nl_cache_free(cache);
    return 0;
}

struct hops {
    const struct network *network;
    unsigned but_protocol;
    void (*fn)(void *user, int device);
    void *user;
};

static void on_part_hop(struct rtnl_nexthop *hop, void *user)
{
    const struct hops *hops = user;

    hops->fn(hops->user, rtnl_route_nh_get_ifindex(hop));
}

static void on_part(struct nl_object *object, void *user)
{
    struct rtnl_route *route = (struct rtnl_route *)object;
    struct nl_addr *destination = rtnl_route_get_dst(route);
    const struct hops *hops = user;
    struct network part = {.family = hops->network->family};

    if (!destination || nl_addr_get_len(destination) > length_of(part.family) ||
        rtnl_route_get_table(route) != RT_TABLE_MAIN || rtnl_route_get_type(route) != RTN_UNICAST ||
        rtnl_route_get_protocol(route) == hops->but_protocol)
        return;
    part.prefix = nl_addr_get_prefixlen(destination);
    memcpy(part.bytes, nl_addr_get_binary_addr(destination), nl_addr_get_len(destination));
    if (network_holds(hops->network, &part))
        rtnl_route_foreach_nexthop(route, on_part_hop, user);
}

int route_each_hop(struct netlink *nl, const struct network *network, unsigned but_protocol,
                   void (*fn)(void *user, int device), void *user, struct error **ret)
{
    struct hops hops = {.network = network, .but_protocol = but_protocol, .fn = fn, .user = user};
    struct nl_cache *cache;
    int result = rtnl_route_alloc_cache(netlink_socket(nl), network->family, 0, &cache);

    if (result < 0)
        return netlink_failed(nl, result, ret, "cannot list the routes");
    nl_cache_foreach(cache, on_part, &hops);
    nl_cache_free(cache);
    return 0;
}

/* Calls fn(user, address) for each address of the host until it returns true. */
static int each_address(struct netlink *nl, bool (*fn)(void *user, struct rtnl_addr *address), void *user,
                        struct error **ret)
{
    struct nl_cache *cache;
    int result = rtnl_addr_alloc_cache(netlink_socket(nl), &cache);

    if (result < 0)
        return netlink_failed(nl, result, ret, "cannot list the addresses");
    for (struct nl_object *object = nl_cache_get_first(cache); object; object = nl_cache_get_next(object))
        if (fn(user, (struct rtnl_addr *)object))
            break;
    nl_cache_free(cache);
    return 0;
}

struct sought {
    int family, device;
    unsigned prefix;
    struct in6_addr bytes;
};

static bool is_family(struct rtnl_addr *address, const struct sought *sought)
{
    return rtnl_addr_get_family(address) == sought->family && rtnl_addr_get_local(address);
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned rest = bits % 8;

    return memcmp(a, b, bits / 8) == 0 && (!rest || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0);
}

static bool holds(void *user, struct rtnl_addr *address)
{
    struct sought *sought = user;
    unsigned prefix = (unsigned)rtnl_addr_get_prefixlen(address);

    if (is_family(address, sought) && rtnl_addr_get_ifindex(address) == sought->device &&
        prefix > sought->prefix &&
        same_bits(nl_addr_get_binary_addr(rtnl_addr_get_local(address)), (const uint8_t *)&sought->bytes,
                  prefix))
        sought->prefix = prefix;
    return false;
}

int route_link_prefix(struct netlink *nl, int device, const char *address, unsigned *ret_prefix,
                      struct error **ret)
{
    struct sought sought = {.device = device};

    sought.family = family_of(address, &sought.bytes, ret);
    if (sought.family < 0 || each_address(nl, holds, &sought, ret) < 0)
        return -1;
    *ret_prefix = sought.prefix;
    return 0;
}

struct of_device {
    int device, family, scope;
    char *address;
    unsigned prefix;
};

static bool is_of_device(void *user, struct rtnl_addr *address)
{
    struct of_device *sought = user;
    const struct nl_addr *local = rtnl_addr_get_local(address);

    if (!local || rtnl_addr_get_family(address) != sought->family ||
        rtnl_addr_get_ifindex(address) != sought->device || rtnl_addr_get_scope(address) != sought->scope ||
        rtnl_addr_get_flags(address) & (IFA_F_DEPRECATED | IFA_F_TENTATIVE) ||
        !inet_ntop(sought->family, nl_addr_get_binary_addr(local), sought->address, INET6_ADDRSTRLEN))
        return false;
    sought->prefix = (unsigned)rtnl_addr_get_prefixlen(address);
    return true;
}

int address_of_device(struct netlink *nl, int device, int family, char ret_address[46], unsigned *ret_prefix,
                      struct error **ret)
{
    struct of_device sought = {
        .device = device, .family = family, .scope = RT_SCOPE_UNIVERSE, .address = ret_address};

    *ret_address = '\0';
    if (each_address(nl, is_of_device, &sought, ret) < 0)
        return -1;
    *ret_prefix = sought.prefix;
    return 0;
}

int address_of_link(struct netlink *nl, int device, bool *ret_has, struct error **ret)
{
    char address[INET6_ADDRSTRLEN] = "";
    struct of_device sought = {
        .device = device, .family = AF_INET6, .scope = RT_SCOPE_LINK, .address = address};

    if (each_address(nl, is_of_device, &sought, ret) < 0)
        return -1;
    *ret_has = *address;
    return 0;
}

static bool is_it(void *user, struct rtnl_addr *address)
{
    struct sought *sought = user;

    if (!is_family(address, sought) || memcmp(nl_addr_get_binary_addr(rtnl_addr_get_local(address)),
                                              &sought->bytes, length_of(sought->family)) != 0)
        return false;
    sought->device = rtnl_addr_get_ifindex(address);
    return true;
}

int address_device(struct netlink *nl, const char *address, int *ret_device, struct error **ret)
{
    struct sought sought = {0};

    sought.family = family_of(address, &sought.bytes, ret);
    if (sought.family < 0 || each_address(nl, is_it, &sought, ret) < 0)
        return -1;
    *ret_device = sought.device;
    return 0;
}

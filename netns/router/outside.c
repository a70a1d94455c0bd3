/* What is outside. The network that the device under test (DUT) is in is found by asking the kernel for the
 * route to it:
 *
 *   a neighbour          addresses of pods are in its own network
 *   behind a gateway     they are in the gateway's network: that is where answers come back to
 *   on this host         they are in the network of the address it has here
 *
 * A gateway of IPv6 is often known by an address of its link only; then the gateway's network is that of the
 * device that leads there.
 *
 * Who is a neighbour asks for those addresses, and is answered by the router (neighbours.c). What comes back
 * is forwarded by the kernel, for which the device that it comes in over needs a flag (forwarding.h). */
#include "netns/router/outside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netns/forwarding.h"
#include "netns/link.h"
#include "netns/route.h"
#include "netns/sources.h"
#include "src/base/memory.h"

/* Of a network: 24 is Sipplauncher's, 64 is that of nearly all networks of IPv6 (RFC 4291 2.5.4). */
static unsigned default_prefix(int family)
{
    return family == AF_INET6 ? 64 : 24;
}

static unsigned longest_prefix(int family)
{
    return family == AF_INET6 ? 126 : 30;
}

/* ---- what is allowed ---- */

/* A user who is not root of the network may do what the policy says. */
static int read_policy(struct router *router, struct error **ret)
{
    struct outside *outside = router->outside;

    if (router->trust != TRUST_POLICY)
        return 0;
    outside->policy = policy_read(POLICY_PATH, ret);
    return outside->policy && policy_check_user(outside->policy, ret) == 0 ? 0 : -1;
}

static int check_network(const struct outside *outside, const struct network *network, struct error **ret)
{
    return outside->policy ? policy_check_network(outside->policy, network, ret) : 0;
}

static int check_device(const struct outside *outside, const char *device, struct error **ret)
{
    return outside->policy ? policy_check_uplink(outside->policy, device, ret) : 0;
}

/* ---- forwarding ---- */

/* All runs that need a flag hold the lock, root's too; whoever is the last restores them all. */
static int open_lock(struct outside *outside, struct error **ret)
{
    if (outside->lock >= 0)
        return 0;
    outside->lock = forwarding_open(ret);
    return outside->lock < 0 ? -1 : forwarding_lock(outside->lock, ret);
}

/* A flag that a run of root's has turned on is nobody else's. */
static bool is_borrowed(int family, const char *device)
{
    cleanup_strings struct strings devices = {0};

    if (forwarding_list(family, &devices, NULL) < 0)
        return true;
    for (size_t i = 0; i < devices.count; i++)
        if (text_equal(devices.list[i], device))
            return true;
    return false;
}

static int forward(struct router *router, const char *device, struct error **ret)
{
    struct outside *outside = router->outside;
    int on = forwarding_is_on(outside->family, device, ret), result;

    if (on < 0)
        return -1;
    if ((!on || is_borrowed(outside->family, device)) && outside->policy &&
        !outside->policy->allow_forwarding)
        return error_set(ret, ERROR_HOST,
                         "%s does not forward, and " POLICY_PATH " does not have allow_forwarding = true",
                         device);
    if (open_lock(outside, ret) < 0 || router_raise(CAP_NET_ADMIN, ret) < 0)
        return -1;
    outside->forwards = true;
    result = forwarding_turn_on(router->nl, outside->family, device, ret);
    router_lower();
    return result;
}

/* Beside each pod's filter, which somebody in the pod may find a way round (filter.c). IPv4: rp_filter. */
static int check_sources(struct router *router, struct error **ret)
{
    struct outside *outside = router->outside;

    if (outside->family != AF_INET6)
        return 0;
    if (router_raise(CAP_NET_ADMIN, ret) < 0)
        return -1;
    outside->sources = sources_check_ipv6(ROUTER_DEVICES, ret);
    router_lower();
    return outside->sources ? 0 : -1;
}

/* ---- the device under test ---- */

static bool is_loopback(const struct network *address)
{
    static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;

    return address->family == AF_INET6 ? memcmp(address->bytes, &loopback, sizeof loopback) == 0
                                       : address->bytes[0] == 127;
}

static const struct network no_hosts[] = {
    {.family = AF_INET, .bytes = {0}, .prefix = 8},
    {.family = AF_INET, .bytes = {224}, .prefix = 3},
    {.family = AF_INET6, .bytes = {0}, .prefix = 96}, /* none, and what once was IPv4 */
    {.family = AF_INET6, .bytes = {[10] = 0xff, 0xff}, .prefix = 96},
    {.family = AF_INET6, .bytes = {0xff}, .prefix = 8},
};

static const struct network of_links = {.family = AF_INET6, .bytes = {0xfe, 0x80}, .prefix = 10};

static int check_dut(const struct network *dut, const char *text, struct error **ret)
{
    if (is_loopback(dut))
        return error_set(
            ret, ERROR_INPUT,
            "%s: a loopback address is reached by this host alone, not by pods; have the device under "
            "test listen at another address of the host",
            text);
    if (network_holds(&of_links, dut))
        return error_set(ret, ERROR_INPUT,
                         "%s is an address of a link only, which pods are not on; name another one of the "
                         "device under test",
                         text);
    for (size_t i = 0; i < sizeof no_hosts / sizeof *no_hosts; i++)
        if (network_holds(&no_hosts[i], dut))
            return error_set(ret, ERROR_INPUT, "%s is not the address of a single host", text);
    return 0;
}

static int find_device(struct router *router, const char *address, struct route_found *found,
                       char ret_name[IFNAMSIZ], struct error **ret)
{
    *ret_name = '\0';
    if (route_find(router->nl, address, found, ret) < 0)
        return -1;
    if (!found->reachable || !(found->unicast || found->local))
        return error_set(ret, ERROR_HOST, "there is no route to %s", address);
    if (found->local && address_device(router->nl, address, &found->device, ret) < 0)
        return -1;
    if (found->device && !if_indextoname((unsigned)found->device, ret_name))
        return error_sys(ret, ERROR_FAILED, errno, "cannot name the device that leads to %s", address);
    return 0;
}

static int add_peer(struct outside *outside, const struct network *network, struct error **ret)
{
    struct filter_network *peer = &outside->peers[outside->peer_count];

    if (outside->peer_count == FILTER_PEERS_MOST)
        return error_set(ret, ERROR_INPUT, "pods can reach %d networks at most", FILTER_PEERS_MOST);
    *peer = (struct filter_network){.family = network->family, .prefix = network->prefix};
    memcpy(peer->address, network->bytes, sizeof peer->address);
    outside->peer_count++;
    return 0;
}

/* The network around `address`. */
static int take_network(struct outside *outside, const char *address, unsigned prefix, struct error **ret)
{
    struct network *network = &outside->network;
    unsigned longest = longest_prefix(outside->family);

    if (!prefix)
        prefix = default_prefix(outside->family);
    if (prefix > longest)
        return error_set(ret, ERROR_INPUT,
                         "a network of /%u has no addresses for pods; --network-mask sets it", prefix);
    *network = (struct network){.family = outside->family, .prefix = prefix};
    (void)inet_pton(outside->family, address, network->bytes); /* it was printed */
    for (unsigned bit = prefix; bit < longest + 2; bit++)
        network->bytes[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
    return 0;
}

static bool is_of_link(const char *address)
{
    struct network network = {.family = AF_INET6, .prefix = 128};

    return inet_pton(AF_INET6, address, network.bytes) == 1 && network_holds(&of_links, &network);
}

/* The network of the pods' addresses. */
static int choose_network(struct router *router, const struct route_found *found, unsigned prefix,
                          struct error **ret)
{
    struct outside *outside = router->outside;
    char address[INET6_ADDRSTRLEN];
    unsigned around = 0;

    memcpy(address, outside->next, sizeof address);
    if (found->gateway && is_of_link(found->gateway)) {
        if (address_of_device(router->nl, found->device, outside->family, address, &around, ret) < 0)
            return -1;
        if (!*address)
            return error_set(ret, ERROR_HOST,
                             "%s has no address but that of its link, so that there is no network that pods "
                             "could have addresses of",
                             outside->uplink_name);
    } else if (!prefix && found->gateway &&
               route_link_prefix(router->nl, found->device, address, &around, ret) < 0) {
        return -1;
    }
    return take_network(outside, address, prefix ? prefix : around, ret);
}

static void add_gateway(void *user, const char *gateway)
{
    struct strings *gateways = user;

    for (size_t i = 0; i < gateways->count; i++)
        if (text_equal(gateways->list[i], gateway))
            return;
    strings_add(gateways, gateway);
}

static int open_neighbours(struct router *router, const struct link_facts *facts, struct error **ret)
{
    struct outside *outside = router->outside;

    if (router_raise(CAP_NET_RAW, ret) < 0)
        return -1;
    outside->neighbours = neighbours_open(router->loop, outside->family, outside->uplink, facts->mac, ret);
    router_lower();
    return outside->neighbours ? 0 : -1;
}

/* The kernel asks for neighbours in the name of such an address when it forwards IPv6 (RFC 4861 7.2.2):
 * without one, packets would be lost in silence. */
static int check_uplink_address(struct router *router, const struct route_found *found, struct error **ret)
{
    const struct outside *outside = router->outside;
    bool has;

    if (outside->family != AF_INET6 || found->local || !outside->neighbours)
        return 0;
    if (address_of_link(router->nl, outside->uplink, &has, ret) < 0)
        return -1;
    if (!has)
        return error_set(ret, ERROR_HOST,
                         "%s has no address of its link (fe80::…) that it can use, without which this host "
                         "forwards no IPv6 over it; is it turned off (net.ipv6.conf.%s.addr_gen_mode), or "
                         "has the device only just come up?",
                         outside->uplink_name, outside->uplink_name);
    return 0;
}

/* An address of this host that is not in a network of neighbours (loopback, dummy) has no uplink; but what is
 * beside it may be anywhere, so that the device counts as one for the policy. */
static int open_uplink(struct router *router, const struct route_found *found, const char *name,
                       struct error **ret)
{
    struct outside *outside = router->outside;
    struct link_facts facts;

    if (check_device(outside, found->device ? name : "lo", ret) < 0)
        return -1;
    if (!found->device)
        return 0;
    if (link_facts(router->nl, name, &facts, ret) < 0)
        return -1;
    if (found->local && !facts.arp)
        return 0;
    outside->uplink = found->device;
    memcpy(outside->uplink_name, name, sizeof outside->uplink_name);
    outside->mtu = facts.mtu;
    if (!facts.up)
        return error_set(ret, ERROR_HOST, "the device %s, which leads to %s, is down", name, outside->dut);
    return facts.arp ? open_neighbours(router, &facts, ret) : 0;
}

static int open_all(struct router *router, const struct router_request *request, struct error **ret)
{
    struct outside *outside = router->outside;
    const struct network dut = network_of(request->network.family, request->network.bytes);
    char name[IFNAMSIZ], text[NETWORK_TEXT];
    struct route_found found;

    if (check_dut(&dut, network_text(&dut, text), ret) < 0)
        return -1;
    outside->family = dut.family;
    memcpy(outside->dut, text, sizeof outside->dut);
    if (read_policy(router, ret) < 0 || check_network(outside, &dut, ret) < 0 ||
        find_device(router, outside->dut, &found, name, ret) < 0)
        return -1;
    memcpy(outside->next, outside->dut, sizeof outside->next);
    if (found.gateway)
        memcpy(outside->next, found.gateway_text, sizeof outside->next);
    if (open_uplink(router, &found, name, ret) < 0 || check_uplink_address(router, &found, ret) < 0 ||
        choose_network(router, &found, request->network.prefix, ret) < 0 ||
        route_gateways(router->nl, outside->family, add_gateway, &outside->gateways, ret) < 0 ||
        check_sources(router, ret) < 0 || (!found.local && forward(router, name, ret) < 0))
        return -1;
    return add_peer(outside, &dut, ret);
}

int outside_open(struct router *router, const struct router_request *request, struct router_reply *reply,
                 struct error **ret)
{
    struct outside *outside;

    if (router->outside || router->pods)
        return error_set(ret, ERROR_INPUT, "a device under test is named once, and before the first pod");
    outside = router->outside = memory_new(sizeof *outside);
    *outside = (struct outside){.lock = -1};
    if (open_all(router, request, ret) < 0) {
        outside_close(router);
        return -1;
    }
    reply->network = outside->network;
    memcpy(reply->device, outside->uplink_name, sizeof reply->device);
    return 0;
}

/* A host of the network, for the kernel's answer to "how do I get there". */
static void some_host(const struct network *network, char ret_text[INET6_ADDRSTRLEN])
{
    unsigned length = network->family == AF_INET6 ? 16 : 4;
    uint8_t bytes[16];

    memcpy(bytes, network->bytes, sizeof bytes);
    if (network->prefix < length * 8 - 1)
        bytes[length - 1] |= 1;
    (void)inet_ntop(network->family, bytes, ret_text, INET6_ADDRSTRLEN); /* it is long enough */
}

/* The first host of a network is often this one itself, as on a bridge of containers: the others are behind
 * the device that has its address. */
static bool leads_out(struct router *router, const struct network *network, const struct route_found *found,
                      const char *name)
{
    struct link_facts facts;

    return !found->local ||
           (!network_is_address(network) && link_facts(router->nl, name, &facts, NULL) == 0 && facts.arp);
}

struct check {
    const struct outside *outside;
    struct error *error;
};

static void check_hop(void *user, int device)
{
    struct check *check = user;
    char name[IFNAMSIZ];

    if (!check->error && if_indextoname((unsigned)device, name))
        (void)check_device(check->outside, name, &check->error);
}

/* Parts of a network may be reached in other ways than its first host. */
static int check_parts(struct router *router, const struct network *network, struct error **ret)
{
    struct check check = {.outside = router->outside};

    if (!check.outside->policy)
        return 0;
    if (route_each_hop(router->nl, network, ROUTER_PROTOCOL_NUMBER, check_hop, &check, ret) < 0)
        return -1;
    if (!check.error)
        return 0;
    if (ret)
        *ret = steal_pointer(&check.error);
    error_free(check.error);
    return -1;
}

int outside_allow(struct router *router, const struct network *network, struct error **ret)
{
    struct outside *outside = router->outside;
    char text[NETWORK_TEXT], host[INET6_ADDRSTRLEN], name[IFNAMSIZ];
    struct route_found found;

    if (!outside || router->pods)
        return error_set(ret, ERROR_INPUT, "networks are allowed after the device under test, before pods");
    if (network->family != outside->family || !network->prefix)
        return error_set(ret, ERROR_INPUT,
                         "%s: only IPv%d networks with a length above 0 can be allowed, as the device under "
                         "test has IPv%d",
                         network_text(network, text), outside->family == AF_INET6 ? 6 : 4,
                         outside->family == AF_INET6 ? 6 : 4);
    some_host(network, host);
    if (check_network(outside, network, ret) < 0 || find_device(router, host, &found, name, ret) < 0)
        return error_prefix(ret, "%s", network_text(network, text));
    if (leads_out(router, network, &found, name) &&
        (check_device(outside, name, ret) < 0 || check_parts(router, network, ret) < 0 ||
         forward(router, name, ret) < 0))
        return error_prefix(ret, "%s", network_text(network, text));
    return add_peer(outside, network, ret);
}

void outside_close(struct router *router)
{
    struct outside *outside = router->outside;

    if (!outside)
        return;
    neighbours_close(outside->neighbours);
    netlink_close(outside->sources);
    if (outside->lock >= 0 && router_raise(CAP_NET_ADMIN, NULL) == 0) {
        (void)forwarding_unlock(router->nl, outside->lock, NULL); /* what is left, the next run restores */
        router_lower();
    }
    close_fd(&outside->lock);
    policy_free(outside->policy);
    strings_free(&outside->gateways);
    free(outside);
    router->outside = NULL;
}

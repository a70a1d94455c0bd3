/* What is outside. The network that the device under test (DUT) is in is found by asking the kernel for the
 * route to it:
 *
 *   a neighbour          addresses of pods are in its own network
 *   behind a gateway     they are in the gateway's network: that is where answers come back to
 *   on this host         they are in the network of the address it has here
 *
 * Who is a neighbour asks by ARP for those addresses, and is answered by the router (arp.c). What comes back
 * is forwarded by the kernel, for which the device that it comes in over needs the flag "forwarding". */
#include "netns/router/outside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netns/forwarding.h"
#include "netns/link.h"
#include "netns/route.h"
#include "src/base/memory.h"

#define DEFAULT_PREFIX 24 /* Sipplauncher's */
#define LONGEST_PREFIX 30

static void address_text(const uint8_t bytes[16], char ret_text[16])
{
    (void)inet_ntop(AF_INET, bytes, ret_text, 16); /* it is long enough */
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
static bool is_borrowed(const char *device)
{
    cleanup_strings struct strings devices = {0};

    if (forwarding_list(&devices, NULL) < 0)
        return true;
    for (size_t i = 0; i < devices.count; i++)
        if (text_equal(devices.list[i], device))
            return true;
    return false;
}

static int forward(struct router *router, const char *device, struct error **ret)
{
    struct outside *outside = router->outside;
    int on = forwarding_is_on(device, ret), result;

    if (on < 0)
        return -1;
    if ((!on || is_borrowed(device)) && outside->policy && !outside->policy->allow_forwarding)
        return error_set(ret, ERROR_HOST,
                         "%s does not forward, and " POLICY_PATH " does not have allow_forwarding = true",
                         device);
    if (open_lock(outside, ret) < 0 || router_raise(CAP_NET_ADMIN, ret) < 0)
        return -1;
    result = forwarding_turn_on(router->nl, device, ret);
    router_lower();
    return result;
}

/* ---- the device under test ---- */

static int check_dut(const struct network *dut, const char *text, struct error **ret)
{
    uint8_t first = dut->bytes[0];

    if (dut->family != AF_INET)
        return error_set(ret, ERROR_INPUT,
                         "%s: devices under test outside with IPv6 come with a later version", text);
    if (first == 127)
        return error_set(
            ret, ERROR_INPUT,
            "%s: a loopback address is reached by this host alone, not by pods; have the device under "
            "test listen at another address of the host",
            text);
    if (first == 0 || first >= 224)
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
    *peer = (struct filter_network){.family = AF_INET, .prefix = network->prefix};
    memcpy(peer->address, network->bytes, sizeof peer->address);
    outside->peer_count++;
    return 0;
}

/* The network of the pods' addresses. */
static int choose_network(struct router *router, const struct route_found *found, unsigned prefix,
                          struct error **ret)
{
    struct outside *outside = router->outside;
    uint8_t bytes[4];

    if (!prefix && found->gateway &&
        route_link_prefix(router->nl, found->device, outside->next, &prefix, ret) < 0)
        return -1;
    if (!prefix)
        prefix = DEFAULT_PREFIX;
    if (prefix > LONGEST_PREFIX)
        return error_set(ret, ERROR_INPUT,
                         "a network of /%u has no addresses for pods; --network-mask sets it", prefix);
    (void)inet_pton(AF_INET, outside->next, bytes); /* it was printed */
    outside->network = network_of(AF_INET, bytes);
    outside->network.prefix = prefix;
    for (unsigned bit = prefix; bit < 32; bit++)
        outside->network.bytes[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
    return 0;
}

static void add_gateway(void *user, const char *gateway)
{
    struct strings *gateways = user;

    for (size_t i = 0; i < gateways->count; i++)
        if (text_equal(gateways->list[i], gateway))
            return;
    strings_add(gateways, gateway);
}

static int open_arp(struct router *router, const struct link_facts *facts, struct error **ret)
{
    struct outside *outside = router->outside;

    if (router_raise(CAP_NET_RAW, ret) < 0)
        return -1;
    outside->arp = arp_open(router->loop, outside->uplink, facts->mac, ret);
    router_lower();
    return outside->arp ? 0 : -1;
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
    return facts.arp ? open_arp(router, &facts, ret) : 0;
}

static int open_all(struct router *router, const struct router_request *request, struct error **ret)
{
    struct outside *outside = router->outside;
    const struct network dut = network_of(request->network.family, request->network.bytes);
    char name[IFNAMSIZ], text[NETWORK_TEXT];
    struct route_found found;

    if (check_dut(&dut, network_text(&dut, text), ret) < 0)
        return -1;
    address_text(dut.bytes, outside->dut);
    if (read_policy(router, ret) < 0 || check_network(outside, &dut, ret) < 0 ||
        find_device(router, outside->dut, &found, name, ret) < 0)
        return -1;
    memcpy(outside->next, outside->dut, sizeof outside->next);
    if (found.gateway)
        snprintf(outside->next, sizeof outside->next, "%.15s", found.gateway);
    if (open_uplink(router, &found, name, ret) < 0 ||
        choose_network(router, &found, request->network.prefix, ret) < 0 ||
        route_gateways(router->nl, AF_INET, add_gateway, &outside->gateways, ret) < 0 ||
        (!found.local && forward(router, name, ret) < 0))
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
static void some_host(const struct network *network, char ret_text[16])
{
    uint8_t bytes[16];

    memcpy(bytes, network->bytes, sizeof bytes);
    if (network->prefix < 31)
        bytes[3] |= 1;
    address_text(bytes, ret_text);
}

/* The first host of a network is often this one itself, as on a bridge of containers: the others are behind
 * the device that has its address. */
static bool leads_out(struct router *router, const struct network *network, const struct route_found *found,
                      const char *name)
{
    struct link_facts facts;

    return !found->local ||
           (network->prefix < 32 && link_facts(router->nl, name, &facts, NULL) == 0 && facts.arp);
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
    char text[NETWORK_TEXT], host[16], name[IFNAMSIZ];
    struct route_found found;

    if (!outside || router->pods)
        return error_set(ret, ERROR_INPUT, "networks are allowed after the device under test, before pods");
    if (network->family != AF_INET || !network->prefix)
        return error_set(ret, ERROR_INPUT, "%s: only IPv4 networks with a length above 0 can be allowed",
                         network_text(network, text));
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
    arp_close(outside->arp);
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

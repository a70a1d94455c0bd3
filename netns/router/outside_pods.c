/* Pods that reach a device under test outside.
 *
 * An address is claimed by a route to it in a table that is for that only, to which the kernel adds it only
 * once, whoever asks: that is the lock between all runs of all users here. Others on the network are then
 * asked whether they have it (neighbours.h), and answered from then on. The route that is used, in the
 * host's main table, comes after that: asking for an address must not cut off whoever has it.
 *
 * What a pod sends and gets is filtered at its link from the moment that there is one: nothing passes before
 * POD_UP, and then only between its own addresses and what is allowed. So forwarding can be left to the
 * kernel, whatever else it has routes to.
 *
 * The link's alias says whose it is and how many addresses it has: that is what limits per user are counted
 * by.
 */
#include "netns/router/outside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netns/forwarding.h"
#include "netns/link.h"
#include "netns/route.h"
#include "src/base/memory.h"

#define ALIAS   "sippod %u %zu" /* uid, addresses */
#define GONE_MS 2000            /* it takes some 20 */

unsigned outside_mtu(const struct router *router)
{
    return router->outside->mtu;
}

char *outside_alias(size_t addresses)
{
    return text_format(ALIAS, getuid(), addresses);
}

/* A pod's link goes when the pod's namespace does, without a word; then anybody may make one of that name. */
int outside_check_link(struct router *router, const struct pod *pod, struct error **ret)
{
    int index;

    if (link_index(router->nl, pod->veth, &index, ret) < 0)
        return -1;
    if (index != pod->index)
        return error_sys(ret, ERROR_FAILED, ENODEV, "its link has gone");
    return 0;
}

static int set_alias(struct router *router, const struct pod *pod, const char *alias, struct error **ret)
{
    int result;

    if (outside_check_link(router, pod, ret) < 0 || router_raise(CAP_NET_ADMIN, ret) < 0)
        return -1;
    result = link_set_alias(router->nl, pod->veth, alias, ret);
    router_lower();
    return result;
}

/* ---- limits ---- */

/* What is counted is there already: so of two runs at the same moment, one at least sees the other. A link
 * counts until it has gone, which its user decides. */
struct used {
    size_t pods, addresses;
    struct strings gone; /* links of pods that were removed */
};

static void count(void *user, const char *name, const char *alias)
{
    struct used *used = user;
    size_t addresses = 0;
    unsigned uid;
    /* NOLINTNEXTLINE(cert-err34-c): written by routers only */
    int fields = sscanf(alias, ALIAS, &uid, &addresses);

    if (strncmp(name, ROUTER_DEVICES, strlen(ROUTER_DEVICES)) != 0 || fields < 1 || uid != getuid())
        return;
    used->pods++;
    used->addresses += addresses;
    if (fields < 2)
        strings_add(&used->gone, name);
}

static int count_used(const struct router *router, struct used *used, struct error **ret)
{
    strings_free(&used->gone);
    *used = (struct used){0};
    return link_each_alias(router->nl, count, used, ret);
}

/* As many as needed: it takes a while. The caller has CAP_NET_ADMIN raised. */
static void delete_gone(struct router *router, const struct used *used)
{
    size_t surplus = used->pods - router->outside->policy->max_pods;

    for (size_t i = 0; i < used->gone.count && i < surplus; i++)
        (void)link_delete(router->nl, used->gone.list[i], NULL); /* it may have gone by now */
}

/* The caller has CAP_NET_ADMIN raised. */
int outside_check_pods(struct router *router, struct error **ret)
{
    const struct policy *policy = router->outside->policy;
    struct used used = {0};
    int result;

    if (!policy)
        return 0;
    result = count_used(router, &used, ret);
    if (result == 0 && used.pods > policy->max_pods && used.gone.count) {
        delete_gone(router, &used);
        result = count_used(router, &used, ret);
    }
    strings_free(&used.gone);
    if (result == 0 && used.pods > policy->max_pods)
        return error_sys(ret, ERROR_HOST, EDQUOT,
                         "you have %zu pods on this network, and policy.conf says "
                         "max_pods_per_user = %u",
                         used.pods - 1, policy->max_pods);
    return result;
}

static int check_addresses(struct router *router, struct error **ret)
{
    const struct policy *policy = router->outside->policy;
    struct used used = {0};

    if (!policy)
        return 0;
    if (count_used(router, &used, ret) < 0)
        return -1;
    strings_free(&used.gone);
    if (used.addresses > policy->max_addresses)
        return error_sys(ret, ERROR_HOST, EDQUOT,
                         "you have %zu addresses on this network, and policy.conf says "
                         "max_addresses_per_user = %u",
                         used.addresses - 1, policy->max_addresses);
    return 0;
}

void outside_count(struct router *router, const struct pod *pod)
{
    cleanup_free char *alias = outside_alias(pod->address_count);

    (void)set_alias(router, pod, alias, NULL); /* the link may have gone */
}

int outside_reserve(struct router *router, const struct pod *pod, struct error **ret)
{
    cleanup_free char *alias = outside_alias(pod->address_count + 1);

    if (set_alias(router, pod, alias, ret) < 0)
        return -1;
    if (check_addresses(router, ret) == 0)
        return 0;
    outside_count(router, pod);
    return -1;
}

/* ---- addresses ---- */

static int never(struct error **ret, const char *why)
{
    return error_sys(ret, ERROR_INPUT, EADDRNOTAVAIL, "%s", why);
}

/* What the kernel would do with a packet to it now says whether it can be anybody's. */
static int check_route(struct router *router, const struct address *address, struct error **ret)
{
    const struct outside *outside = router->outside;
    struct route_found found;

    if (route_find(router->nl, address->text, &found, ret) < 0)
        return -1;
    if (!found.reachable || (!outside->uplink && found.prefix == 0))
        return outside->uplink ? never(ret, "there is no route to it") : 0;
    if (found.local)
        return never(ret, "it is this host's own");
    if (!found.unicast)
        return never(ret, "it is not the address of a single host");
    if (found.prefix == address->network.prefix)
        return error_sys(ret, ERROR_INPUT, EEXIST, "there is a route to it alone: another pod has it");
    if (found.gateway || found.device != outside->uplink)
        return never(ret, "there is another route to it");
    return 0;
}

int outside_check(struct router *router, const struct address *address, struct error **ret)
{
    const struct outside *outside = router->outside;

    if (!network_holds(&outside->network, &address->network))
        return never(ret, "it is not in the network of the device under test");
    if (memcmp(outside->network.bytes, address->network.bytes, sizeof address->network.bytes) == 0)
        return never(ret, "it is not the address of a single host"); /* IPv6: that of all routers there */
    if (text_equal(address->text, outside->dut))
        return never(ret, "it is the device under test's");
    for (size_t i = 0; i < outside->gateways.count; i++)
        if (text_equal(address->text, outside->gateways.list[i]))
            return never(ret, "it is a gateway's");
    if (outside->policy && policy_check_network(outside->policy, &address->network, ret) < 0)
        return -1;
    return check_route(router, address, ret);
}

static void conflict(const struct address *address, const uint8_t mac[ROUTER_MAC_LENGTH], struct error **ret)
{
    static const uint8_t nobody[ROUTER_MAC_LENGTH];
    const char *device = address->pod->router->outside->uplink_name;

    if (memcmp(mac, nobody, sizeof nobody) == 0)
        error_set(ret, ERROR_FAILED, "address %s: %s does not let us ask whether it is free", address->text,
                  device);
    else
        error_sys(ret, ERROR_INPUT, EADDRINUSE, "address %s: %02x:%02x:%02x:%02x:%02x:%02x on %s has it",
                  address->text, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], device);
}

static void on_probed(void *user, const uint8_t *mac)
{
    struct address *address = user;
    cleanup_error struct error *error = NULL;

    if (mac)
        conflict(address, mac, &error);
    address->claimed(address, error);
}

void outside_announce(const struct router *router, const struct address *address)
{
    const struct outside *outside = router->outside;
    uint8_t next[16];

    (void)inet_pton(outside->family, outside->next, next); /* it was printed */
    neighbours_announce(outside->neighbours, address->network.bytes, next);
}

int outside_claim(struct router *router, struct address *address,
                  void (*claimed)(void *user, const struct error *error))
{
    if (!router->outside->neighbours)
        return 0;
    address->claimed = claimed;
    neighbours_probe(router->outside->neighbours, address->network.bytes, on_probed, address);
    return 1;
}

void outside_release(struct router *router, struct address *address)
{
    if (router->outside->neighbours)
        neighbours_forget(router->outside->neighbours, address->network.bytes);
}

/* ---- pods ---- */

static int open_filter(struct router *router, const struct pod *pod, struct error **ret)
{
    const struct outside *outside = router->outside;
    struct filter_network *own = memory_array(NULL, pod->address_count + 1, sizeof *own);
    size_t count = 0;
    int result;

    for (const struct address *address = pod->addresses; address; address = address->next) {
        if (address->probed)
            continue; /* perhaps it is somebody else's */
        own[count] =
            (struct filter_network){.family = address->network.family, .prefix = address->network.prefix};
        memcpy(own[count++].address, address->network.bytes, sizeof address->network.bytes);
    }
    result = filter_open(router->nl, pod->veth, own, count, outside->peers, outside->peer_count, ret);
    free(own);
    return result;
}

/* What comes from a device that is this host's own is not forwarded. */
static int forward(struct router *router, const struct pod *pod, struct error **ret)
{
    if (router->outside->family == AF_INET)
        return link_forward(router->nl, pod->veth, ret);
    return router->outside->forwards ? forwarding_turn_on_own(pod->veth, ret) : 0;
}

int outside_commit(struct router *router, struct pod *pod, struct error **ret)
{
    int result;

    if (outside_check_link(router, pod, ret) < 0 || router_raise(CAP_NET_ADMIN, ret) < 0)
        return -1;
    result = open_filter(router, pod, ret);
    if (result == 0)
        result = forward(router, pod, ret);
    router_lower();
    return result;
}

static char *gone_alias(void)
{
    return text_format("sippod %u gone %d", getuid(), getpid());
}

/* Its link may live a moment longer than what it counted for. */
void outside_forget(struct router *router, struct pod *pod)
{
    cleanup_free char *alias = gone_alias();

    (void)set_alias(router, pod, alias, NULL); /* or not even that */
}

/* The kernel takes links down with their pods' namespaces, in its own time: once the run has ended none is
 * left. */
void outside_await_links(struct router *router)
{
    cleanup_free char *alias = gone_alias();

    (void)link_await_none(router->nl, alias, GONE_MS, NULL);
}

/* Addresses of pods. Each is a route of its own (/32) over its pod's veth, in a table to which the kernel
 * adds an address only once: two pods never share one.
 *
 * With a device under test outside nothing looks it up: there is a second route in the main table, and
 * outside_pods.c has the rest. Otherwise nobody may reach anybody, unless it is said: the table is looked up
 *   - for packets that come in from a pod with a shared address (GLOBAL), to whichever pod, and
 *   - for packets that go to a shared address, from whichever pod.
 * There is no other rule and nothing in the main table, so that two tests have no way to each other. A pod
 * sends only from addresses that are its own: the veth's source validation looks up the way back, by the same
 * rules, and it has to be the veth (link_forward()).
 *
 * No ARP is sent between router and pod, and so nothing waits for an answer: neighbours are permanent here,
 * and in the pod.
 *
 * Routes and neighbours vanish with the veth, and that with the pod's network namespace; but not at once, and
 * an address may be claimed again before. So they are deleted when the pod is removed, and the rules, which
 * stay when a device goes, with them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netns/link.h"
#include "netns/route.h"
#include "netns/router/router.h"
#include "src/base/memory.h"
#include "src/base/text.h"

#define TABLE          198
#define PRIORITY       198
#define METRIC         198  /* one for all: the kernel tells routes of different metrics apart */
#define MOST_ADDRESSES 1024 /* of a pod */

static struct route route_to(const struct address *address)
{
    return (struct route){
        .destination = address->text,
        .device = address->pod->veth,
        .table = TABLE,
        .protocol = ROUTER_PROTOCOL_NUMBER,
    };
}

/* The one of the host, when the device under test is outside. */
static struct route main_route_to(const struct address *address)
{
    struct route route = route_to(address);

    route.table = 0;
    route.metric = METRIC;
    return route;
}

static struct route_rule rule_from(const struct pod *pod)
{
    return (struct route_rule){.input = pod->veth, .table = TABLE, .priority = PRIORITY};
}

static struct route_rule rule_to(const struct address *address)
{
    return (struct route_rule){.destination = address->text, .table = TABLE, .priority = PRIORITY};
}

/* 198.18.0.0/15 is set aside for tests (RFC 2544): whatever a pod claims of it, it is nobody's. */
static int check(struct router *router, const struct address *address, struct error **ret)
{
    if (router->outside && address->shared) /* rules outlive a router that is killed */
        return error_set(ret, ERROR_INPUT, "no address is shared where the device under test is outside");
    if (router->outside)
        return outside_check(router, address, ret);
    if (address->bytes[0] == 198 && (address->bytes[1] & ~1) == 18)
        return 0;
    return error_set(ret, ERROR_INPUT, "pods have addresses of 198.18.0.0/15 only");
}

/* The setting for all devices, which a new namespace takes over from the host, makes the one of each device
 * weaker when it is 2. */
static int be_strict(struct error **ret)
{
    static const char path[] = "/proc/sys/net/ipv4/conf/all/rp_filter";
    cleanup_fd int now = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_fd int new = -1;
    char value = '0';

    if (now < 0 || read(now, &value, 1) != 1 || value != '2')
        return 0;
    new = open(path, O_WRONLY | O_CLOEXEC);
    if (new < 0 || write(new, "1", 1) != 1)
        return error_sys(ret, ERROR_HOST, errno,
                         "the sources of packets cannot be checked while net.ipv4.conf.all.rp_filter is 2");
    return 0;
}

static int add_rules(struct router *router, struct pod *pod, const struct address *address,
                     struct error **ret)
{
    const struct route_rule to = rule_to(address), from = rule_from(pod);

    if (route_rule_add(router->nl, &to, ret) < 0)
        return -1;
    if (pod->shared)
        return 0;
    if (route_rule_add(router->nl, &from, ret) < 0) {
        (void)route_rule_delete(router->nl, &to, NULL); /* the first error is the one to tell */
        return -1;
    }
    pod->shared = true;
    return 0;
}

/* Outside nothing is forwarded before the pod's filter is in place. */
static int start_routing(struct router *router, struct pod *pod, struct error **ret)
{
    if (pod->routed || router->outside)
        return 0;
    pod->routed = true;
    return be_strict(ret) < 0 || link_forward(router->nl, pod->veth, ret) < 0 ? -1 : 0;
}

/* The route comes first: it is what makes the address the pod's. */
static int add_address(struct router *router, struct pod *pod, struct address *address, struct error **ret)
{
    const struct route route = route_to(address);
    cleanup_error struct error *error = NULL;

    if (start_routing(router, pod, ret) < 0)
        return -1;
    if (route_add(router->nl, &route, &error) < 0) {
        if (error->sys == EEXIST)
            return error_sys(ret, ERROR_INPUT, EEXIST, "it is another pod's");
        if (ret)
            *ret = steal_pointer(&error);
        return -1;
    }
    if (neighbour_add(router->nl, pod->veth, address->text, pod->inner_mac, ret) == 0 &&
        (!address->shared || add_rules(router, pod, address, ret) == 0))
        return 0;
    (void)route_delete(router->nl, &route, NULL);
    return -1;
}

/* The kernel would not notice if the link of the pod that has it, and so the route, is gone. */
static int check_own(const struct router *router, const struct address *address, struct error **ret)
{
    for (const struct pod *pod = router->pods; pod; pod = pod->next)
        for (const struct address *other = pod->addresses; other; other = other->next)
            if (memcmp(other->bytes, address->bytes, sizeof other->bytes) == 0)
                return error_sys(ret, ERROR_INPUT, EEXIST, "it is another pod's");
    return 0;
}

static int claim(struct router *router, struct address *address, struct error **ret)
{
    int result;

    if (check_own(router, address, ret) < 0 || check(router, address, ret) < 0)
        return -1;
    if (address->pod->address_count >= MOST_ADDRESSES)
        return error_set(ret, ERROR_HOST, "the pod has %d addresses already, which is the most",
                         MOST_ADDRESSES);
    if ((router->outside && outside_reserve(router, address->pod, ret) < 0) ||
        router_raise(CAP_NET_ADMIN, ret) < 0)
        return -1;
    result = add_address(router, address->pod, address, ret);
    router_lower();
    if (result < 0 && router->outside)
        outside_count(router, address->pod);
    return result;
}

static void unlink_address(struct address *address)
{
    struct address **place = &address->pod->addresses;

    while (*place != address)
        place = &(*place)->next;
    *place = address->next;
    address->pod->address_count--;
}

/* ---- giving up ---- */

static void undo(struct router *router, const struct address *address)
{
    const struct route route = route_to(address), main_route = main_route_to(address);
    const struct route_rule to = rule_to(address);

    (void)route_delete(router->nl, &route, NULL);
    if (router->outside) { /* else it goes with the namespace */
        (void)route_delete(router->nl, &main_route, NULL);
        (void)neighbour_delete(router->nl, address->pod->veth, address->text, NULL);
    }
    if (address->shared)
        (void)route_rule_delete(router->nl, &to, NULL);
}

static bool has_link(struct router *router, const struct pod *pod)
{
    return !router->outside || outside_check_link(router, pod, NULL) == 0;
}

/* That the veth is gone, and its routes with it, is no failure. */
static void drop(struct router *router, struct address *address, const struct error *why)
{
    cleanup_error struct error *given_up = NULL;

    error_set(&given_up, ERROR_FAILED, "address %s: it was given up before", address->text);
    if (address->probed)
        reply_later(router, ROUTER_ADDRESS_ADD, address->serial, why ? why : given_up);
    if (router->outside)
        outside_release(router, address);
    if (has_link(router, address->pod) && router_raise(CAP_NET_ADMIN, NULL) == 0) {
        undo(router, address);
        router_lower();
    }
    unlink_address(address);
    free(address);
}

/* ---- claiming ---- */

/* From here on the host sends to the pod what is for its address. */
static int route_on_host(struct router *router, const struct address *address, struct error **ret)
{
    const struct route route = main_route_to(address);
    int result;

    if (outside_check_link(router, address->pod, ret) < 0 || router_raise(CAP_NET_ADMIN, ret) < 0)
        return -1;
    result = route_add(router->nl, &route, ret);
    router_lower();
    return result;
}

/* It is known whether somebody else outside has it (NULL: nobody). */
static void on_claimed(void *user, const struct error *error)
{
    struct address *address = user;
    struct router *router = address->pod->router;
    cleanup_error struct error *failure = NULL;
    struct pod *pod = address->pod;

    if (error || route_on_host(router, address, &failure) < 0) {
        drop(router, address, error ? error : failure);
        outside_count(router, pod);
        return;
    }
    address->probed = false;
    reply_later(router, ROUTER_ADDRESS_ADD, address->serial, NULL);
}

static struct address *new_address(struct pod *pod, const struct router_request *request)
{
    struct address *address = memory_new(sizeof *address);

    *address = (struct address){.pod = pod, .shared = request->shared};
    memcpy(address->bytes, request->network.bytes, sizeof address->bytes);
    (void)inet_ntop(AF_INET, address->bytes, address->text, sizeof address->text); /* it is long enough */
    return address;
}

/* It is the pod's now; outside it may still be somebody else's, which takes a while to find out. */
static int take(struct router *router, struct address *address, uint32_t serial, struct error **ret)
{
    struct pod *pod = address->pod;
    int result;

    address->next = pod->addresses;
    pod->addresses = address;
    pod->address_count++;
    if (!router->outside)
        return 0;
    result = outside_claim(router, address, on_claimed);
    address->probed = result > 0;
    address->serial = serial;
    if (result > 0 || route_on_host(router, address, ret) == 0)
        return result;
    error_prefix(ret, "pod %s, address %s", pod->run_id, address->text);
    drop(router, address, NULL);
    outside_count(router, pod);
    return -1;
}

static bool is_address(const struct network *network)
{
    return network->family == AF_INET && network->prefix == 32;
}

int addresses_claim(struct router *router, struct pod *pod, const struct router_request *request,
                    struct error **ret)
{
    struct address *address;

    if (!is_address(&request->network))
        return error_set(ret, ERROR_INPUT, "addresses of pods are single IPv4 addresses");
    address = new_address(pod, request);
    if (claim(router, address, ret) < 0) {
        error_prefix(ret, "pod %s, address %s", pod->run_id, address->text);
        free(address);
        return -1;
    }
    return take(router, address, request->serial, ret);
}

int addresses_remove(struct router *router, struct pod *pod, const struct router_request *request,
                     struct error **ret)
{
    struct address *address = pod->addresses;

    while (address && memcmp(address->bytes, request->network.bytes, sizeof address->bytes) != 0)
        address = address->next;
    if (!address || !is_address(&request->network))
        return error_set(ret, ERROR_INPUT, "pod %s has no such address", pod->run_id);
    drop(router, address, NULL);
    if (router->outside)
        outside_count(router, pod);
    return 0;
}

void addresses_release(struct router *router, struct pod *pod)
{
    const struct route_rule from = rule_from(pod);

    for (struct address *address = pod->addresses, *next; address; address = next) {
        next = address->next;
        drop(router, address, NULL);
    }
    if (pod->shared && router_raise(CAP_NET_ADMIN, NULL) == 0) {
        (void)route_rule_delete(router->nl, &from, NULL);
        router_lower();
    }
}

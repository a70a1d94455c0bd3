/* Addresses of pods. Each is a route of its own (/32, /128) over its pod's veth, in a table to which the
 * kernel adds an address only once: two pods never share one.
 *
 * With a device under test outside nothing looks it up: there is a second route in the main table, and
 * outside_pods.c has the rest. Otherwise nobody may reach anybody, unless it is said. There are two tables,
 * of all addresses and of those that are shared (GLOBAL's); and a rule for each address, by which what comes
 * from it, over its own pod's veth,
 *   - is looked up in the table of all, if it is shared itself,
 *   - else in that of shared ones.
 * There is no other rule and nothing in the main table, so that two tests have no way to each other, and a
 * pod none at all with a source that is not its own. (IPv4 has the veth's source validation beside that.)
 *
 * Neither ARP nor neighbour solicitations are sent between router and pod, and so nothing waits for an
 * answer: neighbours are permanent here, and in the pod.
 *
 * Routes and neighbours vanish with the veth, and that with the pod's network namespace; but not at once, and
 * an address may be claimed again before. So they are deleted when the pod is removed, and the rules, which
 * stay when a device goes, with them. */
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

#define TABLE          198 /* of all addresses */
#define SHARED_TABLE   199
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

static struct route shared_route_to(const struct address *address)
{
    struct route route = route_to(address);

    route.table = SHARED_TABLE;
    return route;
}

static struct route_rule rule_from(const struct address *address)
{
    return (struct route_rule){
        .input = address->pod->veth,
        .source = address->text,
        .table = address->shared ? TABLE : SHARED_TABLE,
        .priority = PRIORITY,
    };
}

/* 198.18.0.0/15 (RFC 2544) and 2001:2::/48 (RFC 5180) are set aside for tests: whatever a pod claims of them,
 * it is nobody's. */
static const struct network for_tests[] = {
    {.family = AF_INET, .bytes = {198, 18}, .prefix = 15},
    {.family = AF_INET6, .bytes = {0x20, 0x01, 0x00, 0x02}, .prefix = 48},
};

static int check(struct router *router, const struct address *address, struct error **ret)
{
    if (router->outside && address->shared) /* rules outlive a router that is killed */
        return error_set(ret, ERROR_INPUT, "no address is shared where the device under test is outside");
    if (router->outside)
        return outside_check(router, address, ret);
    for (size_t i = 0; i < sizeof for_tests / sizeof *for_tests; i++)
        if (network_holds(&for_tests[i], &address->network))
            return 0;
    return error_set(ret, ERROR_INPUT, "pods have addresses of 198.18.0.0/15 and 2001:2::/48 only");
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

/* IPv6 has a switch for all devices only. In the host's own namespace it is never touched: there it would
 * cost the host its default route, if it has that from a router's advertisements. */
static int forward_all6(struct error **ret)
{
    static const char path[] = "/proc/sys/net/ipv6/conf/all/forwarding";
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return error_sys(ret, ERROR_HOST, EAFNOSUPPORT, "this kernel has no IPv6");
    if (fd < 0 || write(fd, "1", 1) != 1)
        return error_sys(ret, ERROR_HOST, errno, "IPv6 cannot be routed between pods: cannot write %s", path);
    return 0;
}

/* Outside nothing is forwarded before the pod's filter is in place. */
static int start_routing(struct router *router, const struct address *address, struct error **ret)
{
    struct pod *pod = address->pod;
    bool six = address->network.family == AF_INET6, *routed = &pod->routed[six];

    if (*routed || router->outside)
        return 0;
    *routed = true;
    if (six)
        return forward_all6(ret);
    return be_strict(ret) < 0 || link_forward(router->nl, pod->veth, ret) < 0 ? -1 : 0;
}

/* Those that nothing but the others hang on; what was added is undone by the caller. */
static int add_rest(struct router *router, const struct address *address, struct error **ret)
{
    const struct route shared = shared_route_to(address);
    const struct route_rule rule = rule_from(address);

    if (neighbour_add(router->nl, address->pod->veth, address->text, address->pod->inner_mac, ret) < 0)
        return -1;
    if (router->outside)
        return 0;
    if (address->shared && route_add(router->nl, &shared, ret) < 0)
        return -1;
    return route_rule_add(router->nl, &rule, ret);
}

/* What is not there, or gone with its link, is no failure. */
static void undo(struct router *router, const struct address *address)
{
    const struct route route = route_to(address), main_route = main_route_to(address);
    const struct route shared = shared_route_to(address);
    const struct route_rule rule = rule_from(address);

    (void)route_delete(router->nl, &route, NULL);
    if (router->outside) {
        (void)route_delete(router->nl, &main_route, NULL);
        (void)neighbour_delete(router->nl, address->pod->veth, address->text, NULL);
        return;
    }
    (void)route_rule_delete(router->nl, &rule, NULL); /* the neighbour goes with the namespace */
    if (address->shared)
        (void)route_delete(router->nl, &shared, NULL);
}

/* The route comes first: it is what makes the address the pod's. */
static int add_address(struct router *router, struct address *address, struct error **ret)
{
    const struct route route = route_to(address);
    cleanup_error struct error *error = NULL;

    if (start_routing(router, address, ret) < 0)
        return -1;
    if (route_add(router->nl, &route, &error) < 0) {
        if (error->sys == EEXIST)
            return error_sys(ret, ERROR_INPUT, EEXIST, "it is another pod's");
        if (ret)
            *ret = steal_pointer(&error);
        return -1;
    }
    if (add_rest(router, address, ret) == 0)
        return 0;
    undo(router, address);
    return -1;
}

/* The kernel would not notice if the link of the pod that has it, and so the route, is gone. */
static int check_own(const struct router *router, const struct address *address, struct error **ret)
{
    for (const struct pod *pod = router->pods; pod; pod = pod->next)
        for (const struct address *other = pod->addresses; other; other = other->next)
            if (network_holds(&other->network, &address->network))
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
    result = add_address(router, address, ret);
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
    outside_announce(router, address);
    reply_later(router, ROUTER_ADDRESS_ADD, address->serial, NULL);
}

static struct address *new_address(struct pod *pod, const struct router_request *request)
{
    struct address *address = memory_new(sizeof *address);

    *address = (struct address){.pod = pod, .network = request->network, .shared = request->shared};
    (void)network_text(&address->network, address->text);
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

int addresses_claim(struct router *router, struct pod *pod, const struct router_request *request,
                    struct error **ret)
{
    struct address *address;

    if (!network_is_address(&request->network))
        return error_set(ret, ERROR_INPUT, "addresses of pods are single ones");
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

    while (address && !network_holds(&request->network, &address->network))
        address = address->next;
    if (!address || !network_is_address(&request->network))
        return error_set(ret, ERROR_INPUT, "pod %s has no such address", pod->run_id);
    drop(router, address, NULL);
    if (router->outside)
        outside_count(router, pod);
    return 0;
}

void addresses_release(struct router *router, struct pod *pod)
{
    for (struct address *address = pod->addresses, *next; address; address = next) {
        next = address->next;
        drop(router, address, NULL);
    }
}

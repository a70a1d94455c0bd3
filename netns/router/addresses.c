/* Addresses of pods. Each is a route of its own (/32) over its pod's veth, in one table that holds them all
 * and that the kernel adds an address to only once: two pods never share one.
 *
 * Nobody may reach anybody, unless it is said: the table is looked up
 *   - for packets that come in from a pod with a shared address (GLOBAL), to whichever pod, and
 *   - for packets that go to a shared address, from whichever pod.
 * There is no other rule and nothing in the main table, so that two tests have no way to each other. A pod
 * sends only from addresses that are its own: the veth's source validation looks up the way back, by the same
 * rules, and it has to be the veth (link_forward()).
 *
 * No ARP is ever sent, and so nothing waits for an answer: neighbours are permanent here, and in the pod.
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

#define TABLE          198 /* also the protocol number that says whose routes these are */
#define PRIORITY       198
#define MOST_ADDRESSES 65536

static int failed(struct error **ret, const struct pod *pod, const char *address)
{
    return error_prefix(ret, "pod %s, address %s", pod->run_id, address);
}

static struct route route_to(const struct pod *pod, const struct address *address)
{
    return (struct route){
        .destination = address->text, .device = pod->veth, .table = TABLE, .protocol = TABLE};
}

static struct route_rule rule_from(const struct pod *pod)
{
    return (struct route_rule){.input = pod->veth, .table = TABLE, .priority = PRIORITY};
}

static struct route_rule rule_to(const struct address *address)
{
    return (struct route_rule){.destination = address->text, .table = TABLE, .priority = PRIORITY};
}

/* 198.18.0.0/15 is set aside for tests (RFC 2544): whatever a pod claims, it is nobody's. */
static bool is_allowed(const struct router *router, const uint8_t address[4])
{
    switch (router->mode) {
    case MODE_PRIVATE:
        return address[0] == 198 && (address[1] & ~1) == 18;
    }
    return false;
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

static size_t count_addresses(const struct router *router)
{
    size_t count = 0;

    for (size_t i = 0; i < router->pod_count; i++)
        count += router->pods[i].address_count;
    return count;
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

/* The route comes first: it is what makes the address the pod's. */
static int add_address(struct router *router, struct pod *pod, const struct address *address,
                       struct error **ret)
{
    const struct route route = route_to(pod, address);
    struct error *error = NULL;

    if (!pod->routed && (be_strict(ret) < 0 || link_forward(router->nl, pod->veth, ret) < 0))
        return -1;
    pod->routed = true;
    if (route_add(router->nl, &route, &error) < 0) {
        bool taken = error->sys == EEXIST;

        if (taken)
            error_set(ret, ERROR_INPUT, "it is another pod's");
        else if (ret)
            *ret = steal_pointer(&error);
        error_free(error);
        return -1;
    }
    if (neighbour_add(router->nl, pod->veth, address->text, pod->inner_mac, ret) < 0 ||
        (address->shared && add_rules(router, pod, address, ret) < 0)) {
        (void)route_delete(router->nl, &route, NULL);
        return -1;
    }
    return 0;
}

int addresses_claim(struct router *router, const struct router_request *request, struct error **ret)
{
    struct pod *pod = links_find_pod(router, request->run_id, ret);
    struct address address = {.shared = request->shared};
    int result;

    if (!pod)
        return -1;
    (void)inet_ntop(AF_INET, request->address, address.text, sizeof address.text); /* it is long enough */
    if (!is_allowed(router, request->address)) {
        error_set(ret, ERROR_INPUT, "pods have addresses of 198.18.0.0/15 only");
        return failed(ret, pod, address.text);
    }
    if (count_addresses(router) >= MOST_ADDRESSES)
        return error_set(ret, ERROR_HOST, "there are %d addresses already, which is the most",
                         MOST_ADDRESSES);
    if (router_raise(ret) < 0)
        return -1;
    result = add_address(router, pod, &address, ret);
    router_lower();
    if (result < 0)
        return failed(ret, pod, address.text);
    pod->addresses = memory_array(pod->addresses, pod->address_count + 1, sizeof *pod->addresses);
    pod->addresses[pod->address_count++] = address;
    return 0;
}

/* That the veth is gone, and its routes with it, is no failure. */
void addresses_release(struct router *router, struct pod *pod)
{
    const struct route_rule from = rule_from(pod);

    if (pod->address_count && router_raise(NULL) == 0) {
        for (size_t i = 0; i < pod->address_count; i++) {
            const struct route route = route_to(pod, &pod->addresses[i]);
            const struct route_rule to = rule_to(&pod->addresses[i]);

            (void)route_delete(router->nl, &route, NULL);
            if (pod->addresses[i].shared)
                (void)route_rule_delete(router->nl, &to, NULL);
        }
        if (pod->shared)
            (void)route_rule_delete(router->nl, &from, NULL);
        router_lower();
    }
    free(steal_pointer(&pod->addresses));
    pod->address_count = 0;
}

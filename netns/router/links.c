/* Pods are connected with the router by a veth pair each: "sipp-<run_id>" here, "eth0" there.
 *
 * The router trusts nobody with a namespace: one that is not the caller's (whose real uid is also the
 * router's) would let him put a device into somebody else's. The kernel says whose it is: NS_GET_USERNS
 * refuses user namespaces that are not the router's own nor below it, and the one that it gives has its
 * maker's uid.
 *
 * A pair ends with either of its namespaces. That costs nobody any time, where deleting one takes 17 ms; so a
 * pod that is removed is only forgotten. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netns/filter.h"
#include "netns/link.h"
#include "netns/namespace.h"
#include "netns/router/router.h"
#include "sandbox/capabilities.h"
#include "src/base/memory.h"
#include "src/base/text.h"

#define MOST_PODS 4096
#define UP_MS     2000 /* it takes one at most, unless the host is busy */

static_assert(MAC_LENGTH == ROUTER_MAC_LENGTH, "an Ethernet address is one");

static struct pod **find_place(struct router *router, const char *run_id)
{
    struct pod **place = &router->pods;

    while (*place && !text_equal((*place)->run_id, run_id))
        place = &(*place)->next;
    return place;
}

struct pod *links_find_pod(struct router *router, const char *run_id, struct error **ret)
{
    struct pod *pod = *find_place(router, run_id);

    if (!pod)
        error_set(ret, ERROR_INPUT, "there is no pod %s", run_id);
    return pod;
}

static int check_namespace(int netns, struct error **ret)
{
    cleanup_fd int userns = -1;
    uid_t owner;

    if (namespace_userns(netns, &userns, ret) < 0 || namespace_owner(userns, &owner, ret) < 0)
        return -1;
    if (owner != getuid())
        return error_set(ret, ERROR_INPUT, "the network namespace belongs to uid %u", owner);
    return 0;
}

/* Nobody in a pod is a router of the host's, nor tells it of better ones: not even one who finds a way round
 * the filter (filter.c). */
static int ignore_advertisements(const struct pod *pod, struct error **ret)
{
    static const char *const settings[] = {"accept_ra", "accept_redirects"};

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        cleanup_free char *path = text_format("/proc/sys/net/ipv6/conf/%s/%s", pod->veth, settings[i]);
        cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT) /* there is no IPv6 */
            return 0;
        if (fd < 0 || write(fd, "0", 1) != 1)
            return error_sys(ret, ERROR_HOST, errno, "cannot write %s", path);
    }
    return 0;
}

/* On the host's network nothing gets through before the addresses of the pod are known. */
static int add_guarded(struct router *router, struct pod *pod, const struct link_veth *veth,
                       uint8_t ret_mac[ROUTER_MAC_LENGTH], uint8_t ret_inner_mac[ROUTER_MAC_LENGTH],
                       struct error **ret)
{
    if (link_add_veth(router->nl, veth, ret_mac, ret_inner_mac, ret) < 0)
        return -1;
    if (filter_close(router->nl, pod->veth, ret) == 0 && ignore_advertisements(pod, ret) == 0 &&
        link_check_sources(router->nl, pod->veth, ret) == 0 && link_up(router->nl, pod->veth, ret) == 0 &&
        link_index(router->nl, pod->veth, &pod->index, ret) == 0 && outside_check_pods(router, ret) == 0)
        return 0;
    (void)link_delete(router->nl, pod->veth, NULL); /* the first error is the one to tell */
    return -1;
}

static int connect_pod(struct router *router, struct pod *pod, int netns, uint8_t ret_mac[ROUTER_MAC_LENGTH],
                       struct error **ret)
{
    cleanup_free char *alias = outside_alias(0);
    struct link_veth veth = {.outer = pod->veth, .inner = "eth0", .netns = netns};
    int result;

    if (router->outside) {
        veth.down = true;
        veth.alias = alias;
        veth.mtu = outside_mtu(router);
    }
    if (router_raise(CAP_NET_ADMIN, ret) < 0)
        return -1;
    result = router->outside ? add_guarded(router, pod, &veth, ret_mac, pod->inner_mac, ret)
                             : link_add_veth(router->nl, &veth, ret_mac, pod->inner_mac, ret);
    router_lower();
    return result;
}

/* Without a device under test outside nobody may use the host's network. */
static int check_pod(struct router *router, const char *run_id, int netns, struct error **ret)
{
    size_t count = 0;

    for (const struct pod *pod = router->pods; pod; pod = pod->next)
        count++;
    if (*find_place(router, run_id))
        return error_set(ret, ERROR_INPUT, "there is a pod %s already", run_id);
    if (count >= MOST_PODS)
        return error_set(ret, ERROR_HOST, "there are %d pods already, which is the most", MOST_PODS);
    if (!router->outside && router->trust != TRUST_PRIVATE)
        return error_set(ret, ERROR_HOST,
                         "without a device under test outside, the router works only in a network namespace "
                         "of its own");
    return check_namespace(netns, ret);
}

int links_add_pod(struct router *router, const char *run_id, int netns, uint8_t ret_mac[ROUTER_MAC_LENGTH],
                  struct error **ret)
{
    struct pod *pod;

    if (check_pod(router, run_id, netns, ret) < 0)
        return error_prefix(ret, "pod %s", run_id);
    pod = memory_new(sizeof *pod);
    *pod = (struct pod){.router = router};
    memcpy(pod->run_id, run_id, ROUTER_RUN_ID_LENGTH);
    snprintf(pod->veth, sizeof pod->veth, ROUTER_DEVICES "%s", run_id);
    if (connect_pod(router, pod, netns, ret_mac, ret) < 0) {
        free(pod);
        return error_prefix(ret, "pod %s", run_id);
    }
    *find_place(router, run_id) = pod; /* the end of the list */
    return 0;
}

void links_remove_pod(struct router *router, struct pod *pod)
{
    addresses_release(router, pod);
    if (router->outside)
        outside_forget(router, pod);
    *find_place(router, pod->run_id) = pod->next;
    free(pod);
}

int links_await_pod(struct router *router, struct pod *pod, struct error **ret)
{
    if (router->outside && outside_commit(router, pod, ret) < 0)
        return -1;
    return link_await_up(router->nl, pod->veth, UP_MS, ret);
}

/* A private namespace ends with the router and takes all along. On a host the veths end with their pods, and
 * routes with them; but pods may live a moment longer than the router. */
void links_undo_all(struct router *router)
{
    for (struct pod *pod = router->pods, *next; pod; pod = next) {
        next = pod->next;
        links_remove_pod(router, pod);
    }
    if (router->outside)
        outside_await_links(router);
}

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
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netns/link.h"
#include "netns/namespace.h"
#include "netns/router/router.h"
#include "sandbox/capabilities.h"
#include "src/base/memory.h"
#include "src/base/text.h"

#define MOST_PODS 4096
#define UP_MS     2000 /* it takes one at most, unless the host is busy */

static_assert(MAC_LENGTH == ROUTER_MAC_LENGTH, "an Ethernet address is one");

static struct pod *find_pod(const struct router *router, const char *run_id)
{
    for (size_t i = 0; i < router->pod_count; i++)
        if (text_equal(router->pods[i].run_id, run_id))
            return &router->pods[i];
    return NULL;
}

struct pod *links_find_pod(const struct router *router, const char *run_id, struct error **ret)
{
    struct pod *pod = find_pod(router, run_id);

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

/* Should: hold CAP_NET_ADMIN for a few calls. Mustn't: go on with it raised. */
int router_raise(struct error **ret)
{
    return capabilities_raise(CAPABILITY(CAP_NET_ADMIN), ret);
}

void router_lower(void)
{
    cleanup_error struct error *error = NULL;

    if (capabilities_lower(&error) == 0)
        return;
    fprintf(stderr, "sippod-router: %s\n", error_text(error));
    _exit(ERROR_FAILED);
}

static int connect_pod(struct router *router, struct pod *pod, int netns, uint8_t ret_mac[ROUTER_MAC_LENGTH],
                       struct error **ret)
{
    const struct link_veth veth = {.outer = pod->veth, .inner = "eth0", .netns = netns};
    int result;

    if (router_raise(ret) < 0)
        return -1;
    result = link_add_veth(router->nl, &veth, ret_mac, pod->inner_mac, ret);
    router_lower();
    return result;
}

int links_add_pod(struct router *router, const char *run_id, int netns, uint8_t ret_mac[ROUTER_MAC_LENGTH],
                  struct error **ret)
{
    struct pod pod = {0};

    memcpy(pod.run_id, run_id, ROUTER_RUN_ID_LENGTH);
    snprintf(pod.veth, sizeof pod.veth, "sipp-%s", run_id);
    if (find_pod(router, run_id))
        return error_set(ret, ERROR_INPUT, "there is a pod %s already", run_id);
    if (router->pod_count >= MOST_PODS)
        return error_set(ret, ERROR_HOST, "there are %d pods already, which is the most", MOST_PODS);
    if (check_namespace(netns, ret) < 0 || connect_pod(router, &pod, netns, ret_mac, ret) < 0)
        return error_prefix(ret, "pod %s", run_id);
    router->pods = memory_array(router->pods, router->pod_count + 1, sizeof *router->pods);
    router->pods[router->pod_count++] = pod;
    return 0;
}

int links_remove_pod(struct router *router, const char *run_id, struct error **ret)
{
    struct pod *pod = links_find_pod(router, run_id, ret);

    if (!pod)
        return -1;
    addresses_release(router, pod);
    *pod = router->pods[--router->pod_count];
    return 0;
}

int links_await_pod(struct router *router, const char *run_id, struct error **ret)
{
    struct pod *pod = links_find_pod(router, run_id, ret);

    return pod ? link_await_up(router->nl, pod->veth, UP_MS, ret) : -1;
}

void links_undo_all(struct router *router)
{
    switch (router->mode) {
    case MODE_PRIVATE:
        break; /* the namespace, which nobody else has, ends with the router and takes all along */
    }
    for (size_t i = 0; i < router->pod_count; i++)
        free(router->pods[i].addresses);
    free(steal_pointer(&router->pods));
    router->pod_count = 0;
}

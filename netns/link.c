/* Requests go through libnl's objects: one that holds what is to be, sent with rtnl_link_add() (new devices)
 * or rtnl_link_change(). A device is named in the request itself where the kernel allows it, so that no
 * request for its index goes first. */
#include "netns/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/veth.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/text.h"

#define OPERSTATE_UP 6 /* IF_OPER_UP in linux/if.h, which does not go together with net/if.h */

/* All outer ends have the same address, as Calico does it: nothing is bridged, a fixed one makes captures
 * alike, and udev leaves alone what was set at creation but replaces what the kernel drew. */
static const uint8_t outer_mac[MAC_LENGTH] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};

/* One end hears of no other, so that these may be all alike, too. */
static const uint8_t inner_mac[MAC_LENGTH] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01};

static void link_put(struct rtnl_link **link)
{
    if (*link)
        rtnl_link_put(*link);
}
#define cleanup_link __attribute__((cleanup(link_put)))

/* libnl would cut a long name. */
static int check_name(const char *device, struct error **ret)
{
    size_t length = strlen(device);

    if (!length || length >= IFNAMSIZ)
        return error_set(ret, ERROR_INPUT, "\"%s\" cannot be the name of a network device", device);
    return 0;
}

/* A libnl object with that name; NULL on failure. */
static struct rtnl_link *named(const char *device, struct error **ret)
{
    struct rtnl_link *link;

    if (check_name(device, ret) < 0)
        return NULL;
    link = rtnl_link_alloc();
    if (link)
        rtnl_link_set_name(link, device);
    else
        error_sys(ret, ERROR_FAILED, ENOMEM, "device %s", device);
    return link;
}

/* The device as the kernel has it now; NULL on failure. */
static struct rtnl_link *get(struct netlink *nl, const char *device, struct error **ret)
{
    struct rtnl_link *link = NULL;
    int result;

    if (check_name(device, ret) < 0)
        return NULL;
    result = rtnl_link_get_kernel(netlink_socket(nl), 0, device, &link);
    if (result < 0) {
        netlink_failed(nl, result, ret, "device %s", device);
        return NULL;
    }
    return link;
}

int link_index(struct netlink *nl, const char *device, int *ret_index, struct error **ret)
{
    cleanup_link struct rtnl_link *link = get(nl, device, ret);

    if (!link)
        return -1;
    *ret_index = rtnl_link_get_ifindex(link);
    return 0;
}

int link_mac(struct netlink *nl, const char *device, uint8_t ret_mac[MAC_LENGTH], struct error **ret)
{
    cleanup_link struct rtnl_link *link = get(nl, device, ret);
    const struct nl_addr *address;

    if (!link)
        return -1;
    address = rtnl_link_get_addr(link);
    if (!address || nl_addr_get_len(address) != MAC_LENGTH)
        return error_set(ret, ERROR_FAILED, "device %s has no Ethernet address", device);
    memcpy(ret_mac, nl_addr_get_binary_addr(address), MAC_LENGTH);
    return 0;
}

/* Asks for `changes`, an object that bears the device's name. */
static int change(struct netlink *nl, const char *device, struct rtnl_link *changes, const char *what,
                  struct error **ret)
{
    cleanup_link struct rtnl_link *now = named(device, ret);
    int result;

    if (!now)
        return -1;
    result = rtnl_link_change(netlink_socket(nl), now, changes, 0);
    return result < 0 ? netlink_failed(nl, result, ret, "cannot %s %s", what, device) : 0;
}

int link_up(struct netlink *nl, const char *device, struct error **ret)
{
    cleanup_link struct rtnl_link *changes = named(device, ret);

    if (!changes)
        return -1;
    rtnl_link_set_flags(changes, IFF_UP);
    return change(nl, device, changes, "bring up", ret);
}

int link_rename(struct netlink *nl, const char *device, const char *name, struct error **ret)
{
    cleanup_link struct rtnl_link *now = get(nl, device, ret);
    cleanup_link struct rtnl_link *changes = now ? named(name, ret) : NULL;
    int result;

    if (!changes)
        return -1;
    result = rtnl_link_change(netlink_socket(nl), now, changes, 0);
    return result < 0 ? netlink_failed(nl, result, ret, "cannot rename %s to %s", device, name) : 0;
}

int link_set_mtu(struct netlink *nl, const char *device, unsigned mtu, struct error **ret)
{
    cleanup_link struct rtnl_link *changes = named(device, ret);

    if (!changes)
        return -1;
    rtnl_link_set_mtu(changes, mtu);
    return change(nl, device, changes, "set the MTU of", ret);
}

static int set_mac(struct rtnl_link *link, const uint8_t mac[MAC_LENGTH], struct error **ret)
{
    struct nl_addr *address = nl_addr_build(AF_UNSPEC, mac, MAC_LENGTH);

    if (!address)
        return error_sys(ret, ERROR_FAILED, ENOMEM, "cannot set an Ethernet address");
    rtnl_link_set_addr(link, address);
    nl_addr_put(address);
    return 0;
}

bool link_parse_mac(const char *text, uint8_t mac[MAC_LENGTH])
{
    if (strlen(text) != 3 * MAC_LENGTH - 1 ||
        strspn(text, "0123456789abcdefABCDEF:") != 3 * MAC_LENGTH - 1) /* no blanks, no signs */
        return false;
    /* NOLINTNEXTLINE(cert-err34-c): two digits do not overflow */
    return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                  &mac[5]) == MAC_LENGTH;
}

int link_set_mac(struct netlink *nl, const char *device, const char *mac, struct error **ret)
{
    cleanup_link struct rtnl_link *changes = named(device, ret);
    uint8_t bytes[MAC_LENGTH];

    if (!changes)
        return -1;
    if (!link_parse_mac(mac, bytes))
        return error_set(ret, ERROR_INPUT, "device %s: \"%s\" is not an Ethernet address", device, mac);
    if (set_mac(changes, bytes, ret) < 0)
        return -1;
    return change(nl, device, changes, "set the Ethernet address of", ret);
}

int link_delete(struct netlink *nl, const char *device, struct error **ret)
{
    cleanup_link struct rtnl_link *link = named(device, ret);
    int result;

    if (!link)
        return -1;
    result = rtnl_link_delete(netlink_socket(nl), link);
    return result < 0 ? netlink_failed(nl, result, ret, "cannot delete %s", device) : 0;
}

int link_add_dummy(struct netlink *nl, const char *name, const char **ret_kind, struct error **ret)
{
    static const char *const kinds[] = {"dummy", "ifb"};
    int result = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cleanup_link struct rtnl_link *link = named(name, ret);

        if (!link)
            return -1;
        result = rtnl_link_set_type(link, kinds[i]);
        if (result == 0)
            result = rtnl_link_add(netlink_socket(nl), link, NLM_F_CREATE | NLM_F_EXCL);
        if (result == 0) {
            if (ret_kind)
                *ret_kind = kinds[i];
            return 0;
        }
        if (netlink_errno(nl, result) != EOPNOTSUPP)
            return netlink_failed(nl, result, ret, "cannot create %s (%s)", name, kinds[i]);
    }
    return netlink_failed(nl, result, ret, "cannot create %s (neither as dummy nor as ifb)", name);
}

/* One queue each way is plenty for a pod; the kernel's default is one per processor, and making them takes as
 * long as all the rest. */
static void one_queue(struct rtnl_link *link)
{
    rtnl_link_set_num_tx_queues(link, 1);
    rtnl_link_set_num_rx_queues(link, 1);
}

static int add_pair(struct netlink *nl, const struct link_veth *veth, struct error **ret)
{
    cleanup_link struct rtnl_link *link = rtnl_link_veth_alloc();
    struct rtnl_link *peer; /* goes with `link` */
    int result;

    if (!link)
        return error_sys(ret, ERROR_FAILED, ENOMEM, "cannot create %s", veth->outer);
    peer = rtnl_link_veth_get_peer(link);
    rtnl_link_set_name(link, veth->outer);
    if (!veth->down)
        rtnl_link_set_flags(link, IFF_UP);
    one_queue(link);
    rtnl_link_set_name(peer, veth->inner);
    rtnl_link_set_ns_fd(peer, veth->netns);
    one_queue(peer);
    if (veth->mtu) {
        rtnl_link_set_mtu(link, veth->mtu);
        rtnl_link_set_mtu(peer, veth->mtu);
    }
    result = set_mac(link, outer_mac, ret);
    if (result == 0)
        result = set_mac(peer, inner_mac, ret);
    if (result == 0) {
        result = rtnl_link_add(netlink_socket(nl), link, NLM_F_CREATE | NLM_F_EXCL);
        if (result < 0)
            netlink_failed(nl, result, ret, "cannot create %s with its other end %s", veth->outer,
                           veth->inner);
    }
    rtnl_link_put(peer); /* the reference that rtnl_link_veth_get_peer() took */
    return result < 0 ? -1 : 0;
}

/* The kernel refuses this in the request that makes the device; afterwards is early enough, since a device
 * makes its link-local address when it gets a carrier, which is not before the inner end is raised. */
static int without_addresses(struct netlink *nl, const char *device, struct error **ret)
{
    cleanup_link struct rtnl_link *changes = named(device, ret);
    cleanup_error struct error *error = NULL;

    if (!changes)
        return -1;
    rtnl_link_inet6_set_addr_gen_mode(changes, IN6_ADDR_GEN_MODE_NONE);
    if (change(nl, device, changes, "turn off the IPv6 addresses of", &error) == 0)
        return 0;
    if (error->sys == EAFNOSUPPORT) /* a kernel without IPv6 */
        return 0;
    if (ret)
        *ret = steal_pointer(&error);
    return -1;
}

int link_set_alias(struct netlink *nl, const char *device, const char *alias, struct error **ret)
{
    cleanup_link struct rtnl_link *changes = named(device, ret);

    if (!changes)
        return -1;
    rtnl_link_set_ifalias(changes, alias);
    return change(nl, device, changes, "set the alias of", ret);
}

int link_add_veth(struct netlink *nl, const struct link_veth *veth, uint8_t ret_outer_mac[MAC_LENGTH],
                  uint8_t ret_inner_mac[MAC_LENGTH], struct error **ret)
{
    if (check_name(veth->outer, ret) < 0 || check_name(veth->inner, ret) < 0 || add_pair(nl, veth, ret) < 0)
        return -1;
    /* An alias in the request that makes the device is ignored. */
    if (without_addresses(nl, veth->outer, ret) < 0 ||
        (veth->alias && link_set_alias(nl, veth->outer, veth->alias, ret) < 0)) {
        (void)link_delete(nl, veth->outer, NULL); /* the first error is the one to tell */
        return -1;
    }
    memcpy(ret_outer_mac, outer_mac, MAC_LENGTH);
    memcpy(ret_inner_mac, inner_mac, MAC_LENGTH);
    return 0;
}

/* ---- aliases ---- */

#define DUMPS_MOST 8 /* one is not of one moment if devices come and go meanwhile */

struct aliases {
    struct strings names, aliases;
};

static int keep_alias(struct nl_msg *message, void *user)
{
    struct aliases *found = user;
    struct nlattr *attributes[IFLA_MAX + 1];

    if (nlmsg_parse(nlmsg_hdr(message), sizeof(struct ifinfomsg), attributes, IFLA_MAX, NULL) < 0 ||
        !attributes[IFLA_IFNAME] || !attributes[IFLA_IFALIAS])
        return NL_SKIP;
    strings_add(&found->names, nla_get_string(attributes[IFLA_IFNAME])); /* the kernel ends both with NUL */
    strings_add(&found->aliases, nla_get_string(attributes[IFLA_IFALIAS]));
    return NL_OK;
}

/* Asks for all veth devices (old kernels ignore the kind, and answer with all). */
static int send_dump(struct nl_sock *socket)
{
    struct ifinfomsg about = {.ifi_family = AF_UNSPEC};
    struct nl_msg *message = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);
    struct nlattr *info;
    int result = -NLE_NOMEM;

    if (message && nlmsg_append(message, &about, sizeof about, NLMSG_ALIGNTO) == 0 &&
        nla_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) == 0 &&
        (info = nla_nest_start(message, IFLA_LINKINFO)) &&
        nla_put_string(message, IFLA_INFO_KIND, "veth") == 0 && nla_nest_end(message, info) == 0)
        result = nl_send_auto(socket, message);
    nlmsg_free(message);
    return result;
}

static int dump_aliases(struct netlink *nl, struct aliases *found)
{
    struct nl_sock *socket = netlink_socket(nl);
    struct nl_cb *callbacks = nl_socket_get_cb(socket); /* takes a reference */
    struct nl_cb *own = nl_cb_clone(callbacks);
    int result = own ? nl_cb_set(own, NL_CB_VALID, NL_CB_CUSTOM, keep_alias, found) : -NLE_NOMEM;

    if (result == 0)
        result = send_dump(socket);
    if (result >= 0)
        result = nl_recvmsgs(socket, own);
    nl_cb_put(own);
    nl_cb_put(callbacks);
    return result;
}

int link_each_alias(struct netlink *nl, void (*fn)(void *user, const char *name, const char *alias),
                    void *user, struct error **ret)
{
    struct aliases found = {0};
    int result = -NLE_DUMP_INTR;

    for (int i = 0; i < DUMPS_MOST && result == -NLE_DUMP_INTR; i++) {
        strings_free(&found.names);
        strings_free(&found.aliases);
        found = (struct aliases){0};
        result = dump_aliases(nl, &found);
    }
    /* If it never is of one moment, what is there all the time is in it nevertheless. */
    if (result >= 0 || result == -NLE_DUMP_INTR)
        for (size_t i = 0; i < found.names.count; i++)
            fn(user, found.names.list[i], found.aliases.list[i]);
    strings_free(&found.names);
    strings_free(&found.aliases);
    if (result >= 0 || result == -NLE_DUMP_INTR)
        return 0;
    return netlink_failed(nl, result, ret, "cannot list network devices");
}

int link_facts(struct netlink *nl, const char *device, struct link_facts *ret_facts, struct error **ret)
{
    cleanup_link struct rtnl_link *link = get(nl, device, ret);
    const struct nl_addr *address;
    unsigned flags;

    if (!link)
        return -1;
    address = rtnl_link_get_addr(link);
    flags = rtnl_link_get_flags(link);
    *ret_facts = (struct link_facts){
        .up = flags & IFF_UP,
        .running = rtnl_link_get_operstate(link) == OPERSTATE_UP,
        .mtu = rtnl_link_get_mtu(link),
    };
    ret_facts->arp = rtnl_link_get_arptype(link) == ARPHRD_ETHER && !(flags & (IFF_NOARP | IFF_LOOPBACK)) &&
                     address && nl_addr_get_len(address) == MAC_LENGTH;
    if (ret_facts->arp)
        memcpy(ret_facts->mac, nl_addr_get_binary_addr(address), MAC_LENGTH);
    return 0;
}

/* Settings are an array, of which those are sent that are set. */
static int set_ipv4(struct netlink *nl, const char *device, const unsigned settings[][2], size_t count,
                    struct error **ret)
{
    cleanup_link struct rtnl_link *changes = named(device, ret);

    if (!changes)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (rtnl_link_inet_set_conf(changes, settings[i][0], settings[i][1]) < 0)
            return error_sys(ret, ERROR_FAILED, ENOMEM, "cannot route over %s", device);
    return change(nl, device, changes, "route over", ret);
}

int link_set_forwarding(struct netlink *nl, const char *device, unsigned value, struct error **ret)
{
    const unsigned settings[][2] = {{IPV4_DEVCONF_FORWARDING, value}};

    return set_ipv4(nl, device, settings, 1, ret);
}

int link_set_tag(struct netlink *nl, const char *device, unsigned value, struct error **ret)
{
    const unsigned settings[][2] = {{IPV4_DEVCONF_TAG, value}};

    return set_ipv4(nl, device, settings, 1, ret);
}

int link_check_sources(struct netlink *nl, const char *device, struct error **ret)
{
    static const unsigned settings[][2] = {{IPV4_DEVCONF_RP_FILTER, 1}};

    return set_ipv4(nl, device, settings, 1, ret);
}

int link_forward(struct netlink *nl, const char *device, struct error **ret)
{
    static const unsigned settings[][2] = {{IPV4_DEVCONF_FORWARDING, 1}, {IPV4_DEVCONF_RP_FILTER, 1}};

    return set_ipv4(nl, device, settings, 2, ret);
}

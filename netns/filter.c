/* A clsact queueing discipline with one classic BPF program each way, which decides by itself (direct
 * action). Classic programs need no capability but CAP_NET_ADMIN, and no action module.
 *
 * A load beyond the packet's end makes a classic program return 0, and 0 lets the packet pass (TC_ACT_OK): so
 * every load from the packet stands behind a check of its length. Both ways, offset 0 is the Ethernet header.
 * A VLAN tag is taken off before either program runs; the kernel remembers that there was one.
 *
 * The way round: a packet from the pod can carry the mark "do not classify again" (skb->tc_skip_classify),
 * which an ifb device sets and which outlives the step through a veth pair (seen on 6.18). So one who has
 * net_admin in the pod's namespace can send past the ingress program with traffic control of his own. What
 * holds him then is routing: with rp_filter on and without an address on the outer end, the kernel takes only
 * packets whose source it would send to over that very device, even if the setting is "loose" (2). He can
 * then send from his own addresses to places that are not his peers, and gets no answer: the egress program
 * has no way round. IPv6 has no rp_filter: sources.h has what stands in for it. */
#include "netns/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <string.h>

#include "netns/filter_program.h"
#include "netns/link.h"

#define PREFERENCE 1 /* of the program among others; there are none */
#define HANDLE     1

void program_add(struct program *program, const struct sock_filter *code, size_t count)
{
    memcpy(program->code + program->length, code, count * sizeof *code);
    program->length = (uint16_t)(program->length + count);
}

/* ---- to the kernel ---- */

/* It says ENOENT for a module that it neither has nor finds. */
static int failed(const struct netlink *nl, int result, const char *device, struct error **ret)
{
    int sys = netlink_errno(nl, result);

    if (sys == ENOENT || sys == EOPNOTSUPP)
        return error_sys(ret, ERROR_HOST, sys,
                         "cannot filter packets on %s: the kernel lacks traffic control by BPF (modules "
                         "sch_ingress and cls_bpf)",
                         device);
    return netlink_failed(nl, result, ret, "cannot filter packets on %s", device);
}

/* A message about the device with this kind in it; NULL if there is no memory. */
static struct nl_msg *new_message(int type, int flags, const struct tcmsg *about, const char *kind)
{
    struct nl_msg *message = nlmsg_alloc_size(NLMSG_HDRLEN + sizeof(struct program) + 1024);

    if (message && nlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags) &&
        nlmsg_append(message, (void *)about, sizeof *about, NLMSG_ALIGNTO) == 0 &&
        nla_put_string(message, TCA_KIND, kind) == 0)
        return message;
    nlmsg_free(message);
    return NULL;
}

static int add_clsact(struct netlink *nl, int index, const char *device, struct error **ret)
{
    const struct tcmsg about = {.tcm_family = AF_UNSPEC,
                                .tcm_ifindex = index,
                                .tcm_parent = TC_H_CLSACT,
                                .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0)};
    struct nl_msg *message = new_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &about, "clsact");
    int result;

    if (!message)
        return error_sys(ret, ERROR_FAILED, ENOMEM, "cannot filter packets on %s", device);
    result = nl_send_sync(netlink_socket(nl), message); /* frees it */
    if (result < 0 && netlink_errno(nl, result) != EEXIST)
        return failed(nl, result, device, ret);
    return 0;
}

/* Installs the program, or puts it in the place of the one that is there, between two packets. */
static int set_program(struct netlink *nl, int index, uint32_t hook, const struct program *program,
                       const char *device, struct error **ret)
{
    const struct tcmsg about = {.tcm_family = AF_UNSPEC,
                                .tcm_ifindex = index,
                                .tcm_parent = TC_H_MAKE(TC_H_CLSACT, hook),
                                .tcm_handle = HANDLE,
                                .tcm_info = TC_H_MAKE((uint32_t)PREFERENCE << 16, htons(ETH_P_ALL))};
    struct nl_msg *message = new_message(RTM_NEWTFILTER, NLM_F_CREATE, &about, "bpf");
    struct nlattr *options = message ? nla_nest_start(message, TCA_OPTIONS) : NULL;
    int result;

    if (!options || nla_put_u16(message, TCA_BPF_OPS_LEN, program->length) < 0 ||
        nla_put(message, TCA_BPF_OPS, (int)(program->length * sizeof *program->code), program->code) < 0 ||
        nla_put_u32(message, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT) < 0 ||
        nla_nest_end(message, options) < 0) {
        nlmsg_free(message);
        return error_sys(ret, ERROR_FAILED, ENOMEM, "cannot filter packets on %s", device);
    }
    result = nl_send_sync(netlink_socket(nl), message);
    return result < 0 ? failed(nl, result, device, ret) : 0;
}

static int set_both(struct netlink *nl, int index, const struct program *ingress,
                    const struct program *egress, const char *device, struct error **ret)
{
    if (set_program(nl, index, TC_H_MIN_INGRESS, ingress, device, ret) < 0)
        return -1;
    return set_program(nl, index, TC_H_MIN_EGRESS, egress, device, ret);
}

int filter_close(struct netlink *nl, const char *device, struct error **ret)
{
    struct program drop = {0};
    int index;

    ADD(&drop, DROP);
    if (link_index(nl, device, &index, ret) < 0 || add_clsact(nl, index, device, ret) < 0)
        return -1;
    return set_both(nl, index, &drop, &drop, device, ret);
}

/* An address of the other family would be read beyond its end. */
static int check(const struct filter_network *networks, size_t count, size_t most, int family,
                 const char *device, struct error **ret)
{
    unsigned longest = family == AF_INET6 ? 128 : 32;

    if (count > most)
        return error_set(ret, ERROR_INPUT, "%zu networks are too many to filter on %s: %zu are the most",
                         count, device, most);
    for (size_t i = 0; i < count; i++)
        if (networks[i].family != family || networks[i].prefix > longest)
            return error_sys(ret, ERROR_INPUT, EAFNOSUPPORT, "cannot filter packets on %s", device);
    return 0;
}

int filter_open(struct netlink *nl, const char *device, const struct filter_network *own, size_t own_count,
                const struct filter_network *peers, size_t peer_count, struct error **ret)
{
    const struct networks networks = {own, peers, own_count, peer_count};
    int family = own_count ? own->family : peer_count ? peers->family : AF_INET, index;
    bool six = family == AF_INET6;
    struct program ingress = {0}, egress = {0};

    if (family != AF_INET && !six)
        return error_sys(ret, ERROR_INPUT, EAFNOSUPPORT, "cannot filter packets on %s", device);
    if (check(own, own_count, six ? FILTER_OWN6_MOST : FILTER_OWN_MOST, family, device, ret) < 0 ||
        check(peers, peer_count, FILTER_PEERS_MOST, family, device, ret) < 0 ||
        link_index(nl, device, &index, ret) < 0)
        return -1;
    (six ? ipv6_ingress : ipv4_ingress)(&ingress, &networks);
    (six ? ipv6_egress : ipv4_egress)(&egress, &networks);
    return set_both(nl, index, &ingress, &egress, device, ret);
}

/* A clsact queueing discipline with one classic BPF program each way, which decides by itself (direct
 * action). Classic programs need no capability but CAP_NET_ADMIN, and no action module.
 *
 * A load beyond the packet's end makes a classic program return 0, and 0 lets the packet pass (TC_ACT_OK): so
 * every load from the packet stands behind a check of its length. Both ways, offset 0 is the Ethernet header.
 * A VLAN tag is taken off before either program runs; the kernel remembers that there was one.
 *
 * Packets with IP options are not taken from pods: source routes would name a second destination.
 *
 * The way round: a packet from the pod can carry the mark "do not classify again" (skb->tc_skip_classify),
 * which an ifb device sets and which outlives the step through a veth pair (seen on 6.18). So one who has
 * net_admin in the pod's namespace can send past the ingress program with traffic control of his own. What
 * holds him then is routing: with rp_filter on and without an address on the outer end, the kernel takes only
 * packets whose source it would send to over that very device, even if the setting is "loose" (2). He can
 * then send from his own addresses to places that are not his peers, and gets no answer: the egress program
 * has no way round. */
#include "netns/filter.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netinet/ip_icmp.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <string.h>

#include "netns/link.h"

/* Offsets from the Ethernet header, of an IPv4 packet. */
#define FRAME_TYPE     12
#define IP_VERSION     14
#define IP_FRAGMENT    20
#define IP_PROTOCOL    23
#define IP_SOURCE      26
#define IP_DESTINATION 30
#define IP_END         34

#define OFFSET_MASK 0x1fff /* of IP_FRAGMENT */

#define PREFERENCE 1 /* of the program among others; there are none */
#define HANDLE     1

#define RANGE_LENGTH 3 /* instructions for one network */
#define OTHER_MOST   32

struct program {
    struct sock_filter code[RANGE_LENGTH * (FILTER_OWN_MOST + FILTER_PEERS_MOST) + OTHER_MOST];
    uint16_t length;
};
static_assert(sizeof((struct program *)0)->code / sizeof(struct sock_filter) <= BPF_MAXINSNS, "it fits");

static void add(struct program *program, const struct sock_filter *code, size_t count)
{
    memcpy(program->code + program->length, code, count * sizeof *code);
    program->length = (uint16_t)(program->length + count);
}
#define ADD(program, ...)                                                                                    \
    add(program, (const struct sock_filter[]){__VA_ARGS__},                                                  \
        sizeof((const struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter))

#define DROP BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT)
#define PASS BPF_STMT(BPF_RET | BPF_K, TC_ACT_OK)

/* Goes on behind the next `skip` instructions if the accumulator is an address of one of the networks, else
 * with the next. Conditional jumps are too short for long lists, so each network has a long jump of its own.
 */
static void add_match(struct program *program, const struct filter_network *networks, size_t count,
                      size_t skip)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t mask = networks[i].prefix ? UINT32_MAX << (32 - networks[i].prefix) : 0, first;
        size_t after = (count - 1 - i) * RANGE_LENGTH + skip;

        memcpy(&first, networks[i].address, sizeof first);
        first = ntohl(first) & mask;
        ADD(program, BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2),
            BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, first | ~mask, 1, 0),
            BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)after));
    }
}

/* All but whole, untagged IPv4 headers end here. That it is IPv4 says the kernel, which acts by that, and the
 * frame: a packet socket may make the two differ. */
static void add_head(struct program *program)
{
    ADD(program, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, IP_END, 1, 0),
        DROP, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), DROP,
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 1, 0), DROP,
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, FRAME_TYPE), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 1, 0),
        DROP);
}

/* Passes ICMP errors, whose first part says that they are. */
static void add_errors(struct program *program)
{
    ADD(program, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_PROTOCOL),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 0, 10),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, IP_FRAGMENT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, OFFSET_MASK, 8, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, IP_VERSION), /* X: the length of the IP header */
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, IP_VERSION + 1),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_X, 0, 0, 4), BPF_STMT(BPF_LD | BPF_B | BPF_IND, IP_VERSION),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_DEST_UNREACH, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_TIME_EXCEEDED, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_PARAMETERPROB, 1, 0), DROP, PASS);
}
#define ERRORS_LENGTH 14

struct networks {
    const struct filter_network *own, *peers;
    size_t own_count, peer_count;
};

static void make_ingress(struct program *program, const struct networks *networks)
{
    add_head(program);
    ADD(program, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP_VERSION),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x45, 1, 0), DROP, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_SOURCE));
    add_match(program, networks->own, networks->own_count, 1);
    ADD(program, DROP, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_DESTINATION));
    add_match(program, networks->peers, networks->peer_count, 1);
    ADD(program, DROP, PASS);
}

static void make_egress(struct program *program, const struct networks *networks)
{
    add_head(program);
    ADD(program, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_DESTINATION));
    add_match(program, networks->own, networks->own_count, 1);
    ADD(program, DROP, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_SOURCE));
    add_match(program, networks->peers, networks->peer_count, ERRORS_LENGTH);
    add_errors(program);
    ADD(program, PASS);
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

static int check(const struct filter_network *networks, size_t count, size_t most, const char *device,
                 struct error **ret)
{
    if (count > most)
        return error_set(ret, ERROR_INPUT, "%zu networks are too many to filter on %s: %zu are the most",
                         count, device, most);
    for (size_t i = 0; i < count; i++)
        if (networks[i].family != AF_INET || networks[i].prefix > 32)
            return error_sys(ret, ERROR_INPUT, EAFNOSUPPORT, "cannot filter packets on %s", device);
    return 0;
}

int filter_open(struct netlink *nl, const char *device, const struct filter_network *own, size_t own_count,
                const struct filter_network *peers, size_t peer_count, struct error **ret)
{
    const struct networks networks = {own, peers, own_count, peer_count};
    struct program ingress = {0}, egress = {0};
    int index;

    if (check(own, own_count, FILTER_OWN_MOST, device, ret) < 0 ||
        check(peers, peer_count, FILTER_PEERS_MOST, device, ret) < 0 ||
        link_index(nl, device, &index, ret) < 0)
        return -1;
    make_ingress(&ingress, &networks);
    make_egress(&egress, &networks);
    return set_both(nl, index, &ingress, &egress, device, ret);
}

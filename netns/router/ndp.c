/* Neighbour solicitations go to a group that follows from the address (RFC 4291 2.7.1). The host joins it, so
 * that its device, and switches that listen to who is in which group, let them through; the kernel itself
 * answers for its own addresses only. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "netns/ndp.h"
#include "netns/router/neighbours_protocol.h"

/* A device has much IPv6 that is none of this: the kernel passes over it. Offsets are those of the IPv6
 * header: next header, hop limit, and the type of ICMPv6. */
static int restrict_socket(int socket, struct error **ret)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6 << 8 | 255, 0, 4),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NDP_SOLICITATION, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NDP_ADVERTISEMENT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};

    if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot filter what neighbours say");
    return 0;
}

static bool change_group(int groups, int device, const uint8_t *address, int how)
{
    struct ipv6_mreq group = {.ipv6mr_interface = (unsigned)device};

    ndp_solicited_node(address, group.ipv6mr_multiaddr.s6_addr);
    return setsockopt(groups, IPPROTO_IPV6, how, &group, sizeof group) == 0;
}

static bool join(int groups, int device, const uint8_t *address)
{
    return change_group(groups, device, address, IPV6_JOIN_GROUP);
}

static void leave(int groups, int device, const uint8_t *address)
{
    (void)change_group(groups, device, address, IPV6_LEAVE_GROUP);
}

static bool send_packet(const struct neighbours_link *link, struct ndp_packet *packet, const uint8_t to[6])
{
    uint8_t bytes[NDP_MOST];
    size_t length;

    memcpy(packet->mac, link->mac, sizeof packet->mac);
    length = ndp_encode(packet, bytes);
    return neighbours_send(link, ETH_P_IPV6, to, bytes, length);
}

static bool ask(const struct neighbours_link *link, const uint8_t *sender, const uint8_t *target)
{
    struct ndp_packet packet = {.kind = NDP_SOLICITATION, .has_mac = sender};
    uint8_t to[6];

    if (sender)
        memcpy(packet.source, sender, sizeof packet.source);
    memcpy(packet.target, target, sizeof packet.target);
    ndp_solicited_node(target, packet.destination);
    ndp_group_mac(packet.destination, to);
    return send_packet(link, &packet, to);
}

/* To all, as nobody has asked, or somebody who has no address yet (RFC 4861 7.2.4). */
static void tell_all(const struct neighbours_link *link, const uint8_t *address)
{
    struct ndp_packet packet = {.kind = NDP_ADVERTISEMENT, .override = true, .has_mac = true};
    uint8_t to[6];

    memcpy(packet.source, address, sizeof packet.source);
    memcpy(packet.target, address, sizeof packet.target);
    memcpy(packet.destination, ndp_all_nodes, sizeof packet.destination);
    ndp_group_mac(packet.destination, to);
    (void)send_packet(link, &packet, to);
}

static void answer(const struct neighbours_link *link, const struct heard *heard)
{
    static const uint8_t nobody[16];
    struct ndp_packet packet = {
        .kind = NDP_ADVERTISEMENT, .solicited = true, .override = true, .has_mac = true};

    if (memcmp(heard->used, nobody, sizeof nobody) == 0) {
        tell_all(link, heard->wanted);
        return;
    }
    memcpy(packet.source, heard->wanted, sizeof packet.source);
    memcpy(packet.target, heard->wanted, sizeof packet.target);
    memcpy(packet.destination, heard->used, sizeof packet.destination);
    (void)send_packet(link, &packet, heard->mac); /* if it is lost, they ask again */
}

/* Probes do not tell whose they are: the frame does. */
static bool parse(const void *bytes, size_t length, const struct sockaddr_ll *from, struct heard *ret)
{
    struct ndp_packet packet;

    if (from->sll_halen != sizeof ret->mac || !ndp_parse(bytes, length, &packet))
        return false;
    memcpy(ret->mac, from->sll_addr, sizeof ret->mac);
    if (packet.kind == NDP_SOLICITATION) {
        memcpy(ret->wanted, packet.target, sizeof ret->wanted);
        memcpy(ret->used, packet.source, sizeof ret->used);
    } else {
        memcpy(ret->used, packet.target, sizeof ret->used);
    }
    return true;
}

const struct protocol neighbours_ndp = {
    .type = ETH_P_IPV6,
    .length = 16,
    .restrict_socket = restrict_socket,
    .join = join,
    .leave = leave,
    .ask = ask,
    .answer = answer,
    .tell_all = tell_all,
    .parse = parse,
};

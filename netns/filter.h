/* What may pass the outer end of a pod's veth pair, whatever is done in the pod. It hangs on the device and
 * vanishes with it; the rest of the host's traffic never meets it. tc-bpf(8).
 *
 * "Ingress" is what the pod sends, "egress" what is sent to it. Closed, a device passes nothing either way,
 * ARP and neighbour discovery included: neighbours have to be permanent. Open, it passes, of the one IP that
 * the networks are of and of nothing else,
 *   - from the pod: packets from one of `own` to one of `peers`, without IP options; IPv6: TCP, UDP, ICMPv6,
 *                   SCTP and ESP, without extension headers but that of fragments;
 *   - to the pod:   packets from one of `peers` to one of `own`, and ICMP errors (destination unreachable,
 *                   time exceeded, parameter problem, IPv6: packet too big) from anybody to one of `own`.
 * Fragments count by their addresses; those of an ICMP error pass as far as its type is in them.
 *
 * This is not the only thing that has to stand between a pod and the network: see filter.c, "The way round".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "netns/netlink.h"
#include "src/base/error.h"

#define FILTER_OWN_MOST   1024 /* IPv4 */
#define FILTER_OWN6_MOST  384  /* IPv6: addresses are longer, and programs are not */
#define FILTER_PEERS_MOST 64

struct filter_network {
    int family;          /* AF_INET or AF_INET6, the same for all */
    uint8_t address[16]; /* in network byte order; the bits behind `prefix` do not matter */
    unsigned prefix;
};

/* Both return 0, or -1 with an error that names the device, and then nothing is more open than before. A
 * kernel that lacks what they need is an ERROR_HOST that says what. The device has to be down for its first
 * filter_close(), or it passes all until then; later ones replace what is there without a gap, as
 * filter_open() does. More networks than the above are refused. */
int filter_close(struct netlink *nl, const char *device, struct error **ret);
int filter_open(struct netlink *nl, const char *device, const struct filter_network *own, size_t own_count,
                const struct filter_network *peers, size_t peer_count, struct error **ret);

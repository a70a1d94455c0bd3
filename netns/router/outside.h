/* A device under test outside, inside of the router: shared by outside.c (what is there, and how it is
 * reached) and outside_pods.c (pods that reach it) only. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>

#include "netns/filter.h"
#include "netns/router/neighbours.h"
#include "netns/router/policy.h"
#include "netns/router/router.h"
#include "src/base/text.h"

struct outside {
    struct network network; /* that addresses of pods are in */
    int family;             /* of all addresses: AF_INET or AF_INET6 */
    char dut[INET6_ADDRSTRLEN];
    char next[INET6_ADDRSTRLEN]; /* whom a packet for it goes to first: itself or a gateway */
    int uplink;                  /* the device that the network is on; 0: none */
    char uplink_name[IFNAMSIZ];
    unsigned mtu;                  /* of it; 0: as devices have it */
    struct netlink *sources;       /* while it is open, sources of IPv6 packets from pods are checked */
    struct neighbours *neighbours; /* NULL: nobody else could have an address there */
    bool forwards;                 /* pods reach more than this host */
    int lock;                      /* held shared while devices forward for us, -1: none do */
    struct policy *policy;         /* NULL: anything is allowed */
    struct strings gateways;       /* addresses of routers are no pod's */
    struct filter_network peers[FILTER_PEERS_MOST]; /* whom pods reach */
    size_t peer_count;
};

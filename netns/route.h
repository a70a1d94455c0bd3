/* Addresses, routes and neighbours, in the namespace of the netlink socket. rtnetlink(7).
 *
 * Addresses are text, IPv4 or IPv6. All functions return 0, or -1 with an error that names what was asked
 * for; text that is no address is ERROR_INPUT, one that is there already is an error with errno EEXIST. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netns/netlink.h"
#include "src/base/error.h"
#include "src/base/network.h"

/* Gives `device` the address `address`/`prefix`; prefix -1: of its own only (32, 128). An IPv6 address can be
 * used at once: there is no duplicate address detection (RFC 4862 5.4), which would take a second or two. */
int address_add(struct netlink *nl, const char *device, const char *address, int prefix, struct error **ret);

struct route {
    const char *destination; /* "default" (without a gateway the IPv4 one), ADDRESS or ADDRESS/PREFIX */
    const char *gateway;     /* NULL: none. It need not lie in a network of the device (onlink) */
    const char *source;      /* what is sent over it comes from there unless the sender says, NULL: any */
    const char *device;
    unsigned table;    /* 0: main */
    unsigned protocol; /* whose route it is, rtnetlink(7); 0: RTPROT_STATIC */
    unsigned metric;
};

int route_add(struct netlink *nl, const struct route *route, struct error **ret);
int route_delete(struct netlink *nl, const struct route *route, struct error **ret);

/* Packets that come in over `input` from the address `source` are looked up in `table`. Rules stay when the
 * device goes: they have to be deleted, or to end with the namespace. */
struct route_rule {
    const char *input, *source;
    unsigned table, priority;
};

int route_rule_add(struct netlink *nl, const struct route_rule *rule, struct error **ret);
int route_rule_delete(struct netlink *nl, const struct route_rule *rule, struct error **ret);

/* A permanent neighbour, in the place of one that is there for that address. */
int neighbour_add(struct netlink *nl, const char *device, const char *address, const uint8_t mac[6],
                  struct error **ret);
int neighbour_delete(struct netlink *nl, const char *device, const char *address, struct error **ret);

/* How the kernel would send to an address now. */
struct route_found {
    bool reachable;      /* else the rest means nothing */
    bool local;          /* it is an address of this host's own */
    bool unicast;        /* not local, broadcast, multicast or refused */
    unsigned prefix;     /* length of the destination in the route that decides */
    int device;          /* index */
    const char *gateway; /* NULL: it is on the link itself */
    char gateway_text[46];
};

int route_find(struct netlink *nl, const char *address, struct route_found *ret_found, struct error **ret);

/* Calls fn(user, gateway) for each gateway of the main table's IPv4 (AF_INET) or IPv6 routes. */
int route_gateways(struct netlink *nl, int family, void (*fn)(void *user, const char *gateway), void *user,
                   struct error **ret);

/* Calls fn(user, device) for each hop of routes of the main table to anything in `network`, but those of this
 * protocol. */
int route_each_hop(struct netlink *nl, const struct network *network, unsigned but_protocol,
                   void (*fn)(void *user, int device), void *user, struct error **ret);

/* The length of the network that `device` has `address` in by an address of its own, 0 if it has none such.
 */
int route_link_prefix(struct netlink *nl, int device, const char *address, unsigned *ret_prefix,
                      struct error **ret);

/* An address of that family that the device has, which is not one of its link only or being given up, and the
 * length of its network; "": it has none. */
int address_of_device(struct netlink *nl, int device, int family, char ret_address[46], unsigned *ret_prefix,
                      struct error **ret);

/* Whether the device has an IPv6 address of its link (fe80::) that it can use. */
int address_of_link(struct netlink *nl, int device, bool *ret_has, struct error **ret);

/* The device that has `address`, as index; 0: none. */
int address_device(struct netlink *nl, const char *address, int *ret_device, struct error **ret);

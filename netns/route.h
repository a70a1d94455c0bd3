/* Addresses, routes and neighbours, in the namespace of the netlink socket. rtnetlink(7).
 *
 * Addresses are text, IPv4 or IPv6. All functions return 0, or -1 with an error that names what was asked
 * for; text that is no address is ERROR_INPUT, one that is there already is an error with errno EEXIST. */
#pragma once

#include <stdint.h>

#include "netns/netlink.h"
#include "src/base/error.h"

/* Gives `device` the address `address`/`prefix`; prefix -1: of its own only (32, 128). An IPv6 address can be
 * used at once: there is no duplicate address detection (RFC 4862 5.4), which would take a second or two. */
int address_add(struct netlink *nl, const char *device, const char *address, int prefix, struct error **ret);

/* A route to "default", an address or ADDRESS/PREFIX over `device`, by way of `gateway` unless that is NULL.
 * The gateway need not lie in a network of the device (onlink). "default" without a gateway is the IPv4 one.
 */
int route_add(struct netlink *nl, const char *destination, const char *gateway, const char *device,
              struct error **ret);

/* A permanent neighbour, in the place of one that is there for that address. */
int neighbour_add(struct netlink *nl, const char *device, const char *address, const uint8_t mac[6],
                  struct error **ret);

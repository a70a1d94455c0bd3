/* Network devices by name, in the namespace of the netlink socket. rtnetlink(7), veth(4).
 *
 * All return 0, or -1 with an error that names the device and carries the kernel's words. Names are 1 to 15
 * bytes long; longer ones are refused, not cut. */
#pragma once

#include <stdint.h>

#include "netns/netlink.h"
#include "src/base/error.h"

#define MAC_LENGTH 6

int link_index(struct netlink *nl, const char *device, int *ret_index, struct error **ret);
int link_mac(struct netlink *nl, const char *device, uint8_t ret_mac[MAC_LENGTH], struct error **ret);

int link_up(struct netlink *nl, const char *device, struct error **ret);
int link_rename(struct netlink *nl, const char *device, const char *name, struct error **ret);
int link_set_mtu(struct netlink *nl, const char *device, unsigned mtu, struct error **ret);
int link_set_mac(struct netlink *nl, const char *device, const char *mac /* "02:00:00:00:00:01" */,
                 struct error **ret);
int link_delete(struct netlink *nl, const char *device, struct error **ret);

/* Makes a device that only holds addresses: of kind "dummy", or "ifb" where the kernel has no dummy. It is
 * down. *ret_kind (a literal; ret_kind may be NULL) is the kind that it got. */
int link_add_dummy(struct netlink *nl, const char *name, const char **ret_kind, struct error **ret);

/* Makes a veth pair: `outer` here, `inner` in the namespace behind the descriptor `netns` (which stays the
 * caller's), over whose user namespace the caller has CAP_NET_ADMIN too. The outer end is up, its MAC is
 * *ret_outer_mac, and it makes itself no IPv6 address. The inner end is down: the kernel cannot open one end
 * of a pair that is still being made. Whoever has the inner end raises it, and then there is a carrier. */
int link_add_veth(struct netlink *nl, const char *outer, const char *inner, int netns,
                  uint8_t ret_outer_mac[MAC_LENGTH], struct error **ret);

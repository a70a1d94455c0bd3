/* Network devices by name, in the namespace of the netlink socket. rtnetlink(7), veth(4).
 *
 * All return 0, or -1 with an error that names the device and carries the kernel's words. Names are 1 to 15
 * bytes long; longer ones are refused, not cut. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netns/netlink.h"
#include "src/base/error.h"

#define MAC_LENGTH 6

/* "02:00:00:00:00:01" */
bool link_parse_mac(const char *text, uint8_t ret_mac[MAC_LENGTH]);

int link_index(struct netlink *nl, const char *device, int *ret_index, struct error **ret);
int link_mac(struct netlink *nl, const char *device, uint8_t ret_mac[MAC_LENGTH], struct error **ret);

int link_up(struct netlink *nl, const char *device, struct error **ret);
int link_rename(struct netlink *nl, const char *device, const char *name, struct error **ret);
int link_set_mtu(struct netlink *nl, const char *device, unsigned mtu, struct error **ret);
int link_set_mac(struct netlink *nl, const char *device, const char *mac, struct error **ret);
int link_delete(struct netlink *nl, const char *device, struct error **ret);

/* Makes a device that only holds addresses: of kind "dummy", or "ifb" where the kernel has no dummy. It is
 * down. *ret_kind (a literal; ret_kind may be NULL) is the kind that it got. */
int link_add_dummy(struct netlink *nl, const char *name, const char **ret_kind, struct error **ret);

struct link_veth {
    const char *outer, *inner; /* their names */
    int netns;                 /* where the inner end goes */
    bool down;                 /* the outer end is made so: filter_close() can come before link_up() */
    const char *alias;         /* of the outer end, at most 255 bytes; NULL: none */
    unsigned mtu;              /* of both; 0: as the kernel likes */
};

/* Makes a veth pair: `outer` here, `inner` in the namespace behind the descriptor `netns` (which stays the
 * caller's), over whose user namespace the caller has CAP_NET_ADMIN too. The outer end is up unless asked
 * otherwise, and it makes itself no IPv6 address. The inner end is down: the kernel cannot open one end of a
 * pair that is still being made. Whoever has the inner end raises it, and then there is a carrier. Both MACs
 * are known, so that neither end ever has to ask for the other's by ARP. The alias is there a moment later
 * than the device. */
int link_add_veth(struct netlink *nl, const struct link_veth *veth, uint8_t ret_outer_mac[MAC_LENGTH],
                  uint8_t ret_inner_mac[MAC_LENGTH], struct error **ret);
int link_set_alias(struct netlink *nl, const char *device, const char *alias, struct error **ret);

/* Calls fn() for every veth device here that has an alias, once all have been listed. */
int link_each_alias(struct netlink *nl, void (*fn)(void *user, const char *name, const char *alias),
                    void *user, struct error **ret);

/* Waits, for `timeout_ms` at most, until the device takes packets. One end of a veth pair does not as soon as
 * the other is up, but when a kernel thread has told it: what is sent before is lost. */
int link_await_up(struct netlink *nl, const char *device, int timeout_ms, struct error **ret);

/* Waits, for `timeout_ms` at most, until no veth device has that alias any more. */
int link_await_none(struct netlink *nl, const char *alias, int timeout_ms, struct error **ret);

/* What a device is. */
struct link_facts {
    bool up, running, arp;   /* `arp`: Ethernet, and neighbours are found by ARP */
    uint8_t mac[MAC_LENGTH]; /* with `arp` only */
    unsigned mtu;
};

int link_facts(struct netlink *nl, const char *device, struct link_facts *ret_facts, struct error **ret);

/* Sets net.ipv4.conf.DEVICE.forwarding, by netlink, as /proc/sys is read-only in some containers. */
int link_set_forwarding(struct netlink *nl, const char *device, unsigned value, struct error **ret);

/* Sets net.ipv4.conf.DEVICE.tag, which means nothing to the kernel. */
int link_set_tag(struct netlink *nl, const char *device, unsigned value, struct error **ret);

/* Has the kernel take only such IPv4 packets from `device` whose source it would itself send over that device
 * (RFC 3704 2.2, strict: unless net.ipv4.conf.all.rp_filter is 2). */
int link_check_sources(struct netlink *nl, const char *device, struct error **ret);

/* That, and has it forward them. */
int link_forward(struct netlink *nl, const char *device, struct error **ret);

/* The flag of devices that lead outside by which the kernel forwards what comes in over them: turned on for
 * as long as there are runs that need it, and then back.
 *
 * IPv4: net.ipv4.conf.DEVICE.forwarding. Any number but 0 means on, so that the kernel itself remembers who
 * turned it on: ours is 198, and a 1 of the administrator's is never touched.
 *
 * IPv6: net.ipv6.conf.DEVICE.force_forwarding (Linux 6.17). net.ipv6.conf.*.forwarding is never written: with
 * it a host gives up the default route that it has from a router's advertisements. The flag takes 0 and 1
 * only; so the device's net.ipv4.conf.DEVICE.tag, a number that the kernel keeps for whoever wants it, is 198
 * while the flag is ours. Where net.ipv6.conf.all.forwarding is on nothing has to be done.
 *
 * Each run that needs a flag holds a shared lock; who gets the exclusive one at its end was the last, and
 * restores all that are ours, also what killed runs left. */
#pragma once

#include <stdbool.h>

#include "netns/netlink.h"
#include "src/base/error.h"
#include "src/base/text.h"

#define FORWARDING_OURS 198

/* What is locked (flock(2)): root's folder of the policy, which stays the same when an editor puts a new file
 * into it; on a host without one, where root alone has runs, the network namespace. The descriptor is the
 * caller's; -1 on failure. */
int forwarding_open(struct error **ret);

/* Holds it shared. Fails after two seconds if somebody holds it exclusively. */
int forwarding_lock(int lock, struct error **ret);

/* Gives the lock back, and as the last one restores all flags. The caller has CAP_NET_ADMIN raised. */
int forwarding_unlock(struct netlink *nl, int lock, struct error **ret);

/* 1, 0, or -1 on failure. AF_INET or AF_INET6. */
int forwarding_is_on(int family, const char *device, struct error **ret);

/* Its net.ipv4.conf.DEVICE.tag; -1 on failure. */
long forwarding_tag(const char *device, struct error **ret);

/* Whether it could be turned on for IPv6: the kernel has the flag, or forwards anyway. */
bool forwarding_is_possible_ipv6(const char *device);

/* If it is not on. The caller holds the lock, and has CAP_NET_ADMIN raised. */
int forwarding_turn_on(struct netlink *nl, int family, const char *device, struct error **ret);

/* Of a device of our own, which need not be restored: IPv6. The caller has CAP_NET_ADMIN raised. */
int forwarding_turn_on_own(const char *device, struct error **ret);

/* The devices whose flag is ours. With the exclusive lock in hand these are left by killed runs. */
int forwarding_list(int family, struct strings *ret_devices, struct error **ret);

/* Whether there are runs that hold the lock. It is taken for a moment. */
bool forwarding_in_use(int lock);

/* Sets one of the numbers below net.ipv4.conf.DEVICE. */
enum forwarding_setting { FORWARDING_FLAG, FORWARDING_TAG };
typedef int forwarding_set(void *user, const char *device, enum forwarding_setting setting, unsigned value,
                           struct error **ret);

/* One that writes to /proc/sys; `user` is not used. */
forwarding_set forwarding_set_by_proc;

/* Restores those that are ours; *ret_restored are the devices, each once. Returns 1, and does nothing, if
 * there are runs that hold the lock. */
int forwarding_restore(int lock, forwarding_set *set, void *user, struct strings *ret_restored,
                       struct error **ret);

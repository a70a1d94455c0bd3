/* The flag net.ipv4.conf.DEVICE.forwarding of devices that lead outside: turned on for as long as there are
 * runs that need it, and then back.
 *
 * Any number but 0 means on, so that the kernel itself remembers who turned it on: ours is 198, and a 1 of
 * the administrator's is never touched. Each run that needs a flag holds a shared lock; who gets the
 * exclusive one at its end was the last, and restores all that are 198, also what killed runs left. */
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

/* 1, 0, or -1 on failure. */
int forwarding_is_on(const char *device, struct error **ret);

/* If it is not on. The caller holds the lock, and has CAP_NET_ADMIN raised. */
int forwarding_turn_on(struct netlink *nl, const char *device, struct error **ret);

/* The devices whose flag is 198. With the exclusive lock in hand these are left by killed runs. */
int forwarding_list(struct strings *ret_devices, struct error **ret);

/* Whether there are runs that hold the lock. It is taken for a moment. */
bool forwarding_in_use(int lock);

/* Sets the flag of a device. */
typedef int forwarding_set(void *user, const char *device, unsigned value, struct error **ret);

/* One that writes to /proc/sys; `user` is not used. */
int forwarding_set_by_proc(void *user, const char *device, unsigned value, struct error **ret);

/* Restores those that are 198; *ret_restored are those. Returns 1, and does nothing, if there are runs that
 * hold the lock. */
int forwarding_restore(int lock, forwarding_set *set, void *user, struct strings *ret_restored,
                       struct error **ret);

/* Answers for addresses of pods, on the device by which others reach them, and finds out before whether
 * somebody there has an address already (RFC 5227, RFC 4862 5.4, with shorter waits): by ARP those of IPv4,
 * by neighbour solicitations those of IPv6.
 *
 * A device that goes down ends nothing: while it is down nobody can ask, and when it is up again everything
 * goes on. An address that could not be probed meanwhile, as no probe went out at all, counts as taken, by
 * the MAC 00:00:00:00:00:00.
 *
 * Callbacks may probe, announce and forget any address; they must not close. */
#pragma once

#include <stdint.h>

#include "src/base/error.h"
#include "src/base/loop.h"

#define NEIGHBOURS_PROBE_MS 100 /* until an address is known to be free */

struct neighbours;

/* AF_INET or AF_INET6, whose addresses have 4 bytes or 16. `mac` is the device's. The caller holds
 * CAP_NET_RAW for this call only. NULL on failure. */
struct neighbours *neighbours_open(struct loop *loop, int family, int device, const uint8_t mac[6],
                                   struct error **ret);
void neighbours_close(struct neighbours *neighbours); /* no callback comes any more; NULL is fine */

/* Asks for the address, several times. As soon as it is known to be taken, `done` gets the MAC of who has it
 * or wants it, and it is forgotten; NEIGHBOURS_PROBE_MS later at the latest `done` gets NULL, and it is
 * answered for and defended from then on. For an address that is known already all begins anew. `done` does
 * not come before neighbours_probe() returns. */
void neighbours_probe(struct neighbours *neighbours, const uint8_t *address,
                      void (*done)(void *user, const uint8_t *conflict_mac), void *user);

/* Asks for `target` in the name of `address`: then `target` knows whom to send to, and need not ask. */
void neighbours_announce(struct neighbours *neighbours, const uint8_t *address, const uint8_t *target);

/* No more answers for it; if it is being probed, its `done` does not come. An unknown one is fine. */
void neighbours_forget(struct neighbours *neighbours, const uint8_t *address);

/* Answers ARP for addresses of pods, on the device by which others reach them, and finds out before whether
 * somebody there has an address already (RFC 5227, with shorter waits).
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

#define ARP_PROBE_MS 100 /* until an address is known to be free */

struct arp;

/* `mac` is the device's. The caller holds CAP_NET_RAW for this call only. NULL on failure. */
struct arp *arp_open(struct loop *loop, int device, const uint8_t mac[6], struct error **ret);
void arp_close(struct arp *arp); /* no callback comes any more; NULL is fine */

/* Asks for the address, several times. As soon as it is known to be taken, `done` gets the MAC of who has it
 * or wants it, and it is forgotten; ARP_PROBE_MS later at the latest `done` gets NULL, and it is answered
 * for and defended from then on. For an address that is known already all begins anew. `done` does not come
 * before arp_probe() returns. */
void arp_probe(struct arp *arp, const uint8_t address[4],
               void (*done)(void *user, const uint8_t *conflict_mac), void *user);

/* Asks everybody for `target` in the name of `address`: then `target` knows whom to send to, and need not
 * ask. */
void arp_announce(struct arp *arp, const uint8_t address[4], const uint8_t target[4]);

/* No more answers for it; if it is being probed, its `done` does not come. An unknown one is fine. */
void arp_forget(struct arp *arp, const uint8_t address[4]);

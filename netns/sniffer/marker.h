/* Marker frames: sent on an interface, they come out of its capture behind everything that was sent before.
 * No protocol answers to them: local experimental EtherType 0x88B5 (IEEE 802, RFC 9542), addressed to the
 * hardware address of zeros, and told from all other frames by 16 random bytes at their end, with the number
 * of the drain that they are for in front of these. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/error.h"

#define MARKER_NONCE  16
#define MARKER_LENGTH (sizeof(uint32_t) + MARKER_NONCE) /* at least, behind the link-layer header */

struct marker {
    int socket;
    uint32_t drain; /* what the next ones are for */
    uint8_t nonce[MARKER_NONCE];
};

/* Needs CAP_NET_RAW; sending does not. */
int marker_open(struct marker *marker, struct error **ret);
void marker_close(struct marker *marker);

/* Sends one on the interface with this kernel number, `length` bytes long (at least MARKER_LENGTH) behind the
 * link-layer header. Does not wait. 0, or -1 with errno: ENETDOWN and ENXIO are an interface that is down or
 * gone, EAGAIN and ENOBUFS pass. */
int marker_send(const struct marker *marker, unsigned interface, size_t length);

/* Is this frame one of `marker`'s, and for which drain? */
bool marker_matches(const struct marker *marker, const void *frame, size_t length, uint32_t *ret_drain);

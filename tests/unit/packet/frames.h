/* Frames to test with, put together layer by layer. Every one lies in memory of its own that ends where the
 * frame does, so that a sanitizer sees who reads on. */
#pragma once

#include "include/sippod/packet.h"

#define MAC_A "\x02\x00\x00\x00\x00\x0a" /* the source of every frame */
#define MAC_B "\x02\x00\x00\x00\x00\x0b" /* its destination */

struct frame {
    uint8_t *data;
    size_t length;
};

void frame_add(struct frame *frame, const void *bytes, size_t length);
void frame_add16(struct frame *frame, unsigned number);

void frame_ethernet(struct frame *frame); /* the addresses only: a tag or a type has to follow */
void frame_tag(struct frame *frame, unsigned tpid, unsigned vlan); /* priority 5 */
void frame_ipv4(struct frame *frame, unsigned protocol,
                size_t payload);                                     /* with its type; 10.0.0.1 to 10.0.0.2 */
void frame_ipv6(struct frame *frame, unsigned next, size_t payload); /* with its type; ::1 to ::2 */
void frame_udp(struct frame *frame, unsigned from, unsigned to, size_t payload);
void frame_tcp(struct frame *frame, unsigned from, unsigned to); /* with 4 bytes of options */

/* All of it: Ethernet, IPv4 and UDP from port 5061 to `port`. */
struct frame frame_datagram(unsigned port, const void *payload, size_t length);
struct frame frame_tagged(unsigned vlan); /* 802.1Q, and a datagram */

/* Captured whole, at second 1 of 1970. */
struct sippod_packet frame_packet(const struct frame *frame);
void frame_free(struct frame *frame);
#define cleanup_frame __attribute__((cleanup(frame_free)))

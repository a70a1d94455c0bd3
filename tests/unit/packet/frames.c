#include "tests/unit/packet/frames.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

void frame_add(struct frame *frame, const void *bytes, size_t length)
{
    frame->data = realloc(frame->data, frame->length + length + !length);
    if (!frame->data)
        abort();
    if (length)
        memcpy(frame->data + frame->length, bytes, length);
    frame->length += length;
}

void frame_add16(struct frame *frame, unsigned number)
{
    frame_add(frame, (uint8_t[]){(uint8_t)(number >> 8), (uint8_t)number}, 2);
}

void frame_ethernet(struct frame *frame)
{
    frame_add(frame, MAC_B MAC_A, 12);
}

void frame_tag(struct frame *frame, unsigned tpid, unsigned vlan)
{
    frame_add16(frame, tpid);
    frame_add16(frame, 5U << 13 | vlan);
}

void frame_ipv4(struct frame *frame, unsigned protocol, size_t payload)
{
    frame_add16(frame, 0x0800);
    frame_add(frame, "\x45", 2);
    frame_add16(frame, (unsigned)(20 + payload));
    frame_add(frame, "\0\0\0\0\x40", 5);
    frame_add(frame, &(uint8_t){(uint8_t)protocol}, 1);
    frame_add(frame, "\0\0\x0a\0\0\x01\x0a\0\0\x02", 10);
}

void frame_ipv6(struct frame *frame, unsigned next, size_t payload)
{
    static const uint8_t addresses[32] = {[15] = 1, [31] = 2};

    frame_add16(frame, 0x86dd);
    frame_add(frame, "\x60\0\0", 4);
    frame_add16(frame, (unsigned)payload);
    frame_add(frame, (uint8_t[]){(uint8_t)next, 64}, 2);
    frame_add(frame, addresses, sizeof addresses);
}

void frame_udp(struct frame *frame, unsigned from, unsigned to, size_t payload)
{
    frame_add16(frame, from);
    frame_add16(frame, to);
    frame_add16(frame, (unsigned)(8 + payload));
    frame_add16(frame, 0);
}

void frame_tcp(struct frame *frame, unsigned from, unsigned to)
{
    frame_add16(frame, from);
    frame_add16(frame, to);
    frame_add(frame, "\0\0\0\1\0\0\0\1\x60\x18\1\0\0\0\0\0\1\1\1\1", 20);
}

struct frame frame_datagram(unsigned port, const void *payload, size_t length)
{
    struct frame frame = {0};

    frame_ethernet(&frame);
    frame_ipv4(&frame, IPPROTO_UDP, 8 + length);
    frame_udp(&frame, 5061, port, length);
    frame_add(&frame, payload, length);
    return frame;
}

struct frame frame_tagged(unsigned vlan)
{
    struct frame frame = {0};

    frame_ethernet(&frame);
    frame_tag(&frame, 0x8100, vlan);
    frame_ipv4(&frame, IPPROTO_UDP, 8);
    frame_udp(&frame, 1024, 1025, 0);
    return frame;
}

struct sippod_packet frame_packet(const struct frame *frame)
{
    return (struct sippod_packet){
        .data = frame->data,
        .captured = frame->length,
        .length = frame->length,
        .timestamp_ns = 1000000000,
        .linktype = SIPPOD_LINKTYPE_ETHERNET,
    };
}

void frame_free(struct frame *frame)
{
    free(frame->data);
    *frame = (struct frame){0};
}

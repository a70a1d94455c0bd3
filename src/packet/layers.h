/* What a captured frame consists of. Pure; nothing is read behind what was captured, and nothing that the
 * frame says of its own lengths is believed beyond that. Pointers are into the frame. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/sippod/packet.h"

#define LAYERS_TAGS_MOST 8 /* of VLAN; what lies behind more is not looked at */

struct layers_tag {
    uint16_t tpid; /* 0x8100 (802.1Q), 0x88a8 (802.1ad), 0x9100 */
    uint16_t vlan; /* identifier, 0 to 4095 */
    uint8_t priority;
};

struct layers {
    const uint8_t *destination_mac, *source_mac; /* of 6 bytes; NULL: no Ethernet */
    struct layers_tag tags[LAYERS_TAGS_MOST];    /* the outermost first, the offloaded one among them */
    size_t tag_count;
    uint16_t ethertype; /* behind the tags; 0: cut off or not known */

    int family;                          /* AF_INET or AF_INET6; 0: no IP */
    const uint8_t *source, *destination; /* addresses, of 4 or 16 bytes */
    bool later_fragment;                 /* not the first: it has no header of a transport */
    uint8_t protocol;                    /* IPPROTO_UDP, …; what follows all extension headers */

    bool has_ports; /* UDP or TCP */
    uint16_t source_port, destination_port;
    const uint8_t *payload; /* of UDP or TCP; NULL: none was captured */
    size_t payload_length;  /* bytes of it that were captured */
};

/* Goes as deep as the frame was captured and understood; what lies deeper stays 0. */
void layers_dissect(const struct sippod_packet *packet, struct layers *ret);

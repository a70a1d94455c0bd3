/* The classic capture file (draft-ietf-opsawg-pcap), for tools that do not know pcapng: one link type, no
 * names, microseconds. Pure, as pcapng.h is. */
#pragma once

#include "src/packet/pcapng.h"

/* The header: it opens a file. */
void pcap_add_header(struct buffer *out, uint32_t linktype);

/* The interface of the packet is not told. */
void pcap_add_packet(struct buffer *out, const struct pcapng_packet *packet);

#include "src/packet/pcap.h"

#define MAGIC   0xa1b2c3d4U /* in the byte order of this host: microseconds */
#define SNAPLEN 262144U     /* what tcpdump says; no frame is longer */

struct header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t reserved[2];
    uint32_t snaplen, linktype;
};

struct record {
    uint32_t seconds, microseconds;
    uint32_t captured, original;
};

void pcap_add_header(struct buffer *out, uint32_t linktype)
{
    struct header header = {.magic = MAGIC, .major = 2, .minor = 4, .snaplen = SNAPLEN, .linktype = linktype};

    buffer_add(out, &header, sizeof header);
}

void pcap_add_packet(struct buffer *out, const struct pcapng_packet *packet)
{
    struct record record = {
        .seconds = (uint32_t)(packet->timestamp / 1000000000),
        .microseconds = (uint32_t)(packet->timestamp % 1000000000 / 1000),
        .captured = packet->captured,
        .original = packet->original,
    };

    buffer_add(out, &record, sizeof record);
    buffer_add(out, packet->data, packet->captured);
}

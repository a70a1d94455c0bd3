/* Frames: what is found lies in the frame. The first byte is the link type, its highest bit an offloaded tag.
 */
#include <stdlib.h>

#include "src/packet/layers.h"
#include "src/packet/media.h"
#include "tests/fuzz/fuzz.h"

static void lies_in(const struct sippod_packet *packet, const void *at, size_t length)
{
    const uint8_t *from = at;

    if (at && (from < packet->data || from + length > packet->data + packet->captured))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sippod_packet packet = {0};
    struct layers layers;
    struct sip_start sip;
    struct rtp_header rtp;

    if (!size)
        return 0;
    packet.data = data + 1;
    packet.captured = packet.length = size - 1;
    packet.linktype = *data & 0x7f;
    packet.has_tag = *data >> 7;
    layers_dissect(&packet, &layers);
    lies_in(&packet, layers.source_mac, 6);
    lies_in(&packet, layers.destination_mac, 6);
    lies_in(&packet, layers.source, layers.family ? 4 : 0);
    lies_in(&packet, layers.payload, layers.payload_length);
    if (sip_parse(layers.payload, layers.payload_length, &sip)) {
        lies_in(&packet, sip.method, sip.method_length);
        lies_in(&packet, sip.headers, sip.headers_length);
    }
    if (rtp_parse(layers.payload, layers.payload_length, &rtp) && rtp.length > layers.payload_length)
        abort();
    return 0;
}

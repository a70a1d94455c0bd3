/* ARP packets: what is taken for one is encoded to the very same bytes. */
#include <stdlib.h>
#include <string.h>

#include "netns/arp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arp_packet packet;
    uint8_t again[ARP_LENGTH];

    if (!arp_parse(data, size, &packet))
        return 0;
    arp_encode(&packet, again);
    if (size < ARP_LENGTH || memcmp(again, data, ARP_LENGTH) != 0)
        abort();
    return 0;
}

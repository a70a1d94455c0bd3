#include "netns/arp.h"

#include <string.h>

/* Ethernet, IPv4, addresses of 6 and 4 bytes, and the first byte of the operation. */
static const uint8_t head[7] = {0, 1, 8, 0, 6, 4, 0};

#define OPERATION  7
#define SENDER_MAC 8
#define SENDER     14
#define TARGET_MAC 18
#define TARGET     24

bool arp_parse(const void *bytes, size_t length, struct arp_packet *ret)
{
    const uint8_t *from = bytes;

    if (length < ARP_LENGTH || memcmp(from, head, sizeof head) != 0 ||
        (from[OPERATION] != ARP_REQUEST && from[OPERATION] != ARP_REPLY))
        return false;
    ret->operation = from[OPERATION];
    memcpy(ret->sender_mac, from + SENDER_MAC, sizeof ret->sender_mac);
    memcpy(ret->sender, from + SENDER, sizeof ret->sender);
    memcpy(ret->target_mac, from + TARGET_MAC, sizeof ret->target_mac);
    memcpy(ret->target, from + TARGET, sizeof ret->target);
    return true;
}

void arp_encode(const struct arp_packet *packet, uint8_t ret_bytes[ARP_LENGTH])
{
    memcpy(ret_bytes, head, sizeof head);
    ret_bytes[OPERATION] = (uint8_t)packet->operation;
    memcpy(ret_bytes + SENDER_MAC, packet->sender_mac, sizeof packet->sender_mac);
    memcpy(ret_bytes + SENDER, packet->sender, sizeof packet->sender);
    memcpy(ret_bytes + TARGET_MAC, packet->target_mac, sizeof packet->target_mac);
    memcpy(ret_bytes + TARGET, packet->target, sizeof packet->target);
}

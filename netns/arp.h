/* ARP packets for IPv4 over Ethernet (RFC 826), without the frame round them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARP_LENGTH 28

enum arp_operation { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_packet {
    enum arp_operation operation;
    uint8_t sender_mac[6], sender[4];
    uint8_t target_mac[6], target[4];
};

/* False for all else: another network, another operation, too short. Behind it anything may follow (frames
 * are padded). */
bool arp_parse(const void *bytes, size_t length, struct arp_packet *ret);
void arp_encode(const struct arp_packet *packet, uint8_t ret_bytes[ARP_LENGTH]);

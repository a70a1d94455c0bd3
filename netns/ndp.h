/* Neighbour solicitations and advertisements over Ethernet (RFC 4861), with the IPv6 header before them and
 * without the frame round that. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NDP_MOST 72 /* bytes of one that is encoded */

enum ndp_kind { NDP_SOLICITATION = 135, NDP_ADVERTISEMENT = 136 };

struct ndp_packet {
    enum ndp_kind kind;
    uint8_t source[16], destination[16];
    uint8_t target[16];
    bool solicited, override; /* advertisements only */
    bool has_mac;             /* the sender says its Ethernet address, */
    uint8_t mac[6];           /* which is this */
};

/* False for all else, and for what RFC 4861 7.1 has a host pass over: a hop limit that is not 255 (it has
 * come over a router), a wrong checksum, an option that does not fit. Behind it anything may follow (frames
 * are padded). */
bool ndp_parse(const void *bytes, size_t length, struct ndp_packet *ret);

/* Returns the length. */
size_t ndp_encode(const struct ndp_packet *packet, uint8_t ret_bytes[NDP_MOST]);

/* The group that all hosts are in that have an address with the same end, and the one of all hosts. */
void ndp_solicited_node(const uint8_t address[16], uint8_t ret_group[16]);
extern const uint8_t ndp_all_nodes[16];

/* The Ethernet address that packets to the group are sent to. */
void ndp_group_mac(const uint8_t group[16], uint8_t ret_mac[6]);

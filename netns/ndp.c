#include "netns/ndp.h"

#include <string.h>

/* Offsets, in the IPv6 header and behind it. */
#define PAYLOAD     4
#define NEXT_HEADER 6
#define HOP_LIMIT   7
#define SOURCE      8
#define DESTINATION 24
#define TYPE        40
#define CODE        41
#define CHECKSUM    42
#define FLAGS       44
#define TARGET      48
#define OPTIONS     64

#define ICMPV6         58
#define OPTION         8 /* bytes of one with an Ethernet address, and what lengths of options count in */
#define SOURCE_MAC     1
#define TARGET_MAC     2
#define FLAG_SOLICITED 0x40
#define FLAG_OVERRIDE  0x20

const uint8_t ndp_all_nodes[16] = {0xff, 0x02, [15] = 1};

static const uint8_t nobody[16];

static uint32_t sum_of(const uint8_t *bytes, size_t length, uint32_t sum)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    return sum;
}

/* Over the ICMPv6 message and the pseudo-header (RFC 4443 2.3): 0xffff if the one in it is right. */
static uint16_t checksum(const uint8_t *packet, size_t payload)
{
    uint32_t sum = sum_of(packet + SOURCE, 32, (uint32_t)payload + ICMPV6);

    sum = sum_of(packet + TYPE, payload, sum);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Takes the Ethernet address; false if they do not fit. */
static bool parse_options(const uint8_t *options, size_t length, struct ndp_packet *packet)
{
    uint8_t kind = packet->kind == NDP_SOLICITATION ? SOURCE_MAC : TARGET_MAC;

    for (size_t at = 0, size; at < length; at += size) {
        size = length - at < 2 ? 0 : (size_t)options[at + 1] * OPTION;
        if (!size || size > length - at)
            return false;
        if (options[at] != kind || size != OPTION)
            continue;
        packet->has_mac = true;
        memcpy(packet->mac, options + at + 2, sizeof packet->mac);
    }
    return true;
}

/* Who asks from no address tests whether the one that it asks for is free. */
static bool is_sound(const struct ndp_packet *packet)
{
    uint8_t group[16];

    if (packet->target[0] == 0xff || packet->source[0] == 0xff)
        return false;
    if (packet->kind == NDP_ADVERTISEMENT)
        return memcmp(packet->source, nobody, 16) != 0 &&
               !(packet->solicited && packet->destination[0] == 0xff);
    if (memcmp(packet->source, nobody, 16) != 0)
        return true;
    ndp_solicited_node(packet->target, group);
    return !packet->has_mac && memcmp(packet->destination, group, 16) == 0;
}

bool ndp_parse(const void *bytes, size_t length, struct ndp_packet *ret)
{
    const uint8_t *from = bytes;
    struct ndp_packet packet = {0};
    size_t payload;

    if (length < OPTIONS || from[0] >> 4 != 6 || from[NEXT_HEADER] != ICMPV6 || from[HOP_LIMIT] != 255)
        return false;
    payload = (size_t)from[PAYLOAD] << 8 | from[PAYLOAD + 1];
    if (payload < OPTIONS - TYPE || payload > length - TYPE || from[CODE] != 0 ||
        (from[TYPE] != NDP_SOLICITATION && from[TYPE] != NDP_ADVERTISEMENT) ||
        checksum(from, payload) != 0xffff)
        return false;
    packet.kind = from[TYPE];
    memcpy(packet.source, from + SOURCE, sizeof packet.source);
    memcpy(packet.destination, from + DESTINATION, sizeof packet.destination);
    memcpy(packet.target, from + TARGET, sizeof packet.target);
    if (packet.kind == NDP_ADVERTISEMENT) {
        packet.solicited = from[FLAGS] & FLAG_SOLICITED;
        packet.override = from[FLAGS] & FLAG_OVERRIDE;
    }
    if (!parse_options(from + OPTIONS, payload - (OPTIONS - TYPE), &packet) || !is_sound(&packet))
        return false;
    *ret = packet;
    return true;
}

size_t ndp_encode(const struct ndp_packet *packet, uint8_t ret_bytes[NDP_MOST])
{
    size_t payload = OPTIONS - TYPE + (packet->has_mac ? OPTION : 0);
    uint16_t sum;

    memset(ret_bytes, 0, NDP_MOST);
    ret_bytes[0] = 6 << 4;
    ret_bytes[PAYLOAD + 1] = (uint8_t)payload;
    ret_bytes[NEXT_HEADER] = ICMPV6;
    ret_bytes[HOP_LIMIT] = 255;
    memcpy(ret_bytes + SOURCE, packet->source, sizeof packet->source);
    memcpy(ret_bytes + DESTINATION, packet->destination, sizeof packet->destination);
    ret_bytes[TYPE] = (uint8_t)packet->kind;
    ret_bytes[FLAGS] =
        (uint8_t)((packet->solicited ? FLAG_SOLICITED : 0) | (packet->override ? FLAG_OVERRIDE : 0));
    memcpy(ret_bytes + TARGET, packet->target, sizeof packet->target);
    if (packet->has_mac) {
        ret_bytes[OPTIONS] = packet->kind == NDP_SOLICITATION ? SOURCE_MAC : TARGET_MAC;
        ret_bytes[OPTIONS + 1] = 1;
        memcpy(ret_bytes + OPTIONS + 2, packet->mac, sizeof packet->mac);
    }
    sum = (uint16_t)~checksum(ret_bytes, payload);
    ret_bytes[CHECKSUM] = (uint8_t)(sum >> 8);
    ret_bytes[CHECKSUM + 1] = (uint8_t)sum;
    return TYPE + payload;
}

void ndp_solicited_node(const uint8_t address[16], uint8_t ret_group[16])
{
    static const uint8_t start[13] = {0xff, 0x02, [11] = 1, [12] = 0xff};

    memcpy(ret_group, start, sizeof start);
    memcpy(ret_group + 13, address + 13, 3);
}

void ndp_group_mac(const uint8_t group[16], uint8_t ret_mac[6])
{
    ret_mac[0] = ret_mac[1] = 0x33;
    memcpy(ret_mac + 2, group + 12, 4);
}

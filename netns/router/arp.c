#include <linux/if_ether.h>
#include <string.h>

#include "netns/arp.h"
#include "netns/router/neighbours_protocol.h"

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static bool send_packet(const struct neighbours_link *link, struct arp_packet *packet, const uint8_t to[6])
{
    uint8_t bytes[ARP_LENGTH];

    memcpy(packet->sender_mac, link->mac, sizeof packet->sender_mac);
    arp_encode(packet, bytes);
    return neighbours_send(link, ETH_P_ARP, to, bytes, sizeof bytes);
}

static bool ask(const struct neighbours_link *link, const uint8_t *sender, const uint8_t *target)
{
    struct arp_packet packet = {.operation = ARP_REQUEST};

    if (sender)
        memcpy(packet.sender, sender, sizeof packet.sender);
    memcpy(packet.target, target, sizeof packet.target);
    return send_packet(link, &packet, everybody);
}

static void answer(const struct neighbours_link *link, const struct heard *heard)
{
    struct arp_packet packet = {.operation = ARP_REPLY};

    memcpy(packet.sender, heard->wanted, sizeof packet.sender);
    memcpy(packet.target_mac, heard->mac, sizeof packet.target_mac);
    memcpy(packet.target, heard->used, sizeof packet.target);
    (void)send_packet(link, &packet, heard->mac); /* if it is lost, they ask again */
}

static void tell_all(const struct neighbours_link *link, const uint8_t *address)
{
    struct arp_packet packet = {.operation = ARP_REQUEST};

    memcpy(packet.sender, address, sizeof packet.sender);
    memcpy(packet.target, address, sizeof packet.target);
    (void)send_packet(link, &packet, everybody);
}

/* Replies want nobody. */
static bool parse(const void *bytes, size_t length, const struct sockaddr_ll *from, struct heard *ret)
{
    struct arp_packet packet;

    (void)from;
    if (!arp_parse(bytes, length, &packet))
        return false;
    memcpy(ret->mac, packet.sender_mac, sizeof ret->mac);
    memcpy(ret->used, packet.sender, sizeof packet.sender);
    if (packet.operation == ARP_REQUEST)
        memcpy(ret->wanted, packet.target, sizeof packet.target);
    return true;
}

const struct protocol neighbours_arp = {
    .type = ETH_P_ARP,
    .length = 4,
    .ask = ask,
    .answer = answer,
    .tell_all = tell_all,
    .parse = parse,
};

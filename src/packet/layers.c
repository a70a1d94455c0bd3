/* Each layer takes what is left of the frame from the front of a span, and shortens the span to what the
 * layer says that it holds. A layer that is cut off ends the dissection. */
#include "src/packet/layers.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define LINKTYPE_RAW_OLD   12
#define LINKTYPE_RAW       101
#define LINKTYPE_SLL       113
#define LINKTYPE_SLL2      276
#define TYPE_IPV4          0x0800
#define TYPE_IPV6          0x86dd
#define LOWEST_TYPE        0x0600 /* below it stands a length: IEEE 802.3 */
#define EXTENSIONS_MOST    16     /* headers of IPv6 */
#define EXTENSION_HOP      0
#define EXTENSION_ROUTING  43
#define EXTENSION_FRAGMENT 44
#define EXTENSION_AH       51
#define EXTENSION_OPTIONS  60

struct span {
    const uint8_t *at;
    size_t left;
};

static uint16_t number16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* NULL if fewer than `length` bytes are left. */
static const uint8_t *take(struct span *span, size_t length)
{
    const uint8_t *at = span->at;

    if (span->left < length)
        return NULL;
    span->at += length;
    span->left -= length;
    return at;
}

static void shorten(struct span *span, size_t length)
{
    if (span->left > length)
        span->left = length;
}

static bool is_tag(uint16_t type)
{
    return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

static void add_tag(struct layers *layers, uint16_t tpid, uint16_t tci)
{
    layers->tags[layers->tag_count++] =
        (struct layers_tag){.tpid = tpid, .vlan = tci & 0x0fff, .priority = (uint8_t)(tci >> 13)};
}

static void dissect_transport(struct layers *layers, struct span span)
{
    const uint8_t *head;
    size_t header = 8;

    if (layers->protocol == IPPROTO_UDP) {
        if (!(head = take(&span, header)))
            return;
        if (number16(head + 4) >= header) /* 0: longer than can be said, or left to the device */
            shorten(&span, number16(head + 4) - header);
    } else if (layers->protocol == IPPROTO_TCP) {
        if (!(head = take(&span, 20)))
            return;
        header = (size_t)(head[12] >> 4) * 4;
        if (header < 20 || !take(&span, header - 20))
            return;
    } else
        return;
    layers->has_ports = true;
    layers->source_port = number16(head);
    layers->destination_port = number16(head + 2);
    layers->payload = span.left ? span.at : NULL;
    layers->payload_length = span.left;
}

static void dissect_ipv4(struct layers *layers, struct span span)
{
    const uint8_t *head = take(&span, 20);
    size_t header, total;

    if (!head || head[0] >> 4 != 4)
        return;
    header = (size_t)(head[0] & 15) * 4;
    total = number16(head + 2);
    if (header < 20 || !take(&span, header - 20))
        return;
    if (total >= header) /* 0: left to the device (segmentation offload) */
        shorten(&span, total - header);
    layers->family = AF_INET;
    layers->source = head + 12;
    layers->destination = head + 16;
    layers->protocol = head[9];
    layers->later_fragment = number16(head + 6) & 0x1fff;
    if (!layers->later_fragment)
        dissect_transport(layers, span);
}

/* The length of an extension header that begins with these bytes; 0 if it is none. */
static size_t extension_length(uint8_t type, const uint8_t *at)
{
    switch (type) {
    case EXTENSION_HOP:
    case EXTENSION_ROUTING:
    case EXTENSION_OPTIONS:
        return ((size_t)at[1] + 1) * 8;
    case EXTENSION_FRAGMENT:
        return 8;
    case EXTENSION_AH:
        return ((size_t)at[1] + 2) * 4;
    default:
        return 0;
    }
}

static void dissect_ipv6(struct layers *layers, struct span span)
{
    const uint8_t *head = take(&span, 40);

    if (!head || head[0] >> 4 != 6)
        return;
    layers->family = AF_INET6;
    layers->source = head + 8;
    layers->destination = head + 24;
    layers->protocol = head[6];
    if (number16(head + 4)) /* 0: a jumbogram, or left to the device */
        shorten(&span, number16(head + 4));
    for (int i = 0; i < EXTENSIONS_MOST && span.left >= 8; i++) {
        size_t length = extension_length(layers->protocol, span.at);

        if (!length)
            break;
        if (layers->protocol == EXTENSION_FRAGMENT && number16(span.at + 2) & 0xfff8)
            layers->later_fragment = true;
        layers->protocol = span.at[0];
        if (layers->later_fragment || !take(&span, length))
            return;
    }
    dissect_transport(layers, span);
}

static void dissect_type(struct layers *layers, struct span span, uint16_t type)
{
    const uint8_t *tag;

    while (is_tag(type)) {
        if (layers->tag_count == LAYERS_TAGS_MOST || !(tag = take(&span, 4)))
            return;
        add_tag(layers, type, number16(tag));
        type = number16(tag + 2);
    }
    if (type < LOWEST_TYPE)
        return;
    layers->ethertype = type;
    if (type == TYPE_IPV4)
        dissect_ipv4(layers, span);
    else if (type == TYPE_IPV6)
        dissect_ipv6(layers, span);
}

static void dissect_ethernet(struct layers *layers, struct span span)
{
    const uint8_t *macs = take(&span, 12), *type;

    if (!macs)
        return;
    layers->destination_mac = macs;
    layers->source_mac = macs + 6;
    if ((type = take(&span, 2)))
        dissect_type(layers, span, number16(type));
}

void layers_dissect(const struct sippod_packet *packet, struct layers *ret)
{
    struct span span = {packet->data, packet->captured};
    const uint8_t *head;

    memset(ret, 0, sizeof *ret);
    if (packet->has_tag)
        add_tag(ret, packet->tag_tpid ? packet->tag_tpid : 0x8100, packet->tag_tci);
    switch (packet->linktype) {
    case SIPPOD_LINKTYPE_ETHERNET:
        dissect_ethernet(ret, span);
        break;
    case LINKTYPE_SLL:
        if ((head = take(&span, 16)))
            dissect_type(ret, span, number16(head + 14));
        break;
    case LINKTYPE_SLL2:
        if ((head = take(&span, 20)))
            dissect_type(ret, span, number16(head));
        break;
    case LINKTYPE_RAW_OLD:
    case LINKTYPE_RAW:
        if (span.left)
            dissect_type(ret, span, *span.at >> 4 == 6 ? TYPE_IPV6 : TYPE_IPV4);
        break;
    default: /* predicates that ask for layers see none */
        break;
    }
}

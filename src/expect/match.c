#include "src/expect/match.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MOST 262144 /* bytes; libpcap captures no more */

void *match_wrong(char *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error, MATCH_ERROR, format, args);
    va_end(args);
    return NULL;
}

void match_free(struct match *match)
{
    if (match && match->free)
        match->free(match);
    else
        free(match);
}

/* ---- any ---- */

static bool any_matches(struct match *match, struct view *view)
{
    (void)match;
    (void)view;
    return true;
}

struct match *match_any(char *error)
{
    struct match *match = calloc(1, sizeof *match);

    if (!match)
        return match_wrong(error, "out of memory");
    match->matches = any_matches;
    return match;
}

/* ---- MAC ---- */

struct mac {
    struct match match;
    bool source;
    uint8_t bytes[6];
};

static bool mac_matches(struct match *match, struct view *view)
{
    const struct mac *mac = (const struct mac *)match;
    const struct layers *layers = view_layers(view);
    const uint8_t *at = mac->source ? layers->source_mac : layers->destination_mac;

    return at && memcmp(at, mac->bytes, sizeof mac->bytes) == 0;
}

int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool parse_mac(const char *text, uint8_t ret_bytes[6])
{
    if (!text || strlen(text) != 17)
        return false;
    for (int i = 0; i < 6; i++, text += 3) {
        int high = hex_digit(text[0]), low = hex_digit(text[1]);

        if (high < 0 || low < 0 || (i < 5 && text[2] != ':' && text[2] != '-'))
            return false;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

struct match *match_mac(const char *text, bool source, char *error)
{
    uint8_t bytes[6];
    struct mac *mac;

    if (!parse_mac(text, bytes))
        return match_wrong(error, "%s is not a MAC address (as in 02:00:5e:10:00:01)", text ? text : "NULL");
    if (!(mac = calloc(1, sizeof *mac)))
        return match_wrong(error, "out of memory");
    mac->match.matches = mac_matches;
    mac->source = source;
    memcpy(mac->bytes, bytes, sizeof bytes);
    return &mac->match;
}

/* ---- VLAN ---- */

struct vlan {
    struct match match;
    int vlan;
};

static bool vlan_matches(struct match *match, struct view *view)
{
    const struct vlan *vlan = (const struct vlan *)match;
    const struct layers *layers = view_layers(view);

    for (size_t i = 0; i < layers->tag_count; i++)
        if (vlan->vlan < 0 || layers->tags[i].vlan == vlan->vlan)
            return true;
    return false;
}

struct match *match_vlan(int number, char *error)
{
    struct vlan *vlan;

    if (number < -1 || number > 4095)
        return match_wrong(error, "a VLAN is a number from 0 to 4095, not %u", (unsigned)number);
    if (!(vlan = calloc(1, sizeof *vlan)))
        return match_wrong(error, "out of memory");
    vlan->match.matches = vlan_matches;
    vlan->vlan = number;
    return &vlan->match;
}

/* ---- equal ---- */

struct equal {
    struct match match;
    size_t length;
    uint8_t frame[];
};

/* A tag beside the frame stands behind the addresses in the one that it is compared with. */
static bool equal_matches(struct match *match, struct view *view)
{
    const struct equal *equal = (const struct equal *)match;
    const struct sippod_packet *packet = view->packet;
    uint16_t tpid = packet->tag_tpid ? packet->tag_tpid : 0x8100, tci = packet->tag_tci;
    const uint8_t tag[4] = {(uint8_t)(tpid >> 8), (uint8_t)tpid, (uint8_t)(tci >> 8), (uint8_t)tci};

    if (packet->captured != packet->length)
        return false;
    if (!packet->has_tag)
        return packet->captured == equal->length && memcmp(packet->data, equal->frame, equal->length) == 0;
    return packet->captured >= 12 && packet->captured + sizeof tag == equal->length &&
           memcmp(packet->data, equal->frame, 12) == 0 && memcmp(tag, equal->frame + 12, sizeof tag) == 0 &&
           memcmp(packet->data + 12, equal->frame + 12 + sizeof tag, packet->captured - 12) == 0;
}

struct match *match_equal(const void *frame, size_t length, char *error)
{
    struct equal *equal;

    if (!frame || !length || length > FRAME_MOST)
        return match_wrong(error, "a frame has 1 to %d bytes, not %zu", FRAME_MOST, frame ? length : 0);
    if (!(equal = calloc(1, sizeof *equal + length)))
        return match_wrong(error, "out of memory");
    equal->match.matches = equal_matches;
    equal->length = length;
    memcpy(equal->frame, frame, length);
    return &equal->match;
}

/* ARP and neighbour discovery, as neighbours.c has use for them. Shared by these only. */
#pragma once

#include <linux/if_packet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "src/base/error.h"

/* Where they send. */
struct neighbours_link {
    int socket, device;
    uint8_t mac[6];
};

/* What somebody has said. Addresses have 16 bytes, those of IPv4 4 and zeros; all zeros: none. */
struct heard {
    uint8_t mac[6];     /* whose words these are */
    uint8_t wanted[16]; /* who is asked for … */
    uint8_t used[16];   /* … and in whose name, or who says to have it; none: it is a probe */
};

struct protocol {
    uint16_t type; /* of frames, in host byte order */
    size_t length; /* of an address */
    /* Of a socket that is not bound yet: what nobody needs does not get there. NULL: all is needed. */
    int (*restrict_socket)(int socket, struct error **ret);
    /* To hear who asks for the address. NULL: everybody hears it. */
    bool (*join)(int groups, int device, const uint8_t *address);
    void (*leave)(int groups, int device, const uint8_t *address);
    /* Whether it went out. Without `sender` it is a probe. */
    bool (*ask)(const struct neighbours_link *link, const uint8_t *sender, const uint8_t *target);
    void (*answer)(const struct neighbours_link *link, const struct heard *heard);
    void (*tell_all)(const struct neighbours_link *link, const uint8_t *address); /* whose it is */
    bool (*parse)(const void *bytes, size_t length, const struct sockaddr_ll *from, struct heard *ret);
};

extern const struct protocol neighbours_arp, neighbours_ndp;

/* False: it was lost. */
bool neighbours_send(const struct neighbours_link *link, uint16_t type, const uint8_t to[6],
                     const void *bytes, size_t length);

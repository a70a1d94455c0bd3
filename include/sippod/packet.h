/* A captured frame, as predicates get it. */
#ifndef SIPPOD_PACKET_H
#define SIPPOD_PACKET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SIPPOD_LINKTYPE_ETHERNET 1 /* tcpdump.org/linktypes.html has the others */

struct sippod_packet {
    const uint8_t
        *data; /* the frame from its link-layer header on; lasts as long as the call that hands it over */
    size_t captured;       /* bytes at `data`: nothing may be read behind them */
    size_t length;         /* bytes that the frame had on the wire; at least `captured` */
    uint64_t timestamp_ns; /* since 1970 UTC */
    uint32_t linktype;     /* of files: SIPPOD_LINKTYPE_… */

    /* An 802.1Q tag that the kernel hands out beside the frame and not in it (offloading). It stands outside
     * of those in the frame. */
    int has_tag;       /* 0: there is none */
    uint16_t tag_tci;  /* priority and VLAN identifier, in the byte order of this host */
    uint16_t tag_tpid; /* 0x8100, 0x88a8; 0 means 0x8100 */
};

#ifdef __cplusplus
}
#endif

#endif

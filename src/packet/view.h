/* A packet while it is looked at by many: each of its layers is dissected when the first asks for it, and
 * then kept for the others. Pure. */
#pragma once

#include "include/sippod/packet.h"
#include "src/packet/layers.h"
#include "src/packet/media.h"

struct view {
    const struct sippod_packet *packet;
    /* What has been found out so far; to be asked for by the functions below. */
    bool knows_layers, knows_sip, knows_rtp;
    bool has_sip, has_rtp;
    struct layers layers;
    struct sip_start sip;
    struct rtp_header rtp;
};

/* The packet has to last as long as the view. */
void view_open(struct view *view, const struct sippod_packet *packet);

const struct layers *view_layers(struct view *view);

/* SIP at the beginning of what UDP or TCP carry; RTP that UDP carries. NULL: there is none. */
const struct sip_start *view_sip(struct view *view);
const struct rtp_header *view_rtp(struct view *view);

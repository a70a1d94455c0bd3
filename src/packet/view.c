#include "src/packet/view.h"

#include <netinet/in.h>

void view_open(struct view *view, const struct sippod_packet *packet)
{
    view->packet = packet;
    view->knows_layers = view->knows_sip = view->knows_rtp = false;
}

const struct layers *view_layers(struct view *view)
{
    if (!view->knows_layers)
        layers_dissect(view->packet, &view->layers);
    view->knows_layers = true;
    return &view->layers;
}

const struct sip_start *view_sip(struct view *view)
{
    const struct layers *layers;

    if (!view->knows_sip) {
        layers = view_layers(view);
        view->has_sip = layers->payload && sip_parse(layers->payload, layers->payload_length, &view->sip);
        view->knows_sip = true;
    }
    return view->has_sip ? &view->sip : NULL;
}

const struct rtp_header *view_rtp(struct view *view)
{
    const struct layers *layers;

    if (!view->knows_rtp) {
        layers = view_layers(view);
        view->has_rtp = layers->payload && layers->protocol == IPPROTO_UDP &&
                        rtp_parse(layers->payload, layers->payload_length, &view->rtp);
        view->knows_rtp = true;
    }
    return view->has_rtp ? &view->rtp : NULL;
}

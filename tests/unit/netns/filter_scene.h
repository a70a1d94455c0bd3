/* What tests of filters play in: a pod's link, frames that are sent into one end, and seen or not at the
 * other.
 */
#pragma once

#include "netns/filter.h"
#include "tests/unit/netns/pair.h"

#define WAIT_MS 5000

enum { UDP = 17, ICMP = 1 };

struct frame {
    const char *what, *source, *destination;
    bool passes;
    uint8_t protocol, icmp_type;
    uint16_t fragment;
    uint16_t type;   /* 0: that of the addresses */
    int vlan;        /* a tag with this number; -1: none, as is 0 */
    bool tag;        /* a tag with number 0 */
    uint8_t version; /* and length of the IPv4 header; 0: 0x45, 0x60 */
    size_t length;   /* 0: as long as it is */
    uint8_t next;    /* IPv6: what a header of `protocol` says that comes behind it */
};

struct filter_scene {
    struct pair pair;
    int pod;     /* sends and receives, there */
    int host[3]; /* what has come in here, behind the filter: IPv4, ARP, IPv6; they also send */
};

struct filter_network network(const char *address, unsigned prefix);

/* For cmocka; *state becomes the scene, with a filter that is closed. */
int filter_scene_setup(void **state);
int filter_scene_teardown(void **state);

void send_frame(struct filter_scene *scene, bool from_pod, const struct frame *frame);

/* The number of frames that come before the marker does. */
int count_before(struct filter_scene *scene, bool from_pod, const struct frame *marker);

/* Whether each passes that should: behind it the marker is sent, which may. */
void check_frames(struct filter_scene *scene, bool from_pod, const struct frame *frames, size_t count,
                  const struct frame *marker);

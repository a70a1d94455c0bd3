/* Filters of libpcap. A program is for one link type: it is compiled for Ethernet, so that a wrong filter is
 * found out at once, and again if a packet of another link comes. */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/expect/filter_names.h"
#include "src/expect/match.h"

#define SNAPLEN 262144
#define TAGGED  2048 /* bytes of a frame with a tag beside it that a filter sees */

struct filter {
    struct match match;
    char *text;
    bool compiled; /* false: it has no meaning for this link, and lets nothing through */
    uint32_t linktype;
    struct bpf_program program;
};

static bool compile(struct filter *filter, uint32_t linktype, char *error)
{
    /* libpcap's numbers are those of files but for raw IP. */
    pcap_t *dead = pcap_open_dead(linktype == 101 ? DLT_RAW : (int)linktype, SNAPLEN);

    filter->linktype = linktype;
    filter->compiled =
        dead && pcap_compile(dead, &filter->program, filter->text, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!filter->compiled && error)
        match_wrong(error, "filter \"%s\": %s", filter->text, dead ? pcap_geterr(dead) : "out of memory");
    if (dead)
        pcap_close(dead);
    return filter->compiled;
}

static bool has_no_name(const struct filter *filter, char *error)
{
    char *name;

    if (!filter_has_name(filter->text, &name))
        return true;
    match_wrong(error, "filter \"%s\": %s is no address, and names of hosts and networks are not looked up",
                filter->text, name ? name : "something");
    free(name);
    return false;
}

static void release(struct filter *filter)
{
    if (filter->compiled)
        pcap_freecode(&filter->program);
    filter->compiled = false;
}

/* With the tag at its place in the frame, where the program looks for it. */
static bool run_tagged(const struct filter *filter, const struct sippod_packet *packet,
                       struct pcap_pkthdr header)
{
    uint16_t tpid = packet->tag_tpid ? packet->tag_tpid : 0x8100, tci = packet->tag_tci;
    const uint8_t tag[4] = {(uint8_t)(tpid >> 8), (uint8_t)tpid, (uint8_t)(tci >> 8), (uint8_t)tci};
    uint8_t frame[TAGGED];
    size_t rest;

    if (packet->captured < 12)
        return false;
    rest = packet->captured - 12;
    if (rest > sizeof frame - 16)
        rest = sizeof frame - 16;
    memcpy(frame, packet->data, 12);
    memcpy(frame + 12, tag, sizeof tag);
    memcpy(frame + 16, packet->data + 12, rest);
    header.caplen = (bpf_u_int32)(16 + rest);
    header.len += sizeof tag;
    return pcap_offline_filter(&filter->program, &header, frame) != 0;
}

static bool filter_matches(struct match *match, struct view *view)
{
    struct filter *filter = (struct filter *)match;
    const struct sippod_packet *packet = view->packet;
    struct pcap_pkthdr header = {
        .caplen = (bpf_u_int32)packet->captured,
        .len = (bpf_u_int32)packet->length,
    };

    if (packet->linktype != filter->linktype) {
        release(filter);
        (void)compile(filter, packet->linktype, NULL); /* then nothing passes */
    }
    if (!filter->compiled)
        return false;
    if (packet->has_tag)
        return run_tagged(filter, packet, header);
    return pcap_offline_filter(&filter->program, &header, packet->data) != 0;
}

static void filter_free(struct match *match)
{
    struct filter *filter = (struct filter *)match;

    release(filter);
    free(filter->text);
    free(filter);
}

struct match *match_filter(const char *text, char *error)
{
    struct filter *filter = calloc(1, sizeof *filter);

    if (filter)
        filter->text = strdup(text ? text : "");
    if (!filter || !filter->text) {
        free(filter);
        return match_wrong(error, "out of memory");
    }
    filter->match = (struct match){.matches = filter_matches, .free = filter_free};
    if (has_no_name(filter, error) && compile(filter, SIPPOD_LINKTYPE_ETHERNET, error))
        return &filter->match;
    filter_free(&filter->match);
    return NULL;
}

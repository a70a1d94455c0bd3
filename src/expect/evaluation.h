/* One expectation while it lasts: a predicate, its packets, its end. Pure: time is that of the packets, and
 * what the caller says. */
#pragma once

#include "include/sippod/verdict.h"
#include "src/expect/match.h"

struct evaluation {
    struct sippod_predicate predicate;
    struct match *filter; /* NULL: all packets count */
    uint64_t packet_limit;
    uint64_t begin_ns, end_ns; /* of packets' timestamps; what is outside does not count */
    char place[64];            /* " on eth0" in the detail */
    struct sippod_verdict verdict;
};

/* Takes the predicate. If that or an option is wrong, the evaluation has ended with it. */
void evaluation_begin(struct evaluation *evaluation, struct sippod_predicate predicate,
                      const struct sippod_options *options, uint64_t begin_ns, const char *place);

/* Each returns whether it has ended; after that they change nothing. */
bool evaluation_packet(struct evaluation *evaluation, const struct sippod_packet *packet);
bool evaluation_view(struct evaluation *evaluation, struct view *view); /* of a packet that many look at */
bool evaluation_time_out(struct evaluation *evaluation, uint64_t now_ns);
bool evaluation_fail(struct evaluation *evaluation, const char *why); /* which nothing of its own is */
bool evaluation_cancel(struct evaluation *evaluation);

/* So many packets have been lost since it began: unless a stop condition decides, it cannot be decided. */
void evaluation_lost(struct evaluation *evaluation, uint64_t packets);

void evaluation_free(struct evaluation *evaluation);

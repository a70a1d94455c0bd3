/* Judges packets: the expectations of a test, each a predicate with a filter, an interface and a time. Pure:
 * what time it is, and that all packets up to then were seen, is said by the caller. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/sippod/verdict.h"
#include "src/base/error.h"
#include "src/packet/pcapng.h"
#include "src/suite/expectation.h"

enum judgement { JUDGED_PASS, JUDGED_FAIL, JUDGED_ERROR /* it cannot be known */ };

struct judge_verdict {
    enum judgement judgement;
    uint64_t seen;                   /* packets that counted */
    uint64_t elapsed_ns;             /* from the beginning to the decision */
    char detail[SIPPOD_DETAIL + 64]; /* "packet_count_was(1): saw 3 of 1 in 0.2 s" */
};

struct judge;

/* Files that predicates name are read and made in `folder` now. `interfaces`: the names behind the packets'
 * numbers. NULL if an expectation is wrong. */
struct judge *judge_new(const struct expectations *expectations, const char *folder,
                        const char *const *interfaces, size_t interface_count, struct error **ret);
void judge_free(struct judge *judge); /* NULL is fine */

/* Times are those of packets: nanoseconds since 1970 UTC. Packets from `now_ns` on count. */
void judge_begin(struct judge *judge, uint64_t now_ns);

/* In any order, as interfaces are read one after the other; those of one interface in their own. */
void judge_packet(struct judge *judge, const struct pcapng_packet *packet);

/* The scenario is over: what is undecided has its settle time left, but no more than its own time. */
void judge_settle(struct judge *judge, uint64_t now_ns);

/* So many packets of the interface have been lost since it began: from now on only what a predicate itself
 * decides is known. */
void judge_lost(struct judge *judge, size_t interface, uint64_t packets);

/* It cannot be known what passed the interface: what is undecided and looks at it ends as an error. */
void judge_fail(struct judge *judge, size_t interface, const char *why);

/* Every packet up to `now_ns` has been seen: ends whatever has its time behind it. Returns when the last of
 * the others ends, after judge_settle(); 0: all have ended. */
uint64_t judge_time_out(struct judge *judge, uint64_t now_ns);

/* Whether all have ended. */
bool judge_is_done(const struct judge *judge);

/* Of one that has ended; numbers are those of the expectations. */
size_t judge_count(const struct judge *judge);
void judge_verdict(const struct judge *judge, size_t number, struct judge_verdict *ret);

#pragma once

#include "include/sippod/expect.h"

#define MIX_MOST 10

/* Predicates of every kind, all of which are undecided until the end; the first is packet_count(). */
void make_mix(struct sippod_predicate ret[MIX_MOST]);

double seconds_now(void);

/* Says why, and exits. */
_Noreturn void give_up(const char *what);

int compare_doubles(const void *a, const void *b);

/* Sends on one end of a veth pair what futures count at the other: packets a second for a time; futures: 0
 * only sends. Prints how many were sent, how many a second that was, and how many were not counted. */
void measure_rate(const char *from, const char *to, double rate, double seconds, size_t futures);

/* Prints microseconds from sending a packet to knowing that its future has ended: median, 99 %, largest. */
void measure_latency(const char *from, const char *to, size_t rounds);

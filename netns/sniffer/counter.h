/* How many frames of a loopback have been sent and have not reached its capture. A loopback counts a frame
 * when it is sent; a capture sees it when the processor that sent it gets round to receiving it. That is
 * mostly before the sender goes on, but may be milliseconds later on a busy machine (in Linux before 6.5:
 * whenever ksoftirqd has been woken and does not run yet). */
#pragma once

#include <stdint.h>

struct counter {
    int fd; /* of the interface counters; -1: they cannot be known */
    const char *interface;
    uint32_t surplus;  /* frames that the interface counted before the capture began to */
    uint32_t expected; /* frames that the capture has to see */
};

/* Right after the capture on `interface` (the caller's, not copied) has begun, and has seen `seen` frames; in
 * a thread that is in its network namespace. All counts may wrap. */
void counter_begin(struct counter *counter, const char *interface, uint32_t seen);

/* What was sent by now is what counter_coming() looks for. */
void counter_checkpoint(struct counter *counter);

/* Frames that are still on their way to the capture, which has seen `seen`; 0 if that cannot be known. */
uint32_t counter_coming(const struct counter *counter, uint32_t seen);

void counter_end(struct counter *counter);

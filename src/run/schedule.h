/* When tests run. Either through a sliding window: as soon as one has ended the next is started, and where
 * the host has no room for one more, the window shrinks and the test waits for its turn. Or in groups, as
 * Sipplauncher does it: see groups.h. */
#pragma once

#include "src/run/turns.h"

struct schedule;

struct schedule_options {
    size_t jobs;    /* size of the window, at least 1 */
    bool fail_fast; /* no test is started after one that did not pass */
};

/* Starts the first tests. ended(user) is called once, never from in here, when none runs and none will.
 * Results are added as tests end. `turns` stays the caller's. */
struct schedule *schedule_start(struct turns *turns, const struct schedule_options *options,
                                void (*ended)(void *user), void *user);
void schedule_free(struct schedule *schedule);

/* Starts no more tests, and interrupts those that run. */
void schedule_interrupt(struct schedule *schedule, const char *why);
/* The same, but those that run have failed. */
void schedule_fail(struct schedule *schedule, const char *why);
/* What runs is killed, and no other script is started. */
void schedule_hurry(struct schedule *schedule);

/* Which test runs when: a sliding window over the list of tests. As soon as one has ended the next is
 * started; where the host has no room for one more, the window shrinks and the test waits for its turn. */
#pragma once

#include "src/run/test.h"

struct schedule;

struct schedule_options {
    size_t jobs;    /* size of the window, at least 1 */
    bool fail_fast; /* no test is started after one that did not pass */
};

/* Starts the first tests. ended(user) is called once, never from in here, when none runs and none will.
 * Results are added as tests end. */
struct schedule *schedule_start(const struct test_context *context, const struct suite *suite,
                                const struct schedule_options *options, struct results *results,
                                void (*ended)(void *user), void *user);
void schedule_free(struct schedule *schedule);

/* Starts no more tests, and interrupts those that run. */
void schedule_interrupt(struct schedule *schedule, const char *why);
/* What runs is killed, and no other script is started. */
void schedule_hurry(struct schedule *schedule);

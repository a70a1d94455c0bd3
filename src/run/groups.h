/* Tests in groups, as Sipplauncher runs them: the tests of a group are prepared one after the other, run
 * together, and cleaned one after the other in reverse order; then comes a pause, and the next group. A test
 * for which there is no room beside those of its group ends that, and is the first of the next one. */
#pragma once

#include "src/run/turns.h"

struct groups;

struct groups_options {
    size_t size;    /* tests in a group, at least 1 */
    double pause_s; /* between groups */
    bool stop;      /* no group is started after one in which a test has not passed */
};

/* Starts the first group. ended(user) is called once, never from in here, when all are over. Results are
 * added as tests end. `turns` stays the caller's. */
struct groups *groups_start(struct turns *turns, const struct groups_options *options,
                            void (*ended)(void *user), void *user);
void groups_free(struct groups *groups);

/* Starts no more tests, and interrupts those that run; what is prepared is cleaned in reverse order. */
void groups_interrupt(struct groups *groups, const char *why);
/* The same, but those that run have failed. */
void groups_fail(struct groups *groups, const char *why);
/* What runs is killed, and no other script is started. */
void groups_hurry(struct groups *groups);

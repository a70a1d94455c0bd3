/* Which test comes when: the suite's tests in order, over and over, or drawn at random; and what becomes of
 * their results. Those that test.conf skips come up as results only. */
#pragma once

#include "src/run/test.h"

struct turn {
    const struct test *test;
    unsigned index; /* from 1 */
};

struct turns {
    const struct test_context *context;
    const struct suite *suite;
    struct results *results;
    size_t count, next; /* of all turns; turns taken */
    bool random;
    unsigned short state[3]; /* of nrand48(3) */
    bool failed;             /* some test has not passed */
};

/* `total` turns, 0: one for each test. `random`: each is drawn, with `seed`, from all tests. */
void turns_open(struct turns *ret_turns, const struct test_context *context, const struct suite *suite,
                struct results *results, size_t total, bool random, unsigned long seed);

/* The next turn; false when there is none. */
bool turns_next(struct turns *turns, struct turn *ret_turn);

/* Takes the result of a turn that is to be had again, and so does not count. */
void turns_again(struct turns *turns, struct test_result *result);

/* Takes the result of a turn. */
void turns_ended(struct turns *turns, struct test_result *result);

/* Prints that a test was NOT READY because there was no room for it: the test itself leaves that to
 * whoever could have tried again. */
void turns_tell_no_room(const struct turns *turns, const struct test_result *result);

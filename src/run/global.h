/* GLOBAL: what a suite does once for all of its tests. It is a test without UAs, whose pod lives while the
 * tests run: before.sh comes before the first of them, after.sh after the last. */
#pragma once

#include "src/run/test.h"

struct global;

struct global_callbacks {
    /* before.sh has succeeded: tests may be started. */
    void (*ready)(void *user);
    /* Its pod has ended while it was ready: tests go on in vain. It is still to be finished. */
    void (*lost)(void *user, const char *why);
    /* Called once, after global_finish() or because it is NOT READY: nothing of it is left but its result,
     * which the callee takes. The object is freed. */
    void (*ended)(void *user, struct test_result *result);
};

/* Starts it, with what the tests get. No callback is called from in here. */
struct global *global_start(const struct test_context *context, const struct global_callbacks *callbacks,
                            void *user);

/* The last test has ended: after.sh, and then its end. */
void global_finish(struct global *global);

/* Ends its preparation early. Once it is ready there is nothing to interrupt: it waits for global_finish().
 */
void global_interrupt(struct global *global, const char *why);
/* What runs is killed, and no other script is started. */
void global_hurry(struct global *global);

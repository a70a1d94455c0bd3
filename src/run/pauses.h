/* --pause-on-fail: a test that has failed waits, before its rollback, until its user has left a shell in it.
 * There is one terminal: tests stand in line for it, in the order in which they failed, and others go on
 * meanwhile. */
#pragma once

#include "src/run/test.h"

struct pauses;

struct pauses *pauses_new(void);
void pauses_free(struct pauses *pauses); /* nobody stands in line; NULL is fine */

/* The test waits, and is sent on with test_run_go_on() in its turn. */
void pauses_add(struct pauses *pauses, struct test_run *run);
/* There is nothing to look at any more: it does not wait for its turn, if it stands in line. */
void pauses_drop(struct pauses *pauses, struct test_run *run);
/* Nobody waits for his turn any more. The shell that is open is its test's to end. */
void pauses_stop(struct pauses *pauses);

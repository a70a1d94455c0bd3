/* `sippod shell`: one test that is prepared and, instead of being run, shown to its user in a shell. */
#pragma once

#include "src/run/test.h"

struct visit;

/* over(user, result, exit_code) is called once, never from in here, when nothing is left of it; the callee
 * takes the result, and the visit is freed. exit_code is the shell's, or 1: there was none, or the test could
 * not be rolled back. */
struct visit *visit_start(const struct test_context *context, const struct test *test,
                          void (*over)(void *user, struct test_result *result, int exit_code), void *user);

void visit_interrupt(struct visit *visit, const char *why);
/* The same, but it has failed. */
void visit_fail(struct visit *visit, const char *why);
/* What runs is killed, and no other script is started. */
void visit_hurry(struct visit *visit);

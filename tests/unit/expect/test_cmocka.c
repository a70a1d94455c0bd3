/* The macros for cmocka: what they let pass, and what a test that fails by them says, and where. A test group
 * of its own runs in a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "include/sippod/expect_cmocka.h"
#include "tests/unit/netns/interfaces.h"
#include "tests/unit/support/support.h"

static struct sippod_options brief = {.timeout_ms = 100};
static struct sippod_context *context;

static struct sippod_future *expect_on_lo(struct sippod_predicate predicate)
{
    return sippod_expect(context, "lo", predicate, &brief);
}

static void pass(void **state)
{
    (void)state;
    context = sippod_context_new();
    sippod_assert_true(expect_on_lo(sippod_packet_count_was(0)));
    sippod_assert_false(expect_on_lo(sippod_received_packet()));
    sippod_assert_value(expect_on_lo(sippod_packet_count()), 0);
    sippod_context_free(context);
}

/* ---- those that fail ---- */

#define LINE_OF_TRUE 52

static void fail_true(void **state)
{
    (void)state;
#line LINE_OF_TRUE "a_test.c"
    sippod_assert_true(expect_on_lo(sippod_packet_count_was(42)));
}

static void fail_false(void **state)
{
    (void)state;
    sippod_assert_false(sippod_expect(context, "nonexistent0", sippod_received_packet(), NULL));
}

static void fail_value(void **state)
{
    (void)state;
    sippod_assert_value(expect_on_lo(sippod_packet_count()), 3);
}

static void run_failing(void *user)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_true),
        cmocka_unit_test(fail_false),
        cmocka_unit_test(fail_value),
    };

    context = sippod_context_new();
    *(int *)user = cmocka_run_group_tests(tests, NULL, NULL);
    sippod_context_free(context);
}

static void check_said(const char *said, const char *words)
{
    if (!strstr(said, words)) {
        fprintf(stdout, "not said: %s in: %s\n", words, said);
        exit(1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pass)};
    int failures = 0;
    char *said;

    if (!interfaces_enter())
        return 77;
    said = output_of(2, run_failing, &failures);
    check_said(said, "packet_count_was(42): saw 0 of 42 in 0.1 s on lo; expected: true");
    check_said(said, "a_test.c:52: error");
    check_said(said, "on nonexistent0: received_packet(): saw none among 0 packets; cannot capture");
    check_said(said, "packet_count(): saw 0 packets in 0.1 s on lo; expected: 3");
    free(said);
    return failures == 3 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}

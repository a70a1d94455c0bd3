/* The macros for cmocka: what they let pass, and what a test that fails by them says, and where. A test group
 * of its own runs first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/sippod/hyperstart_mock_cmocka.h"
#include "src/base/memory.h"
#include "tests/unit/mock/caller.h"
#include "tests/unit/support/support.h"

static void pass(void **state)
{
    struct call *call = *state;

    hyperstart_mock_assert_connected(call->mock, SOON);
    ask(call, HYPERSTART_STARTPOD, "{}");
    ask(call, HYPERSTART_PING, "");
    hyperstart_mock_assert_commands(call->mock, SOON, HYPERSTART_STARTPOD, HYPERSTART_PING);
    put(call, 7, "typed");
    put(call, 7, "");
    hyperstart_mock_assert_io(call->mock, SOON, 7, "typed");
    hyperstart_mock_assert_io(call->mock, SOON, 7, "");
    close_fd(&call->ctl);
    hyperstart_mock_assert_left(call->mock, SOON);
}

/* ---- those that fail ---- */

static void fail_commands(void **state)
{
    struct call *call = *state;

    say(call, HYPERSTART_STARTPOD, "{}");
    say(call, HYPERSTART_EXECCMD, "{}");
#line 52 "a_test.c"
    hyperstart_mock_assert_commands(call->mock, SOON, HYPERSTART_STARTPOD, HYPERSTART_NEWCONTAINER);
}

static void fail_connected(void **state)
{
    struct call *call = *state;

#line 61 "a_test.c"
    hyperstart_mock_assert_connected(call->mock, 10);
}

static void fail_left(void **state)
{
    struct call *call = *state;

#line 71 "a_test.c"
    hyperstart_mock_assert_left(call->mock, 10);
}

static void fail_io(void **state)
{
    struct call *call = *state;

    put(call, 7, "typed");
#line 81 "a_test.c"
    hyperstart_mock_assert_io(call->mock, SOON, 8, "typed");
}

static void fail_no_io(void **state)
{
    struct call *call = *state;

#line 91 "a_test.c"
    hyperstart_mock_assert_io(call->mock, 10, 8, "typed");
}

static int only_start(void **state)
{
    struct call *call = call_new(NULL);

    *state = call;
    call_start(call);
    return 0;
}

static void run_failing(void *user)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fail_commands, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(fail_connected, only_start, call_teardown),
        cmocka_unit_test_setup_teardown(fail_left, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(fail_io, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(fail_no_io, call_connected, call_teardown),
    };

    *(int *)user = cmocka_run_group_tests(tests, NULL, NULL);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(pass, call_connected, call_teardown)};
    int failures = 0;
    char *said = output_of(2, run_failing, &failures);

    check_said(said, "command 2: expected newcontainer, got execcmd");
    check_said(said, "a_test.c:52: error");
    check_said(said, "the client has not connected on both channels: Connection timed out");
    check_said(said, "a_test.c:61: error");
    check_said(said, "the client has not left: Connection timed out");
    check_said(said, "a_test.c:71: error");
    check_said(said, "expected \"typed\" on stream 8, got \"typed\" on stream 7");
    check_said(said, "a_test.c:81: error");
    check_said(said, "expected \"typed\" on stream 8, got nothing: Connection timed out");
    check_said(said, "a_test.c:91: error");
    free(said);
    return failures == 5 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}

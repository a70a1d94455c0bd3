/* A client in C, tested with cmocka against libhyperstart-mock. README.md says how to run it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sippod/hyperstart_mock.h>
#include <sippod/hyperstart_mock_cmocka.h>

#include "client.h"

#define SOON 5000 /* milliseconds */

static const char pod[] = "{\"hostname\": \"pod\"}";
static const char container[] =
    "{\"id\": \"ua0\", \"process\": {\"args\": [\"sipp\"], \"stdio\": 1, \"stderr\": 2}}";

struct test {
    struct hyperstart_mock *mock;
    struct client client;
};

static void connects(struct test *test, int timeout_ms)
{
    const char *ctl = hyperstart_mock_ctl_path(test->mock), *io = hyperstart_mock_io_path(test->mock);

    assert_int_equal(client_connect(&test->client, ctl, io, timeout_ms), 0);
}

static void runs_a_process(void **state)
{
    struct test *test = *state;
    char output[8];

    connects(test, SOON);
    assert_int_equal(client_command(&test->client, STARTPOD, pod), 0);
    assert_int_equal(client_command(&test->client, NEWCONTAINER, container), 0);
    hyperstart_mock_assert_commands(test->mock, SOON, HYPERSTART_STARTPOD, HYPERSTART_NEWCONTAINER);
    hyperstart_mock_send_io_string(test->mock, 1, "hello");
    hyperstart_mock_send_io_string(test->mock, 2, "of others");
    hyperstart_mock_send_io_string(test->mock, 1, " world");
    hyperstart_mock_close_io(test->mock, 1);
    hyperstart_mock_send_exit_status(test->mock, 1, 3);
    assert_int_equal(client_wait(&test->client, 1, output, sizeof output), 3);
    assert_string_equal(output, "hello w");
}

static void tells_what_the_agent_says(void **state)
{
    static const struct hyperstart_mock_answer error = {
        .reply = HYPERSTART_MOCK_ERROR, .payload = "no such device", .length = 14};
    struct test *test = *state;

    hyperstart_mock_set_answer(test->mock, HYPERSTART_STARTPOD, 0, &error);
    connects(test, SOON);
    assert_int_equal(client_command(&test->client, STARTPOD, pod), -1);
    assert_string_equal(test->client.error, "no such device");
    assert_int_equal(client_command(&test->client, NEWCONTAINER, container), 0); /* it goes on */
}

static void does_not_wait_for_ever(void **state)
{
    static const struct hyperstart_mock_answer never = {.reply = HYPERSTART_MOCK_NEVER};
    struct test *test = *state;

    hyperstart_mock_set_answer(test->mock, HYPERSTART_STARTPOD, 0, &never);
    connects(test, 50);
    assert_int_equal(client_command(&test->client, STARTPOD, pod), -1);
    assert_string_equal(test->client.error, "the agent does not answer");
}

static void sees_that_the_agent_has_left(void **state)
{
    static const struct hyperstart_mock_answer leave = {.reply = HYPERSTART_MOCK_CLOSE};
    struct test *test = *state;
    char output[8];

    hyperstart_mock_set_answer(test->mock, HYPERSTART_NEWCONTAINER, 0, &leave);
    connects(test, SOON);
    assert_int_equal(client_command(&test->client, STARTPOD, pod), 0);
    assert_int_equal(client_command(&test->client, NEWCONTAINER, container), -1);
    assert_string_equal(test->client.error, "the agent has left");
    assert_int_equal(client_wait(&test->client, 1, output, sizeof output), -1);
}

/* Each test has a mock of its own. */
static int start(void **state)
{
    static struct test test;

    test = (struct test){.mock = hyperstart_mock_new(NULL), .client = {.ctl = -1, .io = -1}};
    *state = &test;
    return test.mock ? hyperstart_mock_start(test.mock, NULL) : -1;
}

static int end(void **state)
{
    struct test *test = *state;

    client_close(&test->client);
    hyperstart_mock_free(test->mock);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_a_process, start, end),
        cmocka_unit_test_setup_teardown(tells_what_the_agent_says, start, end),
        cmocka_unit_test_setup_teardown(does_not_wait_for_ever, start, end),
        cmocka_unit_test_setup_teardown(sees_that_the_agent_has_left, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

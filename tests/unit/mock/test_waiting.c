/* Who waits for whom with the mock, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/wire/frame.h"
#include "tests/unit/mock/caller.h"

struct sender {
    struct call *call;
    pthread_t thread;
    int result, error;
};

static void *send_one(void *user)
{
    struct sender *sender = user;

    sender->result = hyperstart_mock_send_io_string(sender->call->mock, 1, "early");
    sender->error = errno;
    return NULL;
}

static void test_sending_waits_for_both(void **state)
{
    struct call *call = *state;
    struct sender sender = {.call = call, .result = 7};

    call_start(call);
    assert_int_equal(pthread_create(&sender.thread, NULL, send_one, &sender), 0);
    call->io = connect_to(hyperstart_mock_io_path(call->mock));
    assert_errno(hyperstart_mock_wait_connected(call->mock, 50), ETIMEDOUT);
    assert_true(hears_nothing(call->io));
    call->ctl = connect_to(hyperstart_mock_ctl_path(call->mock));
    gets(call, 1, "early");
    pthread_join(sender.thread, NULL);
    assert_int_equal(sender.result, 0);
}

static void test_stop_ends_waiting(void **state)
{
    struct call *call = *state;
    struct sender sender = {.call = call};

    call_start(call);
    assert_int_equal(pthread_create(&sender.thread, NULL, send_one, &sender), 0);
    assert_errno(hyperstart_mock_stop(call->mock, 20), ETIMEDOUT); /* no client has come */
    pthread_join(sender.thread, NULL);
    assert_int_equal(sender.result, -1);
    assert_int_equal(sender.error, ESHUTDOWN);
}

static void test_sending_waits_as_long_as_it_may(void **state)
{
    struct call *call = call_new(&(struct hyperstart_mock_options){.send_wait_ms = 20});

    (void)state;
    assert_errno(hyperstart_mock_close_io(call->mock, 1), ESHUTDOWN); /* not started */
    call_start(call);
    assert_errno(hyperstart_mock_close_io(call->mock, 1), ETIMEDOUT);
    call_free(call);
}

static void test_commands_wait_for_both(void **state)
{
    struct call *call = *state;

    call_start(call);
    call->ctl = connect_to(hyperstart_mock_ctl_path(call->mock));
    say(call, CTL_PING, "");
    assert_errno(hyperstart_mock_wait_messages(call->mock, 1, 20), ETIMEDOUT);
    call->io = connect_to(hyperstart_mock_io_path(call->mock));
    hears_next(call, 8);
    hears(call, CTL_ACK, "");
}

/* In the mock's own thread nobody would ever do what is waited for. */
struct waiter {
    struct hyperstart_mock *mock;
    int errors[5];
};

static void wait_in_log(void *user, const char *line)
{
    struct waiter *waiter = user;

    if (strcmp(line, "start") != 0)
        return;
    (void)hyperstart_mock_wait_connected(waiter->mock, -1);
    waiter->errors[0] = errno;
    (void)hyperstart_mock_next_message(waiter->mock, SOON);
    waiter->errors[1] = errno;
    (void)hyperstart_mock_send_io_string(waiter->mock, 1, "x");
    waiter->errors[2] = errno;
    (void)hyperstart_mock_stop(waiter->mock, 0);
    waiter->errors[3] = errno;
    (void)hyperstart_mock_wait_left(waiter->mock, 0); /* does not wait */
    waiter->errors[4] = errno;
}

static void test_no_waiting_in_the_log_function(void **state)
{
    struct waiter waiter = {0};
    cleanup_fd int ctl = -1, io = -1;
    const struct hyperstart_mock_options options = {.log = wait_in_log, .user = &waiter};

    (void)state;
    waiter.mock = hyperstart_mock_new(&options);
    assert_int_equal(hyperstart_mock_start(waiter.mock, NULL), 0);
    ctl = connect_to(hyperstart_mock_ctl_path(waiter.mock));
    io = connect_to(hyperstart_mock_io_path(waiter.mock));
    assert_int_equal(hyperstart_mock_wait_connected(waiter.mock, SOON), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(waiter.errors[i], EDEADLK);
    assert_int_equal(waiter.errors[4], ETIMEDOUT);
    hyperstart_mock_free(waiter.mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sending_waits_for_both, call_setup, call_teardown),
        cmocka_unit_test_setup_teardown(test_stop_ends_waiting, call_setup, call_teardown),
        cmocka_unit_test(test_sending_waits_as_long_as_it_may),
        cmocka_unit_test_setup_teardown(test_commands_wait_for_both, call_setup, call_teardown),
        cmocka_unit_test(test_no_waiting_in_the_log_function),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

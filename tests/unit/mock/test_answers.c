/* A mock that does as it is told: other answers, late, never, held; closing; expectations of commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/wire/frame.h"
#include "tests/unit/mock/caller.h"

static void set(struct call *call, uint32_t code, unsigned nth, enum hyperstart_mock_reply reply,
                const char *payload)
{
    const struct hyperstart_mock_answer answer = {
        .reply = reply, .payload = payload, .length = strlen(payload)};

    assert_int_equal(hyperstart_mock_set_answer(call->mock, code, nth, &answer), 0);
}

static void asks(struct call *call, uint32_t code, uint32_t answer, const char *payload)
{
    say(call, code, "");
    hears_next(call, CTL_HEADER);
    hears(call, answer, payload);
}

static void test_error(void **state)
{
    struct call *call = *state;

    set(call, CTL_STARTPOD, 0, HYPERSTART_MOCK_ERROR, "no such\ndevice");
    asks(call, CTL_STARTPOD, CTL_ERROR, "no such\ndevice");
    assert_logged(call, "ctl: <-- command startpod failed: no such\\x0adevice\n");
    asks(call, CTL_PING, CTL_ACK, "");
    asks(call, CTL_STARTPOD, CTL_ERROR, "no such\ndevice");
    assert_int_equal(hyperstart_mock_set_answer(call->mock, CTL_STARTPOD, 0, NULL), 0);
    asks(call, CTL_STARTPOD, CTL_ACK, "");
}

static void test_payload(void **state)
{
    struct call *call = *state;

    set(call, CTL_READFILE, 0, HYPERSTART_MOCK_ACK, "bytes");
    asks(call, CTL_READFILE, CTL_ACK, "bytes");
    set(call, CTL_GETVERSION, 0, HYPERSTART_MOCK_ACK, "");
    asks(call, CTL_GETVERSION, CTL_ACK, "");
}

static void test_unknown(void **state)
{
    struct call *call = *state;

    say(call, 99, "what");
    hears_next(call, CTL_HEADER);
    hears_next(call, 4);
    hears(call, CTL_ERROR, "unknown command 99");
    assert_logged(call, "ctl: --> unknown command 99, payload_len=4\n");
    asks(call, 2, CTL_ERROR, "unknown command 2"); /* deprecated */
    set(call, 99, 0, HYPERSTART_MOCK_ACK, "known now");
    asks(call, 99, CTL_ACK, "known now");
    assert_messages(call, "unknown:what unknown: unknown:");
}

static void test_nth(void **state)
{
    struct call *call = *state;

    set(call, CTL_PING, 2, HYPERSTART_MOCK_ERROR, "second");
    set(call, CTL_PING, 4, HYPERSTART_MOCK_ERROR, "fourth");
    asks(call, CTL_PING, CTL_ACK, "");
    asks(call, CTL_STARTPOD, CTL_ACK, "");
    asks(call, CTL_PING, CTL_ERROR, "second");
    set(call, CTL_PING, 0, HYPERSTART_MOCK_ERROR, "all");
    asks(call, CTL_PING, CTL_ERROR, "all");
    asks(call, CTL_PING, CTL_ERROR, "fourth");
    asks(call, CTL_PING, CTL_ERROR, "all");
    set(call, CTL_PING, 3, HYPERSTART_MOCK_ERROR, "third from now");
    assert_int_equal(hyperstart_mock_set_answer(call->mock, CTL_PING, 0, NULL), 0);
    for (int i = 0; i < 5; i++)
        asks(call, CTL_PING, CTL_ACK, "");
}

static void test_every_code(void **state)
{
    struct call *call = *state;

    set(call, HYPERSTART_MOCK_EVERY_CODE, 0, HYPERSTART_MOCK_ERROR, "out of order");
    set(call, CTL_PING, 0, HYPERSTART_MOCK_ACK, "");
    asks(call, CTL_PING, CTL_ACK, "");
    asks(call, CTL_STARTPOD, CTL_ERROR, "out of order");
    asks(call, 99, CTL_ERROR, "out of order");
}

static void test_never(void **state)
{
    struct call *call = *state;

    set(call, CTL_STARTPOD, 0, HYPERSTART_MOCK_NEVER, "");
    say(call, CTL_STARTPOD, "{}");
    hears_next(call, CTL_HEADER);
    hears_next(call, 2);
    asks(call, CTL_PING, CTL_ACK, ""); /* and nothing before it */
    assert_messages(call, "startpod:{} ping:");
}

/* Late, but in order. That it was there before is seen without its answer. */
static void test_delay(void **state)
{
    struct call *call = *state;
    const struct hyperstart_mock_answer late = {
        .reply = HYPERSTART_MOCK_ERROR, .delay_ms = 150, .payload = "late", .length = 4};
    int64_t start = loop_now_ns();

    assert_int_equal(hyperstart_mock_set_answer(call->mock, CTL_STARTPOD, 1, &late), 0);
    say(call, CTL_STARTPOD, "");
    say(call, CTL_PING, "");
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 1, SOON), 0);
    assert_messages(call, "startpod:");
    hears_next(call, CTL_HEADER);
    assert_true(hears_nothing(call->ctl));
    hears(call, CTL_ERROR, "late");
    assert_true(loop_now_ns() - start >= 150 * (int64_t)1000000);
    hears_next(call, CTL_HEADER);
    hears(call, CTL_ACK, "");
}

static void test_stop_does_not_wait_for_the_late(void **state)
{
    struct call *call = *state;
    const struct hyperstart_mock_answer late = {.delay_ms = 3600000};

    assert_int_equal(hyperstart_mock_set_answer(call->mock, CTL_PING, 0, &late), 0);
    say(call, CTL_PING, "");
    hears_next(call, CTL_HEADER);
    assert_int_equal(hyperstart_mock_stop(call->mock, SOON), 0);
    hears_end(call->ctl);
}

static void test_hold(void **state)
{
    struct call *call = *state;
    const struct hyperstart_mock_answer error = {
        .reply = HYPERSTART_MOCK_ERROR, .payload = "no", .length = 2};
    const struct hyperstart_mock_answer late = {.reply = HYPERSTART_MOCK_ACK, .delay_ms = 20};
    int64_t start;

    set(call, HYPERSTART_MOCK_EVERY_CODE, 0, HYPERSTART_MOCK_HOLD, "");
    assert_int_equal(hyperstart_mock_answer(call->mock, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    for (int i = 0; i < 3; i++)
        say(call, CTL_GETVERSION, "");
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 1, SOON), 0);
    hears_next(call, CTL_HEADER);
    assert_true(hears_nothing(call->ctl));
    assert_int_equal(hyperstart_mock_answer(call->mock, &error), 0);
    hears(call, CTL_ERROR, "no");
    hears_next(call, CTL_HEADER);
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 2, SOON), 0);
    assert_int_equal(hyperstart_mock_answer(call->mock, NULL), 0);
    hears_bytes(call, CTL_ACK, "\0\0\x10\x94", 4, __FILE__, __LINE__);
    hears_next(call, CTL_HEADER);
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 3, SOON), 0);
    start = loop_now_ns();
    assert_int_equal(hyperstart_mock_answer(call->mock, &late), 0);
    hears(call, CTL_ACK, "");
    assert_true(loop_now_ns() - start >= 20 * (int64_t)1000000);
}

/* Commands that wait behind one that is held are not lost when their client leaves. */
static void test_client_leaves_while_held(void **state)
{
    struct call *call = *state;

    set(call, CTL_STARTPOD, 0, HYPERSTART_MOCK_HOLD, "");
    say(call, CTL_STARTPOD, "");
    say(call, CTL_PING, "");
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 1, SOON), 0);
    say(call, CTL_EXECCMD, "x");
    close_fd(&call->ctl);
    close_fd(&call->io);
    assert_int_equal(hyperstart_mock_wait_left(call->mock, SOON), 0);
    assert_int_equal(hyperstart_mock_answer(call->mock, NULL), 0);
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 4, -1), -1);
    assert_messages(call, "startpod: ping: execcmd:x");
    assert_logged(call, "ctl: command execcmd is not answered\n");
}

static void test_wrong_answers(void **state)
{
    struct call *call = *state;
    struct hyperstart_mock_answer answer = {.reply = HYPERSTART_MOCK_HOLD};

    assert_int_equal(hyperstart_mock_answer(call->mock, &answer), -1);
    assert_int_equal(errno, EINVAL);
    answer = (struct hyperstart_mock_answer){.payload = "x", .length = FRAME_MOST - CTL_HEADER + 1};
    assert_int_equal(hyperstart_mock_set_answer(call->mock, 1, 0, &answer), -1);
    assert_int_equal(errno, EMSGSIZE);
}

/* ---- closing ---- */

static void test_close_instead(void **state)
{
    struct call *call = *state;

    set(call, CTL_NEWCONTAINER, 0, HYPERSTART_MOCK_CLOSE, "");
    ask(call, CTL_STARTPOD, "");
    say(call, CTL_NEWCONTAINER, "");
    hears_next(call, CTL_HEADER);
    hears_end(call->ctl);
    hears_end(call->io);
    assert_int_equal(hyperstart_mock_wait_left(call->mock, SOON), 0);
    assert_messages(call, "startpod: newcontainer:");
}

static void test_close_one(void **state)
{
    struct call *call = *state;

    assert_int_equal(hyperstart_mock_send_io_string(call->mock, 1, "bye"), 0);
    assert_int_equal(hyperstart_mock_close(call->mock, HYPERSTART_MOCK_IO), 0);
    gets(call, 1, "bye");
    hears_end(call->io);
    assert_int_equal(hyperstart_mock_send_io_string(call->mock, 1, "too late"), -1);
    assert_int_equal(errno, EPIPE);
    assert_null(hyperstart_mock_read_io(call->mock, -1));
    assert_int_equal(errno, EPIPE);
    ask(call, CTL_PING, "");
    assert_int_equal(hyperstart_mock_wait_left(call->mock, 0), -1);
    assert_int_equal(hyperstart_mock_close(call->mock, HYPERSTART_MOCK_CTL), 0);
    hears_end(call->ctl);
    assert_int_equal(hyperstart_mock_wait_left(call->mock, SOON), 0);
}

/* What was sent before is heard, also where it is more than the socket holds. */
static void test_close_after_much(void **state)
{
    struct call *call = *state;
    cleanup_free uint8_t *bytes = memory_new(900000);
    size_t got = 0;
    ssize_t more;

    assert_int_equal(hyperstart_mock_send_io(call->mock, 1, bytes, 900000), 0);
    assert_int_equal(hyperstart_mock_close(call->mock, HYPERSTART_MOCK_IO), 0);
    while ((more = recv(call->io, bytes, 900000, 0)) > 0)
        got += (size_t)more;
    assert_int_equal(got, 900000 + IO_HEADER);
}

/* An agent that dies when it has said ACK. */
static void test_close_after_the_answer(void **state)
{
    struct call *call = *state;

    say(call, CTL_STARTPOD, "");
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 1, SOON), 0);
    assert_int_equal(hyperstart_mock_close(call->mock, HYPERSTART_MOCK_CTL), 0);
    hears_next(call, CTL_HEADER);
    hears(call, CTL_ACK, "");
    hears_end(call->ctl);
}

static void test_close_while_held(void **state)
{
    struct call *call = *state;

    set(call, CTL_PING, 0, HYPERSTART_MOCK_HOLD, "");
    say(call, CTL_PING, "");
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 1, SOON), 0);
    assert_int_equal(hyperstart_mock_close(call->mock, HYPERSTART_MOCK_CTL), 0);
    hears_next(call, CTL_HEADER);
    hears_end(call->ctl);
    assert_int_equal(hyperstart_mock_answer(call->mock, NULL), -1);
    assert_int_equal(errno, EAGAIN);
}

static void test_ready(void **state)
{
    struct call *call = call_new(&(struct hyperstart_mock_options){.ready = true});

    (void)state;
    call_start(call);
    call_connect(call);
    hears(call, CTL_READY, "");
    ask(call, CTL_PING, "");
    call_free(call);
}

/* ---- expectations ---- */

#define expects(call, timeout_ms, detail, ...)                                                               \
    hyperstart_mock_expect((call)->mock, (const uint32_t[]){__VA_ARGS__},                                    \
                           sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t), timeout_ms, detail)

static void test_expect(void **state)
{
    struct call *call = *state;
    char detail[HYPERSTART_MOCK_DETAIL] = "";

    say(call, CTL_STARTPOD, "");
    say(call, CTL_NEWCONTAINER, "");
    say(call, CTL_NEWCONTAINER, "");
    assert_int_equal(expects(call, SOON, detail, 1, 17, 17), 0);
    assert_int_equal(expects(call, SOON, NULL, 1, 17), 0); /* they are still there */
    assert_int_equal(expects(call, SOON, detail, 1, 17, CTL_EXECCMD, 99), -1);
    assert_int_equal(errno, EBADMSG);
    assert_string_equal(detail, "command 3: expected execcmd, got newcontainer");
    assert_int_equal(expects(call, 20, detail, 1, 17, 17, 99), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_string_equal(detail, "command 4: expected 99, got none in time");
    close_fd(&call->ctl);
    assert_int_equal(expects(call, -1, detail, 1, 17, 17, 12), -1);
    assert_int_equal(errno, EPIPE);
    assert_string_equal(detail, "command 4: expected ping, got none before the client left");
    assert_messages(call, "startpod: newcontainer: newcontainer:");
    assert_int_equal(expects(call, 0, NULL, 1), -1);
}

/* A wrong one is told at once, not when the time for the others is over. */
static void test_expect_ends_early(void **state)
{
    struct call *call = *state;
    char detail[HYPERSTART_MOCK_DETAIL];

    say(call, 99, "");
    assert_int_equal(expects(call, -1, detail, CTL_PING, CTL_PING), -1);
    assert_string_equal(detail, "command 1: expected ping, got 99");
}

static void test_kept(void **state)
{
    struct call *call = call_new(&(struct hyperstart_mock_options){.kept = 1000});
    char detail[HYPERSTART_MOCK_DETAIL];
    struct hyperstart_mock_message *message;
    size_t count;

    (void)state;
    call_start(call);
    call_connect(call);
    for (int i = 0; i < 50; i++)
        ask(call, CTL_PING, "");
    assert_int_equal(expects(call, 0, detail, CTL_PING), -1);
    assert_non_null(strstr(detail, "commands are forgotten already"));
    message = hyperstart_mock_next_message(call->mock, 0);
    assert_true(message->number > 30 && message->number < 50);
    free(message);
    free(hyperstart_mock_last_messages(call->mock, &count));
    ask(call, CTL_STARTPOD, "");
    assert_int_equal(expects(call, 0, detail, CTL_STARTPOD), 0);
    call_free(call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_error, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_payload, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_unknown, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_nth, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_every_code, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_never, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_delay, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_stop_does_not_wait_for_the_late, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_hold, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_client_leaves_while_held, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_answers, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_close_instead, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_close_one, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_close_after_much, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_close_after_the_answer, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_close_while_held, call_connected, call_teardown),
        cmocka_unit_test(test_ready),
        cmocka_unit_test_setup_teardown(test_expect, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_expect_ends_early, call_connected, call_teardown),
        cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

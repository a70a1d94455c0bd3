/* The mock as a client and a test see it: commands, I/O, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "src/wire/frame.h"
#include "tests/unit/mock/caller.h"
#include "tests/unit/support/support.h"

/* ---- commands ---- */

static void test_every_command_is_acknowledged(void **state)
{
    static const uint32_t codes[] = {1, 4, 6, 8, 11, 12, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25};
    struct call *call = *state;
    size_t count;

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        ask(call, codes[i], i % 2 ? "{\"x\":1}" : "");
    free(hyperstart_mock_last_messages(call->mock, &count));
    assert_int_equal(count, sizeof codes / sizeof *codes);
}

static void test_version(void **state)
{
    struct call *call = *state;

    say(call, CTL_GETVERSION, "");
    hears_next(call, 8);
    hears_bytes(call, CTL_ACK, "\0\0\x10\x94", 4, __FILE__, __LINE__);
}

static void test_last_messages(void **state)
{
    struct call *call = *state;

    assert_messages(call, "");
    ask(call, CTL_STARTPOD, "{}");
    ask(call, CTL_PING, "");
    assert_messages(call, "startpod:{} ping:");
    assert_messages(call, "");
    ask(call, CTL_EXECCMD, "x");
    assert_int_equal(hyperstart_mock_stop(call->mock, SOON), 0);
    assert_messages(call, "execcmd:x"); /* also when it is over */
}

static void test_next_message(void **state)
{
    struct call *call = *state;
    struct hyperstart_mock_message *message;

    assert_null(hyperstart_mock_next_message(call->mock, 0));
    assert_int_equal(errno, ETIMEDOUT);
    ask(call, CTL_STARTPOD, "{}");
    ask(call, CTL_PING, "");
    message = hyperstart_mock_next_message(call->mock, SOON);
    assert_int_equal(message->number, 1);
    assert_int_equal(message->code, CTL_STARTPOD);
    assert_int_equal(message->length, 2);
    assert_string_equal((const char *)message->payload, "{}");
    free(message);
    assert_messages(call, "ping:");
    close_fd(&call->ctl);
    assert_null(hyperstart_mock_next_message(call->mock, SOON));
    assert_int_equal(errno, EPIPE);
}

static void test_wait_messages(void **state)
{
    struct call *call = *state;

    say(call, CTL_PING, "");
    say(call, CTL_PING, "");
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 2, SOON), 0);
    assert_errno(hyperstart_mock_wait_messages(call->mock, 3, 20), ETIMEDOUT);
    close_fd(&call->ctl);
    assert_errno(hyperstart_mock_wait_messages(call->mock, 3, -1), EPIPE);
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 2, 0), 0);
}

static void test_log(void **state)
{
    struct call *call = *state;

    ask(call, CTL_STARTPOD, "{\"hostname\": \"pod\"}\xff");
    ask(call, CTL_PING, "");
    assert_int_equal(hyperstart_mock_send_io_string(call->mock, 7, "out"), 0);
    gets(call, 7, "out");
    assert_int_equal(hyperstart_mock_stop(call->mock, SOON), 0);
    assert_logged(call, "start\n");
    assert_logged(call, ".0.sock: waiting for connection\n");
    assert_logged(call, ".1.sock: accepted connection\n");
    assert_logged(call, "ctl: --> command startpod, payload_len=20\n"
                        "00000000  7b 22 68 6f 73 74 6e 61  6d 65 22 3a 20 22 70 6f  |{\"hostname\": \"po|\n"
                        "00000010  64 22 7d ff                                       |d\"}.|\n"
                        "ctl: <-- command startpod executed successfully\n"
                        "ctl: --> command ping, payload_len=0\n"
                        "ctl: <-- command ping executed successfully\n"
                        "io: <-- writing 3 bytes for seq 7\n"
                        "stopped\n");
}

static void test_names(void **state)
{
    uint32_t code = 99;

    (void)state;
    assert_string_equal(hyperstart_mock_code_name(17), "newcontainer");
    assert_string_equal(hyperstart_mock_code_name(UINT32_MAX), "unknown");
    assert_int_equal(hyperstart_mock_code("version", &code), 0);
    assert_int_equal(code, HYPERSTART_GETVERSION);
    assert_int_equal(hyperstart_mock_code("4294967295", &code), 0);
    assert_int_equal(code, UINT32_MAX);
    assert_int_equal(hyperstart_mock_code("4294967296", &code), -1);
    assert_int_equal(hyperstart_mock_code("unknown", &code), -1);
    assert_int_equal(hyperstart_mock_code("", &code), -1);
}

/* ---- to the client ---- */

static void test_sending(void **state)
{
    struct call *call = *state;

    assert_int_equal(hyperstart_mock_send_message(call->mock, CTL_READY, NULL, 0), 0);
    hears(call, CTL_READY, "");
    assert_int_equal(hyperstart_mock_send_event(call->mock, "ua0", NULL, "exited", NULL, 3), 0);
    hears(call, CTL_PROCESSASYNCEVENT,
          "{\"container\":\"ua0\",\"process\":\"ua0\",\"event\":\"exited\",\"status\":3}");
    assert_int_equal(hyperstart_mock_send_io(call->mock, UINT64_MAX, "a\0b", 3), 0);
    assert_int_equal(hyperstart_mock_close_io(call->mock, 2), 0);
    assert_int_equal(hyperstart_mock_send_exit_status(call->mock, 2, 42), 0);
    {
        uint8_t bytes[15 + 12 + 13];

        assert_int_equal(recv(call->io, bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
        assert_memory_equal(bytes,
                            "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x0f"
                            "a\0b"
                            "\0\0\0\0\0\0\0\2\0\0\0\x0c"
                            "\0\0\0\0\0\0\0\2\0\0\0\x0d*",
                            sizeof bytes);
    }
}

static void test_longest(void **state)
{
    struct call *call = *state;
    size_t most = FRAME_MOST - CTL_HEADER;
    cleanup_free char *bytes = memory_new(most + 1);

    memset(bytes, 'x', most);
    assert_errno(hyperstart_mock_send_message(call->mock, CTL_ACK, bytes, most + 1), EMSGSIZE);
    assert_errno(hyperstart_mock_send_io(call->mock, 1, bytes, FRAME_MOST - IO_HEADER + 1), EMSGSIZE);
    assert_int_equal(hyperstart_mock_send_message(call->mock, CTL_ACK, bytes, most), 0);
    hears(call, CTL_ACK, bytes);
}

static void test_reading(void **state)
{
    struct call *call = *state;
    struct hyperstart_mock_packet *packet;

    assert_null(hyperstart_mock_read_io(call->mock, 20));
    assert_int_equal(errno, ETIMEDOUT);
    put(call, 0x0102, "in");
    put(call, 3, "");
    packet = hyperstart_mock_read_io(call->mock, SOON);
    assert_int_equal(packet->sequence, 0x0102);
    assert_int_equal(packet->size, 14);
    assert_memory_equal(packet->packet, "\0\0\0\0\0\0\1\2\0\0\0\x0ein", 15);
    assert_int_equal(packet->length, 2);
    assert_string_equal((const char *)packet->payload, "in");
    free(packet);
    packet = hyperstart_mock_read_io(call->mock, SOON);
    assert_int_equal(packet->sequence, 3);
    assert_int_equal(packet->length, 0);
    free(packet);
    put(call, 4, "last");
    close_fd(&call->io);
    packet = hyperstart_mock_read_io(call->mock, -1);
    assert_int_equal(packet->sequence, 4);
    free(packet);
    assert_null(hyperstart_mock_read_io(call->mock, -1));
    assert_int_equal(errno, EPIPE);
}

/* ---- the end ---- */

static void test_client_leaves(void **state)
{
    struct call *call = *state;

    assert_errno(hyperstart_mock_wait_left(call->mock, 0), ETIMEDOUT);
    say(call, CTL_PING, "");
    put(call, 1, "last words");
    close_fd(&call->ctl);
    assert_int_equal(hyperstart_mock_wait_left(call->mock, SOON), 0);
    assert_errno(hyperstart_mock_send_message(call->mock, CTL_READY, NULL, 0), EPIPE);
    assert_errno(hyperstart_mock_send_io_string(call->mock, 1, "quietly"), EPIPE);
    free(hyperstart_mock_read_io(call->mock, SOON));
    assert_null(hyperstart_mock_read_io(call->mock, SOON));
    assert_messages(call, "ping:");
    hears_end(call->io);
    assert_int_equal(hyperstart_mock_stop(call->mock, -1), 0);
}

/* What was sent on a channel before stop() is heard: here more than its socket holds. */
static void *listen_long(void *user)
{
    struct call *call = user;
    static uint8_t data[FRAME_MOST];
    size_t got = 0;
    ssize_t more;

    while ((more = recv(call->io, data, sizeof data, 0)) > 0)
        got += (size_t)more;
    return (void *)got;
}

static void test_stop_lets_the_client_read(void **state)
{
    struct call *call = *state;
    cleanup_free char *bytes = memory_new(900000);
    void *got;
    pthread_t listener;

    assert_int_equal(pthread_create(&listener, NULL, listen_long, call), 0);
    assert_int_equal(hyperstart_mock_send_io(call->mock, 1, bytes, 900000), 0);
    assert_int_equal(hyperstart_mock_stop(call->mock, SOON), 0);
    pthread_join(listener, &got);
    assert_int_equal((size_t)got, 900000 + IO_HEADER);
}

/* Keeps the mock from reading until somebody stops it. */
static void wait_for_stop(void *user, const char *line)
{
    struct call *call = user;

    if (strcmp(line, "ctl: --> command ping, payload_len=0") != 0)
        return;
    while (hyperstart_mock_wait_left(call->mock, 0) < 0 && errno != ESHUTDOWN)
        sched_yield();
}

static void test_stop_takes_what_was_sent(void **state)
{
    char payload[90001] = "";
    struct call call = {0};
    const struct hyperstart_mock_options options = {.log = wait_for_stop, .user = &call};

    (void)state;
    call.mock = hyperstart_mock_new(&options);
    call_start(&call);
    call_connect(&call);
    say(&call, CTL_PING, "");
    hears_next(&call, CTL_HEADER);
    memset(payload, 'x', sizeof payload - 1);
    say(&call, CTL_EXECCMD, payload); /* more than is read at once */
    put(&call, 1, "in");
    assert_int_equal(hyperstart_mock_stop(call.mock, 0), 0);
    assert_int_equal(hyperstart_mock_wait_messages(call.mock, 2, 0), 0);
    free(hyperstart_mock_read_io(call.mock, 0));
    assert_null(hyperstart_mock_read_io(call.mock, 0));
    assert_int_equal(errno, ESHUTDOWN);
    assert_int_equal(hyperstart_mock_stop(call.mock, -1), 0); /* it is stopped */
    hyperstart_mock_free(call.mock);
    close_fd(&call.ctl);
    close_fd(&call.io);
}

static void test_started_again(void **state)
{
    struct call *call = *state;

    ask(call, CTL_PING, "");
    assert_int_equal(hyperstart_mock_stop(call->mock, SOON), 0);
    close_fd(&call->ctl);
    close_fd(&call->io);
    call_start(call);
    call_connect(call);
    ask(call, CTL_STARTPOD, "");
    assert_messages(call, "startpod:");
}

static void test_many(void **state)
{
    struct call *calls[20];

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        calls[i] = call_new(NULL);
        call_start(calls[i]);
        call_connect(calls[i]);
    }
    for (size_t i = 0; i < 20; i++) {
        char text[8];

        snprintf(text, sizeof text, "%zu", i);
        ask(calls[i], CTL_EXECCMD, text);
        assert_int_equal(hyperstart_mock_send_io_string(calls[i]->mock, i, text), 0);
    }
    for (size_t i = 0; i < 20; i++) {
        char text[24];

        snprintf(text, sizeof text, "%zu", i);
        gets(calls[i], i, text);
        snprintf(text, sizeof text, "execcmd:%zu", i);
        assert_messages(calls[i], text);
        call_free(calls[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_command_is_acknowledged, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_version, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_last_messages, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_next_message, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_wait_messages, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_log, call_connected, call_teardown),
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_sending, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_longest, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_reading, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_client_leaves, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_stop_lets_the_client_read, call_connected, call_teardown),
        cmocka_unit_test(test_stop_takes_what_was_sent),
        cmocka_unit_test_setup_teardown(test_started_again, call_connected, call_teardown),
        cmocka_unit_test(test_many),
    };

    unsetenv("TMPDIR"); /* whoever started the tests may have set it; sockets are in /tmp by default */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Clients that send what is no frame, or in the oddest pieces, or never read: an ERROR or the end, never more
 * memory than is bounded, and stop() ends it all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "src/wire/frame.h"
#include "tests/unit/mock/caller.h"
#include "tests/unit/support/support.h"

/* ---- no frames ---- */

static void refused(struct call *call, const char *words)
{
    hears(call, CTL_ERROR, words);
    hears_end(call->ctl);
    hears_end(call->io);
    assert_int_equal(hyperstart_mock_wait_left(call->mock, SOON), 0);
    assert_logged(call, words);
    assert_messages(call, "");
}

static void test_too_short(void **state)
{
    struct call *call = *state;

    SAY_BYTES(call->ctl, "\0\0\0\x0c\0\0\0\7");
    refused(call, "a frame of 7 bytes: between 8 and 1048576 are possible");
}

static void test_too_long(void **state)
{
    struct call *call = *state;

    SAY_BYTES(call->ctl, "\0\0\0\x0c\0\x10\0\1");
    refused(call, "a frame of 1048577 bytes: between 8 and 1048576 are possible");
}

static void test_far_too_long(void **state)
{
    struct call *call = *state;

    SAY_BYTES(call->ctl, "\0\0\0\x0c\xff\xff\xff\xff");
    refused(call, "a frame of 4294967295 bytes: between 8 and 1048576 are possible");
}

static void test_no_packet(void **state)
{
    struct call *call = *state;

    SAY_BYTES(call->io, "\0\0\0\0\0\0\0\1\0\0\0\x0b");
    hears_end(call->io);
    hears_end(call->ctl);
    assert_null(hyperstart_mock_read_io(call->mock, SOON));
    assert_int_equal(errno, EPIPE);
    assert_logged(call, "io: --> a frame of 11 bytes: between 12 and 1048576 are possible\n");
}

/* What came before it is taken. */
static void test_no_frame_behind_others(void **state)
{
    struct call *call = *state;

    SAY_BYTES(call->ctl, "\0\0\0\x0c\0\0\0\x08\0\0\0\x0c\0\0\0\x08\0\0\0\0\0\0\0\0");
    for (int i = 0; i < 2; i++) {
        hears_next(call, 8);
        hears(call, CTL_ACK, "");
    }
    hears(call, CTL_ERROR, "a frame of 0 bytes: between 8 and 1048576 are possible");
    hears_end(call->ctl);
    assert_messages(call, "ping: ping:");
}

/* ---- pieces ---- */

/* The header is acknowledged once it is there, not with the payload. */
static void test_byte_by_byte(void **state)
{
    static const char frame[] = "\0\0\0\x11\0\0\0\x0a{}";
    struct call *call = *state;

    for (size_t i = 0; i < 8; i++) {
        assert_true(hears_nothing(call->ctl));
        say_bytes(call->ctl, frame + i, 1);
    }
    hears_next(call, 8);
    say_bytes(call->ctl, frame + 8, 1);
    assert_true(hears_nothing(call->ctl));
    say_bytes(call->ctl, frame + 9, 1);
    hears_next(call, 2);
    hears(call, CTL_ACK, "");
    assert_messages(call, "newcontainer:{}");
}

static void test_packet_byte_by_byte(void **state)
{
    static const char frame[] = "\0\0\0\0\0\0\0\5\0\0\0\x0ehi";
    struct call *call = *state;
    struct hyperstart_mock_packet *packet;

    for (size_t i = 0; i < 14; i++)
        say_bytes(call->io, frame + i, 1);
    packet = hyperstart_mock_read_io(call->mock, SOON);
    assert_int_equal(packet->sequence, 5);
    assert_string_equal((const char *)packet->payload, "hi");
    free(packet);
}

static void test_many_at_once(void **state)
{
    struct call *call = *state;
    cleanup_buffer struct buffer all = {0};

    ctl_encode(&all, CTL_STARTPOD, "{}", 2);
    ctl_encode(&all, CTL_PING, NULL, 0);
    ctl_encode(&all, 77, "x", 1);
    ctl_encode(&all, CTL_EXECCMD, "{}", 2);
    say_bytes(call->ctl, all.data, all.length);
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 4, SOON), 0);
    assert_messages(call, "startpod:{} ping: unknown:x execcmd:{}");
}

static void test_truncated(void **state)
{
    struct call *call = *state;

    ask(call, CTL_PING, "");
    SAY_BYTES(call->ctl, "\0\0\0\x0c\0\0");
    SAY_BYTES(call->io, "\0\0\0\0\0\0\0\5\0\0\0\x0eh");
    close_fd(&call->ctl);
    assert_int_equal(hyperstart_mock_wait_messages(call->mock, 2, -1), -1);
    assert_int_equal(errno, EPIPE);
    assert_null(hyperstart_mock_read_io(call->mock, -1));
    assert_int_equal(errno, EPIPE);
    assert_messages(call, "ping:");
}

static void *say_longest(void *user)
{
    struct call *call = user;
    cleanup_free char *payload = memory_new(FRAME_MOST);

    memset(payload, 'x', FRAME_MOST - CTL_HEADER);
    say(call, CTL_WRITEFILE, payload);
    return NULL;
}

static void test_longest(void **state)
{
    struct call *call = *state;
    struct hyperstart_mock_message *message;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, say_longest, call), 0);
    hears_next(call, 8);
    hears_next(call, FRAME_MOST - CTL_HEADER);
    hears(call, CTL_ACK, "");
    pthread_join(thread, NULL);
    message = hyperstart_mock_next_message(call->mock, SOON);
    assert_int_equal(message->length, FRAME_MOST - CTL_HEADER);
    assert_int_equal(message->payload[message->length - 1], 'x');
    free(message);
}

/* ---- clients that do not read ---- */

#define MOST_MEMORY ((size_t)24 * 1024 * 1024)

/* Sends the frame over and over until the socket has taken nothing for a while; returns how many bytes it
 * took. */
static size_t flood(int socket, const struct buffer *frame, size_t most)
{
    struct timeval patience = {.tv_usec = 300000};
    size_t total = 0;
    ssize_t sent;

    assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    while (total < most && (sent = send(socket, frame->data, frame->length, MSG_NOSIGNAL)) > 0)
        total += (size_t)sent;
    return total;
}

static size_t memory_used(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* What the test itself has logged is not the mock's. A sanitizer's memory says nothing. */
static void check_memory(struct call *call, size_t before, size_t most)
{
#if !defined ADDRESS_SANITIZER && !defined __SANITIZE_THREAD__
    size_t logged;

    pthread_mutex_lock(&call->lock);
    logged = call->log.size;
    pthread_mutex_unlock(&call->lock);
    assert_in_range(memory_used() - logged - before, 0, most);
#endif
    (void)call;
    (void)before;
    (void)most;
}

/* A client that sends commands and never reads their answers is not read any more. */
static void test_never_reads_answers(void **state)
{
    struct call *call = *state;
    cleanup_buffer struct buffer pings = {0};
    size_t before = memory_used();

    for (int i = 0; i < 1000; i++)
        ctl_encode(&pings, CTL_PING, NULL, 0);
    assert_true(flood(call->ctl, &pings, MOST_MEMORY) < MOST_MEMORY);
    check_memory(call, before, MOST_MEMORY);
    assert_int_equal(hyperstart_mock_stop(call->mock, 50), -1);
    assert_int_equal(errno, ETIMEDOUT);
}

/* Answers of 1 MiB to commands of 8 bytes. */
static void test_never_reads_long_answers(void **state)
{
    cleanup_free char *bytes = memory_new(FRAME_MOST);
    const struct hyperstart_mock_answer answer = {.payload = bytes, .length = FRAME_MOST - CTL_HEADER};
    struct call *call = *state;
    cleanup_buffer struct buffer pings = {0};
    size_t before = memory_used();

    assert_int_equal(hyperstart_mock_set_answer(call->mock, CTL_READFILE, 0, &answer), 0);
    for (int i = 0; i < 1000; i++)
        ctl_encode(&pings, CTL_READFILE, NULL, 0);
    (void)flood(call->ctl, &pings, MOST_MEMORY);
    check_memory(call, before, MOST_MEMORY);
    assert_int_equal(hyperstart_mock_stop(call->mock, 0), -1);
}

/* Nobody takes what the client sends: it has to wait. Then it is all there, in order. */
static void test_packets_nobody_takes(void **state)
{
    struct call *call = *state;
    cleanup_free char *bytes = memory_new(100000);
    cleanup_buffer struct buffer frame = {0};
    size_t before = memory_used(), total, got = 0;
    struct hyperstart_mock_packet *packet;

    io_encode(&frame, 1, bytes, 100000);
    total = flood(call->io, &frame, MOST_MEMORY);
    assert_true(total > (size_t)2 * 1024 * 1024 && total < MOST_MEMORY);
    check_memory(call, before, MOST_MEMORY);
    close_fd(&call->io);
    while ((packet = hyperstart_mock_read_io(call->mock, SOON))) {
        got += packet->size;
        free(packet);
    }
    assert_int_equal(errno, EPIPE);
    assert_true(got <= total && got + frame.length > total);
    assert_int_equal(got % frame.length, 0);
}

/* The memory for commands that nobody asks for is bounded as well. */
static void test_commands_nobody_takes(void **state)
{
    struct call *call = call_new(&(struct hyperstart_mock_options){.kept = FRAME_MOST});
    size_t before = memory_used(), count;
    pthread_t thread;

    (void)state;
    call_start(call);
    call_connect(call);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&thread, NULL, say_longest, call), 0);
        hears_next(call, 8);
        hears_next(call, FRAME_MOST - CTL_HEADER);
        hears(call, CTL_ACK, "");
        pthread_join(thread, NULL);
    }
    check_memory(call, before, (size_t)4 * FRAME_MOST);
    free(hyperstart_mock_last_messages(call->mock, &count));
    assert_int_equal(count, 1);
    call_free(call);
}

/* Whoever sends to a client that does not read waits. */
static void test_never_reads_output(void **state)
{
    struct call *call = call_new(&(struct hyperstart_mock_options){.send_wait_ms = 200});
    cleanup_free char *bytes = memory_new(100000);
    size_t sent = 0;

    (void)state;
    call_start(call);
    call_connect(call);
    while (sent < MOST_MEMORY && hyperstart_mock_send_io(call->mock, 1, bytes, 100000) == 0)
        sent += 100000;
    assert_int_equal(errno, ETIMEDOUT);
    assert_in_range(sent, 1024 * 1024, MOST_MEMORY - 1);
    assert_int_equal(hyperstart_mock_send_message(call->mock, CTL_READY, NULL, 0), 0);
    hears(call, CTL_READY, "");
    assert_int_equal(hyperstart_mock_stop(call->mock, 50), -1);
    assert_int_equal(errno, ETIMEDOUT);
    call_free(call);
}

/* ---- clients that break off ---- */

static void *send_until_broken(void *user)
{
    struct call *call = user;

    while (hyperstart_mock_send_io_string(call->mock, 1, "output") == 0 &&
           hyperstart_mock_send_message(call->mock, CTL_READY, NULL, 0) == 0)
        ;
    return (void *)(intptr_t)errno;
}

static void test_broken_while_sending(void **state)
{
    struct call *call = *state;
    pthread_t thread;
    void *error;

    assert_int_equal(pthread_create(&thread, NULL, send_until_broken, call), 0);
    hears(call, CTL_READY, "");
    close_fd(&call->ctl);
    close_fd(&call->io);
    pthread_join(thread, &error);
    assert_int_equal((intptr_t)error, EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_too_short, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_too_long, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_far_too_long, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_no_packet, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_no_frame_behind_others, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_byte_by_byte, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_packet_byte_by_byte, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_many_at_once, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_truncated, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_longest, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_never_reads_answers, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_never_reads_long_answers, call_connected, call_teardown),
        cmocka_unit_test_setup_teardown(test_packets_nobody_takes, call_connected, call_teardown),
        cmocka_unit_test(test_commands_nobody_takes),
        cmocka_unit_test(test_never_reads_output),
        cmocka_unit_test_setup_teardown(test_broken_while_sending, call_connected, call_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

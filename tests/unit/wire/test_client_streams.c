/* The client of the hyperstart channels: processes' output, and owners that free the client where they stand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/socket.h"
#include "tests/unit/support/support.h"
#include "tests/unit/wire/peer.h"

static void test_stream(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};
    uint64_t stream = wire_client_stream(scene->client, on_data, on_ended, &a);

    put(scene, stream, "one", 3);
    put(scene, stream, "two", 3);
    noted(scene, "data(a: one) data(a: two) ");
    put(scene, stream, NULL, 0);
    noted(scene, "");
    put(scene, stream, "\x2a", 1);
    noted(scene, "ended(a: 42) ");
    put(scene, stream, "late", 4); /* over: it is unknown now */
    noted(scene, "");
}

static void test_stderr_stream(void **state)
{
    struct scene *scene = *state;
    struct item out = {scene, "out"}, errors = {scene, "err"};
    uint64_t stdio = wire_client_stream(scene->client, on_data, on_ended, &out);
    uint64_t stderr_stream = wire_client_stream(scene->client, on_data, NULL, &errors);

    assert_true(stdio != 0 && stderr_stream != 0 && stdio != stderr_stream); /* 0 is none on the wire */
    put(scene, stderr_stream, "e", 1);
    put(scene, stdio, "o", 1);
    put(scene, stderr_stream, NULL, 0);
    put(scene, stderr_stream, "f", 1);
    put(scene, stdio, NULL, 0);
    put(scene, stdio, "\0", 1);
    noted(scene, "data(err: e) data(out: o) ended(out: 0) ");
}

/* No status where one is due: it is not taken for success. */
static void test_status_that_is_none(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"};
    uint64_t one = wire_client_stream(scene->client, on_data, on_ended, &a);
    uint64_t other = wire_client_stream(scene->client, on_data, on_ended, &b);

    put(scene, one, NULL, 0);
    put(scene, one, NULL, 0);
    put(scene, other, NULL, 0);
    put(scene, other, "\0\0", 2);
    noted(scene, "ended(a: 255) ended(b: 255) ");
}

/* The bytes in pieces, then an empty message for their end. */
static void test_input(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};
    uint64_t stream = wire_client_stream(scene->client, on_data, on_ended, &a);
    size_t length = 100000, got = 0;
    cleanup_free uint8_t *bytes = memory_new(length);
    uint8_t data[IO_HEADER];

    wire_client_input(scene->client, stream, bytes, length);
    wire_client_input(scene->client, stream, NULL, 0);
    for (;;) {
        struct io_frame frame;
        size_t used, payload;

        assert_int_equal(recv(scene->io, data, IO_HEADER, MSG_WAITALL), IO_HEADER);
        payload = (size_t)data[10] * 256 + data[11] + (size_t)data[9] * 65536 - IO_HEADER;
        data[9] = data[10] = 0;
        data[11] = IO_HEADER;
        assert_int_equal(io_decode(data, IO_HEADER, &frame, &used, NULL), 1);
        assert_true(frame.sequence == stream);
        if (!payload)
            break;
        assert_int_equal(recv(scene->io, bytes, payload, MSG_WAITALL), payload);
        got += payload;
    }
    assert_int_equal(got, length);
}

static void test_unknown_stream(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"};
    uint64_t stream = wire_client_stream(scene->client, on_data, on_ended, &a);
    uint64_t forgotten = wire_client_stream(scene->client, on_data, on_ended, &b);

    wire_client_forget(scene->client, forgotten);
    wire_client_forget(scene->client, forgotten);
    put(scene, UINT64_MAX, "x", 1);
    put(scene, 0, "x", 1);
    put(scene, forgotten, "x", 1);
    put(scene, forgotten, NULL, 0);
    put(scene, stream, "mine", 4);
    noted(scene, "data(a: mine) ");
}

static void on_data_forget(void *user, const uint8_t *data, size_t length)
{
    struct item *item = user;

    on_data(user, data, length);
    wire_client_forget(item->scene->client, 1);
}

static void test_forget_in_data(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    assert_int_equal(wire_client_stream(scene->client, on_data_forget, on_ended, &a), 1);
    put(scene, 1, "x", 1);
    put(scene, 1, "y", 1);
    put(scene, 1, NULL, 0);
    noted(scene, "data(a: x) ");
}

/* ---- freed where it stands ---- */

static void freed_in(struct scene *scene, const char *callback, const char *expected)
{
    scene->free_in = callback;
    noted(scene, expected);
    assert_null(scene->client);
    /* Both descriptors are closed. */
    assert_int_equal(send(scene->ctl, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(send(scene->io, "x", 1, MSG_NOSIGNAL), -1);
}

static void test_free_in_reply(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"};

    command(&a, CTL_PING, "");
    command(&b, CTL_PING, "");
    say(scene, CTL_ACK, "");
    say(scene, CTL_ACK, "");
    freed_in(scene, "reply", "reply(a) ");
}

static void test_free_in_failure(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"};

    command(&a, CTL_PING, "");
    command(&b, CTL_PING, "");
    assert_int_equal(shutdown(scene->ctl, SHUT_WR), 0);
    freed_in(scene, "failed", "failed(a: the agent has ended) ");
}

static void test_free_in_ready(void **state)
{
    struct scene *scene = *state;

    say(scene, CTL_READY, "");
    say(scene, CTL_READY, "");
    freed_in(scene, "ready", "ready() ");
}

static void test_free_in_event(void **state)
{
    struct scene *scene = *state;

    say(scene, CTL_PROCESSASYNCEVENT, "{\"container\":\"c\",\"event\":\"e\"}");
    freed_in(scene, "event", "event(c e - 0) ");
}

static void test_free_in_closed(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(shutdown(scene->ctl, SHUT_WR), 0);
    assert_int_equal(shutdown(scene->io, SHUT_WR), 0);
    freed_in(scene, "closed", "closed(the agent has ended) ");
}

static void test_free_in_data(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};
    uint64_t stream = wire_client_stream(scene->client, on_data, on_ended, &a);

    put(scene, stream, "x", 1);
    put(scene, stream, "y", 1);
    freed_in(scene, "data", "data(a: x) ");
}

static void test_free_in_ended(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};
    uint64_t stream = wire_client_stream(scene->client, on_data, on_ended, &a);

    put(scene, stream, NULL, 0);
    put(scene, stream, "\1", 1);
    put(scene, stream, "\1", 1);
    freed_in(scene, "ended", "ended(a: 1) ");
}

/* While the end of the one channel is told, what the other one still holds is. */
static void test_free_in_last_data(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};
    uint64_t stream = wire_client_stream(scene->client, on_data, on_ended, &a);

    assert_int_equal(shutdown(scene->ctl, SHUT_WR), 0);
    put(scene, stream, "x", 1);
    put(scene, stream, "y", 1);
    freed_in(scene, "data", "data(a: x) ");
}

static void test_free_in_last_reply(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"};

    command(&a, CTL_PING, "");
    command(&b, CTL_PING, "");
    assert_int_equal(shutdown(scene->io, SHUT_WR), 0);
    say(scene, CTL_ACK, "");
    say(scene, CTL_ACK, "");
    freed_in(scene, "reply", "reply(a) ");
}

/* A frame that is none ends the connection, too. */
static void test_bad_frame_behind_the_end(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    command(&a, CTL_PING, "");
    assert_int_equal(shutdown(scene->io, SHUT_WR), 0);
    say(scene, CTL_STARTPOD, "{}");
    freed_in(scene, "closed", "failed(a: the agent has ended) closed(the agent has ended) ");
}

static void test_cannot_make(void **state)
{
    struct scene *scene = *state;
    cleanup_error struct error *error = NULL;
    int ends[2];

    assert_int_equal(socket_pair(SOCK_STREAM, ends, NULL), 0);
    assert_null(wire_client_new(scene->loop, ends[0], -1, &scene_callbacks, scene, &error));
    assert_error(error, ERROR_FAILED, "cannot use a channel");
    assert_int_equal(send(ends[1], "x", 1, MSG_NOSIGNAL), -1); /* the other one was closed */
    close(ends[1]);
    wire_client_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_stream),
        TEST(test_stderr_stream),
        TEST(test_status_that_is_none),
        TEST(test_input),
        TEST(test_unknown_stream),
        TEST(test_forget_in_data),
        TEST(test_free_in_reply),
        TEST(test_free_in_failure),
        TEST(test_free_in_ready),
        TEST(test_free_in_event),
        TEST(test_free_in_closed),
        TEST(test_free_in_data),
        TEST(test_free_in_ended),
        TEST(test_free_in_last_data),
        TEST(test_free_in_last_reply),
        TEST(test_bad_frame_behind_the_end),
        TEST(test_cannot_make),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

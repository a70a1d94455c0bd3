/* The client of the hyperstart channels against a peer that says what the test tells it to. What the client's
 * callbacks are called with is noted down, a word each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "src/base/socket.h"
#include "src/wire/client.h"
#include "tests/unit/support/support.h"

struct scene {
    struct loop *loop;
    struct wire_client *client;
    int ctl, io; /* the peer's ends */
    struct buffer notes;
    const char *free_in; /* the callback in which the client is freed */
};

/* One command or stream; `name` is what is noted. */
struct item {
    struct scene *scene;
    const char *name;
};

static void note(struct scene *scene, const char *callback, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void note(struct scene *scene, const char *callback, const char *format, ...)
{
    cleanup_free char *text = NULL;
    va_list args;

    va_start(args, format);
    text = text_vformat(format, args);
    va_end(args);
    buffer_addf(&scene->notes, "%s(%s) ", callback, text);
    if (scene->free_in && strcmp(scene->free_in, callback) == 0) {
        wire_client_free(scene->client);
        scene->client = NULL;
    }
}

static void noted(struct scene *scene, const char *expected)
{
    loop_settle(scene->loop);
    buffer_add(&scene->notes, "", 1);
    assert_string_equal((const char *)scene->notes.data, expected);
    scene->notes.length = 0;
}

static void on_ready(void *user)
{
    note(user, "ready", "%s", "");
}

static void on_event(void *user, const struct event_message *event)
{
    note(user, "event", "%s %s %s %d", event->container, event->event, event->info ? event->info : "-",
         event->status);
}

static void on_closed(void *user, const struct error *why)
{
    note(user, "closed", "%s", error_text(why));
}

static const struct wire_client_callbacks callbacks = {
    .ready = on_ready, .event = on_event, .closed = on_closed};

static void on_reply(void *user, const struct error *error, const uint8_t *payload, size_t length)
{
    struct item *item = user;

    if (error)
        note(item->scene, "failed", "%s: %s", item->name, error_text(error));
    else
        note(item->scene, "reply", "%s%s%.*s", item->name, length ? ": " : "", (int)length,
             payload ? (const char *)payload : "");
}

static void on_data(void *user, const uint8_t *data, size_t length)
{
    struct item *item = user;

    note(item->scene, "data", "%s: %.*s", item->name, (int)length, (const char *)data);
}

static void on_ended(void *user, int status)
{
    struct item *item = user;

    note(item->scene, "ended", "%s: %d", item->name, status);
}

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);
    int ctl[2], io[2];

    scene->loop = loop_new(NULL);
    if (socket_pair(SOCK_STREAM, ctl, NULL) < 0 || socket_pair(SOCK_STREAM, io, NULL) < 0)
        return -1;
    scene->client = wire_client_new(scene->loop, ctl[0], io[0], &callbacks, scene, NULL);
    scene->ctl = ctl[1];
    scene->io = io[1];
    *state = scene;
    return scene->client ? 0 : -1;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    wire_client_free(scene->client);
    close_fd(&scene->ctl);
    close_fd(&scene->io);
    loop_free(scene->loop);
    buffer_free(&scene->notes);
    free(scene);
    return 0;
}

/* ---- what the peer does ---- */

static void say(struct scene *scene, uint32_t code, const char *payload)
{
    cleanup_buffer struct buffer frame = {0};

    ctl_encode(&frame, code, payload, strlen(payload));
    assert_int_equal(send(scene->ctl, frame.data, frame.length, MSG_NOSIGNAL), frame.length);
}

static void put(struct scene *scene, uint64_t sequence, const void *data, size_t length)
{
    cleanup_buffer struct buffer frame = {0};

    io_encode(&frame, sequence, data, length);
    assert_int_equal(send(scene->io, frame.data, frame.length, MSG_NOSIGNAL), frame.length);
}

/* The next command that the client sent. */
static void hears(struct scene *scene, uint32_t code, const char *payload)
{
    uint8_t data[256];
    struct ctl_frame frame;
    size_t used;

    loop_settle(scene->loop);
    assert_int_equal(recv(scene->ctl, data, CTL_HEADER + strlen(payload), MSG_DONTWAIT),
                     CTL_HEADER + strlen(payload));
    assert_int_equal(ctl_decode(data, CTL_HEADER + strlen(payload), &frame, &used, NULL), 1);
    assert_int_equal(frame.code, code);
    assert_int_equal(frame.length, strlen(payload));
    if (frame.length)
        assert_memory_equal(frame.payload, payload, frame.length);
}

static void command(struct item *item, uint32_t code, const char *payload)
{
    wire_client_send(item->scene->client, code, payload, strlen(payload), on_reply, item);
}

/* ---- commands ---- */

static void test_replies_in_order(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"}, c = {scene, "c"};

    command(&a, CTL_PING, "");
    command(&b, CTL_NEWCONTAINER, "{}");
    hears(scene, CTL_PING, "");
    hears(scene, CTL_NEWCONTAINER, "{}");
    say(scene, CTL_ACK, "");
    noted(scene, "reply(a) ");
    command(&c, CTL_READFILE, "x");
    hears(scene, CTL_READFILE, "x");
    say(scene, CTL_ERROR, "no such \nthing\xff");
    say(scene, CTL_ACK, "bytes");
    noted(scene, "failed(b: no such \\x0athing\\xff) reply(c: bytes) ");
    say(scene, CTL_ACK, "to nothing"); /* harmless */
    noted(scene, "");
    command(&a, CTL_PING, ""); /* and once more, after all have been answered */
    command(&b, CTL_PING, "");
    say(scene, CTL_ACK, "1");
    say(scene, CTL_ACK, "2");
    noted(scene, "reply(a: 1) reply(b: 2) ");
}

static void test_error_without_words(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    command(&a, CTL_PING, "");
    say(scene, CTL_ERROR, "");
    noted(scene, "failed(a: the agent refused a command) ");
}

static void test_no_reply_wanted(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"}, c = {scene, "c"};

    wire_client_send(scene->client, CTL_PING, NULL, 0, NULL, NULL);
    command(&a, CTL_PING, "");
    command(&b, CTL_PING, "");
    command(&a, CTL_PING, "");
    command(&c, CTL_PING, "");
    wire_client_ignore(scene->client, &a);
    for (int i = 0; i < 5; i++)
        say(scene, CTL_ACK, "");
    noted(scene, "reply(b) reply(c) ");
}

static void test_next_is_ignored(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    command(&a, CTL_PING, "");
    say(scene, CTL_NEXT, "\1\1\1\10");
    noted(scene, "");
    say(scene, CTL_NEXT, "no number");
    say(scene, CTL_ACK, "");
    noted(scene, "reply(a) ");
}

static void test_ready_and_events(void **state)
{
    struct scene *scene = *state;

    say(scene, CTL_PROCESSASYNCEVENT, "{\"container\":\"h\",\"event\":\"notice\",\"info\":\"no proc\"}");
    say(scene, CTL_READY, "");
    say(scene, CTL_PROCESSASYNCEVENT, "{\"container\":\"c\",\"event\":\"exited\",\"status\":3}");
    noted(scene, "event(h notice no proc 0) ready() event(c exited - 3) ");
}

static void test_in_pieces(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};
    cleanup_buffer struct buffer bytes = {0};

    command(&a, CTL_PING, "");
    ctl_encode(&bytes, CTL_READY, NULL, 0);
    ctl_encode_next(&bytes, 8);
    ctl_encode(&bytes, CTL_ACK, "xyz", 3);
    for (size_t i = 0; i < bytes.length; i++) {
        assert_int_equal(send(scene->ctl, bytes.data + i, 1, 0), 1);
        loop_settle(scene->loop);
    }
    noted(scene, "ready() reply(a: xyz) ");
}

/* ---- what ends the connection ---- */

static void closes(struct scene *scene, const char *words)
{
    cleanup_free char *expected = text_format("closed(%s) ", words);

    noted(scene, expected);
    noted(scene, "");
}

static void test_close_answers_all(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"}, c = {scene, "c"};

    command(&a, CTL_PING, "");
    command(&b, CTL_PING, "");
    wire_client_send(scene->client, CTL_PING, NULL, 0, NULL, NULL);
    command(&c, CTL_PING, "");
    say(scene, CTL_ACK, "");
    close_fd(&scene->ctl);
    noted(scene, "reply(a) failed(b: the agent has ended) failed(c: the agent has ended) "
                 "closed(the agent has ended) ");
    close_fd(&scene->io); /* told once */
    noted(scene, "");
}

static void test_io_closes_too(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    command(&a, CTL_PING, "");
    close_fd(&scene->io);
    noted(scene, "failed(a: the agent has ended) closed(the agent has ended) ");
    close_fd(&scene->ctl);
    noted(scene, "");
}

/* An ERROR that answers nothing is why the agent is about to end. */
static void test_last_words(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    say(scene, CTL_ERROR, "first");
    say(scene, CTL_ERROR, "cannot mount /proc");
    noted(scene, "");
    command(&a, CTL_PING, "");
    close_fd(&scene->ctl);
    noted(scene, "failed(a: cannot mount /proc) closed(cannot mount /proc) ");
}

/* The agent answers, or says why, and ends: what is still to be read of the one channel counts, whichever of
 * the two ends is noticed first. */
static void test_answer_before_the_end(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"};

    command(&a, CTL_DESTROYPOD, "");
    command(&b, CTL_PING, "");
    close_fd(&scene->io);
    say(scene, CTL_ACK, "");
    say(scene, CTL_ERROR, "no more");
    say(scene, CTL_ERROR, "last words");
    close_fd(&scene->ctl);
    noted(scene, "reply(a) failed(b: no more) closed(last words) ");
}

static void test_output_before_the_end(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};
    uint64_t stream = wire_client_stream(scene->client, on_data, on_ended, &a);

    close_fd(&scene->ctl);
    put(scene, stream, "x", 1);
    put(scene, stream, NULL, 0);
    put(scene, stream, "\3", 1);
    close_fd(&scene->io);
    noted(scene, "data(a: x) ended(a: 3) closed(the agent has ended) ");
}

static void test_bad_frame(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(send(scene->ctl, "\0\0\0\10\0\0\0\7", 8, 0), 8);
    closes(scene, "a frame of 7 bytes: between 8 and 1048576 are possible");
}

static void test_bad_io_frame(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(send(scene->io, "\0\0\0\0\0\0\0\1\0\x10\0\1", 12, 0), 12);
    closes(scene, "a frame of 1048577 bytes: between 12 and 1048576 are possible");
}

static void test_unexpected_code(void **state)
{
    struct scene *scene = *state;

    say(scene, CTL_STARTPOD, "{}");
    closes(scene, "the agent sent a startpod (1)");
}

static void test_bad_event(void **state)
{
    struct scene *scene = *state;

    say(scene, CTL_PROCESSASYNCEVENT, "{\"container\":\"c\"}");
    closes(scene, "the field \"event\" is missing");
}

/* ---- streams ---- */

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

static void test_cannot_make(void **state)
{
    struct scene *scene = *state;
    cleanup_error struct error *error = NULL;
    int ends[2];

    assert_int_equal(socket_pair(SOCK_STREAM, ends, NULL), 0);
    assert_null(wire_client_new(scene->loop, ends[0], -1, &callbacks, scene, &error));
    assert_error(error, ERROR_FAILED, "cannot use a channel");
    assert_int_equal(send(ends[1], "x", 1, MSG_NOSIGNAL), -1); /* the other one was closed */
    close(ends[1]);
    wire_client_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_replies_in_order),
        TEST(test_error_without_words),
        TEST(test_no_reply_wanted),
        TEST(test_next_is_ignored),
        TEST(test_ready_and_events),
        TEST(test_in_pieces),
        TEST(test_close_answers_all),
        TEST(test_io_closes_too),
        TEST(test_last_words),
        TEST(test_answer_before_the_end),
        TEST(test_output_before_the_end),
        TEST(test_bad_frame),
        TEST(test_bad_io_frame),
        TEST(test_unexpected_code),
        TEST(test_bad_event),
        TEST(test_stream),
        TEST(test_stderr_stream),
        TEST(test_status_that_is_none),
        TEST(test_unknown_stream),
        TEST(test_forget_in_data),
        TEST(test_free_in_reply),
        TEST(test_free_in_failure),
        TEST(test_free_in_ready),
        TEST(test_free_in_event),
        TEST(test_free_in_closed),
        TEST(test_free_in_data),
        TEST(test_free_in_ended),
        TEST(test_cannot_make),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The client of the hyperstart channels: commands and their answers, and what ends the connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/memory.h"
#include "tests/unit/support/support.h"
#include "tests/unit/wire/peer.h"

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

/* What is sent when nobody is there any more is answered too, later. */
static void test_sent_after_the_end(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"};

    close_fd(&scene->ctl);
    noted(scene, "closed(the agent has ended) ");
    command(&a, CTL_PING, "");
    command(&b, CTL_PING, "");
    assert_int_equal(scene->notes.length, 0); /* not while it is sent */
    noted(scene, "failed(a: the agent has ended) failed(b: the agent has ended) ");
    command(&a, CTL_PING, "");
    noted(scene, "failed(a: the agent has ended) ");
    command(&a, CTL_PING, ""); /* still open when the client is freed */
}

/* The callback that is told of it may free the client. */
static void test_freed_after_the_end(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"};

    close_fd(&scene->ctl);
    noted(scene, "closed(the agent has ended) ");
    scene->free_in = "failed";
    command(&a, CTL_PING, "");
    command(&b, CTL_PING, "");
    noted(scene, "failed(a: the agent has ended) ");
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
    closes(scene, "the agent sent a wrong event: the field \"event\" is missing");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_replies_in_order),      TEST(test_error_without_words),   TEST(test_no_reply_wanted),
        TEST(test_next_is_ignored),       TEST(test_ready_and_events),      TEST(test_in_pieces),
        TEST(test_close_answers_all),     TEST(test_io_closes_too),         TEST(test_last_words),
        TEST(test_answer_before_the_end), TEST(test_output_before_the_end), TEST(test_bad_frame),
        TEST(test_bad_io_frame),          TEST(test_unexpected_code),       TEST(test_bad_event),
        TEST(test_sent_after_the_end),    TEST(test_freed_after_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

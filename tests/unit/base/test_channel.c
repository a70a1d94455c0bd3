/* Channels: frames that come in pieces, much at once, ends that go away, owners that free in a callback.
 * A frame here is one byte of length, then so many bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "src/base/channel.h"
#include "src/base/memory.h"
#include "src/base/socket.h"
#include "tests/unit/support/support.h"

#define BIG ((size_t)6 * 1024 * 1024)

enum free_in { FREE_NOWHERE, FREE_IN_RECEIVED, FREE_IN_CLOSED, FREE_IN_DRAINED };

struct side {
    struct loop *loop;
    struct channel *channel;
    struct buffer frames; /* payloads, each with a "|" behind it; "#" for the end */
    size_t offers, fresh, total;
    unsigned closed, drained;
    char *why;
    bool stream, refuse; /* takes everything as it comes; takes nothing */
    bool answer;         /* sends an empty frame for whatever comes */
    size_t quit_at;      /* frames, or bytes of a stream */
    enum free_in free_in;
};

struct scene {
    struct loop *loop;
    struct side a, b;
    int raw; /* the other end of `a`, where there is no `b` */
};

static void free_self(struct side *side)
{
    channel_free(side->channel);
    side->channel = NULL;
    loop_quit(side->loop);
}

static ptrdiff_t received(void *user, const uint8_t *data, size_t length, size_t fresh, struct error **ret)
{
    struct side *side = user;

    side->offers++;
    side->fresh += fresh;
    if (side->answer)
        channel_send(side->channel, "\0", 1);
    if (side->refuse)
        return error_set(ret, ERROR_FAILED, "no thanks");
    if (side->free_in == FREE_IN_RECEIVED) {
        free_self(side);
        return (ptrdiff_t)length;
    }
    if (side->stream) {
        buffer_add(&side->frames, data, length);
        side->total += length;
        if (side->total == side->quit_at)
            loop_quit(side->loop);
        return (ptrdiff_t)length;
    }
    if (length < (size_t)data[0] + 1)
        return 0;
    buffer_add(&side->frames, data + 1, data[0]);
    buffer_add(&side->frames, "|", 1);
    if (++side->total == side->quit_at)
        loop_quit(side->loop);
    return data[0] + 1;
}

static void closed(void *user, const struct error *why)
{
    struct side *side = user;

    side->closed++;
    buffer_add(&side->frames, "#", 1);
    side->why = why ? text_copy(error_text(why)) : NULL;
    if (side->free_in == FREE_IN_CLOSED)
        free_self(side);
    loop_quit(side->loop);
}

static void drained(void *user)
{
    struct side *side = user;

    side->drained++;
    assert_int_equal(channel_pending(side->channel), 0);
    if (side->free_in == FREE_IN_DRAINED)
        free_self(side);
}

static const struct channel_callbacks callbacks = {
    .received = received, .closed = closed, .drained = drained};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);
    int ends[2];

    scene->loop = loop_new(NULL);
    scene->a.loop = scene->b.loop = scene->loop;
    if (socket_pair(SOCK_STREAM, ends, NULL) < 0)
        return -1;
    scene->a.channel = channel_new(scene->loop, ends[0], &callbacks, &scene->a, NULL);
    scene->raw = ends[1];
    *state = scene;
    return scene->a.channel ? 0 : -1;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    channel_free(scene->a.channel);
    channel_free(scene->b.channel);
    close_fd(&scene->raw);
    loop_free(scene->loop);
    buffer_free(&scene->a.frames);
    buffer_free(&scene->b.frames);
    free(scene->a.why);
    free(scene->b.why);
    free(scene);
    return 0;
}

static void use_both(struct scene *scene)
{
    scene->b.channel = channel_new(scene->loop, steal_fd(&scene->raw), &callbacks, &scene->b, NULL);
    assert_non_null(scene->b.channel);
}

static void put(struct scene *scene, const void *data, size_t length)
{
    assert_int_equal(send(scene->raw, data, length, MSG_NOSIGNAL), length);
}

static void frames_are(const struct side *side, const char *expected)
{
    assert_int_equal(side->frames.length, strlen(expected));
    assert_memory_equal(side->frames.data, expected, strlen(expected));
}

static void test_both_ends(void **state)
{
    struct scene *scene = *state;

    use_both(scene);
    channel_send(scene->a.channel, "\3abc", 4);
    channel_send(scene->b.channel, "\2xy", 3);
    channel_send(scene->a.channel, "\0", 1);
    channel_send(scene->a.channel, "\1d", 2);
    scene->b.quit_at = 3;
    loop_run_out(scene->loop);
    frames_are(&scene->b, "abc||d|");
    loop_settle(scene->loop);
    frames_are(&scene->a, "xy|");
    assert_int_equal(scene->a.closed + scene->b.closed, 0);
}

static void test_byte_by_byte(void **state)
{
    static const char bytes[] = "\5hello\0\2..\4last";
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        put(scene, bytes + i, 1);
        loop_settle(scene->loop);
    }
    frames_are(&scene->a, "hello||..|last|");
    assert_int_equal(scene->a.fresh, sizeof bytes - 1);
    assert_int_equal(scene->a.offers, sizeof bytes - 1);
}

/* All in one piece: what is fresh is said once, with the first frame. */
static void test_many_in_one_piece(void **state)
{
    static const char bytes[] = "\1a\1b\1c\3cut";
    struct scene *scene = *state;

    put(scene, bytes, sizeof bytes - 2);
    loop_settle(scene->loop);
    frames_are(&scene->a, "a|b|c|");
    assert_int_equal(scene->a.offers, 4);
    assert_int_equal(scene->a.fresh, sizeof bytes - 2);
    put(scene, "t", 1);
    loop_settle(scene->loop);
    frames_are(&scene->a, "a|b|c|cut|");
    assert_int_equal(scene->a.fresh, sizeof bytes - 1);
}

static uint8_t *pattern(size_t length)
{
    uint8_t *data = memory_new(length);
    uint32_t number = 1;

    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)((number = number * 1103515245 + 12345) >> 16);
    return data;
}

static void test_back_pressure(void **state)
{
    struct scene *scene = *state;
    cleanup_free uint8_t *data = pattern(BIG);

    channel_send(scene->a.channel, data, BIG / 2);
    channel_send(scene->a.channel, data + BIG / 2, BIG / 2);
    assert_true(channel_pending(scene->a.channel) > 0);
    loop_settle(scene->loop); /* nobody reads: nothing is drained, nothing spins */
    assert_true(channel_pending(scene->a.channel) > BIG / 2);
    assert_int_equal(scene->a.drained, 0);
    use_both(scene);
    scene->b.stream = true;
    scene->b.quit_at = BIG;
    loop_run_out(scene->loop);
    assert_memory_equal(scene->b.frames.data, data, BIG);
    loop_settle(scene->loop);
    assert_int_equal(channel_pending(scene->a.channel), 0);
    assert_int_equal(scene->a.drained, 1);
}

/* Both ends send more than the socket holds, and neither waits for the other. */
static void test_big_both_ways(void **state)
{
    struct scene *scene = *state;
    cleanup_free uint8_t *data = pattern(BIG);

    use_both(scene);
    scene->a.stream = scene->b.stream = true;
    channel_send(scene->a.channel, data, BIG);
    channel_send(scene->b.channel, data, BIG);
    scene->a.quit_at = scene->b.quit_at = BIG;
    loop_run_out(scene->loop); /* the first is done … */
    if (scene->a.total < BIG || scene->b.total < BIG)
        loop_run_out(scene->loop); /* … and the other */
    assert_int_equal(scene->a.total, BIG);
    assert_int_equal(scene->b.total, BIG);
    assert_memory_equal(scene->a.frames.data, data, BIG);
    assert_memory_equal(scene->b.frames.data, data, BIG);
}

static void test_data_before_the_end(void **state)
{
    struct scene *scene = *state;

    put(scene, "\2ok\3cu", 6);
    close_fd(&scene->raw);
    loop_run_out(scene->loop);
    frames_are(&scene->a, "ok|#");
    assert_int_equal(scene->a.closed, 1);
    assert_null(scene->a.why);
    loop_settle(scene->loop);
    assert_int_equal(scene->a.closed, 1);
}

/* The other end goes with unread data, and while we still have much to send: its last words are heard. */
static void test_end_while_sending(void **state)
{
    struct scene *scene = *state;
    cleanup_free uint8_t *data = pattern(BIG);

    channel_send(scene->a.channel, data, BIG);
    put(scene, "\4bye!", 5);
    close_fd(&scene->raw);
    loop_run_out(scene->loop);
    frames_are(&scene->a, "bye!|#");
    assert_int_equal(scene->a.closed, 1);
    assert_null(scene->a.why);
    channel_send(scene->a.channel, "x", 1); /* no SIGPIPE, no second word */
    loop_settle(scene->loop);
    assert_int_equal(scene->a.closed, 1);
    assert_int_equal(channel_pending(scene->a.channel), 0);
}

/* The first send is what finds out: reading comes after it. */
static void test_send_to_nobody(void **state)
{
    struct scene *scene = *state;

    put(scene, "\1z", 2);
    close_fd(&scene->raw);
    channel_send(scene->a.channel, "abc", 3);
    loop_run_out(scene->loop);
    frames_are(&scene->a, "z|#");
    assert_int_equal(scene->a.closed, 1);
    assert_null(scene->a.why);
}

static void test_half_closed(void **state)
{
    struct scene *scene = *state;

    put(scene, "\1h", 2);
    assert_int_equal(shutdown(scene->raw, SHUT_WR), 0);
    loop_run_out(scene->loop);
    frames_are(&scene->a, "h|#");
    assert_int_equal(scene->a.closed, 1);
}

static void test_refused(void **state)
{
    struct scene *scene = *state;

    scene->a.refuse = true;
    put(scene, "\1a\1b", 4);
    loop_run_out(scene->loop);
    assert_int_equal(scene->a.closed, 1);
    assert_string_equal(scene->a.why, "no thanks");
    put(scene, "\1c", 2);
    loop_settle(scene->loop);
    assert_int_equal(scene->a.offers, 1);
    assert_int_equal(scene->a.closed, 1);
}

static void test_free_in_received(void **state)
{
    struct scene *scene = *state;

    scene->a.free_in = FREE_IN_RECEIVED;
    put(scene, "\1a\1b", 4);
    loop_run_out(scene->loop);
    assert_null(scene->a.channel);
    assert_int_equal(scene->a.offers, 1);
    loop_settle(scene->loop);
    assert_int_equal(scene->a.closed, 0);
    assert_int_equal(send(scene->raw, "x", 1, MSG_NOSIGNAL), -1); /* the descriptor is closed */
}

static void test_free_in_closed(void **state)
{
    struct scene *scene = *state;

    scene->a.free_in = FREE_IN_CLOSED;
    put(scene, "\1a", 2);
    close_fd(&scene->raw);
    loop_run_out(scene->loop);
    assert_null(scene->a.channel);
    assert_int_equal(scene->a.closed, 1);
    loop_settle(scene->loop);
}

static void test_free_in_closed_after_refusing(void **state)
{
    struct scene *scene = *state;

    scene->a.refuse = true;
    scene->a.free_in = FREE_IN_CLOSED;
    put(scene, "\1a", 2);
    loop_run_out(scene->loop);
    assert_null(scene->a.channel);
    assert_string_equal(scene->a.why, "no thanks");
    loop_settle(scene->loop);
}

static void test_free_in_drained(void **state)
{
    struct scene *scene = *state;
    cleanup_free uint8_t *data = pattern(BIG);

    use_both(scene);
    scene->b.stream = true;
    scene->b.answer = true; /* so that it is readable in the same round, too */
    scene->a.free_in = FREE_IN_DRAINED;
    channel_send(scene->a.channel, data, BIG);
    loop_run_out(scene->loop);
    assert_null(scene->a.channel);
    assert_int_equal(scene->a.drained, 1);
    loop_run_out(scene->loop); /* all that was sent before arrives, then the end */
    assert_int_equal(scene->b.total, BIG);
    assert_int_equal(scene->a.closed, 0);
    assert_int_equal(scene->b.closed, 1);
}

/* Nothing is offered, the other end has to wait, what is sent goes on, and then everything comes. */
static void test_pause(void **state)
{
    struct scene *scene = *state;
    cleanup_free uint8_t *big = memory_new(BIG);

    use_both(scene);
    scene->a.stream = true;
    scene->a.quit_at = BIG + 3;
    channel_pause(scene->a.channel, true);
    channel_send(scene->b.channel, "abc", 3);
    channel_send(scene->b.channel, big, BIG);
    channel_send(scene->a.channel, "\1x", 2);
    loop_settle(scene->loop);
    assert_int_equal(scene->a.total, 0);
    assert_true(channel_pending(scene->b.channel) > BIG / 2);
    frames_are(&scene->b, "x|");
    channel_pause(scene->a.channel, false);
    loop_run_out(scene->loop);
    assert_int_equal(scene->a.total, BIG + 3);
    assert_memory_equal(scene->a.frames.data, "abc", 3);
}

static ptrdiff_t pause_after_one(void *user, const uint8_t *data, size_t length, size_t fresh,
                                 struct error **ret)
{
    struct side *side = user;

    channel_pause(side->channel, true);
    side->stream = false;
    return received(user, data, length, fresh, ret);
}

/* From within `received`: what came with it waits, and an end is told all the same. */
static void test_pause_in_received(void **state)
{
    static const struct channel_callbacks pausing = {.received = pause_after_one, .closed = closed};
    struct scene *scene = *state;
    int ends[2];

    assert_int_equal(socket_pair(SOCK_STREAM, ends, NULL), 0);
    scene->b.channel = channel_new(scene->loop, ends[0], &pausing, &scene->b, NULL);
    assert_int_equal(send(ends[1], "\1a\1b\1c", 6, MSG_NOSIGNAL), 6);
    loop_settle(scene->loop);
    frames_are(&scene->b, "a|");
    channel_pause(scene->b.channel, false);
    frames_are(&scene->b, "a|b|");
    close(ends[1]);
    loop_run_out(scene->loop);
    frames_are(&scene->b, "a|b|#");
    channel_pause(scene->b.channel, false);
    frames_are(&scene->b, "a|b|#");
}

static void test_cannot_use(void **state)
{
    struct scene *scene = *state;
    cleanup_error struct error *error = NULL;

    assert_null(channel_new(scene->loop, -1, &callbacks, NULL, &error));
    assert_error(error, ERROR_FAILED, "cannot use a channel");
    channel_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_both_ends),
        TEST(test_byte_by_byte),
        TEST(test_many_in_one_piece),
        TEST(test_back_pressure),
        TEST(test_big_both_ways),
        TEST(test_data_before_the_end),
        TEST(test_end_while_sending),
        TEST(test_send_to_nobody),
        TEST(test_half_closed),
        TEST(test_refused),
        TEST(test_free_in_received),
        TEST(test_free_in_closed),
        TEST(test_free_in_closed_after_refusing),
        TEST(test_free_in_drained),
        TEST(test_pause),
        TEST(test_pause_in_received),
        TEST(test_cannot_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

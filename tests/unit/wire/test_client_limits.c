/* What an agent that is slow, silent or far too talkative does to the client: nothing for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/base/memory.h"
#include "tests/unit/support/support.h"
#include "tests/unit/wire/peer.h"

/* ---- a clock: the client's timer, which is over when the test says so ---- */

static struct {
    bool running;
    void (*fn)(void *user);
    void *user;
} clock_;

struct timer *__real_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user);
struct timer *__wrap_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user);
void __real_timer_stop(struct timer **timer);
void __wrap_timer_stop(struct timer **timer);

#define LIMIT_MS 12500

struct timer *__wrap_loop_after(struct loop *loop, int64_t ms, void (*fn)(void *user), void *user)
{
    if (ms != LIMIT_MS)
        return __real_loop_after(loop, ms, fn, user);
    assert_false(clock_.running);
    clock_.running = true;
    clock_.fn = fn;
    clock_.user = user;
    return (struct timer *)&clock_;
}

void __wrap_timer_stop(struct timer **timer)
{
    if (*timer != (struct timer *)&clock_) {
        __real_timer_stop(timer);
        return;
    }
    clock_.running = false;
    *timer = NULL;
}

static void time_is_over(struct scene *scene)
{
    loop_settle(scene->loop);
    assert_true(clock_.running);
    clock_.running = false;
    clock_.fn(clock_.user);
}

static void no_clock_runs(struct scene *scene)
{
    loop_settle(scene->loop);
    assert_false(clock_.running);
}

static int teardown(void **state)
{
    int result = scene_teardown(state);

    assert_false(clock_.running);
    return result;
}

/* ---- limits ---- */

static void test_no_limit(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    command(&a, CTL_PING, "");
    no_clock_runs(scene);
}

static void test_ready(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    wire_client_limit(scene->client, LIMIT_MS);
    command(&a, CTL_PING, "");
    time_is_over(scene);
    noted(scene, "failed(a: the agent did not say READY within 12.5 s) "
                 "closed(the agent did not say READY within 12.5 s) ");
}

static void test_answer(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"}, c = {scene, "c"};

    wire_client_limit(scene->client, LIMIT_MS);
    say(scene, CTL_READY, "");
    no_clock_runs(scene);
    command(&a, CTL_PING, "");
    command(&b, CTL_STARTPOD, "{}");
    command(&c, CTL_PING, "");
    say(scene, CTL_ACK, "");
    say(scene, CTL_NEXT, "\0\0\0\10"); /* no answer */
    say(scene, CTL_PROCESSASYNCEVENT, "{\"container\":\"c\",\"event\":\"exited\",\"status\":3}");
    noted(scene, "ready() reply(a) event(c exited - 3) ");
    time_is_over(scene);
    noted(scene, "failed(b: the agent did not answer startpod within 12.5 s) "
                 "failed(c: the agent did not answer startpod within 12.5 s) "
                 "closed(the agent did not answer startpod within 12.5 s) ");
    say(scene, CTL_ACK, ""); /* too late */
    put(scene, 1, "x", 1);
    noted(scene, "");
    close_fd(&scene->ctl);
    noted(scene, "");
}

static void test_answered_in_time(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"}, b = {scene, "b"};

    say(scene, CTL_READY, "");
    noted(scene, "ready() ");
    wire_client_limit(scene->client, LIMIT_MS);
    for (int i = 0; i < 2; i++) {
        no_clock_runs(scene);
        command(&a, CTL_PING, "");
        command(&b, CTL_PING, "");
        loop_settle(scene->loop);
        assert_true(clock_.running);
        say(scene, CTL_ERROR, "no");
        noted(scene, "failed(a: no) ");
        assert_true(clock_.running);
        say(scene, CTL_ACK, "");
        noted(scene, "reply(b) ");
    }
    no_clock_runs(scene);
}

static void test_closed_before(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    wire_client_limit(scene->client, LIMIT_MS);
    command(&a, CTL_PING, "");
    close_fd(&scene->ctl);
    noted(scene, "failed(a: the agent has ended) closed(the agent has ended) ");
    no_clock_runs(scene);
}

static void test_freed_by_the_late(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    scene->free_in = "failed";
    wire_client_limit(scene->client, LIMIT_MS);
    command(&a, CTL_PING, "");
    command(&a, CTL_PING, "");
    time_is_over(scene);
    noted(scene, "failed(a: the agent did not say READY within 12.5 s) ");
}

/* ---- an I/O channel that never falls silent ---- */

#define SEQUENCE 1

static void on_more(void *user, const uint8_t *data, size_t length)
{
    (void)data;
    (void)length;
    put(user, SEQUENCE, "more", 4);
}

/* What the other channel still holds is told before the end; but there is an end. */
static void test_flood_behind_the_end(void **state)
{
    struct scene *scene = *state;
    struct item a = {scene, "a"};

    assert_int_equal(wire_client_stream(scene->client, on_more, NULL, scene), SEQUENCE);
    command(&a, CTL_PING, "");
    say(scene, CTL_ACK, "");
    close_fd(&scene->ctl);
    put(scene, SEQUENCE, "some", 4);
    noted(scene, "reply(a) closed(the agent has ended) ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_no_limit),
        TEST(test_ready),
        TEST(test_answer),
        TEST(test_answered_in_time),
        TEST(test_closed_before),
        TEST(test_freed_by_the_late),
        TEST(test_flood_behind_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

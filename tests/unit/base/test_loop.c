/* The event loop: what is stopped is never called again, timers come in order, quitting is at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/unit/support/support.h"

#define MOST 8

struct scene;

/* A watched eventfd, which is readable from the start. */
struct item {
    struct scene *scene;
    int fd;
    struct watch *watch;
    struct timer *timer;
    unsigned called;
    uint32_t events;
    struct item *victim; /* stopped when this one is called */
};

struct scene {
    struct loop *loop;
    struct item items[MOST];
    struct item *order[4 * MOST];
    size_t calls, quit_after;
};

static void count(struct item *item)
{
    struct scene *scene = item->scene;

    item->called++;
    if (scene->calls < sizeof scene->order / sizeof *scene->order)
        scene->order[scene->calls] = item;
    if (++scene->calls == scene->quit_after)
        loop_quit(scene->loop);
}

static void on_ready(void *user, uint32_t events)
{
    struct item *item = user;

    count(item);
    item->events = events;
    if (item->victim)
        watch_stop(&item->victim->watch);
}

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->loop = loop_new(NULL);
    for (int i = 0; i < MOST; i++)
        scene->items[i] = (struct item){.scene = scene, .fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    loop_free(scene->loop); /* frees what is still watched */
    for (int i = 0; i < MOST; i++)
        close(scene->items[i].fd);
    free(scene);
    return 0;
}

static void watch(struct item *item)
{
    item->watch = loop_watch(item->scene->loop, item->fd, EPOLLIN, on_ready, item, NULL);
    assert_non_null(item->watch);
}

static void test_ready_again_and_again(void **state)
{
    struct scene *scene = *state;

    watch(&scene->items[0]);
    scene->quit_after = 5;
    loop_run_out(scene->loop);
    assert_int_equal(scene->items[0].called, 5);
    assert_int_equal(scene->items[0].events, EPOLLIN);
}

static void test_stops_itself(void **state)
{
    struct scene *scene = *state;

    watch(&scene->items[0]);
    scene->items[0].victim = &scene->items[0];
    loop_run_for(scene->loop, 5);
    assert_int_equal(scene->items[0].called, 1);
    assert_null(scene->items[0].watch);
}

/* All are ready in the same round, and each stops its neighbour: of each pair one is called, once. */
static void test_stops_another_of_the_same_round(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i < MOST; i++) {
        watch(&scene->items[i]);
        scene->items[i].victim = &scene->items[i ^ 1];
    }
    scene->quit_after = MOST / 2;
    loop_run_out(scene->loop);
    for (int i = 0; i < MOST; i += 2) {
        assert_int_equal(scene->items[i].called + scene->items[i + 1].called, 1);
        assert_true((scene->items[i].watch == NULL) != (scene->items[i + 1].watch == NULL));
    }
}

static void stop_both(void *user, uint32_t events)
{
    struct item *item = user;

    on_ready(user, events);
    watch_stop(&item->watch);
}

static void test_stops_itself_and_another(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i < 2; i++) {
        scene->items[i].victim = &scene->items[1 - i];
        scene->items[i].watch =
            loop_watch(scene->loop, scene->items[i].fd, EPOLLIN, stop_both, &scene->items[i], NULL);
    }
    loop_run_for(scene->loop, 5);
    assert_int_equal(scene->calls, 1);
}

/* A descriptor of the number of one that was ready in this round, and was stopped: its events are not for it.
 */
static void replace_neighbour(void *user, uint32_t events)
{
    struct item *item = user, *other = item->victim;

    item->victim = NULL;
    on_ready(user, events);
    watch_stop(&item->watch);
    if (!other->watch)
        return;
    watch_stop(&other->watch);
    close(other->fd);
    other->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* not readable */
    watch(other);
}

static void test_number_used_again(void **state)
{
    struct scene *scene = *state;
    int before[2] = {scene->items[0].fd, scene->items[1].fd};

    for (int i = 0; i < 2; i++) {
        scene->items[i].victim = &scene->items[1 - i];
        scene->items[i].watch =
            loop_watch(scene->loop, scene->items[i].fd, EPOLLIN, replace_neighbour, &scene->items[i], NULL);
    }
    loop_run_for(scene->loop, 5);
    assert_int_equal(scene->calls, 1);
    assert_int_equal(scene->items[0].fd, before[0]);
    assert_int_equal(scene->items[1].fd, before[1]);
}

static void test_events_change(void **state)
{
    struct scene *scene = *state;
    struct item *item = &scene->items[0];

    watch(item);
    watch_events(item->watch, 0);
    loop_run_for(scene->loop, 5);
    assert_int_equal(item->called, 0);
    watch_events(item->watch, EPOLLOUT);
    scene->quit_after = 1;
    loop_run_out(scene->loop);
    assert_int_equal(item->events, EPOLLOUT);
}

static void test_hang_up_comes_always(void **state)
{
    struct scene *scene = *state;
    struct item *item = &scene->items[0];
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    item->watch = loop_watch(scene->loop, ends[0], 0, on_ready, item, NULL);
    close(ends[1]);
    scene->quit_after = 1;
    loop_run_out(scene->loop);
    assert_int_equal(item->events, EPOLLHUP);
    watch_stop(&item->watch);
    close(ends[0]);
}

static void test_cannot_watch(void **state)
{
    struct scene *scene = *state;
    cleanup_error struct error *closed = NULL;
    cleanup_error struct error *file = NULL;
    cleanup_fd int regular = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    assert_null(loop_watch(scene->loop, -1, EPOLLIN, on_ready, NULL, &closed));
    assert_error(closed, ERROR_FAILED, "cannot watch descriptor -1");
    assert_null(loop_watch(scene->loop, regular, EPOLLIN, on_ready, NULL, &file));
    assert_error(file, ERROR_FAILED, "cannot watch descriptor");
    watch_stop(&(struct watch *){NULL});
    timer_stop(&(struct timer *){NULL});
    loop_free(NULL);
}

/* ---- timers ---- */

static void on_time(void *user)
{
    struct item *item = user;

    item->timer = NULL;
    count(item);
    if (item->victim)
        timer_stop(&item->victim->timer);
}

static void start(struct item *item, int64_t ms)
{
    item->timer = loop_after(item->scene->loop, ms, on_time, item);
}

static void test_timers_in_order(void **state)
{
    struct scene *scene = *state;
    static const int ms[] = {6, 2, 4, 0, 2, 9};
    static const int order[] = {3, 1, 4, 2, 0, 5};
    int64_t start_ns = loop_now_ns();

    for (int i = 0; i < 6; i++)
        start(&scene->items[i], ms[i]);
    scene->quit_after = 6;
    loop_run_out(scene->loop);
    assert_true(loop_now_ns() - start_ns >= 9000000);
    for (int i = 0; i < 6; i++)
        assert_ptr_equal(scene->order[i], &scene->items[order[i]]);
}

static void test_timer_is_never_early(void **state)
{
    struct scene *scene = *state;

    for (int ms = 1; ms < 6; ms++) {
        int64_t start_ns = loop_now_ns();

        scene->calls = 0;
        scene->quit_after = 1;
        start(&scene->items[0], ms);
        loop_run_out(scene->loop);
        assert_true(loop_now_ns() - start_ns >= ms * INT64_C(1000000));
    }
}

/* Both are due when the first is called. */
static void test_timer_stops_another(void **state)
{
    struct scene *scene = *state;

    start(&scene->items[0], 0);
    start(&scene->items[1], 0);
    start(&scene->items[2], 0);
    scene->items[0].victim = &scene->items[1];
    usleep(2000);
    loop_run_for(scene->loop, 5);
    assert_int_equal(scene->items[0].called, 1);
    assert_int_equal(scene->items[1].called, 0);
    assert_int_equal(scene->items[2].called, 1);
}

static void stop_self(void *user)
{
    struct item *item = user;

    count(item);
    timer_stop(&item->timer);
}

static void test_timer_stops_itself(void **state)
{
    struct scene *scene = *state;
    struct item *item = &scene->items[0];

    item->timer = loop_after(scene->loop, 0, stop_self, item);
    loop_run_for(scene->loop, 5);
    assert_int_equal(item->called, 1);
    assert_null(item->timer);
}

static void test_stopped_before_the_loop_runs(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i < 3; i++)
        start(&scene->items[i], i);
    timer_stop(&scene->items[1].timer);
    timer_stop(&scene->items[0].timer);
    timer_stop(&scene->items[0].timer);
    loop_run_for(scene->loop, 6);
    assert_int_equal(scene->calls, 1);
    assert_int_equal(scene->items[2].called, 1);
}

static void again(void *user)
{
    struct item *item = user;

    count(item);
    item->timer = loop_after(item->scene->loop, 0, again, item);
}

/* One that starts itself again at once comes round after round, and lets the watches have their turn. */
static void test_timer_without_end(void **state)
{
    struct scene *scene = *state;

    scene->items[0].timer = loop_after(scene->loop, 0, again, &scene->items[0]);
    watch(&scene->items[1]);
    scene->quit_after = 200;
    loop_run_out(scene->loop);
    assert_true(scene->items[0].called >= 10);
    assert_true(scene->items[1].called >= 10);
}

static void on_time_stop_watch(void *user)
{
    struct item *item = user;

    watch_stop(&item->watch);
    loop_quit(item->scene->loop);
}

static void test_timer_stops_a_watch(void **state)
{
    struct scene *scene = *state;

    watch(&scene->items[0]);
    loop_after(scene->loop, 0, on_time_stop_watch, &scene->items[0]);
    loop_run_out(scene->loop);
    scene->items[0].called = 0;
    loop_run_for(scene->loop, 3);
    assert_int_equal(scene->items[0].called, 0);
}

/* ---- quitting ---- */

static void test_quit_is_at_once(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i < MOST; i++)
        watch(&scene->items[i]);
    start(&scene->items[0], 0);
    scene->quit_after = 3;
    loop_run_out(scene->loop);
    assert_int_equal(scene->calls, 3);
    /* And it can be run again: nothing is lost. */
    scene->quit_after = 3 + MOST + 1;
    loop_run_out(scene->loop);
    assert_int_equal(scene->calls, 3 + MOST + 1);
    for (int i = 1; i < MOST; i++)
        assert_true(scene->items[i].called >= 1);
    assert_null(scene->items[0].timer);
}

static void test_quit_before_it_runs(void **state)
{
    struct scene *scene = *state;

    watch(&scene->items[0]);
    loop_quit(scene->loop);
    loop_run_out(scene->loop);
    assert_int_equal(scene->calls, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ready_again_and_again),
        TEST(test_stops_itself),
        TEST(test_stops_another_of_the_same_round),
        TEST(test_stops_itself_and_another),
        TEST(test_number_used_again),
        TEST(test_events_change),
        TEST(test_hang_up_comes_always),
        TEST(test_cannot_watch),
        TEST(test_timers_in_order),
        TEST(test_timer_is_never_early),
        TEST(test_timer_stops_another),
        TEST(test_timer_stops_itself),
        TEST(test_stopped_before_the_loop_runs),
        TEST(test_timer_without_end),
        TEST(test_timer_stops_a_watch),
        TEST(test_quit_is_at_once),
        TEST(test_quit_before_it_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The rollback stack: everything is undone, last things first, whatever fails on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "src/base/memory.h"
#include "src/base/rollback.h"
#include "tests/unit/support/support.h"

struct step {
    struct scene *scene;
    const char *name;
    const char *fails; /* with these words */
    int64_t later_ms;  /* after that time; 0: at once */
};

struct scene {
    struct loop *loop;
    struct rollback *rollback;
    struct step steps[8];
    struct strings undone, failures;
    unsigned finished, under_way;
    uintptr_t deepest;
};

static void over(struct step *step)
{
    struct error *error = NULL;

    step->scene->under_way--;
    if (step->fails)
        error_set(&error, ERROR_HOST, "%s", step->fails);
    rollback_done(step->scene->rollback, error);
}

static void on_time(void *user)
{
    over(user);
}

static void undo(void *user)
{
    struct step *step = user;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    strings_add(&step->scene->undone, step->name);
    assert_true(rollback_running(step->scene->rollback));
    assert_int_equal(step->scene->under_way++, 0); /* one after the other */
    if (!step->scene->deepest || here < step->scene->deepest)
        step->scene->deepest = here;
    if (step->later_ms)
        loop_after(step->scene->loop, step->later_ms, on_time, step);
    else
        over(step);
}

static void finished(void *user, const struct strings *failures)
{
    struct scene *scene = user;

    scene->finished++;
    assert_int_equal(scene->under_way, 0);
    for (size_t i = 0; i < failures->count; i++)
        strings_add(&scene->failures, failures->list[i]);
    rollback_free(scene->rollback); /* right here */
    scene->rollback = NULL;
    loop_quit(scene->loop);
}

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

    scene->loop = loop_new(NULL);
    scene->rollback = rollback_new();
    for (size_t i = 0; i < 8; i++)
        scene->steps[i] = (struct step){.scene = scene, .name = names[i]};
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    rollback_free(scene->rollback);
    loop_free(scene->loop);
    strings_free(&scene->undone);
    strings_free(&scene->failures);
    free(scene);
    return 0;
}

static void push(struct scene *scene, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rollback_push(scene->rollback, scene->steps[i].name, undo, &scene->steps[i]);
}

static void list_is(const struct strings *strings, const char *expected)
{
    cleanup_buffer struct buffer text = {0};

    for (size_t i = 0; i < strings->count; i++)
        buffer_addf(&text, "%s%s", i ? " " : "", strings->list[i]);
    buffer_add(&text, "", 1);
    assert_string_equal((const char *)text.data, expected);
}

static void test_order(void **state)
{
    struct scene *scene = *state;

    push(scene, 4);
    assert_false(rollback_running(scene->rollback));
    rollback_run(scene->rollback, finished, scene);
    list_is(&scene->undone, "d c b a");
    assert_int_equal(scene->finished, 1);
    assert_int_equal(scene->failures.count, 0);
}

static void test_nothing_to_undo(void **state)
{
    struct scene *scene = *state;

    rollback_run(scene->rollback, finished, scene);
    assert_int_equal(scene->finished, 1);
    assert_int_equal(scene->undone.count, 0);
}

static void test_some_take_time(void **state)
{
    struct scene *scene = *state;

    push(scene, 6);
    scene->steps[1].later_ms = 2;
    scene->steps[2].later_ms = 1;
    scene->steps[5].later_ms = 3;
    rollback_run(scene->rollback, finished, scene);
    list_is(&scene->undone, "f");
    assert_int_equal(scene->finished, 0);
    loop_run_out(scene->loop);
    list_is(&scene->undone, "f e d c b a");
    assert_int_equal(scene->finished, 1);
}

static void test_failures_are_listed(void **state)
{
    struct scene *scene = *state;

    push(scene, 5);
    scene->steps[0].fails = "still there";
    scene->steps[2].fails = "100% gone";
    scene->steps[2].later_ms = 1;
    scene->steps[4].fails = "e: no way"; /* which names it already */
    rollback_run(scene->rollback, finished, scene);
    loop_run_out(scene->loop);
    list_is(&scene->undone, "e d c b a");
    list_is(&scene->failures, "e: no way c: 100% gone a: still there");
    assert_int_equal(scene->finished, 1);
}

/* Undos that finish at once do not pile up on the stack, before and after one that takes its time. */
static void test_a_thousand(void **state)
{
    struct scene *scene = *state;
    uintptr_t top = (uintptr_t)__builtin_frame_address(0);

    for (int i = 0; i < 1000; i++)
        rollback_push(scene->rollback, "quick", undo, &scene->steps[0]);
    rollback_push(scene->rollback, "slow", undo, &scene->steps[1]);
    for (int i = 0; i < 1000; i++)
        rollback_push(scene->rollback, "quick", undo, &scene->steps[0]);
    scene->steps[1].later_ms = 1;
    scene->steps[0].fails = "x";
    rollback_run(scene->rollback, finished, scene);
    loop_run_out(scene->loop);
    assert_int_equal(scene->undone.count, 2001);
    assert_int_equal(scene->failures.count, 2000);
    assert_true(top - scene->deepest < 16384);
}

static void test_free_undoes_nothing(void **state)
{
    struct scene *scene = *state;

    push(scene, 3);
    rollback_free(scene->rollback);
    scene->rollback = NULL;
    assert_int_equal(scene->undone.count, 0);
    assert_int_equal(scene->finished, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_order),          TEST(test_nothing_to_undo),
        TEST(test_some_take_time), TEST(test_failures_are_listed),
        TEST(test_a_thousand),     TEST(test_free_undoes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "src/run/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

/* A place in the window. */
struct slot {
    struct schedule *schedule;
    struct test_run *run; /* NULL: free */
    struct turn turn;
    size_t together; /* tests that ran at once, at most, while this one did */
};

struct schedule {
    struct turns *turns;
    struct schedule_options options;
    struct slot *slots;
    size_t window, running; /* slots in use at most, and now */
    struct turn *waiting;   /* those that found no room, in order */
    size_t waiting_count;
    bool stopped, narrowed;
    struct timer *timer; /* of the fill to come, or of the end */
    void (*ended)(void *user);
    void *user;
};

static void fill_later(struct schedule *schedule);

static bool take_turn(struct schedule *schedule, struct turn *ret_turn)
{
    if (schedule->stopped)
        return false;
    if (!schedule->waiting_count)
        return turns_next(schedule->turns, ret_turn);
    *ret_turn = schedule->waiting[0];
    schedule->waiting_count--;
    memmove(schedule->waiting, schedule->waiting + 1, schedule->waiting_count * sizeof *schedule->waiting);
    return true;
}

/* The test goes back into the line. If no other one has run beside it there is nothing to wait for: then it
 * counts as it ended, NOT READY. */
static bool put_back(struct schedule *schedule, const struct slot *slot, const struct test_result *result)
{
    if (slot->together == 1 || schedule->stopped)
        return false;
    if (!schedule->narrowed)
        fprintf(stderr, "sippod: no room for %zu tests at once, fewer are run from here on: %s\n",
                slot->together, result->reason);
    schedule->narrowed = true;
    schedule->window = schedule->running ? schedule->running : 1;
    schedule->waiting[schedule->waiting_count++] = slot->turn;
    return true;
}

static void on_test_ended(void *user, struct test_result *result, bool no_room)
{
    struct slot *slot = user;
    struct schedule *schedule = slot->schedule;

    slot->run = NULL;
    schedule->running--;
    if (no_room && put_back(schedule, slot, result)) {
        turns_again(schedule->turns, result);
    } else {
        if (no_room)
            turns_tell_no_room(schedule->turns, result);
        turns_ended(schedule->turns, result);
        if (schedule->options.fail_fast && schedule->turns->failed)
            schedule->stopped = true;
    }
    fill_later(schedule);
}

static const struct test_callbacks callbacks = {.ended = on_test_ended};

static struct slot *free_slot(struct schedule *schedule)
{
    struct slot *slot = schedule->slots;

    while (slot->run)
        slot++;
    return slot;
}

static void count_together(struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->options.jobs; i++)
        if (schedule->slots[i].together < schedule->running)
            schedule->slots[i].together = schedule->running;
}

static void fill(void *user)
{
    struct schedule *schedule = user;
    struct turn turn;

    schedule->timer = NULL;
    while (schedule->running < schedule->window && take_turn(schedule, &turn)) {
        struct slot *slot = free_slot(schedule);

        slot->turn = turn;
        slot->together = 1;
        slot->run = test_run_start(schedule->turns->context, turn.test, turn.index, &callbacks, slot);
        schedule->running++;
        count_together(schedule);
    }
    if (!schedule->running)
        schedule->ended(schedule->user);
}

static void fill_later(struct schedule *schedule)
{
    if (!schedule->timer)
        schedule->timer = loop_after(schedule->turns->context->host->loop, 0, fill, schedule);
}

struct schedule *schedule_start(struct turns *turns, const struct schedule_options *options,
                                void (*ended)(void *user), void *user)
{
    struct schedule *schedule = memory_new(sizeof *schedule);

    *schedule = (struct schedule){
        .turns = turns,
        .options = *options,
        .window = options->jobs,
        .ended = ended,
        .user = user,
    };
    schedule->slots = memory_new(options->jobs * sizeof *schedule->slots);
    schedule->waiting = memory_new(options->jobs * sizeof *schedule->waiting);
    for (size_t i = 0; i < options->jobs; i++)
        schedule->slots[i].schedule = schedule;
    fill_later(schedule);
    return schedule;
}

void schedule_free(struct schedule *schedule)
{
    if (!schedule)
        return;
    timer_stop(&schedule->timer);
    free(schedule->slots);
    free(schedule->waiting);
    free(schedule);
}

/* For each test that runs; the callee may end it at once. */
static void for_all(struct schedule *schedule, void (*fn)(struct test_run *run, const char *why),
                    const char *why)
{
    for (size_t i = 0; i < schedule->options.jobs; i++)
        if (schedule->slots[i].run)
            fn(schedule->slots[i].run, why);
}

void schedule_interrupt(struct schedule *schedule, const char *why)
{
    schedule->stopped = true;
    for_all(schedule, test_run_interrupt, why);
}

void schedule_fail(struct schedule *schedule, const char *why)
{
    schedule->stopped = true;
    for_all(schedule, test_run_fail, why);
}

static void hurry(struct test_run *run, const char *why)
{
    (void)why;
    test_run_hurry(run);
}

void schedule_hurry(struct schedule *schedule)
{
    for_all(schedule, hurry, NULL);
}

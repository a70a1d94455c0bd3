#include "src/run/groups.h"

#include <stdio.h>
#include <stdlib.h>

#include "src/base/memory.h"

struct member {
    struct groups *groups;
    struct test_run *run; /* NULL: it has ended */
    struct turn turn;
};

enum phase {
    PHASE_PREPARING, /* the last member is on its way to READY */
    PHASE_RUNNING,
    PHASE_CLEANING, /* the last member that is left is being cleaned */
    PHASE_PAUSE,
};

struct groups {
    struct turns *turns;
    struct groups_options options;
    enum phase phase;
    struct member *members; /* of the present group */
    size_t count, running;
    struct turn left; /* to the next group, if left.test is not NULL */
    bool stopped;
    struct timer *timer; /* of the step to come */
    void (*ended)(void *user);
    void *user;
};

static void step(void *user);

/* Steps are taken from the loop: tests call back from the middle of what they do. */
static void step_later(struct groups *groups, int64_t delay_ms)
{
    timer_stop(&groups->timer);
    groups->timer = loop_after(groups->turns->context->host->loop, delay_ms, step, groups);
}

/* ---- what tests tell ---- */

static void on_ready(void *user)
{
    step_later(((struct member *)user)->groups, 0);
}

static void on_ran(void *user)
{
    struct groups *groups = ((struct member *)user)->groups;

    if (--groups->running == 0)
        step_later(groups, 0);
}

/* There is no room for it beside the others of its group. Where it is alone there is nothing to wait for. */
static bool leave_to_next(struct groups *groups, const struct member *member,
                          const struct test_result *result)
{
    bool alone = true;

    for (size_t i = 0; i < groups->count; i++)
        alone = alone && !groups->members[i].run;
    if (alone || groups->stopped)
        return false;
    fprintf(stderr, "sippod: the test %s is left to the next group: %s\n", result->name, result->reason);
    groups->left = member->turn;
    return true;
}

static void count_result(struct groups *groups, const struct member *member, struct test_result *result,
                         bool no_room)
{
    if (no_room && leave_to_next(groups, member, result)) {
        turns_again(groups->turns, result);
        return;
    }
    if (no_room)
        turns_tell_no_room(groups->turns, result);
    turns_ended(groups->turns, result);
}

static void on_ended(void *user, struct test_result *result, bool no_room)
{
    struct member *member = user;
    struct groups *groups = member->groups;

    member->run = NULL;
    count_result(groups, member, result, no_room);
    if (groups->phase == PHASE_RUNNING) /* cut off just before it was to run */
        on_ran(member);
    else
        step_later(groups, 0);
}

static const struct test_callbacks callbacks = {.ready = on_ready, .ran = on_ran, .ended = on_ended};

/* ---- steps ---- */

static void clean_next(struct groups *groups);

static void begin_group(struct groups *groups)
{
    groups->count = 0;
    groups->phase = PHASE_PREPARING;
}

static void end_group(struct groups *groups)
{
    bool more = groups->left.test || groups->turns->next < groups->turns->count;

    if (groups->stopped || !more || (groups->options.stop && groups->turns->failed)) {
        groups->ended(groups->user);
        return;
    }
    groups->phase = PHASE_PAUSE;
    step_later(groups, (int64_t)(groups->options.pause_s * 1000));
}

static void clean_next(struct groups *groups)
{
    groups->phase = PHASE_CLEANING;
    for (size_t i = groups->count; i > 0; i--)
        if (groups->members[i - 1].run) {
            test_run_clean(groups->members[i - 1].run);
            return;
        }
    end_group(groups);
}

static void run_all(struct groups *groups)
{
    groups->phase = PHASE_RUNNING;
    groups->running = 0;
    for (size_t i = 0; i < groups->count; i++)
        groups->running += groups->members[i].run != NULL;
    if (!groups->running || groups->stopped) {
        clean_next(groups);
        return;
    }
    for (size_t i = 0; i < groups->count; i++)
        if (groups->members[i].run)
            test_run_go(groups->members[i].run);
}

/* What the group before has left comes first; what this one leaves ends it. */
static bool take_turn(struct groups *groups, struct turn *ret_turn)
{
    if (groups->stopped || groups->count == groups->options.size || (groups->left.test && groups->count))
        return false;
    if (!groups->left.test)
        return turns_next(groups->turns, ret_turn);
    *ret_turn = groups->left;
    groups->left = (struct turn){0};
    return true;
}

static void prepare_next(struct groups *groups)
{
    struct member *member = &groups->members[groups->count];

    if (!take_turn(groups, &member->turn)) {
        run_all(groups);
        return;
    }
    groups->count++;
    member->run =
        test_run_start(groups->turns->context, member->turn.test, member->turn.index, &callbacks, member);
}

static void step(void *user)
{
    struct groups *groups = user;

    groups->timer = NULL;
    switch (groups->phase) {
    case PHASE_PREPARING:
        prepare_next(groups);
        break;
    case PHASE_RUNNING:
    case PHASE_CLEANING:
        clean_next(groups);
        break;
    case PHASE_PAUSE:
        begin_group(groups);
        prepare_next(groups);
        break;
    }
}

/* ---- from outside ---- */

struct groups *groups_start(struct turns *turns, const struct groups_options *options,
                            void (*ended)(void *user), void *user)
{
    struct groups *groups = memory_new(sizeof *groups);

    *groups = (struct groups){.turns = turns, .options = *options, .ended = ended, .user = user};
    groups->members = memory_array(NULL, options->size, sizeof *groups->members);
    for (size_t i = 0; i < options->size; i++)
        groups->members[i] = (struct member){.groups = groups};
    begin_group(groups);
    step_later(groups, 0);
    return groups;
}

void groups_free(struct groups *groups)
{
    if (!groups)
        return;
    timer_stop(&groups->timer);
    free(groups->members);
    free(groups);
}

static void stop(struct groups *groups, void (*fn)(struct test_run *run, const char *why), const char *why)
{
    groups->stopped = true;
    for (size_t i = groups->count; i > 0; i--)
        if (groups->members[i - 1].run)
            fn(groups->members[i - 1].run, why);
    if (groups->phase == PHASE_PAUSE)
        step_later(groups, 0);
}

void groups_interrupt(struct groups *groups, const char *why)
{
    stop(groups, test_run_interrupt, why);
}

void groups_fail(struct groups *groups, const char *why)
{
    stop(groups, test_run_fail, why);
}

void groups_hurry(struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        if (groups->members[i].run)
            test_run_hurry(groups->members[i].run);
}

#include "src/run/global.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

struct global {
    struct test_context context; /* the tests', but for what is said of GLOBAL */
    struct test_run *run;
    bool ready;
    const struct global_callbacks *callbacks;
    void *user;
};

static void on_ready(void *user)
{
    struct global *global = user;

    global->ready = true;
    global->callbacks->ready(global->user);
}

static void on_lost(void *user, const char *why)
{
    struct global *global = user;

    global->callbacks->lost(global->user, why);
}

/* Where the host has no room for it there is nothing to wait for: no test has been started. */
static void on_ended(void *user, struct test_result *result, bool no_room)
{
    struct global *global = user;
    const struct global_callbacks *callbacks = global->callbacks;
    void *callback_user = global->user;

    (void)no_room;
    free(global);
    callbacks->ended(callback_user, result);
}

static const struct test_callbacks callbacks = {.ready = on_ready, .lost = on_lost, .ended = on_ended};

struct global *global_start(const struct test_context *context,
                            const struct global_callbacks *global_callbacks, void *user)
{
    struct global *global = memory_new(sizeof *global);
    const char *folder = context->suite->global;
    struct test test = {
        .name = strrchr(folder, '/') + 1, .folder = (char *)folder, .family = context->family};

    *global = (struct global){.context = *context, .callbacks = global_callbacks, .user = user};
    global->context.is_global = true;
    global->context.timeout_s = 0; /* that is a test's */
    global->run = test_run_start(&global->context, &test, 0, &callbacks, global);
    return global;
}

void global_finish(struct global *global)
{
    test_run_clean(global->run);
}

void global_interrupt(struct global *global, const char *why)
{
    if (!global->ready)
        test_run_interrupt(global->run, why);
}

void global_hurry(struct global *global)
{
    test_run_hurry(global->run);
}

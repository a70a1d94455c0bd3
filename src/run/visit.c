#include "src/run/visit.h"

#include <stdio.h>
#include <stdlib.h>

#include "src/base/memory.h"

struct visit {
    struct test_run *run;
    bool opened;
    int exit_code; /* of the shell */
    void (*over)(void *user, struct test_result *result, int exit_code);
    void *user;
};

static void on_left(void *user, int exit_code, const struct error *error)
{
    struct visit *visit = user;

    if (error)
        fprintf(stderr, "sippod: %s\n", error_text(error));
    visit->exit_code = error ? ERROR_FAILED : exit_code;
    test_run_clean(visit->run);
}

static void on_ready(void *user)
{
    struct visit *visit = user;

    visit->opened = true;
    test_run_shell(visit->run, on_left, visit);
}

static void on_ended(void *user, struct test_result *result, bool no_room)
{
    struct visit *visit = user;
    void (*over)(void *user, struct test_result *result, int exit_code) = visit->over;
    int exit_code = visit->exit_code;
    void *over_user = visit->user;

    if (no_room) /* which a test leaves to whoever could have tried again */
        fprintf(stderr, "sippod: %s\n", result->reason);
    if (!exit_code && (!visit->opened || !result->clean))
        exit_code = ERROR_FAILED;
    free(visit);
    over(over_user, result, exit_code);
}

static const struct test_callbacks callbacks = {.ready = on_ready, .ended = on_ended};

struct visit *visit_start(const struct test_context *context, const struct test *test,
                          void (*over)(void *user, struct test_result *result, int exit_code), void *user)
{
    struct visit *visit = memory_new(sizeof *visit);

    *visit = (struct visit){.over = over, .user = user};
    visit->run = test_run_start(context, test, 1, &callbacks, visit);
    return visit;
}

void visit_interrupt(struct visit *visit, const char *why)
{
    test_run_interrupt(visit->run, why);
}

void visit_fail(struct visit *visit, const char *why)
{
    test_run_fail(visit->run, why);
}

void visit_hurry(struct visit *visit)
{
    test_run_hurry(visit->run);
}

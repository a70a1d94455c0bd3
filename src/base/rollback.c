#include "src/base/rollback.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

struct step {
    const char *name;
    void (*undo)(void *user);
    void *user;
};

struct rollback {
    struct step *steps;
    size_t count;
    bool running, undoing, popping; /* started; an undo is under way; pop() is on the call stack */
    const char *name;               /* of the undo under way */
    void (*finished)(void *user, const struct strings *failures);
    void *user;
    struct strings failures;
};

struct rollback *rollback_new(void)
{
    return memory_new(sizeof(struct rollback));
}

void rollback_free(struct rollback *rollback)
{
    if (!rollback)
        return;
    strings_free(&rollback->failures);
    free(rollback->steps);
    free(rollback);
}

void rollback_push(struct rollback *rollback, const char *name, void (*undo)(void *user), void *user)
{
    assert(!rollback->running);
    rollback->steps = memory_array(rollback->steps, rollback->count + 1, sizeof *rollback->steps);
    rollback->steps[rollback->count++] = (struct step){.name = name, .undo = undo, .user = user};
}

/* Pops in a loop, so that a stack of undos that finish at once does not become a stack of calls. */
static void pop(struct rollback *rollback)
{
    rollback->popping = true;
    while (!rollback->undoing && rollback->count) {
        struct step step = rollback->steps[--rollback->count];

        rollback->undoing = true;
        rollback->name = step.name;
        step.undo(step.user);
    }
    rollback->popping = false;
    if (!rollback->undoing)
        rollback->finished(rollback->user, &rollback->failures); /* may free the stack */
}

void rollback_run(struct rollback *rollback, void (*finished)(void *user, const struct strings *failures),
                  void *user)
{
    assert(!rollback->running);
    rollback->running = true;
    rollback->finished = finished;
    rollback->user = user;
    pop(rollback);
}

void rollback_done(struct rollback *rollback, struct error *error)
{
    assert(rollback->undoing);
    if (error && strncmp(error_text(error), rollback->name, strlen(rollback->name)) == 0)
        strings_add(&rollback->failures, error_text(error)); /* it names the step itself */
    else if (error)
        strings_addf(&rollback->failures, "%s: %s", rollback->name, error_text(error));
    error_free(error);
    rollback->undoing = false;
    if (!rollback->popping)
        pop(rollback);
}

bool rollback_running(const struct rollback *rollback)
{
    return rollback->running;
}

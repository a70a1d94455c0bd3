#include "src/run/pauses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"

struct pauses {
    struct test_run **line; /* the first one has the terminal */
    size_t count;
    bool stopped;
};

struct pauses *pauses_new(void)
{
    return memory_new(sizeof(struct pauses));
}

void pauses_free(struct pauses *pauses)
{
    if (!pauses)
        return;
    free(pauses->line);
    free(pauses);
}

static void send_on(struct pauses *pauses, size_t place)
{
    struct test_run *run = pauses->line[place];

    pauses->count--;
    memmove(pauses->line + place, pauses->line + place + 1,
            (pauses->count - place) * sizeof(struct test_run *));
    test_run_go_on(run);
}

static void on_left(void *user, int exit_code, const struct error *error)
{
    struct pauses *pauses = user;

    (void)exit_code;
    if (error)
        fprintf(stderr, "sippod: %s\n", error_text(error));
    send_on(pauses, 0);
    if (pauses->count)
        test_run_shell(pauses->line[0], on_left, pauses);
}

void pauses_add(struct pauses *pauses, struct test_run *run)
{
    if (pauses->stopped) {
        test_run_go_on(run);
        return;
    }
    pauses->line = memory_array(pauses->line, pauses->count + 1, sizeof(struct test_run *));
    pauses->line[pauses->count++] = run;
    if (pauses->count == 1)
        test_run_shell(run, on_left, pauses);
}

void pauses_drop(struct pauses *pauses, struct test_run *run)
{
    for (size_t i = 1; i < pauses->count; i++)
        if (pauses->line[i] == run) {
            send_on(pauses, i);
            return;
        }
}

void pauses_stop(struct pauses *pauses)
{
    pauses->stopped = true;
    while (pauses->count > 1)
        send_on(pauses, 1);
}

/* What is printed while a run goes on: a line for each state that a test enters, and a summary. The lines are
 * Sipplauncher's: "%12s %24s (<index>-<run_id>)", and what follows it. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "src/report/results.h"

enum progress_level { PROGRESS_QUIET, PROGRESS_NORMAL, PROGRESS_VERBOSE };

enum progress_tone {
    TONE_GOOD,   /* green: under way or succeeded */
    TONE_HIDDEN, /* blue: of no interest unless all is shown */
    TONE_BAD,    /* red */
};

struct progress {
    enum progress_level level;
    FILE *stream;
    bool colours;
};

/* On `stream`, which stays the caller's. */
void progress_open(struct progress *progress, enum progress_level level, FILE *stream);

struct progress_line {
    const char *state, *test, *run_id;
    unsigned index;
    enum progress_tone tone;
    double took_s;      /* negative: not told */
    double cps;         /* calls per second, negative: not told */
    const char *reason; /* NULL: none */
};
void progress_state(const struct progress *progress, const struct progress_line *line);

/* Behind the last test. */
void progress_summary(const struct progress *progress, const struct results *results);

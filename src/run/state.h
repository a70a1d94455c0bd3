/* The states of a test, and which may follow which. They are Sipplauncher's. */
#pragma once

#include <stdbool.h>

#include "src/report/progress.h"

enum state {
    STATE_CREATED,   /* nothing has been done for it */
    STATE_PREPARING, /* folder, pod, capture, before.sh: each step pushes its undo */
    STATE_READY,     /* all of that is there */
    STATE_NOT_READY, /* a step failed; what had been done was undone */
    STATE_STARTING,  /* SIPp runs */
    STATE_DRY_RUNNING,
    STATE_SUCCESS,
    STATE_FAIL,
    STATE_CLEANING, /* the rollback stack is being popped */
    STATE_CLEAN,
    STATE_DIRTY, /* some undo failed */
};

const char *state_name(enum state state);
enum progress_tone state_tone(enum state state);
bool state_follows(enum state state, enum state next);

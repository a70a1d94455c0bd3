/* A program that is asked something: started without a shell, heard out, and ended if it takes too long. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "src/base/error.h"
#include "src/base/text.h"

struct ask {
    pid_t pid;
    int output; /* what it prints, errors too; -1: it was not started */
    int64_t deadline_ns;
};

/* The program `name` (a path, or found in PATH) as a path that is not relative to PATH; NULL: there is none.
 * Links are not resolved: some programs look at the name that they were called by. */
char *ask_find(const char *name);

/* Starts it in a session of its own, with the caller's environment less LD_*, as a run starts SIPp. */
int ask_start(struct ask *ask, const char *program, char *const arguments[], struct error **ret);

/* What it printed, at most a few kilobytes. *ret_exit_code is as shells say it. -1 if it was not through in
 * time. Whatever it started has ended, unless it went into a session of its own. */
int ask_finish(struct ask *ask, char **ret_text, int *ret_exit_code, struct error **ret);

/* A copy of the first line of `text` that is not blank, fit to be shown; never NULL. */
char *ask_first_line(const char *text);

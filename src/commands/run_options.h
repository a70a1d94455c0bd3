/* The options of `sippod run`, which are Sipplauncher's and more, and of `sippod shell`, which are fewer. */
#pragma once

#include "src/run/run.h"

/* Where results go when nothing is said. A shell's are not where the run lies whose failure it looks into. */
#define RUN_RESULTS   "sippod-results"
#define SHELL_RESULTS "sippod-shell"

enum run_kind { RUN_PLAIN, RUN_AS_SIPPLAUNCHER, RUN_SHELL };

enum run_options_result {
    RUN_OPTIONS_GO,    /* all is said and right */
    RUN_OPTIONS_DONE,  /* help or the version was asked for, and printed */
    RUN_OPTIONS_WRONG, /* told on standard error */
};

/* The command line above the suite's, the user's and the system's sippod.conf above defaults. Free *ret_run
 * in any case. */
enum run_options_result run_options_read(int argc, char **argv, enum run_kind kind,
                                         struct run_options *ret_run);
void run_options_free(struct run_options *run);

/* A command that is a run of that kind, from its command line to its exit code. */
int run_command_main(int argc, char **argv, enum run_kind kind);

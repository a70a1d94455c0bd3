/* The options of `sippod run`, which are Sipplauncher's and more. */
#pragma once

#include "src/run/run.h"

enum run_options_result {
    RUN_OPTIONS_GO,    /* all is said and right */
    RUN_OPTIONS_DONE,  /* help or the version was asked for, and printed */
    RUN_OPTIONS_WRONG, /* told on standard error */
};

/* The command line above the suite's, the user's and the system's sippod.conf above defaults. Free *ret_run
 * in any case. */
enum run_options_result run_options_read(int argc, char **argv, bool as_sipplauncher,
                                         struct run_options *ret_run);
void run_options_free(struct run_options *run);

/* Options of the commands that make a pod for the user himself. */
#pragma once

#include <getopt.h>

#include "src/run/pod_choice.h"

enum { POD_OPTION_FS = 0x1000, POD_OPTION_WRITABLE, POD_OPTION_CAPS };

#define POD_OPTIONS                                                                                          \
    {.name = "fs", .has_arg = required_argument, .val = POD_OPTION_FS},                                      \
        {.name = "writable", .has_arg = required_argument, .val = POD_OPTION_WRITABLE},                      \
    {                                                                                                        \
        .name = "script-caps", .has_arg = required_argument, .val = POD_OPTION_CAPS                          \
    }

/* Takes one of them, or tells that there is no such option: 0 or an exit code. */
int pod_option_take(int option, const char *value, struct pod_choice *choice, const char *command);
void pod_choice_free(struct pod_choice *choice);

/* Says on standard error what is wrong with an option's value, and returns the exit code. */
int pod_option_wrong(const char *option, const char *value, const char *what);

/* One command in a fresh pod: `sippod exec`. */
#pragma once

#include <stdint.h>

#include "src/run/pod_choice.h"

struct exec_options {
    struct strings command; /* at least one */
    struct pod_choice pod;
    const char *pcap; /* file for the capture, NULL: none */
};

/* Returns the exit code: the command's; 128 + N if signal N ended it, or sippod; 127 if it cannot be run; 2
 * and 3 as everywhere, with a line on standard error. */
int exec_in_pod(const struct exec_options *options);

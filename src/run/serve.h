/* One pod for any hyperstart client: `sippod agent`. */
#pragma once

#include <stdbool.h>

#include "src/run/pod_choice.h"

struct serve_options {
    const char *ctl, *io; /* where to listen */
    bool events;          /* the client is sent PROCESSASYNCEVENT */
    struct pod_choice pod;
};

/* Returns the exit code: 0 once a client has come and gone; 128 + N after signal N; 1, 2 and 3 as everywhere,
 * with a line on standard error. */
int serve_agent(const struct serve_options *options);

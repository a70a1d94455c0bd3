/* How many tests at once the limits of this host have room for. */
#pragma once

#include "src/doctor/finding.h"

void check_limits(struct findings *findings);

/* What raises the limit that was just reached. */
const char *limits_mend_processes(void);
const char *limits_mend_descriptors(void);

/* The words for one limit: room for `room` tests where `wanted` would be at work at once if nothing else
 * stood in the way (--jobs auto); `what` names the limit with its value. */
void limit_finding(const char *id, long room, long wanted, const char *what, const char *mend,
                   struct findings *findings);

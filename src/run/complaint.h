/* What SIPp complains of: found in its error log, or at the end of its standard error, and put into words
 * that fit into a reason. */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "src/suite/suite.h"

struct complaint {
    char *text;     /* one printable line of bounded length; NULL: SIPp said nothing */
    bool of_a_call; /* a call went wrong; else SIPp itself could not go on */
};

/* `text` holds SIPp's messages, in a log or on standard error; it may be cut off at either end. False if
 * there is none in words that are known here: *ret_complaint is then the best of the others. */
bool complaint_read(const char *text, struct complaint *ret_complaint);

/* The same for the run of `scenario` that began at `since` (CLOCK_REALTIME_COARSE, as the times of files
 * are): from the error log that it left in `folder`, else from `said`, the end of what it wrote to standard
 * error. */
struct complaint complaint_find(int folder, const struct scenario *scenario, const struct timespec *since,
                                const char *said);

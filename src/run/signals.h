/* The signals that end a run: INT TERM HUP QUIT PIPE USR1 USR2 ALRM, as events of the loop. */
#pragma once

#include "src/base/loop.h"

struct signals;

/* From now on they do not end the process, but call arrived(user, signal). Those that the caller has set to
 * be ignored (nohup, a shell's background job) stay so. NULL on failure. */
struct signals *signals_watch(struct loop *loop, void (*arrived)(void *user, int signal), void *user,
                              struct error **ret);
void signals_free(struct signals *signals); /* NULL is fine; the signals stay blocked */

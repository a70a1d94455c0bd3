/* The frames that an interface has counted itself, independent of any capture: proc_net(5), net/dev. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A descriptor for counter_read(), of the network namespace of the calling thread; -1 where there is no
 * /proc. */
int counter_open(void);

/* How many frames `interface` has received; false if that cannot be known. */
bool counter_read(int counter, const char *interface, uint64_t *ret_frames);

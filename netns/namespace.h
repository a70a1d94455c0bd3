/* Whose a network namespace is. ioctl_ns(2), user_namespaces(7). */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "src/base/error.h"

/* Opens (close-on-exec) the user namespace that owns the network namespace behind `netns`. Fails if that is
 * something else, or if its owner is neither the caller's own user namespace nor one below it. */
int namespace_userns(int netns, int *ret_userns, struct error **ret);

/* The user who made the user namespace behind `userns`, as the caller's user namespace numbers him; one whom
 * it does not map is the overflow uid (65534), and so not told from its own user of that number. */
int namespace_owner(int userns, uid_t *ret_uid, struct error **ret);

/* The file system of a pod: the host's, but read-only, with fresh temporary folders, and with the few paths
 * that the test needs bound back at their own places. Called in the pod's own mount namespace, with
 * CAP_SYS_ADMIN. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "src/base/error.h"
#include "src/base/text.h"

enum mounts_mode {
    MOUNTS_THROWAWAY, /* and /etc and /var can be changed: the changes vanish with the pod */
    MOUNTS_READONLY,  /* without that */
    MOUNTS_HOST,      /* the host's tree as it is; only /proc is the pod's */
};

/* "throwaway", "readonly", "host"; -1 for anything else. */
int mounts_mode_by_name(const char *name);

struct mounts_plan {
    enum mounts_mode mode;
    bool own_dns;            /* /etc/resolv.conf names 127.0.0.1 */
    struct strings writable; /* absolute paths that stay writable */
    struct strings readable; /* absolute paths that stay visible below /tmp, /run and the like */
};

/* What the kernel refuses but a pod can do without is told through notice(user, text), one sentence each. */
int mounts_set_up(const struct mounts_plan *plan, void (*notice)(void *user, const char *text), void *user,
                  struct error **ret);

/* What the user says about a pod of his own (`sippod exec`, `sippod agent`). */
#pragma once

#include "sandbox/mounts.h"
#include "src/base/text.h"

struct pod_choice {
    enum mounts_mode mounts;
    struct strings writable;     /* paths that stay writable */
    struct strings capabilities; /* "net_admin" …, in the pod */
};

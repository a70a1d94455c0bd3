/* The first process of a pod, from clone() until it has become the agent, and its end. How the agent is
 * talked to is not known here. */
#pragma once

#include <stdbool.h>

#include "sandbox/mounts.h"
#include "src/base/process.h"
#include "src/run/host.h"

struct pod_launch;

/* A client that talks to the agent itself. The agent is not started before pod_launch_go_on(). */
struct pod_guest {
    int ctl, io;                        /* the agent's channels; they stay the caller's */
    bool events;                        /* the agent sends them */
    const struct strings *capabilities; /* all that processes may be given: "net_admin", "net_raw" */
};

struct pod_launch_config { /* used during pod_launch_start() only */
    const struct mounts_plan *mounts;
    bool scatter;                  /* process numbers: they tell pods apart */
    const struct pod_guest *guest; /* NULL: sippod talks to the agent */
};

struct pod_launch_callbacks {
    /* The pod's namespaces are there. */
    void (*namespaces)(void *user);
    /* The pod cannot be made. */
    void (*failed)(void *user, const struct error *error);
    /* PID 1 has ended, and so has every process of the pod: the kernel sees to that before it lets PID 1 go.
     */
    void (*ended)(void *user, const struct process_end *how);
};

/* NULL on failure, with nothing left behind. */
struct pod_launch *pod_launch_start(struct host *host, const struct pod_launch_config *config,
                                    const struct pod_launch_callbacks *callbacks, void *user,
                                    struct error **ret);

/* sippod's ends of the agent's channels, where there is no guest; they are the caller's from now on. To be
 * called once. */
void pod_launch_channels(struct pod_launch *launch, int *ret_ctl, int *ret_io);

/* The user and network namespace, opened; they stay the pod's. Valid from `namespaces` on. */
void pod_launch_namespaces(const struct pod_launch *launch, int *ret_user, int *ret_network);

/* It ends, as its channels have: if the first process has said why, that is told from in here. */
void pod_launch_listen(struct pod_launch *launch);

/* The agent of a guest is started; from `namespaces` on. */
void pod_launch_go_on(struct pod_launch *launch);

void pod_launch_kill(struct pod_launch *launch); /* `ended` will tell */

/* Nothing is told any more. What has not ended is killed. NULL is fine. */
void pod_launch_free(struct pod_launch *launch);

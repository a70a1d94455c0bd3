/* A pod: namespaces, network and agent as one object, and the processes in it. Everything is started at once
 * and reported later, from the loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/mounts.h"
#include "src/base/process.h"
#include "src/run/host.h"
#include "src/wire/message.h"

struct pod;

struct pod_config {
    char run_id[7];
    const struct mounts_plan *mounts; /* used during pod_start() only */
    const char *const *addresses;     /* for the dummy device sipp-<run_id> */
    size_t address_count;
    size_t claim;             /* so many instead are found in the network outside (host->claims), 0: none */
    bool routed;              /* they are claimed at the router: others that may reach the pod find them */
    bool shared;              /* and every pod that is routed may */
    const char *const *reach; /* routed only: addresses and networks that are reached by way of the router */
    size_t reach_count;
    bool no_network; /* no link to the router, no device: nothing but a loopback that is down */
};

struct pod_callbacks {
    /* The pod's namespaces are there: helpers may join them, by pod_namespaces(). */
    void (*namespaces)(void *user);
    /* The addresses that were found for it, where that was asked for; before `up`. May be NULL. */
    void (*claimed)(void *user, const struct strings *addresses);
    /* The network is up and the agent waits for orders (error NULL); or the pod could not be made. Called
     * once. */
    void (*up)(void *user, const struct error *error);
    /* The agent ended unasked, after `up`; processes that were running have been reported ended. */
    void (*lost)(void *user, const struct error *why);
    /* What the pod has to do without, one sentence. */
    void (*notice)(void *user, const char *text);
};

/* NULL on failure, with nothing left behind. Else the pod is to be ended with pod_stop(), whatever happens.
 */
struct pod *pod_start(struct host *host, const struct pod_config *config,
                      const struct pod_callbacks *callbacks, void *user, struct error **ret);

/* Ends every process of the pod and with them its namespaces; then done(user) and the pod is freed. No other
 * callback is called any more, also not of its processes. */
void pod_stop(struct pod *pod, void (*done)(void *user), void *user);

/* It has ended unasked, even if `lost` has not told it yet: nothing can be run in it any more. */
bool pod_is_lost(const struct pod *pod);

/* The user and network namespace, opened; they stay the pod's. Valid from `namespaces` on. */
void pod_namespaces(const struct pod *pod, int *ret_user, int *ret_network);

/* A process in a pod. */
struct pod_process;

struct pod_process_callbacks {
    void (*started)(void *user);    /* it takes input from now on; may be NULL */
    void (*input_sent)(void *user); /* nothing of pod_process_input() waits any more; may be NULL */
    void (*listening)(void *user,
                      const char *problem); /* `listen` is bound (problem NULL), or cannot be asked */
    void (*output)(void *user, bool errors, const uint8_t *data, size_t length);
    /* It has ended; or it could not be started or watched (error not NULL, *end then means nothing). The
     * object is freed after this call. */
    void (*ended)(void *user, const struct process_end *end, const struct error *error);
};

/* Starts container->process by NEWCONTAINER, or by EXECCMD if `exec`. Streams are filled in here. */
struct pod_process *pod_run(struct pod *pod, struct container_message *container, bool exec,
                            const struct pod_process_callbacks *callbacks, void *user);

/* Bytes for the standard input of a process that has `started`, with process.input; none: their end. */
void pod_process_input(struct pod_process *process, const void *data, size_t length);
/* How many of them wait here, because the pod does not take them. */
size_t pod_process_input_waiting(const struct pod_process *process);
/* While it is held back no output comes from any process of the pod, and they have to wait with it. */
void pod_process_hold_output(const struct pod_process *process, bool hold);

/* The size of its terminal, once it has `started`. */
void pod_process_resize(struct pod_process *process, unsigned rows, unsigned columns);

/* Sends a signal; to its whole process group if `all`. */
void pod_process_kill(struct pod_process *process, int signal, bool all);

/* The capture of a pod, and the verdicts on what is expected of its packets: the sniffer helper, which sippod
 * starts in the pod's network namespace. The helper belongs to sippod's process tree, not to the pod's: a
 * test can neither see nor kill it. */
#pragma once

#include <stdint.h>

#include "netns/sniffer/judge.h"
#include "src/packet/pcapng.h"
#include "src/run/host.h"

struct pod_capture;

struct pod_capture_config {
    struct host *host;
    int user_namespace, network_namespace; /* the pod's */
    int folder;                            /* where the file is made */
    const char *folder_path; /* the same, where files of expectations lie; NULL: nothing is expected */
    const char *file;        /* NULL: packets are only looked at */
    const char *keys; /* a TLS key log in the folder that is put into a pcapng file at the end; NULL: none */
};

struct pod_capture_result {
    uint64_t packets, dropped;
    const char *warning; /* of something that the file lacks, though it is complete; NULL: none */
};

/* Starts the helper; it joins the namespaces and waits. NULL on failure, with nothing left behind; else it is
 * to be ended with pod_capture_stop(). `running(user, error)` is called once, after pod_capture_open(): every
 * packet is seen from then on (error NULL), or none will be. */
struct pod_capture *pod_capture_start(const struct pod_capture_config *config,
                                      void (*running)(void *user, const struct error *error), void *user,
                                      struct error **ret);

/* The interfaces are up: capture on them. The names go into the file, the last one of an address first in
 * rank; a classic file has none. `expectations` (NULL: none) are at most EXPECTATIONS_MOST. */
void pod_capture_open(struct pod_capture *capture, const struct pcapng_name *names, size_t count,
                      const struct expectations *expectations);

/* The expectations' clock starts. begun(user) is called, maybe in here, when packets count; or when the
 * helper is no more, as the next function will tell. */
void pod_capture_begin(struct pod_capture *capture, void (*begun)(void *user));

/* The scenario is over, after a begin: asks for the verdicts. judged(user, verdicts, error) is called once,
 * maybe in here, unless the capture is stopped before; error not NULL: there are none. */
void pod_capture_settle(struct pod_capture *capture,
                        void (*judged)(void *user, const struct judge_verdict *verdicts,
                                       const struct error *error));

/* Drains, then done(user, result, error): error not NULL when the file is incomplete. The capture is freed.
 */
void pod_capture_stop(struct pod_capture *capture,
                      void (*done)(void *user, const struct pod_capture_result *result,
                                   const struct error *error),
                      void *user);

/* The capture of a pod: the sniffer helper, which sippod starts in the pod's network namespace. The helper
 * belongs to sippod's process tree, not to the pod's: a test can neither see nor kill it. */
#pragma once

#include <stdint.h>

#include "src/packet/pcapng.h"
#include "src/run/host.h"

struct pod_capture;

struct pod_capture_result {
    uint64_t packets, dropped;
    const char *warning; /* of something that the file lacks, though it is complete; NULL: none */
};

/* Starts the helper; it joins the namespaces and waits. `folder` is where `file` is made, and where a TLS key
 * log `keys` (NULL: none) is looked for at the end, to be put into a pcapng file. NULL on failure,
 * with nothing left behind; else it is to be ended with pod_capture_stop(). `running(user, error)` is called
 * once, after pod_capture_open(): every packet is seen from then on (error NULL), or none will be. */
struct pod_capture *pod_capture_start(struct host *host, int user_namespace, int network_namespace,
                                      int folder, const char *file, const char *keys,
                                      void (*running)(void *user, const struct error *error), void *user,
                                      struct error **ret);

/* The interfaces are up: capture on them. The names go into the file, the last one of an address first in
 * rank; a classic file has none. */
void pod_capture_open(struct pod_capture *capture, const struct pcapng_name *names, size_t count);

/* Drains, then done(user, result, error): error not NULL when the file is incomplete. The capture is freed.
 */
void pod_capture_stop(struct pod_capture *capture,
                      void (*done)(void *user, const struct pod_capture_result *result,
                                   const struct error *error),
                      void *user);

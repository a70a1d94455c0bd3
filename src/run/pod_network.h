/* The network of a pod, as far as the router has a hand in it: its veth, and its addresses, which the router
 * routes to it where others are to reach it, or which are first found (claims.h). */
#pragma once

#include "src/run/pod.h"

struct pod_network;

struct pod_network_callbacks {
    /* Where addresses were to be found: these. Before `linked`. */
    void (*claimed)(void *user, const struct strings *addresses);
    /* eth0 is in the pod, down, and the addresses are the pod's; or not. Called once. */
    void (*linked)(void *user, const struct error *error);
    /* The router takes packets for the pod, or will not. */
    void (*opened)(void *user, const struct error *error);
};

/* `config` is used in here only. */
struct pod_network *pod_network_new(struct host *host, const struct pod_config *config,
                                    const struct pod_network_callbacks *callbacks, void *user);

/* The pod's network namespace is there: `linked` will tell, in here already if there is nothing to do. */
void pod_network_link(struct pod_network *network, int namespace);

/* The payload of STARTPOD, with which the agent does the pod's side. To be freed. */
char *pod_network_message(const struct pod_network *network);

/* The pod's end is up: `opened` will tell, in here already if there is nothing to do. */
void pod_network_open(struct pod_network *network);

/* Nothing is told any more. The pod is gone, or about to go, and its link and addresses with it. */
void pod_network_free(struct pod_network *network);

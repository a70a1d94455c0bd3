/* Inside of a pod object, shared by pod.c and pod_process.c only. */
#pragma once

#include "src/run/pod.h"
#include "src/run/pod_launch.h"
#include "src/run/pod_network.h"
#include "src/wire/client.h"

struct pod {
    struct host *host;
    const struct pod_callbacks *callbacks;
    void *user;
    struct pod_launch *launch;
    struct pod_network *network;
    struct wire_client *client;
    bool ready, linked; /* the agent said READY; eth0 is there, and the addresses are the pod's */
    bool reported, up;  /* `up` was called; without an error */
    bool ended, stopping;
    struct timer *end_timer;
    void (*done)(void *user);
    struct pod_process *processes;
};

void pod_process_event(struct pod *pod, const struct event_message *event);
void pod_processes_input_sent(struct pod *pod);
void pod_processes_lost(struct pod *pod, const struct error *why); /* reports all as ended */
void pod_processes_free(struct pod *pod);                          /* without a word */

/* Inside of a pod object, shared by pod.c and pod_process.c only. */
#pragma once

#include "src/run/pod.h"
#include "src/wire/client.h"

/* What a reply of the router finds its way back with, even if the pod is gone by then. */
struct pod_link {
    struct pod *pod; /* NULL: gone */
};

struct pod {
    struct host *host;
    char run_id[7];
    struct strings addresses;
    const struct pod_callbacks *callbacks;
    void *user;
    pid_t pid;
    int pidfd, stage;
    int user_namespace, network_namespace;
    struct watch *stage_watch, *end_watch;
    struct wire_client *client;
    struct pod_link *link; /* a request to the router is under way */
    bool ready, linked;    /* the agent said READY; eth0 is there */
    bool reported;         /* `up` was called */
    bool known_to_router, ended, stopping;
    struct timer *end_timer;
    void (*done)(void *user);
    struct pod_process *processes;
};

void pod_process_event(struct pod *pod, const struct event_message *event);
void pod_processes_lost(struct pod *pod, const struct error *why); /* reports all as ended */
void pod_processes_free(struct pod *pod);                          /* without a word */

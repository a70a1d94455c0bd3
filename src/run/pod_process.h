/* Inside of a pod object, shared by pod.c, pod_network.c and pod_process.c only. */
#pragma once

#include "src/run/pod.h"
#include "src/wire/client.h"

/* What replies of the router find their way back with, even if the pod is gone by then. */
struct pod_link {
    struct pod *pod; /* NULL: gone */
    size_t due;      /* replies */
};

struct pod {
    struct host *host;
    char run_id[7];
    struct strings addresses, reach;
    size_t claim; /* addresses to be found */
    struct claim *claiming;
    bool routed, shared;
    char router_mac[18]; /* "ee:ee:ee:ee:ee:ee", known once linked */
    const struct pod_callbacks *callbacks;
    void *user;
    pid_t pid;
    int pidfd, stage;
    int user_namespace, network_namespace;
    struct watch *stage_watch, *end_watch;
    struct wire_client *client;
    struct pod_link *link; /* requests to the router are under way */
    bool ready, linked;    /* the agent said READY; eth0 is there, and the addresses are the pod's */
    bool no_network;
    bool reported; /* `up` was called */
    bool known_to_router, ended, stopping;
    struct timer *end_timer;
    void (*done)(void *user);
    struct pod_process *processes;
};

/* pod.c */
void pod_report_up(struct pod *pod, const struct error *error);

/* pod_network.c */
void pod_network_link(struct pod *pod);             /* the network namespace is there */
void pod_network_start_when_ready(struct pod *pod); /* the agent may be, too */

/* pod_process.c */
void pod_process_event(struct pod *pod, const struct event_message *event);
void pod_processes_lost(struct pod *pod, const struct error *why); /* reports all as ended */
void pod_processes_free(struct pod *pod);                          /* without a word */

/* How a pod comes up:
 *
 *   sippod                       first process of the pod            router
 *   clone(user, pid) ─────────►  waits
 *   writes the maps, "go" ────►  unshare(net, mnt, ipc, uts)
 *          ◄──── "namespaces" ─  exec sippod-agent: mounts, filter
 *   asks for the veth ─────────────────────────────────────────────► veth into the pod
 *                                                        ◄──── reply
 *   claims addresses ──────────────────────────────────────────────► routes to the pod (if it is to have any)
 *          ◄──────────── READY ─                        ◄──── replies
 *   STARTPOD ─────────────────►  eth0 and dummy up, routes
 *          ◄────────────── ACK
 *
 * pod_launch.c is what stands above READY, pod_network.c what the router does; here they come together. */
#include "src/run/pod.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/run/pod_process.h"

#define END_MS 2000 /* how long the agent may take to end before it is killed */

/* How long it may take to answer before the pod counts as lost: far more than it needs on a busy host. */
#define ANSWER_MS 30000

/* ---- coming up ---- */

static void report_up(struct pod *pod, const struct error *error)
{
    if (pod->reported || pod->stopping)
        return;
    pod->reported = true;
    pod->up = !error;
    pod->callbacks->up(pod->user, error);
}

static void on_started(void *user, const struct error *error, const uint8_t *payload, size_t length)
{
    struct pod *pod = user;

    (void)payload;
    (void)length;
    if (error)
        report_up(pod, error);
    else if (!pod->stopping)
        pod_network_open(pod->network);
}

/* Everything that STARTPOD needs has come together: the agent, and its end of the veth. */
static void start_when_ready(struct pod *pod)
{
    cleanup_free char *json = NULL;

    if (!pod->ready || !pod->linked || pod->stopping)
        return;
    json = pod_network_message(pod->network);
    wire_client_send(pod->client, CTL_STARTPOD, json, strlen(json), on_started, pod);
}

/* ---- the first process ---- */

static void on_namespaces(void *user)
{
    struct pod *pod = user;
    int user_namespace, network_namespace;

    if (pod->stopping)
        return;
    pod_launch_namespaces(pod->launch, &user_namespace, &network_namespace);
    pod_network_link(pod->network, network_namespace);
    pod->callbacks->namespaces(pod->user);
}

static void on_failed(void *user, const struct error *error)
{
    report_up(user, error);
}

static void finish(struct pod *pod);

static void on_ended(void *user, const struct process_end *how)
{
    struct pod *pod = user;

    (void)how;
    pod->ended = true;
    if (pod->stopping) /* else its last words are still in the channel, whose end tells the rest */
        finish(pod);
}

static const struct pod_launch_callbacks launch_callbacks = {
    .namespaces = on_namespaces,
    .failed = on_failed,
    .ended = on_ended,
};

/* ---- the network ---- */

static void on_claimed(void *user, const struct strings *addresses)
{
    struct pod *pod = user;

    if (pod->callbacks->claimed && !pod->stopping)
        pod->callbacks->claimed(pod->user, addresses);
}

static void on_linked(void *user, const struct error *error)
{
    struct pod *pod = user;

    pod->linked = !error;
    if (error)
        report_up(pod, error);
    else
        start_when_ready(pod);
}

static void on_opened(void *user, const struct error *error)
{
    report_up(user, error);
}

static const struct pod_network_callbacks network_callbacks = {
    .claimed = on_claimed,
    .linked = on_linked,
    .opened = on_opened,
};

/* ---- the agent ---- */

static void on_ready(void *user)
{
    struct pod *pod = user;

    if (pod->ready)
        return;
    pod->ready = true;
    start_when_ready(pod);
}

static void on_event(void *user, const struct event_message *event)
{
    struct pod *pod = user;

    if (pod->stopping)
        return;
    if (strcmp(event->event, "notice") == 0)
        pod->callbacks->notice(pod->user, event->info ? event->info : "");
    else
        pod_process_event(pod, event);
}

static void on_closed(void *user, const struct error *why)
{
    struct pod *pod = user;

    if (pod->stopping)
        return;
    pod->ready = false;
    pod_launch_listen(pod->launch); /* what the first process said comes before its end */
    report_up(pod, why);
    if (!pod->up)
        return;
    pod_processes_lost(pod, why);
    if (!pod->stopping)
        pod->callbacks->lost(pod->user, why);
}

static void on_input_sent(void *user)
{
    pod_processes_input_sent(user);
}

static const struct wire_client_callbacks wire_callbacks = {
    .ready = on_ready,
    .event = on_event,
    .closed = on_closed,
    .input_sent = on_input_sent,
};

/* ---- starting ---- */

static int start(struct pod *pod, const struct pod_config *config, struct error **ret)
{
    /* One DUT hears of many pods; in a pod of its own logs are easier to compare. */
    const struct pod_launch_config launch = {.mounts = config->mounts, .scatter = config->routed};
    int ctl, io;

    pod->launch = pod_launch_start(pod->host, &launch, &launch_callbacks, pod, ret);
    if (!pod->launch)
        return -1;
    pod_launch_channels(pod->launch, &ctl, &io);
    pod->client = wire_client_new(pod->host->loop, ctl, io, &wire_callbacks, pod, ret);
    if (!pod->client)
        return -1;
    wire_client_limit(pod->client, ANSWER_MS);
    return 0;
}

static void pod_free(struct pod *pod)
{
    pod_processes_free(pod);
    wire_client_free(pod->client);
    pod_launch_free(pod->launch);
    pod_network_free(pod->network);
    timer_stop(&pod->end_timer);
    free(pod);
}

struct pod *pod_start(struct host *host, const struct pod_config *config,
                      const struct pod_callbacks *callbacks, void *user, struct error **ret)
{
    struct pod *pod = memory_new(sizeof *pod);

    *pod = (struct pod){
        .host = host,
        .callbacks = callbacks,
        .user = user,
        .network = pod_network_new(host, config, &network_callbacks, pod),
    };
    if (start(pod, config, ret) == 0)
        return pod;
    pod_free(pod);
    return NULL;
}

/* ---- ending ---- */

static void on_end_timer(void *user)
{
    struct pod *pod = user;

    pod->end_timer = NULL;
    pod_launch_kill(pod->launch);
}

static void finish(struct pod *pod)
{
    void (*done)(void *user) = pod->done;
    void *user = pod->user;

    pod_free(pod);
    done(user);
}

static void on_finish_timer(void *user)
{
    struct pod *pod = user;

    pod->end_timer = NULL;
    finish(pod);
}

void pod_stop(struct pod *pod, void (*done)(void *user), void *user)
{
    pod->stopping = true;
    pod->done = done;
    pod->user = user;
    pod_processes_free(pod);
    if (pod->ended) { /* never from in here: the caller may stand in one of the pod's callbacks */
        pod->end_timer = loop_after(pod->host->loop, 0, on_finish_timer, pod);
        return;
    }
    if (!pod->ready) {
        pod_launch_kill(pod->launch);
        return;
    }
    wire_client_send(pod->client, CTL_DESTROYPOD, NULL, 0, NULL, NULL);
    pod->end_timer = loop_after(pod->host->loop, END_MS, on_end_timer, pod);
}

bool pod_is_lost(const struct pod *pod)
{
    return pod->up && !pod->ready;
}

void pod_namespaces(const struct pod *pod, int *ret_user, int *ret_network)
{
    pod_launch_namespaces(pod->launch, ret_user, ret_network);
}

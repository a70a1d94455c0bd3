/* How a pod comes up:
 *
 *   sippod                       first process of the pod            router
 *   clone(user, pid) ─────────►  waits
 *   writes the maps, "go" ────►  unshare(net, mnt, ipc, uts)
 *          ◄──── "namespaces" ─  exec sippod-agent: mounts, filter
 *   asks for the veth ─────────────────────────────────────────────► veth into the pod
 *   (pod_network.c)                                      ◄──── reply
 *   claims addresses ──────────────────────────────────────────────► routes to the pod (if it is to have any)
 *          ◄──────────── READY ─                        ◄──── replies
 *   STARTPOD ─────────────────►  eth0 and dummy up, routes
 *          ◄────────────── ACK
 *
 * The first process talks over a socket of its own ("stage") until it becomes the agent; a failure on the way
 * comes as a sentence on it. */
#include "src/run/pod.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/capabilities.h"
#include "sandbox/namespaces.h"
#include "src/base/memory.h"
#include "src/base/socket.h"
#include "src/run/pod_process.h"

/* What the agent sets the pod up with, and what it may pass on; it drops the rest itself. */
#define AGENT_CAPABILITIES                                                                                   \
    (CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW) |                       \
     CAPABILITY(CAP_KILL) | CAPABILITY(CAP_SETPCAP) | CAPABILITY(CAP_DAC_OVERRIDE))
#define END_MS 2000 /* how long the agent may take to end before it is killed */

#define STAGE_GO         "go"
#define STAGE_NAMESPACES "namespaces"

/* ---- the first process ---- */

struct first {
    int agent, filter, ctl, io, stage;
    bool scatter; /* process numbers */
    char **arguments;
};

static void fail_stage(const struct first *first, const struct error *error)
{
    cleanup_free char *text = text_format("%d %s", error->sys, error_text(error));

    (void)send(first->stage, text, strlen(text), MSG_NOSIGNAL);
    _exit(127);
}

/* It keeps nothing but what it was given: with sippod's end of a channel in hand it would not see sippod go.
 */
static void first_process(const struct first *given)
{
    char *environment[] = {NULL};
    struct error *error = NULL;
    char go[sizeof STAGE_GO];
    struct first first = {
        .arguments = given->arguments, .ctl = 3, .io = 4, .filter = 5, .stage = 6, .agent = 7};

    (void)setsid(); /* the terminal's signals are for sippod */
    process_reset_signals();
    if (process_keep_only((const int[]){given->ctl, given->io, given->filter, given->stage, given->agent},
                          5) < 0 ||
        recv(first.stage, go, sizeof go, 0) <= 0)
        _exit(127); /* sippod has gone */
    if (namespaces_unshare_pod(&error) < 0)
        fail_stage(&first, error);
    if (given->scatter)
        namespaces_scatter_pids();
    if (socket_send(first.stage, STAGE_NAMESPACES, strlen(STAGE_NAMESPACES), -1) < 0 || chdir("/") < 0)
        _exit(127);
    if (process_standard_streams(-1, STDERR_FILENO, &error) < 0 ||
        capabilities_hand_on(AGENT_CAPABILITIES, &error) < 0)
        fail_stage(&first, error);
    process_exec(first.agent, first.arguments, environment, (const int[]){first.ctl, first.io, first.filter},
                 3);
    error_sys(&error, ERROR_HOST, errno, "cannot run sippod-agent");
    fail_stage(&first, error);
}

static void agent_arguments(const struct mounts_plan *plan, struct strings *arguments)
{
    static const char *const modes[] = {"throwaway", "readonly", "host"};

    strings_add(arguments, "sippod-agent");
    strings_add(arguments, "--filter");
    strings_addf(arguments, "--fs=%s", modes[plan->mode]);
    if (plan->own_dns)
        strings_add(arguments, "--own-dns");
    for (size_t i = 0; i < plan->writable.count; i++)
        strings_addf(arguments, "--writable=%s", plan->writable.list[i]);
    for (size_t i = 0; i < plan->readable.count; i++)
        strings_addf(arguments, "--readable=%s", plan->readable.list[i]);
}

/* ---- coming up ---- */

void pod_report_up(struct pod *pod, const struct error *error)
{
    if (pod->reported || pod->stopping)
        return;
    pod->reported = true;
    pod->callbacks->up(pod->user, error);
}

static int open_namespaces(struct pod *pod, struct error **ret)
{
    cleanup_free char *user = text_format("/proc/%d/ns/user", pod->pid);
    cleanup_free char *network = text_format("/proc/%d/ns/net", pod->pid);

    pod->user_namespace = open(user, O_RDONLY | O_CLOEXEC);
    pod->network_namespace = open(network, O_RDONLY | O_CLOEXEC);
    if (pod->user_namespace < 0 || pod->network_namespace < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open the pod's namespaces");
    return 0;
}

/* "<errno> <sentence>" */
static void take_failure(const char *text, size_t length, struct error **ret)
{
    cleanup_free char *copy = text_slice(text, length);
    char *sentence;
    long sys = strtol(copy, &sentence, 10);

    error_set(ret, ERROR_HOST, "the pod cannot be made:%s", sentence);
    (*ret)->sys = (int)sys;
}

static void on_stage(void *user, uint32_t events)
{
    struct pod *pod = user;
    cleanup_error struct error *error = NULL;
    char text[512];
    ssize_t length = recv(pod->stage, text, sizeof text, MSG_DONTWAIT);

    (void)events;
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0 || pod->stopping) { /* it has become the agent, which has channels of its own */
        watch_stop(&pod->stage_watch);
        close_fd(&pod->stage);
        return;
    }
    if ((size_t)length != strlen(STAGE_NAMESPACES) || memcmp(text, STAGE_NAMESPACES, (size_t)length) != 0) {
        take_failure(text, (size_t)length, &error);
        pod_report_up(pod, error);
        return;
    }
    if (open_namespaces(pod, &error) < 0) {
        pod_report_up(pod, error);
        return;
    }
    pod_network_link(pod);
    pod->callbacks->namespaces(pod->user);
}

static void on_ready(void *user)
{
    struct pod *pod = user;

    pod->ready = true;
    pod_network_start_when_ready(pod);
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
    bool was_up = pod->reported;

    if (pod->stopping)
        return;
    pod->ready = false;
    if (pod->stage >= 0) /* what the first process said comes before its end */
        on_stage(pod, 0);
    pod_report_up(pod, why);
    if (!was_up)
        return;
    pod_processes_lost(pod, why);
    if (!pod->stopping)
        pod->callbacks->lost(pod->user, why);
}

static const struct wire_client_callbacks wire_callbacks = {
    .ready = on_ready,
    .event = on_event,
    .closed = on_closed,
};

static void on_ended(void *user, uint32_t events);

static int fork_first(struct pod *pod, const struct mounts_plan *mounts, int ctl, int io, int stage,
                      struct error **ret)
{
    cleanup_strings struct strings arguments = {0};
    struct first first = {
        .agent = pod->host->agent,
        .filter = pod->host->pod_filter,
        .ctl = ctl,
        .io = io,
        .stage = stage,
        .scatter =
            pod->routed, /* one DUT hears of many pods; in a pod of its own logs are easier to compare */
    };

    agent_arguments(mounts, &arguments);
    first.arguments = arguments.list;
    pod->pid = process_fork(namespaces_pod_clone_flags(), &pod->pidfd, ret);
    if (pod->pid == 0)
        first_process(&first);
    return pod->pid < 0 ? -1 : 0;
}

static int launch(struct pod *pod, const struct mounts_plan *mounts, struct error **ret)
{
    int ctl[2] = {-1, -1}, io[2] = {-1, -1}, stage[2] = {-1, -1};
    int result = -1;

    if (socket_pair(SOCK_STREAM, ctl, ret) == 0 && socket_pair(SOCK_STREAM, io, ret) == 0 &&
        socket_pair(SOCK_SEQPACKET, stage, ret) == 0)
        result = fork_first(pod, mounts, ctl[1], io[1], stage[1], ret);
    close_fd(&ctl[1]);
    close_fd(&io[1]);
    close_fd(&stage[1]);
    pod->stage = stage[0];
    if (result < 0) {
        close_fd(&ctl[0]);
        close_fd(&io[0]);
        return -1;
    }
    pod->client = wire_client_new(pod->host->loop, ctl[0], io[0], &wire_callbacks, pod, ret);
    pod->stage_watch =
        loop_watch(pod->host->loop, pod->stage, EPOLLIN, on_stage, pod, pod->client ? ret : NULL);
    pod->end_watch = loop_watch(pod->host->loop, pod->pidfd, EPOLLIN, on_ended, pod, NULL);
    if (!pod->client || !pod->stage_watch || !pod->end_watch || namespaces_map_pod(pod->pid, ret) < 0)
        return -1;
    if (socket_send(pod->stage, STAGE_GO, strlen(STAGE_GO), -1) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "the pod's first process has ended");
    return 0;
}

static void pod_free(struct pod *pod)
{
    pod_processes_free(pod);
    wire_client_free(pod->client);
    watch_stop(&pod->stage_watch);
    watch_stop(&pod->end_watch);
    timer_stop(&pod->end_timer);
    close_fd(&pod->stage);
    close_fd(&pod->pidfd);
    close_fd(&pod->user_namespace);
    close_fd(&pod->network_namespace);
    strings_free(&pod->addresses);
    strings_free(&pod->reach);
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
        .stage = -1,
        .pidfd = -1,
        .user_namespace = -1,
        .network_namespace = -1,
        .claim = config->claim,
        .routed = config->routed,
        .shared = config->shared,
        .no_network = config->no_network,
    };
    memcpy(pod->run_id, config->run_id, sizeof pod->run_id);
    for (size_t i = 0; i < config->address_count; i++)
        strings_add(&pod->addresses, config->addresses[i]);
    for (size_t i = 0; i < config->reach_count; i++)
        strings_add(&pod->reach, config->reach[i]);
    if (launch(pod, config->mounts, ret) == 0)
        return pod;
    if (pod->pidfd >= 0) {
        (void)process_signal(pod->pidfd, SIGKILL, NULL);
        watch_stop(&pod->end_watch);
        host_reap_later(host, steal_fd(&pod->pidfd));
    }
    pod_free(pod);
    return NULL;
}

/* ---- ending ---- */

static void on_end_timer(void *user)
{
    struct pod *pod = user;

    pod->end_timer = NULL;
    (void)process_signal(pod->pidfd, SIGKILL, NULL);
}

/* The pod is gone either way, and its link and addresses with it. */
static void on_unlinked(void *user, const struct error *error)
{
    (void)user;
    (void)error;
}

static void finish(struct pod *pod)
{
    void (*done)(void *user) = pod->done;
    void *user = pod->user;

    if (pod->link)
        pod->link->pod = NULL;
    if (pod->claiming)
        claim_cancel(pod->claiming);
    if (pod->known_to_router)
        router_client_pod_remove(pod->host->router, pod->run_id, on_unlinked, NULL);
    pod_free(pod);
    done(user);
}

static void on_finish_timer(void *user)
{
    struct pod *pod = user;

    pod->end_timer = NULL;
    finish(pod);
}

/* PID 1 has ended, and so has every process of the pod: the kernel sees to that before it lets PID 1 go. */
static void on_ended(void *user, uint32_t events)
{
    struct pod *pod = user;
    struct process_end end = {0};

    (void)events;
    if (process_reap(pod->pidfd, &end, NULL) == 0)
        return;
    watch_stop(&pod->end_watch);
    pod->ended = true;
    if (pod->stopping) /* else its last words are still in the channel, whose end tells the rest */
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
        (void)process_signal(pod->pidfd, SIGKILL, NULL);
        return;
    }
    wire_client_send(pod->client, CTL_DESTROYPOD, NULL, 0, NULL, NULL);
    pod->end_timer = loop_after(pod->host->loop, END_MS, on_end_timer, pod);
}

void pod_namespaces(const struct pod *pod, int *ret_user, int *ret_network)
{
    *ret_user = pod->user_namespace;
    *ret_network = pod->network_namespace;
}

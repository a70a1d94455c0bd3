#include "src/run/pod_launch.h"

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
#include "src/base/process.h"
#include "src/base/socket.h"

/* What the agent sets the pod up with, and what it may pass on; it drops the rest itself. */
#define AGENT_CAPABILITIES                                                                                   \
    (CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW) |                       \
     CAPABILITY(CAP_KILL) | CAPABILITY(CAP_SETPCAP) | CAPABILITY(CAP_DAC_OVERRIDE) |                         \
     CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID))

/* The first process talks over a socket of its own, the stage, until it becomes the agent; a failure on the
 * way comes as a sentence on it. An agent whose channels are a guest's has it until it is READY: to tell
 * failures, and to know that sippod is there. */
#define STAGE_GO         "go"
#define STAGE_NAMESPACES "namespaces"

struct pod_launch {
    struct host *host;
    const struct pod_launch_callbacks *callbacks;
    void *user;
    pid_t pid;
    int pidfd, stage;
    int ctl, io; /* until they are taken */
    int user_namespace, network_namespace;
    struct watch *stage_watch, *end_watch;
};

/* ---- the first process ---- */

struct first {
    int agent, filter, ctl, io, stage;
    bool scatter, guest;
    char **arguments;
};

/* False: sippod has gone. */
static bool wait_for_go(const struct first *first)
{
    char go[sizeof STAGE_GO];

    return recv(first->stage, go, sizeof go, 0) > 0;
}

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
    struct first first = {
        .arguments = given->arguments, .ctl = 3, .io = 4, .filter = 5, .stage = 6, .agent = 7};

    (void)setsid(); /* the terminal's signals are for sippod */
    process_reset_signals();
    if (process_keep_only((const int[]){given->ctl, given->io, given->filter, given->stage, given->agent},
                          5) < 0 ||
        !wait_for_go(&first))
        _exit(127);
    if (namespaces_unshare_pod(&error) < 0)
        fail_stage(&first, error);
    if (given->scatter)
        namespaces_scatter_pids();
    if (socket_send(first.stage, STAGE_NAMESPACES, strlen(STAGE_NAMESPACES), -1) < 0 || chdir("/") < 0 ||
        (given->guest && !wait_for_go(&first)))
        _exit(127);
    if (process_standard_streams(-1, STDERR_FILENO, &error) < 0 ||
        capabilities_hand_on(AGENT_CAPABILITIES, &error) < 0)
        fail_stage(&first, error);
    process_exec(first.agent, first.arguments, environment,
                 (const int[]){first.ctl, first.io, first.filter, first.stage}, given->guest ? 4 : 3);
    error_sys(&error, ERROR_HOST, errno, "cannot run sippod-agent");
    fail_stage(&first, error);
}

static void guest_arguments(const struct pod_guest *guest, struct strings *arguments)
{
    strings_add(arguments, "--stage");
    strings_add(arguments, "--grant=");
    for (size_t i = 0; i < guest->capabilities->count; i++)
        strings_addf(arguments, "--grant=%s", guest->capabilities->list[i]);
}

static void agent_arguments(const struct pod_launch_config *config, struct strings *arguments)
{
    static const char *const modes[] = {"throwaway", "readonly", "host"};
    const struct mounts_plan *plan = config->mounts;

    strings_add(arguments, "sippod-agent");
    strings_add(arguments, "--filter");
    if (!config->guest || config->guest->events)
        strings_add(arguments, "--events");
    if (config->guest)
        guest_arguments(config->guest, arguments);
    strings_addf(arguments, "--fs=%s", modes[plan->mode]);
    if (plan->own_dns)
        strings_add(arguments, "--own-dns");
    for (size_t i = 0; i < plan->writable.count; i++)
        strings_addf(arguments, "--writable=%s", plan->writable.list[i]);
    for (size_t i = 0; i < plan->readable.count; i++)
        strings_addf(arguments, "--readable=%s", plan->readable.list[i]);
}

/* ---- what it says ---- */

static int open_namespaces(struct pod_launch *launch, struct error **ret)
{
    cleanup_free char *user = text_format("/proc/%d/ns/user", launch->pid);
    cleanup_free char *network = text_format("/proc/%d/ns/net", launch->pid);

    launch->user_namespace = open(user, O_RDONLY | O_CLOEXEC);
    launch->network_namespace = open(network, O_RDONLY | O_CLOEXEC);
    if (launch->user_namespace < 0 || launch->network_namespace < 0)
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

/* Reads one message. False if there is none. Of one that ends only failures count. */
static bool take_message(struct pod_launch *launch, bool ends)
{
    cleanup_error struct error *error = NULL;
    char text[512];
    ssize_t length = recv(launch->stage, text, sizeof text, MSG_DONTWAIT);

    if (length < 0 && errno == EAGAIN)
        return false;
    if (length <= 0) { /* it has become the agent, which has channels of its own */
        watch_stop(&launch->stage_watch);
        close_fd(&launch->stage);
        return false;
    }
    if ((size_t)length != strlen(STAGE_NAMESPACES) || memcmp(text, STAGE_NAMESPACES, (size_t)length) != 0)
        take_failure(text, (size_t)length, &error);
    else if (!ends && open_namespaces(launch, &error) == 0)
        launch->callbacks->namespaces(launch->user);
    if (error)
        launch->callbacks->failed(launch->user, error);
    return true;
}

static void on_stage(void *user, uint32_t events)
{
    (void)events;
    (void)take_message(user, false);
}

void pod_launch_listen(struct pod_launch *launch)
{
    while (launch->stage >= 0 && take_message(launch, true))
        ;
}

static void on_ended(void *user, uint32_t events)
{
    struct pod_launch *launch = user;
    struct process_end end = {0};

    (void)events;
    if (process_reap(launch->pidfd, &end, NULL) == 0)
        return;
    watch_stop(&launch->end_watch);
    close_fd(&launch->pidfd);
    pod_launch_listen(launch); /* its last words come first */
    launch->callbacks->ended(launch->user, &end);
}

/* ---- starting ---- */

static int fork_first(struct pod_launch *launch, const struct pod_launch_config *config, int ctl, int io,
                      int stage, struct error **ret)
{
    cleanup_strings struct strings arguments = {0};
    struct first first = {
        .agent = launch->host->agent,
        .filter = launch->host->pod_filter,
        .ctl = ctl,
        .io = io,
        .stage = stage,
        .scatter = config->scatter,
        .guest = config->guest != NULL,
    };

    agent_arguments(config, &arguments);
    first.arguments = arguments.list;
    launch->pid = process_fork(namespaces_pod_clone_flags(), &launch->pidfd, ret);
    if (launch->pid == 0)
        first_process(&first);
    return launch->pid < 0 ? -1 : 0;
}

static int fork_with_stage(struct pod_launch *launch, const struct pod_launch_config *config, int ctl, int io,
                           struct error **ret)
{
    int stage[2];
    int result;

    if (socket_pair(SOCK_SEQPACKET, stage, ret) < 0)
        return -1;
    result = fork_first(launch, config, ctl, io, stage[1], ret);
    close(stage[1]);
    launch->stage = stage[0];
    return result;
}

static int fork_with_channels(struct pod_launch *launch, const struct pod_launch_config *config,
                              struct error **ret)
{
    int ctl[2] = {-1, -1}, io[2] = {-1, -1};
    int result = -1;

    if (config->guest)
        return fork_with_stage(launch, config, config->guest->ctl, config->guest->io, ret);
    if (socket_pair(SOCK_STREAM, ctl, ret) == 0 && socket_pair(SOCK_STREAM, io, ret) == 0)
        result = fork_with_stage(launch, config, ctl[1], io[1], ret);
    close_fd(&ctl[1]);
    close_fd(&io[1]);
    launch->ctl = ctl[0];
    launch->io = io[0];
    return result;
}

static int launch_all(struct pod_launch *launch, const struct pod_launch_config *config, struct error **ret)
{
    struct loop *loop = launch->host->loop;

    if (fork_with_channels(launch, config, ret) < 0 ||
        !(launch->stage_watch = loop_watch(loop, launch->stage, EPOLLIN, on_stage, launch, ret)) ||
        !(launch->end_watch = loop_watch(loop, launch->pidfd, EPOLLIN, on_ended, launch, ret)) ||
        namespaces_map_pod(launch->pid, ret) < 0)
        return -1;
    if (socket_send(launch->stage, STAGE_GO, strlen(STAGE_GO), -1) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "the pod's first process has ended");
    return 0;
}

/* If it has ended meanwhile, that is told anyway. */
void pod_launch_go_on(struct pod_launch *launch)
{
    if (launch->stage >= 0)
        (void)socket_send(launch->stage, STAGE_GO, strlen(STAGE_GO), -1);
}

struct pod_launch *pod_launch_start(struct host *host, const struct pod_launch_config *config,
                                    const struct pod_launch_callbacks *callbacks, void *user,
                                    struct error **ret)
{
    struct pod_launch *launch = memory_new(sizeof *launch);

    *launch = (struct pod_launch){
        .host = host,
        .callbacks = callbacks,
        .user = user,
        .pidfd = -1,
        .stage = -1,
        .ctl = -1,
        .io = -1,
        .user_namespace = -1,
        .network_namespace = -1,
    };
    if (launch_all(launch, config, ret) == 0)
        return launch;
    pod_launch_free(launch);
    return NULL;
}

void pod_launch_channels(struct pod_launch *launch, int *ret_ctl, int *ret_io)
{
    *ret_ctl = steal_fd(&launch->ctl);
    *ret_io = steal_fd(&launch->io);
}

void pod_launch_namespaces(const struct pod_launch *launch, int *ret_user, int *ret_network)
{
    *ret_user = launch->user_namespace;
    *ret_network = launch->network_namespace;
}

/* ---- ending ---- */

void pod_launch_kill(struct pod_launch *launch)
{
    if (launch->pidfd >= 0)
        (void)process_signal(launch->pidfd, SIGKILL, NULL);
}

void pod_launch_free(struct pod_launch *launch)
{
    if (!launch)
        return;
    pod_launch_kill(launch);
    watch_stop(&launch->stage_watch);
    watch_stop(&launch->end_watch);
    if (launch->pidfd >= 0)
        host_reap_later(launch->host, steal_fd(&launch->pidfd));
    close_fd(&launch->stage);
    close_fd(&launch->ctl);
    close_fd(&launch->io);
    close_fd(&launch->user_namespace);
    close_fd(&launch->network_namespace);
    free(launch);
}

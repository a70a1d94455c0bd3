/* sippod-agent: PID 1 of a pod. sippod starts it inside the pod's fresh namespaces, with the two hyperstart
 * channels as descriptors 3 and 4 and the capabilities that setting the pod up takes; it makes the file
 * system, says READY, and from then on does what the control channel says (HYPERSTART in docs/). It ends, and
 * the kernel ends every process of the pod with it, when the channel ends, on DESTROYPOD, or when sippod
 * dies. */
#include <errno.h>
#include <getopt.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "sandbox/capabilities.h"
#include "sandbox/mounts.h"
#include "sandbox/seccomp.h"
#include "src/base/memory.h"
#include "src/base/process.h"

#define CTL_FD    3
#define IO_FD     4
#define FILTER_FD 5 /* with --filter: the system call filter, compiled by sippod for all its pods */
#define STAGE_FD  6 /* with --stage: a socket to sippod, whose the channels then are not */

/* After the set-up: the network on request, the hostname, and what may be passed on to a process of the pod.
 */
#define KEPT                                                                                                 \
    (CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_KILL) |                          \
     CAPABILITY(CAP_SETPCAP) | CAPABILITY(CAP_DAC_OVERRIDE) | GRANTABLE)
/* For who is to start as another user, in a pod that has several: root's. */
#define IDENTITY  (CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID))
#define GRANTABLE (CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW))

#if defined(__SANITIZE_ADDRESS__)
/* Leak detection traces its own process, which the system call filter refuses. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

struct options {
    struct mounts_plan plan;
    bool compiled_filter, events, stage;
    uint64_t grantable;
};

static int parse_arguments(int argc, char **argv, struct options *options, struct error **ret)
{
    static const struct option names[] = {
        {.name = "fs", .has_arg = required_argument, .val = 'f'},
        {.name = "writable", .has_arg = required_argument, .val = 'w'},
        {.name = "readable", .has_arg = required_argument, .val = 'r'},
        {.name = "own-dns", .has_arg = no_argument, .val = 'd'},
        {.name = "events", .has_arg = no_argument, .val = 'e'},
        {.name = "filter", .has_arg = no_argument, .val = 'c'},
        {.name = "grant", .has_arg = required_argument, .val = 'g'},
        {.name = "stage", .has_arg = no_argument, .val = 's'},
        {0},
    };
    int option, mode;

    while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        switch (option) {
        case 'f':
            mode = mounts_mode_by_name(optarg);
            if (mode < 0)
                return error_set(ret, ERROR_INPUT, "unknown file system mode %s", optarg);
            options->plan.mode = (enum mounts_mode)mode;
            break;
        case 'w':
            strings_add(&options->plan.writable, optarg);
            break;
        case 'r':
            strings_add(&options->plan.readable, optarg);
            break;
        case 'd':
            options->plan.own_dns = true;
            break;
        case 'c':
            options->compiled_filter = true;
            break;
        case 'e':
            options->events = true;
            break;
        case 'g': /* nothing but what is named from now on */
            options->grantable = *optarg ? options->grantable | (capability_by_name(optarg) & GRANTABLE) : 0;
            break;
        case 's':
            options->stage = true;
            break;
        default:
            return error_set(ret, ERROR_INPUT, "unknown option");
        }
    }
    if (optind < argc)
        return error_set(ret, ERROR_INPUT, "unexpected argument %s", argv[optind]);
    return 0;
}

static void tell_notice(void *user, const char *text)
{
    struct agent *agent = user;
    struct event_message event = {
        .container = (char *)"hyperstart", .event = (char *)"notice", .info = (char *)text};

    if (agent->events)
        agent_event(agent, &event);
    else
        fprintf(stderr, "sippod-agent: %s\n", text);
}

/* SIGCHLD is all that PID 1 listens to: signals without a handler do not reach it, but for SIGKILL from
 * sippod. */
static void on_child(void *user, uint32_t events)
{
    struct agent *agent = user;
    struct signalfd_siginfo info;

    (void)events;
    while (read(agent->child_signal, &info, sizeof info) == sizeof info)
        ;
    process_reap_all(agent);
}

static int watch_children(struct agent *agent, struct error **ret)
{
    sigset_t children;

    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &children, NULL) < 0 ||
        (agent->child_signal = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot watch for child processes");
    return loop_watch(agent->loop, agent->child_signal, EPOLLIN, on_child, agent, ret) ? 0 : -1;
}

static int load_filter(bool compiled, struct error **ret)
{
    int result;

    if (!compiled)
        return seccomp_pod(ret);
    result = seccomp_load_file(FILTER_FD, ret);
    close(FILTER_FD);
    return result;
}

static int set_up_pod(struct agent *agent, const struct options *options, struct error **ret)
{
    uint64_t keep = KEPT;

    if (identity_can_change())
        keep |= IDENTITY;
    if (!(agent->netlink = netlink_open(ret)))
        return -1;
    if (capabilities_raise(CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_DAC_OVERRIDE), NULL) < 0 &&
        capabilities_raise(CAPABILITY(CAP_SYS_ADMIN), ret) < 0)
        return -1;
    if (mounts_set_up(&options->plan, tell_notice, agent, ret) < 0)
        return -1;
    return capabilities_drop(keep, ret) < 0 || load_filter(options->compiled_filter, ret) < 0 ? -1 : 0;
}

static const struct channels_callbacks channels = {
    .command = command_run,
    .input = input_take,
    .drained = output_drained,
};

static int start(struct agent *agent, const struct options *options, struct error **ret)
{
    agent->events = options->events;
    agent->grantable = options->grantable;
    agent->file_system = options->plan.mode;
    if (options->stage)
        agent->stage = STAGE_FD;
    if (process_die_with_parent(options->stage ? STAGE_FD : CTL_FD, ret) < 0 ||
        watch_children(agent, ret) < 0 || set_up_pod(agent, options, ret) < 0)
        return -1;
    close_fd(&agent->stage);
    agent_send(agent, CTL_READY, NULL, 0);
    return 0;
}

static int run(struct agent *agent, int argc, char **argv, struct error **ret)
{
    struct options options = {.grantable = GRANTABLE};
    int result;

    (void)signal(SIGPIPE, SIG_IGN); /* a process may close its standard input at any time */
    if (prctl(PR_SET_NAME, "sippod-agent") < 0 ||
        prctl(PR_SET_DUMPABLE, 1) < 0) /* sippod opens /proc/PID/ns of this process */
        return error_sys(ret, ERROR_FAILED, errno, "prctl");
    if (!(agent->loop = loop_new(ret)) || channels_open(agent, CTL_FD, IO_FD, &channels, ret) < 0)
        return -1;
    result = parse_arguments(argc, argv, &options, ret) < 0 ? -1 : start(agent, &options, ret);
    strings_free(&options.plan.writable);
    strings_free(&options.plan.readable);
    return result < 0 ? -1 : loop_run(agent->loop, ret);
}

/* The client is told as the last thing on the channel, sippod on the stage; without either it goes to
 * standard error. */
static void tell_failure(struct agent *agent, const struct error *error)
{
    cleanup_free char *text = text_format("%d %s", error->sys, error_text(error));

    if (agent->stage >= 0)
        (void)send(agent->stage, text, strlen(text), MSG_NOSIGNAL);
    if (agent->ctl)
        agent_send(agent, CTL_ERROR, error_text(error), strlen(error_text(error)));
    else
        fprintf(stderr, "sippod-agent: %s\n", error_text(error));
}

int main(int argc, char **argv)
{
    struct agent agent = {.stage = -1};
    cleanup_error struct error *error = NULL;

    if (run(&agent, argc, argv, &error) < 0) {
        tell_failure(&agent, error);
        agent.exit_code = (int)error->code;
    }
    channels_close(&agent);
    loop_free(agent.loop);
    return agent.exit_code;
}

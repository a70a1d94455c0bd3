#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/capabilities.h"
#include "sandbox/namespaces.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "src/doctor/trial.h"

#define MEANS_USER   "every test runs in a user namespace: without one no test can be run"
#define MEANS_ROOT   "root takes the capabilities setuid, setgid and setfcap for it, any other user takes none"
#define MEANS_ROUTER "sippod-router connects pods: without it no test can be run"

/* Root only. What the power was taken from is not dumpable, and then /proc/self is root's. */
static int become(uid_t uid, struct error **ret)
{
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ||
        prctl(PR_SET_DUMPABLE, 1) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot become uid %u", uid);
    return 0;
}

/* As a run does it; where it fails, opening something will. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* As a run does it, from whatever state the caller is in. */
static int enter(uint64_t *ret_keep, struct error **ret)
{
    uint64_t permitted;

    if (capabilities_permitted(&permitted, ret) < 0 || capabilities_raise(permitted, ret) < 0 ||
        namespaces_enter_own(ret_keep, ret) < 0)
        return -1;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot ask to die with the parent");
    return 0;
}

static int start_router(const struct trial *trial, uint64_t keep, struct trial_router *router,
                        struct error **ret)
{
    if (trial->router >= 0 && trial_router_start(trial, router, ret) < 0)
        return -1;
    if (capabilities_drop(keep, ret) < 0)
        return -1;
    return keep ? capabilities_raise(keep & CAPABILITY(CAP_DAC_OVERRIDE), ret) : 0;
}

/* ---- the pod ---- */

struct first {
    pid_t pid;
    int pidfd, stage;
};

/* Why clone refuses, told by what it does not refuse. */
static void tell_no_process(const struct trial *trial, const struct error *error)
{
    cleanup_error struct error *explained = NULL;
    int pidfd = -1;
    pid_t pid = process_fork(CLONE_NEWUSER, &pidfd, NULL);

    if (pid == 0)
        _exit(0);
    if (pid > 0) {
        (void)waitpid(pid, NULL, 0);
        close(pidfd);
        trial_tellf(trial, FINDING_BAD, "namespaces", MEANS_NAMESPACES,
                    error->sys == ENOSPC ? "sysctl user.max_pid_namespaces=10000" : trial_mend(error->sys),
                    "namespaces of kind process cannot be made: %s", strerror(error->sys));
        return;
    }
    namespaces_explain(error->sys, &explained);
    if (error->sys == ENOSPC || error->sys == EPERM)
        trial_refused(trial, "user-namespace", MEANS_USER, explained);
    else
        trial_refused(trial, "namespaces", MEANS_NAMESPACES, error);
}

static int start_pod(const struct trial *trial, struct first *first)
{
    cleanup_error struct error *error = NULL;
    int ends[2];

    if (socket_pair(SOCK_SEQPACKET, ends, &error) < 0) {
        trial_refused(trial, "namespaces", MEANS_NAMESPACES, error);
        return -1;
    }
    first->pid = process_fork(namespaces_pod_clone_flags(), &first->pidfd, &error);
    if (first->pid == 0) {
        close(ends[0]);
        trial_pod(trial, ends[1]);
    }
    close(ends[1]);
    first->stage = ends[0];
    if (first->pid < 0) {
        tell_no_process(trial, error);
        return -1;
    }
    if (namespaces_map_pod(first->pid, &error) < 0) {
        trial_refused(trial, "user-namespace", MEANS_USER, error);
        return -1;
    }
    trial_tellf(trial, FINDING_OK, "user-namespace", NULL, NULL, "one can be made, and others in it");
    return 0;
}

static bool step(const struct first *first)
{
    return socket_send(first->stage, "go", 2, -1) == 0;
}

static void connect_pod(const struct trial *trial, const struct first *first, struct trial_router *router)
{
    cleanup_free char *path = text_format("/proc/%d/ns/net", first->pid);
    cleanup_fd int network = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_error struct error *error = NULL;

    if (network < 0)
        error_sys(&error, ERROR_HOST, errno, "cannot open a pod's network namespace");
    else if (trial_router_connect(router, network, &error) == 0)
        trial_tellf(trial, FINDING_OK, "router", NULL, NULL, "sippod-router starts, and connects a pod");
    if (error)
        trial_refused(trial, "router", MEANS_ROUTER, error);
}

static void tell_end(const struct trial *trial, const struct first *first)
{
    int status = 0;

    while (waitpid(first->pid, &status, 0) < 0)
        if (errno != EINTR)
            return;
    if (WIFSIGNALED(status))
        trial_tellf(trial, FINDING_BAD, "trial", "a pod's first process may not do what it has to", NULL,
                    "a pod's first process was ended by %s", process_signal_name(WTERMSIG(status)));
}

static void make_pod(const struct trial *trial, struct trial_router *router)
{
    struct first first = {.pid = -1, .pidfd = -1, .stage = -1};
    char byte;

    if (start_pod(trial, &first) == 0 && step(&first) && recv(first.stage, &byte, 1, 0) == 1) {
        if (router->pid > 0)
            connect_pod(trial, &first, router);
        (void)step(&first);
    }
    close_fd(&first.stage); /* if it still waits for a step, it ends */
    if (first.pid > 0)
        tell_end(trial, &first);
    close_fd(&first.pidfd);
}

void trial_run(const struct trial *trial)
{
    struct trial_router router = {.pid = -1, .socket = -1, .words = -1};
    struct error *error = NULL;
    uint64_t keep;
    bool root;

    process_reset_signals();
    raise_descriptors();
    if (trial->uid && become(trial->uid, &error) < 0) {
        trial_refused(trial, TRIAL_NO_SUCH_UID, "what other users can do is not known", error);
        _exit(0);
    }
    root = geteuid() == 0;
    if (enter(&keep, &error) < 0) {
        trial_refused(trial, "user-namespace", root && error->sys == EPERM ? MEANS_ROOT : MEANS_USER, error);
        _exit(0);
    }
    if (start_router(trial, keep, &router, &error) < 0)
        trial_refused(trial, "router", MEANS_ROUTER, error);
    else
        make_pod(trial, &router);
    trial_router_stop(&router);
    _exit(0);
}

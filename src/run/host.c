#include "src/run/host.h"

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
#include "sandbox/seccomp.h"
#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "src/doctor/doctor.h"

#define ROUTER_CAPABILITIES (CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW))
#define END_MS              5000 /* how long a child that was told to end may take */

/* ---- programs: beside sippod where it runs from its build folder, else in the system's place ---- */

static int open_program(const struct host *host, const char *name, struct error **ret)
{
    cleanup_free char *beside = text_format("%s/%s", host->program_folder, name);
    cleanup_free char *installed = text_format("%s/%s", SIPPOD_LIBEXECDIR, name);
    int fd = open(beside, O_PATH | O_CLOEXEC);

    if (fd < 0)
        fd = open(installed, O_PATH | O_CLOEXEC);
    if (fd < 0)
        error_set(ret, ERROR_HOST, "%s is neither in %s nor in %s: the installation is incomplete", name,
                  host->program_folder, SIPPOD_LIBEXECDIR);
    return fd;
}

static int find_programs(struct host *host, struct error **ret)
{
    char *path = file_absolute("/proc/self/exe", ret);

    if (!path)
        return -1;
    *strrchr(path, '/') = '\0';
    host->program_folder = path;
    host->agent = open_program(host, "sippod-agent", ret);
    return host->agent < 0 ? -1 : 0;
}

/* ---- router ---- */

/* For the network outside the router's own file gives it what it needs, or root does. */
static int prepare_router(bool outside, struct error **ret)
{
    uint64_t permitted;

    if (!outside)
        return namespaces_unshare_network(ret) < 0 ? -1 : capabilities_hand_on(ROUTER_CAPABILITIES, ret);
    if (capabilities_permitted(&permitted, ret) < 0)
        return -1;
    return permitted & ROUTER_CAPABILITIES ? capabilities_hand_on(ROUTER_CAPABILITIES, ret) : 0;
}

static void router_child(int program, int socket, int report, bool outside)
{
    char *arguments[] = {(char *)"sippod-router", NULL};
    char *environment[] = {NULL};
    struct error *error = NULL;

    process_reset_signals();
    (void)setsid(); /* the terminal's signals are for sippod */
    if (prepare_router(outside, &error) == 0) {
        process_exec(program, arguments, environment, &socket, 1);
        error_sys(&error, ERROR_HOST, errno, "cannot run sippod-router");
    }
    (void)send(report, error_text(error), strlen(error_text(error)), MSG_NOSIGNAL);
    _exit(127);
}

static void on_router_closed(void *user, const struct error *why)
{
    struct host *host = user;

    if (host->due) {
        error_set(&host->refused, why->code, "%s", error_text(why));
        host->due = 0;
        loop_quit(host->loop);
    } else if (host->lost) {
        host->lost(host->user, why);
    }
}

static void on_hello(void *user, const struct error *error)
{
    if (error)
        on_router_closed(user, error);
}

static int start_router(struct host *host, bool outside, struct error **ret)
{
    cleanup_fd int program = open_program(host, "sippod-router", ret);
    cleanup_fd int report = -1;
    int ends[2], reports[2];
    char text[512];
    ssize_t length;
    pid_t pid;

    if (program < 0 || socket_pair(SOCK_SEQPACKET, ends, ret) < 0)
        return -1;
    if (socket_pair(SOCK_SEQPACKET, reports, ret) < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    pid = process_fork(0, &host->router_pidfd, ret);
    if (pid == 0)
        router_child(program, ends[1], reports[1], outside);
    close(ends[1]);
    close(reports[1]);
    report = reports[0];
    if (pid < 0) {
        close(ends[0]);
        return -1;
    }
    /* Ends as soon as the router's program runs. */
    length = recv(report, text, sizeof text, 0);
    if (length > 0) {
        close(ends[0]);
        return error_set(ret, ERROR_HOST, "%.*s", (int)length, text);
    }
    host->router = router_client_new(host->loop, ends[0], on_router_closed, host, ret);
    if (!host->router)
        return -1;
    router_client_hello(host->router, on_hello, host);
    return 0;
}

/* ---- what is outside ---- */

static void on_answered(struct host *host, const struct error *error)
{
    if (error && !host->refused)
        error_set(&host->refused, error->code, "%s", error_text(error));
    if (--host->due == 0)
        loop_quit(host->loop);
}

static void on_opened(void *user, const struct error *error, const struct network *network,
                      const char *device)
{
    struct host *host = user;

    (void)device;
    if (!error)
        host->claims = claims_new(network, &host->refused);
    on_answered(host, error);
}

static void on_allowed(void *user, const struct error *error)
{
    on_answered(user, error);
}

static int allow_networks(struct host *host, const struct strings *texts, struct error **ret)
{
    struct network network;

    for (size_t i = 0; texts && i < texts->count; i++) {
        if (network_parse(texts->list[i], &network, ret) < 0)
            return error_prefix(ret, "--allow-net");
        host->due++;
        router_client_allow(host->router, &network, on_allowed, host);
    }
    return 0;
}

/* Nothing is started before it is known that the device under test can be reached. */
static int open_outside(struct host *host, const struct host_outside *outside, struct error **ret)
{
    host->due = 1;
    router_client_open(host->router, outside->dut, outside->mask, on_opened, host);
    if (allow_networks(host, outside->allow, ret) < 0 || loop_run(host->loop, ret) < 0)
        return -1;
    if (!host->refused)
        return 0;
    if (ret)
        *ret = steal_pointer(&host->refused);
    return -1;
}

static int open_all(struct host *host, const struct host_config *config, struct error **ret)
{
    const struct host_outside *outside = config->outside;
    uint64_t keep;

    (void)signal(SIGCHLD, SIG_DFL); /* children are waited for, whatever the caller has set */
    if (find_programs(host, ret) < 0 || seccomp_compile_pod(&host->pod_filter, ret) < 0 ||
        seccomp_compile_helper(&host->helper_filter, ret) < 0)
        return -1;
    /* In the own user namespace nobody has power over the network outside any more. */
    if ((outside && start_router(host, true, ret) < 0) || namespaces_enter_own(&keep, ret) < 0 ||
        (!outside && start_router(host, false, ret) < 0) || capabilities_drop(keep, ret) < 0)
        return -1;
    /* Root keeps reaching root's files; for others there is nothing to raise. */
    if (keep && capabilities_raise(keep & CAPABILITY(CAP_DAC_OVERRIDE), ret) < 0)
        return -1;
    return outside ? open_outside(host, outside, ret) : 0;
}

/* What the doctor finds here tells more than the call that failed. */
static void explain(struct error **ret)
{
    struct error *better = NULL;

    if (!ret || !*ret || (*ret)->code != ERROR_HOST || doctor_explain_host(&better) == 0)
        return;
    error_free(*ret);
    *ret = better;
}

int host_open(struct host *host, const struct host_config *config, struct error **ret)
{
    *host = (struct host){.loop = config->loop,
                          .agent = -1,
                          .pod_filter = -1,
                          .helper_filter = -1,
                          .router_pidfd = -1,
                          .lost = config->lost,
                          .user = config->user};
    if (open_all(host, config, ret) == 0)
        return 0;
    if (!config->outside)
        explain(ret);
    return -1;
}

/* ---- ending ---- */

struct leaver {
    struct host *host;
    int pidfd;
    struct watch *watch;
};

static void on_left(void *user, uint32_t events)
{
    struct leaver *leaver = user;
    struct process_end end;

    (void)events;
    (void)process_reap(leaver->pidfd, &end, NULL);
    if (--leaver->host->ending == 0 && leaver->host->bound)
        loop_quit(leaver->host->loop);
    watch_stop(&leaver->watch);
    close(leaver->pidfd);
    free(leaver);
}

void host_reap_later(struct host *host, int pidfd)
{
    struct leaver *leaver = memory_new(sizeof *leaver);

    *leaver = (struct leaver){.host = host, .pidfd = pidfd};
    leaver->watch = loop_watch(host->loop, pidfd, EPOLLIN, on_left, leaver, NULL);
    if (leaver->watch) {
        host->ending++;
        return;
    }
    close(pidfd); /* it stays a zombie until sippod ends */
    free(leaver);
}

static void on_bound(void *user)
{
    struct host *host = user;

    host->bound = NULL;
    loop_quit(host->loop);
}

void host_close(struct host *host)
{
    host->lost = NULL;
    router_client_free(host->router);
    host->router = NULL;
    claims_free(steal_pointer(&host->claims));
    error_free(steal_pointer(&host->refused));
    if (host->router_pidfd >= 0)
        host_reap_later(host, host->router_pidfd);
    if (host->ending) { /* once sippod has ended, nothing of the run is left */
        host->bound = loop_after(host->loop, END_MS, on_bound, host);
        (void)loop_run(host->loop, NULL);
        timer_stop(&host->bound);
    }
    close_fd(&host->agent);
    close_fd(&host->pod_filter);
    close_fd(&host->helper_filter);
    free(host->program_folder);
}

/* What a process of the pod does between fork and exec. The order matters: folders while root may still enter
 * them all, limits before they could bind, the user and then capabilities last. The system call filter and
 * no_new_privs are the agent's own and come along. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "sandbox/capabilities.h"
#include "src/base/memory.h"
#include "src/base/process.h"

static int set_limits(const struct process_message *process, struct error **ret)
{
    static const struct {
        const char *name;
        int resource;
    } names[] = {
        {"nofile", RLIMIT_NOFILE}, {"nproc", RLIMIT_NPROC},   {"core", RLIMIT_CORE},
        {"cpu", RLIMIT_CPU},       {"as", RLIMIT_AS},         {"data", RLIMIT_DATA},
        {"fsize", RLIMIT_FSIZE},   {"stack", RLIMIT_STACK},   {"memlock", RLIMIT_MEMLOCK},
        {"rss", RLIMIT_RSS},       {"locks", RLIMIT_LOCKS},   {"sigpending", RLIMIT_SIGPENDING},
        {"nice", RLIMIT_NICE},     {"rtprio", RLIMIT_RTPRIO}, {"msgqueue", RLIMIT_MSGQUEUE},
        {"rttime", RLIMIT_RTTIME},
    };

    for (size_t i = 0; i < process->limit_count; i++) {
        const struct limit_message *limit = &process->limits[i];
        struct rlimit value = {.rlim_cur = limit->soft, .rlim_max = limit->hard};
        const char *type = limit->type;
        size_t n = 0;

        if (strncasecmp(type, "RLIMIT_", 7) == 0)
            type += 7;
        while (n < sizeof names / sizeof *names && strcasecmp(names[n].name, type) != 0)
            n++;
        if (n == sizeof names / sizeof *names)
            return error_set(ret, ERROR_INPUT, "unknown resource limit %s", limit->type);
        if (setrlimit((__rlimit_resource_t)names[n].resource, &value) < 0)
            return error_sys(ret, ERROR_INPUT, errno, "cannot set the resource limit %s", limit->type);
    }
    return 0;
}

static int enter_folder(const char *folder, struct error **ret)
{
    /* Below root's map the folder may lie in another user's home; an ordinary user has no such power to
     * raise. */
    (void)capabilities_raise(CAPABILITY(CAP_DAC_OVERRIDE), NULL);
    if (chdir(folder) < 0)
        return error_sys(ret, ERROR_INPUT, errno, "cannot enter %s", folder);
    return capabilities_lower(ret);
}

static int set_environment(const struct process_message *process, struct error **ret)
{
    if (clearenv() != 0)
        return error_set(ret, ERROR_FAILED, "cannot clear the environment");
    for (size_t i = 0; i < process->env_count; i++)
        if (setenv(process->envs[i].name, process->envs[i].value ? process->envs[i].value : "", 1) < 0)
            return error_sys(ret, ERROR_INPUT, errno, "cannot set the variable %s", process->envs[i].name);
    return 0;
}

static int connect_input(const struct spawn *spawn, struct error **ret)
{
    if (spawn->input >= 0 && dup2(spawn->input, STDIN_FILENO) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot set up standard input");
    if (spawn->terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot take the terminal");
    return 0;
}

static int prepare(const struct spawn *spawn, struct error **ret)
{
    const struct process_message *process = spawn->process;

    process_reset_signals();
    if (setsid() < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot start a session");
    kill_mark(spawn->container);
    return process_standard_streams(spawn->output, spawn->errors, ret) < 0 || connect_input(spawn, ret) < 0 ||
                   enter_folder(process->workdir ? process->workdir : "/", ret) < 0 ||
                   set_limits(process, ret) < 0 || set_environment(process, ret) < 0 ||
                   identity_assume(process, ret) < 0 ||
                   capabilities_hand_on_sets(&spawn->capabilities, ret) < 0
               ? -1
               : 0;
}

/* Tells the agent through `report`, and ends. */
static void fail(int report, const struct error *error)
{
    ssize_t written = write(report, error_text(error), strlen(error_text(error)));

    (void)written;
    _exit(127);
}

static void child(const struct spawn *spawn, int report)
{
    struct error *error = NULL;
    char **args = spawn->process->args.list;

    if (prepare(spawn, &error) < 0)
        fail(report, error);
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execvp(args[0], args);
    error_sys(&error, ERROR_INPUT, errno, "cannot run %s", args[0]);
    fail(report, error);
}

pid_t spawn(const struct spawn *spawn, struct error **ret)
{
    char text[1024];
    ssize_t length;
    int report[2];
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make a pipe");
    pid = fork();
    if (pid == 0)
        child(spawn, report[1]);
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return error_sys(ret, ERROR_HOST, errno, "cannot start a process");
    }
    /* Ends as soon as the new program runs: the other end is close-on-exec. */
    length = read(report[0], text, sizeof text);
    close(report[0]);
    if (length > 0)
        return error_set(ret, ERROR_INPUT, "%.*s", (int)length, text);
    return pid;
}

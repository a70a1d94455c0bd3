#include "src/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/memory.h"

#define FIRST_HANDED 3
#define MOST_HANDED  8

/* Containers refuse clone3(2), whose flags their filters cannot see, where they allow clone(2). */
static pid_t fork_by_clone(uint64_t flags, int *pidfd)
{
    unsigned long all = (unsigned long)flags | CLONE_PIDFD | SIGCHLD;

#ifdef __s390__ /* has the stack first */
    return (pid_t)syscall(SYS_clone, NULL, all, pidfd, NULL, NULL);
#else
    return (pid_t)syscall(SYS_clone, all, NULL, pidfd, NULL, NULL);
#endif
}

pid_t process_fork(uint64_t flags, int *ret_pidfd, struct error **ret)
{
    int pidfd = -1;
    struct clone_args args = {
        .flags = flags | CLONE_PIDFD,
        .pidfd = (uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);

    if (pid < 0 && (errno == ENOSYS || errno == EPERM))
        pid = fork_by_clone(flags, &pidfd);
    if (pid < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot start a process%s",
                         flags ? " in namespaces of its own" : "");
    if (pid > 0) /* the kernel makes pidfds close-on-exec */
        *ret_pidfd = pidfd;
    return pid;
}

/* Puts the descriptors in their places; everything above them ends with exec. */
static int arrange(const int *fds, size_t count)
{
    int lowest_free = FIRST_HANDED + (int)count;
    int parked[MOST_HANDED];

    if (count > MOST_HANDED) {
        errno = E2BIG;
        return -1;
    }
    /* Out of the way first, so that none lands on a number that is still needed. */
    for (size_t i = 0; i < count; i++)
        if ((parked[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, lowest_free)) < 0)
            return -1;
    for (size_t i = 0; i < count; i++)
        if (dup2(parked[i], FIRST_HANDED + (int)i) < 0)
            return -1;
    return close_range((unsigned)lowest_free, ~0U, CLOSE_RANGE_CLOEXEC);
}

int process_keep_only(const int *fds, size_t count)
{
    return arrange(fds, count) < 0 ? -1 : close_range((unsigned)(FIRST_HANDED + (int)count), ~0U, 0);
}

void process_exec(int program, char *const arguments[], char *const environment[], const int *fds,
                  size_t count)
{
    int parked = fcntl(program, F_DUPFD_CLOEXEC, FIRST_HANDED + (int)count);

    if (parked >= 0 && arrange(fds, count) == 0)
        execveat(parked, "", arguments, environment, AT_EMPTY_PATH);
}

int process_spawn(char *const words[], int output, const sigset_t *blocked, int *ret_pidfd,
                  struct error **ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid;
    int error = posix_spawn_file_actions_init(&actions);

    if (error)
        return error_sys(ret, ERROR_FAILED, error, "cannot run %s", words[0]);
    posix_spawnattr_init(&attributes); /* cannot fail in glibc, nor can what sets flags and signals */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, blocked);
    if (output >= 0)
        error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (!error)
        error = posix_spawnp(&pid, words[0], &actions, &attributes, words, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error)
        return error_sys(ret, ERROR_INPUT, error, "cannot run %s", words[0]);
    *ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* nobody but us reaps it */
    return *ret_pidfd < 0 ? error_sys(ret, ERROR_HOST, errno, "cannot watch %s", words[0]) : 0;
}

void process_reset_signals(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL); /* refuses KILL and STOP, which are default anyway */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int process_standard_streams(int output, int errors, struct error **ret)
{
    cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot open /dev/null");
    if (dup2(null, STDIN_FILENO) < 0 || dup2(output < 0 ? null : output, STDOUT_FILENO) < 0 ||
        dup2(errors < 0 ? null : errors, STDERR_FILENO) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot set up standard streams");
    if (null <= STDERR_FILENO)
        (void)steal_fd(&null);
    return 0;
}

int process_die_with_parent(int channel, struct error **ret)
{
    struct pollfd poll_channel = {.fd = channel, .events = POLLIN};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot ask to die with the parent");
    if (poll(&poll_channel, 1, 0) > 0 && poll_channel.revents & (POLLHUP | POLLERR))
        return error_set(ret, ERROR_FAILED, "the parent has ended already");
    return 0;
}

int process_reap(int pidfd, struct process_end *ret_end, struct error **ret)
{
    siginfo_t info = {0};

    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot wait for a process");
    if (info.si_pid == 0)
        return 0;
    if (info.si_code == CLD_EXITED)
        *ret_end = (struct process_end){.exit_code = info.si_status};
    else
        *ret_end = (struct process_end){.exit_code = 128 + info.si_status, .signal = info.si_status};
    return 1;
}

int process_signal(int pidfd, int signal, struct error **ret)
{
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
        return error_sys(ret, ERROR_FAILED, errno, "cannot send %s", process_signal_name(signal));
    return 0;
}

const char *process_signal_name(int signal)
{
    static _Thread_local char text[32];
    const char *name = sigabbrev_np(signal);

    if (name)
        snprintf(text, sizeof text, "SIG%s", name);
    else
        snprintf(text, sizeof text, "signal %d", signal);
    return text;
}

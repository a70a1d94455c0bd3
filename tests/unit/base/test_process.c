/* Child processes: how they end, and what a program that is started gets: exactly what was named. This
 * program starts itself, as "report", to look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "tests/unit/support/support.h"

static int program = -1; /* this one */

static struct process_end end_of(int pidfd)
{
    struct pollfd poll_end = {.fd = pidfd, .events = POLLIN};
    struct process_end end = {.exit_code = -1, .signal = -1};

    assert_int_equal(poll(&poll_end, 1, 5000), 1);
    assert_int_equal(process_reap(pidfd, &end, NULL), 1);
    return end;
}

static pid_t child(int *ret_pidfd)
{
    pid_t pid;

    fflush(NULL);
    pid = process_fork(0, ret_pidfd, NULL);
    assert_true(pid >= 0);
    return pid;
}

/* ---- ends ---- */

static void test_exit_code(void **state)
{
    static const int codes[] = {0, 1, 42, 255};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        cleanup_fd int pidfd = -1;
        struct process_end end;

        if (child(&pidfd) == 0)
            _exit(codes[i]);
        end = end_of(pidfd);
        assert_int_equal(end.exit_code, codes[i]);
        assert_int_equal(end.signal, 0);
    }
}

/* As containers do it. */
static void refuse_clone3(int sys)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)sys),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
        _exit(99);
}

/* In a process where clone3 fails so: whether one can be started all the same, and waited for. */
static void check_without_clone3(int sys)
{
    int pidfd = -1, status = -1;
    pid_t child, pid = fork();
    siginfo_t info = {0};

    assert_true(pid >= 0);
    if (pid == 0) {
        refuse_clone3(sys);
        child = process_fork(0, &pidfd, NULL);
        if (child == 0)
            _exit(7);
        if (child < 0 || fcntl(pidfd, F_GETFD) != FD_CLOEXEC ||
            waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
            _exit(98);
        _exit(info.si_status);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 7 << 8);
}

static void test_without_clone3(void **state)
{
    (void)state;
    check_without_clone3(ENOSYS);
    check_without_clone3(EPERM);
}

static void test_killed(void **state)
{
    cleanup_fd int pidfd = -1;
    struct process_end end = {.exit_code = 77};
    cleanup_error struct error *error = NULL;

    (void)state;
    if (child(&pidfd) == 0) {
        pause();
        _exit(0);
    }
    assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(process_reap(pidfd, &end, NULL), 0); /* it goes on */
    assert_int_equal(end.exit_code, 77);
    assert_int_equal(process_signal(pidfd, SIGTERM, NULL), 0);
    end = end_of(pidfd);
    assert_int_equal(end.exit_code, 128 + SIGTERM);
    assert_int_equal(end.signal, SIGTERM);
    assert_int_equal(process_signal(pidfd, SIGKILL, &error), 0); /* it has ended already: fine */
    assert_null(error);
    assert_int_equal(process_reap(pidfd, &end, &error), -1);
    assert_error(error, ERROR_FAILED, "cannot wait for a process");
}

static void test_signal_refused(void **state)
{
    cleanup_fd int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cleanup_error struct error *error = NULL;

    (void)state;
    assert_int_equal(process_signal(file, SIGHUP, &error), -1);
    assert_error(error, ERROR_FAILED, "cannot send SIGHUP");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(process_signal_name(SIGTERM), "SIGTERM");
    assert_string_equal(process_signal_name(SIGKILL), "SIGKILL");
    assert_string_equal(process_signal_name(SIGUSR1), "SIGUSR1");
    assert_string_equal(process_signal_name(70), "signal 70");
    assert_string_equal(process_signal_name(40), "signal 40");
    assert_string_equal(process_signal_name(-1), "signal -1");
}

/* ---- before exec ---- */

static int check_signals(void *user)
{
    sigset_t set;

    (void)user;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGRTMAX, SIG_IGN);
    process_reset_signals();
    if (sigprocmask(SIG_BLOCK, NULL, &set) < 0)
        return 1;
    for (int i = 1; i < NSIG; i++) {
        struct sigaction action;

        if (sigismember(&set, i) == 1)
            return 2;
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            return 3;
    }
    return 0;
}

static void test_reset_signals(void **state)
{
    (void)state;
    assert_int_equal(exit_of(check_signals, NULL), 0);
}

static bool same_file(int fd, const char *path)
{
    cleanup_free char *link = text_format("/proc/self/fd/%d", fd);
    char target[256] = "";

    return readlink(link, target, sizeof target - 1) > 0 && strcmp(target, path) == 0;
}

static int check_streams(void *user)
{
    int *pipes = user;

    if (process_standard_streams(pipes[1], -1, NULL) < 0)
        return 1;
    if (!same_file(0, "/dev/null") || !same_file(2, "/dev/null"))
        return 2;
    if (write(1, "out", 3) != 3)
        return 3;
    if (process_standard_streams(-1, pipes[1], NULL) < 0 || !same_file(1, "/dev/null") ||
        write(2, "err", 3) != 3)
        return 4;
    return fcntl(0, F_GETFD) || fcntl(1, F_GETFD) || fcntl(2, F_GETFD) ? 5 : 0;
}

static int check_streams_closed(void *user)
{
    close(0);
    close(1);
    close(2);
    if (process_standard_streams(*(int *)user, -1, NULL) < 0)
        return 1;
    return same_file(0, "/dev/null") && same_file(2, "/dev/null") && !same_file(1, "/dev/null") ? 0 : 2;
}

static void test_standard_streams(void **state)
{
    int pipes[2];
    char text[16] = "";

    (void)state;
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(exit_of(check_streams, pipes), 0);
    assert_int_equal(exit_of(check_streams_closed, &pipes[1]), 0);
    close(pipes[1]);
    assert_int_equal(read(pipes[0], text, sizeof text), 6);
    assert_string_equal(text, "outerr");
    close(pipes[0]);
}

/* ---- the parent's death ---- */

static int check_parent_gone(void *user)
{
    struct error *error = NULL;
    int *ends = user;

    close(ends[0]);
    if (process_die_with_parent(ends[1], &error) == 0)
        return 1;
    return strstr(error_text(error), "parent has ended") ? 0 : 2;
}

static void test_parent_gone_before(void **state)
{
    cleanup_fd int end = -1;
    int ends[2];

    (void)state;
    assert_int_equal(socket_pair(SOCK_STREAM, ends, NULL), 0);
    close(ends[0]);
    end = ends[1];
    ends[0] = -1;
    assert_int_equal(exit_of(check_parent_gone, ends), 0);
}

/* A child with a child of its own, that asked to die with it and then tells so; the former is killed. */
static void test_parent_dies(void **state)
{
    cleanup_fd int pidfd = -1;
    int ready[2], alive[2], ends[2];
    struct pollfd poll_alive = {.events = POLLIN};
    char byte;

    (void)state;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
    assert_int_equal(socket_pair(SOCK_STREAM, ends, NULL), 0);
    if (child(&pidfd) == 0) {
        if (fork() == 0 && (process_die_with_parent(ends[1], NULL) < 0 || write(ready[1], "", 1) != 1))
            _exit(1);
        pause();
        _exit(0);
    }
    close(alive[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(process_signal(pidfd, SIGKILL, NULL), 0);
    (void)end_of(pidfd);
    poll_alive.fd = alive[0]; /* its other end is closed once both have gone */
    assert_int_equal(poll(&poll_alive, 1, 5000), 1);
    assert_int_equal(read(alive[0], &byte, 1), 0);
    close(alive[0]);
    close(ready[0]);
    close(ends[0]);
    close(ends[1]);
}

/* ---- exec ---- */

/* What this program does when it was started to look: "3=a 4=b", and the environment. */
static int report(void)
{
    extern char **environ;
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    bool open_fds[64] = {false};

    while ((entry = readdir(folder))) {
        int fd = atoi(entry->d_name);

        if (fd > 2 && fd != dirfd(folder) && fd < 64)
            open_fds[fd] = true;
    }
    closedir(folder);
    for (int fd = 3; fd < 64; fd++) {
        char text[32] = "";

        if (!open_fds[fd])
            continue;
        if (pread(fd, text, sizeof text - 1, 0) < 0)
            snprintf(text, sizeof text, "?");
        printf("%d=%s%s ", fd, text, fcntl(fd, F_GETFD) & FD_CLOEXEC ? "!" : "");
    }
    for (char **variable = environ; *variable; variable++)
        printf("%s;", *variable);
    return 7;
}

static int memory_file(const char *text, int number)
{
    int fd = memfd_create(text, 0), copy;

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    if (number < 0)
        return fd;
    copy = dup2(fd, number);
    if (copy != fd)
        close(fd);
    return copy;
}

struct hand_over {
    int numbers[8]; /* of descriptors that hold "a", "b", "c" … */
    size_t count;
    int program; /* the number of the program's descriptor, 0: whatever it is */
    const char *expected;
    bool bare; /* the numbers from 3 on are free */
};

static void hand_over_in_child(const struct hand_over *hand_over, int output)
{
    char *arguments[] = {(char *)"looker", (char *)"report", NULL};
    char *environment[] = {(char *)"A=1", (char *)"B=", NULL};
    int self = fcntl(program, F_DUPFD_CLOEXEC, 40), fds[8];

    if (dup2(output, STDOUT_FILENO) < 0 || close_range(3, 39, 0) < 0)
        _exit(1);
    /* Some that it must not see, close-on-exec or not. */
    for (int i = 20; i < 30; i++)
        (void)memory_file("secret", i);
    if (!hand_over->bare) {
        (void)memory_file("secret", 3);
        (void)memory_file("secret", 5);
    }
    for (size_t i = 0; i < hand_over->count; i++)
        fds[i] = memory_file((char[]){(char)('a' + i), '\0'}, hand_over->numbers[i]);
    if (hand_over->program && dup2(self, hand_over->program) < 0)
        _exit(2);
    process_exec(hand_over->program ? hand_over->program : self, arguments, environment, fds,
                 hand_over->count);
    _exit(3);
}

static void hand_over(const struct hand_over *hand_over)
{
    cleanup_fd int pidfd = -1;
    struct process_end end;
    char text[256] = "";
    size_t length = 0;
    ssize_t got;
    int pipes[2];

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    if (child(&pidfd) == 0)
        hand_over_in_child(hand_over, pipes[1]);
    close(pipes[1]);
    while ((got = read(pipes[0], text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    close(pipes[0]);
    end = end_of(pidfd);
    assert_string_equal(text, hand_over->expected);
    assert_int_equal(end.exit_code, 7);
}

static void test_exec_hands_over(void **state)
{
    static const struct hand_over cases[] = {
        {{0}, 0, 0, "A=1;B=;", false},
        {{10}, 1, 0, "3=a A=1;B=;", false},
        {{10, 11, 12}, 3, 0, "3=a 4=b 5=c A=1;B=;", true},
        {{10, 11, 12}, 3, 0, "3=a 4=b 5=c A=1;B=;", false},
        {{3, 4}, 2, 0, "3=a 4=b A=1;B=;", false},
        {{4, 3}, 2, 0, "3=a 4=b A=1;B=;", false},
        {{5, 3, 4}, 3, 0, "3=a 4=b 5=c A=1;B=;", false},
        {{4, 5, 3}, 3, 0, "3=a 4=b 5=c A=1;B=;", false},
        {{10, 11}, 2, 3, "3=a 4=b A=1;B=;", false}, /* the program itself is in the way */
        {{4, 10}, 2, 3, "3=a 4=b A=1;B=;", false},
        {{6, 5, 4, 3}, 4, 7, "3=a 4=b 5=c 6=d A=1;B=;", false},
        {{10, 9, 8, 7, 6, 5, 4, 3}, 8, 11, "3=a 4=b 5=c 6=d 7=e 8=f 9=g 10=h A=1;B=;", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        hand_over(&cases[i]);
}

static int same_twice(void *user)
{
    char *arguments[] = {(char *)"looker", (char *)"report", NULL}, *environment[] = {NULL};
    int fd = memory_file("x", -1);

    if (dup2(*(int *)user, STDOUT_FILENO) < 0)
        return 1;
    process_exec(program, arguments, environment, (const int[]){fd, fd}, 2);
    return 2;
}

static void test_exec_same_twice(void **state)
{
    char text[64] = "";
    int pipes[2];

    (void)state;
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(exit_of(same_twice, &pipes[1]), 7);
    close(pipes[1]);
    assert_true(read(pipes[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "3=x 4=x ");
    close(pipes[0]);
}

static int exec_fails(void *user)
{
    char *none[] = {(char *)"x", NULL};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), many[9];

    (void)user;
    errno = 0;
    process_exec(null, none, none, NULL, 0);
    if (errno != EACCES)
        return 1;
    process_exec(-1, none, none, NULL, 0);
    if (errno != EBADF)
        return 2;
    process_exec(program, none, none, (const int[]){-1}, 1);
    if (errno != EBADF)
        return 3;
    for (int i = 0; i < 9; i++)
        many[i] = null;
    process_exec(program, none, none, many, 9);
    return 0;
}

static void test_exec_fails(void **state)
{
    (void)state;
    assert_int_equal(exit_of(exec_fails, NULL), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_code),          cmocka_unit_test(test_killed),
        cmocka_unit_test(test_signal_refused),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_reset_signals),      cmocka_unit_test(test_standard_streams),
        cmocka_unit_test(test_parent_gone_before), cmocka_unit_test(test_parent_dies),
        cmocka_unit_test(test_exec_hands_over),    cmocka_unit_test(test_exec_same_twice),
        cmocka_unit_test(test_exec_fails),         cmocka_unit_test(test_without_clone3),
    };

    if (argc == 2 && strcmp(argv[1], "report") == 0)
        return report();
    program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

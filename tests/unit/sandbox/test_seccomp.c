/* The three system call filters, each in a child that has all power in a user namespace of its own. A call
 * counts only if it fails otherwise, or not at all, where there is no filter: else its EPERM would prove
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/seccomp.h"
#include "src/base/memory.h"
#include "tests/unit/support/support.h"

typedef int filter_fn(struct error **ret);

struct call {
    const char *name;
    long number, arguments[6];
};

/* Arguments with which nothing would happen even if it were allowed. */
static const struct call refused_in_pods[] = {
    {"mount", SYS_mount, {0}},
    {"umount2", SYS_umount2, {0}},
    {"pivot_root", SYS_pivot_root, {0}},
    {"move_mount", SYS_move_mount, {-1, 0, -1, 0, -1}},
    {"open_tree", SYS_open_tree, {-1, 0, -1}},
    {"fsopen", SYS_fsopen, {0, -1}},
    {"fsconfig", SYS_fsconfig, {-1, -1}},
    {"fsmount", SYS_fsmount, {-1, -1}},
    {"fspick", SYS_fspick, {-1, 0, -1}},
    {"mount_setattr", SYS_mount_setattr, {-1, 0, -1}},
    {"quotactl", SYS_quotactl, {-1, 0}},
    {"swapon", SYS_swapon, {0}},
    {"swapoff", SYS_swapoff, {0}},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, 0, 0}},
    {"unshare", SYS_unshare, {0}},
    {"unshare NEWUSER", SYS_unshare, {CLONE_NEWUSER}},
    {"setns", SYS_setns, {-1, 0}},
    {"init_module", SYS_init_module, {0}},
    {"finit_module", SYS_finit_module, {-1, 0, -1}},
    {"delete_module", SYS_delete_module, {0}},
    {"kexec_load", SYS_kexec_load, {0, 0, 0, -1}},
    {"bpf", SYS_bpf, {-1, 0, 0}},
    {"reboot", SYS_reboot, {0}},
    {"add_key", SYS_add_key, {0}},
    {"request_key", SYS_request_key, {0}},
    {"keyctl", SYS_keyctl, {-1}},
    {"io_uring_setup", SYS_io_uring_setup, {0}},
    {"io_uring_enter", SYS_io_uring_enter, {-1}},
    {"io_uring_register", SYS_io_uring_register, {-1}},
    {"perf_event_open", SYS_perf_event_open, {0}},
    {"userfaultfd", SYS_userfaultfd, {-1}},
    {"syslog", SYS_syslog, {-1}},
    {"ptrace", SYS_ptrace, {PTRACE_TRACEME}},
    {"process_vm_readv", SYS_process_vm_readv, {-1, 0, 0, 0, 0, 0}},
    {"process_vm_writev", SYS_process_vm_writev, {-1, 0, 0, 0, 0, 0}},
    {"kcmp", SYS_kcmp, {-1, -1, -1}},
    {"pidfd_getfd", SYS_pidfd_getfd, {-1, -1, 0}},
    {"clock_settime", SYS_clock_settime, {-1, 0}},
    {"adjtimex", SYS_adjtimex, {0}},
    {"clock_adjtime", SYS_clock_adjtime, {-1, 0}},
    {"ioctl TIOCSTI", SYS_ioctl, {-1, TIOCSTI, 0}},
    {"ioctl TIOCSTI and more", SYS_ioctl, {-1, TIOCSTI | 1L << 32, 0}}, /* the kernel looks at 32 bits */
#ifdef __x86_64__
    {"kexec_file_load", SYS_kexec_file_load, {-1, -1, 0, 0, -1}},
    {"iopl", SYS_iopl, {0}},
    {"ioperm", SYS_ioperm, {0, 0, 0}},
    {"unshare by x32", 0x40000000 | SYS_unshare, {0}},
    {"mount by x32", 0x40000000 | SYS_mount, {0}},
#endif
};
#define CALLS (sizeof refused_in_pods / sizeof *refused_in_pods)

/* ---- in children ---- */

static bool put(const char *path, const char *text)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool enter_user_namespace(void)
{
    cleanup_free char *users = text_format("0 %u 1", geteuid());
    cleanup_free char *groups = text_format("0 %u 1", getegid());

    return prctl(PR_SET_DUMPABLE, 1) == 0 && unshare(CLONE_NEWUSER) == 0 &&
           put("/proc/self/setgroups", "deny") && put("/proc/self/uid_map", users) &&
           put("/proc/self/gid_map", groups);
}

static int call(const struct call *what)
{
    const long *a = what->arguments;

    errno = 0;
    return syscall(what->number, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? errno : 0;
}

struct attempt {
    filter_fn *filter; /* NULL: none */
    int (*fn)(const void *what);
    const void *what;
    int *result; /* shared with the child */
};

static int attempt_in_child(void *user)
{
    struct attempt *attempt = user;
    struct error *error = NULL;

    if (!enter_user_namespace())
        return 98;
    if (attempt->filter && attempt->filter(&error) < 0) {
        fprintf(stderr, "%s\n", error_text(error));
        return 99;
    }
    *attempt->result = attempt->fn(attempt->what);
    return 0;
}

static int *shared; /* what children write to: a result, and one for each call of the list */

/* What fn(what) returns in a child under that filter. */
static int attempt(filter_fn *filter, int (*fn)(const void *what), const void *what)
{
    struct attempt attempt = {.filter = filter, .fn = fn, .what = what, .result = shared};

    *shared = -1;
    assert_int_equal(exit_of(attempt_in_child, &attempt), 0);
    return *shared;
}

static int do_call(const void *what)
{
    return call(what);
}

/* ---- the list ---- */

static int do_list(const void *what)
{
    (void)what;
    for (size_t i = 0; i < CALLS; i++)
        shared[1 + i] = call(&refused_in_pods[i]);
    return 0;
}

static void refuses_the_list(filter_fn *filter)
{
    int without[CALLS];
    size_t telling = 0;

    assert_int_equal(attempt(NULL, do_list, NULL), 0);
    memcpy(without, shared + 1, sizeof without);
    memset(shared + 1, 0, sizeof without);
    assert_int_equal(attempt(filter, do_list, NULL), 0);
    for (size_t i = 0; i < CALLS; i++) {
        if (shared[1 + i] != EPERM)
            fail_msg("%s: %s", refused_in_pods[i].name, shared[1 + i] ? strerror(shared[1 + i]) : "done");
        telling += without[i] != EPERM;
    }
    assert_true(telling > CALLS / 2);
}

static void test_pod_list(void **state)
{
    (void)state;
    refuses_the_list(seccomp_pod);
}

static void test_helper_list(void **state)
{
    (void)state;
    refuses_the_list(seccomp_helper);
}

static void test_router_list(void **state)
{
    (void)state;
    refuses_the_list(seccomp_router);
}

/* ---- clone ---- */

static int do_clone(const void *what)
{
    pid_t pid;

    errno = 0;
    pid = (pid_t)syscall(SYS_clone, *(const unsigned long *)what | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    if (pid < 0)
        return errno;
    waitpid(pid, NULL, 0);
    return 0;
}

static void test_clone_flags(void **state)
{
    static const unsigned long flags[] = {
        CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS,     CLONE_NEWPID,
        CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS,
    };
    static const unsigned long none = 0;

    (void)state;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        assert_int_equal(attempt(NULL, do_clone, &flags[i]), 0);
        assert_int_equal(attempt(seccomp_pod, do_clone, &flags[i]), EPERM);
        assert_int_equal(attempt(seccomp_helper, do_clone, &flags[i]), EPERM);
    }
    assert_int_equal(attempt(seccomp_pod, do_clone, &none), 0);
    assert_int_equal(attempt(seccomp_helper, do_clone, &none), 0);
    assert_int_equal(attempt(seccomp_router, do_clone, &none), EPERM);
}

static void test_clone3(void **state)
{
    static const struct call clone3 = {"clone3", SYS_clone3, {0}};

    (void)state;
    assert_int_not_equal(attempt(NULL, do_call, &clone3), ENOSYS);
    assert_int_equal(attempt(seccomp_pod, do_call, &clone3), ENOSYS);
    assert_int_equal(attempt(seccomp_helper, do_call, &clone3), ENOSYS);
    assert_int_equal(attempt(seccomp_router, do_call, &clone3), ENOSYS);
}

/* ---- what goes on working ---- */

static void *in_thread(void *user)
{
    *(int *)user = 42;
    return user;
}

static int do_thread(const void *what)
{
    pthread_t thread;
    int number = 0, result = pthread_create(&thread, NULL, in_thread, &number);

    (void)what;
    if (result)
        return result;
    pthread_join(thread, NULL);
    return number == 42 ? 0 : -2;
}

static int do_fork(const void *what)
{
    pid_t pid = fork();
    int status = 0;

    (void)what;
    if (pid < 0)
        return errno;
    if (pid == 0)
        _exit(7);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : -2;
}

static int do_vfork(const void *what)
{
    long pid;

    (void)what;
    errno = 0;
    pid = syscall(SYS_vfork);
    if (pid == 0)
        _exit(0);
    return pid < 0 ? errno : 0;
}

/* exec, last of all: the exit code of the program, or the errno value by way of the child's. */
static int do_fork_exec(const void *what)
{
    const char *program = what;
    pid_t pid = fork();
    int status = 0;

    if (pid < 0)
        return errno;
    if (pid == 0) {
        execl(program, program, NULL);
        _exit(errno);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

static int do_exec(const void *what)
{
    char *arguments[] = {(char *)"true", NULL};

    errno = 0;
    execv(what, arguments);
    return errno;
}

static int do_execveat(const void *what)
{
    char *arguments[] = {(char *)"true", NULL};
    int fd = open(what, O_PATH | O_CLOEXEC);

    errno = 0;
    syscall(SYS_execveat, fd, "", arguments, NULL, AT_EMPTY_PATH);
    return errno;
}

static int do_spawn(const void *what)
{
    char *arguments[] = {(char *)"true", NULL};
    pid_t pid;
    int status = 0, result = posix_spawn(&pid, what, NULL, NULL, arguments, NULL);

    if (result)
        return result;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

static void test_pod_works(void **state)
{
    (void)state;
    assert_int_equal(attempt(seccomp_pod, do_thread, NULL), 0);
    assert_int_equal(attempt(seccomp_pod, do_fork, NULL), 0);
    assert_int_equal(attempt(seccomp_pod, do_fork_exec, "/bin/true"), 0);
    assert_int_equal(attempt(seccomp_pod, do_fork_exec, "/bin/false"), 1);
    assert_int_equal(attempt(seccomp_pod, do_spawn, "/bin/true"), 0);
}

static void test_helper(void **state)
{
    (void)state;
    assert_int_equal(attempt(seccomp_helper, do_thread, NULL), 0);
    assert_int_equal(attempt(seccomp_helper, do_fork, NULL), 0);
    assert_int_equal(attempt(seccomp_helper, do_exec, "/bin/true"), EPERM);
    assert_int_equal(attempt(seccomp_helper, do_execveat, "/bin/true"), EPERM);
    assert_int_equal(attempt(seccomp_helper, do_fork_exec, "/bin/true"), EPERM);
}

static void test_router(void **state)
{
    (void)state;
    assert_int_equal(attempt(seccomp_router, do_exec, "/bin/true"), EPERM);
    assert_int_equal(attempt(seccomp_router, do_execveat, "/bin/true"), EPERM);
    assert_int_equal(attempt(seccomp_router, do_fork, NULL), EPERM);
    assert_int_equal(attempt(seccomp_router, do_vfork, NULL), EPERM);
    assert_int_equal(attempt(seccomp_router, do_thread, NULL), EPERM);
}

/* ---- how it is installed ---- */

static int do_status(const void *what)
{
    (void)what;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_SECCOMP) == 2 ? 0 : 1;
}

static int do_status_of_program(const void *what)
{
    char *arguments[] = {
        (char *)"sh", (char *)"-c",
        (char *)"grep -q 'NoNewPrivs:.1' /proc/self/status && grep -q 'Seccomp:.2' /proc/self/status", NULL};
    pid_t pid = fork();
    int status = 0;

    (void)what;
    if (pid == 0) {
        execv("/bin/sh", arguments);
        _exit(99);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

static int do_second_filter(const void *what)
{
    static const struct call unshare_call = {"unshare", SYS_unshare, {0}};

    (void)what;
    if (seccomp_helper(NULL) < 0)
        return -2;
    return do_exec("/bin/true") == EPERM && call(&unshare_call) == EPERM ? 0 : 1;
}

static void test_installed(void **state)
{
    (void)state;
    assert_int_equal(attempt(NULL, do_status, NULL), 1);
    assert_int_equal(attempt(seccomp_pod, do_status, NULL), 0);
    assert_int_equal(attempt(seccomp_helper, do_status, NULL), 0);
    assert_int_equal(attempt(seccomp_router, do_status, NULL), 0);
    assert_int_equal(attempt(seccomp_pod, do_status_of_program, NULL), 0); /* whatever it starts */
    assert_int_equal(attempt(seccomp_pod, do_second_filter, NULL), 0);     /* one on top of the other */
}

#ifdef __x86_64__
/* ---- the 32-bit calls, which a 64-bit program can make too ---- */

static long call32(long number, long a, long b)
{
    long result;

    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(0L), "S"(0L), "D"(0L)
                     : "memory");
    return result;
}

static int do_call32(const void *what)
{
    const struct call *call32_of = what;
    long result = (int)call32(call32_of->number, call32_of->arguments[0], call32_of->arguments[1]);

    return result < 0 ? (int)-result : 0;
}

static int has_32_bit(void *user)
{
    (void)user;
    return call32(20, 0, 0) == getpid() ? 0 : 1;
}

static void refused_32_bit(const struct call *calls, size_t count)
{
    if (exit_of(has_32_bit, NULL) != 0) {
        print_message("SKIPPED: this kernel has no 32-bit calls\n");
        skip();
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(attempt(NULL, do_call32, &calls[i]), EPERM);
        if (attempt(seccomp_pod, do_call32, &calls[i]) != EPERM)
            fail_msg("%s gets round the filter", calls[i].name);
    }
}

static void test_32_bit(void **state)
{
    static const struct call calls[] = {
        {"mount", 21, {0}},   {"umount2", 52, {0}}, {"unshare", 310, {0}},
        {"setns", 346, {-1}}, {"ptrace", 26, {0}},  {"keyctl", 288, {-1}},
    };

    (void)state;
    refused_32_bit(calls, sizeof calls / sizeof *calls);
}

/* Those that 64-bit programs do not have, or have by another name. */
static void test_32_bit_only(void **state)
{
    static const struct call calls[] = {
        {"umount", 22, {0}},
        {"stime", 25, {0}},
        {"clock_settime64", 404, {0}},
        {"clock_adjtime64", 405, {0}},
    };

    (void)state;
    refused_32_bit(calls, sizeof calls / sizeof *calls);
}
#endif

static int try_to_enter(void *user)
{
    (void)user;
    return enter_user_namespace() ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pod_list),    cmocka_unit_test(test_helper_list),
        cmocka_unit_test(test_router_list), cmocka_unit_test(test_clone_flags),
        cmocka_unit_test(test_clone3),      cmocka_unit_test(test_pod_works),
        cmocka_unit_test(test_helper),      cmocka_unit_test(test_router),
        cmocka_unit_test(test_installed),
#ifdef __x86_64__
        cmocka_unit_test(test_32_bit),      cmocka_unit_test(test_32_bit_only),
#endif
    };

    if (exit_of(try_to_enter, NULL) != 0) {
        fprintf(stderr, "SKIPPED, system call filters are not tested: no user namespace can be made here\n");
        return 77;
    }
    shared =
        mmap(NULL, (1 + CALLS) * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

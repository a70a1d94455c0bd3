#include "sandbox/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/base/memory.h"

/* Never needed in a pod, and each a way to change or watch what is not the process's own. */
static const int pod_list[] = {
    /* mounts */
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(quotactl),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(open_by_handle_at),
    /* namespaces; clone with flags below */
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    /* the kernel's code and keys */
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(bpf),
    SCMP_SYS(reboot),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(syslog),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    /* other processes */
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd),
    /* clocks */
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    /* what only 32-bit programs have, or have by another name */
    SCMP_SYS(umount),
    SCMP_SYS(stime),
    SCMP_SYS(clock_settime64),
    SCMP_SYS(clock_adjtime64),
};
static const int helper_list[] = {SCMP_SYS(execve), SCMP_SYS(execveat)};
static const int router_list[] = {SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(clone)};

static const unsigned long namespace_flags[] = {CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS,    CLONE_NEWPID,
                                                CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};

static int refuse(scmp_filter_ctx filter, const int *list, size_t count)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), list[i], 0);
    return result;
}

static int refuse_by_argument(scmp_filter_ctx filter)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

    for (size_t i = 0; i < sizeof namespace_flags / sizeof *namespace_flags && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, namespace_flags[i], namespace_flags[i]));
    if (result == 0) /* typing into the terminal that sippod was called from */
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI));
    return result;
}

/* The other calling conventions of the machine get the same list: else they would be a way round it. */
static void add_architectures(scmp_filter_ctx filter)
{
#if defined(__x86_64__)
    (void)seccomp_arch_add(filter, SCMP_ARCH_X86);
    (void)seccomp_arch_add(filter, SCMP_ARCH_X32);
#elif defined(__aarch64__)
    (void)seccomp_arch_add(filter, SCMP_ARCH_ARM);
#else
    (void)filter;
#endif
}

struct lists {
    const int *more, *most;
    size_t more_count, most_count;
};

static const struct lists pod = {0};
static const struct lists helper = {.more = helper_list,
                                    .more_count = sizeof helper_list / sizeof *helper_list};
static const struct lists router = {
    .more = helper_list,
    .more_count = sizeof helper_list / sizeof *helper_list,
    .most = router_list,
    .most_count = sizeof router_list / sizeof *router_list,
};

static int fill(scmp_filter_ctx filter, const struct lists *lists)
{
    int result;

    add_architectures(filter);
    result = refuse(filter, pod_list, sizeof pod_list / sizeof *pod_list);
    if (result == 0)
        result = refuse_by_argument(filter);
    if (result == 0)
        result = refuse(filter, lists->more, lists->more_count);
    return result == 0 ? refuse(filter, lists->most, lists->most_count) : result;
}

/* Into the kernel, or into `file` unless that is negative. */
static int make(const struct lists *lists, int file, struct error **ret)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = filter ? fill(filter, lists) : -ENOMEM;

    if (result == 0 && file < 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        result = -errno;
    if (result == 0)
        result = file < 0 ? seccomp_load(filter) : seccomp_export_bpf(filter, file);
    seccomp_release(filter);
    if (result < 0)
        return error_sys(ret, ERROR_HOST, -result, "cannot make a system call filter");
    return 0;
}

static int compile(const struct lists *lists, int *ret_file, struct error **ret)
{
    cleanup_fd int file = memfd_create("filter", MFD_CLOEXEC);

    if (file < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make a memory file");
    if (make(lists, file, ret) < 0)
        return -1;
    *ret_file = steal_fd(&file);
    return 0;
}

int seccomp_compile_pod(int *ret_file, struct error **ret)
{
    return compile(&pod, ret_file, ret);
}

int seccomp_compile_helper(int *ret_file, struct error **ret)
{
    return compile(&helper, ret_file, ret);
}

int seccomp_load_file(int file, struct error **ret)
{
    cleanup_free struct sock_filter *instructions = NULL;
    struct sock_fprog program;
    struct stat status;

    if (fstat(file, &status) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot read a system call filter");
    instructions = memory_new((size_t)status.st_size);
    if (pread(file, instructions, (size_t)status.st_size, 0) != status.st_size)
        return error_sys(ret, ERROR_FAILED, errno, "cannot read a system call filter");
    program.len = (unsigned short)((size_t)status.st_size / sizeof *instructions);
    program.filter = instructions;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot install a system call filter");
    return 0;
}

int seccomp_pod(struct error **ret)
{
    return make(&pod, -1, ret);
}

int seccomp_helper(struct error **ret)
{
    return make(&helper, -1, ret);
}

int seccomp_router(struct error **ret)
{
    return make(&router, -1, ret);
}

#include "sandbox/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/capabilities.h"
#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/text.h"

#define MAP_CAPABILITIES (CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_SETFCAP))
/* Root reads suites and writes results wherever they lie, in the home of the user who called sudo too. */
#define ROOT_CAPABILITIES CAPABILITY(CAP_DAC_OVERRIDE)

/* Below the least pid_max that hosts have, 32768. */
#define FIRST_PID 1000U
#define MANY_PIDS 30000U

static int write_file(const char *path, const char *text, struct error **ret)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot write %s", path);
    return 0;
}

/* The number in a one-line file of /proc/sys, -1 if there is none. */
static long setting(const char *path)
{
    cleanup_free char *text = NULL;
    size_t length;
    long number;

    if (file_read(AT_FDCWD, path, 64, &text, &length, NULL) < 0)
        return -1;
    text[strcspn(text, "\n")] = '\0';
    return text_number(text, 0, 1L << 40, &number) ? number : -1;
}

int namespaces_explain(int sys, struct error **ret)
{
    static const char what[] = "this host does not let you make a user namespace";

    if (setting("/proc/sys/kernel/unprivileged_userns_clone") == 0)
        return error_sys(ret, ERROR_HOST, sys, "%s; allow it with: sysctl kernel.unprivileged_userns_clone=1",
                         what);
    if (setting("/proc/sys/user/max_user_namespaces") == 0)
        return error_sys(ret, ERROR_HOST, sys, "%s; allow it with: sysctl user.max_user_namespaces=10000",
                         what);
    if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
        return error_sys(ret, ERROR_HOST, sys,
                         "%s; allow it with: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give "
                         "sippod an AppArmor profile with \"userns,\"",
                         what);
    if (sys == ENOSPC)
        return error_sys(ret, ERROR_HOST, sys,
                         "%s; a limit is reached: see sysctl -a --pattern 'user.max_.*_namespaces'", what);
    return error_sys(
        ret, ERROR_HOST, sys,
        "%s; in a container, it has to be started with a seccomp profile that allows unshare and "
        "clone with CLONE_NEWUSER, and outside a chroot",
        what);
}

/* ---- maps: for root all ids, each to itself; for others their own ---- */

static bool may_map_all(void)
{
    uint64_t permitted = 0;

    return capabilities_permitted(&permitted, NULL) == 0 &&
           (permitted & MAP_CAPABILITIES) == MAP_CAPABILITIES;
}

/* Every id that is mapped here ("first outside count" lines), mapped to itself one level down. */
static int identity_map(const char *path, char **ret_map, struct error **ret)
{
    cleanup_free char *text = NULL;
    cleanup_buffer struct buffer map = {0};
    size_t length;
    unsigned long first, outside, count;
    int used;

    if (file_read(AT_FDCWD, path, 65536, &text, &length, ret) < 0)
        return -1;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers */
    for (const char *line = text; sscanf(line, "%lu %lu %lu%n", &first, &outside, &count, &used) == 3;
         line += used)
        buffer_addf(&map, "%lu %lu %lu\n", first, first, count);
    buffer_add(&map, "", 1);
    *ret_map = (char *)steal_pointer(&map.data);
    return 0;
}

static int write_maps(const char *process, const char *users, const char *groups, bool all,
                      struct error **ret)
{
    cleanup_free char *setgroups = text_format("/proc/%s/setgroups", process);
    cleanup_free char *uid_map = text_format("/proc/%s/uid_map", process);
    cleanup_free char *gid_map = text_format("/proc/%s/gid_map", process);

    /* An ordinary user may map a group only once its members cannot shed groups (user_namespaces(7)). */
    if (!all && write_file(setgroups, "deny", ret) < 0)
        return -1;
    return write_file(uid_map, users, ret) < 0 || write_file(gid_map, groups, ret) < 0 ? -1 : 0;
}

static int make_maps(bool all, char **ret_users, char **ret_groups, struct error **ret)
{
    if (all)
        return identity_map("/proc/self/uid_map", ret_users, ret) < 0 ||
                       identity_map("/proc/self/gid_map", ret_groups, ret) < 0
                   ? -1
                   : 0;
    *ret_users = text_format("%u %u 1\n", geteuid(), geteuid());
    *ret_groups = text_format("%u %u 1\n", getegid(), getegid());
    return 0;
}

/* A process that stays behind writes the maps once `go` is readable: mapping more than oneself takes
 * capabilities in the namespace that the other one has left. */
static pid_t fork_mapper(const char *users, const char *groups, const int go[2], struct error **ret)
{
    pid_t parent = getpid(), pid = fork();
    cleanup_free char *process = NULL;
    char byte;

    if (pid < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot start a process");
    if (pid > 0)
        return pid;
    close(go[1]); /* else it would never see the end */
    process = text_format("%d", parent);
    if (read(go[0], &byte, 1) != 1 || write_maps(process, users, groups, true, NULL) < 0)
        _exit(1);
    _exit(0);
}

static int enter_mapping_all(const char *users, const char *groups, struct error **ret)
{
    int go[2], status = 0, sys = 0;
    pid_t mapper;

    if (pipe2(go, O_CLOEXEC) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make a pipe");
    mapper = fork_mapper(users, groups, go, ret);
    close(go[0]);
    if (mapper > 0 && unshare(CLONE_NEWUSER) < 0)
        sys = errno;
    if (mapper > 0 && !sys && write(go[1], "", 1) != 1)
        sys = errno;
    close(go[1]); /* without a byte before it, the mapper just ends */
    if (mapper < 0)
        return -1;
    if (waitpid(mapper, &status, 0) < 0 && !sys)
        sys = errno;
    if (sys)
        return namespaces_explain(sys, ret);
    if (status != 0)
        return error_set(ret, ERROR_HOST, "cannot map the users and groups of a user namespace");
    return 0;
}

int namespaces_enter_own(uint64_t *ret_keep, struct error **ret)
{
    cleanup_free char *users = NULL;
    cleanup_free char *groups = NULL;
    bool all = may_map_all();

    *ret_keep = all ? MAP_CAPABILITIES | ROOT_CAPABILITIES : 0;
    if (make_maps(all, &users, &groups, ret) < 0)
        return -1;
    if (all)
        return enter_mapping_all(users, groups, ret);
    if (unshare(CLONE_NEWUSER) < 0)
        return namespaces_explain(errno, ret);
    if (write_maps("self", users, groups, false, ret) < 0)
        return -1;
    /* Ubuntu's AppArmor lets the namespace be made, and then takes all power out of it. */
    if (!may_map_all())
        return namespaces_explain(EPERM, ret);
    return 0;
}

uint64_t namespaces_pod_clone_flags(void)
{
    return CLONE_NEWUSER | CLONE_NEWPID;
}

int namespaces_map_pod(pid_t pid, struct error **ret)
{
    cleanup_free char *process = text_format("%d", pid);
    cleanup_free char *users = NULL;
    cleanup_free char *groups = NULL;
    bool all = may_map_all();
    int result;

    if (make_maps(all, &users, &groups, ret) < 0)
        return -1;
    if (all && capabilities_raise(MAP_CAPABILITIES, ret) < 0)
        return -1;
    result = write_maps(process, users, groups, all, ret);
    if (all && capabilities_lower_to(ROOT_CAPABILITIES, result < 0 ? NULL : ret) < 0)
        return -1;
    return result;
}

/* Loopback is up before anybody can look: the sniffer opens it while the agent is still being started. */
static int loopback_up(struct error **ret)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot set up the loopback device of a pod");
    return 0;
}

int namespaces_unshare_pod(struct error **ret)
{
    if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return namespaces_explain(errno, ret);
    /* Devices that come later get no IPv6 link-local address by themselves: no packets that no test sent, and
     * no second of duplicate address detection. Best effort: /proc/sys may be read-only. */
    (void)write_file("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1", NULL);
    /* Whoever runs in a pod may serve DNS, HTTP or the like: nobody else's ports are in there. */
    (void)write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", NULL);
    return loopback_up(ret);
}

void namespaces_scatter_pids(void)
{
    cleanup_free char *text = NULL;
    uint16_t random;

    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return;
    text = text_format("%u", FIRST_PID + random % MANY_PIDS);
    (void)write_file("/proc/sys/kernel/ns_last_pid", text, NULL);
}

int namespaces_unshare_network(struct error **ret)
{
    if (unshare(CLONE_NEWNET) < 0)
        return namespaces_explain(errno, ret);
    return 0;
}

int namespaces_join(int user, int network, struct error **ret)
{
    if (setns(user, CLONE_NEWUSER) < 0 || setns(network, CLONE_NEWNET) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot join the pod's namespaces");
    return 0;
}

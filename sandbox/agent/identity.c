/* Who a process of the pod is, and what it may do. In a pod of an ordinary user there is one user and one
 * group, his own; in root's there are all. Names are looked up in the pod's own files, by themselves: what
 * else a host asks (NSS) are libraries and services that PID 1 of a pod has no business with. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "src/base/file.h"
#include "src/base/memory.h"

#define CHANGE (CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID))

bool identity_can_change(void)
{
    cleanup_free char *map = NULL;
    unsigned long first, outside, count;
    size_t length;

    if (file_read(AT_FDCWD, "/proc/self/uid_map", 65536, &map, &length, NULL) < 0)
        return false;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers */
    return sscanf(map, "%lu %lu %lu", &first, &outside, &count) == 3 && count > 1;
}

/* ---- capabilities ---- */

static int collect(const struct strings *names, uint64_t grantable, uint64_t *set, struct error **ret)
{
    for (size_t i = 0; i < names->count; i++) {
        uint64_t capability = capability_by_name(names->list[i]);

        if (!(capability & grantable))
            return error_set(ret, ERROR_INPUT, "the capability %s is not to be had in a pod", names->list[i]);
        *set |= capability;
    }
    return 0;
}

int identity_capabilities(const struct process_message *process, uint64_t grantable,
                          struct capability_sets *ret_sets, struct error **ret)
{
    struct capability_sets sets = {0};

    if (collect(&process->capabilities, grantable, &sets.ambient, ret) < 0 ||
        collect(&process->bounding, grantable, &sets.bounding, ret) < 0 ||
        collect(&process->permitted, grantable, &sets.permitted, ret) < 0 ||
        collect(&process->effective, grantable, &sets.effective, ret) < 0 ||
        collect(&process->inheritable, grantable, &sets.inheritable, ret) < 0)
        return -1;
    /* Each set is part of others, as the kernel has it. */
    sets.effective |= sets.ambient;
    sets.inheritable |= sets.ambient;
    sets.permitted |= sets.effective;
    sets.bounding |= sets.permitted | sets.inheritable;
    *ret_sets = sets;
    return 0;
}

/* ---- user and groups ---- */

/* One of the pod's files; a test may have put anything in its place. */
static FILE *open_list(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;
    FILE *list;

    if (fd < 0)
        return NULL;
    list = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? fdopen(fd, "r") : NULL;
    if (!list)
        close(fd);
    return list;
}

/* By number: what is in no file is a user, too, without a group of its own. */
static int find_user(const char *name, uid_t *ret_user, gid_t *ret_group, struct error **ret)
{
    FILE *list = open_list("/etc/passwd");
    const struct passwd *entry = NULL;
    bool is_number;
    long number;

    is_number = text_number(name, 0, UINT32_MAX - 1, &number);
    do
        entry = list ? fgetpwent(list) : NULL;
    while (entry && !(is_number ? entry->pw_uid == (uid_t)number : strcmp(entry->pw_name, name) == 0));
    if (entry) {
        *ret_user = entry->pw_uid;
        *ret_group = entry->pw_gid;
    } else if (is_number) {
        *ret_user = (uid_t)number;
    }
    if (list)
        (void)fclose(list);
    return entry || is_number ? 0 : error_set(ret, ERROR_INPUT, "the pod has no user %s", name);
}

static int find_group(const char *name, gid_t *ret_group, struct error **ret)
{
    FILE *list;
    const struct group *entry = NULL;
    long number;

    if (text_number(name, 0, UINT32_MAX - 1, &number)) {
        *ret_group = (gid_t)number;
        return 0;
    }
    list = open_list("/etc/group");
    do
        entry = list ? fgetgrent(list) : NULL;
    while (entry && strcmp(entry->gr_name, name) != 0);
    if (entry)
        *ret_group = entry->gr_gid;
    if (list)
        (void)fclose(list);
    return entry ? 0 : error_set(ret, ERROR_INPUT, "the pod has no group %s", name);
}

struct identity {
    uid_t user;
    gid_t group;
    gid_t *groups;
    size_t count;
};

static int find(const struct process_message *process, struct identity *identity, struct error **ret)
{
    if (process->user && find_user(process->user, &identity->user, &identity->group, ret) < 0)
        return -1;
    if (process->group && find_group(process->group, &identity->group, ret) < 0)
        return -1;
    for (; identity->count < process->groups.count; identity->count++)
        if (find_group(process->groups.list[identity->count], &identity->groups[identity->count], ret) < 0)
            return -1;
    return 0;
}

/* Whether that is who this process is already, and need not become. */
static bool is_same(const struct identity *identity)
{
    bool same = identity->user == geteuid() && identity->group == getegid();

    for (size_t i = 0; i < identity->count; i++)
        same = same && identity->groups[i] == getegid();
    return same;
}

/* Keeps what is permitted over the change: what of it may stay is decided behind it. */
static int change(const struct identity *identity, struct error **ret)
{
    if (capabilities_raise(CHANGE, NULL) < 0)
        return error_set(ret, ERROR_INPUT,
                         "a process cannot be user %u, group %u: this pod has only user %u, group %u",
                         identity->user, identity->group, geteuid(), getegid());
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(identity->count, identity->groups) < 0 ||
        setresgid(identity->group, identity->group, identity->group) < 0 ||
        setresuid(identity->user, identity->user, identity->user) < 0)
        return error_sys(ret, ERROR_INPUT, errno, "cannot become user %u, group %u", identity->user,
                         identity->group);
    return 0;
}

int identity_assume(const struct process_message *process, struct error **ret)
{
    struct identity identity = {.user = geteuid(), .group = getegid()};
    int result;

    if (!process->user && !process->group && !process->groups.count)
        return 0;
    identity.groups = memory_array(NULL, process->groups.count + 1, sizeof *identity.groups);
    result = find(process, &identity, ret);
    if (result == 0 && !is_same(&identity))
        result = change(&identity, ret);
    free(identity.groups);
    return result;
}

/* Signals to processes, and to all that a container has started.
 *
 * A process that makes a session of its own, or whose parent has ended, is in no list that leads back to its
 * container. So what a container starts is marked by something that every process inherits and that nobody
 * uses: a limit of CPU time for real-time scheduling, of a hundred thousand years and a little more for each
 * container. The kernel tells it in /proc. A process can lower it, and so hide: a container is no means
 * against a test that means harm, the end of the pod is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "sandbox/capabilities.h"
#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/process.h"

#define MARK_FIRST ((rlim_t)1 << 62) /* microseconds */
#define ROUNDS     100               /* of looking for processes that were started meanwhile */

void kill_mark(uint64_t container)
{
    const struct rlimit limit = {.rlim_cur = MARK_FIRST + container, .rlim_max = MARK_FIRST + container};

    /* Where a lower limit holds already there is no mark; sessions are found all the same. */
    (void)setrlimit(RLIMIT_RTTIME, &limit);
}

/* The container's number in /proc/PID/limits, 0 if it has none. */
static uint64_t mark_of(const char *pid)
{
    static const char name[] = "\nMax realtime timeout ";
    cleanup_free char *path = text_format("/proc/%s/limits", pid);
    cleanup_free char *text = NULL;
    const char *line;
    size_t length;
    rlim_t limit;

    if (file_read_head(AT_FDCWD, path, 8192, &text, &length, NULL) < 0 || !(line = strstr(text, name)))
        return 0;
    limit = strtoull(line + strlen(name), NULL, 10); /* "unlimited" reads as 0 */
    return limit > MARK_FIRST && limit < 2 * MARK_FIRST ? limit - MARK_FIRST : 0;
}

/* In a nested container /proc may be the host's, whose numbers mean other processes. */
static bool is_proc_ours(void)
{
    char self[16];
    ssize_t length = readlink("/proc/self", self, sizeof self);

    return length == 1 && self[0] == '1';
}

int kill_process(pid_t pid, int signal, struct error **ret)
{
    int result;

    /* A process that changed its user is out of reach without the capability. */
    if (capabilities_raise(CAPABILITY(CAP_KILL), ret) < 0)
        return -1;
    result = kill(pid, signal);
    if (result < 0 && errno == ESRCH)
        result = 0;
    if (result < 0)
        error_sys(ret, ERROR_FAILED, errno, "cannot send %s", process_signal_name(signal));
    return capabilities_lower(result < 0 ? NULL : ret) < 0 ? -1 : result;
}

/* ---- all of a container ---- */

struct pids {
    pid_t *list;
    size_t count;
};

static bool has(const struct pids *pids, pid_t pid)
{
    for (size_t i = 0; i < pids->count; i++)
        if (pids->list[i] == pid)
            return true;
    return false;
}

static void add(struct pids *pids, pid_t pid)
{
    pids->list = memory_array(pids->list, pids->count + 1, sizeof *pids->list);
    pids->list[pids->count++] = pid;
}

/* Started by a command in this container, and so marked or at least the leader of its session. */
static bool is_of(const struct agent *agent, const struct container *container, const char *name, pid_t pid)
{
    pid_t session = getsid(pid);

    if (mark_of(name) == container->number)
        return true;
    for (const struct process *process = agent->processes; process; process = process->next)
        if (process->pid && process->pid == session && text_equal(process->container, container->id))
            return true;
    return false;
}

/* Signals those that are not in `done` yet, and puts them there. */
static int kill_round(struct agent *agent, const struct container *container, int signal, struct pids *done,
                      struct error **ret)
{
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    int result = 0;
    long pid;

    if (!folder)
        return error_sys(ret, ERROR_FAILED, errno, "cannot list the processes of the pod");
    while (result == 0 && (entry = readdir(folder))) {
        if (!text_number(entry->d_name, 2, INT32_MAX, &pid) || has(done, (pid_t)pid) ||
            !is_of(agent, container, entry->d_name, (pid_t)pid))
            continue;
        add(done, (pid_t)pid);
        result = kill_process((pid_t)pid, signal, ret);
    }
    closedir(folder);
    return result;
}

/* What can be had without /proc: the groups of those that were started by a command. */
static int kill_groups(struct agent *agent, const struct container *container, int signal, size_t *ret_found,
                       struct error **ret)
{
    for (struct process *process = agent->processes; process; process = process->next) {
        if (!process->pid || !text_equal(process->container, container->id))
            continue;
        if (kill_process(-process->pid, signal, ret) < 0)
            return -1;
        ++*ret_found;
    }
    return 0;
}

int kill_container(struct agent *agent, const struct container *container, int signal, size_t *ret_found,
                   struct error **ret)
{
    struct pids done = {0};
    size_t before;
    int result, rounds = 0;

    *ret_found = 0;
    if (!is_proc_ours())
        return kill_groups(agent, container, signal, ret_found, ret);
    /* Who is being killed may still have started another one; other signals may be answered by starting some,
     * who are not meant. */
    do {
        before = done.count;
        result = kill_round(agent, container, signal, &done, ret);
    } while (result == 0 && signal == SIGKILL && done.count > before && ++rounds < ROUNDS);
    *ret_found = done.count;
    free(done.list);
    if (result == 0 && rounds == ROUNDS)
        return error_set(ret, ERROR_FAILED, "processes of %s are started faster than they can be killed",
                         container->id);
    return result;
}

/* What a test takes is reckoned as `sippod run` does it for a test of two UAs (src/run/limits.c); below what
 * such a test was seen to need at least, not even one can be run. */
#include "src/doctor/limits.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"

#define JOBS_PER_CORE 8

#define TASKS_OF_RUN 4
#define TASKS_OF_JOB 10
#define TASKS_LEAST  7

#define DESCRIPTORS_OF_RUN 64
#define DESCRIPTORS_OF_JOB 14
#define DESCRIPTORS_LEAST  32

#define HARD_PROCESSES   "sudo prlimit --pid $$ --nproc=16384:16384"
#define HARD_DESCRIPTORS "sudo prlimit --pid $$ --nofile=16384:16384"

static long wanted_jobs(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return (cores > 0 ? cores : 1) * JOBS_PER_CORE;
}

void limit_finding(const char *id, long room, long wanted, const char *what, const char *mend,
                   struct findings *findings)
{
    if (room <= 0)
        findings_addf(findings, FINDING_BAD, id, "no test can be run", mend, "no room for a single test: %s",
                      what);
    else if (room < wanted)
        findings_addf(findings, FINDING_WARNING, id, "sippod run starts no more than that at once", mend,
                      "room for about %ld test%s at once: %s", room, room == 1 ? "" : "s", what);
    else
        findings_addf(findings, FINDING_OK, id, NULL, NULL, "room for about %ld tests at once (%s)", room,
                      what);
}

static long room_for(long free_ones, long least, long of_run, long of_job)
{
    long room = (free_ones - of_run) / of_job;

    return free_ones < least ? 0 : room > 0 ? room : 1;
}

/* As far as the hard limit everybody may raise his own. */
static bool is_raisable(__rlimit_resource_t resource)
{
    struct rlimit limit;

    return getrlimit(resource, &limit) == 0 && limit.rlim_cur < limit.rlim_max;
}

const char *limits_mend_processes(void)
{
    return is_raisable(RLIMIT_NPROC) ? "ulimit -u $(ulimit -Hu)" : HARD_PROCESSES;
}

const char *limits_mend_descriptors(void)
{
    return is_raisable(RLIMIT_NOFILE) ? "ulimit -n $(ulimit -Hn)" : HARD_DESCRIPTORS;
}

/* ---- processes ---- */

static unsigned long number_behind(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line ? strtoul(line + strlen(name), NULL, 10) : 0;
}

/* The kernel exempts its own root, which is not the root of a container that has its own users. The map's
 * first line is "<first uid here> <first uid outside> <count>". */
static bool is_exempt(void)
{
    cleanup_free char *map = NULL;
    size_t length;
    char *rest;

    return getuid() == 0 && file_read(AT_FDCWD, "/proc/self/uid_map", 65536, &map, &length, NULL) == 0 &&
           strtoul(map, &rest, 10) == 0 && strtoul(rest, NULL, 10) == 0;
}

/* Threads of this user: what RLIMIT_NPROC counts. */
static long count_tasks(void)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    long count = 0;

    while (processes && (entry = readdir(processes))) {
        cleanup_free char *path = text_format("/proc/%s/status", entry->d_name);
        cleanup_free char *text = NULL;
        size_t length;

        if (*entry->d_name < '1' || *entry->d_name > '9' ||
            file_read(AT_FDCWD, path, 65536, &text, &length, NULL) < 0)
            continue; /* it has ended meanwhile */
        if (number_behind(text, "\nUid:") == getuid())
            count += (long)number_behind(text, "\nThreads:");
    }
    if (processes)
        closedir(processes);
    return count;
}

static void check_tasks(struct findings *findings)
{
    static const char id[] = "processes";
    cleanup_free char *what = NULL;
    struct rlimit limit;
    long used;

    if (getrlimit(RLIMIT_NPROC, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || is_exempt()) {
        findings_addf(findings, FINDING_OK, id, NULL, NULL, "as many as wanted (ulimit -u)");
        return;
    }
    used = count_tasks();
    what = text_format("ulimit -u is %ld, %ld of it in use", (long)limit.rlim_cur, used);
    limit_finding(id, room_for((long)limit.rlim_cur - used, TASKS_LEAST, TASKS_OF_RUN, TASKS_OF_JOB),
                  wanted_jobs(), what, limits_mend_processes(), findings);
}

/* ---- descriptors: the hard limit, as far as which sippod raises its own ---- */

static void check_descriptors(struct findings *findings)
{
    static const char id[] = "descriptors";
    cleanup_free char *what = NULL;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max == RLIM_INFINITY) {
        findings_addf(findings, FINDING_OK, id, NULL, NULL, "as many as wanted (ulimit -Hn)");
        return;
    }
    what = text_format("ulimit -Hn is %ld", (long)limit.rlim_max);
    limit_finding(id,
                  room_for((long)limit.rlim_max, DESCRIPTORS_LEAST, DESCRIPTORS_OF_RUN, DESCRIPTORS_OF_JOB),
                  wanted_jobs(), what, HARD_DESCRIPTORS, findings);
}

/* ---- namespaces: how many of each kind a user may have ---- */

/* The number in /proc/sys/user/max_KIND_namespaces, -1 if it cannot be read. */
static long most_namespaces(const char *kind)
{
    cleanup_free char *path = text_format("/proc/sys/user/max_%s_namespaces", kind);
    cleanup_free char *text = NULL;
    size_t length;
    long number;

    if (file_read(AT_FDCWD, path, 64, &text, &length, NULL) < 0)
        return -1;
    text[strcspn(text, "\n")] = '\0';
    return text_number(text, 0, 1L << 40, &number) ? number : -1;
}

static void check_namespaces(struct findings *findings)
{
    static const struct {
        const char *name;
        long of_run; /* sippod's own user namespace, the router's network namespace */
    } kinds[] = {{"user", 1}, {"net", 1}, {"mnt", 0}, {"pid", 0}, {"ipc", 0}, {"uts", 0}};
    static const char id[] = "namespace-limit";
    cleanup_free char *what = NULL;
    cleanup_free char *mend = NULL;
    const char *fewest = NULL;
    long least = 0, room = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        long number = most_namespaces(kinds[i].name);

        if (number >= 0 && (!fewest || number - kinds[i].of_run < room)) {
            fewest = kinds[i].name;
            least = number;
            room = number - kinds[i].of_run;
        }
    }
    if (!fewest) {
        findings_addf(findings, FINDING_NOTE, id, "they may allow fewer tests at once than wanted", NULL,
                      "the limits in /proc/sys/user cannot be read");
        return;
    }
    what = text_format("user.max_%s_namespaces is %ld", fewest, least);
    mend = text_format("sysctl user.max_%s_namespaces=10000", fewest);
    limit_finding(id, room, wanted_jobs(), what, mend, findings);
}

void check_limits(struct findings *findings)
{
    check_tasks(findings);
    check_descriptors(findings);
    check_namespaces(findings);
}

#include "src/run/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"

#define JOBS_PER_CORE      8
#define KIB_PER_JOB        (64 * 1024UL)
#define DESCRIPTORS_OF_JOB 14 /* of sippod for one test: channels, pidfds, namespaces, logs */
#define DESCRIPTORS_OF_RUN 64
#define TASKS_OF_JOB       6 /* agent, sniffer and its threads, a script and what it calls */
#define TASKS_OF_UA        2
#define TASKS_OF_RUN       4

static unsigned long available_kib(void)
{
    cleanup_free char *text = NULL;
    const char *line;
    size_t length;

    if (file_read(AT_FDCWD, "/proc/meminfo", 65536, &text, &length, NULL) < 0 ||
        !(line = strstr(text, "MemAvailable:")))
        return 0;
    return strtoul(line + strlen("MemAvailable:"), NULL, 10);
}

size_t limits_auto_jobs(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t jobs = (size_t)(cores > 0 ? cores : 1) * JOBS_PER_CORE;
    size_t fit = available_kib() / KIB_PER_JOB;

    if (fit < jobs)
        jobs = fit;
    return jobs ? jobs : 1;
}

int limits_raise_descriptors(struct rlimit *ret_before, struct error **ret)
{
    struct rlimit raised;

    if (getrlimit(RLIMIT_NOFILE, ret_before) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot read the limit of descriptors");
    raised = *ret_before;
    raised.rlim_cur = raised.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot raise the limit of descriptors");
    return 0;
}

/* The number behind `name` in a /proc/PID/status. */
static unsigned long status_number(const char *status, const char *name)
{
    const char *line = strstr(status, name);

    return line ? strtoul(line + strlen(name), NULL, 10) : 0;
}

/* Threads of this user: what RLIMIT_NPROC counts. */
static size_t count_tasks(void)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    size_t count = 0;

    while (processes && (entry = readdir(processes))) {
        cleanup_free char *path = text_format("/proc/%s/status", entry->d_name);
        cleanup_free char *text = NULL;
        size_t length;

        if (*entry->d_name < '1' || *entry->d_name > '9' ||
            file_read(AT_FDCWD, path, 65536, &text, &length, NULL) < 0)
            continue;
        if (status_number(text, "\nUid:") == getuid())
            count += status_number(text, "\nThreads:");
    }
    if (processes)
        closedir(processes);
    return count;
}

/* The UAs that run side by side in a test: those of its largest part; all of them is near enough. */
static size_t most_uas(const struct suite *suite)
{
    size_t most = 0;

    for (size_t i = 0; i < suite->test_count; i++)
        if (suite->tests[i].scenario_count > most)
            most = suite->tests[i].scenario_count;
    return most;
}

static size_t room_for_tasks(const struct suite *suite, size_t jobs)
{
    size_t per_job = TASKS_OF_JOB + TASKS_OF_UA * most_uas(suite);
    struct rlimit limit;
    size_t used;

    if (getuid() == 0 || getrlimit(RLIMIT_NPROC, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return jobs;
    used = count_tasks() + TASKS_OF_RUN;
    return used < limit.rlim_cur ? (limit.rlim_cur - used) / per_job : 0;
}

size_t limits_allowed_jobs(const struct suite *suite, size_t jobs, char **ret_why)
{
    struct rlimit descriptors = {.rlim_cur = 1024};
    size_t tasks = room_for_tasks(suite, jobs), files;

    *ret_why = NULL;
    (void)getrlimit(RLIMIT_NOFILE, &descriptors);
    files = descriptors.rlim_cur > DESCRIPTORS_OF_RUN
                ? (descriptors.rlim_cur - DESCRIPTORS_OF_RUN) / DESCRIPTORS_OF_JOB
                : 0;
    if (tasks >= jobs && files >= jobs)
        return jobs;
    if (tasks <= files) {
        jobs = tasks ? tasks : 1;
        *ret_why =
            text_format("%zu tests at once: the limit of processes (ulimit -u) has room for no more", jobs);
    } else {
        jobs = files ? files : 1;
        *ret_why = text_format(
            "%zu tests at once: the limit of descriptors (ulimit -Hn) has room for no more", jobs);
    }
    return jobs;
}

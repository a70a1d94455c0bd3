#include "src/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/report/junit.h"
#include "src/run/environment.h"
#include "src/run/limits.h"
#include "src/run/schedule.h"
#include "src/run/signals.h"

struct run {
    const struct run_options *options;
    struct suite suite;
    struct results_folder folder;
    struct loop *loop;
    struct host host;
    struct progress progress;
    struct sipp_options sipp;
    struct mounts_plan mounts;
    struct test_context context;
    struct results results;
    struct signals *signals;
    struct environment environment;
    int signal;         /* that ended the run, 0: none */
    struct error *lost; /* the router ended: no more tests can be run */
    struct schedule *schedule;
    int64_t started_ns;
};

/* ---- before anything starts ---- */

static int load_suite(struct run *run)
{
    cleanup_strings struct strings problems = {0};
    struct suite_filter filter = run->options->filter;

    filter.results = run->options->results;
    if (suite_load(&run->options->paths, &filter, &run->suite, &problems) == 0)
        return 0;
    for (size_t i = 0; i < problems.count; i++)
        fprintf(stderr, "sippod: %s\n", problems.list[i]);
    return -1;
}

/* A program of the user's own may lie below /tmp, where a pod has a folder of its own; its libraries beside
 * it. */
static void plan_mounts(struct run *run)
{
    cleanup_free char *folder = text_copy(run->sipp.program);

    *strrchr(folder, '/') = '\0';
    run->mounts.mode = run->options->mounts;
    if (*folder && strncmp(folder, "/usr/", 5) != 0)
        strings_add(&run->mounts.readable, folder);
    strings_add(&run->mounts.readable, run->suite.folder);
}

static int prepare(struct run *run, char **ret_sipp, struct error **ret)
{
    struct rlimit descriptors;

    *ret_sipp = sipp_find(run->options->sipp, ret);
    if (!*ret_sipp)
        return -1;
    if (limits_raise_descriptors(&descriptors, ret) < 0)
        return -1;
    run->sipp = (struct sipp_options){
        .program = *ret_sipp,
        .transport = "u1",
        .recv_timeout_ms = 5000,
        .calls = 1,
        .concurrent = 1,
        .descriptors = descriptors.rlim_cur,
    };
    plan_mounts(run);
    run->context = (struct test_context){
        .host = &run->host,
        .suite = &run->suite,
        .results = &run->folder,
        .progress = &run->progress,
        .sipp = &run->sipp,
        .mounts = &run->mounts,
        .descriptor_limit = descriptors.rlim_cur,
        .descriptor_most = descriptors.rlim_max,
        .keep = run->options->keep,
        .pcap = run->options->pcap,
        .verbose = run->options->progress == PROGRESS_VERBOSE,
        .timeout_s = run->options->timeout_s,
    };
    environment_copy(&run->environment);
    run->context.envs = run->environment.list;
    run->context.env_count = run->environment.count;
    return results_folder_open(run->options->results, &run->folder, ret);
}

/* ---- signals ---- */

static void on_signal(void *user, int signal)
{
    struct run *run = user;
    cleanup_free char *why = text_format("interrupted by %s", process_signal_name(signal));
    bool first = !run->signal;

    if (first)
        run->signal = signal;
    if (run->schedule && first)
        schedule_interrupt(run->schedule, why);
    else if (run->schedule && signal != SIGPIPE) /* that comes with every line nobody reads */
        schedule_hurry(run->schedule);
}

static void on_router_lost(void *user, const struct error *why)
{
    struct run *run = user;

    if (run->lost)
        return;
    error_set(&run->lost, ERROR_FAILED, "%s", error_text(why));
    if (run->schedule)
        schedule_interrupt(run->schedule, error_text(why));
}

/* ---- the tests ---- */

static void on_all_ended(void *user)
{
    loop_quit(((struct run *)user)->loop);
}

static void start_tests(struct run *run)
{
    size_t jobs = run->options->jobs ? run->options->jobs : limits_auto_jobs();
    cleanup_free char *why = NULL;
    struct schedule_options options = {.fail_fast = run->options->fail_fast};

    if (jobs > run->suite.test_count)
        jobs = run->suite.test_count;
    options.jobs = limits_allowed_jobs(&run->suite, jobs, &why);
    if (why)
        fprintf(stderr, "sippod: %s\n", why);
    run->schedule = schedule_start(&run->context, &run->suite, &options, &run->results, on_all_ended, run);
}

static int exit_code(const struct run *run)
{
    if (run->signal)
        return 128 + run->signal;
    return run->lost || results_count(&run->results, VERDICT_FAIL) ? 1 : 0;
}

/* Written beside the rest; found out at the start rather than after an hour that it cannot be. */
static int check_junit(const struct run *run, struct error **ret)
{
    cleanup_fd int fd = -1;

    if (!run->options->junit)
        return 0;
    fd = open(run->options->junit, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? error_sys(ret, ERROR_INPUT, errno, "--junit %s", run->options->junit) : 0;
}

static int write_junit(const struct run *run, struct error **ret)
{
    cleanup_free char *text = NULL;

    if (!run->options->junit)
        return 0;
    text = junit_text(&run->results, run->folder.path);
    return file_write(AT_FDCWD, run->options->junit, text, strlen(text), 0644, ret);
}

static void conclude(struct run *run)
{
    cleanup_error struct error *error = NULL;
    struct results *results = &run->results;

    results->suite = text_copy(run->suite.folder);
    results->planned = run->suite.test_count;
    results->partial = results->count < results->planned || run->signal;
    results->duration_s = (double)(loop_now_ns() - run->started_ns) / 1e9;
    results->exit_code = exit_code(run);
    if (results_write_json(results, run->folder.fd, &error) < 0 || write_junit(run, &error) < 0) {
        fprintf(stderr, "sippod: %s\n", error_text(error));
        if (!results->exit_code)
            results->exit_code = 1;
    }
    results_folder_finish(&run->folder);
    if (run->lost)
        fprintf(stderr, "sippod: %s\n", error_text(run->lost));
    progress_summary(&run->progress, results);
}

static int run_tests(struct run *run, struct error **ret)
{
    cleanup_free char *sipp = NULL;
    int result = -1;

    run->loop = loop_new(ret);
    if (!run->loop || !(run->signals = signals_watch(run->loop, on_signal, run, ret)) ||
        check_junit(run, ret) < 0 || prepare(run, &sipp, ret) < 0)
        return -1;
    if (host_open(&run->host, run->loop, on_router_lost, run, ret) == 0) {
        run->started_ns = loop_now_ns();
        run->results.started = time(NULL);
        start_tests(run);
        result = loop_run(run->loop, ret);
        if (result == 0)
            conclude(run);
    }
    schedule_free(run->schedule);
    run->schedule = NULL;
    host_close(&run->host);
    return result;
}

static void run_free(struct run *run)
{
    if (!run->results.count) /* nothing was run: there is nothing to note */
        results_folder_finish(&run->folder);
    environment_free(&run->environment);
    strings_free(&run->mounts.readable);
    results_folder_close(&run->folder);
    results_free(&run->results);
    signals_free(run->signals);
    loop_free(run->loop);
    suite_free(&run->suite);
    error_free(run->lost);
}

int run_suite(const struct run_options *options)
{
    struct run run = {.options = options, .folder = {.fd = -1, .journal = -1}};
    cleanup_error struct error *error = NULL;
    int code = ERROR_INPUT;

    progress_open(&run.progress, options->progress);
    if (load_suite(&run) == 0) {
        if (run_tests(&run, &error) < 0) {
            fprintf(stderr, "sippod: %s\n", error_text(error));
            code = error ? (int)error->code : ERROR_FAILED;
        } else {
            code = run.results.exit_code;
        }
    }
    run_free(&run);
    return code;
}

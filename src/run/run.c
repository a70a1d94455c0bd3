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
#include "src/run/global.h"
#include "src/run/groups.h"
#include "src/run/limits.h"
#include "src/run/renderer.h"
#include "src/run/schedule.h"
#include "src/run/signals.h"

struct run {
    const struct run_options *options;
    struct suite suite;
    struct results_folder folder;
    struct run_folder shared; /* SIPPOD_SHARED: between all pods */
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
    struct keywords_replacements replacements;
    struct turns turns;
    struct addresses addresses;
    struct global *global;     /* from before the first test to after the last, NULL: none */
    struct schedule *schedule; /* one of these two while tests run */
    struct groups *groups;
    struct log *log; /* of the whole run, NULL: none */
    int64_t started_ns;
};

/* ---- before anything starts ---- */

static int load_suite(struct run *run)
{
    cleanup_strings struct strings problems = {0};
    const struct run_options *options = run->options;
    const struct suite_filter filter = {
        .only = options->only,
        .exclude = options->exclude,
        .tags = options->tags,
        .results = options->results,
        .templates = options->templates,
        .global = options->global,
        .info_file = options->info_file,
    };

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
    if (run->suite.info_file)
        strings_add(&run->mounts.readable, run->suite.info_file);
}

/* What a pod shows beside that was named on the command line. */
static int plan_named_mounts(struct run *run, struct error **ret)
{
    const struct run_options *options = run->options;

    for (size_t i = 0; i < options->writable.count; i++) {
        cleanup_free char *path = file_absolute(options->writable.list[i], ret);

        if (!path)
            return error_prefix(ret, "--writable");
        strings_add(&run->mounts.writable, path);
    }
    return 0;
}

static void plan_sipp(struct run *run, const char *program, uint64_t descriptors)
{
    const struct run_options *options = run->options;

    run->sipp = (struct sipp_options){
        .program = program,
        .transport = options->transport,
        .info_file = run->suite.info_file,
        .default_behaviors = options->default_behaviors,
        .recv_timeout_ms = options->recv_timeout_ms,
        .calls = options->calls,
        .concurrent = options->concurrent,
        .rate = options->call_rate,
        .descriptors = descriptors,
        .extra = options->sipp_arguments,
    };
}

/* Under /tmp the old place may be another user's: then there is no such log. */
static int open_log(struct run *run, struct error **ret)
{
    const struct run_options *options = run->options;
    cleanup_error struct error *error = NULL;

    if (!options->log_file)
        return 0;
    run->log = log_open(AT_FDCWD, options->log_file, run->suite.name, &options->log, &error);
    if (run->log)
        return 0;
    if (options->as_sipplauncher)
        fprintf(stderr, "sippod: %s\n", error_text(error));
    else
        return error_set(ret, ERROR_INPUT, "--log-file: %s", error_text(error));
    return 0;
}

static int take_replacements(struct run *run, struct error **ret)
{
    const struct run_options *options = run->options;

    if (options->keywords && keywords_replacements_parse(options->keywords, &run->replacements, ret) < 0)
        return error_prefix(ret, "--keyword-replacement-values");
    for (size_t i = 0; i < options->sets.count; i++)
        if (keywords_replacements_set(options->sets.list[i], &run->replacements, ret) < 0)
            return error_prefix(ret, "--set %s", options->sets.list[i]);
    return keywords_replacements_check(&run->replacements, run->suite.tests, run->suite.test_count, ret);
}

/* Where no other DUT is named, GLOBAL's pod is where it is, for all tests. */
static void plan_global(struct run *run)
{
    if (!run->suite.global || run->suite.dut || run->context.dut)
        return;
    run->context.dut = SUITE_DUT_ADDRESS;
    run->context.addresses = &run->addresses;
}

/* The environment of scripts, DUT and SIPp, and the folder that it names. */
static int make_shared(struct run *run, struct error **ret)
{
    if (shared_folder_make(&run->folder, &run->shared, ret) < 0)
        return -1;
    strings_add(&run->mounts.writable, run->shared.path);
    environment_copy(&run->environment);
    environment_set(&run->environment, "SIPPOD_SHARED", run->shared.path);
    run->context.envs = run->environment.list;
    run->context.env_count = run->environment.count;
    return 0;
}

static void remove_shared(struct run *run)
{
    cleanup_error struct error *error = NULL;

    if (run->shared.fd >= 0 && run_folder_remove(&run->folder, &run->shared, &error) < 0)
        fprintf(stderr, "sippod: %s\n", error_text(error));
    run_folder_close(&run->shared);
}

static int prepare(struct run *run, char **ret_sipp, struct error **ret)
{
    struct rlimit descriptors;

    *ret_sipp = sipp_find(run->options->sipp, ret);
    if (!*ret_sipp)
        return -1;
    if (limits_raise_descriptors(&descriptors, ret) < 0)
        return -1;
    plan_sipp(run, *ret_sipp, descriptors.rlim_cur);
    plan_mounts(run);
    if (plan_named_mounts(run, ret) < 0 || open_log(run, ret) < 0)
        return -1;
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
        .log_style = &run->options->log,
        .general_log = run->log,
        .as_sipplauncher = run->options->as_sipplauncher,
        .dut_port = run->options->dut_port,
        .replacements = &run->replacements,
        .pcap = !run->options->no_pcap,
        .classic_pcap = run->options->classic_pcap,
        .dry_run = run->options->dry_run,
        .script_capabilities = &run->options->script_capabilities,
        .verbose = run->options->progress == PROGRESS_VERBOSE,
        .timeout_s = run->options->timeout_s,
    };
    plan_global(run);
    return results_folder_open(run->options->results, &run->folder, ret) < 0 || make_shared(run, ret) < 0 ? -1
                                                                                                          : 0;
}

/* ---- signals ---- */

static void interrupt(struct run *run, const char *why)
{
    if (run->global)
        global_interrupt(run->global, why);
    if (run->schedule)
        schedule_interrupt(run->schedule, why);
    if (run->groups)
        groups_interrupt(run->groups, why);
}

static void hurry(struct run *run)
{
    if (run->global)
        global_hurry(run->global);
    if (run->schedule)
        schedule_hurry(run->schedule);
    if (run->groups)
        groups_hurry(run->groups);
}

static void on_signal(void *user, int signal)
{
    struct run *run = user;
    cleanup_free char *why = text_format("interrupted by %s", process_signal_name(signal));
    bool first = !run->signal;

    if (first)
        run->signal = signal;
    log_line(run->log, LOG_LEVEL_WARNING, "%s", why);
    if (first)
        interrupt(run, why);
    else if (signal != SIGPIPE) /* that comes with every line nobody reads */
        hurry(run);
}

static void on_router_lost(void *user, const struct error *why)
{
    struct run *run = user;

    if (run->lost)
        return;
    error_set(&run->lost, ERROR_FAILED, "%s", error_text(why));
    interrupt(run, error_text(why));
}

/* ---- the tests ---- */

static void on_all_ended(void *user)
{
    struct run *run = user;

    if (run->global)
        global_finish(run->global);
    else
        loop_quit(run->loop);
}

/* Tests at once: more than one only if each has a DUT of its own, unless it is asked for. */
static size_t wanted_jobs(const struct run *run)
{
    if (run->options->jobs)
        return run->options->jobs;
    return run->context.dut && !run->context.addresses ? 1 : limits_auto_jobs();
}

static size_t allowed(const struct run *run, size_t wanted)
{
    cleanup_free char *why = NULL;

    if (wanted > run->turns.count)
        wanted = run->turns.count;
    wanted = limits_allowed_jobs(&run->suite, wanted, &why);
    if (why)
        fprintf(stderr, "sippod: %s\n", why);
    return wanted;
}

static void plan_tests(struct run *run)
{
    const struct run_options *options = run->options;
    size_t total = options->total ? options->total : run->suite.test_count * options->repeat;

    turns_open(&run->turns, &run->context, &run->suite, &run->results, total, options->random,
               run->results.seed + run->results.pass);
    run->results.planned = run->turns.count;
}

static void start_tests(void *user)
{
    struct run *run = user;
    const struct run_options *options = run->options;

    if (options->group) {
        struct groups_options groups = {
            .size = allowed(run, options->group),
            .pause_s = options->group_pause_s,
            .stop = options->group_stop_first_fail || options->fail_fast,
        };

        run->groups = groups_start(&run->turns, &groups, on_all_ended, run);
    } else {
        struct schedule_options schedule = {
            .jobs = allowed(run, wanted_jobs(run)),
            .fail_fast = options->fail_fast,
        };

        run->schedule = schedule_start(&run->turns, &schedule, on_all_ended, run);
    }
}

/* ---- GLOBAL ---- */

static void on_global_lost(void *user, const char *why)
{
    struct run *run = user;
    cleanup_free char *text = text_format("GLOBAL: %s", why);

    fprintf(stderr, "sippod: %s\n", text);
    if (run->schedule)
        schedule_fail(run->schedule, text);
    if (run->groups)
        groups_fail(run->groups, text);
}

static void on_global_ended(void *user, struct test_result *result)
{
    struct run *run = user;

    run->global = NULL;
    run->results.global = result;
    if (!run->schedule && !run->groups)
        fputs("sippod: no test was run, as GLOBAL was not ready\n", stderr);
    loop_quit(run->loop);
}

static const struct global_callbacks global_callbacks = {
    .ready = start_tests,
    .lost = on_global_lost,
    .ended = on_global_ended,
};

/* Runs the loop until they have all ended. */
static int run_pass(struct run *run, struct error **ret)
{
    int result;

    run->started_ns = loop_now_ns();
    run->results.started = time(NULL);
    plan_tests(run);
    if (run->suite.global)
        run->global = global_start(&run->context, &global_callbacks, run);
    else
        start_tests(run);
    result = loop_run(run->loop, ret);
    schedule_free(steal_pointer(&run->schedule));
    groups_free(steal_pointer(&run->groups));
    return result;
}

/* Of a run that was completed. */
static int exit_code(const struct run *run)
{
    bool failed = results_count(&run->results, VERDICT_FAIL) > 0;

    if (run->signal)
        return 128 + run->signal;
    if (run->lost || (run->results.global && run->results.global->verdict == VERDICT_FAIL))
        return 1;
    return failed != run->options->fail_expected ? 1 : 0;
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

    results->partial = results->count < results->planned || run->signal;
    results->duration_s = (double)(loop_now_ns() - run->started_ns) / 1e9;
    results->exit_code = exit_code(run);
    if (results_write_json(results, run->folder.fd, &error) < 0 || write_junit(run, &error) < 0) {
        fprintf(stderr, "sippod: %s\n", error_text(error));
        if (!results->exit_code)
            results->exit_code = 1;
    }
    if (run->lost)
        fprintf(stderr, "sippod: %s\n", error_text(run->lost));
    progress_summary(&run->progress, results);
}

static void open_renderer(struct run *run)
{
    const struct renderer_config config = {
        .host = &run->host,
        .results = run->folder.path,
        .templates = run->suite.templates,
        .readable = &run->mounts.readable,
    };

    run->context.renderer = renderer_new(&config);
}

static int open_run(struct run *run, char **ret_sipp, struct error **ret)
{
    struct results *results = &run->results;

    run->loop = loop_new(ret);
    if (!run->loop || !(run->signals = signals_watch(run->loop, on_signal, run, ret)) ||
        take_replacements(run, ret) < 0 || check_junit(run, ret) < 0 || prepare(run, ret_sipp, ret) < 0)
        return -1;
    results->suite = text_copy(run->suite.folder);
    results->dry_run = run->options->dry_run;
    results->random = run->options->random;
    results->seed = run->options->seeded ? run->options->seed : (unsigned long)time(NULL) & 0x7fffffff;
    results->pass = 1;
    return 0;
}

/* One pass, or as many as succeed. */
static int run_passes(struct run *run, struct error **ret)
{
    for (;;) {
        if (run_pass(run, ret) < 0)
            return -1;
        conclude(run);
        if (!run->options->loop || run->results.exit_code)
            return 0;
        results_next_pass(&run->results);
    }
}

static int run_tests(struct run *run, struct error **ret)
{
    cleanup_free char *sipp = NULL;
    int result;

    if (open_run(run, &sipp, ret) < 0 || host_open(&run->host, run->loop, on_router_lost, run, ret) < 0)
        return -1;
    open_renderer(run);
    result = run_passes(run, ret);
    remove_shared(run);
    if (result == 0)
        results_folder_finish(&run->folder);
    renderer_close(run->context.renderer);
    host_close(&run->host);
    return result;
}

static void run_free(struct run *run)
{
    remove_shared(run);      /* it may have come no further */
    if (!run->results.count) /* nothing was run: there is nothing to note */
        results_folder_finish(&run->folder);
    environment_free(&run->environment);
    keywords_replacements_free(&run->replacements);
    strings_free(&run->mounts.readable);
    strings_free(&run->mounts.writable);
    log_close(run->log);
    results_folder_close(&run->folder);
    results_free(&run->results);
    signals_free(run->signals);
    loop_free(run->loop);
    suite_free(&run->suite);
    error_free(run->lost);
}

int run_suite(const struct run_options *options)
{
    struct run run = {.options = options, .folder = {.fd = -1, .journal = -1}, .shared = {.fd = -1}};
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

#include "src/run/run_setup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/report/junit.h"
#include "src/run/limits.h"
#include "src/run/renderer.h"

/* ---- signals ---- */

static void interrupt(struct run *run, const char *why)
{
    if (run->global)
        global_interrupt(run->global, why);
    if (run->schedule)
        schedule_interrupt(run->schedule, why);
    if (run->groups)
        groups_interrupt(run->groups, why);
    if (run->visit)
        visit_interrupt(run->visit, why);
    if (run->pauses)
        pauses_stop(run->pauses);
}

static void hurry(struct run *run)
{
    if (run->global)
        global_hurry(run->global);
    if (run->schedule)
        schedule_hurry(run->schedule);
    if (run->groups)
        groups_hurry(run->groups);
    if (run->visit)
        visit_hurry(run->visit);
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

/* Of those that all tests need. */
static void on_lost(void *user, const struct error *why)
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

/* Tests at once. A DUT outside of the suite is not sippod's to load, unless it is asked for. */
static size_t wanted_jobs(const struct run *run)
{
    if (run->options->jobs)
        return run->options->jobs;
    return run->context.dut ? 1 : limits_auto_jobs();
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

static void on_visit_over(void *user, struct test_result *result, int code)
{
    struct run *run = user;

    if (result->folder)
        fprintf(stderr, "sippod: the run folder is kept: %s/%s\n", run->folder.path, result->folder);
    run->visit = NULL;
    run->visit_code = code;
    results_add(&run->results, result);
    on_all_ended(run);
}

static void start_tests(void *user)
{
    struct run *run = user;
    const struct run_options *options = run->options;

    if (options->shell) {
        run->visit = visit_start(&run->context, &run->suite.tests[0], on_visit_over, run);
    } else if (options->group) {
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
    if (run->visit)
        visit_fail(run->visit, text);
    if (run->pauses)
        pauses_stop(run->pauses);
}

static void on_global_ended(void *user, struct test_result *result)
{
    struct run *run = user;

    run->global = NULL;
    run->results.global = result;
    if (!run->schedule && !run->groups && !run->results.count)
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
    if (run->options->shell)
        return run->visit_code;
    return failed != run->options->fail_expected ? 1 : 0;
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
    if (!run->options->shell)
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

static int open_host(struct run *run, struct error **ret)
{
    const struct run_options *options = run->options;
    const struct host_outside outside = {
        .dut = options->dut,
        .mask = options->network_mask,
        .allow = &run->reach,
    };
    const struct host_config config = {
        .loop = run->loop,
        .outside = options->dut ? &outside : NULL,
        .lost = on_lost,
        .user = run,
    };

    return host_open(&run->host, &config, ret);
}

/* From before the first test is started to after the last has ended. */
static int start_dns(struct run *run, struct error **ret)
{
    const struct run_options *options = run->options;
    const struct dns_server_config config = {
        .host = &run->host,
        .address = options->dns_listen,
        .sockets = run->dns_sockets,
        .dut = options->dut,
        .allow = &options->allow,
        .second = !options->dns_wait ? DNS_SECOND_FAILS
                  : options->group   ? DNS_SECOND_STEPS_BACK /* who waits in a group holds all of it up */
                                     : DNS_SECOND_WAITS,
        .log = run->log,
        .lost = on_lost,
        .user = run,
    };

    if (run->dns_sockets[0] < 0)
        return 0;
    run->dns = dns_server_start(&config, ret);
    run->context.dns = run->dns;
    return run->dns ? 0 : -1;
}

static int open_run(struct run *run, char **ret_sipp, struct error **ret)
{
    run->loop = loop_new(ret);
    if (!run->loop || !(run->signals = signals_watch(run->loop, on_signal, run, ret)))
        return -1;
    return run_setup(run, ret_sipp, ret);
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

    if (open_run(run, &sipp, ret) < 0)
        return -1;
    if (open_host(run, ret) < 0) {
        host_close(&run->host);
        return -1;
    }
    open_renderer(run);
    result = start_dns(run, ret) < 0 ? -1 : run_passes(run, ret);
    dns_server_stop(run->dns);
    run_setup_undo(run);
    if (result == 0)
        results_folder_finish(&run->folder);
    renderer_close(run->context.renderer);
    host_close(&run->host);
    return result;
}

static void run_free(struct run *run)
{
    close_fd(&run->dns_sockets[0]);
    close_fd(&run->dns_sockets[1]);
    run_setup_undo(run);     /* it may have come no further */
    if (!run->results.count) /* nothing was run: there is nothing to note */
        results_folder_finish(&run->folder);
    environment_free(&run->environment);
    keywords_replacements_free(&run->replacements);
    strings_free(&run->mounts.readable);
    strings_free(&run->mounts.writable);
    strings_free(&run->reach);
    authority_free(run->authority);
    pauses_free(run->pauses);
    free(run->keylog);
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
    struct run run = {.options = options,
                      .folder = {.fd = -1, .journal = -1},
                      .shared = {.fd = -1},
                      .dns_sockets = {-1, -1}};
    cleanup_error struct error *error = NULL;
    int code = ERROR_INPUT;

    progress_open(&run.progress, options->progress, options->shell ? stderr : stdout);
    if (run_setup_suite(&run) == 0) {
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

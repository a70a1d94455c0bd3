/* The life of a test. Each step of PREPARING pushes its undo; whatever happens then (success, failure, a signal),
 * the one way out is to pop the stack:
 *
 *   step             undo
 *   run folder       remove, unless it is kept
 *   logs             close
 *   pod              end PID 1, wait for it
 *   capture          drain, close the file
 *   before.sh        after.sh
 */
#include "src/run/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/file.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/base/rollback.h"
#include "src/run/capture.h"
#include "src/run/parts.h"
#include "src/run/pod.h"
#include "src/run/script.h"
#include "src/run/state.h"
#include "src/suite/template.h"

struct test_run {
    const struct test_context *context;
    const struct test *test;
    enum state state;
    struct test_result *result;
    struct rollback *rollback;
    struct run_folder folder;
    struct log *log, *launch_log;
    struct pod *pod;
    struct capture *capture;
    struct script *script; /* running */
    struct parts *parts;   /* running */
    struct timer *timer;   /* of the whole test */
    bool interrupted;      /* by a signal, or by its time limit: see why */
    bool hurry, dirty, pod_lost;
    char *why; /* of the interruption */
    int64_t entered_ns;    /* when the present phase began */
    void (*ended)(void *user, struct test_result *result);
    void *user;
};

/* ---- states ---- */

static double seconds_since(int64_t start_ns)
{
    return (double)(loop_now_ns() - start_ns) / 1e9;
}

static void enter(struct test_run *run, enum state state, double took_s, double cps, const char *reason)
{
    struct progress_line line = {
        .state = state_name(state),
        .test = run->test->name,
        .run_id = *run->folder.run_id ? run->folder.run_id : "------",
        .index = run->result->index,
        .tone = state_tone(state),
        .took_s = took_s,
        .cps = cps,
        .reason = reason,
    };

    if (state != STATE_CREATED && !state_follows(run->state, state))
        abort(); /* a fault of the program, not of the suite */
    run->state = state;
    strings_add(&run->result->states, state_name(state));
    progress_state(run->context->progress, &line);
    log_line(run->log, LOG_LEVEL_INFO, "%s%s%s", line.state, reason ? ": " : "", reason ? reason : "");
}

/* ---- cleaning ---- */

static void undone(struct test_run *run, const struct error *error)
{
    struct error *copy = NULL;

    if (error) {
        run->dirty = true;
        error_set(&copy, ERROR_FAILED, "%s", error_text(error));
        log_line(run->log, LOG_LEVEL_ERROR, "%s", error_text(error));
    }
    rollback_done(run->rollback, copy);
}

static void add_reason(struct test_run *run, const char *reason)
{
    char *old = run->result->reason;

    run->result->reason = old ? text_format("%s; %s", old, reason) : text_copy(reason);
    free(old);
}

static void end(struct test_run *run)
{
    void (*ended)(void *user, struct test_result *result) = run->ended;
    struct test_result *result = run->result;
    void *user = run->user;

    result->verdict = result->outcome == OUTCOME_SUCCESS && result->clean ? VERDICT_PASS : VERDICT_FAIL;
    timer_stop(&run->timer);
    rollback_free(run->rollback);
    run_folder_close(&run->folder);
    free(run->why);
    free(run);
    ended(user, result);
}

static void on_rolled_back(void *user, const struct strings *failures)
{
    struct test_run *run = user;
    cleanup_buffer struct buffer text = {0};
    double took = seconds_since(run->entered_ns);

    for (size_t i = 0; i < failures->count; i++)
        buffer_addf(&text, "%s%s", i ? "; " : "", failures->list[i]);
    buffer_add(&text, "", 1);
    if (failures->count)
        add_reason(run, (const char *)text.data);
    run->result->clean = failures->count == 0;
    if (run->state == STATE_PREPARING) {
        enter(run, STATE_NOT_READY, took, -1, run->result->reason);
    } else {
        run->result->clean_s = took;
        if (failures->count)
            enter(run, STATE_DIRTY, took, -1, (const char *)text.data);
        else
            enter(run, STATE_CLEAN, -1, -1, NULL);
    }
    end(run);
}

static void roll_back(struct test_run *run)
{
    timer_stop(&run->timer);
    rollback_run(run->rollback, on_rolled_back, run);
}

static void clean(struct test_run *run)
{
    enter(run, STATE_CLEANING, -1, -1, NULL);
    run->entered_ns = loop_now_ns();
    roll_back(run);
}

/* ---- preparing ---- */

/* PREPARING is over without READY. What has been done is undone first, so that one line tells both reasons. */
static void not_ready(struct test_run *run, const char *reason)
{
    if (rollback_running(run->rollback))
        return; /* for another reason, a moment ago */
    run->result->outcome = run->interrupted ? OUTCOME_INTERRUPTED : OUTCOME_NOT_READY;
    add_reason(run, run->interrupted ? run->why : reason);
    log_line(run->log, LOG_LEVEL_ERROR, "%s", run->result->reason);
    run->result->prepare_s = seconds_since(run->entered_ns);
    roll_back(run);
}

static void undo_folder(void *user)
{
    struct test_run *run = user;
    bool passed = run->result->outcome == OUTCOME_SUCCESS && !run->dirty;
    cleanup_error struct error *error = NULL;

    if (run->context->keep == KEEP_ALL || (run->context->keep == KEEP_FAILED && !passed)) {
        run->result->folder = text_copy(run->folder.name);
    } else {
        (void)run_folder_remove(run->context->results, &run->folder, &error);
        free(steal_pointer(&run->result->pcap));
    }
    undone(run, error);
}

static int prepare_folder(struct test_run *run, struct error **ret)
{
    if (run_folder_make(run->context->results, run->test, &run->folder, ret) < 0)
        return -1;
    free(run->result->run_id);
    run->result->run_id = text_copy(run->folder.run_id);
    rollback_push(run->rollback, "run folder", undo_folder, run);
    return 0;
}

static void undo_logs(void *user)
{
    struct test_run *run = user;

    log_close(steal_pointer(&run->log));
    log_close(steal_pointer(&run->launch_log));
    undone(run, NULL);
}

static int prepare_logs(struct test_run *run, struct error **ret)
{
    rollback_push(run->rollback, "logs", undo_logs, run);
    run->log = log_open(run->folder.fd, "sipplauncher.log", ret);
    if (!run->log)
        return -1;
    if (run->context->verbose)
        log_echo(run->log, run->test->name);
    run->launch_log = log_open(run->folder.fd, "sipp.launch.log", ret);
    return run->launch_log ? 0 : -1;
}

static void collect_keywords(const struct test_run *run, struct keywords *keywords)
{
    const struct ua *called = test_called(run->test);

    keywords_add(keywords, "test.name", run->test->name);
    keywords_add(keywords, "test.run_id", run->folder.run_id);
    keywords_add(keywords, "test.run_id_number", run->folder.number);
    keywords_add(keywords, "custom_transport", "");
    if (called)
        keywords_add(keywords, "dut.host", called->address);
    for (size_t i = 0; i < run->test->ua_count; i++) {
        cleanup_free char *name = text_format("%s.host", run->test->uas[i].name);

        keywords_add(keywords, name, run->test->uas[i].address);
    }
}

static bool is_rendered(const char *name)
{
    static const char *const fixed[] = {"dns.txt", "3pcc.txt", "test.conf"};
    size_t length = strlen(name);
    struct scenario scenario;

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(name, fixed[i]) == 0)
            return true;
    if (length > 3 && strcmp(name + length - 3, ".sh") == 0)
        return true;
    if (!scenario_parse(name, &scenario))
        return false;
    scenario_free(&scenario);
    return true;
}

static int render_files(struct test_run *run, struct error **ret)
{
    cleanup_strings struct strings names = {0};
    struct keywords keywords = {0};
    int result = file_list(run->folder.fd, &names, ret);

    collect_keywords(run, &keywords);
    for (size_t i = 0; i < names.count && result == 0; i++)
        if (is_rendered(names.list[i]))
            result = template_render_file(run->folder.fd, names.list[i], &keywords, ret);
    keywords_free(&keywords);
    return result;
}

static int check_called(const struct test_run *run, struct error **ret)
{
    for (size_t i = 0; i < run->test->scenario_count; i++)
        if (!run->test->scenarios[i].server && !test_called(run->test))
            return error_set(ret, ERROR_INPUT, "%s has nobody to call: there is no UAS in the first part",
                             run->test->scenarios[i].ua);
    return 0;
}

static void ready(struct test_run *run);

static void undo_scripts(void *user);

/* before.sh is over: after.sh is owed if it succeeded, and if a signal cut it off. */
static void on_before_over(void *user, const struct error *error)
{
    struct test_run *run = user;

    run->script = NULL;
    if (!error || run->interrupted)
        rollback_push(run->rollback, "after.sh", undo_scripts, run);
    if (error || run->interrupted)
        not_ready(run, error_text(error));
    else
        ready(run);
}

static bool has_file(const struct test_run *run, const char *name)
{
    struct stat status;

    return fstatat(run->folder.fd, name, &status, 0) == 0;
}

static void run_script(struct test_run *run, const char *name, void (*done)(void *user, const struct error *error))
{
    struct script_config config = {
        .pod = run->pod,
        .loop = run->context->host->loop,
        .log = run->log,
        .name = name,
        .folder = run->folder.path,
        .envs = run->context->envs,
        .env_count = run->context->env_count,
    };

    log_line(run->log, LOG_LEVEL_INFO, "running %s", name);
    run->script = script_start(&config, done, run);
}

static void run_before(struct test_run *run)
{
    if (run->pod_lost)
        not_ready(run, "the pod has ended");
    else if (has_file(run, "before.sh"))
        run_script(run, "before.sh", on_before_over);
    else
        on_before_over(run, NULL);
}

static void on_after_over(void *user, const struct error *error)
{
    struct test_run *run = user;

    run->script = NULL;
    if (run->hurry && error)
        log_line(run->log, LOG_LEVEL_WARNING, "%s", error_text(error));
    undone(run, error);
}

static void undo_scripts(void *user)
{
    struct test_run *run = user;

    if (!has_file(run, "after.sh")) {
        undone(run, NULL);
    } else if (run->hurry || run->pod_lost) {
        cleanup_error struct error *error = NULL;

        error_set(&error, ERROR_FAILED, "not run: %s", run->hurry ? "a second signal came" : "the pod has ended");
        undone(run, error);
    } else {
        run_script(run, "after.sh", on_after_over);
    }
}

/* ---- preparing: the pod and its capture ---- */

static void on_capture_running(void *user, const struct error *error)
{
    struct test_run *run = user;

    if (error)
        not_ready(run, error_text(error));
    else
        run_before(run);
}

static void on_captured(void *user, const struct capture_result *result, const struct error *error)
{
    struct test_run *run = user;

    run->result->packets = result->packets;
    run->result->dropped = result->dropped;
    if (result->dropped)
        log_line(run->log, LOG_LEVEL_WARNING, "%llu packets were not captured", (unsigned long long)result->dropped);
    undone(run, error);
}

static void undo_capture(void *user)
{
    struct test_run *run = user;

    capture_stop(steal_pointer(&run->capture), on_captured, run);
}

static void on_namespaces(void *user)
{
    struct test_run *run = user;
    cleanup_error struct error *error = NULL;
    int user_namespace, network_namespace;
    char *file;

    if (!run->context->pcap)
        return;
    pod_namespaces(run->pod, &user_namespace, &network_namespace);
    file = text_format("sipp-%s.pcapng", run->folder.run_id);
    run->capture = capture_start(run->context->host, user_namespace, network_namespace, run->folder.fd, file,
                                 on_capture_running, run, &error);
    if (!run->capture) {
        free(file);
        not_ready(run, error_text(error));
        return;
    }
    run->result->pcap = file;
    rollback_push(run->rollback, "capture", undo_capture, run);
}

static void on_pod_up(void *user, const struct error *error)
{
    struct test_run *run = user;

    if (error) {
        cleanup_free char *reason = text_format("the pod cannot be made: %s", error_text(error));

        not_ready(run, reason);
    } else if (run->capture) {
        capture_open(run->capture);
    } else {
        run_before(run);
    }
}

/* Its processes have been told already, and with them the step that was under way; later ones look first. */
static void on_pod_lost(void *user, const struct error *why)
{
    struct test_run *run = user;

    run->pod_lost = true;
    log_line(run->log, LOG_LEVEL_ERROR, "the pod has ended: %s", error_text(why));
}

static void on_notice(void *user, const char *text)
{
    struct test_run *run = user;

    log_line(run->log, LOG_LEVEL_WARNING, "%s", text);
}

static const struct pod_callbacks pod_callbacks = {
    .namespaces = on_namespaces,
    .up = on_pod_up,
    .lost = on_pod_lost,
    .notice = on_notice,
};

static void on_pod_stopped(void *user)
{
    struct test_run *run = user;

    run->pod = NULL;
    undone(run, NULL);
}

static void undo_pod(void *user)
{
    struct test_run *run = user;

    pod_stop(run->pod, on_pod_stopped, run);
}

static int prepare_pod(struct test_run *run, struct error **ret)
{
    const struct mounts_plan *shared = run->context->mounts;
    struct mounts_plan mounts = {.mode = shared->mode};
    struct pod_config config = {.mounts = &mounts, .address_count = run->test->ua_count};
    cleanup_free const char **addresses = memory_array(NULL, run->test->ua_count, sizeof *addresses);

    for (size_t i = 0; i < run->test->ua_count; i++)
        addresses[i] = run->test->uas[i].address;
    for (size_t i = 0; i < shared->readable.count; i++)
        strings_add(&mounts.readable, shared->readable.list[i]);
    strings_add(&mounts.writable, run->folder.path);
    memcpy(config.run_id, run->folder.run_id, sizeof config.run_id);
    config.addresses = addresses;
    run->pod = pod_start(run->context->host, &config, &pod_callbacks, run, ret);
    strings_free(&mounts.readable);
    strings_free(&mounts.writable);
    if (!run->pod)
        return -1;
    rollback_push(run->rollback, "pod", undo_pod, run);
    return 0;
}

/* ---- running ---- */

static double call_rate(const struct test_run *run)
{
    for (size_t i = 0; i < run->test->scenario_count; i++)
        if (!run->test->scenarios[i].server)
            return sipp_call_rate(run->folder.fd, &run->test->scenarios[i]);
    return -1;
}

static void on_parts_over(void *user, const char *failure)
{
    struct test_run *run = user;
    double cps = call_rate(run);

    run->parts = NULL;
    run->result->run_s = seconds_since(run->entered_ns);
    if (failure)
        add_reason(run, failure);
    run->result->outcome = run->interrupted ? OUTCOME_INTERRUPTED : failure ? OUTCOME_FAIL : OUTCOME_SUCCESS;
    enter(run, failure ? STATE_FAIL : STATE_SUCCESS, run->result->run_s, cps, failure);
    clean(run);
}

static void ready(struct test_run *run)
{
    const struct test_context *context = run->context;
    const struct ua *called = test_called(run->test);
    struct parts_config config = {
        .pod = run->pod,
        .loop = context->host->loop,
        .log = run->log,
        .launch_log = run->launch_log,
        .test = run->test,
        .sipp = context->sipp,
        .dut = called ? called->address : run->test->uas[0].address,
        .folder = run->folder.path,
        .folder_fd = run->folder.fd,
        .envs = context->envs,
        .env_count = context->env_count,
        .descriptor_limit = context->descriptor_limit,
        .descriptor_most = context->descriptor_most,
        .results = run->result->uas,
    };

    run->result->prepare_s = seconds_since(run->entered_ns);
    enter(run, STATE_READY, -1, -1, NULL);
    enter(run, STATE_STARTING, -1, -1, NULL);
    run->entered_ns = loop_now_ns();
    run->parts = parts_start(&config, on_parts_over, run);
}

static void cut_off(struct test_run *run, const char *why)
{
    if (run->interrupted || rollback_running(run->rollback))
        return;
    run->interrupted = true;
    run->why = text_copy(why);
    if (run->state == STATE_CREATED)
        enter(run, STATE_PREPARING, -1, -1, NULL);
    if (run->script)
        script_kill(run->script); /* goes on when it is over */
    else if (run->parts)
        parts_stop(run->parts, why);
    else
        not_ready(run, why);
}

static void on_timeout(void *user)
{
    struct test_run *run = user;
    double limit = run->test->config.timeout_s > 0 ? run->test->config.timeout_s : run->context->timeout_s;
    cleanup_free char *why = text_format("not over after its time limit of %g s", limit);

    run->timer = NULL;
    cut_off(run, why);
}

void test_run_interrupt(struct test_run *run, const char *why)
{
    cut_off(run, why);
}

void test_run_hurry(struct test_run *run)
{
    run->hurry = true;
    if (run->script)
        script_kill(run->script);
}

static void describe_uas(struct test_run *run)
{
    const struct test *test = run->test;

    run->result->uas = memory_new(test->scenario_count * sizeof *run->result->uas);
    run->result->ua_count = test->scenario_count;
    for (size_t i = 0; i < test->scenario_count; i++)
        run->result->uas[i] = (struct ua_result){
            .name = text_copy(test->scenarios[i].ua),
            .role = text_copy(test->scenarios[i].server ? "uas" : "uac"),
            .part = text_copy(test->scenarios[i].part),
            .address = text_copy(test_ua(test, test->scenarios[i].ua)->address),
        };
}

static void prepare(void *user)
{
    struct test_run *run = user;
    double limit = run->test->config.timeout_s > 0 ? run->test->config.timeout_s : run->context->timeout_s;
    cleanup_error struct error *error = NULL;

    run->timer = NULL;
    run->entered_ns = loop_now_ns();
    if (prepare_folder(run, &error) < 0) {
        enter(run, STATE_PREPARING, -1, -1, NULL);
        not_ready(run, error_text(error));
        return;
    }
    enter(run, STATE_PREPARING, -1, -1, NULL);
    if (limit > 0)
        run->timer = loop_after(run->context->host->loop, (int64_t)(limit * 1000), on_timeout, run);
    if (prepare_logs(run, &error) < 0 || check_called(run, &error) < 0 || render_files(run, &error) < 0 ||
        prepare_pod(run, &error) < 0)
        not_ready(run, error_text(error));
}

struct test_run *test_run_start(const struct test_context *context, const struct test *test, unsigned index,
                                void (*ended)(void *user, struct test_result *result), void *user)
{
    struct test_run *run = memory_new(sizeof *run);

    *run = (struct test_run){
        .context = context,
        .test = test,
        .result = memory_new(sizeof *run->result),
        .rollback = rollback_new(),
        .folder = {.fd = -1},
        .ended = ended,
        .user = user,
    };
    run->result->index = index;
    run->result->name = text_copy(test->name);
    run->result->run_id = text_copy("");
    run->result->outcome = OUTCOME_NOT_READY;
    describe_uas(run);
    run->entered_ns = loop_now_ns();
    enter(run, STATE_CREATED, -1, -1, NULL);
    run->timer = loop_after(context->host->loop, 0, prepare, run);
    return run;
}

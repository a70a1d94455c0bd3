/* The life of a test. Each step of PREPARING pushes its undo; whatever happens then (success, failure, a
 * signal), the one way out is to pop the stack:
 *
 *   step             undo
 *   run folder       remove, unless it is kept
 *   logs             close
 *   rendered files   forget what is still being rendered
 *   pod              end PID 1, wait for it
 *   capture          drain, close the file
 *   DNS              stop
 *   names            no more served to those outside
 *   DUT              SIGTERM, SIGKILL
 *   before.sh        after.sh
 */
#include "src/run/test_run.h"

#include <errno.h>
#include <stdlib.h>

#include "src/base/memory.h"
#include "src/run/pauses.h"

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
        .tone = state == STATE_FAIL && run->result->expected ? TONE_GOOD : state_tone(state),
        .took_s = took_s,
        .cps = cps,
        .reason = reason,
    };

    if (state != STATE_CREATED && !state_follows(run->state, state))
        abort(); /* a fault of the program, not of the suite */
    run->state = state;
    strings_add(&run->result->states, state_name(state));
    if (state != STATE_NOT_READY || !run->no_room ||
        run->context->is_global) /* a test may yet have another turn: the schedule's to tell */
        progress_state(run->context->progress, &line);
    log_line(run->log, LOG_LEVEL_INFO, "%s%s%s", line.state, reason ? ": " : "", reason ? reason : "");
}

/* ---- cleaning ---- */

void test_undone(struct test_run *run, const struct error *error)
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
    const struct test_callbacks *callbacks = run->callbacks;
    struct test_result *result = run->result;
    bool no_room = run->no_room && result->clean;
    void *user = run->user;

    result->verdict = (result->outcome == OUTCOME_SUCCESS || result->expected) && result->clean
                          ? VERDICT_PASS
                          : VERDICT_FAIL;
    timer_stop(&run->timer);
    rollback_free(run->rollback);
    run_folder_close(&run->folder);
    third_party_free(&run->third_party);
    environment_free(&run->sipp_environment);
    zone_free(run->zone);
    free(run->zone_text);
    if (run->addresses.count) /* the router has been told before that the pod is gone */
        addresses_give_back(run->context->addresses, &run->addresses);
    free(run->why);
    free(run->failure);
    suite_test_free(run->test);
    free(run);
    callbacks->ended(user, result, no_room);
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

/* A limit of the host that other tests use up, too: with fewer of them there may be room. */
static bool is_lack_of_room(const struct error *error)
{
    static const int reasons[] = {EAGAIN, ENOMEM, ENOSPC, EMFILE, ENFILE, EUSERS, EDQUOT};

    for (size_t i = 0; error && i < sizeof reasons / sizeof *reasons; i++)
        if (error->sys == reasons[i])
            return true;
    return false;
}

/* PREPARING is over without READY. What has been done is undone first, so that one line tells both reasons.
 */
void test_not_ready(struct test_run *run, const struct error *error)
{
    if (rollback_running(run->rollback))
        return; /* for another reason, a moment ago */
    run->result->outcome = run->interrupted ? OUTCOME_INTERRUPTED : OUTCOME_NOT_READY;
    run->no_room = !run->why && is_lack_of_room(error);
    add_reason(run, run->why ? run->why : error_text(error));
    log_line(run->log, LOG_LEVEL_ERROR, "%s", run->result->reason);
    run->result->prepare_s = seconds_since(run->entered_ns);
    roll_back(run);
}

/* ---- running ---- */

const char *test_dut(const struct test_run *run)
{
    const struct test_context *context = run->context;

    if (context->dut)
        return context->dut;
    return context->addresses ? suite_dut_address(run->test->family)
                              : suite_dut_host(context->suite, run->test);
}

void test_run_go_on(struct test_run *run)
{
    run->held = run->callbacks->ran != NULL;
    if (run->held)
        run->callbacks->ran(run->user);
    else
        clean(run);
}

/* The test has come to SUCCESS or FAIL. */
static void ran(struct test_run *run)
{
    struct pauses *pauses = run->context->pauses;

    if (!pauses || run->result->outcome != OUTCOME_FAIL || run->result->expected || pod_is_lost(run->pod)) {
        test_run_go_on(run);
        return;
    }
    run->held = true;
    timer_stop(&run->timer); /* to look at it takes its time */
    pauses_add(pauses, run);
}

static void run_dry(struct test_run *run)
{
    run->result->outcome = OUTCOME_SUCCESS;
    enter(run, STATE_DRY_RUNNING, -1, -1, NULL);
    enter(run, STATE_SUCCESS, 0, -1, NULL);
    ran(run);
}

/* What SIPp's end means, where test.conf says that the test fails: NULL is success. */
static char *judge(struct test_run *run, const char *failure)
{
    const char *known = run->interrupted ? NULL : run->test->config.expect_failure;

    if (!known)
        return text_copy(failure);
    if (!failure)
        return text_format("it succeeded, but test.conf expects it to fail: %s", known);
    run->result->expected = true;
    return text_format("expected (%s): %s", known, failure);
}

/* A failure of the scenario comes first: it may be the reason of the others. */
static char *find_failures(const struct test_run *run)
{
    char *expectations = test_failed_expectations(run);
    cleanup_free char *old = expectations;

    if (!run->failure)
        return steal_pointer(&old);
    return expectations ? text_format("%s; %s", run->failure, expectations) : text_copy(run->failure);
}

void test_judged(struct test_run *run)
{
    double cps = sipp_call_rate(run->folder.fd, run->test);
    cleanup_free char *failure = find_failures(run);
    cleanup_free char *reason = judge(run, failure);

    test_log_expectations(run);
    run->result->run_s = seconds_since(run->entered_ns);
    if (reason)
        add_reason(run, reason);
    run->result->outcome = run->interrupted ? OUTCOME_INTERRUPTED : reason ? OUTCOME_FAIL : OUTCOME_SUCCESS;
    enter(run, reason ? STATE_FAIL : STATE_SUCCESS, run->result->run_s, cps, reason);
    ran(run);
}

static void on_parts_over(void *user, const char *failure)
{
    struct test_run *run = user;

    run->parts = NULL;
    run->failure = text_copy(failure);
    test_settle(run);
}

struct ua_config test_ua_config(const struct test_run *run)
{
    const struct test_context *context = run->context;
    const char *dut = test_dut(run);
    bool tls = run->sipp_environment.count > 0;

    return (struct ua_config){
        .pod = run->pod,
        .log = run->log,
        .launch_log = run->launch_log,
        .test = run->test,
        .sipp = context->sipp,
        .dut = dut ? dut : run->test->uas[0].address,
        .third_party = &run->third_party,
        .folder = run->folder.path,
        .folder_fd = run->folder.fd,
        .envs = tls ? run->sipp_environment.list : context->envs,
        .env_count = tls ? run->sipp_environment.count : context->env_count,
        .descriptor_limit = context->descriptor_limit,
        .descriptor_most = context->descriptor_most,
    };
}

void test_start_parts(struct test_run *run)
{
    struct parts_config config = {
        .loop = run->context->host->loop,
        .results = run->result->uas,
        .ua = test_ua_config(run),
    };

    run->parts = parts_start(&config, on_parts_over, run);
}

static void go(struct test_run *run)
{
    if (run->context->dry_run) {
        run_dry(run);
        return;
    }
    enter(run, STATE_STARTING, -1, -1, NULL);
    run->entered_ns = loop_now_ns();
    test_begin_expectations(run);
}

void test_run_clean(struct test_run *run)
{
    run->held = false;
    if (run->state == STATE_READY) {
        run->result->outcome = run->interrupted ? OUTCOME_INTERRUPTED
                               : run->why       ? OUTCOME_NOT_READY
                                                : OUTCOME_SUCCESS;
        if (run->why)
            add_reason(run, run->why);
    }
    clean(run);
}

/* What has no verdict is not evaluated. */
static void give_up_sniffer(struct test_run *run)
{
    run->waits_for_sniffer = false;
    if (!run->failure)
        run->failure = text_copy(run->why);
    test_judged(run);
}

void test_cut_off(struct test_run *run, const char *why)
{
    if (run->why || rollback_running(run->rollback))
        return;
    run->why = text_copy(why);
    if (run->held)
        return; /* whoever holds it will clean it */
    if (run->state == STATE_CREATED)
        enter(run, STATE_PREPARING, -1, -1, NULL);
    if (run->script)
        script_kill(run->script); /* goes on when it is over */
    else if (run->parts)
        parts_stop(run->parts, why);
    else if (run->waits_for_sniffer)
        give_up_sniffer(run);
    else
        test_not_ready(run, NULL);
}

static void on_timeout(void *user)
{
    struct test_run *run = user;
    double limit = run->test->config.timeout_s > 0 ? run->test->config.timeout_s : run->context->timeout_s;
    cleanup_free char *running = run->parts ? parts_running(run->parts) : NULL;
    cleanup_free char *why = text_format("not over after its time limit of %g s%s%s", limit,
                                         run->waits_for_sniffer ? "; expectations were not settled"
                                         : running && *running  ? "; still running: "
                                                                : "",
                                         running ? running : "");

    run->timer = NULL;
    test_cut_off(run, why);
}

void test_run_interrupt(struct test_run *run, const char *why)
{
    if (!run->why)
        run->interrupted = true;
    test_run_fail(run, why);
}

void test_run_fail(struct test_run *run, const char *why)
{
    test_cut_off(run, why);
    if (run->shell)
        shell_end(run->shell);
}

void test_run_hurry(struct test_run *run)
{
    run->hurry = true;
    if (run->script)
        script_kill(run->script);
    if (run->parts)
        parts_hurry(run->parts);
    if (run->shell)
        shell_kill(run->shell);
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
        };
}

void test_describe_addresses(struct test_run *run)
{
    for (size_t i = 0; i < run->result->ua_count; i++) {
        struct ua_result *ua = &run->result->uas[i];

        free(ua->address);
        ua->address = text_copy(test_ua(run->test, ua->name)->address);
    }
}

static int check_addresses(const struct test_run *run, struct error **ret)
{
    if (!run->context->addresses || run->context->is_global || run->addresses.count)
        return 0;
    return error_sys(ret, ERROR_FAILED, EAGAIN, "the tests that run have all addresses of %s",
                     suite_network(run->test->family));
}

static void start_clock(struct test_run *run, int64_t left_ns)
{
    if (left_ns <= 0)
        return;
    run->deadline_ns = loop_now_ns() + left_ns;
    run->timer = loop_after(run->context->host->loop, left_ns / 1000000 + 1, on_timeout, run);
}

void test_clock_on(struct test_run *run)
{
    if (!run->timer)
        start_clock(run, run->deadline_ns);
}

void test_clock_off(struct test_run *run)
{
    if (run->timer)
        run->deadline_ns -= loop_now_ns();
    timer_stop(&run->timer);
}

void test_ready(struct test_run *run)
{
    run->result->prepare_s = seconds_since(run->entered_ns);
    enter(run, STATE_READY, -1, -1, NULL);
    if (run->callbacks->ready) {
        run->held = true;
        test_clock_off(run);
        run->callbacks->ready(run->user);
    } else {
        go(run);
    }
}

void test_run_go(struct test_run *run)
{
    if (run->why) {
        test_run_clean(run);
        return;
    }
    run->held = false;
    test_clock_on(run);
    go(run);
}

static void prepare(void *user)
{
    struct test_run *run = user;
    double limit = run->test->config.timeout_s > 0 ? run->test->config.timeout_s : run->context->timeout_s;
    cleanup_error struct error *error = NULL;

    run->timer = NULL;
    run->entered_ns = loop_now_ns();
    if (check_addresses(run, &error) < 0 || test_prepare_folder(run, &error) < 0) {
        enter(run, STATE_PREPARING, -1, -1, NULL);
        test_not_ready(run, error);
        return;
    }
    enter(run, STATE_PREPARING, -1, -1, NULL);
    start_clock(run, (int64_t)(limit * 1e9));
    if (test_prepare_logs(run, &error) < 0 || (!run->context->allow && test_prepare_files(run, &error) < 0) ||
        test_prepare_pod(run, &error) < 0)
        test_not_ready(run, error);
}

struct test_run *test_run_start(const struct test_context *context, const struct test *test, unsigned index,
                                const struct test_callbacks *callbacks, void *user)
{
    struct test_run *run = memory_new(sizeof *run);

    *run = (struct test_run){
        .context = context,
        .test = suite_test_copy(test),
        .result = memory_new(sizeof *run->result),
        .rollback = rollback_new(),
        .folder = {.fd = -1},
        .callbacks = callbacks,
        .user = user,
    };
    run->result->index = index;
    run->result->name = text_copy(test->name);
    run->result->run_id = text_copy("");
    run->result->outcome = OUTCOME_NOT_READY;
    if (context->addresses && !context->is_global)
        addresses_take(context->addresses, run->test, &run->addresses);
    describe_uas(run);
    test_describe_expectations(run);
    if (!context->allow)
        test_describe_addresses(run);
    run->entered_ns = loop_now_ns();
    enter(run, STATE_CREATED, -1, -1, NULL);
    run->timer = loop_after(context->host->loop, 0, prepare, run);
    return run;
}

/* What test.conf expects of the packets of a test: the sniffer judges, here the verdicts are asked for and
 * told. */
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/run/test_run.h"

bool test_expects(const struct test_run *run)
{
    return run->test->config.expectations.count > 0 && !run->context->dry_run;
}

int test_check_expectations(const struct test_run *run, struct error **ret)
{
    if (test_expects(run) && run->namespaces_up && !run->capture)
        return error_set(
            ret, ERROR_INPUT,
            "test.conf: its expectations are there only once it is rendered; write one without a statement");
    return 0;
}

void test_describe_expectations(struct test_run *run)
{
    const struct expectations *expectations = &run->test->config.expectations;
    struct test_result *result = run->result;

    test_result_forget_expectations(result);
    result->expectations = memory_new(expectations->count * sizeof *result->expectations);
    for (size_t i = 0; i < expectations->count; i++)
        result->expectations[result->expectation_count++] =
            (struct expectation_result){.name = text_copy(expectations->list[i].title), .elapsed_s = -1};
}

static void on_begun(void *user)
{
    struct test_run *run = user;

    if (!run->waits_for_sniffer)
        return; /* it was cut off meanwhile */
    run->waits_for_sniffer = false;
    test_start_parts(run);
}

void test_begin_expectations(struct test_run *run)
{
    run->waits_for_sniffer = test_expects(run);
    if (run->waits_for_sniffer)
        pod_capture_begin(run->capture, on_begun);
    else
        test_start_parts(run);
}

static void take_verdict(struct expectation_result *result, const struct judge_verdict *verdict)
{
    static const enum expectation_outcome outcomes[] = {
        [JUDGED_PASS] = EXPECTATION_PASS,
        [JUDGED_FAIL] = EXPECTATION_FAIL,
        [JUDGED_ERROR] = EXPECTATION_ERROR,
    };

    result->outcome = outcomes[verdict->judgement];
    result->detail = text_printable(verdict->detail, strlen(verdict->detail));
    result->seen = verdict->seen;
    if (verdict->judgement != JUDGED_ERROR)
        result->elapsed_s = (double)verdict->elapsed_ns / 1e9;
}

void test_log_expectations(const struct test_run *run)
{
    for (size_t i = 0; i < run->result->expectation_count; i++) {
        const struct expectation_result *result = &run->result->expectations[i];
        cleanup_free char *line = expectation_line(result);
        bool bad = result->outcome == EXPECTATION_FAIL || result->outcome == EXPECTATION_ERROR;

        log_line(run->log, bad ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "%s", line);
    }
}

static void on_judged(void *user, const struct judge_verdict *verdicts, const struct error *error)
{
    struct test_run *run = user;

    if (!run->waits_for_sniffer)
        return; /* it was cut off meanwhile */
    run->waits_for_sniffer = false;
    for (size_t i = 0; i < run->result->expectation_count; i++) {
        struct expectation_result *result = &run->result->expectations[i];

        if (error) {
            result->outcome = EXPECTATION_ERROR;
            result->detail = text_copy(error_text(error));
        } else {
            take_verdict(result, &verdicts[i]);
        }
    }
    test_judged(run);
}

void test_settle(struct test_run *run)
{
    run->waits_for_sniffer = test_expects(run) && !run->interrupted;
    if (run->waits_for_sniffer)
        pod_capture_settle(run->capture, on_judged);
    else
        test_judged(run);
}

char *test_failed_expectations(const struct test_run *run)
{
    struct buffer text = {0};

    for (size_t i = 0; i < run->result->expectation_count; i++) {
        const struct expectation_result *result = &run->result->expectations[i];

        if (result->outcome == EXPECTATION_FAIL || result->outcome == EXPECTATION_ERROR)
            buffer_addf(&text, "%sexpectation \"%s\": %s", text.length ? "; " : "", result->name,
                        result->detail);
    }
    if (text.length)
        buffer_add(&text, "", 1);
    return (char *)text.data;
}

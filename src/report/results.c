#include "src/report/results.h"

#include <stdlib.h>

#include "src/base/memory.h"

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {
        [VERDICT_PASS] = "pass",
        [VERDICT_FAIL] = "fail",
        [VERDICT_FLAKY] = "flaky",
        [VERDICT_SKIP] = "skip",
    };

    return names[verdict];
}

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_SUCCESS] = "SUCCESS",     [OUTCOME_FAIL] = "FAIL",
        [OUTCOME_NOT_READY] = "NOT READY", [OUTCOME_INTERRUPTED] = "INTERRUPTED",
        [OUTCOME_SKIPPED] = "SKIPPED",
    };

    return names[outcome];
}

const char *expectation_outcome_name(enum expectation_outcome outcome)
{
    static const char *const names[] = {
        [EXPECTATION_NOT_EVALUATED] = "not evaluated",
        [EXPECTATION_PASS] = "pass",
        [EXPECTATION_FAIL] = "fail",
        [EXPECTATION_ERROR] = "error",
    };

    return names[outcome];
}

char *expectation_line(const struct expectation_result *expectation)
{
    return text_format("expectation \"%s\": %s%s%s", expectation->name,
                       expectation_outcome_name(expectation->outcome), expectation->detail ? ": " : "",
                       expectation->detail ? expectation->detail : "");
}

void test_result_forget_expectations(struct test_result *test)
{
    for (size_t i = 0; i < test->expectation_count; i++) {
        free(test->expectations[i].name);
        free(test->expectations[i].detail);
    }
    free(steal_pointer(&test->expectations));
    test->expectation_count = 0;
}

void results_add(struct results *results, struct test_result *test)
{
    results->tests = memory_array(results->tests, results->count + 1, sizeof(struct test_result *));
    results->tests[results->count++] = test;
}

size_t results_count(const struct results *results, enum verdict verdict)
{
    size_t count = 0;

    for (size_t i = 0; i < results->count; i++)
        count += results->tests[i]->verdict == verdict;
    return count;
}

void test_result_free(struct test_result *test)
{
    if (!test)
        return;
    for (size_t i = 0; i < test->ua_count; i++) {
        free(test->uas[i].name);
        free(test->uas[i].role);
        free(test->uas[i].part);
        free(test->uas[i].address);
    }
    free(test->uas);
    for (size_t i = 0; i < test->dns_count; i++) {
        free(test->dns[i].name);
        free(test->dns[i].type);
        free(test->dns[i].rcode);
    }
    free(test->dns);
    test_result_forget_expectations(test);
    strings_free(&test->states);
    free(test->name);
    free(test->run_id);
    free(test->reason);
    free(test->folder);
    free(test->pcap);
    free(test);
}

static void forget_tests(struct results *results)
{
    test_result_free(results->global);
    results->global = NULL;
    for (size_t i = 0; i < results->count; i++)
        test_result_free(results->tests[i]);
    free(results->tests);
    results->tests = NULL;
    results->count = 0;
}

void results_next_pass(struct results *results)
{
    for (size_t i = 0; i < results->count; i++)
        if (results->tests[i]->folder)
            strings_add(&results->earlier, results->tests[i]->folder);
    if (results->global && results->global->folder)
        strings_add(&results->earlier, results->global->folder);
    forget_tests(results);
    results->pass++;
}

void results_free(struct results *results)
{
    forget_tests(results);
    strings_free(&results->earlier);
    free(results->suite);
    *results = (struct results){0};
}

#include "src/report/junit.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/base/memory.h"

/* XML 1.0 has no way to write most control characters, and wants UTF-8: they are escaped as in the logs
 * first. */
static void add_escaped(struct buffer *out, const char *text)
{
    cleanup_free char *clean = text_printable(text, strlen(text));

    for (const char *p = clean; *p; p++)
        switch (*p) {
        case '&':
            buffer_addf(out, "&amp;");
            break;
        case '<':
            buffer_addf(out, "&lt;");
            break;
        case '>':
            buffer_addf(out, "&gt;");
            break;
        case '"':
            buffer_addf(out, "&quot;");
            break;
        default:
            buffer_add(out, p, 1);
        }
}

static void add_attribute(struct buffer *out, const char *name, const char *value)
{
    buffer_addf(out, " %s=\"", name);
    add_escaped(out, value ? value : "");
    buffer_addf(out, "\"");
}

static bool is_failure(const struct test_result *test)
{
    return test->verdict == VERDICT_FAIL && test->outcome == OUTCOME_FAIL && test->clean;
}

static bool is_error(const struct test_result *test)
{
    return test->verdict == VERDICT_FAIL && !is_failure(test);
}

static const char *problem_type(const struct test_result *test)
{
    return test->outcome == OUTCOME_SUCCESS ? "DIRTY" : outcome_name(test->outcome);
}

static void add_problem(struct buffer *out, const struct test_result *test)
{
    const char *element = is_failure(test) ? "failure" : "error";

    buffer_addf(out, "      <%s", element);
    add_attribute(out, "type", problem_type(test));
    add_attribute(out, "message", test->reason ? test->reason : problem_type(test));
    buffer_addf(out, "/>\n");
}

static void add_skipped(struct buffer *out, const struct test_result *test)
{
    buffer_addf(out, "      <skipped");
    add_attribute(out, "message", test->reason ? test->reason : "");
    buffer_addf(out, "/>\n");
}

/* The run folder by the convention of Jenkins' attachments plugin and GitLab. */
static void add_output(struct buffer *out, const struct test_result *test, const char *folder)
{
    buffer_addf(out, "      <system-out>");
    for (size_t i = 0; i < test->states.count; i++) {
        buffer_addf(out, i ? ", " : "");
        add_escaped(out, test->states.list[i]);
    }
    for (size_t i = 0; i < test->ua_count; i++)
        if (test->uas[i].started)
            buffer_addf(out, "\n%s %s: exit code %d", test->uas[i].role, test->uas[i].name,
                        test->uas[i].exit_code);
    for (size_t i = 0; i < test->expectation_count; i++) {
        cleanup_free char *line = expectation_line(&test->expectations[i]);

        buffer_addf(out, "\n");
        add_escaped(out, line);
    }
    if (test->folder && test->pcap) {
        cleanup_free char *path = text_format("%s/%s/%s", folder, test->folder, test->pcap);

        buffer_addf(out, "\n[[ATTACHMENT|");
        add_escaped(out, path);
        buffer_addf(out, "]]");
    }
    buffer_addf(out, "\n</system-out>\n");
}

static void add_test(struct buffer *out, const struct results *results, const struct test_result *test,
                     const char *folder)
{
    const char *slash = strrchr(results->suite, '/');

    buffer_addf(out, "    <testcase");
    add_attribute(out, "classname", slash ? slash + 1 : results->suite);
    add_attribute(out, "name", test->name);
    buffer_addf(out, " time=\"%.3f\">\n", test->prepare_s + test->run_s + test->clean_s);
    if (test->verdict == VERDICT_FAIL)
        add_problem(out, test);
    if (test->verdict == VERDICT_SKIP)
        add_skipped(out, test);
    add_output(out, test, folder);
    buffer_addf(out, "    </testcase>\n");
}

/* Then GLOBAL is a test case: these files have no other place for it. */
static bool global_failed(const struct results *results)
{
    return results->global && results->global->verdict == VERDICT_FAIL;
}

static void add_counts(struct buffer *out, const struct results *results)
{
    size_t failures = 0, errors = 0;

    for (size_t i = 0; i < results->count; i++) {
        failures += is_failure(results->tests[i]);
        errors += is_error(results->tests[i]);
    }
    errors += global_failed(results);
    buffer_addf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\"",
                results->count + global_failed(results), failures, errors,
                results_count(results, VERDICT_SKIP), results->duration_s);
}

char *junit_text(const struct results *results, const char *folder)
{
    const char *slash = strrchr(results->suite, '/');
    time_t started = (time_t)results->started;
    struct buffer out = {0};
    char when[32], host[256] = "";
    struct tm tm;

    gmtime_r(&started, &tm);
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)gethostname(host, sizeof host - 1);
    buffer_addf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    add_counts(&out, results);
    buffer_addf(&out, ">\n  <testsuite");
    add_attribute(&out, "name", slash ? slash + 1 : results->suite);
    add_counts(&out, results);
    add_attribute(&out, "timestamp", when);
    add_attribute(&out, "hostname", host);
    buffer_addf(&out, ">\n");
    for (size_t i = 0; i < results->count; i++)
        add_test(&out, results, results->tests[i], folder);
    if (global_failed(results))
        add_test(&out, results, results->global, folder);
    buffer_addf(&out, "  </testsuite>\n</testsuites>\n");
    buffer_add(&out, "", 1);
    return (char *)out.data;
}

/* Options of `run`: the command line, files below it, abbreviations, what excludes what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/words.h"
#include "src/commands/run_options.h"
#include "tests/unit/support/support.h"

struct scene {
    char *folder; /* holds the user's configuration, and a suite */
    struct run_options run;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    folder_put(scene->folder, "sippod/sippod.conf", "");
    folder_put(scene->folder, "suite/sippod.conf", "");
    setenv("XDG_CONFIG_HOME", scene->folder, 1);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    run_options_free(&scene->run);
    folder_remove(scene->folder);
    free(scene);
    return 0;
}

struct call {
    struct scene *scene;
    const char *line;
    enum run_options_result result;
};

/* `line`: words; the suite follows by itself. */
static void read_line(void *user)
{
    struct call *call = user;
    cleanup_free char *suite = text_format("%s/suite", call->scene->folder);
    cleanup_strings struct strings words = {0};

    run_options_free(&call->scene->run);
    strings_add(&words, "run");
    assert_int_equal(words_split(call->line, &words, NULL), 0);
    strings_add(&words, suite);
    call->result = run_options_read((int)words.count, words.list, false, &call->scene->run);
}

static void accepted(struct scene *scene, const char *line)
{
    struct call call = {scene, line, RUN_OPTIONS_WRONG};
    cleanup_free char *complaint = output_of(STDERR_FILENO, read_line, &call);

    if (call.result != RUN_OPTIONS_GO)
        fail_msg("%s: %s", line, complaint);
    assert_string_equal(complaint, "");
}

static void refused(struct scene *scene, const char *line, const char *words)
{
    struct call call = {scene, line, RUN_OPTIONS_GO};
    cleanup_free char *complaint = output_of(STDERR_FILENO, read_line, &call);

    assert_int_equal(call.result, RUN_OPTIONS_WRONG);
    if (!strstr(complaint, words))
        fail_msg("%s: \"%s\" is not in: %s", line, words, complaint);
}

static void test_defaults(void **state)
{
    struct scene *scene = *state;

    accepted(scene, "");
    assert_int_equal(scene->run.jobs, 0);
    assert_int_equal(scene->run.group, 0);
    assert_true(scene->run.group_pause_s == 0.8);
    assert_int_equal(scene->run.repeat, 1);
    assert_int_equal(scene->run.dut_port, 5060);
    assert_string_equal(scene->run.transport, "u1");
    assert_string_equal(scene->run.results, "sippod-results");
    assert_int_equal(scene->run.keep, KEEP_FAILED);
    assert_int_equal(scene->run.paths.count, 1);
}

static void test_old_options(void **state)
{
    struct scene *scene = *state;

    accepted(scene,
             "--pattern-only a --pattern-only=b --pattern-exclude c --group 3 --group-pause 0.25 "
             "--group-stop-first-fail --total 7 --random --loop --dry-run --fail-expected --leave-temp "
             "--no-pcap --keyword-replacement-values '{\"a\": 1}' --sipp-transport tn "
             "--sipp-call-rate 2.5 --sipp-max-calls 4 --sipp-recv-timeout 100 "
             "--sipp-concurrent-calls-limit 9 --default_behaviors all,-bye --network-mask 16");
    assert_int_equal(scene->run.only.count, 2);
    assert_string_equal(scene->run.only.list[1], "b");
    assert_int_equal(scene->run.group, 3);
    assert_true(scene->run.group_pause_s == 0.25);
    assert_true(scene->run.group_stop_first_fail && scene->run.random && scene->run.loop);
    assert_true(scene->run.dry_run && scene->run.fail_expected && scene->run.no_pcap);
    assert_int_equal(scene->run.keep, KEEP_ALL);
    assert_int_equal(scene->run.total, 7);
    assert_string_equal(scene->run.keywords, "{\"a\": 1}");
    assert_string_equal(scene->run.transport, "tn");
    assert_true(scene->run.call_rate == 2.5);
    assert_int_equal(scene->run.calls, 4);
    assert_int_equal(scene->run.recv_timeout_ms, 100);
    assert_int_equal(scene->run.concurrent, 9);
    assert_string_equal(scene->run.default_behaviors, "all,-bye");
    accepted(scene, "--default-behaviors none");
    assert_string_equal(scene->run.default_behaviors, "none");
}

static void test_abbreviations(void **state)
{
    struct scene *scene = *state;

    accepted(scene, "--sipp-max 4 --leave --pattern-o=x --group-p 1");
    assert_int_equal(scene->run.calls, 4);
    assert_int_equal(scene->run.group, 1); /* a pause is between groups */
    refused(scene, "--pattern x", "--pattern: it could be --pattern-only or --pattern-exclude");
    refused(scene, "--sipp-t u1", "--sipp-t: it could be");
    refused(scene, "--job 2", "--job: there is no such option"); /* not one of Sipplauncher's */
    accepted(scene, "--sipp sipp");                              /* a whole name is not an abbreviation */
}

static void test_tls(void **state)
{
    struct scene *scene = *state;

    accepted(scene, "");
    assert_string_equal(scene->run.transport, "u1");
    accepted(scene, "--tls-ca-root-cert c --tls-ca-root-key k");
    assert_string_equal(scene->run.transport, "l1"); /* nothing else would need it */
    accepted(scene, "--tls-ca-root-cert c --tls-ca-root-key k --sipp-transport ln --sipp-tls-version 1.2");
    assert_string_equal(scene->run.transport, "ln");
    accepted(scene, "--sipp-transport l1"); /* an authority is made */
    /* The transport may be a test's own: whether there is such a test is seen with the suite. */
    accepted(scene, "--sipp-tls-version 1.2");
    accepted(scene, "--tls-ca-root-cert c --tls-ca-root-key k --sipp-transport t1");
    assert_string_equal(scene->run.transport, "t1");
}

static void test_values_refused(void **state)
{
    struct scene *scene = *state;

    refused(scene, "--group 0", "--group 0: it is a whole number from 1");
    refused(scene, "--group 1.5", "--group 1.5: it is a whole number");
    refused(scene, "--group-pause -1", "--group-pause -1: it is a number from 0");
    refused(scene, "--total many", "--total many:");
    refused(scene, "--jobs 0", "--jobs 0: it is a number from 1 to 10000, or auto");
    refused(scene, "--sipp-transport u2", "--sipp-transport u2: it can be u1");
    refused(scene, "--sipp-tls-version 1.4", "it can be 1.0");
    refused(scene, "--tls-ca-root-cert c", "--tls-ca-root-key is missing");
    refused(scene, "--tls-ca-root-key c", "--tls-ca-root-cert is missing");
    refused(scene, "--network-mask 0", "--network-mask 0:");
    refused(scene, "--script-caps sys_admin", "it is a list of net_admin and net_raw");
    refused(scene, "--log-level loud", "it can be debug");
    refused(scene, "--log-format %(x)s", "%(message)s");
    refused(scene, "--pcap-format x", "pcapng or pcap");
    refused(scene, "--sipp-args \"'\"", "is not closed");
    refused(scene, "--set novalue", "KEY=VALUE");
    refused(scene, "--sipp-info-file /nonexistent", "--sipp-info-file /nonexistent: it cannot be read");
    refused(scene, "--dry-run=yes", "--dry-run: it takes no value");
    refused(scene, "--jobs 2 --group 2", "--jobs and --group exclude each other");
    refused(scene, "--total 2 --repeat 2", "--total and --repeat exclude each other");
    refused(scene, "-z", "-z: there is no such option");
}

static void user_file(const struct scene *scene, const char *text)
{
    folder_put(scene->folder, "sippod/sippod.conf", text);
}

static void suite_file(const struct scene *scene, const char *text)
{
    folder_put(scene->folder, "suite/sippod.conf", text);
}

/* The suite's file is above the user's, the command line above both. */
static void test_precedence(void **state)
{
    struct scene *scene = *state;

    user_file(scene, "jobs = 3\ntotal = 5\ntag = {\"u1\", \"u2\"}\nsipp_transport = t1\n");
    suite_file(scene, "total = 6\ntag = {\"s\"}\nfail_fast = true\ndut_port = 5080\n");
    accepted(scene, "--sipp-transport un");
    assert_int_equal(scene->run.jobs, 3);
    assert_int_equal(scene->run.total, 6);
    assert_int_equal(scene->run.tags.count, 1);
    assert_string_equal(scene->run.tags.list[0], "s");
    assert_true(scene->run.fail_fast);
    assert_int_equal(scene->run.dut_port, 5080);
    assert_string_equal(scene->run.transport, "un");
    accepted(scene, "--tag a --tag b --group 2"); /* groups of a stronger source end jobs of a weaker one */
    assert_int_equal(scene->run.tags.count, 2);
    assert_int_equal(scene->run.group, 2);
    suite_file(scene, "group = 4\n");
    accepted(scene, "--jobs 2");
    assert_int_equal(scene->run.group, 0);
    assert_int_equal(scene->run.jobs, 2);
}

/* What a file names lies where the file does. */
static void test_paths_in_files(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *results = text_format("%s/suite/out", scene->folder);

    suite_file(scene, "results = out\njunit = \"/abs/j.xml\"\nsipp = sipp\n");
    accepted(scene, "");
    assert_string_equal(scene->run.results, results);
    assert_string_equal(scene->run.junit, "/abs/j.xml");
    assert_string_equal(scene->run.sipp, "sipp");
}

static void test_faults_in_files(void **state)
{
    struct scene *scene = *state;

    suite_file(scene, "# one\njobs = 0\n");
    refused(scene, "", "suite/sippod.conf:2: jobs 0: it is a number from 1");
    suite_file(scene, "speed = 1\n");
    refused(scene, "", "suite/sippod.conf:1: no such option 'speed'");
    suite_file(scene, "fail_fast = perhaps\n");
    refused(scene, "", "suite/sippod.conf:1: ");
    suite_file(scene, "help = true\n");
    refused(scene, "", "suite/sippod.conf:1: no such option 'help'");
    suite_file(scene, "");
    user_file(scene, "\n\nlog_level = loud\n");
    refused(scene, "", "sippod/sippod.conf:3: log_level loud: it can be debug");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),       TEST(test_old_options),
        TEST(test_abbreviations),  TEST(test_tls),
        TEST(test_values_refused), TEST(test_precedence),
        TEST(test_paths_in_files), TEST(test_faults_in_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

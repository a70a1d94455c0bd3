/* SIPp: its command lines, its exit codes, and the files that it leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/run/sipp.h"
#include "tests/unit/support/support.h"

static struct ua uas[] = {{(char *)"ua0", (char *)"198.18.1.0"}, {(char *)"ua1", (char *)"198.18.1.1"}};
static struct twin master = {(char *)"m", (char *)"198.18.1.1", 6000, true};
static struct twin slave = {(char *)"s1", (char *)"198.18.1.0", 6001, false};
static struct scenario server = {(char *)"uas_ua0.xml", (char *)"", (char *)"ua0", true};
static struct scenario client = {(char *)"02_uac_ua1.xml", (char *)"02", (char *)"ua1", false};

static const struct sipp_options defaults = {
    .program = "/usr/bin/sipp",
    .descriptors = 1024,
};

/* With the arguments of a call of its own: -m, and 3PCC. */
static void arguments_of_call_are(const struct sipp_options *options, const struct test_config *config,
                                  const struct scenario *scenario, unsigned calls, const struct twin *twin,
                                  const char *expected)
{
    struct test test = {.uas = uas, .ua_count = 2};
    struct sipp_call call = {.dut = "198.18.1.0", .calls = calls, .twin = twin};
    cleanup_strings struct strings arguments = {0};
    cleanup_buffer struct buffer text = {0};

    if (config)
        test.config = *config;
    sipp_arguments(options, &test, scenario, &call, &arguments);
    for (size_t i = 0; i < arguments.count; i++)
        buffer_addf(&text, "%s%s", i ? " " : "", arguments.list[i]);
    buffer_add(&text, "", 1);
    assert_string_equal((char *)text.data, expected);
}

static void arguments_are(const struct sipp_options *options, const struct test_config *config,
                          const struct scenario *scenario, const char *expected)
{
    arguments_of_call_are(options, config, scenario, 1, NULL, expected);
}

#define TRACES "-trace_err -trace_calldebug -trace_error_codes -trace_msg -trace_logs -trace_screen "

static void test_uas(void **state)
{
    (void)state;
    arguments_are(&defaults, NULL, &server,
                  "/usr/bin/sipp -i 198.18.1.0 -t u1 -sf uas_ua0.xml -recv_timeout 5000 -r 1000 -l 1 -m 1 "
                  "-log_file ./uas_ua0_log_file -screen_file ./uas_ua0_screen_file " TRACES
                  "198.18.1.0 -max_socket 1023 -trace_stat -stf uas_ua0_trace.csv -fd 60 -nostdin");
}

static void test_uac(void **state)
{
    (void)state;
    arguments_are(&defaults, NULL, &client,
                  "/usr/bin/sipp -i 198.18.1.1 -t u1 -sf 02_uac_ua1.xml -recv_timeout 5000 -r 1000 -l 1 -m 1 "
                  "-log_file ./02_uac_ua1_log_file -screen_file ./02_uac_ua1_screen_file " TRACES
                  "198.18.1.0 -max_socket 1023 -trace_stat -stf 02_uac_ua1_trace.csv -fd 60 -nostdin");
}

static void test_over_tls(void **state)
{
    struct test_config config = {.transport = (char *)"ln"};
    struct sipp_options options = defaults;
    struct test test = {.uas = uas, .ua_count = 2};

    (void)state;
    options.transport = "l1";
    assert_true(sipp_uses_tls(&options, &test));
    assert_false(sipp_uses_tls(&defaults, &test));
    arguments_are(
        &options, NULL, &server,
        "/usr/bin/sipp -i 198.18.1.0 -p 5061 -t l1 -sf uas_ua0.xml -recv_timeout 5000 -r 1000 -l 1 -m 1 "
        "-log_file ./uas_ua0_log_file -screen_file ./uas_ua0_screen_file " TRACES
        "198.18.1.0:5061 -tls_cert ua0.crt -tls_key ua0.key -max_socket 1023 -trace_stat "
        "-stf uas_ua0_trace.csv -fd 60 -nostdin");
    options.tls_version = "1.2";
    arguments_are(
        &options, &config, &client,
        "/usr/bin/sipp -i 198.18.1.1 -p 5061 -t ln -sf 02_uac_ua1.xml -recv_timeout 5000 -r 1000 -l 1 "
        "-m 1 -log_file ./02_uac_ua1_log_file -screen_file ./02_uac_ua1_screen_file " TRACES
        "198.18.1.0:5061 -tls_cert ua1.crt -tls_key ua1.key -tls_version 1.2 -max_socket 1023 "
        "-trace_stat -stf 02_uac_ua1_trace.csv -fd 60 -nostdin");
    config.transport = (char *)"u1"; /* one test that does not: nothing of it is left */
    assert_false(sipp_uses_tls(&options, &(struct test){.config = config}));
    arguments_are(&options, &config, &server,
                  "/usr/bin/sipp -i 198.18.1.0 -t u1 -sf uas_ua0.xml -recv_timeout 5000 -r 1000 -l 1 -m 1 "
                  "-log_file ./uas_ua0_log_file -screen_file ./uas_ua0_screen_file " TRACES
                  "198.18.1.0 -max_socket 1023 -trace_stat -stf uas_ua0_trace.csv -fd 60 -nostdin");
}

/* What a URI has in brackets SIPp would take for a keyword of its own. */
static void test_ipv6(void **state)
{
    struct ua six[] = {{(char *)"ua0", (char *)"2001:2::1:0"}, {(char *)"ua1", (char *)"2001:2::1:1"}};
    const struct test test = {.uas = six, .ua_count = 2};
    const char *const duts[] = {"2001:2::1:0", "2001:2::1"};
    static const char *const expected[] = {
        "[2001:2::1:0] -max_socket 1023 -trace_stat -stf 02_uac_ua1_trace.csv -fd 60 "
        "-key 2001:2::1:0 [2001:2::1:0] -key 2001:2::1:1 [2001:2::1:1] -nostdin",
        "[2001:2::1] -max_socket 1023 -trace_stat -stf 02_uac_ua1_trace.csv -fd 60 "
        "-key 2001:2::1 [2001:2::1] -key 2001:2::1:0 [2001:2::1:0] -key 2001:2::1:1 [2001:2::1:1] -nostdin",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct sipp_call call = {.dut = duts[i], .calls = 1};
        cleanup_strings struct strings arguments = {0};
        cleanup_buffer struct buffer text = {0};

        sipp_arguments(&defaults, &test, &client, &call, &arguments);
        assert_string_equal(arguments.list[2], "2001:2::1:1");
        for (size_t j = 0; j < arguments.count; j++)
            buffer_addf(&text, " %s", arguments.list[j]);
        buffer_add(&text, "", 1);
        assert_non_null(strstr((char *)text.data, expected[i]));
    }
}

/* SIPp has room for 99 keywords. */
static void test_many_uas(void **state)
{
    struct ua many[200];
    const struct test test = {.uas = many, .ua_count = 200};
    const struct sipp_call call = {.dut = "2001:2::1", .calls = 1};
    const struct scenario scenario = {(char *)"uac_ua7.xml", (char *)"", (char *)"ua7", false};
    cleanup_strings struct strings arguments = {0};
    size_t keys = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        many[i] = (struct ua){text_format("ua%u", i), suite_address(FAMILY_IPV6, SUITE_FIRST_UA + i)};
    sipp_arguments(&defaults, &test, &scenario, &call, &arguments);
    for (size_t i = 0; i < arguments.count; i++)
        keys += text_equal(arguments.list[i], "-key");
    assert_int_equal(keys, 64);
    for (unsigned i = 0; i < 200; i++) {
        free(many[i].name);
        free(many[i].address);
    }
}

/* One word an argument, whatever is in it. */
static void test_words(void **state)
{
    struct sipp_options options = defaults;
    struct test test = {.uas = uas, .ua_count = 2};
    struct sipp_call call = {.dut = "::1", .calls = 1};
    cleanup_strings struct strings arguments = {0};

    (void)state;
    options.program = "/home/my sipp/sipp";
    sipp_arguments(&options, &test, &server, &call, &arguments);
    assert_string_equal(arguments.list[0], "/home/my sipp/sipp");
    assert_string_equal(arguments.list[1], "-i");
    assert_string_equal(arguments.list[arguments.count - 1], "-nostdin");
}

/* All that can be said for a run and for a test: what is added comes last, the test's after the run's. */
static void test_everything(void **state)
{
    struct ua_arguments added[] = {{.ua = (char *)"ua1"}, {.ua = (char *)"ua0"}};
    struct test_config config = {.transport = (char *)"tn", .sipp_args = added, .sipp_args_count = 2};
    struct sipp_options options = {
        .program = "sipp",
        .transport = "ui",
        .info_file = "/suite/users.csv",
        .default_behaviors = "all,-bye",
        .recv_timeout_ms = 250,
        .calls = 500,
        .concurrent = 20,
        .rate = 12.5,
        .descriptors = 4096,
    };

    (void)state;
    strings_add(&options.extra, "-key");
    strings_add(&options.extra, "who");
    strings_add(&options.extra, "al ice");
    strings_add(&added[0].list, "-nd");
    strings_add(&added[1].list, "-p");
    strings_add(&added[1].list, "5070");
    arguments_of_call_are(
        &options, &config, &client, 500, &master,
        "sipp -i 198.18.1.1 -t tn -sf 02_uac_ua1.xml -recv_timeout 250 -default_behaviors all,-bye "
        "-r 12.5 -l 20 -m 500 -log_file ./02_uac_ua1_log_file -inf /suite/users.csv "
        "-screen_file ./02_uac_ua1_screen_file " TRACES
        "198.18.1.0 -max_socket 4076 -trace_stat -stf 02_uac_ua1_trace.csv -fd 60 "
        "-master m -slave_cfg 3pcc.txt -nostdin -key who al ice -nd");
    arguments_of_call_are(
        &options, &config, &server, 1, &slave,
        "sipp -i 198.18.1.0 -t tn -sf uas_ua0.xml -recv_timeout 250 -default_behaviors all,-bye "
        "-r 12.5 -l 20 -m 1 -log_file ./uas_ua0_log_file -inf /suite/users.csv "
        "-screen_file ./uas_ua0_screen_file " TRACES
        "198.18.1.0 -max_socket 4076 -trace_stat -stf uas_ua0_trace.csv -fd 60 "
        "-slave s1 -slave_cfg 3pcc.txt -nostdin -key who al ice -p 5070");
    strings_free(&options.extra);
    strings_free(&added[0].list);
    strings_free(&added[1].list);
}

/* More calls at once than descriptors: SIPp is the one to complain. */
static void test_few_descriptors(void **state)
{
    struct sipp_options options = defaults;

    (void)state;
    options.concurrent = 1024;
    arguments_are(&options, NULL, &server,
                  "/usr/bin/sipp -i 198.18.1.0 -t u1 -sf uas_ua0.xml -recv_timeout 5000 -r 1000 -l 1024 -m 1 "
                  "-log_file ./uas_ua0_log_file -screen_file ./uas_ua0_screen_file " TRACES
                  "198.18.1.0 -max_socket 1 -trace_stat -stf uas_ua0_trace.csv -fd 60 -nostdin");
}

static void test_transport_of_the_test(void **state)
{
    struct test_config config = {.transport = (char *)"tn"};

    (void)state;
    arguments_are(&defaults, &config, &server,
                  "/usr/bin/sipp -i 198.18.1.0 -t tn -sf uas_ua0.xml -recv_timeout 5000 -r 1000 -l 1 -m 1 "
                  "-log_file ./uas_ua0_log_file -screen_file ./uas_ua0_screen_file " TRACES
                  "198.18.1.0 -max_socket 1023 -trace_stat -stf uas_ua0_trace.csv -fd 60 -nostdin");
}

/* What was said for the run; the rate is only raised for one call, and only if nobody said one. */
static void test_numbers(void **state)
{
    static const struct {
        double rate;
        unsigned calls;
        const char *words;
    } cases[] = {
        {0, 1, "-r 1000 -l 7 -m 1 "},  {0, 2, "-r 1 -l 7 -m 2 "},       {1, 1, "-r 1 -l 7 -m 1 "},
        {2.5, 1, "-r 2.5 -l 7 -m 1 "}, {50, 500, "-r 50 -l 7 -m 500 "}, {0.1, 1, "-r 0.1 -l 7 -m 1 "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sipp_options options = defaults;
        cleanup_free char *expected =
            text_format("/usr/bin/sipp -i 198.18.1.0 -t u1 -sf uas_ua0.xml -recv_timeout 250 %s"
                        "-log_file ./uas_ua0_log_file -screen_file ./uas_ua0_screen_file " TRACES
                        "198.18.1.0 -max_socket 4089 -trace_stat -stf uas_ua0_trace.csv -fd 60 -nostdin",
                        cases[i].words);

        options.rate = cases[i].rate;
        options.concurrent = 7;
        options.recv_timeout_ms = 250;
        options.descriptors = 4096;
        arguments_of_call_are(&options, NULL, &server, cases[i].calls, NULL, expected);
    }
}

/* Where it is bound, by what it is given last. */
static void test_bound_to(void **state)
{
    static const struct {
        const char *arguments[8], *address, *protocol;
        uint16_t port;
    } cases[] = {
        {{"sipp", "-i", "198.18.1.0", "-t", "u1"}, "198.18.1.0", "udp", 5060},
        {{"sipp", "-i", "198.18.1.0", "-t", "un"}, "198.18.1.0", "udp", 5060},
        {{"sipp", "-i", "198.18.1.0", "-t", "ui"}, "198.18.1.0", "udp", 5060},
        {{"sipp", "-i", "198.18.1.0", "-t", "t1"}, "198.18.1.0", "tcp", 5060},
        {{"sipp", "-i", "198.18.1.0", "-t", "tn"}, "198.18.1.0", "tcp", 5060},
        {{"sipp", "-i", "198.18.1.0", "-p", "5061", "-t", "l1"}, "198.18.1.0", "tcp", 5061},
        {{"sipp", "-i", "198.18.1.0", "-p", "5061", "-p", "5070"}, "198.18.1.0", "udp", 5070},
        {{"sipp", "-i", "198.18.1.0", "-i", "::1", "-p", "70000"}, "::1", "udp", 5060},
        {{"sipp", "-i", "198.18.1.0", "-p"}, "198.18.1.0", "udp", 5060},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_strings struct strings arguments = {0};
        struct sipp_socket to;

        for (const char *const *word = cases[i].arguments; *word; word++)
            strings_add(&arguments, *word);
        to = sipp_bound_to(&arguments);
        assert_string_equal(to.address, cases[i].address);
        assert_string_equal(to.protocol, cases[i].protocol);
        assert_int_equal(to.port, cases[i].port);
    }
}

static void test_exit_text(void **state)
{
    static const struct {
        int code;
        const char *words;
    } cases[] = {{0, "all calls succeeded"}, {1, "a call failed"}, {97, "internal command"},
                 {99, "without a call"},     {253, "RTP check"},   {254, "fatal error"},
                 {255, "fatal error"},       {42, "SIPp failed"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_non_null(strstr(sipp_exit_text(cases[i].code), cases[i].words));
}

/* ---- files ---- */

#define HEADER                                                                                               \
    "StartTime;LastResetTime;CurrentTime;ElapsedTime(P);ElapsedTime(C);TargetRate;CallRate(P);CallRate(C);"  \
    "IncomingCall(P);\n"
#define ROW(rate) "2026-01-31\t12:00:00.1\t17.1;b;c;00:00:01:000000;00:00:02:000000;10;9.5;" rate ";0;\n"

static void test_call_rate(void **state)
{
    static const struct {
        const char *text;
        double rate;
    } cases[] = {
        {HEADER ROW("1.25"), 1.25},
        {HEADER ROW("1.25") ROW("3") ROW("47.619"), 47.619}, /* the last row's */
        {HEADER ROW("2") "2026-01-31;b;c", -1},              /* it is cut off */
        {HEADER, -1},
        {"", -1},
        {"a;b;c;\n1;2;3;\n", -1},
        {"x;CallRate(C);\n1;7.5", 7.5}, /* without an end of line */
        {"CallRate(C);x;\n0.5;1;\n", 0.5},
        {"a;\n1;CallRate(C);\n3;4;5;\n", -1}, /* no header */
    };
    struct test test = {.scenarios = (struct scenario[]){server, client}, .scenario_count = 2};
    struct folder_scene *scene = *state;

    assert_true(sipp_call_rate(scene->dir, &test) < 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double rate;

        folder_put(scene->folder, "02_uac_ua1_trace.csv", cases[i].text);
        rate = sipp_call_rate(scene->dir, &test);
        if (cases[i].rate < 0 ? rate >= 0 : rate != cases[i].rate)
            fail_msg("%s: %g", cases[i].text, rate);
    }
    test.scenario_count = 1; /* no UAC in it */
    assert_true(sipp_call_rate(scene->dir, &test) < 0);
}

/* That of the first UAC: the mean of its parts, as far as they were run. */
static void test_call_rate_of_parts(void **state)
{
    static struct scenario scenarios[] = {
        {(char *)"1_uas_ua1.xml", (char *)"1", (char *)"ua1", true},
        {(char *)"1_uac_ua2.xml", (char *)"1", (char *)"ua2", false},
        {(char *)"1_uac_ua3.xml", (char *)"1", (char *)"ua3", false},
        {(char *)"2_uac_ua2.xml", (char *)"2", (char *)"ua2", false},
        {(char *)"3_uac_ua2.xml", (char *)"3", (char *)"ua2", false},
    };
    struct test test = {.scenarios = scenarios, .scenario_count = 5};
    struct folder_scene *scene = *state;

    folder_put(scene->folder, "1_uas_ua1_trace.csv", HEADER ROW("1000"));
    folder_put(scene->folder, "1_uac_ua3_trace.csv", HEADER ROW("100"));
    folder_put(scene->folder, "2_uac_ua2_trace.csv", HEADER ROW("9") ROW("2"));
    assert_true(sipp_call_rate(scene->dir, &test) == 2);
    folder_put(scene->folder, "1_uac_ua2_trace.csv", HEADER ROW("4"));
    assert_true(sipp_call_rate(scene->dir, &test) == 3);
}

/* ---- the program ---- */

static void test_find(void **state)
{
    struct folder_scene *scene = *state;
    cleanup_free char *program = text_format("%s/bin/sipp", scene->folder);
    cleanup_free char *path = text_format("%s/data:/no/such::%s/link", scene->folder, scene->folder);
    cleanup_free char *saved = text_copy(getenv("PATH"));
    cleanup_free char *by_path = NULL;
    cleanup_free char *by_name = NULL;
    cleanup_error struct error *nowhere = NULL;
    cleanup_error struct error *no_program = NULL;

    folder_put(scene->folder, "bin/sipp", "#!/bin/sh\n");
    folder_put(scene->folder, "data/sipp", "not executable");
    folder_put(scene->folder, "data/folder/", "");
    folder_link(scene->folder, "bin", "link");
    assert_int_equal(chmod(program, 0755), 0);
    setenv("PATH", path, 1);
    by_path = sipp_find(program, NULL);
    by_name = sipp_find("sipp", NULL); /* the first that can be run */
    assert_string_equal(by_path, program);
    assert_string_equal(by_name, program); /* absolute, and without links */
    assert_null(sipp_find("no-sipp", &nowhere));
    assert_error(nowhere, ERROR_HOST, "no-sipp is not in PATH; install it");
    assert_null(sipp_find("./data/sipp", &no_program));
    assert_error(no_program, ERROR_HOST, "./data/sipp is no program; say with --sipp");
    assert_null(sipp_find("folder", NULL)); /* a folder can be "executed" too */
    setenv("PATH", saved, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uas),
        cmocka_unit_test(test_uac),
        cmocka_unit_test(test_over_tls),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_many_uas),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_transport_of_the_test),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_few_descriptors),
        cmocka_unit_test(test_bound_to),
        cmocka_unit_test(test_exit_text),
        TEST(test_call_rate),
        TEST(test_call_rate_of_parts),
        TEST(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

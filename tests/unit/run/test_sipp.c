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
static struct scenario server = {(char *)"uas_ua0.xml", (char *)"", (char *)"ua0", true};
static struct scenario client = {(char *)"02_uac_ua1.xml", (char *)"02", (char *)"ua1", false};

static const struct sipp_options defaults = {
    .program = "/usr/bin/sipp",
    .transport = "u1",
    .recv_timeout_ms = 5000,
    .calls = 1,
    .concurrent = 1,
    .descriptors = 1024,
};

static void arguments_are(const struct sipp_options *options, const struct test_config *config,
                          const struct scenario *scenario, const char *expected)
{
    struct test test = {.uas = uas, .ua_count = 2};
    cleanup_strings struct strings arguments = {0};
    cleanup_buffer struct buffer text = {0};

    if (config)
        test.config = *config;
    sipp_arguments(options, &test, scenario, "198.18.1.0", &arguments);
    for (size_t i = 0; i < arguments.count; i++)
        buffer_addf(&text, "%s%s", i ? " " : "", arguments.list[i]);
    buffer_add(&text, "", 1);
    assert_string_equal((char *)text.data, expected);
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

/* One word an argument, whatever is in it. */
static void test_words(void **state)
{
    struct sipp_options options = defaults;
    struct test test = {.uas = uas, .ua_count = 2};
    cleanup_strings struct strings arguments = {0};

    (void)state;
    options.program = "/home/my sipp/sipp";
    sipp_arguments(&options, &test, &server, "::1", &arguments);
    assert_string_equal(arguments.list[0], "/home/my sipp/sipp");
    assert_string_equal(arguments.list[1], "-i");
    assert_string_equal(arguments.list[arguments.count - 1], "-nostdin");
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
        options.calls = cases[i].calls;
        options.concurrent = 7;
        options.recv_timeout_ms = 250;
        options.descriptors = 4096;
        arguments_are(&options, NULL, &server, expected);
    }
}

static void test_protocol(void **state)
{
    (void)state;
    assert_string_equal(sipp_protocol("u1"), "udp");
    assert_string_equal(sipp_protocol("un"), "udp");
    assert_string_equal(sipp_protocol("ui"), "udp");
    assert_string_equal(sipp_protocol("t1"), "tcp");
    assert_string_equal(sipp_protocol("tn"), "tcp");
    assert_string_equal(sipp_protocol("l1"), "tcp");
}

static void test_exit_text(void **state)
{
    static const struct {
        int code;
        const char *words;
    } cases[] = {{0, "all calls succeeded"}, {1, "a call failed"},     {97, "internal command"},
                 {99, "without a call"},     {253, "RTP check"},       {254, "fatal error"},
                 {255, "fatal error"},       {42, "unknown exit code"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_non_null(strstr(sipp_exit_text(cases[i].code), cases[i].words));
}

/* ---- files ---- */

struct scene {
    char *folder;
    int dir;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    scene->dir = folder_open(scene->folder);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    close(scene->dir);
    folder_remove(scene->folder);
    free(scene);
    return 0;
}

static void complaint_is(const struct scene *scene, const struct scenario *scenario, const char *expected)
{
    cleanup_free char *complaint = sipp_complaint(scene->dir, scenario);

    if (expected && !complaint)
        fail_msg("no complaint");
    assert_true(text_equal(complaint, expected));
}

static void test_complaint(void **state)
{
    struct scene *scene = *state;

    complaint_is(scene, &server, NULL);
    folder_put(
        scene->folder, "uas_ua0_4711_errors.log",
        "2026-01-31\t12:00:00.123456\t1769860800.123456: Aborting call on unexpected message for Call-Id "
        "'1-7@198.18.1.1': while expecting 'ACK' (index 3)\nBYE sip:x SIP/2.0\n");
    complaint_is(
        scene, &server,
        "Aborting call on unexpected message for Call-Id '1-7@198.18.1.1': while expecting 'ACK' (index 3)");
    complaint_is(scene, &client, NULL); /* another one's */
}

/* As SIPp 3.6.1 writes it: the first line is a heading, and no complaint. */
static void test_complaint_of_sipp_3_6(void **state)
{
    struct scene *scene = *state;

    folder_put(
        scene->folder, "uas_ua0_7826_errors.log",
        "The following events occurred:\n2026-11-23\t19:40:37.860142\t1795462837.860142: Call-Id: "
        "1-7826@127.0.0.1, receive timeout on message call: alice calls bob:1 without label to jump to "
        "(ontimeout attribute): aborting call");
    complaint_is(scene, &server,
                 "Call-Id: 1-7826@127.0.0.1, receive timeout on message call: alice calls bob:1 without "
                 "label to jump to "
                 "(ontimeout attribute): aborting call");
}

static void test_complaint_shapes(void **state)
{
    static const struct {
        const char *text, *complaint;
    } cases[] = {
        {"2026-01-31\t12:00:00.1\t17.1: one\n2026-01-31\t12:00:00.1\t17.1: two\n", "one"},
        {"\n\r\n2026-01-31\t12:00:00.1\t17.1: one: more\r\nx", "one: more"},
        {"no stamp", "no stamp"},
        {"no stamp\nbut: here", "no stamp"},
        {"2026-01-31\t12:00:00.1\t17.1: a\tb\x1b[2J\xff", "a\\x09b\\x1b[2J\\xff"},
        {"The following events occurred:\n", NULL},
        {"The following events occurred:\n2026-01-31\t12:00:00.1\t17.1: \n2026-01-31\t12:00:00.1\t17.1: "
         "one\n",
         "one"},
        {"2026-01-31\t12:00:00.1\t17.1: ", NULL},
        {"", NULL},
        {"\n\n", NULL},
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        folder_put(scene->folder, "uas_ua0_1_errors.log", cases[i].text);
        complaint_is(scene, &server, cases[i].complaint);
    }
}

/* Files of the same beginning are not this scenario's. */
static void test_complaint_of_others(void **state)
{
    struct scene *scene = *state;

    folder_put(scene->folder, "uas_ua01_1_errors.log", "17.1: of ua01");
    folder_put(scene->folder, "uas_ua0_1_messages.log", "17.1: no error log");
    folder_put(scene->folder, "uas_ua0_errors.log", "17.1: without a process");
    folder_put(scene->folder, "02_uas_ua0_1_errors.log", "17.1: of part 02");
    folder_put(scene->folder, "x_uas_ua0_1_errors.log.bak", "17.1: a copy");
    complaint_is(scene, &server, NULL);
    folder_put(scene->folder, "uas_ua0_2_errors.log/x", "");
    complaint_is(scene, &server, NULL);
}

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
    struct scene *scene = *state;

    assert_true(sipp_call_rate(scene->dir, &client) < 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double rate;

        folder_put(scene->folder, "02_uac_ua1_trace.csv", cases[i].text);
        rate = sipp_call_rate(scene->dir, &client);
        if (cases[i].rate < 0 ? rate >= 0 : rate != cases[i].rate)
            fail_msg("%s: %g", cases[i].text, rate);
    }
    assert_true(sipp_call_rate(scene->dir, &server) < 0);
}

/* ---- the program ---- */

static void test_find(void **state)
{
    struct scene *scene = *state;
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uas),
        cmocka_unit_test(test_uac),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_transport_of_the_test),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_protocol),
        cmocka_unit_test(test_exit_text),
        TEST(test_complaint),
        TEST(test_complaint_of_sipp_3_6),
        TEST(test_complaint_shapes),
        TEST(test_complaint_of_others),
        TEST(test_call_rate),
        TEST(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is printed while a run goes on, character by character. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/report/progress.h"
#include "tests/unit/support/support.h"

struct print {
    struct progress progress;
    struct progress_line line;
    const struct results *results;
};

static void print_state(void *user)
{
    const struct print *print = user;

    struct progress progress = print->progress;

    progress.stream = stdout;
    progress_state(&progress, &print->line);
}

static void print_summary(void *user)
{
    const struct print *print = user;

    struct progress progress = print->progress;

    progress.stream = stdout;
    progress_summary(&progress, print->results);
}

static const struct print plain = {
    .progress = {.level = PROGRESS_NORMAL},
    .line = {.state = "SUCCESS",
             .test = "call",
             .run_id = "abcdef",
             .index = 7,
             .tone = TONE_GOOD,
             .took_s = -1,
             .cps = -1},
};

static void prints(struct print print, const char *expected)
{
    cleanup_free char *text = output_of(STDOUT_FILENO, print_state, &print);

    assert_string_equal(text, expected);
}

static void test_line(void **state)
{
    struct print print = plain;

    (void)state;
    prints(print, "     SUCCESS                     call (7-abcdef)\n");
    print.line.state = "PREPARING-AND-MORE";
    print.line.test = "a-name-of-more-than-24-characters";
    print.line.index = 4000000000;
    prints(print, "PREPARING-AND-MORE a-name-of-more-than-24-characters (4000000000-abcdef)\n");
}

static void test_took(void **state)
{
    static const struct {
        double took_s;
        const char *words;
    } cases[] = {{0, "0.00"}, {0.004, "0.00"}, {0.125, "0.12"}, {9.994, "9.99"},
                 {10, "10"},  {12.4, "12"},    {99.6, "100"},   {3600, "3600"}};
    struct print print = plain;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_free char *expected =
            text_format("     SUCCESS                     call (7-abcdef) - took %ss\n", cases[i].words);

        print.line.took_s = cases[i].took_s;
        prints(print, expected);
    }
}

static void test_cps(void **state)
{
    struct print print = plain;

    (void)state;
    print.line.took_s = 1.5;
    print.line.cps = 12.34;
    prints(print, "     SUCCESS                     call (7-abcdef) - took 1.50s (12.3 cps)\n");
    print.line.cps = 0;
    print.line.state = "FAIL";
    print.line.tone = TONE_BAD;
    prints(print, "        FAIL                     call (7-abcdef) - took 1.50s (*0.0 cps)\n");
}

static void test_reason(void **state)
{
    struct print print = plain;

    (void)state;
    print.line.state = "FAIL";
    print.line.tone = TONE_BAD;
    print.line.took_s = 20;
    print.line.cps = 1;
    print.line.reason = "ua1: a\nb\x1b[2J \xff caf\xc3\xa9";
    prints(print, "        FAIL                     call (7-abcdef) - took 20s (*1.0 cps): ua1: "
                  "a\\x0ab\\x1b[2J \\xff caf\xc3\xa9\n");
}

static void test_colours(void **state)
{
    static const struct {
        enum progress_tone tone;
        const char *colour;
    } cases[] = {{TONE_GOOD, "\033[32m"}, {TONE_BAD, "\033[31m"}, {TONE_HIDDEN, "\033[34m"}};
    struct print print = plain;

    (void)state;
    print.progress = (struct progress){.level = PROGRESS_VERBOSE, .colours = true};
    for (size_t i = 0; i < 3; i++) {
        cleanup_free char *expected =
            text_format("%s     SUCCESS                     call (7-abcdef)\033[0m\n", cases[i].colour);

        print.line.tone = cases[i].tone;
        prints(print, expected);
    }
}

static void test_levels(void **state)
{
    static const bool shown[3][3] = {
        [PROGRESS_QUIET] = {[TONE_BAD] = true},
        [PROGRESS_NORMAL] = {[TONE_BAD] = true, [TONE_GOOD] = true},
        [PROGRESS_VERBOSE] = {[TONE_BAD] = true, [TONE_GOOD] = true, [TONE_HIDDEN] = true},
    };
    struct print print = plain;

    (void)state;
    for (int level = 0; level < 3; level++)
        for (int tone = 0; tone < 3; tone++) {
            print.progress.level = (enum progress_level)level;
            print.line.tone = (enum progress_tone)tone;
            prints(print, shown[level][tone] ? "     SUCCESS                     call (7-abcdef)\n" : "");
        }
}

/* ---- when there are colours ---- */

static int colours_on(void *user)
{
    struct progress progress;
    int output = *(int *)user;

    if (dup2(output, STDOUT_FILENO) < 0)
        return 2;
    progress_open(&progress, PROGRESS_QUIET, stdout);
    return progress.level == PROGRESS_QUIET ? progress.colours : 3;
}

static void test_when_colours(void **state)
{
    cleanup_fd int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    cleanup_fd int output = -1;
    cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)state;
    assert_int_equal(grantpt(terminal), 0);
    assert_int_equal(unlockpt(terminal), 0);
    output = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(output >= 0);
    unsetenv("NO_COLOR");
    assert_int_equal(exit_of(colours_on, &output), 1);
    assert_int_equal(exit_of(colours_on, &null), 0);
    setenv("NO_COLOR", "", 1); /* set and empty is not set, by the convention */
    assert_int_equal(exit_of(colours_on, &output), 1);
    setenv("NO_COLOR", "1", 1);
    assert_int_equal(exit_of(colours_on, &output), 0);
    unsetenv("NO_COLOR");
}

/* ---- summary ---- */

#define RULE "================================================================================\n"

static void test_summary(void **state)
{
    struct test_result results_of[4] = {{.verdict = VERDICT_PASS},
                                        {.verdict = VERDICT_FAIL},
                                        {.verdict = VERDICT_PASS},
                                        {.verdict = VERDICT_PASS}};
    struct test_result *list[] = {&results_of[0], &results_of[1], &results_of[2], &results_of[3]};
    struct results results = {.tests = list, .count = 4, .planned = 4, .duration_s = 3.456};
    struct print print = {.results = &results};
    cleanup_free char *text = output_of(STDOUT_FILENO, print_summary, &print);
    cleanup_free char *partial = NULL;

    (void)state;
    assert_string_equal(text, RULE "TOTAL: 4\nSUCCESS: 3\nFAILED: 1\n" RULE "Total time elapsed 3.46s\n");
    results.partial = true;
    results.planned = 9;
    results.duration_s = 75.2;
    partial = output_of(STDOUT_FILENO, print_summary, &print);
    assert_string_equal(partial,
                        RULE "TOTAL: 4\nSUCCESS: 3\nFAILED: 1\nNOT RUN: 5\n" RULE "Total time elapsed 75s\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),    cmocka_unit_test(test_took),         cmocka_unit_test(test_cps),
        cmocka_unit_test(test_reason),  cmocka_unit_test(test_colours),      cmocka_unit_test(test_levels),
        cmocka_unit_test(test_summary), cmocka_unit_test(test_when_colours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
